/* The report for programs: docs/schema/audit-1.schema.json says what is in it. */
#include <stdio.h>

#include "audit/hello.h"
#include "cmd/audit_json.h"
#include "cmd/json_words.h"

/* Within a version members may come, none goes or changes its meaning. */
enum { VERSION = 1 };
#define SCHEMA "audit-1.schema.json"

static json_t *all, *target, *endpoint;         /* target and endpoint: the ones being told of, owned by all */

json_t *
audit_json_span(struct span s)
{
	return span_done(s) ? json_string("") : json_stringn((const char *)s.p, s.len);
}

json_t *
audit_json_append(json_t *list, json_t *value)
{
	(void)json_array_append_new(list, value);
	return value;
}

void
audit_json_print(json_t *what)
{
	(void)json_show(what);
	(void)putchar('\n');
	json_decref(what);
}

static json_t *
of_text(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static void
json_begin(void)
{
	all = json_pack("{ss, si, ss, s[]}", "schema", SCHEMA, "version", VERSION, "postern", POSTERN_VERSION, "targets");
}

static void
json_target(struct span name, struct span at)
{
	target = audit_json_append(json_object_get(all, "targets"), json_pack("{so, so, s[]}", "target", audit_json_span(name),
	    "at", audit_json_span(at), "endpoints"));
}

/* What was seen: key to values, in the order in which they came. */
static json_t *
facts_of(const struct section *s)
{
	struct span lines = s->lines;
	json_t *facts = json_object();
	struct fact f;

	while (fact_take(&lines, &f)) {
		char key[64];
		struct buf b = { (uint8_t *)key, 0, sizeof key - 1 };
		json_t *values;

		/* The target's own two are members of their own. */
		if (span_eq(f.key, SPAN("target")) || span_eq(f.key, SPAN("at")) || !buf_put(&b, f.key))
			continue;
		key[b.len] = '\0';
		values = json_object_get(facts, key);
		if (values == NULL) {
			values = json_array();
			(void)json_object_set_new(facts, key, values);
		}
		(void)audit_json_append(values, audit_json_span(f.value));
	}
	return facts;
}

static json_t *
suites_of(const struct section *s)
{
	struct span lines = s->lines;
	json_t *suites = json_array();
	struct fact f;

	while (fact_take(&lines, &f)) {
		struct span version = span_take_word(&f.value), name = f.value;
		const char grade[] = { hello_suite_grade(name), '\0' };

		if (span_eq(f.key, SPAN("tls-cipher")))
			(void)audit_json_append(suites, json_pack("{so, so, ss}", "version", audit_json_span(version), "name", audit_json_span(name),
			    "grade", grade));
	}
	return suites;
}

static void
json_endpoint(const struct audit_endpoint *e)
{
	const char grade[] = { e->grade, '\0' };

	endpoint = audit_json_append(json_object_get(target, "endpoints"), json_pack("{so, si, so, ss, so, so, so, s[]}", "address",
	    audit_json_span(e->section->address), "port", (int)e->section->port, "service", audit_json_span(e->section->service), "kind",
	    section_kind(e->section), "grade", e->graded ? json_string(grade) : json_null(), "facts", facts_of(e->section),
	    "suites", suites_of(e->section), "findings"));
}

static void
json_finding(const struct audit_endpoint *e, const struct finding *f, bool fails, bool details)
{
	const struct check *c = f->check;

	(void)e, (void)details;
	(void)audit_json_append(json_object_get(endpoint, "findings"), json_pack("{ss, sb, ss, ss, ss, ss, so, s{so, so, so, so}}", "id", c->id,
	    "fails", (int)fails, "severity", severity_name(c->severity), "title", c->title, "why", c->why, "reference", c->reference,
	    "evidence", audit_json_span(f->evidence), "mend", "postfix", of_text(c->mending.postfix), "exim", of_text(c->mending.exim),
	    "opensmtpd", of_text(c->mending.opensmtpd), "postern", of_text(c->mending.postern)));
}

static void
nothing(void)
{
}

static void
json_target_end(bool examined)
{
	(void)json_object_set_new(target, "examined", json_boolean(examined));
}

static void
json_end(void)
{
	audit_json_print(all);
	all = NULL;
}

const struct audit_format audit_as_json = {
	"--json", json_begin, json_target, json_endpoint, json_finding, nothing, json_target_end, json_end,
};

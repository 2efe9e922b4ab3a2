/* The report for programs, and the same as SARIF 2.1.0 for those that collect findings. */
#include <stdio.h>

#include <jansson.h>

#include "cmd/audit.h"

/* ---- JSON ---- */

static json_t *all, *target, *endpoint;         /* target and endpoint: the ones being told of, owned by all */

static json_t *
of_span(struct span s)
{
	return span_done(s) ? json_string("") : json_stringn((const char *)s.p, s.len);
}

static json_t *
of_text(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *
append(json_t *list, json_t *value)
{
	(void)json_array_append_new(list, value);
	return value;
}

static void
json_begin(void)
{
	all = json_pack("{si, s[]}", "version", 1, "targets");
}

static void
json_target(struct span name, struct span at)
{
	target = append(json_object_get(all, "targets"), json_pack("{so, so, s[]}", "target", of_span(name), "at", of_span(at), "endpoints"));
}

static void
json_endpoint(const struct audit_endpoint *e)
{
	const char grade[] = { e->grade, '\0' };

	endpoint = append(json_object_get(target, "endpoints"), json_pack("{so, si, so, ss, so, s[]}", "address",
	    of_span(e->section->address), "port", (int)e->section->port, "service", of_span(e->section->service), "kind",
	    section_kind(e->section), "grade", e->graded ? json_string(grade) : json_null(), "findings"));
}

static void
json_finding(const struct audit_endpoint *e, const struct finding *f, bool fails, bool details)
{
	const struct check *c = f->check;

	(void)e, (void)details;
	(void)append(json_object_get(endpoint, "findings"), json_pack("{ss, sb, ss, ss, ss, ss, so, s{so, so, so, so}}", "id", c->id, "fails", (int)fails,
	    "severity", severity_name(c->severity), "title", c->title, "why", c->why, "reference", c->reference,
	    "evidence", of_span(f->evidence), "mend", "postfix", of_text(c->mending.postfix), "exim", of_text(c->mending.exim),
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
	(void)json_dumpf(all, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(all);
	all = NULL;
}

const struct audit_format audit_as_json = {
	"--json", json_begin, json_target, json_endpoint, json_finding, nothing, json_target_end, json_end,
};

/* ---- SARIF ---- */

static json_t *results;

/* SARIF knows four levels. */
static const char *
level_of(enum severity severity)
{
	static const char *const levels[SEVERITY_MAX] = { "none", "note", "note", "warning", "error", "error" };

	return levels[severity];
}

static void
sarif_begin(void)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < audit_check_count; i++) {
		const struct check *c = &audit_checks[i];

		(void)append(rules, json_pack("{ss, s{ss}, s{ss}, s{ss}, s{ss}}", "id", c->id, "shortDescription", "text", c->title,
		    "fullDescription", "text", c->why, "help", "text", c->reference, "defaultConfiguration", "level", level_of(c->severity)));
	}
	results = json_array();
	all = json_pack("{ss, ss, s[{s{s{ss, ss, so}}, so}]}", "version", "2.1.0", "$schema",
	    "https://json.schemastore.org/sarif-2.1.0.json", "runs", "tool", "driver", "name", "postern audit", "version", POSTERN_VERSION,
	    "rules", rules, "results", results);
}

static void
sarif_target(struct span name, struct span at)
{
	(void)at;
	json_decref(target);
	target = of_span(name);
}

static void
sarif_endpoint(const struct audit_endpoint *e)
{
	(void)e;
}

static void
sarif_finding(const struct audit_endpoint *e, const struct finding *f, bool fails, bool details)
{
	char place[400];

	(void)fails, (void)details;
	if (f->check->severity == SEVERITY_GOOD)
		return;
	if (span_done(e->section->address))
		(void)snprintf(place, sizeof place, "dns:%s", json_string_value(target));
	else
		(void)snprintf(place, sizeof place, "smtp://%s:%u", json_string_value(target), e->section->port);
	(void)append(results, json_pack("{ss, ss, s{ss++%}, s[{s{s{ss}}, s[{so, ss}]}]}", "ruleId", f->check->id,
	    "level", level_of(f->check->severity), "message", "text", f->check->title, ": ", f->evidence.p, f->evidence.len,
	    "locations", "physicalLocation", "artifactLocation", "uri", place, "logicalLocations", "name",
	    of_span(e->section->address), "kind", "resource"));
}

static void
sarif_target_end(bool examined)
{
	(void)examined;
}

static void
sarif_end(void)
{
	json_decref(target);
	target = NULL;
	json_end();
}

const struct audit_format audit_as_sarif = {
	"--sarif", sarif_begin, sarif_target, sarif_endpoint, sarif_finding, nothing, sarif_target_end, sarif_end,
};

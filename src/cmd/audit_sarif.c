/* The report as SARIF 2.1.0 (OASIS, 2020) for those that collect findings. */
#include <stdio.h>
#include <string.h>

#include "cmd/audit_json.h"

enum { NAME_MAX_OCTETS = 256, PLACE_MAX = NAME_MAX_OCTETS + 64 };

static json_t *all, *results;
static char target[NAME_MAX_OCTETS];

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

		(void)audit_json_append(rules, json_pack("{ss, s{ss}, s{ss}, s{ss}, s{ss}}", "id", c->id, "shortDescription", "text", c->title,
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
	struct buf b = { (uint8_t *)target, 0, sizeof target - 1 };

	(void)at;
	for (size_t i = 0; i < name.len && buf_room(&b) >= 3; i++) {
		uint8_t c = name.p[i];

		/* A transcript from elsewhere may name anything (RFC 3986 2.1). */
		if (ascii_is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':')
			(void)buf_put_byte(&b, c);
		else
			(void)(buf_put_byte(&b, '%') && buf_put_hex(&b, c, 2));
	}
	target[b.len] = '\0';
}

static void
sarif_endpoint(const struct audit_endpoint *e)
{
	(void)e;
}

/* A URI (RFC 3986 3.2.2): an IPv6 address stands in brackets. */
static void
place_of(const struct section *s, char place[PLACE_MAX])
{
	bool v6 = strchr(target, ':') != NULL;

	if (span_done(s->address))
		(void)snprintf(place, PLACE_MAX, "dns:%s", target);
	else
		(void)snprintf(place, PLACE_MAX, "smtp://%s%s%s:%u", v6 ? "[" : "", target, v6 ? "]" : "", s->port);
}

static void
sarif_finding(const struct audit_endpoint *e, const struct finding *f, bool fails, bool details)
{
	char place[PLACE_MAX];

	(void)fails, (void)details;
	if (f->check->severity == SEVERITY_GOOD)
		return;
	place_of(e->section, place);
	(void)audit_json_append(results, json_pack("{ss, si, ss, s{ss++%}, s[{s{s{ss}}, s[{so, ss}]}]}", "ruleId", f->check->id,
	    "ruleIndex", (int)(f->check - audit_checks), "level", level_of(f->check->severity), "message", "text", f->check->title, ": ",
	    f->evidence.p, f->evidence.len, "locations", "physicalLocation", "artifactLocation", "uri", place, "logicalLocations",
	    "name", audit_json_span(span_done(e->section->address) ? span_of(target) : e->section->address), "kind", "resource"));
}

static void
nothing(void)
{
}

static void
sarif_target_end(bool examined)
{
	(void)examined;
}

static void
sarif_end(void)
{
	audit_json_print(all);
	all = NULL;
}

const struct audit_format audit_as_sarif = {
	"--sarif", sarif_begin, sarif_target, sarif_endpoint, sarif_finding, nothing, sarif_target_end, sarif_end,
};

/* Findings for people and for programs. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cmd/audit.h"

static const char *const colours[SEVERITY_MAX] = { "\033[32m", "", "\033[36m", "\033[33m", "\033[31m", "\033[1;31m" };

struct telling {
	struct audit_report *report;
	const struct section *section;  /* the one being told of */
	enum severity worst;
	json_t *findings;
};

static void
print_span(struct span s)
{
	(void)printf("%.*s", (int)s.len, (const char *)s.p);
}

/* ---- for people ---- */

static void
print_mending(const char *who, const char *line)
{
	if (line != NULL)
		(void)printf("               %s: %s\n", who, line);
}

static void
print_finding(struct telling *t, const struct finding *f)
{
	const struct check *c = f->check;
	bool colour = t->report->colour;

	(void)printf("    %s%-9s%s%s  [%s]\n", colour ? colours[c->severity] : "", severity_name(c->severity), colour ? "\033[0m" : "",
	    c->title, c->id);
	if (!span_done(f->evidence)) {
		(void)printf("             seen  ");
		print_span(f->evidence);
		(void)putchar('\n');
	}
	if (!t->report->details)
		return;
	(void)printf("             why   %s (%s)\n", c->why, c->reference);
	if (c->mending.postfix == NULL && c->mending.exim == NULL && c->mending.opensmtpd == NULL && c->mending.postern == NULL)
		return;
	(void)printf("             mend\n");
	print_mending("Postfix", c->mending.postfix);
	print_mending("Exim", c->mending.exim);
	print_mending("OpenSMTPD", c->mending.opensmtpd);
	print_mending("Postern", c->mending.postern);
}

/* ---- for programs ---- */

static json_t *
text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static void
add_finding(struct telling *t, const struct finding *f)
{
	const struct check *c = f->check;

	(void)json_array_append_new(t->findings, json_pack("{ss, ss, ss, ss, ss, so, so}", "id", c->id, "severity",
	    severity_name(c->severity), "title", c->title, "why", c->why, "reference", c->reference,
	    "evidence", json_stringn((const char *)f->evidence.p, f->evidence.len),
	    "mend", json_pack("{so, so, so, so}", "postfix", text_or_null(c->mending.postfix), "exim", text_or_null(c->mending.exim),
	    "opensmtpd", text_or_null(c->mending.opensmtpd), "postern", text_or_null(c->mending.postern))));
}

/* ---- both ---- */

static void
on_worst(void *arg, const struct finding *f)
{
	struct telling *t = arg;

	if (f->section->lines.p == t->section->lines.p && f->check->severity > t->worst)
		t->worst = f->check->severity;
}

static void
on_finding(void *arg, const struct finding *f)
{
	struct telling *t = arg;

	if (f->section->lines.p != t->section->lines.p)
		return;
	if (t->report->json)
		add_finding(t, f);
	else
		print_finding(t, f);
}

static json_t *
span_json(struct span s)
{
	return json_stringn((const char *)s.p, s.len);
}

/* Judged twice: the grade stands in front of what it was given for. */
static enum severity
report_endpoint(struct audit_report *report, struct span text, const struct section *s, json_t *endpoints)
{
	struct telling t = { report, s, SEVERITY_GOOD, json_array() };

	(void)audit_judge(text, on_worst, &t);
	if (!report->json) {
		(void)printf("  ");
		print_span(s->address);
		(void)printf(" port %u (", s->port);
		print_span(s->service);
		(void)printf("): %s", section_kind(s));
		(void)printf(section_count(s, "tls") > 0 || t.worst > SEVERITY_LOW ? ", grade %c\n" : "\n", audit_grade(t.worst));
	}
	(void)audit_judge(text, on_finding, &t);
	if (report->json)
		(void)json_array_append_new(endpoints, json_pack("{so, si, so, ss, ss#, so}", "address", span_json(s->address), "port",
		    (int)s->port, "service", span_json(s->service), "kind", section_kind(s), "grade", (char[]){ audit_grade(t.worst) }, 1,
		    "findings", json_incref(t.findings)));
	json_decref(t.findings);
	return t.worst;
}

enum severity
audit_report(struct audit_report *report, struct span text)
{
	struct transcript transcript;
	struct section s;
	enum severity worst = SEVERITY_GOOD, here;
	json_t *endpoints = json_array(), *target;
	bool any = false;

	if (!transcript_open(&transcript, text)) {
		json_decref(endpoints);
		return SEVERITY_MAX;
	}
	if (!report->json) {
		(void)printf(report->first ? "" : "\n");
		print_span(transcript.name);
		(void)printf(", ");
		print_span(transcript.at);
		(void)putchar('\n');
	}
	while (transcript_next(&transcript, &s)) {
		here = report_endpoint(report, text, &s, endpoints);
		worst = here > worst ? here : worst;
		any = any || section_has(&s, "connect", "ok");
	}
	if (report->json) {
		target = json_pack("{so, so, so}", "target", span_json(transcript.name), "at", span_json(transcript.at), "endpoints", endpoints);
		(void)printf(report->first ? "" : ",\n");
		(void)json_dumpf(target, stdout, JSON_INDENT(2));
		json_decref(target);
	} else {
		json_decref(endpoints);
	}
	if (!any && !report->json)
		(void)printf("  nothing could be examined\n");
	report->first = false;
	return any ? worst : SEVERITY_MAX;
}

void
audit_report_begin(struct audit_report *report)
{
	report->first = true;
	if (report->json)
		(void)printf("{\"version\": 1, \"targets\": [\n");
}

void
audit_report_end(struct audit_report *report)
{
	if (report->json)
		(void)printf("\n]}\n");
}

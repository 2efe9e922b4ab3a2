/* From a transcript to the calls of a format; and the format for people. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/hello.h"
#include "cmd/audit.h"
#include "cmd/shown.h"

struct telling {
	const struct audit_report *report;
	struct audit_endpoint endpoint;
	enum severity worst;
	bool failed;
};

/* ---- from a transcript ---- */

static void
on_worst(void *arg, const struct finding *f)
{
	struct telling *t = arg;

	if (f->check->severity > t->worst)
		t->worst = f->check->severity;
	t->failed = t->failed || audit_policy_fails(&t->report->policy, f->check);
}

static void
on_finding(void *arg, const struct finding *f)
{
	struct telling *t = arg;

	t->report->format->finding(&t->endpoint, f, audit_policy_fails(&t->report->policy, f->check), t->report->details);
}

/* Judged twice: the grade stands in front of what it was given for. True: something fails. */
static bool
report_endpoint(const struct audit_report *report, const struct section *s)
{
	struct telling t = { report, { .section = s, .details = report->details }, SEVERITY_GOOD, false };

	audit_judge_section(s, on_worst, &t);
	t.endpoint.grade = audit_grade(t.worst);
	/* What was only half examined has earned no good grade, since a cure may show what is worse; a host without an address none at all. */
	t.endpoint.graded = section_count(s, "unknown-host") == 0
	    && (t.worst > SEVERITY_MEDIUM || (t.worst == SEVERITY_MEDIUM && section_count(s, "domain") > 0)
		|| (section_count(s, "tls") > 0 && section_count(s, "unexamined") == 0));
	report->format->endpoint(&t.endpoint);
	audit_judge_section(s, on_finding, &t);
	report->format->endpoint_end();
	return t.failed;
}

enum audit_outcome
audit_report(const struct audit_report *report, struct span text)
{
	struct transcript transcript;
	struct section s;
	bool examined = false, failed = false, whole = true;

	if (!transcript_open(&transcript, text))
		return AUDIT_NOT_EXAMINED;
	report->format->target(transcript.name, transcript.at);
	if (section_count(&transcript.target, "domain") > 0 || section_count(&transcript.target, "unknown-host") > 0
	    || section_count(&transcript.target, "dns-failed") > 0)
		failed = report_endpoint(report, &transcript.target);
	while (transcript_next(&transcript, &s)) {
		failed |= report_endpoint(report, &s);
		examined = examined || section_has(&s, "connect", "ok");
		whole = whole && section_count(&s, "unexamined") == 0;
	}
	report->format->target_end(examined);
	return !examined ? AUDIT_NOT_EXAMINED : failed ? AUDIT_NOT_MET : whole ? AUDIT_MET : AUDIT_NOT_EXAMINED;
}

/* ---- for people ---- */

static bool told;

static const char *
colour_of(enum severity severity)
{
	static const char *const colours[SEVERITY_MAX] = { "\033[32m", "", "\033[36m", "\033[33m", "\033[31m", "\033[1;31m" };

	return isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL ? colours[severity] : "";
}

static void
text_begin(void)
{
	told = false;
}

static void
text_target(struct span name, struct span at)
{
	(void)printf("%s", told ? "\n" : "");
	told = true;
	shown_put(name);
	(void)printf(", ");
	shown_put(at);
	(void)putchar('\n');
}

/* By version, as they were found. */
static void
print_suites(const struct section *s)
{
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f)) {
		struct span version = span_take_word(&f.value), name = f.value;

		if (!span_eq(f.key, SPAN("tls-cipher")))
			continue;
		(void)printf("    %c ", hello_suite_grade(name));
		shown_put(version);
		(void)putchar(' ');
		shown_put(name);
		(void)putchar('\n');
	}
}

static void
text_endpoint(const struct audit_endpoint *e)
{
	(void)printf("  ");
	if (span_done(e->section->address)) {
		(void)printf("%s", section_kind(e->section));
	} else {
		shown_put(e->section->address);
		(void)printf(" port %u (", e->section->port);
		shown_put(e->section->service);
		(void)printf("): %s", section_kind(e->section));
	}
	if (e->graded)
		(void)printf(", grade %c", e->grade);
	(void)putchar('\n');
	if (e->details)
		print_suites(e->section);
}

static void
print_mending(const char *who, const char *line)
{
	if (line != NULL)
		(void)printf("               %s: %s\n", who, line);
}

static void
text_finding(const struct audit_endpoint *e, const struct finding *f, bool fails, bool details)
{
	const struct check *c = f->check;
	const char *colour = colour_of(c->severity);

	(void)e;
	(void)printf("  %c %s%-9s%s%s  [%s]\n", fails ? '*' : ' ', colour, severity_name(c->severity), colour[0] != '\0' ? "\033[0m" : "", c->title, c->id);
	if (!span_done(f->evidence)) {
		(void)printf("             seen  ");
		shown_put(f->evidence);
		(void)putchar('\n');
	}
	if (!details)
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

static void
text_endpoint_end(void)
{
}

static void
text_target_end(bool examined)
{
	if (!examined)
		(void)printf("  nothing could be examined\n");
}

const struct audit_format audit_as_text = {
	"--text", text_begin, text_target, text_endpoint, text_finding, text_endpoint_end, text_target_end, text_endpoint_end,
};

/* ---- for nobody ---- */

static void
no_target(struct span name, struct span at)
{
	(void)name, (void)at;
}

static void
no_endpoint(const struct audit_endpoint *e)
{
	(void)e;
}

static void
no_finding(const struct audit_endpoint *e, const struct finding *f, bool fails, bool details)
{
	(void)e, (void)f, (void)fails, (void)details;
}

static void
no_target_end(bool examined)
{
	(void)examined;
}

const struct audit_format audit_as_nothing = {
	"--nothing", text_endpoint_end, no_target, no_endpoint, no_finding, text_endpoint_end, no_target_end, text_endpoint_end,
};

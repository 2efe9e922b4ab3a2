#include "audit/tests.h"

#include <assert.h>

const char *
severity_name(enum severity severity)
{
	static const char *const names[SEVERITY_MAX] = { "good", "info", "low", "medium", "high", "critical" };

	assert(severity < SEVERITY_MAX);
	return names[severity];
}

char
audit_grade(enum severity worst)
{
	static const char grades[SEVERITY_MAX] = { 'A', 'A', 'A', 'B', 'D', 'F' };

	assert(worst < SEVERITY_MAX);
	return grades[worst];
}

const char *
section_kind(const struct section *s)
{
	static const struct { const char *key, *words, *kind; } kinds[] = {
		{ "connect", "refused", "closed" },
		{ "connect", "timed-out", "filtered" },
		{ "connect", "unreachable", "unreachable" },
		{ "connect", "throttled", "not examined" },
		{ "first", "http", "HTTP" },
		{ "first", "urd", "a URD router in between" },
		{ "first", "nothing", "silent" },
		{ "first", "other", "something else" },
	};
	bool tls = section_count(s, "tls") > 0, smtp = section_has(s, "greeting", "220");

	if (section_count(s, "domain") > 0)
		return "the domain's records";
	if (section_count(s, "unknown-host") > 0)
		return "a name without an address";
	if (span_done(s->address) && section_count(s, "dns-failed") > 0)
		return "a name that could not be looked up";
	if (section_has(s, "first", "nothing") && tls_answers(s))
		return "TLS that did not come about";
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (section_has(s, kinds[i].key, kinds[i].words))
			return kinds[i].kind;
	if (other_greets(s))
		return "something else";
	if (section_has(s, "first", "tls"))
		return smtp ? "SMTP over TLS" : tls ? "TLS of something else" : "TLS that did not come about";
	if (!section_has(s, "first", "smtp") && section_count(s, "greeting") == 0)
		return "unknown";
	return tls ? "SMTP with STARTTLS" : "SMTP in clear";
}

void
audit_judge_section(const struct section *s, void (*found)(void *arg, const struct finding *), void *arg)
{
	uint8_t octets[EVIDENCE_MAX];

	for (size_t i = 0; i < audit_check_count; i++) {
		struct buf evidence = BUF_OVER(octets);

		if (audit_checks[i].holds(s, &evidence))
			found(arg, &(struct finding){ &audit_checks[i], s, buf_span(&evidence) });
	}
}

bool
audit_judge(struct span text, void (*found)(void *arg, const struct finding *), void *arg)
{
	struct transcript t;
	struct section s;

	if (!transcript_open(&t, text))
		return false;
	audit_judge_section(&t.target, found, arg);
	while (transcript_next(&t, &s))
		audit_judge_section(&s, found, arg);
	return true;
}

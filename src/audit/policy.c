#include "audit/policy.h"

#include <assert.h>

bool
severity_parse(struct span name, enum severity *severity)
{
	for (unsigned i = SEVERITY_LOW; i < SEVERITY_MAX; i++)
		if (span_eq(name, span_of(severity_name((enum severity)i)))) {
			*severity = (enum severity)i;
			return true;
		}
	return false;
}

/* AUDIT_CHECKS_MAX: none. */
static size_t
check_named(struct span id)
{
	assert(audit_check_count <= AUDIT_CHECKS_MAX);
	for (size_t i = 0; i < audit_check_count; i++)
		if (span_eq(id, span_of(audit_checks[i].id)))
			return i;
	return AUDIT_CHECKS_MAX;
}

/* NULL, or what is wrong with it. */
static const char *
take_line(struct audit_policy *p, struct span line)
{
	struct span verb = span_take_word(&line), what = span_take_word(&line);
	size_t at;

	if (span_done(verb))
		return NULL;
	(void)span_take_spaces(&line);
	if (span_done(what) || !span_done(line))
		return "two words were expected: fail-from SEVERITY, fail ID, or allow ID";
	if (span_eq(verb, SPAN("fail-from")))
		return severity_parse(what, &p->from) ? NULL : "the severity is none of low, medium, high, critical";
	if (!span_eq(verb, SPAN("fail")) && !span_eq(verb, SPAN("allow")))
		return "the first word is none of fail-from, fail, allow";
	at = check_named(what);
	if (at == AUDIT_CHECKS_MAX)
		return "no check has this id; --json shows the ids of what is found";
	if (p->rule[at] != AUDIT_BY_SEVERITY)
		return "this id has been spoken of before";
	p->rule[at] = span_eq(verb, SPAN("fail")) ? AUDIT_FAILS : AUDIT_ALLOWED;
	return NULL;
}

bool
audit_policy_parse(struct span text, struct audit_policy *p, uint32_t *line, const char **wrong)
{
	*p = (struct audit_policy){ .from = SEVERITY_HIGH };
	for (*line = 1; !span_done(text); (*line)++) {
		struct span whole = span_take_until(&text, '\n'), words = span_take_until(&whole, '#');

		(void)span_take_byte(&text, '\n');
		if (words.len > 0 && words.p[words.len - 1] == '\r')
			words.len--;
		*wrong = take_line(p, words);
		if (*wrong != NULL)
			return false;
	}
	return true;
}

bool
audit_policy_fails(const struct audit_policy *p, const struct check *c)
{
	enum audit_rule rule = (enum audit_rule)p->rule[c - audit_checks];

	return rule == AUDIT_FAILS || (rule == AUDIT_BY_SEVERITY && c->severity >= p->from);
}

/*
 * audit/policy.h - which findings fail an audit: those of a severity and above, but for what a file says of single ones. Pure.
 *
 *	# who audits us wants this
 *	fail-from medium
 *	fail      no-scram
 *	allow     cert-untrusted        # our own CA
 *
 * Owner     the caller; nothing points into the text. Blocks never.
 * Fails     false with the line and what is wrong with it: an id that no check has would never fail, and is refused.
 */
#ifndef POSTERN_AUDIT_POLICY_H
#define POSTERN_AUDIT_POLICY_H

#include "audit/judge.h"

enum { AUDIT_CHECKS_MAX = 256, AUDIT_POLICY_MAX = 64 * 1024 /* octets of a file */ };

enum audit_rule { AUDIT_BY_SEVERITY, AUDIT_FAILS, AUDIT_ALLOWED };

struct audit_policy {
	enum severity from;             /* SEVERITY_LOW or more */
	uint8_t rule[AUDIT_CHECKS_MAX]; /* enum audit_rule, by the check's place in audit_checks */
};

bool audit_policy_parse(struct span text, struct audit_policy *, uint32_t *line, const char **wrong);
bool audit_policy_fails(const struct audit_policy *, const struct check *);
/* "low", "medium", "high", "critical"; false: none of them. */
bool severity_parse(struct span, enum severity *);

#endif

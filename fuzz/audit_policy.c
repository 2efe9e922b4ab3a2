/* The file that says which findings fail: whatever stands in it, there is a policy, or a line and words about it. */
#include <stdlib.h>

#include "audit/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct audit_policy policy;
	const char *wrong = NULL;
	uint32_t line = 0, lines = 1;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	if (!audit_policy_parse((struct span){ p, n }, &policy, &line, &wrong)) {
		if (wrong == NULL || line == 0 || line > lines)
			abort();
		return 0;
	}
	if (policy.from < SEVERITY_LOW || policy.from >= SEVERITY_MAX)
		abort();
	for (size_t i = 0; i < audit_check_count; i++)
		if (policy.rule[i] == AUDIT_BY_SEVERITY && audit_policy_fails(&policy, &audit_checks[i]) != (audit_checks[i].severity >= policy.from))
			abort();
	return 0;
}

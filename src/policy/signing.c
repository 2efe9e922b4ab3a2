#include "policy/signing.h"

unsigned
signing_decide(const struct signing_facts *f)
{
	int said = f->hop != SIGNING_UNSAID ? f->hop : f->domain;
	unsigned wanted = said != SIGNING_UNSAID ? (unsigned)said : f->standard;

	if (wanted == 0 || f->domain == 0 || (f->domain == SIGNING_UNSAID && f->standard == 0))
		return 0;
	return (wanted & f->keys) != 0 ? wanted & f->keys : f->keys;
}

bool
signing_rule_fits(struct span rule, struct span name)
{
	if (rule.len > 0 && rule.p[0] == '.')
		return name.len > rule.len && span_ends(name, rule);
	return rule.len > 0 && span_same(rule, name);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/signing.h"

enum { OFF, RSA, ED, BOTH, UNSAID = SIGNING_UNSAID };

static const struct { struct signing_facts facts; unsigned verdict; } table[] = {
	/* keys, all, domain, hop */
	{ { BOTH, BOTH, UNSAID, UNSAID }, BOTH },
	{ { BOTH, ED, UNSAID, UNSAID }, ED },
	{ { BOTH, BOTH, RSA, UNSAID }, RSA },
	{ { BOTH, BOTH, RSA, ED }, ED },
	{ { BOTH, RSA, UNSAID, BOTH }, BOTH },
	{ { BOTH, OFF, RSA, UNSAID }, RSA },
	{ { BOTH, OFF, RSA, BOTH }, BOTH },
	/* off */
	{ { BOTH, OFF, UNSAID, UNSAID }, OFF },
	{ { BOTH, OFF, UNSAID, BOTH }, OFF },
	{ { BOTH, BOTH, OFF, BOTH }, OFF },
	{ { BOTH, BOTH, OFF, UNSAID }, OFF },
	{ { BOTH, BOTH, BOTH, OFF }, OFF },
	{ { BOTH, BOTH, UNSAID, OFF }, OFF },
	/* what there is */
	{ { RSA, BOTH, UNSAID, UNSAID }, RSA },
	{ { RSA, ED, UNSAID, UNSAID }, RSA },
	{ { ED, BOTH, RSA, UNSAID }, ED },
	{ { ED, BOTH, UNSAID, RSA }, ED },
	{ { OFF, BOTH, UNSAID, UNSAID }, OFF },
};

static void
facts_have_their_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_int_equal(signing_decide(&table[i].facts), table[i].verdict);
}

static void
rules_fit_names(void **state)
{
	(void)state;
	assert_true(signing_rule_fits(SPAN("mx.example.net"), SPAN("MX.example.NET")));
	assert_false(signing_rule_fits(SPAN("example.net"), SPAN("mx.example.net")));
	assert_true(signing_rule_fits(SPAN(".example.net"), SPAN("mx.Example.net")));
	assert_false(signing_rule_fits(SPAN(".example.net"), SPAN(".example.net")));
	assert_false(signing_rule_fits(SPAN(".example.net"), SPAN("example.net")));
	assert_false(signing_rule_fits(SPAN(".example.net"), SPAN("badexample.net")));
	assert_false(signing_rule_fits(SPAN(""), SPAN("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(facts_have_their_verdict), cmocka_unit_test(rules_fit_names) };

	return cmocka_run_group_tests_name("policy/signing", tests, NULL, NULL);
}

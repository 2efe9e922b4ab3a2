/* Which findings fail, and what is wrong with a file that says so. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "audit/policy.h"

static const struct check *
named(const char *id)
{
	for (size_t i = 0; i < audit_check_count; i++)
		if (strcmp(audit_checks[i].id, id) == 0)
			return &audit_checks[i];
	fail_msg("%s", id);
	return NULL;
}

static void
rules_go_before_severity(void **state)
{
	static const char text[] = "# ours\r\n\nfail-from medium\nfail no-scram # we want it\n  allow   cert-expired\n";
	struct audit_policy p;
	const char *wrong = NULL;
	uint32_t line;

	(void)state;
	assert_true(audit_policy_parse(span_of(text), &p, &line, &wrong));
	assert_true(audit_policy_fails(&p, named("no-scram")));
	assert_false(audit_policy_fails(&p, named("cert-expired")));
	assert_true(audit_policy_fails(&p, named("auth-offered-clear")));
	assert_false(audit_policy_fails(&p, named("no-ems")));
	assert_true(audit_policy_parse(SPAN(""), &p, &line, &wrong));
	assert_false(audit_policy_fails(&p, named("auth-offered-clear")));
	assert_true(audit_policy_fails(&p, named("cert-expired")));
}

static void
what_is_wrong_is_named(void **state)
{
	static const struct { const char *text; uint32_t line; const char *words; } bad[] = {
		{ "fail nothing-like-it", 1, "no check has this id" },
		{ "\nfail", 2, "two words" },
		{ "fail no-scram now", 1, "two words" },
		{ "fail-from good", 1, "none of low" },
		{ "permit no-scram", 1, "none of fail-from" },
		{ "fail no-scram\n\nallow no-scram\n", 3, "spoken of before" },
	};
	struct audit_policy p;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *wrong = NULL;
		uint32_t line = 0;

		assert_false(audit_policy_parse(span_of(bad[i].text), &p, &line, &wrong));
		assert_int_equal(line, bad[i].line);
		assert_non_null(strstr(wrong, bad[i].words));
	}
}

/* Two checks with one id could not be told apart. */
static void
every_id_is_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < audit_check_count; i++)
		assert_ptr_equal(named(audit_checks[i].id), &audit_checks[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_go_before_severity),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(every_id_is_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fail.h"

/* A reply and its enhanced code agree in their first digit (RFC 2034 4), and every failure has all of its row. */
static void
rows_are_whole(void **state)
{
	(void)state;
	for (int f = OK; f < FAIL_MAX; f++) {
		const struct fail_row *row = fail_row((enum fail)f);

		assert_true(row->smtp >= 200 && row->smtp < 600);
		assert_int_equal(row->enhanced[0], '0' + row->smtp / 100);
		assert_int_equal(row->enhanced[1], '.');
		assert_non_null(row->text);
		assert_in_range(strlen(row->text), 1, 100);
		for (const char *c = row->text; *c != '\0'; c++)
			assert_in_range(*c, 32, 126);
	}
}

/* Whose turn it is: what the world cannot do now is 4yz, what the peer did wrong never is "ours". */
static void
blame_and_codes_agree(void **state)
{
	(void)state;
	for (int f = OK + 1; f < FAIL_MAX; f++) {
		const struct fail_row *row = fail_row((enum fail)f);

		assert_int_not_equal(row->blame, BLAME_NOBODY);
		if (row->blame == BLAME_WORLD || row->blame == BLAME_SELF)
			assert_int_equal(row->smtp / 100, 4);
	}
}

static void
the_standards_codes_are_kept(void **state)
{
	static const struct { enum fail fail; uint16_t smtp; const char *enhanced; } rows[] = {
		{ FAIL_NEED_AUTH, 530, "5.7.0" },               /* 6409-9 */
		{ FAIL_CREDENTIALS, 535, "5.7.8" },             /* RFC 4954 6 */
		{ FAIL_MECHANISM_WEAK, 534, "5.7.9" },
		{ FAIL_AUTH_BACKEND, 454, "4.7.0" },
		{ FAIL_AUTH_LINE_LONG, 500, "5.5.6" },
		{ FAIL_SENDER_SYNTAX, 501, "5.1.7" },           /* 6409-10 */
		{ FAIL_RCPT_SYNTAX, 501, "5.1.3" },
		{ FAIL_SENDER_DOMAIN, 554, "5.1.8" },           /* 6409-7 */
		{ FAIL_RCPT_DOMAIN, 554, "5.1.2" },
		{ FAIL_SENDER_DENIED, 550, "5.7.1" },           /* 6409-13 */
		{ FAIL_TOO_BIG, 552, "5.3.4" },
		{ FAIL_RCPT_MANY, 452, "4.5.3" },
		{ FAIL_LOOP, 554, "5.4.6" },
		{ FAIL_UTF8_RCPT, 553, "5.6.7" },               /* 6531-7 */
		{ FAIL_UTF8_SENDER, 550, "5.6.7" },
		{ FAIL_UTF8_CONTENT, 554, "5.6.9" },
		{ FAIL_DISK_FULL, 452, "4.3.1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(fail_row(rows[i].fail)->smtp, rows[i].smtp);
		assert_string_equal(fail_row(rows[i].fail)->enhanced, rows[i].enhanced);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),
		cmocka_unit_test(blame_and_codes_agree),
		cmocka_unit_test(the_standards_codes_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* TLSA and TXT records as they come (RFC 6698 2.1, RFC 1035 3.3.14), and which TLSA records SMTP can use (dane-7, dane-8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/text.h"
#include "dns/tlsa.h"

static const struct { uint8_t usage, selector, matching; size_t len; bool parses, usable; } rows[] = {
	{ 3, 1, 1, 32, true, true },
	{ 3, 0, 1, 32, true, true },
	{ 3, 1, 2, 64, true, true },
	{ 3, 1, 0, 91, true, true },
	{ 2, 0, 1, 32, true, true },
	{ 2, 1, 2, 64, true, true },
	{ 2, 0, 0, 900, true, true },
	/* dane-7 */
	{ 0, 0, 1, 32, true, false },
	{ 1, 1, 1, 32, true, false },
	/* lengths that no such digest has */
	{ 3, 1, 1, 31, true, false },
	{ 3, 1, 1, 33, true, false },
	{ 3, 1, 2, 32, true, false },
	{ 3, 1, 0, 0, false, false },
	/* numbers nobody has given a meaning */
	{ 4, 1, 1, 32, true, false },
	{ 255, 1, 1, 32, true, false },
	{ 3, 2, 1, 32, true, false },
	{ 3, 1, 3, 32, true, false },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t rdata[1024] = { rows[i].usage, rows[i].selector, rows[i].matching };
		struct tlsa_record r;

		print_message("row %zu\n", i);
		assert_int_equal(tlsa_record_parse((struct span){ rdata, 3 + rows[i].len }, &r), rows[i].parses);
		if (!rows[i].parses)
			continue;
		assert_int_equal(tlsa_record_usable(&r), rows[i].usable);
		assert_int_equal(r.data.len, rows[i].len);
	}
}

static void
test_cut(void **state)
{
	uint8_t rdata[3] = { 3, 1, 1 };
	struct tlsa_record r;

	(void)state;
	for (size_t len = 0; len <= 3; len++)
		assert_false(tlsa_record_parse((struct span){ rdata, len }, &r));
}

static void
test_text(void **state)
{
	char room[16];
	struct buf out = BUF_OVER(room);

	(void)state;
	/* sts-1: several strings are one text */
	assert_true(txt_record_parse(SPAN("\3v=S\0\3TSv"), &out));
	assert_true(span_eq(buf_span(&out), SPAN("v=STSv")));
	out.len = 0;
	assert_false(txt_record_parse(SPAN("\4v=S"), &out));
	out.len = 0;
	assert_true(txt_record_parse(SPAN(""), &out));
	assert_int_equal(out.len, 0);
	assert_false(txt_record_parse(SPAN("\12" "0123456789" "\12" "0123456789"), &out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

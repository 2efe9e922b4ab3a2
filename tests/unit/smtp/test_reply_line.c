/* Replies line by line (4.2, 4.2.1, 2.3.8): what a client takes, what an examiner takes too, and what nobody does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "smtp/reply_line.h"

enum { LAST = SMTP_REPLY_LAST, PART = SMTP_REPLY_PART, MORE = SMTP_REPLY_MORE, BAD = SMTP_REPLY_BAD };

static const struct line_row {
	const char *in;
	int strict, lenient;
	unsigned code;
	const char *text;
} rows[] = {
	{ "250 ok\r\n", LAST, LAST, 250, "ok" },
	{ "250-ok\r\n", PART, PART, 250, "ok" },
	{ "250\r\n", LAST, LAST, 250, "" },
	{ "250-\r\n", PART, PART, 250, "" },
	{ "250 \r\n", LAST, LAST, 250, "" },
	{ "250  two\r\n250 next\r\n", LAST, LAST, 250, " two" },
	{ "599 ok\r\n", LAST, LAST, 599, "ok" },
	{ "250 ok\r", MORE, MORE, 0, NULL },
	{ "", MORE, MORE, 0, NULL },
	{ "2", MORE, MORE, 0, NULL },
	/* a lone CR is text: it ends nothing */
	{ "250 a\rb\r\n", LAST, LAST, 250, "a\rb" },
	{ "250 ok\n", BAD, LAST, 250, "ok" },
	{ "\n", BAD, BAD, 0, "" },
	{ "199 ok\r\n", BAD, LAST, 199, "ok" },
	{ "600 ok\r\n", BAD, LAST, 600, "ok" },
	{ "250ok\r\n", BAD, BAD, 0, "250ok" },
	{ "25 ok\r\n", BAD, BAD, 0, "25 ok" },
	{ "hello\r\n", BAD, BAD, 0, "hello" },
	{ "\r\n", BAD, BAD, 0, "" },
	{ "25\r\n", BAD, BAD, 0, "25" },
};

/* What is read next; more of it goes to line. */
static int
reads(struct smtp_reply_reader *r, const char *in, struct smtp_reply_line *line)
{
	size_t used;

	return smtp_reply_read(r, span_of(in), line, &used);
}

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (int lenient = 0; lenient < 2; lenient++) {
			struct smtp_reply_reader r = { .lenient = lenient };
			int expected = lenient ? rows[i].lenient : rows[i].strict;
			struct smtp_reply_line line;
			size_t used;

			assert_int_equal(smtp_reply_read(&r, span_of(rows[i].in), &line, &used), expected);
			assert_int_equal((expected == BAD), r.fault != SMTP_REPLY_SOUND);
			if (expected == MORE)
				assert_int_equal(used, 0);
			if (expected == MORE || (expected == BAD && rows[i].lenient != BAD))
				continue;
			assert_int_equal(line.code, rows[i].code);
			if (rows[i].lenient != BAD || r.fault == SMTP_REPLY_NO_CODE)
				assert_true(span_eq(line.text, span_of(rows[i].text)));
		}
}

/* Half yes, half no: a client does not guess, an examiner takes the last word. */
static void
test_mixed(void **state)
{
	struct smtp_reply_reader strict = { 0 }, lenient = { .lenient = true };
	struct smtp_reply_line line;

	(void)state;
	assert_int_equal(reads(&strict, "250-a\r\n", &line), PART);
	assert_int_equal(reads(&strict, "251 b\r\n", &line), LAST);
	assert_int_equal(reads(&strict, "250-a\r\n", &line), PART);
	assert_int_equal(reads(&strict, "550 b\r\n", &line), BAD);
	assert_int_equal(strict.fault, SMTP_REPLY_MIXED);
	assert_int_equal(reads(&lenient, "250-a\r\n", &line), PART);
	assert_int_equal(reads(&lenient, "550 b\r\n", &line), LAST);
	assert_int_equal(line.code, 550);
}

static void
test_ceilings(void **state)
{
	static uint8_t octets[SMTP_REPLY_LINE_MAX + 1];
	struct smtp_reply_reader r = { .lenient = true };
	struct smtp_reply_line line;
	size_t used;

	(void)state;
	memset(octets, 'x', sizeof octets);
	memcpy(octets, "250 ", 4);
	memcpy(octets + SMTP_REPLY_LINE_MAX - 2, "\r\n", 2);
	assert_int_equal(smtp_reply_read(&r, (struct span){ octets, sizeof octets }, &line, &used), LAST);
	assert_int_equal(used, SMTP_REPLY_LINE_MAX);
	memcpy(octets + SMTP_REPLY_LINE_MAX - 2, "x\r\n", 3);
	assert_int_equal(smtp_reply_read(&r, (struct span){ octets, SMTP_REPLY_LINE_MAX - 1 }, &line, &used), MORE);
	assert_int_equal(smtp_reply_read(&r, (struct span){ octets, sizeof octets }, &line, &used), BAD);
	assert_int_equal(r.fault, SMTP_REPLY_LINE_LONG);
	r = (struct smtp_reply_reader){ .lenient = true };
	for (unsigned i = 1; i < SMTP_REPLY_LINES_MAX; i++)
		assert_int_equal(reads(&r, "250-a\r\n", &line), PART);
	assert_int_equal(reads(&r, "250-a\r\n", &line), BAD);
	assert_int_equal(r.fault, SMTP_REPLY_ENDLESS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_mixed), cmocka_unit_test(test_ceilings) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

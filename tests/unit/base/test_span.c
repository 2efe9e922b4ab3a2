#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

static void
an_empty_span_is_harmless(void **state)
{
	struct span none = span_of(NULL), s = none;
	uint64_t value = 7;

	(void)state;
	assert_true(span_done(none));
	span_skip(&s, 5);
	assert_true(span_eq(none, SPAN("")) && span_same(none, SPAN("")));
	assert_int_equal(span_find(none, 'x'), 0);
	assert_false(span_take_byte(&s, 'x'));
	assert_false(span_take_u64(&s, &value));
	assert_int_equal(value, 7);
	assert_true(span_take(&s, SPAN("")));
	assert_true(span_done(span_take_word(&s)));
	assert_int_equal(span_head(none, 3).len, 0);
}

/* 5321-3: verbs and keywords are compared without regard to case. */
static void
keywords_are_taken_in_any_case(void **state)
{
	static const struct { const char *text, *literal, *rest; bool taken; } rows[] = {
		{ "FROM:<a>", "from:", "<a>", true },
		{ "from:<a>", "FROM:", "<a>", true },
		{ "fro", "from:", "fro", false },
		{ "frim:<a>", "from:", "frim:<a>", false },
		{ "from:", "from:", "", true },
		/* '@' and '`' differ in the bit that letters differ in, and are no letters. */
		{ "@x", "`x", "@x", false },
		{ "[x", "{x", "[x", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span s = span_of(rows[i].text);

		assert_int_equal(span_take(&s, span_of(rows[i].literal)), rows[i].taken);
		assert_true(span_eq(s, span_of(rows[i].rest)));
	}
}

static void
numbers_are_taken_or_left(void **state)
{
	static const struct { const char *text; bool good; uint64_t value; const char *rest; } rows[] = {
		{ "0", true, 0, "" },
		{ "00012x", true, 12, "x" },
		{ "18446744073709551615", true, UINT64_MAX, "" },
		{ "18446744073709551616", false, 0, "18446744073709551616" },
		{ "99999999999999999999", false, 0, "99999999999999999999" },
		{ "00000000000000000001", true, 1, "" },
		{ "000000000000000000001", false, 0, "000000000000000000001" },
		{ "-1", false, 0, "-1" },
		{ "+1", false, 0, "+1" },
		{ " 1", false, 0, " 1" },
		{ "x", false, 0, "x" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span s = span_of(rows[i].text);
		uint64_t value = 0;

		assert_int_equal(span_take_u64(&s, &value), rows[i].good);
		assert_int_equal(value, rows[i].value);
		assert_true(span_eq(s, span_of(rows[i].rest)));
	}
}

/* 5321-2: only SP separates; a tab or a line end is part of the word. */
static void
words_end_at_spaces_only(void **state)
{
	struct span s = SPAN("  one\ttwo   three ");

	(void)state;
	assert_true(span_eq(span_take_word(&s), SPAN("one\ttwo")));
	assert_true(span_eq(span_take_word(&s), SPAN("three")));
	assert_true(span_done(s));
}

static void
taking_until_leaves_the_stop(void **state)
{
	struct span s = SPAN("a;b");

	(void)state;
	assert_true(span_eq(span_take_until(&s, ';'), SPAN("a")));
	assert_true(span_take_byte(&s, ';'));
	assert_true(span_eq(span_take_until(&s, ';'), SPAN("b")));
	assert_true(span_done(s));
}

static void
ends_are_compared_in_any_case(void **state)
{
	(void)state;
	assert_true(span_ends(SPAN("mail.EXAMPLE.org"), SPAN(".example.ORG")));
	assert_false(span_ends(SPAN("org"), SPAN(".org")));
	assert_true(span_ends(SPAN("x"), SPAN("")));
}

static void
letters_are_ascii(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';

		assert_int_equal(ascii_lower((uint8_t)c), upper ? c + 32 : c);
		assert_int_equal(ascii_is_alpha((uint8_t)c), upper || lower);
		assert_int_equal(ascii_is_digit((uint8_t)c), digit);
		assert_int_equal(ascii_is_alnum((uint8_t)c), upper || lower || digit);
		assert_int_equal(ascii_is_graph((uint8_t)c), c >= 33 && c <= 126);
	}
}

static void
names_lie_within_domains(void **state)
{
	(void)state;
	assert_true(span_is_within(SPAN("example.ORG"), SPAN("example.org")));
	assert_true(span_is_within(SPAN("mail.example.org"), SPAN("Example.org")));
	assert_false(span_is_within(SPAN("badexample.org"), SPAN("example.org")));
	assert_false(span_is_within(SPAN(".example.org"), SPAN("example.org")));
	assert_false(span_is_within(SPAN("org"), SPAN("example.org")));
}

static void
blanks_are_trimmed(void **state)
{
	(void)state;
	assert_true(span_eq(span_trim(SPAN(" \t a b\t ")), SPAN("a b")));
	assert_true(span_done(span_trim(SPAN("\t \t"))) && span_done(span_trim(span_of(NULL))));
	assert_true(span_eq(span_trim(SPAN("\r\n")), SPAN("\r\n")));
}

/* A C string never runs over its room. */
static void
texts_are_cut(void **state)
{
	char room[4];

	(void)state;
	span_text(SPAN("abc"), room, sizeof room);
	assert_string_equal(room, "abc");
	span_text(SPAN("abcd"), room, sizeof room);
	assert_string_equal(room, "abc");
	span_text(span_of(NULL), room, sizeof room);
	assert_string_equal(room, "");
	span_text(SPAN("abc"), room, 1);
	assert_string_equal(room, "");
}

static void
hexadecimal_digits_have_values(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF", *at = c != 0 ? strchr(digits, (int)c) : NULL;

		assert_int_equal(ascii_hex_value((uint8_t)c), at == NULL ? 16 : (at - digits) % 16);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_span_is_harmless), cmocka_unit_test(names_lie_within_domains), cmocka_unit_test(blanks_are_trimmed),
		cmocka_unit_test(texts_are_cut), cmocka_unit_test(hexadecimal_digits_have_values),
		cmocka_unit_test(keywords_are_taken_in_any_case),
		cmocka_unit_test(numbers_are_taken_or_left),
		cmocka_unit_test(words_end_at_spaces_only),
		cmocka_unit_test(taking_until_leaves_the_stop),
		cmocka_unit_test(ends_are_compared_in_any_case),
		cmocka_unit_test(letters_are_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/pen.h"
#include "mail/token.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

static void
tokens_end_where_they_end(void **state)
{
	(void)state;
	assert_int_equal(token_atom(SPAN("abc.def")), 3);
	assert_int_equal(token_atom(SPAN("j\xc3\xb6rg@")), 5);
	assert_int_equal(token_atom(SPAN("ab\xff")), 2);
	assert_int_equal(token_atom(SPAN("(x)")), 0);
	assert_int_equal(token_atom(SPAN("")), 0);
	assert_int_equal(token_quoted(SPAN("\"a\\\"b\" c"), false), 6);
	assert_int_equal(token_quoted(SPAN("\"a\r\n b\""), false), 0);
	assert_int_equal(token_quoted(SPAN("\"a\r\n b\""), true), 7);
	assert_int_equal(token_quoted(SPAN("\"a\\"), true), 0);
	assert_int_equal(token_quoted(SPAN("\"a\xff\""), true), 0);
	assert_int_equal(token_quoted(SPAN("\""), true), 0);
	assert_int_equal(token_quoted(SPAN("a\""), true), 0);
}

/* RFC 2045 6.7: no line over 76, no space at the end of one, and back again it is what it was. */
static void
quoted_printable_can_be_read_back(void **state)
{
	static uint8_t text[4096], back[1024];
	uint8_t octets[700];
	struct buf out = BUF_OVER(text), read = BUF_OVER(back);
	struct pen pen;
	size_t column = 0;

	(void)state;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)(i % 7 == 3 ? ' ' : i * 37 + i / 256);
	pen_begin(&pen, &out);
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] == '\n' ? pen_quoted_newline(&pen) : pen_quoted_octet(&pen, octets[i]);
	assert_true(pen_end(&pen));
	for (size_t i = 0; i < out.len; i++) {
		column = text[i] == '\n' ? 0 : column + 1;
		assert_true(column <= 77 && (text[i] != '\r' || text[i - 1] > ' '  || text[i - 1] == '\n'));
		if (text[i] != '=' || text[i + 1] == '\r') {
			if (text[i] == '=')
				i += 2;
			else if (text[i] != '\r')
				(void)buf_put_byte(&read, text[i]);
			column = text[i] == '\n' ? 0 : column;
			continue;
		}
		(void)buf_put_byte(&read, (uint8_t)((text[i + 1] < 'A' ? text[i + 1] - '0' : text[i + 1] - 'A' + 10) << 4 |
		    (text[i + 2] < 'A' ? text[i + 2] - '0' : text[i + 2] - 'A' + 10)));
		i += 2;
		column += 2;
	}
	assert_true(span_eq(buf_span(&read), (struct span){ octets, sizeof octets }));
}

static void
a_piece_that_does_not_fit_is_forgotten(void **state)
{
	uint8_t room[10];
	struct buf out = BUF_OVER(room);
	struct pen pen;

	(void)state;
	(void)buf_put_text(&out, "kept");
	pen_begin(&pen, &out);
	pen_text(&pen, "1234");
	pen_text(&pen, "5678");
	pen_text(&pen, "9");
	assert_false(pen_end(&pen));
	assert_true(span_eq(buf_span(&out), SPAN("kept")));
}

static void
fields_fold_at_spaces(void **state)
{
	static uint8_t room[4096], text[1500];
	struct buf out = BUF_OVER(room);
	struct pen pen;
	size_t column = 0;

	(void)state;
	memset(text, 'x', sizeof text);
	text[60] = text[100] = text[101] = ' ';
	pen_begin(&pen, &out);
	pen_field(&pen, (struct span){ text, sizeof text });
	assert_true(pen_end(&pen));
	for (size_t i = 0; i < out.len; i++) {
		column = room[i] == '\n' ? 0 : column + 1;
		assert_true(column <= 998);
		/* What follows a line end is a continuation with something in it. */
		if (i > 0 && room[i - 1] == '\n')
			assert_true(room[i] == ' ' && (room[i + 1] == 'x' || (room[i + 1] == ' ' && room[i + 2] == 'x')));
	}
}

/* 0314: who has two spaces in his name is not who has one. */
static void
spaces_are_kept(void **state)
{
	static uint8_t room[400];
	static const char text[] = "rfc822; \"a  b   c\"@example.net";
	struct buf out = BUF_OVER(room);
	struct pen pen;

	(void)state;
	pen_begin(&pen, &out);
	pen_field(&pen, span_of(text));
	assert_true(pen_end(&pen));
	assert_true(span_eq(buf_span(&out), span_of(text)));
	/* Wherever a field must be folded, no line is blank. */
	for (uint16_t column = 40; column < 100; column++) {
		out.len = 0;
		pen_begin(&pen, &out);
		pen.column = column;
		pen_field(&pen, SPAN("x        y   z "));
		assert_true(pen_end(&pen));
		(void)buf_terminate(&out);
		assert_null(strstr((char *)room, " \r\n"));
		assert_int_equal(room[out.len - 1], 'z');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_end_where_they_end),
		cmocka_unit_test(quoted_printable_can_be_read_back),
		cmocka_unit_test(a_piece_that_does_not_fit_is_forgotten),
		cmocka_unit_test(fields_fold_at_spaces),
		cmocka_unit_test(spaces_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

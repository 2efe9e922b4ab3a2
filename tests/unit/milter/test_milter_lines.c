/* A body that a milter gave, in any split and through any room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "milter/lines.h"

static uint8_t long_line[2 * (MILTER_LINE_MAX + 1)];

static const struct row { const char *in; size_t len; const char *out; bool eightbit; } rows[] = {
	{ "", 0, "", false }, { "a", 1, "a\r\n", false }, { "a\r\n", 3, "a\r\n", false }, { "a\n", 2, "a\r\n", false },
	{ "a\n\nb\r\n\r\n", 8, "a\r\n\r\nb\r\n\r\n", false }, { "\n", 1, "\r\n", false }, { "\xe4\n.\n", 4, "\xe4\r\n.\r\n", true },
	{ "a\0", 2, NULL, false }, { "a\rb", 3, NULL, false }, { "a\r", 2, NULL, false }, { "a\r\r\n", 4, NULL, false },
	{ "\0", 1, NULL, false },
};

static const char *
run(struct span in, size_t split, size_t room, struct buf *out, bool *eightbit)
{
	struct milter_lines l = { 0 };
	const char *wrong = NULL;

	while (!span_done(in) && wrong == NULL) {
		struct span piece = span_head(in, split);

		span_skip(&in, piece.len);
		while (!span_done(piece) && wrong == NULL) {
			struct buf part = { out->p + out->len, 0, room };
			size_t before = piece.len;

			wrong = milter_lines_take(&l, &piece, &part);
			assert_true(wrong != NULL || piece.len < before);
			assert_true(part.len <= room);
			out->len += part.len;
		}
	}
	if (wrong == NULL) {
		struct buf part = { out->p + out->len, 0, 2 };

		wrong = milter_lines_end(&l, &part);
		out->len += part.len;
	}
	*eightbit = l.eightbit;
	return wrong;
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t split = 1; split < 10; split++)
			for (size_t room = 2; room < 12; room += 3) {
				uint8_t octets[100];
				struct buf out = BUF_OVER(octets);
				bool eightbit;
				const char *wrong = run((struct span){ (const uint8_t *)rows[i].in, rows[i].len }, split, room, &out, &eightbit);

				assert_int_equal(wrong == NULL, rows[i].out != NULL);
				if (wrong != NULL)
					continue;
				assert_int_equal(out.len, strlen(rows[i].out));
				assert_memory_equal(octets, rows[i].out, out.len);
				assert_int_equal(eightbit, rows[i].eightbit);
			}
}

static void
test_the_longest_line(void **state)
{
	uint8_t octets[2 * MILTER_LINE_MAX];
	struct buf out = BUF_OVER(octets);
	bool eightbit;

	(void)state;
	memset(long_line, 'x', sizeof long_line);
	assert_null(run((struct span){ long_line, MILTER_LINE_MAX }, 100, 100, &out, &eightbit));
	assert_int_equal(out.len, MILTER_LINE_MAX + 2);
	out.len = 0;
	assert_non_null(run((struct span){ long_line, MILTER_LINE_MAX + 1 }, 100, 100, &out, &eightbit));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_the_longest_line) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

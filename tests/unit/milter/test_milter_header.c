/* A header section while milters change it: tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "milter/header.h"

#define OURS "Received: by us\r\n\twith folds\r\n"
#define FROM "From: a@example.org\r\n"

static const struct change {
	const char *before;
	char what;                      /* a, i, m */
	uint32_t index;
	const char *name, *value;
	bool spaced;
	const char *after;
} changes[] = {
	{ OURS FROM, 'a', 0, "X-A", "1", false, OURS FROM "X-A: 1\r\n" },
	{ OURS FROM, 'a', 0, "X-A", "1", true, OURS FROM "X-A:1\r\n" },
	{ OURS FROM, 'a', 0, "X-A", " 1\n\t2\r\n 3", true, OURS FROM "X-A: 1\r\n\t2\r\n 3\r\n" },
	{ OURS FROM, 'a', 0, "X-A", "", false, OURS FROM "X-A: \r\n" },
	{ "", 'a', 0, "X-A", "1", false, "X-A: 1\r\n" },
	{ OURS FROM, 'i', 0, "X-A", "1", false, "X-A: 1\r\n" OURS FROM },
	{ OURS FROM, 'i', 1, "X-A", "1", false, OURS "X-A: 1\r\n" FROM },
	{ OURS FROM, 'i', 2, "X-A", "1", false, OURS FROM "X-A: 1\r\n" },
	{ OURS FROM, 'i', UINT32_MAX, "X-A", "1", false, OURS FROM "X-A: 1\r\n" },
	{ "X: 1\r\nY: 2\r\nx: 3\r\n", 'm', 1, "X", "new", false, "X: new\r\nY: 2\r\nx: 3\r\n" },
	{ "X: 1\r\nY: 2\r\nx: 3\r\n", 'm', 0, "X", "new", false, "X: new\r\nY: 2\r\nx: 3\r\n" },
	{ "X: 1\r\nY: 2\r\nx: 3\r\n", 'm', 2, "X", "longer than it was\n and folded", false,
	    "X: 1\r\nY: 2\r\nX: longer than it was\r\n and folded\r\n" },
	{ "X: 1\r\nY: 2\r\nx: 3\r\n", 'm', 2, "X", "", false, "X: 1\r\nY: 2\r\n" },
	{ "X: 1\r\nY: 2\r\nx: 3\r\n", 'm', 1, "Y", "", false, "X: 1\r\nx: 3\r\n" },
	{ "X: 1\r\nY: 2\r\nx: 3\r\n", 'm', 3, "X", "4", false, "X: 1\r\nY: 2\r\nx: 3\r\nX: 4\r\n" },
	{ "X: 1\r\nY: 2\r\nx: 3\r\n", 'm', 3, "X", "", false, "X: 1\r\nY: 2\r\nx: 3\r\n" },
	/* The first Received is ours: milters count from the second. */
	{ OURS "Received: by them\r\n", 'm', 1, "received", "", false, OURS },
	{ OURS "Received: by them\r\n", 'm', 1, "Received", "x", false, OURS "Received: x\r\n" },
	{ OURS, 'm', 1, "Received", "", false, OURS },
	{ "X-Before: 1\r\n" OURS "Received: by them\r\n", 'm', 1, "Received", "", false, "X-Before: 1\r\n" OURS },
};

static bool
apply(const struct change *c, struct buf *text)
{
	struct span name = span_of(c->name), value = span_of(c->value);

	assert_null(milter_field_wrong(name, value));
	if (c->what == 'a')
		return milter_header_add(text, name, value, c->spaced);
	if (c->what == 'i')
		return milter_header_insert(text, c->index, name, value, c->spaced);
	return milter_header_change(text, c->index, name, value, c->spaced);
}

static void
test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		const struct change *c = &changes[i];
		uint8_t room[400];
		struct buf text = BUF_OVER(room);

		assert_true(buf_put_text(&text, c->before) && apply(c, &text));
		assert_int_equal(text.len, strlen(c->after));
		assert_memory_equal(room, c->after, text.len);
	}
}

/* All or nothing, for every room there may be. */
static void
test_no_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		const struct change *c = &changes[i];
		size_t before = strlen(c->before), after = strlen(c->after);

		for (size_t max = before; max < after; max++) {
			uint8_t room[400];
			struct buf text = { room, 0, max };

			memset(room, '#', sizeof room);
			assert_true(buf_put_text(&text, c->before));
			assert_false(apply(c, &text));
			assert_int_equal(text.len, before);
			assert_memory_equal(room, c->before, before);
			for (size_t k = max; k < sizeof room; k++)
				assert_int_equal(room[k], '#');
		}
	}
}

static void
test_what_makes_no_field(void **state)
{
	static const struct { const char *name; size_t value_len; const char *value; } wrong[] = {
		{ "", 1, "1" }, { "X A", 1, "1" }, { "X:A", 1, "1" }, { "X\xc3\xa4", 1, "1" }, { "X", 3, "a\rb" }, { "X", 2, "a\r" },
		{ "X", 3, "a\0b" }, { "X", 3, "a\nb" }, { "X", 4, "a\r\nb" }, { "X", 2, "a\n" }, { "X", 3, "a\n " }, { "X", 6, "a\n \n b" },
		{ "X", 5, "a\r\r\n b" }, { "X", 4, "a\n\nb" },
	};
	static uint8_t line[1200];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_non_null(milter_field_wrong(span_of(wrong[i].name), (struct span){ (const uint8_t *)wrong[i].value, wrong[i].value_len }));
	memset(line, 'x', sizeof line);
	/* "X: " and 995 octets are 998. */
	assert_null(milter_field_wrong(SPAN("X"), (struct span){ line, 995 }));
	assert_non_null(milter_field_wrong(SPAN("X"), (struct span){ line, 996 }));
	memset(line, 'N', 256);
	assert_non_null(milter_field_wrong((struct span){ line, 256 }, SPAN("1")));
	line[1] = '\n';
	line[2] = ' ';
	assert_null(milter_field_wrong(SPAN("X"), (struct span){ line, 999 }));
	assert_null(milter_field_wrong(SPAN("X"), (struct span){ line, 1000 }));
	assert_non_null(milter_field_wrong(SPAN("X"), (struct span){ line, 1001 }));
}

static void
test_where_it_ends(void **state)
{
	static const struct { const char *content; size_t length; } ends[] = {
		{ "", 0 }, { "\r\n", 0 }, { "\r\nbody\r\n", 0 }, { FROM, sizeof FROM - 1 }, { FROM "\r\n", sizeof FROM - 1 },
		{ OURS FROM "\r\nX: not a field\r\n", sizeof OURS + sizeof FROM - 2 }, { FROM "no field\r\n", sizeof FROM - 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		assert_int_equal(milter_header_length(span_of(ends[i].content)), ends[i].length);
}

static void
test_a_header_that_may_not_be(void **state)
{
	(void)state;
	assert_null(milter_header_wrong(SPAN(OURS FROM), false));
	assert_non_null(milter_header_wrong(SPAN(OURS), false));
	assert_non_null(milter_header_wrong(SPAN(OURS FROM FROM), false));
	assert_non_null(milter_header_wrong(SPAN(FROM "Subject: \xc3\xa4\r\n"), false));
	assert_null(milter_header_wrong(SPAN(FROM "Subject: \xc3\xa4\r\n"), true));
	assert_non_null(milter_header_wrong(SPAN(FROM "Subject: \xc3\r\n"), true));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes), cmocka_unit_test(test_no_room), cmocka_unit_test(test_what_makes_no_field),
		cmocka_unit_test(test_where_it_ends), cmocka_unit_test(test_a_header_that_may_not_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

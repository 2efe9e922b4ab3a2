#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fields.h"

struct letter {
	uint32_t number;
	struct span text;
	uint64_t when;
	struct span more;
};

static const struct field letter_fields[] = {
	FIELD_OF_U32(struct letter, number),
	FIELD_OF_SPAN(struct letter, text, 5),
	FIELD_OF_U64(struct letter, when),
	FIELD_OF_SPAN(struct letter, more, 3),
};
static const struct layout letter_layout = LAYOUT(letter_fields);

static const uint8_t wire[] = {
	4, 3, 2, 1,
	2, 0, 0, 0, 'h', 'i',
	8, 7, 6, 5, 4, 3, 2, 1,
	0, 0, 0, 0,
};

static void
the_wire_is_little_endian(void **state)
{
	struct letter l = { 0x01020304, SPAN_INIT("hi"), UINT64_C(0x0102030405060708), { NULL, 0 } };
	uint8_t room[64];
	struct buf b = BUF_OVER(room);

	(void)state;
	assert_true(fields_format(letter_layout, &l, &b));
	assert_true(span_eq(buf_span(&b), (struct span){ wire, sizeof wire }));
	memset(&l, 0xff, sizeof l);
	assert_true(fields_parse(letter_layout, buf_span(&b), &l));
	assert_int_equal(l.number, 0x01020304);
	assert_true(l.when == UINT64_C(0x0102030405060708));
	assert_true(span_eq(l.text, SPAN("hi")));
	assert_true(span_done(l.more));
	/* Nothing is copied. */
	assert_ptr_equal(l.text.p, room + 8);
}

static void
every_shortening_and_any_trailer_is_refused(void **state)
{
	struct letter l;
	uint8_t longer[sizeof wire + 1] = { 0 };

	(void)state;
	for (size_t n = 0; n < sizeof wire; n++)
		assert_false(fields_parse(letter_layout, (struct span){ wire, n }, &l));
	memcpy(longer, wire, sizeof wire);
	assert_false(fields_parse(letter_layout, (struct span){ longer, sizeof longer }, &l));
}

static void
ceilings_hold_in_both_directions(void **state)
{
	struct letter l = { 1, SPAN_INIT("longer"), 2, { NULL, 0 } };
	uint8_t room[64], lie[sizeof wire];
	struct buf b = BUF_OVER(room);

	(void)state;
	assert_true(buf_put_text(&b, "kept"));
	assert_false(fields_format(letter_layout, &l, &b));
	assert_true(span_eq(buf_span(&b), SPAN("kept")));
	memcpy(lie, wire, sizeof wire);
	for (unsigned at = 4; at < 8; at++) {
		lie[at] = 0xff;
		assert_false(fields_parse(letter_layout, (struct span){ lie, sizeof lie }, &l));
	}
}

static void
what_does_not_fit_leaves_out_alone(void **state)
{
	struct letter l = { 1, SPAN_INIT("hi"), 2, { NULL, 0 } };
	uint8_t room[sizeof wire];

	(void)state;
	for (size_t max = 0; max < sizeof room; max++) {
		struct buf b = { room, 0, max };

		assert_false(fields_format(letter_layout, &l, &b));
		assert_int_equal(b.len, 0);
	}
}

static void
the_size_is_known_before(void **state)
{
	struct letter l = { 1, SPAN_INIT("hi"), 2, { NULL, 0 } };

	(void)state;
	assert_int_equal(fields_size(letter_layout, &l), sizeof wire);
	l.more = SPAN("abc");
	assert_int_equal(fields_size(letter_layout, &l), sizeof wire + 3);
}

static void
several_messages_are_taken_in_a_row(void **state)
{
	uint8_t two[2 * sizeof wire];
	struct span in = { two, sizeof two };
	struct letter l;

	(void)state;
	memcpy(two, wire, sizeof wire);
	memcpy(two + sizeof wire, wire, sizeof wire);
	assert_true(fields_take(letter_layout, &in, &l));
	assert_int_equal(in.len, sizeof wire);
	assert_true(fields_take(letter_layout, &in, &l));
	assert_true(span_done(in));
	assert_false(fields_take(letter_layout, &in, &l));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wire_is_little_endian),
		cmocka_unit_test(every_shortening_and_any_trailer_is_refused),
		cmocka_unit_test(ceilings_hold_in_both_directions),
		cmocka_unit_test(what_does_not_fit_leaves_out_alone),
		cmocka_unit_test(the_size_is_known_before),
		cmocka_unit_test(several_messages_are_taken_in_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void
a_put_is_all_or_nothing(void **state)
{
	uint8_t room[4];
	struct buf b = BUF_OVER(room);

	(void)state;
	assert_true(buf_put_text(&b, "abc"));
	assert_false(buf_put_text(&b, "de"));
	assert_int_equal(b.len, 3);
	assert_false(buf_put_u64(&b, 10));
	assert_false(buf_put_hex(&b, 1, 2));
	assert_int_equal(b.len, 3);
	assert_true(buf_put_byte(&b, 'd'));
	assert_false(buf_put_byte(&b, 'e'));
	assert_false(buf_terminate(&b));
	assert_int_equal(buf_room(&b), 0);
	assert_true(buf_put_text(&b, ""));
	assert_memory_equal(room, "abcd", 4);
}

static void
lengths_near_the_end_of_memory_do_not_wrap(void **state)
{
	uint8_t room[4];
	struct buf b = BUF_OVER(room);

	(void)state;
	assert_true(buf_put_byte(&b, 'a'));
	assert_false(buf_put(&b, (struct span){ room, SIZE_MAX }));
	assert_int_equal(b.len, 1);
}

static void
numbers_are_written(void **state)
{
	uint8_t room[128];
	struct buf b = BUF_OVER(room);

	(void)state;
	assert_true(buf_put_u64(&b, 0) && buf_put_byte(&b, ' '));
	assert_true(buf_put_u64(&b, UINT64_MAX) && buf_put_byte(&b, ' '));
	assert_true(buf_put_padded(&b, 7, 2) && buf_put_byte(&b, ' '));
	assert_true(buf_put_padded(&b, 123, 2) && buf_put_byte(&b, ' '));
	assert_true(buf_put_padded(&b, 0, 0) && buf_put_byte(&b, ' '));
	assert_true(buf_put_padded(&b, 1, 99) && buf_put_byte(&b, ' '));
	assert_true(buf_put_hex(&b, 0xabc, 4) && buf_put_byte(&b, ' '));
	assert_true(buf_put_hex(&b, UINT64_MAX, 99) && buf_put_byte(&b, ' '));
	assert_true(buf_put_hex(&b, 0x1234, 2) && buf_terminate(&b));
	assert_string_equal((char *)room,
	    "0 18446744073709551615 07 123 0 00000000000000000001 0abc ffffffffffffffff 34");
}

static void
dropping_moves_the_rest_down(void **state)
{
	uint8_t room[8];
	struct buf b = BUF_OVER(room);

	(void)state;
	assert_true(buf_put_text(&b, "abcdef"));
	buf_drop(&b, 2);
	assert_true(span_eq(buf_span(&b), SPAN("cdef")));
	buf_drop(&b, 0);
	assert_int_equal(b.len, 4);
	buf_drop(&b, 99);
	assert_int_equal(b.len, 0);
	assert_true(buf_put_text(&b, "12345678"));
}

/* Words for people are cut where the room ends, and always end in NUL. */
static void
refusals_are_cut(void **state)
{
	char room[8] = "xxxxxxx";
	struct buf b = { (uint8_t *)room, 3, sizeof room };

	(void)state;
	assert_false(buf_refuse(&b, "abc", NULL));
	assert_string_equal(room, "abc");
	assert_false(buf_refuse(&b, "abc", "d"));
	assert_string_equal(room, "abc: d");
	assert_false(buf_refuse(&b, "abc", "defg"));
	assert_string_equal(room, "abc: de");
	assert_false(buf_refuse(&b, "abcdefghi", "j"));
	assert_string_equal(room, "abcdefg");
	assert_int_equal(b.len, 7);
	b = (struct buf){ NULL, 0, 0 };
	assert_false(buf_refuse(&b, "abc", "d"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_are_cut), cmocka_unit_test(a_put_is_all_or_nothing),
		cmocka_unit_test(lengths_near_the_end_of_memory_do_not_wrap),
		cmocka_unit_test(numbers_are_written),
		cmocka_unit_test(dropping_moves_the_rest_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* spool/once: the table by itself; what it is for is in test_repeat.c, what it outlives in tests/crash. */
#include "spool/once.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

enum { WINDOW = 1000 };

static const uint8_t *
print_of(uint64_t number)
{
	static uint8_t print[ONCE_PRINT];

	/* Many share a bucket. */
	u64_put(print, number / 3);
	u64_put(print + 8, number);
	return print;
}

static bool
knows(const struct once *o, uint64_t number, uint64_t now)
{
	uint64_t id = 0;
	bool known = once_find(o, print_of(number), now, &id);

	assert_true(!known || id == number + 1);
	return known;
}

static uint32_t
add(struct once *o, uint64_t number, uint64_t when)
{
	return once_add(o, print_of(number), number + 1, when, 0);
}

/* Nothing is known that was not added, nor what is forgotten, too old, or of another key. */
static void
known_while_it_counts(void **state)
{
	struct once o;
	uint32_t number;

	(void)state;
	assert_true(once_init(&o, NULL, WINDOW));
	assert_false(knows(&o, 7, 0));
	for (uint64_t i = 0; i < 5000; i++)
		(void)add(&o, i, i);
	for (uint64_t i = 4001; i < 5000; i++)
		assert_true(knows(&o, i, 5000));
	for (uint64_t i = 0; i <= 4000; i++)
		assert_false(knows(&o, i, 5000));
	assert_false(knows(&o, 5000, 5000));
	number = add(&o, 6000, 5000);
	once_forget(&o, number, 1);
	assert_true(knows(&o, 6000, 5000));
	once_forget(&o, number, 6001);
	once_forget(&o, number, 6001);
	assert_false(knows(&o, 6000, 5000));
	/* The same once more: the newer one counts, from now on. */
	(void)add(&o, 4500, 5400);
	assert_true(knows(&o, 4500, 6399));
	assert_false(knows(&o, 4500, 6400));
	once_expire(&o, 5600);
	assert_false(knows(&o, 4600, 5600));
	assert_true(knows(&o, 4601, 5600));
	once_expire(&o, 100000);
	assert_true(o.first == o.end && o.max == 0);
	(void)add(&o, 1, 100000);
	assert_true(knows(&o, 1, 100001));
	once_fini(&o);
}

/* The window is over earlier for who has more than there is room for. Whatever the numbers: they may begin anew. */
static void
oldest_makes_room(void **state)
{
	static const uint32_t begin[] = { 0, UINT32_MAX - 1000, UINT32_MAX - ONCE_MOST };
	struct once o;

	(void)state;
	for (size_t k = 0; k < sizeof begin / sizeof begin[0]; k++) {
		assert_true(once_init(&o, NULL, WINDOW));
		o.first = o.end = begin[k];
		for (uint64_t i = 0; i < ONCE_MOST + 2000; i++)
			assert_int_not_equal(add(&o, i, 0), ONCE_NONE);
		assert_int_equal(o.max, ONCE_MOST);
		assert_false(knows(&o, 0, 0));
		assert_false(knows(&o, 1999, 0));
		for (uint64_t i = 2001; i < ONCE_MOST + 2000; i++)
			assert_true(knows(&o, i, 0));
		once_fini(&o);
	}
}

static void
window_and_clock(void **state)
{
	struct once o;

	(void)state;
	assert_true(once_init(&o, NULL, WINDOW));
	(void)add(&o, 1, 50000);
	/* The clock was set back by a long time: a window from now, not from then. */
	once_no_later(&o, 10000);
	assert_true(knows(&o, 1, 10999));
	assert_false(knows(&o, 1, 11000));
	once_configure(&o, 0);
	assert_false(knows(&o, 1, 10000));
	once_configure(&o, 2 * WINDOW);
	assert_true(knows(&o, 1, 11999));
	once_fini(&o);
}

/* What a start reads. */
static void
recovered(void **state)
{
	uint8_t octets[200], key[SIPHASH_KEY] = { 5 }, prints[64] = { 0 };
	struct once_record r = { .fresh = 1, .key = { key, sizeof key }, .prints = { prints, 32 } };
	struct buf b = BUF_OVER(octets);
	struct once_entry fresh;
	struct once o;
	uint64_t id;

	(void)state;
	memcpy(prints, print_of(8), ONCE_PRINT);
	u64_put(prints + 16, 9);
	u64_put(prints + 24, 500);
	memcpy(prints + 32, print_of(11), ONCE_PRINT);
	u64_put(prints + 48, 12);
	u64_put(prints + 56, 9000);
	assert_true(once_init(&o, NULL, WINDOW));
	assert_true(fields_format(once_record_layout, &r, &b));
	once_recover(&o, buf_span(&b), PLACE(3, 40), 600, &fresh);
	assert_int_equal(fresh.id, 9);
	assert_int_equal(fresh.segment, 3);
	assert_memory_equal(o.key, key, sizeof key);
	/* Fresh, it waits for its message. */
	assert_false(knows(&o, 8, 600));
	once_recover(&o, buf_span(&b), PLACE(3, 40), 1500, &fresh);
	assert_int_equal(fresh.id, 0);
	r.fresh = 0;
	r.prints.len = 64;
	b.len = 0;
	assert_true(fields_format(once_record_layout, &r, &b));
	once_recover(&o, buf_span(&b), PLACE(4, 40), 600, &fresh);
	assert_int_equal(fresh.id, 0);
	assert_true(knows(&o, 8, 600));
	assert_true(once_find(&o, print_of(11), 1599, &id) && id == 12);
	/* From the future: as if from now. */
	assert_false(knows(&o, 11, 1600));
	/* Revoked, and another key. */
	u64_put(prints + 16, 0);
	r.prints.len = 32;
	b.len = 0;
	assert_true(fields_format(once_record_layout, &r, &b));
	once_recover(&o, buf_span(&b), PLACE(4, 80), 600, &fresh);
	assert_false(knows(&o, 8, 600));
	assert_true(knows(&o, 11, 600));
	key[0]++;
	b.len = 0;
	assert_true(fields_format(once_record_layout, &r, &b));
	once_recover(&o, buf_span(&b), PLACE(4, 80), 600, &fresh);
	assert_false(knows(&o, 11, 600));
	once_fini(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_while_it_counts),
		cmocka_unit_test(oldest_makes_room),
		cmocka_unit_test(window_and_clock),
		cmocka_unit_test(recovered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

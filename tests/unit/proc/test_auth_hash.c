/* Who is hashed when: the known first, strangers never on every thread, a full line shared out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proc/3_auth.h"

enum { JOBS = AUTH_EXPENSIVE_WAITING_MAX + 40 };

struct order {
	struct hash_job job;
	unsigned ended;                 /* how many had ended before it, from 1; 0: not yet */
	bool forbidden;
};

static struct order orders[JOBS];
static struct candidate candidate;
static struct hasher hasher;
static uv_loop_t loop;
static unsigned ended;

static void
done(struct hash_job *job)
{
	((struct order *)(void *)job)->ended = ++ended;
}

static bool
may(struct hash_job *job)
{
	return !((struct order *)(void *)job)->forbidden;
}

static int
set_up(void **state)
{
	(void)state;
	memset(orders, 0, sizeof orders);
	memset(&candidate, 0, sizeof candidate);
	ended = 0;
	candidate.check = CHECK_PASSWORD;
	assert_true(verifier_derive(&candidate.verifier, SPAN("right"), SPAN("salt"), 20000));
	assert_int_equal(uv_loop_init(&loop), 0);
	hasher_init(&hasher, &loop);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	for (unsigned cost = 0; cost < HASH_COSTS; cost++)
		if (hasher.running[cost] + hasher.strangers[cost] + hasher.line[cost][0].waiting + hasher.line[cost][1].waiting
		    + hasher.line[cost][2].waiting > 0)
			return 1;
	return uv_loop_close(&loop);
}

static bool
begin(unsigned i, enum hash_rank rank, uint32_t share, const char *secret)
{
	orders[i].job = (struct hash_job){ .candidate = &candidate, .secret = span_of(secret), .share = share, .rank = rank,
		.may = may, .done = done };
	return hasher_begin(&hasher, &orders[i].job);
}

static void
the_known_go_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		assert_true(begin(i, HASH_TAINTED, i, "wrong"));
	assert_true(begin(40, HASH_KNOWN, 1, "right"));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(orders[40].job.matched && orders[40].job.fate == HASH_DONE);
	/* Before all but those that were with a worker already. */
	assert_in_range(orders[40].ended, 1, 4);
	assert_int_equal(ended, 41);
}

static void
what_may_no_longer_be_looked_at_is_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		assert_true(begin(i, HASH_TAINTED, 7, "right"));
		orders[i].forbidden = true;
	}
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(orders[i].job.fate, orders[i].job.matched ? HASH_DONE : HASH_STOPPED);
	assert_int_equal(orders[19].job.fate, HASH_STOPPED);
	assert_int_equal(ended, 20);
}

/* One network has filled the line; others come in, each for one of its own. */
static void
a_full_line_is_shared_out(void **state)
{
	unsigned i = 0, crowded = 0;

	(void)state;
	while (begin(i, HASH_TAINTED, 7, "wrong"))
		i++;
	assert_true(i >= AUTH_EXPENSIVE_WAITING_MAX);
	for (unsigned k = 0; k < 20; k++)
		assert_true(begin(i + 1 + k, HASH_TAINTED, 100 + k, "wrong"));
	for (unsigned k = 0; k < i; k++)
		crowded += orders[k].job.fate == HASH_CROWDED;
	assert_int_equal(crowded, 20);
	assert_int_equal(orders[i - 1].job.fate, HASH_CROWDED);
	assert_int_equal(orders[0].job.fate, HASH_DONE);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(ended, i + 20);
}

static void
who_has_not_failed_goes_before_who_has(void **state)
{
	(void)state;
	for (unsigned i = 0; begin(i, HASH_TAINTED, i, "wrong"); i++)
		assert_true(i < JOBS - 2);
	assert_true(begin(JOBS - 1, HASH_CLEAN, 1, "right"));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_in_range(orders[JOBS - 1].ended, 1, 4);
}

/* A stranger who comes last waits for one of theirs, not for all. */
static void
a_busy_network_waits_for_itself(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++)
		assert_true(begin(i, HASH_TAINTED, i % 2, "wrong"));
	assert_true(begin(60, HASH_TAINTED, 9, "right"));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(orders[60].job.matched);
	assert_in_range(orders[60].ended, 1, 6);
}

/* A person's password takes long, a sender key does not: neither waits for the other's kind. */
static void
sender_keys_have_their_own_line(void **state)
{
	static struct candidate key;

	(void)state;
	key.check = CHECK_KEY;
	assert_true(verifier_derive(&key.verifier, SPAN("right"), SPAN("salt"), 1));
	for (unsigned i = 0; i < 40; i++)
		assert_true(begin(i, HASH_TAINTED, i, "wrong"));
	orders[40].job = (struct hash_job){ .candidate = &key, .secret = SPAN("right"), .may = may, .done = done };
	assert_true(hasher_begin(&hasher, &orders[40].job));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_in_range(orders[40].ended, 1, 4);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_known_go_first), TEST(what_may_no_longer_be_looked_at_is_not), TEST(a_full_line_is_shared_out),
		TEST(who_has_not_failed_goes_before_who_has), TEST(a_busy_network_waits_for_itself), TEST(sender_keys_have_their_own_line),
	};

	(void)alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

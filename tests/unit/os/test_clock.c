/* The machine's clocks and randomness as drivers use them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <time.h>

#include "os/clock.h"
#include "os/env.h"

static void
the_wall_clock_is_the_kernels_in_ms(void **state)
{
	uint64_t before = (uint64_t)time(NULL) * 1000, now = clock_wall(), asked = os_env.now(os_env.arg);

	(void)state;
	/* time() may lag behind by a tick. */
	assert_true(now >= before && now < before + 10000);
	assert_true(asked >= now && asked < now + 10000);
}

static void
the_run_clock_measures_in_ms(void **state)
{
	uint64_t begun = clock_run(), took;

	(void)state;
	(void)poll(NULL, 0, 50);
	took = clock_run() - begun;
	assert_true(took >= 49 && took < 10000);
}

static void
randomness_fills_all_and_no_more(void **state)
{
	uint8_t one[700] = { 0 }, other[700] = { 0 }, none[80] = { 0 };

	(void)state;
	os_env.random(os_env.arg, one, sizeof one - 80);
	os_env.random(os_env.arg, other, sizeof other - 80);
	assert_memory_not_equal(one, other, 80);
	assert_memory_not_equal(one + sizeof one - 160, none, 80);
	assert_memory_equal(one + sizeof one - 80, none, 80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wall_clock_is_the_kernels_in_ms),
		cmocka_unit_test(the_run_clock_measures_in_ms),
		cmocka_unit_test(randomness_fills_all_and_no_more),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

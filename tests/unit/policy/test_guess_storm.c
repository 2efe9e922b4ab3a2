/* Attackers who know how the ledger works, except for its key: what do they get, and what does it cost the honest? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/guess.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static const uint8_t key[SIPHASH_KEY] = "sixteen octets!";
static struct guess *g;
static uint64_t now, random_state;

static uint64_t
any(uint64_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (random_state >> 33) % below;
}

static void
anew(uint64_t seed)
{
	free(g);
	g = calloc(1, sizeof *g);
	assert_non_null(g);
	guess_init(g, key);
	now = UINT64_C(1795341600000);
	random_state = seed;
}

static struct guess_place
at(uint32_t address)
{
	uint8_t octets[4] = { (uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8), (uint8_t)address };

	return guess_place((struct span){ octets, 4 });
}

static bool
wrong(uint64_t account, uint32_t address, uint64_t secret)
{
	struct guess_try t = { account, at(address), secret * UINT64_C(0x9e3779b97f4a7c15), false, 0 };

	if (guess_ask(g, &t, now).stop)
		return false;
	(void)guess_failed(g, &t, now);
	return true;
}

static bool
right(uint64_t account, uint32_t address)
{
	struct guess_try t = { account, at(address), 1, false, 0 };

	if (guess_ask(g, &t, now).stop)
		return false;
	guess_passed(g, &t, now);
	return true;
}

/*
 * One host wants to be forgotten: between his guesses a botnet of 50,000 hosts makes noise, to push his rows out. He gets more than
 * his ten, but each one more costs the botnet thousands of attempts of its own, which it could have spent on guesses.
 */
static void
to_be_forgotten_costs_more_than_it_gains(void **state)
{
	unsigned mine = 0;

	(void)state;
	anew(1);
	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 20; i++)
			mine += wrong(7, 0xc0000201, round * 100 + i);
		for (unsigned i = 0; i < 5000; i++)
			(void)wrong(any(1000000) + 10, 0x0a000000 + (uint32_t)any(50000) * 256, any(UINT64_MAX / 2));
		now += SECOND;
	}
	print_message("200,000 attempts of others' bought %u guesses\n", mine);
	assert_true(mine <= 10 + 20);
}

/* Whatever is thrown at the tables, who has logged in before comes in. */
static void
noise_does_not_push_out_lanes(void **state)
{
	enum { OWNERS = 2000 };

	(void)state;
	anew(2);
	for (uint32_t i = 0; i < OWNERS; i++)
		assert_true(right(1000 + i, 0xcb007100 + i * 256 % 0xffff));
	for (unsigned i = 0; i < 400000; i++) {
		now += 2;
		(void)wrong(1000 + any(OWNERS), (uint32_t)any(UINT32_MAX), any(UINT64_MAX / 2));
	}
	/* Mallory has an account, and logs in from everywhere. */
	for (unsigned i = 0; i < 100000; i++)
		(void)right(5, (uint32_t)any(UINT32_MAX));
	for (uint32_t i = 0; i < OWNERS; i++) {
		struct guess_try t = { 1000 + i, at(0xcb007100 + i * 256 % 0xffff), 9, false, 0 };

		assert_true(guess_ask(g, &t, now).lane);
		assert_false(guess_ask(g, &t, now).stop);
	}
}

/*
 * Random traffic: honest people with lanes, one who travels, a retrying client, a guesser and a spraying network. At each step: the
 * honest with a lane are never refused, the guesser never has more than his budget and what came back, and a snapshot taken
 * and read again says the same.
 */
static void
random_days(void **state)
{
	struct guess_try guesser = { 3, at(0xc0000201), 0, false, 0 };
	unsigned looked = 0, refused_travels = 0;
	uint64_t began;

	(void)state;
	anew(3);
	began = now;
	for (uint32_t i = 0; i < 50; i++)
		assert_true(right(100 + i, 0xcb007101 + i * 65536));
	for (unsigned i = 0; i < 300000; i++) {
		uint32_t who = (uint32_t)any(50);

		now += any(2 * SECOND);
		(void)wrong(100 + who, 0xcb007101 + who * 65536, any(3));
		assert_true(right(100 + who, 0xcb007101 + who * 65536));
		if (any(100) == 0)
			refused_travels += !right(100 + who, 0x50000000 + (uint32_t)any(0xffffff));
		guesser.secret = any(UINT64_MAX / 2);
		if (!guess_ask(g, &guesser, now).stop) {
			(void)guess_failed(g, &guesser, now);
			looked++;
		}
		(void)wrong(any(100000) + 1000, 0xc6336400 + (uint32_t)any(256), 42);
	}
	/* A row of ten, one each half hour, and one in 8,000 for nothing. */
	assert_true(looked <= 10 + (now - began) / (30 * MINUTE) + 3);
	assert_int_equal(refused_travels, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_be_forgotten_costs_more_than_it_gains),
		cmocka_unit_test(noise_does_not_push_out_lanes),
		cmocka_unit_test(random_days),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(g);
	return failed;
}

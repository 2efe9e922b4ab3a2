/* policy/habit.h, rule by rule. What the rules are worth together: tests/simulation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/habit.h"

#define HOUR UINT64_C(3600000)
#define DAY (24 * HOUR)
#define START (20000 * DAY)

static const struct habit_limits limits = { 20000, 100000, 0 };

static struct origin
from(const char *address, const char *helo)
{
	return (struct origin){ origin_network(span_of(address)), origin_client(span_of(helo), 1), 0 };
}

static struct habit_verdict
spend(struct habit *h, struct origin o, uint32_t rcpts, uint64_t at)
{
	return habit_spend(h, &o, &limits, rcpts, at);
}

static void
assert_words(struct habit_verdict v, const char *part)
{
	char text[HABIT_WORDS_MAX + 1] = "";

	memcpy(text, v.words.p, v.words.len);
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
	for (size_t i = 0; i < v.words.len; i++)
		assert_in_range(v.words.p[i], 32, 126);
}

/* Ten recipients a day for so many days. */
static uint64_t
settle(struct habit *h, struct origin o, unsigned days)
{
	for (unsigned day = 0; day < days; day++)
		for (unsigned i = 0; i < 10; i++)
			assert_int_equal(spend(h, o, 1, START + day * DAY + (9 + i) * HOUR).answer, HABIT_OK);
	return START + days * DAY + 9 * HOUR;
}

static void
a_stranger_has_a_hundred(void **state)
{
	struct habit h = { 0 };
	struct origin home = from("192.0.2.7", "laptop"), thief = from("198.51.100.9", "laptop");
	uint64_t now = settle(&h, home, 20);
	struct habit_verdict v;
	uint32_t out = 0;

	(void)state;
	assert_true(habit_is_home(&h, home.network));
	for (unsigned i = 0; i < 300; i++) {
		v = spend(&h, thief, 1, now += 3000);
		out += v.answer == HABIT_OK || (v.answer == HABIT_SLOW && v.delay > 0);
		if (v.answer == HABIT_HOLD && v.news)
			assert_words(v, "101 recipients in 5 minutes from a network that it is not used to (198.51.100.0/24), usual is 10 a day");
	}
	assert_int_equal(out, 100);
	assert_int_equal(h.step, HABIT_HELD);
	/* The owner goes on, and 100 more recipients of the thief lock him out. */
	assert_int_equal(spend(&h, home, 50, now).answer, HABIT_OK);
	assert_int_equal(spend(&h, thief, 100, now).answer, HABIT_LOCK);
	assert_int_equal(habit_login(&h, &thief, now).answer, HABIT_LOCK);
	assert_int_equal(habit_login(&h, &home, now).answer, HABIT_OK);
	assert_int_equal(spend(&h, home, 50, now).answer, HABIT_OK);
	habit_unlock(&h, ORIGIN_UNKNOWN, now);
	assert_int_equal(spend(&h, thief, 1, now).answer, HABIT_OK);
	assert_false(habit_is_home(&h, thief.network));
}

static void
each_step_is_news_once(void **state)
{
	struct habit h = { 0 };
	struct origin thief = from("198.51.100.9", "bot");
	unsigned news[4] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct habit_verdict v = spend(&h, thief, 1, START + i * 3000);

		news[h.step] += v.news;
	}
	assert_int_equal(news[HABIT_SLOWED], 1);
	assert_int_equal(news[HABIT_HELD], 1);
	assert_int_equal(news[HABIT_LOCKED], 1);
}

static void
slow_lets_one_pass_at_a_time(void **state)
{
	struct habit h = { 0 };
	struct origin o = from("198.51.100.9", "bot");

	(void)state;
	assert_int_equal(spend(&h, o, 85, START).answer, HABIT_OK);
	assert_int_equal(spend(&h, o, 1, START).delay, HABIT_DELAY_MS);
	assert_int_equal(spend(&h, o, 1, START + 1).answer, HABIT_SLOW);
	assert_int_equal(spend(&h, o, 1, START + 1).delay, 0);
	assert_int_equal(spend(&h, o, 1, START + HABIT_DELAY_MS).delay, HABIT_DELAY_MS);
}

static void
a_newsletter_from_home(void **state)
{
	struct habit h = { 0 };
	struct origin home = from("2001:db8:17::5", "laptop");
	uint64_t now = settle(&h, home, 20);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(spend(&h, home, 100, now + i).answer, HABIT_OK);
	/* More than a club has members is put off, and trying it twice over is held, for home too. */
	assert_int_equal(spend(&h, home, 100, now).answer, HABIT_OK);
	assert_int_equal(spend(&h, home, 100, now).answer, HABIT_OK);
	assert_words(spend(&h, home, 100, now), "600 recipients from its own network 2001:db8:17::/48, and 500 an hour is the most");
	for (unsigned i = 0; i < 5; i++)
		(void)spend(&h, home, 100, now);
	assert_int_equal(h.step, HABIT_HELD);
	assert_int_equal(h.all, 1);
	assert_int_equal(spend(&h, home, 1, now).answer, HABIT_HOLD);
}

static void
an_allowance_grows_with_the_past_and_a_limit_replaces_it(void **state)
{
	struct habit h = { 0 };
	struct origin server = from("192.0.2.7", "shop");
	struct habit_limits own = { 20000, 100000, 30000 };
	uint64_t now = START;

	(void)state;
	habit_unlock(&h, server.network, now);
	assert_int_equal(habit_spend(&h, &server, &own, 20000, now).answer, HABIT_OK);
	assert_int_equal(habit_spend(&h, &server, &own, 20000, now).answer, HABIT_SLOW);
	now += 2 * DAY;
	/* Without the limit what it did before counts, up to the ceiling. */
	assert_int_equal(spend(&h, server, 20000, now).answer, HABIT_OK);
	assert_int_equal(spend(&h, server, 1, now).answer, HABIT_SLOW);
}

static void
many_networks_at_once(void **state)
{
	struct habit h = { 0 };
	struct habit_verdict v = { .answer = HABIT_OK };
	uint32_t out = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < 500 && v.answer == HABIT_OK; i++) {
		struct origin o = { UINT64_C(4) << 56 | (uint64_t)(i * 7919 + 70000) << 24, 77, 0 };

		v = spend(&h, o, 1, START + i);
		out += v.answer == HABIT_OK;
	}
	assert_int_equal(v.answer, HABIT_HOLD);
	assert_in_range(out, 10, 60);
	/* Logins alone are enough. */
	memset(&h, 0, sizeof h);
	for (i = 0; i < 100 && h.step == HABIT_FREE; i++) {
		struct origin o = { UINT64_C(4) << 56 | (uint64_t)(i * 7919 + 70000) << 24, 77, 0 };

		v = habit_login(&h, &o, START + i);
	}
	assert_int_equal(h.step, HABIT_HELD);
	assert_true(v.news);
	assert_words(v, "logged in within a day from 31 networks");
}

static struct origin
within(struct origin o, const char *country)
{
	o.country = (uint16_t)(country[0] << 8 | country[1]);
	return o;
}

static void
a_new_country_counts_and_is_named(void **state)
{
	struct habit h = { 0 };
	struct origin home = within(from("192.0.2.7", "laptop"), "AT"), away = from("198.51.100.9", "laptop");
	uint64_t now = settle(&h, home, 20);

	(void)state;
	/* At home a journey's mail from Germany counts once and a half, from Austria once. */
	assert_int_equal(spend(&h, within(away, "AT"), 67, now).answer, HABIT_OK);
	habit_unlock(&h, ORIGIN_UNKNOWN, now);
	now += 3 * DAY;
	assert_int_equal(spend(&h, home, 10, now).answer, HABIT_OK);
	assert_words(spend(&h, within(away, "DE"), 67, now), "(198.51.100.0/24), from a new country (DE; usual is AT), usual is ");
	assert_int_equal(h.step, HABIT_HELD);
}

/* The database is what is new. */
static void
countries_that_begin_later(void **state)
{
	struct habit h = { 0 };
	struct origin home = from("192.0.2.7", "laptop"), away = within(from("198.51.100.9", "laptop"), "DE");
	uint64_t now = settle(&h, home, 20);

	(void)state;
	assert_int_equal(spend(&h, away, 67, now).answer, HABIT_OK);
	/* From home, too: and that is what the owner's country is learned from. */
	assert_int_equal(spend(&h, within(home, "AT"), 1, now).answer, HABIT_OK);
	assert_words(spend(&h, away, 34, now), "from a new country (DE; usual is AT)");
	/* A database that is taken away again is no new country either. */
	habit_unlock(&h, ORIGIN_UNKNOWN, now);
	away.country = 0;
	assert_int_equal(spend(&h, away, 67, now + 3 * DAY).answer, HABIT_OK);
}

static void
nobody_flushes_a_home(void **state)
{
	struct habit h = { 0 };
	struct origin home = from("192.0.2.7", "laptop");
	uint64_t now = settle(&h, home, 20);

	(void)state;
	for (unsigned day = 0; day < 40; day++) {
		struct origin o = { UINT64_C(4) << 56 | (uint64_t)(day * 7919 + 70000) << 24, 77 + day, 0 };

		(void)spend(&h, o, 1, now += DAY);
	}
	assert_true(habit_is_home(&h, home.network));
	/* Ninety days without it, and it may be somebody else's. */
	(void)spend(&h, from("203.0.113.4", "x"), 1, now + 80 * DAY);
	assert_false(habit_is_home(&h, home.network));
}

static void
bounces_hold(void **state)
{
	struct habit h = { 0 };
	struct origin home = from("192.0.2.7", "laptop");
	uint64_t now = settle(&h, home, 20);

	(void)state;
	habit_outcome(&h, 40, 99, now);
	assert_int_equal(spend(&h, home, 1, now).answer, HABIT_OK);
	habit_outcome(&h, 0, 1, now);
	assert_words(spend(&h, home, 1, now), "100 recipients of the last 140 do not exist or refuse the mail");
	assert_int_equal(h.step, HABIT_HELD);
}

static void
on_this_machine_nothing_is_watched(void **state)
{
	struct habit h = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(spend(&h, from("127.0.0.1", "bench"), 1000, START + i).answer, HABIT_OK);
	assert_int_equal(h.day, 0);
}

static void
a_clock_that_jumps(void **state)
{
	struct habit h = { 0 };
	struct origin thief = from("198.51.100.9", "bot");
	uint32_t out = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		struct habit_verdict v = spend(&h, thief, 1, START - i * HOUR);

		out += v.answer == HABIT_OK || v.delay > 0;
	}
	assert_true(out <= HABIT_STRANGE);
	(void)spend(&h, thief, UINT32_MAX, UINT64_MAX / 2);
	(void)spend(&h, thief, UINT32_MAX, 0);
	assert_true(h.step >= HABIT_HELD);
}

/* Regress 0423: the clock was a month ahead for an hour. Whoever sent meanwhile sends on as before, and a thief still has a hundred. */
static void
a_clock_that_was_ahead(void **state)
{
	struct habit h = { 0 };
	struct origin home = from("192.0.2.7", "laptop"), phone = from("198.51.100.9", "laptop"), thief = from("203.0.113.9", "bot");
	uint64_t now = settle(&h, home, 20);
	uint32_t out = 0;

	(void)state;
	assert_int_equal(spend(&h, home, 1, now + 30 * DAY).answer, HABIT_OK);
	for (unsigned day = 0; day < 29; day++)
		for (unsigned i = 0; i < 60; i++) {
			uint64_t at = now + day * DAY + i * HOUR / 6;

			if (spend(&h, home, 1, at).answer != HABIT_OK)
				fail_msg("home, day %u: refused", day);
			if (i < 4 && spend(&h, phone, 1, at + 1).answer != HABIT_OK)
				fail_msg("the telephone, day %u: refused", day);
		}
	assert_int_equal(h.step, HABIT_FREE);
	for (unsigned i = 0; i < 300; i++) {
		struct habit_verdict v = spend(&h, thief, 1, now + 29 * DAY + i * 1000);

		out += v.answer == HABIT_OK || v.delay > 0;
	}
	assert_true(out <= HABIT_STRANGE);
	assert_true(habit_is_home(&h, home.network));
}

/* A machine without a battery begins in 1970, until it has asked for the time: nothing is forgotten. */
static void
a_clock_that_began_in_1970(void **state)
{
	struct habit h = { 0 };
	struct origin home = from("192.0.2.7", "laptop"), thief = from("198.51.100.9", "bot");
	uint64_t now = settle(&h, home, 20);
	uint32_t out = 0;

	(void)state;
	assert_int_equal(spend(&h, home, 1, 30 * HOUR).answer, HABIT_OK);
	for (unsigned i = 0; i < 150; i++) {
		struct habit_verdict v = spend(&h, thief, 1, i < 50 ? 31 * HOUR + i : now + i);

		out += v.answer == HABIT_OK || v.delay > 0;
	}
	assert_true(out <= HABIT_STRANGE);
	assert_true(habit_is_home(&h, home.network));
}

static void
kept_octet_for_octet(void **state)
{
	struct habit h = { 0 }, again;
	uint8_t octets[HABIT_SAVED_MAX];
	struct buf b = BUF_OVER(octets);
	struct origin thief = from("198.51.100.9", "bot");

	(void)state;
	(void)settle(&h, from("192.0.2.7", "laptop"), 20);
	(void)spend(&h, thief, 1000, START + 30 * DAY);
	assert_true(habit_format(&h, &b));
	assert_true(habit_parse(buf_span(&b), &again));
	assert_memory_equal(&h.network, &again.network, sizeof h.network);
	assert_int_equal(again.step, HABIT_HELD);
	assert_int_equal(again.words_len, h.words_len);
	assert_memory_equal(h.words, again.words, h.words_len);
	assert_memory_equal(h.strange, again.strange, sizeof h.strange);
	for (size_t n = 0; n < b.len; n++)
		assert_false(habit_parse((struct span){ octets, n }, &again));
	octets[0] = 9;
	assert_false(habit_parse(buf_span(&b), &again));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_has_a_hundred), cmocka_unit_test(each_step_is_news_once),
		cmocka_unit_test(slow_lets_one_pass_at_a_time), cmocka_unit_test(a_newsletter_from_home),
		cmocka_unit_test(an_allowance_grows_with_the_past_and_a_limit_replaces_it), cmocka_unit_test(many_networks_at_once),
		cmocka_unit_test(a_new_country_counts_and_is_named),
		cmocka_unit_test(countries_that_begin_later), cmocka_unit_test(nobody_flushes_a_home), cmocka_unit_test(bounces_hold), cmocka_unit_test(on_this_machine_nothing_is_watched),
		cmocka_unit_test(a_clock_that_jumps), cmocka_unit_test(a_clock_that_was_ahead), cmocka_unit_test(a_clock_that_began_in_1970), cmocka_unit_test(kept_octet_for_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

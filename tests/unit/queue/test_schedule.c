/* queue/schedule.h: who is tried when. 5321-68, 5321-70. */
#include "queue/schedule.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS = 60000, FLOWS = 2000, DESTINATIONS = 300, PRINCIPALS = 64, BUCKETS = 64, ALICE = 7, BOB = 8 };

static struct job jobs[JOBS];
static struct flow flows[FLOWS];
static struct destination destinations[DESTINATIONS];
static struct principal principals[PRINCIPALS];
static uint32_t buckets[3 * BUCKETS];
static char names[DESTINATIONS][24];
static const struct schedule_conf usual = { .retry_first = 60000, .retry_max = 3 * 3600000, .hold_max = 300000, .window = 20,
	.running = 500 };

static void
fresh(struct schedule *s, const struct schedule_conf *conf)
{
	schedule_init(s, conf, buckets, BUCKETS);
	schedule_lend_jobs(s, jobs, JOBS);
	schedule_lend_flows(s, flows, FLOWS);
	schedule_lend_destinations(s, destinations, DESTINATIONS);
	schedule_lend_principals(s, principals, PRINCIPALS);
}

/* What alice has for the n-th destination. */
static uint32_t named(struct schedule *, unsigned);
static uint32_t
add(struct schedule *s, unsigned n, uint32_t message, uint64_t due, uint32_t attempts)
{
	return schedule_add(s, named(s, n), ALICE, message, due, attempts, 0);
}

static uint32_t
named(struct schedule *s, unsigned n)
{
	int len = snprintf(names[n], sizeof names[n], "d%u.example", n);
	struct span name = { (uint8_t *)names[n], (size_t)len };
	uint32_t i = schedule_find(s, name);

	return i != SCHEDULE_NONE ? i : schedule_destination(s, name);
}

static void
due_in_order(void **state)
{
	struct schedule s;
	uint64_t last = 0;
	struct schedule_conf wide = usual;

	(void)state;
	wide.window = wide.running = JOBS;
	fresh(&s, &wide);
	srand(1);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_not_equal(add(&s, i % 50, i, 1000 + (uint64_t)(rand() % 100000), 0), SCHEDULE_NONE);
	schedule_check(&s);
	assert_int_equal(schedule_next(&s, 999), SCHEDULE_NONE);
	for (uint32_t i = 0; i < 5000; i++) {
		uint64_t when = schedule_when(&s);
		uint32_t job;

		/* 0: now. */
		when = when == 0 ? last : when;
		job = schedule_next(&s, when);
		assert_true(when >= last);
		assert_int_not_equal(job, SCHEDULE_NONE);
		assert_int_equal(s.job[job].due, when);
		last = when;
		if (i % 3 == 0)
			schedule_finish(&s, job, TRY_ANSWERED, when);
		if (i % 500 == 0)
			schedule_check(&s);
	}
	assert_int_equal(schedule_when(&s), UINT64_MAX);
	schedule_check(&s);
}

/* Ten thousand messages for a host that does not answer, and one for somebody else. */
static void
a_dead_destination_delays_nobody(void **state)
{
	struct schedule s;
	uint32_t dead, running = 0, job;
	bool other = false;

	(void)state;
	fresh(&s, &usual);
	dead = named(&s, 0);
	for (uint32_t i = 0; i < 10000; i++)
		(void)schedule_add(&s, dead, ALICE, i, 100, 0, 0);
	(void)add(&s, 1, 10000, 200, 0);
	while ((job = schedule_next(&s, 1000)) != SCHEDULE_NONE) {
		other = other || schedule_job_destination(&s, job) != dead;
		running++;
	}
	assert_true(other);
	assert_int_equal(running, 21);
	schedule_check(&s);
}

/* 5321-70: what fails teaches once, then one at a time knocks, later and later. */
static void
a_dead_destination_is_held_off(void **state)
{
	struct schedule s;
	uint32_t d, out[20];
	uint64_t now = 1000, held;

	(void)state;
	fresh(&s, &usual);
	d = named(&s, 0);
	for (uint32_t i = 0; i < 100; i++)
		(void)schedule_add(&s, d, ALICE, i, 1, 0, 0);
	for (unsigned i = 0; i < 20; i++)
		out[i] = schedule_next(&s, now);
	assert_int_equal(schedule_next(&s, now), SCHEDULE_NONE);
	for (unsigned i = 0; i < 20; i++)
		schedule_again(&s, out[i], now + 60000, TRY_FAILED, now);
	assert_int_equal(s.destination[d].failures, 1);
	held = s.destination[d].held;
	assert_int_equal(held, now + 15000);
	assert_int_equal(schedule_when(&s), held);
	/* One knocks. */
	now = held;
	out[0] = schedule_next(&s, now);
	assert_int_not_equal(out[0], SCHEDULE_NONE);
	assert_int_equal(schedule_next(&s, now), SCHEDULE_NONE);
	schedule_again(&s, out[0], now + 60000, TRY_FAILED, now);
	assert_int_equal(s.destination[d].held, now + 30000);
	now = s.destination[d].held;
	out[0] = schedule_next(&s, now);
	assert_false(s.destination[d].proven);
	schedule_finish(&s, out[0], TRY_ANSWERED, now);
	assert_true(s.destination[d].proven);
	assert_int_equal(s.destination[d].held, 0);
	assert_int_equal(s.destination[d].window, 2);
	assert_int_not_equal(schedule_next(&s, now), SCHEDULE_NONE);
	assert_int_not_equal(schedule_next(&s, now), SCHEDULE_NONE);
	assert_int_equal(schedule_next(&s, now), SCHEDULE_NONE);
	schedule_check(&s);
}

static void
limits_in_all(void **state)
{
	struct schedule s;
	uint32_t running = 0;

	(void)state;
	fresh(&s, &usual);
	for (uint32_t i = 0; i < 6000; i++)
		(void)add(&s, i % 200, i, 1, 0);
	while (schedule_next(&s, 10) != SCHEDULE_NONE)
		running++;
	assert_int_equal(running, 500);
	assert_int_equal(schedule_when(&s), UINT64_MAX);
}

/* 5321-68: the first retry within retry_first, each later twice as late, never beyond retry_max, and not in step. */
static void
back_off(void **state)
{
	uint64_t last = 0;

	(void)state;
	for (uint32_t n = 1; n < 100; n++) {
		uint64_t most = schedule_backoff(&usual, 1000, n, 0) - 1000, least = schedule_backoff(&usual, 1000, n, 1023) - 1000;

		assert_true(most >= last);
		assert_true(most <= usual.retry_max);
		assert_true(least < most && least >= most - most / 8);
		assert_true(n > 1 || most == usual.retry_first);
		assert_true(n < 2 || most == usual.retry_max || most == 2 * last);
		last = most;
	}
	assert_int_equal(last, usual.retry_max);
}

/* Would nobody of its flow go before this job, which is running: by urgency, or by time alone? */
static bool
is_first(const struct schedule *s, uint32_t job, uint64_t now, bool urgency)
{
	const struct job *j = &s->job[job];

	for (uint32_t i = 0; i < s->jobs.used; i++) {
		const struct job *o = &s->job[i];

		if (!schedule_waiting(s, i) || o->flow != j->flow || o->due > now)
			continue;
		if (urgency && o->priority > j->priority)
			return false;
		if ((!urgency || o->priority == j->priority) && o->due < j->due)
			return false;
	}
	return true;
}

/* Of what is due the most urgent first, then the oldest; what is not due is not looked at however urgent it is (6710-4). */
static void
the_most_urgent_first(void **state)
{
	struct schedule s;
	struct schedule_conf wide = usual;
	uint32_t job, left = 3000, picks = 0, aged = 0;
	uint64_t now = 0;

	(void)state;
	wide.window = wide.running = 100;
	fresh(&s, &wide);
	srand(3);
	for (uint32_t i = 0; i < left; i++)
		assert_int_not_equal(schedule_add(&s, named(&s, i % 3), ALICE, i, (uint64_t)(rand() % 5000), 0,
		    (int8_t)(rand() % 19 - 9)), SCHEDULE_NONE);
	while (left > 0) {
		now += (uint64_t)(rand() % 50);
		job = schedule_next(&s, now);
		if (job == SCHEDULE_NONE)
			continue;
		assert_true(s.job[job].due <= now);
		picks++;
		/* Most urgent, or the one that has waited longest and was overtaken often enough. */
		if (!is_first(&s, job, now, true)) {
			assert_true(is_first(&s, job, now, false));
			aged++;
		}
		assert_true(aged * (SCHEDULE_OVERTAKES + 1) <= picks);
		/* Some come again, some are moved, the clock is set once. */
		if (rand() % 4 == 0)
			schedule_again(&s, job, now + (uint64_t)(rand() % 500), TRY_ANSWERED, now);
		else {
			schedule_finish(&s, job, TRY_ANSWERED, now);
			left--;
		}
		if (left % 100 == 0) {
			for (job = 0; !schedule_waiting(&s, job) && left > 0;)
				job++;
			if (left > 0)
				schedule_move(&s, job, now + 700);
			schedule_check(&s);
		}
		if (left == 1500 && now < 1000000) {
			schedule_shift(&s, 1000000);
			now += 1000000;
		}
	}
	schedule_check(&s);
}

static void
a_void_try_does_not_count(void **state)
{
	struct schedule s;
	uint32_t job;

	(void)state;
	fresh(&s, &usual);
	job = add(&s, 0, 0, 1, 0);
	assert_int_equal(schedule_next(&s, 5), job);
	schedule_again(&s, job, 5, TRY_VOID, 5);
	assert_int_equal(s.job[job].attempts, 0);
	assert_int_equal(schedule_next(&s, 5), job);
	schedule_again(&s, job, 5000, TRY_ANSWERED, 5);
	assert_int_equal(s.job[job].attempts, 1);
	assert_int_equal(schedule_next(&s, 5), SCHEDULE_NONE);
	schedule_hurry(&s, job, 6);
	assert_int_equal(schedule_next(&s, 6), job);
	/* It runs: nothing to hurry. */
	schedule_hurry(&s, job, 6);
	schedule_remove(&s, job);
	schedule_check(&s);
}

/* tests/regress/0023: a clock set back by an hour makes nobody wait an hour, one set forward hurries nobody. */
static void
the_clock_is_set(void **state)
{
	struct schedule s;
	uint64_t now = 10 * UINT64_C(3600000);
	uint32_t first, second, dead;

	(void)state;
	fresh(&s, &usual);
	first = add(&s, 0, 0, now + 1000, 1);
	second = add(&s, 1, 1, now + 2000, 1);
	dead = add(&s, 2, 2, now, 0);
	assert_int_equal(schedule_next(&s, now), dead);
	schedule_again(&s, dead, now + 500, TRY_FAILED, now);
	for (int way = -1; way <= 1; way += 2) {
		int64_t step = way * INT64_C(3600000);

		now = (uint64_t)((int64_t)now + step);
		schedule_shift(&s, step);
		schedule_check(&s);
		assert_int_equal(schedule_when(&s), now + 1000);
		assert_true(schedule_held(&s, dead, now + 600));
	}
	assert_int_equal(schedule_next(&s, now + 1000), first);
	assert_int_equal(schedule_next(&s, now + 2000), second);
	/* Before 1970 there is nothing. */
	schedule_shift(&s, -(int64_t)now * 2);
	schedule_check(&s);
	assert_int_equal(schedule_next(&s, 0), dead);
}

/* What waits for a destination that is held can be taken out of turn. */
static void
held_ones_are_taken(void **state)
{
	struct schedule s;
	uint32_t one, two;

	(void)state;
	fresh(&s, &usual);
	one = add(&s, 0, 0, 0, 0);
	two = add(&s, 0, 1, 0, 0);
	assert_false(schedule_held(&s, two, 1));
	assert_int_equal(schedule_next(&s, 1), one);
	schedule_again(&s, one, 100, TRY_FAILED, 1);
	assert_int_equal(schedule_next(&s, 2), SCHEDULE_NONE);
	assert_true(schedule_held(&s, two, 2) && !schedule_held(&s, one, 2));
	schedule_take(&s, two);
	schedule_check(&s);
	schedule_finish(&s, two, TRY_FAILED, 2);
	schedule_check(&s);
	assert_int_equal(s.running, 0);
	assert_int_equal(s.waiting, 1);
}

static void
destinations_retire(void **state)
{
	struct schedule s;
	uint32_t d, job;

	(void)state;
	fresh(&s, &usual);
	d = named(&s, 0);
	job = schedule_add(&s, d, ALICE, 0, 1, 0, 0);
	assert_false(schedule_retire(&s, d, 1));
	assert_int_equal(schedule_next(&s, 1), job);
	assert_false(schedule_retire(&s, d, 1));
	schedule_finish(&s, job, TRY_FAILED, 1);
	/* What was learnt is kept while it means something. */
	assert_false(schedule_retire(&s, d, 1));
	assert_true(schedule_retire(&s, d, 1000000));
	assert_int_equal(schedule_find(&s, SPAN("d0.example")), SCHEDULE_NONE);
	assert_int_equal(named(&s, 1), d);
	schedule_check(&s);
}

/* Anything in any order, against a plain list. */
static void
any_order(void **state)
{
	struct schedule s;
	static uint32_t live[JOBS];
	uint32_t count = 0;
	uint64_t now = 1000;

	(void)state;
	fresh(&s, &usual);
	srand(7);
	for (unsigned step = 0; step < 30000; step++) {
		uint32_t pick = count > 0 ? (uint32_t)rand() % count : 0, job = count > 0 ? live[pick] : 0;

		now += (uint64_t)(rand() % 500);
		switch (rand() % 6) {
		case 0:
		case 1:
			live[count++] = schedule_add(&s, named(&s, (unsigned)rand() % 40), (uint32_t)rand() % 5, step, now + (uint64_t)(rand() % 9999), 0, 0);
			break;
		case 2:
			(void)schedule_next(&s, now);
			break;
		case 3:
			if (count > 0 && s.job[job].state == JOB_RUNNING)
				schedule_again(&s, job, now + (uint64_t)(rand() % 9999), (enum try_end)(rand() % 5), now);
			break;
		case 4:
			if (count > 0 && rand() % 2 == 0) {
				schedule_remove(&s, job);
				live[pick] = live[--count];
			}
			break;
		default:
			if (count > 0)
				schedule_hurry(&s, job, now);
		}
		if (step % 1000 == 0)
			schedule_check(&s);
	}
	assert_int_equal(s.waiting + s.running, count);
	schedule_check(&s);
}

/* One mail of bob's waits for one of alice's, wherever hers are going: to the same host, or to two hundred others. */
static void
principals_take_turns(void **state)
{
	struct schedule s;
	uint32_t job, bobs;

	(void)state;
	for (unsigned wide = 0; wide < 2; wide++) {
		fresh(&s, &usual);
		for (uint32_t i = 0; i < 50000; i++)
			assert_int_not_equal(add(&s, wide ? i % 200 : 0, i, 1, 0), SCHEDULE_NONE);
		for (unsigned i = 0; i < 15; i++)
			assert_int_not_equal(schedule_next(&s, 10), SCHEDULE_NONE);
		bobs = schedule_add(&s, named(&s, 0), BOB, 50000, 10, 0, 0);
		job = schedule_next(&s, 10);
		if (job != bobs)
			assert_int_equal(schedule_next(&s, 10), bobs);
		schedule_check(&s);
	}
}

/* As many of each, while both have some. */
static void
principals_share(void **state)
{
	struct schedule s;
	struct schedule_conf narrow = usual;
	uint32_t job, count[2] = { 0, 0 };

	(void)state;
	narrow.running = 10;
	fresh(&s, &narrow);
	for (uint32_t i = 0; i < 4000; i++)
		(void)schedule_add(&s, named(&s, i % 100), i < 3000 ? ALICE : BOB, i, 1, 0, 0);
	for (unsigned i = 0; i < 1600; i++) {
		job = schedule_next(&s, 10);
		assert_int_not_equal(job, SCHEDULE_NONE);
		count[s.principal[s.flow[s.job[job].flow].principal].key - ALICE]++;
		schedule_finish(&s, job, TRY_ANSWERED, 10);
	}
	assert_int_equal(count[0], 800);
	assert_int_equal(count[1], 800);
	schedule_check(&s);
}

/* What is not known begins with little, and what answers nobody leaves room for the others. */
static void
the_unproven_leave_room(void **state)
{
	struct schedule s;
	struct schedule_conf careful = usual;
	uint32_t job, good, running = 0;

	(void)state;
	careful.first = 2;
	careful.unproven = 100;
	fresh(&s, &careful);
	good = named(&s, 250);
	job = add(&s, 250, 0, 1, 0);
	assert_int_equal(schedule_next(&s, 1), job);
	schedule_finish(&s, job, TRY_ANSWERED, 1);
	for (uint32_t i = 0; i < 20000; i++)
		(void)add(&s, i % 200, i, 2, 0);
	while (schedule_next(&s, 2) != SCHEDULE_NONE)
		running++;
	/* Half of it is somebody else's. */
	assert_int_equal(running, 50);
	assert_int_equal(schedule_when(&s), UINT64_MAX);
	job = schedule_add(&s, named(&s, 240), BOB, 30000, 2, 0, 0);
	assert_int_equal(schedule_next(&s, 2), job);
	for (uint32_t i = 0; i < 20000; i++)
		(void)schedule_add(&s, named(&s, i % 200), BOB, 30001 + i, 2, 0, 0);
	for (running = 1; schedule_next(&s, 2) != SCHEDULE_NONE; running++)
		;
	assert_int_equal(running, 50);
	schedule_check(&s);
	for (uint32_t i = 0; i < 10; i++)
		(void)add(&s, 250, 60000 + i, 3, 0);
	/* It had answered once: one more than at first. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(schedule_job_destination(&s, schedule_next(&s, 3)), good);
	assert_int_equal(schedule_next(&s, 3), SCHEDULE_NONE);
	schedule_check(&s);
}

/* A 4yz that asks for less: half as many at a time, after a pause, once for all that were under way. */
static void
who_asks_to_be_spared_is(void **state)
{
	struct schedule s;
	uint32_t d, out[20];
	uint64_t now = 1000;

	(void)state;
	fresh(&s, &usual);
	d = named(&s, 0);
	for (uint32_t i = 0; i < 100; i++)
		(void)add(&s, 0, i, 1, 0);
	for (unsigned i = 0; i < 20; i++)
		out[i] = schedule_next(&s, now);
	for (unsigned i = 0; i < 20; i++)
		schedule_again(&s, out[i], now + 60000, TRY_SLOWED, now);
	assert_int_equal(s.destination[d].held, now + 15000);
	assert_true(s.destination[d].window >= 10 && s.destination[d].window < 20);
	assert_int_equal(schedule_next(&s, now), SCHEDULE_NONE);
	assert_int_equal(schedule_when(&s), now + 15000);
	/* Nobody is unreachable there. */
	assert_false(schedule_held(&s, out[0], now + 70000));
	now += 15000;
	out[0] = schedule_next(&s, now);
	schedule_again(&s, out[0], now + 60000, TRY_SLOWED, now);
	assert_int_equal(s.destination[d].held, now + 30000);
	now += 30000;
	for (unsigned i = 0; i < 8; i++) {
		out[0] = schedule_next(&s, now);
		schedule_finish(&s, out[0], TRY_ANSWERED, now);
	}
	assert_int_equal(s.destination[d].slowed, 0);
	schedule_check(&s);
}

/* RFC 6647: not before the time that was named, and later by up to an eighth. */
static void
after_greylisting(void **state)
{
	(void)state;
	assert_int_equal(schedule_after(1000, 300000, 0), 301000);
	assert_true(schedule_after(1000, 300000, 1023) > 301000 && schedule_after(1000, 300000, 1023) <= 301000 + 37500);
}

/* There is always something urgent, for the same destination and for others; what was there before gets its share all the same, and
 * nothing urgent waits for more than one of it. The first urgent one comes when much is planned already. */
static void
an_urgent_stream_starves_nobody(void **state)
{
	enum { PLAIN = 60, PICKS = (PLAIN + 4) * (SCHEDULE_OVERTAKES + 1) };
	struct schedule s;
	struct schedule_conf narrow = usual;
	uint32_t plain = 0, run = 0;

	(void)state;
	narrow.window = 1;
	fresh(&s, &narrow);
	for (uint32_t i = 0; i < PLAIN; i++)
		assert_int_not_equal(schedule_add(&s, named(&s, i % 3), ALICE, i, 1, 0, (int8_t)(i % 2 == 0 ? 0 : -9)), SCHEDULE_NONE);
	for (uint32_t i = 0; i < PICKS; i++) {
		uint32_t job;

		assert_int_not_equal(schedule_add(&s, named(&s, i % 4), ALICE, PLAIN + i, 10 + i, 0, (int8_t)(1 + i % 9)), SCHEDULE_NONE);
		job = schedule_next(&s, 10 + i);
		assert_int_not_equal(job, SCHEDULE_NONE);
		run = s.job[job].message < PLAIN ? run + 1 : 0;
		plain += s.job[job].message < PLAIN;
		/* At first nothing is known of any destination, and two kinds take turns. */
		assert_true(run <= 1 || i < 16);
		schedule_finish(&s, job, TRY_ANSWERED, 10 + i);
		if (i % 50 == 0)
			schedule_check(&s);
	}
	assert_int_equal(plain, PLAIN);
}

/* The order by time begins in the middle of everything, and without priorities it is never kept. */
static void
the_order_by_time_begins_late(void **state)
{
	struct schedule s;
	struct schedule_conf wide = usual;

	(void)state;
	wide.window = 3;
	fresh(&s, &wide);
	for (uint32_t i = 0; i < 500; i++) {
		assert_int_not_equal(add(&s, i % 7, i, i % 5 == 0 ? 5000 : i, 0), SCHEDULE_NONE);
		if (i % 3 == 0)
			(void)schedule_next(&s, i);
	}
	assert_false(s.ranked);
	schedule_check(&s);
	assert_int_not_equal(schedule_add(&s, named(&s, 3), BOB, 500, 1, 0, 2), SCHEDULE_NONE);
	assert_true(s.ranked);
	schedule_check(&s);
	for (uint32_t i = 0, job; i < 500; i++)
		if ((job = schedule_next(&s, 6000)) != SCHEDULE_NONE)
			schedule_finish(&s, job, TRY_ANSWERED, 6000);
	schedule_check(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(due_in_order),
		cmocka_unit_test(a_dead_destination_delays_nobody),
		cmocka_unit_test(a_dead_destination_is_held_off),
		cmocka_unit_test(limits_in_all),
		cmocka_unit_test(back_off),
		cmocka_unit_test(the_most_urgent_first), cmocka_unit_test(a_void_try_does_not_count),
		cmocka_unit_test(the_clock_is_set),
		cmocka_unit_test(held_ones_are_taken),
		cmocka_unit_test(destinations_retire),
		cmocka_unit_test(any_order),
		cmocka_unit_test(principals_take_turns),
		cmocka_unit_test(principals_share),
		cmocka_unit_test(the_unproven_leave_room),
		cmocka_unit_test(who_asks_to_be_spared_is),
		cmocka_unit_test(after_greylisting),
		cmocka_unit_test(an_urgent_stream_starves_nobody),
		cmocka_unit_test(the_order_by_time_begins_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

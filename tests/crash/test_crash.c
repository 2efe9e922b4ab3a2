/* The spool stopped at every system call of a run, and opened again: acknowledged and missing must be nothing. */
#include "rig.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* What is never done waits for the operator for a while, or for ever: from before its record is durable, while it is copied forward,
 * from the beginning, let go before and after its copy. */
static void
hold(struct rig *r, unsigned round)
{
	static const struct { unsigned round; uint32_t id; bool held; } plan[] = {
		{ 0, 3, true }, { 1, 8, true }, { 2, 13, true }, { 2, 13, false }, { 4, 8, false }, { 4, 18, false },
		{ 5, 23, true }, { 6, 13, true }, { 6, 28, true }, { 7, 23, false }, { 7, 28, false }, { 7, 28, true },
	};

	for (size_t i = 0; i < sizeof plan / sizeof plan[0] && !disk_fault.stopped; i++) {
		if (plan[i].round != round || index_find(&r->spool.index, plan[i].id) == INDEX_NONE)
			continue;
		if (plan[i].held)
			rig_withhold(r, plan[i].id);
		else
			rig_release(r, plan[i].id);
		if (i % 2 == 1)
			rig_sync(r);
	}
}

/* A life: small messages, a big one in chunks, results, completions, several segments, removal of the first. */
static void
live(struct rig *r)
{
	uint32_t id = 1;

	for (unsigned round = 0; round < 8 && !disk_fault.stopped; round++) {
		r->eager = round % 2 == 1;
		for (unsigned i = 0; i < 4 && !disk_fault.stopped; i++) {
			r->hold_next = id == 18;
			rig_submit(r, id++, 3000 + i * 9000, 1 + i);
		}
		if (!disk_fault.stopped)
			rig_submit(r, id++, 150000, 2);
		hold(r, round);
		rig_sync(r);
		for (uint32_t done = 1; done < id && !disk_fault.stopped; done++)
			if (done % 5 != 3 && r->message[done - 1].answered && r->message[done - 1].answer == OK
			    && !r->message[done - 1].done)
				rig_done(r, done);
		rig_sync(r);
	}
}

static void
begin(struct rig *r)
{
	rig_begin(r);
	r->window = 3600000;
}

static unsigned
count_calls(void)
{
	static struct rig r;
	unsigned calls;

	begin(&r);
	assert_true(rig_open(&r));
	live(&r);
	calls = disk_fault.calls;
	assert_true(r.gone > 3);
	/* Some of the first messages were never done: their segment went because they were copied forward. */
	assert_true(rig_has(&r, 3));
	assert_int_equal(rig_segment(&r, 1), -1);
	rig_verify(&r);
	assert_true(spool_is_held(&r.spool, index_find(&r.spool.index, 3)));
	assert_true(spool_is_held(&r.spool, index_find(&r.spool.index, 28)));
	assert_false(spool_is_held(&r.spool, index_find(&r.spool.index, 18)));
	rig_crash(&r);
	rig_end(&r);
	return calls;
}

enum { NO_POWER_CUT = 101 };

static void
stop_at(enum fault_kind kind, unsigned at, unsigned percent)
{
	static struct rig r;

	begin(&r);
	disk_fault.kind = kind;
	disk_fault.at = at;
	if (rig_open(&r)) {
		live(&r);
		rig_crash(&r);
	} else
		disk_fault_reset();
	if (percent != NO_POWER_CUT)
		disk_fault_power_cut(r.directory, percent);
	assert_true(rig_open(&r));
	rig_verify(&r);
	/* And it works on: what comes now is kept too, after one more death. */
	rig_submit(&r, 1000, 5000, 3);
	rig_sync(&r);
	assert_int_equal(r.message[999].answer, OK);
	assert_true(r.message[999].answered);
	rig_crash(&r);
	assert_true(rig_open(&r));
	rig_verify(&r);
	assert_true(rig_has(&r, 1000));
	assert_int_equal(rig_damaged_files(&r) > 1, 0);
	rig_crash(&r);
	rig_end(&r);
}

static void
stop_before_every_call(void **state)
{
	unsigned calls = count_calls();

	(void)state;
	assert_true(calls > 40);
	for (unsigned at = 1; at <= calls; at++)
		stop_at(FAULT_STOP_BEFORE, at, NO_POWER_CUT);
	print_message("%u calls\n", calls);
}

static void
stop_within_every_write(void **state)
{
	unsigned calls = count_calls();

	(void)state;
	for (unsigned at = 1; at <= calls; at++)
		stop_at(FAULT_STOP_WITHIN, at, NO_POWER_CUT);
}

static void
stop_after_every_call(void **state)
{
	unsigned calls = count_calls();

	(void)state;
	for (unsigned at = 1; at <= calls; at++)
		stop_at(FAULT_STOP_AFTER, at, NO_POWER_CUT);
}

/* Here the syncs show what they are for, and their order: without power only what they covered stays. */
static void
power_cut_after_every_call(void **state)
{
	static const unsigned percents[] = { 0, 37, 100 };
	unsigned calls = count_calls();

	(void)state;
	for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++)
		for (unsigned at = 1; at <= calls; at++)
			stop_at(FAULT_STOP_AFTER, at, percents[i]);
}

/* The start itself is stopped at each of its calls, once and again. */
static void
stop_within_the_start(void **state)
{
	static struct rig r;

	(void)state;
	for (unsigned at = 1; at < 30; at++) {
		begin(&r);
		assert_true(rig_open(&r));
		live(&r);
		rig_crash(&r);
		for (unsigned again = 0; again < 2; again++) {
			disk_fault.kind = FAULT_STOP_AFTER;
			disk_fault.at = at;
			if (rig_open(&r)) {
				rig_sync(&r);
				rig_crash(&r);
			}
			disk_fault_reset();
		}
		assert_true(rig_open(&r));
		rig_verify(&r);
		rig_crash(&r);
		rig_end(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_before_every_call),
		cmocka_unit_test(stop_within_every_write),
		cmocka_unit_test(stop_after_every_call),
		cmocka_unit_test(power_cut_after_every_call),
		cmocka_unit_test(stop_within_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

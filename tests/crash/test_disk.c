/* A disk that says no: full, failing, and what is told to whom. */
#include "rig.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

/* A sync that failed: nobody is told yes, now or later, until the disk has been read again. */
static void
failed_fdatasync_is_doubt(void **state)
{
	static struct rig r;

	(void)state;
	rig_begin(&r);
	r.window = 3600000;
	assert_true(rig_open(&r));
	rig_submit(&r, 1, 4000, 1);
	rig_sync(&r);
	disk_fault = (struct disk_fault){ .kind = FAULT_ERROR, .only = CALL_FDATASYNC, .at = 1, .error = EIO, .once = true };
	rig_submit(&r, 2, 4000, 1);
	rig_submit(&r, 3, 200000, 1);
	assert_int_equal(rig_batch(&r), FAIL_DOUBT);
	assert_int_equal(r.message[1].answer, FAIL_DOUBT);
	assert_int_equal(r.message[2].answer, FAIL_DOUBT);
	assert_int_equal(spool_state(&r.spool), FAIL_DOUBT);
	/* The disk works again, and nobody believes it. */
	rig_submit(&r, 4, 4000, 1);
	assert_int_equal(r.message[3].answer, FAIL_DOUBT);
	assert_null(journal_begin(&r.spool.journal));
	assert_int_equal(spool_state(&r.spool), FAIL_DOUBT);
	rig_crash(&r);
	assert_true(rig_open(&r));
	assert_int_equal(spool_state(&r.spool), OK);
	rig_verify(&r);
	assert_true(rig_has(&r, 1));
	assert_false(rig_has(&r, 4));
	rig_crash(&r);
	rig_end(&r);
}

static void
every_error_of_a_commit(enum fault_call call, int error, enum fail want)
{
	static struct rig r;

	rig_begin(&r);
	r.window = 3600000;
	assert_true(rig_open(&r));
	disk_fault = (struct disk_fault){ .kind = FAULT_ERROR, .only = call, .at = 1, .error = error };
	rig_submit(&r, 1, 4000, 1);
	rig_sync(&r);
	assert_true(r.message[0].answered);
	assert_int_equal(r.message[0].answer, want);
	assert_int_equal(spool_state(&r.spool), want);
	rig_submit(&r, 2, 4000, 1);
	assert_int_equal(r.message[1].answer, want);
	rig_crash(&r);
	assert_true(rig_open(&r));
	rig_verify(&r);
	rig_crash(&r);
	rig_end(&r);
}

static void
errors_have_their_meaning(void **state)
{
	(void)state;
	every_error_of_a_commit(CALL_OPEN, EMFILE, FAIL_DISK_FULL);
	every_error_of_a_commit(CALL_OPEN, ENOSPC, FAIL_DISK_FULL);
	every_error_of_a_commit(CALL_OPEN, EIO, FAIL_DOUBT);
	every_error_of_a_commit(CALL_PWRITE, ENOSPC, FAIL_DISK_FULL);
	every_error_of_a_commit(CALL_PWRITE, EDQUOT, FAIL_DISK_FULL);
	every_error_of_a_commit(CALL_PWRITE, EIO, FAIL_DOUBT);
	every_error_of_a_commit(CALL_FDATASYNC, ENOSPC, FAIL_DOUBT);
	every_error_of_a_commit(CALL_FSYNC, EIO, FAIL_DOUBT);
}

/* Full: refused with nothing lost; what was refused is not there after a restart either; ends by itself. */
static void
full_disk(void **state)
{
	static struct rig r;
	struct outcome later = { .class = OUTCOME_LATER, .attempt = 1, .when = 5, .text = SPAN_INIT("not now") };

	(void)state;
	rig_begin(&r);
	r.window = 3600000;
	assert_true(rig_open(&r));
	rig_submit(&r, 1, 4000, 1);
	rig_submit(&r, 2, 4000, 2);
	rig_sync(&r);
	disk_fault = (struct disk_fault){ .kind = FAULT_ERROR, .only = CALL_PWRITE, .at = 1, .error = ENOSPC };
	/* Of one batch: a DONE and a RESULT, which must not be lost, and a commit and chunks, which may be refused. */
	rig_done(&r, 1);
	spool_result(&r.spool, index_find(&r.spool.index, 2), 1, &later);
	rig_submit(&r, 3, 4000, 1);
	rig_submit(&r, 4, 200000, 1);
	assert_int_equal(rig_batch(&r), FAIL_DISK_FULL);
	assert_int_equal(r.message[2].answer, FAIL_DISK_FULL);
	assert_int_equal(r.message[3].answer, FAIL_DISK_FULL);
	assert_int_equal(spool_state(&r.spool), FAIL_DISK_FULL);
	rig_submit(&r, 5, 4000, 1);
	assert_int_equal(r.message[4].answer, FAIL_DISK_FULL);
	assert_int_equal(rig_batch(&r), FAIL_DISK_FULL);
	/* Room again. */
	disk_fault_reset();
	assert_int_equal(rig_batch(&r), OK);
	assert_int_equal(spool_state(&r.spool), OK);
	rig_submit(&r, 6, 4000, 1);
	rig_sync(&r);
	assert_int_equal(r.message[5].answer, OK);
	rig_crash(&r);
	assert_true(rig_open(&r));
	rig_verify(&r);
	assert_false(rig_has(&r, 1));
	assert_true(rig_has(&r, 2));
	assert_false(rig_has(&r, 3));
	assert_false(rig_has(&r, 4));
	assert_int_equal(r.spool.index.entry[index_find(&r.spool.index, 2)].attempts, 1);
	assert_int_equal(rig_damaged_files(&r), 0);
	rig_crash(&r);
	rig_end(&r);
}

/* A draft that had chunks in the refused batch may not be committed when the disk has room again. */
static void
full_disk_under_a_draft(void **state)
{
	static struct rig r;
	static uint8_t octets[100000];
	struct message_record mail = { .id = 1, .reverse_path = SPAN_INIT("a@example.org") };
	struct draft *d;

	(void)state;
	rig_begin(&r);
	r.window = 3600000;
	assert_true(rig_open(&r));
	assert_int_equal(draft_begin(&r.spool, &mail, false, &d), OK);
	draft_rcpt(&r.spool, d, SPAN("b@example.org"), 0, (struct span){ NULL, 0 });
	draft_body(&r.spool, d, (struct span){ octets, sizeof octets });
	disk_fault = (struct disk_fault){ .kind = FAULT_ERROR, .only = CALL_PWRITE, .at = 1, .error = ENOSPC, .once = true };
	assert_int_equal(rig_batch(&r), FAIL_DISK_FULL);
	assert_int_equal(rig_batch(&r), OK);
	draft_body(&r.spool, d, (struct span){ octets, sizeof octets });
	assert_int_equal(draft_commit(&r.spool, d, 0, &r.message[0]), FAIL_DISK_FULL);
	rig_sync(&r);
	rig_crash(&r);
	rig_end(&r);
}

/* Killed while the disk was full: what was refused stays refused. */
static void
full_disk_and_killed(void **state)
{
	static struct rig r;

	(void)state;
	for (int partial = 0; partial < 2; partial++) {
		rig_begin(&r);
	r.window = 3600000;
		assert_true(rig_open(&r));
		rig_submit(&r, 1, 4000, 1);
		rig_sync(&r);
		/* The sync of the directory, or the second write, is where it ends. */
		disk_fault = (struct disk_fault){ .kind = FAULT_ERROR, .only = CALL_PWRITE, .at = 1 + (unsigned)partial, .error = ENOSPC };
		rig_submit(&r, 2, 60000, 1);
		for (uint32_t id = 3; id < 8; id++)
			rig_submit(&r, id, 60000, 1);
		assert_int_equal(rig_batch(&r), FAIL_DISK_FULL);
		rig_crash(&r);
		assert_true(rig_open(&r));
		for (uint32_t id = 2; id < 8; id++) {
			assert_int_equal(r.message[id - 1].answer, FAIL_DISK_FULL);
			assert_false(rig_has(&r, id));
		}
		rig_verify(&r);
		rig_crash(&r);
		rig_end(&r);
	}
}

/* 4865-4: an interval and a deadline move with the clock, a point in time does not; a clock that was ahead makes nobody wait. */
static void
the_clock_is_set(void **state)
{
	static struct rig r;
	struct message_record m = { .id = 5000, .arrival = 1, .release = 7201000, .hold = SPAN_INIT("for;7200"), .deadline = 9000000 };
	struct entry e = { .arrival = 1 };
	const struct entry *point;
	uint32_t slot;

	(void)state;
	rig_begin(&r);
	assert_true(rig_open(&r));
	rig_submit(&r, 3, 1000, 1);
	rig_sync(&r);
	slot = index_find(&r.spool.index, 3);
	for (unsigned i = 0; i < 2; i++) {
		int64_t ms = i == 0 ? 3600000 : -3600000;

		schedule_shift(&r.spool.schedule, ms);
		release_clock(&r.spool, ms);
		point = &r.spool.index.entry[slot];
		assert_int_equal(point->release, RIG_RELEASE + 3);
		assert_int_equal(r.spool.schedule.job[point->job].due, RIG_RELEASE + 3);
		assert_int_equal(point->deadline, 2 * RIG_RELEASE + (i == 0 ? 3600000 : 0));
	}
	r.spool.index.entry[slot].flags |= ENTRY_HOLD_FOR;
	schedule_shift(&r.spool.schedule, -3600000);
	release_clock(&r.spool, -3600000);
	assert_int_equal(point->release, RIG_RELEASE + 3 - 3600000);
	assert_int_equal(r.spool.schedule.job[point->job].due, point->release);
	/* A start with a clock that has been put right: an hour's wait is an hour's. */
	m.arrival = 3600001;
	m.release += 3600000;
	terms_note(&e, &m);
	assert_int_equal(e.release, 7201000);
	assert_int_equal(e.deadline, 9000000 - 3600000);
	assert_int_equal(release_of_record(&e, &m), m.release);
	m.hold = SPAN("until;then");
	e.flags = 0;
	terms_note(&e, &m);
	assert_int_equal(e.release, m.release);
	rig_crash(&r);
	rig_end(&r);
}

/* What is held or let go while the disk is full is so at once, and on the disk as soon as there is room. */
static void
held_on_a_full_disk(void **state)
{
	static struct rig r;

	(void)state;
	rig_begin(&r);
	r.window = 3600000;
	assert_true(rig_open(&r));
	rig_submit(&r, 1, 4000, 1);
	r.hold_next = true;
	rig_submit(&r, 2, 4000, 2);
	rig_sync(&r);
	disk_fault = (struct disk_fault){ .kind = FAULT_ERROR, .only = CALL_PWRITE, .at = 1, .error = ENOSPC };
	rig_withhold(&r, 1);
	rig_release(&r, 2);
	assert_int_equal(rig_batch(&r), FAIL_DISK_FULL);
	assert_true(r.spool.journal.durable < r.message[0].said);
	rig_verify(&r);
	disk_fault = (struct disk_fault){ .kind = FAULT_NONE };
	rig_withhold(&r, 2);
	assert_int_equal(rig_batch(&r), OK);
	rig_sync(&r);
	assert_true(r.spool.journal.durable >= r.message[1].said);
	rig_crash(&r);
	assert_true(rig_open(&r));
	rig_verify(&r);
	assert_true(spool_is_held(&r.spool, index_find(&r.spool.index, 1)));
	assert_true(spool_is_held(&r.spool, index_find(&r.spool.index, 2)));
	rig_crash(&r);
	rig_end(&r);
}

/* Less than spool_free_min: known before anybody sends a message. */
static void
low_disk_is_seen_before(void **state)
{
	static struct rig r;

	(void)state;
	rig_begin(&r);
	r.window = 3600000;
	assert_true(rig_open(&r));
	disk_fault.room = 1000;
	assert_true(spool_look(&r.spool));
	assert_int_equal(spool_state(&r.spool), FAIL_DISK_FULL);
	assert_int_equal(r.spool.room, 0);
	rig_submit(&r, 1, 4000, 1);
	assert_int_equal(r.message[0].answer, FAIL_DISK_FULL);
	disk_fault.room = 100 * 1024 * 1024;
	assert_true(spool_look(&r.spool));
	assert_int_equal(spool_state(&r.spool), OK);
	rig_submit(&r, 2, 4000, 1);
	rig_sync(&r);
	assert_int_equal(r.message[1].answer, OK);
	rig_crash(&r);
	rig_end(&r);
}

/* Every write of a life fails once with ENOSPC: nothing that was acknowledged is lost, nothing refused comes back. */
static void
full_at_every_write(void **state)
{
	static struct rig r;

	(void)state;
	for (unsigned at = 1; at < 25; at++) {
		rig_begin(&r);
	r.window = 3600000;
		assert_true(rig_open(&r));
		disk_fault = (struct disk_fault){ .kind = FAULT_ERROR, .only = CALL_PWRITE, .at = at, .error = ENOSPC, .once = true };
		for (uint32_t id = 1; id < 40; id++) {
			rig_submit(&r, id, id % 7 == 0 ? 100000 : 20000, 1);
			rig_sync(&r);
			if (r.spool.journal.state == FAIL_DISK_FULL)
				(void)rig_batch(&r);
			if (id % 3 == 0 && r.message[id - 1].answer == OK)
				rig_done(&r, id);
		}
		rig_sync(&r);
		rig_crash(&r);
		assert_true(rig_open(&r));
		rig_verify(&r);
		for (uint32_t id = 1; id < 40; id++)
			if (r.message[id - 1].answer != OK || r.message[id - 1].done)
				assert_false(rig_has(&r, id));
		rig_crash(&r);
		rig_end(&r);
	}
}

/*
 * 0132: HELDs of one command lie in two segments, and the disk is full when the second one is begun; then there is room, the
 * command is answered, and the power fails. What was answered is there.
 */
static void
full_between_two_segments(void **state)
{
	static struct rig r;

	(void)state;
	for (unsigned at = 1; at < 4; at++) {
		rig_begin(&r);
	r.window = 3600000;
		assert_true(rig_open(&r));
		for (uint32_t id = 1; id < 60; id++)
			rig_submit(&r, id, 4000, 1);
		while (r.spool.journal.active->size < r.segment_size - 2000)
			rig_release(&r, 1);
		rig_sync(&r);
		disk_fault = (struct disk_fault){ .kind = FAULT_ERROR, .only = CALL_PWRITE, .at = at, .error = ENOSPC, .once = true };
		for (uint32_t id = 1; id < 60; id++)
			rig_withhold(&r, id);
		assert_int_equal(r.spool.journal.segments, 2);
		if (rig_batch(&r) == FAIL_DISK_FULL)
			assert_int_equal(rig_batch(&r), OK);
		assert_int_equal(spool_state(&r.spool), OK);
		assert_true(r.spool.journal.durable >= r.message[58].said);
		rig_crash(&r);
		disk_fault_power_cut(r.directory, 0);
		assert_true(rig_open(&r));
		rig_verify(&r);
		for (uint32_t id = 1; id < 60; id++)
			assert_true(spool_is_held(&r.spool, index_find(&r.spool.index, id)));
		rig_crash(&r);
		rig_end(&r);
	}
}

/* So many messages may wait, and not one more. */
static void
too_many_messages(void **state)
{
	static struct rig r;
	uint32_t count;

	(void)state;
	rig_begin(&r);
	assert_true(rig_open(&r));
	count = r.spool.index.count;
	r.spool.index.count = SPOOL_MESSAGES_MAX;
	rig_submit(&r, 1, 1000, 1);
	assert_true(r.message[0].answered);
	assert_int_equal(r.message[0].answer, FAIL_DISK_FULL);
	r.spool.index.count = count;
	rig_submit(&r, 2, 1000, 1);
	rig_sync(&r);
	assert_int_equal(r.message[1].answer, OK);
	/* Nor so many recipients: each may be a job at a destination of its own. */
	r.spool.index.rcpts = SPOOL_RCPTS_MAX - 1;
	rig_submit(&r, 3, 1000, 2);
	assert_int_equal(r.message[2].answer, FAIL_DISK_FULL);
	rig_submit(&r, 4, 1000, 1);
	rig_sync(&r);
	assert_int_equal(r.message[3].answer, OK);
	rig_verify(&r);
	rig_crash(&r);
	rig_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failed_fdatasync_is_doubt),
		cmocka_unit_test(errors_have_their_meaning),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(full_disk_under_a_draft),
		cmocka_unit_test(full_disk_and_killed),
		cmocka_unit_test(the_clock_is_set), cmocka_unit_test(held_on_a_full_disk),
		cmocka_unit_test(low_disk_is_seen_before),
		cmocka_unit_test(full_at_every_write),
		cmocka_unit_test(full_between_two_segments),
		cmocka_unit_test(too_many_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

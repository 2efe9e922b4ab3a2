/* Somebody follows the log: he reads every record that is synced once, in order, and nothing else; what he cannot read is a gap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "spool/tail.h"

static struct rig r;
static struct tail tail;
static unsigned seen[RIG_MESSAGES], messages, facts, gaps;
static uint64_t last, gap_from, gap_to;

static int
begin(void **state)
{
	(void)state;
	rig_begin(&r);
	r.history = true;
	r.segment_size = 64 * 1024;
	assert_true(rig_open(&r));
	tail_init(&tail, (struct tail_place){ 0 });
	memset(seen, 0, sizeof seen);
	messages = facts = gaps = 0;
	last = 0;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	tail_fini(&tail);
	rig_crash(&r);
	rig_end(&r);
	return 0;
}

/* As 4_spool shows them. */
static void
show(void)
{
	struct journal *j = &r.spool.journal;

	for (size_t i = 0; i < j->segments; i++) {
		struct segment *s = j->segment[i];
		int fd;

		if (s->number < tail.at.segment || (tail.segments > 0 && s->number <= tail.segment[tail.segments - 1].number)
		    || journal_reader(j, s) == -1)
			continue;
		fd = dup(s->reader);
		if (!tail_add(&tail, s->number, s->salt, fd))
			(void)close(fd);
	}
}

static void
look(void)
{
	struct record_header h;
	struct span payload;
	struct tail_gap gap;
	struct message_record m;
	enum tail_step step;

	while ((step = tail_next(&tail, &h, &payload, &gap)) != TAIL_END) {
		if (step == TAIL_GAP) {
			gaps++;
			gap_from = gap.from;
			gap_to = gap.to;
			assert_true(last == 0 || gap.from == last + 1);
			last = gap.to;
			continue;
		}
		assert_true(h.sequence <= r.spool.journal.durable);
		assert_true(last == 0 || h.sequence == last + 1);
		last = h.sequence;
		facts += h.kind == RECORD_FACT;
		if (h.kind != RECORD_MESSAGE)
			continue;
		assert_true(message_parse(payload, &m));
		seen[m.id]++;
		messages++;
	}
}

static void
follow(void)
{
	show();
	tail_durable(&tail, r.spool.journal.durable);
	look();
	/* He had more than he may have at once. */
	for (unsigned i = 0; i < 100 && tail.at.sequence <= tail.durable; i++) {
		show();
		look();
	}
	journal_follow(&r.spool.journal, tail.at.segment, UINT64_MAX);
}

static void
crash(void)
{
	struct tail_place at = tail.at;

	rig_crash(&r);
	tail_fini(&tail);
	tail_init(&tail, at);
	assert_true(rig_open(&r));
}

static void
test_every_record_once_through_crashes(void **state)
{
	uint32_t chance = 12345;

	(void)state;
	for (uint32_t id = 1; id < 400; id++) {
		chance = chance * 1103515245 + 12345;
		rig_submit(&r, id, chance >> 8 & 1 ? 300 : (chance >> 9) % 100000, 1 + (chance >> 20) % 3);
		(void)spool_fact(&r.spool, &(struct fact_record){ .id = id, .kind = FACT_NOTICE });
		if (chance >> 12 & 1)
			(void)rig_batch(&r);
		if (id > 5 && (chance >> 13 & 3) == 0 && r.message[id - 6].answered && r.message[id - 6].answer == OK)
			rig_done(&r, id - 5);
		if ((chance >> 15 & 3) == 0)
			follow();
		spool_tidy(&r.spool);
		if ((chance >> 17 & 31) == 0)
			crash();
	}
	rig_sync(&r);
	follow();
	assert_int_equal(gaps, 0);
	for (uint32_t id = 1; id < 400; id++)
		if (r.message[id - 1].answered && r.message[id - 1].answer == OK)
			assert_true(seen[id] >= 1);
	assert_true(messages > 150 && facts > 150);
	/* What was read went. */
	spool_tidy(&r.spool);
	assert_true(r.spool.journal.segment[0]->number > 5);
}

static void
fill_segments(uint32_t from, uint32_t to)
{
	for (uint32_t id = from; id < to; id++) {
		rig_submit(&r, id, 20000, 1);
		rig_sync(&r);
		rig_done(&r, id);
		rig_sync(&r);
		spool_tidy(&r.spool);
	}
	rig_sync(&r);
	spool_tidy(&r.spool);
}

static void
test_what_is_not_read_is_kept(void **state)
{
	(void)state;
	fill_segments(1, 60);
	assert_int_equal(rig_segment(&r, 1) > 0, 1);
	follow();
	assert_int_equal(gaps, 0);
	assert_int_equal(messages, 59);
	rig_sync(&r);
	spool_tidy(&r.spool);
	rig_sync(&r);
	assert_int_equal(rig_segment(&r, 1), -1);
}

static void
test_beyond_the_backlog_there_is_a_gap(void **state)
{
	uint64_t before;

	(void)state;
	fill_segments(1, 10);
	follow();
	before = last;
	fill_segments(10, 40);
	journal_follow(&r.spool.journal, tail.at.segment, 256 * 1024);
	spool_tidy(&r.spool);
	rig_sync(&r);
	spool_tidy(&r.spool);
	rig_sync(&r);
	/* A descriptor would hold on to what is gone: 4_spool says so. */
	for (uint64_t n = 1; n < r.spool.journal.segment[0]->number; n++)
		tail_gone(&tail, n);
	follow();
	assert_int_equal(gaps, 1);
	assert_true(gap_from == before + 1 && gap_to > gap_from);
	assert_true(seen[39] == 1);
}

static void
test_nothing_is_kept_for_nobody(void **state)
{
	(void)state;
	journal_follow(&r.spool.journal, UINT64_MAX, 0);
	fill_segments(1, 30);
	assert_int_equal(rig_segment(&r, 1), -1);
}

/* One record is no record any more: the rest of the segment is read all the same. */
static void
test_damage_is_a_gap_of_its_own_size(void **state)
{
	uint8_t junk[8] = { 0 };
	FILE *file;
	char path[128];

	(void)state;
	for (uint32_t id = 1; id <= 6; id++)
		rig_submit(&r, id, 500, 1);
	rig_sync(&r);
	rig_newest(&r, path);
	file = fopen(path, "r+");
	assert_non_null(file);
	/* In the content of the third or so. */
	assert_int_equal(fseek(file, 2000, SEEK_SET), 0);
	assert_int_equal(fwrite(junk, sizeof junk, 1, file), 1);
	(void)fclose(file);
	follow();
	assert_int_equal(gaps, 1);
	assert_true(gap_from == gap_to);
	assert_int_equal(messages, 5);
	rig_submit(&r, 7, 500, 1);
	rig_sync(&r);
	follow();
	assert_true(seen[7] == 1 && gaps == 1);
}

static void
test_a_record_bigger_than_the_window(void **state)
{
	(void)state;
	r.segment_size = 1 << 20;
	rig_submit(&r, 1, 500, 8000);
	rig_submit(&r, 2, 3 << 20, 2);
	rig_submit(&r, 3, 10, 1);
	rig_sync(&r);
	follow();
	assert_true(seen[1] == 1 && seen[2] == 1 && seen[3] == 1 && gaps == 0);
}

static void
test_another_log_is_noticed(void **state)
{
	struct segment *s;
	int fd;

	(void)state;
	rig_submit(&r, 1, 500, 1);
	rig_sync(&r);
	follow();
	assert_int_equal(messages, 1);
	s = r.spool.journal.segment[0];
	assert_true(journal_reader(&r.spool.journal, s) != -1);
	fd = dup(s->reader);
	tail_gone(&tail, s->number);
	assert_false(tail_add(&tail, s->number, s->salt + 1, fd));
	assert_false(tail_add(&tail, 0, s->salt, fd));
	assert_true(tail_add(&tail, s->number, s->salt, fd));
}

/* regress 0160: the batch that was written last can still be looked at, and must not lead to what is gone. */
static void
test_a_removed_segment_is_not_looked_at(void **state)
{
	struct journal *j = &r.spool.journal;

	(void)state;
	journal_follow(j, UINT64_MAX, 0);
	for (uint32_t id = 1; id < 200; id++) {
		/* What ends the last message of a segment and what begins the next one go out together. */
		if (id > 1)
			rig_done(&r, id - 1);
		rig_submit(&r, id, 20000, 1);
		assert_int_equal(rig_batch(&r), OK);
		spool_tidy(&r.spool);
		for (size_t i = 0; i < j->write->parts; i++) {
			bool there = j->write->part[i].segment == NULL;

			for (size_t k = 0; k < j->segments; k++)
				there = there || j->segment[k] == j->write->part[i].segment;
			assert_true(there);
		}
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_every_record_once_through_crashes), TEST(test_what_is_not_read_is_kept), TEST(test_beyond_the_backlog_there_is_a_gap),
		TEST(test_nothing_is_kept_for_nobody), TEST(test_damage_is_a_gap_of_its_own_size), TEST(test_a_record_bigger_than_the_window),
		TEST(test_another_log_is_noticed), TEST(test_a_removed_segment_is_not_looked_at),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}

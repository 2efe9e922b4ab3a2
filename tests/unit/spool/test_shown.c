/* proc/4_spool: what it shows 7_history of its log, and what it hears from it. docs/history.md. */
#include "spool_talk.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "queue/record.h"

static void
say_at(struct bed *b, uint64_t segment, uint64_t sequence, uint32_t again)
{
	struct history_at m = { segment, sequence, again };

	bed_send(&b->history, HISTORY_AT, 0, history_at_layout, &m);
}

/* Segments that come before the next DURABLE, their descriptors closed; the DURABLE in d. */
static unsigned
want_durable(struct bed *b, uint32_t epoch, struct history_durable *d, uint64_t *last)
{
	struct history_segment s;
	struct bed_frame f;
	unsigned segments = 0;

	for (;;) {
		assert_true(bed_take(&b->history, &f, 5000));
		assert_int_equal(f.session, epoch);
		if (f.type == HISTORY_DURABLE) {
			assert_true(fields_parse(history_durable_layout, f.body, d));
			return segments;
		}
		assert_int_equal(f.type, HISTORY_SEGMENT);
		assert_true(f.fd != -1 && fields_parse(history_segment_layout, f.body, &s));
		assert_true(*last == 0 || s.number > *last);
		*last = s.number;
		/* To read, and for nothing else. */
		assert_int_equal(write(f.fd, "x", 1), -1);
		(void)close(f.fd);
		segments++;
	}
}

static void
submit(struct bed *b, uint64_t id)
{
	say_message(b, 1, id, "a@example.org", "b@example.net", 0);
	assert_int_equal(answer(b, 1), OK);
}

static void
a_question_is_answered_when_all_is_synced(void **state)
{
	struct history_durable d;
	uint64_t last = 0, before;
	struct try_seen t;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.history = true;
	bed_start(&b);
	bed_new_history(&b);
	submit(&b, 1);
	say_at(&b, 0, 0, 5);
	assert_true(want_durable(&b, 5, &d, &last) <= 1);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	/* SEGMENT, MESSAGE, RESULT and DONE at least; what the relay has said may still be on its way. */
	for (unsigned i = 0; i < 100 && d.sequence < 4; i++) {
		bed_send_octets(&b.history, HISTORY_ASK, 0, (struct span){ NULL, 0 });
		do {
			before = d.sequence;
			(void)want_durable(&b, 5, &d, &last);
			assert_true(d.sequence >= before);
		} while (!d.asked);
	}
	assert_true(d.sequence >= 4 && last == 1);
	/* Anew, under another number. */
	say_at(&b, 0, 0, 6);
	last = 0;
	assert_int_equal(want_durable(&b, 6, &d, &last), 1);
	bed_fini(&b);
}

static void
no_more_than_it_can_read(void **state)
{
	struct history_durable d = { 0 };
	uint64_t last = 0;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.history = true;
	b.conf.segment_size = 64 * 1024;
	bed_start(&b);
	for (uint64_t id = 1; id < 300; id++) {
		char path[128];

		submit(&b, id);
		(void)snprintf(path, sizeof path, "%s/spool/%016x.log", b.directory, 12);
		if (access(path, F_OK) == 0)
			break;
		/* As much as makes a segment in few messages. */
		for (unsigned i = 0; i < 40; i++)
			submit(&b, 1000 * id + i);
	}
	bed_new_history(&b);
	say_at(&b, 0, 0, 1);
	assert_int_equal(want_durable(&b, 1, &d, &last), 8);
	assert_int_equal(last, 8);
	say_at(&b, 4, 100, 0);
	assert_int_equal(want_durable(&b, 1, &d, &last), 3);
	bed_fini(&b);
}

/* Whoever has taken it over gets nothing by saying more than it may, and mail goes on. */
static void
what_breaks_the_order_ends_it(void **state)
{
	static const uint16_t types[] = { HISTORY_ASK, HISTORY_DURABLE, SPOOL_MAIL, HISTORY_AT };
	struct bed_frame f;
	struct master_peer accused;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.history = true;
	bed_start(&b);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct history_at first = { 0, 0, 0 };

		bed_new_history(&b);
		/* ASK before AT; a place without a number first. */
		if (types[i] == HISTORY_AT)
			bed_send(&b.history, HISTORY_AT, 0, history_at_layout, &first);
		else
			bed_send_octets(&b.history, types[i], 0, (struct span){ NULL, 0 });
		assert_true(bed_is_closed(&b.history, 5000));
		bed_want(&b.master, CHILD_PEER_BROKEN, &f);
		assert_true(fields_parse(master_peer_layout, f.body, &accused));
		assert_int_equal(accused.role, ROLE_HISTORY);
	}
	submit(&b, 77);
	bed_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_answered_when_all_is_synced),
		cmocka_unit_test(no_more_than_it_can_read),
		cmocka_unit_test(what_breaks_the_order_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

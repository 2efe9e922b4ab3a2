/* proc/4_spool: what a client submits again because it did not hear the 250. RFC 5321 4.5.3.2.6, docs/spool.md. */
#include "spool_talk.h"
#include "os/clock.h"
#include "spool/spool.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const uint8_t digests[256][SIPHASH_WIDE] = { [1] = { 1 }, [2] = { 2 } };

/* A message of alice's with this digest of its content. */
static void
say(struct bed *b, uint32_t session, uint64_t id, const uint8_t digest[SIPHASH_WIDE], size_t octets)
{
	static uint8_t content[8192];
	struct spool_mail m = mail(id, "a@example.org");
	struct spool_commit c = { .size = octets, .rcpts = 1, .digest = { digest, SIPHASH_WIDE } };

	bed_send(&b->front, SPOOL_MAIL, session, spool_mail_layout, &m);
	say_rcpt(b, session, "x@example.net", SMTP_NOTIFY_NEVER);
	bed_send_octets(&b->front, SPOOL_BODY, session, (struct span){ content, octets });
	bed_send(&b->front, SPOOL_COMMIT, session, spool_commit_layout, &c);
}

/* The answer to a session; the id of what it repeats, or 0. */
static uint64_t
first_of(struct bed *b, uint32_t session)
{
	struct spool_committed c;
	struct bed_frame f;

	bed_want(&b->front, SPOOL_COMMITTED, &f);
	assert_int_equal(f.session, session);
	assert_true(fields_parse(spool_committed_layout, f.body, &c));
	assert_int_equal(c.fail, OK);
	return c.first;
}

static void
open_bed(struct bed *b, uint32_t window)
{
	bed_init(b);
	b->conf.duplicate_window = window;
	bed_start(b);
}

/* Both COMMITs wait in the socket: the second comes while the first is not durable, and hears of it when it is. */
static void
while_the_first_is_written(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	open_bed(&b, 600);
	assert_int_equal(kill(b.pid, SIGSTOP), 0);
	say(&b, 1, 100, digests[1], 5);
	say(&b, 2, 101, digests[1], 5);
	say(&b, 3, 102, digests[2], 5);
	assert_int_equal(kill(b.pid, SIGCONT), 0);
	assert_int_equal(first_of(&b, 1), 0);
	assert_int_equal(first_of(&b, 2), 100);
	assert_int_equal(first_of(&b, 3), 0);
	want_try(&b, &t);
	assert_int_equal(t.id, 100);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	want_try(&b, &t);
	assert_int_equal(t.id, 102);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	nothing_comes(&b, 200);
	/* Delivered and done with, it is known all the same. */
	say(&b, 4, 103, digests[1], 5);
	assert_int_equal(first_of(&b, 4), 100);
	bed_close(&b);
}

/* Who gave up before the answer does not keep the others from it, and takes nothing with him. */
static void
who_waits_may_leave(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	open_bed(&b, 600);
	assert_int_equal(kill(b.pid, SIGSTOP), 0);
	say(&b, 1, 100, digests[1], 5);
	say(&b, 2, 101, digests[1], 5);
	bed_send_octets(&b.front, SPOOL_ABORT, 2, (struct span){ NULL, 0 });
	say(&b, 2, 102, digests[1], 5);
	assert_int_equal(kill(b.pid, SIGCONT), 0);
	assert_int_equal(first_of(&b, 1), 0);
	assert_int_equal(first_of(&b, 2), 100);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	nothing_comes(&b, 200);
	bed_close(&b);
}

/* A draft that was given up leaves nothing behind: the next one is the first. */
static void
after_an_abort(void **state)
{
	struct bed b;
	struct try_seen t;
	struct spool_mail m = mail(100, "a@example.org");

	(void)state;
	open_bed(&b, 600);
	bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
	say_rcpt(&b, 1, "x@example.net", 0);
	bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hello"));
	bed_send_octets(&b.front, SPOOL_ABORT, 1, (struct span){ NULL, 0 });
	say(&b, 1, 101, digests[1], 5);
	assert_int_equal(first_of(&b, 1), 0);
	want_try(&b, &t);
	assert_int_equal(t.id, 101);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* The sender was told that it failed: when he sends it again he means it. After a restart too. */
static void
what_failed_may_come_again(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	open_bed(&b, 600);
	say(&b, 1, 100, digests[1], 5);
	say(&b, 2, 101, digests[2], 5);
	assert_int_equal(first_of(&b, 1), 0);
	assert_int_equal(first_of(&b, 2), 0);
	for (unsigned i = 0; i < 2; i++) {
		want_try(&b, &t);
		finish(&b, &t, SMTP_CLASS_NEVER, 550);
	}
	nothing_comes(&b, 200);
	say(&b, 1, 102, digests[1], 5);
	assert_int_equal(first_of(&b, 1), 0);
	want_try(&b, &t);
	assert_int_equal(t.id, 102);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	nothing_comes(&b, 200);
	bed_kill(&b);
	bed_start(&b);
	say(&b, 1, 103, digests[1], 5);
	assert_int_equal(first_of(&b, 1), 102);
	say(&b, 1, 104, digests[2], 5);
	assert_int_equal(first_of(&b, 1), 0);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* The same of a message that waited for an interval (RFC 4865) before it failed. */
static void
what_failed_after_its_release(void **state)
{
	struct spool_commit c = { .size = 5, .rcpts = 1, .digest = { digests[1], SIPHASH_WIDE } };
	struct bed_frame f;
	struct try_seen t;
	struct bed b;

	(void)state;
	open_bed(&b, 600);
	for (uint64_t id = 100; id < 102; id++) {
		struct spool_mail m = mail(id, "a@example.org");

		m.release = clock_wall() + 300;
		m.hold = SPAN("for;1");
		bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
		bed_want(&b.front, SPOOL_ADMITTED, &f);
		say_rcpt(&b, 1, "x@example.net", SMTP_NOTIFY_NEVER);
		bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hello"));
		bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
		assert_int_equal(first_of(&b, 1), 0);
		want_try(&b, &t);
		assert_int_equal(t.id, id);
		finish(&b, &t, SMTP_CLASS_NEVER, 550);
		nothing_comes(&b, 200);
	}
	bed_close(&b);
}

/* One recipient has it, one never will: the same envelope again would be a second copy for the one. After a kill between them too. */
static void
what_reached_somebody(void **state)
{
	struct bed b;
	struct try_seen t;
	struct spool_mail m = mail(100, "a@example.org");
	struct spool_commit c = { .size = 5, .rcpts = 2, .digest = { digests[1], SIPHASH_WIDE } };

	(void)state;
	open_bed(&b, 600);
	for (unsigned again = 0; again < 3; again++) {
		m.queue_id = 100 + again;
		bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
		for (uint32_t i = 0; i < 2; i++) {
			struct spool_rcpt r = { i, i == 0 ? SPAN("x@example.net") : SPAN("y@example.com"), SMTP_NOTIFY_NEVER, { NULL, 0 } };

			bed_send(&b.front, SPOOL_RCPT, 1, spool_rcpt_layout, &r);
		}
		bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hello"));
		bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
		assert_int_equal(first_of(&b, 1), again == 0 ? 0 : 100);
		if (again == 0) {
			want_try(&b, &t);
			finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
			want_try(&b, &t);
			(void)usleep(200000);
			bed_kill(&b);
			bed_start(&b);
			want_try(&b, &t);
			finish(&b, &t, SMTP_CLASS_NEVER, 550);
			nothing_comes(&b, 200);
		}
	}
	bed_close(&b);
}

static unsigned
segments(const struct bed *b)
{
	unsigned count = 0;
	struct dirent *e;
	DIR *d = opendir(b->conf.spool_dir.p);

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		count += strstr(e->d_name, ".log") != NULL;
	(void)closedir(d);
	return count;
}

/* The segments in which messages lay are gone, what is known of them is not: it was copied forward, and outlives a kill. */
static void
longer_than_its_segment(void **state)
{
	struct bed b;
	struct try_seen t;
	uint8_t digest[SIPHASH_WIDE] = { 9 };

	(void)state;
	bed_init(&b);
	b.conf.duplicate_window = 600;
	b.conf.segment_size = 64 * 1024;
	/* No segment waits for a reader. */
	b.conf.history = false;
	bed_start(&b);
	for (uint8_t i = 0; i < 100; i++) {
		digest[1] = i;
		say(&b, 1, 100 + i, digest, 8000);
		assert_int_equal(first_of(&b, 1), 0);
		want_try(&b, &t);
		finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	}
	for (unsigned again = 0; again < 2; again++) {
		for (unsigned i = 0; i < 100 && segments(&b) > 2; i++)
			(void)usleep(100000);
		assert_in_range(segments(&b), 1, 2);
		for (uint8_t i = 0; i < 100; i++) {
			digest[1] = i;
			say(&b, 1, 500 + i, digest, 8000);
			assert_int_equal(first_of(&b, 1), 100 + i);
		}
		bed_kill(&b);
		bed_start(&b);
	}
	bed_close(&b);
}

/* What is older than the window is new; nothing of it keeps a segment. Without a window nothing is compared. */
static void
after_the_window(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	open_bed(&b, 1);
	say(&b, 1, 100, digests[1], 5);
	assert_int_equal(first_of(&b, 1), 0);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	(void)usleep(1100000);
	say(&b, 1, 101, digests[1], 5);
	assert_int_equal(first_of(&b, 1), 0);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	assert_int_equal(bed_drain(&b), 0);
	b.conf.duplicate_window = 0;
	bed_start(&b);
	say(&b, 1, 102, digests[1], 5);
	assert_int_equal(first_of(&b, 1), 0);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_the_first_is_written),
		cmocka_unit_test(who_waits_may_leave),
		cmocka_unit_test(after_an_abort),
		cmocka_unit_test(what_failed_may_come_again), cmocka_unit_test(what_failed_after_its_release),
		cmocka_unit_test(what_reached_somebody),
		cmocka_unit_test(longer_than_its_segment),
		cmocka_unit_test(after_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

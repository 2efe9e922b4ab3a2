/* proc/4_spool: later releases, urgencies, deadlines. ids: 4865-4 4865-5 6710-4 2852-2 2852-3 */
#include "spool_talk.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "queue/record.h"

static struct spool_mail
held_mail(uint64_t id, const char *login, uint64_t release)
{
	struct spool_mail m = mail(id, "a@example.org");

	m.login = span_of(login);
	m.release = release;
	m.hold = release > 0 ? SPAN("for;3600") : (struct span){ NULL, 0 };
	return m;
}

static enum fail
admitted(struct bed *b, uint32_t session)
{
	struct spool_admitted m;
	struct bed_frame f;

	bed_want(&b->front, SPOOL_ADMITTED, &f);
	assert_int_equal(f.session, session);
	assert_true(fields_parse(spool_admitted_layout, f.body, &m));
	return (enum fail)m.fail;
}

/* Everything behind MAIL. */
static enum fail
commit(struct bed *b, uint32_t session)
{
	struct spool_commit c = { .size = sizeof CONTENT - 1, .rcpts = 1 };

	say_rcpt(b, session, "x@example.net", 0);
	bed_send_octets(&b->front, SPOOL_BODY, session, SPAN(CONTENT));
	bed_send(&b->front, SPOOL_COMMIT, session, spool_commit_layout, &c);
	return answer(b, session);
}

static void
submit(struct bed *b, const struct spool_mail *m)
{
	bed_send(&b->front, SPOOL_MAIL, 1, spool_mail_layout, m);
	if (m->release > 0)
		assert_int_equal(admitted(b, 1), OK);
	assert_int_equal(commit(b, 1), OK);
}

static struct queue_end
reschedule(struct bed_end *c, uint64_t id, uint64_t release)
{
	struct queue_reschedule q = { id, release };

	bed_send(c, QUEUE_RESCHEDULE, 1, queue_reschedule_layout, &q);
	return want_end(c);
}

static struct queue_entry
shown(struct bed_end *c, uint64_t id)
{
	struct queue_which q = { id };
	struct queue_entry e = { .id = 0 };
	struct bed_frame f;

	bed_send(c, QUEUE_SHOW, 1, queue_which_layout, &q);
	do {
		assert_true(bed_take(c, &f, 5000));
		if (f.type == QUEUE_ENTRY)
			assert_true(fields_parse(queue_entry_layout, f.body, &e));
	} while (f.type != QUEUE_END);
	return e;
}

/* Killed and drained, hurried and released by an operator: it is not tried before its time, and then it is. */
static void
not_before_its_time(void **state)
{
	struct queue_held all = { .login = SPAN_INIT("alice") };
	struct queue_which every = { 0 };
	uint64_t release = clock_wall() + 2500;
	struct spool_mail m = held_mail(100, "alice", release);
	struct try_seen t;
	struct bed_end c;
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	bed_control(&b, &c);
	submit(&b, &m);
	for (unsigned start = 0; start < 2; start++) {
		assert_int_equal(shown(&c, 100).release, release);
		bed_send(&c, QUEUE_RETRY, 1, queue_which_layout, &every);
		assert_int_equal(want_end(&c).count, 0);
		bed_send(&c, QUEUE_HOLD, 1, queue_held_layout, &all);
		assert_int_equal(want_end(&c).count, 1);
		bed_send(&c, QUEUE_RELEASE, 1, queue_held_layout, &all);
		assert_int_equal(want_end(&c).count, 1);
		nothing_comes(&b, 200);
		if (start == 0)
			bed_kill(&b);
		else
			assert_int_equal(bed_drain(&b), 0);
		bed_start_again(&b, &c);
	}
	want_try(&b, &t);
	assert_true(clock_wall() >= release && t.id == 100);
	assert_int_equal(shown(&c, 100).release, 0);
	/* Its try is an end to moving it. */
	assert_int_equal(reschedule(&c, 100, clock_wall() + 60000).fail, FAIL_ARGUMENT);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_end_close(&c);
	bed_fini(&b);
}

/* The newest order counts, through a kill and through a copy forward. */
static void
moved_and_copied(void **state)
{
	struct spool_mail m = held_mail(100, "alice", clock_wall() + 3600000);
	uint64_t later = clock_wall() + 7200000;
	struct try_seen t;
	struct bed_end c;
	struct bed b;
	char first[128];

	(void)state;
	bed_init(&b);
	b.conf.segment_size = 64 * 1024;
	/* No segment waits for a reader. */
	b.conf.history = false;
	bed_start(&b);
	bed_control(&b, &c);
	submit(&b, &m);
	assert_int_equal(reschedule(&c, 100, clock_wall() + 1800000).fail, OK);
	assert_int_equal(reschedule(&c, 100, later).fail, OK);
	bed_kill(&b);
	bed_start_again(&b, &c);
	assert_int_equal(shown(&c, 100).release, later);
	/* Enough that comes and goes for the first segment to be emptied. */
	for (uint64_t i = 1; i <= 1200; i++) {
		say_message(&b, 2, 1000 + i, "a@example.org", "x@example.net", 0);
		assert_int_equal(answer(&b, 2), OK);
		want_try(&b, &t);
		finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	}
	(void)snprintf(first, sizeof first, "%s/spool/0000000000000001.log", b.directory);
	for (unsigned i = 0; i < 100 && access(first, F_OK) == 0; i++)
		(void)usleep(50000);
	assert_int_equal(access(first, F_OK), -1);
	(void)usleep(100000);
	assert_int_equal(shown(&c, 100).release, later);
	bed_kill(&b);
	bed_start_again(&b, &c);
	assert_int_equal(shown(&c, 100).release, later);
	assert_int_equal(reschedule(&c, 100, clock_wall()).fail, OK);
	want_try(&b, &t);
	assert_int_equal(t.id, 100);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_end_close(&c);
	bed_fini(&b);
}

static void
cancelled(void **state)
{
	struct spool_mail m = held_mail(100, "alice", clock_wall() + 3600000), usual = held_mail(101, "alice", 0);
	struct try_seen t;
	struct bed_end c;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.hold_max = 7200;
	bed_start(&b);
	bed_control(&b, &c);
	submit(&b, &m);
	submit(&b, &usual);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	assert_int_equal(reschedule(&c, 101, 0).fail, FAIL_ARGUMENT);
	assert_int_equal(reschedule(&c, 102, 0).fail, FAIL_ARGUMENT);
	assert_int_equal(reschedule(&c, 100, clock_wall() + 7300000).fail, FAIL_SYNTAX);
	assert_int_equal(reschedule(&c, 100, 0).fail, OK);
	bed_kill(&b);
	bed_start_again(&b, &c);
	assert_int_equal(shown(&c, 100).id, 0);
	assert_int_equal(shown(&c, 101).id, 101);
	bed_end_close(&c);
	bed_fini(&b);
}

/* At MAIL, at COMMIT when others were quicker, and counted anew by a start. A sender key counts with its principal. */
static void
only_so_many(void **state)
{
	struct spool_mail m = held_mail(100, "alice", clock_wall() + 3600000);
	struct bed_end c;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.hold_messages = 2;
	bed_start(&b);
	bed_control(&b, &c);
	for (uint32_t session = 1; session <= 3; session++) {
		m.queue_id = 100 + session;
		bed_send(&b.front, SPOOL_MAIL, session, spool_mail_layout, &m);
		assert_int_equal(admitted(&b, session), OK);
	}
	assert_int_equal(commit(&b, 1), OK);
	assert_int_equal(commit(&b, 2), OK);
	assert_int_equal(commit(&b, 3), FAIL_HELD_MANY);
	for (unsigned start = 0; start < 2; start++) {
		m = held_mail(110, "alice/laptop", m.release);
		bed_send(&b.front, SPOOL_MAIL, 4, spool_mail_layout, &m);
		assert_int_equal(admitted(&b, 4), FAIL_HELD_MANY);
		bed_send_octets(&b.front, SPOOL_ABORT, 4, (struct span){ NULL, 0 });
		m = held_mail(111, "bob", m.release);
		bed_send(&b.front, SPOOL_MAIL, 5, spool_mail_layout, &m);
		assert_int_equal(admitted(&b, 5), OK);
		bed_send_octets(&b.front, SPOOL_ABORT, 5, (struct span){ NULL, 0 });
		assert_int_equal(bed_drain(&b), 0);
		bed_start_again(&b, &c);
	}
	assert_int_equal(reschedule(&c, 101, 0).fail, OK);
	m = held_mail(112, "alice", m.release);
	submit(&b, &m);
	bed_end_close(&c);
	bed_fini(&b);
}

static void
bad_terms_end_the_front(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct spool_mail m = held_mail(100, "alice", i == 0 ? clock_wall() : 0);

		m.hold = i == 0 ? (struct span){ NULL, 0 } : i == 1 ? SPAN("for;60") : m.hold;
		m.priority = i == 2 ? 10 : 0;
		m.by = i == 3 ? RECORD_BY_RETURN : i == 4 ? 4 : 0;
		m.deadline = i == 4 ? clock_wall() : 0;
		bed_init(&b);
		bed_start(&b);
		bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
		assert_true(bed_is_closed(&b.front, 2000));
		bed_fini(&b);
	}
}

/* R: nothing is tried after the deadline, though it waits for the operator or for its next hop until then. */
static void
returned_untried(void **state)
{
	struct queue_held all = { .login = SPAN_INIT("alice") };
	struct spool_mail m = held_mail(100, "alice", 0);
	struct try_seen t;
	struct bed_end c;
	struct bed b;
	char content[4096];
	size_t n;

	(void)state;
	bed_init(&b);
	b.conf.retry_first = 600;
	bed_start(&b);
	bed_control(&b, &c);
	m.deadline = clock_wall() + 1200;
	m.by = RECORD_BY_RETURN;
	submit(&b, &m);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	m.queue_id = 101;
	submit(&b, &m);
	bed_send(&c, QUEUE_HOLD, 1, queue_held_layout, &all);
	(void)want_end(&c);
	/* 101 may have been handed out before the order came. */
	(void)usleep(1300000);
	bed_send(&c, QUEUE_RELEASE, 1, queue_held_layout, &all);
	(void)want_end(&c);
	for (unsigned notices = 0; notices < 1;) {
		want_try(&b, &t);
		if (t.from[0] != '\0') {
			assert_int_equal(t.id, 101);
			finish(&b, &t, SMTP_CLASS_LATER, 451);
			continue;
		}
		n = read_content(&t, content, sizeof content - 1);
		content[n] = '\0';
		assert_non_null(strstr(content, "Status: 5.4.7"));
		assert_non_null(strstr(content, "Deliver-By-Date: "));
		finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
		notices++;
	}
	bed_end_close(&c);
	bed_fini(&b);
}

/* N: told once, after a restart too, and tried as before. */
static void
told_once(void **state)
{
	struct spool_mail m = held_mail(100, "alice", 0);
	struct try_seen t;
	struct bed_end c;
	struct bed b;
	char content[4096];
	size_t n;

	(void)state;
	bed_init(&b);
	b.conf.retry_first = 600;
	b.conf.retry_max = 600;
	bed_start(&b);
	bed_control(&b, &c);
	m.deadline = clock_wall() + 300;
	submit(&b, &m);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	want_try(&b, &t);
	assert_string_equal(t.from, "");
	n = read_content(&t, content, sizeof content - 1);
	content[n] = '\0';
	assert_non_null(strstr(content, "Action: delayed"));
	assert_non_null(strstr(content, "Status: 4.4.7"));
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	(void)usleep(100000);
	assert_int_equal(shown(&c, 100).attempts, 1);
	nothing_comes(&b, 1200);
	bed_kill(&b);
	bed_start_again(&b, &c);
	nothing_comes(&b, 1200);
	assert_int_equal(shown(&c, 100).id, 100);
	bed_end_close(&c);
	bed_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_before_its_time),
		cmocka_unit_test(moved_and_copied),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(only_so_many),
		cmocka_unit_test(bad_terms_end_the_front),
		cmocka_unit_test(returned_untried),
		cmocka_unit_test(told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

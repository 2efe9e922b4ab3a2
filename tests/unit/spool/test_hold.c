/* proc/4_spool: mail that waits for the operator, and the channel to 3_auth. docs/guard.md, docs/spool.md (Held mail). */
#include "spool_talk.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "queue/record.h"

static struct queue_end
order(struct bed_end *c, uint16_t verb, uint64_t id, const char *login)
{
	struct queue_held q = { id, span_of(login) };

	bed_send(c, verb, 1, queue_held_layout, &q);
	return want_end(c);
}

static uint32_t
count_of(struct bed_end *c, uint16_t verb, const char *login)
{
	struct queue_end e = order(c, verb, 0, login);

	assert_int_equal(e.fail, OK);
	return e.count;
}

/* How many the list has; the last one in entry, its spans copied to words (why). */
static unsigned
listed(struct bed_end *c, uint32_t held, struct queue_entry *entry, char words[512])
{
	struct queue_list list = { .held = held };
	struct bed_frame f;
	unsigned n = 0;

	bed_send(c, QUEUE_LIST, 1, queue_list_layout, &list);
	for (;; n++) {
		assert_true(bed_take(c, &f, 5000));
		if (f.type == QUEUE_END)
			return n;
		assert_true(fields_parse(queue_entry_layout, f.body, entry));
		(void)snprintf(words, 512, "%.*s", (int)entry->why.len, (const char *)entry->why.p);
	}
}

/* Accepted with MAIL_HOLD: durable and listed, tried only after its release, through restarts. */
static void
held_from_the_beginning(void **state)
{
	struct queue_entry e;
	struct try_seen t;
	struct bed_end c;
	struct bed b;
	char words[512];

	(void)state;
	bed_init(&b);
	bed_start(&b);
	bed_control(&b, &c);
	say_message_of(&b, 1, 100, "alice", "x@example.net", MAIL_HOLD);
	assert_int_equal(answer(&b, 1), OK);
	nothing_comes(&b, 200);
	for (unsigned start = 0; start < 3; start++) {
		assert_int_equal(listed(&c, start % 2, &e, words), 1);
		assert_true(e.held > 0 && e.held <= clock_wall() && e.next_try == 0 && e.waiting == 1);
		assert_string_equal(words, "its principal was under suspicion when it was accepted");
		if (start == 0)
			assert_int_equal(bed_drain(&b), 0);
		else
			bed_kill(&b);
		bed_start_again(&b, &c);
		nothing_comes(&b, 200);
	}
	assert_int_equal(count_of(&c, QUEUE_RELEASE, "alice"), 1);
	want_try(&b, &t);
	assert_int_equal(t.id, 100);
	assert_int_equal(t.flags & MAIL_HOLD, 0);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_end_close(&c);
	bed_fini(&b);
}

/* By principal and by id: "alice" has what "alice/laptop" sent, and not what "alicia" did. */
static void
hold_release_purge(void **state)
{
	struct queue_which which = { 100 };
	struct queue_entry e;
	struct try_seen t;
	struct bed_end c;
	struct bed b;
	char words[512];

	(void)state;
	bed_init(&b);
	b.conf.retry_first = 600;
	bed_start(&b);
	bed_control(&b, &c);
	say_message_of(&b, 1, 100, "alice", "x@example.net,y@example.com", 0);
	say_message_of(&b, 2, 101, "alice/laptop", "x@example.net", 0);
	say_message_of(&b, 3, 102, "alicia", "x@example.net", 0);
	say_message_of(&b, 4, 103, "", "x@example.net", 0);
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(answer(&b, i), OK);
	for (unsigned i = 0; i < 5; i++) {
		want_try(&b, &t);
		finish(&b, &t, SMTP_CLASS_LATER, 451);
	}
	(void)usleep(100000);
	assert_int_equal(count_of(&c, QUEUE_HOLD, "alice/laptop"), 1);
	assert_int_equal(count_of(&c, QUEUE_HOLD, "alice"), 1);
	assert_int_equal(count_of(&c, QUEUE_HOLD, "alice"), 0);
	assert_int_equal(order(&c, QUEUE_HOLD, 0, "bob").fail, FAIL_ARGUMENT);
	assert_int_equal(listed(&c, 1, &e, words), 2);
	assert_string_equal(words, "an operator wants it held");
	assert_int_equal(listed(&c, 0, &e, words), 4);
	/* It is not hurried. */
	bed_send(&c, QUEUE_RETRY, 1, queue_which_layout, &which);
	assert_int_equal(want_end(&c).fail, FAIL_ARGUMENT);
	which.id = 0;
	bed_send(&c, QUEUE_RETRY, 1, queue_which_layout, &which);
	assert_int_equal(want_end(&c).count, 2);
	for (unsigned i = 0; i < 2; i++) {
		want_try(&b, &t);
		assert_in_range(t.id, 102, 103);
		finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	}
	nothing_comes(&b, 200);
	/* Ids. */
	assert_int_equal(order(&c, QUEUE_RELEASE, 4711, "").fail, FAIL_ARGUMENT);
	assert_int_equal(order(&c, QUEUE_RELEASE, 100, "").count, 1);
	for (unsigned i = 0; i < 2; i++) {
		want_try(&b, &t);
		assert_int_equal(t.id, 100);
		assert_int_equal(t.attempt, 2);
		finish(&b, &t, SMTP_CLASS_LATER, 451);
	}
	(void)usleep(100000);
	/* Only what is held is purged. */
	assert_int_equal(order(&c, QUEUE_PURGE, 100, "").fail, FAIL_ARGUMENT);
	assert_int_equal(count_of(&c, QUEUE_PURGE, "alice"), 1);
	assert_int_equal(listed(&c, 0, &e, words), 1);
	assert_int_equal(e.id, 100);
	assert_int_equal(order(&c, QUEUE_HOLD, 100, "").count, 1);
	assert_int_equal(order(&c, QUEUE_PURGE, 100, "").count, 1);
	assert_int_equal(listed(&c, 0, &e, words), 0);
	nothing_comes(&b, 200);
	bed_end_close(&c);
	bed_kill(&b);
	bed_start(&b);
	nothing_comes(&b, 200);
	bed_fini(&b);
}

/* What is asked with neither id nor login, or with both, no honest program asks. */
static void
orders_that_are_none(void **state)
{
	struct bed_end c;
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	for (unsigned i = 0; i < 4; i++) {
		struct queue_held q = { i % 2, i % 2 ? (struct span)SPAN_INIT("alice") : (struct span){ NULL, 0 } };

		bed_control(&b, &c);
		if (i < 2)
			bed_send(&c, i == 0 ? QUEUE_HOLD : QUEUE_PURGE, 1, queue_held_layout, &q);
		else
			bed_send_octets(&c, QUEUE_RELEASE, 1, SPAN("hello"));
		assert_true(bed_is_closed(&c, 2000));
		bed_end_close(&c);
	}
	bed_fini(&b);
}

/* A try runs when its message is held: its results count, and nobody begins it again until the release; then only what is left. */
static void
held_while_it_is_tried(void **state)
{
	struct try_seen t;
	struct bed_end c;
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	bed_control(&b, &c);
	say_message_of(&b, 1, 100, "alice", "x@example.net,y@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	assert_int_equal(count_of(&c, QUEUE_HOLD, "alice"), 1);
	say_result(&b, &t, 0, SMTP_CLASS_DELIVERED, 250);
	say_result(&b, &t, 1, SMTP_CLASS_LATER, 451);
	say_done(&b, &t);
	nothing_comes(&b, 2500);
	/* The relay dies under one that is held. */
	bed_new_relay(&b);
	nothing_comes(&b, 200);
	assert_int_equal(count_of(&c, QUEUE_RELEASE, "alice"), 1);
	want_try(&b, &t);
	assert_int_equal(t.rcpts, 1);
	assert_string_equal(t.to[0], "y@example.net");
	assert_int_equal(count_of(&c, QUEUE_HOLD, "alice"), 1);
	bed_new_relay(&b);
	nothing_comes(&b, 1500);
	/* Held and let go while the same try runs: it is not begun twice. */
	assert_int_equal(count_of(&c, QUEUE_RELEASE, "alice"), 1);
	want_try(&b, &t);
	assert_int_equal(count_of(&c, QUEUE_HOLD, "alice"), 1);
	assert_int_equal(count_of(&c, QUEUE_RELEASE, "alice"), 1);
	nothing_comes(&b, 200);
	/* And purged while it runs: its end is nobody's any more. */
	assert_int_equal(count_of(&c, QUEUE_HOLD, "alice"), 1);
	assert_int_equal(count_of(&c, QUEUE_PURGE, "alice"), 1);
	finish(&b, &t, SMTP_CLASS_NEVER, 550);
	nothing_comes(&b, 200);
	bed_end_close(&c);
	bed_close(&b);
}

/* Neither notice of delay nor expiry while it is held; its time begins anew with the release, after a restart too. */
static void
time_stands_still(void **state)
{
	struct try_seen t;
	struct bed_end c;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.expire = 3;
	b.conf.delay_notice = 1;
	b.conf.retry_max = 1;
	bed_start(&b);
	bed_control(&b, &c);
	say_message_of(&b, 1, 100, "alice", "x@example.net", MAIL_HOLD);
	assert_int_equal(answer(&b, 1), OK);
	nothing_comes(&b, 3500);
	assert_int_equal(count_of(&c, QUEUE_RELEASE, "alice"), 1);
	want_try(&b, &t);
	assert_int_equal(t.flags & MAIL_DSN, 0);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	bed_end_close(&c);
	(void)usleep(100000);
	bed_kill(&b);
	bed_start(&b);
	/* Released within its time again: tried, not returned. */
	want_try(&b, &t);
	assert_int_equal(t.flags & MAIL_DSN, 0);
	assert_string_equal(t.to[0], "x@example.net");
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	nothing_comes(&b, 200);
	bed_fini(&b);
}

static void
say_hold(struct bed *b, const char *login, const char *words)
{
	struct guard_hold m = { span_of(login), span_of(words) };

	bed_send(&b->auth, GUARD_HOLD, 0, guard_hold_layout, &m);
}

/* 3_auth has a principal held: what waits, what is being brought at that moment (others' is not), and it lasts. What comes later is
 * not its order. */
static void
the_guard_holds(void **state)
{
	struct spool_mail m = mail(101, "a@example.org"), other = mail(103, "a@example.org");
	struct spool_commit commit = { .size = 5, .rcpts = 1 };
	struct queue_entry e;
	struct try_seen t;
	struct bed_end c;
	struct bed b;
	char words[512];

	(void)state;
	bed_init(&b);
	b.conf.retry_first = 600;
	bed_start(&b);
	say_message_of(&b, 1, 100, "alice/laptop", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	bed_send(&b.front, SPOOL_MAIL, 2, spool_mail_layout, &m);
	say_rcpt(&b, 2, "x@example.net", 0);
	other.login = SPAN("alicia");
	bed_send(&b.front, SPOOL_MAIL, 3, spool_mail_layout, &other);
	say_rcpt(&b, 3, "x@example.com", 0);
	(void)usleep(100000);
	say_hold(&b, "alice", "57 recipients in 4 minutes, from a network never seen");
	(void)usleep(100000);
	bed_send_octets(&b.front, SPOOL_BODY, 2, SPAN("hello"));
	bed_send(&b.front, SPOOL_COMMIT, 2, spool_commit_layout, &commit);
	assert_int_equal(answer(&b, 2), OK);
	nothing_comes(&b, 200);
	bed_send_octets(&b.front, SPOOL_BODY, 3, SPAN("hello"));
	bed_send(&b.front, SPOOL_COMMIT, 3, spool_commit_layout, &commit);
	assert_int_equal(answer(&b, 3), OK);
	want_try(&b, &t);
	assert_int_equal(t.id, 103);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	(void)usleep(100000);
	bed_kill(&b);
	bed_start(&b);
	nothing_comes(&b, 200);
	bed_control(&b, &c);
	assert_int_equal(listed(&c, 1, &e, words), 2);
	assert_int_equal(count_of(&c, QUEUE_RELEASE, "alice"), 2);
	want_try(&b, &t);
	want_try(&b, &t);
	say_message_of(&b, 3, 102, "alice", "x@example.com", 0);
	assert_int_equal(answer(&b, 3), OK);
	want_try(&b, &t);
	assert_int_equal(t.id, 102);
	bed_end_close(&c);
	bed_fini(&b);
}

static void
words_are_kept(void **state)
{
	struct queue_entry e;
	struct bed_end c;
	struct bed b;
	char words[512];

	(void)state;
	bed_init(&b);
	bed_start(&b);
	bed_control(&b, &c);
	say_message_of(&b, 1, 100, "alice", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	say_hold(&b, "alice", "too many, too fast");
	for (unsigned i = 0; i < 50 && listed(&c, 1, &e, words) == 0; i++)
		(void)usleep(20000);
	assert_int_equal(e.held > clock_wall() - 10000 && e.held <= clock_wall(), 1);
	assert_string_equal(words, "too many, too fast");
	bed_end_close(&c);
	bed_fini(&b);
}

/* Many at once: a walk takes several steps, nothing is tried in between, and the answer counts them all. */
static void
a_long_walk(void **state)
{
	enum { MANY = 3500 };
	struct queue_entry e;
	struct try_seen t;
	struct bed_end c;
	struct bed b;
	char words[512];
	unsigned tried = 0;
	struct bed_frame f;

	(void)state;
	bed_init(&b);
	b.conf.relay_connections = 16;
	b.conf.relay_concurrency = 1;
	bed_start(&b);
	bed_control(&b, &c);
	for (uint32_t i = 0; i < MANY; i++) {
		say_message_of(&b, i, 1000 + i, "alice", "x@example.net", 0);
		assert_int_equal(answer(&b, i), OK);
	}
	assert_int_equal(count_of(&c, QUEUE_HOLD, "alice"), MANY);
	/* Those that ran before. */
	while (bed_take(&b.relay, &f, 200)) {
		tried += f.type == RELAY_TRY;
		if (f.fd != -1)
			(void)close(f.fd);
	}
	assert_in_range(tried, 1, 64);
	bed_kill(&b);
	bed_start_again(&b, &c);
	nothing_comes(&b, 100);
	assert_int_equal(count_of(&c, QUEUE_PURGE, "alice"), MANY);
	assert_int_equal(listed(&c, 0, &e, words), 0);
	say_message_of(&b, 1, 100, "alice", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	bed_end_close(&c);
	bed_fini(&b);
}

static struct guard_outcome
want_outcome(struct bed *b, char login[64])
{
	struct guard_outcome m;
	struct bed_frame f;

	bed_want(&b->auth, GUARD_OUTCOME, &f);
	assert_true(fields_parse(guard_outcome_layout, f.body, &m));
	assert_true(m.login.len < 64);
	memcpy(login, m.login.p, m.login.len);
	login[m.login.len] = '\0';
	return m;
}

/* What became of recipients is told to 3_auth, in sums, each recipient once, and nobody's mail not at all. */
static void
outcomes_are_told(void **state)
{
	uint32_t delivered = 0, bounced = 0, others = 0;
	struct try_seen t;
	struct bed_frame f;
	struct bed b;
	char login[64];

	(void)state;
	bed_init(&b);
	bed_start(&b);
	say_message_of(&b, 1, 100, "alice", "x@example.net,y@example.net,z@example.net", 0);
	say_message_of(&b, 2, 101, "bob/phone", "x@example.com", 0);
	for (unsigned i = 1; i <= 2; i++)
		assert_int_equal(answer(&b, i), OK);
	for (unsigned i = 0; i < 4; i++) {
		want_try(&b, &t);
		if (t.rcpts == 3) {
			say_result(&b, &t, 0, SMTP_CLASS_NEVER, 550);
			say_result(&b, &t, 1, SMTP_CLASS_DELIVERED, 250);
			say_result(&b, &t, 2, SMTP_CLASS_LATER, 450);
			say_done(&b, &t);
		} else
			finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	}
	/* x failed at the first try, y and z were served; the notice about x is nobody's. */
	while (delivered + bounced + others < 4) {
		struct guard_outcome m = want_outcome(&b, login);

		assert_true(strcmp(login, "alice") == 0 || strcmp(login, "bob/phone") == 0);
		delivered += login[0] == 'a' ? m.delivered : 0;
		bounced += login[0] == 'a' ? m.bounced : 0;
		others += login[0] == 'b' ? m.delivered + 100 * m.bounced : 0;
	}
	assert_false(bed_take(&b.auth, &f, 1200));
	assert_int_equal(delivered, 2);
	assert_int_equal(bounced, 1);
	assert_int_equal(others, 1);
	bed_fini(&b);
}

/* Mail to an owner: from nobody, to him, never bounced; what does not look like one ends the channel, and mail goes on. */
static void
notices_to_owners(void **state)
{
	struct guard_notice n = { SPAN_INIT("alice@home.example"), SPAN_INIT("Somebody sends in your name"),
		SPAN_INIT("Dear Alice,\nyour mail waits.\n") };
	struct try_seen t;
	struct bed b;
	char text[4096];
	uint8_t line[200];

	(void)state;
	bed_init(&b);
	bed_start(&b);
	bed_send(&b.auth, GUARD_NOTICE, 0, guard_notice_layout, &n);
	want_try(&b, &t);
	assert_string_equal(t.from, "");
	assert_string_equal(t.to[0], "alice@home.example");
	assert_true(t.flags & MAIL_DSN);
	text[read_content(&t, text, sizeof text - 1)] = '\0';
	assert_non_null(strstr(text, "<postmaster@mail.example.org>\r\n"));
	assert_non_null(strstr(text, "Auto-Submitted: auto-generated\r\n"));
	assert_non_null(strstr(text, "Subject: Somebody sends in your name\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nDear Alice,\r\nyour mail waits.\r\n"));
	finish(&b, &t, SMTP_CLASS_NEVER, 550);
	nothing_comes(&b, 200);
	memset(line, 'x', sizeof line);
	for (unsigned i = 0; i < 6; i++) {
		struct guard_notice bad = n;

		switch (i) {
		case 0:
			bad.rcpt = SPAN("not an address");
			bed_send(&b.auth, GUARD_NOTICE, 0, guard_notice_layout, &bad);
			break;
		case 1:
			bad.text = (struct span){ line, 79 };
			bed_send(&b.auth, GUARD_NOTICE, 0, guard_notice_layout, &bad);
			break;
		case 2:
			bad.text = SPAN("\xff\n");
			bed_send(&b.auth, GUARD_NOTICE, 0, guard_notice_layout, &bad);
			break;
		case 3:
			bed_send_octets(&b.auth, GUARD_HOLD, 0, SPAN("hello"));
			break;
		case 4:         /* whom? */
			say_hold(&b, "", "everybody");
			break;
		default:        /* what only 4_spool may say */
			bed_send_octets(&b.auth, GUARD_OUTCOME, 0, SPAN(""));
		}
		assert_true(bed_is_closed(&b.auth, 2000));
		bed_new_auth(&b);
		bed_send(&b.auth, GUARD_NOTICE, 0, guard_notice_layout, &n);
		want_try(&b, &t);
		finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	}
	bed_close(&b);
}

/* A 3_auth that was taken over does not write to the whole world in our name. */
static void
notices_have_a_ceiling(void **state)
{
	struct guard_notice n = { SPAN_INIT("victim@home.example"), SPAN_INIT("x"), SPAN_INIT("y\n") };
	struct bed_frame f;
	struct bed b;
	unsigned tries = 0;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	for (unsigned i = 0; i < 500; i++)
		bed_send(&b.auth, GUARD_NOTICE, 0, guard_notice_layout, &n);
	while (bed_take(&b.relay, &f, 1000)) {
		struct try_seen t = { .session = f.session, .rcpts = 1 };

		if (f.fd != -1)
			(void)close(f.fd);
		if (f.type != RELAY_TRY)
			continue;
		tries++;
		finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	}
	assert_int_equal(tries, 120);
	bed_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_from_the_beginning),
		cmocka_unit_test(hold_release_purge),
		cmocka_unit_test(orders_that_are_none),
		cmocka_unit_test(held_while_it_is_tried),
		cmocka_unit_test(time_stands_still),
		cmocka_unit_test(the_guard_holds),
		cmocka_unit_test(words_are_kept),
		cmocka_unit_test(a_long_walk),
		cmocka_unit_test(outcomes_are_told),
		cmocka_unit_test(notices_to_owners),
		cmocka_unit_test(notices_have_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * proc/4_spool and what fronts say: when memory is short, and when they say what no sane front says.
 *
 * malloc() is ours: it fails for what a session or a draft takes while `starved` is set, in the process that is looked at too; and for the
 * name of one destination while `nameless` is.
 */
#include "spool_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/queue_id.h"
#include "os/clock.h"
#include "proc/4_spool_session.h"
#include "spool/draft_room.h"

/* Of a length that nothing else has. */
#define LONG_DOMAIN "a-name-that-is-as-long-as-no-other.example.net"

static volatile bool *starved, *nameless;

void *__real_malloc(size_t);
void *__wrap_malloc(size_t);

void *
__wrap_malloc(size_t n)
{
	if (starved != NULL && *starved && (n == sizeof(struct front_session) || n == sizeof(struct draft)))
		return NULL;
	if (nameless != NULL && *nameless && n == sizeof LONG_DOMAIN)
		return NULL;
	return __real_malloc(n);
}

static int
setup(void **state)
{
	bool *shared = mmap(NULL, 2 * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(shared, MAP_FAILED);
	starved = shared;
	nameless = shared + 1;
	return 0;
}

/* With a message of which the relay has t. */
static void
open_bed(struct bed *b, struct try_seen *t, const char *to, uint32_t notify)
{
	bed_init(b);
	bed_start(b);
	say_message(b, 1, 100, "a@example.org", to, notify);
	assert_int_equal(answer(b, 1), OK);
	want_try(b, t);
}

/* tests/regress/0267: 452 for the message; the front and its sessions go on. */
static void
no_memory_is_no_fault_of_the_front(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	open_bed(&b, &t, "x@example.net", 0);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	*starved = true;
	/* More than have ever been open at once, so that what is kept of earlier ones does not do. */
	for (uint32_t n = 2; n < 40; n++) {
		struct spool_mail m = mail(100 + n, "a@example.org");

		bed_send(&b.front, SPOOL_MAIL, n, spool_mail_layout, &m);
		say_rcpt(&b, n, "x@example.net", 0);
	}
	for (uint32_t n = 3; n < 40; n++) {
		struct spool_commit c = { .rcpts = 1 };

		bed_send(&b.front, SPOOL_COMMIT, n, spool_commit_layout, &c);
		assert_int_equal(answer(&b, n), FAIL_MEMORY);
	}
	*starved = false;
	bed_send_octets(&b.front, SPOOL_ABORT, 2, SPAN(""));
	say_message(&b, 50, 200, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 50), OK);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* What the front has said ends it, and only it: the next one is served. */
static void
ends_the_front(struct bed *b, const struct spool_mail *m, uint32_t commit_flags)
{
	struct spool_commit c = { .rcpts = 1, .flags = commit_flags };
	struct bed_frame f;

	bed_send(&b->front, SPOOL_MAIL, 1, spool_mail_layout, m);
	if (commit_flags != 0) {
		say_rcpt(b, 1, "x@example.net", 0);
		bed_send(&b->front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
	}
	bed_want(&b->master, CHILD_PEER_BROKEN, &f);
	bed_new_front(b);
	say_message(b, 2, 100, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(b, 2), FAIL_LOCAL);
}

/* tests/regress/0268: bit 30 of a record's flags says how the record is written; one that lied would be acknowledged and lost. */
static void
flags_that_no_client_has_asked_for(void **state)
{
	static const uint32_t lies[] = { 1u << 30, 1u << 31, MAIL_DSN, MAIL_HOLD, 1u << 23 };
	struct bed b;
	struct try_seen t;

	(void)state;
	open_bed(&b, &t, "x@example.net", 0);
	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		struct spool_mail m = mail(200, "a@example.org");

		m.flags = lies[i];
		ends_the_front(&b, &m, 0);
	}
	ends_the_front(&b, &(struct spool_mail){ .queue_id = 200, .login = SPAN_INIT("alice") }, 1u << 23);
	ends_the_front(&b, &(struct spool_mail){ .queue_id = 200, .login = SPAN_INIT("alice") }, MAIL_DSN);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* tests/regress/0269: who takes other fronts' names, or ours, has their next message refused. */
static void
names_that_are_another_ones(void **state)
{
	struct queue_id_maker other = { .slot = 1 }, ours = { .slot = KEEPER_ID_SLOT };
	uint64_t ids[] = { queue_id_next(&other, clock_wall() + 5000), queue_id_next(&ours, clock_wall() + 5000), 0 };
	struct bed b;
	struct try_seen t;

	(void)state;
	open_bed(&b, &t, "x@example.net", 0);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct spool_mail m = mail(200, "a@example.org");

		m.queue_id = ids[i];
		ends_the_front(&b, &m, 0);
	}
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* tests/regress/0563: 6_milter takes none that is so long, and would take 4_spool for broken. */
static void
recipients_that_no_client_can_name(void **state)
{
	static const uint16_t types[] = { SPOOL_RCPT, SPOOL_ASK_RCPT };
	struct spool_mail m = mail(200, "a@example.org");
	struct bed_frame f;
	struct bed b;
	struct try_seen t;
	char path[300];

	(void)state;
	(void)snprintf(path, sizeof path, "%0280d@example.net", 0);
	open_bed(&b, &t, "x@example.net", 0);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct spool_rcpt r = { .path = span_of(path) };
		struct spool_ask_rcpt ask = { .path = span_of(path) };

		bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
		if (types[i] == SPOOL_RCPT)
			bed_send(&b.front, SPOOL_RCPT, 1, spool_rcpt_layout, &r);
		else
			bed_send(&b.front, SPOOL_ASK_RCPT, 1, spool_ask_rcpt_layout, &ask);
		bed_want(&b.master, CHILD_PEER_BROKEN, &f);
		bed_new_front(&b);
	}
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* tests/regress/0581: 5_relay dies of a domain with a NUL in it, again and again, as long as the message is in the queue. */
static void
recipients_that_are_no_address(void **state)
{
	static const struct span paths[] = { SPAN_INIT("x@example.net\0y"), SPAN_INIT("x@\0"), SPAN_INIT("\0@example.net"), SPAN_INIT(""),
		SPAN_INIT("x"), SPAN_INIT("x@"), SPAN_INIT("x@example.net> NOTIFY=NEVER"), SPAN_INIT("x@exam/../ple.net"), SPAN_INIT("x@\r\n"),
		SPAN_INIT("@a.example:x@example.net") };
	static const uint16_t types[] = { SPOOL_RCPT, SPOOL_ASK_RCPT };
	struct spool_mail m = mail(200, "a@example.org");
	struct bed_frame f;
	struct bed b;
	struct try_seen t;

	(void)state;
	open_bed(&b, &t, "x@example.net", 0);
	for (size_t i = 0; i < 2 * sizeof paths / sizeof paths[0]; i++) {
		struct spool_rcpt r = { .path = paths[i / 2] };
		struct spool_ask_rcpt ask = { .path = paths[i / 2] };

		bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
		if (types[i % 2] == SPOOL_RCPT)
			bed_send(&b.front, SPOOL_RCPT, 1, spool_rcpt_layout, &r);
		else
			bed_send(&b.front, SPOOL_ASK_RCPT, 1, spool_ask_rcpt_layout, &ask);
		bed_want(&b.master, CHILD_PEER_BROKEN, &f);
		bed_new_front(&b);
	}
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* What clients do name is taken: 5321-19 without a domain, quoted, in other scripts, by number. */
static void
recipients_that_are_unusual(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	open_bed(&b, &t, "x@example.net", 0);
	say_message(&b, 2, 101, "a@example.org", "Postmaster,\"a b@c\"@example.net,\xc3\xa9@\xc3\xa9.example,x@[192.0.2.1],x@[IPv6:2001:db8::1]", 0);
	assert_int_equal(answer(&b, 2), OK);
	bed_kill(&b);
	bed_fini(&b);
}

enum { CROWD = 70, LONG_RCPTS = 1000 };  /* a MiB of recipients each, and a login has 64 */

/* Recipients as long as they may be. */
static void
name_many(struct bed *b, uint32_t session, uint64_t id)
{
	char path[300], orcpt[501];
	struct spool_mail m = mail(id, "a@example.org");
	struct spool_rcpt r = { .number = 0 };

	(void)snprintf(path, sizeof path, "%060d@%063d.%063d.%050d.example", 0, 0, 0, 0);
	(void)snprintf(orcpt, sizeof orcpt, "rfc822;%0490d", 0);
	r.path = span_of(path);
	r.orcpt = span_of(orcpt);
	bed_send(&b->front, SPOOL_MAIL, session, spool_mail_layout, &m);
	for (; r.number < LONG_RCPTS; r.number++)
		bed_send(&b->front, SPOOL_RCPT, session, spool_rcpt_layout, &r);
}

/* tests/regress/0582: what there was no room for is none that the front has made up. */
static void
recipients_for_whom_there_is_no_room(void **state)
{
	struct spool_commit c = { .rcpts = LONG_RCPTS };
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	for (uint32_t i = 1; i <= CROWD; i++)
		name_many(&b, i, 100 + i);
	for (uint32_t i = CROWD - 2; i <= CROWD; i++) {
		bed_send(&b.front, SPOOL_COMMIT, i, spool_commit_layout, &c);
		assert_int_equal(answer(&b, i), FAIL_DRAFTS_MANY);
	}
	say_message_of(&b, CROWD + 1, 100 + CROWD + 1, "bob", "x@example.net", 0);
	assert_int_equal(answer(&b, CROWD + 1), OK);
	/* One too many is one still. */
	c.rcpts++;
	bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
	assert_true(bed_is_closed(&b.front, 5000));
	bed_kill(&b);
	bed_fini(&b);
}

/* tests/regress/0301: there is no memory for the notice; who was served is not served again. */
static void
served_without_a_notice(void **state)
{
	struct spool_mail open = mail(200, "a@example.org");
	struct try_seen t, again;
	struct bed b;
	char later[64];

	(void)state;
	open_bed(&b, &t, "x@example.net,y@example.net", SMTP_NOTIFY_SUCCESS);
	assert_int_equal(t.rcpts, 2);
	*starved = true;
	/* It takes what is kept of the first one. */
	bed_send(&b.front, SPOOL_MAIL, 2, spool_mail_layout, &open);
	(void)usleep(50000);
	say_result(&b, &t, 0, SMTP_CLASS_DELIVERED, 250);
	say_result(&b, &t, 1, SMTP_CLASS_LATER, 451);
	say_done(&b, &t);
	(void)snprintf(later, sizeof later, "%s", t.to[1]);
	want_try(&b, &again);
	assert_int_equal(again.rcpts, 1);
	assert_string_equal(again.to[0], later);
	*starved = false;
	finish(&b, &again, SMTP_CLASS_DELIVERED, 250);
	want_try(&b, &t);
	assert_string_equal(t.from, "");
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_send_octets(&b.front, SPOOL_ABORT, 2, SPAN(""));
	bed_close(&b);
}

/* tests/regress/0501: a message that was acknowledged and then found no memory for its jobs is tried when there is some. */
static void
no_memory_for_a_destination(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	*nameless = true;
	say_message(&b, 1, 100, "a@example.org", "x@example.net,y@" LONG_DOMAIN, 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	assert_string_equal(t.to[0], "x@example.net");
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	nothing_comes(&b, 1500);
	*nameless = false;
	want_try(&b, &t);
	assert_int_equal(t.rcpts, 1);
	assert_string_equal(t.to[0], "y@" LONG_DOMAIN);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	nothing_comes(&b, 1500);
	bed_close(&b);
}

/* tests/regress/0380: what cannot be had is told of at COMMIT, to so many as a front may have clients. */
static void
more_drafts_than_a_front_has_clients(void **state)
{
	struct spool_mail m = mail(300, "a@example.org");
	struct bed_frame f;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.sessions_max = 100;
	bed_start(&b);
	m.size = UINT64_MAX / 4;
	/* As many as a reload may leave it with are no fault of its own. */
	for (uint32_t n = 1; n <= 200; n++)
		bed_send(&b.front, SPOOL_MAIL, n, spool_mail_layout, &m);
	say_rcpt(&b, 200, "x@example.net", 0);
	bed_send(&b.front, SPOOL_COMMIT, 200, spool_commit_layout, &(struct spool_commit){ .rcpts = 1 });
	assert_int_equal(answer(&b, 200), FAIL_DISK_FULL);
	bed_send(&b.front, SPOOL_MAIL, 200, spool_mail_layout, &m);
	say_message(&b, 201, 400, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 201), OK);
	bed_send(&b.front, SPOOL_MAIL, 202, spool_mail_layout, &m);
	bed_want(&b.master, CHILD_PEER_BROKEN, &f);
	bed_new_front(&b);
	say_message(&b, 1, 500, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	bed_kill(&b);
	bed_fini(&b);
}

/* ---- warrants: tests/regress/0382 ---- */

/* Nothing but what 3_auth has said for this very front makes it a MAIL. */
static void
logins_that_3_auth_knows_nothing_of(void **state)
{
	struct spool_mail good = mail(100, "a@example.org"), lies[5];
	struct bed b;
	size_t i = 0;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	good.unwatched = 1;
	bed_warrant(&good);
	for (i = 0; i < sizeof lies / sizeof lies[0]; i++)
		lies[i] = good;
	lies[0].login = SPAN("bob");
	lies[1].reverse_path = SPAN("bob@example.org");
	lies[2].when += 1;
	lies[3].warrant ^= 1;
	lies[4].unwatched = 0;
	while (i-- > 0)
		ends_the_front(&b, &lies[i], 0);
	bed_kill(&b);
	bed_fini(&b);
}

/* It may have been on its way for that long: no fault of the front, but it asks again. */
static void
an_old_warrant(void **state)
{
	struct spool_mail m = mail(300, "a@example.org");
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	m.unwatched = 1;
	bed_warrant(&m);
	if (m.when <= WARRANT_MS + 1000) {      /* the machine has just begun */
		bed_kill(&b);
		bed_fini(&b);
		skip();
	}
	m.when -= WARRANT_MS + 1000;
	bed_warrant(&m);
	bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
	say_rcpt(&b, 1, "x@example.net", 0);
	bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &(struct spool_commit){ .rcpts = 1 });
	assert_int_equal(answer(&b, 1), FAIL_BEHIND);
	bed_kill(&b);
	bed_fini(&b);
}

static void
submit_watched(struct bed *b, uint64_t id, uint32_t flags, uint64_t warrant, uint64_t when)
{
	struct spool_mail m = mail(id, "a@example.org");

	bed_warrant(&m);
	bed_send(&b->front, SPOOL_MAIL, 9, spool_mail_layout, &m);
	say_rcpt(b, 9, "x@example.net", 0);
	say_rcpt(b, 9, "y@example.net", 0);
	bed_send(&b->front, SPOOL_COMMIT, 9, spool_commit_layout, &(struct spool_commit){ .rcpts = 2, .flags = flags, .warrant = warrant,
		.when = when });
}

static void
is_ended(struct bed *b)
{
	struct bed_frame f;

	bed_want(&b->master, CHILD_PEER_BROKEN, &f);
	bed_new_front(b);
}

/* A front that was taken over does not send past the guard. */
static void
recipients_that_3_auth_has_not_allowed(void **state)
{
	struct bed b;
	uint64_t now;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	now = clock_run();
	submit_watched(&b, 100, 0, bed_warrant_spent(100, 2, false, now), now);
	assert_int_equal(answer(&b, 9), OK);
	submit_watched(&b, 101, MAIL_HOLD, bed_warrant_spent(101, 2, true, now), now);
	assert_int_equal(answer(&b, 9), OK);
	submit_watched(&b, 102, 0, 0, now);
	is_ended(&b);
	submit_watched(&b, 103, 0, bed_warrant_spent(103, 1, false, now), now);
	is_ended(&b);
	submit_watched(&b, 104, 0, bed_warrant_spent(103, 2, false, now), now);
	is_ended(&b);
	/* What is to be held is held. */
	submit_watched(&b, 105, 0, bed_warrant_spent(105, 2, true, now), now);
	is_ended(&b);
	/* Once. */
	submit_watched(&b, 106, 0, bed_warrant_spent(106, 2, false, now), now);
	assert_int_equal(answer(&b, 9), OK);
	submit_watched(&b, 106, 0, bed_warrant_spent(106, 2, false, now), now);
	is_ended(&b);
	bed_kill(&b);
	bed_fini(&b);
}

/* tests/regress/0401: nor once more when 4_spool has begun anew, and does not know what it has taken before. */
static void
allowed_before_a_restart(void **state)
{
	uint64_t now, then;
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	then = clock_run();
	submit_watched(&b, 100, 0, bed_warrant_spent(100, 2, false, then), then);
	assert_int_equal(answer(&b, 9), OK);
	bed_kill(&b);
	(void)usleep(20000);
	bed_start(&b);
	now = clock_run();
	submit_watched(&b, 100, 0, bed_warrant_spent(100, 2, false, then), then);
	is_ended(&b);
	/* Nor is it of another time because the front says so. */
	submit_watched(&b, 100, 0, bed_warrant_spent(100, 2, false, then), now);
	is_ended(&b);
	submit_watched(&b, 101, 0, bed_warrant_spent(101, 2, false, now), now);
	assert_int_equal(answer(&b, 9), OK);
	bed_kill(&b);
	bed_fini(&b);
}

/* tests/regress/0387: size-max is not the front's word alone. */
static void
content_beyond_what_a_message_may_have(void **state)
{
	static uint8_t piece[256 * 1024];
	struct spool_mail m = mail(100, "a@example.org");
	struct spool_commit c = { .rcpts = 1 };
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.size_max = 64 * 1024;
	bed_start(&b);
	memset(piece, 'x', sizeof piece);
	bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
	say_rcpt(&b, 1, "x@example.net", 0);
	for (unsigned i = 0; i < 16; i++, c.size += sizeof piece)
		bed_send_octets(&b.front, SPOOL_BODY, 1, (struct span){ piece, sizeof piece });
	bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
	assert_int_equal(answer(&b, 1), FAIL_TOO_BIG);
	say_message(&b, 2, 200, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 2), OK);
	bed_kill(&b);
	bed_fini(&b);
}

enum { MANY = 10000, LOOKS = 100000 };

/* How long it takes to look for sessions that are not there, beside MANY that are; ms. Their numbers are so far apart. */
static uint64_t
looking(struct bed *b, uint32_t apart)
{
	struct spool_mail m = mail(300, "a@example.org");
	uint64_t begun;

	bed_new_front(b);
	for (uint32_t n = 1; n <= MANY; n++)
		bed_send(&b->front, SPOOL_MAIL, n * apart, spool_mail_layout, &m);
	say_message(b, 1, 500 + apart, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(b, 1), OK);
	begun = clock_wall();
	for (uint32_t n = 1; n <= LOOKS; n++)
		bed_send_octets(&b->front, SPOOL_ABORT, (MANY + n) * apart, SPAN(""));
	say_message(b, 1, 501 + apart, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(b, 1), OK);
	return clock_wall() - begun;
}

/* tests/regress/0381: who chooses the numbers of his sessions must not choose where they are looked for. */
static void
numbers_that_fall_together(void **state)
{
	uint64_t beside, upon;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.sessions_max = MANY;
	bed_start(&b);
	beside = looking(&b, 3);
	upon = looking(&b, 4096);
	if (upon > 5 * beside + 200)
		fail_msg("%u looks take %u ms, and %u ms when the numbers are chosen for it", (unsigned)LOOKS, (unsigned)beside, (unsigned)upon);
	bed_kill(&b);
	bed_fini(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_drafts_than_a_front_has_clients),
		cmocka_unit_test(numbers_that_fall_together),
		cmocka_unit_test(content_beyond_what_a_message_may_have),
		cmocka_unit_test(logins_that_3_auth_knows_nothing_of),
		cmocka_unit_test(an_old_warrant),
		cmocka_unit_test(recipients_that_3_auth_has_not_allowed),
		cmocka_unit_test(allowed_before_a_restart),
		cmocka_unit_test(no_memory_is_no_fault_of_the_front),
		cmocka_unit_test(flags_that_no_client_has_asked_for),
		cmocka_unit_test(names_that_are_another_ones), cmocka_unit_test(recipients_that_no_client_can_name),
		cmocka_unit_test(recipients_that_are_no_address), cmocka_unit_test(recipients_that_are_unusual),
		cmocka_unit_test(recipients_for_whom_there_is_no_room),
		cmocka_unit_test(served_without_a_notice), cmocka_unit_test(no_memory_for_a_destination),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

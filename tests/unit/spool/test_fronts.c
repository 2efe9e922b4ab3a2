/*
 * proc/4_spool and what fronts say: when memory is short, and when they say what no sane front says.
 *
 * malloc() is ours: it fails for what a session or a draft takes while `starved` is set, in the process that is looked at too.
 */
#include "spool_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/queue_id.h"
#include "proc/4_spool_session.h"
#include "spool/draft_room.h"

static volatile bool *starved;

void *__real_malloc(size_t);
void *__wrap_malloc(size_t);

void *
__wrap_malloc(size_t n)
{
	if (starved != NULL && *starved && (n == sizeof(struct front_session) || n == sizeof(struct draft)))
		return NULL;
	return __real_malloc(n);
}

static int
setup(void **state)
{
	void *shared = mmap(NULL, sizeof *starved, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(shared, MAP_FAILED);
	starved = shared;
	return 0;
}

/* tests/regress/0267: 452 for the message; the front and its sessions go on. */
static void
no_memory_is_no_fault_of_the_front(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
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
	assert_int_equal(bed_drain(&b), 0);
	bed_fini(&b);
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
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		struct spool_mail m = mail(200, "a@example.org");

		m.flags = lies[i];
		ends_the_front(&b, &m, 0);
	}
	ends_the_front(&b, &(struct spool_mail){ .queue_id = 200, .login = SPAN_INIT("alice") }, 1u << 23);
	ends_the_front(&b, &(struct spool_mail){ .queue_id = 200, .login = SPAN_INIT("alice") }, MAIL_DSN);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	assert_int_equal(bed_drain(&b), 0);
	bed_fini(&b);
}

/* tests/regress/0269: who takes other fronts' names, or ours, has their next message refused. */
static void
names_that_are_another_ones(void **state)
{
	struct queue_id_maker other = { .slot = 1 }, ours = { .slot = KEEPER_ID_SLOT };
	uint64_t ids[] = { queue_id_next(&other, now_ms() + 5000), queue_id_next(&ours, now_ms() + 5000), 0 };
	struct bed b;
	struct try_seen t;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct spool_mail m = mail(200, "a@example.org");

		m.queue_id = ids[i];
		ends_the_front(&b, &m, 0);
	}
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	assert_int_equal(bed_drain(&b), 0);
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
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net,y@example.net", SMTP_NOTIFY_SUCCESS);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
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
	assert_int_equal(bed_drain(&b), 0);
	bed_fini(&b);
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
	begun = now_ms();
	for (uint32_t n = 1; n <= LOOKS; n++)
		bed_send_octets(&b->front, SPOOL_ABORT, (MANY + n) * apart, SPAN(""));
	say_message(b, 1, 501 + apart, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(b, 1), OK);
	return now_ms() - begun;
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
		cmocka_unit_test(no_memory_is_no_fault_of_the_front),
		cmocka_unit_test(flags_that_no_client_has_asked_for),
		cmocka_unit_test(names_that_are_another_ones),
		cmocka_unit_test(served_without_a_notice),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

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
	uint64_t ids[] = { queue_id_next(&other, now_ms() + 5000), queue_id_next(&ours, now_ms() + 5000), 0 };
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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_memory_is_no_fault_of_the_front),
		cmocka_unit_test(flags_that_no_client_has_asked_for),
		cmocka_unit_test(names_that_are_another_ones),
		cmocka_unit_test(served_without_a_notice),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

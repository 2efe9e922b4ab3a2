/* proc/4_spool: what the ends of tries, processes and clocks leave behind. 5321-55, 4865-4, 3461-7; regress 0275 0276 0278 0283 0300 0403 */
#include "spool_talk.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/siphash.h"
#include "os/clock.h"
#include "queue/record.h"

/* ---- a clock that can be set, for the process under test and for us ---- */
static _Atomic int64_t *clock_set;      /* ms; shared with who is forked from here */
static int (*clock_true)(clockid_t, struct timespec *);

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int done;

	if (clock_true == NULL)
		*(void **)&clock_true = dlsym(RTLD_NEXT, "clock_gettime");
	done = clock_true(id, t);
	if (done == 0 && id == CLOCK_REALTIME && clock_set != NULL) {
		int64_t ms = (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000 + *clock_set;

		t->tv_sec = (time_t)(ms / 1000);
		t->tv_nsec = (long)(ms % 1000) * 1000000 + t->tv_nsec % 1000000;
	}
	return done;
}

/* ---- submissions ---- */
static const uint8_t digests[4][SIPHASH_WIDE] = { [1] = { 1 }, [2] = { 2 } };

/* One that is known when it comes again; for later when there is a release. Its first one's id, or 0. */
static uint64_t
submit(struct bed *b, uint64_t id, unsigned digest, size_t octets, uint64_t release)
{
	static uint8_t content[200 * 1024];
	struct spool_mail m = mail(id, "a@example.org");
	struct spool_commit c = { .size = octets, .rcpts = 1, .digest = { digests[digest], SIPHASH_WIDE } };
	struct spool_committed said;
	struct bed_frame f;

	m.release = release;
	m.hold = release > 0 ? SPAN("for;3600") : (struct span){ NULL, 0 };
	bed_send(&b->front, SPOOL_MAIL, 1, spool_mail_layout, &m);
	if (release > 0)
		bed_want(&b->front, SPOOL_ADMITTED, &f);
	say_rcpt(b, 1, "x@example.net", 0);
	bed_send_octets(&b->front, SPOOL_BODY, 1, (struct span){ content, octets });
	bed_send(&b->front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
	bed_want(&b->front, SPOOL_COMMITTED, &f);
	assert_true(fields_parse(spool_committed_layout, f.body, &said));
	assert_int_equal(said.fail, OK);
	return said.first;
}

static void
open_bed(struct bed *b)
{
	bed_init(b);
	b->conf.duplicate_window = 600;
	bed_start(b);
}

static int
open_log(const struct bed *b)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof path, "%s/spool/0000000000000001.log", b->directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	return fd;
}

/* ---- ends of tries ---- */

/* One is refused at one domain, two are served at another a little later: the notice waits for them and takes their end along. */
static void
refused_here_served_there(void **state)
{
	struct try_seen t[2], n;
	struct bed b;
	unsigned bad;

	(void)state;
	open_bed(&b);
	for (uint64_t id = 100; id < 103; id++) {
		say_message(&b, 1, id, "a@example.org", "bad@one.example,x@two.example,y@two.example", 0);
		assert_int_equal(answer(&b, 1), OK);
		want_try(&b, &t[0]);
		want_try(&b, &t[1]);
		bad = strcmp(t[1].destination, "one.example") == 0;
		assert_int_equal(t[!bad].rcpts, 2);
		finish(&b, &t[bad], SMTP_CLASS_NEVER, 550);
		(void)usleep(20000);
		finish(&b, &t[!bad], SMTP_CLASS_DELIVERED, 250);
		want_try(&b, &n);
		assert_string_equal(n.from, "");
		assert_string_equal(n.to[0], "a@example.org");
		finish(&b, &n, SMTP_CLASS_DELIVERED, 250);
	}
	/* Nobody is served again. */
	assert_int_equal(bed_drain(&b), 0);
	bed_start(&b);
	nothing_comes(&b, 200);
	bed_close(&b);
}

/* Who was served, and of whom 5_relay has said so, is not served again when it dies before the others have an end. */
static void
reported_before_the_relay_died(void **state)
{
	struct try_seen t, n;
	struct bed b;

	(void)state;
	open_bed(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net,y@example.net", SMTP_NOTIFY_SUCCESS);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	say_result(&b, &t, 0, SMTP_CLASS_DELIVERED, 250);
	/* It must be read before the end is. */
	(void)usleep(100000);
	bed_new_relay(&b);
	for (unsigned i = 0; i < 2; i++) {
		want_try(&b, &n);
		assert_int_equal(n.rcpts, 1);
		assert_string_equal(n.to[0], n.from[0] == '\0' ? "a@example.org" : t.to[1]);
		finish(&b, &n, SMTP_CLASS_DELIVERED, 250);
	}
	/* The notice about the other. */
	want_try(&b, &n);
	assert_string_equal(n.from, "");
	finish(&b, &n, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* ---- the clock ---- */

/* Its time had come, but not its turn; then the clock goes back a little, and its time is still to come. */
static void
set_back_before_its_release(void **state)
{
	struct try_seen t[4], other;
	struct spool_mail m;
	struct spool_commit c = { .size = sizeof CONTENT - 1, .rcpts = 1 };
	struct relay_result r = { .class = SMTP_CLASS_DELIVERED, .code = 250, .stage = SMTP_STAGE_RCPT, .enhanced = SPAN_INIT("2.0.0") };
	struct bed_frame f;
	struct bed b;
	uint64_t release;

	(void)state;
	open_bed(&b);
	/* As many as run to a destination of which nothing is known. */
	for (uint32_t i = 0; i < 4; i++) {
		say_message(&b, i, 100 + i, "a@example.org", "x@example.net", 0);
		assert_int_equal(answer(&b, i), OK);
		want_try(&b, &t[i]);
	}
	release = clock_wall() + 200;
	m = mail(200, "a@example.org");
	m.release = release;
	m.hold = SPAN("for;1");
	bed_send(&b.front, SPOOL_MAIL, 9, spool_mail_layout, &m);
	bed_want(&b.front, SPOOL_ADMITTED, &f);
	say_rcpt(&b, 9, "x@example.net", 0);
	bed_send_octets(&b.front, SPOOL_BODY, 9, SPAN(CONTENT));
	bed_send(&b.front, SPOOL_COMMIT, 9, spool_commit_layout, &c);
	assert_int_equal(answer(&b, 9), OK);
	(void)usleep(300000);
	/* Somebody else's mail has it look at the clock. */
	say_message(&b, 1, 300, "a@example.org", "z@other.example", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &other);
	*clock_set -= 1500;
	r.number = t[0].number[0];
	r.when = clock_wall();
	bed_send(&b.relay, RELAY_RESULT, t[0].session, relay_result_layout, &r);
	say_done(&b, &t[0]);
	/* A process that goes round and round would outlive the test. */
	if (!bed_take(&b.relay, &f, 6000)) {
		bed_kill(&b);
		fail_msg("nothing is tried any more");
	}
	assert_int_equal(f.type, RELAY_TRY);
	assert_true(clock_wall() >= release);
	bed_want(&b.relay, RELAY_RCPT, &f);
	*clock_set = 0;
	bed_kill(&b);
	bed_fini(&b);
}

/* An interval that is over is over, wherever the clock goes: what was tried after it is tried again when it is due. */
static void
set_back_after_its_release(void **state)
{
	struct try_seen t;
	struct bed b;

	(void)state;
	open_bed(&b);
	assert_int_equal(submit(&b, 100, 1, 5, clock_wall() + 100), 0);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	(void)usleep(50000);
	*clock_set -= 3600000;
	want_try(&b, &t);
	assert_int_equal(t.attempt, 2);
	*clock_set = 0;
	bed_kill(&b);
	bed_fini(&b);
}

/* What is planned by the new time before anybody has looked at the clock must not be moved by the step. */
static void
set_between_two_looks(void **state)
{
	struct try_seen t;
	uint64_t release;
	struct bed b;

	(void)state;
	open_bed(&b);
	assert_int_equal(submit(&b, 100, 1, 5, 0), 0);
	want_try(&b, &t);
	*clock_set += 3600000;
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	want_try(&b, &t);
	assert_int_equal(t.attempt, 2);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	*clock_set -= 3600000;
	release = clock_wall() + 1300;
	assert_int_equal(submit(&b, 101, 2, 5, release), 0);
	want_try(&b, &t);
	assert_int_equal(t.id, 101);
	assert_true(clock_wall() >= release);
	bed_kill(&b);
	bed_fini(&b);
}

/* The schedule hears of the new time before anybody has seen that it is a step: it must not be moved beyond it. */
static void
set_forward_while_mail_goes_on(void **state)
{
	struct spool_mail m;
	struct try_seen t;
	struct bed b;

	(void)state;
	open_bed(&b);
	assert_int_equal(submit(&b, 100, 1, 5, 0), 0);
	want_try(&b, &t);
	m = mail(300, "a@example.org");
	bed_send(&b.front, SPOOL_MAIL, 2, spool_mail_layout, &m);
	(void)usleep(50000);
	*clock_set += 3600000;
	/* Each frame has it look for what is due. */
	say_rcpt(&b, 2, "z@other.example", 0);
	(void)usleep(1200000);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	want_try(&b, &t);
	assert_true(t.id == 100 && t.attempt == 2);
	*clock_set = 0;
	bed_kill(&b);
	bed_fini(&b);
}

/* Its content is still coming: it is tried when it is there, not when the clock comes back to where it began. */
static void
set_back_under_a_draft(void **state)
{
	struct spool_commit c = { .size = 5, .rcpts = 1 };
	struct spool_mail m;
	struct try_seen t;
	struct bed b;

	(void)state;
	open_bed(&b);
	m = mail(100, "a@example.org");
	bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
	say_rcpt(&b, 1, "x@example.net", 0);
	bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hello"));
	(void)usleep(50000);
	*clock_set -= 3600000;
	/* It is looked at once a second. */
	(void)usleep(1200000);
	bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	*clock_set = 0;
	bed_kill(&b);
	bed_fini(&b);
}

/* regress 0403: a machine whose clock has no battery begins in 1970, and is told the time a moment later. */
static void
begun_in_1970(void **state)
{
	struct try_seen t;
	struct bed b;
	uint64_t id;

	(void)state;
	open_bed(&b);
	assert_int_equal(submit(&b, 100, 1, 5, 0), 0);
	want_try(&b, &t);
	id = t.id;
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	(void)usleep(100000);
	bed_kill(&b);
	*clock_set -= (int64_t)clock_wall() - 1000000;
	bed_start(&b);
	want_try(&b, &t);
	assert_int_equal(t.id, id);
	*clock_set = 0;
	(void)usleep(100000);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	/* Tried again, and no notice that it was given up. */
	want_try(&b, &t);
	assert_int_equal(t.id, id);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* The same while its content comes. */
static void
set_forward_under_a_draft(void **state)
{
	struct spool_commit c = { .size = 5, .rcpts = 1 };
	struct spool_mail m;
	struct try_seen t;
	struct bed b;

	(void)state;
	open_bed(&b);
	m = mail(100, "a@example.org");
	bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
	say_rcpt(&b, 1, "x@example.net", 0);
	bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hello"));
	(void)usleep(50000);
	*clock_set += INT64_C(365) * 86400000;
	(void)usleep(50000);
	bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	want_try(&b, &t);
	assert_int_equal(t.id, 100);
	*clock_set = 0;
	bed_kill(&b);
	bed_fini(&b);
}

/* regress 0403: somebody sets the clock a year ahead, and sees it. */
static void
a_year_ahead_for_a_moment(void **state)
{
	struct try_seen t;
	struct bed b;
	uint64_t id;

	(void)state;
	open_bed(&b);
	assert_int_equal(submit(&b, 100, 1, 5, 0), 0);
	want_try(&b, &t);
	id = t.id;
	*clock_set += INT64_C(365) * 86400000;
	(void)usleep(100000);
	for (int i = 0; i < 2; i++) {
		finish(&b, &t, SMTP_CLASS_LATER, 451);
		want_try(&b, &t);
		assert_int_equal(t.id, id);
		*clock_set = 0;
		(void)usleep(100000);
	}
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* ---- what may be submitted again ---- */

/* The disk has lost its content, so nobody will ever have it: a client that sends it again must not be told that we do. */
static void
damaged_may_come_again(void **state)
{
	uint8_t junk[64];
	struct try_seen t;
	struct bed b;
	int fd;

	(void)state;
	open_bed(&b);
	assert_int_equal(submit(&b, 100, 1, 150 * 1024, 0), 0);
	want_try(&b, &t);
	bed_kill(&b);
	memset(junk, 0xa5, sizeof junk);
	fd = open_log(&b);
	assert_int_equal(pwrite(fd, junk, sizeof junk, 70 * 1024), sizeof junk);
	(void)close(fd);
	bed_start(&b);
	want_try(&b, &t);
	assert_string_equal(t.from, "");
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	assert_int_equal(submit(&b, 101, 1, 150 * 1024, 0), 0);
	want_try(&b, &t);
	assert_int_equal(t.id, 101);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* The octets that make its MESSAGE, overwritten where they lie. */
static void
spoil_message(const struct bed *b)
{
	uint8_t octets[RECORD_HEADER], junk[64];
	struct record_header h = { .kind = 0 };
	int fd = open_log(b);
	off_t at = 0;

	while (pread(fd, octets, sizeof octets, at) == sizeof octets && h.kind != RECORD_MESSAGE) {
		assert_true(record_header_parse((struct span){ octets, sizeof octets }, &h));
		at += (off_t)record_octets(h.length);
	}
	assert_int_equal(h.kind, RECORD_MESSAGE);
	memset(junk, 0xa5, sizeof junk);
	assert_int_equal(pwrite(fd, junk, sizeof junk, at - (off_t)record_octets(h.length) + RECORD_HEADER), sizeof junk);
	(void)close(fd);
}

/* regress 0300: its record can be read no more. It is set aside, and keeps nobody and nothing waiting. */
static void
unreadable_is_set_aside(void **state)
{
	struct queue_which q = { 100 };
	struct queue_end end = { .fail = FAIL_LOCAL };
	struct try_seen t;
	struct bed_end c;
	char path[160];
	struct bed b;

	(void)state;
	open_bed(&b);
	bed_control(&b, &c);
	assert_int_equal(submit(&b, 100, 1, 5, 0), 0);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	(void)usleep(200000);
	spoil_message(&b);
	for (int i = 0; i < 30 && end.fail == FAIL_LOCAL; i++) {
		bed_send(&c, QUEUE_SHOW, 1, queue_which_layout, &q);
		end = want_end(&c);
		(void)usleep(100000);
	}
	assert_int_equal(end.fail, FAIL_ARGUMENT);
	(void)snprintf(path, sizeof path, "%s/spool/damaged/message-%016llx.bin", b.directory, 100ull);
	assert_int_equal(access(path, R_OK), 0);
	/* Nobody has it, so the same may come again. */
	assert_int_equal(submit(&b, 101, 1, 5, 0), 0);
	want_try(&b, &t);
	assert_int_equal(t.id, 101);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_end_close(&c);
	bed_close(&b);
}

/* The offset behind the first RESULT. */
static off_t
behind_result(int fd)
{
	uint8_t octets[RECORD_HEADER];
	struct record_header h = { .kind = 0 };
	off_t at = 0;

	while (pread(fd, octets, sizeof octets, at) == sizeof octets && h.kind != RECORD_RESULT) {
		assert_true(record_header_parse((struct span){ octets, sizeof octets }, &h));
		at += (off_t)record_octets(h.length);
	}
	assert_int_equal(h.kind, RECORD_RESULT);
	return at;
}

/* It was refused, its sender was written to; the power went before the rest of that was on the disk. */
static void
refused_before_the_power_went(void **state)
{
	struct try_seen t;
	struct bed b;
	int fd;

	(void)state;
	bed_init(&b);
	b.conf.duplicate_window = 600;
	b.conf.history = true;
	bed_start(&b);
	assert_int_equal(submit(&b, 100, 1, 5, 0), 0);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_NEVER, 550);
	want_try(&b, &t);
	assert_string_equal(t.from, "");
	(void)usleep(100000);
	bed_kill(&b);
	fd = open_log(&b);
	assert_int_equal(ftruncate(fd, behind_result(fd)), 0);
	(void)close(fd);
	bed_start(&b);
	want_try(&b, &t);
	assert_string_equal(t.from, "");
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	assert_int_equal(submit(&b, 101, 1, 5, 0), 0);
	want_try(&b, &t);
	assert_int_equal(t.id, 101);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* Taken back before its release, so that it can be sent otherwise or once more: it is not taken for what was taken back. */
static void
cancelled_may_come_again(void **state)
{
	struct queue_reschedule q = { 100, 0 };
	struct bed_end c;
	struct bed b;

	(void)state;
	open_bed(&b);
	bed_control(&b, &c);
	assert_int_equal(submit(&b, 100, 1, 5, clock_wall() + 3600000), 0);
	assert_int_equal(submit(&b, 101, 1, 5, clock_wall() + 3600000), 100);
	bed_send(&c, QUEUE_RESCHEDULE, 1, queue_reschedule_layout, &q);
	assert_int_equal(want_end(&c).fail, OK);
	bed_kill(&b);
	b.listening = false;
	bed_end_close(&c);
	bed_start(&b);
	assert_int_equal(submit(&b, 102, 1, 5, clock_wall() + 3600000), 0);
	assert_int_equal(submit(&b, 103, 1, 5, clock_wall() + 3600000), 102);
	bed_close(&b);
}

/* Who hears that it is dropped may switch the machine off: it is not sent after all. */
static void
dropped_stays_dropped(void **state)
{
	struct queue_which q = { 100 };
	struct try_seen t;
	struct bed_end c;
	struct bed b;

	(void)state;
	open_bed(&b);
	bed_control(&b, &c);
	say_message(&b, 1, 100, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	(void)usleep(100000);
	bed_send(&c, QUEUE_DROP, 1, queue_which_layout, &q);
	assert_int_equal(want_end(&c).fail, OK);
	bed_kill(&b);
	b.listening = false;
	bed_end_close(&c);
	bed_start(&b);
	nothing_comes(&b, 200);
	bed_close(&b);
}

/* What waits for the clock runs beside the rest. */
int
main(int argc, char **argv)
{
	const struct CMUnitTest clock[] = {
		cmocka_unit_test(set_back_before_its_release),
		cmocka_unit_test(set_back_after_its_release),
		cmocka_unit_test(set_between_two_looks),
		cmocka_unit_test(set_forward_while_mail_goes_on),
		cmocka_unit_test(set_back_under_a_draft),
		cmocka_unit_test(begun_in_1970),
		cmocka_unit_test(set_forward_under_a_draft),
		cmocka_unit_test(a_year_ahead_for_a_moment),
	};
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(refused_here_served_there),
		cmocka_unit_test(reported_before_the_relay_died),
		cmocka_unit_test(damaged_may_come_again),
		cmocka_unit_test(unreadable_is_set_aside),
		cmocka_unit_test(refused_before_the_power_went),
		cmocka_unit_test(cancelled_may_come_again),
		cmocka_unit_test(dropped_stays_dropped),
	};

	clock_set = mmap(NULL, sizeof *clock_set, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(clock_set != MAP_FAILED);
	if (argc == 2 && strcmp(argv[1], "clock") == 0)
		return cmocka_run_group_tests(clock, NULL, NULL);
	return cmocka_run_group_tests(rest, NULL, NULL);
}

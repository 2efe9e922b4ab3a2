/* 4_spool and the TLS reports that 5_relay wants mailed (RFC 8460 5.3). rpt-4, rpt-5 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "spool_talk.h"

static const struct relay_letter plain = { .to = SPAN_INIT("reports@one.example"), .domain = SPAN_INIT("one.example"), .day = 20779,
	.successful = 5, .failed = 1, .report = SPAN_INIT("\x1f\x8b is what gzip begins with") };

/* How much time 4_spool believes to have passed besides: shared with it, so that a day passes when the test wants it to. Both of its clocks
 * agree, or it would take it for a clock that was set. */
static volatile int64_t *ahead;

/* In place of the C library's. */
int
clock_gettime(clockid_t id, struct timespec *t)
{
	int result = (int)syscall(SYS_clock_gettime, id, t);

	if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_BOOTTIME) && ahead != NULL)
		t->tv_sec += *ahead;
	return result;
}

static void
begin(struct bed *b)
{
	struct buf why = { NULL, 0, 0 };

	bed_init(b);
	assert_true(conf_set(&b->conf, conf_find(SPAN("tls-report-contact")), SPAN("tls@sender.example"), &why));
	assert_true(conf_set(&b->conf, conf_find(SPAN("tls-report-organization")), SPAN("Sender Ltd"), &why));
}

static void
say_letter(struct bed *b, uint32_t session, const struct relay_letter *m)
{
	bed_send(&b->relay, RELAY_LETTER, session, relay_letter_layout, m);
}

static enum fail
taken(struct bed *b, uint32_t session)
{
	struct relay_letter_taken m;
	struct bed_frame f;

	bed_want(&b->relay, RELAY_LETTER_TAKEN, &f);
	assert_int_equal(f.session, session);
	assert_true(fields_parse(relay_letter_taken_layout, f.body, &m));
	return (enum fail)m.fail;
}

/* Taken means durable: a kill right behind the answer loses nothing. */
static void
taken_is_kept(void **state)
{
	static char text[8192];
	struct try_seen t;
	struct bed b;

	(void)state;
	begin(&b);
	bed_start(&b);
	say_letter(&b, 77, &plain);
	assert_int_equal(taken(&b, 77), OK);
	bed_kill(&b);
	bed_start(&b);
	want_try(&b, &t);
	assert_string_equal(t.from, "");
	assert_string_equal(t.to[0], "reports@one.example");
	assert_int_equal(t.flags, MAIL_DSN | MAIL_TLS_OPTIONAL);
	text[read_content(&t, text, sizeof text - 1)] = '\0';
	assert_non_null(strstr(text, "From: tls@sender.example\r\nTo: reports@one.example\r\nSubject: Report Domain: one.example\r\n"));
	assert_non_null(strstr(text, "TLS-Required: No\r\n"));
	assert_non_null(strstr(text, "from Sender Ltd,\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nH4sgaXMgd2hhdCBnemlwIGJlZ2lucyB3aXRo\r\n"));
	finish(&b, &t, SMTP_CLASS_NEVER, 550);
	nothing_comes(&b, 200);         /* no bounce */
	bed_close(&b);
}

static bool
is_in_the_queue(struct bed *b, uint64_t id)
{
	struct queue_which which = { .id = id };
	bool there = false;
	struct bed_frame f;
	struct bed_end c;

	bed_control(b, &c);
	bed_send(&c, QUEUE_SHOW, 1, queue_which_layout, &which);
	do {
		assert_true(bed_take(&c, &f, 5000));
		there = there || f.type == QUEUE_ENTRY;
	} while (f.type != QUEUE_END);
	bed_end_close(&c);
	return there;
}

/* rpt-4 (8460 5.5): for a day, though other mail waits longer; and nobody is told. */
static void
a_deadline_ends_it(void **state)
{
	struct try_seen t;
	struct bed b;

	(void)state;
	ahead = mmap(NULL, sizeof *ahead, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(ahead != MAP_FAILED);
	begin(&b);
	b.conf.retry_first = 600;
	bed_start(&b);
	say_letter(&b, 1, &plain);
	assert_int_equal(taken(&b, 1), OK);
	want_try(&b, &t);
	/* Before the answer: it is about the retry that follows an answer of then. */
	*ahead = 23 * 3600;
	finish(&b, &t, SMTP_CLASS_LATER, 451);
	nothing_comes(&b, 1500);
	assert_true(is_in_the_queue(&b, t.id));
	*ahead = 24 * 3600 + 60;
	for (unsigned i = 0; i < 60 && is_in_the_queue(&b, t.id); i++)
		(void)usleep(50000);
	assert_false(is_in_the_queue(&b, t.id));
	nothing_comes(&b, 200);         /* no bounce */
	bed_close(&b);
	(void)munmap((void *)(uintptr_t)ahead, sizeof *ahead);
	ahead = NULL;
}

/* Each is answered once, those for which there is no place just now too. */
static void
many_at_once(void **state)
{
	enum { MANY = 60 };
	bool seen[MANY + 1] = { false };
	unsigned answers = 0, tries = 0, good = 0;
	struct buf why = { NULL, 0, 0 };
	struct relay_letter_taken m;
	struct bed_frame f;
	struct bed b;

	(void)state;
	begin(&b);
	/* One next hop is trusted with all there is; a domain of which nothing is known would get four. */
	assert_true(conf_set(&b.conf, conf_find(SPAN("relay")), SPAN("smtp://smart.example"), &why));
	bed_start(&b);
	for (uint32_t i = 1; i <= MANY; i++)
		say_letter(&b, i, &plain);
	while ((answers < MANY || tries < good) && bed_take(&b.relay, &f, 5000)) {
		if (f.fd != -1)
			(void)close(f.fd);
		tries += f.type == RELAY_TRY;
		if (f.type != RELAY_LETTER_TAKEN)
			continue;
		assert_true(f.session >= 1 && f.session <= MANY && !seen[f.session]);
		seen[f.session] = true;
		assert_true(fields_parse(relay_letter_taken_layout, f.body, &m));
		assert_true(m.fail == OK || m.fail == FAIL_BUSY);
		answers++;
		good += m.fail == OK;
	}
	assert_int_equal(answers, MANY);
	assert_true(good >= 16 && tries == good);
	bed_kill(&b);
	bed_fini(&b);
}

static void
switched_off(void **state)
{
	struct buf why = { NULL, 0, 0 };
	struct bed b;

	(void)state;
	begin(&b);
	assert_true(conf_set(&b.conf, conf_find(SPAN("tls-reports")), SPAN("no"), &why));
	bed_start(&b);
	say_letter(&b, 1, &plain);
	assert_int_equal(taken(&b, 1), FAIL_BUSY);
	nothing_comes(&b, 200);
	bed_close(&b);
}

/* What a relay that was taken over might try: another form than that of a report is not to be had. */
static void
letters_that_are_none(void **state)
{
	static const char *const to[] = { "", "nobody", "a@b.example\r\nBcc: c@d.example", "<a@b.example>", "\xc3\xa4@b.example" };
	static const char *const domains[] = { "", "one.example\r\nX: y", "one example", "\"one.example" };
	struct bed_frame f;
	struct try_seen t;
	struct bed b;

	(void)state;
	begin(&b);
	bed_start(&b);
	for (unsigned i = 0; i < 12; i++) {
		struct relay_letter bad = plain;

		if (i < 5)
			bad.to = span_of(to[i]);
		else if (i < 9)
			bad.domain = span_of(domains[i - 5]);
		else if (i == 9)
			bad.report = SPAN("");
		else if (i == 10)
			bad.day = UINT32_MAX;
		if (i < 11)
			say_letter(&b, 1, &bad);
		else
			bed_send_octets(&b.relay, RELAY_LETTER, 1, SPAN("hello"));
		assert_true(bed_is_closed(&b.relay, 2000));
		bed_want(&b.master, CHILD_PEER_BROKEN, &f);
		bed_new_relay(&b);
		say_letter(&b, 1, &plain);
		assert_int_equal(taken(&b, 1), OK);
		want_try(&b, &t);
		finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	}
	bed_close(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_is_kept), cmocka_unit_test(a_deadline_ends_it), cmocka_unit_test(many_at_once), cmocka_unit_test(switched_off),
		cmocka_unit_test(letters_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

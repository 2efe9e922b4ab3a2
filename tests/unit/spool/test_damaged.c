/* proc/4_spool: mail that the disk has lost is returned to its sender. 3461-7 3461-9 3464-1 5321-55; regress 0400 */
#include "spool_talk.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "queue/record.h"

enum { BIG = 150 * 1024, LOG_ROOM = 65536 };

static const char header[] = "From: a@example.org\r\nSubject: the one that was lost\r\n\r\n";

/* Big enough to lie in chunks, behind a header section of its own. */
static void
submit(struct bed *b, uint64_t id, const char *from, const char *to, uint32_t notify)
{
	static uint8_t content[BIG];
	struct spool_mail m = mail(id, from);
	struct spool_commit c = { .size = BIG };
	struct span rest = span_of(to);

	memset(content, 'x', sizeof content);
	memcpy(content, header, sizeof header - 1);
	m.ret = SMTP_RET_FULL;
	bed_send(&b->front, SPOOL_MAIL, 1, spool_mail_layout, &m);
	while (rest.len > 0) {
		struct spool_rcpt r = { .number = c.rcpts++, .path = span_take_until(&rest, ','), .notify = notify };

		(void)span_take_byte(&rest, ',');
		bed_send(&b->front, SPOOL_RCPT, 1, spool_rcpt_layout, &r);
	}
	for (size_t at = 0; at < BIG; at += BIG / 3)
		bed_send_octets(&b->front, SPOOL_BODY, 1, (struct span){ content + at, BIG / 3 });
	bed_send(&b->front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
	assert_int_equal(answer(b, 1), OK);
}

static void
path_of(const struct bed *b, unsigned segment, char path[160])
{
	(void)snprintf(path, 160, "%s/spool/%016x.log", b->directory, segment);
}

/* Octets of the first segment turned into others. */
static void
spoil(const struct bed *b, off_t at)
{
	uint8_t junk[64];
	char path[160];
	int fd;

	memset(junk, 0xa5, sizeof junk);
	path_of(b, 1, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
	(void)close(fd);
}

/* The next thing tried is a notice to a@example.org; what stands in it. */
static void
want_notice(struct bed *b, struct try_seen *t, char *text, size_t max)
{
	size_t n;

	want_try(b, t);
	assert_string_equal(t->from, "");
	assert_string_equal(t->to[0], "a@example.org");
	assert_true(t->flags & MAIL_DSN);
	n = read_content(t, text, max - 1);
	text[n] = '\0';
}

static void
stop_and_spoil(struct bed *b, off_t at)
{
	(void)usleep(100000);
	bed_kill(b);
	spoil(b, at);
	bed_start(b);
}

/* Content is damaged behind the header section: its sender gets that back, with the reason, and nobody is told twice. */
static void
content_is_damaged(void **state)
{
	static char text[LOG_ROOM];
	struct try_seen t;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.retry_first = 3600;
	bed_start(&b);
	submit(&b, 100, "a@example.org", "x@example.net,y@example.net", 0);
	want_try(&b, &t);
	stop_and_spoil(&b, 120 * 1024);
	want_notice(&b, &t, text, sizeof text);
	assert_non_null(strstr(text, "Action: failed"));
	assert_non_null(strstr(text, "Status: 5.3.0"));
	assert_non_null(strstr(text, "x@example.net"));
	assert_non_null(strstr(text, "y@example.net"));
	assert_non_null(strstr(text, "damaged"));
	assert_non_null(strstr(text, "send it again"));
	assert_non_null(strstr(text, "Subject: the one that was lost"));
	assert_null(strstr(text, "xxxx"));
	nothing_comes(&b, 300);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	assert_int_equal(bed_drain(&b), 0);
	bed_start(&b);
	nothing_comes(&b, 300);
	bed_close(&b);
}

/* The damage begins in the header section: what can be read of it comes back, and nothing of what cannot. */
static void
header_is_damaged(void **state)
{
	static char text[LOG_ROOM];
	struct try_seen t;
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	submit(&b, 100, "a@example.org", "x@example.net", 0);
	want_try(&b, &t);
	/* The segment's first record takes less than the chunk's head: this is in the chunk. */
	stop_and_spoil(&b, 160);
	want_notice(&b, &t, text, sizeof text);
	assert_non_null(strstr(text, "Status: 5.3.0"));
	assert_null(strstr(text, "\xa5"));
	assert_null(strstr(text, "\r\nSubject: the one"));
	bed_kill(&b);
	bed_fini(&b);
}

/* Whoever has it already is not named; who does not want to hear of failures does not, nor does nobody. */
static void
only_who_wants_to_hear(void **state)
{
	static char text[LOG_ROOM];
	struct try_seen t;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.retry_first = 3600;
	bed_start(&b);
	submit(&b, 100, "a@example.org", "x@example.net,y@example.net", 0);
	want_try(&b, &t);
	say_result(&b, &t, 0, SMTP_CLASS_DELIVERED, 250);
	say_result(&b, &t, 1, SMTP_CLASS_LATER, 451);
	say_done(&b, &t);
	stop_and_spoil(&b, 120 * 1024);
	want_notice(&b, &t, text, sizeof text);
	assert_null(strstr(text, "x@example.net"));
	assert_non_null(strstr(text, "y@example.net"));
	bed_kill(&b);
	bed_fini(&b);

	for (int i = 0; i < 2; i++) {
		bed_init(&b);
		bed_start(&b);
		submit(&b, 100, i == 0 ? "a@example.org" : "", "x@example.net", i == 0 ? SMTP_NOTIFY_NEVER : 0);
		want_try(&b, &t);
		stop_and_spoil(&b, 120 * 1024);
		nothing_comes(&b, 300);
		bed_close(&b);
	}
}

/* More recipients than stand in one notice; and a kill as soon as it goes out makes no second one of any. */
static void
told_once_over_a_kill(void **state)
{
	static char text[LOG_ROOM], to[250 * 24];
	uint64_t seen[3];
	struct try_seen t;
	struct bed b;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 250; i++)
		n += (size_t)snprintf(to + n, sizeof to - n, "%sr%u@example.net", i > 0 ? "," : "", i);
	bed_init(&b);
	bed_start(&b);
	submit(&b, 100, "a@example.org", to, 0);
	want_try(&b, &t);
	stop_and_spoil(&b, 120 * 1024);
	for (int life = 0; life < 2; life++) {
		for (unsigned i = 0; i < 3; i++) {
			want_notice(&b, &t, text, sizeof text);
			if (life == 0)
				seen[i] = t.id;
			else
				assert_true(t.id == seen[0] || t.id == seen[1] || t.id == seen[2]);
		}
		nothing_comes(&b, 100);
		bed_kill(&b);
		bed_start(&b);
	}
	bed_kill(&b);
	bed_fini(&b);
}

/* It lay in chunks in a segment that is not there any more. */
static void
segment_has_vanished(void **state)
{
	static char text[LOG_ROOM];
	char path[160];
	struct try_seen t;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.segment_size = 64 * 1024;
	b.conf.retry_first = 3600;
	bed_start(&b);
	submit(&b, 100, "a@example.org", "x@example.net", 0);
	want_try(&b, &t);
	(void)usleep(100000);
	bed_kill(&b);
	path_of(&b, 1, path);
	assert_int_equal(unlink(path), 0);
	bed_start(&b);
	want_notice(&b, &t, text, sizeof text);
	assert_non_null(strstr(text, "Status: 5.3.0"));
	bed_kill(&b);
	bed_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_is_damaged),
		cmocka_unit_test(header_is_damaged),
		cmocka_unit_test(only_who_wants_to_hear),
		cmocka_unit_test(told_once_over_a_kill),
		cmocka_unit_test(segment_has_vanished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a conversation cannot say: memory, time, buffers, and the end from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/server_room.h"

struct driven {
	struct smtp_server_conf conf;
	struct smtp_server s;
	struct smtp_io io;
	struct smtp_mail mail;
	uint8_t out[2 * SMTP_REPLY_ROOM], content[SMTP_CONTENT_ROOM];
	enum smtp_want want;
};

static uint64_t
now(void *arg)
{
	(void)arg;
	return UINT64_C(1795341600000);
}

static void
random_octets(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	memset(p, 1, n);
}

static void
begin(struct driven *d)
{
	struct smtp_session_facts facts = { .peer = SPAN("[192.0.2.7]"), .cipher = SPAN("TLS_AES_128_GCM_SHA256"), .tls = true };

	memset(d, 0, sizeof *d);
	d->conf = (struct smtp_server_conf){
		.hostname = SPAN("mail.example.org"), .size_max = 100000, .rcpt_max = 100, .mechanisms = SMTP_AUTH_PLAIN,
		.env = { now, random_octets, NULL },
	};
	d->io = (struct smtp_io){ BUF_OVER(d->out), BUF_OVER(d->content) };
	d->want = smtp_server_begin(&d->s, &d->conf, &d->io, facts);
	assert_int_equal(d->want, SMTP_WANT_INPUT);
	d->io.out.len = 0;
}

/* Feed all of text and stop at the first want that is not INPUT; how much was used. */
static size_t
feed(struct driven *d, struct span text)
{
	size_t used = 0;

	assert_int_equal(d->want, SMTP_WANT_INPUT);
	d->want = smtp_server_feed(&d->s, text, &used);
	smtp_server_check(&d->s);
	return used;
}

static void
answer(struct driven *d, enum smtp_ask_kind kind, enum fail f)
{
	struct smtp_answer a = { .verdict = { f, { NULL, 0 } }, .auth = SMTP_AUTH_DONE, .queue_id = 7 };

	assert_int_equal(d->want, SMTP_WANT_VERDICT);
	assert_int_equal(d->s.ask.kind, kind);
	d->want = smtp_server_answer(&d->s, &a);
	smtp_server_check(&d->s);
}

static void
log_in(struct driven *d)
{
	feed(d, SPAN("EHLO laptop\r\n"));
	feed(d, SPAN("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"));
	answer(d, SMTP_ASK_AUTH_START, OK);
	d->io.out.len = 0;
}

static void
mail(struct driven *d)
{
	feed(d, SPAN("MAIL FROM:<alice@example.org>\r\n"));
	if (d->want == SMTP_WANT_MEMORY)
		d->want = smtp_server_lend(&d->s, &d->mail);
	answer(d, SMTP_ASK_SENDER, OK);
}

static void
rcpt(struct driven *d)
{
	feed(d, SPAN("RCPT TO:<bob@example.net>\r\n"));
	answer(d, SMTP_ASK_RCPT, OK);
}

static void
data(struct driven *d)
{
	feed(d, SPAN("DATA\r\n"));
	answer(d, SMTP_ASK_DATA, OK);
	d->io.out.len = 0;
}

static bool
says(const struct driven *d, const char *start)
{
	size_t n = strlen(start);

	return d->io.out.len >= n && memcmp(d->io.out.p, start, n) == 0;
}

/* The memory is lent at MAIL and comes back when the transaction is over, not before. */
static void
test_memory(void **state)
{
	static struct driven d;

	(void)state;
	begin(&d);
	log_in(&d);
	feed(&d, SPAN("MAIL FROM:<alice@example.org>\r\n"));
	assert_int_equal(d.want, SMTP_WANT_MEMORY);
	assert_null(smtp_server_reclaim(&d.s));
	d.want = smtp_server_lend(&d.s, &d.mail);
	assert_null(smtp_server_reclaim(&d.s));
	answer(&d, SMTP_ASK_SENDER, OK);
	assert_null(smtp_server_reclaim(&d.s));
	rcpt(&d);
	data(&d);
	feed(&d, SPAN("From: alice@example.org\r\n\r\nx\r\n.\r\n"));
	assert_int_equal(d.want, SMTP_WANT_STORE);
	d.want = smtp_server_go_on(&d.s);
	assert_int_equal(d.io.content.len, 0);
	assert_null(smtp_server_reclaim(&d.s));
	assert_int_equal(d.mail.size, 25 + 2 + 3);       /* 1870-2 */
	answer(&d, SMTP_ASK_COMMIT, OK);
	assert_true(says(&d, "250 2.0.0 000000000007\r\n"));
	assert_ptr_equal(smtp_server_reclaim(&d.s), &d.mail);
	assert_null(smtp_server_reclaim(&d.s));
}

/* A refused MAIL gives the memory back; a driver that does not take it is not asked again. */
static void
test_memory_after_refusal(void **state)
{
	static struct driven d;

	(void)state;
	begin(&d);
	log_in(&d);
	feed(&d, SPAN("MAIL FROM:<alice@example.org>\r\n"));
	d.want = smtp_server_lend(&d.s, &d.mail);
	answer(&d, SMTP_ASK_SENDER, FAIL_SENDER_DENIED);
	assert_true(says(&d, "550 5.7.1 "));
	mail(&d);                               /* not reclaimed in between: no MEMORY */
	feed(&d, SPAN("RSET\r\n"));
	answer(&d, SMTP_ASK_ABORT, OK);
	assert_ptr_equal(smtp_server_reclaim(&d.s), &d.mail);
}

/* Secrets are pointed to, never kept (4954): nothing points at them after the answer. */
static void
test_secret_is_forgotten(void **state)
{
	static struct driven d;
	static const uint8_t line[] = "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";

	(void)state;
	begin(&d);
	feed(&d, SPAN("EHLO laptop\r\n"));
	feed(&d, (struct span){ line, sizeof line - 1 });
	assert_ptr_equal(d.s.ask.octets.p, line + sizeof "AUTH PLAIN " - 1);
	assert_int_equal(d.s.ask.octets.len, sizeof "AGFsaWNlAHNlY3JldA==" - 1);
	answer(&d, SMTP_ASK_AUTH_START, OK);
	assert_null(d.s.ask.octets.p);
}

/* 5321-25, F1: time-out and shutdown say 421 first, wherever the session is. */
static void
test_end(void **state)
{
	static struct driven d;

	(void)state;
	begin(&d);
	assert_int_equal(smtp_server_end(&d.s, FAIL_TIMEOUT), SMTP_WANT_CLOSE);
	assert_true(says(&d, "421 4.4.2 "));
	smtp_server_check(&d.s);
	begin(&d);
	log_in(&d);
	mail(&d);
	rcpt(&d);
	data(&d);
	feed(&d, SPAN("From: alice@example.org\r\n\r\nx"));
	assert_int_equal(smtp_server_end(&d.s, FAIL_SHUTDOWN), SMTP_WANT_CLOSE);
	assert_true(says(&d, "421 4.3.2 "));
	smtp_server_check(&d.s);
	assert_ptr_equal(smtp_server_reclaim(&d.s), &d.mail);
	/* Twice says it once. */
	d.io.out.len = 0;
	assert_int_equal(smtp_server_end(&d.s, FAIL_SHUTDOWN), SMTP_WANT_CLOSE);
	assert_int_equal(d.io.out.len, 0);
}

/* The end may come while an answer is awaited, and when io->out is full. */
static void
test_end_while_asking(void **state)
{
	static struct driven d;

	(void)state;
	begin(&d);
	feed(&d, SPAN("EHLO laptop\r\n"));
	feed(&d, SPAN("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"));
	d.io.out.len = d.io.out.max - 10;
	assert_int_equal(smtp_server_end(&d.s, FAIL_TIMEOUT), SMTP_WANT_CLOSE);
	assert_int_equal(d.io.out.len, d.io.out.max - 10);
	smtp_server_check(&d.s);
}

/* 2920-2: without room for a reply nothing is used; with it the talk goes on. */
static void
test_flush(void **state)
{
	static struct driven d;

	(void)state;
	begin(&d);
	d.io.out.len = d.io.out.max - SMTP_REPLY_ROOM + 1;
	assert_int_equal(feed(&d, SPAN("NOOP\r\n")), 0);
	assert_int_equal(d.want, SMTP_WANT_FLUSH);
	d.io.out.len = 0;
	d.want = smtp_server_go_on(&d.s);
	assert_int_equal(feed(&d, SPAN("NOOP\r\n")), 6);
	assert_true(says(&d, "250 2.0.0 "));
}

/* 3207-7: nothing behind STARTTLS is used, and the name of before is forgotten. */
static void
test_starttls(void **state)
{
	static struct driven d;
	struct smtp_session_facts facts = { .peer = SPAN("[192.0.2.7]"), .starttls = true };

	(void)state;
	begin(&d);
	d.want = smtp_server_begin(&d.s, &d.conf, &d.io, facts);
	feed(&d, SPAN("EHLO laptop\r\n"));
	d.io.out.len = 0;
	assert_int_equal(feed(&d, SPAN("STARTTLS\r\nEHLO injected\r\n")), 10);
	assert_int_equal(d.want, SMTP_WANT_STARTTLS);
	facts.tls = true;
	facts.starttls = false;
	d.want = smtp_server_secured(&d.s, facts);
	smtp_server_check(&d.s);
	assert_int_equal(d.s.state, SMTP_OPENED);
	assert_int_equal(d.s.helo_len, 0);
	assert_int_equal(d.want, SMTP_WANT_INPUT);
}

/* 3030-8: a chunk of many gigabytes costs no memory, and its reply comes behind its last octet. */
static void
test_huge_chunk(void **state)
{
	static struct driven d;
	static uint8_t block[1 << 16];
	uint64_t left = UINT64_C(5) << 30;

	(void)state;
	begin(&d);
	d.conf.size_max = UINT64_C(2) << 30;    /* four times that much may be refused */
	log_in(&d);
	feed(&d, SPAN("BDAT 5368709120 LAST\r\n"));
	assert_int_equal(d.io.out.len, 0);
	for (; left > sizeof block; left -= sizeof block)
		assert_int_equal(feed(&d, (struct span){ block, sizeof block }), sizeof block);
	assert_int_equal(d.io.out.len, 0);
	assert_int_equal(feed(&d, (struct span){ block, sizeof block }), sizeof block);
	assert_true(says(&d, "503 5.5.1 "));
}

/* 9422-2: a list that is far too long gets its 452s, but not for ever. */
static void
test_overshoot(void **state)
{
	static struct driven d;

	(void)state;
	begin(&d);
	log_in(&d);
	mail(&d);
	for (uint32_t i = 0; i < d.conf.rcpt_max; i++) {
		d.io.out.len = 0;
		rcpt(&d);
	}
	for (unsigned i = 0; i < SMTP_OVERSHOOT_MAX; i++) {
		d.io.out.len = 0;
		feed(&d, SPAN("RCPT TO:<bob@example.net>\r\n"));
		assert_true(says(&d, "452 4.5.3 "));
	}
	d.io.out.len = 0;
	feed(&d, SPAN("RCPT TO:<bob@example.net>\r\n"));
	assert_true(says(&d, "421 4.7.0 "));
	answer(&d, SMTP_ASK_ABORT, OK);
	assert_int_equal(d.want, SMTP_WANT_CLOSE);
}

/* However it is cut into pieces, the same octet is the last one that is read without authentication. */
static void
test_heard(void **state)
{
	static struct driven d;
	static uint8_t line[SMTP_HEARD_MAX + 100];
	static const size_t pieces[] = { 1, 7, 4096, 16384, sizeof line };

	(void)state;
	memset(line, 'x', sizeof line);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		size_t at = 0, begun = 0;

		begin(&d);
		/* As a driver does it: what was not used is given again, with more behind it. */
		for (size_t end = 0; d.want == SMTP_WANT_INPUT && end < sizeof line; begun++) {
			end = end + pieces[i] < sizeof line ? end + pieces[i] : sizeof line;
			at += feed(&d, (struct span){ line + at, end - at });
		}
		assert_int_equal(d.want, SMTP_WANT_CLOSE);
		assert_int_equal(at, SMTP_HEARD_MAX);
		assert_true(says(&d, "421 4.7.0 "));
		assert_true(begun >= SMTP_HEARD_MAX / pieces[i]);
	}
}

/* Words of a verdict: control octets and octets above 127 do not go out, a long text is cut (5321-28, F3). */
static void
test_words(void **state)
{
	static struct driven d;
	static uint8_t words[2000];
	struct smtp_answer a = { .verdict = { FAIL_SENDER_DENIED, { words, sizeof words } } };

	(void)state;
	memset(words, 'w', sizeof words);
	memcpy(words, "a\r\n250 b\xc3\xa9\x7f", 11);
	begin(&d);
	log_in(&d);
	feed(&d, SPAN("MAIL FROM:<alice@example.org>\r\n"));
	d.want = smtp_server_lend(&d.s, &d.mail);
	d.want = smtp_server_answer(&d.s, &a);
	assert_true(says(&d, "550 5.7.1 a??250 b???w"));
	assert_true(d.io.out.len <= 512);
	assert_memory_equal(d.io.out.p + d.io.out.len - 3, "w\r\n", 3);
	assert_null(memchr(d.io.out.p, '\r', d.io.out.len - 2));
}

/* An idle session is small: what a transaction needs is lent (the 24 KiB for everything). */
static void
test_sizes(void **state)
{
	(void)state;
	assert_true(sizeof(struct smtp_server) <= 1024);
	assert_true(sizeof(struct smtp_mail) <= 4096);
}

/* 5321-1: the scan finds what a plain one finds, wherever it stands. */
static void
test_plain_length(void **state)
{
	static const uint8_t special[] = { '\r', '\n', 0 };
	uint8_t text[40];

	(void)state;
	for (size_t len = 0; len < sizeof text; len++)
		for (size_t at = 0; at <= len; at++)
			for (size_t k = 0; k < sizeof special; k++) {
				uint64_t seen = 0;

				memset(text, '\t', sizeof text);
				if (at < len)
					text[at] = special[k];
				assert_int_equal(plain_length((struct span){ text, len }, &seen), at);
				assert_int_equal(seen & UINT64_C(0x8080808080808080), 0);
				if (at == 0)
					continue;
				text[at - 1] = 0x80;
				assert_int_equal(plain_length((struct span){ text, len }, &seen), at);
				assert_int_not_equal(seen & UINT64_C(0x8080808080808080), 0);
			}
}

/* What a milter may have us say; RFC 3463 2, RFC 2034 4. */
static void
test_refusals_of_others(void **state)
{
	static const struct { uint32_t code; const char *enhanced; bool valid; } rows[] = {
		{ 550, "5.7.1", true }, { 451, "4.7.1", true }, { 559, "5.999.999", true }, { 400, "4.0.0", true },
		{ 550, "4.7.1", false }, { 451, "5.7.1", false }, { 421, "4.7.1", false }, { 250, "2.0.0", false }, { 354, "3.0.0", false },
		{ 560, "5.7.1", false }, { 550, "", false }, { 550, "5", false }, { 550, "5.7", false }, { 550, "5.7.", false },
		{ 550, "5.7.1.1", false }, { 550, "5.7.1 ", false }, { 550, "5.7.1\r\n250", false }, { 550, "5.7.1234567890", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(smtp_refusal_valid(rows[i].code, span_of(rows[i].enhanced)), rows[i].valid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_after_refusal),
		cmocka_unit_test(test_secret_is_forgotten),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_end_while_asking),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_huge_chunk),
		cmocka_unit_test(test_overshoot),
		cmocka_unit_test(test_heard),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_plain_length),
		cmocka_unit_test(test_refusals_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The client engine against a peer that is a text. Each case runs in pieces of every small size and whole: same talk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client_talk.h"

#define HELLO "220 mx.example.net ESMTP\r\n"
#define EHLO_ALL "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n" \
	"250 ENHANCEDSTATUSCODES\r\n"
#define EHLO_BARE "250 mx.example.net\r\n"
#define SAID_EHLO "EHLO client.example.org\r\n"
#define BYE "221 2.0.0 bye\r\n"

static struct client_talk talk;

static const struct client_talk_mail one = {
	.mail = { .reverse_path = SPAN_INIT("a@example.org"), .size = 11, .rcpts = 1 }, .content = SPAN_INIT("a: b\r\n\r\nc\r\n"),
};
static const struct client_talk_mail three = {
	.mail = { .reverse_path = SPAN_INIT("a@example.org"), .rcpts = 3 }, .content = SPAN_INIT("a: b\r\n\r\nc\r\n"),
};

static void
quiet(struct client_talk *t, const struct client_talk_mail *mails, size_t n)
{
	talk_init(t);
	t->mails = mails;
	t->mail_count = n;
}

static void
assert_text(const struct buf *b, const char *expected)
{
	static char text[TALK_SENT + 1];

	memcpy(text, b->p, b->len);
	text[b->len] = '\0';
	assert_string_equal(text, expected);
}

/* Run in pieces of 1 to 7 octets and whole; every time it must be this. conf is what the caller has set in talk. */
static void
expect(const char *replies, const char *sent, const char *told)
{
	static const size_t splits[] = { 1, 2, 3, 5, 7, 64, 1 << 20 };

	for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
		talk.sent.len = talk.told.len = talk.mail_at = talk.content_at = 0;
		assert_true(talk_run(&talk, span_of(replies), splits[i]));
		assert_text(&talk.sent, sent);
		assert_text(&talk.told, told);
	}
}

/* 5321-26, 5321-27, 2920-4: a group, DATA last in it, QUIT answered. */
static void
test_pipelined(void **state)
{
	(void)state;
	quiet(&talk, &one, 1);
	expect(HELLO EHLO_ALL "250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n250 2.0.0 queued as x\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@example.org> SIZE=11\r\nRCPT TO:<r0@example.org>\r\nDATA\r\na: b\r\n\r\nc\r\n.\r\nQUIT\r\n",
	    "0 CONTENT DELIVERED 250 2.0.0 dsn 2.0.0 queued as x\n");
	assert_int_equal(talk.c.transactions, 1);
}

/* 5321-17: nothing that was not offered; 5321-29: "250" alone, multi-line replies, codes by their first digit. */
static void
test_bare_peer(void **state)
{
	static const struct client_talk_mail mail = {
		.mail = { .reverse_path = SPAN_INIT(""), .size = 11, .rcpts = 2, .ret = SMTP_RET_FULL, .envid = SPAN_INIT("id") },
		.rcpt = { .notify = SMTP_NOTIFY_FAILURE, .orcpt = SPAN_INIT("rfc822;x@y") },
		.content = SPAN_INIT("x"),
	};

	(void)state;
	quiet(&talk, &mail, 1);
	expect("220\r\n" EHLO_BARE "250\r\n250-one\r\n250\r\n299 strange\r\n389 hm\r\n233-a\r\n233-\tb\r\n233 c\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
	    "0 CONTENT DELIVERED 233 2.0.0 a / ?b / c\n1 CONTENT DELIVERED 233 2.0.0 a / ?b / c\n");
}

/* 3461-5, 6531-3, 6152-2: all parameters to a peer that offers them. */
static void
test_parameters(void **state)
{
	static const struct client_talk_mail mail = {
		.mail = { .reverse_path = SPAN_INIT("a@example.org"), .size = 11, .rcpts = 1, .eightbit = true, .utf8 = true,
			.ret = SMTP_RET_HDRS, .envid = SPAN_INIT("id+2B") },
		.rcpt = { .notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY, .orcpt = SPAN_INIT("rfc822;x@y") },
	};

	(void)state;
	quiet(&talk, &mail, 1);
	expect(HELLO EHLO_ALL "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@example.org> SIZE=11 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+2B\r\n"
	    "RCPT TO:<r0@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y\r\nDATA\r\n.\r\nQUIT\r\n",
	    "0 CONTENT DELIVERED 250 2.0.0 dsn ok\n");
}

/* One recipient refused for ever, one for now, one taken. */
static void
test_mixed_recipients(void **state)
{
	(void)state;
	quiet(&talk, &three, 1);
	expect(HELLO EHLO_ALL "250 ok\r\n550 5.1.1 nobody\r\n250 ok\r\n452 4.5.3 many\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nRCPT TO:<r2@example.org>\r\n"
	    "DATA\r\na: b\r\n\r\nc\r\n.\r\nQUIT\r\n",
	    "0 RCPT NEVER 550 5.1.1 5.1.1 nobody\n2 RCPT LATER 452 4.5.3 4.5.3 many\n1 CONTENT DELIVERED 250 2.0.0 dsn yes\n");
}

/* 5321-73: 552 behind an accepted recipient is 452, unless it says that the mailbox is full. */
static void
test_552(void **state)
{
	(void)state;
	quiet(&talk, &three, 1);
	expect(HELLO EHLO_ALL "250 ok\r\n250 ok\r\n552 5.5.3 many\r\n552 5.2.2 full\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nRCPT TO:<r2@example.org>\r\n"
	    "DATA\r\na: b\r\n\r\nc\r\n.\r\nQUIT\r\n",
	    "1 RCPT LATER 552 4.5.3 5.5.3 many\n2 RCPT NEVER 552 5.2.2 5.2.2 full\n0 CONTENT DELIVERED 250 2.0.0 dsn yes\n");
}

/* 2920-5: nobody accepted, but 354: a lone dot, whose reply means nothing; the session goes on. */
static void
test_lone_dot(void **state)
{
	static const struct client_talk_mail mails[2] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@example.org"), .rcpts = 1 }, .content = SPAN_INIT("secret\r\n") },
		{ .mail = { .reverse_path = SPAN_INIT("b@example.org"), .rcpts = 1 }, .content = SPAN_INIT("x\r\n") },
	};

	(void)state;
	quiet(&talk, mails, 2);
	expect(HELLO EHLO_ALL "250 ok\r\n550 no\r\n354 go\r\n554 nobody\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n.\r\n"
	    "MAIL FROM:<b@example.org>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
	    "0 RCPT NEVER 550 5.0.0 no\n0 CONTENT DELIVERED 250 2.0.0 dsn yes\n");
}

/* A refused DATA leaves the transaction open: RSET goes before the next MAIL, in the same group. */
static void
test_reset(void **state)
{
	static const struct client_talk_mail mails[2] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@example.org"), .rcpts = 1 } },
		{ .mail = { .reverse_path = SPAN_INIT("b@example.org"), .rcpts = 1 } },
	};

	(void)state;
	quiet(&talk, mails, 2);
	expect(HELLO EHLO_ALL "250 ok\r\n250 ok\r\n451 4.3.0 not now\r\n250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n"
	    "RSET\r\nMAIL FROM:<b@example.org>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n.\r\nQUIT\r\n",
	    "0 DATA LATER 451 4.3.0 4.3.0 not now\n0 CONTENT DELIVERED 250 2.0.0 dsn yes\n");
	/* without PIPELINING nobody accepted means no DATA at all */
	expect(HELLO EHLO_BARE "250 ok\r\n550 no\r\n250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\n"
	    "RSET\r\nMAIL FROM:<b@example.org>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n.\r\nQUIT\r\n",
	    "0 RCPT NEVER 550 5.0.0 no\n0 CONTENT DELIVERED 250 2.0.0 yes\n");
}

/* MAIL refused: everybody hears that, and the answers to what was pipelined behind it are not taken for news. */
static void
test_mail_refused(void **state)
{
	(void)state;
	quiet(&talk, &three, 1);
	expect(HELLO EHLO_ALL "550 5.7.1 not you\r\n503 a\r\n503 b\r\n250 c\r\n354 go\r\n250 empty\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nRCPT TO:<r2@example.org>\r\n"
	    "DATA\r\n.\r\nQUIT\r\n",
	    "0 MAIL NEVER 550 5.7.1 5.7.1 not you\n1 MAIL NEVER 550 5.7.1 5.7.1 not you\n2 MAIL NEVER 550 5.7.1 5.7.1 not you\n");
	expect(HELLO EHLO_BARE "451 later\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@example.org>\r\nQUIT\r\n",
	    "0 MAIL LATER 451 4.0.0 later\n1 MAIL LATER 451 4.0.0 later\n2 MAIL LATER 451 4.0.0 later\n");
}

/* 5321-26: lost before the final reply is 451; a recipient that was refused stays refused. */
static void
test_lost(void **state)
{
	(void)state;
	quiet(&talk, &three, 1);
	expect(HELLO EHLO_ALL "250 ok\r\n550 no\r\n250 ok\r\n250 ok\r\n354 go\r\n25",
	    SAID_EHLO "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nRCPT TO:<r2@example.org>\r\n"
	    "DATA\r\na: b\r\n\r\nc\r\n.\r\n",
	    "0 RCPT NEVER 550 5.0.0 no\n1 CONTENT LATER 0 4.4.2 gone\n2 CONTENT LATER 0 4.4.2 gone\n");
	expect("22", "", "-1 GREETING LATER 0 4.4.2 gone\n");
	quiet(&talk, NULL, 0);
	expect(HELLO EHLO_ALL, SAID_EHLO "QUIT\r\n", "");
}

/* 0292: while the end of the content waits in our buffer no reply can be about the whole of it, and then it must not be sent any more. */
static void
test_a_verdict_before_the_end(void **state)
{
	static const struct { const char *said; enum smtp_class class; uint16_t code; } rows[] = {
		{ "250 2.0.0 taken\r\n", SMTP_CLASS_LATER, 0 }, { "452 4.3.1 full\r\n", SMTP_CLASS_LATER, 452 },
		{ "552 5.3.4 too big\r\n", SMTP_CLASS_NEVER, 552 },
	};
	static const char *const before[] = { HELLO, EHLO_BARE, "250 ok\r\n", "250 ok\r\n", "354 go\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum smtp_client_want want;
		size_t used;

		quiet(&talk, &one, 1);
		talk.io.out = (struct buf){ talk.out, 0, talk.out_max };
		want = smtp_client_begin(&talk.c, &talk.conf, &talk.io);
		for (size_t at = 0; at < sizeof before / sizeof before[0]; at++) {
			talk_flush(&talk);
			want = smtp_client_feed(&talk.c, span_of(before[at]), &used);
			if (want == SMTP_CLIENT_READY)
				want = talk_next(&talk);
			if (want == SMTP_CLIENT_RCPT)
				want = talk_rcpt(&talk);
		}
		assert_int_equal(want, SMTP_CLIENT_CONTENT);
		talk_flush(&talk);
		assert_int_equal(talk_content(&talk), SMTP_CLIENT_INPUT);
		assert_true(talk.io.out.len > 0);
		assert_int_equal(smtp_client_feed(&talk.c, span_of(rows[i].said), &used), SMTP_CLIENT_OUTCOME);
		assert_int_equal(talk.c.outcome.class, rows[i].class);
		assert_int_equal(talk.c.outcome.code, rows[i].code);
		assert_int_equal(smtp_client_go_on(&talk.c), SMTP_CLIENT_CLOSE);
		assert_int_equal(talk.io.out.len, 0);
	}
}

/* 421 anywhere ends everything, and nothing more is said. */
static void
test_421(void **state)
{
	(void)state;
	quiet(&talk, &three, 1);
	expect("421 busy\r\n", "", "-1 GREETING LATER 421 4.0.0 busy\n");
	expect(HELLO "421 busy\r\n", SAID_EHLO, "-1 EHLO LATER 421 4.0.0 busy\n");
	expect(HELLO EHLO_ALL "250 ok\r\n550 no\r\n421 4.3.2 stop\r\n",
	    SAID_EHLO "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nRCPT TO:<r2@example.org>\r\nDATA\r\n",
	    "0 RCPT NEVER 550 5.0.0 no\n1 RCPT LATER 421 4.3.2 4.3.2 stop\n2 RCPT LATER 421 4.3.2 4.3.2 stop\n");
	quiet(&talk, &one, 1);
	expect(HELLO EHLO_ALL "250 ok\r\n250 ok\r\n354 go\r\n421 4.3.2 stop\r\n",
	    SAID_EHLO "MAIL FROM:<a@example.org> SIZE=11\r\nRCPT TO:<r0@example.org>\r\nDATA\r\na: b\r\n\r\nc\r\n.\r\n",
	    "0 CONTENT LATER 421 4.3.2 4.3.2 stop\n");
}

/* A greeting or EHLO that is refused for good. */
static void
test_refused_session(void **state)
{
	(void)state;
	quiet(&talk, &one, 1);
	expect("554 5.7.1 go away\r\n", "QUIT\r\n", "-1 GREETING NEVER 554 5.7.1 5.7.1 go away\n");
	expect(HELLO "550 no\r\n", SAID_EHLO "QUIT\r\n", "-1 EHLO NEVER 550 5.0.0 no\n");
}

/* 5321-8: HELO when EHLO is not known, and then no parameters. */
static void
test_helo(void **state)
{
	(void)state;
	quiet(&talk, &one, 1);
	talk.conf.tls = SMTP_TLS_MAY;
	talk.conf.helo_fallback = true;
	expect(HELLO "502 what\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "HELO client.example.org\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n"
	    "a: b\r\n\r\nc\r\n.\r\nQUIT\r\n", "0 CONTENT DELIVERED 250 2.0.0 yes\n");
	talk.conf.tls = SMTP_TLS_REQUIRED;
	expect(HELLO "502 what\r\n", SAID_EHLO "QUIT\r\n", "-1 EHLO NEVER 502 5.0.0 what\n");
}

/* 3207-5..8, 3207-10: bytes behind the 220 were never said, the list of before is forgotten. */
static void
test_starttls(void **state)
{
	(void)state;
	quiet(&talk, &one, 1);
	talk.conf.tls = SMTP_TLS_REQUIRED;
	expect(HELLO "250-mx\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 SIZE 5\r\n220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n250 x\r\n" "\1"
	    "250-mx\r\n250 STARTTLS\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "STARTTLS\r\n~\r\n" SAID_EHLO "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n"
	    "a: b\r\n\r\nc\r\n.\r\nQUIT\r\n", "0 CONTENT DELIVERED 250 2.0.0 yes\n");
	/* 3207-13, 8314-43: not offered, or refused, means that nothing else is said */
	expect(HELLO EHLO_ALL, SAID_EHLO "QUIT\r\n",
	    "-1 STARTTLS LATER 0 4.7.5 TLS is required here and the peer does not offer STARTTLS\n");
	expect(HELLO "250-mx\r\n250 starttls\r\n454 4.7.0 no key\r\n", SAID_EHLO "STARTTLS\r\nQUIT\r\n",
	    "-1 STARTTLS LATER 454 4.7.0 4.7.0 no key\n");
	talk.conf.tls = SMTP_TLS_MAY;
	expect(HELLO "250-mx\r\n250 STARTTLS\r\n454 no key\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "STARTTLS\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\na: b\r\n\r\nc\r\n.\r\nQUIT\r\n",
	    "0 CONTENT DELIVERED 250 2.0.0 yes\n");
}

/* 4954: initial response, challenges, server-final data in a 334 (4954-17), refusal. */
static void
test_auth(void **state)
{
	(void)state;
	quiet(&talk, NULL, 0);
	talk.conf.auth = true;
	expect(HELLO "250-mx\r\n250 AUTH PLAIN LOGIN\r\n235 2.7.0 welcome\r\n" BYE,
	    SAID_EHLO "AUTH PLAIN AHVzZXIAcGFzcw==\r\nQUIT\r\n", "");
	expect(HELLO "250-mx\r\n250 AUTH X-OWN login\r\n334 YQ==\r\n334 \r\n235 in\r\n" BYE,
	    SAID_EHLO "AUTH LOGIN\r\nYQ==\r\n\r\nQUIT\r\n", "");
	expect(HELLO "250-mx\r\n250 AUTH SCRAM-SHA-256 PLAIN\r\n334 djE9\r\n334\r\n235 in\r\n" BYE,
	    SAID_EHLO "AUTH SCRAM-SHA-256 AHVzZXIAcGFzcw==\r\ndjE9\r\n\r\nQUIT\r\n", "");
	expect(HELLO "250-mx\r\n250 AUTH PLAIN\r\n535 5.7.8 wrong\r\n", SAID_EHLO "AUTH PLAIN AHVzZXIAcGFzcw==\r\nQUIT\r\n",
	    "-1 AUTH NEVER 535 5.7.8 5.7.8 wrong\n");
	expect(HELLO EHLO_BARE, SAID_EHLO "QUIT\r\n", "-1 AUTH NEVER 0 5.7.4 the peer offers no authentication\n");
	expect(HELLO "250-mx\r\n250 AUTH GSSAPI\r\n", SAID_EHLO "QUIT\r\n",
	    "-1 AUTH NEVER 0 5.7.4 the peer offers no authentication mechanism that we know\n");
}

/* 4954-27: nobody's AUTH= is trusted here, so a relay that has proved itself says so; others say nothing (4954-25). */
static void
test_auth_parameter(void **state)
{
	(void)state;
	quiet(&talk, &one, 1);
	talk.conf.auth = talk.conf.relays = true;
	expect(HELLO "250-mx\r\n250 AUTH PLAIN\r\n235 in\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE, SAID_EHLO
	    "AUTH PLAIN AHVzZXIAcGFzcw==\r\nMAIL FROM:<a@example.org> AUTH=<>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n"
	    "a: b\r\n\r\nc\r\n.\r\nQUIT\r\n", "0 CONTENT DELIVERED 250 2.0.0 yes\n");
	talk.conf.auth = false;
	expect(HELLO "250-mx\r\n250 AUTH PLAIN\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE, SAID_EHLO
	    "MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\na: b\r\n\r\nc\r\n.\r\nQUIT\r\n",
	    "0 CONTENT DELIVERED 250 2.0.0 yes\n");
}

/* 4954-12: what is not base64 is cancelled; so is a server that is not who it says, and one without end. 4954-32. */
static void
test_auth_cancel(void **state)
{
	(void)state;
	quiet(&talk, NULL, 0);
	talk.conf.auth = true;
	expect(HELLO "250-mx\r\n250 AUTH LOGIN\r\n334 =AAA\r\n", SAID_EHLO "AUTH LOGIN\r\n*\r\nQUIT\r\n",
	    "-1 AUTH LATER 0 4.7.0 the peer's challenge is not base64\n");
	expect(HELLO "250-mx\r\n250 AUTH LOGIN\r\n334-YQ==\r\n334 YQ==\r\n", SAID_EHLO "AUTH LOGIN\r\n*\r\nQUIT\r\n",
	    "-1 AUTH LATER 0 4.7.0 the peer's challenge is not base64\n");
	expect(HELLO "250-mx\r\n250 AUTH LOGIN\r\n334 bGlhcg==\r\n", SAID_EHLO "AUTH LOGIN\r\n*\r\nQUIT\r\n",
	    "-1 AUTH LATER 0 4.7.0 not the server\n");
	expect(HELLO "250-mx\r\n250 AUTH LOGIN\r\n334\r\n334\r\n334\r\n334\r\n334\r\n334\r\n334\r\n334\r\n334\r\n",
	    SAID_EHLO "AUTH LOGIN\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n*\r\nQUIT\r\n",
	    "-1 AUTH LATER 0 4.7.0 the peer's challenges do not end\n");
	expect(HELLO "250-mx\r\n250 AUTH LOGIN PLAIN\r\n534 5.7.9 weak\r\n535 5.7.8 wrong\r\n",
	    SAID_EHLO "AUTH PLAIN AHVzZXIAcGFzcw==\r\nAUTH LOGIN\r\nQUIT\r\n", "-1 AUTH NEVER 535 5.7.8 5.7.8 wrong\n");
}

/* 4954-10: an AUTH line over 512 octets goes without its initial response, which answers the empty challenge. */
static void
test_auth_long(void **state)
{
	static uint8_t initial[373];
	static char sent[2048], base64[600];
	struct buf out = BUF_OVER(base64);

	(void)state;
	memset(initial, 'x', sizeof initial);
	quiet(&talk, NULL, 0);
	talk.conf.auth = true;
	talk.initial = (struct span){ initial, 372 };   /* "AUTH PLAIN " + 496 + CRLF = 509 */
	for (size_t i = 0; i < 372; i += 3)
		assert_true(buf_put_text(&out, "eHh4"));
	(void)snprintf(sent, sizeof sent, SAID_EHLO "AUTH PLAIN %.*s\r\nQUIT\r\n", (int)out.len, base64);
	expect(HELLO "250-mx\r\n250 AUTH PLAIN\r\n235 in\r\n" BYE, sent, "");
	talk.initial.len = 373;
	(void)snprintf(sent, sizeof sent, SAID_EHLO "AUTH PLAIN\r\n%.*seA==\r\nQUIT\r\n", (int)out.len, base64);
	expect(HELLO "250-mx\r\n250 AUTH PLAIN\r\n334 \r\n235 in\r\n" BYE, sent, "");
}

/* 1870-6, 6152-2, 6531-6: told at once, nothing sent. */
static void
test_obstacles(void **state)
{
	static const struct client_talk_mail mails[3] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .size = 1001, .rcpts = 1 } },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .eightbit = true, .rcpts = 1 } },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .utf8 = true, .rcpts = 1 } },
	};

	(void)state;
	quiet(&talk, mails, 3);
	expect(HELLO "250-mx\r\n250 SIZE 1000\r\n" BYE, SAID_EHLO "QUIT\r\n",
	    "0 MAIL NEVER 0 5.3.4 message is bigger than the peer takes: 1001 octets, at most 1000\n"
	    "0 MAIL NEVER 0 5.6.3 message has octets above 127 and the peer does not offer 8BITMIME\n"
	    "0 MAIL NEVER 0 5.6.7 message is internationalised and the peer does not offer SMTPUTF8\n");
}

/* 3030-1, 3030-7: in one chunk, whatever octets they are, behind the answers to RCPT; a refused one is followed by RSET (3030-3). */
static void
test_binary(void **state)
{
	static const struct client_talk_mail mails[2] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 2, .size = 12, .eightbit = true, .binary = true },
			.content = SPAN_INIT(".\r\n.\n..\r\0\xff\r\n") },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1, .size = 12, .binary = true },
			.content = SPAN_INIT(".\r\n.\n..\r\0\xff\r\n") },
	};

	(void)state;
	quiet(&talk, mails, 2);
	for (talk.piece = 0; talk.piece < 5; talk.piece++) {
		talk.sent.len = talk.told.len = talk.mail_at = talk.content_at = 0;
		assert_true(talk_run(&talk, SPAN(HELLO "250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 BINARYMIME\r\n"
		    "250 ok\r\n550 no\r\n250 ok\r\n554 5.6.0 no\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 yes\r\n" BYE), 1 << 20));
		assert_true(span_eq(buf_span(&talk.sent), SPAN(SAID_EHLO
		    "MAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nBDAT 12 LAST\r\n"
		    ".\r\n.\n..\r\0\xff\r\n"
		    "RSET\r\nMAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<r0@example.org>\r\nBDAT 12 LAST\r\n"
		    ".\r\n.\n..\r\0\xff\r\nQUIT\r\n")));
		assert_text(&talk.told, "0 RCPT NEVER 550 5.0.0 no\n1 CONTENT NEVER 554 5.6.0 5.6.0 no\n0 CONTENT DELIVERED 250 2.0.0 yes\n");
	}
	/* Either word alone is not enough. */
	quiet(&talk, mails, 1);
	expect(HELLO "250-mx\r\n250-8BITMIME\r\n250 BINARYMIME\r\n" BYE, SAID_EHLO "QUIT\r\n",
	    "0 MAIL NEVER 0 5.6.3 message is binary and the peer does not offer BINARYMIME and CHUNKING\n"
	    "1 MAIL NEVER 0 5.6.3 message is binary and the peer does not offer BINARYMIME and CHUNKING\n");
}

/* What was announced and what is given differ: nothing of it may count as a message. */
static void
test_chunk_of_another_length(void **state)
{
	static const struct client_talk_mail mails[2] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1, .size = 3, .binary = true }, .content = SPAN_INIT("four") },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1, .size = 5, .binary = true }, .content = SPAN_INIT("four") },
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		quiet(&talk, &mails[i], 1);
		assert_true(talk_run(&talk, SPAN(HELLO "250-mx\r\n250-CHUNKING\r\n250 BINARYMIME\r\n250 ok\r\n250 ok\r\n250 yes\r\n"), 1 << 20));
		assert_text(&talk.told, "0 CONTENT LATER 0 4.4.2 the message is not as long as was said\n");
	}
}

/* 6710-4, 2852-3: what is offered is passed on, what is not is left out; 2852-2: R goes to nobody who does not promise it. */
static void
test_terms(void **state)
{
	static const struct client_talk_mail mails[] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1, .terms = { .priority = -3, .by = true, .by_seconds = -7 } } },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1,
			.terms = { .priority = 9, .by = true, .by_seconds = 120, .by_return = true, .by_trace = true } } },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1, .terms = { .by = true, .by_seconds = 119, .by_return = true } } },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1, .terms = { .by = true, .by_seconds = 0, .by_return = true } } },
	};

	(void)state;
	quiet(&talk, mails, 4);
	expect(HELLO "250-mx\r\n250-MT-PRIORITY MIXER\r\n250 DELIVERBY 120\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n"
	    "250 2.3.6 0 lowered\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b> MT-PRIORITY=-3 BY=-7;N\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n.\r\n"
	    "MAIL FROM:<a@b> MT-PRIORITY=9 BY=120;RT\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n.\r\nQUIT\r\n",
	    "0 CONTENT DELIVERED 250 2.0.0 by yes\n0 CONTENT DELIVERED 250 2.0.0 by yes\n"
	    "0 MAIL NEVER 0 5.4.7 the message has to arrive sooner than the peer can promise\n"
	    "0 MAIL NEVER 0 5.4.7 the time by which the message had to be delivered is over\n");
	quiet(&talk, mails, 2);
	expect(HELLO EHLO_BARE "250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n.\r\nQUIT\r\n",
	    "0 CONTENT DELIVERED 250 2.0.0 yes\n0 MAIL NEVER 0 5.3.3 the message has a deadline and the peer does not offer DELIVERBY\n");
}

/* 4865-1: FUTURERELEASE may be offered only to who has proved himself, so a client that needs it says hello again. */
static void
test_hello_again(void **state)
{
	static const struct client_talk_mail mail = {
		.mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1, .terms = { .hold = SPAN_INIT("FOR=60"), .needed = true } } };

	(void)state;
	quiet(&talk, &mail, 1);
	talk.conf.auth = talk.conf.hello_again = true;
	expect(HELLO "250-mx\r\n250 AUTH PLAIN\r\n235 in\r\n250-mx\r\n250 FUTURERELEASE 3600 2026-11-22T10:00:00Z\r\n"
	    "250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "AUTH PLAIN AHVzZXIAcGFzcw==\r\n" SAID_EHLO
	    "MAIL FROM:<a@b> HOLDFOR=60\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n.\r\nQUIT\r\n", "0 CONTENT DELIVERED 250 2.0.0 yes\n");
	quiet(&talk, &mail, 1);
	talk.conf.auth = talk.conf.hello_again = true;
	expect(HELLO "250-mx\r\n250 AUTH PLAIN\r\n235 in\r\n250 mx\r\n" BYE, SAID_EHLO "AUTH PLAIN AHVzZXIAcGFzcw==\r\n" SAID_EHLO "QUIT\r\n",
	    "0 MAIL NEVER 0 5.3.3 the message is to be held for later and the peer does not offer FUTURERELEASE\n");
}

/* 8689-2, 8689-4: said behind TLS to who offers it there; to others a bounce may go, and nothing else. */
static void
test_requiretls(void **state)
{
	static const struct client_talk_mail mails[2] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .requiretls = true, .rcpts = 1 } },
		{ .mail = { .reverse_path = SPAN_INIT(""), .requiretls = true, .rcpts = 1 } },
	};

	(void)state;
	quiet(&talk, mails, 1);
	expect(HELLO "250-mx\r\n250 REQUIRETLS\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b> REQUIRETLS\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n.\r\nQUIT\r\n", "0 CONTENT DELIVERED 250 2.0.0 yes\n");
	quiet(&talk, mails, 2);
	expect(HELLO "250-mx\r\n250 SIZE\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n.\r\nQUIT\r\n",
	    "0 MAIL NEVER 0 5.7.30 message requires TLS on its whole way and the peer does not offer REQUIRETLS\n"
	    "0 CONTENT DELIVERED 250 2.0.0 yes\n");
	/* What stands in clear is offered by anybody. */
	quiet(&talk, mails, 1);
	talk.conf.tls = SMTP_TLS_NONE;
	expect(HELLO "250-mx\r\n250 REQUIRETLS\r\n" BYE, SAID_EHLO "QUIT\r\n",
	    "0 MAIL NEVER 0 5.7.30 message requires TLS on its whole way and the peer does not offer REQUIRETLS\n");
}

/* 9422-2, 9422-4, 9422-5: limits of the newest list, unreadable ones ignored. */
static void
test_limits(void **state)
{
	static const struct client_talk_mail mails[2] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 3 } },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1 } },
	};

	(void)state;
	quiet(&talk, mails, 2);
	expect(HELLO "250-mx\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2 MAILMAX=1\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nDATA\r\n.\r\nQUIT\r\n",
	    "2 RCPT LATER 0 4.5.3 the peer takes no further recipient in one message\n"
	    "0 CONTENT DELIVERED 250 2.0.0 yes\n1 CONTENT DELIVERED 250 2.0.0 yes\n"
	    "0 MAIL LATER 0 4.5.3 the peer takes no further message in this session\n");
	quiet(&talk, NULL, 0);
	expect(HELLO "250-mx\r\n250 LIMITS RCPTMAX=2x MAILMAX=1234567 RCPTMAX=\r\n" BYE, SAID_EHLO "QUIT\r\n", "");
	assert_int_equal(talk.c.caps.rcpt_max, 0);
	assert_int_equal(talk.c.caps.mail_max, 0);
}

/* 0341: MAIL, and each recipient, is answered before the next one is asked for. Who was asked for when it ended has an outcome too. */
static void
test_one_by_one(void **state)
{
	static const struct client_talk_mail mails[2] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .one_by_one = true }, .by_one = 3, .content = SPAN_INIT("x\r\n") },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1 }, .content = SPAN_INIT("x\r\n") },
	};

	(void)state;
	quiet(&talk, mails, 2);
	expect(HELLO "250-mx\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n450 4.2.1 busy\r\n250 ok\r\n354 go\r\n250 yes\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nRCPT TO:<r2@example.org>\r\nDATA\r\nx\r\n.\r\n"
	    "MAIL FROM:<a@b>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
	    "1 RCPT LATER 450 4.2.1 4.2.1 busy\n0 CONTENT DELIVERED 250 2.0.0 yes\n2 CONTENT DELIVERED 250 2.0.0 yes\n"
	    "0 CONTENT DELIVERED 250 2.0.0 yes\n");
	quiet(&talk, mails, 1);
	expect(HELLO "250-mx\r\n250 LIMITS RCPTMAX=1\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<r0@example.org>\r\nQUIT\r\n",
	    "0 RCPT NEVER 550 5.1.1 5.1.1 no\n1 RCPT LATER 0 4.5.3 the peer takes no further recipient in one message\n"
	    "2 RCPT LATER 0 4.5.3 the peer takes no further recipient in one message\n");
	expect(HELLO "250 mx\r\n550 5.7.1 not you\r\n" BYE, SAID_EHLO "MAIL FROM:<a@b>\r\nQUIT\r\n", "0 MAIL NEVER 550 5.7.1 5.7.1 not you\n");
	expect(HELLO "250 mx\r\n250 ok\r\n250 ok\r\n421 4.3.2 bye\r\n", SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\n",
	    "0 RCPT LATER 421 4.3.2 4.3.2 bye\n1 RCPT LATER 421 4.3.2 4.3.2 bye\n");
}

/* 0411: what is dropped is dropped at the server too before it is told of another message (RFC 5321 4.1.1.5). */
static void
test_dropped(void **state)
{
	static const struct client_talk_mail mails[3] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .one_by_one = true }, .by_one = 2, .drop = true },
		{ .mail = { .reverse_path = SPAN_INIT("c@d"), .one_by_one = true }, .by_one = 0, .drop = true },
		{ .mail = { .reverse_path = SPAN_INIT("e@f"), .one_by_one = true }, .by_one = 1, .content = SPAN_INIT("x\r\n") },
	};

	(void)state;
	quiet(&talk, mails, 3);
	expect(HELLO "250 mx\r\n250 ok\r\n250 ok\r\n450 4.2.1 busy\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nRSET\r\nMAIL FROM:<c@d>\r\nRSET\r\n"
	    "MAIL FROM:<e@f>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
	    "1 RCPT LATER 450 4.2.1 4.2.1 busy\n0 CONTENT DELIVERED 250 2.0.0 yes\n");
	quiet(&talk, mails, 1);
	expect(HELLO "250 mx\r\n250 ok\r\n250 ok\r\n250 ok\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<r0@example.org>\r\nRCPT TO:<r1@example.org>\r\nQUIT\r\n", "");
}

/* 0315, RFC 9422 4.3: of a session, whatever the case; the same domain again is none more. */
static void
test_limit_of_domains(void **state)
{
	static const char *const rcpts[] = { "a@x.example", "\"@y\"@X.example", "b@y.example", "c@z.example", "d@Y.EXAMPLE" };
	static const char *const later[] = { "e@z.example" };
	static const struct client_talk_mail mails[2] = {
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 5 }, .rcpts = rcpts },
		{ .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1 }, .rcpts = later },
	};

	(void)state;
	quiet(&talk, mails, 2);
	expect(HELLO "250-mx\r\n250 LIMITS RCPTDOMAINMAX=2\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n250 ok\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<\"@y\"@X.example>\r\nRCPT TO:<b@y.example>\r\n"
	    "RCPT TO:<d@Y.EXAMPLE>\r\nDATA\r\n.\r\nMAIL FROM:<a@b>\r\nQUIT\r\n",
	    "3 RCPT LATER 0 4.5.3 the peer takes recipients of no further domain in this session\n"
	    "0 CONTENT DELIVERED 250 2.0.0 yes\n1 CONTENT DELIVERED 250 2.0.0 yes\n2 CONTENT DELIVERED 250 2.0.0 yes\n"
	    "4 CONTENT DELIVERED 250 2.0.0 yes\n"
	    "0 RCPT LATER 0 4.5.3 the peer takes recipients of no further domain in this session\n");
}

/* 5321-32, 5321-33: dots, line ends, any size of piece and of out. */
static void
test_stuffing(void **state)
{
	static const struct client_talk_mail mail = {
		.mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1 },
		.content = SPAN_INIT(".\r\n..\r\nx.\r\n\r\n.a.\r\n....\r\nlast."),
	};

	(void)state;
	for (size_t piece = 0; piece < 9; piece++) {
		quiet(&talk, &mail, 1);
		talk.piece = piece;
		expect(HELLO EHLO_BARE "250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
		    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<r0@example.org>\r\nDATA\r\n"
		    "..\r\n...\r\nx.\r\n\r\n..a.\r\n.....\r\nlast.\r\n.\r\nQUIT\r\n", "0 CONTENT DELIVERED 250 2.0.0 yes\n");
	}
}

/* Content bigger than out, of dots alone: what comes out of the other end's unstuffing is what went in. */
static void
test_stuffing_big(void **state)
{
	static uint8_t content[40000];
	static struct client_talk_mail mail = { .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1 } };
	size_t dots = 0;

	(void)state;
	for (size_t i = 0; i + 3 <= sizeof content; i += 3)
		memcpy(content + i, ".\r\n", 3);
	mail.content = (struct span){ content, sizeof content / 3 * 3 };
	for (size_t out = SMTP_CLIENT_OUT_ROOM; out < SMTP_CLIENT_OUT_ROOM + 9; out++) {
		quiet(&talk, &mail, 1);
		talk.out_max = out;
		assert_true(talk_run(&talk, SPAN(HELLO EHLO_BARE "250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE), 100));
		dots = 0;
		for (size_t i = 0; i < talk.sent.len; i++)
			dots += talk.sent.p[i] == '.';
		assert_int_equal(dots, mail.content.len / 3 * 2 + 1 + 3);     /* and those of two host names */
		assert_text(&talk.told, "0 CONTENT DELIVERED 250 2.0.0 yes\n");
	}
}

static const char *const dirty[] = { "a@b>\r\nDATA", "c@d", "e f@g", "\"h i\"@j", "" };

/* 5321-2: an octet of ours never begins a command of its own. */
static void
test_injection(void **state)
{
	static const struct client_talk_mail mail = {
		.mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 5 }, .rcpts = dirty,
	};
	static const struct client_talk_mail bad = { .mail = { .reverse_path = SPAN_INIT("a\n@b"), .rcpts = 1 } };

	(void)state;
	quiet(&talk, &mail, 1);
	expect(HELLO EHLO_ALL "250 ok\r\n250 ok\r\n501 what\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE,
	    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e f@g>\r\nRCPT TO:<\"h i\"@j>\r\nDATA\r\n.\r\nQUIT\r\n",
	    "0 RCPT NEVER 0 5.1.3 recipient address cannot be sent\n4 RCPT NEVER 0 5.1.3 recipient address cannot be sent\n"
	    "2 RCPT NEVER 501 5.0.0 what\n1 CONTENT DELIVERED 250 2.0.0 dsn yes\n3 CONTENT DELIVERED 250 2.0.0 dsn yes\n");
	quiet(&talk, &bad, 1);
	expect(HELLO EHLO_ALL BYE, SAID_EHLO "QUIT\r\n", "0 MAIL NEVER 0 5.1.7 sender address cannot be sent\n");
}

/* 2920-6: no more than a window of commands without answer; all 1024 recipients get theirs. */
static void
test_window(void **state)
{
	static char replies[64 * 1024];
	static struct client_talk_mail mail = { .mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = SMTP_CLIENT_RCPTS_MAX } };
	struct buf b = BUF_OVER(replies);
	size_t lines = 0, sent = 0;

	(void)state;
	(void)buf_put_text(&b, HELLO EHLO_ALL "250 ok\r\n");
	for (int i = 0; i < SMTP_CLIENT_RCPTS_MAX; i++)
		(void)buf_put_text(&b, i % 3 == 0 ? "550 no\r\n" : "250 ok\r\n");
	(void)buf_put_text(&b, "354 go\r\n250 yes\r\n" BYE);
	quiet(&talk, &mail, 1);
	assert_true(talk_run(&talk, buf_span(&b), 1 << 20));
	for (size_t i = 0; i < talk.told.len; i++)
		lines += talk.told.p[i] == '\n';
	assert_int_equal(lines, SMTP_CLIENT_RCPTS_MAX);
	assert_int_equal(talk.c.rcpts_accepted, SMTP_CLIENT_RCPTS_MAX - 342);
	/* and a peer that says nothing after EHLO sees the window alone */
	quiet(&talk, &mail, 1);
	assert_true(talk_run(&talk, SPAN(HELLO EHLO_ALL), 1 << 20));
	for (size_t i = 0; i < talk.sent.len; i++)
		sent += talk.sent.p[i] == '\n';
	assert_int_equal(sent, 1 + SMTP_CLIENT_WINDOW);
}

/* Replies that are none: every one ends the session with LATER, nothing hangs, nothing grows. */
static void
test_broken_peer(void **state)
{
	static const char *const replies[][2] = {
		{ "220 bare\n", ": \"220 bare\"" }, { "hello\r\n", ": \"hello\"" }, { "22\r\n", ": \"22\"" }, { "199 x\r\n", ": \"199 x\"" },
		{ "600 x\r\n", ": \"600 x\"" }, { "220x\r\n", ": \"220x\"" }, { "220-a\r\n550 b\r\n", ": \"550 b\"" }, { "\r\n", "" }, { "\n", "" },
	};
	char expected[200];
	static char endless[SMTP_REPLY_LINES_MAX * 8 + 9], giant[SMTP_REPLY_LINE_MAX + 2];
	struct buf b = BUF_OVER(endless);

	(void)state;
	quiet(&talk, NULL, 0);
	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		(void)snprintf(expected, sizeof expected, "-1 GREETING LATER 0 4.5.0 the peer's reply is not SMTP%s\n", replies[i][1]);
		expect(replies[i][0], "", expected);
	}
	while (buf_put_text(&b, "220-ab\r\n"))
		continue;
	(void)buf_terminate(&b);
	expect(endless, "", "-1 GREETING LATER 0 4.5.0 the peer's reply is not SMTP: \"220 ab\"\n");
	memset(giant, 'x', sizeof giant - 1);
	memcpy(giant, "220 ", 4);
	(void)snprintf(expected, sizeof expected, "-1 GREETING LATER 0 4.5.0 the peer's reply is not SMTP: \"%.100s\"\n", giant);
	expect(giant, "", expected);
	memcpy(giant + SMTP_REPLY_LINE_MAX - 2, "\r\n", 3);
	expect(giant, SAID_EHLO, "-1 EHLO LATER 0 4.4.2 gone\n");
	giant[SMTP_REPLY_LINE_MAX - 1] = 'x';
	memcpy(giant + SMTP_REPLY_LINE_MAX - 1, "\r\n", 3);
	expect(giant, "", expected);
}

/* The driver cannot go on: no final dot. */
static void
test_give_up(void **state)
{
	static const struct client_talk_mail mail = {
		.mail = { .reverse_path = SPAN_INIT("a@b"), .rcpts = 1 }, .content = SPAN_INIT("abcdefgh"), .give_up = true,
	};

	(void)state;
	quiet(&talk, &mail, 1);
	talk.piece = 1;
	assert_true(talk_run(&talk, SPAN(HELLO EHLO_BARE "250 ok\r\n250 ok\r\n354 go\r\n"), 3));
	assert_text(&talk.told, "0 CONTENT LATER 0 4.4.2 the disk is gone\n");
	assert_null(memmem(talk.sent.p, talk.sent.len, "\r\n.\r\n", 5));
}

/* The peer refuses in the middle of the content: its words are worth more than a broken pipe. */
static void
test_early_reply(void **state)
{
	struct smtp_client *c = &talk.c;
	size_t used;

	(void)state;
	quiet(&talk, &one, 1);
	talk.io.out = (struct buf){ talk.out, 0, TALK_OUT };
	(void)smtp_client_begin(c, &talk.conf, &talk.io);
	(void)smtp_client_feed(c, SPAN(HELLO), &used);
	assert_int_equal(smtp_client_feed(c, SPAN(EHLO_BARE), &used), SMTP_CLIENT_READY);
	(void)smtp_client_mail(c, &one.mail);
	assert_int_equal(smtp_client_feed(c, SPAN("250 ok\r\n"), &used), SMTP_CLIENT_RCPT);
	assert_int_equal(smtp_client_rcpt(c, &(struct smtp_client_rcpt){ .path = SPAN("x@y") }), SMTP_CLIENT_INPUT);
	(void)smtp_client_feed(c, SPAN("250 ok\r\n"), &used);
	assert_int_equal(smtp_client_feed(c, SPAN("354 ok\r\n"), &used), SMTP_CLIENT_CONTENT);
	assert_int_equal(smtp_client_patience(c), 3 * 60 * 1000);
	assert_int_equal(smtp_client_feed(c, SPAN("552 5.3.4 t"), &used), SMTP_CLIENT_CONTENT);
	assert_int_equal(smtp_client_feed(c, SPAN("552 5.3.4 too big\r\n"), &used), SMTP_CLIENT_OUTCOME);
	assert_string_equal(c->outcome.enhanced, "5.3.4");
	assert_int_equal(c->outcome.class, SMTP_CLASS_NEVER);
	assert_int_equal(smtp_client_go_on(c), SMTP_CLIENT_CLOSE);
}

/* F2, 5321-74: how long each answer is waited for. */
static void
test_patience(void **state)
{
	(void)state;
	quiet(&talk, &one, 1);
	assert_true(talk_run(&talk, SPAN(HELLO EHLO_BARE "250 ok\r\n250 ok\r\n354 go\r\n250 yes\r\n" BYE), 1 << 20));
	/* the harness waits twice for the greeting, because at first there is nothing to read */
	assert_int_equal(talk.waited, (5 + 5 + 5 + 5 + 5 + 2 + 10) * 60 * 1000 + 30 * 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipelined), cmocka_unit_test(test_bare_peer), cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_mixed_recipients), cmocka_unit_test(test_552), cmocka_unit_test(test_lone_dot),
		cmocka_unit_test(test_reset), cmocka_unit_test(test_mail_refused), cmocka_unit_test(test_lost),
		cmocka_unit_test(test_421), cmocka_unit_test(test_a_verdict_before_the_end),
		cmocka_unit_test(test_refused_session), cmocka_unit_test(test_helo),
		cmocka_unit_test(test_starttls), cmocka_unit_test(test_auth), cmocka_unit_test(test_auth_cancel),
		cmocka_unit_test(test_auth_long), cmocka_unit_test(test_obstacles), cmocka_unit_test(test_requiretls), cmocka_unit_test(test_binary), cmocka_unit_test(test_chunk_of_another_length), cmocka_unit_test(test_terms), cmocka_unit_test(test_hello_again),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_one_by_one), cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_limit_of_domains),
		cmocka_unit_test(test_stuffing), cmocka_unit_test(test_stuffing_big), cmocka_unit_test(test_injection),
		cmocka_unit_test(test_auth_parameter), cmocka_unit_test(test_window), cmocka_unit_test(test_broken_peer), cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_early_reply), cmocka_unit_test(test_patience),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

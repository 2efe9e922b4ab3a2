/* Our client and our server talk to each other: every octet that one says the other understands, however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"

#define HEADER "From: alice@example.org\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n"

static struct pair *p;

static int
setup(void **state)
{
	(void)state;
	p = malloc(sizeof *p);
	pair_init(p);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	pair_fini(p);
	free(p);
	return 0;
}

static void
again(void)
{
	pair_fini(p);
	pair_init(p);
}

/* What is kept is a trace field and the message, octet for octet (5321-40). */
static void
assert_stored(struct span content)
{
	assert_true(p->stored_len > content.len);
	assert_memory_equal(p->stored + p->stored_len - content.len, content.p, content.len);
	assert_memory_equal(p->stored, "Received: from client.example.org", 33);
}

static struct pair_mail
mail_of(struct span content, uint32_t rcpts)
{
	return (struct pair_mail){ .mail = { .reverse_path = SPAN("alice@example.org"), .size = content.len, .rcpts = rcpts,
		.ret = SMTP_RET_HDRS, .envid = SPAN("id") }, .content = content };
}

/* Every size of piece, both ways, with every way of proving who we are, over implicit TLS and STARTTLS. */
static void
test_pieces(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 5, 17, 64, 1000, 8192 };
	static const uint32_t mechanisms[] = { SMTP_AUTH_PLAIN, SMTP_AUTH_LOGIN, SMTP_AUTH_SCRAM_SHA_256 | SMTP_AUTH_PLAIN };
	const struct pair_mail mail = mail_of(SPAN(HEADER ".\r\n..\r\n.x\r\n\r\nend.\r\n"), 3);

	(void)state;
	for (size_t i = 0; i < 8 * 8 * 3 * 2; i++) {
		again();
		p->client_piece = pieces[i % 8];
		p->server_piece = pieces[i / 8 % 8];
		p->mechanisms = mechanisms[i / 64 % 3];
		p->starttls = i / 192 == 1;
		p->mails = &mail;
		p->mail_count = 1;
		assert_true(pair_run(p));
		assert_int_equal(p->told[SMTP_CLASS_DELIVERED], 3);
		assert_true(p->last.dsn);
		assert_int_equal(p->commits, 1);
		assert_stored(mail.content);
		assert_int_equal(p->rcpts_len, strlen("r0@example.net\nr1@example.net\nr2@example.net\n"));
	}
}

/* 2920-6, 5321-73: a thousand recipients, some refused, some for later, with little room on both sides. */
static void
test_many_recipients(void **state)
{
	struct pair_mail mail = mail_of(SPAN(HEADER "x\r\n"), 1000);

	(void)state;
	mail.nobody = 2;
	mail.later = 5;
	p->mails = &mail;
	p->mail_count = 1;
	assert_true(pair_run(p));
	assert_int_equal(p->told[SMTP_CLASS_NEVER], 143);
	assert_int_equal(p->told[SMTP_CLASS_LATER], 143);
	assert_int_equal(p->told[SMTP_CLASS_DELIVERED], 714);
	assert_stored(mail.content);
	/* a window of commands, or of answers, and no more */
	assert_in_range(p->most_unread, 1, 16 * 1024);
}

/* 9422-2: the server says how many it takes, the client believes it. */
static void
test_limits(void **state)
{
	struct pair_mail mail = mail_of(SPAN(HEADER "x\r\n"), 250);

	(void)state;
	p->rcpt_max = 100;
	p->mails = &mail;
	p->mail_count = 1;
	assert_true(pair_run(p));
	assert_int_equal(p->told[SMTP_CLASS_DELIVERED] + p->told[SMTP_CLASS_LATER], 250);
	assert_in_range(p->told[SMTP_CLASS_DELIVERED], 100, 200);
}

/* 2920-5: nobody is accepted; the session goes on with the next message. */
static void
test_nobody_then_somebody(void **state)
{
	struct pair_mail mails[3] = { mail_of(SPAN(HEADER "1\r\n"), 2), mail_of(SPAN(HEADER "2\r\n"), 1), mail_of(SPAN(HEADER "3\r\n"), 1) };

	(void)state;
	mails[0].rcpt = "nobody";
	mails[2].rcpt = "later";
	p->mails = mails;
	p->mail_count = 3;
	assert_true(pair_run(p));
	assert_int_equal(p->told[SMTP_CLASS_NEVER], 2);
	assert_int_equal(p->told[SMTP_CLASS_DELIVERED], 1);
	assert_int_equal(p->told[SMTP_CLASS_LATER], 1);
	assert_int_equal(p->commits, 1);
	assert_stored(mails[1].content);
}

/* A message of 8 MiB, of lines and dots, through 8 KiB of memory at each end. */
static void
test_big(void **state)
{
	enum { BIG = 8 << 20 };
	char *content = malloc(BIG);
	struct pair_mail mail;
	size_t len = strlen(HEADER);

	(void)state;
	memcpy(content, HEADER, len);
	for (unsigned i = 0; len + 100 < BIG; i++) {
		size_t n = i % 97;

		memset(content + len, i % 5 == 0 ? '.' : 'x', n);
		memcpy(content + len + n, "\r\n", 2);
		len += n + 2;
	}
	mail = mail_of((struct span){ (const uint8_t *)content, len }, 1);
	p->mails = &mail;
	p->mail_count = 1;
	p->client_out = p->client_piece = p->server_piece = 8192;
	assert_true(pair_run(p));
	assert_int_equal(p->told[SMTP_CLASS_DELIVERED], 1);
	assert_stored(mail.content);
	free(content);
}

/* 1870-6, 4954: what does not work does not work on both sides in the same words. */
static void
test_refusals(void **state)
{
	struct pair_mail mail = mail_of(SPAN(HEADER "x\r\n"), 1);

	(void)state;
	p->mails = &mail;
	p->mail_count = 1;
	p->password = SPAN("guess");
	assert_true(pair_run(p));
	assert_int_equal(p->told_session, 1);
	assert_int_equal(p->last.code, 535);
	assert_string_equal(p->last.enhanced, "5.7.8");
	again();
	p->mails = &mail;
	p->mail_count = 1;
	p->size_max = 50;
	assert_true(pair_run(p));
	assert_string_equal(p->last.enhanced, "5.3.4");
	assert_int_equal(p->last.code, 0);
	again();
	p->mails = &mail;
	p->mail_count = 1;
	p->commit = FAIL_DOUBT;
	assert_true(pair_run(p));
	assert_int_equal(p->last.code, 451);
	assert_int_equal(p->told[SMTP_CLASS_LATER], 1);
	again();
	p->mails = &mail;
	p->mail_count = 1;
	p->auth = false;
	assert_true(pair_run(p));
	assert_int_equal(p->last.code, 530);
	assert_int_equal(p->last.stage, SMTP_STAGE_MAIL);
}

/* A bare LF in the content would be a bug of the client's driver; the server does not let it pass. */
static void
test_bare_lf(void **state)
{
	struct pair_mail mail = mail_of(SPAN(HEADER "x\n.\ny\r\n"), 1);

	(void)state;
	p->mails = &mail;
	p->mail_count = 1;
	assert_true(pair_run(p));
	assert_int_equal(p->last.class, SMTP_CLASS_NEVER);
	assert_int_equal(p->commits, 0);
}

/* Octets above 127 in body and addresses: 8BITMIME and SMTPUTF8 are asked for, and granted. */
static void
test_eightbit(void **state)
{
	struct pair_mail mail = mail_of(SPAN("From: alice@example.org\r\nDate: x\r\nMessage-ID: <1@x>\r\nSubject: \303\251\r\n\r\n\303\251\r\n"), 1);

	(void)state;
	mail.mail.eightbit = mail.mail.utf8 = true;
	mail.rcpt = "\303\251";
	p->mails = &mail;
	p->mail_count = 1;
	assert_true(pair_run(p));
	assert_int_equal(p->told[SMTP_CLASS_DELIVERED], 1);
	assert_stored(mail.content);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_then_somebody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_big, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bare_lf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_eightbit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

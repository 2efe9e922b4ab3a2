/* The auditor's half of a conversation: what it says, what it learns, and what hostile servers cannot make it do (4.2, 3207-7, 4954-*). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "probe_talk.h"

static struct probe_talk talk;

#define GREETING "220 mx.example.org ESMTP\r\n"
#define EHLO_CLEAR "250-mx.example.org\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
#define EHLO_TLS "250-mx.example.org\r\n250 AUTH PLAIN SCRAM-SHA-256\r\n"
#define UP GREETING EHLO_CLEAR "220 go\r\n\1"      /* as far as the handshake, and it */
#define SAID_EHLO "EHLO audit.invalid\r\n"
#define SAID_UP SAID_EHLO "STARTTLS\r\n" SAID_EHLO
#define NO_TLS_MAIL "530 5.7.0 login first\r\n250 reset\r\n"

static const struct talk_row {
	const char *name;
	struct smtp_probe_conf conf;
	const char *replies, *sent, *facts;
	bool closes, declines;
} rows[] = {
	{ .name = "greeting", { .plan = SMTP_PROBE_GREETING }, "220-mx.example.org\r\n220 hello\r\n", "", "greeting 220 hello\n" },
	{ .name = "no greeting", { .plan = SMTP_PROBE_GREETING }, "", "", "greeting 0 \n" },
	{ .name = "another protocol", { .plan = SMTP_PROBE_GREETING }, "* OK IMAP4rev1\r\n", "", "greeting 0 * OK IMAP4rev1\n" },
	{ .name = "wait", { .plan = SMTP_PROBE_WAIT }, GREETING, "", "" },
	{ .name = "enter", { .plan = SMTP_PROBE_ENTER }, UP EHLO_TLS, SAID_UP, "" },
	{ .name = "enter with a login", { .plan = SMTP_PROBE_ENTER, .implicit = true, .login = true }, "\1" GREETING EHLO_TLS "235 in\r\n",
	    SAID_EHLO "AUTH PLAIN AG1lAHNlY3JldA==\r\n", "" },
	{ .name = "reach", { .plan = SMTP_PROBE_REACH }, GREETING EHLO_CLEAR "220 go\r\n", SAID_EHLO "STARTTLS\r\n", "" },
	{ .name = "reach, no STARTTLS", { .plan = SMTP_PROBE_REACH }, GREETING "250 mx\r\n", SAID_EHLO "QUIT\r\n", "" },
	{ .name = "glance", { .plan = SMTP_PROBE_GLANCE }, GREETING EHLO_CLEAR, SAID_EHLO "QUIT\r\n", "" },
	{ .name = "look", { .plan = SMTP_PROBE_LOOK }, GREETING EHLO_CLEAR, SAID_EHLO "QUIT\r\n",
	    "ehlo-clear mx.example.org\nehlo-clear PIPELINING\nehlo-clear STARTTLS\n" },
	{ .name = "look over TLS", { .plan = SMTP_PROBE_LOOK_TLS }, UP EHLO_TLS "221 bye\r\n", SAID_UP "QUIT\r\n",
	    "ehlo-tls mx.example.org\nehlo-tls AUTH PLAIN SCRAM-SHA-256\n" },
	/* A 334 is taken back at once; RCPT is asked only where MAIL was taken. */
	{ .name = "clear", { .plan = SMTP_PROBE_CLEAR },
	    GREETING EHLO_CLEAR "250 ok\r\n550 no relaying\r\n250 ok\r\n334 \r\n501 cancelled\r\n504 no\r\n504 no\r\n538 not here\r\n",
	    SAID_EHLO "MAIL FROM:<>\r\nRCPT TO:<nobody@example.com>\r\nRSET\r\nAUTH PLAIN\r\n*\r\nAUTH LOGIN\r\nAUTH CRAM-MD5\r\nAUTH SCRAM-SHA-256\r\nQUIT\r\n",
	    "ehlo-clear mx.example.org\nehlo-clear PIPELINING\nehlo-clear STARTTLS\nmail-clear 250 ok\nrcpt-clear 550 no relaying\nauth-clear PLAIN 334 \n"
	    "auth-clear LOGIN 504 no\nauth-clear CRAM-MD5 504 no\nauth-clear SCRAM-SHA-256 538 not here\n" },
	{ .name = "stripped", { .plan = SMTP_PROBE_STRIPPED }, GREETING EHLO_CLEAR "502 what\r\n334 \r\n501 cancelled\r\n530 TLS first\r\n250 ok\r\n",
	    SAID_EHLO "STARTTLX\r\nAUTH PLAIN\r\n*\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n", "stripped EHLO AUTH 334 \nstripped EHLO MAIL 530 TLS first\n" },
	{ .name = "stripped of EHLO", { .plan = SMTP_PROBE_STRIPPED_HELO }, GREETING "250 mx\r\n502 what\r\n503 EHLO first\r\n",
	    "HELO audit.invalid\r\nSTARTTLX\r\nAUTH PLAIN\r\nMAIL FROM:<>\r\n", "stripped HELO AUTH 503 EHLO first\n" },
	{ .name = "clear, cut off", { .plan = SMTP_PROBE_CLEAR }, GREETING "250 mx\r\n530 no\r\n250 ok\r\n421 too many\r\n",
	    SAID_EHLO "MAIL FROM:<>\r\nRSET\r\nAUTH PLAIN\r\n", "ehlo-clear mx\nmail-clear 530 no\nauth-clear PLAIN 421 too many\n" },
	{ .name = "implicit TLS", { .plan = SMTP_PROBE_TLS, .implicit = true }, "\1" GREETING EHLO_TLS NO_TLS_MAIL "252 perhaps\r\n502 no\r\n221 bye\r\n",
	    SAID_EHLO "MAIL FROM:<>\r\nRSET\r\nVRFY nobody-of-this-name\r\nEXPN staff\r\nQUIT\r\n",
	    "greeting 220 mx.example.org ESMTP\nehlo-tls mx.example.org\nehlo-tls AUTH PLAIN SCRAM-SHA-256\nmail-tls 530 5.7.0 login first\n"
	    "vrfy 252 perhaps\nexpn 502 no\n" },
	{ .name = "STARTTLS", { .plan = SMTP_PROBE_TLS }, UP EHLO_TLS "250 ok\r\n250 ok\r\n250 ok\r\n550 who\r\n250 all\r\n",
	    SAID_UP "MAIL FROM:<>\r\nRCPT TO:<nobody@example.com>\r\nRSET\r\nVRFY nobody-of-this-name\r\nEXPN staff\r\nQUIT\r\n",
	    "ehlo-tls mx.example.org\nehlo-tls AUTH PLAIN SCRAM-SHA-256\nmail-tls 250 ok\nrcpt-tls 250 ok\nvrfy 550 who\nexpn 250 all\n" },
	/* What comes after a refusal answers HELO and lists nothing; what is asked of a server is asked of it all the same. */
	{ .name = "no EHLO", { .plan = SMTP_PROBE_TLS, .implicit = true }, "\1" GREETING "502 what\r\n250 mx.example.org\r\n" NO_TLS_MAIL "502 a\r\n502 b\r\n",
	    SAID_EHLO "HELO audit.invalid\r\nMAIL FROM:<>\r\nRSET\r\nVRFY nobody-of-this-name\r\nEXPN staff\r\nQUIT\r\n",
	    "greeting 220 mx.example.org ESMTP\nmail-tls 530 5.7.0 login first\nvrfy 502 a\nexpn 502 b\n" },
	{ .name = "refused at the door", { .plan = SMTP_PROBE_TLS, .implicit = true }, "\1" "554 go away\r\n", "QUIT\r\n", "greeting 554 go away\n" },
	/* 2.3.8: line ends and codes that mail could not depend on are read, because they are what is looked at. */
	{ .name = "bare LF", { .plan = SMTP_PROBE_LOOK }, "220 mx\n250-mx\n150 SIZE\n", SAID_EHLO "QUIT\r\n", "" },
	{ .name = "bare LF, sound codes", { .plan = SMTP_PROBE_LOOK }, "220 mx\n250-mx\n250 SIZE\n", SAID_EHLO "QUIT\r\n", "ehlo-clear mx\nehlo-clear SIZE\n" },
	/* 3207-7 */
	{ .name = "not injectable", { .plan = SMTP_PROBE_INJECTION }, UP, SAID_EHLO "STARTTLS\r\nNOOP\r\n", "starttls 220 go\ninjection clean\n" },
	{ .name = "injectable", { .plan = SMTP_PROBE_INJECTION }, UP "2", SAID_EHLO "STARTTLS\r\nNOOP\r\n", "starttls 220 go\ninjection answered\n" },
	{ .name = "answered in clear", { .plan = SMTP_PROBE_INJECTION }, GREETING EHLO_CLEAR "220 go\r\n250 noop\r\n\1", SAID_EHLO "STARTTLS\r\nNOOP\r\n",
	    "starttls 220 go\ninjection clean\n" },
	{ .name = "STARTTLS refused", { .plan = SMTP_PROBE_INJECTION }, GREETING EHLO_CLEAR "454 later\r\n", SAID_EHLO "STARTTLS\r\nNOOP\r\nQUIT\r\n",
	    "starttls 454 later\n" },
	/* RFC 6409 6.1 */
	{ .name = "sender", { .plan = SMTP_PROBE_SENDER, .implicit = true, .login = true }, "\1" GREETING EHLO_TLS "235 in\r\n550 not yours\r\n250 ok\r\n",
	    SAID_EHLO "AUTH PLAIN AG1lAHNlY3JldA==\r\nMAIL FROM:<audit@example.com>\r\nRSET\r\nQUIT\r\n", "login 235 in\nsender-foreign 550 not yours\n" },
	{ .name = "login refused", { .plan = SMTP_PROBE_SENDER, .login = true }, UP EHLO_TLS "535 5.7.8 no\r\n",
	    SAID_UP "AUTH PLAIN AG1lAHNlY3JldA==\r\nQUIT\r\n", "login 535 5.7.8 no\n" },
	{ .name = "login unanswered", { .plan = SMTP_PROBE_SENDER, .login = true }, UP EHLO_TLS, SAID_UP "AUTH PLAIN AG1lAHNlY3JldA==\r\n", "login 0 \n",
	    .closes = true },
	{ .name = "login not for this one", { .plan = SMTP_PROBE_SENDER, .login = true }, UP EHLO_TLS, SAID_UP "QUIT\r\n", "login unsent not to this one\n",
	    .declines = true },
	{ .name = "nothing that the driver knows", { .plan = SMTP_PROBE_SENDER, .login = true }, UP "250-mx\r\n250 AUTH SCRAM-SHA-256\r\n", SAID_UP "QUIT\r\n",
	    "login unsent not to this one\n" },
	/* A mechanism of several steps is one login, and says one thing. */
	{ .name = "LOGIN", { .plan = SMTP_PROBE_SENDER, .login = true },
	    UP "250-mx\r\n250 AUTH LOGIN\r\n334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 in\r\n250 taken\r\n250 ok\r\n",
	    SAID_UP "AUTH LOGIN\r\nbWU=\r\nc2VjcmV0\r\nMAIL FROM:<audit@example.com>\r\nRSET\r\nQUIT\r\n", "login 235 in\nsender-foreign 250 taken\n" },
	{ .name = "LOGIN refused", { .plan = SMTP_PROBE_SENDER, .login = true },
	    UP "250-mx\r\n250 AUTH LOGIN\r\n334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n535 no\r\n",
	    SAID_UP "AUTH LOGIN\r\nbWU=\r\nc2VjcmV0\r\nQUIT\r\n", "login 535 no\n" },
	{ .name = "LOGIN asks too much", { .plan = SMTP_PROBE_SENDER, .login = true },
	    UP "250-mx\r\n250 AUTH LOGIN\r\n334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n334 QWdhaW46\r\n",
	    SAID_UP "AUTH LOGIN\r\nbWU=\r\nc2VjcmV0\r\n*\r\nQUIT\r\n", "login 334 QWdhaW46\n" },
	{ .name = "LOGIN asks what is no base64", { .plan = SMTP_PROBE_SENDER, .login = true },
	    UP "250-mx\r\n250 AUTH LOGIN\r\n334 Username:\r\n", SAID_UP "AUTH LOGIN\r\n*\r\nQUIT\r\n", "login 334 Username:\n" },
	{ .name = "PLAIN not for this account, LOGIN is", { .plan = SMTP_PROBE_SENDER, .login = true },
	    UP "250-mx\r\n250 AUTH PLAIN LOGIN\r\n504 not PLAIN\r\n334 \r\n334 \r\n235 in\r\n550 no\r\n250 ok\r\n",
	    SAID_UP "AUTH PLAIN AG1lAHNlY3JldA==\r\nAUTH LOGIN\r\nbWU=\r\nc2VjcmV0\r\nMAIL FROM:<audit@example.com>\r\nRSET\r\nQUIT\r\n",
	    "login 235 in\nsender-foreign 550 no\n" },
	{ .name = "no mechanism for this account", { .plan = SMTP_PROBE_SENDER, .login = true }, UP EHLO_TLS "534 too weak\r\n",
	    SAID_UP "AUTH PLAIN AG1lAHNlY3JldA==\r\nQUIT\r\n", "login 534 too weak\n" },
	{ .name = "no AUTH", { .plan = SMTP_PROBE_SENDER, .login = true }, UP "250 mx\r\n", SAID_UP "QUIT\r\n",
	    "login unsent the peer offers no authentication\n" },
	{ .name = "no end to AUTH", { .plan = SMTP_PROBE_SENDER, .login = true }, UP EHLO_TLS "334 more\r\n",
	    SAID_UP "AUTH PLAIN AG1lAHNlY3JldA==\r\n*\r\nQUIT\r\n", "login 334 more\n" },
	/* RFC 5321 2.3.8, 4.1.1.4 */
	{ .name = "not begun", { .plan = SMTP_PROBE_ENDING, .implicit = true }, "\1" GREETING EHLO_TLS "530 5.7.0 login first\r\n",
	    SAID_EHLO "MAIL FROM:<>\r\nQUIT\r\n", "smuggling not-begun 530 5.7.0 login first\n" },
	{ .name = "ending waits", { .plan = SMTP_PROBE_ENDING, .implicit = true, .ending = SMTP_PROBE_ENDINGS, .sender = SPAN_INIT("a@b") },
	    "\1" GREETING EHLO_TLS "250 ok\r\n250 ok\r\n354 go\r\n",
	    SAID_EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<nobody@example.com>\r\nDATA\r\nSubject: an examination\r\n\r\n"
	    "This is broken off.\n.\nThis is broken off.\n.\r\nThis is broken off.\r\n.\nThis is broken off.\r.\rThis is broken off.\r.\r\n",
	    "smuggling waits\n" },
	{ .name = "ending closes", { .plan = SMTP_PROBE_ENDING, .implicit = true, .ending = SMTP_PROBE_ENDINGS },
	    "\1" GREETING EHLO_TLS "250 ok\r\n250 ok\r\n354 go\r\n", NULL, "smuggling closed\n", .closes = true },
	{ .name = "ending refused", { .plan = SMTP_PROBE_ENDING, .implicit = true, .ending = SMTP_PROBE_ENDINGS },
	    "\1" GREETING EHLO_TLS "250 ok\r\n250 ok\r\n354 go\r\n500-bare\r\n500 LF\r\n", NULL, "smuggling refused\n" },
	{ .name = "all taken", { .plan = SMTP_PROBE_ENDING, .implicit = true, .ending = SMTP_PROBE_ENDINGS },
	    "\1" GREETING EHLO_TLS "250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n", NULL, "" },
	{ .name = "one taken", { .plan = SMTP_PROBE_ENDING, .implicit = true, .ending = 3 },
	    "\1" GREETING EHLO_TLS "250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n",
	    SAID_EHLO "MAIL FROM:<>\r\nRCPT TO:<nobody@example.com>\r\nDATA\r\nSubject: an examination\r\n\r\nThis is broken off.\r.\r",
	    "smuggling CR.CR 250 queued\n" },
	{ .name = "one not taken", { .plan = SMTP_PROBE_ENDING, .implicit = true, .ending = 0 },
	    "\1" GREETING EHLO_TLS "250 ok\r\n250 ok\r\n354 go\r\n", NULL, "" },
};

static void
assert_text(const char *name, const struct buf *b, const char *expected)
{
	if (b->len == strlen(expected) && memcmp(b->p, expected, b->len) == 0)
		return;
	fail_msg("%s:\n--- is\n%.*s\n--- should be\n%s", name, (int)b->len, (const char *)b->p, expected);
}

static void
run(const struct talk_row *row, struct span replies, size_t split)
{
	probe_talk_init(&talk, &row->conf);
	talk.closes = row->closes;
	talk.declines = row->declines;
	assert_true(probe_talk_run(&talk, replies, split));
	if (row->sent != NULL)
		assert_text(row->name, &talk.sent, row->sent);
	assert_text(row->name, &talk.facts, row->facts);
	assert_null(talk.probe.hostile);
}

/* Whole, octet by octet (which is also how a slow one drips), and in threes. */
static void
test_conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		run(&rows[i], span_of(rows[i].replies), 1 << 20);
		run(&rows[i], span_of(rows[i].replies), 1);
		run(&rows[i], span_of(rows[i].replies), 3);
	}
}

static void
expect_hostile(const struct smtp_probe_conf *conf, struct span replies, const char *words, const char *facts)
{
	for (size_t split = 1; split < 1 << 20; split *= 1000) {
		probe_talk_init(&talk, conf);
		assert_true(probe_talk_run(&talk, replies, split));
		assert_non_null(talk.probe.hostile);
		assert_string_equal(talk.probe.hostile, words);
		assert_text(words, &talk.facts, facts);
		/* Who sends that is asked nothing more. */
		assert_int_equal(smtp_probe_lost(&talk.probe, true), SMTP_PROBE_DONE);
	}
}

/* A server without bounds: each length has its ceiling, and nothing is made of half a list. */
static void
test_hostile(void **state)
{
	static char octets[256 * 1024];
	const struct smtp_probe_conf greeting = { .plan = SMTP_PROBE_GREETING }, tls = { .plan = SMTP_PROBE_TLS, .implicit = true };
	static char facts[SMTP_PROBE_TEXT_MAX + 100];
	size_t n;

	(void)state;
	n = (size_t)snprintf(octets, sizeof octets, "220 mx.example.org ");
	memset(octets + n, 'x', 10000);
	(void)snprintf(facts, sizeof facts, "greeting 0 %.*s\n", SMTP_PROBE_TEXT_MAX, octets);
	expect_hostile(&greeting, (struct span){ (uint8_t *)octets, n + 10000 }, "a line of more than 4096 octets", facts);

	n = (size_t)snprintf(octets, sizeof octets, "\1" GREETING);
	for (unsigned i = 0; i < 200; i++)
		n += (size_t)snprintf(octets + n, sizeof octets - n, "250-X-MORE\r\n");
	expect_hostile(&tls, (struct span){ (uint8_t *)octets, n }, "a reply of more than 128 lines", "greeting 220 mx.example.org ESMTP\n");

	n = (size_t)snprintf(octets, sizeof octets, "\1" GREETING);
	for (unsigned i = 0; i < 100; i++)
		n += (size_t)snprintf(octets + n, sizeof octets - n, "250-X-%0500u\r\n", i);
	expect_hostile(&tls, (struct span){ (uint8_t *)octets, n }, "an EHLO reply of more than 16384 octets", "greeting 220 mx.example.org ESMTP\n");

	expect_hostile(&tls, SPAN("\1" GREETING "250-mx.example.org\r\n250 SI\0ZE\r\n"), "a NUL in a reply", "greeting 220 mx.example.org ESMTP\n");
}

/* A list that is not whole is not judged. */
static void
test_half_a_list(void **state)
{
	const struct smtp_probe_conf look = { .plan = SMTP_PROBE_LOOK };

	(void)state;
	probe_talk_init(&talk, &look);
	assert_true(probe_talk_run(&talk, SPAN(GREETING "250-mx\r\n250-STARTTLS\r\n250 SI"), 1));
	assert_text("half", &talk.facts, "");
	assert_false(talk.probe.starttls);
	assert_false(talk.probe.inside);
	probe_talk_init(&talk, &look);
	assert_true(probe_talk_run(&talk, SPAN(GREETING EHLO_CLEAR), 1));
	assert_true(talk.probe.starttls && talk.probe.inside);
	assert_int_equal(talk.probe.replies, 2);
	assert_int_equal(talk.probe.code, 250);
}

/* The driver tells one that drips from one that is late by whether a part has come. */
static void
test_within_reply(void **state)
{
	const struct smtp_probe_conf conf = { .plan = SMTP_PROBE_LOOK };
	struct span begun = SPAN("220-mx\r\n22");
	size_t used;

	(void)state;
	probe_talk_init(&talk, &conf);
	(void)smtp_probe_begin(&talk.probe, &talk.conf, &talk.io);
	assert_false(smtp_probe_is_within_reply(&talk.probe, SPAN("")));
	assert_int_equal(smtp_probe_feed(&talk.probe, begun, &used), SMTP_PROBE_INPUT);
	assert_int_equal(used, 8);
	assert_true(smtp_probe_is_within_reply(&talk.probe, SPAN("")));
	(void)smtp_probe_lost(&talk.probe, false);
	assert_false(smtp_probe_is_within_reply(&talk.probe, SPAN("22")));
}

static void
test_patience(void **state)
{
	static const struct { struct smtp_probe_conf conf; const char *replies; uint32_t patience; } waits[] = {
		{ { .plan = SMTP_PROBE_LOOK }, GREETING, 5000 },
		{ { .plan = SMTP_PROBE_INJECTION }, UP, 700 },
		{ { .plan = SMTP_PROBE_SENDER, .login = true }, UP EHLO_TLS, 10000 },
		{ { .plan = SMTP_PROBE_SENDER, .login = true }, UP EHLO_TLS "235 in\r\n", 5000 },
		{ { .plan = SMTP_PROBE_ENDING }, UP EHLO_TLS "250 ok\r\n250 ok\r\n354 go\r\n", 2000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		probe_talk_init(&talk, &waits[i].conf);
		assert_true(probe_talk_run(&talk, span_of(waits[i].replies), 1 << 20));
		assert_int_equal(talk.patience, waits[i].patience);
	}
}

/* 4954-10: a response that makes the line too long is given when it is asked for, and only what comes then is the answer. */
static void
test_long_response(void **state)
{
	const struct smtp_probe_conf conf = { .plan = SMTP_PROBE_SENDER, .implicit = true, .login = true };
	static uint8_t response[600];
	size_t used;

	(void)state;
	probe_talk_init(&talk, &conf);
	assert_int_equal(smtp_probe_begin(&talk.probe, &talk.conf, &talk.io), SMTP_PROBE_SHAKE);
	assert_int_equal(smtp_probe_secured(&talk.probe), SMTP_PROBE_INPUT);
	(void)smtp_probe_feed(&talk.probe, SPAN(GREETING), &used);
	assert_int_equal(smtp_probe_feed(&talk.probe, SPAN(EHLO_TLS), &used), SMTP_PROBE_LOGIN);
	assert_int_equal(smtp_probe_login(&talk.probe, SMTP_AUTH_PLAIN, (struct span){ response, sizeof response }), SMTP_PROBE_INPUT);
	assert_int_equal(smtp_probe_feed(&talk.probe, SPAN("334 \r\n"), &used), SMTP_PROBE_CHALLENGE);
	assert_text("asked for", &talk.facts, "");
	assert_int_equal(smtp_probe_respond(&talk.probe, (struct span){ response, sizeof response }), SMTP_PROBE_INPUT);
	(void)smtp_probe_feed(&talk.probe, SPAN("235 in\r\n"), &used);
	assert_text("answered", &talk.facts, "login 235 in\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations), cmocka_unit_test(test_hostile), cmocka_unit_test(test_half_a_list),
		cmocka_unit_test(test_within_reply), cmocka_unit_test(test_patience), cmocka_unit_test(test_long_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

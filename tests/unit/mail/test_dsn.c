#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "mail/dsn.h"
#include "mail/dsn_words.h"

enum { NOW_S = 1795341600 };

static const struct dsn_facts facts = {
	.action = DSN_FAILED, .host = SPAN_INIT("mail.example.org"), .to = SPAN_INIT("alice@example.org"),
	.report_id = SPAN_INIT("0123456789ab"), .message_id = SPAN_INIT("9876543210yz"), .random = 0xfeed,
	.now = UINT64_C(1000) * NOW_S, .arrival = UINT64_C(1000) * (NOW_S - 100), .size = 1000,
};

static const struct dsn_recipient bob = {
	.action = DSN_FAILED, .path = SPAN_INIT("bob@example.net"), .status = SPAN_INIT("5.1.1"),
	.host = SPAN_INIT("mx.example.net [192.0.2.25]:25"), .code = 550, .text = SPAN_INIT("5.1.1 no such user"),
	.when = UINT64_C(1000) * NOW_S,
};

static uint8_t room[256 * 1024];
static char report[256 * 1024];

/* A whole report, with out emptied after every step, as a driver with little memory does. */
static const char *
made(const struct dsn_facts *f, const struct dsn_recipient *r, size_t count, struct span original, size_t split)
{
	struct dsn d;
	size_t n = 0;

#define TAKE(step) do { \
		struct buf b = { room, 0, DSN_PIECE_MAX }; \
		assert_true(step); \
		memcpy(report + n, b.p, b.len); \
		n += b.len; \
	} while (0)
	TAKE(dsn_begin(&d, f, &b));
	for (size_t i = 0; i < count; i++)
		TAKE(dsn_tell(&d, &r[i], &b));
	TAKE(dsn_between(&d, &b));
	for (size_t i = 0; i < count; i++)
		TAKE(dsn_report(&d, &r[i], &b));
	TAKE(dsn_original_begin(&d, &b));
	while (dsn_original_wanted(&d) && !span_done(original)) {
		struct buf b = { room, 0, 16 + split };
		size_t used = dsn_original(&d, span_head(original, split), &b);

		assert_true(used > 0);
		span_skip(&original, used);
		memcpy(report + n, b.p, b.len);
		n += b.len;
	}
	TAKE(dsn_end(&d, &b));
	report[n] = '\0';
	return report;
#undef TAKE
}

static const struct span original = SPAN_INIT("From: alice@example.org\r\nSubject: hello \r\n\r\nbody\r\n");

static void
says(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void
says_not(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("\"%s\" in:\n%s", part, text);
}

/* 3464-1, 3464-2, 3464-3, 3461-13, 3834-1 */
static void
a_failure_is_reported_whole(void **state)
{
	(void)state;
	assert_string_equal(made(&facts, &bob, 1, original, 1000),
	    "From: \"Mail system at mail.example.org\" <postmaster@mail.example.org>\r\n"
	    "To: <alice@example.org>\r\n"
	    "Subject: Your message was not delivered\r\n"
	    "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
	    "Message-ID: <0123456789ab.000000000000feed@mail.example.org>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"=_0123456789ab.000000000000feed\"\r\n"
	    "\r\n"
	    "--=_0123456789ab.000000000000feed\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "This is the mail server mail.example.org.\r\n"
	    "\r\n"
	    "Your message has not reached the addresses below, and no further attempt\r\n"
	    "will be made. What was said about each of them, and what you can do:\r\n"
	    "\r\n"
	    "    bob@example.net\r\n"
	    "        mx.example.net [192.0.2.25]:25 said: 550 5.1.1 no such user\r\n"
	    "        There is no such mailbox. Check what stands before the @, then send=\r\n"
	    " it again.\r\n"
	    "\r\n"
	    "The message was taken by this server on Sun, 22 Nov 2026 09:58:20 +0000\r\n"
	    "as number 9876543210yz; its header section comes back below.\r\n"
	    "\r\n"
	    "--=_0123456789ab.000000000000feed\r\n"
	    "Content-Type: message/delivery-status\r\n"
	    "\r\n"
	    "Reporting-MTA: dns; mail.example.org\r\n"
	    "Arrival-Date: Sun, 22 Nov 2026 09:58:20 +0000\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; bob@example.net\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.example.net\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
	    "Last-Attempt-Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
	    "\r\n"
	    "--=_0123456789ab.000000000000feed\r\n"
	    "Content-Type: text/rfc822-headers\r\n"
	    "\r\n"
	    "From: alice@example.org\r\n"
	    "Subject: hello \r\n"
	    "\r\n"
	    "--=_0123456789ab.000000000000feed--\r\n");
}

static void
the_split_does_not_matter(void **state)
{
	static char whole[sizeof report];

	(void)state;
	for (int utf8 = 0; utf8 < 2; utf8++) {
		struct dsn_facts f = facts;

		f.utf8 = utf8 == 1;
		(void)strcpy(whole, made(&f, &bob, 1, original, 1000));
		for (size_t split = 1; split < 60; split++)
			assert_string_equal(made(&f, &bob, 1, original, split), whole);
	}
}

/* 3461-13: Original-Envelope-Id and Original-Recipient exactly when they were given, out of their xtext. */
static void
what_was_given_comes_back(void **state)
{
	struct dsn_facts f = facts;
	struct dsn_recipient r = bob;

	(void)state;
	says_not(made(&f, &r, 1, original, 100), "Original-");
	f.envid = SPAN("QQ+2B314+3D15+2+zz+0D+0Ax");
	r.orcpt = SPAN("rfc822;Bob+2Bshop@example.net");
	says(made(&f, &r, 1, original, 100), "\r\nOriginal-Envelope-Id: QQ+314=15+2+zz??x\r\n");
	says(report, "\r\nOriginal-Recipient: rfc822; Bob+shop@example.net\r\nFinal-Recipient: rfc822; bob@example.net\r\n");
}

/* 3464-2: a delay names the end of the attempts; nothing else does. */
/* 4865-6, RFC 2852 5 */
static void
releases_and_deadlines_are_named(void **state)
{
	struct dsn_facts f = facts;

	(void)state;
	says_not(made(&f, &bob, 1, original, 100), "Future-Release-Request");
	says_not(report, "Deliver-By-Date");
	f.hold = SPAN("until;2026-11-22T10:00:00Z");
	f.deadline = UINT64_C(1000) * NOW_S;
	says(made(&f, &bob, 1, original, 100), "\r\nArrival-Date: Sun, 22 Nov 2026 09:58:20 +0000\r\n"
	    "Future-Release-Request: until;2026-11-22T10:00:00Z\r\nDeliver-By-Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n");
	/* A taken-over front's words stay in their line. */
	f.hold = SPAN("for;60\r\nSubject: x");
	says_not(made(&f, &bob, 1, original, 100), "\nSubject: x");
}

static void
only_a_delay_promises_more(void **state)
{
	struct dsn_facts f = facts;
	struct dsn_recipient r = bob;

	(void)state;
	r.retry_until = UINT64_C(1000) * (NOW_S + 86400);
	says_not(made(&f, &r, 1, original, 100), "Will-Retry-Until");
	f.action = r.action = DSN_DELAYED;
	r.code = 451;
	r.status = SPAN("4.7.1");
	says(made(&f, &r, 1, original, 100), "\r\nWill-Retry-Until: Mon, 23 Nov 2026 10:00:00 +0000\r\n");
	says(report, "Action: delayed\r\nStatus: 4.7.1\r\n");
	says(report, "Attempts go on until Mon, 23 Nov 2026 10:00:00 +0000.");
	says(report, "Subject: Your message is delayed\r\n");
}

/* 3464-3, 3461-6 */
static void
actions_and_statuses_fit(void **state)
{
	static const struct { enum dsn_action action; const char *status, *expected; } rows[] = {
		{ DSN_DELIVERED, "2.1.5", "Action: delivered\r\nStatus: 2.1.5\r\n" },
		{ DSN_RELAYED, "", "Action: relayed\r\nStatus: 2.0.0\r\n" },
		{ DSN_FAILED, "", "Action: failed\r\nStatus: 5.0.0\r\n" },
		{ DSN_FAILED, "4.4.7", "Action: failed\r\nStatus: 4.4.7\r\n" },
		{ DSN_FAILED, "2.0.0", "Action: failed\r\nStatus: 5.0.0\r\n" },
		{ DSN_FAILED, "5.1", "Action: failed\r\nStatus: 5.0.0\r\n" },
		{ DSN_FAILED, "5.1.1000", "Action: failed\r\nStatus: 5.0.0\r\n" },
		{ DSN_FAILED, "5.1.1\r\nX: y", "Action: failed\r\nStatus: 5.0.0\r\n" },
		{ DSN_DELAYED, "5.1.1", "Action: delayed\r\nStatus: 4.0.0\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dsn_facts f = facts;
		struct dsn_recipient r = bob;

		f.action = r.action = rows[i].action;
		r.status = span_of(rows[i].status);
		says(made(&f, &r, 1, original, 100), rows[i].expected);
	}
}

static void
without_a_reply_nobody_is_quoted(void **state)
{
	struct dsn_recipient r = bob;

	(void)state;
	r.code = 0;
	r.status = SPAN("5.4.4");
	r.host = SPAN("");
	r.text = SPAN("no mail server for example.net");
	says_not(made(&facts, &r, 1, original, 100), "Remote-MTA");
	says_not(report, "said:");
	says(report, "\r\nDiagnostic-Code: x-postern; no mail server for example.net\r\n");
	says(report, "        no mail server for example.net\r\n        No server could be found");
	/* regress 0574: whom our own words are about is named, and is no Remote-MTA. */
	r.host = SPAN("mx.example.net [192.0.2.25]:25");
	says_not(made(&facts, &r, 1, original, 100), "Remote-MTA");
	says(report, "server for example.net\r\n        The server was mx.example.net [192.0.2.25]:25.\r\n        No server could be found");
}

/* A stranger's reply must not bring fields, parts or octets of its own. */
/* regress 0365: what the sender can do depends on who has spoken. */
static void
the_advice_is_about_who_spoke(void **state)
{
	static const struct { uint32_t code; const char *status, *words; } row[] = {
		{ 0, "5.7.30", "without REQUIRETLS" }, { 0, "5.7.10", "without REQUIRETLS" }, { 550, "5.7.30", "as a matter of its rules" },
		{ 550, "5.7.1", "as a matter of its rules" }, { 0, "5.4.7", "handed on for too long" }, { 0, "5.4.4", "No server could be found" },
		{ 0, "5.1.2", "takes no mail" },
	};
	char all[256];

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		(void)snprintf(all, sizeof all, "%s", dsn_advice(span_of(row[i].status), row[i].code));
		assert_non_null(strstr(all, row[i].words));
	}
}

static void
replies_are_made_safe(void **state)
{
	struct dsn_recipient r = bob;

	(void)state;
	r.text = SPAN("bad\r\nX-Evil: yes\r\n\r\n--=_0123456789ab.000000000000feed--\xff\x00\xc3\xb6");
	(void)made(&facts, &r, 1, original, 100);
	says_not(report, "\nX-Evil");
	assert_ptr_equal(strstr(report, "feed--\r\n"), report + strlen(report) - strlen("feed--\r\n"));
	for (const char *c = report; *c != '\0'; c++)
		assert_in_range(*c, 1, 127);
}

/* 5322-1 */
static void
no_line_is_too_long(void **state)
{
	static uint8_t text[480], path[254];
	struct dsn_recipient r = bob;
	size_t column = 0;

	(void)state;
	memset(text, 'w', sizeof text);
	for (size_t i = 9; i < sizeof text; i += 10)
		text[i] = ' ';
	memset(path, 'p', sizeof path);
	path[64] = '@';
	r.text = (struct span){ text, sizeof text };
	r.path = (struct span){ path, sizeof path };
	for (const char *c = made(&facts, &r, 1, original, 100); *c != '\0'; c++) {
		column = *c == '\n' ? 0 : column + 1;
		assert_true(column < 300);
	}
	says(report, "\r\n www");
}

/* 0295: RFC 5322 3.2.2: no line of a folded field is nothing but space; some would take it for the end of the recipient's fields. */
static void
no_line_is_blank(void **state)
{
	struct dsn_facts f = facts;
	struct dsn_recipient r = bob;

	(void)state;
	f.envid = SPAN("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx+20+20");
	r.text = SPAN("5.7.1 see https://mx.example.net/why/so/long/a/name/that/nothing/can/stand/behind/it  ");
	(void)made(&f, &r, 1, original, 100);
	says(report, "behind/it\r\n");
	says_not(report, "\n \r\n");
	says_not(report, "\n  \r\n");
}

/* 6531-9, RFC 6533 3: international addresses in seven bits, when nobody said that more is understood. */
static void
international_addresses_are_spelled_out(void **state)
{
	struct dsn_facts f = facts;
	struct dsn_recipient r = bob;

	(void)state;
	r.path = SPAN("b\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80+x@example.net");
	r.orcpt = SPAN("utf-8;b\xc3\xb6\\x{2B}x@example.net");
	says(made(&f, &r, 1, original, 100), "\r\nOriginal-Recipient: utf-8; b\\x{F6}\\x{2B}x@example.net\r\n"
	    "Final-Recipient: utf-8; b\\x{F6}\\x{20AC}\\x{1F600}\\x{2B}x@example.net\r\n");
	says(report, "    b=C3=B6=E2=82=AC");
	assert_false(dsn_is_utf8(&f));
	for (const char *c = report; *c != '\0'; c++)
		assert_in_range(*c, 1, 127);
}

/* 6531-9, RFC 6533 4: who sent with SMTPUTF8 gets them with their characters, in a part that any hop takes. */
static void
global_reports_have_characters(void **state)
{
	struct dsn_facts f = facts;
	struct dsn_recipient r = bob;

	(void)state;
	f.utf8 = true;
	r.path = SPAN("b\xc3\xb6@example.net");
	r.orcpt = SPAN("utf-8;b\\x{F6}\\x{2B}x@example.net");
	r.text = SPAN("5.1.1 n\xc3\xb6 \xff");
	says(made(&f, &r, 1, original, 100), "\r\nContent-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Reporting-MTA: dns; mail.example.org\r\n");
	says(report, "\r\n\r\nOriginal-Recipient: utf-8; b=C3=B6+x@example.net\r\nFinal-Recipient: utf-8; b=C3=B6@example.net\r\n");
	says(report, "Diagnostic-Code: smtp; 550 5.1.1 n=C3=B6 ?\r\n");
	assert_false(dsn_is_utf8(&f));
	for (const char *c = report; *c != '\0'; c++)
		assert_in_range(*c, 1, 127);
	f.to = SPAN("j\xc3\xb6rg@example.org");
	assert_true(dsn_is_utf8(&f));
	says(made(&f, &r, 1, original, 100), "To: <j\xc3\xb6rg@example.org>\r\n");
}

/* 3464-4: an international header comes back encoded, a stray octet is replaced. */
static void
the_header_comes_back_in_seven_bits(void **state)
{
	static const struct span eight = SPAN_INIT("Subject: \xc3\xb6 =\t\r\nTo: x\r\n\r\nb\xc3\xb6");
	struct dsn_facts f = facts;

	(void)state;
	says(made(&f, &bob, 1, eight, 100), "text/rfc822-headers\r\n\r\nSubject: ?? =\t\r\nTo: x\r\n\r\n--");
	f.utf8 = true;
	says(made(&f, &bob, 1, eight, 100), "message/global-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Subject: =C3=B6 =3D\t=\r\n\r\nTo: x\r\n\r\n--");
}

/* 3464-4, RFC 6533 5: the whole of an international message comes back octet for octet, in seven bits. */
static void
a_global_message_comes_back_encoded(void **state)
{
	static const struct span eight = SPAN_INIT("Subject: \xc3\xb6\r\n\r\nb\xc3\xb6\r \nx");
	struct dsn_facts f = facts;
	static char whole[sizeof report];

	(void)state;
	f.utf8 = f.full = f.eightbit = true;
	says(made(&f, &bob, 1, eight, 100), "message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Subject: =C3=B6\r\n\r\nb=C3=B6=0D =0Ax\r\n\r\n--");
	(void)strcpy(whole, report);
	for (size_t split = 1; split < 30; split++)
		assert_string_equal(made(&f, &bob, 1, eight, split), whole);
	says(made(&f, &bob, 1, (struct span)SPAN_INIT("x\r\n\r"), 100), "\r\n\r\nx\r\n=0D\r\n\r\n--");
}

/* 3461-10 */
static void
the_postmaster_is_told_why_he_is(void **state)
{
	struct dsn_facts f = facts;

	(void)state;
	says_not(made(&f, &bob, 1, original, 100), "postmaster, are told");
	f.orphan = true;
	says(made(&f, &bob, 1, original, 100), "you, the postmaster, are told");
}

/* 3461-12: all of it only on failure with RET=FULL, when it is not too big and may stand there. */
static void
the_whole_comes_back_when_it_may(void **state)
{
	struct dsn_facts f = facts;

	(void)state;
	f.full = true;
	says(made(&f, &bob, 1, original, 100), "message/rfc822\r\n\r\nFrom: alice@example.org\r\nSubject: hello \r\n\r\nbody\r\n\r\n--");
	says(report, "it comes back below");
	f.eightbit = true;
	says(made(&f, &bob, 1, original, 100), "text/rfc822-headers\r\n\r\n");
	says_not(report, "body");
	f.eightbit = false;
	f.size = DSN_MESSAGE_MAX + 1;
	says(made(&f, &bob, 1, original, 100), "text/rfc822-headers\r\n\r\n");
}

/* 3464-2: From is an address that a person answers. */
static void
the_postmaster_may_be_somebody_else(void **state)
{
	struct dsn_facts f = facts;
	struct dsn_recipient r = bob;

	(void)state;
	f.postmaster = SPAN("help@example.org");
	r.code = 0;
	r.text = SPAN("");
	says(made(&f, &r, 1, original, 100), "From: \"Mail system at mail.example.org\" <help@example.org>\r\n");
	says_not(report, "Diagnostic-Code");
	r.orcpt = SPAN("no type at all");
	says_not(made(&f, &r, 1, original, 100), "Original-Recipient");
}

static void
a_long_header_is_cut(void **state)
{
	static uint8_t endless[DSN_HEADER_MAX * 2];

	(void)state;
	memset(endless, 'x', sizeof endless);
	assert_true(strlen(made(&facts, &bob, 1, (struct span){ endless, sizeof endless }, 1000)) < DSN_HEADER_MAX + 4096);
	says(report, "xxx\r\n\r\n--=_0123456789ab.000000000000feed--\r\n");
}

static void
several_recipients_have_a_block_each(void **state)
{
	struct dsn_recipient r[2] = { bob, bob };
	const char *first;

	(void)state;
	r[1].path = SPAN("carol@example.net");
	r[1].action = DSN_RELAYED;
	first = strstr(made(&facts, r, 2, original, 100), "\r\n\r\nFinal-Recipient: rfc822; bob@example.net\r\nAction: failed\r\n");
	assert_non_null(first);
	says(first + 4, "\r\n\r\nFinal-Recipient: rfc822; carol@example.net\r\nAction: relayed\r\n");
}

static void
pieces_are_all_or_nothing(void **state)
{
	struct dsn d;
	struct buf b = { room, 0, sizeof room };

	(void)state;
	assert_true(dsn_begin(&d, &facts, &b));
	for (size_t max = 0; max < 60; max++) {
		b = (struct buf){ room, 0, max };
		assert_false(dsn_begin(&d, &facts, &b));
		assert_false(dsn_tell(&d, &bob, &b) || dsn_between(&d, &b) || dsn_report(&d, &bob, &b) ||
		    dsn_original_begin(&d, &b));
		assert_int_equal(b.len, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_reported_whole),
		cmocka_unit_test(the_split_does_not_matter),
		cmocka_unit_test(what_was_given_comes_back),
		cmocka_unit_test(releases_and_deadlines_are_named), cmocka_unit_test(only_a_delay_promises_more),
		cmocka_unit_test(actions_and_statuses_fit),
		cmocka_unit_test(without_a_reply_nobody_is_quoted),
		cmocka_unit_test(replies_are_made_safe), cmocka_unit_test(the_advice_is_about_who_spoke),
		cmocka_unit_test(no_line_is_too_long), cmocka_unit_test(no_line_is_blank),
		cmocka_unit_test(international_addresses_are_spelled_out),
		cmocka_unit_test(global_reports_have_characters),
		cmocka_unit_test(the_header_comes_back_in_seven_bits),
		cmocka_unit_test(a_global_message_comes_back_encoded),
		cmocka_unit_test(the_postmaster_is_told_why_he_is),
		cmocka_unit_test(the_whole_comes_back_when_it_may),
		cmocka_unit_test(the_postmaster_may_be_somebody_else),
		cmocka_unit_test(a_long_header_is_cut),
		cmocka_unit_test(several_recipients_have_a_block_each),
		cmocka_unit_test(pieces_are_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "mail/header.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])
#define FROM "From: a@example.org\n"
#define SAY_10(x) x x x x x x x x x x

static struct header_scan scan;
static char kept[4096];

/* Feed lines (LF between them); what is kept stands in kept, with LF. */
static enum fail
feed(const char *text, bool utf8)
{
	struct span rest = span_of(text);
	struct buf out = BUF_OVER(kept);

	header_init(&scan, utf8);
	while (!span_done(rest)) {
		struct span line = span_take_until(&rest, '\n');

		(void)span_take_byte(&rest, '\n');
		if (header_line(&scan, line) && buf_put(&out, line))
			(void)buf_put_byte(&out, '\n');
	}
	assert_true(buf_terminate(&out));
	return header_end(&scan);
}

static const struct { const char *text; bool utf8; enum fail fail; uint32_t line; } verdicts[] = {
	{ FROM "Subject: x\n\n", false, OK, 0 },
	{ FROM, false, OK, 0 },
	{ "FROM:a@example.org\n\n", false, OK, 0 },
	/* 5322-10: obs-optional, a fold before the address, a line of nothing but space */
	{ "From : a@example.org\nSubject \t: x\n\n", false, OK, 0 },
	{ "From:\n \n\t a@example.org\n\n", false, OK, 0 },
	/* 5322-3: From */
	{ "Subject: x\n\n", false, FAIL_CONTENT, 0 },
	{ "\n", false, FAIL_CONTENT, 0 },
	{ FROM "from: b@example.org\n\n", false, FAIL_CONTENT, 2 },
	{ "X: y\nFrom:\n\n", false, FAIL_CONTENT, 2 },
	{ "X: y\nFrom: alice\n\n", false, FAIL_CONTENT, 2 },
	{ "From: <>\n\n", false, FAIL_CONTENT, 1 },
	{ "From: nobody:;\n\n", false, FAIL_CONTENT, 1 },
	{ "From: a@example.org <b@example.org>\n\n", false, FAIL_CONTENT, 1 },
	/* 6409-7 */
	{ "From: a@localhost\n\n", false, FAIL_SENDER_DOMAIN, 1 },
	{ "From: a@[192.0.2.1]\n\n", false, OK, 0 },
	/* 5322-4 */
	{ "From: a@example.org, b@example.org\n\n", false, FAIL_CONTENT, 1 },
	{ "From: a@example.org, b@example.org\nSender: a@example.org\n\n", false, OK, 0 },
	/* 5322-3: at most one of each */
	{ FROM "To: x\nto: y\n\n", false, FAIL_CONTENT, 3 },
	{ FROM "Cc: x\nCC: y\n\n", false, FAIL_CONTENT, 3 },
	{ FROM "Date: x\nDate: y\n\n", false, FAIL_CONTENT, 3 },
	{ FROM "Sender: x\nSender: y\n\n", false, FAIL_CONTENT, 3 },
	{ FROM "Subject: x\nSubject : y\n\n", false, FAIL_CONTENT, 3 },
	{ FROM "Reply-To: x\nReply-To: y\n\n", false, FAIL_CONTENT, 3 },
	{ FROM "Message-ID: x\nMessage-Id: y\n\n", false, FAIL_CONTENT, 3 },
	{ FROM "References: x\nReferences: y\n\n", false, FAIL_CONTENT, 3 },
	{ FROM "In-Reply-To: x\nIn-Reply-To: y\n\n", false, FAIL_CONTENT, 3 },
	{ FROM "Received: x\nReceived: y\nX-A: x\nX-A: y\nResent-From: x\nResent-From: y\nComments: x\nComments: y\n\n", false, OK, 0 },
	/* 5322-2: names */
	{ FROM "no colon here\n\n", false, FAIL_CONTENT, 2 },
	{ FROM "Bad Name: x\n\n", false, FAIL_CONTENT, 2 },
	{ FROM ": x\n\n", false, FAIL_CONTENT, 2 },
	{ FROM "X: y\n : x\n\n", false, OK, 0 },
	{ FROM "A\x01: x\n\n", false, FAIL_CONTENT, 2 },
	{ FROM "A\x7f: x\n\n", false, FAIL_CONTENT, 2 },
	{ " x\n" FROM "\n", false, FAIL_CONTENT, 1 },
	{ "From alice Sun Nov 22 10:00:00 2026\n" FROM "\n", false, FAIL_CONTENT, 1 },
	/* 6531-7, RFC 6532 3.2 */
	{ FROM "Subject: gr\xc3\xbc\xc3\x9f\n\n", false, FAIL_UTF8_CONTENT, 2 },
	{ FROM "Subject: gr\xc3\xbc\xc3\x9f\n\n", true, OK, 0 },
	{ FROM "Subject: gr\xfc\xdf\n\n", true, FAIL_CONTENT, 2 },
	{ FROM "S\xc3\xbc: x\n\n", true, FAIL_CONTENT, 2 },
	{ "From: j\xc3\xb6rg@example.org\n\n", true, OK, 0 },
	/* The first thing wrong is what is told. */
	{ "Subject: x\nbad\nSubject: y\n\n", false, FAIL_CONTENT, 2 },
};

static void
header_sections_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(verdicts); i++) {
		enum fail f = feed(verdicts[i].text, verdicts[i].utf8);

		if (f != verdicts[i].fail || scan.fail_line != verdicts[i].line)
			fail_msg("%s: %d in line %u", verdicts[i].text, (int)f, scan.fail_line);
		assert_true(f == OK || strlen(scan.fail_words) > 0);
	}
}

/* 5322-7, 5321-43: what is dropped, and 5322-9: that all the rest keeps its order. */
static void
bcc_and_return_path_are_dropped(void **state)
{
	(void)state;
	assert_int_equal(feed("Return-Path: <x@example.net>\nReceived: one\n two\nBcc: b@example.net,\n\tc@example.net\nbcc : d@example.net\n"
	    FROM "X-Bcc: kept\nResent-Bcc: e@example.net\n folded\nTo: f@example.net\nBcc:\n\n", false), OK);
	assert_string_equal(kept, "Received: one\n two\n" FROM "X-Bcc: kept\nTo: f@example.net\n\n");
	assert_true(scan.ended);
	assert_int_equal(scan.received, 1);
}

/* 6409-25, 6409-26 */
static void
what_is_missing_is_known(void **state)
{
	(void)state;
	(void)feed(FROM "\n", false);
	assert_true(header_lacks_date(&scan) && header_lacks_message_id(&scan));
	(void)feed(FROM "DATE: x\n\n", false);
	assert_true(!header_lacks_date(&scan) && header_lacks_message_id(&scan));
	(void)feed(FROM "message-id: x\nResent-Date: y\n\n", false);
	assert_true(header_lacks_date(&scan) && !header_lacks_message_id(&scan));
}

static void
authors_are_unfolded(void **state)
{
	struct span authors;
	struct mailbox m;

	(void)state;
	assert_int_equal(feed("X: y\nFrom: A\n <a@example.org>,\n\tB <b@example.org>\nSender: a@example.org\n and: more\n\n", false), OK);
	authors = header_authors(&scan);
	assert_true(span_eq(authors, SPAN(" A <a@example.org>,\tB <b@example.org>")));
	assert_int_equal(address_next(&authors, &m), ADDRESS_ONE);
	assert_int_equal(address_next(&authors, &m), ADDRESS_ONE);
	assert_true(span_eq(m.whole, SPAN("b@example.org")));
	assert_int_equal(address_next(&authors, &m), ADDRESS_END);
	(void)feed("X: y\n\n", false);
	assert_true(span_done(header_authors(&scan)));
}

/* 5321-46: a hundred is still no loop. */
static void
the_hundred_and_first_received_is_a_loop(void **state)
{
	static char text[8192];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < RECEIVED_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "Received: from x\n\tby y\n");
	(void)snprintf(text + n, sizeof text - n, FROM "\n");
	assert_int_equal(feed(text, false), OK);
	(void)snprintf(text + n, sizeof text - n, "received: z\n" FROM "\n");
	assert_int_equal(feed(text, false), FAIL_LOOP);
	assert_int_equal(scan.fail_line, 201);
}

/* 5322-1 */
static void
lines_have_998_octets_at_most(void **state)
{
	static uint8_t line[999];

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "X:", 2);
	header_init(&scan, false);
	assert_true(header_line(&scan, (struct span){ line, 998 }));
	assert_int_equal(scan.fail, OK);
	assert_true(header_line(&scan, (struct span){ line, 999 }));
	assert_int_equal(scan.fail, FAIL_CONTENT);
	assert_int_equal(scan.fail_line, 2);
}

static void
the_section_has_an_end(void **state)
{
	static const char line[] = "X: " SAY_10("0123456789") SAY_10("0123456789");

	(void)state;
	header_init(&scan, false);
	(void)header_line(&scan, SPAN("From: a@example.org"));
	for (unsigned i = 0; i < 10000; i++)
		(void)header_line(&scan, span_of(line));
	assert_int_equal(header_end(&scan), FAIL_CONTENT);
	assert_int_equal(scan.fail_line, 1 + (HEADER_OCTETS_MAX - 21) / (sizeof line + 1) + 1);
}

static void
a_long_from_is_refused_and_not_cut(void **state)
{
	(void)state;
	header_init(&scan, false);
	(void)header_line(&scan, SPAN("From: a@example.org,"));
	for (unsigned i = 0; i < 20; i++)
		(void)header_line(&scan, SPAN(" " SAY_10("b@e.org,")));
	assert_int_equal(header_end(&scan), FAIL_CONTENT);
	assert_true(header_authors(&scan).len <= HEADER_FROM_MAX);
}

/* 8689-5: the field says No, once, and nothing else; what it says otherwise leaves every policy in force. */
static const struct { const char *text; bool optional; } tls_rows[] = {
	{ FROM "TLS-Required: No\n\n", true },
	{ FROM "tls-required:no\n\n", true },
	{ FROM "TLS-Required:\tNO \t\n\n", true },
	{ "TLS-Required:\n No\n" FROM "\n", true },
	{ FROM "\n", false },
	{ FROM "TLS-Required: Yes\n\n", false },
	{ FROM "TLS-Required:\n\n", false },
	{ FROM "TLS-Required: No way\n\n", false },
	{ FROM "TLS-Required: No\n No\n\n", false },
	{ FROM "TLS-Required: No\nTLS-Required: No\n\n", false },
	{ FROM "TLS-Required: Yes\nTLS-Required: No\n\n", false },
	{ FROM "TLS-Required:\nX-Other: x\n No\n\n", false },
	{ FROM "X-TLS-Required: No\n\n", false },
	{ FROM "\nTLS-Required: No\n", false },
};

static void
test_tls_required(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(tls_rows); i++) {
		struct span rest = span_of(tls_rows[i].text);

		print_message("TLS-Required, row %zu\n", i);
		header_init(&scan, false);
		while (!span_done(rest) && !scan.ended) {
			struct span line = span_take_until(&rest, '\n');

			(void)span_take_byte(&rest, '\n');
			assert_true(header_line(&scan, line));
		}
		assert_int_equal(header_end(&scan), OK);
		assert_int_equal(header_tls_optional(&scan), tls_rows[i].optional);
	}
}

static const struct { const char *text, *id; } ids[] = {
	{ FROM "Message-ID: <a.b@example.org>\n\n", "a.b@example.org" },
	{ FROM "message-id:\n\t<a.b@example.org> \n\n", "a.b@example.org" },
	{ FROM "Message-ID: <a.b@\n example.org>\n\n", "a.b@example.org" },
	{ FROM "Message-ID: no brackets\n\n", "nobrackets" },
	{ FROM "Message-ID: <>\nX: <y@z>\n\n", "" },
	{ FROM "\n", "" },
	{ FROM "Resent-Message-ID: <a@b>\nIn-Reply-To: <c@d>\n\n", "" },
	/* 255 octets are kept. */
	{ FROM "Message-ID: <" SAY_10(SAY_10("abc")) ">\n\n", SAY_10("abcabcabcabcabcabcabcabc") "abcabcabcabcabc" },
};

static void
the_message_id_is_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(ids); i++) {
		print_message("Message-ID, row %zu\n", i);
		(void)feed(ids[i].text, false);
		assert_true(span_eq(header_message_id(&scan), span_of(ids[i].id)));
	}
	header_give_message_id(&scan, SPAN("<x@y>"));
	assert_true(span_eq(header_message_id(&scan), SPAN("x@y")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_sections_are_judged),
		cmocka_unit_test(bcc_and_return_path_are_dropped),
		cmocka_unit_test(what_is_missing_is_known),
		cmocka_unit_test(authors_are_unfolded),
		cmocka_unit_test(the_hundred_and_first_received_is_a_loop),
		cmocka_unit_test(lines_have_998_octets_at_most),
		cmocka_unit_test(the_section_has_an_end),
		cmocka_unit_test(a_long_from_is_refused_and_not_cut),
		cmocka_unit_test(test_tls_required),
		cmocka_unit_test(the_message_id_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

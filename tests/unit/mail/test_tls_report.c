/* mail/tls_report.h: the mail that brings a TLS report. rpt-4, rpt-5 (RFC 8460 5.3, RFC 8689 5) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/tls_report.h"

static const struct tls_report plain = {
	.host = SPAN_INIT("mail.sender.example"), .organization = SPAN_INIT("Sender Ltd"), .contact = SPAN_INIT("tls@sender.example"),
	.to = SPAN_INIT("reports@one.example"), .domain = SPAN_INIT("one.example"), .submitter = SPAN_INIT("sender.example"),
	.report_id = SPAN_INIT("2026-11-22.one.example.mail.sender.example@sender.example"),
	.filename = SPAN_INIT("sender.example!one.example!1795305600!1795391999!0badcafe.json.gz"), .date = SPAN_INIT("2026-11-22"),
	.id = SPAN_INIT("0123456789ab"), .successful = 5, .failed = 1, .random = 0x1234, .now = UINT64_C(1795341600000),
};

static uint8_t room[4 * TLS_REPORT_ROOM];

static const char *
formatted(const struct tls_report *r, struct span octets)
{
	struct buf b = BUF_OVER(room);

	assert_true(tls_report_begin(r, &b));
	assert_true(b.len <= TLS_REPORT_ROOM);
	tls_report_octets(r, &octets, &b);
	assert_true(span_done(octets));
	assert_true(tls_report_end(r, &b));
	assert_true(buf_terminate(&b));
	return (const char *)room;
}

static void
a_report(void **state)
{
	(void)state;
	assert_string_equal(formatted(&plain, SPAN("these octets are as many as two lines of base64 have room for, and so there are two")),
	    "From: tls@sender.example\r\n"
	    "To: reports@one.example\r\n"
	    "Subject: Report Domain: one.example\r\n"
	    "\tSubmitter: sender.example\r\n"
	    "\tReport-ID: <2026-11-22.one.example.mail.sender.example@sender.example>\r\n"
	    "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
	    "Message-ID: <0123456789ab.0000000000001234@mail.sender.example>\r\n"
	    "TLS-Report-Domain: one.example\r\n"
	    "TLS-Report-Submitter: sender.example\r\n"
	    "TLS-Required: No\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
	    "\tboundary=\"=_0123456789ab.0000000000001234\"\r\n"
	    "\r\n"
	    "--=_0123456789ab.0000000000001234\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "This is an aggregate TLS report (RFC 8460) from Sender Ltd,\r\n"
	    "made by the mail server mail.sender.example.\r\n"
	    "It is about connections for mail to one.example on 2026-11-22 (UTC):\r\n"
	    "\r\n"
	    "5 connections were secured as your domain's policies ask for, or as well as=\r\n"
	    " could\r\n"
	    "be where there is none; 1 were not.\r\n"
	    "\r\n"
	    "The attached file is for programs. Questions: tls@sender.example\r\n"
	    "\r\n"
	    "--=_0123456789ab.0000000000001234\r\n"
	    "Content-Type: application/tlsrpt+gzip\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment;\r\n"
	    "\tfilename=\"sender.example!one.example!1795305600!1795391999!0badcafe.json.gz\"\r\n"
	    "\r\n"
	    "dGhlc2Ugb2N0ZXRzIGFyZSBhcyBtYW55IGFzIHR3byBsaW5lcyBvZiBiYXNlNjQgaGF2ZSByb29t\r\n"
	    "IGZvciwgYW5kIHNvIHRoZXJlIGFyZSB0d28=\r\n"
	    "\r\n"
	    "--=_0123456789ab.0000000000001234--\r\n");
}

static void
what_is_missing_is_said(void **state)
{
	struct tls_report r = plain;

	(void)state;
	r.missed = 77;
	r.extra_contact = SPAN("https://sender.example/");
	assert_non_null(strstr(formatted(&r, SPAN("x")), "not whole: 77 further ones"));
	assert_non_null(strstr((const char *)room, "tls@sender.example\r\nhttps://sender.example/\r\n"));
}

/* Piece by piece gives the same lines, whatever room a piece has. */
static void
in_pieces(void **state)
{
	uint8_t octets[4000], whole[6000], piece[400], pieces[6000];
	struct buf all = BUF_OVER(whole), joined = BUF_OVER(pieces);
	struct span rest = { octets, sizeof octets };

	(void)state;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)(i * 7);
	tls_report_octets(&plain, &rest, &all);
	assert_true(span_done(rest));
	rest = (struct span){ octets, sizeof octets };
	while (!span_done(rest)) {
		struct buf b = BUF_OVER(piece);

		tls_report_octets(&plain, &rest, &b);
		assert_true(b.len > 0 && buf_put(&joined, buf_span(&b)));
	}
	assert_true(span_eq(buf_span(&all), buf_span(&joined)));
}

static void
no_room(void **state)
{
	for (size_t n = 0; n < 1000; n += 7) {
		struct buf b = { room, 0, n };

		(void)state;
		assert_false(tls_report_begin(&plain, &b));
		assert_int_equal(b.len, 0);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report), cmocka_unit_test(what_is_missing_is_said), cmocka_unit_test(in_pieces), cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

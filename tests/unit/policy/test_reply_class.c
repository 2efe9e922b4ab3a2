/* policy/reply_class.h: what a next hop means. RFC 3463, 5248, 6647, 7372. */
#include "policy/reply_class.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct {
	uint32_t code;
	const char *enhanced, *text;
	enum reply_class class;
} said[] = {
	{ 250, "2.0.0", "2.0.0 ok, no spam here", REPLY_DELIVERED },
	{ 0, "4.4.1", "cannot connect: Connection timed out", REPLY_UNREACHED },
	{ 0, "4.4.3", "DNS: no answer about example.net within 30 s", REPLY_UNREACHED },
	{ 0, "5.4.7", "given up after many tries; the last one: Greylisted", REPLY_EXPIRED },
	{ 554, "5.4.7", "5.4.7 message expired here", REPLY_ROUTING },
	{ 0, "5.6.3", "the message has 8-bit content and the next hop does not take it", REPLY_CONTENT },
	{ 0, "5.7.30", "the message requires TLS on its whole way", REPLY_POLICY },     /* regress 0365 */
	{ 0, "5.7.10", "TLS is required here and the peer does not offer STARTTLS", REPLY_POLICY },
	{ 550, "5.7.30", "5.7.30 the DKIM signature did not pass", REPLY_AUTHENTICATION },
	/* postgrey, rspamd, spamd, a site of its own */
	{ 450, "4.2.0", "4.2.0 <b@example.net>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help", REPLY_GREYLISTED },
	{ 451, "4.7.1", "4.7.1 Greylisting in action, please come back later", REPLY_GREYLISTED },
	{ 451, "4.0.0", "Temporary failure, please try again later.", REPLY_GREYLISTED },
	{ 450, "4.7.1", "4.7.1 GRAYLISTED for 300 seconds", REPLY_GREYLISTED },
	/* those who receive most of it */
	{ 421, "4.7.28", "4.7.28 Gmail has detected an unusual rate of unsolicited mail", REPLY_RATE },
	{ 450, "4.2.1", "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents", REPLY_RATE },
	{ 451, "4.7.500", "4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77714)", REPLY_RATE },
	{ 421, "4.7.0", "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints", REPLY_RATE },
	{ 421, "4.7.0", "4.7.0 mx.example.net Error: too many connections from 192.0.2.1", REPLY_RATE },
	{ 554, "5.7.1", "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", REPLY_REPUTATION },
	{ 550, "5.7.511", "5.7.511 Access denied, banned sender[192.0.2.1]. To request removal ... banned sending IP", REPLY_REPUTATION },
	{ 421, "4.7.0", "4.7.0 Our system has detected that this message is suspicious due to the very low reputation", REPLY_REPUTATION },
	{ 550, "5.7.26", "5.7.26 Unauthenticated email from example.org is not accepted due to domain's DMARC policy", REPLY_AUTHENTICATION },
	{ 550, "5.7.23", "5.7.23 SPF validation failed", REPLY_AUTHENTICATION },
	{ 450, "4.7.25", "4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", REPLY_AUTHENTICATION },
	{ 550, "5.7.1", "5.7.1 This message looks like SPAM to us", REPLY_CONTENT },
	{ 552, "5.3.4", "5.3.4 Message size exceeds fixed limit", REPLY_CONTENT },
	{ 554, "5.6.0", "5.6.0 Invalid header", REPLY_CONTENT },
	{ 550, "5.1.1", "5.1.1 <joe@nospam.example>: Recipient address rejected: User unknown in virtual mailbox table", REPLY_MAILBOX },
	{ 550, "5.0.0", "<joe@nospam.example>: User unknown", REPLY_MAILBOX },
	{ 550, "5.2.1", "5.2.1 mailbox disabled", REPLY_MAILBOX },
	{ 452, "4.2.2", "4.2.2 The email account that you tried to reach is over quota", REPLY_FULL },
	{ 552, "5.0.0", "mailbox full", REPLY_FULL },
	{ 550, "5.7.1", "5.7.1 Relaying denied", REPLY_ROUTING },
	{ 556, "5.1.10", "this domain takes no mail (null MX)", REPLY_ROUTING },
	{ 550, "5.7.1", "5.7.1 go away", REPLY_POLICY },
	{ 554, "5.0.0", "no SMTP service here", REPLY_POLICY },
	{ 451, "4.3.0", "4.3.0 queue file write error", REPLY_SYSTEM },
	{ 452, "4.0.0", "insufficient system storage", REPLY_SYSTEM },
	{ 452, "4.5.3", "4.5.3 enough", REPLY_RATE },
	{ 502, "5.5.1", "5.5.1 command not implemented", REPLY_PROTOCOL },
	{ 599, "5.0.0", "what is this", REPLY_OTHER },
	{ 450, "", "", REPLY_MAILBOX },
};

static void
what_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
		struct reply_facts f = { said[i].code, span_of(said[i].enhanced), span_of(said[i].text) };
		enum reply_class got = reply_class(&f);

		if (got != said[i].class)
			print_message("%u %s: %s\n", said[i].code, said[i].text, reply_class_name(got));
		assert_int_equal(got, said[i].class);
	}
}

/* Every row can be reached, and has a source. */
static void
no_row_is_hidden(void **state)
{
	char text[200], enhanced[16];

	(void)state;
	for (size_t i = 0; i < reply_row_count; i++) {
		const struct reply_row *r = &reply_rows[i];
		size_t len = strlen(r->status);
		struct reply_facts f;

		(void)snprintf(text, sizeof text, "x %s x", r->words);
		(void)snprintf(enhanced, sizeof enhanced, len == 0 ? "4.0.0" : r->status[len - 1] == '.' ? "4%s99" : "4%s", r->status);
		f = (struct reply_facts){ r->code != 0 ? r->code : 499, span_of(enhanced), span_of(text) };
		/* A row before it may say the same of it, never something else. */
		if (reply_class(&f) != r->class)
			print_message("row %s %s %u is hidden\n", r->words, r->status, r->code);
		assert_int_equal(reply_class(&f), r->class);
		assert_true(strlen(r->source) > 0);
		for (const char *c = r->words; *c != '\0'; c++)
			assert_true(*c < 'A' || *c > 'Z');
	}
}

static void
how_long(void **state)
{
	static const struct { const char *text; uint32_t seconds; } waits[] = {
		{ "Greylisted for 300 seconds", 300 }, { "please come back in 5 minutes", 300 }, { "retry after 00:04:59", 299 },
		{ "try again in 1 hour", 3600 }, { "4.7.1 Greylisting, 90 sec.", 90 }, { "wait 4:59", 299 }, { "greylisted 15min", 900 },
		{ "4.7.1 greylisted, come back later", 0 }, { "4.7.0 [192.0.2.1] slow down", 0 }, { "see rfc 6647 minutes", 0 },
		{ "99999999999999999999 seconds", 0 }, { "500 hours", 0 }, { "", 0 }, { "5", 0 }, { "mx300 seconds", 0 }, { "1:2:3:4:5", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		uint32_t got = reply_wait(span_of(waits[i].text));

		if (got != waits[i].seconds)
			print_message("%s: %u\n", waits[i].text, got);
		assert_int_equal(got, waits[i].seconds);
	}
}

static void
who_slows(void **state)
{
	(void)state;
	assert_true(reply_class_slows(REPLY_RATE) && reply_class_slows(REPLY_REPUTATION) && reply_class_slows(REPLY_POLICY));
	assert_false(reply_class_slows(REPLY_GREYLISTED) || reply_class_slows(REPLY_MAILBOX) || reply_class_slows(REPLY_CONTENT));
	for (unsigned i = 0; i < REPLY_CLASSES; i++)
		assert_non_null(reply_class_name((enum reply_class)i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said),
		cmocka_unit_test(no_row_is_hidden),
		cmocka_unit_test(how_long),
		cmocka_unit_test(who_slows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

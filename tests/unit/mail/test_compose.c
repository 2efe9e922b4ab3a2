#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "mail/compose.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])
#define MADE_DATE "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
#define MADE_ID "Message-ID: <d20asca00000.0807060504030201@example.org>\r\n"
#define MADE_FROM "From: <alice@example.org>\r\n"
#define MADE MADE_FROM MADE_DATE MADE_ID

static uint64_t
fixed_now(void *arg)
{
	(void)arg;
	return UINT64_C(1795341600000);
}

static void
fixed_random(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i + 1);
}

static struct compose_facts facts = {
	.from = SPAN_INIT("alice@example.org"), .domain = SPAN_INIT("example.org"), .env = { fixed_now, fixed_random, NULL },
};

static struct compose c;
static uint8_t header[COMPOSE_HEADER_ROOM];
static char content[65536], recipients[65536];

static bool
take_header(struct span *in, size_t split)
{
	enum compose_step step = COMPOSE_MORE;

	while (step == COMPOSE_MORE && !span_done(*in)) {
		size_t used;

		step = compose_header_feed(&c, span_head(*in, split), &used);
		span_skip(in, used);
	}
	if (step == COMPOSE_MORE)
		step = compose_header_end(&c);
	return step == COMPOSE_DONE;
}

static bool
take_recipients(void)
{
	enum compose_step step;
	uint8_t text[COMPOSE_ADDRESS_ROOM];
	struct buf address = BUF_OVER(text);
	size_t n = 0;

	recipients[0] = '\0';
	while ((step = compose_recipient(&c, &address)) == COMPOSE_MORE)
		n += (size_t)snprintf(recipients + n, sizeof recipients - n, "%.*s ", (int)address.len, (char *)text);
	return step == COMPOSE_DONE;
}

static bool
take_body(struct span in, size_t split, struct buf *all)
{
	enum compose_step step = COMPOSE_MORE;
	uint8_t little[16];
	struct buf out = BUF_OVER(little);

	while (step == COMPOSE_MORE && !span_done(in)) {
		size_t used;

		step = compose_body_feed(&c, span_head(in, split), &used, &out);
		span_skip(&in, used);
		assert_true(used > 0 || step != COMPOSE_MORE);
		assert_true(buf_put(all, buf_span(&out)));
		out.len = 0;
	}
	if (step == COMPOSE_BAD || compose_body_end(&c, &out) != COMPOSE_DONE)
		return false;
	assert_true(buf_put(all, buf_span(&out)));
	return true;
}

/* The whole way with the given split; content and recipients, or why not. */
static bool
composed(struct span in, size_t split)
{
	struct buf all = { (uint8_t *)content, 0, sizeof content - 1 };
	enum compose_step step;
	bool good;

	compose_init(&c, &facts, BUF_OVER(header));
	good = take_header(&in, split) && take_recipients();
	if (good) {
		step = compose_header_drain(&c, &all);
		good = step == COMPOSE_DONE && take_body(in, split, &all);
	}
	content[all.len] = '\0';
	return good;
}

static const struct { const char *text, *content, *recipients; } rows[] = {
	/* 6409-25, 6409-26, 5322-3: what is missing is added */
	{ "Subject: x\n\nbody\n", "Subject: x\r\n" MADE "\r\nbody\r\n", "" },
	{ "From: b@example.net\nDate: x\nMessage-ID: y\n\nb\n", "From: b@example.net\r\nDate: x\r\nMessage-ID: y\r\n\r\nb\r\n", "" },
	/* 5322-7: recipients from To, Cc and Bcc; Bcc gone; 5322-9: the rest in order */
	{ "To: a@x.example, B <b@x.example>\nBcc: secret@x.example,\n other@x.example\nX-Y: z\nCc: c@x.example\n\nhi\n",
	  "To: a@x.example, B <b@x.example>\r\nX-Y: z\r\nCc: c@x.example\r\n" MADE "\r\nhi\r\n",
	  "a@x.example b@x.example secret@x.example other@x.example c@x.example " },
	{ "To: g: a@x.example, b@x.example;\nBcc: undisclosed:;\n\n", "To: g: a@x.example, b@x.example;\r\n" MADE "\r\n",
	  "a@x.example b@x.example " },
	/* 5321-43 */
	{ "Return-Path: <x@y.example>\nTo: a@x.example\n\n", "To: a@x.example\r\n" MADE "\r\n", "a@x.example " },
	/* what cron writes: users without a domain */
	{ "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> x\n\nout\n",
	  "From: root@example.org (Cron Daemon)\r\nTo: root@example.org\r\nSubject: Cron <root@host> x\r\n" MADE_DATE MADE_ID "\r\nout\r\n",
	  "root@example.org " },
	{ "To: A <a>,\n b@x.example, c\n\n", "To: A <a@example.org>,\r\n b@x.example, c@example.org\r\n" MADE "\r\n",
	  "a@example.org b@x.example c@example.org " },
	/* no header section at all */
	{ "just words\nTo: nobody\n\nmore\n", MADE "\r\njust words\r\nTo: nobody\r\n\r\nmore\r\n", "" },
	{ "", MADE "\r\n", "" },
	{ "\nbody", MADE "\r\nbody\r\n", "" },
	{ "word", MADE "\r\nword\r\n", "" },
	/* a header section without a body */
	{ "To: a@x.example", "To: a@x.example\r\n" MADE "\r\n", "a@x.example " },
	/* a mailbox file's line */
	{ "From alice Sun Nov 22 10:00:00 2026\nTo: a@x.example\n\nx\n", "To: a@x.example\r\n" MADE "\r\nx\r\n", "a@x.example " },
	{ ">From alice Sun Nov 22 10:00:00 2026\nTo: a@x.example\n\nx\n", "To: a@x.example\r\n" MADE "\r\nx\r\n", "a@x.example " },
	{ "From now on it is text.\nTo be read\n\nx\n", MADE "\r\nFrom now on it is text.\r\nTo be read\r\n\r\nx\r\n", "" },
	{ "From now on\n\nx\n", MADE "\r\nFrom now on\r\n\r\nx\r\n", "" },
	{ "From now on", MADE "\r\nFrom now on\r\n", "" },
	{ "From : b@x.example\n\nx\n", "From : b@x.example\r\n" MADE_DATE MADE_ID "\r\nx\r\n", "" },
	/* 5321-2, 5321-33: line ends */
	{ "A: b\r\n\r\nx\ny\r\nz", "A: b\r\n" MADE "\r\nx\r\ny\r\nz\r\n", "" },
	{ "A: b\n\n10%\r20%\r\n\r\r\n", "A: b\r\n" MADE "\r\n10%\r\n20%\r\n\r\n\r\n", "" },
	{ "A: b\n\nx\r", "A: b\r\n" MADE "\r\nx\r\n", "" },
	/* dots are the client's business */
	{ "A: b\n\n.\n..\n.x\n", "A: b\r\n" MADE "\r\n.\r\n..\r\n.x\r\n", "" },
	/* 5322-8: a Resent- block */
	{ "Resent-To: r@x.example\nResent-Bcc: s@x.example\nTo: t@x.example\nFrom: f@x.example\nDate: d\n\n",
	  "Resent-From: <alice@example.org>\r\nResent-" MADE_DATE "Resent-" MADE_ID
	  "Resent-To: r@x.example\r\nTo: t@x.example\r\nFrom: f@x.example\r\nDate: d\r\n\r\n", "r@x.example s@x.example " },
	{ "Received: x\nResent-From: a@x.example\nResent-To: new@x.example\nReceived: y\nResent-From: o@x.example\nResent-To: old@x.example\n\n",
	  "Received: x\r\nResent-" MADE_DATE "Resent-" MADE_ID "Resent-From: a@x.example\r\nResent-To: new@x.example\r\nReceived: y\r\n"
	  "Resent-From: o@x.example\r\nResent-To: old@x.example\r\n\r\n", "new@x.example " },
	{ "Resent-From: a@x.example\nResent-To: new@x.example\nResent-From: o@x.example\nResent-To: old@x.example\n\n",
	  "Resent-" MADE_DATE "Resent-" MADE_ID "Resent-From: a@x.example\r\nResent-To: new@x.example\r\n"
	  "Resent-From: o@x.example\r\nResent-To: old@x.example\r\n\r\n", "new@x.example " },
	/* 0346, RFC 2047: encoded, but for what is signed; what is around it stays */
	{ "Subject: re gr\xc3\xbc\xc3\x9f" "e x\n\n", "Subject: re\r\n =?utf-8?B?Z3LDvMOfZQ==?=\r\n x\r\n" MADE "\r\n", "" },
	{ "Comments:\xff\n\n", "Comments: =?unknown-8bit?B?/w==?=\r\n" MADE "\r\n", "" },
	{ "DKIM-Signature: v\nSubject: \xc3\xbc\n\n", "DKIM-Signature: v\r\nSubject: \xc3\xbc\r\n" MADE "\r\n", "" },
	{ "To: \"J\\\xc3\xbc\" <root>, root,(x)b@x.example,\xc3\xbc (c) <c@x.example>\n\n",
	  "To: =?utf-8?B?SsO8?=\r\n <root@example.org>, root@example.org,(x)b@x.example,\xc3\xbc (c) <c@x.example>\r\n" MADE "\r\n",
	  "root@example.org root@example.org b@x.example c@x.example " },
	/* not ours to judge: the server will say it */
	{ "From: two words\n\n", "From: two words\r\n" MADE_DATE MADE_ID "\r\n", "" },
};

static void
messages_are_completed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t split = 1; split < 90; split += split < 4 ? 1 : 17) {
			if (!composed(span_of(rows[i].text), split))
				fail_msg("%s: line %u: %s", rows[i].text, c.line, c.why);
			assert_string_equal(content, rows[i].content);
			assert_string_equal(recipients, rows[i].recipients);
		}
}

static const struct { struct span text; uint32_t line; } refusals[] = {
	{ SPAN_INIT("To: a@x.example\nno field\nBcc: b@x.example\n\n"), 2 },
	{ SPAN_INIT("To: a\rBcc: b\n\n"), 1 },
	{ SPAN_INIT("To: a\r"), 1 },
	{ SPAN_INIT("To: a\n\0: x\n\n"), 2 },
	{ SPAN_INIT("A: b\nTo: c@x.example,\n d e@x.example\n\n"), 2 },
	{ SPAN_INIT("From x y\nA: b\nTo: a@@x.example\n\n"), 3 },
	{ SPAN_INIT("To: \"a\tb\"@x.example\n\n"), 1 },
};

static void
what_cannot_be_repaired_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refusals); i++) {
		if (composed(refusals[i].text, 7))
			fail_msg("taken: %s", (const char *)refusals[i].text.p);
		assert_non_null(c.why);
		assert_int_equal(c.line, refusals[i].line);
	}
}

/* 5322-1, 0340: a body's long lines pass and are told of; a header's are folded. */
static void
long_lines_are_told_of(void **state)
{
	static uint8_t text[3000];
	struct span head = SPAN("A: b\n\nx\n");

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, head.p, head.len);
	assert_true(composed((struct span){ text, head.len + 998 }, 100));
	assert_false(c.unfit);
	assert_true(composed((struct span){ text, head.len + 999 }, 100));
	assert_true(c.unfit);
	assert_int_equal(c.unfit_line, 4);
	memset(text, 'x', sizeof text);
	memcpy(text, "A:x", 3);
	assert_true(composed((struct span){ text, 998 }, 100));
	assert_false(composed((struct span){ text, 999 }, 100));
	assert_int_equal(c.line, 1);
}

/* RFC 5322 2.2.3: in front of a space with a word behind it, and not inside the name. */
static void
header_lines_are_folded(void **state)
{
	static const struct { const char *before, *after; } folds[] = {
		{ "Subject: ", "Subject:\r\n " }, { "Subject: a ", "Subject: a\r\n " }, { "Subject : a\t", "Subject : a\r\n\t" },
		{ "Subject: a  ", "Subject: a \r\n " }, { "A: b\n c ", "A: b\r\n c\r\n " },
	};
	static char text[3000];

	(void)state;
	for (size_t i = 0; i < ROWS(folds); i++)
		for (size_t split = 1; split < 2000; split += 333) {
			size_t n = strlen(strcpy(text, folds[i].before));

			memset(text + n, 'x', 997);
			(void)strcpy(text + n + 997, "\n\nbody\n");
			assert_true(composed(span_of(text), split));
			assert_memory_equal(content, folds[i].after, strlen(folds[i].after));
			assert_memory_equal(content + strlen(folds[i].after) + 996, "x\r\n" MADE, 10);
		}
	for (size_t i = 0; i < 2; i++) {
		(void)strcpy(text, i == 0 ? "A: b\n " : "Subject :");
		memset(text + strlen(text), 'x', 1000);
		assert_false(composed(span_of(text), 100));
		memset(text, 0, sizeof text);
	}
	(void)strcpy(text, "DKIM-Signature: v=1\nSubject: a ");
	memset(text + strlen(text), 'x', 990);
	(void)strcat(text, "\n\nbody\n");
	assert_false(composed(span_of(text), 100));
	assert_int_equal(c.line, 2);
}

/* A first line that is no field may hold whatever a body may. */
static void
no_header_at_all(void **state)
{
	static const struct { struct span text; const char *body; bool unfit; } heads[] = {
		{ SPAN_INIT("10%\r50%\rdone\n"), "10%\r\n50%\r\ndone\r\n", false }, { SPAN_INIT("x\r"), "x\r\n", false },
		{ SPAN_INIT("x\r\ry"), "x\r\n\r\ny\r\n", false }, { SPAN_INIT("a\0b\n"), "a", true }, { SPAN_INIT("\0"), "", true },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(heads); i++)
		for (size_t split = 1; split < 4; split++) {
			assert_true(composed(heads[i].text, split));
			assert_true(c.headless && c.unfit == heads[i].unfit);
			assert_string_equal(strstr(content, "\r\n\r\n") + 4, heads[i].body);
		}
}

static void
a_dot_ends_when_asked(void **state)
{
	static const struct { const char *text, *content; bool ended; } dots[] = {
		{ "A: b\n\nx\n.\nnot this\n", "A: b\r\n" MADE "\r\nx\r\n", true },
		{ "A: b\n\nx\n.\r\nnot this\n", "A: b\r\n" MADE "\r\nx\r\n", true },
		{ "A: b\n\nx\n.", "A: b\r\n" MADE "\r\nx\r\n", true },
		{ "A: b\n\n.x\n..\n. \n", "A: b\r\n" MADE "\r\n.x\r\n..\r\n. \r\n", false },
		{ "Subject: b\n.\nnot this\n", "Subject: b\r\n" MADE "\r\n", true },
		{ ".\nnot this\n", MADE "\r\n", true },
	};

	(void)state;
	facts.dot_ends = true;
	for (size_t i = 0; i < ROWS(dots); i++)
		for (size_t split = 1; split < 30; split++) {
			assert_true(composed(span_of(dots[i].text), split));
			assert_string_equal(content, dots[i].content);
			assert_int_equal(c.ended, dots[i].ended);
		}
	facts.dot_ends = false;
}

/* 6531-3, 6152: what the submission will have to ask for. */
static void
eight_bits_are_noticed(void **state)
{
	(void)state;
	assert_true(composed(SPAN("A: b\n\nc\n"), 9) && !c.utf8 && !c.eightbit);
	assert_true(composed(SPAN("A: \xc3\xb6\n\nc\n"), 9) && c.utf8 && !c.eightbit);
	assert_true(composed(SPAN("A: b\n\n\xc3\xb6\n"), 9) && !c.utf8 && c.eightbit);
	assert_true(composed(SPAN("gr\xc3\xbc\xc3\x9f" "e\n"), 9) && !c.utf8 && c.eightbit);
	facts.from = SPAN("\xc3\xb6@example.org");
	assert_true(composed(SPAN("A: b\n\nc\n"), 9) && c.utf8);
	assert_true(composed(SPAN("From: bob@example.net\n\nc\n"), 9) && !c.utf8);
	assert_true(composed(SPAN("hello\n"), 9) && c.utf8);
	facts.from = SPAN("alice@example.org");
	/* 6531-5: a mailbox's domain may be international, and then so is what is made of it. */
	facts.domain = SPAN("b\xc3\xbc" "cher.example");
	assert_true(composed(SPAN("From: bob@example.net\nTo: root\nMessage-ID: <a@b.c>\n\nc\n"), 9) && c.utf8);
	assert_true(composed(SPAN("From: bob@example.net\n\nc\n"), 9) && c.utf8);
	assert_true(composed(SPAN("From: bob@example.net\nMessage-ID: <a@b.c>\n\nc\n"), 9) && !c.utf8);
	facts.domain = SPAN("b\xc3" "cher.example");
	assert_false(composed(SPAN("From: bob@example.net\n\nc\n"), 9));
	facts.domain = SPAN("example.org\r\nBcc: x");
	assert_false(composed(SPAN("From: bob@example.net\n\nc\n"), 9));
	facts.domain = SPAN("example.org");
}

static void
names_are_quoted_or_encoded(void **state)
{
	static const struct { const char *name, *from; } names[] = {
		{ "Alice Doe", "From: \"Alice Doe\" <alice@example.org>\r\n" },
		{ "A \"x\" \\ y", "From: \"A \\\"x\\\" \\\\ y\" <alice@example.org>\r\n" },
		{ "A\r\nBcc: x", "From: \"A?\?Bcc: x\" <alice@example.org>\r\n" },
		{ "J\xc3\xb6rg", "From: =?utf-8?B?SsO2cmc=?=\r\n <alice@example.org>\r\n" },
		{ "J\xf6rg", "From: =?unknown-8bit?B?SvZyZw==?=\r\n <alice@example.org>\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(names); i++) {
		facts.name = span_of(names[i].name);
		assert_true(composed(SPAN("A: b\n\n"), 9));
		assert_memory_equal(content, "A: b\r\n", 6);
		assert_memory_equal(content + 6, names[i].from, strlen(names[i].from));
	}
	facts.name = SPAN("");
}

/* 5322-2: nothing from a command line becomes a field. */
static void
a_sender_cannot_bring_fields(void **state)
{
	struct span good = facts.from;

	(void)state;
	facts.from = SPAN("a@example.org>\r\nBcc: <x@y.example");
	assert_false(composed(SPAN("A: b\n\n"), 9));
	assert_true(composed(SPAN("From: a@example.org\n\n"), 9));
	facts.from = SPAN("");
	assert_false(composed(SPAN("A: b\n\n"), 9));
	facts.from = good;
}

/* A header section is written in pieces when out is small, and refused when a field alone is too big for it. */
static void
the_header_comes_in_pieces(void **state)
{
	struct span in = SPAN("A: 0123456789012345678901234567890123456789\nB: 0123456789012345678901234567890123456789\nFrom: x@y.example\n"
	    "Date: z\nMessage-ID: q\n\n");
	struct buf out = { (uint8_t *)content, 0, 60 };
	unsigned pieces = 1;

	(void)state;
	compose_init(&c, &facts, BUF_OVER(header));
	assert_true(take_header(&in, 1000));
	for (; compose_header_drain(&c, &out) == COMPOSE_MORE; pieces++) {
		assert_true(out.len > 0 && content[out.len - 1] == '\n');
		out.len = 0;
	}
	assert_int_equal(c.phase, COMPOSE_BODY);
	assert_true(pieces >= 3);
	in = SPAN("A: 0123456789012345678901234567890123456789\n\n");
	compose_init(&c, &facts, BUF_OVER(header));
	assert_true(take_header(&in, 1000));
	out = (struct buf){ (uint8_t *)content, 0, 30 };
	assert_int_equal(compose_header_drain(&c, &out), COMPOSE_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_completed),
		cmocka_unit_test(what_cannot_be_repaired_is_named),
		cmocka_unit_test(long_lines_are_told_of), cmocka_unit_test(header_lines_are_folded), cmocka_unit_test(no_header_at_all),
		cmocka_unit_test(a_dot_ends_when_asked),
		cmocka_unit_test(eight_bits_are_noticed),
		cmocka_unit_test(names_are_quoted_or_encoded),
		cmocka_unit_test(a_sender_cannot_bring_fields),
		cmocka_unit_test(the_header_comes_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mail/dkim.h"

static uint8_t room[64 * 1024];
static struct buf got;

static void
gather(void *arg, struct span octets)
{
	assert_true(buf_put(arg, octets));
}

static const struct dkim_sink sink = { gather, &got };

static const char *
text(void)
{
	assert_true(buf_terminate(&got));
	return (const char *)room;
}

static const char *
body_of(const char *octets, size_t piece)
{
	struct span rest = span_of(octets);
	struct dkim_body b;

	got = BUF_OVER(room);
	dkim_body_init(&b);
	while (rest.len > 0) {
		dkim_body_put(&b, span_head(rest, piece), &sink);
		span_skip(&rest, piece < rest.len ? piece : rest.len);
	}
	dkim_body_end(&b, &sink);
	return text();
}

/* RFC 6376 3.4.5, 3.4.4; dkim-6. */
static const struct { const char *body, *canonical; } bodies[] = {
	{ " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n" },
	{ "", "" },
	{ "\r\n", "" },
	{ "\r\n\r\n\r\n", "" },
	{ " \t\r\n \r\n", "" },
	{ "   ", "" },
	{ "x", "x\r\n" },
	{ "x ", "x\r\n" },
	{ "x\r\n \t\r\n\r\n", "x\r\n" },
	{ "\r\n\r\nx\r\n", "\r\n\r\nx\r\n" },
	{ "a\r\n \r\n\t\t\r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
	{ "a\t\tb  c d\r\n", "a b c d\r\n" },
	{ "  a\r\n\tb\r\n", " a\r\n b\r\n" },
	{ "caf\xc3\xa9 \xff\x01\r\n", "caf\xc3\xa9 \xff\x01\r\n" },
	/* None of these come out of the spool; a verifier would see them so. */
	{ "a\rb\r\n", "a\rb\r\n" },
	{ "a \r b\r\n", "a \r b\r\n" },
	{ "a\nb\r\n", "a\nb\r\n" },
	{ "\n\r\n", "\n\r\n" },
	{ "a\r", "a\r\r\n" },
	{ "a\r\r\n\r\n", "a\r\r\n" },
	{ "1\r\n2\r\n3 4\r\n5 \r\n6\r\n", "1\r\n2\r\n3 4\r\n5\r\n6\r\n" },
};

static void
bodies_are_relaxed_whatever_the_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
		for (size_t piece = 1; piece <= 8; piece++)
			assert_string_equal(body_of(bodies[i].body, piece), bodies[i].canonical);
}

static void
many_empty_lines_cost_nothing_until_something_follows(void **state)
{
	static char many[20001], wanted[20010];

	(void)state;
	for (size_t i = 0; i < 9000; i++)
		memcpy(many + 2 * i, "\r\n", 3);
	assert_string_equal(body_of(many, 7), "");
	(void)snprintf(wanted, sizeof wanted, "%sx\r\n", many);
	assert_string_equal(body_of(wanted, 5), wanted);
}

static const char *
field_of(const char *field)
{
	got = BUF_OVER(room);
	dkim_field_put(span_of(field), &sink);
	return text();
}

/* RFC 6376 3.4.2 and its example in 3.4.5. */
static void
fields_are_relaxed(void **state)
{
	static char wide[3000], canonical[3000];

	(void)state;
	assert_string_equal(field_of("A: X\r\n"), "a:X");
	assert_string_equal(field_of("B : Y\t\r\n\tZ  \r\n"), "b:Y Z");
	assert_string_equal(field_of("SUBJect:AbC\r\n"), "subject:AbC");
	assert_string_equal(field_of("Subject:\r\n \r\n"), "subject:");
	assert_string_equal(field_of("Subject: \xc3\xa9 : x\r\n"), "subject:\xc3\xa9 : x");
	memset(wide, 'w', 2500);
	memcpy(wide, "W: ", 3);
	memset(canonical, 'w', 2499);
	memcpy(canonical, "w:", 2);
	assert_string_equal(field_of(wide), canonical);
}

static const char letter[] =
    "Received: from x\r\n\tby y\r\n"
    "DKIM-Signature: v=1; by somebody else\r\n"
    "From: Alice\r\n <alice@Example.ORG>\r\n"
    "list-id: first\r\n"
    "List-Id: second\r\n"
    "Bcc: nobody\r\n"
    "MIME-Version: 1.0\r\n"
    "Sender: sec@example.org\r\n"
    "X-Other: o\r\n"
    "To: b@example.net\r\n";

/* dkim-2, dkim-3. */
static void
names_are_listed_once_more_than_present(void **state)
{
	struct dkim_header h;
	struct mailbox author;

	(void)state;
	dkim_header_init(&h, span_of(letter));
	got = BUF_OVER(room);
	assert_true(dkim_names_format(&h, &got));
	assert_string_equal(text(),
	    "from:from:sender:sender:reply-to:to:to:cc:subject:date:message-id:mime-version:mime-version:content-type:"
	    "content-transfer-encoding:list-id:list-id");
	assert_true(dkim_header_author(&h, &author));
	assert_true(span_eq(author.domain, SPAN("Example.ORG")));
}

/* dkim-4: RFC 6376 5.4.2. */
static void
fields_of_one_name_are_taken_from_the_bottom(void **state)
{
	struct dkim_header h;

	(void)state;
	dkim_header_init(&h, span_of(letter));
	got = BUF_OVER(room);
	assert_true(dkim_header_put(&h, SPAN("list-id : from:list-id:\r\n\tfrom : list-id"), &sink));
	assert_string_equal(text(), "list-id:second\r\nfrom:Alice <alice@Example.ORG>\r\nlist-id:first\r\n");
	got.len = 0;
	assert_false(dkim_header_put(&h, SPAN("from:x-other"), &sink));
	assert_false(dkim_header_put(&h, SPAN(""), &sink));
}

/* More of one name than are kept: the last ones are signed, and none is promised beyond them. */
static void
a_crowd_of_one_name(void **state)
{
	char crowd[2000] = "From: a@example.org\r\n", names[DKIM_NAMES_MAX];
	struct buf list = BUF_OVER(names);
	struct dkim_header h;

	(void)state;
	for (int i = 0; i < 40; i++)
		(void)snprintf(crowd + strlen(crowd), 40, "Subject: number %d\r\n", i);
	dkim_header_init(&h, span_of(crowd));
	assert_true(dkim_names_format(&h, &list));
	assert_true(buf_terminate(&list));
	assert_non_null(strstr(names, ":cc:subject:subject:subject:subject:date:"));
	got = BUF_OVER(room);
	assert_true(dkim_header_put(&h, buf_span(&list), &sink));
	assert_string_equal(text(), "from:a@example.org\r\nsubject:number 39\r\nsubject:number 38\r\nsubject:number 37\r\n"
	    "subject:number 36\r\n");
}

/* Every name, each as often as we keep: h= has room for it, and so has the field. */
static void
the_longest_list_fits(void **state)
{
	static const char *const all[] = { "from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references",
		"mime-version", "content-type", "content-transfer-encoding", "content-disposition", "content-description", "content-id",
		"content-language", "resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-message-id", "list-id",
		"list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe", "list-post", "list-owner", "list-archive",
		"tls-required", "auto-submitted" };
	static char section[20000], domain[DKIM_SDID_MAX + 1], selector[DKIM_SELECTOR_MAX + 1];
	uint8_t names[DKIM_NAMES_MAX], field[DKIM_FIELD_MAX], octets[DKIM_SIGNATURE_MAX] = { 0 };
	struct buf list = BUF_OVER(names), out = BUF_OVER(field);
	struct dkim_header h;

	(void)state;
	assert_int_equal(sizeof all / sizeof all[0], DKIM_KNOWN);
	for (size_t i = 0; i < DKIM_KNOWN; i++)
		for (int n = 0; n < DKIM_INSTANCES_MAX; n++)
			(void)snprintf(section + strlen(section), 80, "%s: x\r\n", all[i]);
	dkim_header_init(&h, span_of(section));
	assert_true(dkim_names_format(&h, &list));
	memset(domain, 'd', DKIM_SDID_MAX);
	memset(selector, 's', DKIM_SELECTOR_MAX);
	assert_true(dkim_field_format(&(struct dkim_signature){ DKIM_ED25519_SHA256, span_of(domain), span_of(selector), buf_span(&list),
	    UINT64_MAX, { octets, DKIM_DIGEST }, { octets, sizeof octets } }, &out));
}

static void
the_field_is_folded(void **state)
{
	static uint8_t digest[DKIM_DIGEST], signature[64];
	struct dkim_signature s = { .algorithm = DKIM_ED25519_SHA256, .domain = SPAN("example.org"), .selector = SPAN("p20261122e"),
		.names = SPAN("from:from:sender:sender:reply-to:to:to:cc:subject:date:message-id:mime-version:content-type"),
		.when = 1795341600, .body_digest = { digest, sizeof digest } };

	(void)state;
	got = BUF_OVER(room);
	assert_true(dkim_field_format(&s, &got));
	assert_string_equal(text(),
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
	    "\td=example.org; s=p20261122e; t=1795341600;\r\n"
	    "\th=from:from:sender:sender:reply-to:to:to:cc:subject:date:message-id:\r\n"
	    "\t mime-version:content-type;\r\n"
	    "\tbh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;\r\n"
	    "\tb=\r\n");
	got.len = 0;
	s.signature = (struct span){ signature, sizeof signature };
	assert_true(dkim_field_format(&s, &got));
	assert_non_null(strstr(text(), "\tb=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n\t AAAAAAAAAAAAAA==\r\n"));
	/* All or nothing. */
	for (size_t max = 0; max < 400; max++) {
		struct buf little = { room, 0, max };

		if (!dkim_field_format(&s, &little))
			assert_int_equal(little.len, 0);
	}
}

static void
the_header_ends_at_the_empty_line(void **state)
{
	size_t section = 7, body = 7;

	(void)state;
	assert_true(dkim_header_find(SPAN("A: b\r\n c\r\n\r\nx\r\n\r\n"), &section, &body));
	assert_int_equal(section, 10);
	assert_int_equal(body, 12);
	assert_true(dkim_header_find(SPAN("\r\nx"), &section, &body));
	assert_int_equal(section, 0);
	assert_int_equal(body, 2);
	assert_false(dkim_header_find(SPAN("A: b\r\n"), &section, &body));
	assert_false(dkim_header_find(SPAN("A: b\r\n\r"), &section, &body));
	assert_false(dkim_header_find(SPAN(""), &section, &body));
}

static void
algorithms_have_names(void **state)
{
	(void)state;
	assert_int_equal(dkim_algorithm_find(SPAN("rsa-sha256")), DKIM_RSA_SHA256);
	assert_int_equal(dkim_algorithm_find(SPAN("ed25519-sha256")), DKIM_ED25519_SHA256);
	assert_int_equal(dkim_algorithm_find(SPAN("rsa-sha1")), 0);             /* dkim-1 */
	assert_string_equal(dkim_algorithm_name(DKIM_RSA_SHA256), "rsa-sha256");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_are_relaxed_whatever_the_pieces),
		cmocka_unit_test(many_empty_lines_cost_nothing_until_something_follows),
		cmocka_unit_test(fields_are_relaxed),
		cmocka_unit_test(names_are_listed_once_more_than_present),
		cmocka_unit_test(fields_of_one_name_are_taken_from_the_bottom),
		cmocka_unit_test(a_crowd_of_one_name),
		cmocka_unit_test(the_longest_list_fits),
		cmocka_unit_test(the_field_is_folded),
		cmocka_unit_test(the_header_ends_at_the_empty_line),
		cmocka_unit_test(algorithms_have_names),
	};

	return cmocka_run_group_tests_name("mail/dkim", tests, NULL, NULL);
}

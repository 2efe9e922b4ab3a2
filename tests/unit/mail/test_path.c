#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/path.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])
#define LOCAL_64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"
#define LABEL_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"

/* A path, what is made of it, and what is left behind it. */
static const struct {
	const char *text;
	bool null_ok;
	enum path_error error;
	const char *local, *domain;
} paths[] = {
	/* 5321 4.1.2: the plain cases */
	{ "<alice@example.org>", true, PATH_OK, "alice", "example.org" },
	{ "<alice@example.org>", false, PATH_OK, "alice", "example.org" },
	{ "<Alice.B+tag@Example.ORG>", false, PATH_OK, "Alice.B+tag", "Example.ORG" },
	{ "<!#$%&'*+-/=?^_`{|}~@example.org>", false, PATH_OK, "!#$%&'*+-/=?^_`{|}~", "example.org" },
	{ "<a@x-y.1.example>", false, PATH_OK, "a", "x-y.1.example" },
	/* 6409-4: the empty reverse-path */
	{ "<>", true, PATH_OK, "", "" },
	{ "<>", false, PATH_SYNTAX, "", "" },
	/* 5321 4.5.1: postmaster without a domain, as a recipient */
	{ "<Postmaster>", false, PATH_OK, "Postmaster", "" },
	{ "<POSTMASTER>", false, PATH_OK, "POSTMASTER", "" },
	{ "<postmaster>", true, PATH_UNQUALIFIED, "postmaster", "" },
	{ "<postmasters>", false, PATH_UNQUALIFIED, "postmasters", "" },
	/* 5321 4.1.1.3, appendix C: source routes are dropped */
	{ "<@a.example:alice@example.org>", false, PATH_OK, "alice", "example.org" },
	{ "<@a.example,@b.example:alice@example.org>", true, PATH_OK, "alice", "example.org" },
	{ "<@a.example alice@example.org>", false, PATH_SYNTAX, "", "" },
	{ "<@a.example,:alice@example.org>", false, PATH_SYNTAX, "", "" },
	{ "<@:alice@example.org>", false, PATH_SYNTAX, "", "" },
	{ "<@a.example:>", true, PATH_SYNTAX, "", "" },
	/* quoted local parts */
	{ "<\"alice\"@example.org>", false, PATH_OK, "\"alice\"", "example.org" },
	{ "<\"a b>@\\\"<\\\\\"@example.org>", false, PATH_OK, "\"a b>@\\\"<\\\\\"", "example.org" },
	{ "<\"\"@example.org>", false, PATH_OK, "\"\"", "example.org" },
	{ "<\"a\"b@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<\"a\\\"@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<\"a\tb\"@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a.\"b\"@example.org>", false, PATH_SYNTAX, NULL, NULL },
	/* dots */
	{ "<.a@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a.@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a..b@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@.example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@example..org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@example.org.>", false, PATH_SYNTAX, NULL, NULL },
	/* hyphens and underscores */
	{ "<a@-example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@example-.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@exa_mple.org>", false, PATH_SYNTAX, NULL, NULL },
	/* 6409-7, 5321-38: qualification */
	{ "<a@localhost>", false, PATH_UNQUALIFIED, "a", "localhost" },
	{ "<alice>", false, PATH_UNQUALIFIED, "alice", "" },
	{ "<a@localhost b>", false, PATH_SYNTAX, NULL, NULL },
	/* 5321-36: address literals */
	{ "<a@[192.0.2.1]>", false, PATH_OK, "a", "[192.0.2.1]" },
	{ "<a@[IPv6:2001:db8::1]>", false, PATH_OK, "a", "[IPv6:2001:db8::1]" },
	{ "<a@[192.0.2.256]>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@[192.0.2.1>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@[x400:c=xx]>", false, PATH_SYNTAX, NULL, NULL },
	/* 6531-5: UTF-8 */
	{ "<j\xc3\xb6rg@m\xc3\xbcller.example>", false, PATH_OK, "j\xc3\xb6rg", "m\xc3\xbcller.example" },
	{ "<\"j\xc3\xb6 rg\"@example.org>", false, PATH_OK, "\"j\xc3\xb6 rg\"", "example.org" },
	{ "<j\xf6rg@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@m\xfcller.example>", false, PATH_SYNTAX, NULL, NULL },
	{ "<\xc0\xaf@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<\xed\xa0\x80@example.org>", false, PATH_SYNTAX, NULL, NULL },
	/* F3: lengths */
	{ "<" LOCAL_64 "@example.org>", false, PATH_OK, LOCAL_64, "example.org" },
	{ "<x" LOCAL_64 "@example.org>", false, PATH_LOCAL_LONG, NULL, NULL },
	{ "<a@" LABEL_63 ".org>", false, PATH_OK, "a", LABEL_63 ".org" },
	{ "<a@x" LABEL_63 ".org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@" LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 "x>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@" LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 ".x>", false, PATH_DOMAIN_LONG, NULL, NULL },
	{ "<" LOCAL_64 "@" LABEL_63 "." LABEL_63 "." LABEL_63 ">", false, PATH_LONG, NULL, NULL },
	/* brackets and leftovers */
	{ "alice@example.org", false, PATH_SYNTAX, "", "" },
	{ "<alice@example.org", false, PATH_SYNTAX, NULL, NULL },
	{ "< alice@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<alice@example.org >", false, PATH_SYNTAX, NULL, NULL },
	{ "<alice@>", false, PATH_SYNTAX, NULL, NULL },
	{ "<@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@b@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a b@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a(x)@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "<a@example.org\r\nRCPT TO:<b@example.org>", false, PATH_SYNTAX, NULL, NULL },
	{ "", true, PATH_SYNTAX, "", "" },
	{ "<", true, PATH_SYNTAX, "", "" },
};

static void
paths_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(paths); i++) {
		struct span whole = span_of(paths[i].text), s = whole;
		struct mailbox m;
		enum path_error e = path_take(&s, paths[i].null_ok, &m);

		if (e != paths[i].error)
			fail_msg("%s: %s", paths[i].text, path_error_text(e));
		if (e == PATH_OK)
			assert_true(span_done(s));
		else
			assert_true(span_eq(s, whole));
		if (paths[i].local != NULL) {
			assert_true(span_eq(m.local, span_of(paths[i].local)));
			assert_true(span_eq(m.domain, span_of(paths[i].domain)));
		}
	}
}

static void
what_follows_a_path_is_left(void **state)
{
	struct span s = SPAN("<a@example.org> SIZE=1");
	struct mailbox m;

	(void)state;
	assert_int_equal(path_take(&s, true, &m), PATH_OK);
	assert_true(span_eq(s, SPAN(" SIZE=1")));
	assert_true(span_eq(m.whole, SPAN("a@example.org")));
	assert_false(m.utf8);
	s = SPAN("<> BODY=7BIT");
	assert_int_equal(path_take(&s, true, &m), PATH_OK);
	assert_true(span_eq(s, SPAN(" BODY=7BIT")));
	assert_true(span_done(m.whole));
}

/* 6531-3: only an address that needs it asks for SMTPUTF8; a source route is not part of it. */
static void
utf8_is_noticed(void **state)
{
	struct span s = SPAN("<@a.example:\xc3\xa9@example.org>");
	struct mailbox m;

	(void)state;
	assert_int_equal(path_take(&s, false, &m), PATH_OK);
	assert_true(m.utf8);
	assert_true(span_eq(m.whole, SPAN("\xc3\xa9@example.org")));
}

static void
a_nul_is_no_part_of_an_address(void **state)
{
	struct span s = SPAN("<a\0b@example.org>");
	struct mailbox m;

	(void)state;
	assert_int_equal(path_take(&s, false, &m), PATH_SYNTAX);
	assert_int_equal(mailbox_parse(SPAN("a@example.org\0"), &m), PATH_SYNTAX);
}

static void
mailboxes_stand_alone(void **state)
{
	struct mailbox m;

	(void)state;
	assert_int_equal(mailbox_parse(SPAN("alice@example.org"), &m), PATH_OK);
	assert_int_equal(mailbox_parse(SPAN("<alice@example.org>"), &m), PATH_SYNTAX);
	assert_int_equal(mailbox_parse(SPAN("alice@example.org "), &m), PATH_SYNTAX);
	assert_int_equal(mailbox_parse(SPAN("postmaster"), &m), PATH_UNQUALIFIED);
	assert_int_equal(mailbox_parse(SPAN("alice x"), &m), PATH_SYNTAX);
	assert_int_equal(mailbox_parse(SPAN(""), &m), PATH_SYNTAX);
}

/* 5321-3: a local part's case is significant, a domain's is not. */
static void
equality_respects_the_local_part(void **state)
{
	struct mailbox a, b, c;

	(void)state;
	assert_int_equal(mailbox_parse(SPAN("alice@example.org"), &a), PATH_OK);
	assert_int_equal(mailbox_parse(SPAN("alice@EXAMPLE.org"), &b), PATH_OK);
	assert_int_equal(mailbox_parse(SPAN("Alice@example.org"), &c), PATH_OK);
	assert_true(mailbox_equal(&a, &b));
	assert_false(mailbox_equal(&a, &c));
}

static void
domains_of_hosts(void **state)
{
	static const struct { const char *text; bool good; } rows[] = {
		{ "mail.example.org", true }, { "localhost", true }, { "my_pc.lan", true }, { "_", true }, { "3com.example", true },
		{ "xn--mller-kva.example", true }, { LABEL_63, true }, { "", false }, { ".", false }, { "a.", false }, { ".a", false },
		{ "a..b", false }, { "-a", false }, { "a-", false }, { "a b", false }, { "m\xc3\xbcller.example", false },
		{ "[192.0.2.1]", false }, { "a/b", false }, { "x" LABEL_63, false }, { "a\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		if (domain_valid(span_of(rows[i].text)) != rows[i].good)
			fail_msg("%s", rows[i].text);
}

/* 5321-36 */
static void
address_literals(void **state)
{
	static const struct { const char *text; bool good; } rows[] = {
		{ "[192.0.2.1]", true }, { "[0.0.0.0]", true }, { "[255.255.255.255]", true }, { "[192.0.2]", false },
		{ "[192.0.2.1.5]", false }, { "[192.0.2.]", false }, { "[.0.2.1]", false }, { "[1.2.3.04]", false }, { "[1.2.3.00]", false },
		{ "[1.2.3.256]", false }, { "[1.2.3.99999999999999999999]", false }, { "192.0.2.1", false }, { "[]", false }, { "[", false },
		{ "]", false }, { "", false }, { "[ 192.0.2.1]", false }, { "[192.0.2.1] ", false }, { "[192.0.2.1]]", false },
		{ "[IPv6:::]", true }, { "[IPv6:::1]", true }, { "[ipv6:2001:DB8::1]", true }, { "[IPv6:1:2:3:4:5:6:7:8]", true },
		{ "[IPv6:1:2:3:4:5:6:7::]", true }, { "[IPv6:::2:3:4:5:6:7:8]", true }, { "[IPv6:fe80::1:2]", true },
		{ "[IPv6:::ffff:192.0.2.1]", true }, { "[IPv6:1:2:3:4:5:6:192.0.2.1]", true }, { "[IPv6:]", false }, { "[IPv6:1]", false },
		{ "[IPv6:1:2:3:4:5:6:7]", false }, { "[IPv6:1:2:3:4:5:6:7:8:9]", false }, { "[IPv6:1::2::3]", false },
		{ "[IPv6:1:2:3:4:5:6:7:8::]", false }, { "[IPv6:::1:2:3:4:5:6:7:8]", false }, { "[IPv6::1]", false }, { "[IPv6:1:]", false },
		{ "[IPv6:1:::2]", false }, { "[IPv6:12345::]", false }, { "[IPv6:g::]", false }, { "[IPv6:fe80::1%eth0]", false },
		{ "[IPv6:1:2:3:4:5:6:7:192.0.2.1]", false }, { "[IPv6:192.0.2.1]", false }, { "[IPv6:::192.0.2.1:1]", false },
		{ "[2001:db8::1]", false }, { "[IPv6:1:2:3:4:5:6::192.0.2.1]", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		if (address_literal_valid(span_of(rows[i].text)) != rows[i].good)
			fail_msg("%s", rows[i].text);
}

static void
every_error_has_words(void **state)
{
	(void)state;
	for (int e = PATH_OK; e <= PATH_LONG; e++)
		assert_true(strlen(path_error_text((enum path_error)e)) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_judged),
		cmocka_unit_test(what_follows_a_path_is_left),
		cmocka_unit_test(utf8_is_noticed),
		cmocka_unit_test(a_nul_is_no_part_of_an_address),
		cmocka_unit_test(mailboxes_stand_alone),
		cmocka_unit_test(equality_respects_the_local_part),
		cmocka_unit_test(domains_of_hosts),
		cmocka_unit_test(address_literals),
		cmocka_unit_test(every_error_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

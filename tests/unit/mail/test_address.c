#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "mail/path.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

/* The mailboxes of a value as "local|domain " each, "BAD" at the end when it is malformed. */
static void
walk(const char *value, enum address_step (*next)(struct span *, struct mailbox *), char *out, size_t room)
{
	struct span rest = span_of(value);
	enum address_step step;
	struct mailbox m;
	size_t n = 0;

	out[0] = '\0';
	while ((step = next(&rest, &m)) == ADDRESS_ONE)
		n += (size_t)snprintf(out + n, room - n, "%.*s|%.*s ", (int)m.local.len, (const char *)m.local.p,
		    (int)m.domain.len, (const char *)m.domain.p);
	if (step == ADDRESS_BAD)
		(void)snprintf(out + n, room - n, "BAD");
}

static const struct { const char *value, *mailboxes; } rows[] = {
	/* RFC 5322 3.4, appendix A.1 */
	{ " John Doe <jdoe@machine.example>", "jdoe|machine.example " },
	{ "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>", "mary|x.test jdoe|example.org one|y.test " },
	{ "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>", "boss|nil.test sysservices|example.net " },
	{ "\"Joe Q. Public\" <john.q.public@example.com>", "john.q.public|example.com " },
	/* 5322-11: groups */
	{ "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;", "c|a.test joe|where.test jdoe|one.test " },
	{ "Undisclosed recipients:;", "" },
	{ "undisclosed-recipients: ;", "" },
	{ "g:a@b.example;, c@d.example", "a|b.example c|d.example " },
	/* comments and folding, appendix A.5 */
	{ "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "pete|silly.test " },
	{ "A Group(Some people)\r\n :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org", "c|public.example joe|example.org " },
	{ "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", "" },
	{ "a@example.org (((deep)))", "a|example.org " },
	{ "root@example.org (Cron Daemon)", "root|example.org " },
	{ "(@) a@example.org", "a|example.org " },
	{ "(\",<) a@example.org", "a|example.org " },
	/* 5322-10: obs- forms, appendix A.6 */
	{ "Joe Q. Public <john.q.public@example.com>", "john.q.public|example.com " },
	{ "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example", "mary|example.net jdoe|test  . example " },
	{ ",,a@example.org,,b@example.org,,", "a|example.org b|example.org " },
	{ "<@a.example,,@b.example:c@example.org>", "c|example.org " },
	{ "a @ example.org", "a|example.org " },
	{ "\"a\".b.\"c d\"@example.org", "\"a\".b.\"c d\"|example.org " },
	/* literals, quotes, encoded words, UTF-8 */
	{ "a@[192.0.2.1]", "a|[192.0.2.1] " },
	{ "\"<b@evil.example>\" <a@example.org>", "a|example.org " },
	{ "\"a@evil.example,\"@example.org", "\"a@evil.example,\"|example.org " },
	{ "=?utf-8?Q?J=C3=B6rg_=3Cx=40y.example=3E?= <j@example.org>", "j|example.org " },
	{ "J\xc3\xb6rg <j\xc3\xb6rg@m\xc3\xbcller.example>", "j\xc3\xb6rg|m\xc3\xbcller.example " },
	{ "", "" },
	{ "  (nothing) ", "" },
	/* malformed */
	{ "alice", "BAD" },
	{ "<>", "BAD" },
	{ "alice@", "BAD" },
	{ "@example.org", "BAD" },
	{ "a@example.org b@example.org", "BAD" },
	{ "a@example.org <b@example.org>", "BAD" },
	{ "<a@example.org> b", "BAD" },
	{ "<a@example.org> <b@example.org>", "BAD" },
	{ "<a@example.org", "BAD" },
	{ "<a@example.org,b@example.org>", "BAD" },
	{ "a@example.org>", "BAD" },
	{ "a@b@example.org", "BAD" },
	{ ":a@example.org", "BAD" },
	{ "a..b@example.org", "BAD" },
	{ ".a@example.org", "BAD" },
	{ "a@example.org.", "BAD" },
	{ "a b@example.org", "BAD" },
	{ "a@example\"x\"", "BAD" },
	{ "\"unfinished <a@example.org>", "BAD" },
	{ "a@example.org (unfinished", "BAD" },
	{ "a@example.org (trailing \\", "BAD" },
	{ "a@[192.0.2.1", "BAD" },
	{ "a@(unfinished", "BAD" },
	{ "<@a.example,(unfinished:c@example.org>", "BAD" },
	{ "<@a.example c@example.org>", "BAD" },
	{ "<@a.example,", "BAD" },
	{ "Name (unfinished <a@example.org>", "BAD" },
	{ "(unfinished a@example.org", "BAD" },
	{ "a@[[192.0.2.1]]", "BAD" },
	{ "a@example.org, J\xf6rg <b@example.org>", "a|example.org BAD" },
	{ "a@example.org\\, b@example.org", "BAD" },
};

static void
values_are_walked(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char got[512];

		walk(rows[i].value, address_next, got, sizeof got);
		if (strcmp(got, rows[i].mailboxes) != 0)
			fail_msg("%s: %s", rows[i].value, got);
	}
}

static const struct { const char *value, *mailboxes; } bare_rows[] = {
	{ "root", "root| " },
	{ "root (Cron Daemon)", "root| " },
	{ "<root>, bob@example.org, \"x y\"", "root| bob|example.org \"x y\"| " },
	{ "Root <root>", "root| " },
	{ "list:alice,bob;", "alice| bob| " },
	{ "two words", "BAD" },
	{ "root@", "BAD" },
};

static void
local_users_have_no_domain(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(bare_rows); i++) {
		char got[512];

		walk(bare_rows[i].value, address_next_bare, got, sizeof got);
		if (strcmp(got, bare_rows[i].mailboxes) != 0)
			fail_msg("%s: %s", bare_rows[i].value, got);
	}
}

static void
the_whole_is_as_written(void **state)
{
	struct span rest = SPAN("x <a (b) @ example.org (c)>");
	struct mailbox m;

	(void)state;
	assert_int_equal(address_next(&rest, &m), ADDRESS_ONE);
	assert_true(span_eq(m.whole, SPAN("a (b) @ example.org")));
	assert_true(span_eq(m.local, SPAN("a")));
	assert_false(m.utf8);
	assert_int_equal(address_next(&rest, &m), ADDRESS_END);
	/* 6531-3: a name in UTF-8 is the header's matter, not the address's. */
	rest = SPAN("J\xc3\xb6rg <j@example.org>");
	assert_int_equal(address_next(&rest, &m), ADDRESS_ONE);
	assert_false(m.utf8);
}

/* Comments nest without bound; what walks them must not. */
static void
deep_nesting_costs_no_stack(void **state)
{
	static char text[100000];
	struct span rest = { (const uint8_t *)text, sizeof text };
	struct mailbox m;

	(void)state;
	memset(text, '(', sizeof text);
	assert_int_equal(address_next(&rest, &m), ADDRESS_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_walked),
		cmocka_unit_test(local_users_have_no_domain),
		cmocka_unit_test(the_whole_is_as_written),
		cmocka_unit_test(deep_nesting_costs_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/sender.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])
#define LOCAL_60 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh"
#define DOMAIN_180 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx.abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx." \
	"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrs.org"

/* 6409-13: who may send as whom */
static const struct { const char *grants, *address; enum fail fail; } rows[] = {
	{ "alice@example.org", "alice@example.org", OK },
	{ "alice@example.org", "Alice@Example.ORG", OK },
	{ "Alice@Example.Org", "alice@example.org", OK },
	{ "alice@example.org", "bob@example.org", FAIL_SENDER_DENIED },
	{ "alice@example.org", "alice@example.net", FAIL_SENDER_DENIED },
	{ "alice@example.org", "alice@sub.example.org", FAIL_SENDER_DENIED },
	{ "alice@example.org", "malice@example.org", FAIL_SENDER_DENIED },
	{ "alice@example.org", "alicea@example.org", FAIL_SENDER_DENIED },
	/* tags */
	{ "alice@example.org", "alice+shop@example.org", OK },
	{ "alice@example.org", "ALICE+a+b@example.org", OK },
	{ "alice@example.org", "alice+@example.org", OK },
	{ "alice@example.org", "alice-x@example.org", FAIL_SENDER_DENIED },
	{ "alice@example.org", "alice.x@example.org", FAIL_SENDER_DENIED },
	{ "alice+shop@example.org", "alice+shop@example.org", OK },
	{ "alice+shop@example.org", "alice@example.org", FAIL_SENDER_DENIED },
	{ "alice+shop@example.org", "alice+shopping@example.org", FAIL_SENDER_DENIED },
	/* whole domains */
	{ "@example.org", "anybody@example.org", OK },
	{ "*@example.org", "anybody@EXAMPLE.org", OK },
	{ "*@example.org", "*@example.org", OK },
	{ "@example.org", "anybody@sub.example.org", FAIL_SENDER_DENIED },
	{ "@example.org", "anybody@notexample.org", FAIL_SENDER_DENIED },
	{ "@[192.0.2.1]", "a@[192.0.2.1]", OK },
	{ "@m\xc3\xbcller.example", "j\xc3\xb6rg@m\xc3\xbcller.example", OK },
	{ "j\xc3\xb6rg@example.org", "j\xc3\xb6rg@example.org", OK },
	/* every address */
	{ "*", "anybody@anywhere.example", OK },
	/* several grants, spaces around */
	{ "  bob@example.org   alice@example.org ", "alice@example.org", OK },
	{ "@example.net,@example.org", "alice@example.org", FAIL_SENDER_DENIED },
	/* grants that are none match nothing */
	{ "", "alice@example.org", FAIL_SENDER_DENIED },
	{ "   ", "alice@example.org", FAIL_SENDER_DENIED },
	{ "@", "alice@example.org", FAIL_SENDER_DENIED },
	{ "*@", "alice@example.org", FAIL_SENDER_DENIED },
	{ "alice", "alice@example.org", FAIL_SENDER_DENIED },
	{ "alice@", "alice@example.org", FAIL_SENDER_DENIED },
	{ "**", "alice@example.org", FAIL_SENDER_DENIED },
	{ "*alice@example.org", "alice@example.org", FAIL_SENDER_DENIED },
	/* addresses that are none */
	{ "*", "alice", FAIL_SENDER_SYNTAX },
	{ "*", "a@b@example.org", FAIL_SENDER_SYNTAX },
	{ "*", "<alice@example.org>", FAIL_SENDER_SYNTAX },
	{ "*", "alice@example.org\r\nX", FAIL_SENDER_SYNTAX },
	{ "alice@example.org", "\"alice\"@example.org", FAIL_SENDER_DENIED },
	/* 6409-4: the empty reverse-path is everybody's */
	{ "alice@example.org", "", OK },
	{ "", "", OK },
};

static void
addresses_are_granted_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t room[SENDER_WORDS_MAX];
		struct buf words = BUF_OVER(room);
		enum fail f = sender_check(span_of(rows[i].grants), span_of(rows[i].address), SENDER_REVERSE_PATH, &words);

		if (f != rows[i].fail)
			fail_msg("%s as %s: %d", rows[i].grants, rows[i].address, (int)f);
		assert_int_equal(words.len > 0, f != OK);
	}
}

static void
an_author_is_never_empty(void **state)
{
	uint8_t room[SENDER_WORDS_MAX];
	struct buf words = BUF_OVER(room);

	(void)state;
	assert_int_equal(sender_check(SPAN("*"), SPAN(""), SENDER_AUTHOR, &words), FAIL_SENDER_SYNTAX);
	assert_int_equal(sender_check(SPAN("a@example.org"), SPAN("b@example.org"), SENDER_AUTHOR, &words), FAIL_AUTHOR_DENIED);
	assert_int_equal(sender_check(SPAN("a@example.org"), SPAN("a+b@example.org"), SENDER_AUTHOR, &words), OK);
}

/* 5322-10: obs- forms are read; whoever stands beside the granted one is seen. */
static void
an_author_may_have_comments(void **state)
{
	static const struct { const char *address; enum fail fail; } authors[] = {
		{ "a (me) @ example . org", FAIL_AUTHOR_DENIED },
		{ "a (me) @ (here) example.org", OK },
		{ "a@example.org (Alice)", OK },
		{ "a@example.org, b@example.net", FAIL_SENDER_SYNTAX },
		{ "b@example.net, a@example.org", FAIL_SENDER_SYNTAX },
		{ "a@example.org b", FAIL_SENDER_SYNTAX },
		{ "(unfinished a@example.org", FAIL_SENDER_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(authors); i++) {
		uint8_t room[SENDER_WORDS_MAX];
		struct buf words = BUF_OVER(room);

		if (sender_check(SPAN("a@example.org"), span_of(authors[i].address), SENDER_AUTHOR, &words) != authors[i].fail)
			fail_msg("%s", authors[i].address);
	}
}

static const struct { const char *grants, *words; } texts[] = {
	{ "alice@example.org", "not an address of yours: this login may use alice@example.org" },
	{ "alice@example.org @example.net  *@example.com",
	  "not an address of yours: this login may use alice@example.org, every address at example.net, every address at example.com" },
	{ "a@x.org b@x.org c@x.org d@x.org e@x.org f@x.org g@x.org",
	  "not an address of yours: this login may use a@x.org, b@x.org, c@x.org, d@x.org, e@x.org and 2 more" },
	{ "", "not an address of yours: this login may use no address" },
	{ "j\xc3\xb6@x.org", "not an address of yours: this login may use j?\?@x.org" },
	{ "a\tb\r\n@x.org", "not an address of yours: this login may use a?b?\?@x.org" },
};

static void
words_name_what_is_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(texts); i++) {
		uint8_t room[SENDER_WORDS_MAX];
		struct buf words = BUF_OVER(room);

		(void)sender_check(span_of(texts[i].grants), SPAN("x@y.example"), SENDER_REVERSE_PATH, &words);
		assert_true(span_eq(buf_span(&words), span_of(texts[i].words)));
	}
}

static void
words_stay_within_their_room(void **state)
{
	static const char long_grant[] = LOCAL_60 "@" DOMAIN_180;
	uint8_t grants[sizeof long_grant * 9], room[SENDER_WORDS_MAX];

	(void)state;
	for (unsigned count = 0; count < 9; count++)
		for (unsigned padding = 1; padding < 70; padding += 3) {
			struct buf g = BUF_OVER(grants), words = BUF_OVER(room);

			for (unsigned i = 0; i < count; i++) {
				(void)buf_put(&g, (struct span){ (const uint8_t *)long_grant + i * padding % 60, sizeof long_grant - 1 - i * padding % 60 });
				(void)buf_put_byte(&g, ' ');
			}
			assert_int_equal(sender_check(buf_span(&g), SPAN("x@y.example"), SENDER_AUTHOR, &words), FAIL_AUTHOR_DENIED);
			assert_true(words.len > 0);
			/* With no room for them the reply falls back to the words of the table. */
			words = (struct buf){ room, 0, 10 };
			assert_int_equal(sender_check(buf_span(&g), SPAN("x@y.example"), SENDER_AUTHOR, &words), FAIL_AUTHOR_DENIED);
			assert_int_equal(words.len, 0);
		}
}

static void
grants_are_checked_where_they_are_written(void **state)
{
	static const struct { const char *pattern; bool good; } patterns[] = {
		{ "alice@example.org", true }, { "@example.org", true }, { "*@example.org", true }, { "*", true },
		{ "\"a\"@example.org", true }, { "@[192.0.2.1]", true }, { "@m\xc3\xbcller.example", true }, { "", false }, { "@", false },
		{ "alice", false }, { "alice@localhost", false }, { "@localhost", false }, { "@a@b.example", false }, { "<a@example.org>", false },
		{ "@example.org.", false }, { "*@*", false }, { "@*.example.org", false }, { "@\xff.example", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(patterns); i++)
		if (grant_valid(span_of(patterns[i].pattern)) != patterns[i].good)
			fail_msg("%s", patterns[i].pattern);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_granted_or_not),
		cmocka_unit_test(an_author_is_never_empty),
		cmocka_unit_test(an_author_may_have_comments),
		cmocka_unit_test(words_name_what_is_allowed),
		cmocka_unit_test(words_stay_within_their_room),
		cmocka_unit_test(grants_are_checked_where_they_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

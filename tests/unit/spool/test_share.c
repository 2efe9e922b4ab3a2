/* spool/draft: whoever fills the memory of drafts, others' messages find room. tests/regress/0270. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "spool_alone.h"

enum { THIEVES_DRAFTS = 2400, LONG_RCPTS = 1000, MANY = 20 };

static struct draft *taken[THIEVES_DRAFTS];
static uint8_t content[SPOOL_INLINE_MAX];

static int
setup(void **state)
{
	static struct spool_alone b;

	spool_alone_make(&b);
	spool_alone_open(&b, 64 * 1024 * 1024, true);
	*state = &b;
	return 0;
}

static int
teardown(void **state)
{
	spool_alone_drop(*state);
	return 0;
}

static struct draft *
begin(struct spool_alone *b, struct span login, bool kept)
{
	static uint64_t id = 1000;
	struct message_record m = { .id = id++, .arrival = 1, .reverse_path = SPAN_INIT("a@example.org"), .login = login,
		.flags = kept ? RECORD_FLAG_NOTICE : 0 };
	struct draft *d = NULL;

	assert_int_equal(draft_begin(&b->spool, &m, kept, &d), OK);
	return d;
}

/* A message of n recipients and of so much content. */
static enum fail
submit(struct spool_alone *b, const char *login, uint32_t n, size_t size, bool kept)
{
	struct draft *d = begin(b, span_of(login), kept);
	enum fail f;

	for (uint32_t i = 0; i < n; i++)
		draft_rcpt(&b->spool, d, SPAN("somebody@example.net"), 0, SPAN(""));
	for (size_t at = 0; at < size; at += sizeof content)
		draft_body(&b->spool, d, (struct span){ content, size - at < sizeof content ? size - at : sizeof content });
	f = draft_commit(&b->spool, d, 0, NULL);
	spool_alone_write(b);
	return f;
}

/* Recipients as long as they may be, until there is no room for one more: how many drafts that took. */
static size_t
hoard(struct spool_alone *b, const char *login)
{
	char path[255], orcpt[500];
	size_t n = 0;

	memset(path, 'x', sizeof path);
	memset(orcpt, 'y', sizeof orcpt);
	for (uint64_t before = UINT64_MAX; n < THIEVES_DRAFTS && b->spool.drafts_octets != before; n++) {
		before = b->spool.drafts_octets;
		taken[n] = begin(b, span_of(login), false);
		for (uint32_t i = 0; i < LONG_RCPTS; i++)
			draft_rcpt(&b->spool, taken[n], (struct span){ (uint8_t *)path, sizeof path }, 0, (struct span){ (uint8_t *)orcpt, sizeof orcpt });
		if (draft_health(&b->spool, taken[n]) != OK)
			return n + 1;
	}
	return n;
}

static void
let_go(struct spool_alone *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		draft_abort(&b->spool, taken[i]);
}

static void
one_login_leaves_room_for_others(void **state)
{
	struct spool_alone *b = *state;
	size_t n = hoard(b, "thief");

	assert_true(n < THIEVES_DRAFTS);
	/* Its own next message, when it is big; another key of the same account is the same principal. */
	assert_int_equal(submit(b, "thief", 1000, 100, false), FAIL_DRAFTS_MANY);
	assert_int_equal(submit(b, "thief/phone", 1000, 100, false), FAIL_DRAFTS_MANY);
	assert_int_equal(submit(b, "alice", 1000, 3 * SPOOL_INLINE_MAX, false), OK);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(submit(b, "bob", 1, 2000, false), OK);
	assert_int_equal(b->durable, MANY + 1);
	let_go(b, n);
	assert_int_equal(b->spool.drafts, 0);
	assert_int_equal(submit(b, "thief", 1000, 100, false), OK);
}

static void
content_leaves_room_for_recipients(void **state)
{
	struct spool_alone *b = *state;

	for (size_t i = 0; i < THIEVES_DRAFTS; i++) {
		taken[i] = begin(b, SPAN("thief"), false);
		draft_body(&b->spool, taken[i], (struct span){ content, sizeof content });
		spool_alone_write(b);
	}
	assert_true(b->spool.drafts_octets <= SPOOL_DRAFTS_OCTETS / 2 + 2 * SPOOL_INLINE_MAX + THIEVES_DRAFTS * 1024);
	assert_int_equal(submit(b, "alice", 1000, 3 * SPOOL_INLINE_MAX, false), OK);
	let_go(b, THIEVES_DRAFTS);
}

/* With many thieves there is no room for many recipients, but for few, and for bounces. */
static void
whatever_others_do(void **state)
{
	struct spool_alone *b = *state;

	b->spool.drafts_octets += SPOOL_DRAFTS_OCTETS;
	assert_int_equal(submit(b, "alice", 1000, 100, false), FAIL_DRAFTS_MANY);
	assert_int_equal(submit(b, "alice", 8, 100, false), OK);
	assert_int_equal(submit(b, "alice", 8, 3 * SPOOL_INLINE_MAX, false), OK);
	assert_int_equal(submit(b, "", 1, 10 * SPOOL_INLINE_MAX, true), OK);
	b->spool.drafts_octets -= SPOOL_DRAFTS_OCTETS;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_login_leaves_room_for_others, setup, teardown),
		cmocka_unit_test_setup_teardown(content_leaves_room_for_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(whatever_others_do, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

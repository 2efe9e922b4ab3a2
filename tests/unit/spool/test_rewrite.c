/* Drafts that milters change: every cut through content that lies in memory or in chunks, read back before and after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mail/path.h"
#include "spool_alone.h"

enum { PIECE = 40000, BIG = 4 * PIECE, SMALL = 300, HEADER = 77, FRESH_BIG = 3 * PIECE, FRESH_SMALL = 50, CUTS = 9, MOST = BIG + FRESH_BIG,
	SEGMENT = 256 * 1024 };

static uint8_t old[BIG], header[HEADER], fresh[FRESH_BIG], want[MOST], got[MOST];

static void
fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
}

static void
look(struct spool_alone *b, size_t size, const char *sender, uint32_t rcpts)
{
	struct message_record m;
	uint64_t content_at;

	assert_true(spool_envelope(&b->spool, b->slot, &m, &content_at));
	assert_int_equal(m.size, size);
	assert_int_equal(m.rcpts, rcpts);
	assert_true(span_eq(m.reverse_path, span_of(sender)) && span_eq(m.login, SPAN("joe")) && span_eq(m.helo, SPAN("c.example.org")));
	/* regress 0286 */
	assert_true(span_eq(m.auth, SPAN("<>")) && span_eq(m.hold, SPAN("for;3600")));
	assert_true(spool_content(&b->spool, &m, content_at, 0, got, size));
	assert_memory_equal(got, want, size);
}

static struct draft *
begin(struct spool_alone *b, uint64_t id, size_t size)
{
	struct message_record m = { .id = id, .arrival = 1, .reverse_path = SPAN("a@example.org"), .login = SPAN("joe"),
		.helo = SPAN("c.example.org"), .release = 9, .auth = SPAN("<>"), .hold = SPAN("for;3600") };
	struct draft *d;

	assert_int_equal(draft_begin(&b->spool, &m, false, &d), OK);
	draft_rcpt(&b->spool, d, SPAN("b@example.net"), 0, SPAN(""));
	draft_rcpt(&b->spool, d, SPAN("c@example.net"), 0, SPAN(""));
	for (size_t at = 0; at < size; at += PIECE)
		draft_body(&b->spool, d, (struct span){ old + at, size - at < PIECE ? size - at : PIECE });
	return d;
}

/* What the content must be then. */
static size_t
expect(size_t size, bool new_header, size_t cut, size_t fresh_size, bool new_body)
{
	size_t n = new_header ? HEADER : cut;

	memcpy(want, new_header ? header : old, n);
	memcpy(want + n, new_body ? fresh : old + cut, new_body ? fresh_size : size - cut);
	return n + (new_body ? fresh_size : size - cut);
}

static void
one(struct spool_alone *b, uint64_t id, size_t size, size_t cut, unsigned how, size_t fresh_size)
{
	bool new_header = (how & 1) != 0, new_body = (how & 2) != 0;
	struct span section = { header, HEADER };
	struct draft *d = begin(b, id, size);
	size_t total = expect(size, new_header, cut, fresh_size, new_body);

	/* As 4_spool does before it asks. */
	(void)draft_settle(&b->spool, d);
	for (size_t at = 0; new_body && at < fresh_size; at += PIECE)
		draft_fresh(&b->spool, d, (struct span){ fresh + at, fresh_size - at < PIECE ? fresh_size - at : PIECE });
	assert_true(draft_rewrite(&b->spool, d, new_header ? &section : NULL, cut, new_body));
	assert_int_equal(draft_size(d), total);
	assert_true(draft_sender(d, how == 3 ? SPAN("somebody.else@example.org") : SPAN("")));
	draft_rcpts_drop(d, SPAN("\1"));
	draft_rcpt(&b->spool, d, SPAN("d@example.net"), 0, SPAN(""));
	draft_rcpt(&b->spool, d, SPAN("e@example.net"), 0, SPAN(""));
	b->answers = 0;
	assert_int_equal(draft_commit(&b->spool, d, 0, NULL), OK);
	spool_alone_write(b);
	assert_true(b->answers == 1 && b->committed == OK);
	look(b, total, how == 3 ? "somebody.else@example.org" : "", 3);
}

static void
every_cut(struct spool_alone *b, size_t size, size_t fresh_size)
{
	const size_t cuts[CUTS] = { 0, 1, HEADER, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5, BIG - 1, BIG };
	static uint64_t id = 1000;

	for (size_t i = 0; i < CUTS; i++)
		for (unsigned how = 0; how < 4; how++) {
			if (cuts[i] > size)
				continue;
			one(b, ++id, size, cuts[i], how, fresh_size);
			/* A restart finds the same, with nothing damaged; then the log is emptied again. */
			spool_close(&b->spool);
			spool_alone_open(b, SEGMENT, true);
			b->slot = index_find(&b->spool.index, id);
			assert_int_not_equal(b->slot, INDEX_NONE);
			look(b, expect(size, (how & 1) != 0, cuts[i], fresh_size, (how & 2) != 0), how == 3 ? "somebody.else@example.org" : "", 3);
			spool_finish(&b->spool, b->slot);
			spool_alone_write(b);
			spool_tidy(&b->spool);
			spool_alone_write(b);
		}
}

static void
test_every_cut(void **state)
{
	static struct spool_alone b;

	(void)state;
	spool_alone_make(&b);
	fill(old, sizeof old, 1);
	fill(header, sizeof header, 2);
	fill(fresh, sizeof fresh, 3);
	spool_alone_open(&b, SEGMENT, true);
	every_cut(&b, SMALL, FRESH_SMALL);
	every_cut(&b, SMALL, FRESH_BIG);
	every_cut(&b, BIG, FRESH_SMALL);
	every_cut(&b, BIG, FRESH_BIG);
	every_cut(&b, BIG, 0);
	assert_int_equal(b.spool.drafts, 0);
	spool_alone_drop(&b);
}

/* One change after the other, as one milter after the other makes them; and what is given up leaves nothing behind. */
static void
test_again_and_again(void **state)
{
	static struct spool_alone b;
	struct span section = { header, HEADER };
	struct draft *d;

	(void)state;
	spool_alone_make(&b);
	spool_alone_open(&b, SEGMENT, true);
	d = begin(&b, 1, BIG);
	assert_true(draft_rewrite(&b.spool, d, &section, 10, false));
	assert_true(draft_rewrite(&b.spool, d, NULL, HEADER + 5, false));
	draft_fresh(&b.spool, d, (struct span){ fresh, FRESH_BIG });
	draft_fresh_drop(&b.spool, d);
	assert_true(draft_rewrite(&b.spool, d, &section, HEADER, false));
	assert_false(draft_rewrite(&b.spool, d, NULL, draft_size(d) + 1, false));
	memcpy(want, header, HEADER);
	memcpy(want + HEADER, old + 10, BIG - 10);
	assert_int_equal(draft_commit(&b.spool, d, 0, NULL), OK);
	spool_alone_write(&b);
	look(&b, HEADER + BIG - 10, "a@example.org", 2);
	d = begin(&b, 2, BIG);
	draft_fresh(&b.spool, d, (struct span){ fresh, FRESH_BIG });
	assert_true(draft_rewrite(&b.spool, d, &section, 0, true));
	draft_rcpts_drop(d, SPAN("\3"));
	assert_int_equal(draft_rcpts(d), 0);
	draft_abort(&b.spool, d);
	/* Nobody holds its segments any more. */
	spool_finish(&b.spool, b.slot);
	spool_alone_write(&b);
	for (unsigned i = 0; i < 4; i++) {
		spool_tidy(&b.spool);
		spool_alone_write(&b);
	}
	assert_int_equal(b.spool.journal.live, 0);
	spool_alone_drop(&b);
}

/* 0286: the times of a message stand behind its reverse-path, and must not be written over when a milter gives it a longer one. */
static void
test_a_sender_moves_nothing_else(void **state)
{
	static const char *const senders[] = { "somebody.with.a.much.longer.name@mail.example.org", "", "b@example.org" };
	static char most[1800];
	static struct spool_alone b;
	struct message_record m = { .id = 1, .arrival = 1, .reverse_path = SPAN("a@example.org"), .login = SPAN("joe"), .auth = SPAN("<>"),
		.envid = SPAN("QQ314159"), .hold = SPAN("until;2026-11-22T10:00:00Z"), .release = 2 };
	const struct message_record *now;
	struct draft *d;

	(void)state;
	spool_alone_make(&b);
	spool_alone_open(&b, SEGMENT, true);
	assert_int_equal(draft_begin(&b.spool, &m, false, &d), OK);
	now = draft_envelope(d);
	for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
		assert_true(draft_sender(d, span_of(senders[i])));
		assert_true(span_eq(now->reverse_path, span_of(senders[i])) && span_eq(now->login, m.login));
		assert_true(span_eq(now->envid, m.envid) && span_eq(now->auth, m.auth) && span_eq(now->hold, m.hold));
	}
	/* What has no room beside the others has none. */
	memset(most, 'a', sizeof most - 1);
	for (size_t len = sizeof most - 1; !draft_sender(d, (struct span){ (const uint8_t *)most, len }); len--)
		assert_true(len > 0);
	assert_true(span_eq(now->auth, m.auth) && span_eq(now->hold, m.hold));
	draft_abort(&b.spool, d);
	spool_alone_drop(&b);
}

/* What a milter has thrown away is in the log and finished: a start does not take it up, though no DONE stands behind it. */
static void
test_discarded_is_finished(void **state)
{
	static struct spool_alone b;

	(void)state;
	spool_alone_make(&b);
	spool_alone_open(&b, SEGMENT, true);
	for (uint64_t id = 1; id <= 2; id++) {
		struct draft *d = begin(&b, id, id == 1 ? SMALL : BIG);

		assert_int_equal(draft_commit(&b.spool, d, RECORD_FLAG_HELD | RECORD_FLAG_DISCARDED, NULL), OK);
		spool_alone_write(&b);
		assert_true(spool_is_held(&b.spool, b.slot));
	}
	spool_close(&b.spool);
	spool_alone_open(&b, SEGMENT, true);
	assert_int_equal(b.spool.index.count, 0);
	for (unsigned i = 0; i < 4; i++) {
		spool_tidy(&b.spool);
		spool_alone_write(&b);
	}
	assert_int_equal(b.spool.journal.live, 0);
	spool_alone_drop(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_cut), cmocka_unit_test(test_again_and_again), cmocka_unit_test(test_discarded_is_finished),
		cmocka_unit_test(test_a_sender_moves_nothing_else) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

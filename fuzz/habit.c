/*
 * habit.c - what a damaged STATE/auth/habits may hold for one login, and texts for addresses. Whatever parses must format to the same
 * octets, and whatever was counted before, the rules must come to an answer and stay within the struct.
 */
#include <assert.h>
#include <string.h>

#include "policy/habit.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
look_at_address(struct span text)
{
	uint8_t room[ORIGIN_TEXT_MAX];
	struct buf b = BUF_OVER(room);
	uint64_t network = origin_network(text);

	assert(origin_format(network, &b));
	if (network != ORIGIN_UNKNOWN)
		assert(origin_network(span_head(buf_span(&b), span_find(buf_span(&b), '/'))) == network);
}

static void
live_on(struct habit *h)
{
	static const struct habit_limits limits = { 20000, 100000, 0 };
	uint64_t now = (uint64_t)h->day * 86400000;

	for (uint32_t i = 0; i < 40; i++) {
		struct origin o = { UINT64_C(4) << 56 | (uint64_t)(i % 3 * 7919 + 70000) << 24, i % 2 + 1, 0 };
		struct habit_verdict v = habit_spend(h, &o, &limits, i * i * i, now += 40000000);

		assert(v.words.len <= HABIT_WORDS_MAX && h->words_len <= HABIT_WORDS_MAX && h->step <= HABIT_LOCKED);
		habit_outcome(h, i, i * 3, now);
		(void)habit_login(h, &o, now);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct habit h;
	uint8_t room[HABIT_SAVED_MAX];
	struct buf b = BUF_OVER(room);

	if (n == 0)
		return 0;
	if (p[0] == 'a')
		look_at_address((struct span){ p + 1, n - 1 });
	else if (habit_parse((struct span){ p + 1, n - 1 }, &h)) {
		assert(habit_format(&h, &b) && b.len == n - 1 && memcmp(room, p + 1, b.len) == 0);
		live_on(&h);
	}
	return 0;
}

/*
 * guess.c - a snapshot of the ledger of attempts from a disk that somebody else has written to, and who even has the key: the tag is made to
 * fit. Whatever is taken must be a ledger that can be asked and told, and must come back from a snapshot of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "policy/guess.h"

enum { TAG = 8, NOW_MS = 2000000000 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
insist(bool good)
{
	if (!good)
		abort();
}

static void
use(struct guess *g)
{
	static const uint8_t address[4] = { 192, 0, 2, 1 };
	struct guess_try t = { .account = 1, .place = guess_place((struct span){ address, 4 }), .secret = 7 };

	for (unsigned i = 0; i < 12; i++) {
		t.secret += 0x100000001;
		if (!guess_ask(g, &t, NOW_MS).stop)
			(void)guess_failed(g, &t, NOW_MS);
	}
	guess_passed(g, &t, NOW_MS);
	insist(guess_ask(g, &t, NOW_MS).lane);
}

static void
again(const struct guess *g, const uint8_t key[SIPHASH_KEY])
{
	static struct guess other;
	size_t size = guess_snapshot_size(g);
	struct buf b = { malloc(size), 0, size };

	insist(b.p != NULL && guess_format(g, &b) && b.len == size);
	guess_init(&other, key);
	insist(guess_parse(&other, buf_span(&b), NOW_MS));
	insist(guess_snapshot_size(&other) <= size);
	free(b.p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t key[SIPHASH_KEY] = { 1, 2, 3 };
	static struct guess g;
	uint8_t *copy = malloc(n + 1);

	insist(copy != NULL);
	memcpy(copy, p, n);
	if (n >= TAG)
		u64_put(copy + n - TAG, siphash(key, (struct span){ copy, n - TAG }));
	guess_init(&g, key);
	if (guess_parse(&g, (struct span){ copy, n }, NOW_MS)) {
		use(&g);
		again(&g, key);
	}
	free(copy);
	return 0;
}

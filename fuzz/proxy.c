/*
 * proxy.c - the first octets of a connection, as anybody may send them: a PROXY header, and what else is told apart. Any split must
 * give the same, what is told once must stay told, and nothing behind a header may be used.
 */
#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/first_octets.h"
#include "smtp/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct told {
	struct proxy_header p;
	enum proxy_step step;
	size_t used;
};

/* In pieces of that size; 0: never more than it wants. */
static void
feed(struct told *t, struct span in, size_t piece)
{
	memset(t, 0, sizeof *t);
	proxy_header_init(&t->p);
	while (t->step == PROXY_MORE && in.len > 0) {
		size_t wants = proxy_header_wants(&t->p), used;
		struct span s = span_head(in, piece == 0 ? wants : piece);

		assert(wants > 0 && t->used + wants <= PROXY_HEADER_MAX);
		t->step = proxy_header_feed(&t->p, s, &used);
		assert(used <= s.len && (t->step != PROXY_MORE || used == s.len));
		span_skip(&in, used);
		t->used += used;
	}
	assert(t->used <= PROXY_HEADER_MAX);
	if (t->step != PROXY_MORE)
		assert(proxy_header_wants(&t->p) == 0);
}

static void
same(const struct told *a, const struct told *b)
{
	assert(a->step == b->step && a->p.why == b->p.why && a->p.absent == b->p.absent && a->p.version_1 == b->p.version_1);
	assert(a->p.client == b->p.client);
	assert(memcmp(a->p.address, b->p.address, sizeof a->p.address) == 0);
	assert(a->step == PROXY_BAD || a->used == b->used);
}

static void
header_any(struct span in)
{
	static struct told whole, other;

	feed(&whole, in, in.len);
	for (size_t piece = 0; piece < 20; piece += piece < 3 ? 1 : 7) {
		feed(&other, in, piece);
		same(&whole, &other);
	}
	if (whole.step == PROXY_DONE) {
		/* All of it was needed, and what is behind it means nothing. */
		feed(&other, span_head(in, whole.used), whole.used);
		same(&whole, &other);
		feed(&other, span_head(in, whole.used - 1), whole.used);
		assert(other.step == PROXY_MORE);
		assert(first_octets_tell(in, false) == FIRST_PROXY);
	}
}

static void
first_any(struct span in)
{
	enum first_octets told = FIRST_UNDECIDED, now;

	for (size_t n = 0; n <= in.len && n <= FIRST_OCTETS_MAX + 2; n++) {
		now = first_octets_tell(span_head(in, n), false);
		assert(now < FIRST_MAX && (told == FIRST_UNDECIDED || now == told));
		assert(now != FIRST_UNDECIDED || n < FIRST_OCTETS_MAX);
		told = now;
		assert(first_octets_tell(span_head(in, n), true) != FIRST_UNDECIDED);
		assert(told == FIRST_UNDECIDED || first_octets_tell(span_head(in, n), true) == told);
	}
	/* The engine and the front are of one opinion. */
	if (http_begins(in))
		assert(first_octets_tell(in, true) == FIRST_HTTP || first_octets_tell(in, true) == FIRST_URD);
}

/* The first octet says whether the header's sum and length are made right, so that what is behind them is reached. */
static void
make_right(uint8_t *p, size_t n)
{
	memcpy(p, proxy_signature, PROXY_SIGNATURE < n ? PROXY_SIGNATURE : n);
	if (n < PROXY_FIXED)
		return;
	p[12] = 0x20 | (p[12] & 1);
	p[14] = (uint8_t)((n - PROXY_FIXED) >> 8);
	p[15] = (uint8_t)(n - PROXY_FIXED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t copy[2 * PROXY_HEADER_MAX];

	if (n < 1 || n > sizeof copy)
		return 0;
	memcpy(copy, p + 1, n - 1);
	if (p[0] & 1)
		make_right(copy, n - 1);
	header_any((struct span){ copy, n - 1 });
	first_any((struct span){ copy, n - 1 });
	return 0;
}

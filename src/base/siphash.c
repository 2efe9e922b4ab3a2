#include "base/siphash.h"

#include <string.h>

#include "base/fields.h"

/* A word, and the end: 2-4 for what is short, 1-3 for streams. */
enum { SHORT_ROUNDS = 2, SHORT_LAST = 4, STREAM_ROUNDS = 1, STREAM_LAST = 3 };

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

/* Little-endian; here and not from fields.h, for a compiler that sees it makes one load of it. */
static inline uint64_t
word_at(const uint8_t *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32
	    | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

/* Four words in registers, not in memory: half the time. A count that is known makes the loop vanish. */
static inline void
rounds(uint64_t v[4], unsigned count)
{
	uint64_t a = v[0], b = v[1], c = v[2], d = v[3];

	while (count-- > 0) {
		a += b;
		c += d;
		b = rotate(b, 13) ^ a;
		d = rotate(d, 16) ^ c;
		a = rotate(a, 32) + d;
		c += b;
		b = rotate(b, 17) ^ c;
		d = rotate(d, 21) ^ a;
		c = rotate(c, 32);
	}
	v[0] = a;
	v[1] = b;
	v[2] = c;
	v[3] = d;
}

static inline void
absorb(uint64_t v[4], uint64_t word, unsigned count)
{
	v[3] ^= word;
	rounds(v, count);
	v[0] ^= word;
}

static void
begin(uint64_t v[4], const uint8_t key[SIPHASH_KEY])
{
	uint64_t k0 = word_at(key), k1 = word_at(key + 8);

	v[0] = k0 ^ UINT64_C(0x736f6d6570736575);
	v[1] = k1 ^ UINT64_C(0x646f72616e646f6d);
	v[2] = k0 ^ UINT64_C(0x6c7967656e657261);
	v[3] = k1 ^ UINT64_C(0x7465646279746573);
}

uint64_t
siphash(const uint8_t key[SIPHASH_KEY], struct span in)
{
	uint64_t last = (uint64_t)in.len << 56, v[4];

	begin(v, key);
	for (; in.len >= 8; span_skip(&in, 8))
		absorb(v, word_at(in.p), SHORT_ROUNDS);
	for (size_t i = 0; i < in.len; i++)
		last |= (uint64_t)in.p[i] << 8 * i;
	absorb(v, last, SHORT_ROUNDS);
	v[2] ^= 0xff;
	rounds(v, SHORT_LAST);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
siphash_u32(const uint8_t key[SIPHASH_KEY], uint32_t number)
{
	uint8_t octets[4];

	u32_put(octets, number);
	return siphash(key, (struct span){ octets, sizeof octets });
}

/* ---- 128 bits, in pieces ---- */

void
siphash_init(struct siphash *s, const uint8_t key[SIPHASH_KEY])
{
	*s = (struct siphash){ .octets = 0 };
	begin(s->v, key);
	s->v[1] ^= 0xee;
}

/* Octets one by one, until a word is full or they are used up. */
static void
feed_slowly(struct siphash *s, struct span *in, size_t most)
{
	for (; most > 0 && in->len > 0; most--) {
		s->tail |= (uint64_t)in->p[0] << 8 * (s->octets & 7);
		span_skip(in, 1);
		if ((++s->octets & 7) == 0) {
			absorb(s->v, s->tail, STREAM_ROUNDS);
			s->tail = 0;
		}
	}
}

void
siphash_feed(struct siphash *s, struct span in)
{
	uint64_t v[4];
	size_t whole;

	feed_slowly(s, &in, (8 - (s->octets & 7)) & 7);
	whole = in.len / 8 * 8;
	memcpy(v, s->v, sizeof v);
	for (size_t i = 0; i < whole; i += 8)
		absorb(v, word_at(in.p + i), STREAM_ROUNDS);
	memcpy(s->v, v, sizeof v);
	s->octets += whole;
	span_skip(&in, whole);
	feed_slowly(s, &in, 7);
}

void
siphash_feed_u64(struct siphash *s, uint64_t number)
{
	uint8_t octets[8];

	u64_put(octets, number);
	siphash_feed(s, (struct span){ octets, sizeof octets });
}

void
siphash_feed_text(struct siphash *s, struct span text)
{
	siphash_feed_u64(s, text.len);
	siphash_feed(s, text);
}

void
siphash_drain(const struct siphash *s, uint8_t hash[SIPHASH_WIDE])
{
	uint64_t v[4] = { s->v[0], s->v[1], s->v[2], s->v[3] };

	absorb(v, s->tail | s->octets << 56, STREAM_ROUNDS);
	v[2] ^= 0xee;
	rounds(v, STREAM_LAST);
	u64_put(hash, v[0] ^ v[1] ^ v[2] ^ v[3]);
	v[1] ^= 0xdd;
	rounds(v, STREAM_LAST);
	u64_put(hash + 8, v[0] ^ v[1] ^ v[2] ^ v[3]);
}

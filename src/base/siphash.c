#include "base/siphash.h"

struct sip { uint64_t a, b, c, d; };

static uint64_t
little_endian(const uint8_t *p, size_t n)
{
	uint64_t w = 0;

	for (size_t i = n; i-- > 0;)
		w = w << 8 | p[i];
	return w;
}

static uint64_t
turned(uint64_t w, unsigned bits)
{
	return w << bits | w >> (64 - bits);
}

static void
rounds(struct sip *s, unsigned n)
{
	while (n-- > 0) {
		s->a += s->b;
		s->c += s->d;
		s->b = turned(s->b, 13) ^ s->a;
		s->d = turned(s->d, 16) ^ s->c;
		s->a = turned(s->a, 32) + s->d;
		s->c += s->b;
		s->d = turned(s->d, 21) ^ s->a;
		s->b = turned(s->b, 17) ^ s->c;
		s->c = turned(s->c, 32);
	}
}

static void
take(struct sip *s, uint64_t word)
{
	s->d ^= word;
	rounds(s, 2);
	s->a ^= word;
}

uint64_t
siphash(const uint8_t key[SIPHASH_KEY], struct span octets)
{
	uint64_t k0 = little_endian(key, 8), k1 = little_endian(key + 8, 8), length = octets.len;
	/* "somepseudorandomlygeneratedbytes" */
	struct sip s = {
		k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573),
	};

	for (; octets.len >= 8; span_skip(&octets, 8))
		take(&s, little_endian(octets.p, 8));
	take(&s, length << 56 | little_endian(octets.p, octets.len));
	s.c ^= 0xff;
	rounds(&s, 4);
	return s.a ^ s.b ^ s.c ^ s.d;
}

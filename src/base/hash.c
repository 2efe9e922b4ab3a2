#include "base/hash.h"

#define BASIS UINT64_C(14695981039346656037)
#define PRIME UINT64_C(1099511628211)

static uint64_t
fold(uint64_t h)
{
	return h ^ h >> 29;
}

uint64_t
hash_of(struct span s)
{
	uint64_t h = BASIS;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.p[i]) * PRIME;
	return fold(h);
}

uint64_t
hash_of_folded(struct span s)
{
	uint64_t h = BASIS;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ ascii_lower(s.p[i])) * PRIME;
	return fold(h);
}

#include "policy/public_address.h"

#include <stddef.h>

struct network {
	uint8_t octets[16];
	uint8_t bits;
};

static const struct network v4_networks[] = {
	{ { 0 }, 8 }, { { 10 }, 8 }, { { 100, 64 }, 10 }, { { 127 }, 8 }, { { 169, 254 }, 16 }, { { 172, 16 }, 12 },
	{ { 192, 0, 0 }, 24 }, { { 192, 168 }, 16 }, { { 198, 18 }, 15 }, { { 224 }, 3 },
};

/* Global unicast is 2000::/3; of it, these are not. IPv4 in other clothes is behind none of them. */
static const struct network v6_networks[] = {
	{ { 0x20, 0x01, 0x00, 0x00 }, 23 },     /* 2001::/23: Teredo among it */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },     /* documentation */
	{ { 0x20, 0x02 }, 16 },                 /* 6to4 */
};

static bool
inside(const struct network *n, const uint8_t *octets)
{
	for (unsigned bit = 0; bit < n->bits; bit++)
		if (((octets[bit / 8] ^ n->octets[bit / 8]) >> (7 - bit % 8) & 1) != 0)
			return false;
	return true;
}

bool
address_is_public(bool v6, const uint8_t *octets)
{
	const struct network *table = v6 ? v6_networks : v4_networks;
	size_t rows = v6 ? sizeof v6_networks / sizeof v6_networks[0] : sizeof v4_networks / sizeof v4_networks[0];

	if (v6 && octets[0] >> 5 != 1)
		return false;
	for (size_t i = 0; i < rows; i++)
		if (inside(&table[i], octets))
			return false;
	return true;
}

/* Groups for the key exchange, by the numbers that IANA gave them (RFC 8446 4.2.7, 8422 5.1.1, 7919). */
#include "audit/hello.h"

#include <string.h>

/* Those of TLS 1.3 first. */
static const struct { uint16_t number; const char *name; } groups[] = {
	{ 29, "x25519" },
	{ 23, "secp256r1" },
	{ 30, "x448" },
	{ 24, "secp384r1" },
	{ 25, "secp521r1" },
	{ 4588, "X25519MLKEM768" },
	{ 4587, "SecP256r1MLKEM768" },
	{ 4589, "SecP384r1MLKEM1024" },
	{ 31, "brainpoolP256r1tls13" },
	{ 32, "brainpoolP384r1tls13" },
	{ 33, "brainpoolP512r1tls13" },
	{ 256, "ffdhe2048" },
	{ 257, "ffdhe3072" },
	{ 258, "ffdhe4096" },
	{ 259, "ffdhe6144" },
	{ 260, "ffdhe8192" },
	{ 1, "sect163k1" },
	{ 2, "sect163r1" },
	{ 3, "sect163r2" },
	{ 4, "sect193r1" },
	{ 5, "sect193r2" },
	{ 15, "secp160k1" },
	{ 16, "secp160r1" },
	{ 17, "secp160r2" },
	{ 18, "secp192k1" },
	{ 19, "secp192r1" },
};

enum { GROUPS = sizeof groups / sizeof groups[0], FIRST_WEAK = 16 };

static size_t
copy(size_t from, size_t to, uint16_t group[HELLO_GROUPS_MAX])
{
	for (size_t i = from; i < to; i++)
		group[i - from] = groups[i].number;
	return to - from;
}

size_t
hello_groups(uint16_t group[HELLO_GROUPS_MAX])
{
	return copy(0, FIRST_WEAK, group);
}

size_t
hello_curves(uint16_t group[HELLO_GROUPS_MAX])
{
	/* x25519, secp256r1, secp384r1, secp521r1, x448, brainpoolP256r1, -384r1, -512r1 (RFC 7027), secp256k1, secp224r1 */
	static const uint16_t curves[] = { 29, 23, 24, 25, 30, 26, 27, 28, 22, 21 };

	memcpy(group, curves, sizeof curves);
	return sizeof curves / sizeof curves[0];
}

size_t
hello_weak_groups(uint16_t group[HELLO_GROUPS_MAX])
{
	return copy(FIRST_WEAK, GROUPS, group);
}

const char *
hello_group_name(uint16_t group)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (groups[i].number == group)
			return groups[i].name;
	return NULL;
}

/* SipHash-2-4 against the vectors of its authors: key 00..0f, input 00, 00 01, 00 01 02, ... */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/siphash.h"

static void
vectors(void **state)
{
	static const struct { size_t len; uint64_t hash; } rows[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) }, { 1, UINT64_C(0x74f839c593dc67fd) }, { 2, UINT64_C(0x0d6c8009d9a94f5a) },
		{ 7, UINT64_C(0xab0200f58b01d137) }, { 8, UINT64_C(0x93f5f5799a932462) }, { 15, UINT64_C(0xa129ca6149be45e5) },
		{ 63, UINT64_C(0x958a324ceb064572) },
	};
	uint8_t key[SIPHASH_KEY], octets[64];

	(void)state;
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_true(siphash(key, (struct span){ octets, rows[i].len }) == rows[i].hash);
}

static void
another_key_is_another_hash(void **state)
{
	uint8_t a[SIPHASH_KEY] = { 1 }, b[SIPHASH_KEY] = { 2 };

	(void)state;
	assert_true(siphash(a, SPAN("postern")) != siphash(b, SPAN("postern")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(vectors), cmocka_unit_test(another_key_is_another_hash) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

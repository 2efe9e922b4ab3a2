#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fields.h"
#include "base/siphash.h"

/* Key 00 01 ... 0f, input 00 01 ... as long as said: the vectors that its authors publish, results as octets. */
static void
reference_vectors(void **state)
{
	static const struct { size_t len; uint8_t out[8]; } vectors[] = {
		{ 0, { 0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72 } },
		{ 1, { 0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74 } },
		{ 7, { 0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab } },
		{ 8, { 0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93 } },
		{ 15, { 0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1 } },
		{ 16, { 0xdb, 0x9b, 0xc2, 0x57, 0x7f, 0xcc, 0x2a, 0x3f } },
		{ 63, { 0x72, 0x45, 0x06, 0xeb, 0x4c, 0x32, 0x8a, 0x95 } },
	};
	uint8_t key[SIPHASH_KEY], in[64];

	(void)state;
	for (uint8_t i = 0; i < sizeof key; i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof in; i++)
		in[i] = i;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		assert_true(siphash(key, (struct span){ in, vectors[i].len }) == u64_get(vectors[i].out));
}

static void
another_key_gives_another_hash(void **state)
{
	uint8_t one[SIPHASH_KEY] = { 0 }, two[SIPHASH_KEY] = { [15] = 1 };

	(void)state;
	assert_true(siphash(one, SPAN("secret")) != siphash(two, SPAN("secret")));
	assert_true(siphash(one, SPAN("secret")) != siphash(one, SPAN("secret2")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_vectors),
		cmocka_unit_test(another_key_gives_another_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

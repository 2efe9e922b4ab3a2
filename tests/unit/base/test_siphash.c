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

/* The same key and input, 128 bits of 1-3 rounds: what OpenSSL's SIPHASH says to them; in one piece, and in every two. */
static void
wide_vectors(void **state)
{
	static const struct { size_t len; uint8_t out[SIPHASH_WIDE]; } vectors[] = {
		{ 0, { 0xe7, 0x7e, 0xbc, 0xb2, 0x27, 0x88, 0xa5, 0xbe, 0xfd, 0x62, 0xdb, 0x6a, 0xdd, 0x30, 0x30, 0x01 } },
		{ 1, { 0xfc, 0x6f, 0x37, 0x04, 0x60, 0xd3, 0xed, 0xa8, 0x5e, 0x05, 0x73, 0xcc, 0x2b, 0x2f, 0xf0, 0x63 } },
		{ 7, { 0x10, 0x84, 0xb9, 0x23, 0xf2, 0xaa, 0xe0, 0xc3, 0xa6, 0x2f, 0x2e, 0xc8, 0x08, 0x48, 0xab, 0x77 } },
		{ 8, { 0xaa, 0x12, 0xfe, 0xe1, 0xd5, 0xe3, 0xda, 0xb4, 0x72, 0x4f, 0x16, 0xab, 0x35, 0xf9, 0xc7, 0x99 } },
		{ 15, { 0xc1, 0x7e, 0x55, 0x05, 0xb2, 0xbd, 0x52, 0x6c, 0x29, 0x21, 0xcd, 0xec, 0x1e, 0x7e, 0x01, 0x09 } },
		{ 16, { 0xd0, 0xa8, 0xd9, 0x57, 0x15, 0x51, 0x8e, 0xeb, 0xb5, 0x13, 0xb0, 0xf8, 0x3d, 0x9e, 0x17, 0x93 } },
		{ 63, { 0x4c, 0x58, 0x00, 0xe3, 0x4e, 0xfe, 0x42, 0x6f, 0x07, 0x9f, 0x6b, 0x0a, 0xa7, 0x52, 0x60, 0xad } },
	};
	uint8_t key[SIPHASH_KEY], in[64], hash[SIPHASH_WIDE];

	(void)state;
	for (uint8_t i = 0; i < sizeof key; i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof in; i++)
		in[i] = i;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		for (size_t cut = 0; cut <= vectors[i].len; cut++) {
			struct siphash s;

			siphash_init(&s, key);
			siphash_feed(&s, (struct span){ in, cut });
			siphash_feed(&s, (struct span){ in + cut, vectors[i].len - cut });
			siphash_drain(&s, hash);
			assert_memory_equal(hash, vectors[i].out, SIPHASH_WIDE);
		}
}

/* Any split is the same; asking does not disturb; lists of texts are told apart by where one ends. */
static void
pieces(void **state)
{
	uint8_t key[SIPHASH_KEY] = { 7 }, in[64] = { 1, 2, 3 }, whole[SIPHASH_WIDE], hash[SIPHASH_WIDE];
	struct siphash s;

	(void)state;
	siphash_init(&s, key);
	siphash_feed(&s, (struct span){ in, sizeof in });
	siphash_drain(&s, whole);
	for (size_t piece = 1; piece < sizeof in; piece++) {
		siphash_init(&s, key);
		for (size_t at = 0; at < sizeof in; at += piece) {
			siphash_feed(&s, span_head((struct span){ in + at, sizeof in - at }, piece));
			siphash_drain(&s, hash);
		}
		assert_memory_equal(hash, whole, SIPHASH_WIDE);
	}
	siphash_init(&s, key);
	siphash_feed_text(&s, SPAN("ab"));
	siphash_feed_text(&s, SPAN("c"));
	siphash_drain(&s, whole);
	siphash_init(&s, key);
	siphash_feed_text(&s, SPAN("a"));
	siphash_feed_text(&s, SPAN("bc"));
	siphash_drain(&s, hash);
	assert_memory_not_equal(hash, whole, SIPHASH_WIDE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_vectors),
		cmocka_unit_test(wide_vectors),
		cmocka_unit_test(pieces),
		cmocka_unit_test(another_key_gives_another_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

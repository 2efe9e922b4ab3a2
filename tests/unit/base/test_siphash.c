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

/* The same key and input, 128 bits: from the same authors' table; in one piece, and in every two. */
static void
wide_vectors(void **state)
{
	static const struct { size_t len; uint8_t out[SIPHASH_WIDE]; } vectors[] = {
		{ 0, { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 } },
		{ 1, { 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45 } },
		{ 7, { 0xa1, 0xf1, 0xeb, 0xbe, 0xd8, 0xdb, 0xc1, 0x53, 0xc0, 0xb8, 0x4a, 0xa6, 0x1f, 0xf0, 0x82, 0x39 } },
		{ 8, { 0x3b, 0x62, 0xa9, 0xba, 0x62, 0x58, 0xf5, 0x61, 0x0f, 0x83, 0xe2, 0x64, 0xf3, 0x14, 0x97, 0xb4 } },
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

/* Verifiers against the RFC's vector, hashes of crypt(3), sender keys, SASLprep. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/base64.h"
#include "sasl/crypt.h"
#include "sasl/key.h"
#include "sasl/prepare.h"
#include "sasl/verifier.h"

/* RFC 7677 3 */
static const char first_bare[] = "n=user,r=rOprNGfwEbeRWgbNEkqO";
static const char server_first[] = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
static const char final_bare[] = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

static void
hmac_of_talk(const uint8_t key[VERIFIER_HASH], uint8_t out[VERIFIER_HASH])
{
	char message[512];
	struct buf b = BUF_OVER(message);

	assert_true(buf_put_text(&b, first_bare) && buf_put_byte(&b, ',') && buf_put_text(&b, server_first) && buf_put_byte(&b, ',')
	    && buf_put_text(&b, final_bare));
	assert_non_null(HMAC(EVP_sha256(), key, VERIFIER_HASH, b.p, b.len, out, NULL));
}

static void
decode(const char *text, void *out, size_t len)
{
	struct buf b = { out, 0, len };

	assert_true(base64_parse(span_of(text), &b));
	assert_int_equal(b.len, len);
}

static void
rfc_7677_vector(void **state)
{
	uint8_t salt[16], proof[VERIFIER_HASH], signature[VERIFIER_HASH], made[VERIFIER_HASH], hash[VERIFIER_HASH];
	struct verifier v;

	(void)state;
	decode("W22ZaJ0SNY7soEsUEjb6gQ==", salt, sizeof salt);
	decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", proof, sizeof proof);
	decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", signature, sizeof signature);
	assert_true(verifier_derive(&v, SPAN("pencil"), (struct span){ salt, sizeof salt }, 4096));
	hmac_of_talk(v.server, made);
	assert_memory_equal(made, signature, sizeof made);
	/* ClientKey = ClientProof XOR ClientSignature, and its hash is what we store. */
	hmac_of_talk(v.stored, made);
	for (size_t i = 0; i < sizeof made; i++)
		made[i] ^= proof[i];
	SHA256(made, sizeof made, hash);
	assert_memory_equal(hash, v.stored, sizeof hash);
}

static void
verifiers_in_text(void **state)
{
	static const char *const bad[] = { "", "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$",
		"SCRAM-SHA-256$4095:W22ZaJ0SNY7soEsUEjb6gQ==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"SCRAM-SHA-256$4096:$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
	struct verifier v, again;
	uint8_t text[VERIFIER_TEXT_MAX + 8];
	struct buf b = BUF_OVER(text);

	(void)state;
	/* scram-15 */
	assert_true(verifier_make(&v, SPAN("secret"), 4096));
	assert_true(verifier_format(&v, &b));
	assert_true(verifier_parse(buf_span(&b), &again));
	assert_true(verifier_check(&again, SPAN("secret")));
	assert_false(verifier_check(&again, SPAN("Secret")));
	assert_false(verifier_check(&again, SPAN("")));
	assert_true(buf_put_byte(&b, 'x'));
	assert_false(verifier_parse(buf_span(&b), &again));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(verifier_parse(span_of(bad[i]), &again));
}

static void
keyed_hash_keeps_parts_apart(void **state)
{
	uint8_t key[VERIFIER_HASH] = { 1 }, a[VERIFIER_HASH], b[VERIFIER_HASH], c[VERIFIER_HASH];

	(void)state;
	keyed_hash(key, (struct span[]){ SPAN("ab"), SPAN("c") }, 2, a);
	keyed_hash(key, (struct span[]){ SPAN("a"), SPAN("bc") }, 2, b);
	keyed_hash(key, (struct span[]){ SPAN("abc") }, 1, c);
	assert_memory_not_equal(a, b, sizeof a);
	assert_memory_not_equal(a, c, sizeof a);
	keyed_hash(key, (struct span[]){ SPAN("ab"), SPAN("c") }, 2, b);
	assert_memory_equal(a, b, sizeof a);
}

/* "Hello world!" in each method, as this library's crypt(3) and others have it. */
static void
crypt_methods(void **state)
{
	static const char *const good[] = {
		"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
		"{CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
		"{YESCRYPT}$y$j9T$F5Jx5fExrKuPp53xLKQ..1$42RgPIrXdXSEEs77lDi/4IqKVqFBAVaHJkzw5uD1r57",
		"{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuuyeG8laUfZvsCmc.AE6qIDYSPGM2efmK",
		"{bcrypt}$2y$04$abcdefghijklmnopqrstuuyeG8laUfZvsCmc.AE6qIDYSPGM2efmK",
		"{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
	};
	static const char *const bad[] = { "", "{CRYPT}", "{PLAIN}Hello world!", "{MD5}$1$saltstr$QM9HTGmcCulEKt42JFhZ/.",
		"$1$saltstr$QM9HTGmcCulEKt42JFhZ/.", "{CRYPT}ab1FFUMSnWmP6", "*", "!$6$saltstring$x", "{CRYPT", "x" };
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct span hash = span_of(good[i]);

		assert_true(crypt_supported(&hash, &why));
		assert_null(why);
		if (!crypt_check(hash, SPAN("Hello world!")))
			fail_msg("%s", good[i]);
		assert_false(crypt_check(hash, SPAN("hello world!")));
		assert_false(crypt_check(hash, SPAN("")));
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct span hash = span_of(bad[i]);

		assert_false(crypt_supported(&hash, &why));
		assert_non_null(why);
	}
	/* A hash that is damaged matches nothing. */
	assert_false(crypt_check(SPAN("$6$"), SPAN("")));
	assert_false(crypt_check(SPAN("$6$saltstring"), SPAN("Hello world!")));
}

static void
sender_keys(void **state)
{
	static const char *const bad[] = { "", "7k2m", "7k2m-q9xa-0b3c-d4ef-g5hj-k6mn-p7q", "7k2m-q9xa-0b3c-d4ef-g5hj-k6mn-p7qru",
		"7k2m-q9xa-0b3c-d4ef-g5hj-k6mn-p7qu", "correct horse battery staple" };
	char key[SENDER_KEY_ROOM], other[SENDER_KEY_ROOM], again[SENDER_KEY_ROOM];

	(void)state;
	assert_true(sender_key_make(key) && sender_key_make(other));
	assert_int_equal(strlen(key), SENDER_KEY_TEXT);
	assert_string_not_equal(key, other);
	assert_true(sender_key_parse(span_of(key), again));
	assert_string_equal(key, again);
	assert_true(sender_key_id_valid((struct span){ (const uint8_t *)key, SENDER_KEY_ID }));
	assert_true(sender_key_parse(SPAN("7K2M Q9XA OB3C D4EF G5HJ K6MN P7QR"), again));
	assert_string_equal(again, "7k2m-q9xa-0b3c-d4ef-g5hj-k6mn-p7qr");
	assert_true(sender_key_parse(SPAN("7k2mq9xaIb3cdLefg5hjk6mnp7qr"), again));
	assert_string_equal(again, "7k2m-q9xa-1b3c-d1ef-g5hj-k6mn-p7qr");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(sender_key_parse(span_of(bad[i]), again));
}

static void
prepared(void **state)
{
	/* RFC 4013 3; 4954-16: what does not stand it, or is nothing then, is refused */
	static const struct { struct span in, out; bool good; } rows[] = {
		{ SPAN_INIT("I\xc2\xadX"), SPAN_INIT("IX"), true }, { SPAN_INIT("user"), SPAN_INIT("user"), true },
		{ SPAN_INIT("USER"), SPAN_INIT("USER"), true }, { SPAN_INIT("\xc2\xaa"), SPAN_INIT("a"), true },
		{ SPAN_INIT("\xe2\x85\xa8"), SPAN_INIT("IX"), true }, { SPAN_INIT("\x07"), SPAN_INIT(""), false },
		{ SPAN_INIT("\xd8\xa7\x31"), SPAN_INIT(""), false }, { SPAN_INIT(""), SPAN_INIT(""), false },
		{ SPAN_INIT("\xc2\xad"), SPAN_INIT(""), false }, { SPAN_INIT("a\0b"), SPAN_INIT(""), false },
		{ SPAN_INIT("\xff"), SPAN_INIT(""), false },
	};
	struct secret s;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(sasl_prepare(PREPARE_QUERY, rows[i].in, &s), rows[i].good);
		assert_true(span_eq((struct span){ s.p, s.len }, rows[i].out));
	}
	/* U+0221 has no meaning in Unicode 3.2: asked for it may be, stored not (RFC 3454 7). */
	assert_true(sasl_prepare(PREPARE_QUERY, SPAN("\xc8\xa1"), &s));
	assert_false(sasl_prepare(PREPARE_STORED, SPAN("\xc8\xa1"), &s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_7677_vector), cmocka_unit_test(verifiers_in_text), cmocka_unit_test(keyed_hash_keeps_parts_apart),
		cmocka_unit_test(crypt_methods), cmocka_unit_test(sender_keys), cmocka_unit_test(prepared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

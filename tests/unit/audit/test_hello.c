/* A ClientHello is what OpenSSL takes for one; answers are read in any split and never beyond their end (RFC 5246 7.4.1, RFC 8446 4.1). */
#include <stddef.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include <openssl/ssl.h>

#include "audit/hello.h"

static const uint8_t random_octets[HELLO_RANDOM] = { 1, 2, 3 };

static struct span
hello(uint16_t version, const uint16_t *suite, size_t suites, uint8_t octets[HELLO_MAX])
{
	struct hello_question q = { .version = version, .suite = suite, .suites = suites, .name = SPAN("mail.example.org"),
		.random = random_octets, .compress = true };
	struct buf b = { octets, 0, HELLO_MAX };

	assert_true(hello_format(&q, &b));
	return buf_span(&b);
}

/* What OpenSSL's server says to a hello. */
static size_t
answer_to(struct span q, uint8_t *out, size_t max)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	SSL *ssl;
	BIO *in = BIO_new(BIO_s_mem()), *reply = BIO_new(BIO_s_mem());
	int n;

	assert_true(ctx != NULL && key != NULL && cert != NULL && in != NULL && reply != NULL);
	(void)X509_set_pubkey(cert, key);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_true(SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
	ssl = SSL_new(ctx);
	assert_non_null(ssl);
	SSL_set_bio(ssl, in, reply);
	assert_int_equal(BIO_write(in, q.p, (int)q.len), (int)q.len);
	(void)SSL_accept(ssl);
	n = BIO_read(reply, out, (int)max);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	X509_free(cert);
	EVP_PKEY_free(key);
	return n > 0 ? (size_t)n : 0;
}

/* ... of all suites. */
static size_t
answer(uint16_t version, uint8_t *out, size_t max)
{
	uint16_t suite[HELLO_SUITES_MAX];
	uint8_t octets[HELLO_MAX];

	return answer_to(hello(version, suite, hello_suites(version, suite), octets), out, max);
}

/* RFC 7507, RFC 8446 4.1.3 and 4.1.4. */
static void
openssl_guards_itself(void **state)
{
	static uint8_t reply[8192];
	uint16_t suite[HELLO_SUITES_MAX], p384 = 24, weak[HELLO_GROUPS_MAX];
	struct hello_question q = { .version = HELLO_TLS12, .suite = suite, .suites = hello_suites(HELLO_TLS12, suite), .random = random_octets,
		.fallback = true };
	uint8_t octets[HELLO_MAX];
	struct buf b = BUF_OVER(octets);
	struct hello_reply r;

	(void)state;
	assert_true(hello_format(&q, &b));
	assert_int_equal(hello_parse((struct span){ reply, answer_to(buf_span(&b), reply, sizeof reply) }, &r), HELLO_ALERT);
	assert_int_equal(r.alert, HELLO_INAPPROPRIATE_FALLBACK);
	/* 1.2 by itself is fine, and says what could have been had. */
	q.fallback = false;
	b.len = 0;
	assert_true(hello_format(&q, &b));
	assert_int_equal(hello_parse((struct span){ reply, answer_to(buf_span(&b), reply, sizeof reply) }, &r), HELLO_SERVER);
	assert_true(r.downgraded && r.group == 0);
	/* No curve in common, no suite with a curve. */
	q.group = weak;
	q.groups = hello_weak_groups(weak);
	b.len = 0;
	assert_true(hello_format(&q, &b));
	assert_int_equal(hello_parse((struct span){ reply, answer_to(buf_span(&b), reply, sizeof reply) }, &r), HELLO_ALERT);
	/* Without a share it asks for one of the group that it would have. */
	q = (struct hello_question){ .version = HELLO_TLS13, .suite = suite, .suites = hello_suites(HELLO_TLS13, suite), .random = random_octets,
		.group = &p384, .groups = 1, .shareless = true };
	b.len = 0;
	assert_true(hello_format(&q, &b));
	assert_int_equal(hello_parse((struct span){ reply, answer_to(buf_span(&b), reply, sizeof reply) }, &r), HELLO_SERVER);
	assert_true(r.version == HELLO_TLS13 && r.group == p384 && !r.downgraded);
}

static void
grades_of_suites(void **state)
{
	static const struct { struct span name; char grade; } rows[] = {
		{ SPAN_INIT("TLS_AES_128_GCM_SHA256"), 'A' }, { SPAN_INIT("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"), 'A' },
		{ SPAN_INIT("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"), 'B' }, { SPAN_INIT("TLS_RSA_WITH_AES_128_GCM_SHA256"), 'C' },
		{ SPAN_INIT("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"), 'C' }, { SPAN_INIT("TLS_ECDHE_RSA_WITH_RC4_128_SHA"), 'D' },
		{ SPAN_INIT("TLS_ECDHE_RSA_WITH_NULL_SHA"), 'F' }, { SPAN_INIT("TLS_DH_anon_WITH_AES_128_GCM_SHA256"), 'F' },
		{ SPAN_INIT("TLS_RSA_EXPORT_WITH_RC4_40_MD5"), 'F' }, { SPAN_INIT("TLS_RSA_WITH_DES_CBC_SHA"), 'F' },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(hello_suite_grade(rows[i].name), rows[i].grade);
}

static void
groups(void **state)
{
	uint16_t good[HELLO_GROUPS_MAX], weak[HELLO_GROUPS_MAX];
	size_t n = hello_groups(good), m = hello_weak_groups(weak);

	(void)state;
	assert_true(n > 4 && m > 4 && n <= HELLO_GROUPS_MAX && m <= HELLO_GROUPS_MAX);
	for (size_t i = 0; i < n; i++) {
		assert_non_null(hello_group_name(good[i]));
		for (size_t k = 0; k < m; k++)
			assert_int_not_equal(good[i], weak[k]);
	}
	assert_null(hello_group_name(0));
}

static void
openssl_understands(void **state)
{
	static uint8_t octets[8192];
	struct hello_reply r;
	size_t n;

	(void)state;
	n = answer(HELLO_TLS13, octets, sizeof octets);
	assert_int_equal(hello_parse((struct span){ octets, n }, &r), HELLO_SERVER);
	assert_int_equal(r.version, HELLO_TLS13);
	assert_string_equal(hello_suite_name(r.suite), "TLS_AES_256_GCM_SHA384");
	n = answer(HELLO_TLS12, octets, sizeof octets);
	assert_int_equal(hello_parse((struct span){ octets, n }, &r), HELLO_SERVER);
	assert_int_equal(r.version, HELLO_TLS12);
	assert_string_equal(hello_suite_name(r.suite), "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
	assert_true(r.extended_master_secret && r.secure_renegotiation && !r.compressed);
	/* RFC 6066 3: behind a warning that the name is not known. */
	memmove(octets + 7, octets, n);
	memcpy(octets, "\x15\x03\x03\0\2\1\x70", 7);
	n += 7;
	assert_int_equal(hello_parse((struct span){ octets, n }, &r), HELLO_SERVER);
	assert_int_equal(r.version, HELLO_TLS12);
	/* Any beginning of it asks for more, none says something else. */
	for (size_t cut = 0; cut < n; cut++) {
		enum hello_step step = hello_parse((struct span){ octets, cut }, &r);

		assert_true(step == HELLO_MORE || step == HELLO_SERVER);
	}
	n = answer(HELLO_SSL3, octets, sizeof octets);
	assert_int_equal(hello_parse((struct span){ octets, n }, &r), HELLO_ALERT);
}

static void
other_answers(void **state)
{
	static const struct { struct span in; enum hello_step step; } rows[] = {
		{ SPAN_INIT(""), HELLO_MORE },
		{ SPAN_INIT("220 mail"), HELLO_OTHER },
		{ SPAN_INIT("HTTP/1.1"), HELLO_OTHER },
		{ SPAN_INIT("\x16\x03\x03\0\4\x0b\0\0\0"), HELLO_OTHER },       /* a certificate first */
		{ SPAN_INIT("\x16\x03\x03\0\0"), HELLO_OTHER },                 /* an empty record */
		{ SPAN_INIT("\x16\x03\x03\0\5\2\0\0\1\0"), HELLO_OTHER },       /* a hello of one octet */
		{ SPAN_INIT("\x16\x03\x03\0\4\2\1\0\0"), HELLO_OTHER },         /* one of 64 KiB */
		{ SPAN_INIT("\x15\x03\x03\0\2\2\x28"), HELLO_ALERT },
		{ SPAN_INIT("\x15\x03\x03\0\2\2"), HELLO_MORE },
		{ SPAN_INIT("\x15\x03\x03\0\2\1\x70"), HELLO_MORE },         /* a warning that it does not know the name, and it goes on */
		{ SPAN_INIT("\x15\x03\x03\0\2\1\x70\x15\x03\x03\0\2\2\x28"), HELLO_ALERT },
		{ SPAN_INIT("\x15\x03\x03\0\2\2\x70"), HELLO_ALERT },        /* or not */
		{ SPAN_INIT("\x15\x03\x03\0\2\1\0"), HELLO_ALERT },          /* close_notify */
	};
	struct hello_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(hello_parse(rows[i].in, &r), rows[i].step);
}

static void
suites(void **state)
{
	uint16_t suite[HELLO_SUITES_MAX];

	(void)state;
	for (unsigned version = HELLO_SSL3; version <= HELLO_TLS13; version++) {
		size_t n = hello_suites((uint16_t)version, suite);

		assert_true(n > 4 && n <= HELLO_SUITES_MAX);
		for (size_t i = 0; i < n; i++) {
			assert_non_null(hello_suite_name(suite[i]));
			for (size_t k = 0; k < i; k++)
				assert_int_not_equal(suite[i], suite[k]);
		}
	}
	assert_null(hello_suite_name(0xffff));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_understands), cmocka_unit_test(openssl_guards_itself), cmocka_unit_test(grades_of_suites),
		cmocka_unit_test(groups), cmocka_unit_test(other_answers), cmocka_unit_test(suites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

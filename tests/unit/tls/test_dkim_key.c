/* The keys and the message of RFC 8463 appendix A, and what our own keys come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "tls/digest.h"
#include "tls/dkim_store.h"

/* RFC 8463 A.2: the seed in PKCS #8 (RFC 8410 7), and the RSA key of RFC 6376's examples. */
static const char ed25519_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
static const char rsa_pem[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n"
    "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n"
    "KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n"
    "AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n"
    "6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n"
    "zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n"
    "6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n"
    "uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n"
    "WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n"
    "WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n"
    "licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n"
    "o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n"
    "uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"
    "-----END RSA PRIVATE KEY-----\n";

/* RFC 8463 A.3. */
static const char header[] =
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n";
static const char body[] = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
static const char body_digest[] = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";

static const struct published {
	enum dkim_algorithm algorithm;
	const char *pem, *field, *names, *signature, *record;
} published[] = {
	{ DKIM_ED25519_SHA256, ed25519_pem,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
	    " d=football.example.com; i=@football.example.com;\r\n"
	    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
	    " subject : date : message-id : from : subject : date;\r\n"
	    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
	    " b=",
	    "from : to :\r\n subject : date : message-id : from : subject : date",
	    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==",
	    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" },
	{ DKIM_RSA_SHA256, rsa_pem,
	    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
	    " d=football.example.com; i=@football.example.com;\r\n"
	    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
	    " date : message-id : from : subject : date;\r\n"
	    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
	    " b=",
	    "from : to : subject :\r\n date : message-id : from : subject : date",
	    "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2JzdA"
	    "+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=",
	    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb"
	    "3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB" },
};

static void
into_digest(void *arg, struct span octets)
{
	digest_put(arg, octets);
}

static void
assert_base64(struct span octets, const char *wanted)
{
	char room[1024];
	struct buf b = BUF_OVER(room);

	assert_true(base64_format(octets, &b) && buf_terminate(&b));
	assert_string_equal(room, wanted);
}

static void
the_body_of_the_rfc(void **state)
{
	struct digest *d = digest_new();
	struct dkim_sink to = { into_digest, d };
	uint8_t digest[DIGEST_OCTETS];
	struct dkim_body b;

	(void)state;
	dkim_body_init(&b);
	dkim_body_put(&b, span_of(body), &to);
	dkim_body_end(&b, &to);
	assert_true(digest_end(d, digest));
	assert_base64((struct span){ digest, sizeof digest }, body_digest);
	/* RFC 6376 errata 1376: an empty body is nothing at all. And the digest is as new. */
	dkim_body_init(&b);
	dkim_body_end(&b, &to);
	assert_true(digest_end(d, digest));
	assert_base64((struct span){ digest, sizeof digest }, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	digest_free(d);
}

/* dkim-1, dkim-8: RFC 8463 A.3, both signatures to the octet; RFC 8463 4 and RFC 6376 3.6.1 for the records. */
static void
the_signatures_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
		const struct published *p = &published[i];
		struct digest *d = digest_new();
		struct dkim_sink to = { into_digest, d };
		char words[300], record[DKIM_RECORD_MAX];
		uint8_t digest[DIGEST_OCTETS], signature[DKIM_SIGNATURE_MAX];
		struct buf why = BUF_OVER(words), out = BUF_OVER(signature), text = BUF_OVER(record);
		struct dkim_key *key = dkim_key_new(span_of(p->pem), p->algorithm, &why);
		struct dkim_header h;

		assert_non_null(key);
		dkim_header_init(&h, span_of(header));
		assert_true(dkim_header_put(&h, span_of(p->names), &to));
		dkim_field_put(span_of(p->field), &to);
		assert_true(digest_end(d, digest));
		assert_true(dkim_key_sign(key, (struct span){ digest, sizeof digest }, &out));
		assert_base64(buf_span(&out), p->signature);
		assert_true(dkim_key_record(key, &text) && buf_terminate(&text));
		assert_string_equal(record, p->record);
		assert_false(dkim_key_sign(key, (struct span){ digest, 31 }, &out));
		dkim_key_free(key);
		digest_free(d);
	}
}

static void
copies_of_a_digest_go_their_own_ways(void **state)
{
	struct digest *one = digest_new(), *two;
	uint8_t a[DIGEST_OCTETS], b[DIGEST_OCTETS];

	(void)state;
	digest_put(one, SPAN("ab"));
	two = digest_copy(one);
	assert_non_null(two);
	digest_put(one, SPAN("c"));
	digest_put(two, SPAN("d"));
	assert_true(digest_end(one, a) && digest_end(two, b));
	assert_base64((struct span){ a, sizeof a }, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
	assert_memory_not_equal(a, b, sizeof a);
	digest_free(one);
	digest_free(two);
}

static void
keys_of_another_kind_are_refused(void **state)
{
	char words[300];
	struct buf why = BUF_OVER(words);

	(void)state;
	assert_null(dkim_key_new(span_of(rsa_pem), DKIM_ED25519_SHA256, &why));
	assert_string_equal(words, "is no Ed25519 key");
	assert_null(dkim_key_new(span_of(ed25519_pem), DKIM_RSA_SHA256, &why));
	assert_string_equal(words, "is no RSA key");
	assert_null(dkim_key_new(SPAN("nonsense"), DKIM_RSA_SHA256, &why));
	assert_non_null(strstr(words, "no private key"));
}

/* ---- the store ---- */

static char dir[] = "/tmp/test-dkim-XXXXXX", words[600];
static struct buf why;
static struct dkim_store store;

static void
reread(void)
{
	dkim_store_free(&store);
	why = BUF_OVER(words);
	assert_true(dkim_store_read(dir, &store, &why));
}

/* "phase algorithm selector, ..." of a domain. */
static const char *
keys_of(const char *domain)
{
	static char text[600];
	size_t first, n;

	reread();
	text[0] = 0;
	n = dkim_store_find(&store, span_of(domain), &first);
	for (size_t i = first; i < first + n; i++)
		(void)snprintf(text + strlen(text), 100, "%s %s, ", store.entry[i].selector, dkim_phase_name(store.entry[i].phase));
	return text;
}

enum { DAY_ONE = 1795341600, DAY_TWO = DAY_ONE + 86400 };      /* 2026-11-22, 10:00 */

static void
one_key_follows_another(void **state)
{
	(void)state;
	why = BUF_OVER(words);
	assert_non_null(mkdtemp(dir));
	assert_true(dkim_store_add(dir, "example.org", DAY_ONE, false, &why));
	assert_true(dkim_store_add(dir, "example.net", DAY_ONE, true, &why));
	assert_string_equal(keys_of("example.org"), "p20261122e active, p20261122r active, ");
	assert_string_equal(keys_of("example.net"), "p20261122e waiting, p20261122r waiting, ");
	assert_string_equal(keys_of("example.com"), "");
	assert_false(dkim_store_add(dir, "example.org", DAY_ONE, false, &why));
	assert_false(dkim_store_activate(dir, "example.org", DAY_ONE, &why));
	assert_true(dkim_store_rotate(dir, "example.org", DAY_ONE, &why));
	assert_string_equal(keys_of("example.org"), "p20261122e active, p20261122e2 waiting, p20261122r active, p20261122r2 waiting, ");
	assert_false(dkim_store_rotate(dir, "example.org", DAY_TWO, &why));
	assert_true(dkim_store_activate(dir, "example.org", DAY_TWO, &why));
	assert_string_equal(keys_of("example.org"), "p20261122e old, p20261122e2 active, p20261122r old, p20261122r2 active, ");
	assert_int_equal(store.entry[store.count - 1].since, DAY_TWO);
	assert_false(dkim_store_remove(dir, "example.org", "p20261122r2", &why));
	assert_true(dkim_store_remove(dir, "example.org", "p20261122r", &why));
	assert_string_equal(keys_of("example.org"), "p20261122e old, p20261122e2 active, p20261122r2 active, ");
	assert_true(dkim_store_remove(dir, "example.org", NULL, &why));
	assert_string_equal(keys_of("example.org"), "");
	assert_false(dkim_store_rotate(dir, "example.org", DAY_TWO, &why));
	assert_false(dkim_store_add(dir, "../etc", DAY_ONE, false, &why));
	assert_false(dkim_store_add(dir, "Example.org", DAY_ONE, false, &why));
	assert_false(dkim_store_add(dir, "localhost", DAY_ONE, false, &why));
}

static void
keys_that_others_may_read_are_refused(void **state)
{
	char path[200], record[DKIM_RECORD_MAX];
	struct buf text = BUF_OVER(record);
	struct stat st;

	(void)state;
	(void)keys_of("example.net");
	assert_int_equal(store.count, 2);
	assert_true(dkim_store_check(dir, &store.entry[1], &text, &why));
	assert_int_equal(strncmp(record, "v=DKIM1; k=rsa; p=MII", 21), 0);
	(void)snprintf(path, sizeof path, "%s/example.net/p20261122r.pem", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(chmod(path, 0640), 0);
	assert_false(dkim_store_check(dir, &store.entry[1], NULL, &why));
	assert_non_null(strstr(words, path));
	assert_non_null(strstr(words, "chmod 600"));
	assert_int_equal(unlink(path), 0);
	assert_false(dkim_store_check(dir, &store.entry[1], NULL, &why));
	dkim_store_free(&store);
}

/* A key of the RFC's: Ed25519 is taken, RSA of 1024 bits is not (dkim-1). */
static void
keys_from_elsewhere(void **state)
{
	char path[200];
	FILE *f;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/theirs", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(ed25519_pem, f);
	(void)fclose(f);
	assert_true(dkim_store_import(dir, "example.com", "brisbane", path, DAY_ONE, &why));
	assert_true(dkim_store_import(dir, "example.com", "second", path, DAY_ONE, &why));
	assert_string_equal(keys_of("example.com"), "brisbane active, second waiting, ");
	assert_false(dkim_store_import(dir, "example.com", "second", path, DAY_ONE, &why));
	assert_false(dkim_store_import(dir, "example.com", "a/b", path, DAY_ONE, &why));
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(rsa_pem, f);
	(void)fclose(f);
	assert_false(dkim_store_import(dir, "example.com", "test", path, DAY_ONE, &why));
	assert_non_null(strstr(words, "2048"));
	assert_int_equal(unlink(path), 0);
	assert_false(dkim_store_import(dir, "example.com", "test", path, DAY_ONE, &why));
	assert_true(dkim_store_remove(dir, "example.com", NULL, &why));
	assert_string_equal(keys_of("example.com"), "");
}

static void
a_damaged_list_is_named(void **state)
{
	char path[200];
	FILE *f;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/example.net/selectors", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs("p20261122r rsa-sha1 active 1795341600\n", f);
	(void)fclose(f);
	assert_false(dkim_store_read(dir, &store, &why));
	assert_non_null(strstr(words, path));
	assert_true(dkim_store_read("/nonexistent/dkim", &store, &why));
	assert_int_equal(store.count, 0);
}

static int
clear(void **state)
{
	static const char *const left[] = { "example.net/selectors", "example.net/p20261122e.pem", "lock", "changed" };
	char path[200];

	(void)state;
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, left[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof path, "%s/example.net", dir);
	(void)rmdir(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_body_of_the_rfc),
		cmocka_unit_test(the_signatures_of_the_rfc),
		cmocka_unit_test(copies_of_a_digest_go_their_own_ways),
		cmocka_unit_test(keys_of_another_kind_are_refused),
		cmocka_unit_test(one_key_follows_another),
		cmocka_unit_test(keys_from_elsewhere),
		cmocka_unit_test(keys_that_others_may_read_are_refused),
		cmocka_unit_test(a_damaged_list_is_named),
	};

	return cmocka_run_group_tests_name("tls/dkim", tests, NULL, clear);
}

#include "sasl/verifier.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/secret.h"

static void
hmac(const uint8_t *key, size_t len, struct span text, uint8_t out[VERIFIER_HASH])
{
	/* Out of memory is the only failure, and a verifier of undefined octets must never be stored or matched. */
	if (HMAC(EVP_sha256(), key, (int)len, text.p, text.len, out, NULL) == NULL)
		abort();
}

void
keyed_hash(const uint8_t key[VERIFIER_HASH], const struct span *parts, size_t count, uint8_t *out)
{
	uint8_t chain[VERIFIER_HASH], part[VERIFIER_HASH * 2];

	/* Hash of hashes: two lists of parts that join to the same octets stay different. */
	memset(chain, 0, sizeof chain);
	for (size_t i = 0; i < count; i++) {
		memcpy(part, chain, VERIFIER_HASH);
		hmac(key, VERIFIER_HASH, parts[i], part + VERIFIER_HASH);
		hmac(key, VERIFIER_HASH, (struct span){ part, sizeof part }, chain);
	}
	memcpy(out, chain, VERIFIER_HASH);
	wipe(part, sizeof part);
	wipe(chain, sizeof chain);
}

bool
verifier_derive(struct verifier *v, struct span secret, struct span salt, uint32_t iterations)
{
	uint8_t salted[VERIFIER_HASH], client[VERIFIER_HASH];
	bool done;

	if (salt.len > sizeof v->salt || iterations > VERIFIER_ITERATIONS_MAX)
		return false;
	done = PKCS5_PBKDF2_HMAC((const char *)secret.p, (int)secret.len, salt.p, (int)salt.len, (int)iterations,
	    EVP_sha256(), sizeof salted, salted) == 1;
	if (done) {
		hmac(salted, sizeof salted, SPAN("Client Key"), client);
		SHA256(client, sizeof client, v->stored);
		hmac(salted, sizeof salted, SPAN("Server Key"), v->server);
		memmove(v->salt, salt.p, salt.len);
		v->salt_len = (uint32_t)salt.len;
		v->iterations = iterations;
	}
	wipe(salted, sizeof salted);
	wipe(client, sizeof client);
	return done;
}

bool
verifier_make(struct verifier *v, struct span secret, uint32_t iterations)
{
	uint8_t salt[VERIFIER_SALT_MADE];

	return RAND_bytes(salt, sizeof salt) == 1
	    && verifier_derive(v, secret, (struct span){ salt, sizeof salt }, iterations);
}

enum match
verifier_check(const struct verifier *v, struct span secret)
{
	struct verifier again;
	enum match match = MATCH_UNKNOWN;

	if (verifier_derive(&again, secret, (struct span){ v->salt, v->salt_len }, v->iterations))
		match = secret_equal((struct span){ v->stored, VERIFIER_HASH }, (struct span){ again.stored, VERIFIER_HASH });
	wipe(&again, sizeof again);
	return match;
}

void
verifier_fake(struct verifier *v, const uint8_t key[VERIFIER_HASH], struct span login, uint32_t iterations)
{
	struct span salt[] = { SPAN("salt"), login }, stored[] = { SPAN("stored"), login }, server[] = { SPAN("server"), login };
	uint8_t made[VERIFIER_HASH];

	memset(v, 0, sizeof *v);
	keyed_hash(key, salt, 2, made);
	memcpy(v->salt, made, VERIFIER_SALT_MADE);
	v->salt_len = VERIFIER_SALT_MADE;
	keyed_hash(key, stored, 2, v->stored);
	keyed_hash(key, server, 2, v->server);
	v->iterations = iterations;
}

bool
verifier_format(const struct verifier *v, struct buf *out)
{
	size_t before = out->len;

	if (buf_put_text(out, "SCRAM-SHA-256$") && buf_put_u64(out, v->iterations) && buf_put_byte(out, ':')
	    && base64_format((struct span){ v->salt, v->salt_len }, out) && buf_put_byte(out, '$')
	    && base64_format((struct span){ v->stored, VERIFIER_HASH }, out) && buf_put_byte(out, ':')
	    && base64_format((struct span){ v->server, VERIFIER_HASH }, out))
		return true;
	out->len = before;
	return false;
}

/* Base64 text up to stop, which is swallowed. */
static bool
take_octets(struct span *text, uint8_t stop, struct buf *out)
{
	struct span word = span_take_until(text, stop);

	return base64_parse(word, out) && (stop == 0 || span_take_byte(text, stop));
}

bool
verifier_parse(struct span text, struct verifier *v)
{
	uint64_t iterations;
	struct buf salt = BUF_OVER(v->salt), stored = BUF_OVER(v->stored), server = BUF_OVER(v->server);

	if (!span_take(&text, SPAN("SCRAM-SHA-256$")) || !span_take_u64(&text, &iterations) || !span_take_byte(&text, ':')
	    || iterations < VERIFIER_ITERATIONS_MIN || iterations > VERIFIER_ITERATIONS_MAX)
		return false;
	if (!take_octets(&text, '$', &salt) || !take_octets(&text, ':', &stored) || !take_octets(&text, 0, &server))
		return false;
	v->iterations = (uint32_t)iterations;
	v->salt_len = (uint32_t)salt.len;
	return span_done(text) && salt.len > 0 && stored.len == VERIFIER_HASH && server.len == VERIFIER_HASH;
}

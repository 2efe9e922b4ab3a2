/*
 * sasl/verifier.h - what we keep instead of a password: SCRAM-SHA-256 verifiers (RFC 5802 3, RFC 7677) in the words of RFC 5803.
 *
 * A verifier proves a secret both ways (PLAIN and SCRAM) and gives nobody the secret. Raising the iterations needs the secret again.
 *
 * Owner     the caller, of everything.
 * Blocks    verifier_make() and verifier_check() compute for as long as the iterations say (see the numbers); the others do not.
 * Secrets   salted passwords are wiped before returning.
 */
#ifndef POSTERN_SASL_VERIFIER_H
#define POSTERN_SASL_VERIFIER_H

#include "base/buf.h"

enum {
	VERIFIER_SALT_MAX = 64,
	VERIFIER_SALT_MADE = 16,
	VERIFIER_HASH = 32,
	VERIFIER_TEXT_MAX = 256,
	/*
	 * A sender key has 120 random bits: nobody counts to them, so the least that RFC 7677 4 allows is enough
	 * (0.8 ms on the machine of bench/results). People choose passwords that can be guessed: each guess at a stolen
	 * file costs this many rounds, and each login by PLAIN 40 ms, off the loop.
	 */
	VERIFIER_KEY_ITERATIONS = 4096,
	VERIFIER_PASSWORD_ITERATIONS = 200000,
	VERIFIER_ITERATIONS_MIN = 4096,
	VERIFIER_ITERATIONS_MAX = 10000000,
};

struct verifier {
	uint32_t iterations;
	uint32_t salt_len;
	uint8_t salt[VERIFIER_SALT_MAX];
	uint8_t stored[VERIFIER_HASH];          /* StoredKey */
	uint8_t server[VERIFIER_HASH];          /* ServerKey */
};

/* A new verifier with a salt of its own. secret is prepared already (sasl/prepare.h). False: no randomness. */
bool verifier_make(struct verifier *, struct span secret, uint32_t iterations);
/* The same with a given salt (at most VERIFIER_SALT_MAX octets). */
bool verifier_derive(struct verifier *, struct span secret, struct span salt, uint32_t iterations);
/* Whether a secret is the right one. MATCH_UNKNOWN: it could not be found out, mostly for want of memory; that says nothing of the secret. */
enum match { MATCH_NO, MATCH_YES, MATCH_UNKNOWN };

/* Takes the same time whether it matches or not. */
enum match verifier_check(const struct verifier *, struct span secret);
/* What an unknown login is shown (scram-7): the same salt each time for the same key and login, and keys that nothing matches. */
void verifier_fake(struct verifier *, const uint8_t key[VERIFIER_HASH], struct span login, uint32_t iterations);

/* RFC 5803: SCRAM-SHA-256$iterations:salt$stored:server, base64 each. Inverse of each other; parse must end empty. */
bool verifier_format(const struct verifier *, struct buf *out);
bool verifier_parse(struct span text, struct verifier *);

/* HMAC-SHA-256 of the parts joined by one NUL after each; out has VERIFIER_HASH octets. */
void keyed_hash(const uint8_t key[VERIFIER_HASH], const struct span *parts, size_t count, uint8_t *out);

#endif

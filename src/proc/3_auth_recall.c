/*
 * A short cut for sender keys. When a key has been found right once, a hash of (login, key, verifier) under a secret of this
 * process is remembered, and the next login with it costs microseconds instead of a thousand.
 *
 * Why that is safe. What PBKDF2 buys is time against somebody who has the verifier and guesses. A sender key has 120 random bits, so
 * there is nothing to guess, with slow hashes or fast ones; whoever could read the remembered hashes out of this process could also
 * read the passwords that pass through it. For passwords that people choose a fast hash would be a gift, so they are never kept here.
 * The verifier is part of what is hashed: a key that was replaced is not recalled. Revocation and expiry are looked up in the users file at
 * every login, recalled or not, and all is forgotten when that file changes.
 */
#include <string.h>

#include "base/secret.h"
#include "proc/3_auth.h"

/* Without the key's text (SCRAM never shows it) there is nothing to remember, and nothing to recall. */
static bool
recallable(const struct candidate *c)
{
	return c->check == CHECK_KEY && !c->fake && c->key[0] != 0;
}

static void
digest_of(const struct recall *r, const struct candidate *c, uint8_t out[VERIFIER_HASH])
{
	struct span parts[] = { span_of(c->login), span_of(c->key), { c->verifier.stored, VERIFIER_HASH } };

	keyed_hash(r->key, parts, 3, out);
}

static size_t
first_of_set(const uint8_t digest[VERIFIER_HASH])
{
	return (u32_get(digest) & (AUTH_RECALLED / AUTH_RECALL_WAYS - 1)) * AUTH_RECALL_WAYS;
}

bool
recall_has(const struct recall *r, const struct candidate *c)
{
	uint8_t digest[VERIFIER_HASH];
	size_t at;
	bool found = false;

	if (!recallable(c))
		return false;
	digest_of(r, c, digest);
	at = first_of_set(digest);
	for (size_t i = 0; i < AUTH_RECALL_WAYS; i++)
		found |= secret_equal((struct span){ r->digest[at + i], VERIFIER_HASH }, (struct span){ digest, VERIFIER_HASH });
	return found;
}

void
recall_keep(struct recall *r, const struct candidate *c)
{
	uint8_t digest[VERIFIER_HASH];

	if (!recallable(c))
		return;
	digest_of(r, c, digest);
	memcpy(r->digest[first_of_set(digest) + r->turn++ % AUTH_RECALL_WAYS], digest, VERIFIER_HASH);
}

void
recall_clear(struct recall *r)
{
	wipe(r->digest, sizeof r->digest);
}

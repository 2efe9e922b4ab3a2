/*
 * base/siphash.h - SipHash (Aumasson, Bernstein, 2012): a short hash that nobody without the key can foresee. 2-4 rounds.
 *
 * For tables that strangers fill and for telling things apart without keeping them; 64 bits are no proof of anything.
 *
 * Owner     the caller, of everything. The key is a secret of the process that made it.
 * Blocks    never. Time depends on the length alone.
 */
#ifndef POSTERN_BASE_SIPHASH_H
#define POSTERN_BASE_SIPHASH_H

#include "base/span.h"

enum { SIPHASH_KEY = 16 };

uint64_t siphash(const uint8_t key[SIPHASH_KEY], struct span);
uint64_t siphash_u32(const uint8_t key[SIPHASH_KEY], uint32_t);

/*
 * 128 bits, for octets that come in pieces; any split gives the same. Whole messages go through it, so it is the quick variant of
 * 1-3 rounds: its results are compared and never shown, and who neither knows the key nor sees them cannot make two that are the same.
 */
enum { SIPHASH_WIDE = 16 };
struct siphash {
	uint64_t v[4];
	uint64_t tail;                  /* the octets of a word that is not full */
	uint64_t octets;                /* so far */
};

void siphash_init(struct siphash *, const uint8_t key[SIPHASH_KEY]);
void siphash_feed(struct siphash *, struct span);
/* A number, and a text with its length in front, so that no two lists of them are the same octets. */
void siphash_feed_u64(struct siphash *, uint64_t);
void siphash_feed_text(struct siphash *, struct span);
/* The hash of all that was fed. What is fed later is as if this had not been asked. */
void siphash_drain(const struct siphash *, uint8_t hash[SIPHASH_WIDE]);

#endif

/*
 * base/siphash.h - SipHash-2-4 (Aumasson, Bernstein, 2012): a short hash that nobody without the key can foresee.
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

#endif

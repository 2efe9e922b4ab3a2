/*
 * base/siphash.h - SipHash-2-4 (Aumasson and Bernstein, 2012): a short keyed hash whose collisions nobody finds without the key.
 *
 * For tables that strangers fill, and for telling whether two secrets are the same without keeping them.
 */
#ifndef POSTERN_BASE_SIPHASH_H
#define POSTERN_BASE_SIPHASH_H

#include "base/span.h"

enum { SIPHASH_KEY = 16 };

uint64_t siphash(const uint8_t key[SIPHASH_KEY], struct span octets);

#endif

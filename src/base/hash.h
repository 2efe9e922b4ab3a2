/*
 * base/hash.h - where in a table of ours something lies: FNV-1a, 64 bits, the upper ones folded into the lower ones.
 *
 * Owner     nobody; what it says is not kept on disk and means nothing to another process.
 * Strangers can find texts of one hash. Where they choose what is hashed and many of one hash would hurt, take siphash.h.
 */
#ifndef POSTERN_BASE_HASH_H
#define POSTERN_BASE_HASH_H

#include "base/span.h"

uint64_t hash_of(struct span);
/* The same for "Example.ORG" and "example.org". */
uint64_t hash_of_folded(struct span);

#endif

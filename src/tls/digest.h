/*
 * tls/digest.h - SHA-256 of what comes in pieces.
 *
 * Owner     the caller, from digest_new() or digest_copy() until digest_free(). Blocks never.
 * Fails     NULL when memory is short; a digest that OpenSSL could not go on with says so at its end.
 */
#ifndef POSTERN_TLS_DIGEST_H
#define POSTERN_TLS_DIGEST_H

#include "base/span.h"

enum { DIGEST_OCTETS = 32 };

struct digest;

struct digest *digest_new(void);
/* Another one that has seen the same so far. */
struct digest *digest_copy(const struct digest *);
void digest_free(struct digest *);
void digest_put(struct digest *, struct span octets);
/* What it comes to; afterwards it is as new. */
bool digest_end(struct digest *, uint8_t out[DIGEST_OCTETS]);

#endif

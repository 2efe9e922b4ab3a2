/*
 * fuzz/signer_key.h - a certificate with its key, made on the spot, for fuzz/front_to_signer.c.
 */
#ifndef POSTERN_FUZZ_SIGNER_KEY_H
#define POSTERN_FUZZ_SIGNER_KEY_H

#include "base/span.h"

/* PEM texts that live as long as the program. */
void signer_key_make(struct span *chain, struct span *key);
/* ECDSA with SHA-256. */
bool signer_key_verifies(struct span octets, struct span signature);

#endif

/*
 * tls/sign.h - a private key, and the signatures that TLS 1.2 and 1.3 make with it; for 2_signer, which alone has one.
 *
 * Owner     the caller, until tls_key_free(), which wipes (OpenSSL clears what it frees of a key).
 * Blocks    never; an RSA signature takes up to some milliseconds.
 */
#ifndef POSTERN_TLS_SIGN_H
#define POSTERN_TLS_SIGN_H

#include "base/buf.h"
#include "tls/served.h"

struct tls_key;

/* PEM texts. NULL with words in why (NUL-terminated): does not parse, key does not belong to the leaf, memory. */
struct tls_key *tls_key_new(struct span chain_pem, struct span key_pem, struct buf *why);
void tls_key_free(struct tls_key *);
/* What fronts call it: SHA-256 of the leaf, TLS_FINGERPRINT octets. */
struct span tls_key_name(const struct tls_key *);
/* Sign with enum sign_scheme. False: no scheme for this kind of key, or OpenSSL failed. Judges nothing else. */
bool tls_key_sign(struct tls_key *, uint32_t scheme, struct span to_be_signed, struct buf *signature);

#endif

/*
 * tls/dkim_key.h - a private key that signs mail, and what the domain publishes of it (RFC 6376 3.6.1, RFC 8301, RFC 8463).
 *
 * Owner     the caller, until dkim_key_free(), which wipes (OpenSSL clears what it frees of a key).
 * Secrets   a PEM text is the caller's to wipe.
 * Blocks    never; an RSA signature takes up to some milliseconds, making an RSA key up to a second.
 * Fails     NULL or false with words in why, NUL-terminated.
 */
#ifndef POSTERN_TLS_DKIM_KEY_H
#define POSTERN_TLS_DKIM_KEY_H

#include "mail/dkim.h"

enum {
	DKIM_PEM_MAX = 8192,
	DKIM_RSA_BITS = 2048,           /* of keys that we make */
	DKIM_RSA_BITS_LEAST = 1024,     /* 8301 3.2: never less */
	DKIM_RSA_BITS_MOST = 4096,      /* what every verifier must take */
	DKIM_RECORD_MAX = 1024,
};

struct dkim_key;

struct dkim_key *dkim_key_new(struct span pem, enum dkim_algorithm, struct buf *why);
void dkim_key_free(struct dkim_key *);
/* 0 for Ed25519. */
unsigned dkim_key_rsa_bits(const struct dkim_key *);
/* Sign a digest of DKIM_DIGEST octets: PKCS #1 v1.5, or Ed25519 over those octets (8463 3). False: OpenSSL failed, or no room. */
bool dkim_key_sign(struct dkim_key *, struct span digest, struct buf *signature);
/* The value of the TXT record: "v=DKIM1; k=rsa; p=..." */
bool dkim_key_record(const struct dkim_key *, struct buf *out);
/* A fresh one, as PKCS #8 PEM. */
bool dkim_key_make(enum dkim_algorithm, struct buf *pem, struct buf *why);

#endif

/*
 * tls/remote.h - a private key that is somewhere else: OpenSSL sees a key object, and each signature is asked for.
 *
 * A provider of our own (OSSL_PROVIDER) in a library context of its own, beside OpenSSL's default one: remote.c has its tables
 * and its key objects, remote_sign.c what happens when OpenSSL wants a signature.
 *
 * Owner     the caller owns the tls_signer and what arg points to; they outlive every key made with them.
 * Blocks    as long as sign() does: it is called from inside the handshake.
 */
#ifndef POSTERN_TLS_REMOTE_H
#define POSTERN_TLS_REMOTE_H

#include "base/buf.h"

struct tls_sign_question {
	struct span key;                /* SHA-256 of the leaf certificate */
	uint32_t scheme;                /* enum sign_scheme */
	struct span to_be_signed;
};

struct tls_signer {
	/* Append the signature. False: there is none, the handshake fails. */
	bool (*sign)(void *arg, const struct tls_sign_question *, struct buf *signature);
	void *arg;
};

#endif

/*
 * tls/remote_private.h - what remote.c and remote_sign.c share; nobody else includes it.
 */
#ifndef POSTERN_TLS_REMOTE_PRIVATE_H
#define POSTERN_TLS_REMOTE_PRIVATE_H

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>

#include "tls/private.h"
#include "tls/remote.h"

/* A key object of the provider: the public half, and who has the other one. */
struct remote_key {
	EVP_PKEY *public;               /* of OpenSSL's default provider */
	const char *type;               /* "RSA" */
	const struct tls_signer *signer;
	uint8_t name[32];               /* tls_sign_question.key */
};

extern const OSSL_DISPATCH remote_signature_functions[];

#endif

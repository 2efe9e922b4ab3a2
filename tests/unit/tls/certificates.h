/*
 * Certificates made on the spot, so that no test has an expiry date.
 */
#ifndef POSTERN_TESTS_CERTIFICATES_H
#define POSTERN_TESTS_CERTIFICATES_H

#include <openssl/x509.h>

#include "base/span.h"

struct identity {
	EVP_PKEY *key;
	X509 *cert;
	char *chain_pem, *key_pem;      /* NUL-terminated */
};

enum { IDENTITY_ED25519 = -25519, IDENTITY_P384 = -384 };        /* instead of rsa_bits */

/* alt: "DNS:a.example,IP:127.0.0.1" or NULL; rsa_bits 0: ECDSA P-256; by: the CA, NULL for self-signed; days from now. */
struct identity identity_make(const char *cn, const char *alt, int rsa_bits, const struct identity *by, long from_days, long to_days);
void identity_free(struct identity *);

#endif

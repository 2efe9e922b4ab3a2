#include "tls/sign.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "policy/sign_form.h"
#include "tls/private.h"

enum { SCHEMES_MAX = 16 };

struct tls_key {
	EVP_PKEY *key;
	EVP_MD_CTX *context;            /* for schemes that digest by themselves; used again for each signature */
	/* For the others, by number of the row in schemes[]: made at the first use, since making one costs a fifth of a signature. */
	EVP_PKEY_CTX *ready[SCHEMES_MAX];
	EVP_MD *digest[SCHEMES_MAX];
	uint8_t name[TLS_FINGERPRINT];
};

static const struct tls_scheme schemes[] = {
	{ SCHEME_ECDSA_SHA256, "EC", "SHA2-256", 0 },
	{ SCHEME_ECDSA_SHA384, "EC", "SHA2-384", 0 },
	{ SCHEME_ECDSA_SHA512, "EC", "SHA2-512", 0 },
	{ SCHEME_ED25519, "ED25519", "", 0 },
	{ SCHEME_ED448, "ED448", "", 0 },
	{ SCHEME_RSA_PSS_SHA256, "RSA", "SHA2-256", RSA_PKCS1_PSS_PADDING },
	{ SCHEME_RSA_PSS_SHA384, "RSA", "SHA2-384", RSA_PKCS1_PSS_PADDING },
	{ SCHEME_RSA_PSS_SHA512, "RSA", "SHA2-512", RSA_PKCS1_PSS_PADDING },
	{ SCHEME_RSA_PKCS1_SHA256, "RSA", "SHA2-256", RSA_PKCS1_PADDING },
	{ SCHEME_RSA_PKCS1_SHA384, "RSA", "SHA2-384", RSA_PKCS1_PADDING },
	{ SCHEME_RSA_PKCS1_SHA512, "RSA", "SHA2-512", RSA_PKCS1_PADDING },
	{ SCHEME_RSA_PSS_PSS_SHA256, "RSA-PSS", "SHA2-256", RSA_PKCS1_PSS_PADDING },
	{ SCHEME_RSA_PSS_PSS_SHA384, "RSA-PSS", "SHA2-384", RSA_PKCS1_PSS_PADDING },
	{ SCHEME_RSA_PSS_PSS_SHA512, "RSA-PSS", "SHA2-512", RSA_PKCS1_PSS_PADDING },
};

enum { SCHEMES = sizeof schemes / sizeof schemes[0] };
static_assert((int)SCHEMES <= (int)SCHEMES_MAX, "a place for each");

uint32_t
tls_scheme_find(const char *type, const char *digest, int padding)
{
	for (size_t i = 0; i < SCHEMES; i++)
		if (strcmp(schemes[i].type, type) == 0 && strcmp(schemes[i].digest, digest) == 0 && schemes[i].padding == padding)
			return schemes[i].number;
	return 0;
}

static const struct tls_scheme *
scheme_of(uint32_t number)
{
	for (size_t i = 0; i < SCHEMES; i++)
		if (schemes[i].number == number)
			return &schemes[i];
	return NULL;
}

struct tls_key *
tls_key_new(struct span chain_pem, struct span key_pem, struct buf *why)
{
	STACK_OF(X509) *chain = tls_chain_parse(chain_pem, why);
	EVP_PKEY *key = chain != NULL ? tls_key_parse(key_pem, why) : NULL;
	struct tls_key *k = NULL;

	if (key != NULL && X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
		tls_refuse(why, "the key does not belong to the certificate (the leaf must come first)");
	else if (key != NULL && ((k = calloc(1, sizeof *k)) == NULL || (k->context = EVP_MD_CTX_new()) == NULL ||
	                            X509_digest(sk_X509_value(chain, 0), EVP_sha256(), k->name, NULL) != 1)) {
		tls_refuse(why, "out of memory");
		tls_key_free(k);
		k = NULL;
	}
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	if (k == NULL)
		EVP_PKEY_free(key);
	else
		k->key = key;
	return k;
}

void
tls_key_free(struct tls_key *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < SCHEMES; i++) {
		EVP_PKEY_CTX_free(k->ready[i]);
		EVP_MD_free(k->digest[i]);
	}
	EVP_MD_CTX_free(k->context);
	EVP_PKEY_free(k->key);
	free(k);
}

struct span
tls_key_name(const struct tls_key *k)
{
	return (struct span){ k->name, sizeof k->name };
}

/* The context for signatures of this scheme, or NULL. */
static EVP_PKEY_CTX *
ready_of(struct tls_key *k, const struct tls_scheme *s)
{
	size_t i = (size_t)(s - schemes);
	EVP_PKEY_CTX *fresh;

	if (k->ready[i] != NULL)
		return k->ready[i];
	EVP_MD_free(k->digest[i]);
	k->digest[i] = EVP_MD_fetch(NULL, s->digest, NULL);
	fresh = EVP_PKEY_CTX_new_from_pkey(NULL, k->key, NULL);
	if (fresh != NULL && k->digest[i] != NULL && EVP_PKEY_sign_init(fresh) == 1 &&
	    (s->padding == 0 || EVP_PKEY_CTX_set_rsa_padding(fresh, s->padding) == 1) &&
	    EVP_PKEY_CTX_set_signature_md(fresh, k->digest[i]) == 1 &&
	    (s->padding != RSA_PKCS1_PSS_PADDING || EVP_PKEY_CTX_set_rsa_pss_saltlen(fresh, RSA_PSS_SALTLEN_DIGEST) == 1))
		return k->ready[i] = fresh;
	EVP_PKEY_CTX_free(fresh);
	return NULL;
}

static bool
sign_digest(struct tls_key *k, const struct tls_scheme *s, struct span octets, uint8_t *out, size_t *len)
{
	EVP_PKEY_CTX *ready = ready_of(k, s);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	return ready != NULL && EVP_Digest(octets.p, octets.len, digest, &n, k->digest[s - schemes], NULL) == 1 &&
	    EVP_PKEY_sign(ready, out, len, digest, n) == 1;
}

/* Ed25519 and Ed448 want the octets themselves (RFC 8032 5.1.6). */
static bool
sign_octets(struct tls_key *k, struct span octets, uint8_t *out, size_t *len)
{
	return EVP_MD_CTX_reset(k->context) == 1 && EVP_DigestSignInit_ex(k->context, NULL, NULL, NULL, NULL, k->key, NULL) == 1 &&
	    EVP_DigestSign(k->context, out, len, octets.p, octets.len) == 1;
}

bool
tls_key_sign(struct tls_key *k, uint32_t scheme, struct span to_be_signed, struct buf *signature)
{
	const struct tls_scheme *s = scheme_of(scheme);
	uint8_t *out = signature->p + signature->len;
	size_t len = buf_room(signature);
	bool good;

	if (s == NULL || EVP_PKEY_is_a(k->key, s->type) != 1 || (size_t)EVP_PKEY_get_size(k->key) > len)
		return false;
	good = s->digest[0] != '\0' ? sign_digest(k, s, to_be_signed, out, &len) : sign_octets(k, to_be_signed, out, &len);
	if (good)
		signature->len += len;
	ERR_clear_error();
	return good;
}

#include "tls/dkim_key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/secret.h"
#include "tls/private.h"

struct dkim_key {
	enum dkim_algorithm algorithm;
	EVP_PKEY *key;
	EVP_PKEY_CTX *rsa;              /* ready to sign */
	EVP_MD_CTX *ed25519, *copy;     /* the same: copied for each signature, since to begin anew costs a tenth of it */
};

/* ---- from text to key ---- */

static bool
fits(EVP_PKEY *key, enum dkim_algorithm algorithm, struct buf *why)
{
	int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_is_a(key, algorithm == DKIM_RSA_SHA256 ? "RSA" : "ED25519") != 1)
		return tls_refuse(why, algorithm == DKIM_RSA_SHA256 ? "is no RSA key" : "is no Ed25519 key");
	if (algorithm == DKIM_RSA_SHA256 && (bits < DKIM_RSA_BITS_LEAST || bits > DKIM_RSA_BITS_MOST))
		return tls_refuse(why, "is an RSA key that verifiers need not take: 2048 to 4096 bits are right (RFC 8301 3.2)");
	return true;
}

static bool
make_ready(struct dkim_key *k)
{
	if (k->algorithm == DKIM_ED25519_SHA256)
		return (k->copy = EVP_MD_CTX_new()) != NULL && (k->ed25519 = EVP_MD_CTX_new()) != NULL &&
		    EVP_DigestSignInit_ex(k->ed25519, NULL, NULL, NULL, NULL, k->key, NULL) == 1;
	k->rsa = EVP_PKEY_CTX_new_from_pkey(NULL, k->key, NULL);
	return k->rsa != NULL && EVP_PKEY_sign_init(k->rsa) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(k->rsa, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(k->rsa, EVP_sha256()) == 1;
}

struct dkim_key *
dkim_key_new(struct span pem, enum dkim_algorithm algorithm, struct buf *why)
{
	EVP_PKEY *key = tls_key_parse(pem, why);
	struct dkim_key *k = NULL;

	if (key != NULL && fits(key, algorithm, why)) {
		k = calloc(1, sizeof *k);
		if (k == NULL)
			tls_refuse(why, "out of memory");
	}
	if (k == NULL) {
		EVP_PKEY_free(key);
		ERR_clear_error();
		return NULL;
	}
	k->algorithm = algorithm;
	k->key = key;
	if (make_ready(k))
		return k;
	tls_refuse(why, "OpenSSL cannot sign with it");
	dkim_key_free(k);
	ERR_clear_error();
	return NULL;
}

void
dkim_key_free(struct dkim_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_CTX_free(k->rsa);
	EVP_MD_CTX_free(k->ed25519);
	EVP_MD_CTX_free(k->copy);
	EVP_PKEY_free(k->key);
	free(k);
}

unsigned
dkim_key_rsa_bits(const struct dkim_key *k)
{
	return k->algorithm == DKIM_RSA_SHA256 ? (unsigned)EVP_PKEY_get_bits(k->key) : 0;
}

/* ---- signing ---- */

bool
dkim_key_sign(struct dkim_key *k, struct span digest, struct buf *signature)
{
	uint8_t *out = signature->p + signature->len;
	size_t len = buf_room(signature);
	bool good;

	if (digest.len != DKIM_DIGEST || (size_t)EVP_PKEY_get_size(k->key) > len)
		return false;
	if (k->algorithm == DKIM_RSA_SHA256)
		good = EVP_PKEY_sign(k->rsa, out, &len, digest.p, digest.len) == 1;
	else
		good = EVP_MD_CTX_copy_ex(k->copy, k->ed25519) == 1 && EVP_DigestSign(k->copy, out, &len, digest.p, digest.len) == 1;
	if (good)
		signature->len += len;
	ERR_clear_error();
	return good;
}

/* ---- what is published ---- */

static bool
put_rsa(const struct dkim_key *k, struct buf *out)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(k->key, &der);
	bool good = len > 0 && base64_format((struct span){ der, (size_t)len }, out);

	OPENSSL_free(der);
	return good;
}

static bool
put_ed25519(const struct dkim_key *k, struct buf *out)
{
	uint8_t octets[32];
	size_t len = sizeof octets;

	return EVP_PKEY_get_raw_public_key(k->key, octets, &len) == 1 && base64_format((struct span){ octets, len }, out);
}

bool
dkim_key_record(const struct dkim_key *k, struct buf *out)
{
	size_t before = out->len;
	bool rsa = k->algorithm == DKIM_RSA_SHA256;

	if (buf_put_text(out, rsa ? "v=DKIM1; k=rsa; p=" : "v=DKIM1; k=ed25519; p=") && (rsa ? put_rsa(k, out) : put_ed25519(k, out)))
		return true;
	out->len = before;
	return false;
}

/* ---- making one ---- */

static bool
put_pem(EVP_PKEY *key, struct buf *pem)
{
	BIO *text = BIO_new(BIO_s_secmem());
	char *p = NULL;
	long len = 0;
	bool good = false;

	if (text != NULL && PEM_write_bio_PKCS8PrivateKey(text, key, NULL, NULL, 0, NULL, NULL) == 1) {
		len = BIO_get_mem_data(text, &p);
		good = len > 0 && buf_put(pem, (struct span){ (uint8_t *)p, (size_t)len });
	}
	if (p != NULL && len > 0)
		wipe(p, (size_t)len);
	BIO_free(text);
	return good;
}

bool
dkim_key_make(enum dkim_algorithm algorithm, struct buf *pem, struct buf *why)
{
	EVP_PKEY *key = algorithm == DKIM_RSA_SHA256 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)DKIM_RSA_BITS)
	                                             : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	bool good = key != NULL && put_pem(key, pem);

	EVP_PKEY_free(key);
	ERR_clear_error();
	return good || tls_refuse(why, "OpenSSL cannot make a key");
}

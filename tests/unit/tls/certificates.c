#include "certificates.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static char *
text_of(BIO *bio)
{
	char *p, *copy;
	long len = BIO_get_mem_data(bio, &p);

	copy = calloc(1, (size_t)len + 1);
	assert(copy != NULL);
	memcpy(copy, p, (size_t)len);
	BIO_free(bio);
	return copy;
}

static void
extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert(e != NULL);
	X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
}

struct identity
identity_make(const char *cn, const char *alt, int rsa_bits, const struct identity *by, long from_days, long to_days)
{
	static long serial = 1;
	struct identity id = { .key = NULL };
	X509_NAME *name;
	BIO *bio;

	id.key = rsa_bits > 0 ? EVP_RSA_gen((unsigned)rsa_bits) :
	    rsa_bits == IDENTITY_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") :
	    EVP_EC_gen(rsa_bits == IDENTITY_P384 ? "P-384" : "P-256");
	id.cert = X509_new();
	X509_set_version(id.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id.cert), from_days * 86400);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), to_days * 86400);
	X509_set_pubkey(id.cert, id.key);
	name = X509_get_subject_name(id.cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(id.cert, by != NULL ? X509_get_subject_name(by->cert) : name);
	extend(id.cert, by != NULL ? by->cert : id.cert, NID_basic_constraints, alt == NULL ? "critical,CA:TRUE" : "CA:FALSE");
	if (alt != NULL)
		extend(id.cert, by != NULL ? by->cert : id.cert, NID_subject_alt_name, alt);
	X509_sign(id.cert, by != NULL ? by->key : id.key, EVP_sha256());
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, id.cert);
	id.chain_pem = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, id.key, NULL, NULL, 0, NULL, NULL);
	id.key_pem = text_of(bio);
	return id;
}

void
identity_free(struct identity *id)
{
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
	free(id->chain_pem);
	free(id->key_pem);
}

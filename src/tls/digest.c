#include "tls/digest.h"

#include <stdlib.h>

#include <openssl/evp.h>

struct digest {
	EVP_MD_CTX *context;
	bool broken;
};

/* Looked up once: OpenSSL takes longer to find it than to digest a line. */
static const EVP_MD *
sha256(void)
{
	static EVP_MD *found;

	if (found == NULL)
		found = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	return found;
}

struct digest *
digest_new(void)
{
	struct digest *d = calloc(1, sizeof *d);

	if (d != NULL && sha256() != NULL && (d->context = EVP_MD_CTX_new()) != NULL &&
	    EVP_DigestInit_ex2(d->context, sha256(), NULL) == 1)
		return d;
	digest_free(d);
	return NULL;
}

struct digest *
digest_copy(const struct digest *from)
{
	struct digest *d = calloc(1, sizeof *d);

	if (d != NULL && !from->broken && (d->context = EVP_MD_CTX_new()) != NULL &&
	    EVP_MD_CTX_copy_ex(d->context, from->context) == 1)
		return d;
	digest_free(d);
	return NULL;
}

void
digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->context);
	free(d);
}

void
digest_put(struct digest *d, struct span octets)
{
	if (EVP_DigestUpdate(d->context, octets.p, octets.len) != 1)
		d->broken = true;
}

bool
digest_end(struct digest *d, uint8_t out[DIGEST_OCTETS])
{
	bool good = !d->broken && EVP_DigestFinal_ex(d->context, out, NULL) == 1;

	d->broken = EVP_DigestInit_ex2(d->context, NULL, NULL) != 1;
	return good;
}

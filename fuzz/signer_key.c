#include "signer_key.h"

#include <openssl/evp.h>

#include "certificates.h"

static struct identity made;

void
signer_key_make(struct span *chain, struct span *key)
{
	made = identity_make("mail", "DNS:mail.example.org", 0, NULL, -1, 10);
	*chain = span_of(made.chain_pem);
	*key = span_of(made.key_pem);
}

bool
signer_key_verifies(struct span octets, struct span signature)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good = EVP_DigestVerifyInit_ex(c, NULL, "SHA256", NULL, NULL, made.key, NULL) == 1 &&
	    EVP_DigestVerify(c, signature.p, signature.len, octets.p, octets.len) == 1;

	EVP_MD_CTX_free(c);
	return good;
}

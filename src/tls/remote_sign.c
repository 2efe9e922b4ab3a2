#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "policy/sign_form.h"
#include "tls/remote_private.h"

/* One signature being made: what libssl sets before it gives the octets. */
struct remote_signature {
	const struct remote_key *key;   /* held by OpenSSL's context as long as we live */
	char digest[16];                /* "SHA2-256", "" for none */
	int padding;
};

static void *
signature_new(void *provider, const char *properties)
{
	(void)provider, (void)properties;
	return calloc(1, sizeof(struct remote_signature));
}

static void
signature_free(void *context)
{
	free(context);
}

/* The names that one digest goes by. */
static const char *
digest_name(const char *name)
{
	static const struct { const char *alias, *name; } digests[] = {
		{ "SHA2-256", "SHA2-256" }, { "SHA256", "SHA2-256" }, { "SHA2-384", "SHA2-384" }, { "SHA384", "SHA2-384" },
		{ "SHA2-512", "SHA2-512" }, { "SHA512", "SHA2-512" }, { "", "" },
	};

	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
		if (strcmp(digests[i].alias, name) == 0)
			return digests[i].name;
	return NULL;
}

/* libssl says it in either way. */
static bool
param_is(const OSSL_PARAM *p, int number, const char *word)
{
	int value;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return p->data != NULL && strlen(word) == p->data_size && memcmp(p->data, word, p->data_size) == 0;
	return OSSL_PARAM_get_int(p, &value) == 1 && value == number;
}

static int
signature_set(void *context, const OSSL_PARAM *params)
{
	struct remote_signature *s = context;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);

	if (p != NULL && param_is(p, RSA_PKCS1_PSS_PADDING, OSSL_PKEY_RSA_PAD_MODE_PSS))
		s->padding = RSA_PKCS1_PSS_PADDING;
	else if (p != NULL && !param_is(p, s->padding, OSSL_PKEY_RSA_PAD_MODE_PKCSV15))
		return 0;
	/* TLS knows one salt only: as long as the digest (RFC 8446 4.2.3). */
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	return p == NULL || param_is(p, RSA_PSS_SALTLEN_DIGEST, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST);
}

static const OSSL_PARAM *
signature_settable(void *context, void *provider)
{
	static const OSSL_PARAM settable[] = {
		OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)context, (void)provider;
	return settable;
}

static int
signature_begin(void *context, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct remote_signature *s = context;
	const struct remote_key *k = key;
	const char *name = digest_name(digest != NULL ? digest : "");

	if (k == NULL || name == NULL)
		return 0;
	s->key = k;
	s->padding = strcmp(k->type, "RSA") == 0 ? RSA_PKCS1_PADDING : strcmp(k->type, "RSA-PSS") == 0 ? RSA_PKCS1_PSS_PADDING : 0;
	memcpy(s->digest, name, strlen(name) + 1);
	return params == NULL || signature_set(s, params);
}

/* The whole question at once: libssl has all octets in hand, and the other side wants to see them, not their digest. */
static int
signature_make(void *context, unsigned char *out, size_t *len, size_t max, const unsigned char *octets, size_t count)
{
	const struct remote_signature *s = context;
	int size = s->key != NULL ? EVP_PKEY_get_size(s->key->public) : 0;
	struct tls_sign_question question;
	struct buf signature;

	if (size <= 0)
		return 0;
	if (out == NULL) {
		*len = (size_t)size;
		return 1;
	}
	signature = (struct buf){ out, 0, max < (size_t)size ? max : (size_t)size };
	question.key = (struct span){ s->key->name, sizeof s->key->name };
	question.scheme = tls_scheme_find(s->key->type, s->digest, s->padding);
	question.to_be_signed = (struct span){ octets, count };
	if (question.scheme == 0 || count > SIGN_OCTETS_MAX || !s->key->signer->sign(s->key->signer->arg, &question, &signature))
		return 0;
	*len = signature.len;
	return 1;
}

#define ENTRY(number, function) { (number), (void (*)(void))(function) }

const OSSL_DISPATCH remote_signature_functions[] = {
	ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new),
	ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signature_begin),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signature_make),
	ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signature_set),
	ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable),
	{ 0, NULL },
};

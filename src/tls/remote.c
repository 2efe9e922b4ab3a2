#include "tls/remote.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "tls/remote_private.h"

/* How a key object comes in: by pointer, through the one door that OpenSSL has for it. */
#define PARAM_KEY "postern-remote-key"

/* ---- key objects ---- */

static void *
key_new(void *provider)
{
	(void)provider;
	return calloc(1, sizeof(struct remote_key));
}

static void
key_free(void *key)
{
	struct remote_key *k = key;

	EVP_PKEY_free(k->public);
	free(k);
}

static int
key_import(void *key, int selection, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, PARAM_KEY);
	const void *from;
	size_t len;

	(void)selection;
	if (p == NULL || OSSL_PARAM_get_octet_ptr(p, &from, &len) != 1 || len != sizeof(struct remote_key))
		return 0;
	memcpy(key, from, len);
	return EVP_PKEY_up_ref(((struct remote_key *)key)->public);
}

static const OSSL_PARAM *
key_import_types(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_octet_ptr(PARAM_KEY, NULL, 0), OSSL_PARAM_END };

	(void)selection;
	return types;
}

/* All that there is: the public half. OpenSSL compares it with the certificate's. */
static int
key_export(void *key, int selection, OSSL_CALLBACK *take, void *arg)
{
	const struct remote_key *k = key;

	(void)selection;
	return k->public != NULL && EVP_PKEY_export(k->public, EVP_PKEY_PUBLIC_KEY, take, arg);
}

static const OSSL_PARAM *
key_export_types(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0), OSSL_PARAM_END };

	(void)selection;
	return types;
}

static int
key_has(const void *key, int selection)
{
	(void)selection;
	return ((const struct remote_key *)key)->public != NULL;
}

static int
key_get(void *key, OSSL_PARAM params[])
{
	const struct remote_key *k = key;

	return k->public != NULL && EVP_PKEY_get_params(k->public, params);
}

static const OSSL_PARAM *
key_gettable(void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return gettable;
}

/* A name that nobody else has: the default provider must never be tried with a key whose half it lacks. */
#define SIGNATURE_NAME "POSTERN-REMOTE"

static const char *
key_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? SIGNATURE_NAME : NULL;
}

/* ---- tables ---- */

#define ENTRY(number, function) { (number), (void (*)(void))(function) }
#define PROPERTIES "provider=postern"

static const OSSL_DISPATCH key_functions[] = {
	ENTRY(OSSL_FUNC_KEYMGMT_NEW, key_new),
	ENTRY(OSSL_FUNC_KEYMGMT_FREE, key_free),
	ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, key_import),
	ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),
	ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, key_export),
	ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types),
	ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has),
	ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get),
	ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),
	ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation),
	{ 0, NULL },
};

static const OSSL_ALGORITHM keys[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES, key_functions, "RSA, kept by another process" },
	{ "RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10", PROPERTIES, key_functions, "RSA-PSS, kept by another process" },
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTIES, key_functions, "EC, kept by another process" },
	{ "ED25519:1.3.101.112", PROPERTIES, key_functions, "Ed25519, kept by another process" },
	{ "ED448:1.3.101.113", PROPERTIES, key_functions, "Ed448, kept by another process" },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM signatures[] = {
	{ SIGNATURE_NAME, PROPERTIES, remote_signature_functions, "a signature asked of another process" },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *
query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH functions[] = { ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), { 0, NULL } };
	static int nothing;

	(void)handle, (void)core;
	*out = functions;
	*context = &nothing;
	return 1;
}

/* ---- the library context, made once for the process ---- */

static OSSL_LIB_CTX *library;

OSSL_LIB_CTX *
tls_remote_library(void)
{
	OSSL_LIB_CTX *fresh;

	if (library != NULL)
		return library;
	fresh = OSSL_LIB_CTX_new();
	if (fresh != NULL && OSSL_PROVIDER_load(fresh, "default") != NULL &&
	    OSSL_PROVIDER_add_builtin(fresh, "postern", provider_init) == 1 && OSSL_PROVIDER_load(fresh, "postern") != NULL)
		return library = fresh;
	OSSL_LIB_CTX_free(fresh);
	return NULL;
}

static const char *
type_of(const EVP_PKEY *key)
{
	static const char *const types[] = { "EC", "RSA", "ED25519", "RSA-PSS", "ED448" };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (EVP_PKEY_is_a(key, types[i]) == 1)
			return types[i];
	return NULL;
}

EVP_PKEY *
tls_remote_key(X509 *leaf, const struct tls_signer *signer)
{
	struct remote_key k = { .public = X509_get0_pubkey(leaf), .signer = signer };
	struct remote_key *at = &k;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_ptr(PARAM_KEY, (void **)&at, sizeof k),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *context = NULL;
	EVP_PKEY *key = NULL;

	k.type = k.public != NULL ? type_of(k.public) : NULL;
	if (k.type != NULL && tls_remote_library() != NULL && X509_digest(leaf, EVP_sha256(), k.name, NULL) == 1)
		context = EVP_PKEY_CTX_new_from_name(library, k.type, PROPERTIES);
	if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

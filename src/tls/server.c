#include "tls/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/secret.h"
#include "tls/private.h"

enum { TLS_IDENTITIES_MAX = 32, TICKET_NAME = 16, TICKET_CIPHER = 32, TICKET_MAC = 32 };

struct ticket_key {
	uint8_t name[TICKET_NAME];
	uint8_t cipher[TICKET_CIPHER];
	uint8_t mac[TICKET_MAC];
};

static_assert(2 * sizeof(struct ticket_key) == TLS_TICKET_KEYS, "the layout of the master's key material");

/* Certificates that share their names (RSA beside ECDSA) live in one context; OpenSSL picks by the client's algorithms. */
struct tls_server {
	SSL_CTX *context[TLS_IDENTITIES_MAX];
	X509 *leaf[TLS_IDENTITIES_MAX];         /* whose names lead to the context; a context owns it */
	size_t contexts;
	size_t refs;
	EVP_CIPHER *cipher;
	EVP_MAC *mac;
	struct ticket_key key[2];               /* current, previous */
};

struct tls_server *
tls_server_new(void)
{
	struct tls_server *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->refs = 1;
	s->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	s->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	/* Until the master gives keys all fronts share, tickets work with our own; the previous key is nobody's. */
	if (s->cipher == NULL || s->mac == NULL || RAND_bytes((uint8_t *)s->key, sizeof s->key) != 1) {
		tls_server_free(s);
		return NULL;
	}
	return s;
}

void
tls_server_free(struct tls_server *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	for (size_t i = 0; i < s->contexts; i++)
		SSL_CTX_free(s->context[i]);
	EVP_CIPHER_free(s->cipher);
	EVP_MAC_free(s->mac);
	wipe(s->key, sizeof s->key);
	free(s);
}

void
tls_server_ticket_keys(struct tls_server *s, const uint8_t keys[TLS_TICKET_KEYS])
{
	memcpy(s->key, keys, TLS_TICKET_KEYS);
}

static bool
ticket_key_load(const struct tls_server *s, const struct ticket_key *k, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int encrypt)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, sizeof k->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex2(cipher, s->cipher, k->cipher, iv, encrypt, NULL) == 1 && EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL's contract: -1 error, 0 no such key (full handshake), 1 fine, 2 fine and make a new ticket. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	const struct tls_server *s = tls_session_of(ssl)->server;
	size_t which = 0;

	if (encrypt) {
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(s->cipher)) != 1)
			return -1;
		memcpy(name, s->key[0].name, TICKET_NAME);
	} else {
		while (which < 2 && !span_eq((struct span){ name, TICKET_NAME }, (struct span){ s->key[which].name, TICKET_NAME }))
			which++;
		if (which == 2)
			return 0;
	}
	if (!ticket_key_load(s, &s->key[which], iv, cipher, mac, encrypt))
		return -1;
	/* In TLS 1.3 a ticket is for one use, so that resumed sessions cannot be linked: always give a fresh one. */
	return encrypt || (which == 0 && SSL_version(ssl) != TLS1_3_VERSION) ? 1 : 2;
}

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_server *s = tls_session_of(ssl)->server;

	(void)alert, (void)arg;
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 0; s->contexts > 1 && i < s->contexts; i++)
		if (X509_check_host(s->leaf[i], name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
		    NULL) == 1) {
			if (i > 0)
				SSL_set_SSL_CTX(ssl, s->context[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	/* A name we do not know gets the first certificate: the client's own check then says in clear words what is wrong. */
	return s->contexts > 1 ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

/* SMTP has no ALPN identifier: a client that insists on other protocols is led here by an attacker (tls-8, ALPACA). */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
	(void)ssl, (void)out, (void)out_len, (void)in, (void)in_len, (void)arg;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Remember the highest version offered, for the words when it is too low. */
static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_session *t = tls_session_of(ssl);
	const unsigned char *list;
	size_t len;

	(void)alert, (void)arg;
	t->offered = (uint16_t)SSL_client_hello_get0_legacy_version(ssl);
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &list, &len) == 1)
		for (size_t i = 1; i + 1 < len; i += 2)
			if (list[i] == 3 && list[i + 1] <= 4 && (list[i] << 8 | list[i + 1]) > t->offered)
				t->offered = (uint16_t)(list[i] << 8 | list[i + 1]);
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* What 2_signer signs, in the order that OpenSSL has by itself: no SHA-1, no SHA-224, no DSA. */
#define SIGNATURES "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:rsa_pss_pss_sha256:rsa_pss_pss_sha384:" \
	"rsa_pss_pss_sha512:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512"

/* library: NULL for OpenSSL's own. Where both providers have an algorithm, ours is never meant. */
static SSL_CTX *
context_new(OSSL_LIB_CTX *library)
{
	static const uint8_t id[] = "postern";
	SSL_CTX *ctx = SSL_CTX_new_ex(library, library != NULL ? "?provider=default" : NULL, TLS_server_method());

	if (ctx == NULL)
		return NULL;
	if (!tls_context_setup(ctx) || !tls_context_groups(ctx, false) ||
	    SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) != 1 ||
	    SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) != 1 || SSL_CTX_set_num_tickets(ctx, 1) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
	    SSL_OP_CLEANSE_PLAINTEXT);          /* passwords pass through the record buffer */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);         /* 8314-21 */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_SECONDS);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	return ctx;
}

/* A pass phrase cannot be asked for by a server: give up instead of waiting at a terminal. */
static int
no_pass_phrase(char *buf, int size, int writing, void *asked)
{
	(void)buf, (void)size, (void)writing;
	*(bool *)asked = true;
	return -1;
}

EVP_PKEY *
tls_key_parse(struct span pem, struct buf *why)
{
	BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
	bool asked = false;
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, &asked) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	if (key == NULL)
		tls_refuse(why, asked ? "the key is locked by a pass phrase; store it without one, mode 0600" :
		    "there is no private key in it (PEM, \"BEGIN PRIVATE KEY\", is wanted)");
	return key;
}

/* tls-13: RSA from 2048 bits, curves from 224, no SHA-1. */
static bool
strong(X509 *leaf, EVP_PKEY *key, struct buf *why)
{
	int digest, security_bits;
	uint32_t flags;

	if (EVP_PKEY_get_security_bits(key) < 112) {
		tls_refuse(why, "the key is too weak: ");
		buf_put_text(why, EVP_PKEY_is_a(key, "RSA") == 1 ? "RSA of " : "a key of ");
		buf_put_u64(why, (uint64_t)EVP_PKEY_get_bits(key));
		buf_put_text(why, " bits; RSA needs 2048 or more, ECDSA 256");
		buf_terminate(why);
		return false;
	}
	if (X509_get_signature_info(leaf, &digest, NULL, &security_bits, &flags) == 1 && security_bits < 80 &&
	    X509_self_signed(leaf, 0) != 1)
		return tls_refuse(why, "the certificate is signed with SHA-1 or older, which clients refuse");
	return true;
}

/* The context that already serves just these names with another kind of key, or NULL. */
static SSL_CTX *
sibling(const struct tls_server *s, X509 *leaf)
{
	for (size_t i = 0; i < s->contexts; i++)
		if (tls_leaves_side_by_side(s->leaf[i], leaf))
			return s->context[i];
	return NULL;
}

static bool
identity_add(struct tls_server *s, STACK_OF(X509) *chain, EVP_PKEY *key, OSSL_LIB_CTX *library, struct buf *why)
{
	X509 *leaf = sk_X509_value(chain, 0);
	SSL_CTX *ctx = sibling(s, leaf);
	bool fresh = ctx == NULL;
	STACK_OF(X509) *rest;

	if (fresh && s->contexts == TLS_IDENTITIES_MAX)
		return tls_refuse(why, "too many certificates");
	if (fresh && (ctx = context_new(library)) == NULL)
		return tls_refuse(why, "OpenSSL cannot be set up as wanted");
	rest = sk_X509_dup(chain);
	if (rest != NULL)
		sk_X509_shift(rest);
	if (rest == NULL || SSL_CTX_use_cert_and_key(ctx, leaf, key, rest, 1) != 1) {
		sk_X509_free(rest);
		if (fresh)
			SSL_CTX_free(ctx);
		tls_refuse(why, "OpenSSL refuses it: ");
		buf_put_text(why, ERR_reason_error_string(ERR_peek_error()));
		buf_terminate(why);
		ERR_clear_error();
		return false;
	}
	sk_X509_free(rest);
	if (fresh) {
		s->leaf[s->contexts] = SSL_CTX_get0_certificate(ctx);
		s->context[s->contexts++] = ctx;
	}
	return true;
}

bool
tls_server_add(struct tls_server *s, struct span chain_pem, struct span key_pem, struct buf *why)
{
	STACK_OF(X509) *chain = tls_chain_parse(chain_pem, why);
	EVP_PKEY *key = chain != NULL ? tls_key_parse(key_pem, why) : NULL;
	bool good = false;

	if (key != NULL && X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
		tls_refuse(why, "the key does not belong to the certificate (the leaf must come first)");
	else if (key != NULL)
		good = tls_certificate_in_force(sk_X509_value(chain, 0), why) && strong(sk_X509_value(chain, 0), key, why) &&
		    identity_add(s, chain, key, NULL, why);
	ERR_clear_error();
	EVP_PKEY_free(key);
	sk_X509_pop_free(chain, X509_free);
	return good;
}

bool
tls_server_add_remote(struct tls_server *s, struct span chain_pem, const struct tls_signer *signer, struct buf *why)
{
	STACK_OF(X509) *chain = tls_chain_parse(chain_pem, why);
	X509 *leaf = chain != NULL ? sk_X509_value(chain, 0) : NULL;
	EVP_PKEY *key = leaf != NULL ? tls_remote_key(leaf, signer) : NULL;
	bool good = false;

	if (leaf != NULL && key == NULL)
		tls_refuse(why, "OpenSSL cannot use such a key from afar");
	else if (key != NULL)
		good = tls_certificate_in_force(leaf, why) && strong(leaf, key, why) &&
		    identity_add(s, chain, key, tls_remote_library(), why);
	ERR_clear_error();
	EVP_PKEY_free(key);
	sk_X509_pop_free(chain, X509_free);
	return good;
}

struct tls_session *
tls_accept(struct tls_server *s, int fd)
{
	struct tls_session *t = s->contexts > 0 ? tls_session_new(s->context[0], fd, "") : NULL;

	if (t == NULL)
		return NULL;
	t->server = s;
	s->refs++;
	SSL_set_accept_state(t->ssl);
	tls_hello_watch(t);
	return t;
}

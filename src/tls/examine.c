#include "tls/examine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "os/address.h"
#include "tls/examine_leaf.h"
#include "tls/private.h"

enum { CHAIN_DEPTH = 10, CLIENTS_LEVEL = 2 /* of OpenSSL: 112 bits, as its clients of today want them */ };

struct tls_examiner {
	SSL_CTX *context;
};

/* The leaf's name and strength are looked at by themselves, so that they do not hide a wrong chain. */
static bool
is_leafs_own(int error, int depth)
{
	return error == X509_V_ERR_EE_KEY_TOO_SMALL || (error == X509_V_ERR_CA_MD_TOO_WEAK && depth == 0);
}

/* The first thing that is wrong, and on. */
static int
on_verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_session *t = tls_session_of(ssl);
	int error = X509_STORE_CTX_get_error(store), depth = X509_STORE_CTX_get_error_depth(store);

	if (!good && t->verify_error == X509_V_OK && !is_leafs_own(error, depth)) {
		t->verify_error = error;
		t->verify_depth = depth;
	}
	return 1;
}

/* Handshakes come about with anything; the chain is to be as strong as clients demand it (RFC 9325 4.5, RFC 9155). */
static int
on_chain(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(store), CLIENTS_LEVEL);
	return X509_verify_cert(store);
}

/* The server asks for a certificate, and gets none. */
static int
on_asked(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
	(void)certificate, (void)key;
	tls_session_of(ssl)->asked = true;
	return 0;
}

static bool
setup(SSL_CTX *ctx, const char *ca_file)
{
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH);
	SSL_CTX_set_read_ahead(ctx, 0);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_cert_verify_callback(ctx, on_chain, NULL);
	SSL_CTX_set_client_cert_cb(ctx, on_asked);
	(void)SSL_CTX_set_max_cert_list(ctx, 64 * 1024);
	if (ca_file != NULL)
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) == 1 && SSL_CTX_set_cipher_list(ctx, "ALL:COMPLEMENTOFALL") == 1
	    && SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp) == 1
	    && (ca_file == NULL ? SSL_CTX_set_default_verify_paths(ctx) : SSL_CTX_load_verify_file(ctx, ca_file)) == 1;
}

struct tls_examiner *
tls_examiner_new(const char *ca_file, struct buf *why)
{
	struct tls_examiner *x = calloc(1, sizeof *x);

	if (x != NULL)
		x->context = SSL_CTX_new(TLS_client_method());
	if (x == NULL || x->context == NULL || !setup(x->context, ca_file)) {
		(void)(buf_put_text(why, "no trusted CA could be read from ")
		    && buf_put_text(why, ca_file != NULL ? ca_file : "the system's store"));
		tls_examiner_free(x);
		x = NULL;
	}
	ERR_clear_error();
	return x;
}

void
tls_examiner_free(struct tls_examiner *x)
{
	if (x == NULL)
		return;
	SSL_CTX_free(x->context);
	free(x);
}

struct tls_session *
tls_examine(struct tls_examiner *x, int fd, const char *name)
{
	struct tls_session *t = strlen(name) <= TLS_NAME_MAX ? tls_session_new(x->context, fd, name) : NULL;

	if (t == NULL)
		return NULL;
	t->opportunistic = true;
	if (!address_is_numeric(name))
		(void)SSL_set_tlsext_host_name(t->ssl, name);
	SSL_set_connect_state(t->ssl);
	return t;
}

void
tls_examine_old(struct tls_session *t)
{
	(void)SSL_set_max_proto_version(t->ssl, TLS1_2_VERSION);
}

void
tls_examine_prime(struct tls_session *t)
{
	tls_examine_old(t);
	(void)SSL_set_cipher_list(t->ssl, "kDHE:ADH");
}

unsigned
tls_examined_prime(const struct tls_session *t)
{
	EVP_PKEY *key = NULL;
	int bits = 0;

	if (SSL_get_peer_tmp_key(t->ssl, &key) == 1 && EVP_PKEY_get_base_id(key) == EVP_PKEY_DH)
		bits = EVP_PKEY_get_bits(key);
	EVP_PKEY_free(key);
	return bits > 0 ? (unsigned)bits : 0;
}

bool
tls_examine_again(struct tls_session *t)
{
	return SSL_version(t->ssl) < TLS1_3_VERSION && SSL_renegotiate(t->ssl) == 1;
}

/* ---- facts ---- */

static struct span
staple_of(const struct tls_session *t)
{
	const unsigned char *der = NULL;
	long len = SSL_get_tlsext_status_ocsp_resp(t->ssl, &der);

	return (struct span){ der, len > 0 ? (size_t)len : 0 };
}

/* Each is to be followed by the one that signed it, and who trusts the root has it (RFC 5246 7.4.2). */
static void
tell_chain(const struct tls_teller *w, const struct tls_session *t)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);
	int count = sk_X509_num(chain);
	bool ordered = true, root = false;
	char text[64];

	for (int i = 1; i < count; i++) {
		ordered = ordered && X509_check_issued(sk_X509_value(chain, i), sk_X509_value(chain, i - 1)) == X509_V_OK;
		root = root || X509_self_signed(sk_X509_value(chain, i), 0) == 1;
	}
	(void)snprintf(text, sizeof text, "%d %s %s", count, ordered ? "ordered" : "unordered", root ? "root" : "no-root");
	tls_tell(w, "cert-chain", span_of(text));
}

void
tls_examined(const struct tls_session *t, void (*say)(void *arg, const char *key, struct span value), void *arg)
{
	struct tls_teller w = { say, arg };
	struct tls_facts facts;
	X509 *leaf = SSL_get0_peer_certificate(t->ssl);
	SSL_SESSION *session = SSL_get0_session(t->ssl);
	char text[200];

	tls_facts(t, &facts);
	(void)snprintf(text, sizeof text, "%s %s %s", facts.version, facts.cipher, facts.group);
	tls_tell(&w, "tls", span_of(text));
	tls_tell_yes(&w, "tls-asks-certificate", t->asked);
	if (session != NULL && SSL_SESSION_has_ticket(session)) {
		(void)snprintf(text, sizeof text, "%lu", SSL_SESSION_get_ticket_lifetime_hint(session));
		tls_tell(&w, "tls-ticket", span_of(text));
	}
	if (leaf == NULL)
		return;
	tls_leaf_tell(&w, leaf, t->name, t->verify_error, t->verify_depth, staple_of(t));
	tell_chain(&w, t);
}

bool
tls_examined_trusted(const struct tls_session *t)
{
	X509 *leaf = SSL_get0_peer_certificate(t->ssl);

	return leaf != NULL && t->verify_error == X509_V_OK && tls_leaf_covers(leaf, t->name);
}

bool
tls_examined_covers(const struct tls_session *t, const char *name)
{
	X509 *leaf = SSL_get0_peer_certificate(t->ssl);

	return leaf != NULL && tls_leaf_covers(leaf, name);
}

bool
tls_examined_fingerprint(const struct tls_session *t, uint8_t leaf[TLS_FINGERPRINT])
{
	X509 *cert = SSL_get0_peer_certificate(t->ssl);
	unsigned n = 0;

	return cert != NULL && X509_digest(cert, EVP_sha256(), leaf, &n) == 1 && n == TLS_FINGERPRINT;
}

/* What a record of this selector and matching type would hold for this certificate. */
static bool
fits(X509 *cert, unsigned selector, unsigned matching, struct span data)
{
	unsigned char *octets = NULL;
	int len = selector == 0 ? i2d_X509(cert, &octets) : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &octets);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	bool same = false;

	if (len > 0 && matching == 0)
		same = span_eq((struct span){ octets, (size_t)len }, data);
	else if (len > 0 && EVP_Digest(octets, (size_t)len, digest, &size, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL) == 1)
		same = span_eq((struct span){ digest, size }, data);
	OPENSSL_free(octets);
	return same;
}

bool
tls_examined_matches(const struct tls_session *t, unsigned usage, unsigned selector, unsigned matching, struct span data)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);
	bool leaf = usage == 1 || usage == 3;

	if (selector > 1 || matching > 2)
		return false;
	for (int i = leaf ? 0 : 1; i < sk_X509_num(chain) && i < (leaf ? 1 : CHAIN_DEPTH); i++)
		if (fits(sk_X509_value(chain, i), selector, matching, data))
			return true;
	return false;
}

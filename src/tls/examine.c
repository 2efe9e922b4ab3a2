#include "tls/examine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "os/address.h"
#include "tls/private.h"

enum { NAMES_MAX = 50, CHAIN_DEPTH = 10, FACT_MAX = 600 };

struct tls_examiner {
	SSL_CTX *context;
};

/* The first thing that is wrong, and on. */
static int
on_verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_session *t = tls_session_of(ssl);

	/* The name is looked at by itself, so that a wrong one does not hide a wrong chain. */
	if (!good && t->verify_error == X509_V_OK)
		t->verify_error = X509_STORE_CTX_get_error(store);
	return 1;
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

bool
tls_examine_again(struct tls_session *t)
{
	return SSL_version(t->ssl) < TLS1_3_VERSION && SSL_renegotiate(t->ssl) == 1;
}

/* ---- facts ---- */

struct teller {
	void (*say)(void *arg, const char *key, struct span value);
	void *arg;
};

static void
tell(const struct teller *w, const char *key, struct span value)
{
	w->say(w->arg, key, value);
}

static void
tell_yes(const struct teller *w, const char *key, bool yes)
{
	tell(w, key, yes ? SPAN("yes") : SPAN("no"));
}

static void
tell_name(const struct teller *w, const char *key, const X509_NAME *name)
{
	uint8_t octets[FACT_MAX];
	struct buf b = BUF_OVER(octets);

	tls_name_text(name, &b);
	tell(w, key, buf_span(&b));
}

/* "2026-11-22 30": the date, and the days from then to now, or from now to then. */
static void
tell_date(const struct teller *w, const char *key, const ASN1_TIME *when, bool until)
{
	char text[64];
	struct buf b = BUF_OVER(text);
	int days = 0, seconds = 0;

	tls_time_text(when, &b);
	if (ASN1_TIME_diff(&days, &seconds, until ? NULL : when, until ? when : NULL) != 1)
		return;
	if (days == 0 && seconds < 0)
		days = -1;
	b.len += (size_t)snprintf(text + b.len, sizeof text - b.len, " %d", days);
	tell(w, key, buf_span(&b));
}

static void
tell_names(const struct teller *w, X509 *leaf)
{
	char text[8192];
	struct buf b = BUF_OVER(text);
	struct span rest, name;

	tls_certificate_names(leaf, "\n", &b);
	rest = buf_span(&b);
	for (int i = 0; i < NAMES_MAX && !span_done(rest); i++) {
		name = span_take_until(&rest, '\n');
		(void)span_take_byte(&rest, '\n');
		tell(w, "cert-name", name);
	}
}

static void
tell_key(const struct teller *w, X509 *leaf)
{
	EVP_PKEY *key = X509_get0_pubkey(leaf);
	char text[80];

	if (key == NULL)
		return;
	(void)snprintf(text, sizeof text, "%s %d", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
	tell(w, "cert-key", span_of(text));
	tell(w, "cert-signature", span_of(OBJ_nid2sn(X509_get_signature_nid(leaf))));
}

static bool
covers(X509 *leaf, const char *name)
{
	unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

	return address_is_numeric(name) ? X509_check_ip_asc(leaf, name, 0) == 1 : X509_check_host(leaf, name, 0, flags, NULL) == 1;
}

static void
tell_match(const struct teller *w, X509 *leaf, const char *name)
{
	char text[TLS_NAME_MAX + 8];

	(void)snprintf(text, sizeof text, "%s %s", covers(leaf, name) ? "yes" : "no", name);
	tell(w, "cert-match", span_of(text));
}

static void
tell_trust(const struct teller *w, const struct tls_session *t)
{
	char text[200];

	if (t->verify_error == X509_V_OK) {
		tell(w, "cert-trust", SPAN("ok"));
		return;
	}
	(void)snprintf(text, sizeof text, "%d %s", t->verify_error, X509_verify_cert_error_string(t->verify_error));
	tell(w, "cert-trust", span_of(text));
}

/* What the stapled answer says of the leaf, whoever signed it: a hint to look, not a proof. */
static void
tell_staple(const struct teller *w, const struct tls_session *t)
{
	const unsigned char *der = NULL;
	long len = SSL_get_tlsext_status_ocsp_resp(t->ssl, &der);
	OCSP_RESPONSE *response = len > 0 ? d2i_OCSP_RESPONSE(NULL, &der, len) : NULL;
	OCSP_BASICRESP *basic = response != NULL ? OCSP_response_get1_basic(response) : NULL;
	OCSP_SINGLERESP *single = basic != NULL ? OCSP_resp_get0(basic, 0) : NULL;
	int status = single != NULL ? OCSP_single_get0_status(single, NULL, NULL, NULL, NULL) : V_OCSP_CERTSTATUS_UNKNOWN;

	tell(w, "ocsp", len <= 0 ? SPAN("none") : status == V_OCSP_CERTSTATUS_GOOD ? SPAN("good")
	    : status == V_OCSP_CERTSTATUS_REVOKED ? SPAN("revoked") : SPAN("unknown"));
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
}

static void
tell_certificate(const struct teller *w, const struct tls_session *t, X509 *leaf)
{
	tell_name(w, "cert-subject", X509_get_subject_name(leaf));
	tell_name(w, "cert-issuer", X509_get_issuer_name(leaf));
	tell_names(w, leaf);
	tell_date(w, "cert-from", X509_get0_notBefore(leaf), false);
	tell_date(w, "cert-until", X509_get0_notAfter(leaf), true);
	tell_key(w, leaf);
	tell_trust(w, t);
	tell_match(w, leaf, t->name);
	tell_yes(w, "cert-sct", X509_get_ext_by_NID(leaf, NID_ct_precert_scts, -1) >= 0);
	tell_yes(w, "cert-must-staple", X509_get_ext_by_NID(leaf, NID_tlsfeature, -1) >= 0);
	tell_staple(w, t);
}

void
tls_examined(const struct tls_session *t, void (*say)(void *arg, const char *key, struct span value), void *arg)
{
	struct teller w = { say, arg };
	struct tls_facts facts;
	X509 *leaf = SSL_get0_peer_certificate(t->ssl);
	SSL_SESSION *session = SSL_get0_session(t->ssl);
	char text[200];

	tls_facts(t, &facts);
	(void)snprintf(text, sizeof text, "%s %s %s", facts.version, facts.cipher, facts.group);
	tell(&w, "tls", span_of(text));
	tell_yes(&w, "tls-asks-certificate", t->asked);
	if (session != NULL && SSL_SESSION_has_ticket(session)) {
		(void)snprintf(text, sizeof text, "%lu", SSL_SESSION_get_ticket_lifetime_hint(session));
		tell(&w, "tls-ticket", span_of(text));
	}
	if (leaf != NULL)
		tell_certificate(&w, t, leaf);
}

bool
tls_examined_trusted(const struct tls_session *t)
{
	X509 *leaf = SSL_get0_peer_certificate(t->ssl);

	return leaf != NULL && t->verify_error == X509_V_OK && covers(leaf, t->name);
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

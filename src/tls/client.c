#include "tls/client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/hash.h"
#include "os/address.h"
#include "tls/private.h"

enum { TLS_REMEMBERED_MAX = 256 };

/* Relaxed for port 25 without a policy, where the alternative is cleartext (tls-15): anything that is still unbroken. */
#define SUITES_OPPORTUNISTIC TLS_SUITES_12 ":ECDHE+AES:DHE+AESGCM:DHE+AES:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:!aNULL:!PSK:!SRP"

struct remembered {
	SSL_SESSION *session;           /* NULL: the place is free */
	uint64_t hash;
	bool opportunistic;
	char name[TLS_NAME_MAX + 1];
};

struct tls_client {
	SSL_CTX *context;
	bool system;                    /* trusts whom the system's store has */
	size_t next;                    /* the place that is overwritten next: the oldest */
	struct remembered remembered[TLS_REMEMBERED_MAX];
};

static bool
remembered_is(const struct remembered *r, uint64_t hash, const char *name, bool opportunistic)
{
	/* What was not verified must never serve where verification is wanted. */
	return r->session != NULL && r->hash == hash && r->opportunistic == opportunistic &&
	    span_same(span_of(r->name), span_of(name));
}

static bool
still_good(const SSL_SESSION *session)
{
	long age = (long)time(NULL) - SSL_SESSION_get_time(session);

	return SSL_SESSION_is_resumable(session) == 1 && age >= 0 && age < SSL_SESSION_get_timeout(session);
}

/* The newest session to this name, as a reference of the caller's; a TLS 1.3 ticket is used once (RFC 8446 C.4). */
static SSL_SESSION *
session_take(struct tls_client *c, const char *name, bool opportunistic)
{
	uint64_t hash = hash_of_folded(span_of(name));

	for (size_t i = 0; i < TLS_REMEMBERED_MAX; i++) {
		struct remembered *r = &c->remembered[(c->next + TLS_REMEMBERED_MAX - 1 - i) % TLS_REMEMBERED_MAX];
		SSL_SESSION *session = r->session;

		if (!remembered_is(r, hash, name, opportunistic))
			continue;
		if (still_good(session) && SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION) {
			SSL_SESSION_up_ref(session);
			return session;
		}
		r->session = NULL;
		if (still_good(session))
			return session;
		SSL_SESSION_free(session);
	}
	return NULL;
}

/* OpenSSL made a session that can be resumed; 1: we keep the reference. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_session *t = tls_session_of(ssl);
	struct remembered *r = &t->client->remembered[t->client->next];

	/* What was authenticated by records that may have changed is authenticated anew. */
	if (t->dane || SSL_SESSION_is_resumable(session) != 1)
		return 0;
	t->client->next = (t->client->next + 1) % TLS_REMEMBERED_MAX;
	SSL_SESSION_free(r->session);
	r->session = session;
	r->hash = hash_of_folded(span_of(t->name));
	r->opportunistic = t->opportunistic;
	memcpy(r->name, t->name, strlen(t->name) + 1);
	return 1;
}

/* It may be no fault of the server's. */
static void
say_of_system(const struct tls_session *t, struct buf *words)
{
	char text[TLS_WORDS_MAX];
	struct buf why = BUF_OVER(text);

	if (!t->client->system || tls_fault_of(t->verify_error) != TLS_FAULT_UNTRUSTED || tls_system_trusts(&why))
		return;
	(void)(buf_put_text(words, "; ") && buf_put_text(words, text));
	buf_end_words(words);
}

/* Remember the first thing that is wrong, in words while the certificate is at hand. */
static int
on_verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_session *t = tls_session_of(ssl);
	char text[TLS_WORDS_MAX];
	struct buf words = BUF_OVER(text);

	if (!good && t->verify_error == X509_V_OK) {
		t->verify_error = X509_STORE_CTX_get_error(store);
		tls_verify_words(t->name, t->verify_error, X509_STORE_CTX_get_current_cert(store), &words);
		say_of_system(t, &words);
		t->words = strdup(text);
	}
	if (t->verify_error != X509_V_OK)
		X509_STORE_CTX_set_error(store, t->verify_error);
	return good || t->opportunistic;
}

static bool
trust_load(SSL_CTX *ctx, const char *ca_file, struct buf *why)
{
	if (ca_file == NULL && SSL_CTX_set_default_verify_paths(ctx) == 1)
		return true;
	if (ca_file != NULL && SSL_CTX_load_verify_file(ctx, ca_file) == 1) {
		/* Whatever the operator put into the file is trusted, be it a CA below a root or the server's own. */
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
		return true;
	}
	tls_refuse(why, "no trusted CA could be read from ");
	buf_put_text(why, ca_file != NULL ? ca_file : "the system's store");
	buf_terminate(why);
	return false;
}

struct tls_client *
tls_client_new(const char *ca_file, struct buf *why)
{
	struct tls_client *c = calloc(1, sizeof *c);

	if (c != NULL)
		c->context = SSL_CTX_new(TLS_client_method());
	if (c == NULL || c->context == NULL || !tls_context_setup(c->context) ||
	    !tls_context_groups(c->context, true) || SSL_CTX_dane_enable(c->context) != 1) {
		tls_refuse(why, "OpenSSL cannot be set up as wanted");
		goto bad;
	}
	if (!trust_load(c->context, ca_file, why))
		goto bad;
	c->system = ca_file == NULL;
	/* Record by record, so that poll announces whatever is still to come and no driver needs to ask tls_buffered(). */
	SSL_CTX_set_read_ahead(c->context, 0);
	SSL_CTX_set_session_cache_mode(c->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->context, on_session);
	ERR_clear_error();
	return c;
bad:
	ERR_clear_error();
	tls_client_free(c);
	return NULL;
}

void
tls_client_free(struct tls_client *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < TLS_REMEMBERED_MAX; i++)
		SSL_SESSION_free(c->remembered[i].session);
	SSL_CTX_free(c->context);
	free(c);
}

/* What the certificate must be good for (ident-4 to ident-7), and SNI, which is for names only (tls-7). */
static bool
want_name(struct tls_session *t)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (address_is_numeric(t->name))
		return X509_VERIFY_PARAM_set1_ip_asc(param, t->name) == 1;
	return X509_VERIFY_PARAM_set1_host(param, t->name, 0) == 1 && SSL_set_tlsext_host_name(t->ssl, t->name) == 1;
}

/* An absolute domain name's last dot is no part of what certificates say. */
static bool
plain_name(char out[TLS_NAME_MAX + 1], const char *name)
{
	size_t len = strlen(name);

	if (len > 1 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > TLS_NAME_MAX)
		return false;
	memcpy(out, name, len);
	out[len] = '\0';
	return true;
}

struct tls_session *
tls_client_session(struct tls_client *c, int fd, const char *name)
{
	char plain[TLS_NAME_MAX + 1];
	struct tls_session *t = plain_name(plain, name) ? tls_session_new(c->context, fd, plain) : NULL;

	if (t == NULL)
		return NULL;
	t->client = c;
	SSL_set_verify(t->ssl, SSL_VERIFY_PEER, on_verify);
	return t;
}

struct tls_session *
tls_connect(struct tls_client *c, int fd, const char *name, enum tls_verify verify)
{
	struct tls_session *t = tls_client_session(c, fd, name);
	SSL_SESSION *session;

	if (t == NULL)
		return NULL;
	t->opportunistic = verify == TLS_VERIFY_NOTHING;
	if (!want_name(t) || (t->opportunistic && SSL_set_cipher_list(t->ssl, SUITES_OPPORTUNISTIC) != 1)) {
		ERR_clear_error();
		tls_free(t);
		return NULL;
	}
	session = session_take(c, t->name, t->opportunistic);
	if (session != NULL) {
		SSL_set_session(t->ssl, session);
		SSL_SESSION_free(session);
	}
	SSL_set_connect_state(t->ssl);
	return t;
}

bool
tls_verified(const struct tls_session *t)
{
	return t->up && t->verify_error == X509_V_OK && SSL_get_verify_result(t->ssl) == X509_V_OK &&
	    SSL_get0_peer_certificate(t->ssl) != NULL;
}

bool
tls_client_lend(struct tls_client *c, void *ssl_ctx)
{
	SSL_CTX *ctx = ssl_ctx;

	if (!tls_context_setup(ctx))
		return false;
	SSL_CTX_set_read_ahead(ctx, 0);
	/* One reference more to what is loaded already: reading all CAs again would hold the loop up. */
	SSL_CTX_set1_cert_store(ctx, SSL_CTX_get_cert_store(c->context));
	return true;
}

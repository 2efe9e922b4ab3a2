/* A server that is authenticated by TLSA records instead of CAs, and what a server's certificate was found to be. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls/private.h"

enum { USAGE_DANE_TA = 2, USAGE_DANE_EE = 3 };  /* RFC 7218 2.1; OpenSSL keeps its names for itself */

/* How many OpenSSL could use; it leaves out what it cannot read (RFC 7671 10.1.1: one bad record spoils no other). */
static size_t
add_records(SSL *ssl, const struct tls_dane *dane)
{
	size_t usable = 0;

	for (size_t i = 0; i < dane->records; i++) {
		const struct tls_dane_record *r = &dane->record[i];

		/* 7672 3.1.3: usages 0 and 1 need CAs that sender and receiver would have to agree on. */
		if (r->usage == USAGE_DANE_TA || r->usage == USAGE_DANE_EE)
			usable += SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching, r->data.p, r->data.len) == 1;
	}
	ERR_clear_error();
	return usable;
}

static bool
dane_setup(struct tls_session *t, const struct tls_dane *dane, bool *usable)
{
	if (SSL_dane_enable(t->ssl, t->name) != 1)
		return false;
	(void)SSL_dane_set_flags(t->ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (dane->also != NULL && dane->also[0] != 0 && SSL_add1_host(t->ssl, dane->also) != 1)
		return false;
	*usable = add_records(t->ssl, dane) > 0;
	return *usable;
}

struct tls_session *
tls_connect_dane(struct tls_client *c, int fd, const struct tls_dane *dane, bool *usable)
{
	struct tls_session *t = tls_client_session(c, fd, dane->base);

	*usable = true;
	if (t == NULL)
		return NULL;
	t->dane = true;
	if (!dane_setup(t, dane, usable)) {
		ERR_clear_error();
		tls_free(t);
		return NULL;
	}
	SSL_set_connect_state(t->ssl);
	return t;
}

void
tls_matched(const struct tls_session *t, struct buf *out)
{
	uint8_t usage, selector, matching;
	const char *name;
	char text[32];

	if (!tls_verified(t))
		return;
	name = SSL_get0_peername(t->ssl);
	if (!t->dane) {
		buf_put_text(out, name != NULL ? name : t->name);
		return;
	}
	if (SSL_get0_dane_tlsa(t->ssl, &usage, &selector, &matching, NULL, NULL) < 0)
		return;
	(void)snprintf(text, sizeof text, "%u %u %u", usage, selector, matching);
	buf_put_text(out, text);
	if (usage == USAGE_DANE_TA && name != NULL) {
		buf_put_byte(out, ' ');
		buf_put_text(out, name);
	}
}

enum tls_fault
tls_fault_of(long error)
{
	switch (error) {
	case X509_V_OK:
		return TLS_FAULT_NONE;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_FAULT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_FAULT_EXPIRED;
	case X509_V_ERR_DANE_NO_MATCH:
		return TLS_FAULT_DANE;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_CERT_UNTRUSTED:
		return TLS_FAULT_UNTRUSTED;
	default:
		return TLS_FAULT_OTHER;
	}
}

/* Where nothing is demanded of a certificate it is not what ended a session, whatever it lacks. */
enum tls_fault
tls_fault(const struct tls_session *t)
{
	if (t->opportunistic && (!t->up || t->broken))
		return TLS_FAULT_NONE;
	return tls_fault_of(t->verify_error == X509_V_OK && t->up ? SSL_get_verify_result(t->ssl) : t->verify_error);
}

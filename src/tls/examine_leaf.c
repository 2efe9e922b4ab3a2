/* What a certificate says of itself, and for whom it is good (RFC 5280, 9525, 6962, 7633, 6960). */
#include "tls/examine_leaf.h"

#include <stdio.h>

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "os/address.h"
#include "tls/private.h"

enum { NAMES_MAX = 50, FACT_MAX = 600 };

void
tls_tell(const struct tls_teller *w, const char *key, struct span value)
{
	w->say(w->arg, key, value);
}

void
tls_tell_yes(const struct tls_teller *w, const char *key, bool yes)
{
	tls_tell(w, key, yes ? SPAN("yes") : SPAN("no"));
}

static void
tell_name(const struct tls_teller *w, const char *key, const X509_NAME *name)
{
	uint8_t octets[FACT_MAX];
	struct buf b = BUF_OVER(octets);

	tls_name_text(name, &b);
	tls_tell(w, key, buf_span(&b));
}

/* "2026-11-22 30": the date, and the days from then to now, or from now to then. */
static void
tell_date(const struct tls_teller *w, const char *key, const ASN1_TIME *when, bool until)
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
	tls_tell(w, key, buf_span(&b));
}

static void
tell_names(const struct tls_teller *w, X509 *leaf)
{
	char text[8192];
	struct buf b = BUF_OVER(text);
	struct span rest, name;

	tls_certificate_names(leaf, "\n", &b);
	rest = buf_span(&b);
	for (int i = 0; i < NAMES_MAX && !span_done(rest); i++) {
		name = span_take_until(&rest, '\n');
		(void)span_take_byte(&rest, '\n');
		tls_tell(w, "cert-name", name);
	}
}

static void
tell_key(const struct tls_teller *w, X509 *leaf)
{
	EVP_PKEY *key = X509_get0_pubkey(leaf);
	char text[80];

	if (key == NULL)
		return;
	(void)snprintf(text, sizeof text, "%s %d", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
	tls_tell(w, "cert-key", span_of(text));
	tls_tell(w, "cert-signature", span_of(OBJ_nid2sn(X509_get_signature_nid(leaf))));
}

bool
tls_leaf_covers(X509 *leaf, const char *name)
{
	unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

	return address_is_numeric(name) ? X509_check_ip_asc(leaf, name, 0) == 1 : X509_check_host(leaf, name, 0, flags, NULL) == 1;
}

static void
tell_match(const struct tls_teller *w, X509 *leaf, const char *name)
{
	char text[TLS_NAME_MAX + 8];

	(void)snprintf(text, sizeof text, "%s %s", tls_leaf_covers(leaf, name) ? "yes" : "no", name);
	tls_tell(w, "cert-match", span_of(text));
}

static void
tell_trust(const struct tls_teller *w, int error, int depth)
{
	char text[200], where[40] = "";

	if (error == X509_V_OK) {
		tls_tell(w, "cert-trust", SPAN("ok"));
		return;
	}
	if (depth > 0)
		(void)snprintf(where, sizeof where, " (number %d of the chain)", depth + 1);
	(void)snprintf(text, sizeof text, "%d %s%s", error, X509_verify_cert_error_string(error), where);
	tls_tell(w, "cert-trust", span_of(text));
}

/* What the stapled answer says of the leaf, whoever signed it: a hint to look, not a proof. */
static void
tell_staple(const struct tls_teller *w, struct span staple)
{
	const unsigned char *der = staple.p;
	OCSP_RESPONSE *response = staple.len > 0 ? d2i_OCSP_RESPONSE(NULL, &der, (long)staple.len) : NULL;
	OCSP_BASICRESP *basic = response != NULL ? OCSP_response_get1_basic(response) : NULL;
	OCSP_SINGLERESP *single = basic != NULL ? OCSP_resp_get0(basic, 0) : NULL;
	int status = single != NULL ? OCSP_single_get0_status(single, NULL, NULL, NULL, NULL) : V_OCSP_CERTSTATUS_UNKNOWN;

	tls_tell(w, "ocsp", span_done(staple) ? SPAN("none") : status == V_OCSP_CERTSTATUS_GOOD ? SPAN("good")
	    : status == V_OCSP_CERTSTATUS_REVOKED ? SPAN("revoked") : SPAN("unknown"));
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
}

void
tls_leaf_tell(const struct tls_teller *w, X509 *leaf, const char *name, int error, int depth, struct span staple)
{
	tell_name(w, "cert-subject", X509_get_subject_name(leaf));
	tell_name(w, "cert-issuer", X509_get_issuer_name(leaf));
	tell_names(w, leaf);
	tell_date(w, "cert-from", X509_get0_notBefore(leaf), false);
	tell_date(w, "cert-until", X509_get0_notAfter(leaf), true);
	tell_key(w, leaf);
	tell_trust(w, error, depth);
	tell_match(w, leaf, name);
	tls_tell_yes(w, "cert-sct", X509_get_ext_by_NID(leaf, NID_ct_precert_scts, -1) >= 0);
	tls_tell_yes(w, "cert-must-staple", X509_get_ext_by_NID(leaf, NID_tlsfeature, -1) >= 0);
	tell_staple(w, staple);
}

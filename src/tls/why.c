#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "tls/private.h"

/* ---- what a certificate lacks ---- */

static void
say_issuer(X509 *cert, struct buf *out)
{
	buf_put_text(out, "the CA that issued the certificate is not trusted here: ");
	tls_name_text(X509_get_issuer_name(cert), out);
}

static void
say_name(const char *wanted, X509 *cert, struct buf *out)
{
	size_t before;

	buf_put_text(out, "the certificate is for another name: wanted ");
	buf_put_text(out, wanted);
	buf_put_text(out, ", it offers ");
	before = out->len;
	tls_certificate_names(cert, ", ", out);
	if (out->len == before)
		buf_put_text(out, "none (a common name does not count)");
}

static void
say_date(const char *words, const ASN1_TIME *when, struct buf *out)
{
	buf_put_text(out, words);
	tls_time_text(when, out);
}

void
tls_verify_words(const char *name, int error, X509 *cert, struct buf *all)
{
	struct buf out = { all->p, all->len, all->max - 1 };    /* room for the NUL */

	if (cert == NULL)
		error = X509_V_ERR_UNSPECIFIED;
	switch (error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		say_name(name, cert, &out);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		say_issuer(cert, &out);
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		buf_put_text(&out, "the chain ends in a CA that is not trusted here: ");
		tls_name_text(X509_get_subject_name(cert), &out);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		buf_put_text(&out, "the certificate is self-signed and not trusted here: ");
		tls_name_text(X509_get_subject_name(cert), &out);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		say_date("the certificate expired on ", X509_get0_notAfter(cert), &out);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		say_date("the certificate is not valid before ", X509_get0_notBefore(cert), &out);
		break;
	case X509_V_ERR_DANE_NO_MATCH:
		buf_put_text(&out, "no TLSA record fits the certificate, which is for ");
		tls_certificate_names(cert, ", ", &out);
		break;
	default:
		buf_put_text(&out, "the certificate is not acceptable: ");
		buf_put_text(&out, X509_verify_cert_error_string(error));
		break;
	}
	all->len = out.len;
	buf_terminate(all);
}

/* ---- what else goes wrong ---- */

struct row { int reason; const char *words; enum tls_cure cure; };

/* What the other side told us before it hung up; OpenSSL numbers alerts from 1000. */
static const struct row alerts[] = {
	{ SSL_AD_UNEXPECTED_MESSAGE, "unexpected_message", TLS_CURE_UNKNOWN },
	{ SSL_AD_BAD_RECORD_MAC, "bad_record_mac", TLS_CURE_UNKNOWN },
	{ SSL_AD_HANDSHAKE_FAILURE, "handshake_failure", TLS_CURE_UNKNOWN },
	{ SSL_AD_BAD_CERTIFICATE, "bad_certificate", TLS_CURE_UNKNOWN },
	{ SSL_AD_UNSUPPORTED_CERTIFICATE, "unsupported_certificate", TLS_CURE_UNKNOWN },
	{ SSL_AD_CERTIFICATE_REVOKED, "certificate_revoked", TLS_CURE_UNKNOWN },
	{ SSL_AD_CERTIFICATE_EXPIRED, "certificate_expired", TLS_CURE_UNKNOWN },
	{ SSL_AD_CERTIFICATE_UNKNOWN, "certificate_unknown", TLS_CURE_UNKNOWN },
	{ SSL_AD_ILLEGAL_PARAMETER, "illegal_parameter", TLS_CURE_UNKNOWN },
	{ SSL_AD_UNKNOWN_CA, "unknown_ca", TLS_CURE_UNKNOWN },
	{ SSL_AD_ACCESS_DENIED, "access_denied", TLS_CURE_UNKNOWN },
	{ SSL_AD_DECODE_ERROR, "decode_error", TLS_CURE_UNKNOWN },
	{ SSL_AD_DECRYPT_ERROR, "decrypt_error", TLS_CURE_UNKNOWN },
	{ SSL_AD_PROTOCOL_VERSION, "protocol_version", TLS_CURE_UNKNOWN },
	{ SSL_AD_INSUFFICIENT_SECURITY, "insufficient_security", TLS_CURE_UNKNOWN },
	{ SSL_AD_INTERNAL_ERROR, "internal_error", TLS_CURE_UNKNOWN },
	{ SSL_AD_INAPPROPRIATE_FALLBACK, "inappropriate_fallback", TLS_CURE_UNKNOWN },
	{ SSL_AD_USER_CANCELLED, "user_canceled", TLS_CURE_UNKNOWN },
	{ SSL_AD_NO_RENEGOTIATION, "no_renegotiation", TLS_CURE_UNKNOWN },
	{ SSL_AD_MISSING_EXTENSION, "missing_extension", TLS_CURE_UNKNOWN },
	{ SSL_AD_UNRECOGNIZED_NAME, "unrecognized_name", TLS_CURE_UNKNOWN },
	{ SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE, "bad_certificate_status_response", TLS_CURE_UNKNOWN },
	{ SSL_AD_UNKNOWN_PSK_IDENTITY, "unknown_psk_identity", TLS_CURE_UNKNOWN },
	{ SSL_AD_CERTIFICATE_REQUIRED, "certificate_required", TLS_CURE_UNKNOWN },
	{ SSL_AD_NO_APPLICATION_PROTOCOL, "no_application_protocol", TLS_CURE_UNKNOWN },
};

/* What a client that sent an alert did not like about us. */
static const struct row alert_meanings[] = {
	{ SSL_AD_UNKNOWN_CA, "client trusts no CA of ours", TLS_CURE_TRUST },
	{ SSL_AD_BAD_CERTIFICATE, "client does not accept our certificate, mostly for its name", TLS_CURE_NAME },
	{ SSL_AD_CERTIFICATE_EXPIRED, "client says that our certificate has expired", TLS_CURE_RENEW },
	{ SSL_AD_CERTIFICATE_REVOKED, "client says that our certificate is revoked", TLS_CURE_RENEW },
	{ SSL_AD_CERTIFICATE_UNKNOWN, "client does not accept our certificate", TLS_CURE_TRUST },
	{ SSL_AD_UNSUPPORTED_CERTIFICATE, "client cannot use our kind of certificate", TLS_CURE_KIND },
	{ SSL_AD_UNRECOGNIZED_NAME, "client misses the name that it asked for", TLS_CURE_NAME },
	{ SSL_AD_PROTOCOL_VERSION, "client speaks no TLS version of ours", TLS_CURE_UPDATE },
	{ SSL_AD_HANDSHAKE_FAILURE, "client found no common settings", TLS_CURE_UPDATE },
};

/* Without words: see say_version(). */
static const struct row reasons[] = {
	{ SSL_R_HTTP_REQUEST, "not TLS: HTTP request", TLS_CURE_UNKNOWN },
	{ SSL_R_HTTPS_PROXY_REQUEST, "not TLS: HTTP proxy request", TLS_CURE_UNKNOWN },
	{ SSL_R_WRONG_VERSION_NUMBER, "not TLS: plaintext came where a TLS record must be", TLS_CURE_UNKNOWN },
	{ SSL_R_UNSUPPORTED_PROTOCOL, NULL, TLS_CURE_UPDATE },
	{ SSL_R_VERSION_TOO_LOW, NULL, TLS_CURE_UPDATE },
	{ SSL_R_NO_SHARED_CIPHER, "no common cipher suite: only AEAD suites with forward secrecy are spoken here", TLS_CURE_UPDATE },
	{ SSL_R_NO_SUITABLE_GROUPS, "no common group: X25519 and P-256 are spoken here", TLS_CURE_UPDATE },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, "no common group: X25519 and P-256 are spoken here", TLS_CURE_UPDATE },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no signature algorithm that both sides and the certificate have", TLS_CURE_KIND },
	{ SSL_R_NO_APPLICATION_PROTOCOL, "client wants another protocol than SMTP (ALPN)", TLS_CURE_ALPN },
	{ SSL_R_EXCESSIVE_MESSAGE_SIZE, "ClientHello of more than 16 KiB, or one that is cut to hide it", TLS_CURE_UNKNOWN },
	{ SSL_R_NO_RENEGOTIATION, "renegotiation is refused", TLS_CURE_UNKNOWN },
	{ SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, "server lacks secure renegotiation (RFC 5746)", TLS_CURE_UNKNOWN },
};

static const struct row *
row_find(const struct row *rows, size_t count, int reason)
{
	static const struct row none;

	for (size_t i = 0; i < count; i++)
		if (rows[i].reason == reason)
			return &rows[i];
	return &none;
}

#define ROW(rows, reason) row_find(rows, sizeof(rows) / sizeof(rows)[0], (reason))
#define ROW_WORDS(rows, reason) (ROW(rows, reason)->words)

/* The alert that the other side sent, or -1. */
static int
alert_of(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	if (ERR_GET_LIB(error) != ERR_LIB_SSL || reason <= SSL_AD_REASON_OFFSET || reason > SSL_AD_REASON_OFFSET + 255)
		return -1;
	return reason - SSL_AD_REASON_OFFSET;
}

static void
say_alert(const struct tls_session *t, int alert, struct buf *out)
{
	const char *meaning = t->server != NULL ? ROW_WORDS(alert_meanings, alert) : NULL;
	const char *name = ROW_WORDS(alerts, alert);

	if (meaning == NULL)
		meaning = t->server != NULL ? t->up ? "client ended the session" : "client ended the handshake" :
		    t->up ? "server ended the session" : "server ended the handshake";
	buf_put_text(out, meaning);
	buf_put_text(out, " (alert ");
	if (name != NULL)
		buf_put_text(out, name);
	else
		buf_put_u64(out, (uint64_t)alert);
	buf_put_byte(out, ')');
}

static void
say_version(const struct tls_session *t, struct buf *out)
{
	static const char *const names[] = { "SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3" };

	if (t->server == NULL) {
		buf_put_text(out, "server speaks no TLS version from 1.2 on");
		return;
	}
	buf_put_text(out, t->offered >> 8 == 3 && (t->offered & 255) < 5 ? names[t->offered & 255] : "an unknown TLS version");
	buf_put_text(out, " offered; 1.2 is the least that is spoken here");
}

static void
say_error(const struct tls_session *t, struct buf *out)
{
	int reason = ERR_GET_REASON(t->error);
	const char *words = ERR_GET_LIB(t->error) == ERR_LIB_SSL ? ROW_WORDS(reasons, reason) : NULL;
	const char *text;

	if (words != NULL)
		buf_put_text(out, words);
	else if (ERR_GET_LIB(t->error) != ERR_LIB_SSL)
		goto other;
	else if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW)
		say_version(t, out);
	else if (alert_of(t->error) != -1)
		say_alert(t, alert_of(t->error), out);
	else
		goto other;
	return;
other:
	text = ERR_reason_error_string(t->error);
	buf_put_text(out, "TLS error: ");
	buf_put_text(out, text != NULL ? text : "unknown");
}

/* Our side of the handshake was said, the certificate in it, and that was that. */
static bool
gave_up(const struct tls_session *t)
{
	return t->server != NULL && t->cut && !t->up && t->offered != 0;
}

enum tls_cure
tls_cure(const struct tls_session *t)
{
	if (t->server == NULL)
		return TLS_CURE_UNKNOWN;
	if (gave_up(t))
		return TLS_CURE_TRUST;
	if (t->cut || ERR_GET_LIB(t->error) != ERR_LIB_SSL)
		return TLS_CURE_UNKNOWN;
	return alert_of(t->error) != -1 ? ROW(alert_meanings, alert_of(t->error))->cure :
	    ROW(reasons, ERR_GET_REASON(t->error))->cure;
}

void
tls_why(const struct tls_session *t, struct buf *all)
{
	struct buf out = { all->p, 0, all->max > 0 ? all->max - 1 : 0 };        /* room for the NUL */

	if (t->words != NULL && !t->up && !t->opportunistic)
		buf_put(&out, span_head(span_of(t->words), out.max));
	else if (gave_up(t))
		buf_put_text(&out, "client hung up after our part of the handshake, mostly over the certificate");
	else if (t->cut)
		buf_put_text(&out, t->sys == 0 ? "connection ended without close_notify" : strerror(t->sys));
	else if (t->asides > TLS_ASIDES_MAX)
		buf_put_text(&out, "too many KeyUpdates, or renegotiations that are refused, without content");
	else if (t->error != 0)
		say_error(t, &out);
	else
		buf_put_text(&out, t->words != NULL ? t->words : "no failure");
	all->len = out.len;
	buf_terminate(all);
}

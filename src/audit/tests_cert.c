/* The certificate: dates, names, trust, strength (RFC 5280, 9525, 7817, 9325, 6962). */
#include "audit/tests.h"

enum { SOON_DAYS = 7, WEEKS_DAYS = 21, LONG_DAYS = 398, RSA_LEAST = 2048, EC_LEAST = 224 };

static bool
days(const struct section *s, const char *key, int64_t *n)
{
	struct span value;

	return section_find(s, key, &value) && number_in(value, 1, n);
}

bool
cert_expired(const struct section *s, struct buf *e)
{
	int64_t left;

	return days(s, "cert-until", &left) && left < 0 && quote(s, "cert-until", e);
}

bool
cert_not_yet(const struct section *s, struct buf *e)
{
	int64_t since;

	return days(s, "cert-from", &since) && since < 0 && quote(s, "cert-from", e);
}

bool
cert_ends_soon(const struct section *s, struct buf *e)
{
	int64_t left;

	return days(s, "cert-until", &left) && left >= 0 && left <= SOON_DAYS && quote(s, "cert-until", e);
}

bool
cert_ends_in_weeks(const struct section *s, struct buf *e)
{
	int64_t left;

	return days(s, "cert-until", &left) && left > SOON_DAYS && left <= WEEKS_DAYS && quote(s, "cert-until", e);
}

bool
cert_long(const struct section *s, struct buf *e)
{
	int64_t left, since;

	return days(s, "cert-until", &left) && days(s, "cert-from", &since) && left + since > LONG_DAYS && quote(s, "cert-until", e);
}

/* OpenSSL's numbers: 18 self-signed, 20 and 21 the issuer is not at hand, 9 and 10 the dates. */
static int64_t
trust(const struct section *s)
{
	struct span value;
	int64_t code;

	return section_find(s, "cert-trust", &value) && number_in(value, 0, &code) ? code : 0;
}

bool
cert_self_signed(const struct section *s, struct buf *e)
{
	return trust(s) == 18 && quote(s, "cert-trust", e);
}

bool
cert_incomplete(const struct section *s, struct buf *e)
{
	return (trust(s) == 20 || trust(s) == 21) && quote(s, "cert-trust", e);
}

/* The leaf's own dates have checks of their own; those above it have not. */
static bool
has_own_check(const struct section *s, int64_t code)
{
	int64_t left, since;

	if (code == 9)
		return days(s, "cert-from", &since) && since < 0;
	if (code == 10)
		return days(s, "cert-until", &left) && left < 0;
	return code == 18 || code == 20 || code == 21;
}

bool
cert_untrusted(const struct section *s, struct buf *e)
{
	int64_t code = trust(s);

	return code != 0 && !has_own_check(s, code) && quote(s, "cert-trust", e);
}

/* "3 unordered root" */
static bool
chain_is(const struct section *s, unsigned word, struct span what)
{
	struct span value, found = SPAN("");

	(void)section_find(s, "cert-chain", &value);
	for (unsigned i = 0; i <= word; i++)
		found = span_take_word(&value);
	return span_eq(found, what);
}

bool
cert_chain_order(const struct section *s, struct buf *e)
{
	return chain_is(s, 1, SPAN("unordered")) && quote(s, "cert-chain", e);
}

bool
cert_chain_root(const struct section *s, struct buf *e)
{
	return chain_is(s, 2, SPAN("root")) && quote(s, "cert-chain", e);
}

bool
cert_other_name(const struct section *s, struct buf *e)
{
	struct span lines = s->lines;
	struct fact f;

	if (!section_has(s, "cert-match", "no") || section_count(s, "cert-name") == 0)
		return false;
	(void)quote(s, "cert-match", e);
	(void)buf_put_text(e, "; it is for");
	while (fact_take(&lines, &f))
		if (span_eq(f.key, SPAN("cert-name")))
			(void)(buf_put_text(e, " ") && buf_put(e, f.value));
	return true;
}

bool
cert_common_name_only(const struct section *s, struct buf *e)
{
	return section_count(s, "cert-subject") > 0 && section_count(s, "cert-name") == 0 && quote(s, "cert-subject", e);
}

bool
cert_weak_key(const struct section *s, struct buf *e)
{
	struct span value;
	int64_t bits;

	if (!section_find(s, "cert-key", &value) || !number_in(value, 1, &bits))
		return false;
	return ((section_has(s, "cert-key", "RSA") && bits < RSA_LEAST) || (section_has(s, "cert-key", "EC") && bits < EC_LEAST)
	    || section_has(s, "cert-key", "DSA")) && quote(s, "cert-key", e);
}

bool
cert_weak_signature(const struct section *s, struct buf *e)
{
	static const char *const weak[] = { "md5WithRSAEncryption", "sha1WithRSAEncryption", "ecdsa-with-SHA1", "dsaWithSHA1",
		"md2WithRSAEncryption", "md4WithRSAEncryption", "RSA-MD5", "RSA-SHA1" };

	for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++)
		if (section_has(s, "cert-signature", weak[i]))
			return quote(s, "cert-signature", e);
	return false;
}

bool
cert_no_sct(const struct section *s, struct buf *e)
{
	return trust(s) == 0 && section_has(s, "cert-sct", "no") && buf_put_text(e, "no signed certificate timestamp");
}

bool
cert_no_staple(const struct section *s, struct buf *e)
{
	return section_has(s, "cert-must-staple", "yes") && section_has(s, "ocsp", "none")
	    && buf_put_text(e, "the certificate demands a stapled OCSP answer, none came");
}

bool
cert_revoked(const struct section *s, struct buf *e)
{
	return section_has(s, "ocsp", "revoked") && buf_put_text(e, "the stapled OCSP answer says revoked");
}

bool
good_cert(const struct section *s, struct buf *e)
{
	int64_t left;

	return section_has(s, "cert-trust", "ok") && section_has(s, "cert-match", "yes") && days(s, "cert-until", &left)
	    && left > WEEKS_DAYS && quote(s, "cert-until", e);
}

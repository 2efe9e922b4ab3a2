/* Versions, suites and manners of the TLS half (RFC 8996, 9325, 8446, 5746, 7627). */
#include "audit/tests.h"

enum { TICKET_MOST = 7 * 24 * 3600 };   /* RFC 8446 4.6.1 */

bool
tls_fails(const struct section *s, struct buf *e)
{
	return section_count(s, "tls-failed") > 0 && !has_tls(s) && quote(s, "tls-failed", e);
}

static bool
speaks(const struct section *s, const char *version)
{
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f))
		if (span_eq(f.key, SPAN("tls-version")) && span_eq(span_take_word(&f.value), span_of(version)))
			return span_eq(f.value, SPAN("yes"));
	return false;
}

static bool
version(const struct section *s, const char *name, struct buf *e)
{
	return speaks(s, name) && buf_put_text(e, name) && buf_put_text(e, " is accepted");
}

bool
ssl3(const struct section *s, struct buf *e)
{
	return version(s, "SSLv3", e);
}

bool
tls10(const struct section *s, struct buf *e)
{
	return version(s, "TLSv1.0", e);
}

bool
tls11(const struct section *s, struct buf *e)
{
	return version(s, "TLSv1.1", e);
}

bool
no_tls12(const struct section *s, struct buf *e)
{
	return section_count(s, "tls-version") > 0 && !speaks(s, "TLSv1.2") && !speaks(s, "TLSv1.3")
	    && buf_put_text(e, "neither TLSv1.2 nor TLSv1.3 is accepted");
}

bool
no_tls13(const struct section *s, struct buf *e)
{
	return speaks(s, "TLSv1.2") && !speaks(s, "TLSv1.3") && buf_put_text(e, "TLSv1.2 is the newest version accepted");
}

/* ---- suites, by what their IANA names have in them ---- */

static bool
contains(struct span s, const char *part)
{
	struct span wanted = span_of(part);

	for (; s.len >= wanted.len; span_skip(&s, 1))
		if (span_same(span_head(s, wanted.len), wanted))
			return true;
	return false;
}

/* Names every suite of a version that has the part in it. */
static bool
suites(const struct section *s, const char *part, const char *but_not, struct buf *e)
{
	struct span lines = s->lines;
	struct fact f;
	bool any = false;

	while (fact_take(&lines, &f)) {
		if (!span_eq(f.key, SPAN("tls-cipher")) || !contains(f.value, part) || (but_not != NULL && contains(f.value, but_not)))
			continue;
		(void)((!any || buf_put_text(e, ", ")) && buf_put(e, f.value));
		any = true;
	}
	return any;
}

bool
cipher_null(const struct section *s, struct buf *e)
{
	return suites(s, "_NULL_", NULL, e) || suites(s, "_anon_", NULL, e);
}

bool
cipher_export(const struct section *s, struct buf *e)
{
	return suites(s, "_EXPORT_", NULL, e) || suites(s, "_DES_CBC_", NULL, e);
}

bool
cipher_rc4(const struct section *s, struct buf *e)
{
	return suites(s, "_RC4_", NULL, e);
}

bool
cipher_3des(const struct section *s, struct buf *e)
{
	return suites(s, "_3DES_", NULL, e);
}

bool
cipher_cbc(const struct section *s, struct buf *e)
{
	return suites(s, "_CBC_", "DES_", e);
}

bool
cipher_static_rsa(const struct section *s, struct buf *e)
{
	return suites(s, " TLS_RSA_WITH_", NULL, e);
}

bool
client_chooses(const struct section *s, struct buf *e)
{
	return section_has(s, "tls-preference", "client") && buf_put_text(e, "the server follows the client's order of suites");
}

/* ---- manners ---- */

bool
compression(const struct section *s, struct buf *e)
{
	return section_has(s, "tls-compression", "yes") && buf_put_text(e, "TLS compression is on");
}

bool
no_secure_renegotiation(const struct section *s, struct buf *e)
{
	return section_has(s, "tls-secure-renegotiation", "no") && buf_put_text(e, "no renegotiation_info in TLSv1.2");
}

bool
renegotiates(const struct section *s, struct buf *e)
{
	return section_has(s, "tls-renegotiates", "yes") && buf_put_text(e, "the server lets the client renegotiate");
}

bool
no_ems(const struct section *s, struct buf *e)
{
	return section_has(s, "tls-ems", "no") && buf_put_text(e, "no extended_master_secret in TLSv1.2");
}

bool
ticket_long(const struct section *s, struct buf *e)
{
	struct span value;
	int64_t seconds;

	return section_find(s, "tls-ticket", &value) && number_in(value, 0, &seconds) && seconds > TICKET_MOST
	    && quote(s, "tls-ticket", e);
}

bool
asks_certificate(const struct section *s, struct buf *e)
{
	return section_has(s, "tls-asks-certificate", "yes") && buf_put_text(e, "the server asks the client for a certificate");
}

bool
good_tls(const struct section *s, struct buf *e)
{
	return speaks(s, "TLSv1.3") && !speaks(s, "TLSv1.1") && !speaks(s, "TLSv1.0") && !speaks(s, "SSLv3")
	    && quote(s, "tls", e);
}

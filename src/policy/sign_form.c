#include "policy/sign_form.h"

enum { RANDOMS = 64, NAMED_CURVE = 3, UNCOMPRESSED = 4, SHA256_OCTETS = 32, SHA384_OCTETS = 48 };

static const struct curve {
	uint8_t id;             /* NamedGroup; the high octet is 0 for all of ours */
	uint8_t point;          /* octets */
	bool uncompressed;      /* begins with 4 (RFC 8422 5.4.1) */
} curves[] = {
	{ 29, 32, false },      /* X25519 */
	{ 23, 65, true },       /* P-256 */
	{ 24, 97, true },       /* P-384 */
};

/* RFC 8446 4.4.3: 64 spaces, the context string, one zero, the transcript's hash. */
static bool
is_tls13(struct span s)
{
	struct span context = SPAN("TLS 1.3, server CertificateVerify");
	struct span head = span_head(s, RANDOMS);

	for (size_t i = 0; i < head.len; i++)
		if (head.p[i] != ' ')
			return false;
	span_skip(&s, RANDOMS);
	if (!span_eq(span_head(s, context.len), context))
		return false;
	span_skip(&s, context.len);
	return span_take_byte(&s, 0) && (s.len == SHA256_OCTETS || s.len == SHA384_OCTETS);
}

/* RFC 8422 5.4: both randoms, then ServerECDHParams. */
static bool
is_tls12(struct span s)
{
	if (s.len < RANDOMS)
		return false;
	span_skip(&s, RANDOMS);
	if (!span_take_byte(&s, NAMED_CURVE) || !span_take_byte(&s, 0))
		return false;
	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
		struct span rest = s;

		if (span_take_byte(&rest, curves[i].id))
			return span_take_byte(&rest, curves[i].point) && rest.len == curves[i].point &&
			    (!curves[i].uncompressed || rest.p[0] == UNCOMPRESSED);
	}
	return false;
}

enum sign_form
sign_form(struct span to_be_signed)
{
	if (is_tls13(to_be_signed))
		return SIGN_TLS13;
	return is_tls12(to_be_signed) ? SIGN_TLS12 : SIGN_NOTHING;
}

bool
sign_scheme_allowed(enum sign_form form, uint32_t scheme)
{
	switch (scheme) {
	case SCHEME_RSA_PKCS1_SHA256:
	case SCHEME_RSA_PKCS1_SHA384:
	case SCHEME_RSA_PKCS1_SHA512:
		return form == SIGN_TLS12;
	case SCHEME_ECDSA_SHA256:
	case SCHEME_ECDSA_SHA384:
	case SCHEME_ECDSA_SHA512:
	case SCHEME_RSA_PSS_SHA256:
	case SCHEME_RSA_PSS_SHA384:
	case SCHEME_RSA_PSS_SHA512:
	case SCHEME_ED25519:
	case SCHEME_ED448:
	case SCHEME_RSA_PSS_PSS_SHA256:
	case SCHEME_RSA_PSS_PSS_SHA384:
	case SCHEME_RSA_PSS_PSS_SHA512:
		return form != SIGN_NOTHING;
	default:
		return false;
	}
}

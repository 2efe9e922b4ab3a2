/*
 * policy/sign_form.h - is this what a TLS server signs in a handshake, and nothing else? (RFC 8446 4.4.3, RFC 8422 5.4)
 *
 * 2_signer asks before it uses a key: whoever has taken over a front can have handshakes signed, but no certificate request,
 * no token, no client's proof and no message.
 *
 * The forms share no octet string: at offset 64 the one has 'T', the other the curve type 3.
 * Owner     nothing. Blocks never.
 */
#ifndef POSTERN_POLICY_SIGN_FORM_H
#define POSTERN_POLICY_SIGN_FORM_H

#include "base/span.h"

enum {
	SIGN_OCTETS_MAX = 165,          /* randoms, curve, and an uncompressed point of P-384 */
	SIGN_SIGNATURE_MAX = 2048,      /* RSA of 16384 bits */
};

enum sign_form {
	SIGN_NOTHING,                   /* not ours to sign */
	SIGN_TLS13,                     /* CertificateVerify of a server */
	SIGN_TLS12,                     /* ServerKeyExchange with ECDHE over X25519, P-256 or P-384 */
};

/* SignatureScheme (RFC 8446 4.2.3), as far as we use it. */
enum sign_scheme {
	SCHEME_RSA_PKCS1_SHA256 = 0x0401,
	SCHEME_RSA_PKCS1_SHA384 = 0x0501,
	SCHEME_RSA_PKCS1_SHA512 = 0x0601,
	SCHEME_ECDSA_SHA256 = 0x0403,           /* P-256 in TLS 1.3 */
	SCHEME_ECDSA_SHA384 = 0x0503,           /* P-384 in TLS 1.3 */
	SCHEME_ECDSA_SHA512 = 0x0603,           /* P-521 in TLS 1.3 */
	SCHEME_RSA_PSS_SHA256 = 0x0804,
	SCHEME_RSA_PSS_SHA384 = 0x0805,
	SCHEME_RSA_PSS_SHA512 = 0x0806,
	SCHEME_ED25519 = 0x0807,
	SCHEME_ED448 = 0x0808,
	SCHEME_RSA_PSS_PSS_SHA256 = 0x0809,     /* for keys that are PSS only */
	SCHEME_RSA_PSS_PSS_SHA384 = 0x080a,
	SCHEME_RSA_PSS_PSS_SHA512 = 0x080b,
};

enum sign_form sign_form(struct span to_be_signed);
/* May this form be signed with that scheme? PKCS #1 v1.5 belongs to TLS 1.2 alone (RFC 8446 4.2.3). */
bool sign_scheme_allowed(enum sign_form, uint32_t scheme);

#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/sign_form.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

static uint8_t room[400];

static struct span
verify(uint8_t pad, size_t pads, const char *context, uint8_t end, size_t hash)
{
	size_t n = strlen(context);

	memset(room, pad, pads);
	memcpy(room + pads, context, n);
	room[pads + n] = end;
	memset(room + pads + n + 1, 0x5a, hash);
	return (struct span){ room, pads + n + 1 + hash };
}

#define SERVER "TLS 1.3, server CertificateVerify"

/* RFC 8446 4.4.3 */
static const struct { uint8_t pad; size_t pads; const char *context; uint8_t end; size_t hash; bool good; } verifies[] = {
	{ ' ', 64, SERVER, 0, 32, true },
	{ ' ', 64, SERVER, 0, 48, true },
	{ ' ', 64, SERVER, 0, 0, false },
	{ ' ', 64, SERVER, 0, 20, false },
	{ ' ', 64, SERVER, 0, 31, false },
	{ ' ', 64, SERVER, 0, 33, false },
	{ ' ', 64, SERVER, 0, 47, false },
	{ ' ', 64, SERVER, 0, 49, false },
	{ ' ', 64, SERVER, 0, 64, false },
	{ ' ', 64, SERVER, 1, 32, false },
	{ ' ', 63, SERVER, 0, 32, false },
	{ ' ', 65, SERVER, 0, 32, false },
	{ 0, 64, SERVER, 0, 32, false },
	{ ' ', 64, "TLS 1.3, client CertificateVerify", 0, 32, false },
	{ ' ', 64, "TLS 1.3, Server CertificateVerify", 0, 32, false },
	{ ' ', 64, "TLS 1.3, server certificateverify", 0, 32, false },
	{ ' ', 64, "", 0, 32, false },
	{ ' ', 64, "HTTP/2 certificate authenticator", 0, 32, false },
};

static void
only_the_proof_of_a_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(verifies); i++) {
		struct span s = verify(verifies[i].pad, verifies[i].pads, verifies[i].context, verifies[i].end, verifies[i].hash);

		if (sign_form(s) != (verifies[i].good ? SIGN_TLS13 : SIGN_NOTHING))
			fail_msg("row %zu", i);
	}
	/* One octet that is no space, anywhere. */
	for (size_t i = 0; i < 64; i++) {
		struct span s = verify(' ', 64, SERVER, 0, 32);

		room[i] = '!';
		assert_int_equal(sign_form(s), SIGN_NOTHING);
	}
	for (size_t n = 0; n < 64 + sizeof SERVER + 32; n++)
		assert_int_equal(sign_form(span_head(verify(' ', 64, SERVER, 0, 32), n)), SIGN_NOTHING);
}

static struct span
params(uint8_t type, uint8_t high, uint8_t curve, uint8_t len, uint8_t first, size_t octets)
{
	memset(room, 0x77, sizeof room);
	room[64] = type, room[65] = high, room[66] = curve, room[67] = len, room[68] = first;
	return (struct span){ room, 64 + 4 + octets };
}

/* RFC 8422 5.4, 5.4.1 */
static const struct { uint8_t type, high, curve, len, first; size_t octets; bool good; } exchanges[] = {
	{ 3, 0, 29, 32, 9, 32, true },
	{ 3, 0, 23, 65, 4, 65, true },
	{ 3, 0, 24, 97, 4, 97, true },
	{ 3, 0, 29, 32, 9, 31, false },
	{ 3, 0, 29, 32, 9, 33, false },
	{ 3, 0, 29, 33, 9, 33, false },
	{ 3, 0, 29, 0, 9, 0, false },
	{ 3, 0, 23, 65, 2, 65, false },         /* compressed forms are gone */
	{ 3, 0, 23, 33, 2, 33, false },
	{ 3, 0, 24, 65, 4, 65, false },
	{ 3, 0, 25, 133, 4, 133, false },       /* P-521: not ours */
	{ 3, 0, 30, 56, 4, 56, false },         /* X448 */
	{ 3, 1, 0, 65, 4, 65, false },          /* ffdhe2048 */
	{ 3, 1, 29, 32, 9, 32, false },
	{ 1, 0, 29, 32, 9, 32, false },         /* explicit curves */
	{ 2, 0, 29, 32, 9, 32, false },
	{ 0, 0, 29, 32, 9, 32, false },
};

static void
only_ecdhe_over_curves_of_ours(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(exchanges); i++) {
		struct span s = params(exchanges[i].type, exchanges[i].high, exchanges[i].curve, exchanges[i].len, exchanges[i].first,
		    exchanges[i].octets);

		if (sign_form(s) != (exchanges[i].good ? SIGN_TLS12 : SIGN_NOTHING))
			fail_msg("row %zu", i);
	}
	for (size_t n = 0; n < 64 + 4 + 65; n++)
		assert_int_equal(sign_form(span_head(params(3, 0, 23, 65, 4, 65), n)), SIGN_NOTHING);
	assert_int_equal(params(3, 0, 24, 97, 4, 97).len, SIGN_OCTETS_MAX);
}

/* RFC 8446 4.2.3: no PKCS #1 v1.5, no SHA-1 in 1.3. */
static void
schemes_belong_to_versions(void **state)
{
	static const struct { uint32_t scheme; bool in12, in13; } rows[] = {
		{ SCHEME_RSA_PKCS1_SHA256, true, false }, { SCHEME_RSA_PKCS1_SHA512, true, false },
		{ SCHEME_RSA_PSS_SHA256, true, true }, { SCHEME_ECDSA_SHA256, true, true }, { SCHEME_ED25519, true, true },
		{ 0x0201, false, false }, { 0x0203, false, false }, { 0x0301, false, false }, { 0, false, false },
		{ 0x10403, false, false }, { UINT32_MAX, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(sign_scheme_allowed(SIGN_TLS12, rows[i].scheme), rows[i].in12);
		assert_int_equal(sign_scheme_allowed(SIGN_TLS13, rows[i].scheme), rows[i].in13);
		assert_false(sign_scheme_allowed(SIGN_NOTHING, rows[i].scheme));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_proof_of_a_server),
		cmocka_unit_test(only_ecdhe_over_curves_of_ours),
		cmocka_unit_test(schemes_belong_to_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

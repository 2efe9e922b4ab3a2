/*
 * sign.c - what 2_signer takes apart before it uses a key: the frame of a question, then the octets to be signed. Whatever is let
 * through must have, octet for octet, one of the two forms, written down here a second time and in another way.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/sign_form.h"
#include "proc/peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
insist(bool good)
{
	if (!good)
		abort();
}

static bool
same_as_verify(struct span s)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";
	uint8_t want[64 + sizeof context];

	memset(want, 0x20, 64);
	memcpy(want + 64, context, sizeof context);             /* with its NUL */
	return s.len > sizeof want && memcmp(s.p, want, sizeof want) == 0 && (s.len - sizeof want) % 16 == 0 &&
	    s.len - sizeof want >= 32 && s.len - sizeof want <= 48;
}

static bool
same_as_exchange(struct span s)
{
	static const uint8_t heads[3][5] = { { 3, 0, 29, 32, 0 }, { 3, 0, 23, 65, 4 }, { 3, 0, 24, 97, 4 } };

	for (size_t i = 0; i < 3; i++)
		if (s.len == 68u + heads[i][3] && memcmp(s.p + 64, heads[i], 4) == 0 && (i == 0 || s.p[68] == heads[i][4]))
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct sign_answer answer;
	struct sign_ask ask;
	enum sign_form form = sign_form(in);

	insist((form == SIGN_TLS13) == same_as_verify(in));
	insist((form == SIGN_TLS12) == same_as_exchange(in));
	insist(form == SIGN_NOTHING || n <= SIGN_OCTETS_MAX);
	if (fields_parse(sign_ask_layout, in, &ask)) {
		insist(ask.key.len <= 32 && ask.to_be_signed.len <= SIGN_OCTETS_MAX);
		form = sign_form(ask.to_be_signed);
		insist(form != SIGN_NOTHING || !sign_scheme_allowed(form, ask.scheme));
	}
	if (fields_parse(sign_answer_layout, in, &answer))
		insist(answer.signature.len <= SIGN_SIGNATURE_MAX);
	return 0;
}

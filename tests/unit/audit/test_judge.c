/* What a transcript is judged to be: the finding that it is about, and none that says more than was seen. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "findings.h"

#define SUBMISSION "postern-audit 1\ntarget mail.example.org\nendpoint 192.0.2.1 587 submission\nconnect ok 1\n"
#define SUBMISSIONS "postern-audit 1\ntarget mail.example.org\nendpoint 192.0.2.1 465 submissions\nconnect ok 1\n"
#define GREETED "greeting 220 mail.example.org ESMTP\nehlo-clear mail.example.org\nehlo-clear STARTTLS\nstarttls-tries 3 3\n"

static void
expect(const char *transcript, const char *ids, const char *kind)
{
	const char *last = findings_are(transcript, NULL, ids);

	if (kind != NULL)
		assert_string_equal(last, kind);
}

/* A server that turns us away had no occasion to offer anything. */
static void
turned_away(void **state)
{
	(void)state;
	expect(SUBMISSION "greeting 421 too many connections\nstarttls-tries 3 0\n", "turned-away ", NULL);
	expect(SUBMISSION "greeting 554 not you\nstarttls-tries 3 0\n", "turned-away ", NULL);
	expect(SUBMISSION "greeting 220 mail.example.org\nehlo-clear mail.example.org\nstarttls-tries 3 0\n", "starttls-missing ", "SMTP in clear");
	expect(SUBMISSION "greeting 0 SSH-2.0-OpenSSH_9.2\nstarttls-tries 3 0\n", "other-protocol ", "something else");
}

/* RFC 3207 4: STARTTLS with a command behind it may be refused; that is no refusal of STARTTLS. */
static void
refuses_the_injection(void **state)
{
	(void)state;
	expect(SUBMISSION GREETED "starttls 500 pipelining not supported\ntls TLSv1.3 TLS_AES_128_GCM_SHA256 x25519\n", "", NULL);
	expect(SUBMISSION GREETED "starttls 500 pipelining not supported\ntls-failed alert internal_error\n", "tls-fails ", NULL);
	expect(SUBMISSION GREETED "starttls 454 not now\n", "starttls-refused ", NULL);
}

/* An alert is an answer. */
static void
alerts_are_no_silence(void **state)
{
	(void)state;
	expect(SUBMISSIONS "tls-failed server ended the handshake (alert internal_error)\nfirst nothing\n", "tls-fails ", "TLS that did not come about");
	expect(SUBMISSIONS "tls-failed the handshake does not come to an end\nfirst nothing\n", "silent tls-fails ", "silent");
}

static void
stripped(void **state)
{
	(void)state;
	expect(SUBMISSION GREETED "stripped EHLO AUTH 538 no\nstripped EHLO MAIL 530 no\nstripped HELO AUTH 503 no\nstripped HELO MAIL 530 no\n", "strip-proof ", NULL);
	expect(SUBMISSION GREETED "stripped EHLO AUTH 538 no\nstripped EHLO MAIL 530 no\nstripped HELO AUTH 334 \nstripped HELO MAIL 530 no\n", "stripped-auth ", NULL);
	expect(SUBMISSION GREETED "stripped EHLO AUTH 538 no\nstripped EHLO MAIL 250 ok\n", "stripped-mail ", NULL);
	/* Refused for now is neither. */
	expect(SUBMISSION GREETED "stripped EHLO AUTH 538 no\nstripped EHLO MAIL 451 later\n", "", NULL);
	expect(SUBMISSION GREETED "stripped EHLO AUTH 538 no\n", "", NULL);
	expect(SUBMISSION GREETED "stripped\nstripped EHLO\nstripped EHLO AUTH\nstripped EHLO AUTH x\n", "", NULL);
}

static void
names(void **state)
{
	(void)state;
	expect(SUBMISSIONS "sni none same\nsni unknown same\n", "sni-good ", NULL);
	expect(SUBMISSIONS "sni none refused alert unrecognized_name\nsni unknown refused alert unrecognized_name\n", "sni-needed sni-strict ", NULL);
	expect(SUBMISSIONS "sni none other no DNS:elsewhere.example\nsni unknown same\n", "sni-default-other ", NULL);
	/* Of another algorithm, and good for the host all the same. */
	expect(SUBMISSIONS "sni none other yes DNS:mail.example.org\nsni unknown same\n", "", NULL);
	expect(SUBMISSIONS "sni none\nsni other\n", "", NULL);
}

static void
handshakes(void **state)
{
	(void)state;
	expect(SUBMISSIONS "tls-fallback taken\ntls-downgrade-mark no\n", "no-fallback-alert no-downgrade-mark ", NULL);
	expect(SUBMISSIONS "tls-fallback refused\ntls-downgrade-mark yes\n", "", NULL);
	expect(SUBMISSIONS "tls-group secp384r1\ntls-weak-groups yes\n", "weak-group no-usual-group ", NULL);
	expect(SUBMISSIONS "tls-group secp384r1\ntls-groups-unknown yes\ntls-weak-groups no\n", "", NULL);   /* regress 0498 */
	expect(SUBMISSIONS "tls-group secp384r1\ntls-group secp256r1\ntls-weak-groups no\ntls-prime 2048\n", "", NULL);
	expect(SUBMISSIONS "tls-prime 1024\n", "weak-prime ", NULL);
}

static void
chains(void **state)
{
	(void)state;
	expect(SUBMISSIONS "cert-chain 2 ordered no-root\n", "", NULL);
	expect(SUBMISSIONS "cert-chain 2 unordered root\n", "cert-chain-order cert-chain-root ", NULL);
	expect(SUBMISSIONS "cert-chain\ncert-chain 1\n", "", NULL);
}

/* It is the target's, and of no endpoint. */
static void
hosts_without_an_address(void **state)
{
	(void)state;
	expect("postern-audit 1\ntarget a.example\nunknown-host a.example: it has no address\n", "host-unknown ", "a name without an address");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turned_away), cmocka_unit_test(refuses_the_injection), cmocka_unit_test(alerts_are_no_silence), cmocka_unit_test(stripped),
		cmocka_unit_test(names), cmocka_unit_test(chains), cmocka_unit_test(handshakes), cmocka_unit_test(hosts_without_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Facts to verdict: whom mail may go to, and how well secured (RFC 7672, 8461, 8689). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/transport.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

/* Short names, so that a row fits its line. */
enum { INSECURE = TRANSPORT_DNS_INSECURE, SECURE = TRANSPORT_DNS_SECURE, ABSENT = TRANSPORT_DNS_ABSENT, BOGUS = TRANSPORT_DNS_BOGUS,
	ERROR = TRANSPORT_DNS_ERROR };
enum { MX = TRANSPORT_HOP_MX, FIXED = TRANSPORT_HOP_FIXED, FIXED_TLS = TRANSPORT_HOP_FIXED_TLS };
enum { PLAIN = TRANSPORT_NEED_NOTHING, REQUIRE = TRANSPORT_NEED_TLS, RELAX = TRANSPORT_NEED_DELIVERY };
enum { UNKNOWN = -2, NO_STS = -1, OFF = MTA_STS_NONE, TESTING = MTA_STS_TESTING, ENFORCE = MTA_STS_ENFORCE };
enum { TRY = TRANSPORT_TRY, SKIP = TRANSPORT_SKIP, REFUSE = TRANSPORT_REFUSE };
enum { NONE = TRANSPORT_AUTH_NONE, PKIX = TRANSPORT_AUTH_PKIX, DANE = TRANSPORT_AUTH_DANE };

static const struct {
	const char *id;
	int hop, need, mx, address, tlsa, usable, sts, matches;
	int act;
	const char *policy;
	int auth, tls, verified, requiretls;
	const char *result;
} rows[] = {
	/* id        hop    need     mx        address   tlsa      us sts      ma  act     policy            auth  tls ver req result */
	{ "7435",    MX,    PLAIN,   INSECURE, INSECURE, INSECURE, 0, NO_STS,  0,  TRY,    "opportunistic",  NONE, 0,  0,  0,  "" },
	/* dane-3 */
	{ "dane-3",  MX,    PLAIN,   SECURE,   SECURE,   SECURE,   1, NO_STS,  0,  TRY,    "dane",           DANE, 1,  1,  0,  "" },
	{ "dane-3",  MX,    PLAIN,   SECURE,   SECURE,   SECURE,   0, NO_STS,  0,  TRY,    "dane-unusable",  NONE, 1,  0,  0,  "" },
	{ "dane-3",  MX,    PLAIN,   SECURE,   SECURE,   ABSENT,   0, NO_STS,  0,  TRY,    "opportunistic",  NONE, 0,  0,  0,  "" },
	{ "dane-3",  MX,    PLAIN,   SECURE,   SECURE,   INSECURE, 1, NO_STS,  0,  TRY,    "opportunistic",  NONE, 0,  0,  0,  "" },
	/* dane-4: an insecure address, TLSA is not asked for */
	{ "dane-4",  MX,    PLAIN,   SECURE,   INSECURE, INSECURE, 0, NO_STS,  0,  TRY,    "opportunistic",  NONE, 0,  0,  0,  "" },
	/* dane-1: records that an unvalidated MX answer led to prove nothing */
	{ "dane-1",  MX,    PLAIN,   INSECURE, SECURE,   SECURE,   1, NO_STS,  0,  TRY,    "opportunistic",  NONE, 0,  0,  0,  "" },
	{ "dane-1",  MX,    PLAIN,   INSECURE, SECURE,   BOGUS,    0, NO_STS,  0,  TRY,    "opportunistic",  NONE, 0,  0,  0,  "" },
	/* dane-2: not known is never "no" */
	{ "dane-2",  MX,    PLAIN,   SECURE,   SECURE,   BOGUS,    0, NO_STS,  0,  SKIP,   "dane",           NONE, 0,  0,  0,  "dnssec-invalid" },
	{ "dane-2",  MX,    PLAIN,   SECURE,   SECURE,   ERROR,    0, NO_STS,  0,  SKIP,   "dane",           NONE, 0,  0,  0,  "dnssec-invalid" },
	{ "dane-2",  MX,    PLAIN,   SECURE,   BOGUS,    INSECURE, 0, NO_STS,  0,  SKIP,   "dane",           NONE, 0,  0,  0,  "dnssec-invalid" },
	{ "dane-2",  MX,    PLAIN,   SECURE,   ERROR,    INSECURE, 0, NO_STS,  0,  SKIP,   "dane",           NONE, 0,  0,  0,  "dnssec-invalid" },
	{ "dane-2",  MX,    PLAIN,   BOGUS,    SECURE,   ABSENT,   0, NO_STS,  0,  SKIP,   "dane",           NONE, 0,  0,  0,  "dnssec-invalid" },
	{ "dane-2",  MX,    PLAIN,   ERROR,    SECURE,   ABSENT,   0, ENFORCE, 1,  SKIP,   "dane",           NONE, 0,  0,  0,  "dnssec-invalid" },
	/* sts-5 */
	{ "sts-5",   MX,    PLAIN,   INSECURE, INSECURE, INSECURE, 0, ENFORCE, 1,  TRY,    "sts",            PKIX, 1,  1,  0,  "" },
	{ "sts-5",   MX,    PLAIN,   SECURE,   SECURE,   ABSENT,   0, ENFORCE, 1,  TRY,    "sts",            PKIX, 1,  1,  0,  "" },
	{ "sts-4",   MX,    PLAIN,   INSECURE, INSECURE, INSECURE, 0, ENFORCE, 0,  SKIP,   "sts",            NONE, 0,  0,  0,  "validation-failure" },
	{ "sts-5",   MX,    PLAIN,   INSECURE, INSECURE, INSECURE, 0, TESTING, 1,  TRY,    "sts-testing",    PKIX, 0,  0,  0,  "" },
	{ "sts-5",   MX,    PLAIN,   INSECURE, INSECURE, INSECURE, 0, TESTING, 0,  TRY,    "sts-testing",    PKIX, 0,  0,  0,  "validation-failure" },
	{ "sts-5",   MX,    PLAIN,   INSECURE, INSECURE, INSECURE, 0, OFF,     0,  TRY,    "opportunistic",  NONE, 0,  0,  0,  "" },
	/* sts-9: MTA-STS never overrides DANE */
	{ "sts-9",   MX,    PLAIN,   SECURE,   SECURE,   SECURE,   1, ENFORCE, 1,  TRY,    "dane",           DANE, 1,  1,  0,  "" },
	{ "sts-9",   MX,    PLAIN,   SECURE,   SECURE,   SECURE,   1, ENFORCE, 0,  TRY,    "dane",           DANE, 1,  1,  0,  "" },
	{ "sts-9",   MX,    PLAIN,   SECURE,   SECURE,   SECURE,   1, TESTING, 1,  TRY,    "dane",           DANE, 1,  1,  0,  "" },
	{ "sts-9",   MX,    PLAIN,   SECURE,   SECURE,   BOGUS,    0, ENFORCE, 1,  SKIP,   "dane",           NONE, 0,  0,  0,  "dnssec-invalid" },
	{ "sts-9",   MX,    PLAIN,   SECURE,   SECURE,   SECURE,   0, TESTING, 1,  TRY,    "dane-unusable",  NONE, 1,  0,  0,  "" },
	{ "sts-9",   MX,    PLAIN,   SECURE,   SECURE,   SECURE,   0, ENFORCE, 1,  TRY,    "sts",            PKIX, 1,  1,  0,  "" },
	/* 8689-2: TLS, a verified certificate, a secured name */
	{ "8689-2",  MX,    REQUIRE, SECURE,   SECURE,   SECURE,   1, NO_STS,  0,  TRY,    "dane",           DANE, 1,  1,  1,  "" },
	{ "8689-2",  MX,    REQUIRE, SECURE,   SECURE,   SECURE,   0, NO_STS,  0,  TRY,    "requiretls",     PKIX, 1,  1,  1,  "" },
	{ "8689-2",  MX,    REQUIRE, SECURE,   SECURE,   ABSENT,   0, NO_STS,  0,  TRY,    "requiretls",     PKIX, 1,  1,  1,  "" },
	{ "8689-2",  MX,    REQUIRE, SECURE,   INSECURE, INSECURE, 0, NO_STS,  0,  TRY,    "requiretls",     PKIX, 1,  1,  1,  "" },
	{ "8689-2",  MX,    REQUIRE, INSECURE, INSECURE, INSECURE, 0, ENFORCE, 1,  TRY,    "sts",            PKIX, 1,  1,  1,  "" },
	{ "8689-2",  MX,    REQUIRE, INSECURE, INSECURE, INSECURE, 0, TESTING, 1,  TRY,    "requiretls",     PKIX, 1,  1,  1,  "" },
	{ "8689-2",  MX,    REQUIRE, INSECURE, INSECURE, INSECURE, 0, TESTING, 0,  REFUSE, "requiretls",     PKIX, 0,  0,  0,  "validation-failure" },
	{ "8689-2",  MX,    REQUIRE, INSECURE, INSECURE, INSECURE, 0, OFF,     1,  REFUSE, "requiretls",     NONE, 0,  0,  0,  "" },
	{ "8689-2",  MX,    REQUIRE, INSECURE, INSECURE, INSECURE, 0, NO_STS,  0,  REFUSE, "requiretls",     NONE, 0,  0,  0,  "" },
	/* what may be better tomorrow is not refused today */
	{ "8689-2",  MX,    REQUIRE, INSECURE, INSECURE, INSECURE, 0, UNKNOWN, 0,  SKIP,   "requiretls",     NONE, 0,  0,  0,  "" },
	{ "8689-2",  MX,    REQUIRE, SECURE,   INSECURE, INSECURE, 0, UNKNOWN, 0,  TRY,    "requiretls",     PKIX, 1,  1,  1,  "" },
	{ "sts-7",   MX,    PLAIN,   INSECURE, INSECURE, INSECURE, 0, UNKNOWN, 0,  TRY,    "opportunistic",  NONE, 0,  0,  0,  "" },
	{ "8689-2",  MX,    REQUIRE, SECURE,   SECURE,   ERROR,    0, NO_STS,  0,  SKIP,   "dane",           NONE, 0,  0,  0,  "dnssec-invalid" },
	{ "8689-2",  MX,    REQUIRE, INSECURE, INSECURE, INSECURE, 0, ENFORCE, 0,  SKIP,   "sts",            NONE, 0,  0,  0,  "validation-failure" },
	/* 8689-5: whatever the policies say, and whatever the DNS does not say */
	{ "8689-5",  MX,    RELAX,   SECURE,   SECURE,   SECURE,   1, NO_STS,  0,  TRY,    "tls-optional",   NONE, 0,  0,  0,  "" },
	{ "8689-5",  MX,    RELAX,   SECURE,   SECURE,   BOGUS,    0, NO_STS,  0,  TRY,    "tls-optional",   NONE, 0,  0,  0,  "" },
	{ "8689-5",  MX,    RELAX,   INSECURE, INSECURE, INSECURE, 0, ENFORCE, 0,  TRY,    "tls-optional",   NONE, 0,  0,  0,  "" },
	/* sts-10: a smart host is a policy domain of its own, and its MX status nobody's */
	{ "sts-10",  FIXED, PLAIN,   INSECURE, INSECURE, INSECURE, 0, NO_STS,  0,  TRY,    "opportunistic",  NONE, 0,  0,  0,  "" },
	{ "sts-10",  FIXED, PLAIN,   BOGUS,    INSECURE, INSECURE, 0, ENFORCE, 1,  TRY,    "sts",            PKIX, 1,  1,  0,  "" },
	{ "7672-2.2.2", FIXED, PLAIN, INSECURE, SECURE,  SECURE,   1, NO_STS,  0,  TRY,    "dane",           DANE, 1,  1,  0,  "" },
	{ "7672-2.2.2", FIXED, PLAIN, INSECURE, SECURE,  ERROR,    0, NO_STS,  0,  SKIP,   "dane",           NONE, 0,  0,  0,  "dnssec-invalid" },
	{ "8689-2",  FIXED, REQUIRE, INSECURE, INSECURE, INSECURE, 0, NO_STS,  0,  TRY,    "requiretls",     PKIX, 1,  1,  1,  "" },
	{ "8314-43", FIXED_TLS, PLAIN, INSECURE, SECURE, SECURE,   1, ENFORCE, 0,  TRY,    "smart-host",     PKIX, 1,  1,  0,  "" },
	{ "8314-43", FIXED_TLS, PLAIN, BOGUS,  BOGUS,    BOGUS,    0, NO_STS,  0,  TRY,    "smart-host",     PKIX, 1,  1,  0,  "" },
	{ "8314-43", FIXED_TLS, RELAX, INSECURE, INSECURE, INSECURE, 0, NO_STS, 0, TRY,    "smart-host",     PKIX, 1,  1,  0,  "" },
	{ "8689-2",  FIXED_TLS, REQUIRE, INSECURE, BOGUS, INSECURE, 0, NO_STS, 0,  TRY,    "smart-host",     PKIX, 1,  1,  1,  "" },
};

static struct transport_facts
facts_of(size_t i)
{
	return (struct transport_facts){
		.hop = (enum transport_hop)rows[i].hop, .need = (enum transport_need)rows[i].need,
		.mx = (enum transport_dns)rows[i].mx, .address = (enum transport_dns)rows[i].address,
		.tlsa = (enum transport_dns)rows[i].tlsa, .tlsa_usable = rows[i].usable != 0, .sts = rows[i].sts > NO_STS,
		.sts_mode = rows[i].sts <= NO_STS ? MTA_STS_NONE : (enum mta_sts_mode)rows[i].sts, .sts_matches = rows[i].matches != 0,
		.sts_unknown = rows[i].sts == UNKNOWN,
	};
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct transport_facts f = facts_of(i);
		struct transport_verdict v = transport_decide(&f);

		print_message("row %zu (%s): %s\n", i, rows[i].id, v.words);
		assert_int_equal(v.act, rows[i].act);
		assert_string_equal(transport_policy_name(v.policy), rows[i].policy);
		assert_int_equal(v.auth, rows[i].auth);
		assert_int_equal(v.tls, rows[i].tls);
		assert_int_equal(v.verified, rows[i].verified);
		assert_int_equal(v.requiretls, rows[i].requiretls);
		assert_string_equal(transport_result_name(v.result), rows[i].result);
	}
}

static void
test_literal(void **state)
{
	struct transport_facts f = { .hop = TRANSPORT_HOP_MX, .literal = true };
	struct transport_verdict v = transport_decide(&f);

	(void)state;
	assert_int_equal(v.act, TRANSPORT_TRY);
	assert_false(v.tls);
	f.need = TRANSPORT_NEED_TLS;
	v = transport_decide(&f);
	assert_int_equal(v.act, TRANSPORT_REFUSE);
	assert_string_equal(v.enhanced, "5.7.30");
}

static bool
facts_next(struct transport_facts *f)
{
	if ((f->sts_matches = !f->sts_matches))
		return true;
	if ((f->sts_unknown = !f->sts_unknown))
		return true;
	if ((f->sts = !f->sts))
		return true;
	if ((f->tlsa_usable = !f->tlsa_usable))
		return true;
	if (++f->sts_mode <= MTA_STS_ENFORCE)
		return true;
	f->sts_mode = MTA_STS_NONE;
	if (++f->tlsa <= TRANSPORT_DNS_ERROR)
		return true;
	f->tlsa = TRANSPORT_DNS_INSECURE;
	if (++f->address <= TRANSPORT_DNS_ERROR)
		return true;
	f->address = TRANSPORT_DNS_INSECURE;
	if (++f->mx <= TRANSPORT_DNS_ERROR)
		return true;
	f->mx = TRANSPORT_DNS_INSECURE;
	if (++f->need <= TRANSPORT_NEED_DELIVERY)
		return true;
	f->need = TRANSPORT_NEED_NOTHING;
	return ++f->hop <= TRANSPORT_HOP_FIXED_TLS;
}

/* What holds for every combination of facts there is. */
static void
test_truths(void **state)
{
	struct transport_facts f = { .hop = TRANSPORT_HOP_MX };
	size_t count = 0;

	(void)state;
	do {
		struct transport_verdict v = transport_decide(&f);

		count++;
		assert_non_null(v.words);
		assert_true((v.act == TRANSPORT_TRY) == (v.enhanced[0] == 0));
		if (v.verified)
			assert_true(v.tls && v.auth != TRANSPORT_AUTH_NONE);
		if (v.requiretls)
			assert_true(v.verified && f.need == TRANSPORT_NEED_TLS);
		if (f.need == TRANSPORT_NEED_TLS && v.act == TRANSPORT_TRY)
			assert_true(v.requiretls);
		/* 8461 3.3: who asks for nothing hears nothing of a policy that cannot be had. */
		if (f.need != TRANSPORT_NEED_TLS && f.sts_unknown) {
			struct transport_facts known = f;

			known.sts_unknown = false;
			assert_int_equal(transport_decide(&known).act, v.act);
			assert_int_equal(transport_decide(&known).policy, v.policy);
		}
		if (v.auth == TRANSPORT_AUTH_DANE)
			assert_true(f.tlsa == TRANSPORT_DNS_SECURE && f.tlsa_usable && v.tls);
		/* 8461 2: with or without a policy, a host whose DANE is in force or unknown is treated the same. */
		if (v.policy == TRANSPORT_DANE) {
			struct transport_facts without = f;

			without.sts = false;
			assert_int_equal(transport_decide(&without).policy, TRANSPORT_DANE);
			assert_int_equal(transport_decide(&without).act, v.act);
		}
	} while (facts_next(&f));
	assert_int_equal(count, 2 * 2 * 2 * 2 * 3 * 5 * 5 * 5 * 3 * 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_truths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

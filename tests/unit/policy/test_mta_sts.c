/* RFC 8461 3: the TXT record, the policy file, and which host they name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/mta_sts.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])
#define ID_32 "abcdefghijklmnopqrstuvwxyz012345"

/* sts-1; id NULL: no policy */
static const struct { const char *txt, *id; } records[] = {
	{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
	{ "v=STSv1;id=1", "1" },
	{ "v=STSv1 ;\tid=1 ; ", "1" },
	{ "v=STSv1; id=" ID_32, ID_32 },
	{ "v=STSv1; id=" ID_32 "6", NULL },
	{ "v=STSv1; x-1.y_z=a/b:c; id=7;", "7" },
	{ "v=STSv1; id=7; id=8", "7" },
	{ "v=STSv1; id=", NULL },
	{ "v=STSv1; id=a-b", NULL },
	{ "v=STSv1; id=a b", NULL },
	{ "v=STSv1; id = 1", NULL },
	{ "v=STSv1", NULL },
	{ "v=STSv1;", NULL },
	{ "v=STSv1;;id=1", NULL },
	{ "v=STSv1; id=1; rubbish", NULL },
	{ "v=STSv1; id=1; x=", NULL },
	{ "v=STSv1; id=1; x=a=b", NULL },
	{ "v=STSv1; ID=1", NULL },
	{ "V=STSv1; id=1", NULL },
	{ "v=STSv10; id=1", NULL },
	{ "v=stsv1; id=1", NULL },
	{ " v=STSv1; id=1", NULL },
	{ "v=spf1 -all", NULL },
	{ "", NULL },
};

static void
test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(records); i++) {
		char id[MTA_STS_ID_MAX + 1] = "";
		bool good = mta_sts_record_parse(span_of(records[i].txt), id);

		print_message("record %zu: %s\n", i, records[i].txt);
		assert_int_equal(good, records[i].id != NULL);
		if (good)
			assert_string_equal(id, records[i].id);
	}
}

static void
test_claims(void **state)
{
	(void)state;
	/* A malformed second one still makes two. */
	assert_true(mta_sts_record_claims(SPAN("v=STSv1; rubbish")));
	assert_true(mta_sts_record_claims(SPAN("v=STSv1")));
	assert_false(mta_sts_record_claims(SPAN("v=STSv12; id=1")));
	assert_false(mta_sts_record_claims(SPAN("v=TLSRPTv1; rua=mailto:a@b.example")));
}

#define HEAD "version: STSv1\r\nmode: enforce\r\nmax_age: 604800\r\n"

/* sts-3; words NULL: it is a policy */
static const struct { const char *file, *words; int mode; uint32_t max_age, mxs; } policies[] = {
	{ HEAD "mx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\n", NULL, MTA_STS_ENFORCE, 604800, 3 },
	{ "version: STSv1\nmode: testing\nmx: mx.example\nmax_age: 86400", NULL, MTA_STS_TESTING, 86400, 1 },
	{ "mx:mx.example\nmax_age:1\nmode:enforce\nversion:STSv1\n\n", NULL, MTA_STS_ENFORCE, 1, 1 },
	{ "version: STSv1\nmode: none\nmax_age: 0\n", NULL, MTA_STS_NONE, 0, 0 },
	{ HEAD "mx: mx.example\nmode: none\nmax_age: 5\nversion: STSv2\n", NULL, MTA_STS_ENFORCE, 604800, 1 },
	{ HEAD "mx: mx.example\nx-new_key: whatever it: says\n", NULL, MTA_STS_ENFORCE, 604800, 1 },
	{ "version: STSv1\nmode: enforce\nmax_age: 9999999999\nmx: mx.example\n", NULL, MTA_STS_ENFORCE, 31557600, 1 },
	{ HEAD, "it names no mx", 0, 0, 0 },
	{ "", "it has no version", 0, 0, 0 },
	{ "mode: enforce\nmax_age: 1\nmx: mx.example\n", "it has no version", 0, 0, 0 },
	{ "version: STSv1\nmax_age: 1\nmx: mx.example\n", "it has no mode", 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmx: mx.example\n", "it has no max_age", 0, 0, 0 },
	{ "version: STSv2\nmode: enforce\nmax_age: 1\nmx: mx.example\n", "its version is not STSv1", 0, 0, 0 },
	{ "version: STSv1\nmode: report\nmax_age: 1\nmx: mx.example\n", "its mode is none of enforce, testing and none", 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: -1\nmx: mx.example\n", "its max_age is no number of seconds", 0, 0, 0 },
	{ "version: STSv1\nmode: enforce\nmax_age: 99999999999\nmx: mx.example\n", "its max_age is no number of seconds", 0, 0, 0 },
	{ HEAD "mx: mx.*.example\n", "an mx pattern is no host name", 0, 0, 0 },
	{ HEAD "mx: *\n", "an mx pattern is no host name", 0, 0, 0 },
	{ HEAD "mx: *.\n", "an mx pattern is no host name", 0, 0, 0 },
	{ HEAD "mx: a..example\n", "an mx pattern is no host name", 0, 0, 0 },
	{ HEAD "mx: mx.example.\n", "an mx pattern is no host name", 0, 0, 0 },
	{ HEAD "mx:\n", "an mx pattern is no host name", 0, 0, 0 },
	{ "<html>\n<p>not found</p>\n", "a line has no colon", 0, 0, 0 },
};

static void
test_policies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(policies); i++) {
		struct mta_sts_policy p;
		const char *words;
		bool good = mta_sts_policy_parse(span_of(policies[i].file), &p, &words);

		print_message("policy %zu: %s\n", i, good ? "ok" : words);
		assert_int_equal(good, policies[i].words == NULL);
		if (!good) {
			assert_string_equal(words, policies[i].words);
			continue;
		}
		assert_int_equal(p.mode, policies[i].mode);
		assert_int_equal(p.max_age, policies[i].max_age);
		assert_int_equal(p.mxs, policies[i].mxs);
	}
}

static void
test_format(void **state)
{
	uint8_t octets[MTA_STS_FORMAT_MAX];
	struct buf out = BUF_OVER(octets);
	struct mta_sts_policy p;
	const char *words;

	(void)state;
	assert_true(mta_sts_policy_parse(SPAN("max_age: 60\r\nmx: *.Two.example\r\nversion: STSv1\r\nx: y\r\nmx:a.example\r\nmode: testing"), &p, &words));
	mta_sts_policy_format(&p, '|', &out);
	assert_true(span_eq(buf_span(&out), SPAN("version: STSv1|mode: testing|mx: *.two.example|mx: a.example|max_age: 60")));
}

/* The longest policy there is has room when it is said. */
static void
test_longest_format(void **state)
{
	static char file[MTA_STS_FILE_MAX];
	uint8_t octets[MTA_STS_FORMAT_MAX];
	struct buf out = BUF_OVER(octets);
	struct mta_sts_policy p;
	const char *words;
	int at = snprintf(file, sizeof file, HEAD);

	(void)state;
	for (unsigned i = 0; i < MTA_STS_MX_MAX; i++)
		at += snprintf(file + at, sizeof file - (size_t)at, "mx: %055u.example\n", i);
	assert_true(mta_sts_policy_parse((struct span){ (uint8_t *)file, (size_t)at }, &p, &words));
	mta_sts_policy_format(&p, '\n', &out);
	assert_true(mta_sts_policy_parse(buf_span(&out), &p, &words) && p.mxs == MTA_STS_MX_MAX);
}

/* Many patterns, and long ones: neither goes over its ceiling. */
static void
test_ceilings(void **state)
{
	static char file[MTA_STS_FILE_MAX + 2];
	struct mta_sts_policy p;
	const char *words;
	size_t at;

	(void)state;
	for (unsigned count = MTA_STS_MX_MAX; count <= MTA_STS_MX_MAX + 1; count++) {
		at = (size_t)snprintf(file, sizeof file, HEAD);
		for (unsigned i = 0; i < count; i++)
			at += (size_t)snprintf(file + at, sizeof file - at, "mx: mx%u.example\n", i);
		assert_int_equal(mta_sts_policy_parse((struct span){ (uint8_t *)file, at }, &p, &words), count == MTA_STS_MX_MAX);
	}
	at = (size_t)snprintf(file, sizeof file, HEAD);
	for (unsigned i = 0; i < 40; i++)
		at += (size_t)snprintf(file + at, sizeof file - at, "mx: %060u.%060u.example\n", i, i);
	assert_false(mta_sts_policy_parse((struct span){ (uint8_t *)file, at }, &p, &words));
	memset(file, '\n', sizeof file);
	assert_false(mta_sts_policy_parse((struct span){ (uint8_t *)file, MTA_STS_FILE_MAX + 1 }, &p, &words));
	assert_string_equal(words, "it is too big");
}

/* sts-4: the MX name against the pattern */
static const struct { const char *pattern, *host; bool matches; } hosts[] = {
	{ "mx.example.com", "mx.example.com", true },
	{ "mx.example.com", "MX.Example.COM", true },
	{ "Mx.example.com", "mx.example.com.", true },
	{ "mx.example.com", "mx2.example.com", false },
	{ "mx.example.com", "a.mx.example.com", false },
	{ "*.example.com", "mx.example.com", true },
	{ "*.example.com", "MX.EXAMPLE.com", true },
	{ "*.example.com", "example.com", false },
	{ "*.example.com", ".example.com", false },
	{ "*.example.com", "a.b.example.com", false },
	{ "*.example.com", "mx.example.org", false },
	{ "*.example.com", "mxexample.com", false },
	{ "*.example.com", "", false },
};

static void
test_matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(hosts); i++) {
		struct mta_sts_policy p;
		const char *words;
		char file[300];

		(void)snprintf(file, sizeof file, HEAD "mx: other.example\nmx: %s\n", hosts[i].pattern);
		print_message("%s for %s\n", hosts[i].pattern, hosts[i].host);
		assert_true(mta_sts_policy_parse(span_of(file), &p, &words));
		assert_int_equal(mta_sts_matches(&p, span_of(hosts[i].host)), hosts[i].matches);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_longest_format),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a day's sessions come to (RFC 8460 4), what it is called, and how it outlives us. rpt-2, rpt-3 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/tlsrpt_names.h"
#include "policy/tlsrpt_parts.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

enum { DAY = 20779 };           /* 2026-11-22 */

static const uint8_t key[SIPHASH_KEY] = { 7 };
static struct tlsrpt table, again;
static char text[1 << 20];

static int
fresh(void **state)
{
	(void)state;
	tlsrpt_init(&table, key, DAY);
	return 0;
}

static struct tlsrpt_session
session(const char *domain, enum tlsrpt_type type, enum transport_result result)
{
	return (struct tlsrpt_session){ .domain = span_of(domain), .type = type, .policy_domain = span_of(domain), .result = result,
		.mx = SPAN("mx.example.net"), .ip = SPAN("192.0.2.1"), .from = SPAN("198.51.100.1"), .reason = SPAN("why") };
}

static void
add(const char *domain, enum tlsrpt_type type, enum transport_result result)
{
	struct tlsrpt_session s = session(domain, type, result);

	tlsrpt_add(&table, &s);
}

static const char *
stored(const struct tlsrpt *t)
{
	struct buf b = { (uint8_t *)text, 0, sizeof text - 1 };

	assert_true(tlsrpt_format(t, &b));
	assert_true(b.len <= tlsrpt_store_size(t));
	text[b.len] = 0;
	return text;
}

/* 4.3: which of the engine's verdicts is whose policy. */
static void
types_of_policies(void **state)
{
	static const struct {
		enum transport_policy policy;
		const char *type;       /* NULL: not the receiver's to hear of */
	} rows[] = {
		{ TRANSPORT_OPPORTUNISTIC, "no-policy-found" }, { TRANSPORT_DANE, "tlsa" }, { TRANSPORT_DANE_TLS, "tlsa" },
		{ TRANSPORT_STS, "sts" }, { TRANSPORT_STS_TESTING, "sts" }, { TRANSPORT_SMART_HOST, NULL },
		{ TRANSPORT_REQUIRETLS, NULL }, { TRANSPORT_TLS_OPTIONAL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		enum tlsrpt_type type;

		assert_int_equal(tlsrpt_type_of(rows[i].policy, &type), rows[i].type != NULL);
		if (rows[i].type != NULL)
			assert_string_equal(tlsrpt_type_name(type), rows[i].type);
	}
}

/* rpt-3: every result type of 4.3 is counted, written and read by its registered name. */
static void
every_result_type(void **state)
{
	static const struct { enum transport_result result; const char *name; } rows[] = {
		{ TRANSPORT_STARTTLS_NOT_SUPPORTED, "starttls-not-supported" },
		{ TRANSPORT_CERTIFICATE_HOST_MISMATCH, "certificate-host-mismatch" },
		{ TRANSPORT_CERTIFICATE_EXPIRED, "certificate-expired" },
		{ TRANSPORT_CERTIFICATE_NOT_TRUSTED, "certificate-not-trusted" },
		{ TRANSPORT_VALIDATION_FAILURE, "validation-failure" },
		{ TRANSPORT_TLSA_INVALID, "tlsa-invalid" },
		{ TRANSPORT_DNSSEC_INVALID, "dnssec-invalid" },
		{ TRANSPORT_DANE_REQUIRED, "dane-required" },
		{ TRANSPORT_STS_POLICY_FETCH_ERROR, "sts-policy-fetch-error" },
		{ TRANSPORT_STS_POLICY_INVALID, "sts-policy-invalid" },
		{ TRANSPORT_STS_WEBPKI_INVALID, "sts-webpki-invalid" },
	};
	const struct tlsrpt_failure *f;
	uint32_t at;

	for (size_t i = 0; i < ROWS(rows); i++) {
		(void)fresh(state);
		add("one.example", TLSRPT_STS, rows[i].result);
		add("one.example", TLSRPT_STS, rows[i].result);
		add("one.example", TLSRPT_STS, TRANSPORT_OK);
		tlsrpt_init(&again, key, DAY);
		assert_non_null(strstr(stored(&table), rows[i].name));
		assert_true(tlsrpt_parse(&again, span_of(text)));
		at = tlsrpt_find(&again, SPAN("one.example"));
		assert_int_equal(at, 0);
		assert_int_equal(again.policy[0].successful, 1);
		assert_int_equal(again.policy[0].failed, 2);
		f = &again.failure[again.policy[0].failures];
		assert_int_equal(f->result, rows[i].result);
		assert_int_equal(f->sessions, 2);
	}
}

static void
rows_are_told_apart(void **state)
{
	struct tlsrpt_session s = session("one.example", TLSRPT_TLSA, TRANSPORT_TLSA_INVALID);

	(void)state;
	s.policy_domain = SPAN("mx1.one.example");
	s.strings = SPAN("3 1 1 aa\t3 1 1 bb");
	tlsrpt_add(&table, &s);
	s.ip = SPAN("2001:db8::1");
	tlsrpt_add(&table, &s);
	s.reason = SPAN("other words for the same");
	tlsrpt_add(&table, &s);
	s.policy_domain = SPAN("mx2.one.example");
	tlsrpt_add(&table, &s);
	add("one.example", TLSRPT_STS, TRANSPORT_OK);
	add("two.example", TLSRPT_NO_POLICY, TRANSPORT_OK);
	assert_string_equal(stored(&table),
	    "postern-tls-reports 1\t20779\t0\n"
	    "d\tone.example\t0\n"
	    "p\ttlsa\t0\t3\tmx1.one.example\t3 1 1 aa\t3 1 1 bb\n"
	    "f\ttlsa-invalid\t1\tmx.example.net\t192.0.2.1\t198.51.100.1\twhy\n"
	    "f\ttlsa-invalid\t2\tmx.example.net\t2001:db8::1\t198.51.100.1\twhy\n"
	    "p\ttlsa\t0\t1\tmx2.one.example\t3 1 1 aa\t3 1 1 bb\n"
	    "f\ttlsa-invalid\t1\tmx.example.net\t2001:db8::1\t198.51.100.1\tother words for the same\n"
	    "p\tsts\t1\t0\tone.example\n"
	    "d\ttwo.example\t0\n"
	    "p\tno-policy-found\t1\t0\ttwo.example\n"
	    "end\n");
}

/* 4: counts may overlap. A policy that could not be renewed spoils no session of the one that is kept. */
static void
beside_a_session(void **state)
{
	struct tlsrpt_session s = session("one.example", TLSRPT_STS, TRANSPORT_STS_POLICY_FETCH_ERROR);

	(void)state;
	s.beside = true;
	tlsrpt_add(&table, &s);
	add("one.example", TLSRPT_STS, TRANSPORT_OK);
	assert_int_equal(table.policies, 1);
	assert_int_equal(table.policy[0].successful, 1);
	assert_int_equal(table.policy[0].failed, 0);
	assert_int_equal(table.failure[table.policy[0].failures].sessions, 1);
}

static void
strangers_words_stay_in_their_line(void **state)
{
	struct tlsrpt_session s = session("one.example", TLSRPT_NO_POLICY, TRANSPORT_VALIDATION_FAILURE);
	char longer[TLSRPT_REASON_MAX + 50];

	(void)state;
	memset(longer, 'x', sizeof longer);
	s.reason = SPAN("a\nb\x1b\xff" "c\tf\tforged");
	tlsrpt_add(&table, &s);
	s.ip = SPAN("192.0.2.2");
	s.reason = (struct span){ (const uint8_t *)longer, sizeof longer };
	tlsrpt_add(&table, &s);
	assert_non_null(strstr(stored(&table), "\ta?b??c\n"));
	assert_null(strstr(text, "forged"));
	tlsrpt_init(&again, key, DAY);
	assert_true(tlsrpt_parse(&again, span_of(text)));
	assert_int_equal(again.failure[1].reason.len, TLSRPT_REASON_MAX);
	/* Names that are stored alike are one, or what is written could not be read. */
	(void)fresh(state);
	add("a\x81.example", TLSRPT_NO_POLICY, TRANSPORT_OK);
	add("a\x82.example", TLSRPT_NO_POLICY, TRANSPORT_OK);
	assert_int_equal(table.domains, 1);
}

/* One domain fills only its own share, and what is not counted is said. */
static void
a_domain_has_its_ceiling(void **state)
{
	struct tlsrpt_session s = session("one.example", TLSRPT_STS, TRANSPORT_OK);
	char words[32];

	(void)state;
	for (unsigned i = 0; i < TLSRPT_OF_DOMAIN_MAX + 5; i++) {
		(void)snprintf(words, sizeof words, "max_age: %u", i);
		s.strings = span_of(words);
		tlsrpt_add(&table, &s);
	}
	assert_int_equal(table.policies, TLSRPT_OF_DOMAIN_MAX);
	assert_int_equal(table.domain[0].missed, 5);
	s = session("two.example", TLSRPT_STS, TRANSPORT_CERTIFICATE_EXPIRED);
	for (unsigned i = 0; i < TLSRPT_OF_POLICY_MAX + 7; i++) {
		(void)snprintf(words, sizeof words, "192.0.2.%u", i);
		s.ip = span_of(words);
		tlsrpt_add(&table, &s);
	}
	/* The sessions are all counted, only seven addresses are not named. */
	assert_int_equal(table.policy[TLSRPT_OF_DOMAIN_MAX].failed, TLSRPT_OF_POLICY_MAX + 7);
	assert_int_equal(table.domain[1].missed, 7);
	assert_int_equal(table.missed, 0);
	tlsrpt_init(&again, key, DAY);
	assert_true(tlsrpt_parse(&again, span_of(stored(&table))));
	assert_int_equal(again.domain[1].missed, 7);
}

static void
the_table_has_its_ceiling(void **state)
{
	char name[64];

	(void)state;
	for (unsigned i = 0; i < TLSRPT_DOMAINS_MAX + 11; i++) {
		(void)snprintf(name, sizeof name, "domain-number-%u.example", i);
		add(name, TLSRPT_NO_POLICY, TRANSPORT_STARTTLS_NOT_SUPPORTED);
	}
	assert_int_equal(table.domains, TLSRPT_DOMAINS_MAX);
	assert_int_equal(table.missed, 11);
	/* Who is in it already is counted on. */
	add("domain-number-0.example", TLSRPT_NO_POLICY, TRANSPORT_OK);
	assert_int_equal(table.policy[0].successful, 1);
}

static void
texts_have_their_ceiling(void **state)
{
	static char strings[3 * TLSRPT_POLICY_MAX];
	struct tlsrpt_session s;
	char name[64];
	unsigned i;

	(void)state;
	memset(strings, 'x', sizeof strings);
	for (i = 5; i < sizeof strings; i += 100)
		strings[i] = '\t';
	for (i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof name, "d%u.example", i);
		s = session(name, TLSRPT_STS, TRANSPORT_OK);
		s.strings = (struct span){ (const uint8_t *)strings, sizeof strings };
		tlsrpt_add(&table, &s);
	}
	assert_true(table.policy[0].strings.len <= TLSRPT_POLICY_MAX && table.policy[0].strings.len > TLSRPT_POLICY_MAX - 101);
	assert_true(table.text_len <= TLSRPT_TEXT_MAX);
	assert_true(table.policies > 900 && table.policies < 1100);
	assert_int_equal(table.domain[table.domains - 1].missed, 1);
}

static void
files_that_are_no_good(void **state)
{
	static const char *const files[] = {
		"", "end\n", "postern-tls-reports 1\t20779\t0\n", "postern-tls-reports 2\t20779\t0\nend\n",
		"postern-tls-reports 1\t20780\t0\nend\n",               /* another day's */
		"postern-tls-reports 1\t20779\t0\nend", "postern-tls-reports 1\t20779\t0\nend\nend\n",
		"postern-tls-reports 1\t20779\t0\nd\tone.example\nend\n", "postern-tls-reports 1\t20779\t0\nd\t\t0\nend\n",
		"postern-tls-reports 1\t20779\t0\nd\ta.example\t0\nd\ta.example\t0\nend\n",
		"postern-tls-reports 1\t20779\t0\np\tsts\t1\t1\ta.example\nend\n",
		"postern-tls-reports 1\t20779\t0\nd\ta.example\t0\nf\ttlsa-invalid\t1\ta\tb\tc\td\nend\n",
		"postern-tls-reports 1\t20779\t0\nd\ta.example\t0\np\tstss\t1\t1\ta.example\nend\n",
		"postern-tls-reports 1\t20779\t0\nd\ta.example\t0\np\tsts\t1\t-1\ta.example\nend\n",
		"postern-tls-reports 1\t20779\t0\nd\ta.example\t0\np\tsts\t1\t1\ta.example\nf\t\t1\ta\tb\tc\td\nend\n",
		"postern-tls-reports 1\t20779\t0\nd\ta.example\t0\np\tsts\t1\t1\ta.example\nf\ttlsa-invalid\t1\ta\tb\tc\td\te\nend\n",
	};

	for (size_t i = 0; i < ROWS(files); i++) {
		(void)fresh(state);
		if (tlsrpt_parse(&table, span_of(files[i])))
			fail_msg("taken: %s", files[i]);
		assert_int_equal(table.domains + table.policies + table.failures, 0);
	}
}

static void
dates(void **state)
{
	static const struct { uint32_t day; const char *date; } rows[] = {
		{ 0, "1970-01-01" }, { 58, "1970-02-28" }, { 59, "1970-03-01" }, { 11016, "2000-02-29" }, { 11017, "2000-03-01" },
		{ DAY, "2026-11-22" }, { 20818, "2026-12-31" }, { 20819, "2027-01-01" }, { 21243, "2028-02-29" }, { 47540, "2100-02-28" },
		{ 47541, "2100-03-01" },
	};
	char date[TLSRPT_DATE + 1], time[TLSRPT_TIME + 1];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		tlsrpt_date(rows[i].day, date);
		assert_string_equal(date, rows[i].date);
	}
	/* rpt-2: 00:00 to 24:00 UTC, RFC 3339. */
	tlsrpt_time(DAY, false, time);
	assert_string_equal(time, "2026-11-22T00:00:00Z");
	tlsrpt_time(DAY, true, time);
	assert_string_equal(time, "2026-11-22T23:59:59Z");
}

/* rpt-4: 5.1, and an id by which a repetition is known (5.3). */
static void
names(void **state)
{
	struct tlsrpt_names n = { DAY, SPAN("example.net"), SPAN("mail.sender.example"), SPAN("tls@sender.example") };
	char id[TLSRPT_NAMES_ROOM], filename[TLSRPT_NAMES_ROOM], other[TLSRPT_NAMES_ROOM];

	(void)state;
	tlsrpt_report_id(&n, id);
	assert_string_equal(id, "2026-11-22.example.net.mail.sender.example@sender.example");
	tlsrpt_filename(&n, filename);
	assert_memory_equal(filename, "sender.example!example.net!1795305600!1795391999!", 49);
	assert_string_equal(filename + 49 + 8, ".json.gz");
	n.host = SPAN("mail2.sender.example");
	tlsrpt_filename(&n, other);
	assert_string_not_equal(filename, other);
	assert_true(span_eq(tlsrpt_submitter(&n), SPAN("sender.example")));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_of_policies), cmocka_unit_test(every_result_type), cmocka_unit_test_setup(rows_are_told_apart, fresh),
		cmocka_unit_test_setup(beside_a_session, fresh), cmocka_unit_test_setup(strangers_words_stay_in_their_line, fresh),
		cmocka_unit_test_setup(a_domain_has_its_ceiling, fresh), cmocka_unit_test_setup(the_table_has_its_ceiling, fresh),
		cmocka_unit_test_setup(texts_have_their_ceiling, fresh), cmocka_unit_test(files_that_are_no_good), cmocka_unit_test(dates),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "mail/trace.h"

static const struct trace plain = {
	.helo = SPAN_INIT("laptop.example.org"), .peer = SPAN_INIT("[192.0.2.7]"), .host = SPAN_INIT("mail.example.org"),
	.id = SPAN_INIT("0123456789ab"), .cipher = SPAN_INIT("TLS_AES_128_GCM_SHA256"), .group = SPAN_INIT("x25519"),
	.recipient = SPAN_INIT("bob@example.com"), .now = UINT64_C(1795341600000), .esmtp = true, .tls = true, .auth = true,
};

static uint8_t room[TRACE_MAX];

static const char *
formatted(const struct trace *t)
{
	struct buf b = BUF_OVER(room);

	assert_true(received_format(t, &b));
	assert_true(buf_terminate(&b));
	return (const char *)room;
}

/* 8314-15, 8314-23, 5321-41, 5321-42 */
static void
received_says_who_how_and_when(void **state)
{
	(void)state;
	assert_string_equal(formatted(&plain),
	    "Received: from laptop.example.org ([192.0.2.7])\r\n"
	    "\tby mail.example.org with ESMTPSA id 0123456789ab\r\n"
	    "\tfor <bob@example.com> tls TLS_AES_128_GCM_SHA256 group x25519;\r\n"
	    "\tSun, 22 Nov 2026 10:00:00 +0000\r\n");
}

/* 5321-37: no for clause with several recipients; 8314-23: group only behind tls. */
static void
clauses_may_be_missing(void **state)
{
	struct trace t = plain;

	(void)state;
	t.recipient = SPAN("");
	assert_non_null(strstr(formatted(&t), "0123456789ab\r\n\ttls TLS_AES_128_GCM_SHA256 group x25519;\r\n\tSun"));
	t.group = SPAN("");
	assert_non_null(strstr(formatted(&t), "\ttls TLS_AES_128_GCM_SHA256;\r\n\tSun"));
	t.cipher = SPAN("");
	t.group = SPAN("x25519");
	t.tls = false;
	assert_non_null(strstr(formatted(&t), "with ESMTPA id 0123456789ab;\r\n\tSun"));
	assert_null(strstr(formatted(&t), "group"));
	t.recipient = SPAN("bob@example.com");
	assert_non_null(strstr(formatted(&t), "\r\n\tfor <bob@example.com>;\r\n\tSun"));
}

/* 6710-1: behind all others, and in one piece. */
static void
a_priority_is_written_down(void **state)
{
	struct trace t = plain;

	(void)state;
	assert_null(strstr(formatted(&t), "PRIORITY"));
	t.priority = -4;
	assert_non_null(strstr(formatted(&t), "group x25519\r\n\tPRIORITY -4;\r\n\tSun"));
	t.group = t.cipher = SPAN("");
	t.priority = 9;
	assert_non_null(strstr(formatted(&t), "\tfor <bob@example.com> PRIORITY 9;\r\n\tSun"));
	t.recipient = SPAN("");
	assert_non_null(strstr(formatted(&t), "0123456789ab\r\n\tPRIORITY 9;\r\n\tSun"));
}

/* 3848-1, 6531-8 */
static void
protocols_have_registered_names(void **state)
{
	static const struct { bool esmtp, tls, auth, utf8; const char *name; } rows[] = {
		{ false, false, false, false, " with SMTP id " }, { true, false, false, false, " with ESMTP id " },
		{ true, false, true, false, " with ESMTPA id " }, { true, true, false, false, " with ESMTPS id " },
		{ true, true, true, false, " with ESMTPSA id " }, { true, false, false, true, " with UTF8SMTP id " },
		{ true, false, true, true, " with UTF8SMTPA id " }, { true, true, false, true, " with UTF8SMTPS id " },
		{ true, true, true, true, " with UTF8SMTPSA id " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct trace t = plain;

		t.esmtp = rows[i].esmtp;
		t.tls = rows[i].tls;
		t.auth = rows[i].auth;
		t.utf8 = rows[i].utf8;
		assert_non_null(strstr(formatted(&t), rows[i].name));
	}
}

/* 5322-1: folded where names allow it, and TRACE_MAX holds the longest of everything. */
static void
long_names_are_folded(void **state)
{
	static uint8_t name[255], path[256];
	struct trace t = plain;
	struct span rest;

	(void)state;
	memset(name, 'n', sizeof name);
	memset(path, 'p', sizeof path);
	t.helo = t.host = (struct span){ name, sizeof name };
	t.recipient = (struct span){ path, sizeof path };
	t.peer = SPAN("[IPv6:2001:0db8:ffff:ffff:ffff:ffff:ffff:ffff]");
	t.utf8 = true;
	rest = span_of(formatted(&t));
	while (!span_done(rest)) {
		struct span line = span_take_until(&rest, '\n');

		span_skip(&rest, 1);
		assert_true(line.len < 998 && line.p[line.len - 1] == '\r');
		/* A line is long only when a single name makes it so. */
		if (line.len > 79)
			assert_true(span_find(line, 'n') < line.len || span_find(line, 'p') < line.len);
	}
}

/* 5321-36: a client may introduce itself by a literal. */
static void
a_literal_may_say_helo(void **state)
{
	struct trace t = plain;

	(void)state;
	t.helo = SPAN("[192.0.2.99]");
	assert_non_null(strstr(formatted(&t), "from [192.0.2.99] ([192.0.2.7])\r\n"));
	t.helo = SPAN("");
	assert_non_null(strstr(formatted(&t), "from [192.0.2.7] ([192.0.2.7])\r\n"));
}

static void
too_little_room_changes_nothing(void **state)
{
	size_t need = strlen(formatted(&plain));

	(void)state;
	for (size_t max = 0; max < need; max++) {
		struct buf b = { room, 0, max };

		assert_false(received_format(&plain, &b));
		assert_int_equal(b.len, 0);
	}
	for (size_t max = 0; max < 31; max++) {
		struct buf b = { room, 0, max };

		assert_false(date_format(plain.now, &b));
		assert_false(message_id_format(plain.id, 1, plain.host, &b));
		assert_int_equal(b.len, 0);
	}
}

/* RFC 5322 3.3; the C library is the judge. */
static void
dates_agree_with_the_library(void **state)
{
	uint64_t second = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++, second += 86400 * 37 + 12347) {
		time_t t = (time_t)second;
		struct tm tm;
		char expected[64], month_on[32];
		uint8_t text[64];
		struct buf b = BUF_OVER(text);

		assert_non_null(gmtime_r(&t, &tm));
		assert_true(strftime(expected, sizeof expected, "%a", &tm) > 0);
		assert_true(strftime(month_on, sizeof month_on, "%b %Y %H:%M:%S +0000", &tm) > 0);
		(void)snprintf(expected + 3, sizeof expected - 3, ", %d %s", tm.tm_mday, month_on);
		assert_true(date_format(second * 1000 + 999, &b) && buf_terminate(&b));
		assert_string_equal((char *)text, expected);
	}
}

static void
days_at_the_edges(void **state)
{
	static const struct { uint64_t ms; const char *text; } rows[] = {
		{ 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ UINT64_C(951782400000), "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ UINT64_C(4107542399999), "Sun, 28 Feb 2100 23:59:59 +0000" },
		{ UINT64_C(4107542400000), "Mon, 1 Mar 2100 00:00:00 +0000" },
		{ UINT64_C(1798761599000), "Thu, 31 Dec 2026 23:59:59 +0000" },
		{ UINT64_C(253402300799999), "Fri, 31 Dec 9999 23:59:59 +0000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t text[64];
		struct buf b = BUF_OVER(text);

		assert_true(date_format(rows[i].ms, &b) && buf_terminate(&b));
		assert_string_equal((char *)text, rows[i].text);
	}
}

/* 5322-5 */
static void
message_ids_are_dot_atoms(void **state)
{
	uint8_t text[128];
	struct buf b = BUF_OVER(text);

	(void)state;
	assert_true(message_id_format(SPAN("0123456789ab"), UINT64_C(0xfedcba9876543210), SPAN("mail.example.org"), &b));
	assert_true(span_eq(buf_span(&b), SPAN("<0123456789ab.fedcba9876543210@mail.example.org>")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(received_says_who_how_and_when),
		cmocka_unit_test(clauses_may_be_missing),
		cmocka_unit_test(a_priority_is_written_down), cmocka_unit_test(protocols_have_registered_names),
		cmocka_unit_test(long_names_are_folded),
		cmocka_unit_test(a_literal_may_say_helo),
		cmocka_unit_test(too_little_room_changes_nothing),
		cmocka_unit_test(dates_agree_with_the_library),
		cmocka_unit_test(days_at_the_edges),
		cmocka_unit_test(message_ids_are_dot_atoms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

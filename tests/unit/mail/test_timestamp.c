/* ids: 4865-2 4865-3 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mail/timestamp.h"

static const struct { const char *text; int64_t seconds; } known[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2026-11-22T10:00:00Z", 1795341600 },
	{ "2026-11-22t10:00:00z", 1795341600 },
	{ "2026-11-22T11:30:00+01:30", 1795341600 },
	{ "2026-11-22T04:59:00-05:01", 1795341600 },
	{ "2026-11-22T10:00:00.0Z", 1795341600 },
	{ "2026-11-22T09:59:59.000001Z", 1795341600 },
	{ "2024-02-29T23:59:60Z", 1709251200 },
	{ "2100-03-01T00:00:00Z", 4107542400 },
	{ "9999-12-31T23:59:59Z", 253402300799 },
};

static const char *const wrong[] = {
	"", "2026", "2026-11-22", "2026-11-22T10:00:00", "2026-11-22 10:00:00Z", "2026-11-22T10:00Z", "2026-11-22T10:00:00ZZ",
	"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-11-31T00:00:00Z", "2026-11-00T00:00:00Z", "2026-02-29T00:00:00Z",
	"2100-02-29T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T10:60:00Z", "2026-11-22T10:00:61Z", "2026-11-22T10:00:00.Z",
	"2026-11-22T10:00:00+1:00", "2026-11-22T10:00:00+24:00", "2026-11-22T10:00:00+01:60", "1969-12-31T23:59:59Z",
	"1970-01-01T00:00:00+00:01", "+026-11-22T10:00:00Z", "2026-1a-22T10:00:00Z",
};

static void
reads(void **state)
{
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (!timestamp_parse(span_of(known[i].text), &ms) || ms != (uint64_t)known[i].seconds * 1000)
			fail_msg("%s", known[i].text);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (timestamp_parse(span_of(wrong[i]), &ms))
			fail_msg("%s", wrong[i]);
}

/* What is written is what the C library says, and is read back. */
static void
writes(void **state)
{
	uint64_t back;

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t seconds = ((uint64_t)rand() * 2147483647u + (uint64_t)rand()) % UINT64_C(253402300800);
		time_t t = (time_t)seconds;
		struct tm tm;
		char text[32], expected[32];
		struct buf out = { (uint8_t *)text, 0, TIMESTAMP_LEN };

		assert_non_null(gmtime_r(&t, &tm));
		assert_int_equal(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &tm), TIMESTAMP_LEN);
		assert_true(timestamp_format(seconds * 1000 + 999, &out));
		assert_memory_equal(text, expected, TIMESTAMP_LEN);
		assert_true(timestamp_parse(buf_span(&out), &back));
		assert_int_equal(back, seconds * 1000);
	}
}

static void
needs_room(void **state)
{
	char text[TIMESTAMP_LEN];
	struct buf out = { (uint8_t *)text, 1, TIMESTAMP_LEN };

	(void)state;
	assert_false(timestamp_format(0, &out));
	assert_int_equal(out.len, 1);
	out.len = 0;
	assert_true(timestamp_format(UINT64_MAX, &out));
	assert_memory_equal(text, "9999-12-31T23:59:59Z", TIMESTAMP_LEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads), cmocka_unit_test(writes), cmocka_unit_test(needs_room) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One event is one line, whatever a stranger puts into it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "os/log.h"

static char line[8192];

static void
write_line(bool json, struct span value)
{
	struct log_line l;
	int fd[2];
	ssize_t n;

	assert_int_equal(pipe(fd), 0);
	log_open(&(struct log_conf){ .json = json, .fd = fd[1], .most = LOG_NOTE }, "test:0");
	log_begin(&l, LOG_NOTE, "try");
	log_span(&l, "value", value);
	log_u64(&l, "n", 42);
	log_end(&l);
	(void)close(fd[1]);
	n = read(fd[0], line, sizeof line - 1);
	assert_true(n > 0);
	line[n] = 0;
	(void)close(fd[0]);
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
}

static void
logfmt_quotes_what_is_not_bare(void **state)
{
	(void)state;
	write_line(false, SPAN("plain"));
	assert_non_null(strstr(line, " event=try value=plain n=42\n"));
	write_line(false, SPAN("a b\"c\\d\r\n\x1b[2J=\xff"));
	assert_non_null(strstr(line, "value=\"a b\\\"c\\\\d\\u000d\\u000a\\u001b[2J=\\u00ff\""));
	write_line(false, SPAN(""));
	assert_non_null(strstr(line, "value=\"\""));
}

static void
json_is_json(void **state)
{
	(void)state;
	write_line(true, SPAN("caf\xc3\xa9 \xc0\x80 \xed\xa0\x80"));
	assert_non_null(strstr(line, "\"event\":\"try\",\"value\":\"caf\xc3\xa9 \\u00c0\\u0080 \\u00ed\\u00a0\\u0080\",\"n\":42}\n"));
	assert_int_equal(line[0], '{');
}

static void
long_values_are_cut_and_full_lines_stay_lines(void **state)
{
	static uint8_t huge[100000];

	(void)state;
	memset(huge, '\r', sizeof huge);
	write_line(false, (struct span){ huge, sizeof huge });
	assert_true(strlen(line) <= LOG_LINE_MAX);
	assert_non_null(strstr(line, "n=42"));
}

/* Two lines of a kind are never nearer than that, and between them they tell of everything. */
static void
a_pause_counts_what_is_not_said(void **state)
{
	struct log_pause p = { 0 };
	uint64_t unsaid = 99;

	(void)state;
	assert_true(log_may(&p, 0, 10, &unsaid));
	assert_int_equal(unsaid, 0);
	assert_false(log_may(&p, 0, 10, &unsaid));
	assert_false(log_may(&p, 9, 10, &unsaid));
	assert_int_equal(p.unsaid, 2);
	assert_true(log_may(&p, 10, 10, &unsaid));
	assert_int_equal(unsaid, 2);
	assert_false(log_may(&p, 19, 10, &unsaid));
	/* From the last one that was said, not from the one that was counted. */
	assert_true(log_may(&p, 100, 10, &unsaid));
	assert_int_equal(unsaid, 1);
	assert_false(log_may(&p, 109, 10, &unsaid));
	assert_true(log_may(&p, 110, 10, &unsaid));
	assert_int_equal(unsaid, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logfmt_quotes_what_is_not_bare),
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(long_values_are_cut_and_full_lines_stay_lines),
		cmocka_unit_test(a_pause_counts_what_is_not_said),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

static void
utf8_is_well_formed_or_not(void **state)
{
	static const struct { const char *text; size_t width; } rows[] = {
		{ "a", 1 }, { "\xc3\xb6", 2 }, { "\xe2\x82\xac", 3 }, { "\xf0\x9f\x98\x80", 4 }, { "\xc2\x80", 2 }, { "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 }, { "\xed\x9f\xbf", 3 }, { "\xee\x80\x80", 3 }, { "\xef\xbf\xbf", 3 }, { "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 }, { "", 0 }, { "\x80", 0 }, { "\xc3", 0 }, { "\xc3" "a", 0 }, { "\xc0\x80", 0 }, { "\xc1\xbf", 0 },
		{ "\xe0\x9f\xbf", 0 }, { "\xed\xa0\x80", 0 }, { "\xe2\x82", 0 }, { "\xe2\x82" "a", 0 }, { "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 }, { "\xf0\x9f\x98", 0 }, { "\xf0\x9f\x98" "a", 0 }, { "\xff", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(utf8_width(span_of(rows[i].text)), rows[i].width);
		assert_int_equal(utf8_valid(span_of(rows[i].text)), rows[i].width > 0 || rows[i].text[0] == '\0');
	}
}

static void
one_octet_of_many_is_found(void **state)
{
	uint8_t text[40];

	(void)state;
	memset(text, 'a', sizeof text);
	for (size_t n = 0; n <= sizeof text; n++) {
		assert_true(utf8_is_ascii((struct span){ text, n }));
		for (size_t at = 0; at < n; at++) {
			text[at] = 0x80;
			assert_false(utf8_is_ascii((struct span){ text, n }));
			text[at] = 'a';
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_well_formed_or_not),
		cmocka_unit_test(one_octet_of_many_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

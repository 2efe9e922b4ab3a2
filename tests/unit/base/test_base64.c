#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

/* RFC 4648 section 10. */
static const struct { const char *octets, *text; } vectors[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

static void
vectors_go_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(vectors); i++) {
		uint8_t room[16];
		struct buf b = BUF_OVER(room);

		assert_true(base64_format(span_of(vectors[i].octets), &b));
		assert_true(span_eq(buf_span(&b), span_of(vectors[i].text)));
		assert_int_equal(b.len, BASE64_LEN(strlen(vectors[i].octets)));
		b.len = 0;
		assert_true(base64_parse(span_of(vectors[i].text), &b));
		assert_true(span_eq(buf_span(&b), span_of(vectors[i].octets)));
	}
}

/* RFC 4954 section 4: what is not strict base64 is refused. */
static void
loose_text_is_refused(void **state)
{
	static const char *const bad[] = {
		"=", "==", "===", "====", "Z", "Zg", "Zg=", "Zg===", "Z===", "=Zg=", "Zg=v", "Zm9v=", "Zm9vZg", "Zm 9v", " Zm9",
		"Zm9v\r\n", "Zm9\n", "Zm9-", "Zm9_", "Zg==Zg==", "Zh==", "Zm9=", "Zm\xc3\xb6=", "*",
	};

	(void)state;
	for (size_t i = 0; i < ROWS(bad); i++) {
		uint8_t room[16];
		struct buf b = BUF_OVER(room);

		assert_false(base64_valid(span_of(bad[i])));
		assert_false(base64_parse(span_of(bad[i]), &b));
		assert_int_equal(b.len, 0);
	}
	assert_false(base64_valid((struct span){ (const uint8_t *)"Zm\0v", 4 }));
}

static void
every_octet_survives(void **state)
{
	uint8_t all[256], text[BASE64_LEN(256)], back[256];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	for (size_t n = 0; n <= 256; n++) {
		struct buf t = BUF_OVER(text), b = BUF_OVER(back);

		assert_true(base64_format((struct span){ all, n }, &t));
		assert_true(base64_valid(buf_span(&t)));
		assert_true(base64_parse(buf_span(&t), &b));
		assert_true(span_eq(buf_span(&b), (struct span){ all, n }));
	}
}

static void
what_does_not_fit_leaves_out_alone(void **state)
{
	uint8_t room[3];
	struct buf b = BUF_OVER(room);

	(void)state;
	assert_false(base64_format(SPAN("f"), &b));
	assert_int_equal(b.len, 0);
	assert_true(base64_parse(SPAN("Zm9v"), &b));
	assert_false(base64_parse(SPAN("Zg=="), &b));
	assert_int_equal(b.len, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_go_both_ways),
		cmocka_unit_test(loose_text_is_refused),
		cmocka_unit_test(every_octet_survives),
		cmocka_unit_test(what_does_not_fit_leaves_out_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

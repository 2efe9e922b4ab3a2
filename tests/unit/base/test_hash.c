/* Places in tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/hash.h"

/* The published vectors of FNV-1a, with the upper bits folded in. */
static void
known_values(void **state)
{
	static const struct { struct span text; uint64_t fnv; } rows[] = {
		{ SPAN_INIT(""), UINT64_C(0xcbf29ce484222325) },
		{ SPAN_INIT("a"), UINT64_C(0xaf63dc4c8601ec8c) },
		{ SPAN_INIT("foobar"), UINT64_C(0x85944171f73967e8) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(hash_of(rows[i].text) == (rows[i].fnv ^ rows[i].fnv >> 29));
		assert_true(hash_of_folded(rows[i].text) == hash_of(rows[i].text));
	}
}

static void
letters_fold(void **state)
{
	(void)state;
	assert_true(hash_of_folded(SPAN("Mail.Example.ORG")) == hash_of(SPAN("mail.example.org")));
	assert_true(hash_of(SPAN("Mail.Example.ORG")) != hash_of(SPAN("mail.example.org")));
	/* Only letters of ASCII. */
	assert_true(hash_of_folded(SPAN("\xc3\x84@[")) == hash_of(SPAN("\xc3\x84@[")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(known_values), cmocka_unit_test(letters_fold) };

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}

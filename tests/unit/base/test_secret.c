#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret.h"

static void
a_wiped_secret_is_zeros(void **state)
{
	static const struct secret empty;
	struct secret s;

	(void)state;
	assert_true(secret_set(&s, SPAN("correct horse")));
	assert_int_equal(s.len, 13);
	secret_wipe(&s);
	assert_memory_equal(&s, &empty, sizeof s);
}

static void
one_octet_too_many_is_refused(void **state)
{
	static uint8_t octets[SECRET_MAX + 1];
	struct secret s;

	(void)state;
	assert_true(secret_set(&s, (struct span){ octets, SECRET_MAX }));
	assert_int_equal(s.len, SECRET_MAX);
	assert_false(secret_set(&s, (struct span){ octets, SECRET_MAX + 1 }));
	assert_int_equal(s.len, 0);
	assert_true(secret_set(&s, SPAN("")));
}

static void
equality_sees_every_octet(void **state)
{
	uint8_t a[64] = { 0 }, b[64] = { 0 };

	(void)state;
	assert_true(secret_equal((struct span){ a, 64 }, (struct span){ b, 64 }));
	for (size_t i = 0; i < sizeof a; i++) {
		b[i] = 128;
		assert_false(secret_equal((struct span){ a, 64 }, (struct span){ b, 64 }));
		b[i] = 0;
	}
	assert_false(secret_equal((struct span){ a, 63 }, (struct span){ b, 64 }));
	assert_true(secret_equal(span_of(NULL), SPAN("")));
	/* A password is case-sensitive and may hold a NUL. */
	assert_false(secret_equal(SPAN("A"), SPAN("a")));
	assert_false(secret_equal(SPAN("a\0b"), SPAN("a\0c")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wiped_secret_is_zeros),
		cmocka_unit_test(one_octet_too_many_is_refused),
		cmocka_unit_test(equality_sees_every_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* RFC 2782: SRV records as they come, whole and cut anywhere. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "dns/srv.h"

static const uint8_t wire[] = "\0\12\0\1\1\321\4mail\7example\3org";

static void
a_record_is_taken(void **state)
{
	struct srv_record r;

	(void)state;
	assert_true(srv_record_parse((struct span){ wire, sizeof wire }, &r));
	assert_int_equal(r.priority, 10);
	assert_int_equal(r.weight, 1);
	assert_int_equal(r.port, 465);
	assert_string_equal(r.target, "mail.example.org");
}

/* 6186-1: decidedly not there. */
static void
the_root_is_no_target(void **state)
{
	struct srv_record r;

	(void)state;
	assert_true(srv_record_parse((struct span){ (const uint8_t *)"\0\0\0\0\0\0", 7 }, &r));
	assert_string_equal(r.target, "");
}

static void
what_is_cut_or_longer_is_none(void **state)
{
	struct srv_record r;
	uint8_t longer[sizeof wire + 1] = { 0 };

	(void)state;
	for (size_t n = 0; n < sizeof wire; n++)
		assert_false(srv_record_parse((struct span){ wire, n }, &r));
	memcpy(longer, wire, sizeof wire);
	assert_false(srv_record_parse((struct span){ longer, sizeof longer }, &r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_taken),
		cmocka_unit_test(the_root_is_no_target),
		cmocka_unit_test(what_is_cut_or_longer_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is an address and what a name, and what is said when nobody answers at a control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "os/address.h"
#include "os/control.h"

static void
test_numeric(void **state)
{
	static const char *const addresses[] = { "192.0.2.1", "0.0.0.0", "2001:db8::1", "::", "::ffff:192.0.2.1" };
	static const char *const names[] = { "", "192.0.2", "192.0.2.256", "192.0.2.1 ", "[::1]", "fe80::1%lo", "mail.example.org", "1" };

	(void)state;
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
		assert_true(address_is_numeric(addresses[i]));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_false(address_is_numeric(names[i]));
}

static void
test_nobody_answers(void **state)
{
	static const char path[] = "/nonexistent/control";
	char words[200], longest[300];
	struct buf why = BUF_OVER(words);

	(void)state;
	assert_int_equal(control_connect(path), -1);
	control_why(path, &why);
	assert_string_equal(words, "the server is not running (no answer at /nonexistent/control)");
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	why.len = 0;
	assert_int_equal(control_connect(longest), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	/* Too long for the words too: they end where there is room no more. */
	control_why(longest, &why);
	assert_memory_equal(words, strerror(ENAMETOOLONG), strlen(strerror(ENAMETOOLONG)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_numeric), cmocka_unit_test(test_nobody_answers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

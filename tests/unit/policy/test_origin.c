/* policy/origin.h: addresses to networks and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/origin.h"

static void
networks(void **state)
{
	static const struct { const char *address, *network; } rows[] = {
		{ "198.51.100.7", "198.51.100.0/24" }, { "0.0.0.0", "0.0.0.0/24" }, { "255.255.255.255", "255.255.255.0/24" },
		{ "2001:db8:17:9::1", "2001:db8:17::/48" }, { "2001:db8::", "2001:db8:0::/48" }, { "::1", "0:0:0::/48" },
		{ "2001:DB8:A:1:2:3:4:5", "2001:db8:a::/48" }, { "fe80::1%eth0", "fe80:0:0::/48" },
		{ "::ffff:198.51.100.7", "198.51.100.0/24" }, { "::ffff:c633:6407", "198.51.100.0/24" },
		{ "1:2:3:4:5:6:7::", "1:2:3::/48" }, { "::2:3:4:5:6:7:8", "0:2:3::/48" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t text[ORIGIN_TEXT_MAX];
		struct buf b = BUF_OVER(text);
		uint64_t n = origin_network(span_of(rows[i].address));

		assert_true(n != ORIGIN_UNKNOWN && origin_format(n, &b));
		if (!span_eq(buf_span(&b), span_of(rows[i].network)))
			fail_msg("%s: %.*s", rows[i].address, (int)b.len, text);
	}
}

static void
what_is_no_address(void **state)
{
	static const char *const rows[] = { "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "alice", ":", ":::", "1::2::3", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "::g", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::", "::1.2.3", "1:" };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (origin_network(span_of(rows[i])) != ORIGIN_UNKNOWN)
			fail_msg("\"%s\" is taken for an address", rows[i]);
}

static void
this_machine(void **state)
{
	(void)state;
	assert_true(origin_is_here(origin_network(SPAN("127.0.0.1"))) && origin_is_here(origin_network(SPAN("::1"))));
	assert_true(origin_is_here(origin_network(SPAN("::ffff:127.0.0.9"))));
	assert_false(origin_is_here(origin_network(SPAN("127.0.1.1"))));
	assert_false(origin_is_here(ORIGIN_UNKNOWN));
}

static void
regions(void **state)
{
	(void)state;
	assert_true(origin_region(origin_network(SPAN("192.0.2.1"))) == origin_region(origin_network(SPAN("192.0.77.9"))));
	assert_true(origin_region(origin_network(SPAN("192.0.2.1"))) != origin_region(origin_network(SPAN("192.1.2.1"))));
	assert_true(origin_region(origin_network(SPAN("2001:db8:1::1"))) == origin_region(origin_network(SPAN("2001:db8:2::1"))));
	assert_true(origin_region(origin_network(SPAN("2001:db8:1::1"))) != origin_region(origin_network(SPAN("2001:db9:1::1"))));
}

static void
clients(void **state)
{
	(void)state;
	assert_true(origin_client(SPAN("laptop"), 1) == origin_client(SPAN("LAPTOP"), 1));
	assert_true(origin_client(SPAN("laptop"), 1) != origin_client(SPAN("laptop"), 4));
	assert_true(origin_client(SPAN("laptop"), 1) != origin_client(SPAN("phone"), 1));
	assert_true(origin_client(SPAN("[192.168.1.2]"), 1) == origin_client(SPAN("[IPv6:fe80::1]"), 1));
	assert_true(origin_client(SPAN(""), 0) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks), cmocka_unit_test(what_is_no_address), cmocka_unit_test(this_machine), cmocka_unit_test(regions),
		cmocka_unit_test(clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What somebody speaks who has just connected: a table, and the rule that any split tells the same. urd-2 urd-4 8314-1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/first_octets.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static const struct {
	struct span seen;
	enum first_octets open, over;   /* when more may come, and when not */
} table[] = {
	{ SPAN_INIT(""), FIRST_UNDECIDED, FIRST_NOTHING },
	/* TLS: every version since SSL 3.0 begins alike, and one octet is enough, since it must stay where it is. */
	{ SPAN_INIT("\x16"), FIRST_TLS, FIRST_TLS },
	{ SPAN_INIT("\x16\x03\x00\x00\x2d\x01"), FIRST_TLS, FIRST_TLS },
	{ SPAN_INIT("\x16\x03\x03\x02\x00\x01\x00\x01\xfc\x03\x03"), FIRST_TLS, FIRST_TLS },
	{ SPAN_INIT("\x80\x2e\x01\x03\x01\x00\x15"), FIRST_SSL2, FIRST_SSL2 },
	{ SPAN_INIT("\x80\x2e\x01\x00\x02"), FIRST_SSL2, FIRST_SSL2 },
	{ SPAN_INIT("\x80\x2e\x01"), FIRST_UNDECIDED, FIRST_OTHER },
	{ SPAN_INIT("\x80\x2e\x02"), FIRST_OTHER, FIRST_OTHER },
	{ SPAN_INIT("\x80\x2e\x01\x07"), FIRST_OTHER, FIRST_OTHER },
	{ SPAN_INIT("\x15\x03\x01\x00\x02\x02\x28"), FIRST_OTHER, FIRST_OTHER },
	/* SMTP */
	{ SPAN_INIT("E"), FIRST_UNDECIDED, FIRST_OTHER },
	{ SPAN_INIT("EHLO"), FIRST_UNDECIDED, FIRST_SMTP },
	{ SPAN_INIT("EHLO laptop\r\n"), FIRST_SMTP, FIRST_SMTP },
	{ SPAN_INIT("helo laptop\r\n"), FIRST_SMTP, FIRST_SMTP },
	{ SPAN_INIT("QUIT\r\n"), FIRST_SMTP, FIRST_SMTP },
	{ SPAN_INIT("quit\n"), FIRST_SMTP, FIRST_SMTP },
	{ SPAN_INIT("STARTTLS\r\n"), FIRST_SMTP, FIRST_SMTP },
	{ SPAN_INIT("EHLOX laptop\r\n"), FIRST_OTHER, FIRST_OTHER },
	{ SPAN_INIT("EHLO/1.0\r\n"), FIRST_OTHER, FIRST_OTHER },
	/* HTTP */
	{ SPAN_INIT("GET "), FIRST_UNDECIDED, FIRST_HTTP },
	{ SPAN_INIT("GET / HTTP/1.1\r\n"), FIRST_HTTP, FIRST_HTTP },
	{ SPAN_INIT("GET /index.html"), FIRST_UNDECIDED, FIRST_HTTP },
	{ SPAN_INIT("get / HTTP/1.1\r\n"), FIRST_OTHER, FIRST_OTHER },
	{ SPAN_INIT("HEAD / HTTP/1.0\r\n"), FIRST_HTTP, FIRST_HTTP },
	{ SPAN_INIT("POST "), FIRST_HTTP, FIRST_HTTP },
	{ SPAN_INIT("OPTIONS * HTTP/1.1\r\n"), FIRST_HTTP, FIRST_HTTP },
	{ SPAN_INIT("CONNECT mail.example.org:465 HTTP/1.1\r\n"), FIRST_HTTP, FIRST_HTTP },
	{ SPAN_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), FIRST_HTTP, FIRST_HTTP },
	{ SPAN_INIT("GETX / HTTP/1.1\r\n"), FIRST_OTHER, FIRST_OTHER },
	/* URD */
	{ SPAN_INIT("GET /urd?group=232.1.1.1&source=192.0.2.1& HTTP/1.0\r\n"), FIRST_URD, FIRST_URD },
	{ SPAN_INIT("GET /urd?source=192.0.2.1&group=232.1.1.1"), FIRST_URD, FIRST_URD },
	{ SPAN_INIT("GET /urd?group=232.1.1.1"), FIRST_UNDECIDED, FIRST_HTTP },
	{ SPAN_INIT("GET /urd?group=232.1.1.1 HTTP/1.0\r\nCookie: source=1\r\n"), FIRST_HTTP, FIRST_HTTP },
	{ SPAN_INIT("GET /group=1&source=2 HTTP/1.0\r\n"), FIRST_HTTP, FIRST_HTTP },
	{ SPAN_INIT("POST /urd?group=232.1.1.1&source=192.0.2.1 HTTP/1.0\r\n"), FIRST_HTTP, FIRST_HTTP },
	/* PROXY */
	{ SPAN_INIT(V2), FIRST_PROXY, FIRST_PROXY },
	{ SPAN_INIT("\r\n\r\n"), FIRST_UNDECIDED, FIRST_OTHER },
	{ SPAN_INIT("\r\n\r\nE"), FIRST_OTHER, FIRST_OTHER },
	{ SPAN_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), FIRST_PROXY, FIRST_PROXY },
	{ SPAN_INIT("PROXY"), FIRST_UNDECIDED, FIRST_OTHER },
	{ SPAN_INIT("PROXYX TCP4"), FIRST_OTHER, FIRST_OTHER },
	/* Whoever is lost altogether */
	{ SPAN_INIT("SSH-2.0-OpenSSH_9.2\r\n"), FIRST_OTHER, FIRST_OTHER },
	{ SPAN_INIT("a1 LOGIN alice secret\r\n"), FIRST_OTHER, FIRST_OTHER },
	{ SPAN_INIT("\x05\x01"), FIRST_OTHER, FIRST_OTHER },
	{ SPAN_INIT("\0"), FIRST_OTHER, FIRST_OTHER },
	{ SPAN_INIT("abcdefghijklmnopq"), FIRST_UNDECIDED, FIRST_OTHER },
	{ SPAN_INIT("abcdefghijklmnopqr"), FIRST_OTHER, FIRST_OTHER },
};

static void
the_table_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (first_octets_tell(table[i].seen, false) != table[i].open || first_octets_tell(table[i].seen, true) != table[i].over)
			fail_msg("row %zu: told %u and %u", i, first_octets_tell(table[i].seen, false),
			    first_octets_tell(table[i].seen, true));
	}
}

/* Octet by octet, what is told first is what is told in the end. */
static void
any_split_tells_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		enum first_octets first = FIRST_UNDECIDED;

		for (size_t n = 0; n <= table[i].seen.len && first == FIRST_UNDECIDED; n++)
			first = first_octets_tell(span_head(table[i].seen, n), false);
		assert_int_equal(first, table[i].open);
	}
}

static void
five_hundred_octets_are_enough(void **state)
{
	uint8_t endless[FIRST_OCTETS_MAX + 100];
	size_t most = FIRST_OCTETS_MAX;

	(void)state;
	memset(endless, 'a', sizeof endless);
	memcpy(endless, "GET /", 5);
	assert_int_equal(first_octets_tell((struct span){ endless, most - 1 }, false), FIRST_UNDECIDED);
	assert_int_equal(first_octets_tell((struct span){ endless, most }, false), FIRST_HTTP);
	/* What lies behind the ceiling is not looked at. */
	memcpy(endless + most, "?group=1&source=2", 17);
	assert_int_equal(first_octets_tell((struct span){ endless, sizeof endless }, false), FIRST_HTTP);
}

/* IANA's HTTP Method Registry of 2026-06-17, but for "*". */
static void
every_registered_method_is_http(void **state)
{
	static const char *const methods[] = { "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET",
		"HEAD", "LABEL", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "OPTIONS",
		"ORDERPATCH", "PATCH", "POST", "PRI", "PROPFIND", "PROPPATCH", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "TRACE", "UNBIND",
		"UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL" };

	(void)state;
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		uint8_t line[64];
		size_t n = strlen(methods[i]);

		memcpy(line, methods[i], n);
		memcpy(line + n, " / HTTP/1.1\r\n", 13);
		for (size_t k = 1; k <= n; k++) {
			assert_int_equal(first_octets_tell((struct span){ line, k }, false), FIRST_UNDECIDED);
			assert_false(http_begins((struct span){ line, k }));
		}
		if (first_octets_tell((struct span){ line, n + 13 }, false) != FIRST_HTTP || !http_begins((struct span){ line, n + 1 }))
			fail_msg("%s", methods[i]);
		line[0] |= 0x20;        /* RFC 9110 9.1: case matters */
		assert_false(http_begins((struct span){ line, n + 13 }));
	}
}

static void
a_request_line_of_any_method(void **state)
{
	(void)state;
	assert_true(http_is_request(SPAN("TRACK / HTTP/1.1")) && http_is_request(SPAN("foo * HTTP/1.0")) && http_is_request(SPAN("X / HTTP/2")));
	assert_true(http_is_request(SPAN("HELP / HTTP/1.1")));
	assert_false(http_is_request(SPAN("EHLO laptop")) || http_is_request(SPAN("X / HTTP/")) || http_is_request(SPAN("X / HTTP/1.1x")));
	assert_false(http_is_request(SPAN("X / http/1.1")) || http_is_request(SPAN("X /HTTP/1.1")) || http_is_request(SPAN(" HTTP/1.1")));
	assert_false(http_is_request(SPAN("")) || http_is_request(SPAN("X / HTTP/1a1")) || http_is_request(SPAN("X / HTTP/11.1")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_told),
		cmocka_unit_test(any_split_tells_the_same),
		cmocka_unit_test(five_hundred_octets_are_enough),
		cmocka_unit_test(every_registered_method_is_http),
		cmocka_unit_test(a_request_line_of_any_method),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where a domain wants its reports (RFC 8460 3). rpt-1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/public_address.h"
#include "policy/tlsrpt_record.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

/* "mailto a@b", "https host:port/path", one after the other; "-" for a record that is none. */
static const char *
told(const char *txt)
{
	static char out[4096];
	struct tlsrpt_record r;
	size_t at = 0;

	out[0] = 0;
	if (!tlsrpt_record_parse(span_of(txt), &r))
		return "-";
	for (uint32_t i = 0; i < r.uris; i++) {
		const struct tlsrpt_uri *u = &r.uri[i];

		if (u->scheme == TLSRPT_MAILTO)
			at += (size_t)snprintf(out + at, sizeof out - at, "mailto %s ", u->to);
		else
			at += (size_t)snprintf(out + at, sizeof out - at, "https %s:%u%s ", u->to, u->port, u->path);
	}
	(void)snprintf(out + at, sizeof out - at, "+%u", r.passed_over);
	return out;
}

static void
records(void **state)
{
	static const struct { const char *txt, *told; } rows[] = {
		/* 3.1's examples */
		{ "v=TLSRPTv1;rua=mailto:reports@example.com", "mailto reports@example.com +0" },
		{ "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", "https reporting.example.com:443/v1/tlsrpt +0" },
		{ "v=TLSRPTv1;rua=mailto:a@example.com,https://b.example/", "mailto a@example.com https b.example:443/ +0" },
		{ "v=TLSRPTv1 ; rua=mailto:a@example.com \t,\t mailto:b@example.com ;", "mailto a@example.com mailto b@example.com +0" },
		{ "v=TLSRPTv1;rua=mailto:a@example.com; ", "mailto a@example.com +0" },
		/* what is not known is passed over, be it a field or a scheme */
		{ "v=TLSRPTv1;x-new=1;rua=mailto:a@example.com;ruf=mailto:b@example.com", "mailto a@example.com +0" },
		{ "v=TLSRPTv1;rua=ftp://example.com/,mailto:a@example.com,http://example.com/", "mailto a@example.com +2" },
		{ "v=TLSRPTv1;rua=gopher:x", "+1" },
		{ "v=TLSRPTv1;rua=", "+0" },
		{ "v=TLSRPTv1;rua=mailto:a@example.com;rua=mailto:b@example.com", "mailto a@example.com +0" },
		{ "v=TLSRPTv1;rua=mailto:a@e.example,mailto:b@e.example,mailto:c@e.example,mailto:d@e.example,mailto:e@e.example",
		  "mailto a@e.example mailto b@e.example mailto c@e.example mailto d@e.example +1" },
		{ "v=TLSRPTv1;rua=mailto:a@example.com,mailto:a@example.com", "mailto a@example.com +1" },
		/* no record */
		{ "", "-" }, { "v=TLSRPTv1", "-" }, { "v=TLSRPTv1;", "-" }, { "v=tlsrptv1;rua=mailto:a@example.com", "-" },
		{ "v=TLSRPTv2;rua=mailto:a@example.com", "-" }, { "v=TLSRPTv1x;rua=mailto:a@example.com", "-" },
		{ " v=TLSRPTv1;rua=mailto:a@example.com", "-" }, { "v=TLSRPTv1;RUA=mailto:a@example.com", "-" },
		{ "v=TLSRPTv1;rua", "-" }, { "v=TLSRPTv1;=x;rua=mailto:a@example.com", "-" }, { "v=TLSRPTv1;x y=1;rua=mailto:a@example.com", "-" },
		{ "v=TLSRPTv1;;rua=mailto:a@example.com", "-" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		assert_string_equal(told(rows[i].txt), rows[i].told);
}

static void
uris(void **state)
{
	static const struct { const char *uri, *told; } rows[] = {
		/* RFC 6068 */
		{ "MAILTO:a@example.com", "mailto a@example.com +0" },
		{ "mailto:a%21c@example.com?subject=x", "mailto a!c@example.com +0" }, { "mailto:a%2Cb@example.com", "+1" },
		{ "mailto:%22a%3Bb%22@example.com", "mailto \"a;b\"@example.com +0" },
		{ "mailto:a", "+1" }, { "mailto:", "+1" }, { "mailto:a@example.com%0D%0ABcc:x@example.com", "+1" },
		{ "mailto:a@example.com%2Cb@example.com", "+1" }, { "mailto:a%2", "+1" }, { "mailto:a%zz@example.com", "+1" },
		{ "mailto:%C3%A4@example.com", "+1" }, { "mailto:<a@example.com>", "+1" },
		/* RFC 3986 */
		{ "HTTPS://Reports.Example.COM", "https reports.example.com:443/ +0" },
		{ "https://r.example.com:8443/a/b?c=d&e=f#g", "https r.example.com:8443/a/b?c=d&e=f +0" },
		{ "https://r.example.com?x", "https r.example.com:443/?x +0" },
		{ "https://xn--bcher-kva.example/", "https xn--bcher-kva.example:443/ +0" },
		{ "https://", "+1" }, { "https:///path", "+1" }, { "https://user@r.example.com/", "+1" }, { "https://r.example.com:0/", "+1" },
		{ "https://r.example.com:65536/", "+1" }, { "https://r.example.com:44x/", "+1" }, { "https://localhost/", "+1" },
		{ "https://192.0.2.1/", "+1" }, { "https://[2001:db8::1]/", "+1" }, { "https://a..b/", "+1" }, { "https://a.b./", "https a.b.:443/ +0" },
		{ "https://r.example.com/a b", "+1" }, { "https://r.example.com/a\"b", "+1" }, { "https://r.example.com:443@evil.example/", "+1" },
	};
	char txt[256], path[700];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		(void)snprintf(txt, sizeof txt, "v=TLSRPTv1;rua=%s", rows[i].uri);
		assert_string_equal(told(txt), rows[i].told);
	}
	memset(path, 'x', sizeof path);
	memcpy(path, "v=TLSRPTv1;rua=https://r.example/", 33);
	path[sizeof path - 1] = 0;
	assert_string_equal(told(path), "+1");
}

/* Where a stranger's record may not lead us. */
static void
addresses(void **state)
{
	static const struct { bool v6; uint8_t octets[16]; bool public; } rows[] = {
		{ false, { 8, 8, 8, 8 }, true }, { false, { 172, 15, 0, 1 }, true }, { false, { 172, 32, 0, 1 }, true },
		{ false, { 223, 255, 255, 1 }, true }, { false, { 127, 0, 0, 1 }, false }, { false, { 10, 1, 2, 3 }, false },
		{ false, { 172, 16, 0, 1 }, false }, { false, { 172, 31, 255, 255 }, false }, { false, { 192, 168, 1, 1 }, false },
		{ false, { 169, 254, 169, 254 }, false }, { false, { 100, 64, 0, 1 }, false }, { false, { 0, 0, 0, 0 }, false },
		{ false, { 224, 0, 0, 1 }, false }, { false, { 255, 255, 255, 255 }, false },
		{ true, { 0x2a, 0x00, 1 }, true }, { true, { 0x24, 0x04, 0x68 }, true }, { true, { [15] = 1 }, false }, { true, { 0 }, false },
		{ true, { 0xfe, 0x80 }, false }, { true, { 0xfd }, false }, { true, { 0xff, 2 }, false },
		{ true, { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 }, false }, { true, { 0, 0x64, 0xff, 0x9b, [12] = 10 }, false },
		{ true, { 0x20, 0x02, 127 }, false }, { true, { 0x20, 0x01, 0x0d, 0xb8 }, false }, { true, { 0x20, 0x01, 0, 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		assert_int_equal(address_is_public(rows[i].v6, rows[i].octets), rows[i].public);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(records), cmocka_unit_test(uris), cmocka_unit_test(addresses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

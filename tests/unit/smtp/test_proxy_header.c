/* Version 2 of the PROXY protocol (proxy-protocol.txt 2.2): vectors, everything malformed, any split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "smtp/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* From 192.0.2.10:56324, and from [2001:db8::7]:56324, to port 465. */
#define ENDS4 "\xc0\x00\x02\x0a\xc0\x00\x02\x01\xdc\x04\x01\xd1"
#define ENDS6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xdc\x04\x01\xd1"
#define NOOP "\x04\x00\x02" "ab"

struct seen { struct proxy_header p; enum proxy_step step; size_t used; };

/* In pieces of that size; 0: as somebody reads who must not read behind it. */
static struct seen
feed(struct span in, size_t piece)
{
	struct seen s = { .step = PROXY_MORE };

	proxy_header_init(&s.p);
	while (s.step == PROXY_MORE && in.len > 0) {
		size_t used, wants = proxy_header_wants(&s.p), n = piece == 0 ? wants : piece;

		assert_true(wants > 0);
		n = n < in.len ? n : in.len;
		s.step = proxy_header_feed(&s.p, span_head(in, n), &used);
		assert_true(used <= n && (piece != 0 || used == n || s.step == PROXY_BAD) && (s.step != PROXY_MORE || used == n));
		span_skip(&in, used);
		s.used += used;
	}
	assert_int_equal(s.step == PROXY_MORE, proxy_header_wants(&s.p) > 0);
	return s;
}

/* Every split gives the same; four octets of TLS behind it stay. */
static struct seen
feed_any(struct span header)
{
	static uint8_t octets[PROXY_HEADER_MAX + 100];
	struct buf b = BUF_OVER(octets);
	struct seen whole;

	assert_true(buf_put(&b, header) && buf_put(&b, SPAN("\x16\x03\x01\x02")));
	whole = feed(buf_span(&b), b.len);
	for (size_t piece = 0; piece < 40; piece++) {
		struct seen s = feed(buf_span(&b), piece);

		assert_int_equal(s.step, whole.step);
		assert_ptr_equal(s.p.why, whole.p.why);
		assert_int_equal(s.p.client, whole.p.client);
		assert_memory_equal(s.p.address, whole.p.address, sizeof s.p.address);
	}
	if (whole.step == PROXY_DONE)
		assert_int_equal(whole.used, header.len);
	return whole;
}

/* A header around a block; cut or lengthened it is not. */
static struct span
header(uint8_t command, uint8_t family, struct span block)
{
	static uint8_t octets[PROXY_HEADER_MAX + 1];
	struct buf b = BUF_OVER(octets);

	assert_true(buf_put(&b, SPAN(SIGNATURE)) && buf_put_byte(&b, command) && buf_put_byte(&b, family) &&
	    buf_put_byte(&b, (uint8_t)(block.len >> 8)) && buf_put_byte(&b, (uint8_t)block.len) && buf_put(&b, block));
	return buf_span(&b);
}

static void
the_clients_address_is_read(void **state)
{
	struct seen s = feed_any(header(0x21, 0x11, SPAN(ENDS4)));

	(void)state;
	assert_int_equal(s.step, PROXY_DONE);
	assert_int_equal(s.p.client, PROXY_IPV4);
	assert_memory_equal(s.p.address, "\xc0\x00\x02\x0a", 4);
	s = feed_any(header(0x21, 0x21, SPAN(ENDS6)));
	assert_int_equal(s.step, PROXY_DONE);
	assert_int_equal(s.p.client, PROXY_IPV6);
	assert_memory_equal(s.p.address, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16);
}

/* What the proxy says of itself, or cannot say, is no client's address; its block need not make sense. */
static void
a_proxy_may_speak_for_itself(void **state)
{
	static const struct { uint8_t command, family; struct span block; } rows[] = {
		{ 0x20, 0x00, SPAN_INIT("") },
		{ 0x20, 0x11, SPAN_INIT(ENDS4) },
		{ 0x20, 0x21, SPAN_INIT(ENDS6 NOOP) },
		{ 0x20, 0x11, SPAN_INIT("short") },
		{ 0x20, 0xff, SPAN_INIT("whatever it is") },
		{ 0x20, 0x00, SPAN_INIT("\x04\xff\xff and no more") },
		{ 0x21, 0x00, SPAN_INIT("") },
		{ 0x21, 0x00, SPAN_INIT(NOOP NOOP) },
		{ 0x21, 0x00, SPAN_INIT("\x01\x02") },
	};
	uint8_t sockets[216] = { 'a' };
	struct seen s;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		s = feed_any(header(rows[i].command, rows[i].family, rows[i].block));
		if (s.step != PROXY_DONE || s.p.client != PROXY_OWN)
			fail_msg("row %zu: %s", i, s.p.why != NULL ? s.p.why : "believed");
	}
	s = feed_any(header(0x21, 0x31, (struct span){ sockets, sizeof sockets }));
	assert_true(s.step == PROXY_DONE && s.p.client == PROXY_OWN);
}

static void
malformed_headers_are_named(void **state)
{
	static const struct { uint8_t command, family; struct span block; const char *why; } rows[] = {
		{ 0x11, 0x11, SPAN_INIT(ENDS4), "its version is not 2" },
		{ 0x31, 0x11, SPAN_INIT(ENDS4), "its version is not 2" },
		{ 0x22, 0x11, SPAN_INIT(ENDS4), "its command is neither LOCAL nor PROXY" },
		{ 0x21, 0x10, SPAN_INIT(ENDS4), "its address family or transport is unknown" },
		{ 0x21, 0x41, SPAN_INIT(ENDS4), "its address family or transport is unknown" },
		{ 0x21, 0x12, SPAN_INIT(ENDS4), "it speaks of datagrams, and this is a TCP connection" },
		{ 0x21, 0x22, SPAN_INIT(ENDS6), "it speaks of datagrams, and this is a TCP connection" },
		{ 0x21, 0x11, SPAN_INIT("\xc0\x00\x02\x0a\xc0\x00\x02\x01\xdc\x04\x01"), "it is too short for its addresses" },
		{ 0x21, 0x21, SPAN_INIT(ENDS4), "it is too short for its addresses" },
		{ 0x21, 0x11, SPAN_INIT(ENDS4 "\x04"), "there are octets behind its last TLV" },
		{ 0x21, 0x11, SPAN_INIT(ENDS4 NOOP "\x04\x00"), "there are octets behind its last TLV" },
		{ 0x21, 0x11, SPAN_INIT(ENDS4 "\x04\x00\x03" "ab"), "a TLV is longer than what is left of it" },
		{ 0x21, 0x11, SPAN_INIT(ENDS4 "\x04\xff\xff" "ab"), "a TLV is longer than what is left of it" },
		{ 0x21, 0x11, SPAN_INIT(ENDS4 "\x03\x00\x02" "ab"), "its CRC32c is not four octets, or comes twice" },
		{ 0x21, 0x11, SPAN_INIT(ENDS4 "\x03\x00\x04" "abcd"), "its CRC32c is wrong" },
		{ 0x20, 0x00, SPAN_INIT("\x03\x00\x04" "abcd"), "its CRC32c is wrong" },
		{ 0x21, 0x11, SPAN_INIT(ENDS4 "\x03\x00\x04" "abcd" "\x03\x00\x04" "abcd"), "its CRC32c is not four octets, or comes twice" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct seen s = feed_any(header(rows[i].command, rows[i].family, rows[i].block));

		if (s.step != PROXY_BAD || strcmp(s.p.why, rows[i].why) != 0 || s.p.absent || s.p.version_1)
			fail_msg("row %zu: %s", i, s.p.why != NULL ? s.p.why : "believed");
	}
}

/* The sum over the header with the sum's own octets as zeros (2.2.3); one flipped bit anywhere is seen. */
static void
the_checksum_is_verified(void **state)
{
	uint8_t octets[PROXY_FIXED + 12 + 5 + 7];
	struct span h = header(0x21, 0x11, SPAN(ENDS4 NOOP "\x03\x00\x04" "\x13\xac\x7d\xdd"));
	unsigned caught = 0;

	(void)state;
	assert_int_equal(feed_any(h).step, PROXY_DONE);
	assert_int_equal(h.len, sizeof octets);
	for (size_t bit = 0; bit < 8 * sizeof octets; bit++) {
		memcpy(octets, h.p, sizeof octets);
		octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
		caught += feed((struct span){ octets, sizeof octets }, 0).step != PROXY_DONE;
	}
	/* But where the TLV's type is another one, then there is no sum, or its command, then nothing else counts. */
	assert_true(caught >= 8 * sizeof octets - 9);
}

static void
what_is_no_header_is_seen_at_once(void **state)
{
	static const struct { struct span in; bool absent, version_1; } rows[] = {
		{ SPAN_INIT("\x16\x03\x01"), true, false },
		{ SPAN_INIT("EHLO"), true, false },
		{ SPAN_INIT("PROST"), true, false },
		{ SPAN_INIT("\r\n\r\nQ"), true, false },
		{ SPAN_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct seen s = feed_any(rows[i].in);

		if (s.step != PROXY_BAD || s.p.absent != rows[i].absent || s.p.version_1 != rows[i].version_1)
			fail_msg("row %zu", i);
	}
	assert_int_equal(feed(SPAN("\x16"), 1).step, PROXY_BAD);
}

static void
the_ceiling_holds(void **state)
{
	static uint8_t block[PROXY_HEADER_MAX];
	size_t most = PROXY_HEADER_MAX - PROXY_FIXED, value = most - 12 - 3;
	struct seen s;

	(void)state;
	memcpy(block, ENDS4, 12);
	block[12] = 4, block[13] = (uint8_t)(value >> 8), block[14] = (uint8_t)value;
	s = feed_any(header(0x21, 0x11, (struct span){ block, most }));
	assert_int_equal(s.step, PROXY_DONE);
	s = feed_any(header(0x21, 0x11, (struct span){ block, most + 1 }));
	assert_int_equal(s.step, PROXY_BAD);
	assert_string_equal(s.p.why, "it is longer than 4096 octets");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clients_address_is_read),
		cmocka_unit_test(a_proxy_may_speak_for_itself),
		cmocka_unit_test(malformed_headers_are_named),
		cmocka_unit_test(the_checksum_is_verified),
		cmocka_unit_test(what_is_no_header_is_seen_at_once),
		cmocka_unit_test(the_ceiling_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

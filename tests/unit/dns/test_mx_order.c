/* The order of mail exchangers and what to say when there is none: RFC 5321 5.1, RFC 7505. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/lookup.h"
#include "dns/mx.h"

#define MANY(a) (sizeof(a) / sizeof((a)[0]))

struct row {
	const char *what;
	struct { uint16_t preference; const char *name; } in[6];
	const char *self;
	enum mx_verdict verdict;
	const char *out;                /* names in order, separated by spaces */
};

static const struct row rows[] = {
	{ "5321-64: low preference first", { { 30, "c" }, { 10, "a" }, { 20, "b" } }, "us", MX_FOUND, "a b c" },
	{ "one", { { 0, "a" } }, "us", MX_FOUND, "a" },
	{ "preference is a number, not a byte", { { 256, "b" }, { 255, "a" } }, "us", MX_FOUND, "a b" },
	{ "5321-66: ourselves and all worse go", { { 10, "a" }, { 20, "us" }, { 30, "c" } }, "us", MX_FOUND, "a" },
	{ "5321-66: our own preference goes too", { { 10, "a" }, { 20, "us" }, { 20, "b" } }, "us", MX_FOUND, "a" },
	{ "5321-66: none left is a loop", { { 10, "us" }, { 20, "b" } }, "us", MX_LOOP, "" },
	{ "5321-66: whatever the case and the dot", { { 10, "us.example" }, { 10, "b" } }, "US.Example.", MX_LOOP, "" },
	{ "alone and ourselves", { { 10, "us" } }, "us", MX_LOOP, "" },
	{ "no self, no loop", { { 10, "us" } }, "", MX_FOUND, "us" },
	{ "7505-1: null MX", { { 0, "" } }, "us", MX_NULL, "" },
	{ "null MX by any preference", { { 10, "" } }, "us", MX_NULL, "" },
	{ "7505-2: the root beside others is nothing", { { 0, "" }, { 10, "a" } }, "us", MX_FOUND, "a" },
	{ "5321-67: an address is no name", { { 1, "192.0.2.1" }, { 10, "a" } }, "us", MX_FOUND, "a" },
	{ "5321-63: of no use is not the same as none", { { 1, "192.0.2.1" } }, "us", MX_NO_HOST, "" },
	{ "the same host twice", { { 10, "a" }, { 20, "A" }, { 30, "b" } }, "us", MX_FOUND, "a b" },
};

static size_t
fill(const struct row *row, struct mx_record *record)
{
	size_t count = 0;

	for (; count < MANY(row->in) && row->in[count].name != NULL; count++) {
		record[count].preference = row->in[count].preference;
		strncpy(record[count].name, row->in[count].name, MX_NAME_MAX - 1);
	}
	return count;
}

static void
join(const struct mx_record *record, size_t count, char *out)
{
	out[0] = 0;
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			strncat(out, " ", 2);
		strncat(out, record[i].name, MX_NAME_MAX);
	}
}

static void
test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < MANY(rows); i++)
		for (uint64_t seed = 0; seed < 20; seed++) {
			static struct mx_record record[MANY(rows[0].in)];
			char out[2000];
			size_t count;

			memset(record, 0, sizeof record);
			count = fill(&rows[i], record);
			if (mx_order(record, &count, span_of(rows[i].self), seed) != rows[i].verdict)
				fail_msg("%s: wrong verdict", rows[i].what);
			join(record, count, out);
			if (strcmp(out, rows[i].out) != 0)
				fail_msg("%s: '%s'", rows[i].what, out);
		}
}

/* 5321-64: equals are spread; nobody comes first always, nobody never. */
static void
test_equals_are_shuffled(void **state)
{
	unsigned first[3] = { 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= 3000; seed++) {
		static struct mx_record record[4];
		size_t count = 4;

		memset(record, 0, sizeof record);
		for (size_t i = 0; i < 4; i++) {
			record[i].preference = i < 3 ? 10 : 20;
			record[i].name[0] = (char)('a' + i);
		}
		assert_int_equal(mx_order(record, &count, span_of("us"), seed), MX_FOUND);
		assert_int_equal(count, 4);
		assert_int_equal(record[3].name[0], 'd');
		first[record[0].name[0] - 'a']++;
	}
	for (size_t i = 0; i < 3; i++)
		assert_in_range(first[i], 850, 1150);
}

static void
test_no_records(void **state)
{
	struct mx_record record;
	size_t count = 0;

	(void)state;
	assert_int_equal(mx_order(&record, &count, span_of("us"), 1), MX_NO_HOST);
}

static void
test_names(void **state)
{
	static const struct { const char *wire; size_t len; const char *name; } names[] = {
		{ "\0", 1, "" },
		{ "\3mx1\7example\0", 13, "mx1.example" },
		{ "\3MX1\0", 5, "mx1" },
		{ "\4_tls\0", 6, "_tls" },
		{ "", 0, NULL },                        /* cut */
		{ "\3mx", 3, NULL },
		{ "\3mx1", 4, NULL },
		{ "\3mx1\0x", 6, NULL },                /* something left */
		{ "\300\14", 2, NULL },                 /* compressed */
		{ "\3a.b\0", 5, NULL },                 /* a dot inside a label */
		{ "\3a\0b\0", 5, NULL },
		{ "\3a b\0", 5, NULL },
	};
	char name[MX_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < MANY(names); i++) {
		bool good = mx_name_parse((struct span){ (const uint8_t *)names[i].wire, names[i].len }, name);

		assert_int_equal(good, names[i].name != NULL);
		if (good)
			assert_string_equal(name, names[i].name);
	}
}

static void
test_longest_name(void **state)
{
	uint8_t wire[300];
	char name[MX_NAME_MAX];

	(void)state;
	memset(wire, 'a', sizeof wire);
	wire[0] = wire[64] = wire[128] = 63;
	wire[192] = 61;
	wire[254] = 0;
	assert_true(mx_name_parse((struct span){ wire, 255 }, name));
	assert_int_equal(strlen(name), 253);
	wire[192] = 63;
	wire[256] = 0;
	assert_false(mx_name_parse((struct span){ wire, 257 }, name));
}

static void
test_record(void **state)
{
	struct mx_record record;

	(void)state;
	assert_true(mx_record_parse((struct span){ (const uint8_t *)"\1\2\1a\0", 5 }, &record));
	assert_int_equal(record.preference, 258);
	assert_string_equal(record.name, "a");
	assert_false(mx_record_parse((struct span){ (const uint8_t *)"\1\2", 2 }, &record));
}

static void
test_conclude(void **state)
{
	(void)state;
	assert_int_equal(mx_conclude(1, true), MX_FOUND);
	assert_int_equal(mx_conclude(0, true), MX_LATER);       /* 5321-61 */
	assert_int_equal(mx_conclude(0, false), MX_NO_HOST);    /* 5321-63 */
	assert_string_equal(mx_enhanced(MX_NULL), "5.1.10");
	assert_int_equal(mx_code(MX_NULL), 556);                /* 7505-1 */
	assert_string_equal(mx_enhanced(MX_LATER), "4.4.3");
}

static void
test_literals(void **state)
{
	static const struct { const char *text; bool good, v6; uint8_t first, last; } literals[] = {
		{ "[192.0.2.1]", true, false, 192, 1 },
		{ "192.0.2.1", true, false, 192, 1 },
		{ "[IPv6:2001:db8::5]", true, true, 0x20, 5 },
		{ "2001:db8::5", true, true, 0x20, 5 },
		{ "[192.0.2.1", false, false, 0, 0 },
		{ "[]", false, false, 0, 0 },
		{ "[IPv6:192.0.2.1]", false, false, 0, 0 },
		{ "[192.0.2.256]", false, false, 0, 0 },
		{ "example.org", false, false, 0, 0 },
		{ "", false, false, 0, 0 },
	};
	static struct mx_list list;

	(void)state;
	for (size_t i = 0; i < MANY(literals); i++) {
		assert_int_equal(mx_literal(span_of(literals[i].text), &list), literals[i].good);
		if (!literals[i].good)
			continue;
		assert_int_equal(list.addresses, 1);
		assert_int_equal(list.address[0].v6, literals[i].v6);
		assert_int_equal(list.address[0].octets[0], literals[i].first);
		assert_int_equal(list.address[0].octets[literals[i].v6 ? 15 : 3], literals[i].last);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_equals_are_shuffled),
		cmocka_unit_test(test_no_records),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_conclude),
		cmocka_unit_test(test_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

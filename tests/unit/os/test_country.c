/* os/country: databases that this test writes itself, as https://maxmind.github.io/MaxMind-DB/ has them, good and damaged. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "os/country.h"

enum { NODES = 512, DATA = 1 << 23, SEPARATOR = 16 };

/* libmaxminddb 1.7.1 forgets 4.6 KiB of its own at one of the damages below. What os/country.c forgot would still be seen. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb.so\n";
}

/* ---- a writer ---- */

struct writer {
	uint32_t node[NODES][2];        /* 0: nothing; DATA and the offset; else a node */
	uint32_t nodes;
	uint8_t data_octets[1000], file_octets[8000];
	struct buf data, file;
	bool v4;
};

/* Types up to 7 stand in the first octet with the length; later ones behind it. */
static void
put_head(struct buf *b, unsigned type, size_t len)
{
	assert_true(buf_put_byte(b, (uint8_t)((type > 7 ? 0 : type << 5) | len)));
	if (type > 7)
		assert_true(buf_put_byte(b, (uint8_t)(type - 7)));
}

enum { STRING = 2, U16 = 5, U32 = 6, MAP = 7, U64 = 9, ARRAY = 11 };

static void
put_string(struct buf *b, const char *s)
{
	put_head(b, STRING, strlen(s));
	assert_true(buf_put_text(b, s));
}

static void
put_number(struct buf *b, const char *key, unsigned type, uint64_t value)
{
	uint8_t octets[8];
	size_t n = type == U16 ? 2 : type == U32 ? 4 : 8;

	for (size_t i = 0; i < n; i++)
		octets[i] = (uint8_t)(value >> 8 * (n - 1 - i));
	put_string(b, key);
	put_head(b, type, n);
	assert_true(buf_put(b, (struct span){ octets, n }));
}

static void
begin(struct writer *w, bool v4)
{
	memset(w, 0, sizeof *w);
	w->nodes = 1;
	w->v4 = v4;
	w->data = BUF_OVER(w->data_octets);
	w->file = BUF_OVER(w->file_octets);
}

/* { KEY: { "iso_code": CODE } } */
static uint32_t
add_entry(struct writer *w, const char *key, const char *code)
{
	uint32_t at = (uint32_t)w->data.len;

	put_head(&w->data, MAP, 1);
	put_string(&w->data, key);
	put_head(&w->data, MAP, 1);
	put_string(&w->data, "iso_code");
	put_string(&w->data, code);
	return at;
}

static void
add_network(struct writer *w, const uint8_t *address, unsigned bits, uint32_t entry)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < bits; i++) {
		uint32_t *side = &w->node[at][address[i / 8] >> (7 - i % 8) & 1];

		if (i == bits - 1) {
			*side = DATA | entry;
			return;
		}
		if (*side == 0) {
			assert_true(w->nodes < NODES);
			*side = w->nodes++;
		}
		at = *side;
	}
}

/* IPv4 lies in the first 2^32 addresses of a tree for both. */
static void
add(struct writer *w, const char *address, unsigned bits, uint32_t entry)
{
	uint8_t octets[16] = { 0 };
	bool is_v4 = inet_pton(AF_INET, address, octets + 12) == 1;

	assert_true(is_v4 || inet_pton(AF_INET6, address, octets) == 1);
	if (w->v4)
		add_network(w, octets + 12, bits, entry);
	else
		add_network(w, octets, is_v4 ? bits + 96 : bits, entry);
}

static void
put_record(struct writer *w, uint32_t side)
{
	uint32_t v = side == 0 ? w->nodes : side & DATA ? w->nodes + SEPARATOR + (side & ~(uint32_t)DATA) : side;

	assert_true(buf_put_byte(&w->file, (uint8_t)(v >> 16)) && buf_put_byte(&w->file, (uint8_t)(v >> 8)) && buf_put_byte(&w->file, (uint8_t)v));
}

static void
put_metadata(struct writer *w)
{
	struct buf *b = &w->file;

	assert_true(buf_put_text(b, "\xab\xcd\xefMaxMind.com"));
	put_head(b, MAP, 9);
	put_number(b, "node_count", U32, w->nodes);
	put_number(b, "record_size", U16, 24);
	put_number(b, "ip_version", U16, w->v4 ? 4 : 6);
	put_string(b, "database_type");
	put_string(b, "Test-Country");
	put_string(b, "languages");
	put_head(b, ARRAY, 0);
	put_number(b, "binary_format_major_version", U16, 2);
	put_number(b, "binary_format_minor_version", U16, 0);
	put_number(b, "build_epoch", U64, 1700000000);
	put_string(b, "description");
	put_head(b, MAP, 0);
}

static void
finish(struct writer *w)
{
	static const uint8_t nothing[SEPARATOR];

	for (uint32_t i = 0; i < w->nodes; i++) {
		put_record(w, w->node[i][0]);
		put_record(w, w->node[i][1]);
	}
	assert_true(buf_put(&w->file, (struct span){ nothing, SEPARATOR }) && buf_put(&w->file, buf_span(&w->data)));
	put_metadata(w);
}

/* ---- the place ---- */

static struct {
	char dir[64], path[80], copy[80];
} place;

static uint8_t words[400];
static struct buf why = { words, 0, sizeof words };

static void
save(const uint8_t *p, size_t len)
{
	FILE *f = fopen(place.path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void
write_good(struct writer *w)
{
	uint32_t de, at;

	begin(w, false);
	de = add_entry(w, "country", "DE");
	at = add_entry(w, "country", "AT");
	add(w, "192.0.2.0", 24, de);
	add(w, "198.51.100.128", 25, at);
	add(w, "2001:db8:17::", 48, at);
	add(w, "2001:db8:18::", 48, add_entry(w, "country", "de"));
	finish(w);
	save(w->file.p, w->file.len);
}

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(place.dir, sizeof place.dir, "/tmp/postern-country-XXXXXX");
	assert_non_null(mkdtemp(place.dir));
	(void)snprintf(place.path, sizeof place.path, "%s/a.mmdb", place.dir);
	(void)snprintf(place.copy, sizeof place.copy, "%s/copy", place.dir);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)unlink(place.path);
	return rmdir(place.dir);        /* a copy that were left would be in its way */
}

static struct country *
open_it(void)
{
	struct country *c = country_open(place.path, place.copy, &why);

	if (c == NULL)
		fail_msg("%s", (const char *)words);
	return c;
}

static void
refused(const char *part)
{
	words[0] = '\0';
	assert_null(country_open(place.path, place.copy, &why));
	assert_null(country_open(place.path, NULL, &why));
	if (strstr((const char *)words, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, (const char *)words);
}

#define CODE(text) ((text)[0] << 8 | (text)[1])

/* ---- tests ---- */

static void
both_families(void **state)
{
	struct writer w;
	struct country *c;

	(void)state;
	write_good(&w);
	c = open_it();
	assert_int_equal(country_of(c, "192.0.2.7"), CODE("DE"));
	assert_int_equal(country_of(c, "192.0.3.7"), 0);
	assert_int_equal(country_of(c, "198.51.100.128"), CODE("AT"));
	assert_int_equal(country_of(c, "198.51.100.127"), 0);
	assert_int_equal(country_of(c, "2001:db8:17:ffff::1"), CODE("AT"));
	assert_int_equal(country_of(c, "2001:db8:19::1"), 0);
	assert_int_equal(country_of(c, "::ffff:192.0.2.7"), CODE("DE"));
	assert_int_equal(country_built(c), 1700000000);
	country_close(c);
}

static void
what_is_no_address_is_nowhere(void **state)
{
	static const char *const not[] = { "", "192.0.2", "192.0.2.7 ", "localhost", "[2001:db8:17::1]", "fe80::1%eth0", "2001:db8:17::1::" };
	struct writer w;
	struct country *c;

	(void)state;
	write_good(&w);
	c = open_it();
	for (size_t i = 0; i < sizeof not / sizeof not[0]; i++)
		assert_int_equal(country_of(c, not[i]), 0);
	assert_int_equal(country_of(c, "2001:db8:18::1"), 0);   /* "de" is no code */
	country_close(c);
	assert_int_equal(country_of(NULL, "192.0.2.7"), 0);
	country_close(NULL);
}

static void
a_tree_for_ipv4_alone(void **state)
{
	struct writer w;
	struct country *c;

	(void)state;
	begin(&w, true);
	add(&w, "192.0.2.0", 24, add_entry(&w, "country", "CH"));
	finish(&w);
	save(w.file.p, w.file.len);
	c = open_it();
	assert_int_equal(country_of(c, "192.0.2.255"), CODE("CH"));
	assert_int_equal(country_of(c, "::ffff:192.0.2.255"), CODE("CH"));
	assert_int_equal(country_of(c, "2001:db8::1"), 0);
	country_close(c);
}

static void
what_is_no_database(void **state)
{
	struct writer w;

	(void)state;
	refused("No such file");
	save((const uint8_t *)"no database\n", 12);
	refused("damaged, or no database");
	save((const uint8_t *)"", 0);
	refused("is empty");
	begin(&w, false);
	add(&w, "192.0.2.0", 24, add_entry(&w, "owner", "DE"));
	finish(&w);
	save(w.file.p, w.file.len);
	refused("no country.iso_code");
	assert_int_equal(unlink(place.path), 0);
	assert_int_equal(mkfifo(place.path, 0600), 0);
	refused("no plain file");
}

/* Cut anywhere it is refused: what says how to read it stands at the end. */
static void
a_file_that_is_cut(void **state)
{
	struct writer w;

	(void)state;
	write_good(&w);
	for (size_t n = 0; n < w.file.len; n += n + 40 < w.file.len ? 37 : 1) {
		save(w.file.p, n);
		assert_null(country_open(place.path, place.copy, &why));
		assert_true(strlen((const char *)words) > 0);
	}
}

/* One octet wrong, each one, twice: it opens or not, and every answer is a code or none. */
static void
a_file_with_a_wrong_octet(void **state)
{
	static const char *const ask[] = { "192.0.2.7", "198.51.100.200", "2001:db8:17::1", "255.255.255.255", "::" };
	struct writer w;

	(void)state;
	write_good(&w);
	for (size_t i = 0; i < 2 * w.file.len; i++) {
		uint8_t was = w.file.p[i / 2];
		struct country *c;

		w.file.p[i / 2] = i % 2 ? (uint8_t)~was : (uint8_t)(was + 1);
		save(w.file.p, w.file.len);
		w.file.p[i / 2] = was;
		c = country_open(place.path, place.copy, &why);
		for (size_t k = 0; k < sizeof ask / sizeof ask[0]; k++) {
			uint16_t code = country_of(c, ask[k]);

			assert_true(code == 0 || (code >> 8 >= 'A' && code >> 8 <= 'Z' && (code & 255) >= 'A' && (code & 255) <= 'Z'));
		}
		country_close(c);
	}
}

/* `cp new.mmdb a.mmdb` truncates the file that is open: a mapping of it would end us. */
static void
a_file_that_is_overwritten_in_place(void **state)
{
	struct writer w;
	struct country *c;

	(void)state;
	write_good(&w);
	c = open_it();
	assert_true(country_is_current(c, place.path));
	assert_int_equal(truncate(place.path, 0), 0);
	assert_false(country_is_current(c, place.path));
	assert_int_equal(country_of(c, "192.0.2.7"), CODE("DE"));
	country_close(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_families), TEST(what_is_no_address_is_nowhere), TEST(a_tree_for_ipv4_alone), TEST(what_is_no_database),
		TEST(a_file_that_is_cut), TEST(a_file_with_a_wrong_octet), TEST(a_file_that_is_overwritten_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

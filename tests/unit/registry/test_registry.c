/* The image says what IANA's file says, row by row; damaged files cost the rows that are damaged (6335-1, 6335-3, 8314-51). */
#include <stddef.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/mail_ports.h"
#include "registry/registry.h"

static char file[2 * 1024 * 1024];
static struct registry_csv csv;

static struct span
slurp(void)
{
	FILE *f = fopen(REGISTRY_CSV, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(file, 1, sizeof file, f);
	assert_true(n > 1000000 && n < sizeof file);
	assert_int_equal(fclose(f), 0);
	return (struct span){ (const uint8_t *)file, n };
}

static void
same(struct span a, struct span b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.p, b.p, a.len);
}

static void
image_is_the_file(void **state)
{
	struct registry_reader reader = registry_begin(registry_image);
	struct registry_row here, there;
	char text[200];
	struct buf why = BUF_OVER(text);
	size_t rows = 0;

	(void)state;
	assert_true(registry_csv_begin(&csv, slurp(), &why));
	for (; registry_csv_next(&csv, &there, &why) == REGISTRY_ROW; rows++) {
		assert_true(registry_next(&reader, &here));
		assert_int_equal(here.has_port, there.has_port);
		if (here.has_port) {
			assert_int_equal(here.first, there.first);
			assert_int_equal(here.last, there.last);
		}
		assert_int_equal(here.protocol, there.protocol);
		same(here.name, there.name);
		same(here.description, there.description);
		same(here.assignee, there.assignee);
		same(here.contact, there.contact);
		same(here.registered, there.registered);
		same(here.modified, there.modified);
		same(here.reference, there.reference);
		same(here.service_code, there.service_code);
		same(here.unauthorized, there.unauthorized);
		same(here.notes, there.notes);
	}
	assert_int_equal(why.len, 0);
	assert_true(span_done(csv.rest) && span_done(reader.rest));
	assert_false(registry_next(&reader, &here));
	assert_int_equal(rows, 14499);
}

/* Cut or changed anywhere, reading the image ends and touches nothing outside. */
static void
damaged_image(void **state)
{
	uint8_t *copy = malloc(registry_image.len);
	struct registry_reader reader;
	struct registry_row row;

	(void)state;
	assert_non_null(copy);
	for (size_t at = 0; at < registry_image.len; at += 4999) {
		size_t rows = 0;

		memcpy(copy, registry_image.p, registry_image.len);
		copy[at] ^= 0xff;
		reader = registry_begin((struct span){ copy, registry_image.len - at / 2 });
		while (registry_next(&reader, &row))
			rows++;
		assert_true(rows <= registry_image.len / 2);
	}
	free(copy);
}

#define HEAD "Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,Registration Date,Modification Date," \
    "Reference,Service Code,Unauthorized Use Reported,Assignment Notes\r\n"

/* What each line of a file is: '.' a row, '!' damaged; and the line numbers of the damaged ones. */
static void
read_text(const char *text, const char *steps, const char *words)
{
	struct registry_row row;
	char said[2000], log[32];
	struct buf why = BUF_OVER(said), seen = BUF_OVER(log);
	enum registry_step step;

	assert_true(registry_csv_begin(&csv, span_of(text), &why));
	while ((step = registry_csv_next(&csv, &row, &why)) != REGISTRY_END) {
		if (step == REGISTRY_DAMAGED) {
			assert_true(buf_put_text(&why, " at ") && buf_put_u64(&why, csv.line) && buf_put_text(&why, "; "));
			assert_true(buf_put_byte(&seen, '!'));
		} else
			assert_true(buf_put_byte(&seen, '.'));
	}
	assert_true(buf_terminate(&seen) && buf_terminate(&why));
	assert_string_equal(log, steps);
	assert_string_equal(said, words);
}

static void
damaged_rows(void **state)
{
	(void)state;
	read_text(HEAD "a,1,tcp,,,,,,,,,\r\n\r\nb,2,udp,,,,,,,,,\n", "..", "");
	read_text(HEAD "a,1,tcp\nb,2,udp,,,,,,,,,\n", "!.", "has fewer than 12 fields at 2; ");
	read_text(HEAD "a,1,tcp,,,,,,,,,,\nb,2,,,,,,,,,,", "!.", "has more than 12 fields at 2; ");
	read_text(HEAD "a,65536,tcp,,,,,,,,,\nb,7-3,tcp,,,,,,,,,\nc,1x,tcp,,,,,,,,,\nd,1-9,tcp,,,,,,,,,\n", "!!!.",
	    "has a port number that is none at 2; has a port number that is none at 3; has a port number that is none at 4; ");
	read_text(HEAD "a,1,ipx,,,,,,,,,\n", "!", "has a transport protocol that is none of tcp, udp, sctp, dccp at 2; ");
	read_text(HEAD "a,1,tcp,,,,yesterday,,,,,\n", "!", "has a date that is none at 2; ");
	read_text(HEAD "a,1,tcp,\"x\"y,,,,,,,,\nb,1,tcp,x\"y,,,,,,,,\n", "!!",
	    "has a quotation mark where none may be at 2; has a quotation mark where none may be at 3; ");
	/* A quotation that does not end costs its own line, not the file. */
	read_text(HEAD "a,1,tcp,\"x,,,,,,,,\nb,2,udp,,,,,,,,,\n", "!.", "has a quotation mark where none may be at 2; ");
}

static void
quoted_fields(void **state)
{
	struct registry_row row;
	char text[200];
	struct buf why = BUF_OVER(text);

	(void)state;
	assert_true(registry_csv_begin(&csv, span_of("\xef\xbb\xbf" HEAD "a-b,80-81,sctp,\"one, \"\"two\"\"\nthree\",,,,,,,,\r\n"), &why));
	assert_int_equal(registry_csv_next(&csv, &row, &why), REGISTRY_ROW);
	same(row.description, SPAN("one, \"two\"\nthree"));
	assert_true(row.first == 80 && row.last == 81 && row.protocol == REGISTRY_SCTP);
	assert_int_equal(registry_csv_next(&csv, &row, &why), REGISTRY_END);
	assert_false(registry_csv_begin(&csv, SPAN("name,port\n"), &why));
	assert_false(registry_csv_begin(&csv, SPAN(""), &why));
}

/* 6335-1 */
static void
ranges(void **state)
{
	(void)state;
	assert_string_equal(registry_range_of(0)->name, "system");
	assert_string_equal(registry_range_of(1023)->name, "system");
	assert_string_equal(registry_range_of(1024)->name, "user");
	assert_string_equal(registry_range_of(49151)->name, "user");
	assert_string_equal(registry_range_of(49152)->name, "dynamic");
	assert_string_equal(registry_range_of(65535)->name, "dynamic");
}

/* Every port of the family has something to say on every topic, in order, and says where it has it from. */
static void
profiles(void **state)
{
	static const uint16_t ports[] = { 24, 25, 110, 143, 465, 585, 587, 993, 995, 2525, 4190 };
	size_t at = 0;

	(void)state;
	for (size_t p = 0; p < sizeof ports / sizeof ports[0]; p++)
		for (unsigned topic = 0; topic < TOPIC_MAX; topic++) {
			assert_true(at < port_statement_count && port_statements[at].port == ports[p] && port_statements[at].topic == topic);
			for (; at < port_statement_count && port_statements[at].port == ports[p] && port_statements[at].topic == topic; at++)
				assert_true(strlen(port_statements[at].text) > 1 && strlen(port_statements[at].source) > 4);
		}
	assert_int_equal(at, port_statement_count);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image_is_the_file), cmocka_unit_test(damaged_image), cmocka_unit_test(damaged_rows),
		cmocka_unit_test(quoted_fields), cmocka_unit_test(ranges), cmocka_unit_test(profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Files that are not what was written: torn at every octet, flipped bits, pages of zeros, foreign records. Never garbage, never silence. */
#include "rig.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/log.h"

static uint8_t *
slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	*n = (size_t)ftell(f);
	rewind(f);
	p = malloc(*n);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, *n, f), *n);
	(void)fclose(f);
	return p;
}

static void
spill(const char *path, const uint8_t *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Where the records end and what was filled in ahead begins. */
static size_t
records_end(const uint8_t *p, size_t n)
{
	struct record_header h;
	size_t at = 0;

	while (n - at >= RECORD_HEADER && record_header_parse((struct span){ p + at, n - at }, &h))
		at += record_octets(h.length);
	return at;
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* The last message's record is cut at each of its octets: the others are there, it is there only when it is whole. Behind it
 * the file ends, or has the zeros that were filled in ahead. */
static void
torn(bool filled)
{
	static struct rig r;
	char path[128];
	uint8_t *p;
	size_t before, n;

	rig_begin(&r);
	assert_true(rig_open(&r));
	rig_submit(&r, 1, 700, 1);
	rig_sync(&r);
	rig_newest(&r, path);
	p = slurp(path, &n);
	before = records_end(p, n);
	free(p);
	rig_submit(&r, 2, 300, 2);
	rig_sync(&r);
	rig_crash(&r);
	p = slurp(path, &n);
	n = records_end(p, n);
	assert_true(n > before);
	r.message[1].answered = false;
	for (size_t cut = before; cut < n; cut++) {
		bool has;

		spill(path, p, cut);
		if (filled)
			assert_int_equal(truncate(path, (off_t)n + 65536), 0);
		assert_true(rig_open(&r));
		rig_verify(&r);
		/* Padding is part of the record; where zeros were filled in ahead, it was there before the record. */
		has = rig_has(&r, 2);
		assert_int_equal(has, filled && all_zero(p + cut, n - cut));
		rig_crash(&r);
		if (!has)
			assert_int_equal(rig_segment(&r, 1), before);
	}
	assert_true(rig_damaged_files(&r) > 0);
	free(p);
	rig_end(&r);
}

static void
torn_at_every_octet(void **state)
{
	(void)state;
	torn(false);
}

static void
torn_before_zeros(void **state)
{
	(void)state;
	torn(true);
}

/* What was filled in ahead and never used is no damage, and does not stay. */
static void
filled_ahead(void **state)
{
	static struct rig r;

	(void)state;
	rig_begin(&r);
	assert_true(rig_open(&r));
	rig_submit(&r, 1, 700, 1);
	rig_sync(&r);
	rig_crash(&r);
	assert_true(rig_segment(&r, 1) > 65536);
	assert_true(rig_open(&r));
	rig_verify(&r);
	assert_int_equal(rig_damaged_files(&r), 0);
	assert_true(rig_segment(&r, 1) < 4096);
	rig_crash(&r);
	rig_end(&r);
}

/* Any one octet of the log turned over costs at most the record that it lies in, and is told of. */
static void
flipped_octets(void **state)
{
	static struct rig r;
	char path[128];
	uint8_t *p;
	size_t n;

	(void)state;
	rig_begin(&r);
	assert_true(rig_open(&r));
	for (uint32_t id = 1; id <= 6; id++)
		rig_submit(&r, id, 200 + id * 50, 1 + id % 3);
	rig_sync(&r);
	rig_newest(&r, path);
	rig_crash(&r);
	p = slurp(path, &n);
	n = records_end(p, n) + 64;
	for (size_t i = 0; i < 6; i++)
		r.message[i].answered = false;
	for (size_t at = 0; at < n; at += 3) {
		uint32_t there = 0;

		p[at] ^= (uint8_t)(1u << at % 8);
		spill(path, p, n);
		p[at] ^= (uint8_t)(1u << at % 8);
		assert_true(rig_open(&r));
		rig_verify(&r);
		for (uint32_t id = 1; id <= 6; id++)
			there += rig_has(&r, id);
		assert_true(there >= 5);
		rig_crash(&r);
	}
	assert_true(rig_damaged_files(&r) > 6);
	free(p);
	rig_end(&r);
}

/* A page in the middle reads as zeros. */
static void
lost_page(void **state)
{
	static struct rig r;
	char path[128];
	uint8_t *p;
	size_t n;
	uint32_t there = 0;

	(void)state;
	rig_begin(&r);
	assert_true(rig_open(&r));
	for (uint32_t id = 1; id <= 20; id++)
		rig_submit(&r, id, 2000, 1);
	rig_sync(&r);
	rig_newest(&r, path);
	rig_crash(&r);
	p = slurp(path, &n);
	memset(p + 8192, 0, 4096);
	spill(path, p, n);
	for (size_t i = 0; i < 20; i++)
		r.message[i].answered = false;
	assert_true(rig_open(&r));
	rig_verify(&r);
	for (uint32_t id = 1; id <= 20; id++)
		there += rig_has(&r, id);
	assert_in_range(there, 16, 18);
	assert_int_equal(rig_damaged_files(&r), 1);
	free(p);
	rig_crash(&r);
	rig_end(&r);
}

/* A message whose chunk is damaged is set aside, whole ones beside it are delivered. */
static void
damaged_chunk(void **state)
{
	static struct rig r;
	char path[128];
	uint8_t *p;
	size_t n;

	(void)state;
	rig_begin(&r);
	r.segment_size = 4 * 1024 * 1024;
	assert_true(rig_open(&r));
	rig_submit(&r, 1, 400000, 1);
	rig_submit(&r, 2, 300000, 1);
	rig_sync(&r);
	rig_newest(&r, path);
	rig_crash(&r);
	p = slurp(path, &n);
	p[100000] ^= 1;
	spill(path, p, n);
	free(p);
	r.message[0].answered = false;
	assert_true(rig_open(&r));
	rig_verify(&r);
	assert_false(rig_has(&r, 1));
	assert_true(rig_has(&r, 2));
	/* The range, and what is left of the message. */
	assert_int_equal(rig_damaged_files(&r), 2);
	rig_sync(&r);
	rig_crash(&r);
	assert_true(rig_open(&r));
	assert_false(rig_has(&r, 1));
	rig_crash(&r);
	rig_end(&r);
}

/* A mail that is the picture of a record, even a true one of another segment, is not taken for one when damage makes us look. */
static void
pictured_record(void **state)
{
	static struct rig r;
	static uint8_t picture[4096];
	struct record_header h = { .kind = RECORD_MESSAGE, .salt = 12345, .sequence = 99 };
	struct message_record forged = { .id = 4000, .arrival = 1, .size = 4, .rcpts = 1, .content = SPAN_INIT("evil") };
	struct recipient one = { .path = SPAN_INIT("victim@example.net"), .last.class = OUTCOME_NONE };
	struct message_record mail = { .id = 1, .reverse_path = SPAN_INIT("alice@example.org"), .login = SPAN_INIT("alice") };
	uint8_t rcpt[256];
	struct buf rcpts = BUF_OVER(rcpt), payload = { picture + RECORD_HEADER, 0, sizeof picture - RECORD_HEADER };
	struct draft *d;
	char path[128];
	uint8_t *p;
	size_t n;

	(void)state;
	assert_true(fields_format(recipient_layout, &one, &rcpts));
	forged.recipients = buf_span(&rcpts);
	assert_true(fields_format(message_record_layout, &forged, &payload));
	h.length = (uint32_t)payload.len;
	record_seal(picture, &h);
	rig_begin(&r);
	assert_true(rig_open(&r));
	assert_int_equal(draft_begin(&r.spool, &mail, false, &d), OK);
	draft_rcpt(&r.spool, d, SPAN("bob@example.org"), 0, (struct span){ NULL, 0 });
	/* At every place modulo 8, so that one of them is aligned. */
	for (size_t i = 0; i < 9; i++) {
		draft_body(&r.spool, d, (struct span){ picture, sizeof picture });
		draft_body(&r.spool, d, SPAN("x"));
	}
	assert_int_equal(draft_commit(&r.spool, d, 0, &r.message[0]), OK);
	rig_sync(&r);
	rig_newest(&r, path);
	rig_crash(&r);
	p = slurp(path, &n);
	/* The record before the picture loses its header. */
	memset(p + 64, 0, 64);
	spill(path, p, n);
	free(p);
	assert_true(rig_open(&r));
	assert_int_equal(r.spool.index.count, 0);
	assert_int_equal(rig_damaged_files(&r), 1);
	rig_crash(&r);
	rig_end(&r);
}

/* A later version's segment is not guessed at, and the one line about it says so (tests/regress/0392). */
static void
newer_version(void **state)
{
	static struct rig r;
	struct log_conf log = { .most = LOG_FAULT };
	char said[1000] = "";
	struct record_header h = { .kind = RECORD_SEGMENT, .salt = 1, .sequence = 1 };
	struct segment_record s = { RECORD_VERSION + 1, 1, 1 };
	uint8_t record[128];
	struct buf payload = { record + RECORD_HEADER, 0, 64 };
	char path[128];

	(void)state;
	rig_begin(&r);
	assert_true(fields_format(segment_record_layout, &s, &payload));
	h.length = (uint32_t)payload.len;
	record_seal(record, &h);
	(void)snprintf(path, sizeof path, "%s/0000000000000001.log", r.directory);
	spill(path, record, (size_t)record_octets(h.length));
	log.fd = memfd_create("log", MFD_CLOEXEC);
	assert_int_not_equal(log.fd, -1);
	log_open(&log, "test");
	errno = EEXIST;
	assert_false(rig_open(&r));
	assert_true(pread(log.fd, said, sizeof said - 1, 0) > 0);
	assert_non_null(strstr(said, "what=0000000000000001.log why=\"another version of Postern wrote it; run that version again\"\n"));
	assert_ptr_equal(strchr(said, '\n') + 1, said + strlen(said));
	(void)close(log.fd);
	rig_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torn_at_every_octet),
		cmocka_unit_test(torn_before_zeros),
		cmocka_unit_test(filled_ahead),
		cmocka_unit_test(flipped_octets),
		cmocka_unit_test(lost_page),
		cmocka_unit_test(damaged_chunk),
		cmocka_unit_test(pictured_record),
		cmocka_unit_test(newer_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

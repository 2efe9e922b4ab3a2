/*
 * record.c - what a disk may hold: the input is a segment's file. The scan must end, find only whole records in order and without
 * overlap, and whatever parses must format to the same octets.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "spool/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct seen {
	const uint8_t *p;
	size_t n;
	uint64_t at;
};

static void
walk_message(struct message_record *m)
{
	struct span rest = m->recipients;
	struct recipient r;
	struct extent e;
	uint32_t count = 0;

	while (recipient_take(&rest, &r))
		count++;
	assert(count == m->rcpts && span_done(rest));
	(void)recipient_domain(r.path);
	rest = m->extents;
	while (extent_take(&rest, &e))
		assert(e.octets > 0);
}

static void
same_again(struct layout l, const void *message, struct span payload)
{
	struct buf out = { malloc(payload.len + 1), 0, payload.len + 1 };

	assert(out.p != NULL && fields_format(l, message, &out));
	assert(span_eq(buf_span(&out), payload));
	free(out.p);
}

static void
message_again(const struct message_record *m, struct span payload)
{
	struct buf out = { malloc(payload.len + 1), 0, payload.len + 1 };

	assert(out.p != NULL && message_format(m, &out));
	assert(span_eq(buf_span(&out), payload));
	free(out.p);
}

static void
payload_any(struct span payload)
{
	struct message_record m;
	struct result_record r;
	struct chunk_record c;
	struct held_record held;
	struct once_record once;
	struct once_print print;
	struct release_record release;
	struct fact_record fact;
	size_t at;

	if (message_parse(payload, &m)) {
		walk_message(&m);
		assert(message_octets(&m) == payload.len);
		message_again(&m, payload);
	}
	if (message_head_parse(payload, &m, &at))
		assert(at <= payload.len);
	if (fields_parse(result_record_layout, payload, &r))
		same_again(result_record_layout, &r, payload);
	else if (result_parse(payload, &r))
		assert(r.last.took == 0 && fields_size(result_record_layout, &r) == payload.len + 4);
	if (fields_parse(chunk_record_layout, payload, &c))
		same_again(chunk_record_layout, &c, payload);
	if (fields_parse(held_record_layout, payload, &held))
		same_again(held_record_layout, &held, payload);
	if (once_parse(payload, &once)) {
		same_again(once_record_layout, &once, payload);
		assert(once_print_take(&once.prints, &print));
	}
	if (fields_parse(release_record_layout, payload, &release))
		same_again(release_record_layout, &release, payload);
	if (fields_parse(fact_record_layout, payload, &fact))
		same_again(fact_record_layout, &fact, payload);
}

static void
on_record(void *arg, uint64_t offset, const struct record_header *h, struct span payload)
{
	struct seen *s = arg;

	assert(offset >= s->at && offset % RECORD_ALIGN == 0 && offset + record_octets(h->length) <= s->n);
	assert(memcmp(s->p + offset + RECORD_HEADER, payload.p, payload.len) == 0);
	s->at = offset + record_octets(h->length);
	payload_any(payload);
}

static void
on_damage(void *arg, uint64_t from, uint64_t to)
{
	struct seen *s = arg;

	assert(from >= s->at && to > from && to <= s->n);
	s->at = to;
}

/* The first octet says what is done to the rest: as it is, or its headers made right so that the payloads are reached. */
static void
make_right(uint8_t *p, size_t n)
{
	for (size_t at = 0; at + RECORD_HEADER <= n;) {
		uint32_t room = (uint32_t)(n - at - RECORD_HEADER) / RECORD_ALIGN * RECORD_ALIGN;
		struct record_header h = { .kind = 1 + u32_get(p + at + 32) % RECORD_KINDS, .length = u32_get(p + at + 4) % 4096,
			.salt = 1, .sequence = at };

		if (h.length > room)
			h.length = room;
		record_seal(p + at, &h);
		at += record_octets(h.length);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct scan_handler handler = { on_record, on_damage };
	struct scan_end end;
	struct seen s;
	uint8_t *copy;
	int fd;

	if (n < 1 || n > 1 << 20)
		return 0;
	payload_any((struct span){ p + 1, n - 1 });
	copy = malloc(n);
	fd = memfd_create("segment", MFD_CLOEXEC);
	assert(copy != NULL && fd != -1);
	memcpy(copy, p + 1, n - 1);
	if (p[0] & 1)
		make_right(copy, n - 1);
	assert(write(fd, copy, n - 1) == (ssize_t)(n - 1));
	s = (struct seen){ copy, n - 1, 0 };
	(void)scan_segment(fd, n - 1, &handler, &s, &end);
	assert(end.end <= n - 1);
	(void)close(fd);
	free(copy);
	return 0;
}

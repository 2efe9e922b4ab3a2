#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/log.h"
#include "proc/5_relay.h"

/* ---- segments ---- */

static struct relay_file **
bucket_of(struct relay *relay, uint64_t number)
{
	return &relay->file[number % RELAY_SEGMENT_BUCKETS];
}

struct relay_file *
relay_file_find(struct relay *relay, uint64_t number)
{
	struct relay_file *f = *bucket_of(relay, number);

	while (f != NULL && f->number != number)
		f = f->next;
	return f;
}

void
relay_file_release(struct relay_file *f)
{
	if (f->refs > 0)
		f->refs--;
	if (f->refs > 0 || !f->gone)
		return;
	(void)close(f->fd);
	free(f);
}

void
relay_file_gone(struct relay *relay, uint64_t number)
{
	for (struct relay_file **at = bucket_of(relay, number); *at != NULL; at = &(*at)->next) {
		struct relay_file *f = *at;

		if (f->number != number)
			continue;
		*at = f->next;
		f->gone = true;
		if (f->refs == 0)
			relay_file_release(f);
		return;
	}
}

void
relay_file_add(struct relay *relay, uint64_t number, int fd)
{
	struct relay_file *f = calloc(1, sizeof *f);

	relay_file_gone(relay, number);
	if (f == NULL) {
		(void)close(fd);
		/* It is shown once: without it all mail in it could not be read, and would come back to its senders. */
		child_give_up(&relay->child, "no memory to keep a segment open");
		return;
	}
	*f = (struct relay_file){ .next = *bucket_of(relay, number), .number = number, .fd = fd };
	*bucket_of(relay, number) = f;
}

void
relay_file_all_gone(struct relay *relay)
{
	for (size_t i = 0; i < RELAY_SEGMENT_BUCKETS; i++)
		while (relay->file[i] != NULL)
			relay_file_gone(relay, relay->file[i]->number);
}

/* ---- extents ---- */

struct relay_extent
relay_extent(const struct relay_try *m, uint32_t index)
{
	const uint8_t *p = m->extents.p + (size_t)index * RELAY_EXTENT;

	return (struct relay_extent){ u64_get(p), u64_get(p + 8), u32_get(p + 16) };
}

bool
relay_extents_valid(const struct relay_try *m)
{
	uint64_t octets = 0;

	if (m->extents.len % RELAY_EXTENT != 0)
		return false;
	for (uint32_t i = 0; i < m->extents.len / RELAY_EXTENT; i++)
		octets += relay_extent(m, i).octets;
	return octets == m->size;
}

void
relay_cursor_move(const struct relay_try *m, struct relay_cursor *at, size_t octets)
{
	while (octets > 0) {
		uint32_t left = relay_extent(m, at->extent).octets - at->inside;

		if (octets < left) {
			at->inside += (uint32_t)octets;
			return;
		}
		octets -= left;
		at->extent++;
		at->inside = 0;
	}
}

/* One pread(2); 0 on failure, which is in the log. */
static size_t
read_piece(int fd, uint8_t *out, size_t want, uint64_t offset)
{
	ssize_t n;

	do
		n = pread(fd, out, want, (off_t)offset);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		log_fail("content-unreadable", "segment", n == 0 ? ENODATA : errno);
	return n > 0 ? (size_t)n : 0;
}

size_t
relay_content_read(struct relay *relay, const struct relay_try *m, struct relay_cursor at, uint8_t *out, size_t max)
{
	size_t done = 0;

	while (done < max && at.extent < m->extents.len / RELAY_EXTENT) {
		struct relay_extent e = relay_extent(m, at.extent);
		struct relay_file *f = relay_file_find(relay, e.segment);
		size_t want = e.octets - at.inside < max - done ? e.octets - at.inside : max - done, n;

		n = f == NULL || want == 0 ? 0 : read_piece(f->fd, out + done, want, e.offset + at.inside);
		if (n == 0 && want > 0)
			return 0;
		done += n;
		at.inside += (uint32_t)n;
		if (at.inside == e.octets)
			at = (struct relay_cursor){ at.extent + 1, 0 };
	}
	return done;
}

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/log.h"
#include "proc/6_milter.h"

/* ---- segments ---- */

static struct milter_file **
bucket_of(uint64_t number)
{
	return &milters.file[number % MILTER_SEGMENT_BUCKETS];
}

void
milter_file_gone(uint64_t number)
{
	for (struct milter_file **at = bucket_of(number); *at != NULL; at = &(*at)->next) {
		struct milter_file *f = *at;

		if (f->number != number)
			continue;
		*at = f->next;
		(void)close(f->fd);
		free(f);
		return;
	}
}

void
milter_file_add(uint64_t number, int fd)
{
	struct milter_file *f = calloc(1, sizeof *f);

	milter_file_gone(number);
	if (f == NULL) {
		(void)close(fd);
		/* It is shown once: without it no mail in it could be looked at any more. */
		child_give_up(&milters.child, "no memory to keep a segment open");
		return;
	}
	*f = (struct milter_file){ .next = *bucket_of(number), .number = number, .fd = fd };
	*bucket_of(number) = f;
}

void
milter_files_gone(void)
{
	for (size_t i = 0; i < MILTER_SEGMENT_BUCKETS; i++)
		while (milters.file[i] != NULL)
			milter_file_gone(milters.file[i]->number);
}

static int
file_find(uint64_t number)
{
	struct milter_file *f = *bucket_of(number);

	while (f != NULL && f->number != number)
		f = f->next;
	return f != NULL ? f->fd : -1;
}

/* ---- content ---- */

struct piece { uint64_t segment, offset; uint32_t octets; };

static struct piece
piece_of(const struct filter_ask *m, size_t index)
{
	const uint8_t *p = m->extents.p + index * RELAY_EXTENT;

	return (struct piece){ u64_get(p), u64_get(p + 8), u32_get(p + 16) };
}

bool
milter_extents_valid(const struct filter_ask *m)
{
	uint64_t octets = m->text.len;

	if (m->extents.len % RELAY_EXTENT != 0 || (m->extents.len > 0 && m->text.len > 0))
		return false;
	for (size_t i = 0; i < m->extents.len / RELAY_EXTENT; i++)
		octets += piece_of(m, i).octets;
	return octets == m->size;
}

/* As much as one pread(2) gives; 0 on failure, which is in the log. */
static size_t
read_piece(const struct piece *e, uint64_t skip, uint8_t *out, size_t max)
{
	size_t want = e->octets - skip < max ? (size_t)(e->octets - skip) : max;
	int fd = file_find(e->segment);
	ssize_t n;

	do
		n = fd == -1 ? 0 : pread(fd, out, want, (off_t)(e->offset + skip));
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		log_fail("content-unreadable", "segment", n == 0 ? ENODATA : errno);
	return n > 0 ? (size_t)n : 0;
}

size_t
milter_content_read(const struct filter_ask *m, uint64_t offset, uint8_t *out, size_t max)
{
	uint64_t at = 0;
	size_t done = 0;

	if (m->extents.len == 0) {
		struct span rest = m->text;

		span_skip(&rest, offset < rest.len ? (size_t)offset : rest.len);
		rest = span_head(rest, max);
		if (rest.len > 0)
			memcpy(out, rest.p, rest.len);
		return rest.len;
	}
	for (size_t i = 0; i < m->extents.len / RELAY_EXTENT && done < max; i++) {
		struct piece e = piece_of(m, i);
		uint64_t skip = offset + done > at ? offset + done - at : 0;

		at += e.octets;
		while (skip < e.octets && done < max) {
			size_t n = read_piece(&e, skip, out + done, max - done);

			if (n == 0)
				return 0;
			done += n;
			skip += n;
		}
	}
	return done;
}

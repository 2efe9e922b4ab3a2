#include "spool/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/journal.h"

enum { WINDOW = 4 * 1024 * 1024, UNREADABLE = 4096 };

/* The octets [base, base + mem.len) of the file. */
struct window {
	int fd;
	uint64_t size, base;
	struct buf mem;
	bool short_of_memory;
};

struct scan {
	struct window w;
	const struct scan_handler *handler;
	void *arg;
	struct scan_end *end;
	bool salted;
};

static bool
window_room(struct window *w, size_t n)
{
	uint8_t *bigger;

	if (w->mem.max >= n)
		return true;
	bigger = realloc(w->mem.p, n);
	if (bigger == NULL) {
		w->short_of_memory = true;
		return false;
	}
	w->mem.p = bigger;
	w->mem.max = n;
	return true;
}

/* The octets [at, at + n), or NULL when the file does not have them or the disk will not say. */
static const uint8_t *
window_at(struct window *w, uint64_t at, size_t n)
{
	size_t ahead;

	if (at > w->size || w->size - at < n)
		return NULL;
	if (at >= w->base && at - w->base <= w->mem.len && w->mem.len - (at - w->base) >= n)
		return w->mem.p + (at - w->base);
	if (at >= w->base && at - w->base < w->mem.len)
		buf_drop(&w->mem, (size_t)(at - w->base));
	else
		w->mem.len = 0;
	w->base = at;
	ahead = w->size - at < WINDOW ? (size_t)(w->size - at) : WINDOW;
	if (!window_room(w, n > ahead ? n : ahead))
		return NULL;
	while (w->mem.len < n) {
		ssize_t got = pread(w->fd, w->mem.p + w->mem.len, w->mem.max - w->mem.len, (off_t)(at + w->mem.len));

		if (got > 0)
			w->mem.len += (size_t)got;
		else if (got == 0 || errno != EINTR)
			return NULL;
	}
	return w->mem.p;
}

/* The whole record that begins at offset, or NULL. */
static const uint8_t *
record_at(struct scan *s, uint64_t at, struct record_header *h)
{
	const uint8_t *p = window_at(&s->w, at, RECORD_HEADER);

	if (p == NULL || !record_header_parse((struct span){ p, RECORD_HEADER }, h)
	    || (s->salted && h->salt != s->end->salt))
		return NULL;
	p = window_at(&s->w, at, (size_t)record_octets(h->length));
	if (p == NULL || !record_intact((struct span){ p, RECORD_HEADER + h->length }, h))
		return NULL;
	return p;
}

static void
take_record(struct scan *s, uint64_t at, const struct record_header *h, const uint8_t *p)
{
	struct span payload = { p + RECORD_HEADER, h->length };
	struct segment_record r;

	s->salted = true;
	s->end->salt = h->salt;
	if (h->kind == RECORD_SEGMENT && (!fields_parse(segment_record_layout, payload, &r)
	    || r.version < RECORD_VERSION_LEAST || r.version > RECORD_VERSION))
		s->end->newer = true;
	else
		s->handler->record(s->arg, at, h, payload);
}

/* Where the next whole record begins after damage at offset; the size when there is none. */
static uint64_t
resume_at(struct scan *s, uint64_t at)
{
	struct record_header h;

	for (at += RECORD_ALIGN; at < s->w.size && !s->w.short_of_memory; at += RECORD_ALIGN) {
		if (record_at(s, at, &h) != NULL)
			return at;
		/* A page that cannot be read costs one attempt, not five hundred. */
		if (window_at(&s->w, at, 1) == NULL)
			at = (at / UNREADABLE + 1) * UNREADABLE - RECORD_ALIGN;
	}
	return s->w.size;
}

/* Behind the last record stand the zeros that were filled in ahead of the next one: not damage. Where what is not zero ends. */
static uint64_t
unfilled(struct scan *s, uint64_t at)
{
	uint64_t end = at;

	for (; at < s->w.size; at += RECORD_ALIGN) {
		size_t n = s->w.size - at < RECORD_ALIGN ? (size_t)(s->w.size - at) : RECORD_ALIGN;
		const uint8_t *p = window_at(&s->w, at, n);

		for (size_t i = 0; p == NULL || i < n; i++)
			if (p == NULL || p[i] != 0) {
				end = at + n;
				break;
			}
	}
	return end;
}

bool
scan_segment(int fd, uint64_t size, const struct scan_handler *handler, void *arg, struct scan_end *end)
{
	struct scan s = { .w = { .fd = fd, .size = size }, .handler = handler, .arg = arg, .end = end };
	struct record_header h;
	uint64_t at = 0;

	*end = (struct scan_end){ 0 };
	while (at < size && !end->newer && !s.w.short_of_memory) {
		const uint8_t *p = record_at(&s, at, &h);

		if (p != NULL) {
			take_record(&s, at, &h, p);
			at += record_octets(h.length);
			end->end = at;
		} else if (!s.w.short_of_memory) {
			uint64_t next = resume_at(&s, at), last = next < size ? next : unfilled(&s, at);

			if (!s.w.short_of_memory && last > at)
				handler->damage(arg, at, last);
			at = next;
		}
	}
	free(s.w.mem.p);
	return !s.w.short_of_memory && !end->newer;
}

/* The number in the name of a segment's file; false: it is no such name. */
static bool
number_of(const char *name, uint64_t *number)
{
	uint64_t n = 0;

	if (strspn(name, "0123456789abcdef") != 16 || strcmp(name + 16, ".log") != 0)
		return false;
	for (size_t i = 0; i < 16; i++)
		n = n << 4 | ascii_hex_value((uint8_t)name[i]);
	*number = n;
	/* The number must fit a place. */
	return n > 0 && n < UINT32_MAX;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static bool
list_add(uint64_t **number, size_t *count, uint64_t one)
{
	/* Doubled whenever it is full. */
	if (*count == 0 || (*count >= 64 && (*count & (*count - 1)) == 0)) {
		uint64_t *bigger = reallocarray(*number, *count == 0 ? 64 : *count * 2, sizeof *bigger);

		if (bigger == NULL)
			return false;
		*number = bigger;
	}
	(*number)[(*count)++] = one;
	return true;
}

bool
segments_list(int dirfd, uint64_t **number, size_t *count)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;
	uint64_t one;

	if (d == NULL) {
		if (fd != -1)
			(void)close(fd);
		return false;
	}
	while ((e = readdir(d)) != NULL)
		if (number_of(e->d_name, &one) && !list_add(number, count, one))
			break;
	(void)closedir(d);
	if (*count > 1)
		qsort(*number, *count, sizeof **number, by_number);
	return e == NULL;
}

#include "spool/tail.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/disk.h"

void
tail_init(struct tail *t, struct tail_place at)
{
	*t = (struct tail){ .at = at };
}

static void
drop_segment(struct tail *t, size_t i)
{
	(void)close(t->segment[i].fd);
	t->segments--;
	memmove(t->segment + i, t->segment + i + 1, (t->segments - i) * sizeof *t->segment);
	t->window.len = 0;
}

void
tail_fini(struct tail *t)
{
	while (t->segments > 0)
		drop_segment(t, t->segments - 1);
	free(t->window.p);
	free(t->big);
	*t = (struct tail){ .at = t->at };
}

bool
tail_add(struct tail *t, uint64_t number, uint64_t salt, int fd)
{
	if (t->segments == TAIL_SEGMENTS || number < t->at.segment
	    || (t->segments > 0 && number <= t->segment[t->segments - 1].number)
	    || (number == t->at.segment && t->at.salt != 0 && salt != t->at.salt))
		return false;
	t->segment[t->segments++] = (struct tail_segment){ number, salt, fd };
	return true;
}

void
tail_gone(struct tail *t, uint64_t number)
{
	for (size_t i = 0; i < t->segments; i++)
		if (t->segment[i].number == number) {
			drop_segment(t, i);
			return;
		}
}

void
tail_durable(struct tail *t, uint64_t sequence)
{
	/* What was read ahead of the last one may have been written since. */
	t->window.len = 0;
	if (sequence > t->durable)
		t->durable = sequence;
}

/* ---- octets ---- */
/* The octets [at, at + n) of the segment being read, or NULL. */
static const uint8_t *
octets_at(struct tail *t, uint64_t at, size_t n)
{
	int fd = t->segment[0].fd;

	if (t->window.p == NULL && (t->window.p = malloc(TAIL_WINDOW)) == NULL)
		return NULL;
	t->window.max = TAIL_WINDOW;
	if (n > TAIL_WINDOW) {
		free(t->big);
		t->big = malloc(n);
		return t->big != NULL && disk_read(fd, t->big, n, at) == n ? t->big : NULL;
	}
	if (at < t->base || at - t->base > t->window.len || t->window.len - (at - t->base) < n) {
		t->base = at;
		t->window.len = disk_read(fd, t->window.p, TAIL_WINDOW, at);
	}
	return t->window.len - (at - t->base) >= n ? t->window.p + (at - t->base) : NULL;
}

/* Is a whole record at this offset? What is in a CHUNK nobody here wants to know, so it is not read. */
static bool
record_at(struct tail *t, uint64_t at, struct record_header *h, struct span *payload)
{
	const uint8_t *p = octets_at(t, at, RECORD_HEADER);

	if (p == NULL || !record_header_parse((struct span){ p, RECORD_HEADER }, h) || h->salt != t->segment[0].salt)
		return false;
	*payload = (struct span){ NULL, 0 };
	if (h->kind == RECORD_CHUNK)
		return true;
	p = octets_at(t, at, RECORD_HEADER + (size_t)h->length);
	if (p == NULL || !record_intact((struct span){ p, RECORD_HEADER + (size_t)h->length }, h))
		return false;
	*payload = (struct span){ p + RECORD_HEADER, h->length };
	return true;
}

/* ---- the way on ---- */
/* Where the next whole record of this segment begins, behind what is none; 0: there is none. */
static uint64_t
resume_at(struct tail *t)
{
	struct record_header h;
	struct span payload;
	struct stat st;

	if (fstat(t->segment[0].fd, &st) != 0)
		return 0;
	for (uint64_t at = t->at.offset + RECORD_ALIGN; at + RECORD_HEADER <= (uint64_t)st.st_size; at += RECORD_ALIGN)
		if (record_at(t, at, &h, &payload))
			return at;
	return 0;
}

/* The segment at.segment, or the next one, is the first of the table. False: it is not there. */
static bool
choose_segment(struct tail *t)
{
	while (t->segments > 0 && t->segment[0].number < t->at.segment)
		drop_segment(t, 0);
	if (t->segments == 0)
		return false;
	if (t->segment[0].number != t->at.segment || t->at.salt == 0) {
		t->at = (struct tail_place){ t->segment[0].number, t->segment[0].salt, 0, t->at.sequence };
		t->window.len = 0;
	}
	return true;
}

/* At the end of a segment, or at damage: go on where it goes on. False: not yet. */
static bool
go_on(struct tail *t)
{
	uint64_t at = resume_at(t);

	if (at > 0) {
		t->at.offset = at;
		return true;
	}
	if (t->segments < 2)
		return false;
	t->at.segment = t->segment[1].number;
	t->at.salt = 0;
	return choose_segment(t);
}

enum tail_step
tail_next(struct tail *t, struct record_header *h, struct span *payload, struct tail_gap *gap)
{
	free(t->big);
	t->big = NULL;
	while (t->durable > 0 && t->at.sequence <= t->durable && choose_segment(t)) {
		if (!record_at(t, t->at.offset, h, payload)) {
			if (!go_on(t))
				return TAIL_END;
			continue;
		}
		if (h->sequence > t->durable)
			return TAIL_END;
		if (t->at.sequence != 0 && h->sequence > t->at.sequence) {
			*gap = (struct tail_gap){ t->at.sequence, h->sequence - 1 };
			t->at.sequence = h->sequence;
			return TAIL_GAP;
		}
		t->at.offset += record_octets(h->length);
		/* What was read already is passed over. */
		if (h->sequence < t->at.sequence)
			continue;
		t->at.sequence = h->sequence + 1;
		return TAIL_RECORD;
	}
	return TAIL_END;
}

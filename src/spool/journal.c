#include "spool/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

void
segment_name(uint64_t number, char name[SEGMENT_NAME])
{
	(void)snprintf(name, SEGMENT_NAME, "%016llx.log", (unsigned long long)number);
}

void
journal_init(struct journal *j, const struct disk *disk, int dirfd, uint64_t segment_size,
    const struct journal_handler *handler, void *arg)
{
	*j = (struct journal){ .disk = disk,
		.dirfd = dirfd, .segment_size = segment_size < SEGMENT_MOST ? segment_size : SEGMENT_MOST, .handler = handler, .arg = arg,
		.next_number = 1, .sequence = 1, .follower = UINT64_MAX };
	j->gather = &j->batch[0];
	j->write = &j->batch[1];
	j->batch[0].journal = j->batch[1].journal = j;
}

static void
segment_close(struct segment *s)
{
	if (s->fd != -1)
		(void)close(s->fd);
	if (s->reader != -1)
		(void)close(s->reader);
	free(s);
}

void
journal_fini(struct journal *j)
{
	assert(!j->running);
	for (size_t i = 0; i < j->segments; i++)
		segment_close(j->segment[i]);
	free(j->segment);
	for (size_t i = 0; i < 2; i++) {
		free(j->batch[i].mem.p);
		free(j->batch[i].ticket);
	}
}

/* ---- the table of segments ---- */
static struct segment *
segment_add(struct journal *j, uint64_t number, uint64_t salt)
{
	struct segment *s;

	if (j->segments == j->segments_max) {
		size_t more = j->segments_max == 0 ? 64 : j->segments_max * 2;
		struct segment **bigger = reallocarray(j->segment, more, sizeof *bigger);

		if (bigger == NULL)
			return NULL;
		j->segment = bigger;
		j->segments_max = more;
	}
	s = malloc(sizeof *s);
	if (s == NULL)
		return NULL;
	*s = (struct segment){ .number = number, .salt = salt, .fd = -1, .reader = -1 };
	j->segment[j->segments++] = s;
	j->next_number = number + 1;
	return s;
}

struct segment *
journal_adopt(struct journal *j, uint64_t number, uint64_t size, uint64_t salt)
{
	struct segment *s;

	assert(number >= j->next_number && j->active == NULL);
	s = segment_add(j, number, salt);
	if (s != NULL) {
		s->size = size;
		j->octets += size;
	}
	return s;
}

struct segment *
journal_segment(const struct journal *j, uint64_t number)
{
	size_t low = 0, high = j->segments;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (j->segment[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < j->segments && j->segment[low]->number == number ? j->segment[low] : NULL;
}

int
journal_reader(struct journal *j, struct segment *s)
{
	char name[SEGMENT_NAME];

	if (s->reader == -1) {
		segment_name(s->number, name);
		s->reader = openat(j->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	return s->reader;
}

void
segment_hold(struct journal *j, uint64_t number, uint64_t octets, bool again)
{
	struct segment *s = journal_segment(j, number);

	assert(s != NULL);
	s->refs += again ? 0 : 1;
	s->live += octets;
	j->live += octets;
}

void
segment_release(struct journal *j, uint64_t number, uint64_t octets)
{
	struct segment *s = journal_segment(j, number);

	assert(s != NULL && s->refs > 0 && s->live >= octets);
	s->live -= octets;
	j->live -= octets;
	if (--s->refs == 0)
		s->freed = j->sequence - 1;
}

static bool
closes(const struct batch *b, const struct segment *s)
{
	for (size_t i = 0; i < b->parts; i++)
		if (b->part[i].before == s)
			return true;
	return false;
}

/* The batch that was written last can still be looked at; of a segment that goes there is nothing to see. */
static void
unview(struct batch *b, const struct segment *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->parts; i++)
		if (b->part[i].segment != s)
			b->part[kept++] = b->part[i];
	b->parts = kept;
}

void
journal_follow(struct journal *j, uint64_t from, uint64_t most)
{
	j->follower = from;
	j->follower_most = most;
}

/* Is the oldest segment, which no message needs, kept for who follows the log? */
static bool
is_followed(const struct journal *j)
{
	uint64_t octets = 0;

	if (j->follower > j->segment[0]->number)
		return false;
	for (size_t i = 0; i < j->segments && j->segment[i]->refs == 0 && octets <= j->follower_most; i++)
		octets += j->segment[i]->size;
	return octets <= j->follower_most;
}

void
journal_reap(struct journal *j)
{
	struct batch *b = j->gather;

	while (j->segments > 0 && j->state != FAIL_DOUBT && b->unlinks < JOURNAL_UNLINKS) {
		struct segment *s = j->segment[0];

		/* The newest stays, so that numbers and sequence never begin again. */
		if (s == j->active || j->segments == 1 || s->refs > 0 || is_followed(j))
			return;
		/* A segment that ceased to be the active one without ever being freed: its own records must be synced. */
		if (s->freed > j->durable) {
			j->sync_wanted = true;
			return;
		}
		/* A batch may still have to sync it. */
		if (j->running || j->write->stuck || closes(b, s))
			return;
		b->unlink[b->unlinks++] = s->number;
		j->octets -= s->size;
		j->segments--;
		memmove(j->segment, j->segment + 1, j->segments * sizeof *j->segment);
		j->handler->gone(j->arg, s->number);
		unview(j->write, s);
		segment_close(s);
	}
}

/* ---- gathering ---- */
static bool
grow(struct batch *b, size_t need)
{
	size_t max = b->mem.max == 0 ? 65536 : b->mem.max;
	uint8_t *bigger;

	if (b->mem.max - b->mem.len >= need)
		return true;
	while (max - b->mem.len < need)
		max *= 2;
	bigger = realloc(b->mem.p, max);
	if (bigger == NULL)
		return false;
	b->mem.p = bigger;
	b->mem.max = max;
	return true;
}

static bool
ticket_room(struct batch *b)
{
	size_t more = b->tickets_max == 0 ? 64 : b->tickets_max * 2;
	struct ticket *bigger;

	if (b->tickets < b->tickets_max)
		return true;
	bigger = reallocarray(b->ticket, more, sizeof *bigger);
	if (bigger == NULL)
		return false;
	b->ticket = bigger;
	b->tickets_max = more;
	return true;
}

/* The record stands behind the reserved header; give it its place in the active segment. */
static uint64_t
place_record(struct journal *j, enum record_kind kind, size_t length)
{
	struct batch *b = j->gather;
	struct segment *s = j->active;
	struct part *part = &b->part[b->parts - 1];
	uint64_t octets = record_octets(length), place = PLACE(s->number, s->size);

	record_seal(b->mem.p + b->mem.len, &(struct record_header){ .kind = kind, .length = (uint32_t)length,
		.salt = s->salt, .sequence = j->sequence });
	b->last = j->sequence++;
	b->mem.len += octets;
	part->len += octets;
	s->size += octets;
	j->octets += octets;
	return place;
}

static bool
begin_part(struct journal *j, struct segment *s, struct segment *before)
{
	struct batch *b = j->gather;

	if (b->parts == JOURNAL_PARTS)
		return false;
	b->part[b->parts++] = (struct part){ .segment = s, .before = before, .offset = s->size, .from = b->mem.len };
	return true;
}

static bool
begin_segment(struct journal *j)
{
	struct segment_record r = { .version = RECORD_VERSION, .number = j->next_number, .created = (uint64_t)time(NULL) * 1000 };
	struct segment *before = j->active, *s;
	struct buf payload;
	uint64_t salt;

	if (getrandom(&salt, sizeof salt, 0) != sizeof salt || j->gather->parts == JOURNAL_PARTS)
		return false;
	s = segment_add(j, j->next_number, salt);
	if (s == NULL)
		return false;
	if (before != NULL)
		before->freed = j->sequence - 1;
	j->active = s;
	(void)begin_part(j, s, before);
	payload = (struct buf){ j->gather->mem.p + j->gather->mem.len + RECORD_HEADER, 0, 64 };
	(void)fields_format(segment_record_layout, &r, &payload);
	(void)place_record(j, RECORD_SEGMENT, payload.len);
	return true;
}

bool
journal_reserve(struct journal *j, size_t max, bool kept, struct buf *payload)
{
	struct batch *b = j->gather;
	uint64_t octets = record_octets(max);

	if (j->state == FAIL_DOUBT || max > RECORD_PAYLOAD_MAX
	    || b->mem.len + octets > (kept ? JOURNAL_MOST : JOURNAL_REFUSE))
		return false;
	/* 128: a SEGMENT record may have to go in front. */
	if (!grow(b, octets + 128) || !ticket_room(b))
		return false;
	if (j->active == NULL || (j->active->size > 0 && j->active->size + octets > j->segment_size)) {
		if (!begin_segment(j))
			return false;
	} else if (b->parts == 0 && !begin_part(j, j->active, NULL))
		return false;
	*payload = (struct buf){ b->mem.p + b->mem.len + RECORD_HEADER, 0, max };
	return true;
}

uint64_t
journal_commit(struct journal *j, enum record_kind kind, struct buf payload, bool sync, const struct ticket *ticket)
{
	struct batch *b = j->gather;
	size_t at = b->mem.len;
	uint64_t place;

	assert(payload.p == b->mem.p + at + RECORD_HEADER);
	place = place_record(j, kind, payload.len);
	b->sync = b->sync || sync;
	if (ticket != NULL) {
		struct ticket *t = &b->ticket[b->tickets++];

		*t = *ticket;
		t->place = place;
		t->at = at;
	}
	return place;
}

uint64_t
journal_append(struct journal *j, enum record_kind kind, struct layout layout, const void *record, bool kept)
{
	struct buf payload;

	if (!journal_reserve(j, fields_size(layout, record), kept, &payload) || !fields_format(layout, record, &payload))
		return 0;
	return journal_commit(j, kind, payload, false, NULL);
}

/* ---- batches ---- */
bool
journal_pressing(const struct journal *j)
{
	return j->state == OK && !j->running
	    && (j->gather->sync || j->gather->unlinks > 0 || j->gather->mem.len >= JOURNAL_KEPT);
}

bool
journal_idle(const struct journal *j)
{
	return !j->running && !j->write->stuck && j->gather->mem.len == 0 && j->gather->unlinks == 0 && !j->unsynced;
}

void
journal_want_sync(struct journal *j)
{
	if (j->gather->mem.len > 0 || j->unsynced)
		j->sync_wanted = true;
}

bool
journal_crowded(const struct journal *j)
{
	return j->gather->mem.len >= JOURNAL_CROWDED;
}

static void
batch_clear(struct batch *b)
{
	if (b->mem.max > JOURNAL_KEPT && b->mem.len < JOURNAL_KEPT / 4) {
		uint8_t *smaller = realloc(b->mem.p, JOURNAL_KEPT);

		if (smaller != NULL) {
			b->mem.p = smaller;
			b->mem.max = JOURNAL_KEPT;
		}
	}
	b->mem.len = b->parts = b->tickets = b->unlinks = 0;
	b->sync = b->stuck = false;
	b->sync_also = NULL;
}

struct batch *
journal_begin(struct journal *j)
{
	struct batch *b = j->gather;

	if (j->running || j->state == FAIL_DOUBT)
		return NULL;
	if (j->write->stuck) {
		j->running = true;
		return j->write;
	}
	if (b->mem.len == 0 && b->unlinks == 0 && !(j->sync_wanted && j->unsynced))
		return NULL;
	/* A removal must not overtake what it stands on. */
	b->sync = b->sync || j->sync_wanted || (b->unlinks > 0 && j->unsynced);
	if (b->mem.len == 0 && !j->unsynced)
		b->sync = false;
	b->sync_also = j->active;
	j->sync_wanted = false;
	/* Until now what it had could still be had from memory. */
	batch_clear(j->write);
	j->gather = j->write;
	j->write = b;
	j->running = true;
	return b;
}

static void
make_void(struct batch *b, size_t at)
{
	struct record_header h;

	if (!record_header_parse((struct span){ b->mem.p + at, RECORD_HEADER }, &h))
		return;
	h.kind = RECORD_VOID;
	memset(b->mem.p + at + RECORD_HEADER, 0, h.length);
	record_seal(b->mem.p + at, &h);
}

/* Everything that may be refused becomes VOID where it stands, so that the places of the others stay true. */
static void
refuse(struct journal *j, struct batch *b)
{
	struct record_header h;
	size_t kept = 0, tickets = b->tickets;

	for (size_t at = 0; at < b->mem.len; at += record_octets(h.length)) {
		bool header = record_header_parse((struct span){ b->mem.p + at, b->mem.len - at }, &h);

		assert(header);
		if (header && h.kind == RECORD_CHUNK)
			make_void(b, at);
	}
	for (size_t i = 0; i < tickets; i++)
		if (b->ticket[i].refusable)
			make_void(b, b->ticket[i].at);
	for (size_t i = 0; i < tickets; i++) {
		struct ticket t = b->ticket[i];

		if (t.refusable)
			j->handler->settled(j->arg, &t, FAIL_DISK_FULL);
		else
			b->ticket[kept++] = t;
	}
	b->tickets = kept;
}

static void
settle(struct journal *j, struct batch *b, enum fail fail)
{
	for (size_t i = 0; i < b->tickets; i++)
		j->handler->settled(j->arg, &b->ticket[i], fail);
	b->tickets = 0;
}

/* What was synced before its successor began is written no more. */
static void
close_finished(struct batch *b)
{
	for (size_t i = 0; i < b->parts; i++) {
		struct segment *s = b->part[i].before;

		if (s != NULL && s->fd != -1) {
			(void)close(s->fd);
			s->fd = -1;
		}
	}
}

static void
journal_enter(struct journal *j, enum fail next)
{
	assert(j->state != FAIL_DOUBT);
	j->state = next;
}

enum fail
journal_end(struct journal *j)
{
	struct batch *b = j->write;

	assert(j->running);
	j->running = false;
	journal_enter(j, b->fail);
	switch (b->fail) {
	case OK:
		j->written = b->mem.len > 0 ? b->last : j->written;
		j->durable = b->sync ? j->written : j->durable;
		j->unsynced = !b->sync && (j->unsynced || b->mem.len > 0);
		close_finished(b);
		settle(j, b, OK);
		b->sync = b->stuck = false;
		return OK;
	case FAIL_DISK_FULL:
		b->stuck = true;
		refuse(j, b);
		refuse(j, j->gather);
		return FAIL_DISK_FULL;
	default:
		settle(j, b, FAIL_DOUBT);
		settle(j, j->gather, FAIL_DOUBT);
		return FAIL_DOUBT;
	}
}

void
journal_rest(struct journal *j)
{
	if (j->running || j->write->stuck || j->gather->mem.len > 0)
		return;
	for (size_t i = 0; i < 2; i++) {
		j->batch[i].parts = 0;
		free(j->batch[i].mem.p);
		j->batch[i].mem = (struct buf){ NULL, 0, 0 };
	}
}

/* ---- reading ---- */
const uint8_t *
journal_view(const struct journal *j, uint64_t place, size_t n)
{
	const struct batch *both[] = { j->write, j->gather };

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < both[k]->parts; i++) {
			const struct part *p = &both[k]->part[i];
			uint64_t offset = PLACE_OFFSET(place);

			if (p->segment->number == PLACE_SEGMENT(place) && offset >= p->offset
			    && offset - p->offset < p->len && p->len - (offset - p->offset) >= n)
				return both[k]->mem.p + p->from + (offset - p->offset);
		}
	return NULL;
}

bool
journal_read(struct journal *j, uint64_t place, uint8_t *p, size_t n)
{
	const uint8_t *here = journal_view(j, place, n);
	struct segment *s = journal_segment(j, PLACE_SEGMENT(place));

	if (here != NULL) {
		memcpy(p, here, n);
		return true;
	}
	errno = 0;
	if (s == NULL || journal_reader(j, s) == -1)
		return false;
	return disk_read(s->reader, p, n, PLACE_OFFSET(place)) == n;
}

bool
journal_read_record(struct journal *j, uint64_t place, enum record_kind kind, uint8_t *p, size_t most, struct span *payload)
{
	struct record_header h;

	if (!journal_read(j, place, p, RECORD_HEADER) || !record_header_parse((struct span){ p, RECORD_HEADER }, &h) || h.kind != kind
	    || h.length > most - RECORD_HEADER || !journal_read(j, place, p, RECORD_HEADER + h.length)
	    || !record_intact((struct span){ p, RECORD_HEADER + h.length }, &h))
		return false;
	*payload = (struct span){ p + RECORD_HEADER, h.length };
	return true;
}

/* What a start makes of the directory. Everything here may block: nobody is served yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/log.h"
#include "spool/aside.h"
#include "spool/plan.h"
#include "spool/scan.h"
#include "spool/spool.h"
#include "spool/suspects.h"

enum { PROGRESS_MS = 5000, PROGRESS_LOOK = 16384 };

struct range {
	uint64_t segment, from, to;
};

struct recovery {
	struct spool *spool;
	uint64_t *number;               /* of the segments found, in order */
	size_t numbers;
	struct range *damage;
	size_t damages, damages_max;
	uint64_t segment;               /* being read */
	bool last;                      /* it is the newest */
	uint32_t unkept;                /* of its damage, for want of room: it stays as it is until there is a copy */
	bool failed;                    /* memory or the disk; no start */
	const char *why;                /* no start, and errno does not say why; else NULL */
	int fd;
	uint64_t size;
	uint64_t records, now;
	uint64_t said;                  /* clock_run() when something was last said of how far we are */
	struct once_entry fresh;        /* of the message that comes next; id 0: none */
	uint64_t named;                 /* the message that comes next, if it does; 0: nobody has said */
	uint64_t salt;                  /* of the segment; 0: not known yet */
	struct range unlooked;          /* damage of this segment; to 0: none */
	uint64_t unlooked_named;
	struct suspects suspects;
	bool *waits;                    /* by slot: a reply has asked to wait, or had when the slot was another's */
	uint32_t waits_max;
};

/* ---- what the records say ---- */
/* Without memory for it the usual back-off counts. */
static void
note_wait(struct recovery *r, uint32_t slot, const struct outcome *o)
{
	uint32_t max = r->spool->index.max;
	bool *bigger;

	if (o->flags >> OUTCOME_WAIT_AT == 0)
		return;
	if (slot >= r->waits_max) {
		bigger = reallocarray(r->waits, max, sizeof *bigger);
		if (bigger == NULL)
			return;
		memset(bigger + r->waits_max, 0, (max - r->waits_max) * sizeof *bigger);
		r->waits = bigger;
		r->waits_max = max;
	}
	r->waits[slot] = true;
}

static void
keep_aside(struct recovery *r, uint64_t from, uint64_t to)
{
	struct unkept u = { r->segment, from, to };

	if (aside_range(r->spool, r->fd, &u, false))
		return;
	r->unkept++;
	r->failed = !unkept_add(r->spool, &u) || r->failed;
}

static void
take_message(struct recovery *r, uint64_t place, struct span payload)
{
	struct index *x = &r->spool->index;
	struct entry before = { .used = false }, *e;
	struct message_record m;
	struct recipient one;
	uint32_t slot;

	if (!message_parse(payload, &m)) {
		/* The sum is right, so a program wrote it so: keep it for whoever wants to know why. */
		keep_aside(r, PLACE_OFFSET(place), PLACE_OFFSET(place) + record_octets(payload.len));
		return;
	}
	suspects_clear(&r->suspects, m.id);
	slot = index_find(x, m.id);
	if (slot != INDEX_NONE) {
		/* A copy: what was said of holding it is said again behind it, unless that was cut off. */
		before = x->entry[slot];
		index_remove(x, slot);
	}
	if (r->fresh.id == m.id)
		(void)once_add(&r->spool->once, r->fresh.print, m.id, r->fresh.when, PLACE(r->fresh.segment, 0));
	if (m.flags & RECORD_FLAG_DISCARDED)
		return;
	slot = index_add(x, m.id, m.rcpts);
	if (slot == INDEX_NONE) {
		r->failed = true;
		return;
	}
	e = &x->entry[slot];
	/* The clock was ahead when it came: nobody waits for a time that was never meant. */
	e->arrival = m.arrival < r->now ? m.arrival : r->now;
	if (before.used) {
		e->arrival = before.arrival;
		e->word = before.word;
	}
	e->size = m.size;
	e->place = place;
	e->length = (uint32_t)payload.len;
	e->flags = (uint8_t)((m.extents.len > 0 ? ENTRY_EXTENTS : 0) | (m.flags & RECORD_FLAG_HELD ? ENTRY_HELD : 0));
	e->account = account_hash(m.login);
	terms_note(e, &m);
	for (uint32_t i = 0; i < m.rcpts && recipient_take(&m.recipients, &one); i++) {
		outcome_note(e, i, &one.last, 0);
		note_wait(r, slot, &one.last);
	}
}

static void
take_result(struct recovery *r, uint64_t place, struct span payload)
{
	struct index *x = &r->spool->index;
	struct result_record result;
	uint32_t slot;

	if (!result_parse(payload, &result))
		return;
	slot = index_find(x, result.id);
	if (slot == INDEX_NONE || result.number >= x->entry[slot].rcpts)
		return;
	outcome_note(&x->entry[slot], result.number, &result.last, place);
	note_wait(r, slot, &result.last);
}

static void
take_done(struct recovery *r, struct span payload)
{
	struct done_record done;
	uint32_t slot;

	if (!fields_parse(done_record_layout, payload, &done))
		return;
	suspects_clear(&r->suspects, done.id);
	slot = index_find(&r->spool->index, done.id);
	if (slot != INDEX_NONE)
		index_remove(&r->spool->index, slot);
}

static void
take_held(struct recovery *r, uint64_t place, struct span payload)
{
	struct held_record held;
	struct entry *e;
	uint32_t slot;

	if (!fields_parse(held_record_layout, payload, &held))
		return;
	slot = index_find(&r->spool->index, held.id);
	if (slot == INDEX_NONE)
		return;
	e = &r->spool->index.entry[slot];
	e->word = place;
	e->flags = (uint8_t)(held.held ? e->flags | ENTRY_HELD : e->flags & ~ENTRY_HELD);
	if (!held.held && held.when > e->arrival)
		e->arrival = held.when < r->now ? held.when : r->now;
}

static void
take_release(struct recovery *r, struct span payload)
{
	struct release_record release;
	uint32_t slot;

	if (!fields_parse(release_record_layout, payload, &release))
		return;
	slot = index_find(&r->spool->index, release.id);
	if (slot == INDEX_NONE)
		return;
	r->spool->index.entry[slot].release = release.release;
	r->spool->index.entry[slot].flags &= (uint8_t)~ENTRY_HOLD_FOR;
}

static void
missing(struct recovery *r, uint64_t from, uint64_t to)
{
	struct log_line l;

	log_begin(&l, LOG_WARN, "records-missing");
	log_u64(&l, "segment", r->segment);
	log_u64(&l, "from", from);
	log_u64(&l, "to", to);
	log_end(&l);
}

/* Who was in the damage? Not asked of what was torn off when we died: nobody was told 250 for that. */
static void
look_at_damage(struct recovery *r)
{
	const struct range *d = &r->unlooked;
	struct suspect one = { .segment = d->segment, .from = d->from };

	if (d->to > 0)
		suspects_look(&r->suspects, r->fd, &one, d->to, r->salt, r->unlooked_named);
	r->unlooked.to = 0;
}

/* Between a message's name, or its print, and the message there is nothing, or its last chunk, or a new segment. */
static void
note_name(struct recovery *r, uint32_t kind, struct span payload)
{
	struct fact_record fact;

	if (kind == RECORD_ONCE)
		r->named = r->fresh.id;
	else if (kind == RECORD_FACT && fields_parse(fact_record_layout, payload, &fact) && fact.kind == FACT_MESSAGE_ID)
		r->named = fact.id;
	else if (kind != RECORD_CHUNK && kind != RECORD_SEGMENT)
		r->named = 0;
}

static void
recovered_record(void *arg, uint64_t offset, const struct record_header *h, struct span payload)
{
	struct recovery *r = arg;
	struct journal *j = &r->spool->journal;

	r->salt = h->salt;
	look_at_damage(r);
	if (r->records++ > 0 && h->sequence > j->sequence)
		missing(r, j->sequence, h->sequence - 1);
	if (h->sequence >= j->sequence)
		j->sequence = h->sequence + 1;
	switch (h->kind) {
	case RECORD_MESSAGE:
		take_message(r, PLACE(r->segment, offset), payload);
		r->fresh.id = 0;
		break;
	case RECORD_ONCE:
		once_recover(&r->spool->once, payload, PLACE(r->segment, offset), r->now, &r->fresh);
		break;
	case RECORD_RESULT:
		take_result(r, PLACE(r->segment, offset), payload);
		break;
	case RECORD_DONE:
		take_done(r, payload);
		break;
	case RECORD_HELD:
		take_held(r, PLACE(r->segment, offset), payload);
		break;
	case RECORD_RELEASE:
		take_release(r, payload);
		break;
	default:
		break;
	}
	note_name(r, h->kind, payload);
}

static void
recovered_damage(void *arg, uint64_t from, uint64_t to)
{
	struct recovery *r = arg;
	struct range *bigger;

	r->unlooked = (struct range){ r->segment, from, to };
	r->unlooked_named = r->named;
	r->named = 0;
	keep_aside(r, from, to);
	if (r->damages == r->damages_max) {
		size_t more = r->damages_max == 0 ? 16 : r->damages_max * 2;

		bigger = reallocarray(r->damage, more, sizeof *bigger);
		if (bigger == NULL) {
			r->failed = true;
			return;
		}
		r->damage = bigger;
		r->damages_max = more;
	}
	r->damage[r->damages++] = (struct range){ r->segment, from, to };
}

static const struct scan_handler recovery_handler = { recovered_record, recovered_damage };

/* ---- one segment ---- */
/* A batch that was being written when we died ends in the middle of a record. Cut, it is not damage at the next start. */
static bool
cut_tail(struct recovery *r, uint64_t end)
{
	const struct disk *disk = r->spool->conf.disk;
	int fd;
	bool cut;
	char name[SEGMENT_NAME];

	if (!r->last || r->unkept > 0 || end == r->size)
		return true;
	segment_name(r->segment, name);
	fd = disk->open(disk->arg, r->spool->dirfd, name);
	if (fd == -1)
		return false;
	cut = disk->truncate(disk->arg, fd, (off_t)end) == 0 && disk->fdatasync(disk->arg, fd) == 0;
	(void)close(fd);
	if (cut)
		r->size = end;
	return cut;
}

static bool
read_segment(struct recovery *r)
{
	const struct disk *disk = r->spool->conf.disk;
	struct segment *s;
	struct scan_end end;
	struct stat st;
	bool whole;

	/* What a dead process wrote and nobody synced must reach the disk before anything is built on it; then read the disk,
	 * not what memory believes the disk has. */
	if (fstat(r->fd, &st) == -1 || disk->fdatasync(disk->arg, r->fd) == -1)
		return false;
	(void)posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED);
	(void)posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	r->size = (uint64_t)st.st_size;
	r->salt = r->unlooked.to = 0;
	r->unkept = 0;
	if (r->size > (uint64_t)SEGMENT_MOST + 2 * (uint64_t)RECORD_PAYLOAD_MAX) {
		errno = EFBIG;
		return false;
	}
	whole = scan_segment(r->fd, r->size, &recovery_handler, r, &end);
	if (end.newer)
		r->why = "another version of Postern wrote it; run that version again";
	if (!r->last)
		look_at_damage(r);
	if (!whole || r->failed || !cut_tail(r, end.end))
		return false;
	s = journal_adopt(&r->spool->journal, r->segment, r->size, end.salt);
	if (s == NULL)
		return false;
	s->reader = r->fd;
	for (; r->unkept > 0; r->unkept--)
		segment_hold(&r->spool->journal, r->segment, 0, false);
	return true;
}

/* A long start says how far it is, so that nobody takes it for one that hangs. */
static void
say_progress(struct recovery *r, const char *what, uint64_t done, uint64_t of)
{
	uint64_t now = clock_run();
	struct log_line l;

	if (r->said == 0)
		r->said = now;
	if (now - r->said < PROGRESS_MS)
		return;
	r->said = now;
	log_begin(&l, LOG_NOTE, "spool-start");
	log_text(&l, "doing", what);
	log_u64(&l, "done", done);
	log_u64(&l, "of", of);
	log_u64(&l, "messages", r->spool->index.count);
	log_end(&l);
}

static void
say_unread(const struct recovery *r, const char *name)
{
	struct log_line l;

	if (r->why == NULL) {
		log_fail("spool", name, errno);
		return;
	}
	log_begin(&l, LOG_FAULT, "spool");
	log_text(&l, "what", name);
	log_text(&l, "why", r->why);
	log_end(&l);
}

static bool
read_segments(struct recovery *r)
{
	char name[SEGMENT_NAME];

	for (size_t i = 0; i < r->numbers; i++) {
		r->segment = r->number[i];
		r->last = i + 1 == r->numbers;
		say_progress(r, "reading segments", i, r->numbers);
		segment_name(r->segment, name);
		r->fd = openat(r->spool->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (r->fd == -1 || !read_segment(r)) {
			say_unread(r, name);
			if (r->fd != -1)
				(void)close(r->fd);
			return false;
		}
	}
	return true;
}

/* ---- what lives ---- */
/* How many octets of it stand in front of the first damage. */
static uint64_t
whole_of_extent(const struct recovery *r, const struct extent *e)
{
	const struct segment *s = journal_segment(&r->spool->journal, e->segment);
	uint64_t whole = e->octets;

	if (s == NULL || e->offset > s->size)
		return 0;
	if (s->size - e->offset < whole)
		whole = s->size - e->offset;
	for (size_t i = 0; i < r->damages; i++) {
		const struct range *d = &r->damage[i];

		if (d->segment == e->segment && d->from < e->offset + whole && e->offset < d->to)
			whole = d->from > e->offset ? d->from - e->offset : 0;
	}
	return whole;
}

static uint64_t
whole_of(const struct recovery *r, const struct message_record *m)
{
	struct span rest = m->extents;
	uint64_t whole = 0, part;
	struct extent e;

	while (extent_take(&rest, &e)) {
		part = whole_of_extent(r, &e);
		whole += part;
		if (part < e.octets)
			return whole;
	}
	return m->size;
}

static bool
plan(struct recovery *r, uint32_t slot, const struct message_record *m, uint64_t now)
{
	struct entry *e = &r->spool->index.entry[slot];

	if (!holds_take(r->spool, m->extents, &e->hold, &e->holds))
		return false;
	if (e->flags & ENTRY_HELD)
		return true;
	if (!plan_message(r->spool, slot, m, now))
		return false;
	if (slot < r->waits_max && r->waits[slot])
		plan_waits(r->spool, slot, m, now);
	return true;
}

/* What there is of it must not go before there is a copy: until then it is not finished, nor is its sender told. */
static bool
lose(struct recovery *r, uint32_t slot, const struct message_record *m, uint64_t whole)
{
	struct spool *s = r->spool;
	bool kept = aside_message(s, slot, m, false);

	if (!kept)
		lost_hold(s, m, true);
	return lost_add(s, &(struct lost){ .id = m->id, .whole = whole, .kept = kept });
}

static bool
take_up(struct recovery *r, uint32_t slot, uint64_t now)
{
	struct spool *s = r->spool;
	struct entry *e = &s->index.entry[slot];
	struct message_record m;
	uint64_t content_at, whole;

	if (!spool_envelope(s, slot, &m, &content_at))
		return false;
	segment_hold(&s->journal, PLACE_SEGMENT(e->place), record_octets(e->length), false);
	if (m.flags & RECORD_FLAG_NOTICE)
		e->flags |= ENTRY_NOTICE;
	if (e->release > now)
		release_count(s, slot);
	if (e->waiting == 0) {
		/* Who submits it again does not know what we know. */
		spool_fruitless(s, slot);
		spool_finish(s, slot);
		return true;
	}
	whole = whole_of(r, &m);
	if (whole < m.size)
		return lose(r, slot, &m, whole);
	return plan(r, slot, &m, now);
}

static bool
take_up_all(struct recovery *r, uint64_t now)
{
	for (uint32_t i = 0; i < r->spool->index.used; i++) {
		if (i % PROGRESS_LOOK == 0)
			say_progress(r, "planning messages", i, r->spool->index.used);
		if (r->spool->index.entry[i].used && !take_up(r, i, now))
			return false;
	}
	return true;
}

static void
take_up_prints(struct spool *s, uint64_t now)
{
	const struct once *o = &s->once;

	once_recovered(&s->once, now);
	for (uint32_t n = o->first; n != o->end; n++) {
		uint64_t id = once_id(o, n);
		uint32_t slot = id == 0 ? INDEX_NONE : index_find(&s->index, id);

		if (slot != INDEX_NONE)
			s->index.entry[slot].once = n;
	}
}

static void
tell(const struct recovery *r)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, "spool-open");
	log_u64(&l, "segments", r->numbers);
	log_u64(&l, "records", r->records);
	log_u64(&l, "messages", r->spool->index.count);
	log_u64(&l, "damaged", r->damages);
	log_end(&l);
}

bool
recover(struct spool *s, uint64_t now)
{
	struct recovery r = { .spool = s, .now = now };
	bool good;

	good = segments_list(s->dirfd, &r.number, &r.numbers) && read_segments(&r);
	/* All of it is on the disk: it was synced before it was read. */
	s->journal.written = s->journal.durable = s->journal.sequence - 1;
	if (good)
		take_up_prints(s, now);
	good = good && take_up_all(&r, now);
	if (good)
		suspects_tell(&r.suspects, s, now);
	if (good)
		tell(&r);
	free(r.number);
	free(r.damage);
	suspects_free(&r.suspects);
	free(r.waits);
	return good;
}

/*
 * Messages that the disk does not have any more. Where content is damaged and the envelope whole, found by a start or met later, whoever
 * runs the spool tells the sender; where the record itself can be read no more, nobody knows whom to tell.
 */
#include "spool/aside.h"

#include <stdlib.h>

#include "os/clock.h"

enum { PIECE = 64 * 1024, KEEP_MS = 60000 };

/* ---- content ---- */
bool
lost_add(struct spool *s, const struct lost *one)
{
	uint32_t most = s->losts_max == 0 ? 16 : s->losts_max * 2;
	struct lost *bigger;

	if (s->losts == s->losts_max) {
		bigger = reallocarray(s->lost, most, sizeof *bigger);
		if (bigger == NULL)
			return false;
		s->lost = bigger;
		s->losts_max = most;
	}
	s->lost[s->losts++] = *one;
	return true;
}

bool
unkept_add(struct spool *s, const struct unkept *u)
{
	uint32_t most = s->unkepts_max == 0 ? 16 : s->unkepts_max * 2;
	struct unkept *bigger;

	if (s->unkepts == s->unkepts_max) {
		bigger = reallocarray(s->unkept, most, sizeof *bigger);
		if (bigger == NULL)
			return false;
		s->unkept = bigger;
		s->unkepts_max = most;
	}
	s->unkept[s->unkepts++] = *u;
	return true;
}

void
lost_hold(struct spool *s, const struct message_record *m, bool hold)
{
	struct span rest = m->extents;
	struct extent e;

	while (extent_take(&rest, &e))
		if (journal_segment(&s->journal, e.segment) != NULL)
			(hold ? segment_hold(&s->journal, e.segment, 0, false) : segment_release(&s->journal, e.segment, 0));
}

const struct lost *
lost_find(const struct spool *s, uint64_t id)
{
	for (uint32_t i = 0; i < s->losts; i++)
		if (s->lost[i].id == id)
			return &s->lost[i];
	return NULL;
}

void
lost_meet(struct spool *s, uint64_t id)
{
	if (lost_find(s, id) == NULL)
		(void)lost_add(s, &(struct lost){ .id = id, .met = true });
}

static uint64_t
readable(struct spool *s, const struct message_record *m, uint64_t content_at)
{
	static uint8_t piece[PIECE];
	uint64_t at = 0, part;

	for (; at < m->size; at += part) {
		part = m->size - at < PIECE ? m->size - at : PIECE;
		if (!spool_content(s, m, content_at, at, piece, (size_t)part))
			return at;
	}
	return at;
}

enum look { LOOK_WELL, LOOK_LATER, LOOK_LOST };

/* Disks come back. */
static enum look
look_again(struct spool *s, uint32_t slot, struct lost *l)
{
	struct message_record m;
	uint64_t content_at;

	if ((s->index.entry[slot].flags & (ENTRY_MOVING | ENTRY_PENDING)) || !spool_envelope(s, slot, &m, &content_at))
		return LOOK_LATER;
	l->whole = readable(s, &m, content_at);
	if (l->whole == m.size)
		return LOOK_WELL;
	l->kept = aside_message(s, slot, &m, l->said);
	l->said = true;
	return l->kept ? LOOK_LOST : LOOK_LATER;
}

/* A start had no room for a copy of what is left of it. */
static enum look
keep_now(struct spool *s, uint32_t slot, struct lost *l, bool again)
{
	struct message_record m;
	uint64_t content_at;

	if (!again || !spool_envelope(s, slot, &m, &content_at) || !aside_message(s, slot, &m, true))
		return LOOK_LATER;
	lost_hold(s, &m, false);
	l->kept = true;
	return LOOK_LOST;
}

static void
keep_ranges(struct spool *s)
{
	for (uint32_t i = s->unkepts; i-- > 0;) {
		struct segment *segment = journal_segment(&s->journal, s->unkept[i].segment);

		if (journal_reader(&s->journal, segment) == -1 || !aside_range(s, segment->reader, &s->unkept[i], true))
			continue;
		segment_release(&s->journal, segment->number, 0);
		s->unkept[i] = s->unkept[--s->unkepts];
	}
}

/* Is there room again, perhaps? */
static bool
keep_again(struct spool *s)
{
	uint64_t now = clock_run();

	if (s->low || now < s->keep_next)
		return false;
	s->keep_next = now + KEEP_MS;
	return true;
}

/* False: it stays on the list. */
static bool
lose_one(struct spool *s, struct lost *l, bool again, bool (*tell)(void *, uint32_t, uint64_t), void *arg)
{
	uint32_t slot = index_find(&s->index, l->id);
	enum look look = l->kept ? LOOK_LOST : LOOK_LATER;

	/* Somebody has dropped it meanwhile. */
	if (slot == INDEX_NONE)
		return true;
	if (!l->kept)
		look = l->met ? look_again(s, slot, l) : keep_now(s, slot, l, again);
	if (look != LOOK_LOST)
		return look == LOOK_WELL;
	if (!tell(arg, slot, l->whole))
		return false;
	/* Who submits it again means it. */
	spool_fruitless(s, slot);
	spool_finish(s, slot);
	return true;
}

void
spool_lose(struct spool *s, bool (*tell)(void *arg, uint32_t slot, uint64_t whole), void *arg)
{
	bool again = (s->losts > 0 || s->unkepts > 0) && keep_again(s);

	if (again)
		keep_ranges(s);
	for (uint32_t i = s->losts; s->journal.state == OK && !journal_crowded(&s->journal) && i-- > 0;)
		if (lose_one(s, &s->lost[i], again, tell, arg))
			s->lost[i] = s->lost[--s->losts];
}

/* ---- records, met while the server runs ---- */

/* True: nothing is left to do about it. */
static bool
set_aside_one(struct spool *s, struct unreadable *u, uint64_t now, void (*lose)(void *, uint32_t), void *arg)
{
	uint32_t slot = index_find(&s->index, u->id);
	struct message_record m;
	uint64_t content_at;

	if (slot == INDEX_NONE || spool_envelope(s, slot, &m, &content_at))
		return true;
	/* Its copy is on the way to the disk, or nobody was told that we have it: later. */
	if (s->index.entry[slot].flags & (ENTRY_MOVING | ENTRY_PENDING))
		return false;
	if (!aside_record(s, slot, u->said)) {
		u->said = true;
		return false;
	}
	lose(arg, slot);
	(void)spool_fact(s, &(struct fact_record){ .id = u->id, .kind = FACT_LOST, .when = now });
	spool_fruitless(s, slot);
	spool_finish(s, slot);
	return true;
}

void
spool_set_aside(struct spool *s, uint64_t now, void (*lose)(void *arg, uint32_t slot), void *arg)
{
	/* What could not be written down would be found again, and lost again, by the next start. */
	for (uint32_t i = s->unreadables; s->journal.state == OK && i-- > 0;)
		if (set_aside_one(s, &s->unreadable[i], now, lose, arg))
			s->unreadable[i] = s->unreadable[--s->unreadables];
}

/*
 * Messages that the disk does not have any more. Where a start finds content damaged and the envelope whole, whoever opens the spool tells
 * the sender; where the record itself is met no more while the server runs, nobody knows whom to tell.
 */
#include "spool/aside.h"

#include <stdlib.h>

/* ---- content, found by a start ---- */
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
lost_is(const struct spool *s, uint64_t id)
{
	for (uint32_t i = 0; i < s->losts; i++)
		if (s->lost[i].id == id)
			return true;
	return false;
}

void
spool_lose(struct spool *s, bool (*tell)(void *arg, uint32_t slot, uint64_t whole), void *arg)
{
	for (uint32_t i = s->losts; s->journal.state == OK && !journal_crowded(&s->journal) && i-- > 0;) {
		struct lost l = s->lost[i];
		uint32_t slot = index_find(&s->index, l.id);

		if (!l.kept)
			continue;
		/* None: somebody has dropped it meanwhile. */
		if (slot != INDEX_NONE) {
			if (!tell(arg, slot, l.whole))
				continue;
			/* Who submits it again means it. */
			spool_fruitless(s, slot);
			spool_finish(s, slot);
		}
		s->lost[i] = s->lost[--s->losts];
	}
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

/* Messages whose record the disk does not have any more, met while the server runs: they go the way that a start would send them. */
#include "spool/aside.h"

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

/* Mail that waits for the operator: durable as a record of its own, kept out of the schedule. docs/spool.md, Held mail. */
#include "base/hash.h"
#include "spool/spool.h"

#include <string.h>

#include "os/log.h"
#include "spool/plan.h"

uint32_t
account_hash(struct span login)
{
	return (uint32_t)hash_of(span_take_until(&login, '/'));
}

bool
login_belongs(struct span login, struct span whose)
{
	return login.len > 0 && whose.len > 0 && login.len >= whose.len && span_eq(span_head(login, whose.len), whose)
	    && (login.len == whose.len || login.p[whose.len] == '/');
}

static bool
append_held(struct spool *s, struct entry *e, bool held, uint64_t now, struct span words)
{
	struct held_record r = { .id = e->id, .held = held, .when = now, .words = span_head(words, HELD_WORDS_MAX) };
	uint64_t place = journal_append(&s->journal, RECORD_HELD, held_record_layout, &r, true);

	if (place != 0)
		e->word = place;
	return place != 0;
}

bool
spool_is_held(const struct spool *s, uint32_t slot)
{
	return s->index.entry[slot].flags & ENTRY_HELD;
}

bool
spool_withhold(struct spool *s, uint32_t slot, struct span words, uint64_t now)
{
	struct entry *e = &s->index.entry[slot];

	if (!append_held(s, e, true, now, words))
		return false;
	e->flags |= ENTRY_HELD;
	plan_rest(s, slot);
	return true;
}

bool
spool_release(struct spool *s, uint32_t slot, uint64_t now)
{
	struct entry *e = &s->index.entry[slot];

	if (!append_held(s, e, false, now, (struct span){ NULL, 0 }))
		return false;
	e->flags &= (uint8_t)~ENTRY_HELD;
	/* The days in which nobody was allowed to try are not counted against it. */
	e->arrival = now;
	if (e->flags & ENTRY_PENDING)
		return true;
	plan_or_mark(s, slot, now);
	spool_hurry(s, slot, now);
	return true;
}

/* The record at e->word; text holds its words. */
static bool
read_held(struct spool *s, const struct entry *e, uint8_t text[HELD_TEXT], struct held_record *r)
{
	struct span payload;

	return e->word != 0 && journal_read_record(&s->journal, e->word, RECORD_HELD, text, HELD_TEXT, &payload)
	    && fields_parse(held_record_layout, payload, r) && r->id == e->id;
}

void
spool_held_why(struct spool *s, uint32_t slot, const struct message_record *m, uint8_t text[HELD_TEXT], struct held_record *r)
{
	const struct entry *e = &s->index.entry[slot];

	if (read_held(s, e, text, r))
		return;
	/* Held since it was accepted: nobody wrote more than the flag. */
	*r = (struct held_record){ .id = e->id, .held = spool_is_held(s, slot), .when = m->arrival,
		.words = SPAN_INIT("its principal was under suspicion when it was accepted") };
}

void
held_copy(struct spool *s, uint32_t slot)
{
	struct entry *e = &s->index.entry[slot];
	struct held_record r;
	uint8_t text[HELD_TEXT];

	if (read_held(s, e, text, &r))
		(void)append_held(s, e, r.held, r.when, r.words);
}

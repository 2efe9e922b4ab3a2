/*
 * Survivors of the oldest segment move to the newest, so that one stuck message does not keep a whole log. What moves is durable
 * before the old place is let go: the index changes only when the copy's ticket is settled.
 */
#include <stdlib.h>
#include <string.h>

#include "os/log.h"
#include "spool/spool.h"

void
copy_stop(struct spool *s)
{
	s->copy.segment = 0;
	s->copy.cursor = 0;
	s->copy.slot = INDEX_NONE;
	s->copy.extents.len = 0;
}

/* No message needs it, only what is known of those that are done with: little to write for much room. */
static bool
only_prints(const struct segment *oldest)
{
	return oldest->live == oldest->refs * sizeof(struct once_entry);
}

static bool
worth_it(const struct spool *s)
{
	const struct journal *j = &s->journal;
	const struct segment *oldest = j->segments > 0 ? j->segment[0] : NULL;

	if (oldest == NULL || oldest == j->active || oldest->refs == 0 || oldest->number == s->copy.rested)
		return false;
	return only_prints(oldest) || (j->segments > SPOOL_SEGMENTS_FEW && j->live < j->octets / 2);
}

static bool
lies_in(const struct entry *e, uint64_t segment)
{
	if (PLACE_SEGMENT(e->place) == segment)
		return true;
	for (uint32_t i = 0; i < e->holds; i++)
		if (e->hold[i].segment == segment)
			return true;
	return false;
}

/* The recipients with what is known of them now, into copy.rcpts. */
static bool
format_recipients(struct spool *s, uint32_t slot, const struct message_record *m)
{
	struct span rest = m->recipients;
	struct recipient r;
	uint8_t text[OUTCOME_TEXT];

	s->copy.rcpts.len = 0;
	for (uint32_t i = 0; i < m->rcpts && recipient_take(&rest, &r); i++) {
		spool_outcome(s, slot, i, &r, text, &r.last);
		if (!buf_grow(&s->copy.rcpts, OUTCOME_TEXT + r.path.len + r.orcpt.len, RECORD_PAYLOAD_MAX)
		    || !fields_format(recipient_layout, &r, &s->copy.rcpts))
			return false;
	}
	return true;
}

/* Append the message anew: same content or new extents, newest outcomes. */
static bool
append_copy(struct spool *s, uint32_t slot, struct span extents)
{
	struct ticket ticket = { .kind = TICKET_COPY, .index = slot, .refusable = true };
	struct message_record m;
	struct buf payload;
	uint64_t content_at;
	size_t octets, inline_octets;

	if (!spool_envelope(s, slot, &m, &content_at) || !format_recipients(s, slot, &m))
		return false;
	inline_octets = m.extents.len == 0 ? (size_t)m.size : 0;
	m.recipients = buf_span(&s->copy.rcpts);
	m.flags = (m.flags & ~(uint32_t)RECORD_FLAG_HELD) | (spool_is_held(s, slot) ? RECORD_FLAG_HELD : 0);
	m.release = release_of_record(&s->index.entry[slot], &m);
	if (extents.len > 0)
		m.extents = extents;
	octets = message_octets(&m) + inline_octets;
	if (!journal_reserve(&s->journal, octets, false, &payload))
		return false;
	/* Envelope first, with an empty content whose length is then made right and whose octets follow. */
	if (!message_format(&m, &payload))
		return false;
	u32_put(payload.p + payload.len - 4, (uint32_t)inline_octets);
	if (inline_octets > 0 && !spool_content(s, &m, content_at, 0, payload.p + payload.len, inline_octets)) {
		lost_meet(s, m.id);
		return false;
	}
	payload.len += inline_octets;
	ticket.id = m.id;
	(void)journal_commit(&s->journal, RECORD_MESSAGE, payload, true, &ticket);
	s->index.entry[slot].flags |= ENTRY_MOVING;
	held_copy(s, slot);
	return true;
}

static bool
copy_chunk(struct spool *s, uint64_t id, const struct extent *e)
{
	uint8_t *p = malloc(e->octets);
	bool read = p != NULL && journal_read(&s->journal, PLACE(e->segment, e->offset), p, e->octets), good;

	if (p != NULL && !read)
		lost_meet(s, id);
	good = read && chunk_append(s, id, (struct span){ p, e->octets }, (struct span){ NULL, 0 }, &s->copy.extents);
	free(p);
	return good;
}

/*
 * Go on with the message in copy.slot: each extent in the segment that is being emptied becomes a new chunk, the others stay
 * where they are. The list of new extents says how far we are. False: give up for this round.
 */
static bool
copy_big(struct spool *s)
{
	struct copy *c = &s->copy;
	struct message_record m;
	struct span rest;
	struct extent e;
	uint64_t content_at;
	size_t done = 0;
	bool good = true;

	if (!s->index.entry[c->slot].used || s->index.entry[c->slot].id != c->id)
		return false;
	if (!spool_envelope(s, c->slot, &m, &content_at))
		return false;
	rest = m.extents;
	span_skip(&rest, c->extents.len);
	while (good && done < SPOOL_COPY_STEP && extent_take(&rest, &e)) {
		if (e.segment == c->segment) {
			good = copy_chunk(s, c->id, &e);
			done += e.octets;
		} else
			good = buf_grow(&c->extents, RECORD_EXTENT_OCTETS, RECORD_PAYLOAD_MAX)
			    && extent_format(&e, &c->extents);
	}
	if (!good || rest.len > 0)
		return good;
	good = append_copy(s, c->slot, buf_span(&c->extents));
	c->slot = INDEX_NONE;
	c->extents.len = 0;
	return good;
}

static bool
copy_one(struct spool *s, uint32_t slot)
{
	struct entry *e = &s->index.entry[slot];

	for (uint32_t i = 0; i < e->holds; i++)
		if (e->hold[i].segment == s->copy.segment) {
			s->copy.slot = slot;
			s->copy.id = e->id;
			s->copy.extents.len = 0;
			return copy_big(s);
		}
	return append_copy(s, slot, (struct span){ NULL, 0 });
}

void
copy_step(struct spool *s)
{
	struct copy *c = &s->copy;
	size_t before = s->journal.gather->mem.len;
	bool good = true;

	if (c->segment == 0) {
		if (!worth_it(s))
			return;
		copy_stop(s);
		c->segment = s->journal.segment[0]->number;
		good = once_carry(&s->once, c->segment);
	}
	if (good && c->slot != INDEX_NONE)
		good = copy_big(s);
	for (uint32_t looked = 0; good && c->slot == INDEX_NONE && c->cursor < s->index.used && looked < SPOOL_LOOK_STEP
	    && s->journal.gather->mem.len < before + SPOOL_COPY_STEP; looked++) {
		const struct entry *e = &s->index.entry[c->cursor++];

		if (e->used && !(e->flags & (ENTRY_PENDING | ENTRY_MOVING)) && lies_in(e, c->segment) && lost_find(s, e->id) == NULL)
			good = copy_one(s, c->cursor - 1);
	}
	if (good && (c->slot != INDEX_NONE || c->cursor < s->index.used))
		return;
	c->rested = c->segment;
	copy_stop(s);
}

/* Results of before the copy are in it. */
static void
fold(struct entry *e, uint64_t place)
{
	for (uint32_t i = 0; i < e->rcpts; i++) {
		uint64_t *last = entry_last(e, i);

		if ((*last & ~(uint64_t)LAST_FLAGS) < place)
			*last &= LAST_FLAGS;
	}
}

void
copy_settled(struct spool *s, const struct ticket *t, enum fail fail)
{
	struct entry *e = &s->index.entry[t->index], old = *e;
	struct record_header h;
	struct message_record m;
	uint64_t content_at;
	const uint8_t *p = journal_view(&s->journal, t->place, RECORD_HEADER);

	/* It may have been delivered meanwhile. */
	if (!e->used || e->id != t->id)
		return;
	e->flags &= (uint8_t)~ENTRY_MOVING;
	if (fail != OK || p == NULL || !record_header_parse((struct span){ p, RECORD_HEADER }, &h))
		return;
	e->place = t->place;
	e->length = h.length;
	if (!spool_envelope(s, t->index, &m, &content_at) || !holds_take(s, m.extents, &e->hold, &e->holds)) {
		*e = old;
		e->flags &= (uint8_t)~ENTRY_MOVING;
		return;
	}
	segment_hold(&s->journal, PLACE_SEGMENT(e->place), record_octets(e->length), false);
	segment_release(&s->journal, PLACE_SEGMENT(old.place), record_octets(old.length));
	holds_give(s, old.hold, old.holds);
	fold(e, t->place);
}

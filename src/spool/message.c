/* A message that is in the log: read it, say what became of it. */
#include "spool/spool.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "os/log.h"
#include "spool/plan.h"

/* Said once: whoever meets it next meets what was said already. What finds no place here will be met again. */
static bool
unreadable(struct spool *s, const struct entry *e, int error)
{
	struct log_line l;

	for (uint32_t i = 0; i < s->unreadables; i++)
		if (s->unreadable[i].id == e->id)
			return false;
	if (s->unreadables == SPOOL_UNREADABLE)
		return false;
	s->unreadable[s->unreadables++] = (struct unreadable){ .id = e->id };
	log_begin(&l, LOG_FAULT, "unreadable");
	log_id(&l, "id", e->id);
	log_u64(&l, "segment", PLACE_SEGMENT(e->place));
	log_u64(&l, "offset", PLACE_OFFSET(e->place));
	if (error != 0)
		log_errno(&l, error);
	log_end(&l);
	return false;
}

bool
spool_envelope(struct spool *s, uint32_t slot, struct message_record *m, uint64_t *content_at)
{
	const struct entry *e = &s->index.entry[slot];
	size_t n = RECORD_HEADER + (size_t)e->length, at;
	const uint8_t *p;

	if (!(e->flags & ENTRY_EXTENTS))
		n -= (size_t)e->size;
	p = journal_view(&s->journal, e->place, n);
	if (p == NULL) {
		s->scratch.len = 0;
		/* Short of memory: nothing is known of it. */
		if (!buf_grow(&s->scratch, n, RECORD_PAYLOAD_MAX * 2))
			return false;
		if (!journal_read(&s->journal, e->place, s->scratch.p, n))
			return unreadable(s, e, errno);
		p = s->scratch.p;
	}
	if (!message_head_parse((struct span){ p + RECORD_HEADER, n - RECORD_HEADER }, m, &at) || m->id != e->id
	    || m->rcpts != e->rcpts)
		return unreadable(s, e, 0);
	*content_at = e->place + RECORD_HEADER + at;
	return true;
}

bool
spool_content(struct spool *s, const struct message_record *m, uint64_t content_at, uint64_t offset, uint8_t *p, size_t n)
{
	struct span rest = m->extents;
	struct extent e = { PLACE_SEGMENT(content_at), PLACE_OFFSET(content_at), (uint32_t)m->size };
	size_t done = 0;

	/* Inline content is one extent that nobody wrote down. */
	for (bool more = rest.len == 0 || extent_take(&rest, &e); more && done < n; more = extent_take(&rest, &e)) {
		size_t part;

		if (offset >= e.octets) {
			offset -= e.octets;
			continue;
		}
		part = e.octets - (size_t)offset < n - done ? e.octets - (size_t)offset : n - done;
		if (!journal_read(&s->journal, PLACE(e.segment, e.offset + offset), p + done, part))
			return false;
		done += part;
		offset = 0;
	}
	return done == n;
}

/* Spans of an outcome read into memory that will be used again move to text. */
static void
outcome_keep(struct outcome *o, uint8_t *text)
{
	struct span *span[] = { &o->enhanced, &o->host, &o->tls, &o->text };

	for (size_t i = 0; i < sizeof span / sizeof span[0]; i++) {
		if (span[i]->len > 0)
			memmove(text, span[i]->p, span[i]->len);
		span[i]->p = text;
		text += span[i]->len;
	}
}

void
spool_outcome(struct spool *s, uint32_t slot, uint32_t number, const struct recipient *in_record, uint8_t *text,
    struct outcome *out)
{
	struct entry *e = &s->index.entry[slot];
	uint64_t place = *entry_last(e, number) & ~(uint64_t)LAST_FLAGS;
	struct result_record r;
	struct span payload;

	if (place != 0 && journal_read_record(&s->journal, place, RECORD_RESULT, text, OUTCOME_TEXT, &payload) && result_parse(payload, &r))
		*out = r.last;
	else {
		*out = in_record->last;
		outcome_keep(out, text);
	}
}

/* What its sender has been told. */
static uint64_t
told_of(const struct outcome *o)
{
	return (o->flags & OUTCOME_TOLD ? LAST_TOLD : 0u) | (o->flags & OUTCOME_LATE ? LAST_LATE : 0u);
}

void
outcome_note(struct entry *e, uint32_t number, const struct outcome *o, uint64_t place)
{
	bool final = o->class == OUTCOME_DELIVERED || o->class == OUTCOME_NEVER;
	uint64_t *last = entry_last(e, number);

	e->tried = o->when > e->tried ? o->when : e->tried;
	e->attempts = o->attempt > e->attempts ? o->attempt : e->attempts;
	if (o->class == OUTCOME_DELIVERED)
		e->flags |= ENTRY_SERVED;
	if (final && !(*last & LAST_FINAL))
		e->waiting--;
	if (place != 0)
		*last = place | (*last & LAST_FINAL);
	*last |= (final ? LAST_FINAL : 0) | told_of(o);
}

void
spool_result(struct spool *s, uint32_t slot, uint32_t number, const struct outcome *o)
{
	struct entry *e = &s->index.entry[slot];
	struct result_record r = { .id = e->id, .number = number, .last = *o };

	/* In doubt nothing can be written; the next start will try again what this forgets. */
	outcome_note(e, number, o, journal_append(&s->journal, RECORD_RESULT, result_record_layout, &r, true));
}

void
spool_served(struct spool *s, uint32_t slot)
{
	s->index.entry[slot].flags |= ENTRY_SERVED;
}

void
spool_fruitless(struct spool *s, uint32_t slot)
{
	const struct entry *e = &s->index.entry[slot];

	if (!(e->flags & ENTRY_SERVED))
		once_revoke(&s->once, e->once, e->id);
}

bool
spool_fact(struct spool *s, const struct fact_record *r)
{
	return s->conf.history && journal_append(&s->journal, RECORD_FACT, fact_record_layout, r, false) != 0;
}

void
spool_finish(struct spool *s, uint32_t slot)
{
	struct entry *e = &s->index.entry[slot];

	assert(e->used && !(e->flags & ENTRY_PENDING));
	(void)journal_append(&s->journal, RECORD_DONE, done_record_layout, &(struct done_record){ e->id }, true);
	plan_forget(s, slot);
	spool_forget(s, slot);
}

void
spool_forget(struct spool *s, uint32_t slot)
{
	struct entry *e = &s->index.entry[slot];

	release_over(s, slot);
	segment_release(&s->journal, PLACE_SEGMENT(e->place), record_octets(e->length));
	holds_give(s, e->hold, e->holds);
	e->hold = NULL;
	e->holds = 0;
	index_remove(&s->index, slot);
}

bool
spool_ready(const struct spool *s, uint32_t slot)
{
	return slot < s->index.used && s->index.entry[slot].used && !(s->index.entry[slot].flags & ENTRY_PENDING);
}

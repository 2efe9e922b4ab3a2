/*
 * Mail for later (RFC 4865): not tried before its time, which may be changed until then. How many of them each principal has waiting
 * is counted here, so that nobody fills the spool with mail for next year.
 */
#include <stdlib.h>

#include "spool/draft_room.h"

/* ---- how many each principal has: open addressing; who has none any more goes when the table grows ---- */

static struct release_count *
find(struct release_count *table, uint32_t size, uint32_t account)
{
	uint32_t i = account * UINT32_C(2654435761) & (size - 1);

	while (table[i].count > 0 && table[i].account != account)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static bool
grow(struct releases *r)
{
	uint32_t live = 0, size = 64;
	struct release_count *bigger;

	for (uint32_t i = 0; i < r->size; i++)
		live += r->table[i].count > 1;
	while (size < live * 4)
		size *= 2;
	bigger = calloc(size, sizeof *bigger);
	if (bigger == NULL)
		return false;
	for (uint32_t i = 0; i < r->size; i++)
		if (r->table[i].count > 1)
			*find(bigger, size, r->table[i].account) = r->table[i];
	free(r->table);
	r->table = bigger;
	r->size = size;
	r->used = live;
	return true;
}

/* Count 0 is a free place, 1 one whose principal has none: what is n elsewhere is n + 1 here. */
static bool
count_up(struct releases *r, uint32_t account)
{
	struct release_count *c;

	if (r->used * 2 >= r->size && !grow(r))
		return false;
	c = find(r->table, r->size, account);
	if (c->count == 0) {
		*c = (struct release_count){ account, 1 };
		r->used++;
	}
	c->count++;
	return true;
}

uint32_t
release_waiting(const struct spool *s, uint32_t account)
{
	const struct releases *r = &s->releases;
	uint32_t count = r->size == 0 ? 0 : find(r->table, r->size, account)->count;

	return count > 0 ? count - 1 : 0;
}

void
release_count(struct spool *s, uint32_t slot)
{
	struct entry *e = &s->index.entry[slot];

	if (!(e->flags & ENTRY_COUNTED) && count_up(&s->releases, e->account))
		e->flags |= ENTRY_COUNTED;
}

void
release_over(struct spool *s, uint32_t slot)
{
	struct entry *e = &s->index.entry[slot];

	if (!(e->flags & ENTRY_COUNTED))
		return;
	e->flags &= (uint8_t)~ENTRY_COUNTED;
	find(s->releases.table, s->releases.size, e->account)->count--;
}

void
release_fini(struct spool *s)
{
	free(s->releases.table);
}

/* ---- when ---- */

void
terms_note(struct entry *e, const struct message_record *m)
{
	struct span hold = m->hold;

	e->release = m->release;
	e->deadline = m->deadline;
	e->priority = (int8_t)(int32_t)m->priority;
	e->by = (uint8_t)m->by;
	/* Intervals, of a clock that was ahead: BY is always one. */
	if (m->arrival > e->arrival && e->deadline > m->arrival - e->arrival)
		e->deadline -= m->arrival - e->arrival;
	if (!span_take(&hold, SPAN("for;")))
		return;
	e->flags |= ENTRY_HOLD_FOR;
	if (m->arrival > e->arrival && e->release > m->arrival - e->arrival)
		e->release -= m->arrival - e->arrival;
}

uint64_t
release_of_record(const struct entry *e, const struct message_record *m)
{
	bool ahead = (e->flags & ENTRY_HOLD_FOR) && m->arrival > e->arrival;

	return ahead && e->release > 0 ? e->release + (m->arrival - e->arrival) : e->release;
}

bool
spool_unreleased(const struct spool *s, uint32_t slot, uint64_t now)
{
	return s->index.entry[slot].release > now;
}

static void
move_jobs(struct spool *s, const struct entry *e)
{
	for (uint32_t j = e->job; j != SCHEDULE_NONE; j = s->schedule.job[j].sibling)
		schedule_move(&s->schedule, j, e->release);
}

bool
spool_reschedule(struct spool *s, uint32_t slot, uint64_t release)
{
	struct entry *e = &s->index.entry[slot];
	struct release_record r = { e->id, release };
	struct buf payload;

	if (!journal_reserve(&s->journal, fields_size(release_record_layout, &r), true, &payload)
	    || !fields_format(release_record_layout, &r, &payload))
		return false;
	(void)journal_commit(&s->journal, RECORD_RELEASE, payload, true, NULL);
	e->release = release;
	e->flags &= (uint8_t)~ENTRY_HOLD_FOR;
	move_jobs(s, e);
	return true;
}

/* Never 0: that is none. */
static uint64_t
shifted(uint64_t when, int64_t ms)
{
	uint64_t back = ms < 0 ? (uint64_t)-ms : 0;

	return ms >= 0 ? when + (uint64_t)ms : when > back ? when - back : 1;
}

void
release_clock(struct spool *s, int64_t ms)
{
	for (uint32_t i = 0; i < s->index.used; i++) {
		struct entry *e = &s->index.entry[i];

		if (!e->used)
			continue;
		/* It is as old as it was. */
		e->arrival = shifted(e->arrival, ms);
		if (e->deadline != 0)
			e->deadline = shifted(e->deadline, ms);
		/* Its jobs have moved with the clock already: right for an interval, also for one that is over, wrong for a point in time. */
		if (e->flags & ENTRY_HOLD_FOR)
			e->release = shifted(e->release, ms);
		else if (e->flags & ENTRY_COUNTED)
			move_jobs(s, e);
	}
}

void
draft_clock(struct draft *d, int64_t ms, uint64_t now)
{
	struct message_record *m = &d->mail;
	struct span hold = m->hold;

	if (m->deadline != 0)
		m->deadline = shifted(m->deadline, ms);
	if (m->release != 0 && span_take(&hold, SPAN("for;")))
		m->release = shifted(m->release, ms);
	m->arrival = shifted(m->arrival, ms);
	m->arrival = m->arrival < now ? m->arrival : now;
	if (d->printed && d->when > now)
		d->when = now;
}

/*
 * One notice for all recipients of a message that fall in the same moment (RFC 3461 6, 5321-55), though each destination has a try of
 * its own: a try with something to tell waits a little while others of its message run. What the sender will not hear of is recorded
 * at once, so that a crash meanwhile delivers only what he asked to be told of a second time.
 */
#include "os/clock.h"
#include "proc/4_spool_gather.h"
#include "proc/4_spool_terms.h"

/* How many jobs of the message, but this one, are running or about to be ended. */
static uint32_t
jobs_under_way(const struct keeper *k, const struct try *t, uint64_t now)
{
	const struct schedule *s = &k->spool.schedule;
	uint32_t count = 0;

	for (uint32_t job = k->spool.index.entry[t->slot].job; job != SCHEDULE_NONE; job = s->job[job].sibling)
		if (job != t->job && (s->job[job].state == JOB_RUNNING || terms_overdue(k, job, now)
		    || (schedule_held(s, job, now) && try_overdue(k, job, now))))
			count++;
	return count;
}

static uint32_t
tries_gathered(const struct keeper *k, uint32_t slot)
{
	uint32_t count = 0;

	for (uint32_t i = k->gathered; i != SCHEDULE_NONE; i = k->try[i].next)
		count += k->try[i].slot == slot && !k->try[i].dropped;
	return count;
}

enum gather
gather_look(struct keeper *k, const struct try *t)
{
	uint32_t others = jobs_under_way(k, t, clock_wall());

	if (others == 0)
		return GATHER_ALONE;
	/* Those that wait run as far as the schedule knows. */
	if (k->draining || k->gathering >= KEEPER_GATHER_MOST || others <= tries_gathered(k, t->slot))
		return GATHER_ALL;
	return try_tells(k, t) ? GATHER_WAIT : GATHER_ALONE;
}

void
gather_add(struct keeper *k, struct try *t)
{
	try_record_quiet(k, t);
	try_enter(t, TRY_OVER);
	t->until = clock_wall() + KEEPER_GATHER_MS;
	t->next = k->gathered;
	k->gathered = (uint32_t)(t - k->try);
	k->gathering++;
}

uint32_t
gather_take(struct keeper *k, uint32_t slot, uint32_t first)
{
	for (uint32_t *at = &k->gathered; *at != SCHEDULE_NONE;) {
		uint32_t i = *at;

		if (k->try[i].slot != slot || k->try[i].dropped) {
			at = &k->try[i].next;
			continue;
		}
		*at = k->try[i].next;
		k->try[i].next = first;
		first = i;
		k->gathering--;
	}
	return first;
}

static void
free_dropped(struct keeper *k)
{
	for (uint32_t *at = &k->gathered; *at != SCHEDULE_NONE;) {
		struct try *t = &k->try[*at];

		if (!t->dropped) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		k->gathering--;
		try_free(k, t);
	}
}

void
gather_flush(struct keeper *k, bool all)
{
	uint64_t now = clock_wall();

	free_dropped(k);
	for (uint32_t i = k->gathered; i != SCHEDULE_NONE;) {
		/* A clock that was set back must not make them wait for it. */
		bool over = all || now >= k->try[i].until || k->try[i].until - now > KEEPER_GATHER_MS;

		if (!over) {
			i = k->try[i].next;
			continue;
		}
		try_end(k, gather_take(k, k->try[i].slot, SCHEDULE_NONE));
		i = k->gathered;
	}
}

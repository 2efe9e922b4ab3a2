/* The schedule's memory, and which jobs a message has in it. */
#include "spool/plan.h"

#include <stdlib.h>
#include <string.h>

#include "os/log.h"

enum { BUCKETS = 65536, FIRST = 256, NAME_MAX_OCTETS = 320, SWEEP = 64, SWEEP_ROUND = 60, SWEEP_RETIRED = 4096 };

bool
plan_init(struct spool *s)
{
	uint32_t *bucket = malloc(3 * BUCKETS * sizeof *bucket);

	if (bucket == NULL)
		return false;
	schedule_init(&s->schedule, &s->conf.schedule, bucket, BUCKETS);
	return true;
}

void
plan_fini(struct spool *s)
{
	for (uint32_t i = 0; i < s->schedule.destinations.used; i++)
		if (s->schedule.destination[i].used)
			free((void *)(uintptr_t)s->schedule.destination[i].name.p);
	free(s->schedule.bucket);
	free(s->schedule.job);
	free(s->schedule.flow);
	free(s->schedule.destination);
	free(s->schedule.principal);
}

static uint32_t
chance(struct spool *s)
{
	s->chance = s->chance * 1664525u + 1013904223u;
	return s->chance >> 8;
}

/* How many elements a full array gets: half as many more. */
static uint32_t
more_of(const struct schedule_pool *p)
{
	return p->lent == 0 ? FIRST : p->lent + p->lent / 2;
}

static bool
lend_destinations(struct spool *s)
{
	uint32_t more = more_of(&s->schedule.destinations);
	struct destination *bigger = reallocarray(s->schedule.destination, more, sizeof *bigger);

	if (bigger == NULL)
		return false;
	schedule_lend_destinations(&s->schedule, bigger, more);
	return true;
}

static bool
lend_jobs(struct spool *s)
{
	uint32_t more = more_of(&s->schedule.jobs);
	struct job *bigger = reallocarray(s->schedule.job, more, sizeof *bigger);

	if (bigger == NULL)
		return false;
	schedule_lend_jobs(&s->schedule, bigger, more);
	return true;
}

static bool
lend_flows(struct spool *s)
{
	uint32_t more = more_of(&s->schedule.flows);
	struct flow *bigger = reallocarray(s->schedule.flow, more, sizeof *bigger);

	if (bigger == NULL)
		return false;
	schedule_lend_flows(&s->schedule, bigger, more);
	return true;
}

static bool
lend_principals(struct spool *s)
{
	uint32_t more = more_of(&s->schedule.principals);
	struct principal *bigger = reallocarray(s->schedule.principal, more, sizeof *bigger);

	if (bigger == NULL)
		return false;
	schedule_lend_principals(&s->schedule, bigger, more);
	return true;
}

/* Room for one more job, whatever it needs beside itself. */
static bool
room_for_job(struct spool *s)
{
	return (!schedule_full(&s->schedule.jobs) || lend_jobs(s)) && (!schedule_full(&s->schedule.flows) || lend_flows(s))
	    && (!schedule_full(&s->schedule.principals) || lend_principals(s));
}

static struct span
destination_name(const struct spool *s, struct span path, uint8_t lower[NAME_MAX_OCTETS])
{
	struct span domain = s->conf.single ? (struct span){ NULL, 0 } : recipient_domain(path);

	domain = span_head(domain, NAME_MAX_OCTETS);
	for (size_t i = 0; i < domain.len; i++)
		lower[i] = ascii_lower(domain.p[i]);
	return (struct span){ lower, domain.len };
}

static uint32_t
destination_of(struct spool *s, struct span path)
{
	uint8_t lower[NAME_MAX_OCTETS];
	struct span name = destination_name(s, path, lower);
	uint32_t i = schedule_find(&s->schedule, name);
	uint8_t *copy;

	if (i != SCHEDULE_NONE)
		return i;
	copy = malloc(name.len + 1);
	if (copy == NULL)
		return SCHEDULE_NONE;
	memcpy(copy, name.p, name.len);
	name.p = copy;
	i = schedule_destination(&s->schedule, name);
	if (i == SCHEDULE_NONE && lend_destinations(s))
		i = schedule_destination(&s->schedule, name);
	if (i == SCHEDULE_NONE)
		free(copy);
	return i;
}

static uint32_t
find_job(const struct spool *s, uint32_t slot, uint32_t destination)
{
	uint32_t j = s->index.entry[slot].job;

	while (j != SCHEDULE_NONE && schedule_job_destination(&s->schedule, j) != destination)
		j = s->schedule.job[j].sibling;
	return j;
}

static uint32_t
add_job(struct spool *s, uint32_t slot, uint32_t destination, uint64_t due)
{
	struct entry *e = &s->index.entry[slot];
	uint32_t job = SCHEDULE_NONE;

	if (room_for_job(s))
		job = schedule_add(&s->schedule, destination, e->account, slot, due, e->attempts, e->priority);
	if (job == SCHEDULE_NONE)
		return SCHEDULE_NONE;
	s->schedule.job[job].sibling = e->job;
	s->schedule.job[job].told = s->schedule.job[job].late = true;
	e->job = job;
	return job;
}

bool
plan_message(struct spool *s, uint32_t slot, const struct message_record *m, uint64_t now)
{
	struct entry *e = &s->index.entry[slot];
	struct span rest = m->recipients;
	struct recipient r;
	const struct lost *lost = lost_find(s, e->id);
	uint64_t due = now;

	/* Nobody gets half a message. */
	if (lost != NULL && !lost->met)
		return true;
	/* Never later than after a try of just now: the clock may have been wrong when it was tried. */
	if (e->attempts > 0)
		due = schedule_backoff(&s->conf.schedule, e->tried < now ? e->tried : now, e->attempts, chance(s));
	if (due < e->release)
		due = e->release;               /* 4865-4 */
	for (uint32_t i = 0; i < m->rcpts && recipient_take(&rest, &r); i++) {
		uint32_t destination, job;

		if (entry_final(e, i))
			continue;
		destination = destination_of(s, r.path);
		if (destination == SCHEDULE_NONE)
			return false;
		job = find_job(s, slot, destination);
		if (job == SCHEDULE_NONE)
			job = add_job(s, slot, destination, due);
		if (job == SCHEDULE_NONE)
			return false;
		/* Who is tried together is told of together. */
		s->schedule.job[job].told = s->schedule.job[job].told && (*entry_last(e, i) & LAST_TOLD);
		s->schedule.job[job].late = s->schedule.job[job].late && (*entry_last(e, i) & LAST_LATE);
	}
	return true;
}

void
plan_or_mark(struct spool *s, uint32_t slot, uint64_t now)
{
	struct entry *e = &s->index.entry[slot];
	struct message_record m;
	uint64_t content_at;
	bool planned = spool_envelope(s, slot, &m, &content_at) && plan_message(s, slot, &m, now);

	/* It is durable, and that is what counts. */
	if (!planned && !e->unplanned)
		log_say(LOG_FAULT, "spool", "no memory to plan a message; it is planned when there is some");
	e->unplanned = !planned;
}

void
spool_plan_again(struct spool *s, uint32_t slot, uint64_t now)
{
	const struct entry *e = &s->index.entry[slot];

	if (e->unplanned && spool_ready(s, slot) && !spool_is_held(s, slot))
		plan_or_mark(s, slot, now);
}

/* A reply's wait begins with the reply. */
static void
keep_wait(struct spool *s, uint32_t job, const struct outcome *o, uint64_t now)
{
	uint64_t wait = (o->flags >> OUTCOME_WAIT_AT) * UINT64_C(1000);
	uint64_t due = schedule_after(o->when < now ? o->when : now, wait, chance(s));

	if (wait > 0 && ((o->flags & OUTCOME_EXACT) || due > s->schedule.job[job].due))
		schedule_move(&s->schedule, job, due);
}

void
plan_waits(struct spool *s, uint32_t slot, const struct message_record *m, uint64_t now)
{
	struct span rest = m->recipients;
	uint8_t lower[NAME_MAX_OCTETS], text[OUTCOME_TEXT];
	struct recipient r;
	struct outcome o;

	for (uint32_t i = 0; i < m->rcpts && recipient_take(&rest, &r); i++) {
		uint32_t job;

		if (entry_final(&s->index.entry[slot], i))
			continue;
		spool_outcome(s, slot, i, &r, text, &o);
		job = find_job(s, slot, schedule_find(&s->schedule, destination_name(s, r.path, lower)));
		if (o.class == OUTCOME_LATER && job != SCHEDULE_NONE)
			keep_wait(s, job, &o, now);
	}
}

static bool
retire(struct spool *s, uint32_t destination, uint64_t now)
{
	const struct destination *d = &s->schedule.destination[destination];
	void *name = (void *)(uintptr_t)d->name.p;

	if (!d->used || d->flows != SCHEDULE_NONE || !schedule_retire(&s->schedule, destination, now))
		return false;
	free(name);
	return true;
}

/* All of them are looked at in so many calls, however many there are: who writes to more domains than that makes them grow. What takes
 * time is bounded. */
void
plan_sweep(struct spool *s, uint64_t now)
{
	uint32_t used = s->schedule.destinations.used, retired = 0;

	for (uint32_t i = 0; i < SWEEP + used / SWEEP_ROUND && used > 0 && retired < SWEEP_RETIRED; i++) {
		s->sweep = (s->sweep + 1) % used;
		retired += retire(s, s->sweep, now);
	}
}

void
plan_forget(struct spool *s, uint32_t slot)
{
	struct entry *e = &s->index.entry[slot];

	while (e->job != SCHEDULE_NONE) {
		uint32_t job = e->job;

		e->job = s->schedule.job[job].sibling;
		schedule_remove(&s->schedule, job);
	}
}

void
plan_rest(struct spool *s, uint32_t slot)
{
	uint32_t *at = &s->index.entry[slot].job;

	while (*at != SCHEDULE_NONE) {
		uint32_t job = *at;

		if (s->schedule.job[job].state == JOB_RUNNING) {
			at = &s->schedule.job[job].sibling;
			continue;
		}
		*at = s->schedule.job[job].sibling;
		schedule_remove(&s->schedule, job);
	}
}

void
spool_job_done(struct spool *s, uint32_t job, enum try_end end, uint64_t now)
{
	uint32_t *at = &s->index.entry[s->schedule.job[job].message].job;

	while (*at != job)
		at = &s->schedule.job[*at].sibling;
	*at = s->schedule.job[job].sibling;
	schedule_finish(&s->schedule, job, end, now);
}

void
spool_job_again(struct spool *s, uint32_t job, uint64_t due, enum try_end end, uint64_t now)
{
	/* What is to wait waits, also while the schedule is ahead of a clock that was set back: it would hand it out again at once. */
	if (due > now && due <= s->schedule.now)
		due = s->schedule.now + 1;
	if (spool_is_held(s, s->schedule.job[job].message))
		spool_job_done(s, job, end, now);
	else
		schedule_again(&s->schedule, job, due, end, now);
}

uint64_t
spool_job_later(struct spool *s, uint32_t job, enum try_end end, const struct retry *r, uint64_t now)
{
	uint32_t attempts = s->schedule.job[job].attempts + 1;
	uint64_t due = schedule_backoff(&s->conf.schedule, now, attempts, chance(s));
	uint64_t asked = schedule_after(now, r->wait, chance(s));

	if (r->wait > 0 && (r->exact || asked > due))
		due = asked;
	/* The last try comes when its time is over, not hours after. */
	if (due > r->expiry)
		due = r->expiry > now ? r->expiry : now;
	if (end == TRY_VOID)
		due = now;
	spool_job_again(s, job, due, end, now);
	return due;
}

bool
spool_concerns(struct spool *s, uint32_t job, uint32_t number, struct span path)
{
	const struct job *j = &s->schedule.job[job];
	struct entry *e = &s->index.entry[j->message];

	if (entry_final(e, number))
		return false;
	return s->conf.single || span_same(recipient_domain(path), s->schedule.destination[schedule_job_destination(&s->schedule, job)].name);
}

void
spool_hurry(struct spool *s, uint32_t slot, uint64_t now)
{
	if (spool_unreleased(s, slot, now))
		return;
	for (uint32_t j = s->index.entry[slot].job; j != SCHEDULE_NONE; j = s->schedule.job[j].sibling)
		schedule_hurry(&s->schedule, j, now);
}

void
spool_no_later(struct spool *s, uint64_t now)
{
	for (uint32_t i = 0; i < s->index.used; i++)
		if (s->index.entry[i].arrival > now)
			s->index.entry[i].arrival = now;
	once_no_later(&s->once, now);
}

/* The schedule's arrays: what is free, what is found by which key. */
#include "base/hash.h"
#include "queue/schedule_parts.h"

#include <assert.h>

enum table { TABLE_DESTINATIONS, TABLE_FLOWS, TABLE_PRINCIPALS, TABLES };

static uint32_t *
bucket_of(const struct schedule *s, enum table table, uint32_t hash)
{
	return &s->bucket[(uint32_t)table * s->buckets + ((hash ^ hash >> 15) & (s->buckets - 1))];
}

void
schedule_init(struct schedule *s, const struct schedule_conf *conf, uint32_t *bucket, uint32_t buckets)
{
	static const struct schedule_pool none = { 0, 0, SCHEDULE_NONE };

	assert(buckets > 0 && (buckets & (buckets - 1)) == 0);
	*s = (struct schedule){ .conf = *conf, .bucket = bucket, .buckets = buckets };
	s->jobs = s->flows = s->destinations = s->principals = none;
	s->asleep = SCHEDULE_NONE;
	for (unsigned i = 0; i < SCHEDULE_CLASSES; i++)
		s->turn[i] = SCHEDULE_NONE;
	for (uint32_t i = 0; i < TABLES * buckets; i++)
		bucket[i] = SCHEDULE_NONE;
}

/* ---- lending ---- */

static void
lend(struct schedule_pool *p, uint32_t count)
{
	assert(count >= p->lent && count < SCHEDULE_NONE);
	p->lent = count;
}

void
schedule_lend_jobs(struct schedule *s, struct job *job, uint32_t count)
{
	lend(&s->jobs, count);
	s->job = job;
}

void
schedule_lend_flows(struct schedule *s, struct flow *flow, uint32_t count)
{
	lend(&s->flows, count);
	s->flow = flow;
}

void
schedule_lend_destinations(struct schedule *s, struct destination *destination, uint32_t count)
{
	lend(&s->destinations, count);
	s->destination = destination;
}

void
schedule_lend_principals(struct schedule *s, struct principal *principal, uint32_t count)
{
	lend(&s->principals, count);
	s->principal = principal;
}

bool
schedule_full(const struct schedule_pool *p)
{
	return p->free == SCHEDULE_NONE && p->used == p->lent;
}

/* ---- jobs ---- */

uint32_t
job_take(struct schedule *s)
{
	uint32_t i = s->jobs.free;

	assert(!schedule_full(&s->jobs));
	if (i == SCHEDULE_NONE)
		return s->jobs.used++;
	s->jobs.free = s->job[i].sibling;
	return i;
}

void
job_give(struct schedule *s, uint32_t job)
{
	s->job[job].sibling = s->jobs.free;
	s->jobs.free = job;
}

void
job_phase_enter(struct job *j, enum job_phase next)
{
	assert(j->state != next);
	j->state = (uint8_t)next;
}

uint32_t
schedule_job_destination(const struct schedule *s, uint32_t job)
{
	return s->flow[s->job[job].flow].destination;
}

/* ---- destinations ---- */

uint32_t
schedule_find(const struct schedule *s, struct span name)
{
	uint32_t i = *bucket_of(s, TABLE_DESTINATIONS, (uint32_t)hash_of(name));

	while (i != SCHEDULE_NONE && !span_eq(s->destination[i].name, name))
		i = s->destination[i].hash_next;
	return i;
}

uint32_t
schedule_destination(struct schedule *s, struct span name)
{
	uint32_t *bucket = bucket_of(s, TABLE_DESTINATIONS, (uint32_t)hash_of(name));
	uint32_t i = s->destinations.free;

	if (schedule_full(&s->destinations))
		return SCHEDULE_NONE;
	if (i != SCHEDULE_NONE)
		s->destinations.free = s->destination[i].hash_next;
	else
		i = s->destinations.used++;
	s->destination[i] = (struct destination){ .name = name, .hash_next = *bucket, .flows = SCHEDULE_NONE,
		.window = s->conf.first < s->conf.window && s->conf.first > 0 ? s->conf.first : s->conf.window, .used = true };
	*bucket = i;
	return i;
}

bool
schedule_retire(struct schedule *s, uint32_t index, uint64_t now)
{
	struct destination *d = &s->destination[index];
	uint32_t *at = bucket_of(s, TABLE_DESTINATIONS, (uint32_t)hash_of(d->name));

	if (!d->used || d->flows != SCHEDULE_NONE || d->held > now)
		return false;
	while (*at != index)
		at = &s->destination[*at].hash_next;
	*at = d->hash_next;
	*d = (struct destination){ .hash_next = s->destinations.free };
	s->destinations.free = index;
	return true;
}

/* ---- principals ---- */

static uint32_t
principal_hash(uint32_t key)
{
	return key * 2654435761u;
}

static uint32_t
principal_find(const struct schedule *s, uint32_t key)
{
	uint32_t i = *bucket_of(s, TABLE_PRINCIPALS, principal_hash(key));

	while (i != SCHEDULE_NONE && s->principal[i].key != key)
		i = s->principal[i].hash_next;
	return i;
}

static uint32_t
principal_take(struct schedule *s, uint32_t key)
{
	uint32_t *bucket = bucket_of(s, TABLE_PRINCIPALS, principal_hash(key));
	uint32_t i = s->principals.free;

	if (i != SCHEDULE_NONE)
		s->principals.free = s->principal[i].hash_next;
	else
		i = s->principals.used++;
	s->principal[i] = (struct principal){ .key = key, .hash_next = *bucket, .used = true };
	for (unsigned c = 0; c < SCHEDULE_CLASSES; c++)
		s->principal[i].open[c] = s->principal[i].aged[c] = SCHEDULE_NONE;
	*bucket = i;
	return i;
}

static void
principal_give(struct schedule *s, uint32_t index)
{
	struct principal *p = &s->principal[index];
	uint32_t *at = bucket_of(s, TABLE_PRINCIPALS, principal_hash(p->key));

	while (*at != index)
		at = &s->principal[*at].hash_next;
	*at = p->hash_next;
	*p = (struct principal){ .hash_next = s->principals.free };
	s->principals.free = index;
}

/* ---- flows ---- */

static uint32_t
flow_hash(uint32_t destination, uint32_t principal)
{
	return (destination * 2654435761u) ^ (principal * 2246822519u);
}

static uint32_t
flow_find(const struct schedule *s, uint32_t destination, uint32_t principal)
{
	uint32_t i = *bucket_of(s, TABLE_FLOWS, flow_hash(destination, principal));

	while (i != SCHEDULE_NONE && (s->flow[i].destination != destination || s->flow[i].principal != principal))
		i = s->flow[i].hash_next;
	return i;
}

static uint32_t
flow_new(struct schedule *s, uint32_t destination, uint32_t principal)
{
	uint32_t *bucket = bucket_of(s, TABLE_FLOWS, flow_hash(destination, principal));
	uint32_t i = s->flows.free, first = s->destination[destination].flows;

	if (i != SCHEDULE_NONE)
		s->flows.free = s->flow[i].hash_next;
	else
		i = s->flows.used++;
	s->flow[i] = (struct flow){ .destination = destination, .principal = principal, .hash_next = *bucket, .next = first,
		.prev = SCHEDULE_NONE, .due = SCHEDULE_NONE, .later = SCHEDULE_NONE, .oldest = SCHEDULE_NONE, .used = true };
	if (first != SCHEDULE_NONE)
		s->flow[first].prev = i;
	s->destination[destination].flows = i;
	s->principal[principal].flows++;
	*bucket = i;
	return i;
}

uint32_t
flow_take(struct schedule *s, uint32_t destination, uint32_t key)
{
	uint32_t principal = principal_find(s, key);
	uint32_t flow = principal == SCHEDULE_NONE ? SCHEDULE_NONE : flow_find(s, destination, principal);

	if (flow != SCHEDULE_NONE)
		return flow;
	if (schedule_full(&s->flows) || (principal == SCHEDULE_NONE && schedule_full(&s->principals)))
		return SCHEDULE_NONE;
	if (principal == SCHEDULE_NONE)
		principal = principal_take(s, key);
	return flow_new(s, destination, principal);
}

void
flow_give(struct schedule *s, uint32_t index)
{
	struct flow *f = &s->flow[index];
	uint32_t *at = bucket_of(s, TABLE_FLOWS, flow_hash(f->destination, f->principal)), principal = f->principal;

	assert(f->place == FLOW_OUT && f->waiting + f->running == 0);
	while (*at != index)
		at = &s->flow[*at].hash_next;
	*at = f->hash_next;
	if (f->next != SCHEDULE_NONE)
		s->flow[f->next].prev = f->prev;
	if (f->prev != SCHEDULE_NONE)
		s->flow[f->prev].next = f->next;
	else
		s->destination[f->destination].flows = f->next;
	*f = (struct flow){ .hash_next = s->flows.free };
	s->flows.free = index;
	if (--s->principal[principal].flows == 0)
		principal_give(s, principal);
}

/* ---- the truth ---- */

static void
check_flow(const struct schedule *s, uint32_t index)
{
	const struct flow *f = &s->flow[index];

	if (!f->used)
		return;
	assert(f->waiting + f->running > 0);
	assert((f->waiting == 0) == (f->due == SCHEDULE_NONE && f->later == SCHEDULE_NONE));
	assert(s->destination[f->destination].used && s->principal[f->principal].used);
	assert(f->place != FLOW_OPEN || f->due != SCHEDULE_NONE);
	assert(f->place != FLOW_OPEN || s->principal[f->principal].open[f->class] != SCHEDULE_NONE);
	assert((f->oldest != SCHEDULE_NONE) == (s->ranked && f->due != SCHEDULE_NONE));
	assert(f->place != FLOW_OPEN || !s->ranked || s->principal[f->principal].aged[f->class] != SCHEDULE_NONE);
	assert(flow_find(s, f->destination, f->principal) == index);
	/* Who stands nowhere has nothing to run or runs as much as he may: else he would be forgotten. */
	assert(f->place != FLOW_OUT || f->waiting == 0 || f->running > 0);
}

void
schedule_check(const struct schedule *s)
{
	uint32_t waiting = 0, running = 0, unproven = 0, jobs_waiting = 0, jobs_running = 0;

	for (uint32_t i = 0; i < s->flows.used; i++) {
		check_flow(s, i);
		waiting += s->flow[i].waiting;
		running += s->flow[i].running;
	}
	assert(waiting == s->waiting && running == s->running);
	for (uint32_t i = 0; i < s->destinations.used; i++) {
		const struct destination *d = &s->destination[i];

		running -= d->running;
		unproven += d->proven ? 0 : d->running;
		assert(!d->used || schedule_find(s, d->name) == i);
	}
	assert(running == 0 && unproven == s->unproven);
	for (uint32_t i = 0; i < s->principals.used; i++)
		unproven -= s->principal[i].unproven;
	assert(unproven == 0);
	for (uint32_t i = 0; i < s->jobs.used; i++) {
		const struct job *j = &s->job[i];

		jobs_waiting += j->state == JOB_LATER || j->state == JOB_DUE;
		jobs_running += j->state == JOB_RUNNING;
		assert(j->state == JOB_FREE || s->flow[j->flow].used);
		assert(j->state != JOB_LATER || s->job[s->flow[j->flow].later].due <= j->due);
		assert(j->state != JOB_DUE || !s->ranked || s->job[s->flow[j->flow].oldest].due <= j->due);
	}
	assert(jobs_waiting == s->waiting && jobs_running == s->running);
}

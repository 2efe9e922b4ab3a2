#include "queue/schedule.h"

#include <assert.h>
#include <string.h>

#include "queue/heap.h"

static struct heap_link *
job_at(const struct schedule *s, uint32_t index)
{
	return &s->job[index].link;
}

/* Equal times: the older slot first, which is nearly the order of arrival. */
static bool
job_before(const struct schedule *s, uint32_t a, uint32_t b)
{
	if (s->job[a].due != s->job[b].due)
		return s->job[a].due < s->job[b].due;
	return s->job[a].message < s->job[b].message;
}

/* Of those that are due: the most urgent first, then the one that has waited longest. */
static bool
job_before_ripe(const struct schedule *s, uint32_t a, uint32_t b)
{
	if (s->job[a].priority != s->job[b].priority)
		return s->job[a].priority > s->job[b].priority;
	return job_before(s, a, b);
}

static struct heap_link *
destination_at(const struct schedule *s, uint32_t index)
{
	return &s->destination[index].link;
}

static bool
destination_before(const struct schedule *s, uint32_t a, uint32_t b)
{
	return s->destination[a].ready < s->destination[b].ready;
}

/* Jobs that become ripe for one that is taken: a million that are due at once must not stop the loop. */
enum { RIPEN_MOST = 256 };

static const struct heap jobs_heap = { job_at, job_before };
static const struct heap ripe_heap = { job_at, job_before_ripe };
static const struct heap destinations_heap = { destination_at, destination_before };

void
schedule_init(struct schedule *s, const struct schedule_conf *conf, uint32_t *bucket, uint32_t buckets)
{
	assert(buckets > 0 && (buckets & (buckets - 1)) == 0);
	*s = (struct schedule){ .conf = *conf, .bucket = bucket, .buckets = buckets };
	s->jobs_free = s->destinations_free = s->root = SCHEDULE_NONE;
	for (uint32_t i = 0; i < buckets; i++)
		bucket[i] = SCHEDULE_NONE;
}

void
schedule_lend_jobs(struct schedule *s, struct job *job, uint32_t count)
{
	assert(count >= s->jobs && count < SCHEDULE_NONE);
	s->job = job;
	s->jobs = count;
}

void
schedule_lend_destinations(struct schedule *s, struct destination *destination, uint32_t count)
{
	assert(count >= s->destinations && count < SCHEDULE_NONE);
	s->destination = destination;
	s->destinations = count;
}

/* Put a destination where its newest facts want it: in the heap when it may run something, out of it when not. */
static void
replace(struct schedule *s, uint32_t index)
{
	struct destination *d = &s->destination[index];

	if (d->queued)
		s->root = heap_remove(&destinations_heap, s, s->root, index);
	d->queued = d->waiting > 0 && d->running < d->window;
	if (!d->queued)
		return;
	d->ready = s->job[d->ripe != SCHEDULE_NONE ? d->ripe : d->root].due;
	if (d->ready < d->held)
		d->ready = d->held;
	s->root = heap_add(&destinations_heap, s, s->root, index);
}

void
schedule_configure(struct schedule *s, const struct schedule_conf *conf)
{
	s->conf = *conf;
	for (uint32_t i = 0; i < s->destinations_used; i++) {
		struct destination *d = &s->destination[i];

		if (!d->used)
			continue;
		if (d->failures == 0 || d->window > conf->window)
			d->window = conf->window;
		replace(s, i);
	}
}

static uint32_t
hash_of(struct span name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ name.p[i]) * 16777619u;
	return h ^ h >> 15;
}

uint32_t
schedule_find(const struct schedule *s, struct span name)
{
	uint32_t i = s->bucket[hash_of(name) & (s->buckets - 1)];

	while (i != SCHEDULE_NONE && !span_eq(s->destination[i].name, name))
		i = s->destination[i].hash_next;
	return i;
}

uint32_t
schedule_destination(struct schedule *s, struct span name)
{
	uint32_t *bucket = &s->bucket[hash_of(name) & (s->buckets - 1)];
	uint32_t i = s->destinations_free;

	if (i != SCHEDULE_NONE)
		s->destinations_free = s->destination[i].hash_next;
	else if (s->destinations_used < s->destinations)
		i = s->destinations_used++;
	else
		return SCHEDULE_NONE;
	s->destination[i] = (struct destination){ .name = name, .hash_next = *bucket, .root = SCHEDULE_NONE, .ripe = SCHEDULE_NONE,
		.window = s->conf.window, .used = true };
	*bucket = i;
	return i;
}

bool
schedule_retire(struct schedule *s, uint32_t index, uint64_t now)
{
	struct destination *d = &s->destination[index];
	uint32_t *at = &s->bucket[hash_of(d->name) & (s->buckets - 1)];

	if (!d->used || d->waiting + d->running > 0 || d->held > now)
		return false;
	while (*at != index)
		at = &s->destination[*at].hash_next;
	*at = d->hash_next;
	*d = (struct destination){ .hash_next = s->destinations_free };
	s->destinations_free = index;
	return true;
}

static void
job_leave_heap(struct schedule *s, uint32_t index)
{
	const struct job *j = &s->job[index];
	struct destination *d = &s->destination[j->destination];

	if (j->ripe)
		d->ripe = heap_remove(&ripe_heap, s, d->ripe, index);
	else
		d->root = heap_remove(&jobs_heap, s, d->root, index);
}

static void
job_join_heap(struct schedule *s, uint32_t index)
{
	struct job *j = &s->job[index];
	struct destination *d = &s->destination[j->destination];

	j->ripe = j->due <= s->now;
	if (j->ripe)
		d->ripe = heap_add(&ripe_heap, s, d->ripe, index);
	else
		d->root = heap_add(&jobs_heap, s, d->root, index);
}

static void
job_enter(struct schedule *s, uint32_t index, enum job_phase next)
{
	struct job *j = &s->job[index];
	struct destination *d = &s->destination[j->destination];

	assert(j->state != next);
	if (j->state == JOB_WAITING) {
		job_leave_heap(s, index);
		d->waiting--;
		s->waiting--;
	} else if (j->state == JOB_RUNNING) {
		d->running--;
		s->running--;
	}
	j->state = (uint8_t)next;
	if (next == JOB_WAITING) {
		job_join_heap(s, index);
		d->waiting++;
		s->waiting++;
	} else if (next == JOB_RUNNING) {
		d->running++;
		s->running++;
	}
	replace(s, j->destination);
}

uint32_t
schedule_add(struct schedule *s, uint32_t destination, uint32_t message, uint64_t due, uint32_t attempts)
{
	return schedule_add_ranked(s, destination, message, due, attempts, 0);
}

uint32_t
schedule_add_ranked(struct schedule *s, uint32_t destination, uint32_t message, uint64_t due, uint32_t attempts,
    int8_t priority)
{
	uint32_t i = s->jobs_free;

	if (i != SCHEDULE_NONE)
		s->jobs_free = s->job[i].sibling;
	else if (s->jobs_used < s->jobs)
		i = s->jobs_used++;
	else
		return SCHEDULE_NONE;
	s->job[i] = (struct job){ .due = due, .message = message, .sibling = SCHEDULE_NONE, .destination = destination,
		.attempts = attempts, .priority = priority };
	job_enter(s, i, JOB_WAITING);
	return i;
}

void
schedule_remove(struct schedule *s, uint32_t job)
{
	job_enter(s, job, JOB_FREE);
	s->job[job].sibling = s->jobs_free;
	s->jobs_free = job;
}

uint32_t
schedule_next(struct schedule *s, uint64_t now)
{
	struct destination *d;
	uint32_t job;

	s->now = now;
	if (schedule_when(s) > now)
		return SCHEDULE_NONE;
	d = &s->destination[s->root];
	for (unsigned i = 0; i < RIPEN_MOST && d->root != SCHEDULE_NONE && s->job[d->root].due <= now; i++) {
		job = d->root;
		job_leave_heap(s, job);
		job_join_heap(s, job);
	}
	job = d->ripe;
	job_enter(s, job, JOB_RUNNING);
	return job;
}

bool
schedule_held(const struct schedule *s, uint32_t job, uint64_t now)
{
	const struct job *j = &s->job[job];

	return j->state == JOB_WAITING && j->due <= now && s->destination[j->destination].failures > 0
	    && s->destination[j->destination].held > now;
}

void
schedule_take(struct schedule *s, uint32_t job)
{
	assert(s->job[job].state == JOB_WAITING);
	job_enter(s, job, JOB_RUNNING);
}

uint64_t
schedule_when(const struct schedule *s)
{
	if (s->root == SCHEDULE_NONE || s->running >= s->conf.running)
		return UINT64_MAX;
	return s->destination[s->root].ready;
}

/* What a try teaches about its destination. Tries that fail together, because they ran together, teach only once. */
static void
learn(struct schedule *s, struct destination *d, enum try_end end, uint64_t now)
{
	uint64_t hold = s->conf.retry_first / 4;

	if (end == TRY_ANSWERED) {
		d->failures = 0;
		d->held = 0;
		if (d->window < s->conf.window)
			d->window++;
	}
	if (end != TRY_FAILED)
		return;
	d->window = 1;
	if (d->held > now)
		return;
	for (uint32_t i = 0; i < d->failures && hold < s->conf.hold_max; i++)
		hold *= 2;
	d->held = now + (hold < s->conf.hold_max ? hold : s->conf.hold_max);
	d->failures++;
}

void
schedule_again(struct schedule *s, uint32_t job, uint64_t due, enum try_end end, uint64_t now)
{
	struct job *j = &s->job[job];

	assert(j->state == JOB_RUNNING);
	learn(s, &s->destination[j->destination], end, now);
	j->due = due;
	if (end != TRY_VOID)
		j->attempts++;
	job_enter(s, job, JOB_WAITING);
}

void
schedule_finish(struct schedule *s, uint32_t job, enum try_end end, uint64_t now)
{
	assert(s->job[job].state == JOB_RUNNING);
	learn(s, &s->destination[s->job[job].destination], end, now);
	schedule_remove(s, job);
}

void
schedule_move(struct schedule *s, uint32_t job, uint64_t due)
{
	struct job *j = &s->job[job];

	if (j->state != JOB_WAITING)
		return;
	job_leave_heap(s, job);
	j->due = due;
	job_join_heap(s, job);
	replace(s, j->destination);
}

void
schedule_hurry(struct schedule *s, uint32_t job, uint64_t now)
{
	if (s->job[job].state != JOB_WAITING)
		return;
	s->destination[s->job[job].destination].held = 0;
	schedule_move(s, job, now);
}

static uint64_t
shifted(uint64_t when, int64_t ms)
{
	uint64_t back = ms < 0 ? (uint64_t)-ms : 0;

	return ms >= 0 ? when + (uint64_t)ms : when > back ? when - back : 0;
}

/* Who came before another does so still, so the heaps stay as they are. */
void
schedule_shift(struct schedule *s, int64_t ms)
{
	s->now = shifted(s->now, ms);
	for (uint32_t i = 0; i < s->jobs_used; i++)
		if (s->job[i].state != JOB_FREE)
			s->job[i].due = shifted(s->job[i].due, ms);
	for (uint32_t i = 0; i < s->destinations_used; i++) {
		struct destination *d = &s->destination[i];

		d->ready = shifted(d->ready, ms);
		d->held = d->held == 0 ? 0 : shifted(d->held, ms);
	}
}

uint64_t
schedule_backoff(const struct schedule_conf *conf, uint64_t now, uint32_t attempts, uint32_t random)
{
	uint64_t wait = conf->retry_first;

	for (uint32_t i = 1; i < attempts && wait < conf->retry_max; i++)
		wait *= 2;
	if (wait > conf->retry_max)
		wait = conf->retry_max;
	/* Never longer than what was asked for: the first retry comes within retry_first. */
	return now + wait - wait / 8 * (random % 1024) / 1024;
}

void
schedule_check(const struct schedule *s)
{
	uint32_t waiting = 0, running = 0;

	for (uint32_t i = 0; i < s->destinations_used; i++) {
		const struct destination *d = &s->destination[i];

		waiting += d->waiting;
		running += d->running;
		assert((d->waiting == 0) == (!d->used || (d->root == SCHEDULE_NONE && d->ripe == SCHEDULE_NONE)));
		assert(d->queued == (d->used && d->waiting > 0 && d->running < d->window));
		assert(!d->used || schedule_find(s, d->name) == i);
	}
	assert(waiting == s->waiting && running == s->running);
	for (uint32_t i = 0; i < s->jobs_used; i++) {
		const struct job *j = &s->job[i];

		waiting -= j->state == JOB_WAITING;
		running -= j->state == JOB_RUNNING;
		assert(j->state != JOB_WAITING || j->ripe || s->job[s->destination[j->destination].root].due <= j->due);
		assert(j->state != JOB_WAITING || !j->ripe || s->job[s->destination[j->destination].ripe].priority >= j->priority);
		assert(j->state == JOB_FREE || s->destination[j->destination].used);
	}
	assert(waiting == 0 && running == 0);
}

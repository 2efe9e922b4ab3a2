/* The schedule: where flows stand, whose turn it is, what an ended try teaches. schedule_table.c has the arrays. */
#include "queue/schedule_parts.h"

#include <assert.h>

enum {
	KNOCK_MS = 1000,        /* a destination of which nobody is heard is knocked at by one job; the others look again after this */
	WAKE_MOST = 256,        /* flows woken before one that may run is looked for: a million may wake at once, after a start */
	JOBS_MOST = 64,         /* jobs of one flow whose time has come that are found so for one that is run */
};

/* ---- the orders ---- */

static struct heap_link *
job_at(const struct schedule *s, uint32_t index)
{
	return &s->job[index].link;
}

static bool
due_before(const struct schedule *s, uint32_t a, uint32_t b)
{
	return s->job[a].due < s->job[b].due;
}

/* Which of two jobs that are due is run first: the most urgent (RFC 6710 4.2), then the one that has waited longest. Equal times: the
 * older slot first, which is nearly the order of arrival. */
static bool
job_before(const struct schedule *s, uint32_t a, uint32_t b)
{
	if (s->job[a].priority != s->job[b].priority)
		return s->job[a].priority > s->job[b].priority;
	if (s->job[a].due != s->job[b].due)
		return s->job[a].due < s->job[b].due;
	return s->job[a].message < s->job[b].message;
}

static struct heap_link *
flow_at(const struct schedule *s, uint32_t index)
{
	return &s->flow[index].link;
}

static bool
wakes_before(const struct schedule *s, uint32_t a, uint32_t b)
{
	return s->flow[a].wake < s->flow[b].wake;
}

/* Of one principal's flows: by the job that each would run. */
static bool
flow_before(const struct schedule *s, uint32_t a, uint32_t b)
{
	return job_before(s, s->flow[a].due, s->flow[b].due);
}

static const struct heap due_heap = { job_at, job_before };
static const struct heap later_heap = { job_at, due_before };
static const struct heap asleep_heap = { flow_at, wakes_before };
static const struct heap open_heap = { flow_at, flow_before };

/* ---- principals take turns ---- */

static void
ring_add(struct schedule *s, uint32_t index, unsigned class)
{
	struct principal *p = &s->principal[index];
	uint32_t first = s->turn[class];

	p->ringed[class] = true;
	if (first == SCHEDULE_NONE) {
		p->next[class] = p->prev[class] = s->turn[class] = index;
		return;
	}
	p->next[class] = first;
	p->prev[class] = s->principal[first].prev[class];
	s->principal[p->prev[class]].next[class] = index;
	s->principal[first].prev[class] = index;
}

static void
ring_remove(struct schedule *s, uint32_t index, unsigned class)
{
	struct principal *p = &s->principal[index];

	p->ringed[class] = false;
	s->principal[p->prev[class]].next[class] = p->next[class];
	s->principal[p->next[class]].prev[class] = p->prev[class];
	if (s->turn[class] == index)
		s->turn[class] = p->next[class] == index ? SCHEDULE_NONE : p->next[class];
}

/* In the ring is who has something to run and may. */
static void
ring_settle(struct schedule *s, uint32_t index, unsigned class)
{
	struct principal *p = &s->principal[index];
	bool full = class == SCHEDULE_UNPROVEN && s->conf.unproven > 0 && p->unproven >= (s->conf.unproven + 1) / 2;
	bool belongs = p->open[class] != SCHEDULE_NONE && !full;

	if (belongs && !p->ringed[class])
		ring_add(s, index, class);
	else if (!belongs && p->ringed[class])
		ring_remove(s, index, class);
}

/* ---- where a flow stands ---- */

static void
flow_leave(struct schedule *s, uint32_t index)
{
	struct flow *f = &s->flow[index];
	struct principal *p = &s->principal[f->principal];

	if (f->place == FLOW_ASLEEP)
		s->asleep = heap_remove(&asleep_heap, s, s->asleep, index);
	else if (f->place == FLOW_OPEN) {
		p->open[f->class] = heap_remove(&open_heap, s, p->open[f->class], index);
		age_flow_remove(s, index);
		ring_settle(s, f->principal, f->class);
	}
	f->place = FLOW_OUT;
}

static void
flow_sleep(struct schedule *s, uint32_t index, uint64_t until)
{
	struct flow *f = &s->flow[index];

	f->wake = until;
	f->place = FLOW_ASLEEP;
	s->asleep = heap_add(&asleep_heap, s, s->asleep, index);
}

static void
flow_open(struct schedule *s, uint32_t index)
{
	struct flow *f = &s->flow[index];
	struct principal *p = &s->principal[f->principal];

	f->class = s->destination[f->destination].proven ? SCHEDULE_PROVEN : SCHEDULE_UNPROVEN;
	f->place = FLOW_OPEN;
	p->open[f->class] = heap_add(&open_heap, s, p->open[f->class], index);
	age_flow_add(s, index);
	ring_settle(s, f->principal, f->class);
}

/* Jobs whose time has come, some at a time: a million may have been due at once. Urgent ones are urgent among those found. */
static void
flow_wake(struct schedule *s, struct flow *f)
{
	for (unsigned i = 0; i < JOBS_MOST && f->later != SCHEDULE_NONE && s->job[f->later].due <= s->now; i++) {
		uint32_t job = f->later;

		f->later = heap_remove(&later_heap, s, f->later, job);
		job_phase_enter(&s->job[job], JOB_DUE);
		f->due = heap_add(&due_heap, s, f->due, job);
		age_job_add(s, job);
	}
}

static uint64_t
later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Put a flow where its newest facts want it. */
static void
flow_settle(struct schedule *s, uint32_t index)
{
	struct flow *f = &s->flow[index];
	const struct destination *d = &s->destination[f->destination];

	flow_leave(s, index);
	flow_wake(s, f);
	if (f->due == SCHEDULE_NONE) {
		if (f->later != SCHEDULE_NONE)
			flow_sleep(s, index, later_of(s->job[f->later].due, d->held));
		else if (f->running == 0)
			flow_give(s, index);
	} else if (d->held > s->now)
		flow_sleep(s, index, d->held);
	else if (d->failures > 0 && d->running > 0)
		flow_sleep(s, index, s->now + KNOCK_MS);
	else if (f->running < d->window)
		flow_open(s, index);
}

/* After something that matters to all of them. */
static void
flows_settle(struct schedule *s, const struct destination *d)
{
	uint32_t next;

	for (uint32_t i = d->flows; i != SCHEDULE_NONE; i = next) {
		next = s->flow[i].next;
		flow_settle(s, i);
	}
}

/* May what stands at the head run, as things are now? Learning about a destination does not walk over all its flows. */
static bool
flow_may(const struct schedule *s, const struct flow *f)
{
	const struct destination *d = &s->destination[f->destination];

	return d->held <= s->now && !(d->failures > 0 && d->running > 0) && f->running < d->window
	    && f->class == (d->proven ? SCHEDULE_PROVEN : SCHEDULE_UNPROVEN);
}

/* ---- jobs ---- */

/* more: 0 - n for n less. */
static void
count_unproven(struct schedule *s, uint32_t principal, uint32_t more)
{
	s->unproven += more;
	s->principal[principal].unproven += more;
	ring_settle(s, principal, SCHEDULE_UNPROVEN);
}

/* The only way a job goes from one phase to another; its flow must be out. */
static void
job_enter(struct schedule *s, uint32_t index, enum job_phase next)
{
	struct job *j = &s->job[index];
	struct flow *f = &s->flow[j->flow];
	struct destination *d = &s->destination[f->destination];
	uint32_t was = j->state == JOB_RUNNING, is = next == JOB_RUNNING;
	uint32_t waited = j->state == JOB_LATER || j->state == JOB_DUE, waits = next == JOB_LATER || next == JOB_DUE;

	assert(f->place == FLOW_OUT);
	if (j->state == JOB_LATER)
		f->later = heap_remove(&later_heap, s, f->later, index);
	else if (j->state == JOB_DUE) {
		f->due = heap_remove(&due_heap, s, f->due, index);
		age_job_remove(s, index);
	}
	job_phase_enter(j, next);
	if (next == JOB_LATER)
		f->later = heap_add(&later_heap, s, f->later, index);
	else if (next == JOB_DUE) {
		f->due = heap_add(&due_heap, s, f->due, index);
		age_job_add(s, index);
	}
	f->waiting += waits - waited;
	s->waiting += waits - waited;
	f->running += is - was;
	d->running += is - was;
	s->running += is - was;
	if (!d->proven)
		count_unproven(s, f->principal, is - was);
}

/* Is there room for one more job to a destination that is not proven? */
static bool
room_unproven(const struct schedule *s)
{
	return s->conf.unproven == 0 || s->unproven < s->conf.unproven;
}

static void
note_now(struct schedule *s, uint64_t now)
{
	if (now > s->now)
		s->now = now;
}

static void
job_wait(struct schedule *s, uint32_t index)
{
	uint32_t flow = s->job[index].flow;

	flow_leave(s, flow);
	job_enter(s, index, s->job[index].due > s->now ? JOB_LATER : JOB_DUE);
	flow_settle(s, flow);
}

static void
job_run(struct schedule *s, uint32_t index)
{
	uint32_t flow = s->job[index].flow;

	flow_leave(s, flow);
	job_enter(s, index, JOB_RUNNING);
	flow_settle(s, flow);
}

uint32_t
schedule_add(struct schedule *s, uint32_t destination, uint32_t principal, uint32_t message, uint64_t due, uint32_t attempts,
    int8_t priority)
{
	uint32_t flow = schedule_full(&s->jobs) ? SCHEDULE_NONE : flow_take(s, destination, principal), i;

	if (flow == SCHEDULE_NONE)
		return SCHEDULE_NONE;
	if (priority != 0)
		age_begin(s);
	i = job_take(s);
	s->job[i] = (struct job){ .due = due, .message = message, .sibling = SCHEDULE_NONE, .flow = flow, .attempts = attempts,
		.priority = priority };
	job_wait(s, i);
	return i;
}

void
schedule_remove(struct schedule *s, uint32_t job)
{
	uint32_t flow = s->job[job].flow;

	flow_leave(s, flow);
	job_enter(s, job, JOB_FREE);
	job_give(s, job);
	flow_settle(s, flow);
}

/* ---- the next one ---- */

/* A flow that may run something, of the principal whose turn it is; those that may not any more go where they belong. */
static uint32_t
flow_next(struct schedule *s, unsigned class)
{
	while (s->turn[class] != SCHEDULE_NONE) {
		const struct principal *p = &s->principal[s->turn[class]];
		uint32_t index = age_owes(s, p) ? p->aged[class] : p->open[class];
		struct flow *f = &s->flow[index];

		if (flow_may(s, f))
			return index;
		flow_settle(s, index);
	}
	return SCHEDULE_NONE;
}

static uint32_t
run_first(struct schedule *s, uint32_t index)
{
	struct flow *f = &s->flow[index];
	struct principal *p = &s->principal[f->principal];
	unsigned class = f->class;
	uint32_t oldest = age_oldest(s, p, class), job;

	/* The next one's turn, also when this one has more. */
	s->turn[class] = p->next[class];
	flow_leave(s, index);
	flow_wake(s, f);
	job = age_owes(s, p) ? f->oldest : f->due;
	age_note(s, p, job, oldest);
	job_enter(s, job, JOB_RUNNING);
	flow_settle(s, index);
	return job;
}

/* Wake some of those whose time has come; false: there was none. */
static bool
wake_some(struct schedule *s)
{
	unsigned woken = 0;

	for (; woken < WAKE_MOST && s->asleep != SCHEDULE_NONE && s->flow[s->asleep].wake <= s->now; woken++)
		flow_settle(s, s->asleep);
	return woken > 0;
}

/* Of those who are awake, each class in its turn. */
static uint32_t
next_awake(struct schedule *s)
{
	for (unsigned i = 0; i < SCHEDULE_CLASSES; i++) {
		uint32_t flow;

		s->class = (uint8_t)!s->class;
		if (s->class == SCHEDULE_UNPROVEN && !room_unproven(s))
			continue;
		flow = flow_next(s, s->class);
		if (flow != SCHEDULE_NONE)
			return run_first(s, flow);
	}
	return SCHEDULE_NONE;
}

uint32_t
schedule_next(struct schedule *s, uint64_t now)
{
	uint32_t job = SCHEDULE_NONE;
	bool more = true;

	note_now(s, now);
	while (job == SCHEDULE_NONE && more && s->running < s->conf.running) {
		more = wake_some(s);
		job = next_awake(s);
	}
	return job;
}

bool
schedule_waiting(const struct schedule *s, uint32_t job)
{
	return s->job[job].state == JOB_LATER || s->job[job].state == JOB_DUE;
}

bool
schedule_held(const struct schedule *s, uint32_t job, uint64_t now)
{
	const struct destination *d = &s->destination[schedule_job_destination(s, job)];

	return schedule_waiting(s, job) && s->job[job].due <= now && d->failures > 0 && d->held > now;
}

void
schedule_take(struct schedule *s, uint32_t job)
{
	assert(schedule_waiting(s, job));
	job_run(s, job);
}

uint64_t
schedule_when(const struct schedule *s)
{
	if (s->running >= s->conf.running)
		return UINT64_MAX;
	if (s->turn[SCHEDULE_PROVEN] != SCHEDULE_NONE ||
	    (s->turn[SCHEDULE_UNPROVEN] != SCHEDULE_NONE && room_unproven(s)))
		return 0;
	return s->asleep != SCHEDULE_NONE ? s->flow[s->asleep].wake : UINT64_MAX;
}

/* ---- what a try teaches ---- */

/* A quarter of the first retry's interval, twice as much each time. */
static uint64_t
pause_of(const struct schedule *s, uint32_t times)
{
	uint64_t pause = s->conf.retry_first / 4;

	for (uint32_t i = 0; i < times && pause < s->conf.hold_max; i++)
		pause *= 2;
	return pause < s->conf.hold_max ? pause : s->conf.hold_max;
}

/* What runs there moves from one sum to the other. */
static void
prove(struct schedule *s, struct destination *d, bool proven)
{
	if (d->proven == proven)
		return;
	for (uint32_t i = d->flows; i != SCHEDULE_NONE; i = s->flow[i].next)
		count_unproven(s, s->flow[i].principal, proven ? 0 - s->flow[i].running : s->flow[i].running);
	d->proven = proven;
}

/* Somebody is there. */
static void
learn_life(struct schedule *s, struct destination *d)
{
	if (d->failures == 0 && d->proven)
		return;
	if (d->failures > 0)
		d->held = 0;
	d->failures = 0;
	prove(s, d, true);
	flows_settle(s, d);
}

static void
learn_answer(struct schedule *s, struct destination *d)
{
	if (d->window < s->conf.window)
		d->window++;
	if (d->slowed > 0 && d->held <= s->now)
		d->slowed--;
	learn_life(s, d);
}

/* Answers that ask for less come in crowds, because the tries ran together: a crowd teaches once. */
static void
learn_slowness(struct schedule *s, struct destination *d)
{
	learn_life(s, d);
	if (d->held > s->now)
		return;
	d->window = d->window > 2 ? d->window / 2 : 1;
	d->held = s->now + pause_of(s, d->slowed);
	d->slowed += d->slowed < UINT16_MAX;
}

static void
learn_failure(struct schedule *s, struct destination *d)
{
	d->window = 1;
	prove(s, d, false);
	if (d->held > s->now)
		return;
	d->held = s->now + pause_of(s, d->failures);
	d->failures += d->failures < UINT16_MAX;
}

static void
learn(struct schedule *s, uint32_t job, enum try_end end)
{
	struct destination *d = &s->destination[schedule_job_destination(s, job)];

	if (end == TRY_ANSWERED)
		learn_answer(s, d);
	else if (end == TRY_SLOWED)
		learn_slowness(s, d);
	else if (end == TRY_FAILED)
		learn_failure(s, d);
}

void
schedule_again(struct schedule *s, uint32_t job, uint64_t due, enum try_end end, uint64_t now)
{
	struct job *j = &s->job[job];

	assert(j->state == JOB_RUNNING);
	note_now(s, now);
	learn(s, job, end);
	j->due = due;
	if (end != TRY_VOID) {
		j->attempts++;
		j->hurried = false;
	}
	job_wait(s, job);
}

void
schedule_finish(struct schedule *s, uint32_t job, enum try_end end, uint64_t now)
{
	assert(s->job[job].state == JOB_RUNNING);
	note_now(s, now);
	learn(s, job, end);
	schedule_remove(s, job);
}

void
schedule_move(struct schedule *s, uint32_t job, uint64_t due)
{
	struct job *j = &s->job[job];

	if (!schedule_waiting(s, job))
		return;
	flow_leave(s, j->flow);
	/* Out of its heap by the old time, in by the new one. */
	job_enter(s, job, JOB_FREE);
	j->due = due;
	job_wait(s, job);
}

void
schedule_hurry(struct schedule *s, uint32_t job, uint64_t now)
{
	if (!schedule_waiting(s, job))
		return;
	note_now(s, now);
	s->destination[schedule_job_destination(s, job)].held = 0;
	s->job[job].hurried = true;
	schedule_move(s, job, now);
}

void
schedule_configure(struct schedule *s, const struct schedule_conf *conf)
{
	s->conf = *conf;
	for (uint32_t i = 0; i < s->destinations.used; i++) {
		struct destination *d = &s->destination[i];

		if (!d->used)
			continue;
		if (d->window > conf->window)
			d->window = conf->window;
		flows_settle(s, d);
	}
}

/*
 * Who has waited longest, whatever his priority. One order would do where nobody asks for a priority, and that is nearly everywhere: so the
 * second one is kept only from the first job on that has one.
 */
#include "queue/schedule_parts.h"

#include <assert.h>

static struct heap_link *
job_at(const struct schedule *s, uint32_t index)
{
	return &s->job[index].age;
}

static bool
job_older(const struct schedule *s, uint32_t a, uint32_t b)
{
	if (s->job[a].due != s->job[b].due)
		return s->job[a].due < s->job[b].due;
	return s->job[a].message < s->job[b].message;
}

static struct heap_link *
flow_at(const struct schedule *s, uint32_t index)
{
	return &s->flow[index].age;
}

static bool
flow_older(const struct schedule *s, uint32_t a, uint32_t b)
{
	return job_older(s, s->flow[a].oldest, s->flow[b].oldest);
}

static const struct heap job_heap = { job_at, job_older };
static const struct heap flow_heap = { flow_at, flow_older };

void
age_job_add(struct schedule *s, uint32_t job)
{
	struct flow *f = &s->flow[s->job[job].flow];

	if (s->ranked)
		f->oldest = heap_add(&job_heap, s, f->oldest, job);
}

void
age_job_remove(struct schedule *s, uint32_t job)
{
	struct flow *f = &s->flow[s->job[job].flow];

	if (s->ranked)
		f->oldest = heap_remove(&job_heap, s, f->oldest, job);
}

void
age_flow_add(struct schedule *s, uint32_t index)
{
	const struct flow *f = &s->flow[index];
	uint32_t *root = &s->principal[f->principal].aged[f->class];

	if (s->ranked)
		*root = heap_add(&flow_heap, s, *root, index);
}

void
age_flow_remove(struct schedule *s, uint32_t index)
{
	const struct flow *f = &s->flow[index];
	uint32_t *root = &s->principal[f->principal].aged[f->class];

	if (s->ranked)
		*root = heap_remove(&flow_heap, s, *root, index);
}

/* So far nobody has a priority, and of jobs without one both orders are the same: what stands in the one heap stands in the other as it is. */
void
age_begin(struct schedule *s)
{
	if (s->ranked)
		return;
	s->ranked = true;
	for (uint32_t i = 0; i < s->jobs.used; i++)
		s->job[i].age = s->job[i].link;
	for (uint32_t i = 0; i < s->flows.used; i++) {
		s->flow[i].age = s->flow[i].link;
		s->flow[i].oldest = s->flow[i].due;
	}
	for (uint32_t i = 0; i < s->principals.used; i++)
		for (unsigned c = 0; c < SCHEDULE_CLASSES; c++)
			s->principal[i].aged[c] = s->principal[i].open[c];
}

bool
age_owes(const struct schedule *s, const struct principal *p)
{
	return s->ranked && p->overtaken >= SCHEDULE_OVERTAKES;
}

uint32_t
age_oldest(const struct schedule *s, const struct principal *p, unsigned class)
{
	return s->ranked ? s->flow[p->aged[class]].oldest : SCHEDULE_NONE;
}

void
age_note(struct schedule *s, struct principal *p, uint32_t job, uint32_t oldest)
{
	if (oldest == SCHEDULE_NONE)
		return;
	assert(s->ranked);
	if (age_owes(s, p) || !job_older(s, oldest, job))
		p->overtaken = 0;
	else
		p->overtaken++;
}

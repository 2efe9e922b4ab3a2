/* The schedule and the clock: when again, and what it means that somebody has set it. */
#include "queue/schedule.h"

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
	for (uint32_t i = 0; i < s->jobs.used; i++)
		if (s->job[i].state != JOB_FREE)
			s->job[i].due = shifted(s->job[i].due, ms);
	for (uint32_t i = 0; i < s->flows.used; i++)
		s->flow[i].wake = shifted(s->flow[i].wake, ms);
	for (uint32_t i = 0; i < s->destinations.used; i++)
		s->destination[i].held = s->destination[i].held == 0 ? 0 : shifted(s->destination[i].held, ms);
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

uint64_t
schedule_after(uint64_t now, uint64_t wait, uint32_t random)
{
	return now + wait + wait / 8 * (random % 1024) / 1024;
}

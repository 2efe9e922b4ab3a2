#include "os/clock.h"

#include <time.h>

static uint64_t
ms_of(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t
clock_wall(void)
{
	return ms_of(CLOCK_REALTIME);
}

uint64_t
clock_run(void)
{
	return ms_of(CLOCK_MONOTONIC);
}

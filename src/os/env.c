#include "os/env.h"

#include <sys/random.h>

#include "os/clock.h"

static uint64_t
now(void *arg)
{
	(void)arg;
	return clock_wall();
}

static void
random_octets(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0)
			continue;       /* only a signal can do that here */
		p += got;
		n -= (size_t)got;
	}
}

const struct env os_env = { now, random_octets, NULL };

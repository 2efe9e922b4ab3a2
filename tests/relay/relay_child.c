/*
 * 5_relay by itself: descriptor 3 is its channel, the test is its master and its 4_spool.
 *
 * With RELAY_CLOCK in the environment the file of that name says by how many seconds the wall clock is ahead (i64, little-endian), at
 * any time: days pass as the test wants them to.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proc/child.h"

static const volatile int64_t *ahead;

/* In place of the C library's. */
int
clock_gettime(clockid_t id, struct timespec *t)
{
	int result = (int)syscall(SYS_clock_gettime, id, t);

	if (result == 0 && id == CLOCK_REALTIME && ahead != NULL)
		t->tv_sec += *ahead;
	return result;
}

static void
take_clock(const char *path)
{
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *page = fd != -1 ? mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (page != MAP_FAILED)
		ahead = page;
	if (fd != -1)
		(void)close(fd);
}

int
main(void)
{
	take_clock(getenv("RELAY_CLOCK"));
	return relay_main(0);
}

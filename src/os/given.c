/*
 * The numbers of the descriptors that a process was given. Its seccomp filter knows them by their numbers, for it sees nothing else: so none
 * of them may become free, or what takes it next is held to be what was given.
 */
#include "os/given.h"

#include <fcntl.h>
#include <unistd.h>

/* 0: nothing is sealed. */
static int highest;

int
given_seal(void)
{
	int top = 2, filler;

	for (int fd = 3; fd < GIVEN_MAX; fd++) {
		if (fcntl(fd, F_GETFD) != -1)
			top = fd;
	}
	/* Numbers between them that are free now would be taken later. */
	while ((filler = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) != -1 && filler < top)
		continue;
	if (filler != -1)
		(void)close(filler);
	return highest = top;
}

void
given_close(int fd)
{
	if (fd > highest || fd == STDIN_FILENO || dup3(STDIN_FILENO, fd, O_CLOEXEC) == -1)
		(void)close(fd);
}

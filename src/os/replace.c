#include "os/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static bool
write_all(int fd, struct span text)
{
	while (!span_done(text)) {
		ssize_t n = write(fd, text.p, text.len);

		if (n > 0)
			span_skip(&text, (size_t)n);
		else if (n == 0 || errno != EINTR)
			return false;
	}
	return true;
}

bool
file_replace(const char *path, const char *fresh, struct span text)
{
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool done = fd != -1 && write_all(fd, text) && fdatasync(fd) == 0;

	if (fd != -1)
		done = close(fd) == 0 && done;
	return done && rename(fresh, path) == 0;
}

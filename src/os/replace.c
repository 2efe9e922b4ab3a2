#include "os/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

bool
file_write(int fd, struct span octets)
{
	while (!span_done(octets)) {
		ssize_t n = write(fd, octets.p, octets.len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return false;
		span_skip(&octets, (size_t)n);
	}
	return true;
}

bool
file_replace(const char *path, const char *fresh, struct span text)
{
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool done = fd != -1 && file_write(fd, text) && fdatasync(fd) == 0;

	if (fd != -1)
		done = close(fd) == 0 && done;
	return done && rename(fresh, path) == 0;
}

static bool
read_all(int fd, char *text, size_t len)
{
	ssize_t n;

	for (size_t done = 0; done < len; done += (size_t)n) {
		n = read(fd, text + done, len - done);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0) {
			errno = n == 0 ? EAGAIN : errno;        /* it got shorter while we read */
			return false;
		}
	}
	return true;
}

static char *
read_open(int fd, uint64_t most, size_t *len)
{
	struct stat st;
	char *text;

	if (fstat(fd, &st) == -1)
		return NULL;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > most) {
		errno = S_ISREG(st.st_mode) ? EFBIG : S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return NULL;
	}
	*len = (size_t)st.st_size;
	text = malloc(*len + 1);
	if (text != NULL && !read_all(fd, text, *len)) {
		wipe(text, *len);       /* it may be a key */
		free(text);
		return NULL;
	}
	if (text != NULL)
		text[*len] = 0;
	return text;
}

/* Not waiting on a pipe that somebody put there. */
char *
file_read(const char *path, uint64_t most, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), error;
	char *text;

	if (fd == -1)
		return NULL;
	text = read_open(fd, most, len);
	error = errno;
	(void)close(fd);
	errno = error;
	return text;
}

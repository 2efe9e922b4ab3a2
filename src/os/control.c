#include "os/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
control_connect(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
		return fd;
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

void
control_why(const char *path, struct buf *why)
{
	const char *words = errno == ENOENT || errno == ECONNREFUSED ? "the server is not running" :
	    errno == EACCES ? "this user may not ask the server: root and the user it runs as may ask it" : strerror(errno);

	(void)(buf_put_text(why, words) && buf_put_text(why, " (no answer at ") && buf_put_text(why, path) && buf_put_text(why, ")"));
	(void)buf_terminate(why);
}

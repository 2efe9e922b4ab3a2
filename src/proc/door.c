#include "proc/door.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/log.h"

static void
on_connection(uv_poll_t *poll, int status, int events)
{
	/* The handle is the door's first member. */
	const struct door *d = (const struct door *)poll;
	int fd;

	(void)events;
	if (status < 0)
		return;
	fd = accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1)
		d->came(d->arg, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_fail(d->name, "accept", errno);
}

bool
door_open(struct door *d, uv_loop_t *loop, int fd, const char *name, void (*came)(void *arg, int fd), void *arg)
{
	if (d->open || uv_poll_init(loop, &d->poll, fd) != 0) {
		(void)close(fd);
		return false;
	}
	d->open = true;
	d->fd = fd;
	d->name = name;
	d->came = came;
	d->arg = d->poll.data = arg;
	(void)uv_poll_start(&d->poll, UV_READABLE, on_connection);
	return true;
}

bool
door_close(struct door *d)
{
	if (!d->open)
		return false;
	d->open = false;
	(void)uv_poll_stop(&d->poll);
	(void)close(d->fd);
	return true;
}

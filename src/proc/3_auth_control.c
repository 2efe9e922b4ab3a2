/* The operator's commands ask over a local socket. Who may connect is a matter of the socket's mode; what may be asked is the table below. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/log.h"
#include "proc/3_auth.h"

/* ---- what may be asked; false: the asker is broken ---- */

static const struct control_call {
	uint16_t type;
	bool (*answer)(struct auth *, struct channel *, const struct frame *);
} calls[] = {
	{ LEDGER_ATTEMPTS, ledger_attempts },
	{ LEDGER_FORGIVE, ledger_forgive },
	{ LEDGER_LOCKS, ledger_locks },
	{ LEDGER_UNLOCK, ledger_unlock },
};

void
ledger_end(struct channel *c, uint32_t session, enum fail fail, uint32_t count, struct span words)
{
	struct queue_end out = { (uint32_t)fail, count, 0, words };

	(void)channel_send(c, QUEUE_END, session, queue_end_layout, &out);
}

/* ---- connections ---- */

static void
forget(struct control *k, const struct channel *c)
{
	for (size_t i = 0; i < AUTH_CONTROLS; i++)
		if (k->channel[i] == c)
			k->channel[i] = NULL;
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct auth *a = arg;
	bool good = false;

	for (size_t i = 0; f->fd == -1 && i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i].type == f->type)
			good = calls[i].answer(a, c, f);
	if (good)
		return;
	if (f->fd != -1)
		(void)close(f->fd);
	channel_close(c);
	forget(&a->control, c);
}

static void
on_closed(void *arg, struct channel *c)
{
	struct auth *a = arg;

	forget(&a->control, c);
}

static void
take_connection(struct auth *a, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };

	for (size_t i = 0; i < AUTH_CONTROLS; i++)
		if (a->control.channel[i] == NULL) {
			a->control.channel[i] = channel_open(a->loop, fd, &handler, a);
			if (a->control.channel[i] == NULL)
				(void)close(fd);
			return;
		}
	/* All are busy: this one sees its connection end. */
	(void)close(fd);
}

static void
on_connection(uv_poll_t *poll, int status, int events)
{
	struct auth *a = poll->data;
	int fd;

	(void)events;
	if (status < 0)
		return;
	fd = accept4(a->control.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1)
		take_connection(a, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_fail("ledger", "accept", errno);
}

void
ledger_listen(struct auth *a, int fd)
{
	/* One socket for all our life; a second offer is the same one. */
	if (a->control.fd != -1 || uv_poll_init(a->loop, &a->control.poll, fd) != 0) {
		(void)close(fd);
		return;
	}
	a->handles++;
	a->control.fd = fd;
	a->control.poll.data = a;
	(void)uv_poll_start(&a->control.poll, UV_READABLE, on_connection);
}

void
ledger_close(struct auth *a)
{
	struct control *k = &a->control;

	for (size_t i = 0; i < AUTH_CONTROLS; i++) {
		if (k->channel[i] == NULL)
			continue;
		channel_flush(k->channel[i]);
		channel_close(k->channel[i]);
		k->channel[i] = NULL;
	}
	if (k->fd == -1)
		return;
	(void)uv_poll_stop(&k->poll);
	(void)close(k->fd);
	k->fd = -1;
	uv_close((uv_handle_t *)&k->poll, auth_handle_closed);
}

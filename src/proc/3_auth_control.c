/* The operator's commands ask over a local socket. Who may connect is a matter of the socket's mode; what may be asked is the table below. */
#include <unistd.h>

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

	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i].type == f->type)
			good = calls[i].answer(a, c, f);
	if (good)
		return;
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
take_connection(void *arg, int fd)
{
	struct auth *a = arg;
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };

	for (size_t i = 0; i < AUTH_CONTROLS; i++)
		if (a->control.channel[i] == NULL) {
			a->control.channel[i] = channel_open(a->loop, fd, &handler, a);
			return;
		}
	/* All are busy: this one sees its connection end. */
	(void)close(fd);
}

void
ledger_listen(struct auth *a, int fd)
{
	a->handles += door_open(&a->control.door, a->loop, fd, "ledger", take_connection, a);
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
	if (door_close(&k->door))
		uv_close((uv_handle_t *)&k->door.poll, auth_handle_closed);
}

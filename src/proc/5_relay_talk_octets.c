/* What a connection says and hears, octet by octet: the buffer that is lent for it, the socket, TLS. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proc/5_relay.h"

/* ---- the buffer for what we say: lent while there is something to say ---- */

bool
relay_out_take(struct relay_connection *k)
{
	struct relay *relay = k->relay;
	struct relay_out *out = relay->out_free;

	if (k->io.out.p != NULL)
		return true;
	if (out != NULL) {
		relay->out_free = out->next;
		relay->outs_free--;
	} else {
		out = malloc(RELAY_OUT);
	}
	if (out == NULL)
		return false;
	k->io.out = (struct buf){ (uint8_t *)out, 0, RELAY_OUT };
	return true;
}

void
relay_out_give(struct relay_connection *k)
{
	struct relay_out *out = (struct relay_out *)k->io.out.p;

	k->io.out = (struct buf){ NULL, 0, 0 };
	if (out == NULL)
		return;
	if (k->relay->outs_free == RELAY_OUTS_FREE_MAX) {
		free(out);
		return;
	}
	out->next = k->relay->out_free;
	k->relay->out_free = out;
	k->relay->outs_free++;
}

void
relay_talk_end(struct relay_connection *k)
{
	/* AUTH's octets may be in it still. */
	if (k->io.out.p != NULL)
		wipe(k->io.out.p, k->io.out.len);
	relay_out_give(k);
}

/* ---- octets ---- */

/* How many of n went; 0: none just now, -1: the connection is broken. */
static ssize_t
send_some(struct relay_connection *k, struct span out)
{
	size_t written;
	enum tls_step step;
	ssize_t n;

	if (k->tls == NULL) {
		do
			n = send(k->fd, out.p, out.len, MSG_NOSIGNAL);
		while (n == -1 && errno == EINTR);
		return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
	}
	step = tls_write(k->tls, out, &written);
	return step == TLS_DONE || step == TLS_READ || step == TLS_WRITE ? (ssize_t)written : -1;
}

/* Send what is gathered, as far as it goes. False: broken. */
bool
relay_flush(struct relay_connection *k)
{
	ssize_t n;

	if (k->io.out.len == 0)
		return true;
	n = send_some(k, buf_span(&k->io.out));
	if (n < 0)
		return false;
	buf_drop(&k->io.out, (size_t)n);
	if (k->sasl != NULL)
		wipe(k->io.out.p + k->io.out.len, (size_t)n);
	return true;
}

/* 1: something came, 0: nothing just now, -1: the end, which without close_notify may be an attacker's (tls-16). */
int
relay_receive(struct relay_connection *k)
{
	struct buf in = { k->in, k->in_len, sizeof k->in };
	enum tls_step step;
	ssize_t n;

	if (k->tls != NULL) {
		step = tls_read(k->tls, &in);
		k->in_len = in.len;
		return step == TLS_DONE ? 1 : step == TLS_READ || step == TLS_WRITE ? 0 : -1;
	}
	do
		n = recv(k->fd, in.p + in.len, buf_room(&in), 0);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		k->in_len += (size_t)n;
	return n > 0 ? 1 : n == -1 && errno == EAGAIN ? 0 : -1;
}

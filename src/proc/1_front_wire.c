#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "proc/1_front_crowd.h"
#include "proc/1_front_first.h"

/* ---- what is left over ---- */

void
wire_forget(struct front_held *h, bool secret)
{
	if (h->p == NULL)
		return;
	if (secret)
		wipe(h->p, h->len);
	free(h->p);
	*h = (struct front_held){ NULL, 0 };
}

static bool
held_append(struct front_held *h, struct span s, size_t most)
{
	uint8_t *p = h->len <= most && s.len <= most - h->len ? realloc(h->p, h->len + s.len) : NULL;

	if (p == NULL)
		return false;
	memcpy(p + h->len, s.p, s.len);
	h->p = p;
	h->len += s.len;
	return true;
}

void
wire_load_input(struct front_session *s)
{
	front.in.len = front.at = 0;
	if (s->in.p == NULL)
		return;
	(void)buf_put(&front.in, (struct span){ s->in.p, s->in.len });
	front.high = front.high < front.in.len ? front.in.len : front.high;
	wire_forget(&s->in, !s->smtp.authenticated);
}

void
wire_hold_input(struct front_session *s)
{
	struct span rest = { front.in.p + front.at, front.in.len - front.at };

	if (s->phase == PHASE_TALK && rest.len > 0 && !held_append(&s->in, rest, FRONT_INPUT))
		session_drop(s, "out of memory");
	if (front.sensitive)
		wipe(front.in.p, front.high);
	front.sensitive = false;
	front.in.len = front.at = front.high = 0;
}

/* ---- reading ---- */

bool
wire_buffered(const struct front_session *s)
{
	return s->tls != NULL && tls_buffered(s->tls) > 0;
}

bool
wire_awaits_room(const struct front_session *s)
{
	return s->tls != NULL && tls_awaits_room(s->tls);
}

static enum tls_step
read_plain(struct front_session *s, struct buf *in)
{
	ssize_t n = recv(s->fd, in->p + in->len, buf_room(in), MSG_DONTWAIT);

	if (n > 0) {
		in->len += (size_t)n;
		return TLS_DONE;
	}
	if (n == 0)
		return TLS_CLOSED;
	return errno == EAGAIN || errno == EINTR ? TLS_READ : TLS_CUT;
}

static void
lost(struct front_session *s, enum tls_step step)
{
	char text[200];
	struct buf why = BUF_OVER(text);

	if (step == TLS_FAILED && s->tls != NULL) {
		tls_why(s->tls, &why);
		/* Some clients look at the certificate only when the handshake is over. */
		if (tls_cure(s->tls) != TLS_CURE_UNKNOWN)
			words_handshake(s);
		session_drop(s, text);
		return;
	}
	/* Who only closed its own direction still hears what we had to say. */
	if (step == TLS_CLOSED && !wire_send(s) && s->phase == PHASE_GONE)
		return;
	session_drop(s, step == TLS_CLOSED ? "closed without QUIT" : "connection lost");
}

bool
wire_read(struct front_session *s)
{
	struct buf in;
	enum tls_step step;

	buf_drop(&front.in, front.at);
	front.at = 0;
	in = front.in;
	if (s->smtp.state != SMTP_BODY && in.len < FRONT_COMMANDS)
		in.max = FRONT_COMMANDS;
	if (buf_room(&in) == 0) {
		session_drop(s, "input without an end");
		return false;
	}
	step = s->tls != NULL ? tls_read(s->tls, &in) : read_plain(s, &in);
	front.in.len = in.len;
	front.high = front.high < in.len ? in.len : front.high;
	front.more = step == TLS_DONE && (s->tls != NULL ? tls_buffered(s->tls) > 0 : buf_room(&in) == 0);
	front.hungry = false;
	if (step == TLS_DONE && s->tls == NULL && s->smtp.state == SMTP_OPENED && !first_in_clear(s, buf_span(&front.in)))
		return false;
	if (step != TLS_DONE && step != TLS_READ && step != TLS_WRITE)
		lost(s, step);
	return step == TLS_DONE;
}

/* ---- writing ---- */

static enum tls_step
write_plain(struct front_session *s, struct span out, size_t *written)
{
	ssize_t n = send(s->fd, out.p, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	*written = n > 0 ? (size_t)n : 0;
	if (*written == out.len)
		return TLS_DONE;
	return n >= 0 || errno == EAGAIN || errno == EINTR ? TLS_WRITE : TLS_CUT;
}

static enum tls_step
write_some(struct front_session *s, struct span out, size_t *written)
{
	return s->tls != NULL ? tls_write(s->tls, out, written) : write_plain(s, out, written);
}

bool
wire_send(struct front_session *s)
{
	struct span out = buf_span(&front.io.out);
	enum tls_step step = TLS_DONE;
	size_t written = 0;

	front.io.out.len = 0;
	if (out.len == 0)
		return s->out.p == NULL;
	if (s->out.p == NULL)
		step = write_some(s, out, &written);
	if (step == TLS_CUT || step == TLS_FAILED || step == TLS_CLOSED) {
		session_drop(s, "connection lost");
		return false;
	}
	span_skip(&out, written);
	if (out.len > 0 && !held_append(&s->out, out, FRONT_HELD))
		session_drop(s, "out of memory");
	return out.len == 0;
}

bool
wire_send_held(struct front_session *s)
{
	size_t written = 0;
	enum tls_step step = write_some(s, (struct span){ s->out.p, s->out.len }, &written);

	if (step == TLS_CUT || step == TLS_FAILED || step == TLS_CLOSED) {
		session_drop(s, "connection lost");
		return false;
	}
	s->out.len -= written;
	if (s->out.len == 0)
		wire_forget(&s->out, false);
	else if (written > 0)
		memmove(s->out.p, s->out.p + written, s->out.len);
	return s->out.p == NULL;
}

static void on_ready(uv_poll_t *, int status, int events);

void
wire_watch(struct front_session *s, int events)
{
	if (s->phase == PHASE_GONE || s->events == events)
		return;
	s->events = (uint8_t)events;
	if (events == 0)
		(void)uv_poll_stop(&s->poll);
	else
		(void)uv_poll_start(&s->poll, events, on_ready);
}

bool
wire_keep(struct front_session *s, struct span octets)
{
	/* realloc() would leave a copy behind, and there may be a password in it. */
	struct front_held all = { malloc(s->in.len + octets.len), s->in.len + octets.len };

	if (all.p == NULL)
		return false;
	if (s->in.len > 0)
		memcpy(all.p, s->in.p, s->in.len);
	memcpy(all.p + s->in.len, octets.p, octets.len);
	wire_forget(&s->in, true);
	s->in = all;
	return true;
}

/* ---- the end ---- */

/* Closing with input unread would make TCP take back what we have just said (RFC 1122 4.2.2.13). */
static void
linger(struct front_session *s)
{
	ssize_t n;

	for (unsigned i = 0; i < FRONT_READS; i++) {
		n = recv(s->fd, front.in.p, front.in.max, MSG_DONTWAIT);
		if (n > 0) {
			/* In clear it may be a password, said to a port that had asked for TLS. */
			wipe(front.in.p, (size_t)n);
			s->brought += (size_t)n;
			if (s->brought <= FRONT_LINGER_MAX)
				continue;
		}
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			session_drop(s, NULL);
		return;
	}
}

static void
finish(struct front_session *s)
{
	if (s->tls != NULL)
		(void)tls_goodbye(s->tls);      /* 8314-6 */
	phase_enter(s, PHASE_LINGER);
	(void)shutdown(s->fd, SHUT_WR);
	wire_watch(s, UV_READABLE);
}

void
wire_goodbye(struct front_session *s, const char *why)
{
	phase_enter(s, PHASE_GOODBYE);
	session_queue(s, QUEUE_GOODBYE);
	if (why != NULL)
		words_ended(s, why);
	if (s->out.p != NULL) {
		wire_watch(s, UV_WRITABLE);
	} else if (why == NULL) {
		/* It said QUIT, so nothing more will come. */
		if (s->tls != NULL)
			(void)tls_goodbye(s->tls);
		session_drop(s, NULL);
	} else {
		finish(s);
	}
}

void
wire_last_words(struct front_session *s, struct span words, const char *why)
{
	if (words.len > 0)
		(void)send(s->fd, words.p, words.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	wire_goodbye(s, why);
}

/* ---- shaking hands ---- */

static void
shake(struct front_session *s)
{
	front.shakes++;
	switch (tls_handshake(s->tls)) {
	case TLS_DONE:
		wire_watch(s, UV_READABLE);
		if (s->implicit)
			talk_begin(s);
		else
			talk_secured(s);
		return;
	case TLS_READ:
		wire_watch(s, UV_READABLE);
		return;
	case TLS_WRITE:
		wire_watch(s, UV_WRITABLE);
		return;
	default:
		words_handshake(s);
		session_drop(s, NULL);
	}
}

static void
shake_begin(struct front_session *s)
{
	s->tls = front.tls != NULL ? tls_accept(front.tls, s->fd) : NULL;
	if (s->tls == NULL) {
		session_drop(s, "no certificate, or out of memory");
		return;
	}
	phase_enter(s, PHASE_HANDSHAKE);
	session_queue(s, QUEUE_HANDSHAKE);
}

void
wire_shake(struct front_session *s)
{
	shake_begin(s);
	if (s->phase == PHASE_HANDSHAKE)
		shake(s);
}

void
wire_starttls(struct front_session *s)
{
	/* What the client, or somebody in between, has sent behind STARTTLS was not said under TLS (3207-7). */
	front.at = front.in.len;
	shake_begin(s);
	wire_watch(s, UV_READABLE);
}

/* ---- events ---- */

/*
 * Handshakes are what costs most and what strangers can have at will. Who has shaken hands already does not stand behind a crowd that
 * comes all at once: it gets a few steps a turn. What is left over is announced again, since uv_poll tells of what is still there.
 */
static bool
must_wait(const struct front_session *s)
{
	return (s->phase == PHASE_NEW || s->phase == PHASE_HANDSHAKE) && front.shakes >= FRONT_SHAKES;
}

void
wire_turn(uv_prepare_t *turn)
{
	(void)turn;
	front.shakes = 0;
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct front_session *s = poll->data;

	/* An alert may lie in front of a reset, and it says what the client should change. */
	if (status != 0 && s->phase == PHASE_HANDSHAKE)
		shake(s);
	if (status != 0) {
		session_drop(s, "connection lost");
		return;
	}
	if (must_wait(s))
		return;
	switch (s->phase) {
	case PHASE_NEW:
		first_ready(s);
		break;
	case PHASE_PROXY:
		first_proxy_ready(s);
		break;
	case PHASE_HANDSHAKE:
		shake(s);
		break;
	case PHASE_TALK:
		if ((events & UV_WRITABLE) != 0)
			talk_writable(s);
		else
			talk_readable(s);
		break;
	case PHASE_GOODBYE:
		if (wire_send_held(s))
			finish(s);
		break;
	case PHASE_LINGER:
		linger(s);
		break;
	case PHASE_GONE:
		break;
	}
}

/* ---- accepting ---- */

void
peer_format(const struct sockaddr_storage *from, char out[FRONT_PEER_MAX])
{
	const struct sockaddr_in *v4 = (const void *)from;
	const struct sockaddr_in6 *v6 = (const void *)from;
	char text[INET6_ADDRSTRLEN] = "0.0.0.0";
	struct buf b = { (uint8_t *)out, 0, FRONT_PEER_MAX - 1 };
	bool six = from->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);

	if (six)
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
	else if (from->ss_family == AF_INET6)
		(void)inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof text);
	else if (from->ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
	(void)buf_put_text(&b, six ? "[IPv6:" : "[");
	(void)buf_put_text(&b, text);
	(void)buf_put_byte(&b, ']');
	out[b.len] = '\0';
}

static void
turn_away(int fd, bool implicit)
{
	char text[400];
	struct buf b = BUF_OVER(text);

	if (!implicit) {
		(void)buf_put_text(&b, "421 ");
		(void)buf_put_text(&b, front.conf->hostname.p);
		(void)buf_put_text(&b, " too many connections, try again later\r\n");
		(void)send(fd, text, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	(void)close(fd);
}

static void
welcome(int fd, bool implicit, const struct sockaddr_storage *from)
{
	char peer[FRONT_PEER_MAX];
	struct front_session *s;

	peer_format(from, peer);
	s = session_open(fd, implicit, peer);
	if (s == NULL) {
		turn_away(fd, implicit);
		return;
	}
	first_begin(s, from);
}

void
wire_accept(uv_poll_t *poll, int status, int events)
{
	struct front_listener *l = poll->data;
	struct sockaddr_storage from;
	socklen_t len = sizeof from;
	int fd;

	(void)events;
	if (status != 0)
		return;
	/* One in a turn: the other fronts wait at the same socket, and who is least busy comes back first. */
	fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		welcome(fd, l->implicit, &from);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* Asking again at once would only burn time. */
		log_fail("accept", "no more connections for a second", errno);
		front.accept_again = uv_now(&front.child.loop) + 1000;
		(void)uv_poll_stop(&l->poll);
	}
}

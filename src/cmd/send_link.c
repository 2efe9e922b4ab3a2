#include "cmd/send_link.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/send_connect.h"
#include "os/clock.h"

void
send_link_init(struct send_link *l)
{
	memset(l, 0, sizeof *l);
	l->fd = -1;
}

void
send_link_close(struct send_link *l)
{
	if (l->tls != NULL)
		(void)tls_goodbye(l->tls);      /* tls-16 */
	tls_free(l->tls);
	tls_client_free(l->trust);
	if (l->fd != -1)
		(void)close(l->fd);
	l->tls = NULL;
	l->trust = NULL;
	l->fd = -1;
}

/* Wait for events until the deadline; false when it has passed. */
static bool
wait_for(int fd, short events, uint64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		uint64_t now = clock_run();
		int n;

		if (now >= deadline)
			return false;
		n = poll(&p, 1, (int)(deadline - now));
		if (n > 0)
			return true;
		if (n == -1 && errno != EINTR)
			return false;
	}
}

/* ---- TCP ---- */

static void
add_why(struct send_link *l, const struct addrinfo *a, const char *words)
{
	char numeric[sizeof l->peer] = "";
	size_t len = strlen(l->why);

	(void)getnameinfo(a->ai_addr, a->ai_addrlen, numeric, sizeof numeric, NULL, 0, NI_NUMERICHOST);
	(void)snprintf(l->why + len, sizeof l->why - len, "%s%s: %s", len == 0 ? "" : "; ", numeric, words);
}

static void
not_connected(void *arg, const struct addrinfo *a, int error)
{
	struct send_link *l = arg;

	add_why(l, a, strerror(error));
	l->temporary = true;
}

static bool
is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
	return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static bool
is_on_this_machine(void *arg, const struct addrinfo *a)
{
	if (is_loopback(a->ai_addr))
		return true;
	add_why(arg, a, "smtp:// has no TLS and is for this machine alone; use submissions://");
	return false;
}

bool
send_link_open(struct send_link *l, const char *host, uint16_t port, uint32_t ms, bool loopback_only)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	struct send_connect connect = { .ms = ms, .failed = not_connected, .arg = l };
	const struct addrinfo *to;
	char service[8];
	int error;

	l->why[0] = '\0';
	l->temporary = l->unknown = false;
	(void)snprintf(service, sizeof service, "%u", port);
	error = getaddrinfo(host, service, &hints, &list);
	if (error != 0) {
		l->temporary = error == EAI_AGAIN;
		l->unknown = !l->temporary;
		(void)snprintf(l->why, sizeof l->why, "%s", error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
		return false;
	}
	connect.list = list;
	connect.may = loopback_only ? is_on_this_machine : NULL;
	l->fd = send_connect(&connect, &to);
	if (l->fd != -1 && getnameinfo(to->ai_addr, to->ai_addrlen, l->peer, sizeof l->peer, NULL, 0, NI_NUMERICHOST) != 0)
		l->peer[0] = '\0';
	freeaddrinfo(list);
	return l->fd != -1;
}

/* ---- TLS ---- */

static bool
explain(struct send_link *l)
{
	struct buf why = BUF_OVER(l->why);

	tls_why(l->tls, &why);
	return false;
}

static bool
shake_hands(struct send_link *l, uint32_t ms)
{
	uint64_t deadline = clock_run() + ms;

	for (;;) {
		enum tls_step step = tls_handshake(l->tls);

		if (step == TLS_DONE)
			return true;
		if (step != TLS_READ && step != TLS_WRITE)
			return explain(l);
		if (!wait_for(l->fd, step == TLS_READ ? POLLIN : POLLOUT, deadline)) {
			(void)snprintf(l->why, sizeof l->why, "the TLS handshake took too long; is TLS spoken on this port at all?");
			l->temporary = true;
			return false;
		}
	}
}

bool
send_link_secure(struct send_link *l, const char *host, const char *ca, uint32_t ms)
{
	struct buf why = { (uint8_t *)l->why, 0, sizeof l->why - 1 };

	l->why[0] = '\0';
	l->temporary = false;
	l->trust = tls_client_new(ca[0] == '\0' ? NULL : ca, &why);
	if (l->trust == NULL) {
		l->why[why.len] = '\0';
		return false;
	}
	l->tls = tls_connect(l->trust, l->fd, host, TLS_VERIFY);
	if (l->tls == NULL) {
		(void)snprintf(l->why, sizeof l->why, "%s", strerror(ENOMEM));
		return false;
	}
	return shake_hands(l, ms);
}

/* ---- bytes ---- */

static enum send_link_step
broken(struct send_link *l, const char *words)
{
	(void)snprintf(l->why, sizeof l->why, "%s", words);
	l->temporary = true;
	return LINK_BROKEN;
}

/* One attempt at writing, in the words of TLS. */
static enum tls_step
write_some(struct send_link *l, struct span out, size_t *written)
{
	ssize_t n;

	if (l->tls != NULL)
		return tls_write(l->tls, out, written);
	n = send(l->fd, out.p, out.len, MSG_NOSIGNAL);
	*written = n > 0 ? (size_t)n : 0;
	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? TLS_WRITE : TLS_FAILED;
	return *written == out.len ? TLS_DONE : TLS_WRITE;
}

static enum tls_step
read_some(struct send_link *l, struct buf *in)
{
	ssize_t n;

	if (l->tls != NULL)
		return tls_read(l->tls, in);
	n = recv(l->fd, in->p + in->len, buf_room(in), 0);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? TLS_READ : TLS_FAILED;
	in->len += (size_t)n;
	return n == 0 ? TLS_CUT : TLS_DONE;
}

static enum send_link_step
failed(struct send_link *l)
{
	if (l->tls == NULL)
		return broken(l, strerror(errno));
	(void)explain(l);
	l->temporary = true;
	return LINK_BROKEN;
}

bool
send_link_quiet(struct send_link *l, struct buf *in)
{
	enum tls_step step = read_some(l, in);

	return step == TLS_READ || step == TLS_WRITE;
}

bool
send_link_wait(const struct send_link *l, uint32_t ms)
{
	return wait_for(l->fd, POLLIN, clock_run() + ms);
}

enum send_link_step
send_link_write(struct send_link *l, struct span out, struct buf *spoken, uint32_t ms)
{
	uint64_t deadline = clock_run() + ms;

	while (out.len > 0) {
		size_t written = 0;
		enum tls_step step;

		if (spoken != NULL && !send_link_quiet(l, spoken))
			return broken(l, spoken->len > 0 ? "the server spoke in the middle of the message" : "the server closed the connection");
		step = write_some(l, out, &written);
		span_skip(&out, written);
		if (step == TLS_DONE)
			break;
		if (step != TLS_READ && step != TLS_WRITE)
			return failed(l);
		if (written == 0 && !wait_for(l->fd, step == TLS_READ ? POLLIN : spoken != NULL ? POLLIN | POLLOUT : POLLOUT, deadline))
			return broken(l, "the server took nothing for too long");
	}
	return LINK_DATA;
}

enum send_link_step
send_link_read(struct send_link *l, struct buf *in, uint32_t ms)
{
	uint64_t deadline = clock_run() + ms;

	for (;;) {
		enum tls_step step = read_some(l, in);

		if (step == TLS_DONE)
			return LINK_DATA;
		if (step == TLS_CLOSED || step == TLS_CUT) {
			(void)broken(l, "the server closed the connection");
			return LINK_END;
		}
		if (step == TLS_FAILED)
			return failed(l);
		if (!wait_for(l->fd, step == TLS_READ ? POLLIN : POLLOUT, deadline))
			return broken(l, "the server said nothing for too long");
	}
}

/* A connection to a server that may be anything: every wait has an end, every length a ceiling. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/audit_pace.h"
#include "os/clock.h"

enum { CONNECTION_STEPS = 12 };         /* a connection lives at most so many times the patience of a step */

/* Wait until the descriptor is ready, not longer than ms, not beyond the connection's deadline. */
static bool
await(struct link *l, short events, unsigned ms)
{
	struct pollfd p = { l->fd, events, 0 };
	uint64_t now = clock_run(), left = now < l->deadline ? l->deadline - now : 0;

	return poll(&p, 1, (int)(left < ms ? left : ms)) == 1;
}

static int
socket_to(const char *address, uint16_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	int fd = -1;

	if (!is_v6 && inet_pton(AF_INET, address, &v4.sin_addr) != 1)
		return -1;
	fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if ((is_v6 ? connect(fd, (struct sockaddr *)&v6, sizeof v6) : connect(fd, (struct sockaddr *)&v4, sizeof v4)) == 0
	    || errno == EINPROGRESS)
		return fd;
	(void)close(fd);
	return -1;
}

static const char *
open_once(struct link *l, const char *address, uint16_t port, unsigned patience)
{
	int error = 0;
	socklen_t len = sizeof error;

	*l = (struct link){ .fd = socket_to(address, port), .patience = patience };
	l->deadline = clock_run() + (uint64_t)patience * CONNECTION_STEPS;
	l->in = BUF_OVER(l->room);
	if (l->fd == -1)
		return errno == ECONNREFUSED ? "refused" : "unreachable";
	if (!await(l, POLLOUT, patience)) {
		link_close(l);
		return "timed-out";
	}
	(void)getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error == 0)
		return NULL;
	link_close(l);
	return error == ECONNREFUSED ? "refused" : error == ETIMEDOUT ? "timed-out" : "unreachable";
}

const char *
link_open(struct link *l, const char *address, uint16_t port, unsigned patience)
{
	const char *failed;

	do {
		audit_pace_wait();
		failed = open_once(l, address, port, patience);
	} while (audit_pace_again(failed));
	return failed;
}

void
link_close(struct link *l)
{
	if (l->ended && l->octets == 0)
		audit_pace_doubt();
	tls_free(l->tls);
	l->tls = NULL;
	if (l->fd != -1)
		(void)close(l->fd);
	l->fd = -1;
}

/* TLS_READ and TLS_WRITE: it does not come to an end. */
static enum tls_step
shake(struct link *l)
{
	enum tls_step step;

	while ((step = tls_handshake(l->tls)) == TLS_READ || step == TLS_WRITE)
		if (!await(l, step == TLS_READ ? POLLIN : POLLOUT, l->patience))
			return step;
	return step;
}

bool
link_secure(struct link *l, struct tls_examiner *examiner, const char *name, char words[600])
{
	struct buf why = { (uint8_t *)words, 0, 600 };
	enum tls_step step;

	(void)buf_terminate(&why);
	l->tls = tls_examine(examiner, l->fd, name);
	l->in.len = 0;
	if (l->tls == NULL)
		return false;
	if (l->old)
		tls_examine_old(l->tls);
	if (l->prime)
		tls_examine_prime(l->tls);
	step = shake(l);
	if (step == TLS_READ || step == TLS_WRITE)
		(void)(buf_put_text(&why, "the handshake does not come to an end") && buf_terminate(&why));
	else if (step != TLS_DONE)
		tls_why(l->tls, &why);
	if (step != TLS_DONE)
		audit_pace_doubt();
	return step == TLS_DONE;
}

bool
link_secure_again(struct link *l)
{
	return l->tls != NULL && tls_examine_again(l->tls) && shake(l) == TLS_DONE;
}

bool
link_send(struct link *l, struct span out)
{
	while (l->fd != -1 && !span_done(out)) {
		size_t written = 0;
		ssize_t n;

		if (l->tls != NULL) {
			enum tls_step step = tls_write(l->tls, out, &written);

			if (step != TLS_DONE && step != TLS_WRITE && step != TLS_READ)
				return false;
		} else if ((n = send(l->fd, out.p, out.len, MSG_NOSIGNAL)) > 0) {
			written = (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return false;
		}
		span_skip(&out, written);
		if (!span_done(out) && !await(l, POLLOUT, l->patience))
			return false;
	}
	return l->fd != -1;
}

/* One read; true when octets came. */
static bool
read_some(struct link *l)
{
	size_t before = l->in.len;
	ssize_t n;

	if (l->tls != NULL) {
		enum tls_step step = tls_read(l->tls, &l->in);

		l->ended = step == TLS_CLOSED || step == TLS_CUT || step == TLS_FAILED;
		l->cut = step == TLS_CUT;
	} else {
		n = recv(l->fd, l->in.p + l->in.len, buf_room(&l->in), 0);
		l->ended = n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR);
		l->in.len += n > 0 ? (size_t)n : 0;
	}
	l->octets += l->in.len - before;
	if (l->octets > AUDIT_OCTETS_MAX) {
		l->hostile = "more than 256 KiB on one connection";
		l->ended = true;
	}
	return l->in.len > before;
}

bool
link_wait(struct link *l, unsigned ms)
{
	uint64_t end = clock_run() + ms;

	while (l->fd != -1 && !l->ended && buf_room(&l->in) > 0) {
		uint64_t now;

		if (read_some(l))
			return true;
		now = clock_run();
		if (l->ended || now >= end || !await(l, POLLIN, (unsigned)(end - now)))
			return false;
	}
	return false;
}

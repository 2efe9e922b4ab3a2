/* A connection to a server that may be anything: every wait has an end, every length a ceiling. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cmd/audit.h"

enum { CONNECTION_STEPS = 12 };         /* a connection lives at most so many times the patience of a step */

uint64_t
audit_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Wait until the descriptor is ready, not longer than ms, not beyond the connection's deadline. */
static bool
await(struct link *l, short events, unsigned ms)
{
	struct pollfd p = { l->fd, events, 0 };
	uint64_t now = audit_now(), left = now < l->deadline ? l->deadline - now : 0;

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

const char *
link_open(struct link *l, const char *address, uint16_t port, unsigned patience)
{
	int error = 0;
	socklen_t len = sizeof error;

	*l = (struct link){ .fd = socket_to(address, port), .patience = patience };
	l->deadline = audit_now() + (uint64_t)patience * CONNECTION_STEPS;
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

void
link_close(struct link *l)
{
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

bool
link_say(struct link *l, const char *line)
{
	uint8_t octets[AUDIT_LINE_MAX];
	struct buf b = BUF_OVER(octets);

	return buf_put_text(&b, line) && buf_put_text(&b, "\r\n") && link_send(l, buf_span(&b));
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
	uint64_t end = audit_now() + ms;

	while (l->fd != -1 && !l->ended && buf_room(&l->in) > 0) {
		uint64_t now;

		if (read_some(l))
			return true;
		now = audit_now();
		if (l->ended || now >= end || !await(l, POLLIN, (unsigned)(end - now)))
			return false;
	}
	return false;
}

/* A line, whole or cut at AUDIT_LINE_MAX, without its end. */
static bool
take_line(struct link *l, char line[AUDIT_LINE_MAX])
{
	for (;;) {
		struct span have = buf_span(&l->in);
		size_t n = span_find(have, '\n');

		if (n < have.len || have.len >= AUDIT_LINE_MAX) {
			size_t len = n < have.len ? n : AUDIT_LINE_MAX - 1, kept = len;

			if (n == have.len)
				l->hostile = "a line of more than 2048 octets";
			while (kept > 0 && (kept >= AUDIT_LINE_MAX || have.p[kept - 1] == '\r'))
				kept--;
			for (size_t i = 0; i < kept; i++)
				line[i] = have.p[i] == '\0' ? '?' : (char)have.p[i];
			line[kept] = '\0';
			buf_drop(&l->in, n < have.len ? n + 1 : len);
			return true;
		}
		if (!link_wait(l, l->patience))
			return false;
	}
}

static bool
take_code(const char *line, unsigned *code)
{
	struct span s = span_of(line);
	uint64_t n;

	if (s.len < 3 || !ascii_is_digit(s.p[0]) || !ascii_is_digit(s.p[1]) || !ascii_is_digit(s.p[2]))
		return false;
	s.len = 3;
	if (!span_take_u64(&s, &n) || (line[3] != '\0' && line[3] != ' ' && line[3] != '-'))
		return false;
	*code = (unsigned)n;
	return true;
}

void
link_reply(struct link *l, struct reply *r)
{
	char line[AUDIT_LINE_MAX];

	r->code = 0;
	r->lines = 0;
	while (r->lines < AUDIT_LINES_MAX && take_line(l, line)) {
		unsigned code;
		const char *text = strlen(line) > 4 ? line + 4 : "";

		memcpy(r->text[r->lines], text, strlen(text) + 1);
		r->lines++;
		if (!take_code(line, &code)) {
			memcpy(r->text[r->lines - 1], line, strlen(line) + 1);
			return;
		}
		if (line[3] != '-') {
			r->code = code;
			return;
		}
	}
	if (r->lines == AUDIT_LINES_MAX)
		l->hostile = "a reply of more than 100 lines";
}

void
link_ask(struct link *l, const char *line, struct reply *r)
{
	r->code = 0;
	r->lines = 0;
	if (link_say(l, line))
		link_reply(l, r);
}

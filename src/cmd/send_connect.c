#include "cmd/send_connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"

struct attempt {
	const struct addrinfo *to;
	uint64_t deadline;
};

/* attempt[i] and pollfd[i] belong together: those below begun are under way or, with fd -1, over. */
struct race {
	const struct send_connect *conf;
	size_t count, begun, going;
	uint64_t next;                  /* when another one may begin */
	int won;                        /* index, -1: nobody yet */
	struct attempt attempt[CONNECT_ADDRESSES_MAX];
	struct pollfd pollfd[CONNECT_ADDRESSES_MAX];
};

/* The next one of a family, or of all others. */
static const struct addrinfo *
next_of(const struct addrinfo *a, int family, bool same)
{
	while (a != NULL && (a->ai_family == family) != same)
		a = a->ai_next;
	return a;
}

/* RFC 8305 4: the first one's family and the others take turns. */
static void
line_up(struct race *r)
{
	const struct addrinfo *list = r->conf->list, *side[2];
	int family = list != NULL ? list->ai_family : AF_UNSPEC;
	unsigned turn = 0;

	side[0] = next_of(list, family, true);
	side[1] = next_of(list, family, false);
	while (r->count < CONNECT_ADDRESSES_MAX && (side[0] != NULL || side[1] != NULL)) {
		unsigned now = side[turn] != NULL ? turn : !turn;

		if (r->conf->may == NULL || r->conf->may(r->conf->arg, side[now]))
			r->attempt[r->count++].to = side[now];
		side[now] = next_of(side[now]->ai_next, family, now == 0);
		turn = !turn;
	}
}

/* It is over; whoever waits for its turn has it. */
static void
fail(struct race *r, size_t i, int error)
{
	if (r->pollfd[i].fd != -1) {
		(void)close(r->pollfd[i].fd);
		r->pollfd[i].fd = -1;
		r->going--;
	}
	r->next = 0;
	r->conf->failed(r->conf->arg, r->attempt[i].to, error);
}

static void
begin(struct race *r, uint64_t now)
{
	size_t i = r->begun++;
	const struct addrinfo *a = r->attempt[i].to;
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol), on = 1;

	r->pollfd[i] = (struct pollfd){ .fd = fd, .events = POLLOUT };
	r->attempt[i].deadline = now + r->conf->ms;
	r->next = now + CONNECT_APART_MS;
	if (fd == -1) {
		fail(r, i, errno);
		return;
	}
	r->going++;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
		r->won = (int)i;
	else if (errno != EINPROGRESS)
		fail(r, i, errno);
}

/* Until the first of: an answer, a deadline, the next one's turn. */
static int
patience(const struct race *r, uint64_t now)
{
	uint64_t until = r->begun < r->count ? r->next : UINT64_MAX;

	for (size_t i = 0; i < r->begun; i++)
		if (r->pollfd[i].fd != -1 && r->attempt[i].deadline < until)
			until = r->attempt[i].deadline;
	return until > now ? (int)(until - now) : 0;
}

static void
look(struct race *r, size_t i, uint64_t now)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (r->pollfd[i].fd == -1)
		return;
	if (r->pollfd[i].revents == 0) {
		if (now >= r->attempt[i].deadline)
			fail(r, i, ETIMEDOUT);
		return;
	}
	if (getsockopt(r->pollfd[i].fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0)
		fail(r, i, error);
	else
		r->won = (int)i;
}

static void
wait_for_some(struct race *r)
{
	int n = poll(r->pollfd, r->begun, patience(r, clock_run()));
	uint64_t now = clock_run();

	if (n == -1)
		for (size_t i = 0; i < r->begun; i++)
			r->pollfd[i].revents = 0;
	for (size_t i = 0; i < r->begun && r->won == -1; i++)
		look(r, i, now);
}

int
send_connect(const struct send_connect *conf, const struct addrinfo **winner)
{
	struct race r = { .conf = conf, .won = -1 };

	line_up(&r);
	while (r.won == -1 && (r.begun < r.count || r.going > 0)) {
		uint64_t now = clock_run();

		if (r.begun < r.count && (r.going == 0 || now >= r.next))
			begin(&r, now);
		else
			wait_for_some(&r);
	}
	for (size_t i = 0; i < r.begun; i++)
		if (r.pollfd[i].fd != -1 && (int)i != r.won)
			(void)close(r.pollfd[i].fd);
	if (r.won == -1)
		return -1;
	*winner = r.attempt[r.won].to;
	return r.pollfd[r.won].fd;
}

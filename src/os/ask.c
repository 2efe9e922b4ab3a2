#include "os/ask.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"

enum { HEADER = 12 };           /* as in channel.c: u32 octets, u16 type, u16 flags, u32 session */

void
ask_begin(struct ask *a, int fd)
{
	if (a->fd != -1)
		(void)close(a->fd);
	a->fd = fd;
	a->number = a->answered = 0;
	a->len = 0;
}

void
ask_close(struct ask *a)
{
	ask_begin(a, -1);
}

static bool
wait_for(const struct ask *a, short events, uint64_t until)
{
	struct pollfd p = { .fd = a->fd, .events = events };
	int64_t left;

	do
		left = (int64_t)(until - clock_run());
	while (left > 0 && poll(&p, 1, (int)left) == -1 && errno == EINTR);
	return left > 0 && p.revents != 0;
}

/* All of it; questions are small and one at a time, so there is room but for a peer that does not read. */
static bool
send_all(struct ask *a, struct span out, uint64_t until)
{
	while (!span_done(out)) {
		ssize_t n = send(a->fd, out.p, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			span_skip(&out, (size_t)n);
		else if (n == -1 && errno != EINTR && (errno != EAGAIN || !wait_for(a, POLLOUT, until)))
			return false;
	}
	return true;
}

/* Read what is there. False: the peer is gone. */
static bool
receive(struct ask *a)
{
	ssize_t n = recv(a->fd, a->frame + a->len, sizeof a->frame - a->len, MSG_DONTWAIT);

	if (n > 0)
		a->len += (size_t)n;
	return n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR));
}

/* Octets of a whole frame at the front, 0 when there is none. False: no answer of ours can look like this. */
static bool
whole(const struct ask *a, uint16_t type, size_t *octets)
{
	uint32_t length;

	*octets = 0;
	if (a->len < HEADER)
		return true;
	length = u32_get(a->frame);
	if (length > sizeof a->frame - HEADER || u32_get(a->frame + 4) != type || u32_get(a->frame + 8) != a->answered + 1 ||
	    a->answered == a->number)
		return false;
	if (a->len >= HEADER + length)
		*octets = HEADER + length;
	return true;
}

/* Take answers until the newest question has its own: its octets, or 0. False: the peer is broken. */
static bool
take(struct ask *a, uint16_t type, size_t *octets)
{
	while (whole(a, type, octets)) {
		struct buf rest = { a->frame, a->len, sizeof a->frame };

		if (*octets == 0)
			return true;
		a->answered++;
		if (a->answered == a->number)
			return true;
		buf_drop(&rest, *octets);
		a->len = rest.len;
	}
	return false;
}

static bool
write_question(struct ask *a, uint16_t type, struct layout layout, const void *question, uint64_t until)
{
	uint8_t frame[ASK_FRAME_MAX];
	struct buf body = { frame + HEADER, 0, sizeof frame - HEADER };

	if (!fields_format(layout, question, &body))
		return false;
	u32_put(frame, (uint32_t)body.len);
	u32_put(frame + 4, type);
	u32_put(frame + 8, ++a->number);
	return send_all(a, (struct span){ frame, HEADER + body.len }, until);
}

/* Is an answer still owed for which we have waited long enough? Half of it may have come. */
static bool
is_behind(struct ask *a, uint16_t type)
{
	size_t octets;

	if (a->number == a->answered) {
		a->len = 0;
		return false;
	}
	/* More than was asked for is as bad as nonsense. */
	if (!receive(a) || !take(a, type, &octets) || (a->number == a->answered && a->len > octets)) {
		ask_close(a);
		return true;
	}
	if (a->number == a->answered)
		a->len = 0;
	return a->number != a->answered;
}

bool
ask(struct ask *a, uint16_t type, struct layout layout, const void *question, uint16_t answer_type, struct span *answer)
{
	uint64_t until = clock_run() + ASK_MS;
	size_t octets = 0;

	if (a->fd == -1 || is_behind(a, answer_type))
		return false;
	if (!write_question(a, type, layout, question, until)) {
		ask_close(a);
		return false;
	}
	while (wait_for(a, POLLIN, until)) {
		/* More than was asked for is no better than nonsense here either. */
		if (!receive(a) || !take(a, answer_type, &octets) || (octets > 0 && a->len > octets)) {
			ask_close(a);
			return false;
		}
		if (octets > 0) {
			*answer = (struct span){ a->frame + HEADER, octets - HEADER };
			return true;
		}
	}
	return false;
}

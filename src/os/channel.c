#include "os/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "os/given.h"

enum {
	HEADER = 12,
	FLAG_FD = 1,
	OUT_FIRST = 32 * 1024,
	OUT_KEPT = 1024 * 1024,         /* a larger send buffer is given back when it has run empty */
	IN_FIRST = 64 * 1024,
	FDS_MAX = 128,                  /* descriptors under way in one direction: a new child's, one for each front and some more */
	READS_IN_A_TURN = 8,            /* so that one busy peer does not starve the others */
};

struct departing {
	uint64_t position;              /* of the frame's first octet in everything ever sent */
	int fd;
};

struct channel {
	uv_poll_t poll;
	uv_prepare_t turn;              /* runs before the loop sleeps: writes what was gathered */
	const struct channel_handler *handler;
	void *arg;
	int fd;
	int events;
	unsigned handles;               /* uv handles not yet closed */
	bool closed, broken, paused, congested, dispatching, lazy;
	bool nonsense;                  /* broken is the peer's fault */
	bool out_secret;                /* out holds, or held since it last ran empty, octets to be wiped */
	uint8_t *in;
	size_t in_len, in_max;
	uint8_t *out;
	size_t out_start, out_len, out_max;
	uint64_t sent;                  /* octets ever written */
	struct departing departing[FDS_MAX];
	size_t departings;
	int arrived[FDS_MAX];
	size_t arriveds;
};

static bool
is_secret(const struct channel *c, uint32_t type)
{
	return c->handler->secret != NULL && c->handler->secret((uint16_t)type);
}

static size_t
unsent(const struct channel *c)
{
	return c->out_len - c->out_start;
}

/* ---- life ---- */

static void
release(uv_handle_t *handle)
{
	struct channel *c = handle->data;

	if (--c->handles > 0)
		return;
	if (c->handler->secret != NULL) {
		wipe(c->in, c->in_max);
		wipe(c->out, c->out_max);
	}
	free(c->in);
	free(c->out);
	free(c);
}

void
channel_close(struct channel *c)
{
	if (c == NULL || c->closed)
		return;
	c->closed = true;
	uv_close((uv_handle_t *)&c->poll, release);
	uv_close((uv_handle_t *)&c->turn, release);
	given_close(c->fd);
	for (size_t i = 0; i < c->departings; i++)
		(void)close(c->departing[i].fd);
	for (size_t i = 0; i < c->arriveds; i++)
		(void)close(c->arrived[i]);
	c->departings = c->arriveds = 0;
}

/* The only way in which a peer's end is told: never from inside a send. */
static void
lose(struct channel *c)
{
	const struct channel_handler *handler = c->handler;
	void *arg = c->arg;

	if (c->closed)
		return;
	channel_close(c);
	if (handler->closed != NULL)
		handler->closed(arg, c);
}

static void on_turn(uv_prepare_t *);

static void
wake(struct channel *c)
{
	if (!c->closed)
		(void)uv_prepare_start(&c->turn, on_turn);
}

static void
doom(struct channel *c)
{
	c->broken = true;
	wake(c);
}

/* realloc(), but a channel that carries secrets leaves no copy behind. */
static uint8_t *
enlarge(const struct channel *c, uint8_t *old, size_t used, size_t max)
{
	uint8_t *bigger;

	if (c->handler->secret == NULL)
		return realloc(old, max);
	bigger = malloc(max);
	if (bigger == NULL)
		return NULL;
	if (used > 0) {
		memcpy(bigger, old, used);
		wipe(old, used);
	}
	free(old);
	return bigger;
}

/* ---- receiving ---- */

static bool
make_in_room(struct channel *c, size_t need)
{
	size_t max = c->in_max;
	uint8_t *bigger;

	if (need <= max)
		return true;
	while (max < need)
		max *= 2;
	bigger = enlarge(c, c->in, c->in_len, max);
	if (bigger == NULL)
		return false;
	c->in = bigger;
	c->in_max = max;
	return true;
}

/* There is one. */
static int
take_fd(struct channel *c)
{
	int fd = c->arrived[0];

	memmove(c->arrived, c->arrived + 1, --c->arriveds * sizeof c->arrived[0]);
	return fd;
}

static void
speak_nonsense(struct channel *c)
{
	c->nonsense = true;
	doom(c);
}

/* Does what is said of a descriptor, and what came, go with the type? */
static bool
descriptor_fits(const struct channel *c, uint32_t type_flags)
{
	bool (*comes)(uint16_t) = c->handler->descriptor, said = (type_flags >> 16 & FLAG_FD) != 0;

	return said == (comes != NULL && comes((uint16_t)type_flags)) && (!said || c->arriveds > 0);
}

/* Give one frame from the front of in to the handler; how many octets it took, 0 when there is no whole one. */
static size_t
dispatch_one(struct channel *c, struct span in)
{
	uint32_t length, type_flags;
	struct frame f;

	if (in.len < HEADER)
		return 0;
	length = u32_get(in.p);
	type_flags = u32_get(in.p + 4);
	if (length > CHANNEL_BODY_MAX || !descriptor_fits(c, type_flags)) {
		speak_nonsense(c);
		return 0;
	}
	if (in.len - HEADER < length)
		return make_in_room(c, length + HEADER) ? 0 : (doom(c), 0);
	f.type = (uint16_t)type_flags;
	f.session = u32_get(in.p + 8);
	f.body = (struct span){ in.p + HEADER, length };
	f.fd = type_flags >> 16 & FLAG_FD ? take_fd(c) : -1;
	c->handler->message(c->arg, c, &f);
	/* The span is const because handlers may not write; the octets are ours. */
	if (!c->closed && is_secret(c, f.type))
		wipe(c->in + (f.body.p - c->in), length);
	return HEADER + length;
}

/* Move what is left to the front. A piece of a secret must not stay behind where it lay. */
static void
move_rest(struct channel *c, size_t done)
{
	size_t before = c->in_len;

	c->in_len -= done;
	memmove(c->in, c->in + done, c->in_len);
	if (c->in_len >= HEADER && is_secret(c, u32_get(c->in + 4)))
		wipe(c->in + c->in_len, before - c->in_len);
}

static void
dispatch(struct channel *c)
{
	size_t done = 0, n;

	if (c->dispatching)
		return;
	c->dispatching = true;
	while (!c->closed && !c->broken && !c->paused
	    && (n = dispatch_one(c, (struct span){ c->in + done, c->in_len - done })) > 0)
		done += n;
	c->dispatching = false;
	if (done > 0 && !c->closed)
		move_rest(c, done);
	/* The frame that is still coming may have one. While nothing is handled there may be others behind it. */
	if (!c->closed && !c->paused && c->arriveds > (c->in_len > 0 ? 1u : 0u))
		speak_nonsense(c);
}

/* Those for which there was no room the kernel has closed. */
static bool
keep_arrived(struct channel *c, struct msghdr *m)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(m);
	int fd;

	if (h != NULL && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof fd)) {
		memcpy(&fd, CMSG_DATA(h), sizeof fd);
		if (c->arriveds == FDS_MAX)
			return (void)close(fd), false;
		c->arrived[c->arriveds++] = fd;
	}
	return (m->msg_flags & MSG_CTRUNC) == 0;
}

/* Read once. True when the buffer was filled, so that there may be more. */
static bool
receive(struct channel *c)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { c->in + c->in_len, c->in_max - c->in_len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	/* Room for one and not for a second, which CMSG_SPACE() would leave. */
	if (c->handler->descriptor != NULL) {
		m.msg_control = control.room;
		m.msg_controllen = CMSG_LEN(sizeof(int));
	}
	if (iov.iov_len == 0)
		return false;
	do
		n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n > 0 && keep_arrived(c, &m)) {
		c->in_len += (size_t)n;
		return (size_t)n == iov.iov_len;
	}
	c->nonsense = c->nonsense || n > 0;
	if (n != -1 || (errno != EAGAIN && errno != EWOULDBLOCK))
		c->broken = true;
	return false;
}

/* ---- sending ---- */

static void on_poll(uv_poll_t *, int status, int events);

static void
watch(struct channel *c)
{
	int events = (c->paused ? 0 : UV_READABLE) | (unsent(c) > 0 ? UV_WRITABLE : 0);

	if (c->closed || events == c->events)
		return;
	c->events = events;
	if (events == 0)
		(void)uv_poll_stop(&c->poll);
	else
		(void)uv_poll_start(&c->poll, events, on_poll);
}

static ssize_t
send_some(struct channel *c)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { c->out + c->out_start, unsent(c) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (c->departings > 0 && c->departing[0].position > c->sent) {
		/* What stands before the frame with the descriptor goes alone, so that it arrives with its own frame. */
		size_t before = (size_t)(c->departing[0].position - c->sent);

		iov.iov_len = before < iov.iov_len ? before : iov.iov_len;
	} else if (c->departings > 0) {
		memset(&control, 0, sizeof control);
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		if (c->departings > 1 && c->departing[1].position - c->sent < iov.iov_len)
			iov.iov_len = (size_t)(c->departing[1].position - c->sent);
		control.align = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &c->departing[0].fd, sizeof(int));
	}
	do
		n = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n > 0 && m.msg_controllen > 0) {
		(void)close(c->departing[0].fd);
		memmove(c->departing, c->departing + 1, --c->departings * sizeof c->departing[0]);
	}
	return n;
}

static void
tidy_out(struct channel *c)
{
	if (unsent(c) > 0)
		return;
	if (c->out_secret)
		wipe(c->out, c->out_len);
	c->out_secret = false;
	c->out_start = c->out_len = 0;
	if (c->out_max > OUT_KEPT) {
		free(c->out);
		c->out = NULL;
		c->out_max = 0;
	}
}

void
channel_flush(struct channel *c)
{
	ssize_t n = 1;

	while (!c->closed && !c->broken && unsent(c) > 0 && (n = send_some(c)) > 0) {
		c->out_start += (size_t)n;
		c->sent += (uint64_t)n;
	}
	if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
		doom(c);
	tidy_out(c);
	watch(c);
	if (c->congested && !c->closed && unsent(c) < CHANNEL_CONGESTED / 2) {
		c->congested = false;
		if (c->handler->drained != NULL)
			c->handler->drained(c->arg, c);
	}
}

static void
on_turn(uv_prepare_t *turn)
{
	struct channel *c = turn->data;

	(void)uv_prepare_stop(turn);
	if (!c->broken && !c->paused && c->in_len > 0)
		dispatch(c);
	if (!c->closed && !c->broken)
		channel_flush(c);
	if (c->broken)
		lose(c);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct channel *c = poll->data;
	bool more = status == 0 && (events & UV_READABLE) != 0;

	if (status != 0)
		c->broken = true;
	for (unsigned i = 0; more && i < READS_IN_A_TURN && !c->closed && !c->paused; i++) {
		more = receive(c);
		dispatch(c);
	}
	if ((events & UV_WRITABLE) != 0 && !c->closed && !c->broken)
		channel_flush(c);
	if (c->broken)
		lose(c);
}

/* Room for n octets behind out_len. False: the backlog is at its ceiling. */
static bool
make_out_room(struct channel *c, size_t n)
{
	size_t max = c->out_max == 0 ? OUT_FIRST : c->out_max;
	uint8_t *bigger;

	if (c->out_max - c->out_len >= n)
		return true;
	if (c->out_start > 0) {
		memmove(c->out, c->out + c->out_start, unsent(c));
		if (c->out_secret)
			wipe(c->out + unsent(c), c->out_start);
		c->out_len -= c->out_start;
		c->out_start = 0;
	}
	while (max - c->out_len < n)
		max *= 2;
	if (max > CHANNEL_BACKLOG_MAX)
		return false;
	if (max == c->out_max)
		return true;
	bigger = enlarge(c, c->out, c->out_len, max);
	if (bigger == NULL)
		return false;
	c->out = bigger;
	c->out_max = max;
	return true;
}

struct buf
channel_reserve(struct channel *c, size_t max)
{
	assert(max <= CHANNEL_BODY_MAX);
	if (c->closed || c->broken || !make_out_room(c, HEADER + max)) {
		if (!c->closed && !c->broken)
			doom(c);
		return (struct buf){ NULL, 0, 0 };
	}
	return (struct buf){ c->out + c->out_len + HEADER, 0, max };
}

static void
commit(struct channel *c, uint16_t type, uint16_t flags, uint32_t session, struct buf filled)
{
	uint8_t *header = c->out + c->out_len;

	if (filled.p == NULL || c->closed || c->broken)
		return;
	assert(filled.p == header + HEADER);
	u32_put(header, (uint32_t)filled.len);
	u32_put(header + 4, (uint32_t)type | (uint32_t)flags << 16);
	u32_put(header + 8, session);
	c->out_len += HEADER + filled.len;
	c->out_secret = c->out_secret || is_secret(c, type);
	if (unsent(c) >= CHANNEL_CONGESTED)
		c->congested = true;
	if (!c->lazy || unsent(c) >= CHANNEL_LAZY_MAX)
		wake(c);
}

void
channel_commit(struct channel *c, uint16_t type, uint32_t session, struct buf filled)
{
	commit(c, type, 0, session, filled);
}

bool
channel_send(struct channel *c, uint16_t type, uint32_t session, struct layout layout, const void *message)
{
	size_t size = fields_size(layout, message);
	struct buf b;

	if (size > CHANNEL_BODY_MAX)
		return false;
	b = channel_reserve(c, size);
	if (b.p == NULL)
		return true;
	if (!fields_format(layout, message, &b))
		return false;
	commit(c, type, 0, session, b);
	return true;
}

bool
channel_send_octets(struct channel *c, uint16_t type, uint32_t session, struct span octets)
{
	struct buf b;

	if (octets.len > CHANNEL_BODY_MAX)
		return false;
	b = channel_reserve(c, octets.len);
	if (b.p == NULL)
		return true;
	(void)buf_put(&b, octets);
	commit(c, type, 0, session, b);
	return true;
}

bool
channel_send_fd(struct channel *c, uint16_t type, uint32_t session, struct layout layout, const void *message, int fd)
{
	struct buf b;
	int copy;

	if (c->departings == FDS_MAX || fields_size(layout, message) > CHANNEL_BODY_MAX)
		return false;
	b = channel_reserve(c, fields_size(layout, message));
	if (b.p == NULL)
		return true;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy == -1 || !fields_format(layout, message, &b)) {
		if (copy != -1)
			(void)close(copy);
		return false;
	}
	c->departing[c->departings++] = (struct departing){ c->sent + unsent(c), copy };
	commit(c, type, FLAG_FD, session, b);
	return true;
}

void
channel_lazy(struct channel *c, bool lazy)
{
	c->lazy = lazy;
}

bool
channel_congested(const struct channel *c)
{
	return c->congested;
}

bool
channel_spoke_nonsense(const struct channel *c)
{
	return c->nonsense;
}

void
channel_pause(struct channel *c, bool paused)
{
	c->paused = paused;
	watch(c);
	if (!paused)
		wake(c);
}

/* ---- making ---- */

struct channel *
channel_open(uv_loop_t *loop, int fd, const struct channel_handler *handler, void *arg)
{
	struct channel *c = calloc(1, sizeof *c);
	uint8_t *in = malloc(IN_FIRST);

	if (c == NULL || in == NULL || uv_poll_init(loop, &c->poll, fd) != 0) {
		(void)close(fd);
		free(in);
		free(c);
		return NULL;
	}
	c->in = in;
	(void)uv_prepare_init(loop, &c->turn);
	c->handles = 2;
	c->poll.data = c->turn.data = c;
	c->in_max = IN_FIRST;
	c->fd = fd;
	c->handler = handler;
	c->arg = arg;
	watch(c);
	return c;
}

bool
channel_pair(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0;
}

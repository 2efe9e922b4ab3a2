/* Connections to milters: opened when a job needs one, kept for the next one where the protocol allows. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/log.h"
#include "proc/6_milter.h"

static void on_event(uv_poll_t *, int status, int events);

/* ---- small things ---- */

static void
link_enter(struct milter_link *l, enum milter_link_state next)
{
	l->state = (uint8_t)next;
}

static void
watch(struct milter_link *l, int events)
{
	if (events == l->events)
		return;
	l->events = events;
	if (events == 0)
		(void)uv_poll_stop(l->poll);
	else
		(void)uv_poll_start(l->poll, events, on_event);
}

static void
patience(struct milter_link *l)
{
	l->deadline = milters_now() + (uint64_t)l->service->conf.timeout * 1000;
}

static void
poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void
unlink_from_service(struct milter_link *l)
{
	struct milter_link **at = &l->service->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	l->service->open--;
}

void
milter_link_drop(struct milter_link *l)
{
	unlink_from_service(l);
	if (l->poll != NULL)
		uv_close((uv_handle_t *)l->poll, poll_closed);
	if (l->fd != -1)
		(void)close(l->fd);
	free(l->in.p);
	free(l->talk.out.p);
	free(l);
}

/* ---- opening ---- */

static socklen_t
address_of(const struct conf_milter *c, struct sockaddr_storage *out)
{
	struct sockaddr_un *local = (struct sockaddr_un *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	memset(out, 0, sizeof *out);
	if (c->local) {
		local->sun_family = AF_UNIX;
		memcpy(local->sun_path, c->place, sizeof local->sun_path);
		return sizeof *local;
	}
	if (strchr(c->place, ':') != NULL) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(c->port);
		(void)inet_pton(AF_INET6, c->place, &in6->sin6_addr);
		return sizeof *in6;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(c->port);
	(void)inet_pton(AF_INET, c->place, &in->sin_addr);
	return sizeof *in;
}

/* Begin to connect; errno of what went wrong, or 0. */
static int
socket_begin(struct milter_link *l)
{
	struct sockaddr_storage to;
	socklen_t len = address_of(&l->service->conf, &to);
	int on = 1;

	l->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd == -1)
		return errno;
	if (!l->service->conf.local)
		(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(l->fd, (struct sockaddr *)&to, len) != 0 && errno != EINPROGRESS)
		return errno;
	l->poll = malloc(sizeof *l->poll);
	if (l->poll == NULL)
		return ENOMEM;
	if (uv_poll_init(&milters.child.loop, l->poll, l->fd) != 0) {
		free(l->poll);
		l->poll = NULL;
		return ENOMEM;
	}
	l->poll->data = l;
	watch(l, UV_WRITABLE);
	return 0;
}

static struct milter_link *
link_new(struct milter_service *s)
{
	struct milter_link *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->service = s;
	l->fd = -1;
	l->next = s->links;
	s->links = l;
	s->open++;
	return l;
}

bool
milter_link_open(struct milter_service *s, struct milter_job *j)
{
	struct milter_link *l = link_new(s);
	int error = l == NULL ? ENOMEM : socket_begin(l);
	char why[200];

	if (error == 0) {
		l->job = j;
		j->link = l;
		patience(l);
		return true;
	}
	if (l != NULL)
		milter_link_drop(l);
	/* At a path: those that it has not yet taken are as many as may wait. */
	if (error == EAGAIN)
		return false;
	(void)snprintf(why, sizeof why, "cannot connect: %s", strerror(error));
	milter_job_fail(j, why);
	return true;
}

/* ---- ends ---- */

/* The link is of no more use; its job fails for this reason. */
static void
link_fail(struct milter_link *l, const char *why)
{
	struct milter_service *s = l->service;
	struct milter_job *j = l->job;
	bool again = j != NULL && l->reused && !l->heard && !j->stale && why == NULL;

	milter_link_drop(l);
	if (j != NULL) {
		j->link = NULL;
		j->stale = j->stale || again;
		if (again)
			milter_service_add(s, j);
		else
			milter_job_fail(j, why != NULL ? why : "it hung up in the middle of a message");
	}
	milter_service_pump(s);
}

/* Nothing is under way: memory goes back until the next job. */
static void
link_rest(struct milter_link *l)
{
	free(l->in.p);
	free(l->talk.out.p);
	l->in = l->talk.out = (struct buf){ NULL, 0, 0 };
	l->sent = l->used = 0;
	link_enter(l, LINK_IDLE);
	l->deadline = milters_now() + MILTER_IDLE_MS;
	watch(l, UV_READABLE);
}

/* ---- octets ---- */

/* False: it waits, or the link is gone. */
static bool
send_out(struct milter_link *l)
{
	struct buf *out = &l->talk.out;

	while (l->sent < out->len) {
		ssize_t n = send(l->fd, out->p + l->sent, out->len - l->sent, MSG_NOSIGNAL);

		if (n > 0) {
			l->sent += (size_t)n;
			patience(l);
		} else if (n == -1 && errno == EINTR) {
			continue;
		} else if (n == -1 && errno == EAGAIN) {
			/* A milter that says something meanwhile is heard when it has taken this: it is its turn to read. */
			watch(l, UV_WRITABLE);
			return false;
		} else {
			link_fail(l, NULL);
			return false;
		}
	}
	out->len = l->sent = 0;
	return true;
}

static bool
in_grow(struct milter_link *l)
{
	size_t max = l->in.max == 0 ? MILTER_IN_FIRST : l->in.max * 2 < MILTER_IN ? l->in.max * 2 : MILTER_IN;
	uint8_t *bigger;

	if (l->in.len < l->in.max)
		return true;
	bigger = l->in.max < MILTER_IN ? realloc(l->in.p, max) : NULL;
	if (bigger == NULL)
		return false;
	l->in.p = bigger;
	l->in.max = max;
	return true;
}

/* False: nothing is there, or the link is gone. */
static bool
receive(struct milter_link *l)
{
	ssize_t n;

	if (!in_grow(l)) {
		link_fail(l, "out of memory");
		return false;
	}
	do
		n = recv(l->fd, l->in.p + l->in.len, buf_room(&l->in), 0);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		l->in.len += (size_t)n;
		l->heard = true;
		patience(l);
		return true;
	}
	if (n == -1 && errno == EAGAIN)
		watch(l, UV_READABLE);
	else
		link_fail(l, NULL);
	return false;
}

/* ---- wants; each returns whether the talk goes on at once ---- */

static bool
want_input(struct milter_link *l)
{
	size_t used;

	buf_drop(&l->in, l->used);
	l->used = 0;
	if (!send_out(l))
		return false;
	if (l->in.len > 0) {
		(void)milter_feed(&l->talk, buf_span(&l->in), &used);
		/* What edits hold stays where it is until the next feed. */
		l->used = used;
		if (used > 0 || l->talk.want != MILTER_WANT_INPUT)
			return true;
	}
	return receive(l);
}

/* The job's message is begun with; or gone on with, where the milter is in the middle of it already. */
static bool
want_mail(struct milter_link *l)
{
	if (l->job == NULL) {
		link_rest(l);
		return false;
	}
	milter_job_rewind(l->job);
	if (l->about != 0) {
		(void)milter_more(&l->talk, &l->job->mail);
	} else {
		l->accepted = 0;
		(void)milter_begin(&l->talk, &l->job->mail);
	}
	l->about = 0;
	return true;
}

/* It has said what it thinks of a recipient, and waits for what comes next of that transaction. */
static bool
want_rcpt(struct milter_link *l)
{
	struct milter_service *s = l->service;
	struct milter_job *j = l->job;
	bool quiet = l->used == l->in.len;

	/* One that does not answer has not been sent it yet. */
	if (!send_out(l))
		return false;
	l->job = NULL;
	j->link = NULL;
	l->about = j->facts.talk;
	l->accepted += l->talk.verdict.kind == MILTER_PASS;
	milter_job_end(j, &l->talk.verdict);
	if (quiet)
		link_rest(l);
	else
		milter_link_drop(l);
	milter_service_pump(s);
	return false;
}

static bool
want_body(struct milter_link *l)
{
	struct milter_job *j = l->job;
	struct buf room = milter_body_room(&l->talk);
	size_t n = milter_content_read(&j->facts, j->read_at, room.p, room.max);

	if (n == 0 && j->read_at < j->facts.size) {
		link_fail(l, "the message cannot be read");
		return false;
	}
	j->read_at += n;
	(void)milter_body(&l->talk, n);
	return true;
}

static bool
want_edit(struct milter_link *l)
{
	const char *wrong;

	l->stalled = milters.spool != NULL && channel_congested(milters.spool);
	if (l->stalled) {
		watch(l, 0);
		patience(l);
		return false;
	}
	wrong = milter_job_edit(l->job, &l->talk.edit, milter_spaces(&l->talk));
	if (wrong != NULL) {
		link_fail(l, wrong);
		return false;
	}
	(void)milter_go_on(&l->talk);
	return true;
}

/* A few octets, which mostly go out at once; else it is not worth waiting for. */
static bool
send_now(struct milter_link *l)
{
	size_t left = l->talk.out.len - l->sent;

	return left == 0 || send(l->fd, l->talk.out.p + l->sent, left, MSG_NOSIGNAL) == (ssize_t)left;
}

/* It has said its last word; when it can take another message it is kept. */
static bool
want_verdict(struct milter_link *l)
{
	struct milter_service *s = l->service;
	struct milter_job *j = l->job;
	bool quiet = l->used == l->in.len;

	l->job = NULL;
	j->link = NULL;
	milter_job_end(j, &l->talk.verdict);
	/* What it says unasked after that cannot be told from what it will say to the next message. */
	if (l->talk.reuse != MILTER_REUSE_NOT && quiet && send_now(l)) {
		link_rest(l);
	} else {
		milter_quit(&l->talk);
		(void)send_now(l);
		milter_link_drop(l);
	}
	milter_service_pump(s);
	return false;
}

static bool
serve_want(struct milter_link *l)
{
	switch (l->talk.want) {
	case MILTER_WANT_FLUSH:
		if (!send_out(l))
			return false;
		(void)milter_go_on(&l->talk);
		return true;
	case MILTER_WANT_INPUT:
		return want_input(l);
	case MILTER_WANT_MAIL:
		return want_mail(l);
	case MILTER_WANT_RCPT:
		return want_rcpt(l);
	case MILTER_WANT_BODY:
		return want_body(l);
	case MILTER_WANT_EDIT:
		return want_edit(l);
	case MILTER_WANT_VERDICT:
		return want_verdict(l);
	case MILTER_WANT_FAIL:
		if (l->job != NULL)
			l->job->unshowable = l->talk.unshowable;
		link_fail(l, l->talk.why);
		return false;
	}
	return false;
}

static void
drive(struct milter_link *l)
{
	while (serve_want(l))
		;
}

/* ---- events ---- */

static void
connected(struct milter_link *l)
{
	struct buf out = { malloc(MILTER_OUT), 0, MILTER_OUT };
	int error = 0;
	socklen_t len = sizeof error;
	char why[200];

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0 || out.p == NULL) {
		free(out.p);
		(void)snprintf(why, sizeof why, "cannot connect: %s", strerror(error != 0 ? error : ENOMEM));
		link_fail(l, why);
		return;
	}
	link_enter(l, LINK_TALKING);
	(void)milter_open(&l->talk, &milters.conf, out);
	watch(l, UV_READABLE);
	drive(l);
}

static void
on_event(uv_poll_t *poll, int status, int events)
{
	struct milter_link *l = poll->data;

	(void)events;
	/* An error shows in the call that the state makes next. */
	if (status != 0)
		l->events = 0;
	switch ((enum milter_link_state)l->state) {
	case LINK_CONNECTING:
		connected(l);
		break;
	case LINK_TALKING:
		watch(l, UV_READABLE);
		drive(l);
		break;
	case LINK_IDLE:
		/* Its end, or something that nobody asked for. */
		milter_link_drop(l);
		break;
	}
}

bool
milter_link_take(struct milter_link *l, struct milter_job *j)
{
	l->talk.out = (struct buf){ malloc(MILTER_OUT), 0, MILTER_OUT };
	if (l->talk.out.p == NULL)
		return false;
	link_enter(l, LINK_TALKING);
	l->job = j;
	j->link = l;
	l->reused = true;
	l->heard = false;
	patience(l);
	if (want_mail(l))
		drive(l);
	return true;
}

void
milter_link_leave(struct milter_link *l)
{
	(void)send(l->fd, "\0\0\0\1Q", 5, MSG_NOSIGNAL);
	milter_link_drop(l);
}

void
milter_link_expire(struct milter_link *l, uint64_t now)
{
	if (l->job == NULL) {
		milter_link_leave(l);
	} else if (now >= l->job->deadline) {
		link_fail(l, "milter-deadline is over");
	} else {
		link_fail(l, l->state == LINK_CONNECTING ? "cannot connect in time" : "it says nothing for too long");
	}
}

void
milter_link_go_on(struct milter_link *l)
{
	l->stalled = false;
	watch(l, UV_READABLE);
	drive(l);
}

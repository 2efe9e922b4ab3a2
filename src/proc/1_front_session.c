#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/env.h"
#include "proc/1_front.h"
#include "proc/1_front_crowd.h"

/* ---- settings ---- */

struct front_conf *
conf_new(const struct conf *from)
{
	struct front_conf *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->refs = 1;
	c->hostname = from->hostname;
	c->plain = (struct smtp_server_conf){
		.hostname = span_of(c->hostname.p),
		.size_max = from->size_max,
		.rcpt_max = from->rcpt_max,
		.mechanisms = SMTP_AUTH_PLAIN | SMTP_AUTH_SCRAM_SHA_256 | (from->auth_login ? SMTP_AUTH_LOGIN : 0u),
		.binarymime = true,
		.mt_priority = from->mt_priority,
		.priority_least = (int8_t)from->priority_least,
		.priority_size_max = from->priority_size_max,
		.deliver_by = from->deliver_by,
		.by_least = from->deliver_by_least,
		.hold_max = from->hold_max,
		.env = os_env,
	};
	c->binding = c->plain;
	c->binding.mechanisms |= SMTP_AUTH_SCRAM_SHA_256_PLUS;
	return c;
}

void
conf_release(struct front_conf *c)
{
	if (c != NULL && --c->refs == 0)
		free(c);
}

/* ---- lists ---- */

static void
unqueue(struct front_session *s)
{
	if (s->queue == QUEUE_MAX)
		return;
	if (s->older != NULL)
		s->older->newer = s->newer;
	else
		front.queue[s->queue].oldest = s->newer;
	if (s->newer != NULL)
		s->newer->older = s->older;
	else
		front.queue[s->queue].newest = s->older;
	s->older = s->newer = NULL;
	s->queue = QUEUE_MAX;
}

void
session_queue(struct front_session *s, enum front_queue queue)
{
	unqueue(s);
	s->queue = queue;
	s->since = uv_now(&front.child.loop);
	s->brought = 0;
	s->older = front.queue[queue].newest;
	if (s->older != NULL)
		s->older->newer = s;
	else
		front.queue[queue].oldest = s;
	front.queue[queue].newest = s;
}

/* ---- places ---- */

static void
place_free(struct front_session *s)
{
	s->newer = front.free_sessions;
	front.free_sessions = s;
}

static bool
more_sessions(void)
{
	struct front_session *slab = calloc(FRONT_SLAB, sizeof *slab);

	if (slab == NULL || front.slots + FRONT_SLAB > FRONT_SLOTS) {
		free(slab);
		return false;
	}
	for (size_t i = FRONT_SLAB; i-- > 0;) {
		front.slot[front.slots + i] = &slab[i];
		slab[i].id = front.slots + (uint32_t)i;
		slab[i].phase = PHASE_GONE;
		place_free(&slab[i]);
	}
	front.slots += FRONT_SLAB;
	return true;
}

/* A place, with an id that no stale answer can mean: the generation above the slot changes with each use. */
static struct front_session *
session_take(void)
{
	struct front_session *s;
	uint32_t id;

	if (front.free_sessions == NULL && !more_sessions())
		return NULL;
	s = front.free_sessions;
	front.free_sessions = s->newer;
	id = s->id + FRONT_SLOTS;
	memset(s, 0, sizeof *s);
	s->id = id;
	s->queue = QUEUE_MAX;
	return s;
}

static void
session_give(uv_handle_t *poll)
{
	struct front_session *s = poll->data;

	/* The answer would find whoever has the same number next. */
	s->parked = s->owed;
	if (!s->parked)
		place_free(s);
}

static void
settle(struct front_session *s)
{
	s->owed = false;
	if (s->parked)
		session_give((uv_handle_t *)&s->poll);
}

void
session_settle(uint32_t id)
{
	struct front_session *s = (id & (FRONT_SLOTS - 1)) < front.slots ? front.slot[id & (FRONT_SLOTS - 1)] : NULL;

	if (s != NULL && s->id == id)
		settle(s);
}

void
session_settle_all(void)
{
	for (uint32_t i = 0; i < front.slots; i++)
		settle(front.slot[i]);
}

struct front_session *
session_find(uint32_t id)
{
	struct front_session *s = (id & (FRONT_SLOTS - 1)) < front.slots ? front.slot[id & (FRONT_SLOTS - 1)] : NULL;

	return s != NULL && s->id == id && s->phase != PHASE_GONE ? s : NULL;
}

void
session_each(void (*f)(struct front_session *))
{
	for (uint32_t i = 0; i < front.slots; i++)
		if (front.slot[i]->phase != PHASE_GONE)
			f(front.slot[i]);
}

struct front_draft *
draft_take(void)
{
	struct front_draft *d = front.free_drafts;

	if (d == NULL) {
		d = calloc(FRONT_SLAB, sizeof *d);
		if (d == NULL)
			return NULL;
		for (size_t i = 1; i < FRONT_SLAB; i++)
			draft_give(&d[i]);
	} else {
		front.free_drafts = d->next_free;
	}
	return d;
}

void
draft_give(struct front_draft *d)
{
	if (d == NULL)
		return;
	d->next_free = front.free_drafts;
	front.free_drafts = d;
}

/* ---- life ---- */

/*
 * The legal ways: NEW leads to PROXY and back once; NEW and HANDSHAKE lead to TALK, and TALK back to HANDSHAKE once (STARTTLS);
 * NEW, PROXY and TALK to GOODBYE and LINGER; everything to GONE.
 */
void
phase_enter(struct front_session *s, enum front_phase next)
{
	static const unsigned from[] = {
		[PHASE_NEW] = 1u << PHASE_GONE | 1u << PHASE_PROXY,
		[PHASE_PROXY] = 1u << PHASE_NEW,
		[PHASE_HANDSHAKE] = 1u << PHASE_NEW | 1u << PHASE_TALK,
		[PHASE_TALK] = 1u << PHASE_HANDSHAKE | 1u << PHASE_NEW,
		[PHASE_GOODBYE] = 1u << PHASE_TALK | 1u << PHASE_NEW | 1u << PHASE_PROXY,
		[PHASE_LINGER] = 1u << PHASE_GOODBYE,
		[PHASE_GONE] = ~(1u << PHASE_GONE),
	};

	assert((from[next] >> s->phase & 1) != 0);
	s->phase = next;
}

struct front_session *
session_open(int fd, bool implicit, const char *peer)
{
	struct front_session *s = session_take();

	if (s == NULL || uv_poll_init(&front.child.loop, &s->poll, fd) != 0) {
		if (s != NULL) {
			s->phase = PHASE_GONE;
			place_free(s);
		}
		return NULL;
	}
	s->poll.data = s;
	s->fd = fd;
	s->implicit = implicit;
	s->conf = front.conf;
	s->conf->refs++;
	memcpy(s->peer, peer, strlen(peer) + 1);
	front.sessions++;
	session_queue(s, QUEUE_HANDSHAKE);
	return s;
}

void
session_drop(struct front_session *s, const char *why)
{
	if (s->phase == PHASE_GONE)
		return;
	if (why != NULL)
		words_ended(s, why);
	spool_abort(s);
	auth_forget(s);
	phase_enter(s, PHASE_GONE);
	unqueue(s);
	crowd_leave(s);
	s->waiting = WAIT_NOTHING;
	draft_give(s->draft);
	s->draft = NULL;
	tls_free(s->tls);
	s->tls = NULL;
	wire_forget(&s->in, true);
	wire_forget(&s->out, false);
	wire_forget(&s->response, true);
	free(s->proxy);
	s->proxy = NULL;
	free(s->login);
	free(s->allowed);
	s->login = s->allowed = NULL;
	conf_release(s->conf);
	s->conf = NULL;
	uv_close((uv_handle_t *)&s->poll, session_give);
	(void)close(s->fd);
	front.sessions--;
	if (front.draining && front.sessions == 0)
		child_drained(&front.child);
}

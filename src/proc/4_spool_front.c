/* Fronts bring drafts. What a session may ask next is a column of the table below; a front that asks anything else is ended. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "mail/path.h"
#include "os/clock.h"
#include "os/log.h"
#include "proc/4_spool_session.h"
#include "proc/4_spool_terms.h"

#define BIT(phase) (1u << (phase))

/* ---- sessions ---- */
static struct front_session **
bucket_of(struct front *f, uint32_t number)
{
	return &f->bucket[siphash_u32(f->keeper->table_key, number) % KEEPER_SESSION_BUCKETS];
}

static struct front_session *
session_find(struct front *f, uint32_t number)
{
	struct front_session *s = *bucket_of(f, number);

	while (s != NULL && s->number != number)
		s = s->next;
	return s;
}

void
session_enter(struct front_session *s, enum session_phase next)
{
	static const unsigned edges[] = {
		[SESSION_FREE] = BIT(SESSION_MAIL),
		[SESSION_MAIL] = BIT(SESSION_RCPT) | BIT(SESSION_ASKING) | BIT(SESSION_FREE),
		[SESSION_ASKING] = BIT(SESSION_MAIL) | BIT(SESSION_RCPT) | BIT(SESSION_FREE),
		[SESSION_RCPT] = BIT(SESSION_RCPT) | BIT(SESSION_ASKING) | BIT(SESSION_BODY) | BIT(SESSION_FILTERING) | BIT(SESSION_COMMITTING) | BIT(SESSION_FREE),
		[SESSION_BODY] = BIT(SESSION_BODY) | BIT(SESSION_FILTERING) | BIT(SESSION_COMMITTING) | BIT(SESSION_FREE),
		[SESSION_FILTERING] = BIT(SESSION_COMMITTING) | BIT(SESSION_FREE),
		[SESSION_COMMITTING] = BIT(SESSION_FREE),
	};

	assert(edges[s->state] & BIT(next));
	s->state = (uint8_t)next;
}

/* Without memory there is no draft either, but that is to be said to its client, and no fault of the front. */
static struct front_session *
session_new(struct keeper *k)
{
	static struct front_session aside[KEEPER_SET_ASIDE];
	static size_t used;
	struct front_session *s = malloc(sizeof *s);

	if (s == NULL) {
		draft_spares_free(&k->spool);
		s = malloc(sizeof *s);
	}
	if (s != NULL)
		s->aside = false;
	else if (used < KEEPER_SET_ASIDE) {
		s = &aside[used++];
		s->aside = true;
	}
	return s;
}

static struct front_session *
session_take(struct keeper *k, struct front *f, uint32_t number)
{
	struct front_session *s = k->spare, **at = bucket_of(f, number);

	if (s != NULL)
		k->spare = s->next;
	else if ((s = session_new(k)) == NULL)
		return NULL;
	*s = (struct front_session){ .front = f, .next = *at, .number = number, .aside = s->aside };
	*at = s;
	return s;
}

/* Out of the front's table; the answer, if one is owed, finds nobody. */
static void
session_detach(struct front_session *s)
{
	struct front_session **at = bucket_of(s->front, s->number);

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->front->draftless -= s->draftless;
	s->front = NULL;
}

void
session_give(struct keeper *k, struct front_session *s)
{
	if (s->front != NULL)
		session_detach(s);
	if (s->talk != 0)
		filter_leave(k, s->talk);
	if (s->filter != NULL) {
		filter_cancel(k, s->filter);
		k->commits--;
	}
	s->filter = NULL;
	free(s->why);
	s->why = NULL;
	if (s->draft != NULL)
		draft_abort(&k->spool, s->draft);
	s->draft = NULL;
	session_enter(s, SESSION_FREE);
	s->next = k->spare;
	k->spare = s;
}

/* The front is gone or it says ABORT: a draft goes, a commit stays. */
static void
session_leave(struct keeper *k, struct front_session *s)
{
	if (s->state == SESSION_COMMITTING)
		session_detach(s);
	else
		session_give(k, s);
}

/* Who wants his message held is told at MAIL already whether it will be (4865-5). */
static void
admit(const struct front_session *s)
{
	struct spool_admitted m = { (uint32_t)s->fail };

	(void)channel_send(s->front->channel, SPOOL_ADMITTED, s->number, spool_admitted_layout, &m);
}

/* ---- what fronts say; false: it is broken ---- */
/* An id that another front or we ourselves may be about to use would have their message refused. */
static bool
is_own(const struct front *f, uint64_t id)
{
	return id != 0 && queue_id_slot(id) == f->slot;
}

/* Drafts have a ceiling. Of those that are refused one there are no more than clients to hear of it, or than there were before a reload. */
static bool
refuse_draft(struct keeper *k, struct front_session *s)
{
	s->draftless = true;
	return s->front->draftless++ < 2 * k->child.conf.sessions_max;
}

static bool
on_mail(struct keeper *k, struct front *f, struct front_session *s, const struct frame *frame)
{
	struct spool_mail m;
	struct message_record r;
	enum fail late;
	uint64_t now;

	keeper_look_at_clock(k);
	now = clock_wall();
	if (!fields_parse(spool_mail_layout, frame->body, &m) || s != NULL || (m.flags & ~(uint32_t)MAIL_FROM_CLIENT) != 0 ||
	    !is_own(f, m.queue_id))
		return false;
	r = (struct message_record){ .id = m.queue_id, .arrival = m.arrival < now ? m.arrival : now, .size = m.size, .flags = m.flags,
		.ret = m.ret, .reverse_path = m.reverse_path, .login = m.login, .peer = m.peer, .helo = m.helo, .tls = m.tls,
		.envid = m.envid, .auth = m.auth };
	if (!terms_take(&m, &r) || !warrant_for_mail(k, f, &m, &late) || (s = session_take(k, f, frame->session)) == NULL)
		return false;
	s->watched = m.unwatched == 0;
	s->fail = late != OK ? late : spool_state(&k->spool);
	if (s->fail == OK && m.size > k->spool.room)
		s->fail = FAIL_DISK_FULL;
	if (s->fail == OK)
		s->fail = terms_admit(k, &r);
	if (s->fail == OK)
		s->fail = draft_begin(&k->spool, &r, false, &s->draft);
	session_enter(s, SESSION_MAIL);
	if (r.release > 0)
		admit(s);
	return s->fail == OK || refuse_draft(k, s);
}

/* What a client can name has come through an engine: it is said here as he said it (RFC 5321 4.1.2, 4.5.3.1.3). */
static bool
path_fits(struct span path)
{
	uint8_t octets[PATH_MAX_OCTETS];
	struct buf said = BUF_OVER(octets);
	struct mailbox m;
	struct span rest;

	if (!buf_put_byte(&said, '<') || !buf_put(&said, path) || !buf_put_byte(&said, '>'))
		return false;
	rest = buf_span(&said);
	return path_take(&rest, false, &m) == PATH_OK && span_done(rest) && m.whole.len == path.len;
}

static bool
on_rcpt(struct keeper *k, struct front *f, struct front_session *s, const struct frame *frame)
{
	struct spool_rcpt r;

	(void)f;
	if (!fields_parse(spool_rcpt_layout, frame->body, &r) || !path_fits(r.path))
		return false;
	if (s->draft != NULL)
		draft_rcpt(&k->spool, s->draft, r.path, r.notify, r.orcpt);
	session_enter(s, SESSION_RCPT);
	return true;
}

static bool
on_ask_rcpt(struct keeper *k, struct front *f, struct front_session *s, const struct frame *frame)
{
	struct spool_ask_rcpt r;

	(void)f;
	if (!fields_parse(spool_ask_rcpt_layout, frame->body, &r) || !path_fits(r.path))
		return false;
	session_ask_rcpt(k, s, &r);
	return true;
}

static bool
on_body(struct keeper *k, struct front *f, struct front_session *s, const struct frame *frame)
{
	(void)f;
	if (s->draft != NULL)
		draft_body(&k->spool, s->draft, frame->body);
	session_enter(s, SESSION_BODY);
	return true;
}

void
session_answer(const struct keeper *k, struct front_session *s, enum fail f, uint64_t first)
{
	struct spool_committed m = { (uint32_t)f, first };

	if (s->front == NULL)
		return;
	refused_say(k, s->front->slot, f);
	(void)channel_send(s->front->channel, SPOOL_COMMITTED, s->number, spool_committed_layout, &m);
}

/* Was it taken before? Then it is answered like the first one. digest NULL: as it was when it came. */
bool
session_joined(struct keeper *k, struct front_session *s, const uint8_t *digest)
{
	uint64_t first;

	if (s->draft == NULL || !draft_repeats(&k->spool, s->draft, digest, clock_wall(), &first))
		return false;
	session_enter(s, SESSION_COMMITTING);
	repeat_join(k, s, first);
	return true;
}

/* Only the history wants to know its name: in front of the MESSAGE, see fact_kind. */
static void
name_message(struct keeper *k, const struct draft *d, struct span message_id)
{
	if (message_id.len > 0)
		(void)spool_fact(&k->spool, &(struct fact_record){ .id = draft_envelope(d)->id, .kind = FACT_MESSAGE_ID,
			.words = message_id });
}

void
session_commit(struct keeper *k, struct front_session *s, uint32_t flags, struct span message_id)
{
	struct draft *d = s->draft;
	enum fail fail = s->fail;

	s->draft = NULL;
	session_enter(s, SESSION_COMMITTING);
	/* Others of the same principal may have come in between. */
	if (d != NULL && (fail = terms_admit(k, draft_envelope(d))) != OK)
		draft_abort(&k->spool, d);
	else if (d != NULL) {
		name_message(k, d, message_id);
		fail = draft_commit(&k->spool, d, flags | (s->held ? MAIL_HOLD : 0), s);
	}
	if (fail == OK) {
		k->commits++;
		return;
	}
	session_answer(k, s, fail, 0);
	session_give(k, s);
}

static bool
on_commit(struct keeper *k, struct front *f, struct front_session *s, const struct frame *frame)
{
	struct spool_commit m;
	struct draft *d = s->draft;

	keeper_look_at_clock(k);
	if (!fields_parse(spool_commit_layout, frame->body, &m) || (m.flags & MAIL_FLAGS & ~(uint32_t)(MAIL_FROM_CLIENT | MAIL_HOLD)) != 0)
		return false;
	if (m.digest.len != 0 && m.digest.len != SIPHASH_WIDE)
		return false;
	if (d != NULL && (draft_size(d) != m.size || draft_rcpts(d) != m.rcpts || !warrant_for_commit(k, f, s, &m)))
		return false;
	if (session_joined(k, s, m.digest.len > 0 ? m.digest.p : NULL))
		return true;
	if (d == NULL || !filter_wanted(k)) {
		session_commit(k, s, m.flags & MAIL_FLAGS, m.message_id);
	} else if (!session_ask_milters(k, s, &m)) {
		session_answer(k, s, FAIL_MEMORY, 0);
		session_give(k, s);
	}
	return true;
}

static bool
on_abort(struct keeper *k, struct front *f, struct front_session *s, const struct frame *frame)
{
	(void)f;
	if (s != NULL)
		session_leave(k, s);
	return span_done(frame->body);
}

static const struct front_call {
	uint16_t type;
	unsigned legal;                 /* phases in which it may be said */
	bool (*run)(struct keeper *, struct front *, struct front_session *, const struct frame *);
} calls[] = {
	{ SPOOL_MAIL, BIT(SESSION_FREE), on_mail },
	{ SPOOL_RCPT, BIT(SESSION_MAIL) | BIT(SESSION_RCPT), on_rcpt },
	{ SPOOL_ASK_RCPT, BIT(SESSION_MAIL) | BIT(SESSION_RCPT), on_ask_rcpt },
	{ SPOOL_BODY, BIT(SESSION_RCPT) | BIT(SESSION_BODY), on_body },
	{ SPOOL_COMMIT, BIT(SESSION_RCPT) | BIT(SESSION_BODY), on_commit },
	{ SPOOL_ABORT, ~0u, on_abort },
};

static bool
take_message(struct keeper *k, struct front *f, const struct frame *frame)
{
	struct front_session *s = session_find(f, frame->session);
	unsigned phase = BIT(s == NULL ? SESSION_FREE : s->state);

	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i].type == frame->type)
			return (calls[i].legal & phase) && calls[i].run(k, f, s, frame);
	return false;
}

/* ---- fronts ---- */
static void
front_gone(struct front *f)
{
	for (size_t i = 0; i < KEEPER_SESSION_BUCKETS; i++)
		while (f->bucket[i] != NULL)
			session_leave(f->keeper, f->bucket[i]);
	f->keeper->front[f->slot] = NULL;
	free(f);
}

/* frame: NULL when it was none. */
static void
front_broken(struct front *f, struct channel *c, const struct frame *frame)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, "front-broken");
	log_u64(&l, "slot", f->slot);
	if (frame != NULL) {
		log_u64(&l, "type", frame->type);
		log_u64(&l, "session", frame->session);
	}
	log_text(&l, "why", frame != NULL ? "it sent what the order does not allow" : "it sent what is no frame");
	log_end(&l);
	channel_close(c);
	child_accuse(&f->keeper->child, ROLE_FRONT, f->slot);
	front_gone(f);
}

static void
on_message(void *arg, struct channel *c, const struct frame *frame)
{
	struct front *f = arg;

	if (take_message(f->keeper, f, frame))
		return;
	front_broken(f, c, frame);
}

static void
on_closed(void *arg, struct channel *c)
{
	if (channel_spoke_nonsense(c))
		front_broken(arg, c, NULL);
	else
		front_gone(arg);
}

static void
front_tell(struct keeper *k, struct front *f)
{
	struct spool_state m = { .fail = (uint32_t)spool_state(&k->spool), .room = k->spool.room, .asks = filter_wanted(k) };

	if (k->spool.once.window > 0)
		m.key = (struct span){ k->spool.once.key, SIPHASH_KEY };

	(void)channel_send(f->channel, SPOOL_STATE, 0, spool_state_layout, &m);
}

void
front_open(struct keeper *k, uint32_t slot, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };
	struct front *f = slot < KEEPER_FRONTS ? calloc(1, sizeof *f) : NULL;

	if (f == NULL) {
		(void)close(fd);
		return;
	}
	if (k->front[slot] != NULL) {
		channel_close(k->front[slot]->channel);
		front_gone(k->front[slot]);
	}
	f->keeper = k;
	f->slot = slot;
	f->life = child_life(ROLE_FRONT, slot);
	f->channel = channel_open(&k->child.loop, fd, &handler, f);
	if (f->channel == NULL) {
		free(f);
		return;
	}
	k->front[slot] = f;
	/* Before GO there is no spool to give anything to. */
	if (k->opened)
		front_tell(k, f);
	else
		channel_pause(f->channel, true);
}

void
front_go_all(struct keeper *k)
{
	for (uint32_t i = 0; i < KEEPER_FRONTS; i++)
		if (k->front[i] != NULL) {
			channel_pause(k->front[i]->channel, false);
			front_tell(k, k->front[i]);
		}
}

void
front_tell_all(struct keeper *k)
{
	enum fail now = spool_state(&k->spool);
	struct log_line l;

	if (now == k->told)
		return;
	log_begin(&l, now == OK ? LOG_NOTE : LOG_WARN, "spool-state");
	log_text(&l, "state", fail_row(now)->text);
	log_u64(&l, "room", k->spool.room);
	log_end(&l);
	k->told = now;
	front_tell_anew(k);
}

void
front_tell_anew(struct keeper *k)
{
	for (uint32_t i = 0; i < KEEPER_FRONTS; i++)
		if (k->front[i] != NULL)
			front_tell(k, k->front[i]);
}

void
front_flush_all(struct keeper *k)
{
	for (uint32_t i = 0; i < KEEPER_FRONTS; i++)
		if (k->front[i] != NULL)
			channel_flush(k->front[i]->channel);
}

void
front_pause_all(struct keeper *k, bool paused)
{
	if (paused == k->paused)
		return;
	k->paused = paused;
	for (uint32_t i = 0; i < KEEPER_FRONTS; i++)
		if (k->front[i] != NULL)
			channel_pause(k->front[i]->channel, paused);
}

void
front_close_all(struct keeper *k)
{
	for (uint32_t i = 0; i < KEEPER_FRONTS; i++)
		if (k->front[i] != NULL) {
			channel_flush(k->front[i]->channel);
			channel_close(k->front[i]->channel);
			front_gone(k->front[i]);
		}
	while (k->spare != NULL) {
		struct front_session *s = k->spare;

		k->spare = s->next;
		if (!s->aside)
			free(s);
	}
}

void
front_hold(struct keeper *k, struct span login)
{
	for (uint32_t i = 0; i < KEEPER_FRONTS; i++)
		for (size_t b = 0; k->front[i] != NULL && b < KEEPER_SESSION_BUCKETS; b++)
			for (struct front_session *s = k->front[i]->bucket[b]; s != NULL; s = s->next)
				if (s->draft != NULL && login_belongs(draft_envelope(s->draft)->login, login))
					s->held = true;
}

void
front_clock(struct keeper *k, int64_t ms)
{
	uint64_t now = clock_wall();

	for (uint32_t i = 0; i < KEEPER_FRONTS; i++)
		for (size_t b = 0; k->front[i] != NULL && b < KEEPER_SESSION_BUCKETS; b++)
			for (struct front_session *s = k->front[i]->bucket[b]; s != NULL; s = s->next)
				if (s->draft != NULL)
					draft_clock(s->draft, ms, now);
}

/* ---- commits ---- */
static void
log_accepted(struct keeper *k, uint32_t slot)
{
	struct message_record m;
	uint64_t content_at;
	struct log_line l;

	if (!spool_envelope(&k->spool, slot, &m, &content_at))
		return;
	log_begin(&l, LOG_NOTE, "accepted");
	log_id(&l, "id", m.id);
	log_span(&l, "login", m.login);
	log_span(&l, "from", m.reverse_path);
	log_u64(&l, "rcpts", m.rcpts);
	log_u64(&l, "size", m.size);
	if (spool_is_held(&k->spool, slot))
		log_text(&l, "held", "yes");
	terms_log(&l, &m);
	log_span(&l, "tls", m.tls);
	if (m.flags & MAIL_REQUIRETLS)
		log_text(&l, "asks", "REQUIRETLS");
	else if (m.flags & MAIL_TLS_OPTIONAL)
		log_text(&l, "asks", "TLS-Required: No");
	log_span(&l, "peer", m.peer);
	log_end(&l);
}

void
front_committed(struct keeper *k, void *who, uint64_t id, uint32_t slot, enum fail f)
{
	struct front_session *s = who;

	if (f == OK && (s == NULL || !s->discarded))
		log_accepted(k, slot);
	/* A notice of our own has no session. */
	if (s == NULL)
		return;
	if (f == OK && s->discarded)
		spool_finish(&k->spool, slot);
	else if (f == OK && s->why != NULL)
		/* Since when it was accepted: it is the hold that its record has already, with its reason. */
		(void)spool_withhold(&k->spool, slot, span_of(s->why), k->spool.index.entry[slot].arrival);
	front_settle(k, s, f, 0);
	repeat_settled(k, id, f);
}

void
front_settle(struct keeper *k, struct front_session *s, enum fail f, uint64_t first)
{
	k->commits--;
	session_answer(k, s, f, first);
	session_give(k, s);
}

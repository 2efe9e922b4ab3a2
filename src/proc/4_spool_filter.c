/* Milters are asked about recipients when they are named, and about drafts before they are committed. 6_milter speaks to them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/milter.h"
#include "os/log.h"
#include "proc/4_spool_filter_parts.h"
#include "proc/4_spool_show.h"

/* A question's number is its place and a generation above it. */
#define PLACE_OF(number) ((number) % KEEPER_FILTERS)

/* ---- the list ---- */

static void
filter_enter(struct keeper *k, struct filter *f, enum filter_phase next)
{
	if (f->state == FILTER_ASKED)
		k->filters.asked[PLACE_OF(f->number)] = NULL;
	if (next == FILTER_ASKED)
		k->filters.asked[PLACE_OF(f->number)] = f;
	f->state = (uint8_t)next;
}

void
filter_header_free(struct filter *f)
{
	free(f->header.p);
	f->header = (struct buf){ NULL, 0, 0 };
}

/* Nobody finds it any more. */
static void
filter_detach(struct keeper *k, struct filter *f)
{
	if (f->state == FILTER_ASKED)
		k->filters.asked[PLACE_OF(f->number)] = NULL;
	*f->link = f->next;
	if (f->next != NULL)
		f->next->link = f->link;
	else
		k->filters.last = f->link;
}

static void
filter_free(struct filter *f)
{
	filter_header_free(f);
	free(f);
}

struct filter *
filter_find(struct keeper *k, uint32_t number)
{
	struct filter *f = k->filters.asked[PLACE_OF(number)];

	return f != NULL && f->number == number ? f : NULL;
}

/* A place for one more question, KEEPER_FILTERS: all are out. */
static uint32_t
free_place(const struct keeper *k)
{
	uint32_t i = 0;

	while (i < KEEPER_FILTERS && k->filters.asked[i] != NULL)
		i++;
	return i;
}

bool
filter_wanted(const struct keeper *k)
{
	return k->filters.milters > 0;
}

/* What is in the log must be in its file before another process can read it. Of a recipient there is nothing. */
void
filter_next(struct keeper *k, struct filter *f)
{
	if (f->probe) {
		filter_enter(k, f, FILTER_WAITING);
		return;
	}
	f->written = draft_settle(&k->spool, f->draft);
	filter_enter(k, f, FILTER_WRITING);
}

/* The newest of the list; more: octets behind it. NULL: no memory. */
static struct filter *
filter_new(struct keeper *k, struct front_session *session, size_t more)
{
	struct filters *all = &k->filters;
	struct filter *f = calloc(1, sizeof *f + more);

	if (f == NULL)
		return NULL;
	if (all->last == NULL)
		all->last = &all->first;
	f->link = all->last;
	*all->last = f;
	all->last = &f->next;
	f->session = session;
	f->draft = session->draft;
	f->begun = uv_now(&k->child.loop);
	f->deadline = f->begun + (uint64_t)k->child.conf.milter_deadline * 1000;
	if (session->talk == 0)
		session->talk = ++k->filters.talks;
	return f;
}

struct filter *
filter_begin(struct keeper *k, struct front_session *session, const struct spool_commit *m)
{
	struct filter *f = filter_new(k, session, 0);

	if (f == NULL)
		return NULL;
	f->flags = m->flags;
	f->name_len = m->message_id.len <= sizeof f->name ? m->message_id.len : 0;
	if (f->name_len > 0)
		memcpy(f->name, m->message_id.p, f->name_len);
	filter_next(k, f);
	return f;
}

struct filter *
filter_begin_rcpt(struct keeper *k, struct front_session *session, const struct spool_ask_rcpt *r)
{
	struct filter *f = filter_new(k, session, r->path.len + r->orcpt.len);
	uint8_t *at;

	if (f == NULL)
		return NULL;
	at = f->text;
	f->probe = true;
	f->flags = r->mechanism << MAIL_MECHANISM;
	f->rcpt = *r;
	f->rcpt.path = span_settle(&at, r->path);
	f->rcpt.orcpt = span_settle(&at, r->orcpt);
	filter_next(k, f);
	return f;
}

void
filter_cancel(struct keeper *k, struct filter *f)
{
	if (f->state == FILTER_ASKED && k->filters.channel != NULL)
		(void)channel_send_octets(k->filters.channel, FILTER_CANCEL, f->number, (struct span){ NULL, 0 });
	filter_detach(k, f);
	filter_free(f);
}

void
filter_leave(struct keeper *k, uint64_t talk)
{
	struct filter_leave m = { talk };

	if (k->filters.channel != NULL)
		(void)channel_send(k->filters.channel, FILTER_LEAVE, 0, filter_leave_layout, &m);
}

/* ---- the end of one ---- */

void
filter_end(struct keeper *k, struct filter *f, const struct filter_result *r)
{
	struct front_session *session = f->session;

	filter_detach(k, f);
	/* Those in front have heard of a recipient who is none. */
	if (f->probe && r->kind != FILTER_PASS)
		session->spoiled |= (uint8_t)((1u << f->which) - 1);
	if (f->probe)
		front_rcpt_filtered(k, session, &f->rcpt, r);
	else
		front_filtered(k, session, r);
	filter_free(f);
}

static void
end_failed(struct keeper *k, struct filter *f, enum fail why)
{
	struct filter_result r = { .kind = FILTER_REFUSE, .fail = why };

	if (f->state == FILTER_ASKED && k->filters.channel != NULL)
		(void)channel_send_octets(k->filters.channel, FILTER_CANCEL, f->number, (struct span){ NULL, 0 });
	filter_end(k, f, &r);
}

static void
end_all(struct keeper *k, enum fail why)
{
	while (k->filters.first != NULL)
		end_failed(k, k->filters.first, why);
}

/* ---- asking ---- */

static void
send_rcpts(struct keeper *k, const struct filter *f)
{
	struct span rest = draft_recipients(f->draft);
	struct recipient r;

	while (recipient_take(&rest, &r))
		(void)channel_send_octets(k->filters.channel, FILTER_RCPT, f->number, r.path);
}

/* What the milter has heard of it counts only when it is what it says now. */
static uint64_t
talk_of(const struct filter *f)
{
	bool spoiled = (f->session->spoiled >> f->which & 1) != 0;

	return f->probe || (!spoiled && !f->changed) ? f->session->talk : 0;
}

static bool
ask(struct keeper *k, struct filter *f, uint32_t place)
{
	const struct message_record *m = draft_envelope(f->draft);
	uint8_t text[200];
	struct buf milter = BUF_OVER(text);
	uint64_t now = uv_now(&k->child.loop);
	struct filter_ask a = { .queue_id = m->id, .patience = (uint32_t)(f->deadline > now ? f->deadline - now : 0),
		.flags = (m->flags | f->flags) & MAIL_FLAGS, .mechanism = f->flags >> MAIL_MECHANISM, .rcpts = draft_rcpts(f->draft),
		.size = draft_size(f->draft), .reverse_path = m->reverse_path, .login = m->login, .peer = m->peer, .helo = m->helo,
		.tls = m->tls, .talk = talk_of(f) };

	if (f->probe) {
		a.rcpts = 1;
		a.size = m->size;
		a.text = f->rcpt.path;
	} else {
		a.extents = draft_extents(f->draft);
		a.text = draft_text(f->draft);
	}

	if (!conf_milter_format(&k->filters.milter[f->which], &milter) || !show_segments(k, SHOW_MILTER, a.extents))
		return false;
	a.milter = buf_span(&milter);
	f->number = ++k->filters.generation * KEEPER_FILTERS + place;
	f->dropped = f->emptied = false;
	f->added = 0;
	if (!channel_send(k->filters.channel, f->probe ? FILTER_ASK_RCPT : FILTER_ASK, f->number, filter_ask_layout, &a))
		return false;
	filter_enter(k, f, FILTER_ASKED);
	if (!f->probe)
		send_rcpts(k, f);
	return true;
}

static bool
can_ask(const struct keeper *k)
{
	return k->filters.channel != NULL && !channel_congested(k->filters.channel);
}

static void
try_to_ask(struct keeper *k, struct filter *f, uint32_t place)
{
	enum fail health = draft_health(&k->spool, f->draft);

	if (health != OK)
		end_failed(k, f, health);
	else if (!ask(k, f, place))
		end_failed(k, f, FAIL_LOCAL);
}

void
filter_pump(struct keeper *k)
{
	struct filter *next;

	/* The commit of one that cannot be asked about may bring us here again. */
	if (k->filters.stepping)
		return;
	k->filters.stepping = true;
	for (struct filter *f = k->filters.first; f != NULL; f = next) {
		uint32_t place = free_place(k);

		next = f->next;
		if (place == KEEPER_FILTERS || !can_ask(k))
			break;
		if (f->state == FILTER_WRITING && f->written <= k->spool.journal.written)
			filter_enter(k, f, FILTER_WAITING);
		if (f->state == FILTER_WAITING)
			try_to_ask(k, f, place);
	}
	k->filters.stepping = false;
}

/* It may be gone after it. */
static void
look_after(struct keeper *k, struct filter *f)
{
	enum fail health = draft_health(&k->spool, f->draft);
	uint64_t now = uv_now(&k->child.loop);

	if (health != OK) {
		end_failed(k, f, health);
		return;
	}
	if (now >= f->deadline + KEEPER_FILTER_GRACE_MS) {
		log_say(LOG_WARN, "milter-failed", "a message has waited for milter-deadline, and nobody could look at it");
		end_failed(k, f, FAIL_FILTER_LATER);
		return;
	}
}

void
filter_step(struct keeper *k)
{
	struct filter *next;

	for (struct filter *f = k->filters.first; f != NULL; f = next) {
		next = f->next;
		look_after(k, f);
	}
	filter_pump(k);
}

/* ---- the channel ---- */

/* What it was asked nobody answers any more; what waits for a 6_milter waits on for the next one. */
static void
filter_lost(struct keeper *k)
{
	struct filter *next;

	k->filters.channel = NULL;
	for (struct filter *f = k->filters.first; f != NULL; f = next) {
		next = f->next;
		if (f->state == FILTER_ASKED)
			end_failed(k, f, FAIL_FILTER_LATER);
	}
	show_forget(k, SHOW_MILTER);
}

static void
filter_broken(struct keeper *k, struct channel *c, const char *why)
{
	log_say(LOG_FAULT, "milter-broken", why);
	channel_close(c);
	child_accuse(&k->child, ROLE_MILTER, 0);
	filter_lost(k);
}

static void
on_message(void *arg, struct channel *c, const struct frame *frame)
{
	struct keeper *k = arg;

	if (k->opened && filter_heard(k, frame))
		return;
	filter_broken(k, c, "it sent what the order does not allow");
}

static void
on_closed(void *arg, struct channel *c)
{
	if (channel_spoke_nonsense(c))
		filter_broken(arg, c, "it sent what is no frame");
	else
		filter_lost(arg);
}

static void
on_drained(void *arg, struct channel *c)
{
	(void)c;
	filter_pump(arg);
}

void
filter_open(struct keeper *k, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed, .drained = on_drained };

	if (k->filters.channel != NULL) {
		channel_close(k->filters.channel);
		filter_lost(k);
	}
	k->filters.channel = channel_open(&k->child.loop, fd, &handler, k);
	if (k->filters.channel != NULL && k->opened)
		filter_pump(k);
}

void
filter_close(struct keeper *k)
{
	if (k->filters.channel == NULL)
		return;
	channel_close(k->filters.channel);
	filter_lost(k);
}

void
filter_configure(struct keeper *k)
{
	const struct conf *c = &k->child.conf;

	/* Half of them may have been asked under other rules; a client asks again. */
	if (!conf_milters_same(k->filters.milter, k->filters.milters, c->milter, c->milters))
		end_all(k, FAIL_FILTER_LATER);
	memcpy(k->filters.milter, c->milter, sizeof k->filters.milter);
	k->filters.milters = c->milters;
}

/* Milters are asked about drafts before they are committed. 6_milter speaks to them; what it sends back has its form and its order. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/milter.h"
#include "os/log.h"
#include "proc/4_spool.h"
#include "smtp/server.h"

/* A question's number is its place and a generation above it. */
#define PLACE_OF(number) ((number) % KEEPER_FILTERS)

enum filter_phase { FILTER_WRITING, FILTER_WAITING, FILTER_ASKED };

struct filter {
	struct filter *next, **link;
	struct front_session *session;
	struct draft *draft;
	uint64_t written;               /* journal.written from which its content can be read */
	uint64_t begun, deadline;       /* uv_now() */
	uint32_t number;                /* of the question that is out */
	uint32_t which;                 /* milter, from 0 */
	uint32_t flags;                 /* as spool_commit has them, and what milters have added */
	uint8_t state;                  /* enum filter_phase */
	bool dropped;                   /* the milter has dropped recipients of this round already */
	uint32_t added;
	struct buf header;              /* a new one, as far as it has come */
	size_t why_len, name_len;
	uint8_t why[HELD_WORDS_MAX];
	uint8_t name[FACT_WORDS_MAX];   /* its Message-ID, as it was submitted */
};

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

static void
header_free(struct filter *f)
{
	free(f->header.p);
	f->header = (struct buf){ NULL, 0, 0 };
}

static void
filter_free(struct keeper *k, struct filter *f)
{
	if (f->state == FILTER_ASKED)
		k->filters.asked[PLACE_OF(f->number)] = NULL;
	*f->link = f->next;
	if (f->next != NULL)
		f->next->link = f->link;
	else
		k->filters.last = f->link;
	header_free(f);
	free(f);
}

static struct filter *
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

/* What is in the log must be in its file before another process can read it. */
static void
settle(struct keeper *k, struct filter *f)
{
	f->written = draft_settle(&k->spool, f->draft);
	filter_enter(k, f, FILTER_WRITING);
}

struct filter *
filter_begin(struct keeper *k, struct front_session *session, struct draft *d, const struct spool_commit *m)
{
	struct filters *all = &k->filters;
	struct filter *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	if (all->last == NULL)
		all->last = &all->first;
	f->link = all->last;
	*all->last = f;
	all->last = &f->next;
	f->session = session;
	f->draft = d;
	f->flags = m->flags;
	f->name_len = m->message_id.len <= sizeof f->name ? m->message_id.len : 0;
	if (f->name_len > 0)
		memcpy(f->name, m->message_id.p, f->name_len);
	f->begun = uv_now(&k->child.loop);
	f->deadline = f->begun + (uint64_t)k->child.conf.milter_deadline * 1000;
	settle(k, f);
	return f;
}

void
filter_cancel(struct keeper *k, struct filter *f)
{
	if (f->state == FILTER_ASKED && k->filters.channel != NULL)
		(void)channel_send_octets(k->filters.channel, FILTER_CANCEL, f->number, (struct span){ NULL, 0 });
	filter_free(k, f);
}

/* ---- the end of one ---- */

static void
end(struct keeper *k, struct filter *f, const struct filter_result *r)
{
	struct front_session *session = f->session;

	filter_free(k, f);
	front_filtered(k, session, r);
}

static void
end_failed(struct keeper *k, struct filter *f, enum fail why)
{
	struct filter_result r = { .kind = FILTER_REFUSE, .fail = why };

	if (f->state == FILTER_ASKED && k->filters.channel != NULL)
		(void)channel_send_octets(k->filters.channel, FILTER_CANCEL, f->number, (struct span){ NULL, 0 });
	end(k, f, &r);
}

static void
end_passed(struct keeper *k, struct filter *f)
{
	uint8_t why[HELD_WORDS_MAX], name[FACT_WORDS_MAX];
	struct filter_result r = { .kind = FILTER_PASS, .flags = f->flags & MAIL_FLAGS, .why = { why, f->why_len },
		.message_id = { name, f->name_len } };

	memcpy(why, f->why, f->why_len);
	memcpy(name, f->name, f->name_len);
	end(k, f, &r);
}

static void
end_all(struct keeper *k, enum fail why)
{
	while (k->filters.first != NULL)
		end_failed(k, k->filters.first, why);
}

/* ---- asking ---- */

static bool
show_segments(struct keeper *k, struct span extents)
{
	struct extent e;

	while (extent_take(&extents, &e)) {
		struct segment *s = journal_segment(&k->spool.journal, e.segment);
		struct relay_segment m = { e.segment };

		if (s == NULL || (!s->told_filter && journal_reader(&k->spool.journal, s) == -1))
			return false;
		if (!s->told_filter)
			s->told_filter = channel_send_fd(k->filters.channel, FILTER_SEGMENT, 0, relay_segment_layout, &m, s->reader);
		if (!s->told_filter)
			return false;
	}
	return true;
}

static void
send_rcpts(struct keeper *k, const struct filter *f)
{
	struct span rest = draft_recipients(f->draft);
	struct recipient r;

	while (recipient_take(&rest, &r))
		(void)channel_send_octets(k->filters.channel, FILTER_RCPT, f->number, r.path);
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
		.tls = m->tls, .extents = draft_extents(f->draft), .text = draft_text(f->draft) };

	if (!conf_milter_format(&k->filters.milter[f->which], &milter) || !show_segments(k, a.extents))
		return false;
	a.milter = buf_span(&milter);
	f->number = ++k->filters.generation * KEEPER_FILTERS + place;
	f->dropped = false;
	f->added = 0;
	if (!channel_send(k->filters.channel, FILTER_ASK, f->number, filter_ask_layout, &a))
		return false;
	filter_enter(k, f, FILTER_ASKED);
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

/* ---- what 6_milter says; false: it is broken ---- */

static bool
on_body(struct keeper *k, struct filter *f, struct span octets)
{
	draft_fresh(&k->spool, f->draft, octets);
	return true;
}

static bool
on_body_gone(struct keeper *k, struct filter *f, struct span body)
{
	draft_fresh_drop(&k->spool, f->draft);
	return span_done(body);
}

static bool
on_header(struct keeper *k, struct filter *f, struct span octets)
{
	(void)k;
	return buf_grow(&f->header, octets.len, FILTER_HEADER_MAX) && buf_put(&f->header, octets);
}

static bool
on_sender(struct keeper *k, struct filter *f, struct span path)
{
	struct mailbox m;

	(void)k;
	return (span_done(path) || mailbox_parse(path, &m) == PATH_OK) && draft_sender(f->draft, path);
}

static bool
on_drop(struct keeper *k, struct filter *f, struct span bits)
{
	(void)k;
	if (f->dropped || f->added > 0)
		return false;
	f->dropped = true;
	draft_rcpts_drop(f->draft, bits);
	return true;
}

static bool
on_add(struct keeper *k, struct filter *f, struct span path)
{
	struct mailbox m;

	if (++f->added > FILTER_ADDED_MAX || mailbox_parse(path, &m) != PATH_OK || recipient_domain(path).len > DOMAIN_MAX)
		return false;
	draft_rcpt(&k->spool, f->draft, path, 0, (struct span){ NULL, 0 });
	return true;
}

/* ---- verdicts ---- */

static void
hold(struct filter *f, struct span words)
{
	f->flags |= MAIL_HOLD;
	if (f->why_len > 0 || words.len > sizeof f->why)
		return;
	memcpy(f->why, words.p, words.len);
	f->why_len = words.len;
}

static void
log_nobody(const struct filter *f)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, "milter-discarded");
	log_id(&l, "id", draft_envelope(f->draft)->id);
	log_text(&l, "why", "a milter has taken away the last recipient");
	log_end(&l);
}

/* On to the next milter, or to the commit. */
static bool
on_pass(struct keeper *k, struct filter *f, const struct filter_verdict *v)
{
	struct span header = buf_span(&f->header);
	bool changed = (v->changes & (FILTER_NEW_HEADER | FILTER_NEW_BODY)) != 0;

	if (changed && !draft_rewrite(&k->spool, f->draft, v->changes & FILTER_NEW_HEADER ? &header : NULL, v->body_at,
	    (v->changes & FILTER_NEW_BODY) != 0))
		return false;
	draft_fresh_drop(&k->spool, f->draft);
	header_free(f);
	if (v->changes & FILTER_EIGHTBIT)
		f->flags |= MAIL_8BIT;
	if (v->changes & FILTER_HOLD)
		hold(f, v->words);
	if (draft_rcpts(f->draft) == 0) {
		struct filter_result r = { .kind = FILTER_DISCARD };

		log_nobody(f);
		end(k, f, &r);
	} else if (++f->which == k->filters.milters) {
		end_passed(k, f);
	} else {
		settle(k, f);
	}
	return true;
}

static bool
on_refuse(struct keeper *k, struct filter *f, const struct filter_verdict *v)
{
	char enhanced[SMTP_ENHANCED_MAX + 1] = "";
	struct filter_result r = { .kind = FILTER_REFUSE, .code = v->code, .enhanced = enhanced, .text = v->text };

	if (!smtp_refusal_valid(v->code, v->enhanced))
		return false;
	memcpy(enhanced, v->enhanced.p, v->enhanced.len);
	end(k, f, &r);
	return true;
}

static bool
on_verdict(struct keeper *k, struct filter *f, struct span body)
{
	struct filter_result r = { .kind = FILTER_DISCARD };
	struct filter_verdict v;

	bool good = fields_parse(filter_verdict_layout, body, &v) && v.kind <= FILTER_DISCARD;

	if (good && v.kind == FILTER_DISCARD)
		end(k, f, &r);
	else if (good)
		good = v.kind == FILTER_PASS ? on_pass(k, f, &v) : on_refuse(k, f, &v);
	if (good)
		filter_pump(k);
	return good;
}

/* ---- the channel ---- */

static const struct filter_call {
	uint16_t type;
	bool (*run)(struct keeper *, struct filter *, struct span body);
} calls[] = {
	{ FILTER_BODY, on_body }, { FILTER_BODY_GONE, on_body_gone }, { FILTER_HEADER, on_header }, { FILTER_SENDER, on_sender },
	{ FILTER_DROP, on_drop }, { FILTER_ADD, on_add }, { FILTER_VERDICT, on_verdict },
};

/* About a question that was cancelled it may still say what it had begun to say. */
static bool
take_message(struct keeper *k, const struct frame *frame)
{
	struct filter *f = filter_find(k, frame->session);

	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i].type == frame->type)
			return frame->fd == -1 && (f == NULL || calls[i].run(k, f, frame->body));
	return false;
}

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
	for (size_t i = 0; i < k->spool.journal.segments; i++)
		k->spool.journal.segment[i]->told_filter = false;
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

	if (k->opened && take_message(k, frame))
		return;
	if (frame->fd != -1)
		(void)close(frame->fd);
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
	if (k->filters.channel == NULL)
		(void)close(fd);
	else if (k->opened)
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

void
filter_segment_gone(struct keeper *k, uint64_t number)
{
	struct relay_segment m = { number };

	if (k->filters.channel != NULL)
		(void)channel_send(k->filters.channel, FILTER_SEGMENT_GONE, 0, relay_segment_layout, &m);
}

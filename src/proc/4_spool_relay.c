/* Messages go to 5_relay as tries: what to send, where its octets lie, for whom. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "proc/4_spool_show.h"
#include "proc/4_spool_terms.h"

/* ---- the table of tries; a session number is its place and its generation ---- */
enum { TRY_INDEX_BITS = 16 };

static uint32_t
session_of(const struct keeper *k, const struct try *t)
{
	return (uint32_t)t->generation << TRY_INDEX_BITS | (uint32_t)(t - k->try);
}

static struct try *
try_find(struct keeper *k, uint32_t session)
{
	uint32_t index = session & ((1u << TRY_INDEX_BITS) - 1);
	struct try *t = index < k->tries ? &k->try[index] : NULL;

	return t != NULL && t->state == TRY_OUT && t->generation == session >> TRY_INDEX_BITS ? t : NULL;
}

void
try_enter(struct try *t, enum try_phase next)
{
	assert(t->state != next);
	t->state = (uint8_t)next;
}

static bool
more_tries(struct keeper *k)
{
	uint32_t more = k->tries_max == 0 ? 64 : k->tries_max * 2;
	struct try *bigger;

	if (k->tries < k->tries_max)
		return true;
	if (more > KEEPER_TRIES)
		return false;
	bigger = reallocarray(k->try, more, sizeof *bigger);
	if (bigger == NULL)
		return false;
	k->try = bigger;
	k->tries_max = more;
	return true;
}

static struct try *
try_begin(struct keeper *k)
{
	struct try *t;

	if (k->tries_free != SCHEDULE_NONE) {
		t = &k->try[k->tries_free];
		k->tries_free = t->next;
	} else if (more_tries(k)) {
		t = &k->try[k->tries++];
		*t = (struct try){ .state = TRY_FREE };
	} else
		return NULL;
	t->generation++;
	t->rcpts = t->cursor = 0;
	t->dropped = t->untried = false;
	t->begun = 0;
	try_enter(t, TRY_OUT);
	/* Offset 0 means "none yet". */
	t->text.len = buf_grow(&t->text, 1, KEEPER_TRY_KEPT) ? 1 : 0;
	k->tries_out++;
	return t;
}

/* What the relay reads must outlive the message's being copied forward or dropped meanwhile. */
static bool
hold_content(struct keeper *k, struct try *t, const struct message_record *m, uint64_t content_at)
{
	if (m->extents.len > 0)
		return holds_take(&k->spool, m->extents, &t->hold, &t->holds);
	t->segment = PLACE_SEGMENT(content_at);
	segment_hold(&k->spool.journal, t->segment, 0, false);
	return true;
}

static void
release_content(struct keeper *k, struct try *t)
{
	if (t->segment != 0)
		segment_release(&k->spool.journal, t->segment, 0);
	holds_give(&k->spool, t->hold, t->holds);
	t->segment = 0;
	t->hold = NULL;
	t->holds = 0;
}

void
try_free(struct keeper *k, struct try *t)
{
	release_content(k, t);
	k->tries_octets -= t->counted;
	t->counted = 0;
	if (t->text.max > KEEPER_TRY_KEPT) {
		free(t->text.p);
		t->text = (struct buf){ NULL, 0, 0 };
	}
	if (t->rcpts_max > KEEPER_TRY_KEPT / sizeof *t->rcpt) {
		free(t->rcpt);
		t->rcpt = NULL;
		t->rcpts_max = 0;
	}
	try_enter(t, TRY_FREE);
	t->next = k->tries_free;
	k->tries_free = (uint32_t)(t - k->try);
	k->tries_out--;
}

/* ---- making a try ---- */
static bool
add_rcpt(struct try *t, uint32_t number, const struct recipient *r)
{
	struct spool_rcpt m = { number, r->path, r->notify, r->orcpt };
	uint32_t at = (uint32_t)t->text.len;

	if (t->rcpts == t->rcpts_max) {
		uint32_t more = t->rcpts_max == 0 ? 4 : t->rcpts_max * 2;
		struct try_rcpt *bigger = reallocarray(t->rcpt, more, sizeof *bigger);

		if (bigger == NULL)
			return false;
		t->rcpt = bigger;
		t->rcpts_max = more;
	}
	if (!buf_grow(&t->text, r->path.len + r->orcpt.len + 16, RECORD_PAYLOAD_MAX)
	    || !fields_format(spool_rcpt_layout, &m, &t->text))
		return false;
	t->rcpt[t->rcpts++] = (struct try_rcpt){ .number = number, .rcpt_at = at };
	return true;
}

static bool
add_rcpts(struct keeper *k, struct try *t, const struct message_record *m)
{
	struct span rest = m->recipients;
	struct recipient r;

	t->login_at = (uint32_t)t->text.len;
	t->login_len = (uint32_t)m->login.len;
	if (!buf_grow(&t->text, m->login.len, RECORD_PAYLOAD_MAX) || !buf_put(&t->text, m->login))
		return false;
	for (uint32_t i = 0; i < m->rcpts && recipient_take(&rest, &r); i++)
		if (spool_concerns(&k->spool, t->job, i, r.path) && !add_rcpt(t, i, &r))
			return false;
	return true;
}

static void
send_rcpts(struct keeper *k, const struct try *t)
{
	for (uint32_t i = 0; i < t->rcpts; i++) {
		uint32_t at = t->rcpt[i].rcpt_at;
		size_t end = i + 1 < t->rcpts ? t->rcpt[i + 1].rcpt_at : t->text.len;

		(void)channel_send_octets(k->relay, RELAY_RCPT, session_of(k, t), (struct span){ t->text.p + at, end - at });
	}
}

enum sent { SENT, SENT_NOBODY, SENT_NOT };

static enum sent
send_try(struct keeper *k, struct try *t)
{
	const struct job *j = &k->spool.schedule.job[t->job];
	struct message_record m;
	struct relay_try out;
	uint8_t one[RECORD_EXTENT_OCTETS];
	struct buf inline_extent = BUF_OVER(one);
	uint64_t content_at;

	if (!spool_envelope(&k->spool, t->slot, &m, &content_at) || !add_rcpts(k, t, &m))
		return SENT_NOT;
	if (t->rcpts == 0)
		return SENT_NOBODY;
	if (!hold_content(k, t, &m, content_at))
		return SENT_NOT;
	if (m.extents.len == 0 && m.size > 0) {
		struct extent e = { PLACE_SEGMENT(content_at), PLACE_OFFSET(content_at), (uint32_t)m.size };

		(void)extent_format(&e, &inline_extent);
		m.extents = buf_span(&inline_extent);
	}
	if (!show_segments(k, SHOW_RELAY, m.extents))
		return SENT_NOT;
	/* A deadline of ours is no request of a sender's, and no next hop's to know of (RFC 2852). */
	out = (struct relay_try){ .queue_id = m.id, .arrival = m.arrival, .attempt = j->attempts + 1, .rcpts = t->rcpts,
		.flags = (m.flags & ~(uint32_t)(MAIL_HOLD | MAIL_HURRIED)) | (j->hurried ? MAIL_HURRIED : 0), .ret = m.ret,
		.destination = k->spool.schedule.destination[schedule_job_destination(&k->spool.schedule, t->job)].name,
		.reverse_path = m.reverse_path, .envid = m.envid, .size = m.size, .extents = m.extents,
		.deadline = m.flags & MAIL_DSN ? 0 : k->spool.index.entry[t->slot].deadline, .by = m.by, .priority = m.priority, .login = m.login };
	if (!channel_send(k->relay, RELAY_TRY, session_of(k, t), relay_try_layout, &out))
		return SENT_NOT;
	t->alone = (m.flags & (MAIL_REQUIRETLS | MAIL_TLS_OPTIONAL)) != 0;
	send_rcpts(k, t);
	t->begun = clock_wall();
	t->counted = t->text.max + (uint64_t)t->rcpts * (2 * sizeof *t->rcpt + KEEPER_RESULT_MOST);
	k->tries_octets += t->counted;
	return SENT;
}

static void end_untried(struct keeper *, uint32_t job, uint64_t now);

/* What cannot be tried for a reason of our own comes back later, without counting. */
static void
try_job(struct keeper *k, uint32_t job, uint64_t now)
{
	uint32_t slot = k->spool.schedule.job[job].message;
	struct try *t;
	enum sent sent = SENT_NOT;

	/* 4865-4: whatever brought it here, the clock among them. */
	if (spool_unreleased(&k->spool, slot, now)) {
		spool_job_again(&k->spool, job, k->spool.index.entry[slot].release, TRY_VOID, now);
		return;
	}
	release_over(&k->spool, slot);
	if (terms_returned(&k->spool.index.entry[slot], now)) {
		end_untried(k, job, now);
		return;
	}
	t = try_begin(k);
	if (t != NULL) {
		t->job = job;
		t->slot = slot;
		t->id = k->spool.index.entry[slot].id;
		sent = t->text.len > 0 ? send_try(k, t) : SENT_NOT;
		if (sent == SENT)
			return;
		try_free(k, t);
	}
	if (sent == SENT_NOBODY) {
		/* The relay died after it had reported everybody. */
		spool_job_done(&k->spool, job, TRY_VOID, now);
		if (k->spool.index.entry[slot].waiting == 0)
			spool_finish(&k->spool, slot);
		return;
	}
	spool_job_again(&k->spool, job, now + k->spool.conf.schedule.retry_first, TRY_VOID, now);
}

void
relay_pump(struct keeper *k)
{
	uint64_t now = clock_wall();

	/* What happens to a message while nothing can be written would be forgotten at a restart: duplicates. */
	while (k->relay != NULL && k->spool.journal.state == OK && !journal_crowded(&k->spool.journal)
	    && !channel_congested(k->relay) && k->tries_octets < KEEPER_TRIES_OCTETS) {
		uint32_t job = schedule_next(&k->spool.schedule, now);

		if (job == SCHEDULE_NONE)
			return;
		try_job(k, job, now);
	}
}

/* ---- what is not tried, because nobody answers there ---- */
/* The newest reason of one recipient, as if it had been said again; of one that was never tried, that of his neighbours. */
static void
say_unreached(struct keeper *k, struct try *t, uint32_t i, const struct recipient *r, uint64_t now)
{
	struct relay_result m = { .number = t->rcpt[i].number, .class = SMTP_CLASS_LATER, .when = now,
		.enhanced = SPAN_INIT("4.4.1"), .text = SPAN_INIT("nobody answers at its next hop") };
	uint8_t text[OUTCOME_TEXT];
	struct outcome o;

	spool_outcome(&k->spool, t->slot, t->rcpt[i].number, r, text, &o);
	if (o.class == OUTCOME_LATER && o.text.len > 0) {
		m.enhanced = o.enhanced;
		m.host = o.host;
		m.tls = o.tls;
		m.text = o.text;
	} else if (t->untried) {
		m.enhanced = SPAN("4.4.7");
		m.text = SPAN("no attempt has been made yet");
	}
	try_result(k, t, &t->rcpt[i], &m);
}

static bool
say_all_unreached(struct keeper *k, struct try *t, uint64_t now)
{
	struct message_record m;
	struct recipient r;
	struct span rest;
	uint64_t content_at;
	uint32_t said = 0;

	if (t->text.len == 0 || !spool_envelope(&k->spool, t->slot, &m, &content_at) || !add_rcpts(k, t, &m))
		return false;
	rest = m.recipients;
	for (uint32_t i = 0; said < t->rcpts && recipient_take(&rest, &r); i++)
		if (t->rcpt[said].number == i)
			say_unreached(k, t, said++, &r, now);
	return true;
}

/* The job is RUNNING. */
static void
end_untried(struct keeper *k, uint32_t job, uint64_t now)
{
	struct try *t = try_begin(k);

	if (t == NULL) {
		spool_job_again(&k->spool, job, now + k->spool.conf.schedule.retry_first, TRY_VOID, now);
		return;
	}
	/* Nobody who is down has kept it, so it is no news of its destination. */
	t->untried = terms_returned(&k->spool.index.entry[k->spool.schedule.job[job].message], now) || terms_late(k, job, now);
	t->due = k->spool.schedule.job[job].due;
	t->job = job;
	t->slot = k->spool.schedule.job[job].message;
	t->id = k->spool.index.entry[t->slot].id;
	if (say_all_unreached(k, t, now) && t->rcpts > 0) {
		try_over(k, t);
		return;
	}
	spool_job_again(&k->spool, job, now + k->spool.conf.schedule.retry_first, TRY_VOID, now);
	try_free(k, t);
}

/* The first job of the message that is; SCHEDULE_NONE: there is none, or the message is finished. */
static uint32_t
job_overdue(const struct keeper *k, uint32_t slot, uint64_t now)
{
	uint32_t job = spool_ready(&k->spool, slot) ? k->spool.index.entry[slot].job : SCHEDULE_NONE;

	while (job != SCHEDULE_NONE && !terms_overdue(k, job, now)
	    && !(schedule_held(&k->spool.schedule, job, now) && try_overdue(k, job, now)))
		job = k->spool.schedule.job[job].sibling;
	return job;
}

void
relay_overdue(struct keeper *k)
{
	const struct index *x = &k->spool.index;
	uint32_t ended = 0, looked = 0;
	uint64_t now = clock_wall();

	for (; looked < x->used && looked < SPOOL_LOOK_STEP && ended < KEEPER_OVERDUE_MOST
	    && k->spool.journal.state == OK && !journal_crowded(&k->spool.journal); looked++) {
		uint32_t slot = k->overdue = k->overdue + 1 < x->used ? k->overdue + 1 : 0, job;

		spool_plan_again(&k->spool, slot, now);
		/* All of them now, so that they are told of together. */
		while (ended < KEEPER_OVERDUE_MOST && (job = job_overdue(k, slot, now)) != SCHEDULE_NONE) {
			schedule_take(&k->spool.schedule, job);
			end_untried(k, job, now);
			ended++;
		}
	}
}

/* ---- what 5_relay says ---- */
static struct try_rcpt *
rcpt_find(struct try *t, uint32_t number)
{
	/* Results come mostly in the order of the recipients. */
	for (uint32_t i = 0; i < t->rcpts; i++) {
		struct try_rcpt *r = &t->rcpt[(t->cursor + i) % t->rcpts];

		if (r->number == number) {
			t->cursor = (uint32_t)(r - t->rcpt) + 1;
			return r;
		}
	}
	return NULL;
}

static bool
take_message(struct keeper *k, const struct frame *f)
{
	struct try *t = try_find(k, f->session);
	struct relay_result m;
	struct try_rcpt *r;

	if (f->type == RELAY_LETTER)
		return letter_take(k, f);
	if (t == NULL)
		return false;
	switch (f->type) {
	case RELAY_RESULT:
		if (!fields_parse(relay_result_layout, f->body, &m) || m.class > SMTP_CLASS_NEVER)
			return false;
		r = rcpt_find(t, m.number);
		if (r == NULL || r->result_at != 0)
			return false;
		try_result(k, t, r, &m);
		return true;
	case RELAY_DONE:
		if (!span_done(f->body))
			return false;
		keeper_look_at_clock(k);
		try_over(k, t);
		return true;
	default:
		return false;
	}
}

/* Does it know of recipients what is not recorded yet? */
static bool
knows_more(const struct try *t)
{
	for (uint32_t i = 0; i < t->rcpts; i++)
		if (t->rcpt[i].result_at != 0 && !t->rcpt[i].recorded)
			return true;
	return false;
}

/* Tries of which nothing more is known have not happened; whoever was served and not reported is served again. */
static void
relay_lost(struct keeper *k)
{
	uint64_t now;

	k->relay = NULL;
	letters_desert(k);
	if (k->opened)
		keeper_look_at_clock(k);
	now = clock_wall();
	for (uint32_t i = 0; i < k->tries; i++) {
		struct try *t = &k->try[i];

		if (t->state != TRY_OUT)
			continue;
		if (k->opened && knows_more(t)) {
			try_over(k, t);
			continue;
		}
		if (!t->dropped)
			spool_job_again(&k->spool, t->job, now, TRY_VOID, now);
		try_free(k, t);
	}
	show_forget(k, SHOW_RELAY);
}

static void
relay_broken(struct keeper *k, struct channel *c, const char *why)
{
	log_say(LOG_FAULT, "relay-broken", why);
	channel_close(c);
	child_accuse(&k->child, ROLE_RELAY, 0);
	relay_lost(k);
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct keeper *k = arg;

	if (!k->opened || take_message(k, f))
		return;
	relay_broken(k, c, "it sent what the order does not allow");
}

static void
on_closed(void *arg, struct channel *c)
{
	if (channel_spoke_nonsense(c))
		relay_broken(arg, c, "it sent what is no frame");
	else
		relay_lost(arg);
}

static void
on_drained(void *arg, struct channel *c)
{
	(void)c;
	keeper_turn(arg);
}

void
relay_open(struct keeper *k, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed, .drained = on_drained };

	relay_close(k);
	k->relay = channel_open(&k->child.loop, fd, &handler, k);
	keeper_turn(k);
}

void
relay_close(struct keeper *k)
{
	if (k->relay == NULL)
		return;
	channel_close(k->relay);
	relay_lost(k);
}

void
relay_forget(struct keeper *k, uint32_t slot)
{
	for (uint32_t i = 0; i < k->tries; i++)
		if (k->try[i].state != TRY_FREE && k->try[i].slot == slot)
			k->try[i].dropped = true;
}

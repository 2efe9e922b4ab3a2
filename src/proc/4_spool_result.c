/*
 * What happened to the recipients of a try, into the log file and the log. Order matters: first the notices, then the results that
 * they are about, so that no crash leaves a result without its notice.
 */
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "policy/reply_class.h"
#include "proc/4_spool_gather.h"
#include "proc/4_spool_terms.h"

enum {
	EXPIRED_TEXT = 480,
	GREY_TRIES = 3,                 /* so often a greylister is asked at his own pace; then he is like anybody */
	GREY_RETRIES = 5,               /* first retries' intervals that he is given when he names none: 5 min, as most have it */
};

void
try_rcpt_read(const struct try *t, const struct try_rcpt *r, struct spool_rcpt *m)
{
	struct span rest = { t->text.p + r->rcpt_at, t->text.len - r->rcpt_at };

	if (!fields_take(spool_rcpt_layout, &rest, m))
		*m = (struct spool_rcpt){ .number = r->number };
}

static bool
result_read(const struct try *t, const struct try_rcpt *r, struct relay_result *m)
{
	struct span rest = { t->text.p + r->result_at, t->text.len - r->result_at };

	return r->result_at != 0 && fields_take(relay_result_layout, &rest, m);
}

static struct span
login_of(const struct try *t)
{
	return (struct span){ t->text.p + t->login_at, t->login_len };
}

/* ---- one result ---- */
static struct outcome
outcome_of(const struct keeper *k, const struct try *t, const struct relay_result *m)
{
	struct outcome o = { .class = m->class, .code = m->code, .when = m->when, .enhanced = m->enhanced, .host = m->host,
		.tls = m->tls, .text = m->text };

	o.attempt = k->spool.schedule.job[t->job].attempts + !t->untried;
	o.flags = m->dsn ? OUTCOME_DSN : 0;
	o.took = t->begun > 0 && m->when > t->begun ? (uint32_t)(m->when - t->begun) : 0;
	if (k->spool.schedule.job[t->job].told)
		o.flags |= OUTCOME_TOLD;
	if (k->spool.schedule.job[t->job].late)
		o.flags |= OUTCOME_LATE;
	if (m->class == SMTP_CLASS_LATER)
		o.flags |= t->asked;
	return o;
}

static void
record(struct keeper *k, struct try *t, struct try_rcpt *r, const struct relay_result *m)
{
	struct outcome o = outcome_of(k, t, m);

	spool_result(&k->spool, t->slot, r->number, &o);
	r->recorded = true;
}

void
try_result(struct keeper *k, struct try *t, struct try_rcpt *r, const struct relay_result *m)
{
	struct spool_rcpt rcpt;
	size_t at = t->text.len;

	try_log_result(k, t, r, m);
	if (t->dropped)
		return;
	try_rcpt_read(t, r, &rcpt);
	/* One of many that is served and of whom nobody needs to hear: a crash should not serve him again. */
	if (m->class == SMTP_CLASS_DELIVERED && t->rcpts > 1 && !(rcpt.notify & SMTP_NOTIFY_SUCCESS)
	    && k->spool.index.entry[t->slot].deadline == 0) {
		record(k, t, r, m);
		guard_outcome(k, login_of(t), true);
		r->result_at = 1;
		return;
	}
	if (buf_grow(&t->text, 64 + m->enhanced.len + m->host.len + m->tls.len + m->text.len, RECORD_PAYLOAD_MAX)
	    && fields_format(relay_result_layout, m, &t->text))
		r->result_at = (uint32_t)at;
}

/* ---- the end of a try ---- */
/* A recipient without a word counts as "later". */
static void
result_or_later(const struct try *t, const struct try_rcpt *r, struct relay_result *m)
{
	if (!result_read(t, r, m))
		*m = (struct relay_result){ .number = r->number, .class = SMTP_CLASS_LATER, .when = clock_wall(),
			.enhanced = SPAN_INIT("4.4.2"), .text = SPAN_INIT("the try ended without an answer") };
}

/* Did the relay give the try back without having begun it? It does so at its end, or without memory. */
static bool
unsaid(const struct try *t)
{
	for (uint32_t i = 0; i < t->rcpts; i++)
		if (t->rcpt[i].recorded || t->rcpt[i].result_at != 0)
			return false;
	return true;
}

/* Was somebody reached who answered for recipients? Until MAIL a session speaks only for its host, and one that REQUIRETLS could
 * not have says nothing of what others may have there: one sender's wish must not hold a domain's mail up. */
static enum try_end
end_of(const struct try *t)
{
	enum try_end end = t->alone ? TRY_ALONE : TRY_FAILED;
	struct relay_result m;

	if (t->untried)
		return TRY_VOID;
	for (uint32_t i = 0; i < t->rcpts; i++) {
		if (t->rcpt[i].recorded)
			return TRY_ANSWERED;
		result_or_later(t, &t->rcpt[i], &m);
		if (m.class != SMTP_CLASS_LATER)
			return TRY_ANSWERED;
		if (m.code != 0 && m.stage >= SMTP_STAGE_MAIL)
			end = end == TRY_SLOWED || reply_class_slows(try_class_of(&m)) ? TRY_SLOWED : TRY_ANSWERED;
	}
	return end;
}

/* What the replies themselves say about when to come again, ms from now; 0: nothing. */
static uint64_t
wait_of(const struct keeper *k, const struct try *t, bool *grey)
{
	uint64_t wait = 0, one;
	struct relay_result m;

	*grey = false;
	for (uint32_t i = 0; i < t->rcpts; i++) {
		enum reply_class class;

		result_or_later(t, &t->rcpt[i], &m);
		if (t->rcpt[i].recorded || m.class != SMTP_CLASS_LATER || m.code == 0)
			continue;
		class = try_class_of(&m);
		if (class != REPLY_GREYLISTED && !reply_class_slows(class))
			continue;
		one = reply_wait(m.text) * UINT64_C(1000);
		if (class == REPLY_GREYLISTED && one == 0)
			one = GREY_RETRIES * k->spool.conf.schedule.retry_first;
		*grey = *grey || class == REPLY_GREYLISTED;
		wait = one > wait ? one : wait;
	}
	return wait;
}

/* Tries of one message that end together. */
struct ending {
	struct keeper *keeper;
	uint32_t first;
	struct try *try;        /* the one that is looked at */
	uint64_t now, expiry;
	bool expired;           /* its time is over: ours, or */
	bool returned;          /* its sender's (RFC 2852 4.1.4.1) */
	bool delayed;           /* a delay notice is due for the one that is looked at, ours, or */
	bool late;              /* for its sender's deadline (RFC 2852 4.1.4.2) */
	bool held;
	bool noticed;           /* it is no notice itself: of one the postmaster may hear that it failed, and nobody else anything */
};

/* Its time begins with its release (4865-4). */
static uint64_t
begin_of(const struct entry *entry)
{
	return entry->arrival > entry->release ? entry->arrival : entry->release;
}

static uint64_t
expiry_of(const struct keeper *k, const struct entry *entry)
{
	return begin_of(entry) + k->child.conf.expire * UINT64_C(1000);
}

static bool
delay_due(const struct keeper *k, const struct entry *entry, uint32_t job, uint64_t now)
{
	uint64_t delay = k->child.conf.delay_notice * UINT64_C(1000);

	return delay > 0 && !k->spool.schedule.job[job].told && now >= begin_of(entry) + delay;
}

static void
ending_look(struct ending *e, uint32_t try)
{
	const struct keeper *k = e->keeper;

	e->try = &e->keeper->try[try];
	e->delayed = e->noticed && !e->held && !e->expired &&
	    delay_due(k, &k->spool.index.entry[e->try->slot], e->try->job, e->now);
	e->late = e->noticed && !e->held && !e->expired && terms_late(k, e->try->job, e->now);
}

static void
ending_begin(struct ending *e, struct keeper *k, uint32_t first)
{
	const struct entry *entry = &k->spool.index.entry[k->try[first].slot];

	*e = (struct ending){ .keeper = k, .first = first, .now = clock_wall(), .expiry = expiry_of(k, entry) };
	/* It was held while it was being tried: then time stands still. */
	e->held = spool_is_held(&k->spool, k->try[first].slot);
	e->returned = !e->held && terms_returned(entry, e->now);
	e->expired = !e->held && (e->returned || e->now >= e->expiry);
	e->noticed = !(entry->flags & ENTRY_NOTICE);
	ending_look(e, first);
}

/* RFC 5321 4.5.4.1: there is an end. The last reason stays in the text, with its code: the verdict is our own. */
static void
make_expired(const struct ending *e, struct relay_result *m, uint8_t text[EXPIRED_TEXT])
{
	struct buf b = { text, 0, EXPIRED_TEXT };

	(void)buf_put_text(&b, e->returned ? "not delivered by the time that its sender set; the last word: "
	    : "given up after many tries; the last one: ");
	if (m->code != 0)
		(void)(buf_put_u64(&b, m->code) && buf_put_byte(&b, ' '));
	(void)buf_put(&b, span_head(m->text, buf_room(&b)));
	m->class = SMTP_CLASS_NEVER;
	m->code = 0;
	m->enhanced = SPAN("5.4.7");
	m->text = buf_span(&b);
}

/* Does the sender want to hear this of this recipient (RFC 3461 5.2)? */
static bool
notice_wanted(const struct ending *e, const struct spool_rcpt *rcpt, const struct relay_result *m, enum dsn_action *action)
{
	switch (m->class) {
	case SMTP_CLASS_DELIVERED:
		*action = e->keeper->child.conf.relay.kind == CONF_RELAY_MAILDIR ? DSN_DELIVERED : DSN_RELAYED;
		if (*action == DSN_RELAYED && terms_relayed_wanted(&e->keeper->spool.index.entry[e->try->slot], rcpt, m))
			return true;
		return (rcpt->notify & SMTP_NOTIFY_SUCCESS) && (*action == DSN_DELIVERED || !m->dsn);
	case SMTP_CLASS_NEVER:
		*action = DSN_FAILED;
		return rcpt->notify == 0 || (rcpt->notify & SMTP_NOTIFY_FAILURE);
	default:
		*action = DSN_DELAYED;
		return (e->delayed || e->late) && (rcpt->notify == 0 || (rcpt->notify & SMTP_NOTIFY_DELAY));
	}
}

/* A notice in the making: rows of one action, the texts of those that expire among them. */
struct gathered_rows {
	struct notice_row row[DSN_RECIPIENTS_MAX];
	uint8_t text[DSN_RECIPIENTS_MAX][EXPIRED_TEXT];
	size_t count;
};

static bool
flush_rows(struct ending *e, struct gathered_rows *g)
{
	size_t count = g->count;

	g->count = 0;
	return count == 0 || notice_write(e->keeper, e->try->slot, g->row, count);
}

static bool
gather_rows(struct ending *e, enum dsn_action action, struct gathered_rows *g)
{
	struct try *t = e->try;

	for (uint32_t i = 0; i < t->rcpts; i++) {
		struct notice_row *row = &g->row[g->count];

		if (t->rcpt[i].recorded)
			continue;
		try_rcpt_read(t, &t->rcpt[i], &row->rcpt);
		result_or_later(t, &t->rcpt[i], &row->result);
		if (e->expired && row->result.class == SMTP_CLASS_LATER)
			make_expired(e, &row->result, g->text[g->count]);
		if (!notice_wanted(e, &row->rcpt, &row->result, &row->action) || row->action != action)
			continue;
		row->retry_until = e->expiry;
		row->status = e->late && row->action == DSN_DELAYED ? SPAN("4.4.7") : (struct span){ NULL, 0 };
		if (++g->count == DSN_RECIPIENTS_MAX && !flush_rows(e, g))
			return false;
	}
	return true;
}

/* One notice for all recipients with the same end, whatever their destinations (5321-55), a hundred at a time. */
static bool
write_notices(struct ending *e, enum dsn_action action)
{
	static struct gathered_rows g;

	g.count = 0;
	for (uint32_t i = e->first; i != SCHEDULE_NONE; i = e->try->next) {
		ending_look(e, i);
		if (!gather_rows(e, action, &g))
			return false;
	}
	return flush_rows(e, &g);
}

static bool
write_all_notices(struct ending *e)
{
	static const enum dsn_action actions[] = { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED };

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (!write_notices(e, actions[i]))
			return false;
	for (uint32_t i = e->first; i != SCHEDULE_NONE; i = e->try->next) {
		ending_look(e, i);
		if (e->delayed)
			e->keeper->spool.schedule.job[e->try->job].told = true;
		if (e->late)
			e->keeper->spool.schedule.job[e->try->job].late = true;
	}
	return true;
}

/* How many recipients are still to be tried when this try is over. */
static uint32_t
left_after(const struct ending *e)
{
	const struct try *t = e->try;
	uint32_t left = e->keeper->spool.index.entry[t->slot].waiting;
	struct relay_result m;

	for (uint32_t i = 0; i < t->rcpts; i++) {
		if (t->rcpt[i].recorded)
			continue;
		result_or_later(t, &t->rcpt[i], &m);
		if (m.class != SMTP_CLASS_LATER || e->expired)
			left--;
	}
	return left;
}

/* 3_auth wants to know which share of a principal's mail comes back. */
static void
count_outcomes(const struct ending *e)
{
	const struct try *t = e->try;
	struct relay_result m;

	for (uint32_t i = 0; i < t->rcpts; i++) {
		if (t->rcpt[i].recorded)
			continue;
		result_or_later(t, &t->rcpt[i], &m);
		if (m.class != SMTP_CLASS_LATER || e->expired)
			guard_outcome(e->keeper, login_of(t), m.class == SMTP_CLASS_DELIVERED);
		if (m.class == SMTP_CLASS_DELIVERED)
			spool_served(&e->keeper->spool, t->slot);
	}
}

/* How many of the recipients wait on. */
static uint32_t
record_results(struct ending *e)
{
	static uint8_t text[EXPIRED_TEXT];
	struct relay_result m;
	uint32_t later = 0;

	for (uint32_t i = 0; i < e->try->rcpts; i++) {
		struct try_rcpt *r = &e->try->rcpt[i];

		if (r->recorded)
			continue;
		result_or_later(e->try, r, &m);
		if (e->expired && m.class == SMTP_CLASS_LATER)
			make_expired(e, &m, text);
		later += m.class == SMTP_CLASS_LATER;
		record(e->keeper, e->try, r, &m);
	}
	return later;
}

/* When its last try, or its return without one, comes at the latest. */
static uint64_t
last_of(const struct ending *e)
{
	const struct entry *entry = &e->keeper->spool.index.entry[e->try->slot];

	return (entry->by & RECORD_BY_RETURN) && entry->deadline < e->expiry ? entry->deadline : e->expiry;
}

/* The same as outcome.flags have it. */
static uint32_t
flags_of(const struct retry *r)
{
	return (uint32_t)((r->wait + 999) / 1000) << OUTCOME_WAIT_AT | (r->exact ? OUTCOME_EXACT : 0u);
}

static void
settle(struct ending *e)
{
	struct spool *s = &e->keeper->spool;
	struct try *t = e->try;
	enum try_end end = end_of(t);
	struct retry r = { .expiry = last_of(e) };
	uint32_t later;

	count_outcomes(e);
	/* When it is all over DONE says everything that a restart must know; the history wants to know how it ended. Behind this one
	 * there may be one of whom everybody is recorded already: it needs the message still. */
	if (left_after(e) == 0 && t->next == SCHEDULE_NONE) {
		if (s->conf.history)
			record_results(e);
		spool_job_done(s, t->job, end, e->now);
		spool_fruitless(s, t->slot);
		spool_finish(s, t->slot);
		return;
	}
	r.wait = wait_of(e->keeper, t, &r.exact);
	r.exact = r.exact && s->schedule.job[t->job].attempts < GREY_TRIES;
	t->asked = flags_of(&r);
	later = record_results(e);
	if (later > 0 && t->untried)
		spool_job_again(s, t->job, t->due, TRY_VOID, e->now);
	else if (later > 0)
		(void)spool_job_later(s, t->job, end, &r, e->now);
	else
		spool_job_done(s, t->job, end, e->now);
}

bool
try_overdue(const struct keeper *k, uint32_t job, uint64_t now)
{
	const struct entry *entry = &k->spool.index.entry[k->spool.schedule.job[job].message];

	return now >= expiry_of(k, entry) || (!(entry->flags & ENTRY_NOTICE) && delay_due(k, entry, job, now));
}

/* ---- the ends of tries that are told of together ---- */
bool
try_tells(struct keeper *k, const struct try *t)
{
	struct relay_result m;
	struct spool_rcpt rcpt;
	enum dsn_action action;
	struct ending e;

	ending_begin(&e, k, (uint32_t)(t - k->try));
	for (uint32_t i = 0; i < t->rcpts; i++) {
		if (t->rcpt[i].recorded)
			continue;
		try_rcpt_read(t, &t->rcpt[i], &rcpt);
		result_or_later(t, &t->rcpt[i], &m);
		if (e.expired && m.class == SMTP_CLASS_LATER)
			m.class = SMTP_CLASS_NEVER;
		if (notice_wanted(&e, &rcpt, &m, &action))
			return true;
	}
	return false;
}

/* Those who were served; all, or only those of whom nobody needs to hear. How many. */
static uint32_t
record_served(struct keeper *k, struct try *t, bool all)
{
	struct relay_result m;
	struct spool_rcpt rcpt;
	uint32_t served = 0;

	for (uint32_t i = 0; i < t->rcpts; i++) {
		if (t->rcpt[i].recorded || !result_read(t, &t->rcpt[i], &m) || m.class != SMTP_CLASS_DELIVERED)
			continue;
		try_rcpt_read(t, &t->rcpt[i], &rcpt);
		if (!all && ((rcpt.notify & SMTP_NOTIFY_SUCCESS) || k->spool.index.entry[t->slot].deadline != 0))
			continue;
		record(k, t, &t->rcpt[i], &m);
		guard_outcome(k, login_of(t), true);
		served++;
	}
	return served;
}

void
try_record_quiet(struct keeper *k, struct try *t)
{
	(void)record_served(k, t, false);
}

/* There is no notice. Who was served must not be served again, though nobody is told; who failed is tried until somebody can be. */
static void
end_untold(struct ending *e)
{
	struct keeper *k = e->keeper;
	uint32_t served = record_served(k, e->try, true);

	if (served > 0)
		try_log_untold(e->try, served);
	spool_job_again(&k->spool, e->try->job, e->now + k->spool.conf.schedule.retry_first, TRY_VOID, e->now);
}

static void
end_one(struct ending *e)
{
	struct try *t = e->try;
	struct relay_result m;

	for (uint32_t i = 0; e->expired && i < t->rcpts; i++) {
		result_or_later(t, &t->rcpt[i], &m);
		if (!t->rcpt[i].recorded && m.class == SMTP_CLASS_LATER)
			try_log_expired(t, &t->rcpt[i]);
	}
	settle(e);
}

void
try_end(struct keeper *k, uint32_t first)
{
	struct ending e;
	uint32_t next;
	bool told;

	ending_begin(&e, k, first);
	told = k->spool.journal.state != FAIL_DOUBT && write_all_notices(&e);
	for (uint32_t i = first; i != SCHEDULE_NONE; i = next) {
		ending_look(&e, i);
		next = e.try->next;
		/* Without its notice no failure may be final: a restart will not remember it. */
		if (told)
			end_one(&e);
		else
			end_untold(&e);
		try_free(k, e.try);
	}
}

void
try_over(struct keeper *k, struct try *t)
{
	uint32_t slot = t->slot;
	struct ending e;

	if (t->dropped) {
		try_free(k, t);
		return;
	}
	ending_begin(&e, k, (uint32_t)(t - k->try));
	t->next = SCHEDULE_NONE;
	if (unsaid(t) && !e.expired) {
		/* What nobody tried is no failure. */
		spool_job_again(&k->spool, t->job, e.now + k->spool.conf.schedule.retry_first, TRY_VOID, e.now);
		try_free(k, t);
		return;
	}
	switch (gather_look(k, t)) {
	case GATHER_WAIT:
		gather_add(k, t);
		break;
	case GATHER_ALONE:
		try_end(k, (uint32_t)(t - k->try));
		break;
	case GATHER_ALL:
		try_end(k, gather_take(k, slot, (uint32_t)(t - k->try)));
		break;
	}
}

/*
 * What happened to the recipients of a try, into the log file and the log. Order matters: first the notices, then the results that
 * they are about, so that no crash leaves a result without its notice.
 */
#include <stdlib.h>
#include <string.h>

#include "os/log.h"
#include "policy/reply_class.h"
#include "proc/4_spool.h"

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

bool
try_result_read(const struct try *t, const struct try_rcpt *r, struct relay_result *m)
{
	struct span rest = { t->text.p + r->result_at, t->text.len - r->result_at };

	return r->result_at != 0 && fields_take(relay_result_layout, &rest, m);
}

static struct span
login_of(const struct try *t)
{
	return (struct span){ t->text.p + t->login_at, t->login_len };
}

static enum reply_class
class_of(const struct relay_result *m)
{
	struct reply_facts f = { m->code, m->enhanced, m->text };

	return m->class == SMTP_CLASS_DELIVERED ? REPLY_DELIVERED : reply_class(&f);
}

/* ---- one result ---- */
static void
log_result(const struct keeper *k, const struct try *t, const struct try_rcpt *r, const struct relay_result *m)
{
	static const char *const event[] = { "delivered", "deferred", "failed" };
	static const enum log_level level[] = { LOG_NOTE, LOG_NOTE, LOG_WARN };
	uint64_t arrival = t->dropped ? m->when : k->spool.index.entry[t->slot].arrival;
	struct spool_rcpt rcpt;
	struct log_line l;

	try_rcpt_read(t, r, &rcpt);
	log_begin(&l, level[m->class], event[m->class]);
	log_id(&l, "id", t->id);
	log_span(&l, "to", rcpt.path);
	log_span(&l, "host", m->host);
	log_u64(&l, "code", m->code);
	log_span(&l, "status", m->enhanced);
	if (m->class != SMTP_CLASS_DELIVERED)
		log_text(&l, "class", reply_class_name(class_of(m)));
	log_span(&l, "text", m->text);
	log_span(&l, "tls", m->tls);
	log_u64(&l, "delay", m->when > arrival ? m->when - arrival : 0);
	log_end(&l);
}

static struct outcome
outcome_of(const struct keeper *k, const struct try *t, const struct relay_result *m)
{
	struct outcome o = { .class = m->class, .code = m->code, .when = m->when, .enhanced = m->enhanced, .host = m->host,
		.tls = m->tls, .text = m->text };

	o.attempt = k->spool.schedule.job[t->job].attempts + 1;
	o.flags = m->dsn ? OUTCOME_DSN : 0;
	if (k->spool.schedule.job[t->job].told)
		o.flags |= OUTCOME_TOLD;
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

	log_result(k, t, r, m);
	if (t->dropped)
		return;
	try_rcpt_read(t, r, &rcpt);
	/* One of many that is served and of whom nobody needs to hear: a crash should not serve him again. */
	if (m->class == SMTP_CLASS_DELIVERED && t->rcpts > 1 && !(rcpt.notify & SMTP_NOTIFY_SUCCESS)) {
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
	if (!try_result_read(t, r, m))
		*m = (struct relay_result){ .number = r->number, .class = SMTP_CLASS_LATER, .when = keeper_now(),
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

	for (uint32_t i = 0; i < t->rcpts; i++) {
		if (t->rcpt[i].recorded)
			return TRY_ANSWERED;
		result_or_later(t, &t->rcpt[i], &m);
		if (m.class != SMTP_CLASS_LATER)
			return TRY_ANSWERED;
		if (m.code != 0 && m.stage >= SMTP_STAGE_MAIL)
			end = end == TRY_SLOWED || reply_class_slows(class_of(&m)) ? TRY_SLOWED : TRY_ANSWERED;
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
		class = class_of(&m);
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

/* RFC 5321 4.5.4.1: there is an end. The last reason stays in the text. */
static void
make_expired(struct relay_result *m, uint8_t text[EXPIRED_TEXT])
{
	struct buf b = { text, 0, EXPIRED_TEXT };

	(void)buf_put_text(&b, "given up after many tries; the last one: ");
	(void)buf_put(&b, span_head(m->text, buf_room(&b)));
	m->class = SMTP_CLASS_NEVER;
	m->code = 0;
	m->enhanced = SPAN("5.4.7");
	m->text = buf_span(&b);
}

struct ending {
	struct keeper *keeper;
	struct try *try;
	uint64_t now, expiry;
	bool expired;           /* its time is over */
	bool delayed;           /* a delay notice is due */
	bool noticed;           /* the sender may be written to at all */
	uint32_t later;         /* recipients that wait on */
};

/* Does the sender want to hear this of this recipient (RFC 3461 5.2)? */
static bool
notice_wanted(const struct ending *e, const struct spool_rcpt *rcpt, const struct relay_result *m, enum dsn_action *action)
{
	switch (m->class) {
	case SMTP_CLASS_DELIVERED:
		*action = e->keeper->child.conf.relay.kind == CONF_RELAY_MAILDIR ? DSN_DELIVERED : DSN_RELAYED;
		return (rcpt->notify & SMTP_NOTIFY_SUCCESS) && (*action == DSN_DELIVERED || !m->dsn);
	case SMTP_CLASS_NEVER:
		*action = DSN_FAILED;
		return rcpt->notify == 0 || (rcpt->notify & SMTP_NOTIFY_FAILURE);
	default:
		*action = DSN_DELAYED;
		return e->delayed && (rcpt->notify == 0 || (rcpt->notify & SMTP_NOTIFY_DELAY));
	}
}

/* One notice for all recipients of the try with the same end (5321-55), a hundred at a time. */
static bool
write_notices(struct ending *e, enum dsn_action action)
{
	static struct notice_row rows[DSN_RECIPIENTS_MAX];
	static uint8_t text[DSN_RECIPIENTS_MAX][EXPIRED_TEXT];
	struct try *t = e->try;
	size_t n = 0;

	for (uint32_t i = 0; i < t->rcpts; i++) {
		struct notice_row *row = &rows[n];

		if (t->rcpt[i].recorded)
			continue;
		try_rcpt_read(t, &t->rcpt[i], &row->rcpt);
		result_or_later(t, &t->rcpt[i], &row->result);
		if (e->expired && row->result.class == SMTP_CLASS_LATER)
			make_expired(&row->result, text[n]);
		if (!notice_wanted(e, &row->rcpt, &row->result, &row->action) || row->action != action)
			continue;
		row->retry_until = e->expiry;
		if (++n == DSN_RECIPIENTS_MAX) {
			if (!notice_write(e->keeper, t->slot, rows, n))
				return false;
			n = 0;
		}
	}
	return n == 0 || notice_write(e->keeper, t->slot, rows, n);
}

static bool
write_all_notices(struct ending *e)
{
	static const enum dsn_action actions[] = { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED };

	if (!e->noticed)
		return true;
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (!write_notices(e, actions[i]))
			return false;
	if (e->delayed)
		e->keeper->spool.schedule.job[e->try->job].told = true;
	return true;
}

static void
log_expired(const struct try *t, const struct try_rcpt *r)
{
	struct spool_rcpt rcpt;
	struct log_line l;

	try_rcpt_read(t, r, &rcpt);
	log_begin(&l, LOG_WARN, "expired");
	log_id(&l, "id", t->id);
	log_span(&l, "to", rcpt.path);
	log_end(&l);
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
	}
}

static void
record_results(struct ending *e)
{
	static uint8_t text[EXPIRED_TEXT];
	struct relay_result m;

	for (uint32_t i = 0; i < e->try->rcpts; i++) {
		struct try_rcpt *r = &e->try->rcpt[i];

		if (r->recorded)
			continue;
		result_or_later(e->try, r, &m);
		if (e->expired && m.class == SMTP_CLASS_LATER)
			make_expired(&m, text);
		e->later += m.class == SMTP_CLASS_LATER;
		record(e->keeper, e->try, r, &m);
	}
}

static void
settle(struct ending *e)
{
	struct spool *s = &e->keeper->spool;
	struct try *t = e->try;
	enum try_end end = end_of(t);
	struct retry r = { .expiry = e->expiry };

	count_outcomes(e);
	/* When it is all over DONE says everything that a restart must know. */
	if (left_after(e) == 0) {
		spool_job_done(s, t->job, end, e->now);
		spool_finish(s, t->slot);
		return;
	}
	r.wait = wait_of(e->keeper, t, &r.exact);
	r.exact = r.exact && s->schedule.job[t->job].attempts < GREY_TRIES;
	record_results(e);
	if (e->later > 0)
		(void)spool_job_later(s, t->job, end, &r, e->now);
	else
		spool_job_done(s, t->job, end, e->now);
}

static uint64_t
expiry_of(const struct keeper *k, const struct entry *entry)
{
	return entry->arrival + k->child.conf.expire * UINT64_C(1000);
}

static bool
delay_due(const struct keeper *k, const struct entry *entry, uint32_t job, uint64_t now)
{
	uint64_t delay = k->child.conf.delay_notice * UINT64_C(1000);

	return delay > 0 && !k->spool.schedule.job[job].told && now >= entry->arrival + delay;
}

bool
try_overdue(const struct keeper *k, uint32_t job, uint64_t now)
{
	const struct entry *entry = &k->spool.index.entry[k->spool.schedule.job[job].message];

	return now >= expiry_of(k, entry) || (!(entry->flags & ENTRY_NOTICE) && delay_due(k, entry, job, now));
}

void
try_end(struct keeper *k, struct try *t)
{
	struct ending e = { .keeper = k, .try = t, .now = keeper_now() };
	const struct entry *entry = &k->spool.index.entry[t->slot];
	bool held;

	if (t->dropped) {
		try_free(k, t);
		return;
	}
	/* It was held while it was being tried: then time stands still. */
	held = spool_is_held(&k->spool, t->slot);
	e.expiry = expiry_of(k, entry);
	e.expired = !held && e.now >= e.expiry;
	e.delayed = !held && !e.expired && delay_due(k, entry, t->job, e.now);
	e.noticed = !(entry->flags & ENTRY_NOTICE);
	if (k->spool.journal.state == FAIL_DOUBT || (unsaid(t) && !e.expired) || !write_all_notices(&e))
		/* Without its notice nothing may be final, and what nobody tried is no failure: a restart will not remember it.
		 * It is tried again, if this process may still try anything. */
		spool_job_again(&k->spool, t->job, e.now + k->spool.conf.schedule.retry_first, TRY_VOID, e.now);
	else {
		struct relay_result m;

		for (uint32_t i = 0; e.expired && i < t->rcpts; i++) {
			result_or_later(t, &t->rcpt[i], &m);
			if (!t->rcpt[i].recorded && m.class == SMTP_CLASS_LATER)
				log_expired(t, &t->rcpt[i]);
		}
		settle(&e);
	}
	try_free(k, t);
}

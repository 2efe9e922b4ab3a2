/*
 * What a sender wants beside delivery: a later release (RFC 4865), an urgency (RFC 6710), a deadline (RFC 2852).
 *
 * A deadline ends where a try would begin, where one has failed, and once a tick for what waits: what must come back then (R) comes
 * back without another try, what need not (N) goes on and its sender is told once.
 */
#include "os/clock.h"
#include "os/log.h"
#include "proc/4_spool_terms.h"

/* ---- taking it in ---- */

bool
terms_take(const struct spool_mail *m, struct message_record *r)
{
	int32_t priority = (int32_t)m->priority;

	if (priority < SMTP_PRIORITY_LEAST || priority > SMTP_PRIORITY_MOST
	    || (m->by & ~(uint32_t)(RECORD_BY_RETURN | RECORD_BY_TRACE)) != 0 || (m->by != 0 && m->deadline == 0)
	    || (m->hold.len > 0) != (m->release > 0))
		return false;
	r->release = m->release;
	r->hold = m->hold;
	r->deadline = m->deadline;
	r->by = m->by;
	r->priority = m->priority;
	return true;
}

enum fail
terms_admit(const struct keeper *k, const struct message_record *m)
{
	if (m->release == 0 || release_waiting(&k->spool, account_hash(m->login)) < k->child.conf.hold_messages)
		return OK;
	return FAIL_HELD_MANY;
}

static void
log_when(struct log_line *l, const char *name, uint64_t ms)
{
	uint8_t text[TIMESTAMP_LEN];
	struct buf when = BUF_OVER(text);

	if (ms != 0 && timestamp_format(ms, &when))
		log_span(l, name, buf_span(&when));
}

void
terms_log(struct log_line *l, const struct message_record *m)
{
	int32_t priority = (int32_t)m->priority;
	char text[3] = { '-', (char)('0' + (priority < 0 ? -priority : priority)), 0 };

	log_when(l, "release", m->release);
	if (priority != 0)
		log_text(l, "priority", priority < 0 ? text : text + 1);
	log_when(l, "deliver-by", m->deadline);
	if (m->deadline != 0)
		log_text(l, "or", m->by & RECORD_BY_RETURN ? "return" : "notify");
}

/* ---- the deadline ---- */

bool
terms_returned(const struct entry *e, uint64_t now)
{
	return e->deadline != 0 && (e->by & RECORD_BY_RETURN) && now >= e->deadline;
}

bool
terms_late(const struct keeper *k, uint32_t job, uint64_t now)
{
	const struct entry *e = &k->spool.index.entry[k->spool.schedule.job[job].message];

	return e->deadline != 0 && !(e->by & RECORD_BY_RETURN) && now >= e->deadline && !k->spool.schedule.job[job].late
	    && !(e->flags & ENTRY_NOTICE);
}

bool
terms_overdue(const struct keeper *k, uint32_t job, uint64_t now)
{
	const struct job *j = &k->spool.schedule.job[job];

	return schedule_waiting(&k->spool.schedule, job)
	    && (terms_returned(&k->spool.index.entry[j->message], now) || terms_late(k, job, now));
}

bool
terms_relayed_wanted(const struct entry *e, const struct spool_rcpt *rcpt, const struct relay_result *m)
{
	/* The next hop does not promise it, or each relaying was to be told (RFC 2852 4.1.3, 4.1.2). */
	return e->deadline != 0 && !(rcpt->notify & SMTP_NOTIFY_NEVER) && (m->by == 0 || (e->by & RECORD_BY_TRACE));
}

/* ---- `postern queue reschedule`, `cancel` ---- */

static const char *
obstacle(const struct keeper *k, uint32_t slot, uint64_t release, uint64_t now, enum fail *fail)
{
	const struct entry *e = &k->spool.index.entry[slot];

	*fail = FAIL_ARGUMENT;
	if (!spool_unreleased(&k->spool, slot, now))
		return "that message does not wait for its release (any more); `postern queue drop` drops what waits for its next try";
	*fail = FAIL_SYNTAX;
	if (release != 0 && release > now && release - now > k->child.conf.hold_max * UINT64_C(1000))
		return "that is later than future-release allows";
	if (release != 0 && e->deadline != 0 && release > e->deadline)
		return "by then its sender wants it to be delivered already (BY); choose an earlier time";
	return NULL;
}

static void
log_rescheduled(uint64_t id, uint64_t release)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, release == 0 ? "cancelled" : "rescheduled");
	log_id(&l, "id", id);
	log_when(&l, "release", release);
	log_end(&l);
}

const char *
terms_reschedule(struct keeper *k, uint32_t slot, uint64_t release, enum fail *fail)
{
	const char *why = obstacle(k, slot, release, clock_wall(), fail);
	uint64_t id = k->spool.index.entry[slot].id;

	if (why != NULL)
		return why;
	if (release == 0) {
		relay_forget(k, slot);
		(void)spool_fact(&k->spool, &(struct fact_record){ .id = id, .kind = FACT_DROPPED, .when = clock_wall(),
			.words = SPAN("before its release") });
		/* It was taken back: the same once more is meant. */
		spool_fruitless(&k->spool, slot);
		spool_finish(&k->spool, slot);
	} else if (!spool_reschedule(&k->spool, slot, release)) {
		*fail = FAIL_BUSY;
		return "too much waits to be written; ask again";
	}
	log_rescheduled(id, release);
	return NULL;
}

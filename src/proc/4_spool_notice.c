/* Delivery status notifications: new messages of our own, from the empty reverse-path to the sender. RFC 3461 6, RFC 3464. */
#include <string.h>
#include <sys/random.h>

#include "mail/downgrade.h"
#include "os/clock.h"
#include "os/log.h"
#include "proc/4_spool_gather.h"

enum { PIECE = 64 * 1024 };

/* What makes seven bits of an original with more (3464-4). */
struct narrowing {
	bool used;
	struct downgrade_plan plan;
	union { struct downgrade_survey survey; struct downgrade writer; } walk;
	struct buf out;
	uint8_t octets[PIECE];
};

struct notice {
	struct keeper *keeper;
	struct draft *draft;
	struct dsn dsn;
	struct buf out;
	uint8_t octets[PIECE];
	uint8_t original[PIECE];
	struct narrowing narrowing;
	bool damaged;                   /* the original is */
};

static void
flush(struct notice *n)
{
	if (n->out.len > 0)
		draft_body(&n->keeper->spool, n->draft, buf_span(&n->out));
	n->out.len = 0;
}

static struct dsn_recipient
row_of(const struct notice_row *r)
{
	return (struct dsn_recipient){ .action = r->action, .path = r->rcpt.path, .orcpt = r->rcpt.orcpt,
		.status = r->status.len > 0 ? r->status : r->result.enhanced, .host = r->result.host, .code = r->result.code, .text = r->result.text,
		.when = r->result.when, .retry_until = r->action == DSN_DELAYED ? r->retry_until : 0 };
}

static bool
write_rows(struct notice *n, const struct notice_row *rows, size_t count,
    bool (*piece)(struct dsn *, const struct dsn_recipient *, struct buf *))
{
	for (size_t i = 0; i < count; i++) {
		struct dsn_recipient r = row_of(&rows[i]);

		/* A Maildir is no host that said anything. */
		if (n->keeper->child.conf.relay.kind == CONF_RELAY_MAILDIR)
			r.host = (struct span){ NULL, 0 };
		flush(n);
		if (!piece(&n->dsn, &r, &n->out))
			return false;
	}
	flush(n);
	return true;
}

/* ---- the original ---- */

static void
give_original(struct notice *n, struct span octets)
{
	while (dsn_original_wanted(&n->dsn) && octets.len > 0) {
		flush(n);
		span_skip(&octets, dsn_original(&n->dsn, octets, &n->out));
	}
}

static void
narrow_original(struct notice *n, struct span octets)
{
	struct narrowing *w = &n->narrowing;

	while (dsn_original_wanted(&n->dsn) && octets.len > 0) {
		span_skip(&octets, downgrade_feed(&w->walk.writer, octets));
		give_original(n, buf_span(&w->out));
		w->out.len = 0;
	}
}

static void
narrow_end(struct notice *n)
{
	downgrade_end(&n->narrowing.walk.writer);
	give_original(n, buf_span(&n->narrowing.out));
}

/* Octets of the original in order, as long as take wants more of them. False: they cannot be read. */
static bool
walk_original(struct notice *n, const struct message_record *m, uint64_t content_at, bool (*take)(struct notice *, struct span))
{
	uint64_t at = 0;

	while (at < m->size) {
		size_t part = m->size - at < PIECE ? (size_t)(m->size - at) : PIECE;

		if (!spool_content(&n->keeper->spool, m, content_at, at, n->original, part))
			return false;
		if (!take(n, (struct span){ n->original, part }))
			break;
		at += part;
	}
	return true;
}

static bool
survey_take(struct notice *n, struct span octets)
{
	downgrade_survey_feed(&n->narrowing.walk.survey, octets);
	return true;
}

/* Has it octets above 127, or worse, that cannot be encoded? Then its header section has to do. A signature of others that breaks on the
 * way back to who sent it is no harm. */
static bool
stays_wide(struct notice *n, const struct message_record *m, uint64_t content_at)
{
	static const struct downgrade_hop hop = { .eightbit = false, .utf8 = false };
	struct narrowing *w = &n->narrowing;
	enum downgrade_verdict verdict;

	downgrade_survey_begin(&w->walk.survey, &w->plan, &hop);
	if (!walk_original(n, m, content_at, survey_take))
		return true;
	verdict = downgrade_survey_end(&w->walk.survey);
	w->used = verdict == DOWNGRADE_CONVERT;
	w->out = BUF_OVER(w->octets);
	if (w->used)
		downgrade_begin(&w->walk.writer, &w->plan, &w->out);
	return !w->used && verdict != DOWNGRADE_AS_IT_IS;
}

static bool
original_take(struct notice *n, struct span octets)
{
	if (n->narrowing.used)
		narrow_original(n, octets);
	else
		give_original(n, octets);
	return dsn_original_wanted(&n->dsn);
}

static bool
write_original(struct notice *n, const struct message_record *m, uint64_t content_at)
{
	if (!dsn_original_begin(&n->dsn, &n->out))
		return false;
	(void)walk_original(n, m, content_at, original_take);
	if (n->narrowing.used)
		narrow_end(n);
	flush(n);
	return dsn_end(&n->dsn, &n->out);
}

static bool
write_notice(struct notice *n, const struct dsn_facts *facts, const struct message_record *m, uint64_t content_at,
    const struct notice_row *rows, size_t count)
{
	n->out = (struct buf){ n->octets, 0, PIECE };
	if (!dsn_begin(&n->dsn, facts, &n->out) || !write_rows(n, rows, count, dsn_tell)
	    || !dsn_between(&n->dsn, &n->out) || !write_rows(n, rows, count, dsn_report)
	    || !write_original(n, m, content_at))
		return false;
	flush(n);
	return true;
}

/* original: the flags of the message that it is about. Who wanted TLS on the whole way wants it on the way back (8689-4). */
static bool
begin_draft(struct notice *n, const struct dsn_facts *facts, uint64_t id, uint32_t original)
{
	struct message_record m = { .id = id, .arrival = facts->now, .flags = MAIL_DSN };

	if (dsn_is_utf8(facts))
		m.flags |= MAIL_UTF8 | MAIL_8BIT;
	m.flags |= original & MAIL_REQUIRETLS;
	if (draft_begin(&n->keeper->spool, &m, true, &n->draft) != OK)
		return false;
	draft_rcpt(&n->keeper->spool, n->draft, facts->to, 0, (struct span){ NULL, 0 });
	return true;
}

static const char *
notice_action(enum dsn_action action)
{
	static const char *const names[] = { "failed", "delayed", "delivered", "relayed" };

	return names[action];
}

static void
log_notice_withheld(const struct message_record *m)
{
	struct log_line l;

	log_begin(&l, LOG_WARN, "dsn-withheld");
	log_id(&l, "about", m->id);
	log_text(&l, "why", "the postmaster was told of enough mail without a sender in this hour");
	log_end(&l);
}

static void
log_notice(uint64_t id, const struct message_record *m, struct span to, enum dsn_action action, size_t rcpts)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, "dsn");
	log_id(&l, "id", id);
	log_id(&l, "about", m->id);
	log_span(&l, "to", to);
	log_text(&l, "action", notice_action(action));
	log_u64(&l, "rcpts", rcpts);
	log_end(&l);
}

/* The address of our postmaster, made of host when none is configured, is mail/dsn.h's affair. */
static bool
fill_facts(struct notice *n, struct dsn_facts *f, const struct message_record *m, uint64_t content_at, enum dsn_action action)
{
	const struct conf *conf = &n->keeper->child.conf;

	*f = (struct dsn_facts){ .action = action, .host = span_of(conf->hostname.p),
		.postmaster = span_of(conf->postmaster.p), .to = m->reverse_path, .now = clock_wall(),
		.arrival = m->arrival, .hold = m->hold, .deadline = m->deadline, .envid = m->envid, .size = m->size,
		.full = m->ret == SMTP_RET_FULL && action == DSN_FAILED && (m->flags & MAIL_REQUIRETLS) == 0,
		.eightbit = m->flags & (MAIL_8BIT | MAIL_BINARY),
		.utf8 = m->flags & MAIL_UTF8, .damaged = n->damaged, .orphan = m->reverse_path.len == 0 };
	if (f->orphan)
		f->to = f->postmaster;
	n->narrowing.used = false;
	if (f->full && f->eightbit && !f->utf8 && f->size <= DSN_MESSAGE_MAX)
		f->eightbit = stays_wide(n, m, content_at);
	return getrandom(&f->random, sizeof f->random, 0) == sizeof f->random;
}

/* ---- mail without a sender ---- */

/* RFC 3461 5.2: who is told of mail from nobody is a local postmaster who has said that he wants to be, and never of mail to
 * himself: that would go round for ever. */
static bool
postmaster_told(struct keeper *k, const struct message_record *m, const struct notice_row *rows, size_t count)
{
	struct span postmaster = span_of(k->child.conf.postmaster.p);

	if (rows[0].action != DSN_FAILED || !k->child.conf.postmaster_notices)
		return false;
	for (size_t i = 0; i < count; i++)
		if (span_same(rows[i].rcpt.path, postmaster))
			return false;
	if (hourly_may(&k->orphans, clock_wall(), KEEPER_ORPHANS_HOUR))
		return true;
	log_notice_withheld(m);
	return false;
}

/* ---- the whole ---- */

static bool
notice_make(struct notice *n, const struct message_record *m, uint64_t content_at, const struct notice_row *rows, size_t count)
{
	struct keeper *k = n->keeper;
	struct dsn_facts facts;
	uint8_t id[2][QUEUE_ID_LEN];
	struct buf report_id = BUF_OVER(id[0]), message_id = BUF_OVER(id[1]);
	uint64_t number = queue_id_next(&k->ids, clock_wall());

	if (!fill_facts(n, &facts, m, content_at, rows[0].action))
		return false;
	(void)queue_id_format(number, &report_id);
	(void)queue_id_format(m->id, &message_id);
	facts.report_id = buf_span(&report_id);
	facts.message_id = buf_span(&message_id);
	if (!begin_draft(n, &facts, number, m->flags))
		return false;
	if (!write_notice(n, &facts, m, content_at, rows, count)) {
		draft_abort(&k->spool, n->draft);
		return false;
	}
	if (draft_commit(&k->spool, n->draft, 0, NULL) != OK)
		return false;
	log_notice(number, m, facts.to, rows[0].action, count);
	(void)spool_fact(&k->spool, &(struct fact_record){ .id = m->id, .kind = FACT_NOTICE, .when = facts.now, .other = number,
		.words = span_of(notice_action(rows[0].action)) });
	return true;
}

bool
notice_write_lost(struct keeper *k, uint32_t slot, const struct notice_row *rows, size_t count, uint64_t whole)
{
	static struct notice n;
	struct message_record m;
	uint64_t content_at;

	n.keeper = k;
	if (!spool_envelope(&k->spool, slot, &m, &content_at))
		return false;
	if (m.reverse_path.len == 0 && !postmaster_told(k, &m, rows, count))
		return true;
	n.damaged = whole < m.size;
	if (n.damaged) {
		m.size = whole;
		m.ret = SMTP_RET_HDRS;
	}
	return notice_make(&n, &m, content_at, rows, count);
}

bool
notice_write(struct keeper *k, uint32_t slot, const struct notice_row *rows, size_t count)
{
	return notice_write_lost(k, slot, rows, count, UINT64_MAX);
}

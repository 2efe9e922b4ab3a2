/* Delivery status notifications: new messages of our own, from the empty reverse-path to the sender. RFC 3461 6, RFC 3464. */
#include <string.h>
#include <sys/random.h>

#include "os/log.h"
#include "proc/4_spool.h"

enum { PIECE = 64 * 1024 };

struct notice {
	struct keeper *keeper;
	struct draft *draft;
	struct dsn dsn;
	struct buf out;
	uint8_t octets[PIECE];
	uint8_t original[PIECE];
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
		.status = r->result.enhanced, .host = r->result.host, .code = r->result.code, .text = r->result.text,
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

static bool
write_original(struct notice *n, const struct message_record *m, uint64_t content_at)
{
	uint64_t at = 0;

	if (!dsn_original_begin(&n->dsn, &n->out))
		return false;
	while (dsn_original_wanted(&n->dsn) && at < m->size) {
		size_t part = m->size - at < PIECE ? (size_t)(m->size - at) : PIECE;
		struct span rest = { n->original, part };

		if (!spool_content(&n->keeper->spool, m, content_at, at, n->original, part))
			break;
		at += part;
		while (dsn_original_wanted(&n->dsn) && rest.len > 0) {
			flush(n);
			span_skip(&rest, dsn_original(&n->dsn, rest, &n->out));
		}
	}
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
log_notice(uint64_t id, const struct message_record *m, enum dsn_action action, size_t rcpts)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, "dsn");
	log_id(&l, "id", id);
	log_id(&l, "about", m->id);
	log_span(&l, "to", m->reverse_path);
	log_text(&l, "action", notice_action(action));
	log_u64(&l, "rcpts", rcpts);
	log_end(&l);
}

/* The address of our postmaster, made of host when none is configured, is mail/dsn.h's affair. */
static bool
fill_facts(struct keeper *k, struct dsn_facts *f, const struct message_record *m, enum dsn_action action)
{
	*f = (struct dsn_facts){ .action = action, .host = span_of(k->child.conf.hostname.p),
		.postmaster = span_of(k->child.conf.postmaster.p), .to = m->reverse_path, .now = keeper_now(),
		.arrival = m->arrival, .envid = m->envid, .size = m->size,
		.full = m->ret == SMTP_RET_FULL && action == DSN_FAILED && (m->flags & MAIL_REQUIRETLS) == 0,
		.eightbit = m->flags & MAIL_8BIT,
		.utf8 = m->flags & MAIL_UTF8 };
	return getrandom(&f->random, sizeof f->random, 0) == sizeof f->random;
}

bool
notice_write(struct keeper *k, uint32_t slot, const struct notice_row *rows, size_t count)
{
	static struct notice n;
	struct message_record m;
	struct dsn_facts facts;
	uint8_t id[2][QUEUE_ID_LEN];
	struct buf report_id = BUF_OVER(id[0]), message_id = BUF_OVER(id[1]);
	uint64_t content_at, number = queue_id_next(&k->ids, keeper_now());

	n.keeper = k;
	if (!spool_envelope(&k->spool, slot, &m, &content_at))
		return false;
	/* To nobody about nothing: RFC 3461 5.2, RFC 5321 6.1. */
	if (m.reverse_path.len == 0)
		return true;
	if (!fill_facts(k, &facts, &m, rows[0].action))
		return false;
	(void)queue_id_format(number, &report_id);
	(void)queue_id_format(m.id, &message_id);
	facts.report_id = buf_span(&report_id);
	facts.message_id = buf_span(&message_id);
	if (!begin_draft(&n, &facts, number, m.flags))
		return false;
	if (!write_notice(&n, &facts, &m, content_at, rows, count)) {
		draft_abort(&k->spool, n.draft);
		return false;
	}
	if (draft_commit(&k->spool, n.draft, 0, NULL) != OK)
		return false;
	log_notice(number, &m, rows[0].action, count);
	(void)spool_fact(&k->spool, &(struct fact_record){ .id = m.id, .kind = FACT_NOTICE, .when = facts.now, .other = number,
		.words = span_of(notice_action(rows[0].action)) });
	return true;
}

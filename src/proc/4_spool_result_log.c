/* What the log says of results, and what a result means. */
#include "os/log.h"
#include "policy/reply_class.h"
#include "proc/4_spool_gather.h"

enum reply_class
try_class_of(const struct relay_result *m)
{
	struct reply_facts f = { m->code, m->enhanced, m->text };

	return m->class == SMTP_CLASS_DELIVERED ? REPLY_DELIVERED : reply_class(&f);
}

void
try_log_result(const struct keeper *k, const struct try *t, const struct try_rcpt *r, const struct relay_result *m)
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
		log_text(&l, "class", reply_class_name(try_class_of(m)));
	log_span(&l, "text", m->text);
	log_span(&l, "tls", m->tls);
	log_u64(&l, "delay", m->when > arrival ? m->when - arrival : 0);
	log_end(&l);
}

void
try_log_expired(const struct try *t, const struct try_rcpt *r)
{
	struct spool_rcpt rcpt;
	struct log_line l;

	try_rcpt_read(t, r, &rcpt);
	log_begin(&l, LOG_WARN, "expired");
	log_id(&l, "id", t->id);
	log_span(&l, "to", rcpt.path);
	log_end(&l);
}

void
try_log_untold(const struct try *t, uint32_t served)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, "dsn-lost");
	log_id(&l, "about", t->id);
	log_u64(&l, "rcpts", served);
	log_text(&l, "why", "a notice could not be written; who was delivered to is not served again");
	log_end(&l);
}

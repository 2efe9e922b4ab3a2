/* A later release, an urgency, a deadline: RFC 4865, RFC 6710, RFC 2852. */
#include "smtp/client_parts.h"

#define NEVER(enhanced, words) { SMTP_STAGE_MAIL, SMTP_CLASS_NEVER, 0, enhanced, SPAN_INIT(words) }

static const struct client_verdict no_hold = NEVER("5.3.3",
    "the message is to be held for later and the peer does not offer FUTURERELEASE");
static const struct client_verdict no_priority = NEVER("5.3.3",
    "the message has a priority and the peer does not offer MT-PRIORITY");
static const struct client_verdict no_by = NEVER("5.3.3",
    "the message has a deadline and the peer does not offer DELIVERBY");
static const struct client_verdict by_short = NEVER("5.4.7",
    "the message has to arrive sooner than the peer can promise");
static const struct client_verdict by_over = NEVER("5.4.7",
    "the time by which the message had to be delivered is over");

enum { BY_MOST = 999999999 };           /* RFC 2852 4: nine digits */

const struct client_verdict *
client_terms_obstacle(const struct smtp_client *c)
{
	const struct smtp_client_terms *t = &c->mail.terms;

	if (t->hold.len > 0 && !c->caps.future_release)
		return &no_hold;
	if (t->needed && t->priority != 0 && !c->caps.mt_priority)
		return &no_priority;
	if (!t->by)
		return NULL;
	/* 2852-2: to nobody who does not promise it. */
	if (!c->caps.deliver_by && (t->by_return || t->needed))
		return &no_by;
	if (t->by_return && t->by_seconds <= 0)
		return &by_over;
	return t->by_return && (uint64_t)t->by_seconds < c->caps.by_least ? &by_short : NULL;
}

static void
put_number(struct buf *out, int64_t value)
{
	if (value < 0)
		(void)buf_put_byte(out, '-');
	(void)buf_put_u64(out, (uint64_t)(value < 0 ? -value : value));
}

static void
put_by(struct buf *out, const struct smtp_client_terms *t)
{
	int64_t seconds = t->by_seconds < -BY_MOST ? -BY_MOST : t->by_seconds > BY_MOST ? BY_MOST : t->by_seconds;

	(void)buf_put_text(out, " BY=");
	put_number(out, seconds);
	(void)buf_put_text(out, t->by_return ? ";R" : ";N");
	if (t->by_trace)
		(void)buf_put_byte(out, 'T');
}

void
client_terms_put(struct smtp_client *c)
{
	const struct smtp_client_terms *t = &c->mail.terms;
	struct buf *out = &c->io->out;

	if (t->hold.len > 0) {
		(void)buf_put_text(out, " HOLD");
		(void)buf_put(out, t->hold);
	}
	if (t->priority != 0 && c->caps.mt_priority) {
		(void)buf_put_text(out, " MT-PRIORITY=");
		put_number(out, t->priority);
	}
	if (t->by && c->caps.deliver_by)
		put_by(out, t);
}

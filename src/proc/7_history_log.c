/* What the records of the spool's log say, as rows of the history. */
#include <string.h>

#include "conf/webhook.h"
#include "os/clock.h"
#include "os/log.h"
#include "policy/reply_class.h"
#include "proc/7_history.h"
#include "proc/peers_mail.h"

/* ---- how many recipients of a message have no end yet ---- */
static struct archive_recent *
recent_of(struct archive *a, uint64_t id)
{
	return &a->recent[(id ^ id >> 10 ^ id >> 18) & (ARCHIVE_RECENT - 1)];
}

void
archive_forget(struct archive *a)
{
	memset(a->recent, 0, sizeof a->recent);
	a->named = 0;
}

/* ---- records ---- */
/* What the next hop meant by it. */
static struct span
reply_of(const struct outcome *o)
{
	struct reply_facts f = { o->code, o->enhanced, o->text };

	if (o->class != OUTCOME_LATER && o->class != OUTCOME_NEVER)
		return (struct span){ NULL, 0 };
	return span_of(reply_class_name(reply_class(&f)));
}

static void
add_outcome(struct archive *a, uint64_t id, uint32_t number, uint64_t sequence, const struct outcome *o)
{
	struct history_attempt row = { .id = id, .sequence = sequence, .when = o->when, .number = number, .attempt = o->attempt,
		.class = o->class, .code = o->code, .took = o->took, .status = o->enhanced, .host = o->host, .tls = o->tls,
		.text = o->text, .reply = reply_of(o) };

	history_add_attempt(a->history, &row);
}

/* What is to be posted waits in the history itself. */
static void
add_hook(struct archive *a, struct history_hook k)
{
	if (archive_wants(a, k.event))
		history_add_hook(a->history, &k);
}

/* The same of what befell the whole message. */
static void
add_event_hook(struct archive *a, const struct history_event *e, enum webhook_event event)
{
	add_hook(a, (struct history_hook){ .id = e->id, .when = e->when, .number = e->kind, .event = event });
}

/* Its recipients; what the record says of them is newer than what was read when it is read for the first time. How many have no end. */
static uint32_t
add_recipients(struct archive *a, const struct message_record *m, uint64_t sequence)
{
	struct span rest = m->recipients;
	struct recipient r;
	uint32_t open = m->rcpts;

	for (uint32_t i = 0; i < m->rcpts && recipient_take(&rest, &r); i++) {
		history_add_recipient(a->history, m->id, i, r.path);
		if (r.last.class == OUTCOME_NONE || r.last.when == 0)
			continue;
		add_outcome(a, m->id, i, sequence, &r.last);
		open -= r.last.class != OUTCOME_LATER;
	}
	return open;
}

static void
on_message_record(struct archive *a, uint64_t sequence, struct span payload)
{
	struct message_record m;
	struct history_message row;
	struct history_event held = { .kind = HISTORY_HELD, .words = SPAN_INIT("it was held when it was accepted") };

	if (!message_parse(payload, &m))
		return;
	row = (struct history_message){ .id = m.id, .arrival = m.arrival, .size = m.size, .flags = m.flags, .rcpts = m.rcpts,
		.sender = m.reverse_path, .login = m.login, .peer = m.peer, .tls = m.tls };
	if (a->named == m.id)
		row.message_id = (struct span){ a->name, a->name_len };
	/* A copy of one that is known: nothing has happened. */
	if (!history_add_message(a->history, &row))
		return;
	*recent_of(a, m.id) = (struct archive_recent){ m.id, add_recipients(a, &m, sequence) };
	if (m.flags & MAIL_DISCARDED) {
		recent_of(a, m.id)->open = 0;
		add_event_hook(a, &(struct history_event){ .id = m.id, .when = m.arrival, .kind = HISTORY_DISCARDED }, WEBHOOK_DROPPED);
		return;
	}
	held.id = m.id;
	held.when = m.arrival;
	if ((m.flags & MAIL_HOLD) == 0)
		return;
	(void)history_add_event(a->history, &held);
	add_event_hook(a, &held, WEBHOOK_HELD);
}

static void
on_result(struct archive *a, uint64_t sequence, struct span payload)
{
	static const uint32_t events[] = { [OUTCOME_DELIVERED] = WEBHOOK_DELIVERED, [OUTCOME_LATER] = WEBHOOK_DEFERRED,
		[OUTCOME_NEVER] = WEBHOOK_BOUNCED };
	struct result_record r;
	struct archive_recent *recent;

	if (!result_parse(payload, &r))
		return;
	add_outcome(a, r.id, r.number, sequence, &r.last);
	if (r.last.class <= OUTCOME_NEVER)
		add_hook(a, (struct history_hook){ .id = r.id, .sequence = sequence, .when = r.last.when, .number = r.number,
			.event = events[r.last.class] });
	recent = recent_of(a, r.id);
	if (recent->id == r.id && recent->open > 0 && r.last.class != OUTCOME_LATER)
		recent->open--;
}

/* Nearly always each recipient has an end by now. When not, the server that wrote this kept no history. */
static void
on_done(struct archive *a, struct span payload)
{
	struct done_record r;
	struct archive_recent *recent;

	if (!fields_parse(done_record_layout, payload, &r))
		return;
	recent = recent_of(a, r.id);
	if ((recent->id == r.id && recent->open == 0) || history_settled(a->history, r.id) != HISTORY_OPEN)
		return;
	(void)history_add_event(a->history, &(struct history_event){ .id = r.id, .when = clock_wall(), .kind = HISTORY_DONE });
}

static void
on_held(struct archive *a, struct span payload)
{
	struct held_record r;
	struct history_event e;

	if (!fields_parse(held_record_layout, payload, &r))
		return;
	e = (struct history_event){ .id = r.id, .when = r.when, .kind = r.held ? HISTORY_HELD : HISTORY_RELEASED, .words = r.words };
	/* Behind a copy of the message it stands again, and behind one that was held when it was accepted it says why: the same hold. */
	if (!history_add_event(a->history, &e))
		history_word_event(a->history, &e);
	else if (r.held)
		add_event_hook(a, &e, WEBHOOK_HELD);
}

static void
on_fact(struct archive *a, struct span payload)
{
	static const uint32_t kinds[] = { [FACT_NOTICE] = HISTORY_NOTICE, [FACT_DROPPED] = HISTORY_DROPPED,
		[FACT_PURGED] = HISTORY_PURGED, [FACT_LOST] = HISTORY_LOST,
		[FACT_DISCARDED] = HISTORY_DISCARDED };
	struct fact_record r;
	struct history_event e;
	struct archive_recent *recent;

	if (!fields_parse(fact_record_layout, payload, &r))
		return;
	if (r.kind == FACT_MESSAGE_ID && r.words.len > 0) {
		a->named = r.id;
		a->name_len = r.words.len;
		memcpy(a->name, r.words.p, r.words.len);
		return;
	}
	if (r.kind < FACT_NOTICE || r.kind > FACT_DISCARDED)
		return;
	e = (struct history_event){ .id = r.id, .when = r.when, .other = r.other, .kind = kinds[r.kind], .words = r.words };
	/* Of what is discarded the MESSAGE behind it tells. */
	if (history_add_event(a->history, &e) && r.kind != FACT_NOTICE && r.kind != FACT_DISCARDED)
		add_event_hook(a, &e, WEBHOOK_DROPPED);
	/* The DONE behind it has nothing to add. */
	recent = recent_of(a, r.id);
	if (r.kind != FACT_NOTICE)
		*recent = (struct archive_recent){ r.id, 0 };
}

bool
archive_record(struct archive *a, const struct record_header *h, struct span payload)
{
	/* Between a message's name and the message there may be its last chunk, a new segment, what else belongs to it. */
	if (h->kind == RECORD_FACT) {
		a->named = 0;
		on_fact(a, payload);
		return a->named == 0;
	}
	switch (h->kind) {
	case RECORD_MESSAGE:
		on_message_record(a, h->sequence, payload);
		break;
	case RECORD_RESULT:
		on_result(a, h->sequence, payload);
		break;
	case RECORD_DONE:
		on_done(a, payload);
		break;
	case RECORD_HELD:
		on_held(a, payload);
		break;
	case RECORD_VOID:
		break;
	default:
		return a->named == 0;
	}
	a->named = 0;
	return true;
}

void
archive_gap(struct archive *a, const struct tail_gap *gap)
{
	uint8_t text[HISTORY_WORDS_MAX];
	struct buf words = BUF_OVER(text);
	struct log_line l;

	(void)buf_put_u64(&words, gap->to - gap->from + 1);
	(void)buf_put_text(&words, " records of the spool's log, ");
	(void)buf_put_u64(&words, gap->from);
	(void)buf_put_text(&words, " to ");
	(void)buf_put_u64(&words, gap->to);
	(void)buf_put_text(&words, ", were gone or damaged before they were read; what they said is missing");
	history_add_gap(a->history, clock_wall(), buf_span(&words));
	log_begin(&l, LOG_WARN, "history-gap");
	log_u64(&l, "from", gap->from);
	log_u64(&l, "to", gap->to);
	log_end(&l);
	/* What was counted may have ended in there. */
	archive_forget(a);
}

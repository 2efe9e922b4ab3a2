/* What was told, kept; and what it means for each recipient. */
#include <stdlib.h>
#include <string.h>

#include "cmd/queue_where.h"

struct where_text {
	struct where_text *next;
	uint8_t octets[];
};

/* Room for one more element. NULL: memory is short. */
static void *
more(struct where_answer *a, void *array, size_t count, size_t *max, size_t octets)
{
	size_t want = *max == 0 ? 32 : *max * 2;
	void *bigger;

	if (count < *max)
		return array;
	bigger = reallocarray(array, want, octets);
	if (bigger == NULL)
		a->short_of_memory = true;
	else
		*max = want;
	return bigger;
}

static struct span
keep(struct where_answer *a, struct span s)
{
	struct where_text *t = s.len > 0 ? malloc(sizeof *t + s.len) : NULL;

	if (s.len == 0)
		return (struct span){ NULL, 0 };
	if (t == NULL) {
		a->short_of_memory = true;
		return (struct span){ NULL, 0 };
	}
	t->next = a->texts;
	a->texts = t;
	memcpy(t->octets, s.p, s.len);
	return (struct span){ t->octets, s.len };
}

static void
gather_message(void *arg, const struct history_message *m)
{
	struct where_answer *a = arg;
	struct where_row *bigger = more(a, a->row, a->rows, &a->rows_max, sizeof *a->row), *r;

	if (bigger == NULL)
		return;
	a->row = bigger;
	r = &a->row[a->rows++];
	*r = (struct where_row){ .message = *m, .first_recipient = a->persons, .first_attempt = a->attempts, .first_event = a->events };
	r->message.sender = keep(a, m->sender);
	r->message.login = keep(a, m->login);
	r->message.peer = keep(a, m->peer);
	r->message.tls = keep(a, m->tls);
	r->message.message_id = keep(a, m->message_id);
}

static void
gather_recipient(void *arg, uint64_t id, uint32_t number, struct span path)
{
	struct where_answer *a = arg;
	struct where_person *bigger = more(a, a->person, a->persons, &a->persons_max, sizeof *a->person);

	(void)id;
	if (bigger == NULL)
		return;
	a->person = bigger;
	a->person[a->persons++] = (struct where_person){ number, keep(a, path) };
}

static void
gather_attempt(void *arg, const struct history_attempt *t)
{
	struct where_answer *a = arg;
	struct history_attempt *bigger = more(a, a->attempt, a->attempts, &a->attempts_max, sizeof *a->attempt), *to;

	if (bigger == NULL)
		return;
	a->attempt = bigger;
	to = &a->attempt[a->attempts++];
	*to = *t;
	to->status = keep(a, t->status);
	to->host = keep(a, t->host);
	to->tls = keep(a, t->tls);
	to->text = keep(a, t->text);
	to->reply = keep(a, t->reply);
}

static void
gather_event(void *arg, const struct history_event *e)
{
	struct where_answer *a = arg;
	struct history_event *bigger = more(a, a->event, a->events, &a->events_max, sizeof *a->event);

	if (bigger == NULL)
		return;
	a->event = bigger;
	a->event[a->events] = *e;
	a->event[a->events++].words = keep(a, e->words);
}

static void
gather_gap(void *arg, uint64_t when, struct span words)
{
	struct where_answer *a = arg;
	struct where_hole *bigger = more(a, a->hole, a->holes, &a->holes_max, sizeof *a->hole);

	if (bigger == NULL)
		return;
	a->hole = bigger;
	a->hole[a->holes++] = (struct where_hole){ when, keep(a, words) };
}

const struct history_answer where_gather = { gather_message, gather_recipient, gather_attempt, gather_event, gather_gap, NULL };

void
where_answer_free(struct where_answer *a)
{
	while (a->texts != NULL) {
		struct where_text *t = a->texts;

		a->texts = t->next;
		free(t);
	}
	free(a->row);
	free(a->person);
	free(a->attempt);
	free(a->event);
	free(a->hole);
}

/* ---- what it means ---- */
size_t
where_persons_end(const struct where_answer *a, size_t row)
{
	return row + 1 < a->rows ? a->row[row + 1].first_recipient : a->persons;
}

size_t
where_attempts_end(const struct where_answer *a, size_t row)
{
	return row + 1 < a->rows ? a->row[row + 1].first_attempt : a->attempts;
}

size_t
where_events_end(const struct where_answer *a, size_t row)
{
	return row + 1 < a->rows ? a->row[row + 1].first_event : a->events;
}

/* A recipient's newest attempt, or NULL. */
static const struct history_attempt *
newest_of(const struct where_answer *a, size_t row, uint32_t number)
{
	const struct history_attempt *newest = NULL;

	for (size_t i = a->row[row].first_attempt; i < where_attempts_end(a, row); i++)
		if (a->attempt[i].number == number)
			newest = &a->attempt[i];
	return newest;
}

/* What the message's events say of whoever has no end of his own: the last one counts. */
static enum where_state
state_of_message(const struct where_answer *a, size_t row)
{
	static const enum where_state states[] = { [HISTORY_HELD] = WHERE_HELD, [HISTORY_RELEASED] = WHERE_WAITING,
		[HISTORY_DROPPED] = WHERE_DROPPED, [HISTORY_PURGED] = WHERE_PURGED, [HISTORY_LOST] = WHERE_LOST,
		[HISTORY_DONE] = WHERE_UNKNOWN, [HISTORY_DISCARDED] = WHERE_DISCARDED };
	enum where_state state = WHERE_WAITING;

	for (size_t i = a->row[row].first_event; i < where_events_end(a, row); i++)
		if (a->event[i].kind != HISTORY_NOTICE && a->event[i].kind >= HISTORY_HELD && a->event[i].kind < HISTORY_KINDS_END)
			state = states[a->event[i].kind];
	return state;
}

enum where_state
where_state(const struct where_answer *a, size_t row, uint32_t number)
{
	const struct history_attempt *t = newest_of(a, row, number);
	enum where_state state;

	if (a->row[row].message.flags & MAIL_DISCARDED)
		return WHERE_DISCARDED;
	if (t != NULL && t->class == 0)
		return WHERE_DELIVERED;
	if (t != NULL && t->class == 2)
		return WHERE_BOUNCED;
	state = state_of_message(a, row);
	return state == WHERE_WAITING && t != NULL ? WHERE_DEFERRED : state;
}

const char *
where_state_name(enum where_state state)
{
	static const char *const names[] = {
		[WHERE_WAITING] = "waiting", [WHERE_DEFERRED] = "deferred", [WHERE_HELD] = "held", [WHERE_DELIVERED] = "delivered",
		[WHERE_BOUNCED] = "bounced", [WHERE_DROPPED] = "dropped", [WHERE_PURGED] = "purged", [WHERE_LOST] = "lost",
		[WHERE_UNKNOWN] = "unknown", [WHERE_DISCARDED] = "discarded",
	};

	return names[state];
}

struct span
where_policy(struct span tls)
{
	struct span rest = tls, first = span_take_word(&rest), policy;

	if (span_take(&rest, SPAN("(policy "))) {
		policy = span_take_until(&rest, ')');
		return policy;
	}
	if (first.len > 3 && span_eq(span_head(first, 3), SPAN("TLS"))) {
		(void)span_take_word(&rest);
		return span_take_word(&rest);
	}
	return span_eq(first, SPAN("none")) ? SPAN("opportunistic") : (struct span){ NULL, 0 };
}

/* Where is this message, and what happened to it? */
#include <stdlib.h>

#include "history/parts.h"

struct search {
	struct history *history;
	const struct history_question *question;
	const struct history_answer *answer;
	struct history_found *found;
	struct span text;
	uint64_t hash;                  /* of text */
	bool chosen;                    /* the message was found by a recipient: only he is told */
	uint32_t rows;
};

/* "<a@b>" is a@b. */
static struct span
without_brackets(struct span s)
{
	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		return (struct span){ s.p + 1, s.len - 2 };
	return s;
}

static struct history_message
message_of(sqlite3_stmt *s)
{
	return (struct history_message){ .id = column_number(s, 0), .arrival = column_number(s, 1), .size = column_number(s, 2),
		.flags = (uint32_t)column_number(s, 3), .rcpts = (uint32_t)column_number(s, 4), .sender = column_text(s, 5),
		.login = column_text(s, 6), .peer = column_text(s, 7), .tls = column_text(s, 8), .message_id = column_text(s, 9) };
}

/* Hashes can be the same for different texts. */
static bool
mentions(struct search *w, uint64_t id, const struct history_message *m)
{
	sqlite3_stmt *s;
	bool does = span_same(m->sender, w->text) || span_same(m->message_id, span_head(w->text, HISTORY_ID_MAX));

	w->chosen = !does;
	if (does)
		return true;
	s = statement(w->history, ST_RECIPIENTS);
	bind_number(s, 1, id);
	while (!does && row(w->history, s))
		does = span_same(column_text(s, 1), w->text);
	if (does)
		(void)sqlite3_reset(s);
	return does;
}

static void
tell_recipients(struct search *w, uint64_t id)
{
	sqlite3_stmt *s = statement(w->history, ST_RECIPIENTS);

	bind_number(s, 1, id);
	for (uint32_t told = 0; row(w->history, s);) {
		struct span path = column_text(s, 1);

		if (w->chosen && !span_same(path, w->text))
			continue;
		w->answer->recipient(w->answer->arg, id, (uint32_t)column_number(s, 0), path);
		w->rows++;
		if (++told == HISTORY_FIND_RECIPIENTS) {
			(void)sqlite3_reset(s);
			break;
		}
	}
}

static void
tell_attempts(struct search *w, uint64_t id)
{
	sqlite3_stmt *s = statement(w->history, ST_ATTEMPTS);

	bind_number(s, 1, id);
	for (uint32_t told = 0; row(w->history, s); told++) {
		struct history_attempt a = { .id = id, .number = (uint32_t)column_number(s, 1), .sequence = column_number(s, 2),
			.when = column_number(s, 3), .attempt = (uint32_t)column_number(s, 4), .class = (uint32_t)column_number(s, 5),
			.code = (uint32_t)column_number(s, 6), .took = (uint32_t)column_number(s, 7), .status = column_text(s, 8),
			.host = column_text(s, 9), .tls = column_text(s, 10), .text = column_text(s, 11),
			.reply = column_text(s, 12) };

		if (told == 4 * HISTORY_FIND_RECIPIENTS) {
			(void)sqlite3_reset(s);
			break;
		}
		w->answer->attempt(w->answer->arg, &a);
		w->rows++;
	}
}

static void
tell_events(struct search *w, uint64_t id)
{
	sqlite3_stmt *s = statement(w->history, ST_EVENTS);

	bind_number(s, 1, id);
	while (row(w->history, s)) {
		struct history_event e = { .id = id, .when = column_number(s, 0), .kind = (uint32_t)column_number(s, 1),
			.other = column_number(s, 2), .words = column_text(s, 3) };

		w->answer->event(w->answer->arg, &e);
	}
}

/* One message, if it is there and the one that is meant. */
static void
tell(struct search *w, uint64_t id)
{
	sqlite3_stmt *s = statement(w->history, ST_MESSAGE);
	struct history_message m;
	bool meant;

	bind_number(s, 1, id);
	if (!row(w->history, s))
		return;
	m = message_of(s);
	w->chosen = false;
	meant = w->question->id != 0 || mentions(w, id, &m);
	if (meant)
		w->answer->message(w->answer->arg, &m);
	(void)sqlite3_reset(s);
	if (!meant)
		return;
	tell_recipients(w, id);
	tell_attempts(w, id);
	tell_events(w, id);
	w->found->messages++;
}

/* False: that is enough. */
static bool
look_into(struct search *w, uint64_t period, uint64_t before)
{
	struct history *h = w->history;
	sqlite3_stmt *s = statement(h, ST_SEARCH);
	uint32_t most = w->question->most;

	bind_number(s, 1, period);
	bind_number(s, 2, w->hash);
	bind_number(s, 3, before);
	while (row(h, s)) {
		uint64_t id = column_number(s, 0);

		if (w->found->messages == most || w->rows > HISTORY_FIND_ROWS) {
			(void)sqlite3_reset(s);
			return false;
		}
		tell(w, id);
		w->found->next = id;
	}
	return true;
}

/* The newest one, not beyond most, that has anything; 0: none. A clock that was set leaves years between two of them. */
static uint64_t
period_up_to(struct history *h, uint64_t most)
{
	sqlite3_stmt *s = statement(h, ST_PERIOD);
	uint64_t period = 0;

	bind_number(s, 1, most);
	if (row(h, s)) {
		period = column_number(s, 0);
		(void)sqlite3_reset(s);
	}
	return period;
}

static void
look_everywhere(struct search *w)
{
	uint64_t before = w->question->before != 0 ? w->question->before : INT64_MAX;
	uint64_t period = period_up_to(w->history, before >> PERIOD_BITS);

	w->hash = search_hash(w->history, w->text);
	while (period > 0) {
		if (!look_into(w, period, before))
			return;
		period = period_up_to(w->history, period - 1);
	}
	w->found->next = 0;
}

static void
tell_gaps(struct search *w)
{
	sqlite3_stmt *s = statement(w->history, ST_GAPS);

	while (row(w->history, s))
		w->answer->gap(w->answer->arg, column_number(s, 0), column_text(s, 1));
}

enum history_fault
history_find(struct history *h, const struct history_question *q, const struct history_answer *a, struct history_found *found)
{
	struct search w = { .history = h, .question = q, .answer = a, .found = found, .text = without_brackets(q->what) };

	h->fault = HISTORY_FINE;
	*found = (struct history_found){ .begun = h->begun };
	if (q->id != 0)
		tell(&w, q->id);
	else
		look_everywhere(&w);
	tell_gaps(&w);
	return h->fault;
}

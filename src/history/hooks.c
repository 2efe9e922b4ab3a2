/* Events that wait to be posted: rows that point to what happened, until they are taken or too old. */
#include "history/parts.h"

void
history_add_hook(struct history *h, const struct history_hook *k)
{
	sqlite3_stmt *s;

	if (h->fault != HISTORY_FINE)
		return;
	s = statement(h, ST_ADD_HOOK);
	bind_number(s, 1, k->id);
	bind_number(s, 2, k->number);
	bind_number(s, 3, k->sequence);
	bind_number(s, 4, k->when);
	bind_number(s, 5, k->event);
	(void)run(h, s);
}

size_t
history_due(struct history *h, uint64_t now, struct history_hook *out, size_t most)
{
	sqlite3_stmt *s = statement(h, ST_DUE_HOOKS);
	size_t n = 0;

	h->fault = HISTORY_FINE;
	bind_number(s, 1, now);
	bind_number(s, 2, most);
	while (n < most && row(h, s))
		out[n++] = (struct history_hook){ .row = column_number(s, 0), .id = column_number(s, 1), .number = (uint32_t)column_number(s, 2),
			.sequence = column_number(s, 3), .when = column_number(s, 4), .event = (uint32_t)column_number(s, 5),
			.tries = (uint32_t)column_number(s, 6) };
	if (n == most && s != NULL)
		(void)sqlite3_reset(s);
	return n;
}

/* What the row points to: the message, the recipient's path, the attempt. */
enum history_facts
history_hook_facts(struct history *h, const struct history_hook *k, void (*tell)(void *arg, const struct history_message *,
    struct span path, const struct history_attempt *, struct span words), void *arg)
{
	sqlite3_stmt *s = statement(h, ST_HOOK_FACTS);
	struct history_message m;
	struct history_attempt a;

	bind_number(s, 1, k->id);
	bind_number(s, 2, k->number);
	bind_number(s, 3, k->sequence);
	bind_number(s, 4, k->when);
	bind_number(s, 5, k->sequence == 0 ? k->number : 0);
	h->fault = HISTORY_FINE;
	if (!row(h, s))
		return h->fault == HISTORY_FINE ? FACTS_FORGOTTEN : FACTS_UNREADABLE;
	m = (struct history_message){ .id = k->id, .arrival = column_number(s, 0), .size = column_number(s, 1),
		.rcpts = (uint32_t)column_number(s, 2), .sender = column_text(s, 3), .login = column_text(s, 4), .message_id = column_text(s, 5) };
	a = (struct history_attempt){ .id = k->id, .number = k->number, .sequence = k->sequence, .when = k->when,
		.attempt = (uint32_t)column_number(s, 7), .code = (uint32_t)column_number(s, 8), .took = (uint32_t)column_number(s, 9),
		.status = column_text(s, 10), .host = column_text(s, 11), .tls = column_text(s, 12), .text = column_text(s, 13),
		.reply = column_text(s, 15) };
	tell(arg, &m, column_text(s, 6), &a, column_text(s, 14));
	(void)sqlite3_reset(s);
	return FACTS_TOLD;
}

void
history_hook_done(struct history *h, uint64_t row_number)
{
	sqlite3_stmt *s = statement(h, ST_DROP_HOOK);

	bind_number(s, 1, row_number);
	(void)run(h, s);
}

void
history_hook_later(struct history *h, uint64_t row_number, uint64_t due)
{
	sqlite3_stmt *s = statement(h, ST_DELAY_HOOK);

	bind_number(s, 1, row_number);
	bind_number(s, 2, due);
	(void)run(h, s);
}

static uint32_t
change(struct history *h, enum statement which, uint64_t value)
{
	sqlite3_stmt *s = statement(h, which);

	bind_number(s, 1, value);
	return run(h, s) ? (uint32_t)sqlite3_changes(h->db) : 0;
}

void
history_bound_hooks(struct history *h, uint64_t latest)
{
	(void)change(h, ST_BOUND_HOOKS, latest);
}

uint32_t
history_trim_hooks(struct history *h, uint64_t oldest, uint32_t most)
{
	return change(h, ST_DROP_OLD_HOOKS, oldest) + change(h, ST_DROP_MANY_HOOKS, most);
}

#include "history/parts.h"

/* ---- a transaction ---- */
void
history_begin(struct history *h)
{
	h->fault = HISTORY_FINE;
	h->why[0] = '\0';
	h->open = run(h, statement(h, ST_BEGIN));
}

void
history_abort(struct history *h)
{
	/* SQLite may have rolled back by itself. */
	if (h->open && !sqlite3_get_autocommit(h->db))
		(void)run(h, statement(h, ST_ROLLBACK));
	h->open = false;
}

enum history_fault
history_commit(struct history *h, const struct history_place *place)
{
	sqlite3_stmt *s = statement(h, ST_SET_PLACE);

	if (h->fault == HISTORY_FINE) {
		bind_number(s, 1, place->segment);
		bind_number(s, 2, place->salt);
		bind_number(s, 3, place->offset);
		bind_number(s, 4, place->sequence);
		(void)run(h, s);
	}
	if (h->fault == HISTORY_FINE && run(h, statement(h, ST_COMMIT))) {
		h->open = false;
		h->place = *place;
		return HISTORY_FINE;
	}
	history_abort(h);
	return h->fault;
}

/* ---- rows ---- */
/* What people look for: one row for each text, however often it stands there. */
static void
add_search(struct history *h, uint64_t id, struct span text)
{
	sqlite3_stmt *s;

	if (text.len == 0)
		return;
	s = statement(h, ST_ADD_SEARCH);
	bind_number(s, 1, id >> PERIOD_BITS);
	bind_number(s, 2, search_hash(h, text));
	bind_number(s, 3, id);
	(void)run(h, s);
}

bool
history_add_message(struct history *h, const struct history_message *m)
{
	sqlite3_stmt *s;

	if (h->fault != HISTORY_FINE)
		return false;
	s = statement(h, ST_ADD_MESSAGE);
	bind_number(s, 1, m->id);
	bind_number(s, 2, m->arrival);
	bind_number(s, 3, m->size);
	bind_number(s, 4, m->flags);
	bind_number(s, 5, m->rcpts);
	bind_text(s, 6, m->sender);
	bind_text(s, 7, m->login);
	bind_text(s, 8, m->peer);
	bind_text(s, 9, m->tls);
	bind_text(s, 10, m->message_id);
	if (!run(h, s) || sqlite3_changes(h->db) == 0)
		return false;
	add_search(h, m->id, m->sender);
	add_search(h, m->id, m->message_id);
	return true;
}

void
history_add_recipient(struct history *h, uint64_t id, uint32_t number, struct span path)
{
	sqlite3_stmt *s;

	if (h->fault != HISTORY_FINE)
		return;
	s = statement(h, ST_ADD_RECIPIENT);
	bind_number(s, 1, id);
	bind_number(s, 2, number);
	bind_text(s, 3, path);
	(void)run(h, s);
	add_search(h, id, path);
}

void
history_add_attempt(struct history *h, const struct history_attempt *a)
{
	sqlite3_stmt *s;

	if (h->fault != HISTORY_FINE)
		return;
	s = statement(h, ST_ADD_ATTEMPT);
	bind_number(s, 1, a->id);
	bind_number(s, 2, a->number);
	bind_number(s, 3, a->sequence);
	bind_number(s, 4, a->when);
	bind_number(s, 5, a->attempt);
	bind_number(s, 6, a->class);
	bind_number(s, 7, a->code);
	bind_number(s, 8, a->took);
	bind_text(s, 9, a->status);
	bind_text(s, 10, a->host);
	bind_text(s, 11, a->tls);
	bind_text(s, 12, a->text);
	bind_text(s, 13, a->reply);
	(void)run(h, s);
}

static bool
run_event(struct history *h, enum statement which, const struct history_event *e)
{
	sqlite3_stmt *s;

	if (h->fault != HISTORY_FINE)
		return false;
	s = statement(h, which);
	bind_number(s, 1, e->id);
	bind_number(s, 2, e->when);
	bind_number(s, 3, e->kind);
	bind_number(s, 4, e->other);
	bind_text(s, 5, e->words);
	return run(h, s) && sqlite3_changes(h->db) > 0;
}

bool
history_add_event(struct history *h, const struct history_event *e)
{
	return run_event(h, ST_ADD_EVENT, e);
}

void
history_word_event(struct history *h, const struct history_event *e)
{
	(void)run_event(h, ST_WORD_EVENT, e);
}

void
history_add_gap(struct history *h, uint64_t when, struct span words)
{
	sqlite3_stmt *s;

	if (h->fault != HISTORY_FINE)
		return;
	s = statement(h, ST_ADD_GAP);
	bind_number(s, 1, when);
	bind_text(s, 2, words);
	(void)run(h, s);
}

enum history_settled
history_settled(struct history *h, uint64_t id)
{
	sqlite3_stmt *s = statement(h, ST_SETTLED);
	enum history_settled is = HISTORY_UNKNOWN;

	bind_number(s, 1, id);
	if (!row(h, s))
		return is;
	is = column_number(s, 1) >= column_number(s, 0) ? HISTORY_SETTLED : HISTORY_OPEN;
	(void)sqlite3_reset(s);
	return is;
}

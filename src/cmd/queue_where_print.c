/* Where a message is and what happened to it: in words, and as JSON. */
#include <stdio.h>

#include "cmd/queue.h"
#include "cmd/json_words.h"
#include "cmd/queue_where.h"
#include "cmd/shown.h"
#include "cmd/when.h"

/* "2026-11-22 10:00:00", UTC. */
static void
time_text(uint64_t ms, char out[WHEN_ROOM])
{
	when_format(ms, out);
	if (out[0] != '\0') {
		out[10] = ' ';
		out[19] = '\0';
	}
}

static void
put_time(uint64_t ms)
{
	char text[WHEN_ROOM];

	time_text(ms, text);
	(void)fputs(text, stdout);
}

/* ---- words ---- */
static void
print_attempt(const struct history_attempt *t)
{
	/* Without a reply's code it is our own verdict, and nothing that the host has said. */
	static const char *const done[2][3] = { { "delivered to", "put off at", "given up at" }, { "delivered to", "put off by", "refused by" } };

	(void)fputs("    ", stdout);
	put_time(t->when);
	(void)printf("  try %u ", t->attempt);
	if (t->host.len > 0) {
		(void)printf("%s ", t->class < 3 ? done[t->code != 0][t->class] : "at");
		shown_put(t->host);
	} else {
		(void)fputs(t->class == 0 ? "delivered" : "reached nobody", stdout);
	}
	if (t->took > 0)
		(void)printf(" after %u.%03u s", t->took / 1000, t->took % 1000);
	if (t->reply.len > 0) {
		(void)fputs(" (", stdout);
		shown_put(t->reply);
		(void)putchar(')');
	}
	if (t->code != 0 || t->text.len > 0 || t->status.len > 0)
		(void)putchar(':');
	if (t->code != 0)
		(void)printf(" %u", t->code);
	/* A reply mostly says its status itself. */
	if (t->status.len > 0 && !span_eq(span_head(t->text, t->status.len), t->status)) {
		(void)putchar(' ');
		shown_put(t->status);
	}
	if (t->text.len > 0) {
		(void)putchar(' ');
		shown_put(t->text);
	}
	(void)putchar('\n');
	if (t->tls.len > 0) {
		(void)fputs("                          TLS ", stdout);
		shown_put(t->tls);
		(void)putchar('\n');
	}
}

/* What happens next, as far as anybody knows. */
static void
print_state(const struct where_answer *a, size_t row, enum where_state state)
{
	const struct where_row *r = &a->row[row];
	static const char *const words[] = {
		[WHERE_WAITING] = "not tried yet", [WHERE_DEFERRED] = "waiting", [WHERE_HELD] = "held",
		[WHERE_DELIVERED] = "delivered", [WHERE_BOUNCED] = "failed for good", [WHERE_DROPPED] = "dropped by an operator",
		[WHERE_PURGED] = "purged by an operator", [WHERE_LOST] = "lost: the disk no longer has its content",
		[WHERE_UNKNOWN] = "finished; how is not recorded", [WHERE_DISCARDED] = "discarded by a content filter",
	};

	(void)fputs(words[state], stdout);
	if (state != WHERE_WAITING && state != WHERE_DEFERRED)
		return;
	if (!r->live)
		(void)fputs(a->offline ? " when the server stopped" : "", stdout);
	else if (r->next_try == 0)
		(void)fputs(", being tried now", stdout);
	else {
		(void)fputs(", next try ", stdout);
		put_time(r->next_try);
	}
}

static void
print_person(const struct where_answer *a, size_t row, const struct where_person *p)
{
	(void)fputs("  to <", stdout);
	shown_put(p->path);
	(void)fputs(">: ", stdout);
	print_state(a, row, where_state(a, row, p->number));
	(void)putchar('\n');
	for (size_t i = a->row[row].first_attempt; i < where_attempts_end(a, row); i++)
		if (a->attempt[i].number == p->number)
			print_attempt(&a->attempt[i]);
}

static void
print_event(const struct history_event *e)
{
	static const char *const words[] = { [HISTORY_HELD] = "held", [HISTORY_RELEASED] = "released",
		[HISTORY_NOTICE] = "the sender was written to", [HISTORY_DROPPED] = "dropped by an operator",
		[HISTORY_PURGED] = "purged by an operator", [HISTORY_LOST] = "its content could not be read from the disk",
		[HISTORY_DONE] = "found to be finished", [HISTORY_DISCARDED] = "discarded by a content filter" };
	char id[16];

	if (e->kind < HISTORY_HELD || e->kind >= HISTORY_KINDS_END)
		return;
	(void)fputs("    ", stdout);
	put_time(e->when);
	(void)printf("  %s", words[e->kind]);
	if (e->words.len > 0) {
		(void)fputs(": ", stdout);
		shown_put(e->words);
	}
	if (e->other != 0) {
		queue_id_text(e->other, id);
		(void)printf(" (%s)", id);
	}
	(void)putchar('\n');
}

static void
print_row(const struct where_answer *a, size_t row)
{
	const struct where_row *r = &a->row[row];
	const struct history_message *m = &r->message;
	size_t told = where_persons_end(a, row) - r->first_recipient;
	char id[16];

	queue_id_text(m->id, id);
	(void)printf("%s  from <", id);
	shown_put(m->sender);
	(void)printf(">, %llu octets", (unsigned long long)m->size);
	if (told < m->rcpts)
		(void)printf(", %zu of %u recipients", told, m->rcpts);
	(void)fputs("\n    ", stdout);
	put_time(m->arrival);
	(void)fputs(m->flags & MAIL_DSN ? "  written by this server" : "  accepted", stdout);
	if (m->login.len > 0) {
		(void)fputs(" of ", stdout);
		shown_put(m->login);
	}
	if (m->peer.len > 0) {
		(void)fputs(" at ", stdout);
		shown_put(m->peer);
	}
	if (m->tls.len > 0) {
		(void)fputs(", ", stdout);
		shown_put(m->tls);
	}
	if (m->message_id.len > 0) {
		(void)fputs("\n    Message-ID <", stdout);
		shown_put(m->message_id);
		(void)putchar('>');
	}
	(void)putchar('\n');
	for (size_t i = r->first_event; i < where_events_end(a, row); i++)
		print_event(&a->event[i]);
	for (size_t i = r->first_recipient; i < where_persons_end(a, row); i++)
		print_person(a, row, &a->person[i]);
}

void
where_print(const struct where_answer *a)
{
	if (a->offline)
		(void)fputs("The server is not running; this is what its history says.\n", stdout);
	for (size_t i = 0; i < a->rows; i++) {
		if (i > 0)
			(void)putchar('\n');
		print_row(a, i);
	}
	if (a->found.next != 0)
		(void)printf("\nThere may be older ones: --limit shows more than %zu.\n", a->rows);
	if (a->behind > 0)
		(void)printf("\nThe history is behind: %llu records of the spool's log are not in it yet.\n", (unsigned long long)a->behind);
	for (size_t i = 0; i < a->holes; i++) {
		(void)fputs(i == 0 ? "\nThe history has gaps:\n  " : "  ", stdout);
		put_time(a->hole[i].when);
		(void)fputs("  ", stdout);
		shown_put(a->hole[i].words);
		(void)putchar('\n');
	}
}

/* ---- JSON ---- */
static json_t *
id_of(uint64_t id)
{
	char text[16];

	queue_id_text(id, text);
	return json_string(text);
}

static json_t *
attempt_of(const struct history_attempt *t)
{
	static const char *const classes[] = { "delivered", "deferred", "bounced" };

	return json_pack("{s:o, s:I, s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:I}", "when", json_when(t->when), "attempt", (json_int_t)t->attempt,
	    "class", t->class < 3 ? classes[t->class] : "unknown",
	    "reply_class", t->reply.len > 0 ? json_words(t->reply) : json_null(), "host", json_words(t->host), "policy", json_words(where_policy(t->tls)),
	    "tls", json_words(t->tls), "code", (json_int_t)t->code, "status", json_words(t->status), "text", json_words(t->text),
	    "took_ms", (json_int_t)t->took);
}

static json_t *
person_of(const struct where_answer *a, size_t row, const struct where_person *p)
{
	const struct where_row *r = &a->row[row];
	enum where_state state = where_state(a, row, p->number);
	bool waits = r->live && (state == WHERE_WAITING || state == WHERE_DEFERRED);
	json_t *attempts = json_array();

	for (size_t i = r->first_attempt; i < where_attempts_end(a, row); i++)
		if (a->attempt[i].number == p->number)
			(void)json_array_append_new(attempts, attempt_of(&a->attempt[i]));
	return json_pack("{s:o, s:s, s:o, s:b, s:o}", "to", json_words(p->path), "state", where_state_name(state),
	    "next_try", waits ? json_when(r->next_try) : json_null(), "being_tried", waits && r->next_try == 0, "attempts", attempts);
}

static json_t *
event_of(const struct history_event *e)
{
	static const char *const kinds[] = { [HISTORY_HELD] = "held", [HISTORY_RELEASED] = "released", [HISTORY_NOTICE] = "notice",
		[HISTORY_DROPPED] = "dropped", [HISTORY_PURGED] = "purged", [HISTORY_LOST] = "lost", [HISTORY_DONE] = "finished",
		[HISTORY_DISCARDED] = "discarded" };
	bool known = e->kind >= HISTORY_HELD && e->kind < HISTORY_KINDS_END;

	return json_pack("{s:o, s:s, s:o, s:o}", "when", json_when(e->when), "event", known ? kinds[e->kind] : "unknown",
	    "why", json_words(e->words), "notice", e->other != 0 ? id_of(e->other) : json_null());
}

static json_t *
row_of(const struct where_answer *a, size_t row)
{
	const struct where_row *r = &a->row[row];
	const struct history_message *m = &r->message;
	json_t *to = json_array(), *events = json_array();

	for (size_t i = r->first_recipient; i < where_persons_end(a, row); i++)
		(void)json_array_append_new(to, person_of(a, row, &a->person[i]));
	for (size_t i = r->first_event; i < where_events_end(a, row); i++)
		(void)json_array_append_new(events, event_of(&a->event[i]));
	return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:b, s:I, s:o, s:o}", "id", id_of(m->id),
	    "message_id", json_words(m->message_id), "accepted", json_when(m->arrival), "size", (json_int_t)m->size, "from", json_words(m->sender),
	    "login", json_words(m->login), "peer", json_words(m->peer), "tls", json_words(m->tls), "notification", (m->flags & MAIL_DSN) != 0,
	    "recipients", (json_int_t)m->rcpts, "to", to, "events", events);
}

bool
where_print_json(const struct where_answer *a)
{
	json_t *rows = json_array(), *holes = json_array(), *root;
	bool good;

	for (size_t i = 0; i < a->rows; i++)
		(void)json_array_append_new(rows, row_of(a, i));
	for (size_t i = 0; i < a->holes; i++)
		(void)json_array_append_new(holes, json_pack("{s:o, s:o}", "when", json_when(a->hole[i].when), "what", json_words(a->hole[i].words)));
	root = json_pack("{s:o, s:b, s:b, s:o, s:I, s:o}", "messages", rows, "more", a->found.next != 0, "server_runs", !a->offline,
	    "history_begins", json_when(a->found.begun), "behind", (json_int_t)a->behind, "gaps", holes);
	good = json_show(root) && putchar('\n') != EOF;
	json_decref(root);
	return good;
}

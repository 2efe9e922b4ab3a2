/* What `postern queue` shows: a table for people, JSON for programs. */
#include <stdio.h>
#include <stdlib.h>

#include "base/queue_id.h"
#include "cmd/queue.h"
#include "cmd/json_words.h"
#include "cmd/shown.h"
#include "cmd/when.h"
#include "policy/reply_class.h"
#include "queue/record.h"
#include "smtp/client.h"

static const char *
class_name(uint32_t class)
{
	static const char *const names[] = { "delivered", "deferred", "failed" };

	return class < 3 ? names[class] : "waiting";
}

/* What the next hop meant. */
static const char *
queue_kind_name(const struct queue_recipient *r)
{
	bool said = r->class == SMTP_CLASS_LATER || r->class == SMTP_CLASS_NEVER;

	return said && r->kind < REPLY_CLASSES ? reply_class_name((enum reply_class)r->kind) : "";
}

void
queue_id_text(uint64_t id, char out[16])
{
	struct buf b = { (uint8_t *)out, 0, 15 };

	(void)queue_id_format(id, &b);
	out[b.len] = '\0';
}

static int
by_id(const void *a, const void *b)
{
	const struct queue_row *x = a, *y = b;

	return x->entry.id < y->entry.id ? -1 : x->entry.id > y->entry.id;
}

static void
sort(struct queue_answer *a)
{
	if (a->rows > 1)
		qsort(a->row, a->rows, sizeof *a->row, by_id);
}

static void
print_field(const char *name, struct span value)
{
	if (value.len == 0)
		return;
	(void)printf("  %s ", name);
	shown_put(value);
	(void)putchar('\n');
}

/* Since when, why, and what to do about it. */
static void
print_held(const struct queue_entry *e)
{
	char id[16], since[WHEN_ROOM];

	queue_id_text(e->id, id);
	when_format(e->held, since);
	(void)printf("              held since %s: ", since);
	shown_put(e->why);
	(void)printf("\n              (postern queue release %s lets it go, purge drops it)\n", id);
}

/* What its sender wants of the time. */
static void
print_terms(const struct queue_entry *e)
{
	char id[16], when[WHEN_ROOM];
	int32_t priority = (int32_t)e->priority;

	queue_id_text(e->id, id);
	if (e->release != 0) {
		when_format(e->release, when);
		(void)printf("              waits for its release at %s (postern queue cancel %s drops it, reschedule moves it)\n", when, id);
	}
	if (priority != 0)
		(void)printf("              priority %d\n", priority);
	if (e->deadline != 0) {
		when_format(e->deadline, when);
		(void)printf("              to be delivered by %s, else %s%s\n", when,
		    e->by & RECORD_BY_RETURN ? "it goes back to its sender" : "its sender is told",
		    e->by & RECORD_BY_TRACE ? "; each relaying is reported" : "");
	}
}

static void
print_row(const struct queue_entry *e)
{
	char id[16], arrival[WHEN_ROOM], next[WHEN_ROOM], waiting[24];

	queue_id_text(e->id, id);
	when_format(e->arrival, arrival);
	when_format(e->next_try, next);
	(void)snprintf(waiting, sizeof waiting, "%u/%u", e->waiting, e->rcpts);
	(void)printf("%s  %s  %8llu  %7s  %s  <", id, arrival, (unsigned long long)e->size, waiting,
	    e->held != 0 ? "held                " : e->next_try == 0 ? "being tried         " : next);
	shown_put(e->reverse_path);
	(void)printf(">\n");
	if (e->held != 0)
		print_held(e);
	print_terms(e);
	if (e->last.len > 0) {
		(void)printf("              try %u: ", e->attempts);
		shown_put(e->last);
		(void)putchar('\n');
	}
}

static void
print_person(const struct queue_recipient *r)
{
	char when[WHEN_ROOM];

	when_format(r->when, when);
	(void)printf("  %-9s  <", class_name(r->class));
	shown_put(r->path);
	(void)printf(">%s%s", r->when == 0 ? "" : "  ", when);
	if (r->code != 0)
		(void)printf("  %u", r->code);
	if (r->class == SMTP_CLASS_LATER || r->class == SMTP_CLASS_NEVER)
		(void)printf("  %s", queue_kind_name(r));
	(void)putchar('\n');
	print_field("           host", r->host);
	print_field("           tls ", r->tls);
	print_field("           said", r->text);
}

void
queue_print(struct queue_answer *a)
{
	for (size_t i = 0; i < a->rows; i++) {
		print_row(&a->row[i].entry);
		print_field("login", a->row[i].entry.login);
		print_field("peer ", a->row[i].entry.peer);
		print_field("tls  ", a->row[i].entry.tls);
	}
	for (size_t i = 0; i < a->persons; i++)
		print_person(&a->person[i].recipient);
}

void
queue_print_page(struct queue_answer *a, struct queue_total *t)
{
	sort(a);
	if (a->rows > 0 && t->rows == 0)
		(void)printf("ID            ARRIVED (UTC)             SIZE  WAITING  NEXT TRY (UTC)        FROM\n");
	for (size_t i = 0; i < a->rows; i++) {
		print_row(&a->row[i].entry);
		t->octets += a->row[i].entry.size;
	}
	t->rows += a->rows;
}

void
queue_print_total(const struct queue_total *t)
{
	(void)printf("%zu message%s, %llu octets\n", t->rows, t->rows == 1 ? "" : "s", (unsigned long long)t->octets);
}

/* ---- JSON ---- */
static json_t *
row_of(const struct queue_entry *e)
{
	char id[16];

	queue_id_text(e->id, id);
	return json_pack("{s:s, s:o, s:I, s:o, s:b, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:b}", "id", id,
	    "arrived", json_when(e->arrival), "size", (json_int_t)e->size, "next_try", json_when(e->next_try),
	    "being_tried", e->next_try == 0 && e->held == 0, "recipients", (json_int_t)e->rcpts, "waiting", (json_int_t)e->waiting,
	    "attempts", (json_int_t)e->attempts, "from", json_words(e->reverse_path), "login", json_words(e->login),
	    "peer", json_words(e->peer), "tls", json_words(e->tls), "last", json_words(e->last),
	    "held", json_when(e->held), "why_held", e->held == 0 ? json_null() : json_words(e->why),
	    "release", json_when(e->release), "priority", (json_int_t)(int32_t)e->priority, "deliver_by", json_when(e->deadline),
	    "else", e->deadline == 0 ? json_null() : json_string(e->by & RECORD_BY_RETURN ? "return" : "notify"),
	    "trace", (e->by & RECORD_BY_TRACE) != 0);
}

static json_t *
person_of(const struct queue_recipient *r)
{
	return json_pack("{s:o, s:s, s:I, s:s, s:o, s:o, s:o, s:o}", "to", json_words(r->path), "state", class_name(r->class),
	    "code", (json_int_t)r->code, "kind", queue_kind_name(r), "when", json_when(r->when), "host", json_words(r->host),
	    "tls", json_words(r->tls), "text", json_words(r->text));
}

static json_t *
persons_of(const struct queue_answer *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->persons; i++)
		if (json_array_append_new(list, person_of(&a->person[i].recipient)) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static bool
dump(json_t *value)
{
	bool good = json_show(value);

	json_decref(value);
	return good;
}

bool
queue_print_json(struct queue_answer *a)
{
	json_t *row = a->rows == 1 ? row_of(&a->row[0].entry) : json_array();

	if (row != NULL && a->rows == 1 && json_object_set_new(row, "to", persons_of(a)) != 0) {
		json_decref(row);
		row = NULL;
	}
	return dump(row) && putchar('\n') != EOF;
}

bool
queue_print_json_page(struct queue_answer *a, struct queue_total *t)
{
	sort(a);
	for (size_t i = 0; i < a->rows; i++) {
		if (fputs(t->rows++ == 0 ? "[\n" : ",\n", stdout) == EOF || !dump(row_of(&a->row[i].entry)))
			return false;
	}
	return true;
}

void
queue_print_json_total(const struct queue_total *t)
{
	(void)fputs(t->rows == 0 ? "[]\n" : "\n]\n", stdout);
}

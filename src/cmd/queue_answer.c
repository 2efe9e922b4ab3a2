/* Collects what the server answers, in memory of its own, because frames are good only during the call. */
#include <stdlib.h>
#include <string.h>

#include "cmd/queue.h"

/* Copies the octets of spans into one new piece of memory and makes the spans point there. */
static char *
keep(struct span **span, size_t count)
{
	size_t total = 1, at = 0;
	char *text;

	for (size_t i = 0; i < count; i++)
		total += span[i]->len;
	text = malloc(total);
	for (size_t i = 0; text != NULL && i < count; i++) {
		if (span[i]->len > 0)
			memcpy(text + at, span[i]->p, span[i]->len);
		span[i]->p = (const uint8_t *)text + at;
		at += span[i]->len;
	}
	return text;
}

static bool
more(void **array, size_t count, size_t *max, size_t octets)
{
	size_t want = *max == 0 ? 64 : *max * 2;
	void *bigger;

	if (count < *max)
		return true;
	bigger = reallocarray(*array, want, octets);
	if (bigger == NULL)
		return false;
	*array = bigger;
	*max = want;
	return true;
}

bool
queue_row_add(struct queue_answer *a, const struct queue_entry *entry)
{
	void *array = a->row;
	struct queue_row *row;
	struct queue_entry *e;

	if (!more(&array, a->rows, &a->rows_max, sizeof *a->row))
		return false;
	a->row = array;
	row = &a->row[a->rows];
	e = &row->entry;
	*e = *entry;
	row->text = keep((struct span *[]){ &e->reverse_path, &e->login, &e->peer, &e->tls, &e->last, &e->why }, 6);
	a->rows += row->text != NULL;
	return row->text != NULL;
}

bool
queue_person_add(struct queue_answer *a, const struct queue_recipient *recipient)
{
	void *array = a->person;
	struct queue_person *person;
	struct queue_recipient *r;

	if (!more(&array, a->persons, &a->persons_max, sizeof *a->person))
		return false;
	a->person = array;
	person = &a->person[a->persons];
	r = &person->recipient;
	*r = *recipient;
	person->text = keep((struct span *[]){ &r->path, &r->host, &r->tls, &r->text }, 4);
	a->persons += person->text != NULL;
	return person->text != NULL;
}

void
queue_answer_empty(struct queue_answer *a)
{
	for (size_t i = 0; i < a->rows; i++)
		free(a->row[i].text);
	for (size_t i = 0; i < a->persons; i++)
		free(a->person[i].text);
	a->rows = a->persons = 0;
}

void
queue_answer_free(struct queue_answer *a)
{
	queue_answer_empty(a);
	free(a->row);
	free(a->person);
}

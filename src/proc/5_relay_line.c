/* Attempts that wait at a destination: a line for each principal, and the lines take turns. */
#include <stdlib.h>

#include "proc/5_relay.h"
#include "queue/schedule.h"

static struct relay_line **
bucket_of(struct relay *relay, const struct relay_destination *d, uint32_t principal)
{
	uint32_t hash = ((uint32_t)((uintptr_t)d >> 6) ^ principal) * 2654435761u;

	return &relay->line[hash >> 16 & (RELAY_LINE_BUCKETS - 1)];
}

static struct relay_line *
line_new(struct relay_destination *d, uint32_t principal)
{
	struct relay_line **bucket = bucket_of(d->relay, d, principal);
	struct relay_line *l = malloc(sizeof *l);

	if (l == NULL)
		return NULL;
	*l = (struct relay_line){ .bucket_next = *bucket, .next = l, .prev = l, .to = d, .principal = principal, .last = &l->first };
	*bucket = l;
	if (d->turn == NULL) {
		d->turn = l;
		return l;
	}
	/* Behind all others: in front of whose turn it is. */
	l->next = d->turn;
	l->prev = d->turn->prev;
	l->prev->next = l;
	l->next->prev = l;
	return l;
}

static void
line_free(struct relay_line *l)
{
	struct relay_line **at = bucket_of(l->to->relay, l->to, l->principal);

	while (*at != l)
		at = &(*at)->bucket_next;
	*at = l->bucket_next;
	if (l->to->turn == l)
		l->to->turn = l->next == l ? NULL : l->next;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	free(l);
}

static struct relay_line *
line_of(struct relay_destination *d, uint32_t principal)
{
	struct relay_line *l = *bucket_of(d->relay, d, principal);

	while (l != NULL && (l->to != d || l->principal != principal))
		l = l->bucket_next;
	return l != NULL ? l : line_new(d, principal);
}

/* Does the new one stand behind this one? It does when this one is as urgent (RFC 6710 4.2), or has been passed by often enough. */
static bool
keeps_place(const struct relay_attempt *a, const struct relay_attempt *new)
{
	return (int32_t)a->facts.priority >= (int32_t)new->facts.priority || a->passed >= SCHEDULE_OVERTAKES;
}

/* 4_spool gives us no more than a window of them. */
static void
enqueue(struct relay_line *l, struct relay_attempt *a)
{
	struct relay_attempt **at = l->last;

	l->ranked = l->ranked || a->facts.priority != 0;
	if (l->ranked) {
		at = &l->first;
		for (struct relay_attempt *b = l->first; b != NULL; b = b->next)
			if (keeps_place(b, a))
				at = &b->next;
		for (struct relay_attempt *b = *at; b != NULL; b = b->next)
			b->passed++;
	}
	a->next = *at;
	*at = a;
	if (a->next == NULL)
		l->last = &a->next;
}

bool
relay_line_add(struct relay_destination *d, struct relay_attempt *a)
{
	struct relay_line *l = line_of(d, a->principal);

	if (l == NULL)
		return false;
	enqueue(l, a);
	d->waiting++;
	return true;
}

bool
relay_line_put_back(struct relay_destination *d, struct relay_attempt *a)
{
	struct relay_line *l = line_of(d, a->principal);

	if (l == NULL)
		return false;
	a->next = l->first;
	l->first = a;
	if (a->next == NULL)
		l->last = &a->next;
	d->turn = l;
	d->waiting++;
	return true;
}

struct relay_attempt *
relay_line_take(struct relay_destination *d)
{
	struct relay_line *l = d->turn;
	struct relay_attempt *a;

	if (l == NULL)
		return NULL;
	a = l->first;
	l->first = a->next;
	a->next = NULL;
	d->waiting--;
	d->turn = l->next;
	if (l->first == NULL)
		line_free(l);
	return a;
}

void
relay_line_walk(const struct relay_destination *d, uint32_t most, void (*each)(void *arg, struct span destination), void *arg)
{
	const struct relay_line *l = d->turn;

	if (l == NULL)
		return;
	do {
		for (const struct relay_attempt *a = l->first; a != NULL && most > 0; a = a->next, most--)
			each(arg, a->facts.destination);
		l = l->next;
	} while (l != d->turn && most > 0);
}

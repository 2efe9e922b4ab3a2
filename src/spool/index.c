#include "spool/index.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST = 1024 };

static uint32_t *
bucket_of(const struct index *x, uint64_t id)
{
	/* Ids of one front differ in few bits: mix them. */
	id *= UINT64_C(0x9e3779b97f4a7c15);
	return &x->bucket[id >> 32 & (x->buckets - 1)];
}

bool
index_init(struct index *x)
{
	*x = (struct index){ .free = INDEX_NONE, .buckets = FIRST };
	x->bucket = malloc(FIRST * sizeof *x->bucket);
	if (x->bucket == NULL)
		return false;
	for (uint32_t i = 0; i < FIRST; i++)
		x->bucket[i] = INDEX_NONE;
	return true;
}

static void
entry_release(struct entry *e)
{
	if (e->rcpts > 1)
		free(e->last.many);
	free(e->hold);
}

void
index_fini(struct index *x)
{
	for (uint32_t i = 0; i < x->used; i++)
		if (x->entry[i].used)
			entry_release(&x->entry[i]);
	free(x->entry);
	free(x->bucket);
}

uint32_t
index_find(const struct index *x, uint64_t id)
{
	uint32_t i = *bucket_of(x, id);

	while (i != INDEX_NONE && x->entry[i].id != id)
		i = x->entry[i].next;
	return i;
}

static bool
more_buckets(struct index *x)
{
	uint32_t buckets = x->buckets * 2;
	uint32_t *bigger = reallocarray(x->bucket, buckets, sizeof *bigger);

	if (bigger == NULL)
		return false;
	x->bucket = bigger;
	x->buckets = buckets;
	for (uint32_t i = 0; i < buckets; i++)
		x->bucket[i] = INDEX_NONE;
	for (uint32_t i = 0; i < x->used; i++)
		if (x->entry[i].used) {
			uint32_t *at = bucket_of(x, x->entry[i].id);

			x->entry[i].next = *at;
			*at = i;
		}
	return true;
}

static uint32_t
take_slot(struct index *x)
{
	uint32_t slot = x->free;

	if (slot != INDEX_NONE) {
		x->free = x->entry[slot].next;
		return slot;
	}
	if (x->used == x->max) {
		uint32_t more = x->max == 0 ? FIRST : x->max + x->max / 2;
		struct entry *bigger = reallocarray(x->entry, more, sizeof *bigger);

		if (bigger == NULL)
			return INDEX_NONE;
		x->entry = bigger;
		x->max = more;
	}
	return x->used++;
}

uint32_t
index_add(struct index *x, uint64_t id, uint32_t rcpts)
{
	uint64_t *many = NULL;
	uint32_t slot, *at;

	assert(index_find(x, id) == INDEX_NONE);
	if (x->count >= x->buckets && !more_buckets(x))
		return INDEX_NONE;
	if (rcpts > 1 && (many = calloc(rcpts, sizeof *many)) == NULL)
		return INDEX_NONE;
	slot = take_slot(x);
	if (slot == INDEX_NONE) {
		free(many);
		return INDEX_NONE;
	}
	at = bucket_of(x, id);
	x->entry[slot] = (struct entry){ .id = id, .rcpts = rcpts, .waiting = rcpts, .job = INDEX_NONE, .next = *at,
		.once = UINT32_MAX, .used = true };
	if (rcpts > 1)
		x->entry[slot].last.many = many;
	*at = slot;
	x->count++;
	x->rcpts += rcpts;
	return slot;
}

void
index_remove(struct index *x, uint32_t slot)
{
	struct entry *e = &x->entry[slot];
	uint32_t *at = bucket_of(x, e->id);

	while (*at != slot)
		at = &x->entry[*at].next;
	*at = e->next;
	x->rcpts -= e->rcpts;
	entry_release(e);
	*e = (struct entry){ .next = x->free };
	x->free = slot;
	x->count--;
}

uint64_t *
entry_last(struct entry *e, uint32_t number)
{
	assert(number < e->rcpts);
	return e->rcpts == 1 ? &e->last.one : &e->last.many[number];
}

bool
entry_final(struct entry *e, uint32_t number)
{
	return (*entry_last(e, number) & LAST_FINAL) != 0;
}

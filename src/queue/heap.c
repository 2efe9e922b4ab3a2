#include "queue/heap.h"

static uint32_t
meld(const struct heap *h, const struct schedule *s, uint32_t a, uint32_t b)
{
	struct heap_link *top, *under;

	if (a == SCHEDULE_NONE || b == SCHEDULE_NONE)
		return a == SCHEDULE_NONE ? b : a;
	if (h->before(s, b, a)) {
		uint32_t swap = a;

		a = b;
		b = swap;
	}
	top = h->at(s, a);
	under = h->at(s, b);
	under->prev = a;
	under->next = top->child;
	if (top->child != SCHEDULE_NONE)
		h->at(s, top->child)->prev = b;
	top->child = b;
	return a;
}

/* Meld a list of siblings in pairs, then the pairs from last to first: the two passes that make the heap cheap. Between the
 * passes the pairs hang on each other by prev, so there is no recursion however many there are. */
static uint32_t
meld_list(const struct heap *h, const struct schedule *s, uint32_t first)
{
	uint32_t pairs = SCHEDULE_NONE, root = SCHEDULE_NONE;

	while (first != SCHEDULE_NONE) {
		uint32_t second = h->at(s, first)->next;
		uint32_t rest = second == SCHEDULE_NONE ? SCHEDULE_NONE : h->at(s, second)->next;
		uint32_t pair;

		h->at(s, first)->next = SCHEDULE_NONE;
		if (second != SCHEDULE_NONE)
			h->at(s, second)->next = SCHEDULE_NONE;
		pair = meld(h, s, first, second);
		h->at(s, pair)->prev = pairs;
		pairs = pair;
		first = rest;
	}
	while (pairs != SCHEDULE_NONE) {
		uint32_t before = h->at(s, pairs)->prev;

		h->at(s, pairs)->next = SCHEDULE_NONE;
		root = meld(h, s, root, pairs);
		pairs = before;
	}
	if (root != SCHEDULE_NONE)
		h->at(s, root)->prev = SCHEDULE_NONE;
	return root;
}

uint32_t
heap_add(const struct heap *h, const struct schedule *s, uint32_t root, uint32_t index)
{
	struct heap_link *link = h->at(s, index);

	link->child = link->next = link->prev = SCHEDULE_NONE;
	root = meld(h, s, root, index);
	h->at(s, root)->prev = SCHEDULE_NONE;
	return root;
}

uint32_t
heap_remove(const struct heap *h, const struct schedule *s, uint32_t root, uint32_t index)
{
	struct heap_link *link = h->at(s, index);
	uint32_t below = meld_list(h, s, link->child);

	link->child = SCHEDULE_NONE;
	if (index == root)
		return below;
	if (h->at(s, link->prev)->child == index)
		h->at(s, link->prev)->child = link->next;
	else
		h->at(s, link->prev)->next = link->next;
	if (link->next != SCHEDULE_NONE)
		h->at(s, link->next)->prev = link->prev;
	root = meld(h, s, root, below);
	h->at(s, root)->prev = SCHEDULE_NONE;
	return root;
}

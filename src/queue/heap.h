/*
 * queue/heap.h - a pairing heap whose links lie inside the elements of somebody's array. Pure.
 *
 * Owner     the caller owns the array; at() and before() tell where an element's link is and which of two comes first.
 * Blocks    never. Takes constant time to add, amortised logarithmic time to remove.
 */
#ifndef POSTERN_QUEUE_HEAP_H
#define POSTERN_QUEUE_HEAP_H

#include "queue/schedule.h"

struct heap {
	struct heap_link *(*at)(const struct schedule *, uint32_t index);
	bool (*before)(const struct schedule *, uint32_t a, uint32_t b);
};

/* The new root after index, which must be in no heap, has been added below or above root (SCHEDULE_NONE: an empty heap). */
uint32_t heap_add(const struct heap *, const struct schedule *, uint32_t root, uint32_t index);
/* The new root after index, which must be in the heap of root, has been taken out. */
uint32_t heap_remove(const struct heap *, const struct schedule *, uint32_t root, uint32_t index);

#endif

/*
 * proc/4_spool_show.h - who reads content by himself gets each segment's descriptor once, before the first message that needs it.
 * Private to 4_spool*.c. 7_history, which reads everything, is shown segments by 4_spool_history.c.
 *
 * Owner     the segment has a bit for each of them.
 * Blocks    on opening a file.
 */
#ifndef POSTERN_PROC_4_SPOOL_SHOW_H
#define POSTERN_PROC_4_SPOOL_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct keeper;

enum show { SHOW_RELAY = 1, SHOW_MILTER = 2 };

/* Every segment that the extents name. False: one of them cannot be had. */
bool show_segments(struct keeper *, enum show, struct span extents);
/* He is gone, and what he had with him. */
void show_forget(struct keeper *, enum show);
/* The segment is about to be removed: said to all of them. */
void show_gone(struct keeper *, uint64_t segment);

#endif

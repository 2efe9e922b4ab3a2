/*
 * base/queue_id.h - the name a message has in the trace field, in every log line and in `postern queue`.
 *
 * Twelve lower-case letters and digits (no e, i, o, u): 42 bits of milliseconds, 8 of the front's slot, 10 of a
 * counter, so that ids sort by time and two fronts never make the same one.
 */
#ifndef POSTERN_BASE_QUEUE_ID_H
#define POSTERN_BASE_QUEUE_ID_H

#include "base/buf.h"

enum { QUEUE_ID_LEN = 12 };

struct queue_id_maker {
	uint64_t last;          /* last millisecond used */
	uint32_t count;         /* ids made in it */
	uint8_t slot;
};

/* The next id of this maker as a number; never the same twice, also when the clock stands still or steps back. */
uint64_t queue_id_next(struct queue_id_maker *, uint64_t now_ms);
/* Whose it is. */
uint8_t queue_id_slot(uint64_t id);
/* Twelve characters onto out. */
bool queue_id_format(uint64_t id, struct buf *out);
/* The inverse; false when text is not an id. None is 0, so 0 may stand for "no message" or "all". */
bool queue_id_parse(struct span text, uint64_t *id);

#endif

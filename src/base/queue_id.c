#include "base/queue_id.h"

enum { COUNT_BITS = 10, SLOT_BITS = 8, TIME_BITS = 42 };

static const char alphabet[] = "0123456789abcdfghjklmnpqrstvwxyz";

uint64_t
queue_id_next(struct queue_id_maker *m, uint64_t now_ms)
{
	if (now_ms > m->last) {
		m->last = now_ms;
		m->count = 0;
	} else if (++m->count == UINT32_C(1) << COUNT_BITS) {
		/* More than the counter holds in one millisecond: borrow from the next. */
		m->last++;
		m->count = 0;
	}
	return (m->last & ((UINT64_C(1) << TIME_BITS) - 1)) << (SLOT_BITS + COUNT_BITS)
	    | (uint64_t)m->slot << COUNT_BITS | m->count;
}

uint8_t
queue_id_slot(uint64_t id)
{
	return (uint8_t)(id >> COUNT_BITS & ((1u << SLOT_BITS) - 1));
}

bool
queue_id_format(uint64_t id, struct buf *out)
{
	uint8_t text[QUEUE_ID_LEN];

	for (size_t i = QUEUE_ID_LEN; i > 0; i--, id >>= 5)
		text[i - 1] = (uint8_t)alphabet[id & 31];
	return buf_put(out, (struct span){ text, sizeof text });
}

bool
queue_id_parse(struct span text, uint64_t *id)
{
	struct span letters = { (const uint8_t *)alphabet, sizeof alphabet - 1 };
	uint64_t v = 0;

	if (text.len != QUEUE_ID_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		size_t digit = span_find(letters, text.p[i]);

		if (digit == letters.len)
			return false;
		v = v << 5 | digit;
	}
	*id = v;
	return v != 0;
}

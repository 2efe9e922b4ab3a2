/*
 * conf/keys.h - the table of settings: one row for each. Private to the room.
 */
#ifndef POSTERN_CONF_KEYS_H
#define POSTERN_CONF_KEYS_H

#include "conf/conf.h"

struct conf_row {
	struct conf_key key;
	/* Text to value; false with a clause in why. */
	bool (*parse)(struct conf *, const struct conf_row *, struct span text, struct buf *why);
	/* Value to text. Item counts for repeatable keys. */
	bool (*format)(const struct conf *, const struct conf_row *, size_t item, struct buf *out);
	size_t offset;                  /* of the member in struct conf */
	uint64_t least, most;           /* of numbers, sizes and durations */
	const char *standard;           /* default as text; NULL: none, or made by conf_finish() */
};

/* Ends with a row without a name. */
extern const struct conf_row conf_rows[];

#endif

/*
 * cmd/when.h - a point in time as people write it on a command line.
 *
 * "2026-11-23T08:00:00Z" (RFC 3339, any offset), "now", or how long from now: "2 h", "90min", "+3d". Blocks never.
 */
#ifndef POSTERN_CMD_WHEN_H
#define POSTERN_CMD_WHEN_H

#include "base/span.h"
#include "mail/timestamp.h"

enum { WHEN_ROOM = TIMESTAMP_LEN + 1 };

/* What the user is told when it is none of them. */
#define WHEN_FORMS "a time like 2026-11-23T08:00:00Z, or how long from now, like 90min, 2h, 3d"

/* Into ms since 1970; now too. False: none of them. */
bool when_parse(struct span text, uint64_t now, uint64_t *when);
/* The way back: "2026-11-22T10:00:00Z"; empty for 0, which is no time. */
void when_format(uint64_t ms, char out[WHEN_ROOM]);

#endif

/*
 * mail/timestamp.h - points in time as RFC 3339 writes them: HOLDUNTIL (RFC 4865 3), EHLO's FUTURERELEASE, notifications.
 *
 * Owner     the caller. Blocks never. Units ms since 1970.
 * Fails     false: malformed, before 1970, or out has no room; nothing is written then.
 */
#ifndef POSTERN_MAIL_TIMESTAMP_H
#define POSTERN_MAIL_TIMESTAMP_H

#include "base/buf.h"

enum { TIMESTAMP_LEN = 20 };            /* "2026-11-22T10:00:00Z" */

/* RFC 3339 5.6 date-time, the whole of text. A fraction of a second counts as a whole one, so that nothing comes early. */
bool timestamp_parse(struct span text, uint64_t *ms);
/* In UTC, whole seconds; what is left of a second is dropped. Until the year 9999. */
bool timestamp_format(uint64_t ms, struct buf *out);

#endif

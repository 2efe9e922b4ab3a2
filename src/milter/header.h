/*
 * milter/header.h - a header section while milters change it. Pure.
 *
 * What they add must be a field as RFC 5322 2.2 has it: folded by CRLF and a space or tab, no other CR, no LF, no NUL. They give
 * folds as LF or CRLF. The first Received of the section is ours: milters do not see it, and it is never the one that they
 * change; where they insert, it counts (Sendmail's smfi_insheader: 0 is before it).
 *
 * Owner     text is the caller's: the section, without the empty line, with room to grow.
 * Blocks    never.
 * Fails     false: no room, text as it was.
 */
#ifndef POSTERN_MILTER_HEADER_H
#define POSTERN_MILTER_HEADER_H

#include "base/buf.h"

enum {
	MILTER_HEADER_GROWTH = 64 * 1024,       /* octets that milters may add to a section */
	MILTER_NAME_MAX = 255,
};

/* NULL, or in words why these make no field. */
const char *milter_field_wrong(struct span name, struct span value);

/* spaced: value begins with its own space behind the colon, if it is to have one (SMFIP_HDR_LEADSPC). */
bool milter_header_add(struct buf *text, struct span name, struct span value, bool spaced);
/* index: how many fields stand before it; more than there are is at the end. */
bool milter_header_insert(struct buf *text, uint32_t index, struct span name, struct span value, bool spaced);
/* The index-th (from 1) field of this name gets the value; an empty one takes it away. One that is not there is added. */
bool milter_header_change(struct buf *text, uint32_t index, struct span name, struct span value, bool spaced);

/* Octets of the header section in front of content: up to the empty line, or to what is no field. */
size_t milter_header_length(struct span content);
/* NULL, or why no message may have such a header: what mail/header.h refuses. */
const char *milter_header_wrong(struct span text, bool utf8);

#endif

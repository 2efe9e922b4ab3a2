/*
 * base/utf8.h - which octets above 127 are characters (RFC 3629; RFC 6532 3.1 wants nothing else in a header).
 *
 * Owner     the caller. Blocks never.
 */
#ifndef POSTERN_BASE_UTF8_H
#define POSTERN_BASE_UTF8_H

#include "base/span.h"

/* Octets, 1 to 4, of the well-formed character at the front of s; 0 when there is none: overlong, surrogate, cut short. */
size_t utf8_width(struct span s);

/* Nothing but well-formed characters. */
bool utf8_valid(struct span s);

/* No octet above 127. */
bool utf8_is_ascii(struct span s);

#endif

/*
 * milter/lines.h - a body that a milter gave, made such as SMTP carries it (RFC 5321 2.3.8, 4.5.3.1.6). Pure.
 *
 * LF alone becomes CRLF, which is what milters that know Unix only mean; a bare CR, a NUL and a line of more than 998 octets are
 * refused; the last line gets its end.
 *
 * Owner     struct milter_lines is the caller's, one for each body. Blocks never.
 */
#ifndef POSTERN_MILTER_LINES_H
#define POSTERN_MILTER_LINES_H

#include "base/buf.h"

enum { MILTER_LINE_MAX = 998 };

struct milter_lines {
	size_t column;
	bool cr;                        /* a CR has come, its LF has not */
	bool eightbit;                  /* it has octets above 127 */
};

/* Take from the front of in what fits into out. NULL, or what is wrong. in stays unfinished only when out is full. */
const char *milter_lines_take(struct milter_lines *, struct span *in, struct buf *out);
/* The same at the end; out has room for 2. */
const char *milter_lines_end(struct milter_lines *, struct buf *out);

#endif

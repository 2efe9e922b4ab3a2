/*
 * cmd/shown.h - what strangers wrote, on stdout, so that it does not drive the terminal. Never blocks but on stdout.
 */
#ifndef POSTERN_CMD_SHOWN_H
#define POSTERN_CMD_SHOWN_H

#include "base/span.h"

/* Octets of the next character when it is one that only shows, 0 when it is none or controls the terminal (U+0080 to U+009F, too). Not at
 * the end of s. */
size_t shown_width(struct span s);
/* What is no character that shows is a '?'. */
void shown_put(struct span);

#endif

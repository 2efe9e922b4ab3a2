/*
 * mail/unitext.h - an original recipient of type utf-8, in the two ways it may be written (RFC 6533 3): with its characters, or
 * with "\x{F6}" for them where only ASCII may stand.
 *
 * Owner     the caller. Blocks never.
 * Fails     false, and nothing written, when out has no room.
 */
#ifndef POSTERN_MAIL_UNITEXT_H
#define POSTERN_MAIL_UNITEXT_H

#include "base/buf.h"

/* "utf-8;jörg@b.example" to "utf-8;j\x{F6}rg@b.example"; what is ASCII stays. */
bool unitext_narrow(struct span text, struct buf *out);
/* The way back, of the address alone: a character for each \x{...} that stands for one that may be shown, the rest as it is. */
bool unitext_widen(struct span address, struct buf *out);

#endif

/*
 * mail/pen.h - writes what strangers said into a message of ours, so that it stays within its line and its alphabet.
 *
 * One pen writes one piece, all or nothing: whatever is written when out is full is forgotten at pen_end().
 *
 * Owner     the caller. Blocks never.
 */
#ifndef POSTERN_MAIL_PEN_H
#define POSTERN_MAIL_PEN_H

#include "base/buf.h"

struct pen {
	struct buf *out;
	size_t before;          /* out->len when the piece began */
	uint16_t column;        /* of the line being written */
	bool space;             /* it ends in a space so far (quoted-printable) */
	bool utf8;              /* fields may have characters above 127 (RFC 6532); pen_begin() says no */
	bool good;
};

/* Begins at column 0, not after a space; set both when a line goes on that another pen began. */
void pen_begin(struct pen *, struct buf *out);
/* True when everything fitted; else out is as it was. */
bool pen_end(struct pen *);

/* As they are. */
void pen_text(struct pen *, const char *);
void pen_span(struct pen *, struct span);

/* Printable ASCII, spaces, and with utf8 what else is printable; '?' for everything else, folded at spaces: the value of a header or report field. */
void pen_field(struct pen *, struct span);
/* The same, from xtext (RFC 3461 4): "+2B" is '+'. */
void pen_xtext(struct pen *, struct span);
/* An address as utf-8-addr-unitext (RFC 6533 3): \x{F6} for what is not ASCII. */
void pen_unitext(struct pen *, struct span address);

/* Quoted-printable (RFC 2045 6.7): our own text, where LF ends a line. */
void pen_quoted(struct pen *, const char *);
/* The same for a stranger's words: control characters and what is not UTF-8 become '?'. */
void pen_quoted_safe(struct pen *, struct span);
/* One octet of quoted-printable that is not a line end. */
void pen_quoted_octet(struct pen *, uint8_t);
/* A line end of quoted-printable. */
void pen_quoted_newline(struct pen *);

#endif

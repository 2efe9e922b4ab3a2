/*
 * smtp/reply_line.h - what a peer replies, line by line (RFC 5321 4.2, 4.2.1). Pure. Every client of ours reads with this: smtp/client, and
 * smtp/probe, which examines what smtp/client would refuse.
 *
 * Owner     the caller; text points into in. No copy is kept: a line is used only whole, so there must be room for
 *           SMTP_REPLY_LINE_MAX octets.
 * Blocks    never.
 * Fails     SMTP_REPLY_BAD, with the reason in fault: what comes behind it would be read at a guess, so nobody may go on.
 */
#ifndef POSTERN_SMTP_REPLY_LINE_H
#define POSTERN_SMTP_REPLY_LINE_H

#include "base/span.h"

enum {
	SMTP_REPLY_LINE_MAX = 4096,     /* one line of a reply that we still read */
	SMTP_REPLY_LINES_MAX = 128,     /* lines of one reply; more is an attack */
};

enum smtp_reply_step {
	SMTP_REPLY_MORE,        /* no whole line yet */
	SMTP_REPLY_PART,        /* a line, and more of this reply will come */
	SMTP_REPLY_LAST,        /* the last line of a reply */
	SMTP_REPLY_BAD,
};

enum smtp_reply_fault {
	SMTP_REPLY_SOUND,
	SMTP_REPLY_LINE_LONG,   /* more than SMTP_REPLY_LINE_MAX octets */
	SMTP_REPLY_ENDLESS,     /* more than SMTP_REPLY_LINES_MAX lines */
	SMTP_REPLY_BARE_LF,     /* RFC 5321 2.3.8: the peer and we would not agree on where its replies end */
	SMTP_REPLY_NO_CODE,     /* not SMTP at all */
	SMTP_REPLY_MIXED,       /* half yes, half no: not to be guessed at */
};

/* All zeros to begin with. */
struct smtp_reply_reader {
	bool lenient;           /* for who examines: a lone LF, any three digits and mixed codes are let through */
	uint8_t fault;          /* enum smtp_reply_fault */
	uint16_t code;          /* of the newest line */
	uint16_t lines;         /* of the reply that is under way; 0: none is */
};

struct smtp_reply_line {
	uint16_t code;          /* 0: none could be read */
	struct span text;       /* behind the code and its space or hyphen, without the line's end; BAD without a code: what came instead */
};

/* Use one line off the front of in. */
enum smtp_reply_step smtp_reply_read(struct smtp_reply_reader *, struct span in, struct smtp_reply_line *, size_t *used);

#endif

/*
 * base/fail.h - every way in which something may not work, whose turn it then is, and in what words we say so.
 *
 * One table (fail.c) turns a failure into an SMTP reply (RFC 5321 4.2, RFC 3463, RFC 5248) and words. The first digit of the
 * reply and of the enhanced code always agree (RFC 2034 4).
 */
#ifndef POSTERN_BASE_FAIL_H
#define POSTERN_BASE_FAIL_H

#include "base/span.h"

enum fail {
	OK = 0,
	/* The peer's: answer and go on. */
	FAIL_SYNTAX,            /* argument malformed */
	FAIL_COMMAND,           /* unknown command */
	FAIL_UNIMPLEMENTED,     /* known, not offered: EXPN, BURL, TURN */
	FAIL_LINE_LONG,
	FAIL_EIGHTBIT_COMMAND,  /* octets above 127 in a command without SMTPUTF8 */
	FAIL_ARGUMENT,          /* an argument where none may be */
	FAIL_ORDER,             /* bad sequence of commands */
	FAIL_NEED_TLS,
	FAIL_NEED_AUTH,
	FAIL_MECHANISM,
	FAIL_AUTH_CANCELLED,
	FAIL_BASE64,
	FAIL_AUTH_LINE_LONG,
	FAIL_CREDENTIALS,       /* wrong, unknown, or authzid refused: one text for all */
	FAIL_DISABLED,          /* account off or key expired, after correct credentials only */
	FAIL_MECHANISM_WEAK,
	FAIL_SENDER_SYNTAX,
	FAIL_RCPT_SYNTAX,
	FAIL_SENDER_DOMAIN,     /* not fully qualified */
	FAIL_RCPT_DOMAIN,
	FAIL_SENDER_DENIED,     /* reverse-path is not this principal's */
	FAIL_AUTHOR_DENIED,     /* From field is not this principal's */
	FAIL_PARAM_UNKNOWN,
	FAIL_PARAM_BAD,
	FAIL_PARAM_SYNTAX,      /* MT-PRIORITY alone is refused so (RFC 6710 4.1) */
	FAIL_HELD_MANY,         /* the principal has as many messages waiting for their release as it may (RFC 4865 6) */
	FAIL_PRIORITY_LOW,
	FAIL_PRIORITY_SIZE,     /* too big for the priority that it asks for */
	FAIL_BY_SHORT,          /* less time than it takes us (RFC 2852 4.1) */
	FAIL_TOO_BIG,
	FAIL_RCPT_MANY,
	FAIL_NO_RCPT,
	FAIL_CONTENT,           /* bare CR or LF, NUL, malformed header, line too long */
	FAIL_LOOP,
	FAIL_UTF8_SENDER,
	FAIL_UTF8_RCPT,
	FAIL_UTF8_CONTENT,
	FAIL_TOO_MANY_ERRORS,
	FAIL_GUESSING,          /* too many wrong secrets from this network; said, then the connection ends */
	FAIL_SLOW_DOWN,         /* the principal's budget is used up for now */
	FAIL_LOCKED,            /* the principal looks stolen; the operator must unlock it */
	FAIL_CROWDED,           /* its place is needed, and its network has most of those who have proved nothing */
	FAIL_AUTH_LATE,         /* not authenticated in time; said, then the connection ends */
	FAIL_TOO_SLOW,          /* content drips; the same */
	FAIL_FILTERED,          /* a milter does not want this message */
	/* The world's: not now. */
	FAIL_TLS_UNAVAILABLE,
	FAIL_AUTH_BACKEND,
	FAIL_DISK_FULL,
	FAIL_DOUBT,             /* a sync failed: nothing is accepted until a restart has re-read the disk */
	FAIL_BUSY,              /* who is to be asked is not there */
	FAIL_MEMORY,            /* no memory for this message */
	FAIL_DRAFTS_MANY,       /* too much comes in at once */
	FAIL_BEHIND,            /* too much waits to be written */
	FAIL_TIMEOUT,
	FAIL_SHUTDOWN,
	FAIL_FORGOTTEN,         /* the 3_auth that saw the proof is gone; said, then the connection ends */
	FAIL_FILTER_LATER,      /* a milter does not want it now, or does not answer */
	/* Ours. */
	FAIL_LOCAL,
	FAIL_MAX
};

enum blame { BLAME_NOBODY, BLAME_PEER, BLAME_WORLD, BLAME_SELF };

struct fail_row {
	enum blame blame;
	uint16_t smtp;          /* reply code */
	char enhanced[8];       /* RFC 3463 */
	const char *text;       /* no CR, no LF, at most 100 octets */
};

/* The row of f; asserts that f is one of the enum. */
const struct fail_row *fail_row(enum fail f);

/* A failure with words of its own: empty words mean the row's text. */
struct verdict {
	enum fail fail;
	struct span words;      /* no CR, no LF; valid only during the call it is given to */
};

#endif

/*
 * smtp/ceilings.h - how much a client may make the server's half read, remember and answer before it gets 421.
 *
 * docs/limits.md is made from these; `postern check --limits` prints it. Memory is bounded by the structs of smtp/server.h.
 */
#ifndef POSTERN_SMTP_CEILINGS_H
#define POSTERN_SMTP_CEILINGS_H

enum {
	/* ---- sizes (requirements F3) ---- */
	SMTP_COMMAND_MAX = 4096,        /* a command line with CRLF; RFC 5321 4.5.3.1.4 plus every extension's growth */
	SMTP_AUTH_LINE_MAX = 12288,     /* RFC 4954 4 */
	SMTP_TEXT_LINE_MAX = 1000,      /* RFC 5321 4.5.3.1.6, with CRLF */
	SMTP_LINE_KEPT = SMTP_AUTH_LINE_MAX + 512,
	SMTP_REPLY_ROOM = 1024,         /* what one reply may take in io->out */
	SMTP_CONTENT_ROOM = 4096,       /* the least that io->content must hold when empty, from the answer to DATA on */
	SMTP_CHALLENGE_MAX = 744,       /* octets of an AUTH challenge, so that its base64 fits in SMTP_REPLY_ROOM */
	SMTP_HELO_MAX = 255,
	SMTP_ENHANCED_MAX = 11,         /* octets of an enhanced code, 5.999.999 and a little */
	SMTP_SIZE_LEAST = 64 * 1024,    /* RFC 5321 4.5.3.1.7 */

	/* ---- what brings nothing forward ---- */
	SMTP_ERRORS_MAX = 20,           /* senseless commands since the last accepted message before 421; ours */
	SMTP_AUTH_FAILURES_MAX = 3,     /* RFC 4954 9 says not fewer */
	SMTP_NOTHING_MAX = 100,         /* commands in a row that bring nothing forward (NOOP, RSET, VRFY, HELP, EHLO, BDAT 0); ours */
	SMTP_HEARD_MAX = 128 * 1024,    /* octets before AUTH: three exchanges with the longest lines take a third of it */
	SMTP_TRIES_MAX = 200,           /* MAIL and DATA since the last accepted message: a hundred refused ones in a row */
	SMTP_OVERSHOOT_MAX = 10000,     /* RCPT beyond rcpt_max in one transaction: a long list, pipelined, gets its 452s (9422-2) */
	SMTP_CONTENT_TIMES = 2,         /* times size_max: content that is read to its end, only to say 552; with stuffed dots */
	SMTP_SWALLOW_TIMES = 4,         /* times size_max: octets of refused chunks and endless lines since the last accepted message (3030-2) */
};

#endif

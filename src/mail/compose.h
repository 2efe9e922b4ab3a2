/*
 * mail/compose.h - makes a message that a person or a program typed into one that may be submitted: `postern send`, sendmail.
 *
 * Line ends (LF or CRLF) become CRLF, so that no bare CR or LF is ever sent (5321-2). A first line "From ..." of a mailbox
 * file is dropped when a header follows. Without any header section one is made. From, Date and Message-ID are added when missing; Bcc, Resent-Bcc
 * and Return-Path are removed (5322-7, 5321-43); addresses without a domain get ours. With a Resent- block (RFC 5322 3.6.6)
 * the missing Resent-From, Resent-Date and Resent-Message-ID are added in front of it, and From, Date and Message-ID stay as
 * they are (5322-8). A Subject, Comments, Organization, X- field, comment or person's name that is not ASCII is written in encoded-words (RFC 2047), and a
 * domain in A-labels, unless something else needs SMTPUTF8 anyhow. A header line of more than 998 octets is folded at a space (RFC 5322 2.2.3) or
 * behind the comma between two addresses. A body whose lines
 * are too long, or that has NUL octets, passes as it is and sets `unfit`: mail/downgrade.h makes of it what may be sent.
 *
 * The steps, in this order:
 *
 *	compose_init(c, &facts, header)
 *	compose_header_feed(c, input, &used)            until COMPOSE_DONE; at the end of input before that: compose_header_end(c)
 *	compose_recipient(c, &address)                  with -t: one address for each COMPOSE_MORE
 *	compose_header_drain(c, out)                    until COMPOSE_DONE; send out and empty it after each
 *	compose_body_feed(c, input, &used, out)         from in + used on, unless ended; send out and empty it after each
 *	compose_body_end(c, out)                        at the end of input, or after "."
 *
 * What comes out is content before dot-stuffing. Any split of the input gives the same output.
 *
 * Owner     the caller, of everything; facts and the header buffer live as long as struct compose.
 * Blocks    never.
 * Fails     COMPOSE_BAD; then why says what is wrong and line where (from 1; 0: about no line). Nothing more may be called.
 */
#ifndef POSTERN_MAIL_COMPOSE_H
#define POSTERN_MAIL_COMPOSE_H

#include "base/buf.h"
#include "base/env.h"

enum {
	COMPOSE_HEADER_ROOM = 256 * 1024,       /* size of the header buffer to lend; a longer header section is refused */
	COMPOSE_OUT_ROOM = 320 * 1024,          /* size of out that is enough for any step when it is empty */
	COMPOSE_LINE_MAX = 998,                 /* RFC 5322 2.1.1, without CRLF */
	COMPOSE_ADDRESS_ROOM = 320,             /* of the buffer for compose_recipient() */
};

struct compose_facts {
	struct span from;                       /* address for a missing From, without <>; "alice@example.org" */
	struct span name;                       /* of the person, for a missing From; may be empty */
	struct span domain;                     /* for addresses that have none, and for Message-ID */
	/* The A-labels of a domain that is not ASCII (RFC 5891 4.4); false: it has none. NULL: domains stay as they are. */
	bool (*a_labels)(struct span domain, struct buf *out);
	struct env env;
	bool dot_ends;                          /* a line "." ends the message (sendmail without -i) */
};

enum compose_step { COMPOSE_MORE, COMPOSE_DONE, COMPOSE_BAD };

enum compose_phase { COMPOSE_HEADER, COMPOSE_FIELDS, COMPOSE_WRITING, COMPOSE_BODY };    /* each begins when the one before ends */

struct compose {
	const struct compose_facts *facts;
	struct buf header;                      /* the header section as it came, with CRLF; when headless, the body's first lines */
	const char *why;                        /* static text */
	uint32_t line;                          /* number of the line we are in, from 1 */
	uint32_t unfit_line;
	uint32_t column;                        /* octets of it so far */
	uint32_t line_start;                    /* where in header it began */
	uint32_t mailbox_end;                   /* of "From alice Sun Nov 22 ..." with CRLF, which stands in header until that is complete; 0: none */
	uint32_t at;                            /* of the walk through header */
	uint32_t value_end;                     /* where the field ends whose addresses are being walked */
	uint32_t seen;                          /* one bit for each known field; of Resent- fields those in the first block */
	uint32_t block_start, block_end;        /* the first Resent- block */
	enum compose_phase phase;
	uint32_t folded;                        /* number of the first line that was folded; 0: none */
	bool headless;                          /* the first line was no field */
	bool cr;                                /* a CR waits for what follows */
	bool dot;                               /* the line so far is ".", which is held back */
	bool ended;                             /* out: "." has been seen, no more input is wanted */
	bool eightbit;                          /* out: the body so far has octets above 127 (8BITMIME) */
	bool utf8;                              /* out: the header section that was written has (SMTPUTF8) */
	bool resent;                            /* out: there is a Resent- block */
	bool encodes;                           /* encoded-words make the header section ASCII */
	bool unfit;                             /* out: the body has to be encoded; why and unfit_line say for what */
};

void compose_init(struct compose *, const struct compose_facts *, struct buf header);

/* Take header lines. COMPOSE_DONE: the header section is complete, the body begins at in + *used. COMPOSE_MORE: all is used. */
enum compose_step compose_header_feed(struct compose *, struct span in, size_t *used);
/* Input has ended inside the header section, which is thereby complete. */
enum compose_step compose_header_end(struct compose *);

/* The next recipient that To, Cc and Bcc name, or their Resent- forms when there is a block: "local@domain" into address, which
 * is emptied first. COMPOSE_MORE: there it is, ask again. COMPOSE_DONE: there are no more. */
enum compose_step compose_recipient(struct compose *, struct buf *address);

/* Write the repaired header section and the empty line. COMPOSE_MORE: empty out and call again. */
enum compose_step compose_header_drain(struct compose *, struct buf *out);

/* COMPOSE_DONE: everything after *used is not part of the message (dot_ends). COMPOSE_MORE: all is used, or out is full. */
enum compose_step compose_body_feed(struct compose *, struct span in, size_t *used, struct buf *out);
/* Input has ended: the last line gets its CRLF (5321-33). COMPOSE_MORE: empty out and call again. */
enum compose_step compose_body_end(struct compose *, struct buf *out);

#endif

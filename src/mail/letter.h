/*
 * mail/letter.h - a short plain mail of our own to one person: that his account is in somebody else's hands, for example. RFC 5322,
 * Auto-Submitted: auto-generated (RFC 3834 5.2). What a notification about a message looks like is mail/dsn.h's affair.
 *
 * It goes out with MAIL FROM:<>, so nobody answers it and it never bounces.
 *
 * Owner     the caller, of everything.
 * Blocks    never.
 * Fails     false, out untouched: out has no room. LETTER_MAX is always enough for a text of LETTER_TEXT_MAX.
 */
#ifndef POSTERN_MAIL_LETTER_H
#define POSTERN_MAIL_LETTER_H

#include "base/buf.h"
#include "mail/pen.h"

enum {
	LETTER_TEXT_MAX = 8192,
	LETTER_MAX = 48 * 1024,
};

struct letter {
	struct span host;               /* our name */
	struct span postmaster;         /* address that a person answers, without <>; empty: postmaster@host */
	struct span to;                 /* address, without <>, already checked */
	struct span subject;            /* printable ASCII; what is not becomes '?' */
	struct span text;               /* UTF-8, LF ends a line; control characters and what is not UTF-8 become '?' */
	struct span id;                 /* queue id, for Message-ID */
	uint64_t random;                /* unguessable */
	uint64_t now;                   /* ms since 1970 */
};

/* Header section and body, every line ended by CRLF, no octet above 127 unless to has such: then it needs SMTPUTF8. */
bool letter_format(const struct letter *, struct buf *out);
/* From: "Mail system at host" <postmaster>, of all mail that is our own: people and their filters know it. */
void letter_from(struct pen *, struct span host, struct span postmaster);

#endif

/*
 * mail/downgrade.h - makes of a message what a lesser next hop takes, without loss: octets above 127, NUL, bare CR, bare LF and
 * long lines are written in quoted-printable or base64, part by part (RFC 6152 3, RFC 3030 3, RFC 2045 6, RFC 1428 for what has no
 * charset). Whoever reads the result as MIME gets what he would have got of the original.
 *
 * It takes two walks through the message, each in any split:
 *
 *	downgrade_survey_begin(&s, &plan, &hop)
 *	downgrade_survey_feed(&s, octets)                       what must be changed, and whether it may be
 *	verdict = downgrade_survey_end(&s)
 *
 *	downgrade_begin(&d, &plan, out)                         when the verdict is DOWNGRADE_CONVERT
 *	used = downgrade_feed(&d, octets)                       empty out when used is less than was given
 *	downgrade_end(&d)                                       out must have DOWNGRADE_ROOM
 *
 * What is not changed: header sections but for Content-Transfer-Encoding, and what they lack for that to be understood
 * (MIME-Version, Content-Type); parts that are fit already; the order of everything. A preamble or epilogue, which nobody
 * reads (RFC 2046 5.1.1), has '?' for octets that cannot go, and SUB in lines that begin with "--". No line becomes a delimiter.
 * What is never changed: anything inside multipart/signed (RFC 1847 2.1), a header with octets above 127, a part whose own words about
 * its encoding are false. Such a message is refused, in words. A part that is encoded as it says, but in lines that are too long, has its
 * lines broken.
 *
 * Owner     the caller, of everything; the plan outlives both walks, and the octets must be the same in both.
 * Blocks    never. Costs some ns for each octet.
 */
#ifndef POSTERN_MAIL_DOWNGRADE_H
#define POSTERN_MAIL_DOWNGRADE_H

#include "base/buf.h"
#include "mail/mime.h"

enum {
	DOWNGRADE_PARTS_MAX = 2000,     /* header sections of a message that is changed; ours */
	DOWNGRADE_ROOM = 4096,          /* what out must have for any octet to be used */
	DOWNGRADE_LINE_MAX = 998,       /* RFC 5321 4.5.3.1.6 */
};

/* What the next hop takes. */
struct downgrade_hop {
	bool eightbit;          /* 8BITMIME: lines of any octets but NUL; else no octet above 127 */
	bool utf8;              /* SMTPUTF8: UTF-8 in headers. Without it such headers are a reason to refuse */
};

enum downgrade_verdict {
	DOWNGRADE_AS_IT_IS,     /* nothing in it needs more than the hop has */
	DOWNGRADE_CONVERT,
	DOWNGRADE_CANNOT,       /* plan.why says why */
	DOWNGRADE_HEADER,       /* the same: it is the header that needs SMTPUTF8 (RFC 6531 3.5) */
};

/* What is done with a part: its way and flags. */
enum downgrade_way {
	DOWNGRADE_KEEP,
	DOWNGRADE_SAY_7BIT,     /* only its Content-Transfer-Encoding changes */
	DOWNGRADE_SAY_8BIT,
	DOWNGRADE_QUOTED,
	DOWNGRADE_BASE64,
	DOWNGRADE_BROKEN_QUOTED,        /* encoded already, but for line ends */
	DOWNGRADE_BROKEN_BASE64,
	DOWNGRADE_WAYS = 7,     /* mask */
	DOWNGRADE_VERSION = 8,  /* add MIME-Version */
	DOWNGRADE_UTF8 = 16,    /* add Content-Type: text/plain; charset=utf-8 */
	DOWNGRADE_UNKNOWN = 32, /* the same with unknown-8bit (RFC 1428 3) */
	DOWNGRADE_BARE = 64,    /* a message without MIME-Version */
};

struct downgrade_plan {
	struct downgrade_hop hop;
	const char *why;                /* static text; NULL: nothing is in the way */
	bool eightbit;                  /* octets above 127 somewhere */
	bool changes;                   /* something has to be encoded */
	bool dkim;                      /* it has a DKIM-Signature, which a change would break (RFC 6376 5.3) */
	uint8_t part[DOWNGRADE_PARTS_MAX];
};

struct downgrade_survey {
	struct downgrade_plan *plan;
	struct mime mime;
	bool header_eightbit;
	/* Of the part so far. */
	bool eightbit, foul, too_long, not_utf8;
	bool not_base64;                /* an octet that is none of base64's */
	uint8_t utf8_left;              /* octets missing of a character */
	uint8_t utf8_least, utf8_most;  /* what its next one may be */
	uint32_t column;
	uint64_t octets, escapes;
};

struct downgrade {
	const struct downgrade_plan *plan;
	struct buf *out;
	struct mime mime;
	uint8_t way;                    /* of the part, with flags */
	bool soft;                      /* the line of quoted-printable begins behind a soft break */
	uint8_t column;
	uint8_t escape_left;            /* octets of an escape that are to come; no line ends inside */
	uint8_t group_len;              /* of base64 */
	uint8_t group[3];
	uint8_t dashes;                 /* that a line which nobody reads begins with, up to two; 3: with something else */
	uint8_t blank;                  /* a space or tab that waits for what comes after it; 0: none */
};

void downgrade_survey_begin(struct downgrade_survey *, struct downgrade_plan *, const struct downgrade_hop *);
void downgrade_survey_feed(struct downgrade_survey *, struct span);
enum downgrade_verdict downgrade_survey_end(struct downgrade_survey *);

void downgrade_begin(struct downgrade *, const struct downgrade_plan *, struct buf *out);
/* How many octets were used; some, when out has DOWNGRADE_ROOM. */
size_t downgrade_feed(struct downgrade *, struct span);
void downgrade_end(struct downgrade *);

#endif

/*
 * mail/dsn.h - writes a delivery status notification: what happened to a message, to its sender, for people and for programs
 * (RFC 3464, RFC 6522, RFC 3461 6, RFC 6533, RFC 3834 5.2).
 *
 * Whether a report is owed is not decided here: never for a message with an empty reverse-path, never against NOTIFY
 * (3461-7, 3461-9, 3461-10). The report itself goes out with MAIL FROM:<> and without RET (3461-11).
 *
 * The pieces, in this order; recipients are walked twice:
 *
 *	dsn_begin(&d, &facts, out)                      header section, first words
 *	dsn_tell(&d, &recipient, out)   for each        the words for people
 *	dsn_between(&d, out)                            the fields about the message
 *	dsn_report(&d, &recipient, out) for each        the fields about each recipient
 *	dsn_original_begin(&d, out)
 *	while (dsn_original_wanted(&d) && there is more content)
 *		used = dsn_original(&d, octets, out)    in any split; flush out when used is less than was given
 *	dsn_end(&d, out)
 *
 * Out may be emptied between any two calls. Every line ends in CRLF, and no octet is above 127 unless the reverse-path has
 * such: then dsn_is_utf8() says true and the report needs SMTPUTF8. Who sent with SMTPUTF8 gets its addresses and its message back
 * with all their characters, in parts of RFC 6533 that are encoded, so that any next hop takes them.
 *
 * Owner     the caller, of everything; struct dsn keeps the facts' spans, so what they point to must live until dsn_end().
 *           A struct dsn_recipient is looked at during the call only.
 * Blocks    never.
 * Fails     false, and nothing written, when out has less room than the piece takes; DSN_PIECE_MAX is always enough.
 */
#ifndef POSTERN_MAIL_DSN_H
#define POSTERN_MAIL_DSN_H

#include "base/buf.h"

enum {
	DSN_PIECE_MAX = 16 * 1024,              /* room that any one call may need */
	DSN_HEADER_MAX = 64 * 1024,             /* of the original's header section, what is returned at most */
	DSN_MESSAGE_MAX = 1024 * 1024,          /* an original bigger than this comes back as its header section only */
	DSN_COPY_MAX = 2 * DSN_MESSAGE_MAX,     /* of the original, which the caller may have encoded, what is returned at most */
	DSN_RECIPIENTS_MAX = 100,               /* of one report; more recipients deserve another report. Ours; not enforced here */
};

enum dsn_action {                               /* RFC 3464 2.3.3; "expanded" cannot happen: nothing here is a list or an alias */
	DSN_FAILED,
	DSN_DELAYED,
	DSN_DELIVERED,
	DSN_RELAYED,                            /* to a next hop without DSN (3461-6) */
};

/* About the report and the message that it is about. Times in ms since 1970. */
struct dsn_facts {
	enum dsn_action action;                 /* of the report as a whole: subject and first words */
	struct span host;                       /* our name */
	struct span postmaster;                 /* address that a person answers, without <>; empty: postmaster@host */
	struct span to;                         /* reverse-path of the message, without <>; never empty */
	struct span report_id;                  /* queue id of the report */
	struct span message_id;                 /* queue id of the message */
	uint64_t random;                        /* unguessable: Message-ID, boundary */
	uint64_t now;
	uint64_t arrival;                       /* when we took the message */
	struct span hold;                       /* "for;3600", "until;..." as it was asked for (RFC 4865 5.1.2); empty: it was not */
	uint64_t deadline;                      /* BY (RFC 2852 5); 0: none */
	struct span envid;                      /* ENVID as received (xtext); empty when not given */
	uint64_t size;                          /* octets of the message */
	bool full;                              /* RET=FULL was asked for and this is a failure (3461-12) */
	bool eightbit;                          /* the content given may have octets above 127, so only its header comes back (3464-4);
	                                         * with utf8 it is encoded and may */
	bool utf8;                              /* the message came with SMTPUTF8 */
	bool damaged;                           /* the message is: what is given of it ends where it can be read no more; not with full */
	bool orphan;                            /* the message has no reverse-path: it is the postmaster who is told (3461-10) */
};

struct dsn_recipient {
	enum dsn_action action;
	struct span path;                       /* without <> */
	struct span orcpt;                      /* "type;xtext" as received; empty when not given */
	struct span status;                     /* "5.1.1"; when empty or malformed one is made from action and code */
	struct span host;                       /* who said it, or whom our words are about: "mx.example.net [192.0.2.25]:25"; empty: nobody */
	uint32_t code;                          /* SMTP reply; 0: text is our own words */
	struct span text;                       /* the reply's text without the code, or our words; what is foreign is made safe */
	uint64_t when;                          /* last attempt; 0: there was none */
	uint64_t retry_until;                   /* only used when delayed; 0: unknown */
};

struct dsn {
	struct dsn_facts facts;
	uint32_t copied;                        /* octets of the original taken so far */
	uint16_t column;                        /* of the quoted-printable line being written */
	bool space;                             /* that line ends in a space so far */
	bool line_begins;                       /* the original's next octet is the first of its line */
	bool whole;                             /* the original comes back whole */
	bool encoded;                           /* it is written in quoted-printable, as what RFC 6533 calls global */
	bool cr;                                /* behind a CR of it */
	bool done;                              /* nothing more of the original is wanted */
};

bool dsn_begin(struct dsn *, const struct dsn_facts *, struct buf *out);
bool dsn_tell(struct dsn *, const struct dsn_recipient *, struct buf *out);
bool dsn_between(struct dsn *, struct buf *out);
bool dsn_report(struct dsn *, const struct dsn_recipient *, struct buf *out);
bool dsn_original_begin(struct dsn *, struct buf *out);
bool dsn_original_wanted(const struct dsn *);
/* How many octets of content were used; some, when out has at least 16 octets of room. */
size_t dsn_original(struct dsn *, struct span content, struct buf *out);
bool dsn_end(struct dsn *, struct buf *out);

/* The report itself needs SMTPUTF8, because the address that it goes to does. */
bool dsn_is_utf8(const struct dsn_facts *);

#endif

/*
 * policy/reply_class.h - what a next hop means by its 4yz or 5yz: one table, its sources beside each row. Pure.
 *
 * Reply codes say when to come again, not why. The enhanced status code says more (RFC 3463, 5248, 7372), if there is one and it is
 * not x.7.1 for everything; then there are the words that those who receive much are known by. The order is: a status that leaves
 * no doubt, the words, any status, the code.
 *
 * Owner     nothing is kept.
 * Fails     never: what nobody knows is REPLY_OTHER.
 */
#ifndef POSTERN_POLICY_REPLY_CLASS_H
#define POSTERN_POLICY_REPLY_CLASS_H

#include "base/span.h"

enum reply_class {
	REPLY_DELIVERED,        /* 2yz */
	REPLY_UNREACHED,        /* no reply: DNS, connection, TLS; the verdict is ours */
	REPLY_MAILBOX,          /* nobody of this name, moved, or disabled */
	REPLY_FULL,             /* his mailbox is full */
	REPLY_GREYLISTED,       /* come again after a while: RFC 6647 */
	REPLY_RATE,             /* too much or too fast, from us or for him */
	REPLY_REPUTATION,       /* our address is listed or has a bad name */
	REPLY_AUTHENTICATION,   /* SPF, DKIM, DMARC, reverse name: RFC 7372 */
	REPLY_POLICY,           /* his rules, whatever they are */
	REPLY_CONTENT,          /* this message: spam, virus, size, form */
	REPLY_SYSTEM,           /* his own trouble */
	REPLY_PROTOCOL,         /* he and we do not speak the same */
	REPLY_ROUTING,          /* no relaying, loops, no such domain there */
	REPLY_OTHER,
	REPLY_EXPIRED,          /* our own verdict: its time is over; why it was not delivered before, earlier tries say */
	REPLY_CLASSES,
};

struct reply_facts {
	uint32_t code;                  /* 0: none came */
	struct span enhanced;           /* "4.7.1"; may be made up: x.0.0 says nothing */
	struct span text;
};

enum reply_class reply_class(const struct reply_facts *);
/* "greylisted": for log, `queue show` and JSON. */
const char *reply_class_name(enum reply_class);
/* Does a temporary one of this class ask for less from us, not only for this message later? */
bool reply_class_slows(enum reply_class);
/* The seconds that a text asks to wait: "come back in 5 minutes", "Greylisted for 300 seconds", "retry after 00:04:59"; at most a day.
 * 0: it names none. */
uint32_t reply_wait(struct span text);

/* The table. Row: words (lower case, empty: any), status without its first digit (".7.1", ".7.",
 * empty: any), code (0: any). */
struct reply_row {
	const char *words, *status;
	uint16_t code;
	enum reply_class class;
	const char *source;
};
extern const struct reply_row reply_rows[];
extern const size_t reply_row_count;

#endif

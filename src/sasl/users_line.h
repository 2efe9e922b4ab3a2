/*
 * sasl/users_line.h - one line of the users file. Inverse of each other: parse and format.
 *
 *	principal NAME addresses=A,B [recovery=R] [limit=N] [priority=P] created=T [revoked=T]
 *	password NAME verifier=SCRAM-SHA-256$... | crypt=$6$...  created=T
 *	key NAME DEVICE id=7k2m verifier=SCRAM-SHA-256$... created=T [from=A,B] [limit=N] [priority=P] [expires=T] [revoked=T]
 *
 * R is where the owner is told that his mail was held; N is recipients a day (policy/habit.h); P is the highest
 * MT-PRIORITY it may ask for (RFC 6710). Words are parted by one space; T is seconds since 1970. A word that is not known makes the line damaged: it might be a limit
 * that a newer version sets, and a limit that is not understood must not be dropped.
 *
 * Owner     spans point into the line. Blocks: never.
 */
#ifndef POSTERN_SASL_USERS_LINE_H
#define POSTERN_SASL_USERS_LINE_H

#include "sasl/verifier.h"

enum {
	USERS_NAME_MAX = 190,
	USERS_DEVICE_MAX = 64,          /* with the name and a slash: 255, as much as a login may be (RFC 4616 2) */
	USERS_GRANTS_MAX = 2048,        /* octets of one address list */
	USERS_LINE_MAX = 4096,
	USERS_RECOVERY_MAX = 320,
	USERS_LIMIT_MAX = 100 * 1000 * 1000,
};

enum users_kind { USERS_NOTHING /* empty, or a comment */, USERS_PRINCIPAL, USERS_PASSWORD, USERS_KEY };

struct users_line {
	enum users_kind kind;
	struct span name, device, id;
	struct span grants;             /* addresses= or from=, parted by commas */
	struct span crypt;              /* empty: the verifier is what counts */
	struct span recovery;           /* empty: none */
	struct span priority;           /* "-9" to "9"; empty: none said */
	struct verifier verifier;
	uint64_t limit;                 /* 0: none */
	uint64_t created, expires, revoked;     /* 0: never */
};

/* False with why (static words) when the line is damaged. */
bool users_line_parse(struct span line, struct users_line *, const char **why);
/* With its LF. */
bool users_line_format(const struct users_line *, struct buf *out);
/* Kind, name and device alone, also of a line that is damaged further on: for finding the line to replace. */
void users_line_head(struct span line, struct users_line *);

/* Letters, digits, . _ - + @ and what is not ASCII. */
bool users_name_valid(struct span name);
bool users_device_valid(struct span device);
/* A pattern of policy/sender.h without quotes, commas and spaces. */
bool users_grant_valid(struct span grant);

/* -9 to 9. */
bool users_priority_parse(struct span text, int8_t *priority);

/* One mailbox, which a word may hold. */
bool users_recovery_valid(struct span address);

#endif

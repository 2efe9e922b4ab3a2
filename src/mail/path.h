/*
 * mail/path.h - addresses as the envelope (RFC 5321 4.1.2, RFC 6531 3.3) and the header (RFC 5322 3.4) write them.
 *
 * Owner     spans point into the input; nothing is copied.
 * Blocks    never.
 */
#ifndef POSTERN_MAIL_PATH_H
#define POSTERN_MAIL_PATH_H

#include "base/buf.h"

enum {
	LOCAL_PART_MAX = 64,    /* RFC 5321 4.5.3.1.1 */
	DOMAIN_MAX = 255,       /* 4.5.3.1.2 */
	PATH_MAX_OCTETS = 256,  /* 4.5.3.1.3 counts the angle brackets: whole has at most 254 */
};

struct mailbox {
	struct span local;      /* as written, quotes included; case is significant (RFC 5321 2.4) */
	struct span domain;     /* without '@'; empty for <> and for bare Postmaster; a literal keeps its brackets */
	struct span whole;      /* local@domain as written, without a source route; empty for <> */
	bool utf8;              /* has octets above 127: needs SMTPUTF8 (RFC 6531) */
};

enum path_error {
	PATH_OK,
	PATH_SYNTAX,
	PATH_LOCAL_LONG,
	PATH_DOMAIN_LONG,
	PATH_UNQUALIFIED,       /* a domain of one label, or none at all (RFC 6409 4.2); the mailbox is filled in */
	PATH_LONG,              /* each half is short enough, both together are not */
};

/* Words for a reply: "local-part longer than 64 octets". */
const char *path_error_text(enum path_error);

/* Take "<...>" off the front of s; s stays as it was unless PATH_OK. A source route is recognised and dropped (RFC 5321 4.1.1.3). "<>" only when null_ok;
 * "<Postmaster>" in any case only when !null_ok (it is a recipient, RFC 5321 4.5.1). */
enum path_error path_take(struct span *s, bool null_ok, struct mailbox *out);

/* "local@domain" with nothing around it: for configuration and command lines. */
enum path_error mailbox_parse(struct span s, struct mailbox *out);

/*
 * Domains and literals by themselves: EHLO arguments, host names. ASCII only (RFC 6531 3.7.1); one label will do;
 * underscores are let through. A literal is [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321 4.1.3), brackets included.
 */
bool domain_valid(struct span s);
bool address_literal_valid(struct span s);

/* Same mailbox: local parts octet-equal, domains ignoring ASCII case. */
bool mailbox_equal(const struct mailbox *, const struct mailbox *);

/*
 * Walk the addresses of a From, Sender, Reply-To, To, Cc or Bcc field's value (unfolded or folded, comments, quoted names,
 * groups, obs- forms: RFC 5322 3.4 and 4.4). Start with *rest = the value; each call takes one mailbox. After ADDRESS_BAD the
 * rest is of no use. Where comments or spaces stand around the '@' or the dots, whole has them too: local and domain are the
 * ones to compare. Lengths and qualification are not judged here.
 */
enum address_step { ADDRESS_ONE, ADDRESS_END, ADDRESS_BAD };
enum address_step address_next(struct span *rest, struct mailbox *out);
/* The same where an address may lack its domain (To: root), as what is typed on this machine may. */
enum address_step address_next_bare(struct span *rest, struct mailbox *out);

#endif

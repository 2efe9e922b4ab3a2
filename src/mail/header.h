/*
 * mail/header.h - the header section of a message passing by, line by line, with the few repairs a submission server owes.
 *
 * Rules     RFC 5322 2.2, 3.6; RFC 6409 8; RFC 8689 3; RFC 5321 4.1.1.4, 6.3, 6.4; RFC 6532.
 * Repairs   Date and Message-ID are added when missing; Bcc, Resent-Bcc and Return-Path are removed; nothing else is
 *           touched, no field is reordered (requirements 5322-7, 5322-9, 5321-43, 6409-25, 6409-26, 5321-45).
 * Refuses   a line that is no field and no continuation; a field name with foreign octets; a line over 998 octets; From
 *           missing, repeated, without an address, with an address over 254 octets or whose domain is not fully qualified
 *           (6409-7), or with several and no Sender (5322-4); any of Sender, Reply-To, To, Cc, Message-ID, In-Reply-To,
 *           References, Subject, Date repeated (5322-3); more than 100 Received (5321-46); octets above 127 without SMTPUTF8, and such as are
 *           not UTF-8 with it (RFC 6532 3.2).
 * Owner     struct header_scan belongs to a transaction and ends with it. Fixed size, no allocation.
 * Blocks    never.
 */
#ifndef POSTERN_MAIL_HEADER_H
#define POSTERN_MAIL_HEADER_H

#include "base/buf.h"
#include "base/fail.h"
#include "mail/path.h"

enum {
	HEADER_LINE_MAX = 998,          /* RFC 5322 2.1.1, without CRLF */
	HEADER_OCTETS_MAX = 256 * 1024, /* the whole section; ours */
	HEADER_ID_MAX = 255,            /* of Message-ID, without brackets, that we keep to find the message again; ours */
	HEADER_FROM_MAX = 1024,         /* the value of From that we keep to check its authors; ours */
	HEADER_AUTHOR_MAX = PATH_MAX_OCTETS - 2,        /* one address of From, with what stands inside it; RFC 5321 4.5.3.1.3 */
	RECEIVED_MAX = 100,             /* RFC 5321 6.3 */
};

/* What the TLS-Required field has said so far (RFC 8689 3). */
enum header_tls { HEADER_TLS_UNSAID, HEADER_TLS_BEGUN, HEADER_TLS_NO, HEADER_TLS_ODD };

struct header_scan {
	uint32_t seen;                  /* one bit for each known field */
	uint32_t line;                  /* number of the line last given, from 1 */
	uint32_t octets;
	uint16_t received;
	bool dropping;                  /* inside Bcc or Return-Path */
	bool in_from, in_tls, in_id;
	uint8_t id_len;
	uint8_t tls;                    /* enum header_tls */
	bool ended;                     /* the empty line has been seen */
	bool utf8_ok;                   /* SMTPUTF8 was given */
	enum fail fail;                 /* first thing wrong, OK while nothing is */
	uint32_t fail_line;             /* where; 0 when it is about no line: something is missing */
	const char *fail_words;         /* what, static text */
	uint32_t from_line;             /* where From began */
	uint16_t from_len;
	uint8_t from[HEADER_FROM_MAX];  /* unfolded value of From */
	uint8_t id[HEADER_ID_MAX];      /* the msg-id of Message-ID */
};

void header_init(struct header_scan *, bool utf8_ok);

/*
 * Give the next line without its CRLF. True when the line is to be kept (write it, with CRLF). The empty line that ends the
 * section is kept too, but first write what header_lacks_date() and header_lacks_message_id() miss. A line that does not begin a field when one must (no colon) is an
 * error that is remembered in fail; feeding may go on, the message will be refused at its end.
 */
bool header_line(struct header_scan *, struct span line);

/* What must be added before the empty line. */
bool header_lacks_date(const struct header_scan *);
bool header_lacks_message_id(const struct header_scan *);

/* At the end of the message: the verdict about the header as a whole (From missing and so on). */
enum fail header_end(struct header_scan *);

/* "TLS-Required: No" stands there, once (RFC 8689 3); anything else the field may say has no meaning. */
bool header_tls_optional(const struct header_scan *);

/* The Message-ID without its angle brackets, cut at HEADER_ID_MAX; empty when there is none. */
struct span header_message_id(const struct header_scan *);
/* It had none, and was given this one: "<...>". */
void header_give_message_id(struct header_scan *, struct span);

/* The authors: walk with address_next(). Empty when From was not seen. */
struct span header_authors(const struct header_scan *);

#endif

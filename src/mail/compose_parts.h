/*
 * mail/compose_parts.h - what the files of mail/compose say to each other; nobody else includes it.
 *
 *	compose.c         the fields, taking the header section, recipients
 *	compose_write.c   the repaired header section
 *	compose_names.c   fields of addresses with names that are not ASCII
 *	compose_fold.c    lines that are too long
 *	compose_body.c    the body
 */
#ifndef POSTERN_MAIL_COMPOSE_PARTS_H
#define POSTERN_MAIL_COMPOSE_PARTS_H

#include "mail/compose.h"
#include "mail/path.h"

enum trait {
	HAS_ADDRESSES = 1,
	NAMES_RECIPIENTS = 2,
	DROPPED = 4,
	OF_BLOCK = 8,           /* Resent- */
	UNSTRUCTURED = 16,
};

enum known {
	FROM, DATE, MESSAGE_ID, SENDER, REPLY_TO, TO, CC, BCC, RETURN_PATH, RESENT_FROM, RESENT_DATE, RESENT_MESSAGE_ID,
	RESENT_SENDER, RESENT_TO, RESENT_CC, RESENT_BCC, DKIM_SIGNATURE, SUBJECT, COMMENTS, ORGANIZATION,
	EXTENSION,              /* X- and more: text that only its reader knows */
	UNKNOWN
};

struct header_field;

enum known compose_known(struct span name);
bool compose_has(enum known, enum trait);
/* In the header section; of Resent- fields in the first block. */
bool compose_has_seen(const struct compose *, enum known);
/* What is left of the header section from an offset on, and how far in it what is left begins. */
struct span compose_section_from(const struct compose *, uint32_t offset);
uint32_t compose_offset_of(const struct compose *, struct span rest);
/* address_next_bare() of a field, with names that are no UTF-8 too. */
enum address_step compose_address_next(struct compose *, struct span *rest, struct mailbox *);
/* COMPOSE_BAD, about the line that an offset is in. */
enum compose_step compose_refuse_at(struct compose *, uint32_t offset, const char *why);

/* compose_fold.c: the field that begins at `field` is the last in the buffer, and its line that begins at begin too long: it is broken, and *next
 * is where the new one begins. False: there is no place for that, or no room. */
bool compose_fold(struct buf *, size_t field, size_t begin, size_t *next);
/* All its lines, where there is a place. False: no room. */
bool compose_fold_lines(struct buf *, size_t field);

/* compose_names.c: such a field, its names in encoded-words, its addresses completed. False: out is full. */
bool compose_names_put(struct compose *, const struct header_field *, struct buf *out);

#endif

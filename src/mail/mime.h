/*
 * mail/mime.h - walks through the parts of a message that passes by: header sections, bodies, delimiters (RFC 2045, 2046, 2047's
 * structure, 1847). It changes nothing and keeps nothing but the line it is in; whoever listens gets every octet once, in order.
 *
 *	mime_begin(&m, &events, arg)
 *	mime_feed(&m, octets)           in any split; the events are the same but for where text is cut
 *	mime_end(&m)
 *
 * For each header section: field() for each of its lines, then body(). Then text() and newline() of that body, then end(), then
 * delimiter(), behind which either the next part begins or the epilogue: text() and newline() with enclosing multipart's entity.
 * A message/rfc822 has no text of its own: the section of the message in it follows at once.
 *
 * Only CRLF ends a line. The CRLF in front of a delimiter belongs to the delimiter (RFC 2046 5.1.1).
 *
 * Owner     the caller, of everything; spans and the entity live during the call.
 * Blocks    never. Costs a bounded time for each octet: there are at most MIME_LEVELS delimiters to compare a line with.
 * Fails     never: what is no MIME comes as text. entity->odd and mime->odd say what a careful reader would not touch.
 */
#ifndef POSTERN_MAIL_MIME_H
#define POSTERN_MAIL_MIME_H

#include "mail/mime_type.h"

enum {
	MIME_LINE_MAX = 1000,           /* of a header section, CRLF included (RFC 5322 2.1.1) */
	MIME_LEVELS = 16,               /* multiparts inside each other; ours */
	MIME_DELIMITER_MAX = 2 + MIME_BOUNDARY_MAX + 2, /* with "--" and "--"; of blanks as many may follow as a line has room for */
};

/* What can be done with the octets of a body. */
enum mime_kind {
	MIME_TEXT,              /* text of any subtype, and what says nothing of itself */
	MIME_DATA,
	MIME_MULTIPART,         /* text() is its preamble or epilogue, which nobody reads */
	MIME_MESSAGE,
	MIME_SEALED,            /* may neither be encoded (RFC 2045 6.4) nor looked into: an odd multipart, message/partial */
};

/* Content-Transfer-Encoding (RFC 2045 6). */
enum mime_encoding { MIME_UNSAID, MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_QUOTED, MIME_BASE64, MIME_UNKNOWN };

struct mime_entity {
	uint32_t number;        /* of its header section in the message, from 0 */
	uint32_t root;          /* number of the message that it is a part of; its own when it is one */
	enum mime_kind kind;
	enum mime_encoding encoding;
	bool typed;             /* has a Content-Type */
	bool versioned;         /* has a MIME-Version */
	bool is_signed;         /* stands inside a multipart/signed: not one octet may change (RFC 1847 2.1) */
	bool odd;               /* its header section, or one around it, is not what it should be: no two readers need agree */
};

enum mime_field { MIME_FIELD_OTHER, MIME_FIELD_TYPE, MIME_FIELD_ENCODING, MIME_FIELD_VERSION, MIME_FIELD_DKIM };

struct mime_events {
	/* A line of a header section, without CRLF; which field it is of, continuations too. */
	void (*field)(void *arg, enum mime_field, struct span line);
	/* The section is over. blank: by an empty line. */
	void (*body)(void *arg, const struct mime_entity *, bool blank);
	void (*text)(void *arg, struct span);
	void (*newline)(void *arg);
	void (*end)(void *arg);
	/* newline: a CRLF stands before it, which is not text; crlf: its line is ended by one. */
	void (*delimiter)(void *arg, struct span line, bool newline, bool crlf);
};

struct mime_level {
	struct mime_entity entity;
	bool digest, is_signed;
	uint8_t boundary_len;
	uint8_t boundary[MIME_BOUNDARY_MAX];
};

struct mime {
	const struct mime_events *events;
	void *arg;
	const char *odd;                /* about the whole, static text; NULL: nothing */
	struct mime_entity entity;      /* whose header or body it is */
	uint32_t entities;
	uint32_t depth;                 /* levels in use */
	bool in_header;
	bool ignored;                   /* preamble or epilogue */
	bool begun;                     /* a field has been seen in this section */
	bool head;                      /* the line may become a delimiter yet: its octets stand in line */
	bool cr;                        /* after a CR */
	bool held;                      /* after a CRLF that may belong to a delimiter */
	bool has_encoding;
	uint8_t field;                  /* enum mime_field of the line before */
	uint16_t line_len, value_len;
	uint8_t line[MIME_LINE_MAX];
	uint8_t value[MIME_TYPE_MAX];   /* of Content-Type, unfolded */
	uint8_t encoding_len;
	uint8_t encoding[64];
	struct mime_level level[MIME_LEVELS];
};

void mime_begin(struct mime *, const struct mime_events *, void *arg);
void mime_feed(struct mime *, struct span);
void mime_end(struct mime *);

#endif

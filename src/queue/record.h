/*
 * queue/record.h - what a record of the spool's log says. The format is docs/spool.md. Pure.
 *
 * Owner     the caller, of everything; parsing copies nothing, spans point into the record.
 * Fails     false: malformed, or out has no room. Everything that parses is meant for hostile input: a disk can lie.
 */
#ifndef POSTERN_QUEUE_RECORD_H
#define POSTERN_QUEUE_RECORD_H

#include "base/fields.h"

enum record_kind {
	RECORD_SEGMENT = 1,
	RECORD_CHUNK,
	RECORD_MESSAGE,
	RECORD_RESULT,
	RECORD_DONE,
	RECORD_VOID,
	RECORD_HELD,
	RECORD_FACT,
	RECORD_KINDS = RECORD_FACT,
};

enum {
	RECORD_HEADER = 40,
	RECORD_ALIGN = 8,
	RECORD_PAYLOAD_MAX = 32 * 1024 * 1024,
	RECORD_VERSION = 3,             /* 2: HELD; a program that does not know it would deliver what is held. 3: FACT, RESULT.took */
	RECORD_VERSION_LEAST = 1,       /* what we still read */
	RECORD_DONE_OCTETS = 8,
	RECORD_EXTENT_OCTETS = 20,      /* the same as RELAY_EXTENT: extents go to 5_relay as they lie in the record */
	RECORD_EXTENTS_MAX = 256 * 1024 / RECORD_EXTENT_OCTETS,
};

struct record_header {
	uint32_t kind;
	uint32_t length;        /* octets of payload, without padding */
	uint64_t sum, salt, sequence;
};

/* Octets that a record of this payload takes in the file. */
uint64_t record_octets(uint64_t length);
/* Fill the header in front of a payload of header->length octets that lies behind it, zero the padding; sum is computed. */
void record_seal(uint8_t *record, const struct record_header *);
/* Are these at least RECORD_HEADER octets a header? Says nothing about the sum. */
bool record_header_parse(struct span, struct record_header *);
/* Is the sum right? record has header and payload. */
bool record_intact(struct span record, const struct record_header *);

/* ---- payloads ---- */
struct segment_record { uint32_t version; uint64_t number, created; };
struct chunk_record { uint64_t id; struct span content; };
struct done_record { uint64_t id; };

/* The message waits for the operator (held 1), or does so no more (0). The last one of an id counts. */
struct held_record {
	uint64_t id;
	uint32_t held;
	uint64_t when;          /* ms since 1970 */
	struct span words;      /* why, for people */
};
enum { HELD_WORDS_MAX = 400 };

/* What nothing but the history wants to know: docs/history.md. The last three are the end of the message. */
enum fact_kind {
	FACT_MESSAGE_ID = 1,    /* words: without its angle brackets. Stands in front of the MESSAGE of this id */
	FACT_NOTICE,            /* the sender was written to: other is the notice's id, words "failed", "delayed", ... */
	FACT_DROPPED,           /* by an operator, with a word to nobody */
	FACT_PURGED,            /* it was held, and dropped */
	FACT_LOST,              /* the disk has lost its content */
};
struct fact_record {
	uint64_t id;
	uint32_t kind;          /* enum fact_kind */
	uint64_t when;          /* ms since 1970 */
	uint64_t other;
	struct span words;
};
enum { FACT_WORDS_MAX = 255 };

/* What happened to a recipient; the numbers are those of enum smtp_class. */
enum outcome_class { OUTCOME_DELIVERED, OUTCOME_LATER, OUTCOME_NEVER, OUTCOME_NONE = 99 };
enum outcome_flag { OUTCOME_TOLD = 1 /* the sender has had a delay notice */, OUTCOME_DSN = 2 /* next hop took over DSN duties */ };

struct outcome {
	uint32_t class;
	uint32_t code;          /* SMTP reply code, 0 when the verdict is ours */
	uint32_t attempt;       /* tries so far */
	uint32_t flags;
	uint64_t when;          /* ms since 1970 */
	struct span enhanced, host, tls, text;
	uint32_t took;          /* ms from the beginning of the try; only in a RESULT, and only since version 3 */
};

struct recipient {
	uint32_t notify;        /* enum smtp_notify */
	struct span path, orcpt;
	struct outcome last;
};

struct result_record { uint64_t id; uint32_t number; struct outcome last; };

struct message_record {
	uint64_t id;
	uint64_t arrival;       /* ms since 1970 */
	uint64_t size;          /* octets of content */
	uint32_t flags;         /* enum mail_flag */
	uint32_t ret;           /* enum smtp_ret */
	uint32_t rcpts;
	struct span reverse_path, login, peer, helo, tls, envid, auth;
	struct span recipients; /* rcpts of them; walk with recipient_take() */
	struct span extents;    /* of a big message; walk with extent_take() */
	struct span content;    /* of a small one; always the end of the payload */
};

/* Of message_record.flags: it is a DSN; it is held from the beginning. The others are of no concern here. */
enum { RECORD_FLAG_NOTICE = 4, RECORD_FLAG_HELD = 8 };

struct extent { uint64_t segment, offset; uint32_t octets; };

extern const struct layout segment_record_layout, chunk_record_layout, done_record_layout, result_record_layout,
    held_record_layout, fact_record_layout, message_record_layout, recipient_layout;

/* The payload of a RESULT, with or without took. */
bool result_parse(struct span payload, struct result_record *);

/* The whole payload of a MESSAGE, checked inside too: recipients and extents are as many and as long as they should be. */
bool message_parse(struct span payload, struct message_record *);
/* The same for a payload whose content may be cut off; content is empty, content_at is where it begins. */
bool message_head_parse(struct span payload, struct message_record *, size_t *content_at);
/* Octets that message_record_layout makes of it. */
size_t message_octets(const struct message_record *);

bool recipient_take(struct span *rest, struct recipient *);
bool extent_take(struct span *rest, struct extent *);
bool extent_format(const struct extent *, struct buf *out);
/* Of "local@domain"; empty when there is none (bare Postmaster). */
struct span recipient_domain(struct span path);

#endif

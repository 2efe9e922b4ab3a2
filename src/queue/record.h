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
	RECORD_ONCE,
	RECORD_RELEASE,
	RECORD_FACT,
	RECORD_KINDS = RECORD_FACT,
};

enum {
	RECORD_HEADER = 40,
	RECORD_ALIGN = 8,
	RECORD_PAYLOAD_MAX = 32 * 1024 * 1024,
	/* 2: HELD. 3: ONCE, RELEASE, a MESSAGE with terms, FACT, RESULT.took: a program without them would deliver too early. */
	RECORD_VERSION = 3,
	RECORD_VERSION_LEAST = 1,       /* what we still read */
	RECORD_PRINT_OCTETS = 32,
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

/* What was submitted lately, by prints under this key. Fresh: one, of the MESSAGE that follows, and nothing without it. */
struct once_record {
	uint32_t fresh;
	struct span key;        /* 16 octets */
	struct span prints;     /* walk with once_print_take() */
};
struct once_print {
	struct span print;      /* 16 octets */
	uint64_t id, when;      /* ms since 1970; id 0: it counts no more */
};

/* The message is released then, whatever its MESSAGE and RELEASEs before it said. */
struct release_record { uint64_t id, release; };

/* What nothing but the history wants to know: docs/history.md. All but the first two are the end of the message. */
enum fact_kind {
	FACT_MESSAGE_ID = 1,    /* words: without its angle brackets. Stands in front of the MESSAGE of this id */
	FACT_NOTICE,            /* the sender was written to: other is the notice's id, words "failed", "delayed", ... */
	FACT_DROPPED,           /* by an operator, with a word to nobody */
	FACT_PURGED,            /* it was held, and dropped */
	FACT_LOST,              /* the disk has lost its content */
	FACT_DISCARDED,         /* by a content filter, which words name. Stands in front of the MESSAGE of this id */
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
enum outcome_flag {
	OUTCOME_TOLD = 1,       /* the sender has had a delay notice */
	OUTCOME_DSN = 2,        /* next hop took over DSN duties */
	OUTCOME_LATE = 4,       /* the sender has been told that the deadline is over (RFC 2852 4.1.4.2) */
	OUTCOME_EXACT = 8,      /* the wait takes the place of the back-off; else the longer of both counts */
};
/* Of outcome.flags, above those: seconds that the reply asked to wait, so that a start asks no earlier (RFC 6647); 0: none. */
enum { OUTCOME_WAIT_AT = 8 };

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
	/* Its terms: not in the record when all of them are 0. */
	uint64_t release;       /* ms since 1970: not tried before (RFC 4865); 0: at once */
	uint64_t deadline;      /* ms since 1970: deliver by (RFC 2852); 0: none */
	uint32_t by;            /* enum record_by */
	uint32_t priority;      /* an int32_t, -9 to 9 (RFC 6710) */
	struct span hold;       /* "for;3600", "until;..." as it was asked for */
	struct span recipients; /* rcpts of them; walk with recipient_take() */
	struct span extents;    /* of a big message; walk with extent_take() */
	struct span content;    /* of a small one; always the end of the payload */
};

/* Of message_record.flags: SMTPUTF8; it is a DSN; it is held from the beginning; REQUIRETLS; it was finished when it was written, and is there for
 * the history alone (HELD then, too, for programs that do not know of it). The others are of no concern here. TERMS is in
 * the record alone: message_format() sets it, parsing takes it away. */
enum { RECORD_FLAG_UTF8 = 2, RECORD_FLAG_NOTICE = 4, RECORD_FLAG_HELD = 8, RECORD_FLAG_REQUIRETLS = 16, RECORD_FLAG_DISCARDED = 128,
	RECORD_FLAG_TERMS = 1 << 30 };

enum record_by {
	RECORD_BY_RETURN = 1,   /* what is not delivered by then comes back; else its sender is told */
	RECORD_BY_TRACE = 2,    /* each relaying is told */
};
enum { RECORD_HOLD_MAX = 48 };

struct extent { uint64_t segment, offset; uint32_t octets; };

extern const struct layout segment_record_layout, chunk_record_layout, done_record_layout, result_record_layout,
    held_record_layout, once_record_layout, release_record_layout, fact_record_layout, message_record_layout, recipient_layout;

/* The payload of a RESULT, with or without took. */
bool result_parse(struct span payload, struct result_record *);

/* The whole payload of a MESSAGE, checked inside too: recipients and extents are as many and as long as they should be. */
bool message_parse(struct span payload, struct message_record *);
/* The same for a payload whose content may be cut off; content is empty, content_at is where it begins. */
bool message_head_parse(struct span payload, struct message_record *, size_t *content_at);
/* Octets that message_format() makes of it. */
size_t message_octets(const struct message_record *);
/* False: no room, or a text longer than its field may be. */
bool message_format(const struct message_record *, struct buf *out);

/* A whole ONCE: at least one print, exactly one when fresh, and nothing left over. */
bool once_parse(struct span payload, struct once_record *);
bool once_print_take(struct span *rest, struct once_print *);

bool recipient_take(struct span *rest, struct recipient *);
bool extent_take(struct span *rest, struct extent *);
bool extent_format(const struct extent *, struct buf *out);
/* Of "local@domain"; empty when there is none (bare Postmaster). */
struct span recipient_domain(struct span path);

#endif

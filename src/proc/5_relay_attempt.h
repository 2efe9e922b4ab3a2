/*
 * proc/5_relay_attempt.h - private to 5_relay*.c: one message on its way, its recipients, and where its octets lie.
 *
 * Owner     an attempt belongs to its destination while it waits, then to the connection or Maildir job that took it, which
 *           reports each recipient once and finishes it.
 * Blocks    relay_content_read() on the disk (mostly the page cache: 4_spool wrote it just now).
 */
#ifndef POSTERN_PROC_5_RELAY_ATTEMPT_H
#define POSTERN_PROC_5_RELAY_ATTEMPT_H

#include "policy/transport.h"
#include "proc/5_relay_dkim.h"
#include "proc/peers.h"
#include "smtp/client.h"

struct relay;
struct relay_conversion;

enum {
	RELAY_RCPTS_MAX = 1 << 20,      /* of one attempt; 4_spool's own ceiling is far lower */
	RELAY_TLS_MAX = 400,            /* relay_result.tls */
};

/* Why something did not work, or did, in the terms of a relay_result; all texts NUL-terminated. */
struct relay_reason {
	enum smtp_class class;
	enum smtp_stage stage;
	uint16_t code;
	char enhanced[16];
	char host[400];
	char tls[RELAY_TLS_MAX + 1];
	char text[480];
	enum transport_policy policy;   /* of the address in use, with what went wrong with its TLS */
	enum transport_result result;
};

/* A spool segment: 4_spool keeps its octets in place until GONE. */
struct relay_file {
	struct relay_file *next;
	uint64_t number;
	int fd;
	uint32_t refs;                  /* Maildir jobs that read it */
	bool gone;
};

struct relay_recipient {
	uint32_t number;                /* 4_spool's */
	uint32_t notify;
	uint32_t path_at, orcpt_at;     /* into the attempt's texts */
	uint16_t path_len, orcpt_len;
	bool done;                      /* reported */
};

/* One RELAY_TRY. Owner: the destination's list while it waits, then the connection or job that took it. */
struct relay_attempt {
	struct relay_attempt *next;     /* of the destination's waiting ones, or of a job's batch */
	struct relay *relay;
	struct relay_try facts;         /* spans point behind the recipients */
	uint32_t session;
	uint32_t arrived;               /* recipients that have come */
	uint32_t left;                  /* not reported */
	uint32_t stale;
	uint32_t apart;                 /* how often it went again without somebody */
	uint32_t most;                  /* recipients in the next transaction: those who were accepted; 0: any */
	uint32_t principal;             /* hash of its account: who takes turns with others */
	uint32_t passed;                /* more urgent ones that stood in line behind it, and went in front */
	uint32_t window;                /* recipients in the transaction that runs */
	uint32_t *map;                  /* their places in rcpt */
	struct relay_conversion *conversion;    /* for the hop that has it or had it last; NULL: none was needed */
	struct relay_seal seal;         /* what goes in front of the content */
	struct buf texts;
	struct relay_recipient rcpt[];
};

/* A piece of the content, as relay_try.extents has it. */
struct relay_extent { uint64_t segment, offset; uint32_t octets; };

/* Where in the content a reader is. */
struct relay_cursor {
	uint32_t extent;
	uint32_t inside;                /* octets of that extent already given */
};

/* ---- 5_relay_attempt.c ---- */
/* False: 4_spool broke the order, or memory is short. A whole attempt goes to its destination by itself. */
bool relay_attempt_begin(struct relay *, uint32_t session, struct span body);
bool relay_attempt_rcpt(struct relay *, uint32_t session, struct span body);
struct span relay_attempt_path(const struct relay_attempt *, uint32_t place);
struct span relay_attempt_orcpt(const struct relay_attempt *, uint32_t place);
void relay_reason_set(struct relay_reason *, enum smtp_class, uint16_t code, const char *enhanced, const char *text);
/* What the next hop has taken over from us. */
enum relay_taken { RELAY_TOOK_NOTHING, RELAY_TOOK_DSN = 1 /* the notifications */, RELAY_TOOK_BY = 2 /* the deadline */ };
/* text replaces the reason's; taken: enum relay_taken. */
void relay_attempt_report(struct relay_attempt *, uint32_t place, const struct relay_reason *, struct span text, unsigned taken);
/* Report the reason for everybody not yet reported, and finish. */
void relay_attempt_fail(struct relay_attempt *, const struct relay_reason *);
void relay_attempt_finish(struct relay_attempt *);      /* RELAY_DONE, and free */
void relay_attempt_free(struct relay_attempt *);

/* ---- 5_relay_content.c ---- */
void relay_file_add(struct relay *, uint64_t number, int fd);   /* fd becomes ours */
void relay_file_gone(struct relay *, uint64_t number);
void relay_file_all_gone(struct relay *);
void relay_file_release(struct relay_file *);
struct relay_file *relay_file_find(struct relay *, uint64_t number);
bool relay_extents_valid(const struct relay_try *);
struct relay_extent relay_extent(const struct relay_try *, uint32_t index);
/* Up to max octets from the cursor on, which stays; 0 when they cannot be read. */
size_t relay_content_read(struct relay *, const struct relay_try *, struct relay_cursor, uint8_t *out, size_t max);
void relay_cursor_move(const struct relay_try *, struct relay_cursor *, size_t octets);

#endif

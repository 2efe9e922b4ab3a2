/*
 * cmd/queue_where.h - private to queue_where*.c: what `postern queue where` learns from 7_history, or from its file, and the two ways to
 * print it.
 *
 * Owner     struct where_answer has everything that its spans point to; where_answer_free() frees it.
 */
#ifndef POSTERN_CMD_QUEUE_WHERE_H
#define POSTERN_CMD_QUEUE_WHERE_H

#include "cmd/settings.h"
#include "history/history.h"
#include "proc/peers.h"

/* How things stand with a recipient, and what `state` is in JSON. */
enum where_state {
	WHERE_WAITING, WHERE_DEFERRED, WHERE_HELD, WHERE_DELIVERED, WHERE_BOUNCED, WHERE_DROPPED, WHERE_PURGED, WHERE_LOST, WHERE_UNKNOWN,
	WHERE_DISCARDED,
};

/* Its recipients, attempts and events are those from first_* on, up to the next message's. */
struct where_row {
	struct history_message message;
	size_t first_recipient, first_attempt, first_event;
	bool live;                      /* 4_spool has it: what follows is so just now */
	uint64_t next_try, held;        /* next_try 0: being tried, or held */
};
struct where_person { uint32_t number; struct span path; };
struct where_hole { uint64_t when; struct span words; };

struct where_answer {
	struct where_row *row;
	struct where_person *person;
	struct history_attempt *attempt;
	struct history_event *event;
	struct where_hole *hole;
	size_t rows, persons, attempts, events, holes;
	size_t rows_max, persons_max, attempts_max, events_max, holes_max;
	struct where_text *texts;       /* the octets of all spans */
	struct history_found found;
	uint64_t behind;                /* records of the spool's log that are not in it yet */
	bool short_of_memory;
	bool offline;                   /* the server does not run: read from the file */
};

/* What is told is copied. arg is the answer. */
extern const struct history_answer where_gather;
void where_answer_free(struct where_answer *);

enum where_state where_state(const struct where_answer *, size_t row, uint32_t number);
const char *where_state_name(enum where_state);
/* The end of the row's recipients, attempts, events. */
size_t where_persons_end(const struct where_answer *, size_t row);
size_t where_attempts_end(const struct where_answer *, size_t row);
size_t where_events_end(const struct where_answer *, size_t row);
/* Of an attempt's TLS: "TLSv1.3 TLS_AES_128_GCM_SHA256 dane 3 1 1 verified" has the policy third, "none (policy dane)" in brackets. */
struct span where_policy(struct span tls);

/* stdout. */
void where_print(const struct where_answer *);
/* False when memory is short. */
bool where_print_json(const struct where_answer *);

/* The whole of `postern queue where WHAT`. The exit status. */
int queue_where(const struct settings *, const char *what, uint32_t most, bool json);

#endif

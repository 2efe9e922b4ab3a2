/*
 * proc/7_history.h - private to 7_history*.c: who writes down what became of every message, and who asks for it.
 *
 *	7_history.c           the process: opening the file, what to do when it cannot be written or is damaged
 *	7_history_log.c       what the spool's log says, as rows
 *	7_history_control.c   `postern queue where`
 *	7_history_hook.c      events for 8_hook to post
 */
#ifndef POSTERN_PROC_7_HISTORY_H
#define POSTERN_PROC_7_HISTORY_H

#include "history/history.h"
#include "os/log.h"
#include "proc/child.h"
#include "proc/door.h"
#include "spool/tail.h"

enum {
	ARCHIVE_CONTROLS = 16,          /* connections of `postern queue where` at once */
	ARCHIVE_BATCH = 20000,          /* records of one transaction at most */
	ARCHIVE_RECENT = 16384,         /* messages whose recipients are counted in memory; a power of two */
	ARCHIVE_TICK_MS = 1000,
	ARCHIVE_RETRY_MS = 10000,       /* after the disk has refused a transaction */
	ARCHIVE_WAIT_MS = 2000,         /* who asks waits so long for 4_spool to sync what it has */
	ARCHIVE_DRAIN_MS = 2500,        /* for 4_spool's last words */
	ARCHIVE_PRUNE_STEPS = 200,      /* at once */
	ARCHIVE_READ_MS = 500,          /* so long it reads without looking at anything else */
	ARCHIVE_HOOKED = 64,            /* events that were posted, or not, and are not written down yet */
	ARCHIVE_TRIM_MS = 60 * 1000,
};

/* A question that waits until everything that has happened is in the history. */
struct archive_asker {
	struct channel *channel;        /* NULL: free */
	bool waiting;
	uint32_t session, most;
	uint64_t before, since;         /* since: uv_now() */
	size_t len;
	uint8_t what[HISTORY_TEXT_MAX];
};

/* How many recipients of a message have no end yet: so a DONE needs no look into the file. */
struct archive_recent { uint64_t id; uint32_t open; };

/* Posted (due 0), or to be tried again. */
struct archive_hook_end { uint64_t row, due; };

struct archive {
	struct child child;
	struct history *history;        /* NULL: cannot be opened just now */
	struct tail tail;
	struct channel *spool;
	uint32_t epoch;                 /* of what 4_spool says: what belongs to an older one is not listened to */
	struct archive_recent recent[ARCHIVE_RECENT];
	uint64_t named;                 /* the message whose FACT_MESSAGE_ID was just read; 0: none */
	size_t name_len;
	uint8_t name[255];
	uint64_t retry;                 /* uv_now() before which nothing is written; 0: now */
	uint64_t asked;                 /* who asks waits until this record of the log has been read; 0: nobody does, or 4_spool is asked */
	bool going, draining, said_full;
	struct archive_asker asker[ARCHIVE_CONTROLS];
	struct channel *hook;           /* 8_hook */
	struct history_hook flight[HOOK_IN_FLIGHT];     /* what it has; row 0: free */
	struct archive_hook_end hook_end[ARCHIVE_HOOKED];
	size_t in_flight, hooked;
	uint64_t hook_trimmed;          /* ms since 1970 */
	bool hook_trouble;              /* what was said last */
	struct log_pause hook_said;
	struct door door;               /* `postern queue where` comes through it */
	uv_timer_t tick, go_on, drain_limit;
};

/* 7_history.c */
/* What SQLite said is remembered, said in the log, and done something about. */
void archive_failed(struct archive *, enum history_fault);

/* 7_history_log.c */
/* One record, into the transaction that is open. True: here the transaction may end. */
bool archive_record(struct archive *, const struct record_header *, struct span payload);
void archive_gap(struct archive *, const struct tail_gap *);
/* Nothing that was counted counts any more. */
void archive_forget(struct archive *);

/* 7_history_hook.c */
void archive_hook_open(struct archive *, int fd);
void archive_hook_close(struct archive *);
/* Is this event (enum webhook_event) to be posted? */
bool archive_wants(const struct archive *, uint32_t event);
/* Give out what is due. */
void archive_post(struct archive *);
void archive_hook_tick(struct archive *);
/* Write down what has become of those that were given out. */
void archive_settle_hooks(struct archive *);

/* 7_history_control.c */
void archive_listen(struct archive *, int fd);
/* Answer who waits; all of them, or who has waited long enough. */
void archive_answer(struct archive *, bool all);
void archive_control_close(struct archive *);

#endif

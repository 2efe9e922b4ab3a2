/*
 * history/history.h - what became of every message, kept in SQLite for people to ask. docs/history.md.
 *
 * Written from the spool's log in big transactions, each with the place in the log up to which it goes: what is in the one is in the
 * other, so nothing is lost or doubled by whatever ends the process.
 *
 * Owner     struct history is the caller's from history_open() to history_close(). Spans given are copied; spans that come back
 *           are good during the call.
 * Blocks    on the disk.
 * Fails     writing remembers its first failure, which history_commit() says: nothing of the transaction is there then.
 *           HISTORY_FULL      no room, or the disk will not: try again later
 *           HISTORY_BROKEN    the file is damaged: history_set_aside(), then history_open() anew
 *           HISTORY_NEWER     only from history_open(): a newer version wrote it; it must be left alone
 */
#ifndef POSTERN_HISTORY_HISTORY_H
#define POSTERN_HISTORY_HISTORY_H

#include "base/buf.h"

enum {
	HISTORY_FIND_MOST = 1000,       /* messages of one answer */
	HISTORY_FIND_RECIPIENTS = 1000, /* of one message that are told, and as many attempts of all of them together times four */
	HISTORY_FIND_ROWS = 20000,      /* of one answer, beyond which it ends with the message that is being told */
	HISTORY_WORDS_MAX = 480,
	HISTORY_ASIDE_MOST = 3,         /* damaged files that are kept */
	HISTORY_TEXT_MAX = 512,         /* of what is looked for */
	HISTORY_ID_MAX = 255,           /* of a Message-ID that is kept; a longer one is found by so much of it */
};

struct history;

enum history_fault { HISTORY_FINE, HISTORY_FULL, HISTORY_BROKEN, HISTORY_NEWER };

struct history_limits {
	uint64_t age;                   /* ms; older messages go */
	uint64_t size;                  /* octets of the file at most; the oldest messages go */
};

/* Up to where the log has been read; all zero: nothing yet. The same as struct tail_place. */
struct history_place { uint64_t segment, salt, offset, sequence; };

struct history_message {
	uint64_t id, arrival, size;
	uint32_t flags;                 /* enum mail_flag */
	uint32_t rcpts;
	struct span sender, login, peer, tls, message_id;
};
struct history_attempt {
	uint64_t id, sequence, when;
	uint32_t number;                /* of the recipient */
	uint32_t attempt, class, code, took;    /* took: ms */
	struct span status, host, tls, text;
	struct span reply;              /* what the refusal means: name of a reply_class; empty: none, or not known */
};
enum history_event_kind {
	HISTORY_HELD = 1, HISTORY_RELEASED,
	HISTORY_NOTICE,                 /* the sender was written to: other is the notice's id */
	HISTORY_DROPPED, HISTORY_PURGED, HISTORY_LOST,
	HISTORY_DONE,                   /* nothing is left to do, and how it ended is not recorded */
	HISTORY_DISCARDED,              /* by a content filter */
	HISTORY_KINDS_END
};
struct history_event {
	uint64_t id, when, other;
	uint32_t kind;
	struct span words;
};

/* Opens or makes directory/history.db. NULL with words in why; *fault says whether setting it aside would help. */
struct history *history_open(const char *directory, const struct history_limits *, uint64_t now, enum history_fault *fault,
    struct buf *why);
/* The same to read only, of a server that does not run. NULL also when there is none. */
struct history *history_open_to_read(const char *directory, struct buf *why);
void history_close(struct history *);
void history_limit(struct history *, const struct history_limits *);
/* Rename the file and what belongs to it, so that a new one can begin; name is what it is called now. False with errno. Of those that were
 * set aside before the oldest goes when there are too many. */
bool history_set_aside(const char *directory, uint64_t now, struct buf *name);

struct history_place history_place(const struct history *);

/* ---- writing: begin, any number of rows, commit ---- */
void history_begin(struct history *);
/* False: it is known already (or the transaction has failed); its recipients are, too. */
bool history_add_message(struct history *, const struct history_message *);
void history_add_recipient(struct history *, uint64_t id, uint32_t number, struct span path);
void history_add_attempt(struct history *, const struct history_attempt *);
/* False: it is known already, or the transaction has failed. */
bool history_add_event(struct history *, const struct history_event *);
/* The words of one that is known already. */
void history_word_event(struct history *, const struct history_event *);
/* Something is missing here, and why. */
void history_add_gap(struct history *, uint64_t when, struct span words);
/* Is this message known, and has each of its recipients an end? */
enum history_settled { HISTORY_UNKNOWN, HISTORY_OPEN, HISTORY_SETTLED } history_settled(struct history *, uint64_t id);
/* place: what was read so far is in it. */
enum history_fault history_commit(struct history *, const struct history_place *);
void history_abort(struct history *);
/* In words, of the newest failure. */
const char *history_why(const struct history *);
/* The time by which old things go: now, but ahead of what it was before by no more than a day for each hour that the machine has run
 * since. now: ms since 1970, as the clock has it, which may be anything. */
uint64_t history_trusted(struct history *, uint64_t now);
/* Remove a little of what is too old or too much, in a transaction of its own. False: there was nothing to do, or it failed: *fault. */
bool history_prune(struct history *, uint64_t now, enum history_fault *fault);

/* ---- events that are to be posted; those that change something belong into a transaction ---- */
struct history_hook {
	uint64_t row;                   /* its name here, set by history_due() */
	uint64_t id, sequence, when;    /* sequence: of the attempt; 0: it is about the whole message */
	uint32_t number;                /* of the recipient; of the whole message: what befell it, enum history_event_kind */
	uint32_t event;                 /* enum webhook_event */
	uint32_t tries;
};
void history_add_hook(struct history *, const struct history_hook *);
/* What is due later than any retry can be was planned by a clock that was ahead: it is due now. */
void history_bound_hooks(struct history *, uint64_t latest);
void history_hook_done(struct history *, uint64_t row);
void history_hook_later(struct history *, uint64_t row, uint64_t due);
/* Drop what happened before oldest, and the oldest of more than most; how many. */
uint32_t history_trim_hooks(struct history *, uint64_t oldest, uint32_t most);
/* The first that are due. */
size_t history_due(struct history *, uint64_t now, struct history_hook *, size_t most);
enum history_facts { FACTS_TOLD, FACTS_FORGOTTEN, FACTS_UNREADABLE };
/* Calls tell() with what happened; the attempt is empty when it is about the whole message, and words say why. */
enum history_facts history_hook_facts(struct history *, const struct history_hook *, void (*tell)(void *arg, const struct history_message *,
    struct span path, const struct history_attempt *, struct span words), void *arg);

/* ---- reading ---- */
struct history_question {
	struct span what;               /* a queue id's text, a Message-ID with or without brackets, a sender, a recipient */
	uint64_t id;                    /* of what, when it is a queue id; else 0 */
	uint64_t before;                /* only messages older than this id; 0: all */
	uint32_t most;
};
/* Newest message first; of each its recipients in order, or only those who were looked for, then attempts and events in the order in
 * which they happened. */
struct history_answer {
	void (*message)(void *arg, const struct history_message *);
	void (*recipient)(void *arg, uint64_t id, uint32_t number, struct span path);
	void (*attempt)(void *arg, const struct history_attempt *);
	void (*event)(void *arg, const struct history_event *);
	/* Of the whole history, newest last. */
	void (*gap)(void *arg, uint64_t when, struct span words);
	void *arg;
};
struct history_found {
	uint32_t messages;
	uint64_t next;                  /* go on with before = next; 0: that was all */
	uint64_t begun;                 /* the history begins here, ms since 1970 */
};
enum history_fault history_find(struct history *, const struct history_question *, const struct history_answer *,
    struct history_found *);

#endif

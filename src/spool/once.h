/*
 * spool/once.h - what was submitted lately, so that the same submission is not queued twice.
 *
 * A client that hears nothing after the final dot sends its message again (RFC 5321 4.5.3.2.6; RFC 1047). Of each message that
 * was taken within the window there is a print here: a keyed hash of who sent what to whom. The print also stands in the log, in
 * a ONCE record in front of the message's own, and is copied forward as long as it counts: docs/spool.md, Submitted twice.
 *
 * Owner     struct once belongs to the spool. An entry is named by a number that stays the same while it lives and may mean
 *           somebody else afterwards, so it is always given together with the queue id.
 * Memory    ONCE_MOST entries; beyond it the oldest is forgotten before its time.
 * Blocks    never.
 * Fails     by knowing less: a message that has no entry is queued twice when it comes twice.
 */
#ifndef POSTERN_SPOOL_ONCE_H
#define POSTERN_SPOOL_ONCE_H

#include "base/siphash.h"
#include "spool/journal.h"

#define ONCE_NONE UINT32_MAX

enum {
	ONCE_PRINT = SIPHASH_WIDE,
	ONCE_MOST = 256 * 1024,         /* entries; a power of two */
	ONCE_RECORD = 2048,             /* entries in one record, when they are copied forward */
};

struct once_entry {
	uint8_t print[ONCE_PRINT];
	uint64_t id;                    /* 0: forgotten */
	uint64_t when;                  /* it was taken, ms since 1970; never later than now */
	uint32_t segment;               /* where its record lies; 0: not held yet */
	uint32_t next;                  /* in the bucket */
};

struct once {
	struct journal *journal;
	uint64_t window;                /* ms; 0: nothing is compared, what is known goes */
	struct once_entry *entry;       /* a ring: number & (max - 1) */
	uint32_t *bucket;               /* as many as entries */
	uint32_t max, first, end;       /* numbers [first, end) */
	bool held;                      /* entries hold their segments: not before the start is through */
	uint8_t key[SIPHASH_KEY];
};

/* False: there is no randomness for a key. */
bool once_init(struct once *, struct journal *, uint64_t window);
void once_fini(struct once *);
void once_configure(struct once *, uint64_t window);

/* Was this taken within the window? Its queue id. */
bool once_find(const struct once *, const uint8_t print[ONCE_PRINT], uint64_t now, uint64_t *id);
/* Write the record that stands in front of the message's; its place, or 0. */
uint64_t once_append(struct once *, const uint8_t print[ONCE_PRINT], uint64_t id, uint64_t when);
/* Remember it; its number, or ONCE_NONE. */
uint32_t once_add(struct once *, const uint8_t print[ONCE_PRINT], uint64_t id, uint64_t when, uint64_t place);
/* It was not taken after all. */
void once_forget(struct once *, uint32_t number, uint64_t id);
/* It did not reach everybody: whoever sends it again means it. Written down, so that the next start knows it too. */
void once_revoke(struct once *, uint32_t number, uint64_t id);
/* 0: that one is forgotten. */
uint64_t once_id(const struct once *, uint32_t number);
/* Forget what is older than the window, some of it at a time. */
void once_expire(struct once *, uint64_t now);
/* The clock was set back: nothing was taken later than now. */
void once_no_later(struct once *, uint64_t now);
/* Write what lies in this segment anew. False: the journal takes no more just now. */
bool once_carry(struct once *, uint64_t segment);

/* ---- at a start ---- */
/* What a ONCE record says. When it stands in front of its message, *fresh is to be added if that message follows; else its id is 0. */
void once_recover(struct once *, struct span payload, uint64_t place, uint64_t now, struct once_entry *fresh);
/* Everything is read: hold the segments. */
void once_recovered(struct once *, uint64_t now);

#endif

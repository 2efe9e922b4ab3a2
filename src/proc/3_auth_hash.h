/*
 * proc/3_auth_hash.h - hashing on worker threads: who is hashed when. Private to 3_auth*.c.
 *
 * Owner     the caller, of hasher and jobs; a job, its candidate and its secret stay until done().
 * Blocks    never. Fails: hasher_begin() says when too many wait.
 */
#ifndef POSTERN_PROC_3_AUTH_HASH_H
#define POSTERN_PROC_3_AUTH_HASH_H

#include <uv.h>

#include "base/span.h"

struct candidate;

enum {
	AUTH_EXPENSIVE_WAITING_MAX = 64,        /* human passwords waiting for a worker; beyond it 454 */
	AUTH_CHEAP_MAX = 256,           /* sender keys waiting; both in each rank's line */
};

enum hash_cost { HASH_CHEAP, HASH_EXPENSIVE, HASH_COSTS };
/* In this order. A guesser's host is clean once: then it comes after everybody who has not failed. */
enum hash_rank { HASH_KNOWN, HASH_CLEAN, HASH_TAINTED, HASH_RANKS };
/* STOPPED: may() said no. CROWDED: somebody else needed its place in the line more. UNABLE: it could not be found out. */
enum hash_fate { HASH_DONE, HASH_STOPPED, HASH_CROWDED, HASH_UNABLE };

struct hash_job {
	uv_work_t work;
	struct hash_job *next;          /* waiting */
	struct hasher *hasher;
	const struct candidate *candidate;
	struct span secret;
	uint32_t share;                 /* equal for those who share one part of the line */
	enum hash_rank rank;
	bool (*may)(struct hash_job *);         /* just before the work, when it had to wait */
	void (*done)(struct hash_job *);        /* both on the loop's thread */
	enum hash_cost cost;
	enum hash_fate fate;
	bool matched;
};

enum { HASH_SHARES = 64 };

struct hash_line {
	struct hash_job *first, *last;
	unsigned waiting;
	uint16_t share[HASH_SHARES];    /* how many of them wait */
	unsigned turn;                  /* the share that was served last */
};

/* Human passwords run on a few threads at a time and wait in a line of their own, so that sender keys never stand behind them;
 * of both there is a line for those who are known where they are, and two for strangers. */
struct hasher {
	uv_loop_t *loop;
	struct hash_line line[HASH_COSTS][HASH_RANKS];
	unsigned running[HASH_COSTS], most[HASH_COSTS];
	unsigned strangers[HASH_COSTS], strangers_most[HASH_COSTS];     /* of those that run */
};

void hasher_init(struct hasher *, uv_loop_t *);
/* False: too many wait already. candidate and secret must stay until done, which is not called before this returns. */
bool hasher_begin(struct hasher *, struct hash_job *);

#endif

/*
 * queue/schedule.h - which message is tried next, where, and when again. RFC 5321 4.5.4.1. Pure.
 *
 * A job is one message for one destination. Each destination keeps its jobs in a heap by due time and may have `window` of them
 * running; the destinations that may run something stand in a heap of their own. So a destination that answers nobody, with ten
 * thousand messages, keeps nobody else waiting: its window shrinks to one, it is held off for a while (5321-70), and
 * what it may not run is not even looked at.
 *
 * Owner     the caller owns all arrays and may exchange one for a bigger copy with schedule_lend_*() at any time. Jobs and
 *           destinations are named by index, which stays the same while they live.
 * Units     milliseconds since 1970.
 * Blocks    never.
 */
#ifndef POSTERN_QUEUE_SCHEDULE_H
#define POSTERN_QUEUE_SCHEDULE_H

#include "base/span.h"

#define SCHEDULE_NONE UINT32_MAX

enum job_phase { JOB_FREE, JOB_WAITING, JOB_RUNNING };

/* Links of a pairing heap; prev is the parent for a first child. */
struct heap_link { uint32_t child, next, prev; };

struct job {
	uint64_t due;
	uint32_t message;               /* the caller's */
	uint32_t sibling;               /* next job of the same message, the caller's list; next free one */
	uint32_t destination;
	uint32_t attempts;              /* tries that have ended */
	struct heap_link link;
	uint8_t state;                  /* enum job_phase */
	int8_t priority;                /* of those that are due the highest goes first (RFC 6710 4.2) */
	bool ripe;                      /* WAITING, in the destination's other heap */
	bool late;                      /* the caller's: the sender has been told that the deadline is over */
	bool told;                      /* the caller's: the sender has had a delay notice about it */
};

struct destination {
	uint64_t ready;                 /* key in the heap of destinations */
	uint64_t held;                  /* not before this */
	struct span name;               /* lower case; the caller's memory, until schedule_retire() gives it back */
	uint32_t hash_next;
	uint32_t root, ripe;            /* heaps of waiting jobs: by due time, and of those that are due by priority */
	uint32_t waiting, running;
	uint32_t window, failures;      /* in a row, of whole tries */
	struct heap_link link;
	bool used, queued;
};

struct schedule_conf {
	uint64_t retry_first, retry_max;        /* ms */
	uint64_t hold_max;                      /* ms that a dead destination is held off at most */
	uint32_t window;                        /* running jobs of one destination at most */
	uint32_t running;                       /* in all */
};

struct schedule {
	struct schedule_conf conf;
	struct job *job;
	struct destination *destination;
	uint32_t *bucket;               /* of destinations; buckets is a power of two */
	uint32_t jobs, jobs_used, jobs_free;
	uint32_t destinations, destinations_used, destinations_free;
	uint32_t buckets;
	uint32_t root;                  /* heap of destinations */
	uint32_t waiting, running;
	uint64_t now;                   /* as of the newest schedule_next() */
};

/* bucket is overwritten. */
void schedule_init(struct schedule *, const struct schedule_conf *, uint32_t *bucket, uint32_t buckets);
/* More room; the array begins with a copy of the old one. */
void schedule_lend_jobs(struct schedule *, struct job *, uint32_t count);
void schedule_lend_destinations(struct schedule *, struct destination *, uint32_t count);
/* New limits; what runs goes on. */
void schedule_configure(struct schedule *, const struct schedule_conf *);

/* Index of the destination of this name, SCHEDULE_NONE when there is none. */
uint32_t schedule_find(const struct schedule *, struct span name);
/* A new one; name must outlive it. SCHEDULE_NONE when the array is full. */
uint32_t schedule_destination(struct schedule *, struct span name);
/* Forget a destination without jobs whose hold is over; false when it must stay. Its name is the caller's again. */
bool schedule_retire(struct schedule *, uint32_t destination, uint64_t now);

/* A new waiting job; SCHEDULE_NONE when the array is full. */
uint32_t schedule_add(struct schedule *, uint32_t destination, uint32_t message, uint64_t due, uint32_t attempts);
/* The same with a priority other than 0. */
uint32_t schedule_add_ranked(struct schedule *, uint32_t destination, uint32_t message, uint64_t due, uint32_t attempts,
    int8_t priority);
/* Take a job out in whatever phase it is. */
void schedule_remove(struct schedule *, uint32_t job);

/* The next job to run now: it is RUNNING when this returns. SCHEDULE_NONE: nothing is due, or all windows are full. */
uint32_t schedule_next(struct schedule *, uint64_t now);
/* Is this WAITING job due, but its destination held because nobody answers there? */
bool schedule_held(const struct schedule *, uint32_t job, uint64_t now);
/* Make such a job RUNNING all the same, whatever its destination's window says. */
void schedule_take(struct schedule *, uint32_t job);
/* When schedule_next() may have something, UINT64_MAX: not before something else happens. */
uint64_t schedule_when(const struct schedule *);

/* How a try ended for its destination. */
enum try_end {
	TRY_ANSWERED,   /* somebody answered for the recipients, whatever he said */
	TRY_FAILED,     /* no session came about: nobody was reached */
	TRY_ALONE,      /* no session came about for what this message asks for: others may fare better */
	TRY_VOID,       /* says nothing about the destination: the relay died */
};
/* A RUNNING job is WAITING again until due; with TRY_VOID the attempt does not count. */
void schedule_again(struct schedule *, uint32_t job, uint64_t due, enum try_end, uint64_t now);
/* A RUNNING job is finished and gone. */
void schedule_finish(struct schedule *, uint32_t job, enum try_end, uint64_t now);
/* A WAITING job is due then, whenever it was before. */
void schedule_move(struct schedule *, uint32_t job, uint64_t due);
/* A WAITING job is due at once, and its destination is not held. */
void schedule_hurry(struct schedule *, uint32_t job, uint64_t now);

/* The clock was set by so many ms: all that is planned moves with it, so that nobody waits for a time that was never meant. */
void schedule_shift(struct schedule *, int64_t ms);

/* Due time after so many tries (at least 1): retry_first, doubled for each further try up to retry_max, up to an eighth
 * less by random so that what failed together does not come back together. */
uint64_t schedule_backoff(const struct schedule_conf *, uint64_t now, uint32_t attempts, uint32_t random);

/* Asserts every invariant; costs a walk over everything. */
void schedule_check(const struct schedule *);

#endif

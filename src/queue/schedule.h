/*
 * queue/schedule.h - which message is tried next, where, and when again. RFC 5321 4.5.4.1. Pure. docs/scheduling.md.
 *
 * A job is one message for one destination. A flow is what one principal has for one destination: jobs that are due, in the order of
 * job_before(), and jobs that wait for their time. Flows whose destination lets them run something stand with their principal,
 * first job first, and principals take turns: who has one mail waits for one mail of everybody else's, not for all of it.
 *
 * A destination says how many jobs of a flow may run (its window): few until somebody has answered there, one more for each answer,
 * half when it asks to be spared, one when nobody answers; then it is held off for a while (5321-70). Destinations of which nothing
 * good is known may together have `unproven` jobs running and no more, and one principal half of these: those that answer nobody
 * leave room for the others, and who writes to many of them leaves room for other principals.
 *
 * Of what one principal may run the most urgent goes first (RFC 6710 4.2), but nothing waits for ever: SCHEDULE_OVERTAKES of his jobs may
 * go in front of one that has waited longer, then the one that has waited longest goes. So a stream of urgent mail leaves the rest its
 * share, and urgent mail never waits for more than one of a backlog.
 *
 * Every call takes logarithmic time, but where it says otherwise.
 *
 * Owner     the caller owns all arrays and may exchange one for a bigger copy with schedule_lend_*() at any time. Jobs, destinations
 *           and flows are named by index, which stays the same while they live.
 * Units     milliseconds since 1970.
 * Blocks    never.
 */
#ifndef POSTERN_QUEUE_SCHEDULE_H
#define POSTERN_QUEUE_SCHEDULE_H

#include "base/span.h"

#define SCHEDULE_NONE UINT32_MAX

enum { SCHEDULE_OVERTAKES = 8 };

enum job_phase { JOB_FREE, JOB_LATER, JOB_DUE, JOB_RUNNING };

/* Links of a pairing heap; prev is the parent for a first child. */
struct heap_link { uint32_t child, next, prev; };

struct job {
	uint64_t due;
	uint32_t message;               /* the caller's */
	uint32_t sibling;               /* next job of the same message, the caller's list; next free one */
	uint32_t flow;
	uint32_t attempts;              /* tries that have ended */
	struct heap_link link;
	struct heap_link age;           /* of those that are due, by time alone */
	uint8_t state;                  /* enum job_phase */
	int8_t priority;                /* of those that are due the highest goes first (RFC 6710 4.2) */
	bool late;                      /* the caller's: the sender has been told that the deadline is over */
	bool told;                      /* the caller's: the sender has had a delay notice about it */
	bool hurried;                   /* its next try has been asked for: it shall be one, whatever is known of its hosts */
};

/* Where a flow stands: nowhere, because it has nothing to run or as much as it may; asleep until `wake`; with its principal. */
enum flow_place { FLOW_OUT, FLOW_ASLEEP, FLOW_OPEN };

struct flow {
	uint64_t wake;
	uint32_t destination, principal;
	uint32_t hash_next;             /* next free one */
	uint32_t next, prev;            /* of the same destination */
	uint32_t due, later;            /* heaps of jobs */
	uint32_t oldest;                /* heap of those that are due, by time alone; kept while schedule.ranked */
	uint32_t waiting, running;
	struct heap_link link;
	struct heap_link age;           /* of its principal's, by the oldest job */
	uint8_t place;                  /* enum flow_place */
	uint8_t class;                  /* enum schedule_class, of a flow that is OPEN */
	bool used;
};

struct destination {
	uint64_t held;                  /* not before this */
	struct span name;               /* lower case; the caller's memory, until schedule_retire() gives it back */
	uint32_t hash_next;
	uint32_t flows;                 /* list */
	uint32_t running;
	uint32_t window;                /* of each flow */
	uint16_t failures;              /* in a row, of whole tries */
	uint16_t slowed;                /* how often it has asked to be spared, less one for each answer since */
	bool used;
	bool proven;                    /* somebody has answered since the last failure */
};

enum schedule_class { SCHEDULE_PROVEN, SCHEDULE_UNPROVEN, SCHEDULE_CLASSES };

struct principal {
	uint32_t key;                   /* the caller's: two of the same key are one */
	uint32_t hash_next;
	uint32_t flows;                 /* how many there are */
	uint32_t open[SCHEDULE_CLASSES];        /* heap of flows */
	uint32_t aged[SCHEDULE_CLASSES];        /* the same flows, by their oldest jobs; kept while schedule.ranked */
	uint32_t next[SCHEDULE_CLASSES], prev[SCHEDULE_CLASSES];        /* ring of those whose turn will come */
	uint32_t unproven;              /* jobs that run to destinations that are not proven */
	uint8_t overtaken;              /* jobs that went in front of one that had waited longer, in a row */
	bool ringed[SCHEDULE_CLASSES];
	bool used;
};

struct schedule_conf {
	uint64_t retry_first, retry_max;        /* ms */
	uint64_t hold_max;                      /* ms that a destination is held off at most */
	uint32_t window;                        /* running jobs of one flow at most */
	uint32_t first;                         /* the same of a destination nothing is known of; 0: window */
	uint32_t running;                       /* in all */
	uint32_t unproven;                      /* in all to destinations that are not proven; 0: running */
};

/* Elements of an array the caller has lent, and of those that were used which are free. */
struct schedule_pool { uint32_t lent, used, free; };

struct schedule {
	struct schedule_conf conf;
	struct job *job;
	struct flow *flow;
	struct destination *destination;
	struct principal *principal;
	struct schedule_pool jobs, flows, destinations, principals;
	uint32_t *bucket;               /* three tables one behind the other: destinations, flows, principals */
	uint32_t buckets;               /* of each; a power of two */
	uint64_t now;                   /* the newest time that anybody has named */
	uint32_t asleep;                /* heap of flows */
	uint32_t turn[SCHEDULE_CLASSES];        /* the principal whose turn it is */
	uint32_t waiting, running, unproven;
	uint8_t class;                  /* who was not served last comes first */
	bool ranked;                    /* a job has had a priority: until then one order says it all */
};

/* bucket holds 3 * buckets elements, and is overwritten. */
void schedule_init(struct schedule *, const struct schedule_conf *, uint32_t *bucket, uint32_t buckets);
/* More room; the array begins with a copy of the old one. */
void schedule_lend_jobs(struct schedule *, struct job *, uint32_t count);
void schedule_lend_flows(struct schedule *, struct flow *, uint32_t count);
void schedule_lend_destinations(struct schedule *, struct destination *, uint32_t count);
void schedule_lend_principals(struct schedule *, struct principal *, uint32_t count);
bool schedule_full(const struct schedule_pool *);
/* New limits; what runs goes on. Walks over everything. */
void schedule_configure(struct schedule *, const struct schedule_conf *);

/* Index of the destination of this name, SCHEDULE_NONE when there is none. */
uint32_t schedule_find(const struct schedule *, struct span name);
/* A new one; name must outlive it. SCHEDULE_NONE when the array is full. */
uint32_t schedule_destination(struct schedule *, struct span name);
/* Forget a destination without jobs whose hold is over; false when it must stay. Its name is the caller's again. */
bool schedule_retire(struct schedule *, uint32_t destination, uint64_t now);
uint32_t schedule_job_destination(const struct schedule *, uint32_t job);

/* A new waiting job; SCHEDULE_NONE when an array is full: jobs, flows or principals. The first whose priority is not 0 walks over
 * everything. */
uint32_t schedule_add(struct schedule *, uint32_t destination, uint32_t principal, uint32_t message, uint64_t due, uint32_t attempts,
    int8_t priority);
/* Take a job out in whatever phase it is. */
void schedule_remove(struct schedule *, uint32_t job);

/* The next job to run now: it is RUNNING when this returns. SCHEDULE_NONE: nothing is due, or nothing that is may run. */
uint32_t schedule_next(struct schedule *, uint64_t now);
bool schedule_waiting(const struct schedule *, uint32_t job);
/* Is this waiting job due, but its destination held because nobody answers there? */
bool schedule_held(const struct schedule *, uint32_t job, uint64_t now);
/* Make such a job RUNNING all the same, whatever its destination's window says. */
void schedule_take(struct schedule *, uint32_t job);
/* When schedule_next() may have something, 0: now, UINT64_MAX: not before something else happens. */
uint64_t schedule_when(const struct schedule *);

/* How a try ended for its destination. */
enum try_end {
	TRY_ANSWERED,   /* somebody answered for the recipients, whatever he said */
	TRY_SLOWED,     /* the same, and the answer was that it should be less or later (policy/reply_class.h) */
	TRY_FAILED,     /* no session came about: nobody was reached */
	TRY_ALONE,      /* no session came about for what this message asks for: others may fare better */
	TRY_VOID,       /* says nothing about the destination: the relay died */
};
/* A RUNNING job is waiting again until due; with TRY_VOID the attempt does not count. */
void schedule_again(struct schedule *, uint32_t job, uint64_t due, enum try_end, uint64_t now);
/* A RUNNING job is finished and gone. */
void schedule_finish(struct schedule *, uint32_t job, enum try_end, uint64_t now);
/* A waiting job is due then, whenever it was before. */
void schedule_move(struct schedule *, uint32_t job, uint64_t due);
/* A waiting job is due at once, and its destination is not held. */
void schedule_hurry(struct schedule *, uint32_t job, uint64_t now);

/* The clock was set by so many ms: all that is planned moves with it, so that nobody waits for a time that was never meant. */
void schedule_shift(struct schedule *, int64_t ms);

/* Due time after so many tries (at least 1): retry_first, doubled for each further try up to retry_max, up to an eighth
 * less by random so that what failed together does not come back together. */
uint64_t schedule_backoff(const struct schedule_conf *, uint64_t now, uint32_t attempts, uint32_t random);
/* The same after an answer that names a wait (ms; greylisting does): not before it is over, up to an eighth later. Not doubled,
 * since the one who said it counts from the first try. */
uint64_t schedule_after(uint64_t now, uint64_t wait, uint32_t random);

/* Asserts every invariant; costs a walk over everything. */
void schedule_check(const struct schedule *);

#endif

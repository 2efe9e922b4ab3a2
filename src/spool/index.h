/*
 * spool/index.h - what is kept in memory of each message: where it lies and what is still to do, no text. About 150 octets a
 * message with its job, so a million waiting messages cost less than a quarter of a gibibyte.
 *
 * Owner     the index owns its entries; they are named by slot, which stays the same while the message lives. A pointer is
 *           good until the next index_add().
 * Blocks    never.
 */
#ifndef POSTERN_SPOOL_INDEX_H
#define POSTERN_SPOOL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

enum entry_flag {
	ENTRY_PENDING = 1,      /* its record is not durable: nobody was told, nothing is tried */
	ENTRY_NOTICE = 2,       /* it is a DSN: never bounced */
	ENTRY_SERVED = 4,       /* some recipient has it */
	ENTRY_EXTENTS = 8,      /* content lies in chunks */
	ENTRY_MOVING = 16,      /* being copied forward */
	ENTRY_HELD = 32,        /* waits for the operator: no jobs but those whose try runs */
	ENTRY_HOLD_FOR = 64,    /* its release was asked for as an interval, not as a point in time */
	ENTRY_COUNTED = 128,    /* among those of its principal that wait for their release */
};

/* Octets in a segment that a message needs beside its own record. */
struct hold {
	uint64_t segment, octets;
};

/* Of each recipient: place of its newest RESULT, or 0; records begin at multiples of 8, so the low bits are free. TOLD: the sender
 * has had a delay notice about it. LATE: he knows that its deadline is over. */
enum { LAST_FINAL = 1, LAST_TOLD = 2, LAST_LATE = 4, LAST_FLAGS = 7 };

struct entry {
	uint64_t id;
	uint64_t arrival;       /* when its time began: arrival or release, ms; never later than now */
	uint64_t size;          /* octets of content */
	uint64_t place;         /* of its MESSAGE record */
	uint64_t tried;         /* when it was last tried, ms; 0: never */
	uint64_t word;          /* place of its newest HELD record, or 0 */
	uint64_t release;       /* ms: not tried before, its time begins then (RFC 4865); 0: at once */
	uint64_t deadline;      /* ms (RFC 2852); 0: none */
	union {
		uint64_t one;
		uint64_t *many;
	} last;
	struct hold *hold;
	uint32_t holds;
	uint32_t length;        /* of the record's payload */
	uint32_t rcpts, waiting;
	uint32_t attempts;
	uint32_t account;       /* hash of whose it is, see quarantine.c; finds all of an account's without reading them */
	uint32_t job;           /* first of the schedule's, linked by sibling */
	uint32_t next;          /* of the same bucket, or of the free ones */
	uint32_t once;          /* its number there, or ONCE_NONE */
	uint8_t flags;
	bool used;
	int8_t priority;        /* RFC 6710 */
	uint8_t by : 7;         /* enum record_by, of the deadline */
	uint8_t unplanned : 1;  /* there was no memory for its jobs, or for some of them */
};

struct index {
	struct entry *entry;
	uint32_t *bucket;
	uint32_t max, used, free, buckets, count;
	uint64_t rcpts;         /* of all entries */
};

bool index_init(struct index *);
void index_fini(struct index *);
/* Slot of the message of this id, or INDEX_NONE. */
uint32_t index_find(const struct index *, uint64_t id);
/* A new entry with room for its recipients' results; the id must be new. INDEX_NONE when memory is short. */
uint32_t index_add(struct index *, uint64_t id, uint32_t rcpts);
void index_remove(struct index *, uint32_t slot);

/* The recipient's word, to read and write. */
uint64_t *entry_last(struct entry *, uint32_t number);
bool entry_final(struct entry *, uint32_t number);

#endif

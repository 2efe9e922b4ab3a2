/*
 * spool/tail.h - follows the log while 4_spool goes on writing it: record after record, up to where it is durable.
 *
 * The segments come as descriptors. What is not whole is passed over and said as a gap: the sequence of the records tells exactly what is
 * missing. docs/history.md.
 *
 * Owner     the caller; descriptors given become the tail's. Blocks on reading the disk.
 * Fails     never: what cannot be read is a gap. Without memory for a record that counts as one.
 */
#ifndef POSTERN_SPOOL_TAIL_H
#define POSTERN_SPOOL_TAIL_H

#include "queue/record.h"

enum {
	TAIL_SEGMENTS = 16,             /* given and not read yet, at most */
	TAIL_WINDOW = 256 * 1024,       /* octets read at once; a bigger record takes more for as long as it is looked at */
};

/* The next record to be read. All zero: the first one that there is. */
struct tail_place {
	uint64_t segment, salt, offset, sequence;
};

struct tail_segment {
	uint64_t number, salt;
	int fd;
};

struct tail {
	struct tail_segment segment[TAIL_SEGMENTS];     /* by number */
	size_t segments;
	struct tail_place at;
	uint64_t durable;               /* sequence up to which it may be read */
	uint64_t base;                  /* of the window, in the segment at.segment */
	struct buf window;
	uint8_t *big;                   /* a record that the window does not hold */
};

/* Records [from, to] are not there. */
struct tail_gap { uint64_t from, to; };

enum tail_step { TAIL_RECORD, TAIL_GAP, TAIL_END };

void tail_init(struct tail *, struct tail_place);
void tail_fini(struct tail *);
/* The next segment; numbers grow. False: there is no room for it, or it is of another log than the one that was read so far; fd is
 * still the caller's. */
bool tail_add(struct tail *, uint64_t number, uint64_t salt, int fd);
/* The segment has been removed: what is unread of it is a gap. */
void tail_gone(struct tail *, uint64_t number);
/* Everything up to this sequence may be read. */
void tail_durable(struct tail *, uint64_t sequence);
/* payload is good until the next call; that of a CHUNK is empty. */
enum tail_step tail_next(struct tail *, struct record_header *, struct span *payload, struct tail_gap *);

#endif

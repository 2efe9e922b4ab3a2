/*
 * tests/crash/rig.h - a spool on a scratch folder, driven by hand: deliver messages, look at them, crash, open again.
 */
#ifndef POSTERN_TESTS_CRASH_RIG_H
#define POSTERN_TESTS_CRASH_RIG_H

#include "disk_fault.h"
#include "spool/draft.h"

enum { RIG_MESSAGES = 4096 };
#define RIG_RELEASE UINT64_C(4000000000000)      /* in the year 2096 */

/* What the client of each message knows. The id is the index + 1. */
struct rig_message {
	bool sent, answered, done;
	bool held, worded;      /* what was last asked for; with words of its own */
	uint64_t said;          /* sequence of that record; 0: it was so from the beginning, or a start has shown it so */
	uint64_t release, before;       /* what was last asked for, and what was in force before that */
	uint64_t moved;                 /* as said is, of the release */
	enum fail answer;
	uint32_t rcpts;
	size_t size;
};

struct rig {
	struct spool spool;
	struct rig_message message[RIG_MESSAGES];
	uint32_t committed, gone;
	uint64_t segment_size;
	uint64_t durable;       /* of the journal, when it crashed */
	uint64_t window;        /* ms in which what comes twice is known; 0: not at all */
	bool hold_next;         /* what is submitted is held from the beginning */
	bool history;           /* somebody follows the log */
	bool eager;             /* a batch as soon as somebody waits, also between two pieces of a big message */
	char directory[64];
};

void rig_begin(struct rig *);
void rig_end(struct rig *);
/* Opens the spool; false when it would not. */
bool rig_open(struct rig *);
/* Leaves it as a killed process would. */
void rig_crash(struct rig *);
/* Commit a message of this size for so many recipients of d0.example, d1.example, ...; content can be told by id. */
void rig_submit(struct rig *, uint32_t id, size_t size, uint32_t rcpts);
/* One batch, run here and now. */
enum fail rig_batch(struct rig *);
/* Until nothing is left to write; stops when the spool stops working. */
void rig_sync(struct rig *);
/* Finish a message: DONE. */
void rig_done(struct rig *, uint32_t id);
/* Hold it, with words that tell which one it is, or let it go. */
void rig_withhold(struct rig *, uint32_t id);
void rig_release(struct rig *, uint32_t id);
/* Another time for a message that waits for one: every fifth does, from the third on. */
void rig_reschedule(struct rig *, uint32_t id, uint64_t release);
/* Is the message there, whole? Fails the test when it is there and not whole. */
bool rig_has(struct rig *, uint32_t id);
/* Nothing is there that was never sent; what was answered with OK and not done is there, and held or not, and to be released
 * when, as was last said, if that was synced. What was answered with OK, done or not, is known when it comes again; what is known so was
 * not lost. */
void rig_verify(struct rig *);
/* Size of a segment's file, -1 when there is none. */
long rig_segment(const struct rig *, uint64_t number);
/* Path of the newest segment. */
void rig_newest(const struct rig *, char path[128]);
unsigned rig_damaged_files(const struct rig *);

#endif

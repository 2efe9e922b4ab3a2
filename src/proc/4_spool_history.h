/*
 * proc/4_spool_history.h - private to 4_spool*.c: 7_history, who reads the log as it grows, and how 4_spool tells it how far it may.
 */
#ifndef POSTERN_PROC_4_SPOOL_HISTORY_H
#define POSTERN_PROC_4_SPOOL_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

struct channel;
struct keeper;

struct follower {
	struct channel *channel;
	uint64_t next;                  /* number of the first segment that it has not been shown */
	uint64_t told;                  /* sequence up to which it may read */
	uint64_t wanted;                /* it waits for this one to be synced; 0: it does not */
	uint32_t epoch;                 /* session of what is said to it; 0: it has not yet said where it is */
};

void follower_open(struct keeper *, int fd);
void follower_close(struct keeper *);
/* The spool is open: it may be heard. */
void follower_go(struct keeper *);
/* Show it new segments, and tell it what is durable since; a second's worth at a time. */
void follower_tell(struct keeper *);
/* After a batch: it may have asked. */
void follower_settled(struct keeper *);
void follower_segment_gone(struct keeper *, uint64_t number);

#endif

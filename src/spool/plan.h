/*
 * spool/plan.h - the jobs that a message has in the schedule. Inside the room.
 *
 * Owner     struct spool, of the schedule's memory and of the destinations' names.
 * Blocks    never but for reading an envelope. Fails: for want of memory; the message stays as it is.
 */
#ifndef POSTERN_SPOOL_PLAN_H
#define POSTERN_SPOOL_PLAN_H

#include "spool/spool.h"

bool plan_init(struct spool *);
void plan_fini(struct spool *);
/* A job for each destination with waiting recipients; those that it has already stay. */
bool plan_message(struct spool *, uint32_t slot, const struct message_record *, uint64_t now);
/* The same for who has no record at hand. Without memory it is said once, and the message is marked for spool_plan_again(). */
void plan_or_mark(struct spool *, uint32_t slot, uint64_t now);
/* What replies have asked for counts for those jobs, and not the usual back-off; reads the newest outcome of each recipient that waits. */
void plan_waits(struct spool *, uint32_t slot, const struct message_record *, uint64_t now);
/* It has no jobs any more. */
void plan_forget(struct spool *, uint32_t slot);
/* The same for jobs that do not run. */
void plan_rest(struct spool *, uint32_t slot);

#endif

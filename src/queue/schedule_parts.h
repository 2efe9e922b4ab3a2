/*
 * queue/schedule_parts.h - private to schedule*.c: taking from the lent arrays, and giving back.
 *
 * Owner     the schedule. Fails: SCHEDULE_NONE, an array is full and nothing has changed.
 */
#ifndef POSTERN_QUEUE_SCHEDULE_PARTS_H
#define POSTERN_QUEUE_SCHEDULE_PARTS_H

#include "queue/heap.h"
#include "queue/schedule.h"

/* There must be one: see schedule_full(). */
uint32_t job_take(struct schedule *);
void job_give(struct schedule *, uint32_t job);
void job_phase_enter(struct job *, enum job_phase);
/* What this principal has for that destination, new if need be. */
uint32_t flow_take(struct schedule *, uint32_t destination, uint32_t principal_key);
/* It has no jobs and stands nowhere. */
void flow_give(struct schedule *, uint32_t flow);

#endif

/*
 * queue/schedule_parts.h - private to schedule*.c: taking from the lent arrays, and giving back; who has waited longest.
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

/* ---- schedule_age.c: the second order, by time alone. All of it does nothing before the first job with a priority. ---- */
/* From now on it is kept. */
void age_begin(struct schedule *);
void age_job_add(struct schedule *, uint32_t job);
void age_job_remove(struct schedule *, uint32_t job);
void age_flow_add(struct schedule *, uint32_t flow);
void age_flow_remove(struct schedule *, uint32_t flow);
/* Has this principal overtaken so often that what has waited longest is next? */
bool age_owes(const struct schedule *, const struct principal *);
/* His job that has waited longest, of this class; SCHEDULE_NONE: nobody keeps that order. */
uint32_t age_oldest(const struct schedule *, const struct principal *, unsigned class);
/* This job of his was chosen while oldest was the one that had waited longest. */
void age_note(struct schedule *, struct principal *, uint32_t job, uint32_t oldest);

#endif

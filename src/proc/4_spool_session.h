/*
 * proc/4_spool_session.h - a draft on its way from a front, for those of 4_spool*.c that answer it.
 *
 * Owner     4_spool_front.c, from MAIL until its commit is answered; while it waits for another's it is on 4_spool_repeat.c's list
 *           too. Blocks never.
 */
#ifndef POSTERN_PROC_4_SPOOL_SESSION_H
#define POSTERN_PROC_4_SPOOL_SESSION_H

#include "proc/4_spool.h"

struct front_session {
	struct front *front;            /* NULL: nobody wants the answer any more */
	struct front_session *next;     /* in the bucket, or spare */
	struct front_session *waiting;  /* the next that waits for another's commit: 4_spool_repeat.c */
	struct draft *draft;
	struct filter *filter;          /* while milters look at it */
	char *why;                      /* what the message is held for, in words; NULL: nothing */
	uint64_t first;                 /* it waits for this one's */
	uint32_t number;
	enum fail fail;
	uint8_t state;                  /* enum session_phase, private to 4_spool_front.c */
	bool aside;                     /* not malloc'ed */
	bool held;                      /* 3_auth has had this principal's mail held since */
};

/* 4_spool_front.c */
/* Answer one whose commit is over. first: 0, or what it repeats. */
void front_settle(struct keeper *, struct front_session *, enum fail, uint64_t first);

/* 4_spool_refused.c */
/* A message of this front is answered so: say it in the log, when it is nothing that its client has done. */
void refused_say(const struct keeper *, uint32_t front, enum fail);

/* 4_spool_repeat.c */
/* The session's draft repeats first: it is answered now, or when that one is durable. */
void repeat_join(struct keeper *, struct front_session *, uint64_t first);
/* After a commit: answer those who waited for it. */
void repeat_settled(struct keeper *, uint64_t id, enum fail);

#endif

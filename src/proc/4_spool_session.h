/*
 * proc/4_spool_session.h - a draft on its way from a front, for those of 4_spool*.c that answer it.
 *
 * Owner     4_spool_front.c, from MAIL until its commit is answered; while it waits for another's it is on 4_spool_repeat.c's list
 *           too. Blocks never.
 */
#ifndef POSTERN_PROC_4_SPOOL_SESSION_H
#define POSTERN_PROC_4_SPOOL_SESSION_H

#include "proc/4_spool.h"

/*
 * FREE        the session has no draft
 * MAIL        a draft without recipients
 * ASKING      milters are asked about a recipient; the answer is owed
 * RCPT        at least one recipient, no content
 * BODY        content has begun
 * FILTERING   content is whole; milters look at it; the answer is owed
 * COMMITTING  the journal has it; the answer is owed
 *
 * A draft that could not be had (draft NULL, fail says why) goes through the same phases and hears of it at COMMIT.
 */
enum session_phase { SESSION_FREE, SESSION_MAIL, SESSION_ASKING, SESSION_RCPT, SESSION_BODY, SESSION_FILTERING, SESSION_COMMITTING };

/* One of those we talk to. */
struct front {
	struct keeper *keeper;
	struct channel *channel;
	uint32_t slot;
	uint32_t life;
	uint64_t newest;                /* queue id of a watched message: each is good once */
	uint32_t draftless;             /* sessions whose draft could not be had, and that have not heard of it yet */
	struct front_session *bucket[KEEPER_SESSION_BUCKETS];
};

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
	uint64_t talk;                  /* by which milters know the transaction; 0: they have not heard of it */
	uint8_t spoiled;                /* a bit for each milter: it has heard of recipients that are none */
	uint8_t state;                  /* enum session_phase */
	bool aside;                     /* not malloc'ed */
	bool draftless;                 /* counted in front.draftless */
	bool watched;                   /* its COMMIT needs a warrant of 3_auth's */
	bool held;                      /* 3_auth has had this principal's mail held since */
	bool discarded;                 /* a milter has thrown the message away: for the history alone */
};

/* 4_spool_front.c */
/* The clock was set by so many ms; what fronts are bringing moves along. */
void front_clock(struct keeper *, int64_t ms);
void session_enter(struct front_session *, enum session_phase next);
void session_give(struct keeper *, struct front_session *);
/* SPOOL_COMMITTED */
void session_answer(const struct keeper *, struct front_session *, enum fail, uint64_t first);
/* Was it taken before? Then it is answered like the first one. digest NULL: as it was when it came. */
bool session_joined(struct keeper *, struct front_session *, const uint8_t *digest);
/* Into the journal; answered when it is durable, or now. */
void session_commit(struct keeper *, struct front_session *, uint32_t flags, struct span message_id);
/* Answer one whose commit is over. first: 0, or what it repeats. */
void front_settle(struct keeper *, struct front_session *, enum fail, uint64_t first);

/* 4_spool_warrant.c */
/* Has 3_auth said that this login may send so? False: it has not, and the front lies. fail: it has, but too long ago. */
bool warrant_for_mail(struct keeper *, struct front *, const struct spool_mail *, enum fail *fail);
/* And that this message may have so many recipients, held or not? */
bool warrant_for_commit(const struct keeper *, const struct front *, const struct front_session *, const struct spool_commit *);

/* 4_spool_asked.c */
/* False: there is no memory for it. */
bool session_ask_milters(struct keeper *, struct front_session *, const struct spool_commit *);
void session_ask_rcpt(struct keeper *, struct front_session *, const struct spool_ask_rcpt *);
/* The milters have said all about this recipient. */
void front_rcpt_filtered(struct keeper *, struct front_session *, const struct spool_ask_rcpt *, const struct filter_result *);
/* 4_spool_refused.c */
/* A message of this front is answered so: say it in the log, when it is nothing that its client has done. */
void refused_say(const struct keeper *, uint32_t front, enum fail);

/* 4_spool_repeat.c */
/* The session's draft repeats first: it is answered now, or when that one is durable. */
void repeat_join(struct keeper *, struct front_session *, uint64_t first);
/* After a commit: answer those who waited for it. */
void repeat_settled(struct keeper *, uint64_t id, enum fail);

#endif

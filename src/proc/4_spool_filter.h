/*
 * proc/4_spool_filter.h - private to 4_spool*.c: drafts whose commit, or next recipient, waits for what milters say.
 *
 * A filter goes down the list of milters, one question to 6_milter at a time:
 *
 *	WRITING   what the log has of the draft is not in its file yet, where 6_milter could read it
 *	WAITING   for a place among the questions that are out, or for a 6_milter
 *	ASKED     the answer is owed
 *
 * When 6_milter dies, or says what it may not, everybody who waits is answered 451: what it would have said nobody knows.
 *
 * Owner     the filter belongs to the list in keeper.filters, the draft to its session.
 */
#ifndef POSTERN_PROC_4_SPOOL_FILTER_H
#define POSTERN_PROC_4_SPOOL_FILTER_H

#include "base/buf.h"
#include "base/fail.h"
#include "conf/conf.h"
#include "proc/4_spool_limits.h"
#include "proc/peers_filter.h"

struct channel;
struct draft;
struct filter;
struct front_session;
struct keeper;
struct spool_ask_rcpt;
struct spool_commit;

struct filters {
	struct channel *channel;        /* to 6_milter, or NULL */
	struct filter *first, **last;   /* oldest first; last is NULL while nothing has been in it */
	struct filter *asked[KEEPER_FILTERS];   /* by the number of their question; NULL: a free place */
	uint32_t generation;            /* of those numbers */
	uint64_t talks;                 /* transactions, so far */
	struct conf_milter milter[CONF_MILTERS_MAX];    /* in force */
	uint32_t milters;
	bool stepping;
};

struct filter_result {
	enum filter_kind kind;
	uint32_t flags;                 /* PASS, DISCARD: as in spool_commit, with those that milters have added */
	struct span why;                /* PASS: what it is held for; DISCARD: who has thrown it away */
	struct span message_id;         /* PASS, DISCARD: as in spool_commit */
	uint32_t code;                  /* REFUSE: in these words; 0: as fail says */
	const char *enhanced;
	struct span text;
	enum fail fail;
};

/* Are there milters to ask? */
bool filter_wanted(const struct keeper *);
/* Ask them all about this draft, which nobody else changes meanwhile; front_filtered() is called once, from filter_pump() or when
 * 6_milter speaks. NULL: no memory. */
struct filter *filter_begin(struct keeper *, struct front_session *, const struct spool_commit *);
/* The same about a recipient who is not in the draft yet; front_rcpt_filtered() is called once. */
struct filter *filter_begin_rcpt(struct keeper *, struct front_session *, const struct spool_ask_rcpt *);
/* Nobody wants to know any more. */
void filter_cancel(struct keeper *, struct filter *);
/* The transaction of which milters may have heard is over. */
void filter_leave(struct keeper *, uint64_t talk);
/* Ask about those that can be asked about: after a batch, and when there is a place. */
void filter_pump(struct keeper *);
/* The same, and look after all that wait: now and then. */
void filter_step(struct keeper *);
void filter_open(struct keeper *, int fd);
void filter_close(struct keeper *);
/* Take the configuration's milters. When they are others than before, what was begun is answered 451. */
void filter_configure(struct keeper *);

#endif

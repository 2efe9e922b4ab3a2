/*
 * proc/4_spool_filter_parts.h - private to 4_spool_filter.c, which asks 6_milter, and 4_spool_filter_heard.c, which hears it.
 *
 * Owner     as in 4_spool_filter.h. Blocks never.
 */
#ifndef POSTERN_PROC_4_SPOOL_FILTER_PARTS_H
#define POSTERN_PROC_4_SPOOL_FILTER_PARTS_H

#include "proc/4_spool_session.h"

enum filter_phase { FILTER_WRITING, FILTER_WAITING, FILTER_ASKED };

struct filter {
	struct filter *next, **link;
	struct front_session *session;
	struct draft *draft;
	uint64_t written;               /* journal.written from which its content can be read */
	uint64_t begun, deadline;       /* uv_now() */
	uint32_t number;                /* of the question that is out */
	uint32_t which;                 /* milter, from 0 */
	uint32_t flags;                 /* as spool_commit has them, and what milters have added */
	uint8_t state;                  /* enum filter_phase */
	bool probe;                     /* about a recipient who is named just now: rcpt */
	bool changed;                   /* the envelope is not any more what the milters behind have heard of */
	bool dropped;                   /* the milter has dropped recipients of this round already, */
	bool emptied;                   /* all of them; they are still in the draft */
	uint32_t added;
	struct buf header;              /* a new one, as far as it has come */
	size_t why_len, name_len;
	uint8_t why[HELD_WORDS_MAX];
	uint8_t name[FACT_WORDS_MAX];   /* its Message-ID, as it was submitted */
	struct spool_ask_rcpt rcpt;     /* spans point to text */
	uint8_t text[];
};

/* ---- 4_spool_filter.c ---- */
/* The one whose question has this number, NULL: it was cancelled. */
struct filter *filter_find(struct keeper *, uint32_t number);
/* On to the next milter, when what the log has of the draft can be read. */
void filter_next(struct keeper *, struct filter *);
/* Its session hears of it; then the filter is gone, so the result may point into it. */
void filter_end(struct keeper *, struct filter *, const struct filter_result *);
void filter_header_free(struct filter *);

/* ---- 4_spool_filter_heard.c ---- */
/* False: 6_milter is broken. */
bool filter_heard(struct keeper *, const struct frame *);

#endif

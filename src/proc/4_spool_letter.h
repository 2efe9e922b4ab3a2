/*
 * proc/4_spool_letter.h - mails that 5_relay wants written: TLS reports (RFC 8460 5.3). Private to 4_spool*.c.
 *
 * 5_relay talks to strangers, so it says only to whom, about whom and what; form, sender and number of such mails are decided here.
 *
 * Owner     the keeper.
 * Blocks    never.
 */
#ifndef POSTERN_PROC_4_SPOOL_LETTER_H
#define POSTERN_PROC_4_SPOOL_LETTER_H

#include "base/fail.h"
#include "proc/peers.h"

struct keeper;

enum {
	KEEPER_LETTERS = 16,            /* under way at once */
	KEEPER_LETTERS_HOUR = 5000,
	KEEPER_LETTER_MS = 24 * 3600 * 1000,    /* that one is tried (8460 5.5) */
};

/* Mails of ours of one kind: who makes us write them makes us write so many. */
struct hourly {
	uint64_t since;                 /* ms since 1970 */
	uint32_t count;                 /* asked for since then */
};

/* One that is being made durable. */
struct letter_wait {
	bool used;
	bool deserted;                  /* who asked for it is gone */
	uint32_t session;
};

struct letters {
	struct letter_wait wait[KEEPER_LETTERS];
	struct hourly hour;
};

/* May one more of this kind be written in this hour? Counts it. */
bool hourly_may(struct hourly *, uint64_t now, uint32_t most);
/* RELAY_LETTER; the answer goes to 5_relay, now or when the mail is durable. False: no sane one says that. */
bool letter_take(struct keeper *, const struct frame *);
/* Was who (of draft_commit()) one of ours? Then 5_relay hears of it. */
bool letter_committed(struct keeper *, const void *who, enum fail);
/* 5_relay is gone: its successor's letters are others. */
void letters_desert(struct keeper *);

#endif

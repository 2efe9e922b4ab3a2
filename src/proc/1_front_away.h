/*
 * proc/1_front_away.h - why a message is put off though nothing is wrong with it: 3_auth or 4_spool is not there, or is no longer the one
 * that knew of it. The client reads what to do; the operator has one line of each kind at once and then every AWAY_MS, with how many
 * heard it. Private to 1_front*.c.
 */
#ifndef POSTERN_PROC_1_FRONT_AWAY_H
#define POSTERN_PROC_1_FRONT_AWAY_H

#include "proc/1_front.h"

enum { AWAY_MS = 10 * 1000 };

enum away {
	AWAY_SPOOL,             /* nobody to take mail, for longer than FRONT_AWAIT_MS */
	AWAY_DRAFT,             /* 4_spool ended while the message came */
	AWAY_COMMIT,            /* 4_spool ended while it stored the message */
	AWAY_FORM,              /* a bug of ours: what 4_spool cannot be told */
	AWAY_AUTH,              /* nobody to ask about a message that has begun */
	AWAY_PROOF,             /* nobody to ask who it is */
	AWAY_FORGOTTEN,         /* the 3_auth that knew who it is has ended: so does the session */
	AWAY_MUTE_SPOOL,        /* no answer for FRONT_US_MS */
	AWAY_MUTE_AUTH,
	AWAY_KINDS
};

/* What the client hears, counted for the log. The last three are said by who ends the session. */
struct verdict away(enum away);
/* Now and then: say what was counted. */
void away_sweep(uint64_t now);

/* ---- MAIL waits for a 4_spool that is being started again, AUTH for a 3_auth ---- */
/* It is not there, but will soon be. */
bool spool_is_awaited(void);
bool auth_is_awaited(void);
/* Once a second or so: who has waited long enough hears of it. */
void await_sweep(void);
/* 1_front_auth.c: who is awaited is there again, or has been waited for long enough. Does nothing to a session that waits for neither. */
void auth_ask_again(struct front_session *);

#endif

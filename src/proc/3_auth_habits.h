/*
 * proc/3_auth_habits.h - who sends as never before: what 3_auth knows of each login (policy/habit.h), and what follows from it.
 * Private to 3_auth*.c and their test.
 */
#ifndef POSTERN_PROC_3_AUTH_HABITS_H
#define POSTERN_PROC_3_AUTH_HABITS_H

#include <uv.h>

#include "base/fail.h"
#include "conf/conf.h"
#include "policy/habit.h"
#include "proc/3_auth_kept.h"
#include "proc/peers.h"
#include "sasl/server.h"

enum {
	HABITS_MAX = 65536,             /* logins that are watched */
	HABITS_MS = 10000,              /* between two writes of what they usually do */
	HABITS_DOUBT_MS = 120 * 1000,   /* a hold of so long ago may never have reached the disk: the master lets 4_spool hang for a minute */
};

struct auth;
struct front;
struct session;

/* ---- who sends as never before (policy/habit.h): the table and its file (3_auth_habits.c) ---- */

struct habit_entry {
	struct habit habit;
	bool untold;                    /* 4_spool was away when its step changed */
	uint64_t told;                  /* ms of the loop's clock: 4_spool was told of its step; 0: never */
	char login[SASL_LOGIN_MAX + 1];
};

struct habits {
	struct habit_entry **slot;      /* by login; open addressing, at most half full */
	size_t slots, count;
	uint32_t hour, day;             /* settings */
	bool watch;                     /* setting */
	struct kept kept;
};

/* A file that is damaged is set aside, and nobody has a past. */
void habits_open(struct auth *, const struct conf *);
void habits_free(struct auth *);
/* NULL: never seen. */
struct habit_entry *habits_find(const struct habits *, struct span login);
/* NULL: no memory, or HABITS_MAX. */
struct habit_entry *habits_make(struct habits *, struct span login);
/* After each change. */
void habits_touch(struct auth *);

/* ---- what follows from it (3_auth_spend.c) ---- */

/* A login has proved itself: OK, or FAIL_DISABLED because it is locked where it comes from. */
enum fail habits_login(struct auth *, struct span login, const struct origin *);
/* Is nobody's habit of interest there: a login from this machine itself, or habit-watch is off? Sessions of before go on as they began. */
bool habits_unwatched(const struct auth *, const struct origin *);
bool habits_locked(const struct auth *, struct span login, const struct origin *);
bool answer_spend(struct front *, struct session *, struct span body);
/* The session ends: nobody waits for its answer any more. */
void spend_abandon(struct session *);
/* What became of a principal's recipients. */
void habits_outcome(struct auth *, const struct guard_outcome *);
/* 4_spool is there again: what it was not told, and what the one before may not have lived to write. */
void habits_tell(struct auth *);
/* `postern user locks` and `unlock`; false: the asker is broken. */
bool ledger_locks(struct auth *, struct channel *, const struct frame *);
bool ledger_unlock(struct auth *, struct channel *, const struct frame *);

#endif

/*
 * policy/habit.h - does a principal send as it always did, or has its password been stolen? Facts in, verdict and words out.
 *
 * A principal is a login: "alice", "alice/laptop". What it did from where is kept in a struct of fixed size; nothing is kept of content or
 * of recipients but their number. Time comes from outside; days are UTC days. Messages are counted by their recipients: each has one.
 *
 * HERE      The machine that Postern runs on (127.0.0.0/24, ::1) is not watched: who has that has more than a password.
 *
 * HOME      A network (policy/origin.h) is home once something was sent from it on HABIT_HOME_USES days, the first one HABIT_HOME_AGE
 *           days ago, and on a fifth of the days on which the principal sent at all since then. In the first HABIT_FOUNDING days of a
 *           principal's life it takes less: FOUNDING_USES and FOUNDING_AGE. So does a provider's block (/16, /32) become home; there only
 *           a program counts that is the principal's own (addresses of a household change; its mail program does not).
 *           From home a principal may burst: HABIT_HOUR recipients an hour and HABIT_DAY a day, or HOUR_TIMES and DAY_TIMES its own peak,
 *           up to the settings' ceiling: a club's newsletter of 300 goes through. What is more is put off (450); as much again as
 *           the allowance is held. So is mail of which two thirds bounce (BOUNCES_HOME at least).
 *           Home is lost after HABIT_HOME_KEPT days without use, when somebody else may have the addresses.
 *
 * STRANGE   Everywhere else all networks together share one budget, so that 500 of them are no better than one: HABIT_STRANGE recipients in
 *           any 24 hours, and a bucket of the same size that drains once a day, not during the day: by what the principal usually
 *           sends, times 1.2, less what it sent from home. A traveller sends there what he does not send here; a thief sends
 *           besides. A day on which home sent less than half of the usual drains twice that.
 *           The last SLOW_ROOM recipients before the hold wait HABIT_DELAY_MS each message, and a second one meanwhile gets 450.
 *           A recipient counts for more:
 *             by a half  when the client is a first-seen one,
 *             by a half  when the country is,
 *             twice      when more than HABIT_MANY strange networks were seen in two days,
 *             twice      when two fifths of what was sent bounce (HABIT_BOUNCES at least).
 *           More than HABIT_TOO_MANY strange networks with a login in two days are a hold at once, whatever was sent.
 *
 * AWAY      The budget is AWAY_TIMES the usual and AWAY_MORE, HABIT_AWAY at most, for who looks like the owner on a journey: home sends less
 *           than half of the usual today, the program is known, AWAY_NETWORKS at most, messages to AWAY_RCPTS at most, and AWAY_PACE
 *           recipients in an hour or two. So it takes a thief who knows the program's name several hours to gain from it.
 *
 * HELD      accepted, kept, not delivered. It is for strange networks only: home (networks, not blocks) goes on as if nothing were, so that
 *           a thief cannot stop the owner. When home itself is the reason, it is for all. It ends when the operator says so.
 * LOCKED    after HABIT_HELD_MAX more recipients were held, or twice HABIT_TOO_MANY networks seen: login and MAIL are refused, for
 *           whom the hold was.
 *
 * NEW       A principal without history is taken to send HABIT_USUAL a day, from strange networks. Who will send more from the first day on
 *           (an application on a server) has its network named by the operator beforehand: habit_unlock(). A limit of its own (limit= in the
 *           users file) is its allowance at home, of a day and of an hour, whatever its past.
 *
 * What comes of it: tests/simulation. What the rules do not see: a thief who sends no more than the owner usually would, while the
 * owner sends nothing; one who sits in the owner's network, or in a home block with the owner's program; one who waits HABIT_HOME_AGE days
 * and sends on a fifth of them; one who has a password that was never used, and begins slowly.
 *
 * Owner     the caller, of everything. Blocks never. No function fails.
 */
#ifndef POSTERN_POLICY_HABIT_H
#define POSTERN_POLICY_HABIT_H

#include "policy/origin.h"

enum {
	HABIT_HOME_AGE = 14,            /* days */
	HABIT_HOME_USES = 5,            /* days */
	HABIT_HOME_SHARE = 5,           /* one day in so many */
	HABIT_HOME_KEPT = 90,           /* days */
	HABIT_FOUNDING = 3,             /* days: networks first seen so early in a principal's life are home sooner */
	HABIT_FOUNDING_AGE = 4, HABIT_FOUNDING_USES = 3,        /* days */
	HABIT_HOUR = 500, HABIT_HOUR_TIMES = 4,         /* recipients: more than a club has members */
	HABIT_DAY = 1000, HABIT_DAY_TIMES = 3,
	HABIT_STRANGE = 100,            /* recipients: what requirements allow a thief */
	HABIT_SLOW_ROOM = 15,           /* recipients before the hold from which on it is slow */
	HABIT_AWAY = 400, HABIT_AWAY_TIMES = 4, HABIT_AWAY_MORE = 100,  /* recipients */
	HABIT_AWAY_PACE = 100,          /* recipients in an hour or two */
	HABIT_AWAY_RCPTS = 60,          /* of one message */
	HABIT_AWAY_NETWORKS = 8,        /* in a day or two: hotel, train, customer, and what the telephone makes of it */
	HABIT_DELAY_MS = 2000,
	HABIT_MANY = 8,                 /* strange networks in a day: a phone in a train has that */
	HABIT_TOO_MANY = 30,            /* no person has that */
	HABIT_HELD_MAX = 200,           /* recipients */
	HABIT_USUAL = 30,               /* recipients a day, as long as nothing is known: a busy office user's */
	HABIT_BASE = 4,                 /* recipients a day that may come from elsewhere while home is in use: a phone */
	HABIT_BOUNCES = 20,             /* fewer prove nothing; and they must be two fifths */
	HABIT_BOUNCES_HOME = 100,       /* at home: and they must be two thirds */

	HABIT_NETWORKS = 16,            /* a fixed number, and a home is never forgotten for the sake of a strange one */
	HABIT_REGIONS = 8,
	HABIT_CLIENTS = 8,
	HABIT_COUNTRIES = 6,
	HABIT_HOURS = 25,               /* so that any 24 hours are covered whole */
	HABIT_SKETCH = 32,              /* octets: counts up to a few hundred different networks */
	HABIT_WORDS_MAX = 240,
	HABIT_SAVED_MAX = 1740,         /* octets of habit_format() at most */
};

/* One network, client or country. Days are counted from 1970 in UTC. */
struct habit_place {
	uint64_t what;                  /* 0: free */
	uint32_t first, last;           /* days */
	uint32_t uses;                  /* days on which something was sent from it */
	uint32_t active_before;         /* days on which the principal had sent when this one was first seen */
	uint32_t home;                  /* 1: it is one of the principal's own */
};

enum habit_step { HABIT_FREE, HABIT_SLOWED, HABIT_HELD, HABIT_LOCKED };

struct habit {
	uint32_t day;                   /* today; 0: never used */
	uint32_t born;                  /* the first day */
	uint32_t hour;                  /* since 1970, of the newest of the two lists below */
	uint32_t active;                /* days on which something was sent */
	uint32_t usual;                 /* recipients of such a day, times 16 */
	uint32_t sent, sent_home;       /* recipients today */
	uint32_t sent_exact;            /* of sent_home, those from a home network, not only from a home block */
	uint32_t peak_hour, peak_day;   /* from home, fading with a half-life of six weeks */
	uint32_t home[HABIT_HOURS];     /* recipients by hour, the newest at hour % HABIT_HOURS */
	uint32_t strange[HABIT_HOURS];  /* the same from elsewhere, weighted, times 4 */
	uint32_t bucket;                /* weighted, times 4 */
	uint32_t put_off;               /* recipients refused today at home */
	uint32_t held;                  /* recipients since the hold */
	uint32_t raw;                   /* recipients of strange since strange_since, without weights */
	uint32_t delivered, bounced;    /* recipients, halved each day */
	uint32_t step;                  /* enum habit_step */
	uint32_t all;                   /* 1: the step is for home too */
	uint64_t since;                 /* ms, of the step */
	uint64_t strange_since;         /* ms, when the strange list was last empty */
	uint64_t free_at;               /* ms, when the delay that runs is over */
	uint64_t recent;                /* the strange network that was used last; an operator may call it home */
	uint8_t sketch[HABIT_SKETCH];   /* of strange networks today */
	uint8_t sketch_before[HABIT_SKETCH];    /* and yesterday */
	struct habit_place network[HABIT_NETWORKS];
	struct habit_place region[HABIT_REGIONS];
	struct habit_place client[HABIT_CLIENTS];
	struct habit_place country[HABIT_COUNTRIES];
	uint8_t words[HABIT_WORDS_MAX]; /* why the step is what it is */
	uint32_t words_len;
};

struct habit_limits {
	uint32_t hour, day;             /* settings: ceilings of what grows with history */
	uint32_t own;                   /* of this principal; 0: none. Replaces both */
};

enum habit_answer { HABIT_OK, HABIT_SLOW, HABIT_HOLD, HABIT_LOCK };

struct habit_verdict {
	enum habit_answer answer;
	uint32_t delay;                 /* ms; with SLOW, 0: not now (450) */
	bool news;                      /* the step has just become what it is: tell operator and owner, once */
	struct span words;              /* why; ASCII; points into the habit */
};

/* A message of so many recipients wants to go out. */
struct habit_verdict habit_spend(struct habit *, const struct origin *, const struct habit_limits *, uint32_t rcpts, uint64_t now_ms);
/* A login has succeeded. Only LOCK is an answer to it; news may come with any. */
struct habit_verdict habit_login(struct habit *, const struct origin *, uint64_t now_ms);
/* Recipients of whom it is now known what became of them. */
void habit_outcome(struct habit *, uint32_t delivered, uint32_t bounced, uint64_t now_ms);
/* The operator: all is well again. With a network other than ORIGIN_UNKNOWN: and that one is home. */
void habit_unlock(struct habit *, uint64_t network, uint64_t now_ms);
/* Is it one of the principal's own? */
bool habit_is_home(const struct habit *, uint64_t network);

/* For a file: parse and format, inverse of each other; false: no room, or no habit. */
bool habit_format(const struct habit *, struct buf *out);
bool habit_parse(struct span in, struct habit *);

#endif

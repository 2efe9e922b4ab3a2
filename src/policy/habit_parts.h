/*
 * policy/habit_parts.h - what the files of habit share; nobody else includes it.
 */
#ifndef POSTERN_POLICY_HABIT_PARTS_H
#define POSTERN_POLICY_HABIT_PARTS_H

#include "policy/habit.h"

enum {
	HABIT_QUARTERS = 4,             /* weights are counted in quarters of a recipient */
	HABIT_HOUR_MS = 3600 * 1000,
	HABIT_DAY_HOURS = 24,
	HABIT_USUAL_SHIFT = 4,
	HABIT_RCPTS_MAX = 1000 * 1000,  /* of one message: more are taken for so many, so that no sum wraps */
};

/* What is known about the one who asks now. */
struct habit_view {
	const struct habit_limits *limits;
	const struct origin *origin;
	uint64_t now;                   /* ms */
	uint32_t rcpts;
	uint32_t weight;                /* quarters, of one recipient */
	bool home, exact, old_client, new_network, new_client, new_country, many, bouncing;
};

/* ---- habit_past.c ---- */
/* Time has passed: hours and days that are over are closed. */
void habit_advance(struct habit *, uint64_t now_ms);
/* NULL: not in the table. */
const struct habit_place *habit_place_of(const struct habit_place *, size_t n, uint64_t what);
/* Something was sent from there today. */
void habit_note_sent(struct habit *, const struct habit_view *);
void habit_note_strange(struct habit *, uint64_t network);
uint32_t habit_strange_networks(const struct habit *);
/* Recipients a day, as the words say it. */
uint32_t habit_usual(const struct habit *);
/* The country that it mostly sends from when at home; 0: none is known. */
uint16_t habit_usual_country(const struct habit *);
/* The operator says so. */
void habit_make_home(struct habit *, uint64_t network);
/* Has it any home at all? Before that, everything is new and says nothing. */
bool habit_settled(const struct habit *);

/* ---- habit_words.c ---- */
void habit_say_strange(struct habit *, const struct habit_view *);
void habit_say_networks(struct habit *, const struct habit_view *);
void habit_say_home(struct habit *, const struct habit_view *, uint32_t sum, uint32_t allowed, const char *unit);
void habit_say_bounces(struct habit *);
void habit_say_lock(struct habit *, const struct habit_view *);

#endif

/*
 * thieves.h - what somebody does who has the password. Each style is tried on each person, on a copy of its habit.
 */
#ifndef POSTERN_TESTS_SIMULATION_THIEVES_H
#define POSTERN_TESTS_SIMULATION_THIEVES_H

#include "people.h"

struct style {
	const char *name;
	uint32_t rcpts;                 /* of a message; 0: 1 to 40 by chance */
	uint32_t networks;              /* that he comes from, by turns */
	uint64_t every;                 /* ms between two messages */
	uint64_t lasts;                 /* ms in all */
	bool mimic;                     /* says what the owner's program says, from the owner's country */
	bool careful;                   /* stays below 80 recipients in any 24 hours */
	bool counted, neighbour;                   /* the bound of 100 is for him: all but who has days, or looks like the owner on a journey,
	                                 * or sits in a block of the owner's provider */
};

struct loot { uint32_t out, held; bool stopped; uint32_t owner_disturbed; };

extern const struct style styles[];
extern const size_t style_count;

struct loot thief_run(const struct style *, const struct person *, struct dice *, uint32_t day, const struct habit_limits *);

#endif

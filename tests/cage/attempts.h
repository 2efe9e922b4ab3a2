/*
 * tests/cage/attempts.h - what somebody who has taken over a process would try.
 *
 * An attempt returns 0 when it got what it wanted, else the errno. Each runs in a process of its own that has taken a promise.
 */
#ifndef POSTERN_TESTS_CAGE_ATTEMPTS_H
#define POSTERN_TESTS_CAGE_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What stands in the world around it. */
struct world {
	char state[128];
	pid_t sibling;                  /* lives, and is of the same user */
	int passed;                     /* a descriptor that was given, shared with others */
	int listener;                   /* one that listens */
	int mirror[2];                  /* what is sent into one comes out of the other */
	unsigned short port;            /* somebody listens on 127.0.0.1 */
	unsigned short other;           /* the same, and no milter is there */
	int abi;                        /* of Landlock */
};

extern struct world world;

enum who { FRONT = 1, AUTH = 2, SPOOL = 4, RELAY = 8, SIGNER = 16,
	MILTER = 32, MILTER_LOCAL = 64 /* whose milters listen at a path */, HISTORY = 128, HOOK = 256, NOBODY = 0, ALL = 511 };

struct attempt {
	const char *name;
	int (*try)(void);
	unsigned may;                   /* enum who: for whom it is work, not an attack */
	int landlock;                   /* ABI that forbids it; 0: seccomp does */
};

extern const struct attempt attempts[];
extern const size_t attempt_count;

#endif

/*
 * proc/ceilings.h - the page of ceilings: how much of everything a stranger, or a user with an account, can make grow, loop or wait, and
 * how much memory each process takes when all of it is at its ceiling. Made of the constants and settings themselves;
 * `postern check --limits` prints it, docs/limits.md is that print, and tools/limits fails when the two differ.
 *
 * Owner     everything is static but rows, which are the caller's.
 * Blocks    never.
 */
#ifndef POSTERN_PROC_CEILINGS_H
#define POSTERN_PROC_CEILINGS_H

#include "conf/conf.h"

enum limit_unit { LIMIT_COUNT, LIMIT_OCTETS, LIMIT_MS };

struct limit {
	const char *what;
	const char *setting;            /* its name: the value is the setting's. NULL: a constant */
	uint64_t most;
	enum limit_unit unit;
	const char *of;                 /* what has so many: "session", "front" */
	const char *then;               /* what happens there */
};

struct limit_page {
	const char *title;
	const struct limit *limits;
	size_t count;
};

/* In the order in which a connection meets them. */
extern const struct limit_page front_limits, talk_limits, signer_limits, auth_limits, spool_limits, relay_limits, milter_limits,
    history_limits;

/* What one process takes: rows of (octets each) x (how many). */
enum { MEMORY_ROWS = 16 };
struct memory_row {
	const char *what;
	uint64_t each, times;
};
struct memory {
	const char *process;
	uint64_t processes;
	struct memory_row row[MEMORY_ROWS];
	size_t rows;
};

void memory_add(struct memory *, const char *what, uint64_t each, uint64_t times);
uint64_t memory_sum(const struct memory *);
/* How many fronts the configuration means on this machine. */
uint32_t memory_fronts(const struct conf *);

void front_memory(const struct conf *, struct memory *);
void auth_memory(const struct conf *, uint32_t fronts, struct memory *);
void spool_memory(const struct conf *, uint32_t fronts, struct memory *);
void relay_memory(const struct conf *, struct memory *);
/* processes is 0 without milters. */
void milter_memory(const struct conf *, struct memory *);
/* No processes when the configuration wants none. */
void history_memory(const struct conf *, struct memory *);
void hook_memory(const struct conf *, struct memory *);

/* Of one session, octets. Idle: waits for a command. Most: everything that can be held for it is. */
enum session_age { SESSION_SHAKING, SESSION_UNKNOWN, SESSION_KNOWN, SESSION_AGES };
struct session_memory { uint64_t idle, most; };
struct session_memory front_session_memory(enum session_age);

#endif

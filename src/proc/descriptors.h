/*
 * proc/descriptors.h - how many file descriptors (RLIMIT_NOFILE, getrlimit(2)) a configuration wants of each process, and what of it fits.
 *
 * Every session, every connection to a next hop or a milter takes one. Where they would run out before the setting's ceiling is met, nobody
 * would be put off by rule any more: whoever holds them keeps them. So the ceiling in force is what fits, and that is said.
 *
 * Owner     the caller. Blocks never.
 */
#ifndef POSTERN_PROC_DESCRIPTORS_H
#define POSTERN_PROC_DESCRIPTORS_H

#include "conf/conf.h"

enum { DESCRIPTORS_SETTINGS = 3 };

/* A setting that asks for more than fits. */
struct descriptors_short {
	const char *setting;            /* "sessions-max"; static */
	const char *process;            /* "1_front" */
	uint64_t wanted, fits;
	uint64_t needs;                 /* the limit under which all of it would fit */
};

/* This process's hard limit. */
uint64_t descriptors_limit(void);
/* Raise this process's limit as far as it may; children inherit it. */
void descriptors_raise(void);
/* Is the limit enough to begin with? False with words in why. */
bool descriptors_suffice(const struct conf *, uint64_t limit, struct buf *why);
/* Lower what asks for more than the limit allows; out names it. How many were lowered. */
size_t descriptors_fit(struct conf *, uint64_t limit, struct descriptors_short out[DESCRIPTORS_SETTINGS]);
/* The same with this process's limit, said in the log. */
void descriptors_fit_and_say(struct conf *);

#endif

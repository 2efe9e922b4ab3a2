/*
 * proc/4_spool_limits.h - how much mail is under way at once. docs/limits.md is made from these.
 */
#ifndef POSTERN_PROC_4_SPOOL_LIMITS_H
#define POSTERN_PROC_4_SPOOL_LIMITS_H

enum {
	KEEPER_TRIES = 16384,           /* messages at 5_relay, at most */
	KEEPER_TRIES_OCTETS = 256 * 1024 * 1024,        /* of their recipients and results, from which no more are handed out */
	KEEPER_FILTERS = 128,           /* messages at 6_milter, at most */
	KEEPER_FILTER_GRACE_MS = 3000,  /* after milter-deadline, for 6_milter to say so itself */
	KEEPER_AHEAD = 8,               /* segments that 7_history has and has not read yet */
	KEEPER_SET_ASIDE = 256,         /* sessions of fronts that can begin when malloc() has nothing left */
	KEEPER_REFUSED_MS = 10 * 1000,  /* between two log lines about refused messages, of each reason */
	KEEPER_CONTENT_MORE = 2 * 1024 * 1024,  /* octets of a message beyond size-max */
	KEEPER_RESULT_MOST = 1100,      /* octets of one recipient's result, counted ahead */
};

#endif

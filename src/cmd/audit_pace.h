/*
 * cmd/audit_pace.h - how politely a host is asked, and whether it says that this is too much: then nothing is concluded from what it
 * did not answer, and what was not examined is named.
 *
 * Signs of it: a connection refused or closed at once after others were good, a greeting of 4yz after one of 220, 421 or silence instead of a
 * reply, replies that come slower and slower. After a sign we wait, slow down and do that part again; after the second one nothing more is
 * asked of the host at this endpoint.
 *
 * Owner     the process, which examines one host and so has one pace. Blocks: waits as long as the pace says.
 * Fails     nothing.
 */
#ifndef POSTERN_CMD_AUDIT_PACE_H
#define POSTERN_CMD_AUDIT_PACE_H

#include "cmd/audit.h"

enum {
	AUDIT_PACE_MS = 100,            /* between two connections, unless it is said otherwise; none on loopback */
	AUDIT_PACE_MOST = 10000,        /* that can be asked for */
	AUDIT_PACE_USUAL = 100000,      /* nothing was said */
	AUDIT_PACE_SLOWED = 2000,       /* to which we slow down by ourselves */
	AUDIT_CONNECTIONS = 1000,       /* that all endpoints of one host may well take */
};

/* ms: between the beginnings of two connections, or AUDIT_PACE_USUAL. */
void audit_pace_begin(unsigned ms);
/* The endpoint that is examined from now on. */
void audit_pace_endpoint(const struct endpoint *);
/* What has been noticed at it, for the transcript. */
void audit_pace_end(struct endpoint *);
/* Examines a part; what it wrote is taken back when the server had enough meanwhile. name: for people. */
void audit_part(struct endpoint *, const char *name, void (*examine)(struct endpoint *));
/* What to say of a port that cannot be reached: failed, or that we may no longer reach it. */
const char *audit_pace_excuse(struct endpoint *, const char *failed);

/* ---- for audit_link.c and audit_talk.c: what happens on a connection ---- */
/* Before one is made: waits. */
void audit_pace_wait(void);
/* failed: why there is none; NULL: there is. True: the wait is over, try again. */
bool audit_pace_again(const char *failed);
/* A reply that was awaited, after so many ms. */
void audit_pace_reply(unsigned code, struct span text, uint64_t ms);
/* There was none, and why: "no reply came in time". */
void audit_pace_silence(const char *why);
/* The connection ended before it brought anything, or the handshake on it failed. */
void audit_pace_doubt(void);

#endif

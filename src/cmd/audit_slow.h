/*
 * cmd/audit_slow.h - --slow: how long a server waits for a client that says nothing, or too little (RFC 5321 4.5.3.2.7, 8314 3.3). One
 * connection for each way of being slow, all of a host's waited for together, so that it takes no longer than the longest of them.
 *
 * Owner     the caller. Blocks: until every connection has ended, for the longest wait that was said at most, and the time to open them.
 * Fails     nothing: what cannot be seen is said so in the transcript.
 */
#ifndef POSTERN_CMD_AUDIT_SLOW_H
#define POSTERN_CMD_AUDIT_SLOW_H

#include "cmd/audit.h"

enum {
	AUDIT_SLOW_SECONDS = 330,       /* that are waited unless it is said otherwise: more than the five minutes of RFC 5321 4.5.3.2.7 */
	AUDIT_SLOW_MOST = 3600,
	AUDIT_SLOW_PLACES = 4,          /* endpoints of one host */
	AUDIT_SLOW_WAYS = 6,
	AUDIT_SLOW_SEATS = AUDIT_SLOW_PLACES * AUDIT_SLOW_WAYS,
	AUDIT_SLOW_TEXT = AUDIT_SLOW_WAYS * 300,        /* octets that the facts of one endpoint may take */
};

struct audit_slow_place {
	const char *host;               /* outlives this */
	char address[64];
	uint16_t port;
	enum audit_service service;
	bool vouched;
};

struct audit_slow_seat {
	const struct audit_slow_place *place;
	unsigned way;
	struct link link;
	uint64_t since, next;           /* ms: when it fell silent, when it says its next octet */
	uint64_t ended;                 /* ms after since; 0: it is held */
	bool over;
	char words[120];                /* what the server said at the end, or why there is nothing to see */
};

struct audit_slow {
	struct audit_slow_place place[AUDIT_SLOW_PLACES];
	size_t places;
	struct audit_slow_seat seat[AUDIT_SLOW_SEATS];
	size_t seats;
	uint64_t most;                  /* ms */
};

/* One more endpoint to wait at; false: there are enough. */
bool audit_slow_add(struct audit_slow *, const struct endpoint *);
/* Waits at all of them. like: what else there is to an endpoint. */
void audit_slow_wait(struct audit_slow *, struct endpoint *like);
/* The facts of this place. */
void audit_slow_tell(const struct audit_slow *, size_t place, struct buf *out);

#endif

/*
 * cmd/ledger.h - one question to 3_auth's control socket and all frames of its answer. Private to user_*.c.
 *
 * Owner     the caller; frames are good during row() only.
 * Blocks    until the answer has ended or the server is gone.
 * Fails     EXIT_UNAVAILABLE (69): no server; EXIT_REFUSED (65): it said no; both with words in why.
 */
#ifndef POSTERN_CMD_LEDGER_H
#define POSTERN_CMD_LEDGER_H

#include "proc/peers.h"

enum { LEDGER_FINE = 0, LEDGER_REFUSED = 65, LEDGER_UNAVAILABLE = 69 };

struct ledger_question {
	const char *path;               /* of the socket */
	uint16_t type;                  /* LEDGER_... */
	struct ledger_which which;
	bool (*row)(void *arg, const struct frame *);   /* every frame but QUEUE_END; false: it is none that was asked for */
	void *arg;
};

/* 0 and how many entries it was, or a sysexits(3) status. */
int ledger_query(const struct ledger_question *, uint32_t *count, struct buf *why);

#endif

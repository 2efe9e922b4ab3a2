/*
 * os/ask.h - one question and its answer over a channel's descriptor, waited for: for callers that cannot come back later.
 *
 * Speaks os/channel.h's frames without descriptors. The other end is an ordinary channel, whose frames' session numbers are
 * ours, one more for each question: an answer that comes after its time is known by its number and thrown away.
 *
 * Owner     the caller; the descriptor becomes the ask's until ask_close().
 * Blocks    ask() does, for ASK_MS at most; once it has waited in vain it refuses at once until the late answer is there.
 * Fails     false, and the descriptor closed, when the peer is gone or speaks nonsense.
 */
#ifndef POSTERN_OS_ASK_H
#define POSTERN_OS_ASK_H

#include "base/buf.h"
#include "base/fields.h"

enum { ASK_MS = 2000, ASK_FRAME_MAX = 4096 };

struct ask {
	int fd;                         /* -1: nobody to ask */
	uint32_t number;                /* of the last question */
	uint32_t answered;              /* of the last answer read */
	size_t len;                     /* octets of answers in frame */
	uint8_t frame[ASK_FRAME_MAX];
};

/* Takes fd, nonblocking, -1 for none; what was there before is closed. */
void ask_begin(struct ask *, int fd);
void ask_close(struct ask *);
/* Send a question, wait for the answer of that type. answer points into ask until the next call. */
bool ask(struct ask *, uint16_t type, struct layout, const void *question, uint16_t answer_type, struct span *answer);

#endif

/*
 * fuzz/frames.h - a fuzz input as a talk of frames on a private channel, for the targets that keep a process's order.
 *
 * Input     records: which of the target's types (beyond them: the type itself), marks (below), u16 octets of the body, the body.
 * Owner     spans point into the input, or into frames.c until the next call.
 */
#ifndef POSTERN_FUZZ_FRAMES_H
#define POSTERN_FUZZ_FRAMES_H

#include <uv.h>

#include "base/span.h"

enum frames_mark {
	FRAMES_SESSION = 3,             /* 1 to 4 */
	FRAMES_END = 4,                 /* at the target's other end, where it has two */
	FRAMES_FD = 8,                  /* with a descriptor */
	FRAMES_WAIT = 16,               /* wait for what this asks for */
	FRAMES_TORN = 32,               /* the header says one octet more than comes */
};

struct frames_one { uint16_t type; uint32_t session; unsigned marks; struct span body; };

/* The next one of the input, or false. */
bool frames_next(struct span *input, const uint16_t *types, size_t count, struct frames_one *);
/* As os/channel.c writes it. False: the other side has hung up or does not read. fd goes with FRAMES_FD. */
bool frames_write(int to, const struct frames_one *, int fd /* -1: some descriptor */);
/* What has come, frame by frame; what is no frame ends the program. Descriptors are closed. False: the other side has hung up. */
bool frames_read(int from, void (*heard)(const struct frames_one *));
void frames_insist(bool good);

/* A new directory, in memory where there is such a place, for what is in it is synced all the time. It is removed with all that is in it at
 * the end. The name is good until then. */
const char *frames_directory(void);
/* Remove it now; another may be made. */
void frames_directory_remove(void);

/* The target's own, asked when its inputs have been replayed: has any come to where its talk leads? Else they are all turned away on the way,
 * since a message has changed its form, and nothing behind that is looked at any more. */
bool fuzz_arrived(void);

/* What is still open on the loop of a process that has left, and the loop. */
void frames_loop_close(uv_loop_t *);

#endif

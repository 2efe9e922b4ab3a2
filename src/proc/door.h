/*
 * proc/door.h - the listening end of a control socket, at which `postern queue` and `postern user` knock.
 *
 * Owner     the process that has it; all zero is one that is closed. Who may connect is a matter of the socket's mode.
 * Blocks    never.
 */
#ifndef POSTERN_PROC_DOOR_H
#define POSTERN_PROC_DOOR_H

#include <stdbool.h>
#include <uv.h>

struct door {
	uv_poll_t poll;                 /* its data is arg */
	int fd;
	bool open;
	const char *name;               /* for the log */
	void (*came)(void *arg, int fd);        /* the connection is the callee's */
	void *arg;
};

/* fd listens and does not block; it becomes the door's. False: it is closed, since the door is open already (one socket for all
 * our life, a second offer is the same one) or memory is short. */
bool door_open(struct door *, uv_loop_t *, int fd, const char *name, void (*came)(void *arg, int fd), void *arg);
/* Nobody comes any more; the handle is still the loop's. False: it was closed. */
bool door_close(struct door *);

#endif

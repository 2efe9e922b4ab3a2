/*
 * proc/3_auth_kept.h - a file that follows something in memory: written whole, by a worker, a while after it has changed. Private to
 * 3_auth*.c and their test.
 *
 * When      `delay` after the first kept_touch() since the last write; what changes while it is written is written again so long after.
 *           A crash loses the last `delay`, never the rest: the file is old or new (os/replace.h).
 * Owner     the caller, of everything, until the loop has closed the timer. What format() makes is freed here.
 * Blocks    kept_save() on the disk, nothing else. The worker touches the octets and the two names, nothing that changes.
 * Fails     in the log, one line when writing begins to fail and one when it works again; meanwhile it is tried again after each delay.
 */
#ifndef POSTERN_PROC_3_AUTH_KEPT_H
#define POSTERN_PROC_3_AUTH_KEPT_H

#include <uv.h>

#include "base/buf.h"

enum { KEPT_PATH_MAX = 512 };

struct kept_file {
	const char *name;               /* below STATE/auth; NAME.new beside it is the writer's */
	const char *event;              /* of both lines in the log */
	const char *failing, *works;    /* their words */
	uint32_t delay;                 /* ms */
	/* All of it, on the loop's thread, into p from malloc(). False: no memory; p is freed all the same. */
	bool (*format)(void *arg, struct buf *);
	void (*written)(void *arg);     /* a worker is done, whatever came of it; may be NULL */
};

struct kept {
	const struct kept_file *file;
	void *arg;
	uv_timer_t timer;               /* its data is arg */
	uv_work_t work;
	struct buf text;                /* being written */
	int error;                      /* of the last write; 0: none */
	bool dirty, writing, failing;
	char path[KEPT_PATH_MAX], fresh[KEPT_PATH_MAX];
};

/* The timer is a handle of the loop from here on. Nothing is read. */
void kept_open(struct kept *, uv_loop_t *, const char *state_dir, const struct kept_file *, void *arg);
/* What is there is not what it should be: it is moved to NAME.damaged, the only one of its kind, for whoever wants to know what became of it. */
void kept_set_aside(const struct kept *, const char *event, const char *reason);
/* After each change. */
void kept_touch(struct kept *);
/* Now, if it has changed; nothing while a worker writes, for two must not write the same file. */
void kept_save(struct kept *);
/* Not while a worker writes. What has changed since is not written any more. */
void kept_close(struct kept *, uv_close_cb);

#endif

/*
 * os/promise.h - what a process gives up for good: identity, capabilities, system calls, files, core dumps.
 *
 * Owner     the caller's struct promise and the text that it points to; nothing is kept.
 * Order     promise_begin() first of all; promise_take() before the first thread (Landlock holds for the calling thread and those
 *           it starts) and before the first octet from a stranger. Both only ever take away.
 * Blocks    on the disk, for milliseconds.
 * Fails     promise_take() says in words which parts could not be kept; those that could are in force.
 */
#ifndef POSTERN_OS_PROMISE_H
#define POSTERN_OS_PROMISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* Beyond reading, writing and waiting on what was given; what is not promised here ends the process or fails. */
enum promise_calls {
	PROMISE_ACCEPT = 1,             /* connections on listening sockets that were given */
	PROMISE_FILES = 2,              /* open, make, rename and remove files below the roots */
	PROMISE_CONNECT = 4,            /* Internet sockets of its own; their address may be chosen, their port not */
	PROMISE_THREADS = 8,            /* workers */
	PROMISE_PASS = 16,              /* duplicate descriptors, to hand one on */
	PROMISE_LOCK = 32,              /* holds secrets: no page of it goes to swap */
	PROMISE_STREAMS = 64,           /* TCP connections of its own, and no other Internet socket */
	PROMISE_LOCAL = 128,            /* connections to other processes of this machine, by path */
	PROMISE_RECORD_LOCKS = 256,     /* locks on its own files, against other programs */
};

enum promise_rights {
	PROMISE_READ = 1,
	PROMISE_WRITE = 2,              /* make, write, rename and remove too; files and directories below a directory */
	PROMISE_MOVE = 4,               /* link and rename from one directory below into another */
};

enum { PROMISE_ROOTS_MAX = 20, PROMISE_PORTS_MAX = 8 };

/* A file or a directory with everything below it. One that is not there is left out: nothing can be opened there then. */
struct promise_root {
	const char *path;
	unsigned rights;
};

/* Whom to become; uid 0: stay. */
struct identity {
	char name[64];
	uid_t uid;
	gid_t gid;
};

struct promise {
	unsigned calls;
	struct identity identity;
	struct promise_root root[PROMISE_ROOTS_MAX];
	size_t roots;
	uint16_t port[PROMISE_PORTS_MAX];       /* with PROMISE_STREAMS: to these ports and no other */
	size_t ports;
};

/* The parts that a kernel or a start without root may leave open. */
enum promise_part { PART_IDENTITY = 1, PART_CAPABILITIES = 2, PART_FILES = 4, PART_CALLS = 8 };

/* Close what was inherited beyond keep; no core dumps, no io_uring and no debugger but root's from here on. */
void promise_begin(int keep);
/* The parts that could not be kept, with a clause for each in missing (NUL-terminated); 0: all are in force. */
unsigned promise_take(const struct promise *, struct buf *missing);
/* The same question without taking anything, for `postern check`: what this kernel cannot keep. have: in words what it can. */
unsigned promise_ask(struct buf *missing, struct buf *have);

/* May what holds secrets be locked in memory? RLIMIT_MEMLOCK has no end then, for this process and those that it starts; while we still may.
 * False: it may go to swap. why: in words. */
bool promise_may_lock(const char **why);

/* 0_master, started as root: keep what binding, becoming, signalling and reading others' files take, and no more. */
bool promise_keep_master(void);

/* ---- os/identity.c ---- */
/* The first of names that the system knows. */
bool identity_find(const char *const *names, size_t count, struct identity *);
/* May it pass through every directory above path? False with the one that is closed in closed. */
bool identity_reaches(const struct identity *, const char *path, struct buf *closed);
/* What access(2) says to it, 0 or an errno. As root only: the kernel is asked in a process that has become it. Blocks for milliseconds. */
int identity_may(const struct identity *, const char *path, int mode);
/* Make the directory if it is missing, and hand it with the plain files in it to owner, if it is another's. As root only. */
bool identity_give(const char *directory, const struct identity *owner);

/* ---- one part each, for os/promise.c alone ---- */
bool identity_take(const struct identity *);
bool capabilities_keep(uint64_t keep);          /* a bit for each number of capabilities(7) */
int landlock_abi(void);                         /* 0: none */
bool landlock_take(const struct promise *, const char **why);
bool seccomp_able(void);
void seccomp_refuse_rings(void);
bool seccomp_take(const struct promise *);

#endif

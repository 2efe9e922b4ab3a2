/*
 * proc/child.h - what every process but the master begins with: the channel to 0_master, the staged configuration, the loop.
 *
 * Owner     struct child is the process's only one. Blocks: child_run() runs the loop until the process has drained or the
 *           master is gone.
 * Order     conf, descriptors, certificates and peers are staged; then go() once. Later peer() and ticket_keys() may come at any
 *           time, certificates and conf before reload(). drain() is the last.
 * Fails     a message that the order does not allow ends the process: only a broken master sends it.
 */
#ifndef POSTERN_PROC_CHILD_H
#define POSTERN_PROC_CHILD_H

#include <uv.h>

#include "conf/conf.h"
#include "proc/peers.h"

struct child {
	uv_loop_t loop;
	struct channel *master;
	enum role role;
	uint32_t slot;
	struct conf conf;               /* in force; replaced just before go() and reload() */
};

/* Any of them may be NULL. A descriptor given becomes the handler's. */
struct child_handler {
	void (*listen)(void *arg, const struct master_listen *, int fd);
	void (*peer)(void *arg, enum role, uint32_t slot, int fd);
	void (*certificate)(void *arg, const struct master_certificate *);
	void (*dkim)(void *arg, const struct master_dkim *);
	void (*ticket_keys)(void *arg, struct span keys);
	void (*secret)(void *arg, struct span octets);
	void (*go)(void *arg);
	void (*reload)(void *arg);
	void (*back)(void *arg);        /* the certificates before the newest count again */
	void (*drain)(void *arg);       /* finish, then child_drained() */
};

/* Initialise child, open the log, run. Returns the exit status. */
int child_run(struct child *, enum role, uint32_t slot, const struct child_handler *, void *arg);
/* Call from go() when work can begin. */
void child_ready(struct child *);
/* Nothing is left to do: tell the master and leave the loop. */
void child_drained(struct child *);

/* This peer of ours has said what no sane one says: the master ends it and starts another. */
void child_accuse(struct child *, enum role, uint32_t slot);

/* Which life of this peer we were given a channel to last. */
uint32_t child_life(enum role role, uint32_t slot);

/* This process can be of no use any more: leave the loop with status 70, so that the master starts another. */
void child_give_up(struct child *, const char *why);

/* Say it in the log when relay-ca-file and the system together name no CA: OpenSSL keeps silent about that. Blocks on the disk. */
void child_judge_trust(const struct child *);

/* The entry points, one for each numbered file. */
int front_main(uint32_t slot);
int signer_main(uint32_t slot);
int auth_main(uint32_t slot);
int spool_main(uint32_t slot);
int relay_main(uint32_t slot);
int milter_main(uint32_t slot);
int history_main(uint32_t slot);
int hook_main(uint32_t slot);

#endif

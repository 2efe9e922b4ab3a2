/*
 * proc/master.h - 0_master: starts the others, hands them descriptors, restarts what dies, and drains.
 *
 * Owner     the caller owns the setup; it outlives master_run().
 * Blocks    master_run() runs until the server has ended.
 * Order     spool, auth, relay, fronts at start; fronts, relay, auth, spool at the end.
 * Signals   SIGHUP: read the configuration again; SIGTERM, SIGINT: drain, within MASTER_DRAIN_MS; the second one: at once.
 */
#ifndef POSTERN_PROC_MASTER_H
#define POSTERN_PROC_MASTER_H

#include "conf/conf.h"
#include "os/promise.h"
#include "tls/server.h"

enum { MASTER_DRAIN_MS = 35000 };

struct master_setup {
	/* In force at first: finished, with at least one certificate. */
	struct conf conf;
	/* Read everything again. False with words in why, and out undefined: the old one stays in force. */
	bool (*reread)(void *arg, struct conf *out, struct buf *why);
	/* Once a day: make a new certificate of our own when the old one is about to end. May be NULL. */
	void (*renew)(void *arg);
	/* Everybody is ready; say so to people. May be NULL. */
	void (*ready)(void *arg);
	void *arg;
};

/* The exit status, sysexits(3): 0 after a drain, 78 for what the operator must change, 71 for what the system denies. */
int master_run(const struct master_setup *);

struct master_certificates_handler {
	void (*each)(void *arg, const struct tls_certificate_facts *);
	/* Something that clients will not like, though it can be served. file: chain or key. */
	void (*doubt)(void *arg, const char *file, const char *words);
};

/* Read conf's certificates and keys as the server would, and show each; for `postern check`. handler NULL: only whether they are
 * right. False with words in why. */
bool master_certificates(const struct conf *, const struct master_certificates_handler *, void *arg, struct buf *why);
/* Can the keys that sign mail be used? False with words in why that name the file. */
bool master_dkim_keys(const struct conf *, struct buf *why);

/* Whom alarm-command runs as when the server is started as root. False: there is no such user, and it is not run. */
bool master_alarm_identity(struct identity *);

#endif

/*
 * proc/cage.h - the promise of each process, as a table on the first screen of its numbered file, and the taking of it.
 *
 * Order     cage_hand_over() by 0_master before the first child; cage_take() by the child between configuration and work.
 * Blocks    on the disk, for milliseconds.
 * Reload    a cage is never widened: cage_fits() says whether a changed configuration needs another one, that is another process.
 */
#ifndef POSTERN_PROC_CAGE_H
#define POSTERN_PROC_CAGE_H

#include <stddef.h>

#include "conf/conf.h"
#include "os/promise.h"
#include "proc/child.h"

enum cage_how {
	CAGE_BESIDE = 1,                /* the directory that the file lies in: files are replaced, directories stay */
	CAGE_OWN = 2,                   /* the process's own: made, and given to it, before it starts */
};

/* The path of a text in struct conf, with what is appended; without a text the path alone. Unset texts are left out. */
struct cage_root {
	size_t text;                    /* offset in struct conf, or CAGE_FIXED */
	const char *path;
	unsigned rights, how;
};

#define CAGE_FIXED ((size_t)-1)
#define CAGE_CONF(member) offsetof(struct conf, member)

/* What OpenSSL and libunbound read of a machine when they are set up: for who speaks to strangers' servers by name and certificate. */
#define CAGE_TLS_AND_NAMES \
	{ CAGE_CONF(relay_ca_file), "", PROMISE_READ, CAGE_BESIDE }, \
	{ CAGE_CONF(dns_trust_anchor), "", PROMISE_READ, CAGE_BESIDE }, \
	{ CAGE_FIXED, "/etc/ssl/certs", PROMISE_READ, 0 }, \
	{ CAGE_FIXED, "/etc/ssl/openssl.cnf", PROMISE_READ, 0 }, \
	{ CAGE_FIXED, "/usr/lib/ssl", PROMISE_READ, 0 }, \
	{ CAGE_FIXED, "/usr/share/ca-certificates", PROMISE_READ, 0 }, \
	{ CAGE_FIXED, "/usr/local/share/ca-certificates", PROMISE_READ, 0 }, \
	{ CAGE_FIXED, "/etc/pki/tls/certs", PROMISE_READ, 0 }, \
	{ CAGE_FIXED, "/etc/resolv.conf", PROMISE_READ, 0 }, \
	{ CAGE_FIXED, "/run/systemd/resolve", PROMISE_READ, 0 }, \
	{ CAGE_FIXED, "/run/NetworkManager", PROMISE_READ, 0 }, \
	{ CAGE_FIXED, "/etc/hosts", PROMISE_READ, 0 }

struct cage {
	const char *user;               /* whom it becomes when started as root, "postern" being the second choice */
	unsigned calls;
	unsigned descriptors;           /* at most; 0: what the system allows */
	struct cage_root root[PROMISE_ROOTS_MAX];
	/* What the configuration alone can say; NULL: nothing. */
	void (*narrow)(const struct conf *, struct promise *);
};

extern const struct cage front_cage, signer_cage, auth_cage, spool_cage, relay_cage, milter_cage, history_cage, hook_cage;

/* Is there such a process, with a cage, under this configuration? */
bool cage_is_used(enum role, const struct conf *);
/* Whom the process becomes. Uid 0 with words in why when it stays what it is, though started as root. */
struct identity cage_identity(enum role, const struct conf *, struct buf *why);
/* For good. False: a part is missing and the configuration does not put up with that; said in the log. */
bool cage_take(enum role, const struct conf *);
/* As root: make the directories of each process and give them to it. Elsewhere nothing. */
bool cage_hand_over(const struct conf *, struct buf *why);
/* As root: what root has written for users-file becomes the file of who reads it. Elsewhere nothing. False: it cannot, errno says why. */
bool cage_give_users(const struct conf *);
/* May a process that took its promise under now work under next? */
bool cage_fits(enum role, const struct conf *now, const struct conf *next);

#endif

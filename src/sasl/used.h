/*
 * sasl/used.h - when each login was last used, and from where. Kept in a file of its own, so that logins never write the users file.
 *
 * File      one line each: LOGIN SECONDS PEER. It is a convenience: lost lines are lost, damaged ones are skipped.
 * Owner     the caller, from used_load() to used_free().
 * Blocks    used_load() on the disk.
 */
#ifndef POSTERN_SASL_USED_H
#define POSTERN_SASL_USED_H

#include "base/buf.h"

enum { USED_MAX = 65536, USED_PEER_MAX = 63 };

struct used_entry {
	char *login;
	uint64_t when;                  /* seconds since 1970 */
	char peer[USED_PEER_MAX + 1];
};

struct used {
	struct used_entry *entry;       /* open addressing, at most half full */
	size_t slots, count;
};

/* A file that is not there gives an empty table. NULL when memory is short. */
struct used *used_load(const char *path);
void used_free(struct used *);
/* Silently forgets a new login when the table is full or memory is short. */
void used_note(struct used *, struct span login, uint64_t when, struct span peer);
/* NULL: never. */
const struct used_entry *used_find(const struct used *, struct span login);
/* The whole file's text, malloc'ed, with its length; NULL when memory is short. */
char *used_format(const struct used *, size_t *len);

#endif

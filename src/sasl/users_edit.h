/*
 * sasl/users_edit.h - changing the users file: each call is one change, on disk when it returns, or nothing at all.
 *
 * How       a lock file beside it (FILE.lock) keeps two changes apart; the new text goes to FILE.new, is synced and renamed over FILE,
 *           and the directory is synced. Lines that a change is not about stay as they are, damaged ones and comments too.
 *           A new file has mode 0600; a changed one keeps its mode and owner. 3_auth notices within a second.
 * Blocks    on the disk, on the lock (ten seconds at most), and while a password is hashed.
 * Fails     false with words in why, NUL-terminated, naming what is wrong.
 * Secrets   a password is read, not kept; a key's text is written to the caller's array and nowhere else.
 */
#ifndef POSTERN_SASL_USERS_EDIT_H
#define POSTERN_SASL_USERS_EDIT_H

#include "sasl/key.h"
#include "sasl/users_line.h"

struct users_key_options {
	const char *const *from;        /* addresses, a subset of the principal's; none: all of them */
	size_t froms;
	uint64_t expires;               /* seconds since 1970; 0: never */
};

struct users_new {
	const char *name;
	const char *const *address;
	size_t addresses;               /* one at least */
	const char *recovery;           /* NULL or empty: none */
	const struct span *password;    /* raw, as typed; NULL: none */
};
/* The principal must be new. */
bool users_add_principal(const char *file, const struct users_new *, struct buf *why);
/* More addresses for a principal that exists. */
bool users_add_addresses(const char *file, const char *name, const char *const *address, size_t addresses, struct buf *why);
/* Set or replace the password (raw, as typed). */
bool users_set_password(const char *file, const char *name, struct span password, struct buf *why);
/* A new sender key, NUL-terminated in key. options may be NULL. */
bool users_add_key(const char *file, const char *name, const char *device, const struct users_key_options *options,
    char key[SENDER_KEY_ROOM], struct buf *why);
/* What is set of a principal, or with device of one key. */
struct users_settings {
	const char *recovery;           /* NULL: as it was; empty: none. Of principals only */
	const char *limit;              /* the same; digits */
	const char *priority;           /* the same; -9 to 9 */
};
bool users_set(const char *file, const char *name, const char *device, const struct users_settings *, struct buf *why);
/* Revoke one key, or with device NULL the principal with all it has. */
bool users_revoke(const char *file, const char *name, const char *device, struct buf *why);
/* Take every entry of a passwd-file whose name is new. *taken and *known count; damaged lines are told and skipped. */
struct users_import {
	const char *passwd_file;
	struct span hostname;
	void (*damaged)(void *arg, const char *file, uint32_t line, const char *why);
	void *arg;
	uint32_t taken, known, skipped;
};
bool users_import(const char *file, struct users_import *, struct buf *why);

#endif

/*
 * sasl/users.h - who may submit: principals, their passwords and their sender keys, as read from the users file and a passwd-file.
 *
 * Owner     struct users owns everything it shows; pointers and spans are valid until users_free(). It never changes once loaded:
 *           a changed file is loaded anew and takes the old one's place.
 * Blocks    users_load() reads files; the others do not block.
 * Fails     a damaged line is told to the handler and skipped; the others stay in force. What is skipped grants nothing.
 */
#ifndef POSTERN_SASL_USERS_H
#define POSTERN_SASL_USERS_H

#include "sasl/users_line.h"

enum {
	USERS_FILE_MAX = 64 * 1024 * 1024,
	USERS_KEYS_MAX = 64,            /* of one principal, revoked ones included */
	USERS_NONE = -1,
};

struct user_key {
	struct span device, id;
	struct span from;               /* parted by spaces; empty: all that the principal may */
	struct verifier verifier;
	uint64_t created, expires, revoked;     /* seconds since 1970; 0: never */
	uint64_t limit;                 /* recipients a day; 0: the principal's */
	int32_t next;                   /* index of the principal's next key, or USERS_NONE */
	int8_t priority;                /* the highest it may ask for (RFC 6710), when ranked; else the principal's */
	bool ranked;
};

struct user {
	struct span name;
	struct span grants;             /* addresses, parted by spaces */
	struct span crypt;              /* hash for crypt(3), else empty */
	struct verifier verifier;       /* of the password; iterations 0: none */
	struct span recovery;           /* where the owner is told; empty: nowhere */
	uint64_t created, revoked;
	uint64_t limit;                 /* recipients a day; 0: none of its own */
	int32_t first_key;
	int8_t priority;                /* the highest it may ask for (RFC 6710), when ranked */
	bool ranked;
	bool imported;                  /* from the passwd-file */
};

struct users;

struct users_trouble {
	void (*damaged)(void *arg, const char *file, uint32_t line, const char *why);
	void *arg;
	const char **unread;            /* may be NULL; when users_load() fails: the file, the source's own text */
};

struct users_source {
	const char *users_file;
	const char *passwd_file;        /* NULL or empty: none */
	struct span hostname;           /* a passwd login without @ is granted login@ this, and @ its parent domain */
};

/* A missing users file means nobody. NULL with errno: a file cannot be read, or memory is short. */
struct users *users_load(const struct users_source *, const struct users_trouble *);
void users_free(struct users *);

size_t users_count(const struct users *);
const struct user *users_at(const struct users *, size_t index);
/* By name, ignoring ASCII case. */
const struct user *users_named(const struct users *, struct span name);
/* By login: NAME, an address granted to exactly one principal, either with /DEVICE behind it. */
const struct user *users_find(const struct users *, struct span login, struct span *device);
const struct user_key *users_first_key(const struct users *, const struct user *);
const struct user_key *users_next_key(const struct users *, const struct user_key *);
const struct user_key *users_key(const struct users *, const struct user *, struct span device);
const struct user_key *users_key_by_id(const struct users *, const struct user *, struct span id);

static inline bool
user_key_expired(const struct user_key *k, uint64_t now_seconds)
{
	return k->expires != 0 && k->expires <= now_seconds;
}

#endif

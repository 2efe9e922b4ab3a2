/*
 * cmd/user.h - private to user*.c: what `postern user` was told.
 */
#ifndef POSTERN_CMD_USER_H
#define POSTERN_CMD_USER_H

#include "base/secret.h"
#include "cmd/settings.h"
#include "sasl/users_edit.h"

enum { USER_ADDRESSES_MAX = 64, USER_WORDS_MAX = 4 };

/* Which options were given; each verb says which it has a use for. */
enum user_option {
	USER_ADDRESS = 1,
	USER_FROM = 2,
	USER_EXPIRES = 4,
	USER_HOSTNAME = 8,
	USER_PASSWORD = 16,
	USER_JSON = 32,
	USER_RECOVERY = 64,
	USER_LIMIT = 128,
	USER_NETWORK = 256,
	USER_PRIORITY = 512,
	USER_WAIT = 1024,
};

struct user_command {
	struct settings settings;
	const char *users_file;         /* --users, else the configuration's */
	const char *word[USER_WORDS_MAX];
	size_t words;
	const char *address[USER_ADDRESSES_MAX];        /* --address */
	size_t addresses;
	const char *from[USER_ADDRESSES_MAX];           /* --from */
	size_t froms;
	uint8_t forms[8192];            /* what of address and from was not on the command line */
	size_t forms_len;
	const char *expires, *hostname, *recovery, *limit, *priority, *network;
	unsigned given;                 /* enum user_option */
	bool password, json, wait;
	int status;                     /* when it fails for another reason than 65's */
};

/* Ask on the terminal twice, or take the first line of what is piped in. False with words. */
bool user_ask_password(const char *name, struct secret *, struct buf *why);
/* "90d", "12h", "8w" from now, or "2027-01-31" (its end, UTC), in seconds since 1970. False: neither. */
bool user_expiry(const char *text, uint64_t now, uint64_t *when);
/* All principals with their keys, on stdout. False with words. */
bool user_list(struct user_command *, struct buf *why);
/* Keys with which domains sign their mail. False with words and status. */
bool user_domain(struct user_command *, struct buf *why);
/* Say of each key whether the DNS has its record. False with words: it has not. */
struct dkim_entry;
bool user_domain_seen(const struct conf *, const struct dkim_entry *, size_t count, struct buf *why);
/* The ledger of failed logins, and taking something out of it; both ask the running server. False with words and status. */
bool user_attempts(struct user_command *, struct buf *why);
bool user_forgive(struct user_command *, struct buf *why);
/* Who looks stolen, and an end to that; both ask the running server. */
bool user_locks(struct user_command *, struct buf *why);
bool user_unlock(struct user_command *, struct buf *why);

#endif

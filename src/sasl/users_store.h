/*
 * sasl/users_store.h - the inside of struct users, for the files of this room that fill it.
 */
#ifndef POSTERN_SASL_USERS_STORE_H
#define POSTERN_SASL_USERS_STORE_H

#include "sasl/users.h"

struct users_slot {
	struct span text;               /* name or address; empty: free */
	int32_t user;                   /* USERS_NONE: an address of several principals */
};

struct users {
	struct user *user;
	struct user_key *key;
	size_t count, room;             /* of users */
	size_t keys, keys_room;
	struct users_slot *slot;        /* open addressing, at most half full */
	size_t slots, used;
	char *text[3];                  /* what the spans point into: both files, and grants made for passwd entries */
};

/* A new principal of this name; NULL when memory is short or the name is taken (*taken). */
struct user *users_append(struct users *, struct span name, bool *taken);
bool users_append_key(struct users *, struct user *, const struct user_key *);
/* The user of this name or address, or USERS_NONE. */
int32_t users_look_up(const struct users *, struct span text);

/* Once, after the last principal. False: memory is short. */
bool users_index_addresses(struct users *);

/* Entries of a passwd-file as Dovecot writes it; those whose name is known already are left out. False: memory is short. */
bool users_take_passwd(struct users *, const struct users_source *, struct span text, const struct users_trouble *);

#endif

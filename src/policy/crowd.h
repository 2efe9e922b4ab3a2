/*
 * policy/crowd.h - who is connected, counted by network, and who must make room when it gets crowded. Pure.
 *
 * A network is an IPv4 address or an IPv6 /64, since who has one address of a /64 has them all (RFC 6177). A member is a
 * connection; it is a stranger until it has proved who it is. The table never forgets a member: only crowd_remove() does.
 *
 *	answer = crowd_ask(c, network, full, now, &victim);
 *	CROWD_WELCOME    crowd_add(c, member, network, now)
 *	CROWD_MAKE_ROOM  end victim, which removes it, then the same
 *	otherwise        refuse; nothing was changed
 *
 * When strangers are at their ceiling the oldest one of the most crowded network goes, so that a flood from few networks
 * pushes out itself, and one from many networks still leaves everybody the time that it takes to fill all places anew.
 *
 * Owner     the caller owns struct crowd, its memory and the members, which must stay where they are while they are in.
 * Units     milliseconds of any clock that does not go back.
 * Blocks    never; every call takes the same few steps, however many are in.
 */
#ifndef POSTERN_POLICY_CROWD_H
#define POSTERN_POLICY_CROWD_H

#include "base/siphash.h"

enum {
	CROWD_YOUNG_MS = 1000,          /* an honest client has been served by then: a stranger so young goes only for a crowd's sake */
	CROWD_SETTLED_MS = 10 * 1000,   /* who is a stranger for so long may have to make room for a neighbour */
};

struct crowd_network {
	uint64_t prefix;
	bool six;
	bool many;                      /* many are behind it: the ceilings of one network are not its */
};

/* A connection. Nobody but crowd.c writes it. */
struct crowd_member {
	struct crowd_member *older, *newer;             /* strangers of the same network */
	struct crowd_member *older_of_all, *newer_of_all;
	uint64_t since;                 /* when it was added */
	uint32_t place;
	bool in, stranger;
};

struct crowd_limits {
	uint32_t members;               /* of one network */
	uint32_t strangers;             /* of one network */
	uint32_t strangers_in_all;
};

enum crowd_answer {
	CROWD_WELCOME,
	CROWD_MAKE_ROOM,
	CROWD_NETWORK_FULL,             /* limits.members */
	CROWD_NETWORK_STRANGE,          /* limits.strangers */
	CROWD_STRANGE,                  /* limits.strangers_in_all, and the newcomer's network is as crowded as any */
	CROWD_FULL,                     /* the caller is full, and nobody must make room */
};

struct crowd_place;

struct crowd {
	struct crowd_limits limits;     /* may be changed at any time; who is in stays */
	uint8_t key[SIPHASH_KEY];
	uint32_t max;
	uint32_t members, strangers;
	uint32_t top;                   /* strangers of the most crowded network */
	uint32_t free;                  /* first free place */
	uint32_t mask;                  /* of the hash */
	struct crowd_place *place;
	uint32_t *bucket;
	struct { uint32_t first, last; } *level;        /* the networks with so many strangers, in the order they came there */
	struct crowd_member *oldest, *newest;           /* strangers of all networks */
};

/* Octets that a crowd of so many members needs; to be given zeroed and aligned as calloc(3) does. max: 1 to 2^20. */
size_t crowd_octets(uint32_t max);
void crowd_init(struct crowd *, uint32_t max, void *memory, const uint8_t key[SIPHASH_KEY]);

/* address: 4 octets of IPv4 or 16 of IPv6, in network order. */
struct crowd_network crowd_network_of(struct span address);

/* May a newcomer come in? full: the caller has no place left but those of members. */
enum crowd_answer crowd_ask(const struct crowd *, struct crowd_network, bool full, uint64_t now, struct crowd_member **victim);
/* A newcomer, as a stranger. False: max are in. */
bool crowd_add(struct crowd *, struct crowd_member *, struct crowd_network, uint64_t now);
/* It has proved who it is. */
void crowd_prove(struct crowd *, struct crowd_member *);
/* Harmless when it is not in. */
void crowd_remove(struct crowd *, struct crowd_member *);

/* Members and strangers of a network. */
void crowd_count(const struct crowd *, struct crowd_network, uint32_t *members, uint32_t *strangers);
/* Asserts that every count is what the lists say. Slow. */
void crowd_check(const struct crowd *);

#endif

/*
 * policy/guess.h - may this network try a secret of this account now? A ledger of wrong secrets. Pure.
 *
 * Scopes    A network is a host (IPv4 /32, IPv6 /64) and a neighbourhood (/24, /48): who owns the smaller one owns the rest of it
 *           for nothing. Four levels are counted, each with a budget of wrong secrets of which one comes back after a while:
 *
 *	level                       budget  one back    in a day        why
 *	account at a host           10      30 min      10 + 48         a person has tried all he remembers by then
 *	account at a neighbourhood  30      10 min      30 + 144        moving on to the next address gains a factor of three
 *	host                        20      5 min       20 + 288        an office behind one address mistypes a few times an hour
 *	neighbourhood               80      2 min       80 + 720        a provider's customers do not know of each other
 *
 *           From half its budget on a level slows answers down; at its budget it refuses what it covers before any hashing. There is
 *           no budget of an account as such: whoever wants an owner locked out would only have to use it up. So a botnet of N hosts
 *           has 48 N guesses a day at one account, and up to 360 N more by SCRAM (Repeats); what stops that is a sender key (120 bits),
 *           and a password that is not among the first million.
 * Lanes     Where an account has logged in during the last 90 days, its owner always gets through: from that host nothing is
 *           refused, answers only slow down, and what fails is not held against the others there; from its neighbourhood only the
 *           host's own budgets count. One account has GUESS_LANES_EACH of them at most, so nobody with a login can push out the
 *           lanes of others. (Who shares a host with an owner can find out that he does, and guess there as long as he likes,
 *           16 s for each answer: the log says so, and there is nobody else whom it could keep out.)
 *           What a sender key opens is open to that key alone, and its login gives nothing back: who may send is not yet who may guess.
 * Repeats   A secret that was wrong already costs nothing more, at each place for the last GUESS_MARKS secrets: a mail client that retries
 *           an old password all day is no guesser. SCRAM shows no secret, and its proof differs each time, so a repeat cannot be
 *           told from a guess: there one wrong proof in GUESS_UNSEEN_MS (4 minutes) is free, the others cost like a new secret.
 * Spray     A secret tried wrongly on GUESS_SPRAY_ACCOUNTS accounts within an hour, from wherever, is a spray: each further
 *           account costs the network GUESS_SPRAY_COST. Not seen in SCRAM. Forgotten by a restart; what it cost is not.
 * Unknown   Accounts are hashes of what was said, so a login that does not exist costs and looks like one that does.
 * Success   gives back what the same account lost at the same host, to its network what that was charged for it and has not forgotten by
 *           now, nothing else: a login of one's own buys no guesses. What a network was charged for whom is forgotten by a restart.
 * Secrets   16 bits of SipHash under the caller's key are kept (32 of sprays, in memory only): enough to notice a repeat, too few to
 *           find out what somebody mistyped. An unlucky 1 in 8,000 new guesses counts as a repeat.
 * Eviction  A full set loses the row with the lowest score, and the new row takes over that score (half the budget at most): who
 *           wants to be forgotten must make more noise elsewhere than he made here, and begins anew half spent. Places in the
 *           table cannot be foreseen without the key.
 * Clock     ms since 1970 from the caller. A clock that was set back takes nothing from anybody: what is counted waits for it, and what would
 *           wait for longer than it takes to come back (15 hours at most) counts nothing.
 *
 * Owner     the caller, of one struct guess (4.8 MB, fixed). Blocks: never. Fails: never; what does not fit is evicted as above.
 */
#ifndef POSTERN_POLICY_GUESS_H
#define POSTERN_POLICY_GUESS_H

#include "base/buf.h"
#include "base/siphash.h"

enum {
	GUESS_SETS = 1024, GUESS_WAYS = 8,              /* of each level */
	GUESS_LANE_SETS = 4096, GUESS_LANE_WAYS = 16, GUESS_LANES_EACH = 8,
	GUESS_SPRAY_SETS = 128, GUESS_SPRAY_WAYS = 8,
	GUESS_MARKS = 8,
	GUESS_SPRAY_ACCOUNTS = 5, GUESS_SPRAY_COST = 5, GUESS_SPRAY_MS = 3600 * 1000,
	GUESS_UNSEEN_MS = 240 * 1000,
	GUESS_DELAY_MAX = 4,                            /* doublings */
};
#define GUESS_LANE_MS (UINT64_C(90) * 24 * 3600 * 1000)
#define GUESS_KEPT_MS (UINT64_C(7) * 24 * 3600 * 1000)  /* a row that nothing is added to */

enum guess_level { GUESS_PAIR, GUESS_PAIR_WIDE, GUESS_HOST, GUESS_WIDE, GUESS_LEVELS };

/* NOWHERE: no address that anybody could be blamed for; nothing is counted and nothing refused. */
enum guess_kind { GUESS_NOWHERE, GUESS_V4_32, GUESS_V4_24, GUESS_V6_64, GUESS_V6_48 };

struct guess_network {
	uint64_t prefix;                /* IPv4 address, or the upper half of an IPv6 address; what is not of the prefix is 0 */
	uint8_t kind;
};

struct guess_place { struct guess_network host, wide; };

struct guess_row {
	uint64_t account;               /* 0: of all accounts */
	uint64_t prefix;
	uint64_t first, last;           /* failure, repeats included */
	uint64_t settled;               /* when score was that */
	uint32_t score;                 /* thousandths of a wrong secret */
	uint32_t lent;                  /* of an account: of what its network was charged for it, what that had not forgotten at `last` */
	uint32_t failures, secrets;
	uint16_t mark[GUESS_MARKS];
	uint8_t kind;                   /* GUESS_NOWHERE: free */
	uint8_t marks, turn;
};

struct guess_lane { uint64_t account, prefix, last; uint8_t kind; };

struct guess_spray {
	uint64_t last;                  /* 0: free */
	uint32_t secret;
	uint16_t account[GUESS_MARKS];
	uint8_t accounts, turn;
};

struct guess {
	uint8_t key[SIPHASH_KEY];
	uint64_t changes;               /* counts what a snapshot would show */
	struct guess_row row[GUESS_LEVELS][GUESS_SETS * GUESS_WAYS];
	struct guess_lane lane[GUESS_LANE_SETS * GUESS_LANE_WAYS];
	struct guess_spray spray[GUESS_SPRAY_SETS * GUESS_SPRAY_WAYS];
};

struct guess_try {
	uint64_t account;
	struct guess_place place;
	uint64_t secret;
	bool unseen;                    /* SCRAM: there is no secret */
	uint64_t key;                   /* the account that a sender key is by itself, when that is what is tried; 0: the account's own password */
};

/* What is to be done before a secret is looked at. */
struct guess_word {
	bool stop;                      /* FAIL_GUESSING */
	bool lane;                      /* known here: goes first */
	bool clean;                     /* nothing has failed at this host lately: goes before those of whom that cannot be said */
	uint8_t delay;                  /* a refusal waits twice as long for each */
	uint8_t level;                  /* that stops */
	uint64_t until;                 /* when it will not stop any more */
};

struct guess_charge {
	bool repeat;                    /* cost nothing */
	bool spray;                     /* recognised just now */
	bool stop;                      /* the next one from there will be refused */
};

void guess_init(struct guess *, const uint8_t key[SIPHASH_KEY]);

/* 4 or 16 octets as on the wire, IPv4 inside IPv6 (RFC 4291 2.5.5.2) understood; anything else is nowhere. */
struct guess_place guess_place(struct span address);
/* The neighbourhood that n is, or lies in. */
struct guess_network guess_wide(struct guess_network n);
/* login is in its one normal form already (SASLprep, principal, small letters): see proc/3_auth_guess.c. Never 0. */
uint64_t guess_account(const struct guess *, struct span login);
uint64_t guess_secret(const struct guess *, struct span secret);

/* Changes nothing. */
struct guess_word guess_ask(const struct guess *, const struct guess_try *, uint64_t now);
void guess_passed(struct guess *, const struct guess_try *, uint64_t now);
struct guess_charge guess_failed(struct guess *, const struct guess_try *, uint64_t now);

/* ---- for the operator (guess_list.c) ---- */

/* account 0: all. network: NOWHERE all, a host what concerns it, a neighbourhood what lies in it. */
struct guess_filter { uint64_t account; struct guess_network network; };

struct guess_entry {
	uint64_t account;               /* 0: a network in all */
	struct guess_network network;
	uint32_t failures, secrets;
	bool known;
	uint64_t first, last, until;    /* until 0: not refused */
};

/* In no order. Rows that have nothing more to say (all given back, a day old) are left out. */
void guess_each(const struct guess *, const struct guess_filter *, uint64_t now,
    void (*show)(void *arg, const struct guess_entry *), void *arg);
/* How many rows went. Lanes stay. */
uint32_t guess_forgive(struct guess *, const struct guess_filter *);

/* ---- on disk (guess_snapshot.c): "postern-guess-1\n", u32 rows, u32 lanes, each of fixed length, SipHash of it all under the key ---- */

size_t guess_snapshot_size(const struct guess *);
/* out needs that much room. */
bool guess_format(const struct guess *, struct buf *out);
/* Into a guess just made. False, and nothing taken: damaged, of another version, or made under another key. */
bool guess_parse(struct guess *, struct span in, uint64_t now);

#endif

/*
 * proc/3_auth_ledger.h - the ledger of attempts in its process: asked and told, kept on disk, shown to the operator. Private to 3_auth*.c.
 *
 * Owner     struct auth owns its ledger and its control socket. Blocks: only where said.
 */
#ifndef POSTERN_PROC_3_AUTH_LEDGER_H
#define POSTERN_PROC_3_AUTH_LEDGER_H

#include <uv.h>

#include "base/fail.h"
#include "conf/conf.h"
#include "os/channel.h"
#include "os/log.h"
#include "policy/guess.h"
#include "proc/3_auth_kept.h"
#include "proc/door.h"

enum {
	AUTH_CONTROLS = 8,              /* commands that ask at once */
	AUTH_LEDGER_MS = 3000,          /* between two writes of the ledger of attempts */
	AUTH_SAY_MS = 1000,             /* between two lines about cases that cost nobody a budget */
	AUTH_SPRAY_MS = 600 * 1000,     /* between two alarms of sprays: 0_master runs so many an hour, and stolen logins need theirs */
};

struct auth;

/* ---- who guesses (3_auth_guess.c; policy/guess.h has the rules) ---- */

/* What may happen 2,000 times a second, and is a line a second: refused for guessing; no place in the hashing line. */
enum ledger_case { LEDGER_REFUSED, LEDGER_CROWDED, LEDGER_MALFORMED, LEDGER_CASES };

/* The ledger of attempts lies in STATE/auth/attempts as it was at most AUTH_LEDGER_MS ago. */
struct ledger {
	struct guess *guess;
	struct kept kept;
	uint64_t seen;                  /* guess->changes at the last look */
	struct log_pause said[LEDGER_CASES];    /* ms of the loop's clock */
	uint64_t sprayed;               /* ms of the loop's clock: the last alarm of a spray; 0: none */
	uint32_t sprays;                /* since */
};

/* One attempt as the ledger sees it. */
struct guesser {
	struct guess_try try;
	struct guess_word word;         /* what was said last */
};

/* Octets of an address; nowhere when the text is none, or the peer is a proxy that asks for others. */
struct guess_place ledger_place(const char *peer, bool proxy);
/* The account that a login is counted under. */
uint64_t ledger_account(const struct auth *, struct span login);
/* "?3f2a9c01" stands for a login that nobody has: what people type there may be a password. */
void ledger_put_unknown(uint64_t account, struct buf *out);
/* A login as the log may have it: the name of who has it, else that. room needs SASL_LOGIN_MAX. */
struct span ledger_shown(const struct auth *, struct span login, struct buf *room);
/* May this be looked at? The candidate is who is meant; secret NULL: SCRAM. */
bool ledger_ask(struct auth *, struct guesser *, struct span login, const struct candidate *, const struct span *secret);
/* Again, for one that has waited. */
bool ledger_ask_again(struct auth *, struct guesser *);
void ledger_passed(struct auth *, const struct guesser *);
/* word tells how long the refusal waits. */
void ledger_failed(struct auth *, struct guesser *, const char *peer);
/* Who shares a part of a line: an account with itself where it is known, a neighbourhood elsewhere. */
uint32_t ledger_share(const struct auth *, const struct guesser *);
/* A line now and then. */
void ledger_say(struct auth *, enum ledger_case, const struct guesser *, const char *peer, const char *reason);

/* ---- the ledger on disk (3_auth_ledger.c) ---- */

/* False: no memory. A file that is damaged or not ours is set aside, and the ledger begins empty. */
bool ledger_open(struct auth *, const struct conf *);
/* After whatever may have been a change. */
void ledger_touch(struct auth *);
void ledger_free(struct auth *);

/* ---- `postern user attempts` and `forgive` (3_auth_attempts.c); false: the asker is broken ---- */

#define LEDGER_NO_NETWORK "not a network: an address, or one with /24 (IPv4) or /48 (IPv6) behind it"
/* As the operator says it. False: it is none. */
bool ledger_network(struct span text, struct guess_network *);

bool ledger_attempts(struct auth *, struct channel *, const struct frame *);
bool ledger_forgive(struct auth *, struct channel *, const struct frame *);

/* ---- the operator's commands ask (3_auth_control.c) ---- */

struct control {
	struct door door;
	struct channel *channel[AUTH_CONTROLS];
};

/* fd is a listening socket that does not block; it becomes ours. */
void ledger_listen(struct auth *, int fd);
void ledger_close(struct auth *);
/* The last frame of every answer. */
void ledger_end(struct channel *, uint32_t session, enum fail, uint32_t count, struct span words);

#endif

/*
 * proc/3_auth.h - what the files of 3_auth share; nobody else includes it but its test.
 *
 * A session of a front is in one of four phases. FRESH: nothing is known. PROVING: we wait for the front. WAITING: the front waits for
 * us. PROVED: login is set. The phase is ours, whatever the front believes: the side that holds the secret keeps its own copy of the order.
 */
#ifndef POSTERN_PROC_3_AUTH_H
#define POSTERN_PROC_3_AUTH_H

#include <uv.h>

#include "base/fail.h"
#include "conf/conf.h"
#include "proc/3_auth_habits.h"
#include "proc/3_auth_hash.h"
#include "proc/3_auth_ledger.h"
#include "policy/warrant.h"
#include "proc/peers.h"
#include "sasl/server.h"
#include "sasl/used.h"
#include "sasl/users.h"

enum {
	AUTH_FAILURES_MAX = 3,          /* of one session; then nothing is checked any more (RFC 4954 9: not fewer) */
	AUTH_PAUSE_MS = 1000,           /* a refusal is said so long after the question: 1, 2, 4, 8 s with the session's failures */
	AUTH_PAUSES_MAX = 3,            /* doublings */
	AUTH_RECALLED = 4096,           /* sender keys that need not be hashed again; a power of two */
	AUTH_RECALL_WAYS = 4,
	AUTH_LOOK_MS = 1000,            /* between two looks at the users file */
	AUTH_NOTE_MS = 60000,           /* between two writes of the last uses */
	AUTH_DENIED_SAID = 3,           /* addresses of one session that it may not use, in the log; more say nothing new */
	AUTH_PATH_MAX = 512,
	AUTH_ATTEMPT_OCTETS = 4096,     /* of an exchange under way, at most, beside what GNU SASL takes */
};

enum phase { PHASE_FRESH, PHASE_PROVING, PHASE_WAITING, PHASE_PROVED };

struct attempt;
struct late;

/* An idle authenticated session costs this and its login: under 100 octets. */
struct session {
	struct session *next;           /* in the bucket */
	struct attempt *attempt;        /* PROVING and WAITING only */
	char *login;                    /* PROVED only; "alice" or "alice/laptop" */
	struct late *spending;          /* the answer to SPEND, while it is delayed */
	struct origin origin;           /* from AUTH_START on */
	uint32_t id;
	uint8_t phase;
	uint8_t failures;
	uint8_t denied;                 /* lines about addresses that are not its own */
};

struct front {
	struct front *next;
	struct auth *auth;
	struct channel *channel;        /* NULL: it is gone */
	struct session **bucket;
	size_t buckets, count;
	uint32_t slot;
	uint32_t life;                  /* of the front that has the channel */
};

/* ---- accounts: who there is (3_auth_accounts.c) ---- */

struct file_identity { uint64_t inode, size; int64_t modified[2], changed[2]; bool present; };

/* Keyed hashes of (login, key, verifier) that were found right: see 3_auth_recall.c for why that is safe. */
struct recall {
	uint8_t key[VERIFIER_HASH];
	uint8_t digest[AUTH_RECALLED][VERIFIER_HASH];
	unsigned turn;
};

struct accounts {
	struct users *users;
	struct used *used;
	struct recall recall;
	struct file_identity users_seen, passwd_seen;
	uint64_t looked;                /* ms of the loop's clock */
	uint8_t fake_key[VERIFIER_HASH];
	char users_file[AUTH_PATH_MAX], passwd_file[AUTH_PATH_MAX], used_file[AUTH_PATH_MAX], hostname[256];
};

enum standing { STANDING_GOOD, STANDING_UNKNOWN, STANDING_REVOKED, STANDING_EXPIRED };

/* What a login and a password are to be checked against. Always something: an unknown login costs what a known one does. */
struct candidate {
	enum { CHECK_KEY, CHECK_PASSWORD, CHECK_CRYPT } check;
	bool fake;                      /* nothing will match */
	struct verifier verifier;
	char crypt[400];
	char login[SASL_LOGIN_MAX + 1]; /* canonical; as said when it is a fake */
	char key[40];                   /* CHECK_KEY: the canonical text to check, else what was said */
};

bool accounts_open(struct accounts *, const struct conf *);
void accounts_close(struct accounts *);
/* Other files, other host name; what is in force stays when they cannot be read. */
void accounts_configure(struct accounts *, const struct conf *);
/* Look whether a file has changed, at most once a second of now_ms. */
void accounts_refresh(struct accounts *, uint64_t now_ms);
/* Look in any case: the operator has just changed it. */
void accounts_look(struct accounts *, uint64_t now_ms);
/* A key of our own in STATE/auth/NAME, mode 0600, made at the first start; lost says what it means that it cannot be kept. */
void accounts_keep_key(const char *state_dir, const char *name, struct buf *key, const char *lost);
/* The one form in which what was said counts: the principal's name, else what was said without device and domain; small letters. */
void accounts_normal_form(const struct accounts *, struct span login, struct buf *out);
void accounts_for_password(const struct accounts *, struct span login, struct span password, struct candidate *);
void accounts_for_scram(const struct accounts *, struct span login, struct candidate *);
/* How a canonical login stands now; user and key (NULL for a password) are set when it is known. */
enum standing accounts_standing(const struct accounts *, struct span login, const struct user **, const struct user_key **);
const char *standing_words(enum standing);

bool recall_has(const struct recall *, const struct candidate *);
void recall_keep(struct recall *, const struct candidate *);
void recall_clear(struct recall *);

/* ---- the process (3_auth.c) ---- */

struct auth {
	uv_loop_t *loop;
	struct accounts accounts;
	struct hasher hasher;
	struct front *fronts;
	uint8_t table_key[SIPHASH_KEY]; /* of the fronts' buckets: who numbers his sessions does not choose where they are looked for */
	uint8_t warrant_key[SIPHASH_KEY];       /* 4_spool has it too: policy/warrant.h */
	struct channel *spool;          /* GUARD_* messages; NULL while there is no 4_spool */
	struct kept uses;               /* accounts.used on disk */
	uint32_t sessions_max;          /* of one front */
	uint32_t pause_ms;
	size_t attempts;                /* not yet freed */
	struct control control;
	struct ledger ledger;
	struct habits habits;
	struct country *country;        /* os/country.h; NULL: none */
	unsigned handles;               /* of the loop's that are part of this struct and not closed */
	bool offer_login;
	void (*idle)(void *arg);        /* no front is left, no worker works; may be NULL */
	void (*broken)(void *arg, uint32_t slot);       /* this front has broken the order; may be NULL */
	void (*alarm)(void *arg, const struct child_alarm *);   /* the operator should know; may be NULL */
	void *arg;
};

/* What warrants of this session's front are for. */
struct warrant_front front_warranted(const struct front *);

struct auth *auth_open(uv_loop_t *, const struct conf *);
void auth_configure(struct auth *, const struct conf *);
void auth_add_front(struct auth *, uint32_t slot, int fd);
/* Replaces the one before. */
void auth_add_spool(struct auth *, int fd);
/* Ends every front and writes what is kept. Its memory goes when the loop has closed its handles. */
void auth_close(struct auth *);
/* No front is left and nothing is being written? Then say idle. */
void auth_rest(struct auth *);
/* kept_file.written of all that is kept; arg is the auth. */
void auth_written(void *arg);
/* Is a worker writing? Then auth_save() passes over its file. */
bool auth_is_writing(const struct auth *);
/* Writes what has changed. Blocks on the disk. */
void auth_save(struct auth *);
void auth_note_use(struct auth *, struct span login, struct span peer);
/* For uv_close() of each handle in struct auth: the last one lets go of it all. handle->data is the auth. */
void auth_handle_closed(uv_handle_t *);

/* ---- where addresses are (3_auth_country.c) ---- */

/* Opens country-database, or another one, or none; what cannot be opened is said in the log, and nothing changes. */
void countries_configure(struct auth *, const struct conf *);

/* ---- sessions and calls (3_auth_calls.c) ---- */

struct session *front_find(const struct front *, uint32_t id);
/* The front said what no honest one could say now. */
void front_broken(struct front *, uint16_t type, const char *why);
/* All its sessions end with it. */
void front_end(struct front *);
void front_message(struct front *, const struct frame *);
/* The only writer of the phase. */
void attempt_phase_enter(struct session *, enum phase);

/* ---- one attempt to prove something (3_auth_attempt.c) ---- */

void attempt_begin(struct front *, struct session *, const struct auth_start *);
void attempt_next(struct front *, struct session *, struct span response);
/* The session ends or cancels: whatever still runs for it is thrown away when it is done. */
void attempt_abandon(struct session *);

#endif

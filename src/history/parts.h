/*
 * history/parts.h - private to the room: the open file, its statements, and what went wrong last.
 */
#ifndef POSTERN_HISTORY_PARTS_H
#define POSTERN_HISTORY_PARTS_H

#include <sqlite3.h>

#include "base/siphash.h"
#include "history/history.h"

enum statement {
	ST_BEGIN, ST_COMMIT, ST_ROLLBACK,
	ST_ADD_MESSAGE, ST_ADD_RECIPIENT, ST_ADD_ATTEMPT, ST_ADD_EVENT, ST_ADD_SEARCH, ST_ADD_GAP, ST_SET_PLACE, ST_SETTLED,
	ST_MESSAGE, ST_RECIPIENTS, ST_ATTEMPTS, ST_EVENTS, ST_GAPS, ST_PERIOD, ST_SEARCH,
	ST_OLDEST, ST_DROP_ATTEMPTS, ST_DROP_EVENTS, ST_DROP_RECIPIENTS, ST_DROP_MESSAGES, ST_DROP_SEARCH, ST_DROP_PERIOD, ST_DROP_GAPS,
	ST_ADD_HOOK, ST_DUE_HOOKS, ST_HOOK_FACTS, ST_DROP_HOOK, ST_DELAY_HOOK, ST_BOUND_HOOKS, ST_DROP_OLD_HOOKS, ST_DROP_MANY_HOOKS,
	ST_PAGES, ST_FREE_PAGES, ST_VACUUM, ST_SET_TRUSTED, ST_WORD_EVENT,
	ST_MAX
};

struct history {
	sqlite3 *db;
	sqlite3_stmt *statement[ST_MAX];        /* prepared when first needed */
	struct history_limits limits;
	struct history_place place;
	uint64_t begun, page_size;
	uint64_t dropped;                       /* messages, since the search was rid of what led to them */
	uint64_t trusted, trusted_at;           /* history_trusted() of when the machine had run so many ms */
	uint64_t trusted_kept;                  /* that is in the file */
	uint8_t key[SIPHASH_KEY];               /* so that nobody can make texts that collide */
	enum history_fault fault;               /* of the transaction */
	bool open;                              /* one is */
	char why[256];
};

enum {
	SCHEMA = 2,                             /* user_version; 2: attempt.reply */
	PERIOD_BITS = 40,                       /* of a queue id below its period of 70 minutes */
	PAGE = 8192,
};

/* The statement, ready to be bound. NULL: it cannot be had, and history.fault says so. */
sqlite3_stmt *statement(struct history *, enum statement);
void bind_number(sqlite3_stmt *, int at, uint64_t);
/* The octets must stay until the statement was run. */
void bind_text(sqlite3_stmt *, int at, struct span);
uint64_t column_number(sqlite3_stmt *, int at);
struct span column_text(sqlite3_stmt *, int at);
/* The next row; false: there is none, or it failed. */
bool row(struct history *, sqlite3_stmt *);
/* Run it to its end. NULL is a failure that was remembered already. */
bool run(struct history *, sqlite3_stmt *);
/* Run text; for what is not in the table. */
bool run_text(struct history *, const char *sql);
/* Remember what SQLite has just said. Always false. */
bool failed(struct history *, int code);

/* Where the time that is trusted begins; the file is open to be written. */
bool trust(struct history *, uint64_t now);
/* What a statement of one number says; *value stays when it says nothing. */
bool get_number(struct history *, const char *text, uint64_t *value);

/* What texts are found by: the same for any case of letters. */
uint32_t search_hash(const struct history *, struct span text);

#endif

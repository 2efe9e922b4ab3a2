/* The file: opening it, what is in it, and what SQLite says of it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history/parts.h"

enum { PATH_ROOM = 512, BUSY_MS = 2000 };

/*
 * Everything is found by queue id, and ids grow with time, so rows are appended and deleted at the two ends of each tree; the search
 * goes by period first for the same reason. How a recipient stands is what his newest attempt says.
 */
static const char schema[] =
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), segment INTEGER, salt INTEGER, offset INTEGER, sequence INTEGER,"
    " begun INTEGER, key BLOB);"
    "CREATE TABLE message(id INTEGER PRIMARY KEY, arrival INTEGER, size INTEGER, flags INTEGER, rcpts INTEGER, sender TEXT,"
    " login TEXT, peer TEXT, tls TEXT, message_id TEXT);"
    "CREATE TABLE recipient(id INTEGER, number INTEGER, path TEXT, PRIMARY KEY(id, number)) WITHOUT ROWID;"
    "CREATE TABLE attempt(id INTEGER, number INTEGER, sequence INTEGER, at INTEGER, attempt INTEGER, class INTEGER, code INTEGER,"
    " took INTEGER, status TEXT, host TEXT, tls TEXT, text TEXT, reply TEXT, PRIMARY KEY(id, number, sequence)) WITHOUT ROWID;"
    "CREATE TABLE event(id INTEGER, at INTEGER, kind INTEGER, other INTEGER, words TEXT, PRIMARY KEY(id, at, kind, other))"
    " WITHOUT ROWID;"
    "CREATE TABLE search(period INTEGER, hash INTEGER, id INTEGER, PRIMARY KEY(period, hash, id)) WITHOUT ROWID;"
    "CREATE TABLE gap(number INTEGER PRIMARY KEY, at INTEGER, words TEXT);"
    "CREATE TABLE hook(row INTEGER PRIMARY KEY, id INTEGER, number INTEGER, sequence INTEGER, at INTEGER, event INTEGER,"
    " tries INTEGER, due INTEGER);"
    "CREATE INDEX hook_due ON hook(due);"
    "PRAGMA user_version = 2;";

/* What brings a file of version 1 here; what it knows of attempts has no class. */
static const char to_version_2[] = "BEGIN IMMEDIATE; ALTER TABLE attempt ADD COLUMN reply TEXT; PRAGMA user_version = 2; COMMIT";
/* The same for one that is only read: the view hides the table. */
static const char seen_as_version_2[] = "CREATE TEMP VIEW attempt AS SELECT *, NULL AS reply FROM main.attempt";

static const char *const sql[ST_MAX] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	/* A message that is copied forward in the log comes again, and so do its recipients. */
	[ST_ADD_MESSAGE] = "INSERT OR IGNORE INTO message VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ST_ADD_RECIPIENT] = "INSERT OR IGNORE INTO recipient VALUES(?1, ?2, ?3)",
	[ST_ADD_ATTEMPT] = "INSERT OR IGNORE INTO attempt VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[ST_ADD_EVENT] = "INSERT OR IGNORE INTO event VALUES(?1, ?2, ?3, ?4, ?5)",
	/* The one thing that is changed: why a message was held stands behind it in the log. */
	[ST_WORD_EVENT] = "UPDATE event SET words = ?5 WHERE id = ?1 AND at = ?2 AND kind = ?3 AND other = ?4 AND words IS NOT ?5",
	[ST_ADD_SEARCH] = "INSERT OR IGNORE INTO search VALUES(?1, ?2, ?3)",
	[ST_ADD_GAP] = "INSERT INTO gap(at, words) VALUES(?1, ?2)",
	[ST_SET_PLACE] = "UPDATE state SET segment = ?1, salt = ?2, offset = ?3, sequence = ?4",
	[ST_SETTLED] = "SELECT m.rcpts, (SELECT count(DISTINCT number) FROM attempt a WHERE a.id = m.id AND a.class <> 1)"
	    " FROM message m WHERE m.id = ?1",
	[ST_MESSAGE] = "SELECT id, arrival, size, flags, rcpts, sender, login, peer, tls, message_id FROM message WHERE id = ?1",
	[ST_RECIPIENTS] = "SELECT number, path FROM recipient WHERE id = ?1 ORDER BY number",
	[ST_ATTEMPTS] = "SELECT id, number, sequence, at, attempt, class, code, took, status, host, tls, text, reply FROM attempt"
	    " WHERE id = ?1 ORDER BY sequence",
	[ST_EVENTS] = "SELECT at, kind, other, words FROM event WHERE id = ?1 ORDER BY at, kind, other",
	[ST_GAPS] = "SELECT at, words FROM gap ORDER BY number",
	[ST_PERIOD] = "SELECT max(period) FROM search WHERE period <= ?1",
	[ST_SEARCH] = "SELECT id FROM search WHERE period = ?1 AND hash = ?2 AND id < ?3 ORDER BY id DESC",
	[ST_OLDEST] = "SELECT max(id), count(*) FROM (SELECT id FROM message WHERE id < ?1 ORDER BY id LIMIT ?2)",
	[ST_DROP_ATTEMPTS] = "DELETE FROM attempt WHERE id <= ?1",
	[ST_DROP_EVENTS] = "DELETE FROM event WHERE id <= ?1",
	[ST_DROP_RECIPIENTS] = "DELETE FROM recipient WHERE id <= ?1",
	[ST_DROP_MESSAGES] = "DELETE FROM message WHERE id <= ?1",
	[ST_DROP_SEARCH] = "DELETE FROM search WHERE (period, hash, id) IN"
	    " (SELECT period, hash, id FROM search WHERE period < ?1 LIMIT ?2)",
	[ST_DROP_PERIOD] = "DELETE FROM search WHERE period = ?1 AND id <= ?2",
	[ST_DROP_GAPS] = "DELETE FROM gap WHERE number <= (SELECT max(number) FROM gap) - ?1",
	[ST_ADD_HOOK] = "INSERT INTO hook(id, number, sequence, at, event, tries, due) VALUES(?1, ?2, ?3, ?4, ?5, 0, 0)",
	[ST_DUE_HOOKS] = "SELECT row, id, number, sequence, at, event, tries FROM hook WHERE due <= ?1 ORDER BY due, row LIMIT ?2",
	[ST_HOOK_FACTS] = "SELECT m.arrival, m.size, m.rcpts, m.sender, m.login, m.message_id, r.path, a.attempt, a.code, a.took, a.status,"
	    " a.host, a.tls, a.text, e.words, a.reply FROM message m LEFT JOIN recipient r ON r.id = m.id AND r.number = ?2"
	    " LEFT JOIN attempt a ON a.id = m.id AND a.number = ?2 AND a.sequence = ?3"
	    " LEFT JOIN event e ON e.id = m.id AND e.at = ?4 AND e.kind = ?5 AND e.other = 0 WHERE m.id = ?1",
	[ST_DROP_HOOK] = "DELETE FROM hook WHERE row = ?1",
	[ST_DELAY_HOOK] = "UPDATE hook SET tries = tries + 1, due = ?2 WHERE row = ?1",
	[ST_BOUND_HOOKS] = "UPDATE hook SET due = 0 WHERE due > ?1",
	[ST_DROP_OLD_HOOKS] = "DELETE FROM hook WHERE at < ?1",
	[ST_DROP_MANY_HOOKS] = "DELETE FROM hook WHERE row IN"
	    " (SELECT row FROM hook ORDER BY row LIMIT max(0, (SELECT count(*) FROM hook) - ?1))",
	[ST_PAGES] = "PRAGMA page_count",
	[ST_FREE_PAGES] = "PRAGMA freelist_count",
	[ST_VACUUM] = "PRAGMA incremental_vacuum(256)",
	[ST_SET_TRUSTED] = "INSERT OR REPLACE INTO clock VALUES(1, ?1)",
};

/* ---- SQLite, as the others here want it ---- */
static enum history_fault
blame(int code)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_SCHEMA:
	case SQLITE_ERROR:      /* a table that is not there: somebody else's file */
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return HISTORY_BROKEN;
	default:
		return HISTORY_FULL;
	}
}

bool
failed(struct history *h, int code)
{
	if (h->fault == HISTORY_FINE) {
		h->fault = blame(code);
		(void)snprintf(h->why, sizeof h->why, "%s", h->db != NULL ? sqlite3_errmsg(h->db) : sqlite3_errstr(code));
	}
	return false;
}

sqlite3_stmt *
statement(struct history *h, enum statement which)
{
	int code;

	if (h->statement[which] == NULL) {
		code = sqlite3_prepare_v3(h->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, &h->statement[which], NULL);
		if (code != SQLITE_OK)
			(void)failed(h, code);
	}
	return h->statement[which];
}

void
bind_number(sqlite3_stmt *s, int at, uint64_t value)
{
	if (s != NULL)
		(void)sqlite3_bind_int64(s, at, (sqlite3_int64)value);
}

void
bind_text(sqlite3_stmt *s, int at, struct span text)
{
	if (s == NULL)
		return;
	if (text.len == 0)
		(void)sqlite3_bind_null(s, at);
	else
		(void)sqlite3_bind_text(s, at, (const char *)text.p, (int)text.len, SQLITE_STATIC);
}

uint64_t
column_number(sqlite3_stmt *s, int at)
{
	return (uint64_t)sqlite3_column_int64(s, at);
}

struct span
column_text(sqlite3_stmt *s, int at)
{
	const uint8_t *p = sqlite3_column_text(s, at);

	return (struct span){ p, p != NULL ? (size_t)sqlite3_column_bytes(s, at) : 0 };
}

bool
row(struct history *h, sqlite3_stmt *s)
{
	int code = s != NULL ? sqlite3_step(s) : SQLITE_ERROR;

	if (code == SQLITE_ROW)
		return true;
	if (s != NULL && code != SQLITE_DONE)
		(void)failed(h, code);
	if (s != NULL)
		(void)sqlite3_reset(s);
	return false;
}

bool
run(struct history *h, sqlite3_stmt *s)
{
	int code;

	if (s == NULL)
		return false;
	do {
		code = sqlite3_step(s);
	} while (code == SQLITE_ROW);
	if (code != SQLITE_DONE)
		(void)failed(h, code);
	(void)sqlite3_reset(s);
	return code == SQLITE_DONE;
}

bool
run_text(struct history *h, const char *text)
{
	int code = sqlite3_exec(h->db, text, NULL, NULL, NULL);

	return code == SQLITE_OK || failed(h, code);
}

uint32_t
search_hash(const struct history *h, struct span text)
{
	uint8_t lower[HISTORY_ID_MAX];

	/* Of a Message-ID no more is kept, and all of it may be asked for. */
	text = span_head(text, sizeof lower);
	for (size_t i = 0; i < text.len; i++)
		lower[i] = ascii_lower(text.p[i]);
	return (uint32_t)siphash(h->key, (struct span){ lower, text.len });
}

/* ---- opening ---- */
bool
get_number(struct history *h, const char *text, uint64_t *value)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(h->db, text, -1, &s, NULL);
	bool got;

	if (code != SQLITE_OK)
		return failed(h, code);
	got = row(h, s);
	if (got)
		*value = column_number(s, 0);
	(void)sqlite3_finalize(s);
	return got;
}

static bool
make_schema(struct history *h, uint64_t now)
{
	sqlite3_stmt *s = NULL;
	uint8_t key[SIPHASH_KEY];
	bool made;

	if (getrandom(key, sizeof key, 0) != sizeof key || !run_text(h, "BEGIN IMMEDIATE") || !run_text(h, schema))
		return false;
	if (sqlite3_prepare_v2(h->db, "INSERT INTO state VALUES(1, 0, 0, 0, 0, ?1, ?2)", -1, &s, NULL) != SQLITE_OK)
		return failed(h, SQLITE_ERROR);
	bind_number(s, 1, now);
	(void)sqlite3_bind_blob(s, 2, key, sizeof key, SQLITE_STATIC);
	made = run(h, s);
	(void)sqlite3_finalize(s);
	return made && run_text(h, "COMMIT");
}

static bool
read_state(struct history *h)
{
	static const char text[] = "SELECT segment, salt, offset, sequence, begun, key FROM state";
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(h->db, text, -1, &s, NULL);
	bool good = code == SQLITE_OK ? row(h, s) && sqlite3_column_bytes(s, 5) == SIPHASH_KEY : failed(h, code);

	if (good) {
		h->place = (struct history_place){ column_number(s, 0), column_number(s, 1), column_number(s, 2), column_number(s, 3) };
		h->begun = column_number(s, 4);
		memcpy(h->key, sqlite3_column_blob(s, 5), SIPHASH_KEY);
	} else {
		(void)failed(h, SQLITE_CORRUPT);
	}
	(void)sqlite3_finalize(s);
	return good;
}

static bool
refuse_newer(struct history *h)
{
	(void)snprintf(h->why, sizeof h->why, "history.db was made by a newer version of Postern");
	h->fault = HISTORY_NEWER;
	return false;
}

/* One process has the file to itself, so that the index of the write-ahead log stays in memory; each commit is on the disk. */
static bool
prepare_to_write(struct history *h, uint64_t now)
{
	uint64_t version = 0;

	/* Before anything is read: the first look would make that index a file. */
	if (!run_text(h, "PRAGMA locking_mode = EXCLUSIVE") || !get_number(h, "PRAGMA user_version", &version))
		return false;
	if (version > SCHEMA)
		return refuse_newer(h);
	if (!run_text(h, "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;"
	    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;"
	    "PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 16777216"))
		return false;
	return (version > 0 || make_schema(h, now)) && (version != 1 || run_text(h, to_version_2)) && trust(h, now);
}

static struct history *
open_file(const char *directory, int flags)
{
	struct history *h = calloc(1, sizeof *h);
	char path[PATH_ROOM];
	int code;

	if (h == NULL)
		return NULL;
	/* Before the first use of the library; later it is harmless. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)snprintf(path, sizeof path, "%s/history.db", directory);
	code = sqlite3_open_v2(path, &h->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK)
		(void)failed(h, code);
	else
		(void)sqlite3_busy_timeout(h->db, BUSY_MS);
	return h;
}

static struct history *
give_up(struct history *h, enum history_fault *fault, struct buf *why)
{
	(void)buf_put_text(why, h != NULL ? h->why : "out of memory");
	(void)buf_terminate(why);
	if (fault != NULL)
		*fault = h != NULL ? h->fault : HISTORY_FULL;
	history_close(h);
	return NULL;
}

struct history *
history_open(const char *directory, const struct history_limits *limits, uint64_t now, enum history_fault *fault, struct buf *why)
{
	struct history *h;
	mode_t mask = umask(0077);

	h = open_file(directory, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (h == NULL || h->fault != HISTORY_FINE || !prepare_to_write(h, now) || !read_state(h)
	    || !get_number(h, "PRAGMA page_size", &h->page_size))
		h = give_up(h, fault, why);
	else
		h->limits = *limits;
	(void)umask(mask);
	return h;
}

struct history *
history_open_to_read(const char *directory, struct buf *why)
{
	struct history *h = open_file(directory, SQLITE_OPEN_READONLY);
	uint64_t version = 0;

	if (h == NULL || h->fault != HISTORY_FINE || !get_number(h, "PRAGMA user_version", &version)
	    || (version > SCHEMA && !refuse_newer(h)) || !read_state(h))
		return give_up(h, NULL, why);
	if (version == 1 && !run_text(h, seen_as_version_2))
		return give_up(h, NULL, why);
	return h;
}

void
history_close(struct history *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < ST_MAX; i++)
		(void)sqlite3_finalize(h->statement[i]);
	(void)sqlite3_close(h->db);
	free(h);
}

void
history_limit(struct history *h, const struct history_limits *limits)
{
	h->limits = *limits;
}

static const char *const parts[] = { "", "-wal", "-shm" };

/* "damaged-TIME.db" */
static bool
aside_parse(const char *name, uint64_t *when)
{
	struct span s = span_of(name);

	return span_take(&s, SPAN("damaged-")) && span_take_u64(&s, when) && span_eq(s, SPAN(".db"));
}

/* How many there are; *oldest is the time in the oldest one's name. */
static unsigned
count_aside(const char *directory, uint64_t *oldest)
{
	DIR *d = opendir(directory);
	struct dirent *e;
	unsigned count = 0;
	uint64_t when;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (!aside_parse(e->d_name, &when))
			continue;
		*oldest = count++ == 0 || when < *oldest ? when : *oldest;
	}
	if (d != NULL)
		(void)closedir(d);
	return count;
}

/* Each is as big as a history may be: a disk that damages one after the other must not fill up with them. */
static void
drop_oldest_aside(const char *directory)
{
	char path[PATH_ROOM];
	uint64_t oldest = 0;

	if (count_aside(directory, &oldest) <= HISTORY_ASIDE_MOST)
		return;
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof path, "%s/damaged-%llu.db%s", directory, (unsigned long long)oldest, parts[i]);
		(void)unlink(path);
	}
}

bool
history_set_aside(const char *directory, uint64_t now, struct buf *name)
{
	char from[PATH_ROOM], to[PATH_ROOM];
	bool moved = true;

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(from, sizeof from, "%s/history.db%s", directory, parts[i]);
		(void)snprintf(to, sizeof to, "%s/damaged-%llu.db%s", directory, (unsigned long long)now, parts[i]);
		moved = (rename(from, to) == 0 || (i > 0 && errno == ENOENT)) && moved;
		if (i == 0)
			(void)buf_put_text(name, to);
	}
	(void)buf_terminate(name);
	if (moved)
		drop_oldest_aside(directory);
	return moved;
}

struct history_place
history_place(const struct history *h)
{
	return h->place;
}

const char *
history_why(const struct history *h)
{
	return h->why;
}

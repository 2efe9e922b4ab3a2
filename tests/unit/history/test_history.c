/* What is written is found, once, until it is too old or too much; what is damaged makes room. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "history/history.h"

#define NOW UINT64_C(1763827200000)
#define ID(n) ((NOW << 18) + (uint64_t)(n))
#define DAY UINT64_C(86400000)

static char directory[64];
static struct history *h;
static struct history_limits limits;
static struct history_place place;

static void
reopen(void)
{
	enum history_fault fault = HISTORY_FINE;
	uint8_t text[300];
	struct buf why = BUF_OVER(text);

	history_close(h);
	h = history_open(directory, &limits, NOW, &fault, &why);
	assert_non_null(h);
}

static int
begin(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof directory, "history-XXXXXX");
	assert_non_null(mkdtemp(directory));
	limits = (struct history_limits){ 30 * DAY, 64 << 20 };
	place = (struct history_place){ 0 };
	reopen();
	return 0;
}

static int
end(void **state)
{
	char command[128];

	(void)state;
	history_close(h);
	h = NULL;
	for (unsigned i = 0; i < 3; i++) {
		static const char *const parts[] = { "", "-wal", "-shm" };

		(void)snprintf(command, sizeof command, "%s/history.db%s", directory, parts[i]);
		(void)unlink(command);
		(void)snprintf(command, sizeof command, "%s/damaged-%llu.db%s", directory, (unsigned long long)NOW, parts[i]);
		(void)unlink(command);
	}
	return rmdir(directory);
}

static void
commit(void)
{
	place.sequence++;
	assert_int_equal(history_commit(h, &place), HISTORY_FINE);
}

/* "m3@x.example" from s3@x.example to r3@y.example and all@y.example */
static bool
add_message(uint64_t id, unsigned n)
{
	char message_id[32], sender[32], rcpt[32];
	struct history_message m = { .id = id, .arrival = id >> 18, .size = 100 + n, .rcpts = 2, .login = SPAN_INIT("alice"),
		.peer = SPAN_INIT("192.0.2.1"), .tls = SPAN_INIT("TLSv1.3") };
	bool added;

	(void)snprintf(message_id, sizeof message_id, "M%u@x.example", n);
	(void)snprintf(sender, sizeof sender, "s%u@x.example", n);
	(void)snprintf(rcpt, sizeof rcpt, "r%u@y.example", n);
	m.message_id = span_of(message_id);
	m.sender = span_of(sender);
	added = history_add_message(h, &m);
	history_add_recipient(h, id, 0, span_of(rcpt));
	history_add_recipient(h, id, 1, SPAN("all@y.example"));
	return added;
}

static void
add_attempt(uint64_t id, uint32_t number, uint64_t sequence, uint32_t class)
{
	history_add_attempt(h, &(struct history_attempt){ .id = id, .number = number, .sequence = sequence, .when = NOW, .attempt = 1,
		.class = class, .code = 250, .took = 7, .status = SPAN_INIT("2.0.0"), .host = SPAN_INIT("mx"), .tls = SPAN_INIT("none"),
		.text = SPAN_INIT("ok"), .reply = class != 0 ? (struct span)SPAN_INIT("mailbox") : (struct span){ NULL, 0 } });
}

/* What was told, as "m5 r0 r1 a0 e1". */
struct told { char text[8192]; size_t len; };

static void
say(void *arg, const char *what, uint64_t n)
{
	struct told *t = arg;

	t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%s%s%llu", t->len > 0 ? " " : "", what, (unsigned long long)n);
}

static void tell_message(void *arg, const struct history_message *m) { say(arg, "m", m->id - ID(0)); }
static void tell_recipient(void *arg, uint64_t id, uint32_t n, struct span path) { (void)id, (void)path; say(arg, "r", n); }

static void
tell_attempt(void *arg, const struct history_attempt *a)
{
	say(arg, "a", a->number);
	if (a->reply.len > 0)
		say(arg, "reply", a->reply.len);
}

static void tell_event(void *arg, const struct history_event *e) { say(arg, "e", e->kind); }
static void tell_gap(void *arg, uint64_t when, struct span words) { (void)when, (void)words; say(arg, "g", 0); }

static const char *
ask(const char *what, uint64_t id, uint64_t before, uint32_t most, struct history_found *found)
{
	static struct told t;
	struct history_answer a = { tell_message, tell_recipient, tell_attempt, tell_event, tell_gap, &t };
	struct history_question q = { .what = span_of(what), .id = id, .before = before, .most = most };

	t.len = 0;
	t.text[0] = '\0';
	assert_int_equal(history_find(h, &q, &a, found), HISTORY_FINE);
	return t.text;
}

/* tests/regress/0391: between a message of 1970 and one of a clock far ahead lie millions of periods, and nothing in them. */
static void
test_found_across_an_age(void **state)
{
	struct history_found f;
	clock_t begun = clock();

	(void)state;
	history_begin(h);
	assert_true(add_message(UINT64_C(1) << 41, 1));
	assert_true(add_message(UINT64_C(1) << 62, 2));
	commit();
	(void)ask("all@y.example", 0, 0, 10, &f);
	assert_int_equal(f.messages, 2);
	assert_int_equal(f.next, 0);
	assert_true(clock() - begun < CLOCKS_PER_SEC);
}

static void
test_found_by_whatever_is_known(void **state)
{
	struct history_found f;

	(void)state;
	history_begin(h);
	for (unsigned i = 1; i <= 3; i++)
		assert_true(add_message(ID(i), i));
	add_attempt(ID(2), 0, 10, 0);
	add_attempt(ID(2), 1, 11, 1);
	assert_true(history_add_event(h, &(struct history_event){ .id = ID(2), .when = NOW, .kind = HISTORY_HELD }));
	commit();
	assert_string_equal(ask("x", ID(2), 0, 9, &f), "m2 r0 r1 a0 a1 reply7 e1");
	assert_string_equal(ask("m2@X.example", 0, 0, 9, &f), "m2 r0 r1 a0 a1 reply7 e1");
	assert_string_equal(ask("<M2@x.example>", 0, 0, 9, &f), "m2 r0 r1 a0 a1 reply7 e1");
	assert_string_equal(ask("S2@x.example", 0, 0, 9, &f), "m2 r0 r1 a0 a1 reply7 e1");
	assert_string_equal(ask("r2@y.example", 0, 0, 9, &f), "m2 r0 a0 a1 reply7 e1");
	assert_string_equal(ask("all@y.example", 0, 0, 9, &f), "m3 r1 m2 r1 a0 a1 reply7 e1 m1 r1");
	assert_int_equal(f.messages, 3);
	assert_true(f.next == 0 && f.begun == NOW);
	assert_string_equal(ask("r2@y.exampl", 0, 0, 9, &f), "");
	/* A part at a time. */
	assert_string_equal(ask("all@y.example", 0, 0, 2, &f), "m3 r1 m2 r1 a0 a1 reply7 e1");
	assert_true(f.next == ID(2));
	assert_string_equal(ask("all@y.example", 0, f.next, 2, &f), "m1 r1");
	assert_true(f.next == 0);
}

static void count_message(void *arg, const struct history_message *m) { (void)m; ++*(unsigned *)arg; }
static void count_recipient(void *arg, uint64_t id, uint32_t n, struct span path) { (void)arg, (void)id, (void)n, (void)path; }
static void count_attempt(void *arg, const struct history_attempt *a) { (void)arg, (void)a; }
static void count_event(void *arg, const struct history_event *e) { (void)arg, (void)e; }
static void count_gap(void *arg, uint64_t when, struct span words) { (void)arg, (void)when, (void)words; }

/* Nobody has been tried yet, and there are many: an answer has its end, and the next one goes on. */
static void
test_many_recipients_come_in_pieces(void **state)
{
	unsigned told = 0, pieces = 0;
	struct history_answer a = { count_message, count_recipient, count_attempt, count_event, count_gap, &told };
	struct history_question q = { .what = SPAN_INIT("s@x.example"), .most = HISTORY_FIND_MOST };
	struct history_found f;
	char rcpt[32];

	(void)state;
	history_begin(h);
	for (unsigned i = 0; i < 50; i++) {
		struct history_message m = { .id = ID(i), .arrival = NOW, .rcpts = 1000, .sender = SPAN_INIT("s@x.example") };

		assert_true(history_add_message(h, &m));
		for (unsigned k = 0; k < 1000; k++) {
			(void)snprintf(rcpt, sizeof rcpt, "r%u@y.example", k);
			history_add_recipient(h, ID(i), k, span_of(rcpt));
		}
	}
	commit();
	do {
		assert_int_equal(history_find(h, &q, &a, &f), HISTORY_FINE);
		assert_in_range(f.messages, 1, HISTORY_FIND_ROWS / 1000 + 1);
		q.before = f.next;
		pieces++;
	} while (f.next != 0);
	assert_int_equal(told, 50);
	assert_int_equal(pieces, 3);
}

/* Kept is its beginning, asked for is all of it. regress 0282 */
static void
test_found_by_a_long_message_id(void **state)
{
	char text[301];
	struct history_message m = { .id = ID(1), .arrival = NOW, .rcpts = 1, .message_id = { (const uint8_t *)text, 255 } };
	struct history_found f;

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	history_begin(h);
	assert_true(history_add_message(h, &m));
	commit();
	assert_string_equal(ask(text, 0, 0, 9, &f), "m1");
	text[255] = '\0';
	assert_string_equal(ask(text, 0, 0, 9, &f), "m1");
	text[254] = '\0';
	assert_string_equal(ask(text, 0, 0, 9, &f), "");
}

/* Ids of a month lie in six hundred periods: each is looked into. */
static void
test_found_in_every_period(void **state)
{
	struct history_found f;

	(void)state;
	limits.age = 400 * DAY;
	history_begin(h);
	for (unsigned i = 0; i < 40; i++)
		assert_true(add_message(ID(i) + ((DAY * 5 / 7 * i) << 18), i));
	commit();
	(void)ask("all@y.example", 0, 0, 100, &f);
	assert_int_equal(f.messages, 40);
	(void)ask("r17@y.example", 0, 0, 100, &f);
	assert_int_equal(f.messages, 1);
}

static void
test_what_comes_again_is_there_once(void **state)
{
	struct history_found f;
	struct history_event e = { .id = ID(1), .when = NOW, .kind = HISTORY_HELD };

	(void)state;
	history_begin(h);
	assert_true(add_message(ID(1), 1));
	assert_false(add_message(ID(1), 1));
	add_attempt(ID(1), 0, 5, 1);
	add_attempt(ID(1), 0, 5, 1);
	assert_true(history_add_event(h, &e));
	assert_false(history_add_event(h, &e));
	commit();
	assert_string_equal(ask("x", ID(1), 0, 9, &f), "m1 r0 r1 a0 reply7 e1");
}

static void
test_rows_and_place_go_together(void **state)
{
	struct history_found f;

	(void)state;
	history_begin(h);
	(void)add_message(ID(1), 1);
	place = (struct history_place){ 3, 4, 5, 6 };
	commit();
	history_begin(h);
	(void)add_message(ID(2), 2);
	history_abort(h);
	assert_string_equal(ask("x", ID(2), 0, 9, &f), "");
	/* As a killed process leaves it: nobody has closed the file. */
	history_begin(h);
	(void)add_message(ID(3), 3);
	reopen();
	assert_string_equal(ask("x", ID(3), 0, 9, &f), "");
	assert_string_equal(ask("x", ID(1), 0, 9, &f), "m1 r0 r1");
	assert_true(history_place(h).segment == 3 && history_place(h).salt == 4 && history_place(h).offset == 5 && history_place(h).sequence == 7);
}

static void
test_settled(void **state)
{
	(void)state;
	history_begin(h);
	(void)add_message(ID(1), 1);
	assert_int_equal(history_settled(h, ID(9)), HISTORY_UNKNOWN);
	add_attempt(ID(1), 0, 5, 1);
	add_attempt(ID(1), 0, 6, 0);
	assert_int_equal(history_settled(h, ID(1)), HISTORY_OPEN);
	add_attempt(ID(1), 1, 7, 2);
	assert_int_equal(history_settled(h, ID(1)), HISTORY_SETTLED);
	commit();
}

static bool
prune(void)
{
	enum history_fault fault;
	bool more = history_prune(h, NOW, &fault);

	assert_int_equal(fault, HISTORY_FINE);
	return more;
}

static void
test_too_old_goes(void **state)
{
	struct history_found f;

	(void)state;
	history_begin(h);
	for (unsigned i = 0; i < 1200; i++)
		(void)add_message(ID(i) - ((31 * DAY) << 18), i);
	(void)add_message(ID(5000), 5000);
	commit();
	for (unsigned i = 0; i < 50 && prune(); i++)
		;
	assert_false(prune());
	assert_string_equal(ask("all@y.example", 0, 0, 9, &f), "m5000 r1");
	assert_string_equal(ask("r7@y.example", 0, 0, 9, &f), "");
}

static off_t
file_size(void)
{
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/history.db", directory);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

static void
test_too_much_goes_and_the_file_shrinks(void **state)
{
	struct history_found f;
	off_t before;

	(void)state;
	history_begin(h);
	for (unsigned i = 0; i < 20000; i++)
		(void)add_message(ID(i), i);
	commit();
	reopen();
	before = file_size();
	assert_true(before > 3 << 20);
	limits.size = 1 << 20;
	history_limit(h, &limits);
	for (unsigned i = 0; i < 2000 && prune(); i++)
		;
	reopen();
	assert_true(file_size() <= (1 << 20) + (256 << 10));
	/* The newest are there. */
	assert_string_equal(ask("r19999@y.example", 0, 0, 9, &f), "m19999 r0");
	assert_string_equal(ask("r0@y.example", 0, 0, 9, &f), "");
}

static void
test_a_full_disk_takes_the_transaction_back(void **state)
{
	struct rlimit small = { 100 * 1024, RLIM_INFINITY }, large;
	struct history_found f;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &large), 0);
	small.rlim_max = large.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	history_begin(h);
	for (unsigned i = 0; i < 20000; i++)
		(void)add_message(ID(i), i);
	place.sequence = 99;
	assert_int_equal(history_commit(h, &place), HISTORY_FULL);
	assert_true(strlen(history_why(h)) > 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &large), 0);
	assert_true(history_place(h).sequence == 0);
	history_begin(h);
	(void)add_message(ID(1), 1);
	commit();
	assert_string_equal(ask("all@y.example", 0, 0, 9, &f), "m1 r1");
}

static void
test_what_is_damaged_is_set_aside(void **state)
{
	enum history_fault fault = HISTORY_FINE;
	uint8_t text[300], name[200];
	struct buf why = BUF_OVER(text), as = BUF_OVER(name);
	char path[128];
	FILE *file;

	(void)state;
	history_close(h);
	h = NULL;
	(void)snprintf(path, sizeof path, "%s/history.db", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	for (unsigned i = 0; i < 4000; i++)
		(void)fputs("this is no database\n", file);
	(void)fclose(file);
	assert_null(history_open(directory, &limits, NOW, &fault, &why));
	assert_int_equal(fault, HISTORY_BROKEN);
	assert_true(history_set_aside(directory, NOW, &as));
	assert_int_equal(access((const char *)name, F_OK), 0);
	reopen();
	assert_true(history_place(h).sequence == 0);
}

/* Each may be as big as a history. */
static void
test_only_so_many_are_set_aside(void **state)
{
	uint8_t name[200];
	struct buf as;
	char path[128];

	(void)state;
	for (uint64_t i = 0; i < HISTORY_ASIDE_MOST + 2; i++) {
		history_close(h);
		h = NULL;
		as = (struct buf){ name, 0, sizeof name };
		assert_true(history_set_aside(directory, 1000 + i, &as));
		reopen();
	}
	for (uint64_t i = 0; i < HISTORY_ASIDE_MOST + 2; i++) {
		(void)snprintf(path, sizeof path, "%s/damaged-%llu.db", directory, (unsigned long long)(1000 + i));
		assert_int_equal(unlink(path), i < 2 ? -1 : 0);
	}
}

static void
tell_nobody(void *arg, const struct history_message *m, struct span path, const struct history_attempt *a, struct span words)
{
	(void)arg, (void)m, (void)path, (void)a, (void)words;
}

static void
test_damage_that_shows_later(void **state)
{
	char path[128], junk[8192];
	struct history_found f;
	FILE *file;

	(void)state;
	history_begin(h);
	for (unsigned i = 0; i < 3000; i++) {
		(void)add_message(ID(i), i);
		add_attempt(ID(i), 0, 5, 0);
	}
	commit();
	history_close(h);
	h = NULL;
	memset(junk, 0xa5, sizeof junk);
	(void)snprintf(path, sizeof path, "%s/history.db", directory);
	file = fopen(path, "r+");
	assert_non_null(file);
	/* All but the first page and the schema. */
	for (long at = 12 * 8192; at < 60 * 8192; at += 8192) {
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		assert_int_equal(fwrite(junk, sizeof junk, 1, file), 1);
	}
	(void)fclose(file);
	reopen();
	{
		struct told t = { .len = 0 };
		struct history_answer a = { tell_message, tell_recipient, tell_attempt, tell_event, tell_gap, &t };
		struct history_question q = { .what = SPAN_INIT("all@y.example"), .most = 5 };
		enum history_fault fault = HISTORY_FINE;

		for (unsigned i = 0; i < 3000 && fault == HISTORY_FINE; i++) {
			t.len = 0;
			q.id = ID(i);
			fault = history_find(h, &q, &a, &f);
		}
		assert_int_equal(fault, HISTORY_BROKEN);
	}
	/* What an event is about is not taken for forgotten: it is told later, if ever. */
	{
		unsigned facts[3] = { 0 };

		for (unsigned i = 0; i < 3000; i++)
			facts[history_hook_facts(h, &(struct history_hook){ .id = ID(i), .sequence = 5, .when = NOW, .event = 1 }, tell_nobody, NULL)]++;
		assert_true(facts[FACTS_TOLD] > 0 && facts[FACTS_UNREADABLE] > 0);
		assert_int_equal(facts[FACTS_FORGOTTEN], 0);
		assert_int_equal(history_hook_facts(h, &(struct history_hook){ .id = ID(4000), .sequence = 5 }, tell_nobody, NULL), FACTS_FORGOTTEN);
	}
}

static void
test_one_process_has_it(void **state)
{
	enum history_fault fault = HISTORY_FINE;
	uint8_t text[300];
	struct buf why = BUF_OVER(text);

	(void)state;
	history_begin(h);
	commit();
	/* The lock is a process's: asked from here it would be given. */
	if (fork() == 0)
		_exit(history_open(directory, &limits, NOW, &fault, &why) == NULL && fault == HISTORY_FULL ? 7 : 8);
	else {
		int status = 0;

		(void)wait(&status);
		assert_int_equal(WEXITSTATUS(status), 7);
	}
}

static void
test_hooks_wait_until_they_are_taken(void **state)
{
	struct history_hook due[8];

	(void)state;
	history_begin(h);
	(void)add_message(ID(1), 1);
	add_attempt(ID(1), 0, 5, 0);
	for (unsigned i = 0; i < 5; i++)
		history_add_hook(h, &(struct history_hook){ .id = ID(1), .sequence = 5, .when = NOW + i, .event = 1 });
	commit();
	reopen();
	assert_int_equal(history_due(h, NOW, due, 8), 5);
	assert_int_equal(history_due(h, NOW, due, 3), 3);
	history_begin(h);
	history_hook_done(h, due[0].row);
	history_hook_later(h, due[1].row, NOW + 1000);
	commit();
	assert_int_equal(history_due(h, NOW, due, 8), 3);
	assert_int_equal(history_due(h, NOW + 1000, due, 8), 4);
	assert_true(due[3].tries == 1 && due[0].tries == 0);
	history_begin(h);
	/* When NOW + 0 is gone already, + 1 is too old; of three that are left two may wait. */
	assert_int_equal(history_trim_hooks(h, NOW + 2, 100), 1);
	assert_int_equal(history_trim_hooks(h, 0, 2), 1);
	commit();
	assert_int_equal(history_due(h, NOW + 1000, due, 8), 2);
	assert_true(due[0].when == NOW + 3);
}

/* regress 0307 */
static void
test_hooks_planned_too_far_ahead(void **state)
{
	struct history_hook due[8];

	(void)state;
	history_begin(h);
	(void)add_message(ID(1), 1);
	for (unsigned i = 0; i < 2; i++)
		history_add_hook(h, &(struct history_hook){ .id = ID(1), .when = NOW + i, .event = 1 });
	commit();
	assert_int_equal(history_due(h, NOW, due, 8), 2);
	history_begin(h);
	history_hook_later(h, due[0].row, NOW + 365 * DAY);
	history_hook_later(h, due[1].row, NOW + 1000);
	history_bound_hooks(h, NOW + DAY);
	commit();
	assert_int_equal(history_due(h, NOW, due, 8), 1);
	assert_true(due[0].when == NOW && due[0].tries == 1);
	assert_int_equal(history_due(h, NOW + 1000, due, 8), 2);
}

static void
run_sql(const char *sql)
{
	char path[128];
	sqlite3 *db;

	(void)snprintf(path, sizeof path, "%s/history.db", directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* What an older version wrote is read, by itself or after it was brought up to date, and is gone on with. */
static void
test_a_file_of_version_1(void **state)
{
	struct history_found found;
	uint8_t text[300];
	struct buf why = BUF_OVER(text);

	(void)state;
	history_begin(h);
	assert_true(add_message(ID(1), 1));
	add_attempt(ID(1), 0, 7, 1);
	commit();
	assert_string_equal(ask("M1@x.example", 0, 0, 10, &found), "m1 r0 r1 a0 reply7");
	history_close(h);
	h = NULL;
	run_sql("ALTER TABLE attempt DROP COLUMN reply; PRAGMA user_version = 1");
	h = history_open_to_read(directory, &why);
	assert_non_null(h);
	assert_string_equal(ask("M1@x.example", 0, 0, 10, &found), "m1 r0 r1 a0");
	reopen();
	assert_string_equal(ask("M1@x.example", 0, 0, 10, &found), "m1 r0 r1 a0");
	history_begin(h);
	add_attempt(ID(1), 1, 8, 2);
	commit();
	reopen();
	assert_string_equal(ask("M1@x.example", 0, 0, 10, &found), "m1 r0 r1 a0 a1 reply7");
}

/* regress 0302: a file of a newer version is no damaged one, and is left as it is. */
static void
test_a_file_of_a_newer_version(void **state)
{
	uint8_t text[300];
	struct buf why = { text, 0, sizeof text - 1 };
	enum history_fault fault = HISTORY_FINE;

	(void)state;
	history_close(h);
	h = NULL;
	run_sql("PRAGMA user_version = 99");
	assert_null(history_open(directory, &limits, NOW, &fault, &why));
	assert_int_equal(fault, HISTORY_NEWER);
	assert_non_null(strstr((const char *)text, "newer version of Postern"));
	why.len = 0;
	assert_null(history_open_to_read(directory, &why));
	assert_non_null(strstr((const char *)text, "newer version of Postern"));
	run_sql("PRAGMA user_version = 2");
	reopen();
}

/* regress 0303: a clock that is a year ahead, for a minute or for good, does not forget what is younger than history-age at once. */
static void
test_a_clock_that_is_ahead(void **state)
{
	struct history_found f;
	enum history_fault fault;

	(void)state;
	history_begin(h);
	(void)add_message(ID(1), 1);
	commit();
	while (prune())
		;
	for (unsigned i = 0; i < 50 && history_prune(h, NOW + 365 * DAY, &fault); i++)
		;
	reopen();
	/* What was accepted meanwhile is from that year, and says nothing. */
	history_begin(h);
	(void)add_message(ID(2) + ((365 * DAY) << 18), 2);
	commit();
	for (unsigned i = 0; i < 50 && history_prune(h, NOW + 365 * DAY, &fault); i++)
		;
	reopen();
	for (unsigned i = 0; i < 50 && history_prune(h, NOW + 365 * DAY, &fault); i++)
		;
	assert_string_equal(ask("r1@y.example", 0, 0, 9, &f), "m1 r0");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_found_across_an_age),
		TEST(test_found_by_whatever_is_known), TEST(test_found_by_a_long_message_id), TEST(test_found_in_every_period),
		TEST(test_many_recipients_come_in_pieces), TEST(test_what_comes_again_is_there_once),
		TEST(test_rows_and_place_go_together), TEST(test_settled), TEST(test_too_old_goes),
		TEST(test_too_much_goes_and_the_file_shrinks), TEST(test_a_full_disk_takes_the_transaction_back),
		TEST(test_what_is_damaged_is_set_aside), TEST(test_only_so_many_are_set_aside), TEST(test_damage_that_shows_later),
		TEST(test_one_process_has_it),
		TEST(test_hooks_wait_until_they_are_taken), TEST(test_hooks_planned_too_far_ahead), TEST(test_a_file_of_version_1),
		TEST(test_a_file_of_a_newer_version), TEST(test_a_clock_that_is_ahead),
	};
#undef TEST

	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

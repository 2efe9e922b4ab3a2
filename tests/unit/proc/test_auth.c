/* 3_auth with a front of our own at the other end of its channel: order, time, verdicts, lock-out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "os/clock.h"
#include "os/log.h"
#include "proc/3_auth.h"
#include "sasl/client.h"
#include "sasl/users_edit.h"

enum { PAUSE_MS = 300 };        /* longer than a password's hash, so that the beat is what one sees */

/* The last frame that came back. */
struct seen {
	bool closed;
	unsigned frames, busy, refused;
	unsigned accused;               /* slot + 1 */
	unsigned idle;
	uint16_t type;
	uint32_t session;
	uint8_t body[10000];
	size_t len;
};

struct fixture {
	uv_loop_t loop;
	struct auth *auth;
	struct channel *front;
	struct seen seen;
	struct conf conf;
	char dir[64];
	char key[SENDER_KEY_ROOM], shop[SENDER_KEY_ROOM], old[SENDER_KEY_ROOM];
};

static struct auth_result
result(struct fixture *x)
{
	struct auth_result r;

	assert_false(x->seen.closed);
	assert_int_equal(x->seen.type, AUTH_RESULT);
	assert_true(fields_parse(auth_result_layout, (struct span){ x->seen.body, x->seen.len }, &r));
	return r;
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct fixture *x = arg;

	(void)c;
	x->seen.frames++;
	x->seen.type = f->type;
	x->seen.session = f->session;
	x->seen.len = f->body.len;
	assert_true(f->body.len <= sizeof x->seen.body);
	memcpy(x->seen.body, f->body.p, f->body.len);
	if (f->type == AUTH_RESULT) {
		x->seen.busy += result(x).fail == FAIL_AUTH_BACKEND;
		x->seen.refused += result(x).fail == FAIL_CREDENTIALS;
	}
}

static void
on_closed(void *arg, struct channel *c)
{
	struct fixture *x = arg;

	(void)c;
	x->seen.closed = true;
	x->front = NULL;
}

/* Run until one more frame has come or the channel has closed; how long it took. */
static uint64_t
wait_frame(struct fixture *x)
{
	unsigned before = x->seen.frames;
	uint64_t start = clock_run();

	while (x->seen.frames == before && !x->seen.closed && clock_run() - start < 10000)
		(void)uv_run(&x->loop, UV_RUN_ONCE);
	return clock_run() - start;
}

static void
spin(struct fixture *x, unsigned turns)
{
	while (turns-- > 0)
		(void)uv_run(&x->loop, UV_RUN_NOWAIT);
}

static struct buf why = { (uint8_t[300]){ 0 }, 0, 300 };

static void
people(struct fixture *x)
{
	static const char *const alice[] = { "alice@example.org", "@alice.example" }, *const bob[] = { "bob@example.org" };
	static const char *const from[] = { "shop@alice.example" };
	struct users_key_options limited = { from, 1, 0 }, expired = { NULL, 0, 1000 };
	const char *file = x->conf.users_file.p;

	assert_true(users_add_principal(file, &(struct users_new){ .name = "alice", .address = alice, .addresses = 2 }, &why));
	assert_true(users_set_password(file, "alice", SPAN("correct horse"), &why));
	assert_true(users_add_key(file, "alice", "laptop", NULL, x->key, &why));
	assert_true(users_add_key(file, "alice", "shop", &limited, x->shop, &why));
	assert_true(users_add_key(file, "alice", "old", &expired, x->old, &why));
	assert_true(users_add_principal(file, &(struct users_new){ .name = "bob", .address = bob, .addresses = 1 }, &why));
}

static void
on_broken(void *arg, uint32_t slot)
{
	struct fixture *x = arg;

	x->seen.accused = slot + 1;
}

static void
connect_front(struct fixture *x)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };
	int fd[2];

	assert_true(channel_pair(fd));
	auth_add_front(x->auth, 0, fd[0]);
	memset(&x->seen, 0, sizeof x->seen);
	x->front = channel_open(&x->loop, fd[1], &handler, x);
	assert_non_null(x->front);
}

static int
set_up(void **state)
{
	struct fixture *x = calloc(1, sizeof *x);
	struct log_conf quiet = { .fd = 2, .most = LOG_FAULT };

	log_open(&quiet, "auth");
	(void)snprintf(x->dir, sizeof x->dir, "/tmp/postern-auth-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	conf_defaults(&x->conf);
	(void)snprintf(x->conf.state_dir.p, sizeof x->conf.state_dir.p, "%s", x->dir);
	(void)snprintf(x->conf.users_file.p, sizeof x->conf.users_file.p, "%s/users", x->dir);
	(void)snprintf(x->conf.hostname.p, sizeof x->conf.hostname.p, "mail.example.org");
	x->conf.auth_login = true;
	people(x);
	assert_int_equal(uv_loop_init(&x->loop), 0);
	x->auth = auth_open(&x->loop, &x->conf);
	assert_non_null(x->auth);
	x->auth->pause_ms = PAUSE_MS;
	x->auth->broken = on_broken;
	x->auth->arg = x;
	connect_front(x);
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;
	static const char *const files[] = { "users", "users.lock", "auth/last-used", "auth/fake-salts", "auth/attempts", "auth/attempts.key", "auth/habits", "auth/habits.damaged",
		"auth", "passwd" };
	char path[128];

	channel_close(x->front);
	auth_close(x->auth);
	(void)uv_run(&x->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&x->loop), 0);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", x->dir, files[i]);
		(void)remove(path);
	}
	assert_int_equal(rmdir(x->dir), 0);
	free(x);
	return 0;
}

static void
start(struct fixture *x, uint32_t session, enum smtp_mechanism m, bool has, struct span initial)
{
	struct auth_start s = { m, has, initial, SPAN("192.0.2.7"), 0, SPAN(""), SPAN("client.example.org"), 0 };

	assert_true(channel_send(x->front, AUTH_START, session, auth_start_layout, &s));
}

static void
plain(struct fixture *x, uint32_t session, const char *login, const char *password)
{
	uint8_t said[700];
	struct buf b = BUF_OVER(said);

	assert_true(buf_put_byte(&b, 0) && buf_put_text(&b, login) && buf_put_byte(&b, 0) && buf_put_text(&b, password));
	start(x, session, SMTP_AUTH_PLAIN, true, buf_span(&b));
}

static void
proves(struct fixture *x, uint32_t session, const char *login, const char *password, const char *as)
{
	struct auth_result r;

	plain(x, session, login, password);
	(void)wait_frame(x);
	r = result(x);
	assert_int_equal(r.fail, OK);
	assert_int_equal(x->seen.session, session);
	if (!span_eq(r.login, span_of(as)))
		fail_msg("%s: login %.*s", login, (int)r.login.len, r.login.p);
}

static enum fail
fails(struct fixture *x, uint32_t session, const char *login, const char *password, uint64_t *took)
{
	plain(x, session, login, password);
	*took = wait_frame(x);
	return (enum fail)result(x).fail;
}

static struct auth_verdict
ask(struct fixture *x, uint32_t session, enum message type, const char *address)
{
	struct auth_verdict v;

	assert_true(channel_send_octets(x->front, (uint16_t)type, session, span_of(address)));
	(void)wait_frame(x);
	assert_int_equal(x->seen.type, AUTH_VERDICT);
	assert_true(fields_parse(auth_verdict_layout, (struct span){ x->seen.body, x->seen.len }, &v));
	return v;
}

/* ---- proofs ---- */

static void
every_name_of_a_login(void **state)
{
	struct fixture *x = *state;
	char typed[64];

	proves(x, 1, "alice", "correct horse", "alice");
	proves(x, 2, "Alice", "correct horse", "alice");
	proves(x, 3, "alice@example.org", "correct horse", "alice");
	proves(x, 4, "alice/laptop", x->key, "alice/laptop");
	proves(x, 5, "alice", x->key, "alice/laptop");
	proves(x, 6, "alice", x->shop, "alice/shop");
	proves(x, 7, "alice@example.org/laptop", x->key, "alice/laptop");
	/* As a person types it from paper. */
	for (size_t i = 0, n = 0; i <= SENDER_KEY_TEXT; i++)
		if (x->key[i] != '-')
			typed[n++] = (char)(x->key[i] >= 'a' && x->key[i] <= 'z' ? x->key[i] - 32 : x->key[i]);
	proves(x, 8, "alice", typed, "alice/laptop");
}

static void
recalled_keys_still_need_the_key(void **state)
{
	struct fixture *x = *state;
	uint64_t took;
	char wrong[SENDER_KEY_ROOM];

	proves(x, 1, "alice/laptop", x->key, "alice/laptop");
	proves(x, 2, "alice/laptop", x->key, "alice/laptop");
	memcpy(wrong, x->key, sizeof wrong);
	wrong[SENDER_KEY_TEXT - 1] = wrong[SENDER_KEY_TEXT - 1] == '0' ? '1' : '0';
	assert_int_equal(fails(x, 3, "alice/laptop", wrong, &took), FAIL_CREDENTIALS);
	assert_int_equal(fails(x, 4, "alice/laptop", "no key at all", &took), FAIL_CREDENTIALS);
	assert_int_equal(fails(x, 5, "alice/shop", x->key, &took), FAIL_CREDENTIALS);
	assert_int_equal(fails(x, 6, "bob", x->key, &took), FAIL_CREDENTIALS);
}

static void
scram(struct fixture *x, uint32_t session, const char *login, const char *password, bool good, const char *as)
{
	struct sasl_client_facts f = { span_of(login), span_of(password), SMTP_AUTH_SCRAM_SHA_256, true, 0, SPAN("") };
	uint8_t room[6144];
	struct buf out = BUF_OVER(room);
	enum smtp_mechanism m;
	bool has;
	struct sasl_client *c = sasl_client_begin(&f, &m, &out, &has, &why);

	assert_non_null(c);
	start(x, session, m, true, buf_span(&out));
	for (;;) {
		(void)wait_frame(x);
		if (x->seen.type != AUTH_CHALLENGE)
			break;
		out.len = 0;
		assert_true(sasl_client_step(c, (struct span){ x->seen.body, x->seen.len }, &out, &why));
		assert_true(channel_send_octets(x->front, AUTH_NEXT, session, buf_span(&out)));
	}
	assert_int_equal(result(x).fail == OK, good);
	assert_int_equal(sasl_client_proved(c), good);
	if (good)
		assert_true(span_eq(result(x).login, span_of(as)));
	sasl_client_end(c);
}

static void
scram_by_password_and_by_key(void **state)
{
	struct fixture *x = *state;
	char key[SENDER_KEY_ROOM];
	uint64_t took;

	scram(x, 1, "alice", "correct horse", true, "alice");
	scram(x, 2, "alice/laptop", x->key, true, "alice/laptop");
	scram(x, 3, "alice/laptop", x->shop, false, NULL);
	scram(x, 4, "nobody", "correct horse", false, NULL);
	/* What SCRAM proved is no short cut for PLAIN, which shows another secret. */
	assert_int_equal(fails(x, 5, "alice/laptop", "anything", &took), FAIL_CREDENTIALS);
	/* A name alone means the only key of who has no password. */
	assert_true(users_add_key(x->conf.users_file.p, "bob", "cron", NULL, key, &why));
	x->auth->accounts.looked = 0;
	scram(x, 6, "bob", key, true, "bob/cron");
}

/* What a stranger is shown before anything is proved: salt and count, as text. */
static void
shown_by_scram(struct fixture *x, uint32_t session, const char *login, char out[128])
{
	struct span all, rest;
	uint8_t first[400];
	struct buf b = BUF_OVER(first);

	assert_true(buf_put_text(&b, "n,,n=") && buf_put_text(&b, login) && buf_put_text(&b, ",r=abcdefghijklmnop"));
	start(x, session, SMTP_AUTH_SCRAM_SHA_256, true, buf_span(&b));
	(void)wait_frame(x);
	assert_int_equal(x->seen.type, AUTH_CHALLENGE);
	all = rest = (struct span){ x->seen.body, x->seen.len };
	span_skip(&rest, span_find(all, ',') + 1);
	span_text(rest, out, 128);
	assert_true(channel_send_octets(x->front, AUTH_END, session, SPAN("")));
}

/* Regress 0420, scram-7: spellings that are one login when there is such a principal are one when there is none. */
static void
a_salt_does_not_tell_who_is_there(void **state)
{
	struct fixture *x = *state;
	static const char *const names[] = { "alice", "nobody" };
	static const char *const domains[] = { "example.org", "elsewhere.example" };
	static const char *const spelled[][2] = { { "alice", "ALICE" }, { "nobody", "NoBody" }, { "alice/laptop", "Alice/LapTop" },
		{ "nobody/laptop", "nobody/LAPTOP" }, { "alice/none", "ALICE/NONE" }, { "alice/laptop", "alice@example.org/laptop" },
		{ "nobody/laptop", "nobody@example.org/laptop" }, { "zoe@example.org", "ZOE@EXAMPLE.ORG" },
		{ "a.smith@example.org", "a.smith" }, { "a.smith@elsewhere.example", "A.Smith@example.org" },
		{ "smith@example.org", "smith" }, { "no.body@elsewhere.example", "no.body@example.org" } };
	static const char *const smith[] = { "a.smith@example.org" };
	char one[128], other[128], login[64];
	uint32_t session = 1;

	assert_true(users_add_principal(x->conf.users_file.p, &(struct users_new){ .name = "smith", .address = smith, .addresses = 1 }, &why));
	assert_true(users_set_password(x->conf.users_file.p, "smith", SPAN("correct horse"), &why));
	x->auth->accounts.looked = 0;
	for (size_t i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
		shown_by_scram(x, session++, spelled[i][0], one);
		shown_by_scram(x, session++, spelled[i][1], other);
		if (strcmp(one, other) != 0)
			fail_msg("%s: %s, but %s: %s", spelled[i][0], one, spelled[i][1], other);
	}
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 2; j++) {
			(void)snprintf(login, sizeof login, "%s@%s", names[i], domains[j]);
			shown_by_scram(x, session++, names[i], one);
			shown_by_scram(x, session++, login, other);
			if (strcmp(one, other) != 0)
				fail_msg("%s: %s, but %s: %s", names[i], one, login, other);
		}
	shown_by_scram(x, session++, "nobody", one);
	shown_by_scram(x, session++, "noone", other);
	assert_string_not_equal(one, other);
	/* What is shown for a login that nobody has proves nothing, whatever it was taken from. */
	scram(x, session++, "alice@elsewhere.example", "correct horse", false, NULL);
	scram(x, session++, "ALICE@example.org", "correct horse", true, "alice");
}

/* Regress 0421: what has the form of a key is looked at as a password where there is one; that takes as long as it takes. */
static void
a_key_at_an_unknown_login_costs_what_it_may_cost(void **state)
{
	struct fixture *x = *state;
	const struct accounts *a = &x->auth->accounts;
	struct span key = SPAN("0000-0000-0000-0000-0000-0000-0000");
	unsigned expensive = 0, again = 0;
	struct candidate c;
	char login[32];

	accounts_for_password(a, SPAN("alice"), key, &c);
	assert_int_equal(c.check, CHECK_PASSWORD);
	accounts_for_password(a, SPAN("bob"), key, &c);
	assert_int_equal(c.check, CHECK_KEY);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(login, sizeof login, "nobody%u", i);
		accounts_for_password(a, span_of(login), key, &c);
		expensive += c.check == CHECK_PASSWORD;
		login[0] = 'N';
		accounts_for_password(a, span_of(login), key, &c);
		again += c.check == CHECK_PASSWORD;
		accounts_for_password(a, span_of(login), SPAN("no key at all"), &c);
		assert_int_equal(c.check, CHECK_PASSWORD);
	}
	assert_in_range(expensive, 20, 80);
	assert_int_equal(again, expensive);
	accounts_for_password(a, SPAN("nobody0/laptop"), key, &c);
	assert_int_equal(c.check, CHECK_KEY);
}

static void
imported_hashes(void **state)
{
	struct fixture *x = *state;
	FILE *f;

	(void)snprintf(x->conf.passwd_file.p, sizeof x->conf.passwd_file.p, "%s/passwd", x->dir);
	f = fopen(x->conf.passwd_file.p, "w");
	assert_non_null(f);
	/* crypt(3)'s own example: "Hello world!" */
	fputs("carol:{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
	    ":1000:1000::/home/carol\n", f);
	assert_int_equal(fclose(f), 0);
	auth_configure(x->auth, &x->conf);
	proves(x, 1, "carol", "Hello world!", "carol");
	assert_int_equal(ask(x, 1, AUTH_SENDER, "carol@mail.example.org").fail, OK);
	assert_int_equal(ask(x, 1, AUTH_SENDER, "carol@example.org").fail, OK);
	assert_int_equal(ask(x, 1, AUTH_SENDER, "alice@example.org").fail, FAIL_SENDER_DENIED);
	scram(x, 2, "carol", "Hello world!", false, NULL);
}

/* ---- time ---- */

/* A busy machine may miss the first beat, but an answer between two of them would tell how long the hash took. */
static bool
on_the_beat(uint64_t took, uint64_t beat)
{
	return took + 2 >= beat && (took + 2) % beat < beat / 2;
}

static void
unknown_and_wrong_take_the_same_time(void **state)
{
	struct fixture *x = *state;
	static const char *const logins[] = { "alice", "nobody", "alice/laptop", "alice/nothing", "bob", "nobody@example.org" };
	uint64_t took;

	/* 6409-19, scram-7: reply and time are the same whatever is wrong. */
	for (uint32_t i = 0; i < sizeof logins / sizeof logins[0]; i++) {
		assert_int_equal(fails(x, i + 1, logins[i], "wrong", &took), FAIL_CREDENTIALS);
		if (!on_the_beat(took, PAUSE_MS))
			fail_msg("%s: %u ms", logins[i], (unsigned)took);
		assert_int_equal(result(x).login.len, 0);
	}
}

static void
failures_slow_down_and_lock_out(void **state)
{
	struct fixture *x = *state;
	uint64_t took;

	/* 4954-34: three may be tried; each one later than the one before. */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fails(x, 9, "alice", "wrong", &took), FAIL_CREDENTIALS);
		if (!on_the_beat(took, (uint64_t)PAUSE_MS << i))
			fail_msg("failure %u: %u ms", i, (unsigned)took);
	}
	/* Then not even the right one. */
	assert_int_equal(fails(x, 9, "alice", "correct horse", &took), FAIL_CREDENTIALS);
	/* Another session is another matter, and a success is said at once. */
	plain(x, 10, "alice", x->key);
	assert_true(wait_frame(x) < PAUSE_MS / 2);
	assert_int_equal(result(x).fail, OK);
}

static void
too_many_passwords_wait(void **state)
{
	struct fixture *x = *state;
	uint64_t begun = clock_run();
	enum { LOGINS = AUTH_EXPENSIVE_WAITING_MAX + 10 };

	for (uint32_t i = 0; i < LOGINS; i++)
		plain(x, 100 + i, "alice", "wrong");
	while (x->seen.frames < LOGINS && clock_run() - begun < 100000)
		(void)uv_run(&x->loop, UV_RUN_ONCE);
	assert_int_equal(x->seen.busy + x->seen.refused, LOGINS);
	assert_true(x->seen.busy > 0 && x->seen.refused >= AUTH_EXPENSIVE_WAITING_MAX);
}

/* ---- guessing (policy/guess.h) ---- */

/* One guess of a session of its own, peer at 198.51.100.N. */
static enum fail
guess_from(struct fixture *x, unsigned n, uint32_t session, const char *login, const char *password, uint32_t flags)
{
	char peer[24];
	uint8_t said[200];
	struct buf b = BUF_OVER(said);
	struct auth_start s = { .mechanism = SMTP_AUTH_PLAIN, .has_initial = 1, .helo = SPAN("client.example.org"), .flags = flags };

	(void)snprintf(peer, sizeof peer, "198.51.100.%u", n);
	assert_true(buf_put_byte(&b, 0) && buf_put_text(&b, login) && buf_put_byte(&b, 0) && buf_put_text(&b, password));
	s.peer = span_of(peer);
	s.initial = buf_span(&b);
	assert_true(channel_send(x->front, AUTH_START, session, auth_start_layout, &s));
	(void)wait_frame(x);
	return (enum fail)result(x).fail;
}

static unsigned
guesses_from(struct fixture *x, unsigned n, const char *login, unsigned count, uint32_t flags)
{
	unsigned looked = 0;

	x->auth->pause_ms = 1;
	for (uint32_t i = 0; i < count; i++) {
		char word[32];
		enum fail f;

		(void)snprintf(word, sizeof word, "guess %u", i);
		f = guess_from(x, n, 1000 * n + i, login, word, flags);
		assert_true(f == FAIL_CREDENTIALS || f == FAIL_GUESSING);
		looked += f == FAIL_CREDENTIALS;
	}
	return looked;
}

static void
ten_guesses_and_no_more(void **state)
{
	struct fixture *x = *state;

	/* At home before anybody guesses; with a key whose hash is remembered. */
	assert_int_equal(guess_from(x, 1, 1, "alice", "correct horse", 0), OK);
	assert_int_equal(guess_from(x, 2, 2, "alice", x->key, 0), OK);
	assert_int_equal(guesses_from(x, 7, "alice", 14, 0), 10);
	assert_int_equal(guesses_from(x, 8, "nobody", 14, 0), 10);
	assert_int_equal(guess_from(x, 7, 3, "Alice@example.org", "correct horse", 0), FAIL_GUESSING);
	assert_int_equal(guess_from(x, 7, 4, "alice/laptop", x->shop, 0), FAIL_GUESSING);
	/* A key that was found right once is no guess. */
	assert_int_equal(guess_from(x, 7, 5, "alice/laptop", x->key, 0), OK);
	assert_int_equal(guess_from(x, 1, 6, "alice", "correct horse", 0), OK);
	assert_int_equal(guess_from(x, 9, 7, "alice", "correct horse", 0), OK);
}

/* Regress 0564: who has a sender key may send, and that ends when it is revoked; it is no leave to guess at the password. */
static void
a_key_opens_no_way_to_the_password(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(guess_from(x, 5, 1, "alice/laptop", x->key, 0), OK);
	assert_int_equal(guesses_from(x, 5, "alice", 14, 0), 10);
	recall_clear(&x->auth->accounts.recall);
	/* It works on where it has worked, and so does its owner's password elsewhere. */
	assert_int_equal(guess_from(x, 5, 2, "alice", x->key, 0), OK);
	assert_int_equal(guess_from(x, 5, 3, "alice/shop", x->shop, 0), FAIL_GUESSING);
	assert_int_equal(guess_from(x, 6, 4, "alice", "correct horse", 0), OK);
	assert_int_equal(guesses_from(x, 6, "alice", 14, 0), 14);
}

/* Regress 0562, scram-7: spellings that share a budget when nobody has the login share it when somebody has. */
static void
budgets_do_not_tell_who_is_there(void **state)
{
	struct fixture *x = *state;
	static const char *const smith[] = { "a.smith@example.org" }, *const zoe[] = { "zoe@example.org" };
	static const char *const spelled[][2] = { { "nobody@example.org", "nobody" }, { "a.smith@example.org", "a.smith" },
		{ "zoe@example.org", "zoe" }, { "ZOE@elsewhere.example/none", "zoe@example.org" } };

	assert_true(users_add_principal(x->conf.users_file.p, &(struct users_new){ .name = "smith", .address = smith, .addresses = 1 }, &why));
	assert_true(users_set_password(x->conf.users_file.p, "smith", SPAN("correct horse"), &why));
	assert_true(users_add_principal(x->conf.users_file.p, &(struct users_new){ .name = "zoe@example.org", .address = zoe, .addresses = 1 }, &why));
	x->auth->accounts.looked = 0;
	for (unsigned i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
		assert_int_equal(guesses_from(x, 10 + i, spelled[i][0], 14, 0), 10);
		if (guess_from(x, 10 + i, 1 + i, spelled[i][1], "another", 0) != FAIL_GUESSING)
			fail_msg("%s has a budget of its own beside %s", spelled[i][1], spelled[i][0]);
	}
	assert_int_equal(guess_from(x, 10, 9, "alice", "correct horse", 0), OK);
}

static void
a_proxy_is_never_punished(void **state)
{
	struct fixture *x = *state;
	struct auth_start s = { .mechanism = SMTP_AUTH_PLAIN, .flags = 2 };

	assert_int_equal(guesses_from(x, 7, "nobody/key", 40, AUTH_PEER_IS_PROXY), 40);
	assert_int_equal(guess_from(x, 7, 1, "alice", "correct horse", AUTH_PEER_IS_PROXY), OK);
	/* Other flags are not known. */
	assert_true(channel_send(x->front, AUTH_START, 2, auth_start_layout, &s));
	(void)wait_frame(x);
	assert_true(x->seen.closed);
	connect_front(x);
}

static void
scram_is_counted_too(void **state)
{
	struct fixture *x = *state;
	unsigned refused = 0;

	x->auth->pause_ms = 1;
	for (uint32_t i = 0; i < 14; i++) {
		scram(x, 100 + i, "alice", "wrong", false, NULL);
		refused += result(x).fail == FAIL_GUESSING;
	}
	assert_int_equal(refused, 4);
	assert_int_equal(guess_from(x, 1, 1, "alice", "correct horse", 0), OK);
}

/* ---- regress 0580: who has shown that he knows a secret leaves a line in the log, however he goes on ---- */

/* The client's half of SCRAM up to our last challenge: from there on he knows that his secret is right. */
static void
scram_until_told(struct fixture *x, uint32_t session, const char *login, const char *password)
{
	struct sasl_client_facts f = { span_of(login), span_of(password), SMTP_AUTH_SCRAM_SHA_256, true, 0, SPAN("") };
	uint8_t room[6144];
	struct buf out = BUF_OVER(room);
	enum smtp_mechanism m;
	bool has;
	struct sasl_client *c = sasl_client_begin(&f, &m, &out, &has, &why);

	assert_non_null(c);
	start(x, session, m, true, buf_span(&out));
	for (unsigned i = 0; i < 2; i++) {
		(void)wait_frame(x);
		assert_int_equal(x->seen.type, AUTH_CHALLENGE);
		out.len = 0;
		assert_true(sasl_client_step(c, (struct span){ x->seen.body, x->seen.len }, &out, &why));
		if (i == 0)
			assert_true(channel_send_octets(x->front, AUTH_NEXT, session, buf_span(&out)));
	}
	assert_true(sasl_client_proved(c));
	sasl_client_end(c);
}

/* What the log has come to say; it is empty again. */
static void
read_log(int fd, char text[2048])
{
	ssize_t n = pread(fd, text, 2047, 0);

	text[n > 0 ? n : 0] = 0;
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
}

static void
assert_left(struct fixture *x, int fd, const char *login)
{
	char text[2048], wanted[64];

	spin(x, 30);
	read_log(fd, text);
	(void)snprintf(wanted, sizeof wanted, "login=%s ", login);
	if (strstr(text, "result=left") == NULL || strstr(text, wanted) == NULL || strstr(text, "peer=192.0.2.7") == NULL)
		fail_msg("no line of who was told that the secret is right: \"%s\"", text);
}

static void
a_right_proof_leaves_a_line(void **state)
{
	struct fixture *x = *state;
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct log_conf said = { .fd = fd, .most = LOG_NOTE };
	char text[2048];

	assert_true(fd != -1);
	log_open(&said, "auth");
	/* Cancelled by the client, hung up, answered with what is no answer. */
	scram_until_told(x, 1, "alice", "correct horse");
	assert_true(channel_send_octets(x->front, AUTH_CANCEL, 1, SPAN("")));
	assert_left(x, fd, "alice");
	scram_until_told(x, 2, "alice/laptop", x->key);
	assert_true(channel_send_octets(x->front, AUTH_END, 2, SPAN("")));
	assert_left(x, fd, "alice/laptop");
	scram_until_told(x, 3, "alice", "correct horse");
	assert_true(channel_send_octets(x->front, AUTH_NEXT, 3, SPAN("more")));
	(void)wait_frame(x);
	assert_left(x, fd, "alice");
	/* Who ends it as he should is said once, as ever, and nobody else is said. */
	scram(x, 4, "alice", "correct horse", true, "alice");
	assert_true(channel_send_octets(x->front, AUTH_END, 4, SPAN("")));
	start(x, 5, SMTP_AUTH_SCRAM_SHA_256, true, SPAN("n,,n=alice,r=abcdefghijklmnop"));
	(void)wait_frame(x);
	assert_true(channel_send_octets(x->front, AUTH_CANCEL, 5, SPAN("")));
	spin(x, 30);
	read_log(fd, text);
	assert_non_null(strstr(text, "result=ok"));
	assert_null(strstr(text, "result=left"));
	assert_int_equal(close(fd), 0);
}

static void
on_alarm(void *arg, const struct child_alarm *alarm)
{
	unsigned *sprays = arg;

	assert_true(span_eq(alarm->event, SPAN("spray")) && alarm->login.len == 0);
	assert_true(alarm->words.len > 0 && alarm->words.len <= 400);
	++*sprays;
}

static void
a_spray_is_an_alarm(void **state)
{
	struct fixture *x = *state;
	unsigned sprays = 0, looked = 0;

	x->auth->pause_ms = 1;
	x->auth->alarm = on_alarm;
	x->auth->arg = &sprays;
	for (uint32_t i = 0; i < 15; i++) {
		char login[16];

		(void)snprintf(login, sizeof login, "user%u", i);
		looked += guess_from(x, 7, 100 + i, login, "Summer2026!", 0) == FAIL_CREDENTIALS;
	}
	assert_int_equal(sprays, 1);
	assert_true(looked < 10);
}

/* 0134: 0_master's alarms are counted by the hour, and those of stolen logins share them. */
static void
sprays_do_not_use_up_the_alarms(void **state)
{
	struct fixture *x = *state;
	unsigned sprays = 0;

	x->auth->pause_ms = 1;
	x->auth->alarm = on_alarm;
	x->auth->arg = &sprays;
	for (uint32_t i = 0; i < 30; i++) {
		char login[16], secret[16];

		(void)snprintf(login, sizeof login, "user%u", i);
		(void)snprintf(secret, sizeof secret, "Summer%u!", i / 5);
		(void)guess_from(x, 10 + i, 100 + i, login, secret, 0);
	}
	assert_int_equal(sprays, 1);
}

/* ---- order ---- */

static void
expect_end(struct fixture *x)
{
	(void)wait_frame(x);
	assert_true(x->seen.closed);
	assert_int_equal(x->seen.accused, 1);
	assert_null(x->auth->fronts->channel);
	connect_front(x);
}

static void
broken_fronts_are_ended(void **state)
{
	struct fixture *x = *state;
	static const enum message first[] = { AUTH_NEXT, AUTH_CANCEL, AUTH_SENDER, AUTH_AUTHOR, SPOOL_MAIL, AUTH_RESULT, MASTER_GO };
	uint8_t big[400] = { 'x' };

	for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
		assert_true(channel_send_octets(x->front, (uint16_t)first[i], 1, SPAN("")));
		expect_end(x);
	}
	/* START twice, while the first one waits. */
	plain(x, 1, "alice", "wrong");
	plain(x, 1, "alice", "wrong");
	expect_end(x);
	/* NEXT while we owe the answer. */
	plain(x, 1, "alice", "wrong");
	assert_true(channel_send_octets(x->front, AUTH_NEXT, 1, SPAN("x")));
	expect_end(x);
	/* SENDER while proving. */
	start(x, 1, SMTP_AUTH_PLAIN, false, SPAN(""));
	(void)wait_frame(x);
	assert_int_equal(x->seen.type, AUTH_CHALLENGE);
	assert_true(channel_send_octets(x->front, AUTH_SENDER, 1, SPAN("alice@example.org")));
	expect_end(x);
	/* START again once proved. */
	proves(x, 1, "alice", x->key, "alice/laptop");
	plain(x, 1, "alice", x->key);
	expect_end(x);
	/* Too long, malformed, unknown mechanism. */
	proves(x, 1, "alice", x->key, "alice/laptop");
	assert_true(channel_send_octets(x->front, AUTH_SENDER, 1, (struct span){ big, sizeof big }));
	expect_end(x);
	assert_true(channel_send_octets(x->front, AUTH_START, 1, SPAN("garbage")));
	expect_end(x);
	start(x, 1, (enum smtp_mechanism)3, false, SPAN(""));
	expect_end(x);
}

static void
more_sessions_than_allowed(void **state)
{
	struct fixture *x = *state;

	x->auth->sessions_max = 2;
	proves(x, 1, "alice", x->key, "alice/laptop");
	proves(x, 2, "alice", x->key, "alice/laptop");
	assert_true(channel_send_octets(x->front, AUTH_END, 1, SPAN("")));
	proves(x, 3, "alice", x->key, "alice/laptop");
	plain(x, 4, "alice", x->key);
	(void)wait_frame(x);
	assert_int_equal(x->seen.type, AUTH_RESULT);
	assert_int_equal(result(x).fail, FAIL_AUTH_BACKEND);
	/* Those that it has go on, and there is room again when one has ended. */
	assert_true(channel_send_octets(x->front, AUTH_END, 4, SPAN("")));
	assert_true(channel_send_octets(x->front, AUTH_END, 2, SPAN("")));
	proves(x, 4, "alice", x->key, "alice/laptop");
}

enum { TOGETHER = 3000, DEPTH_MOST = 32 };

/* As place_of() once was: whoever knows it puts every session into one bucket. */
static bool
falls_together(uint32_t id)
{
	uint32_t h = (id ^ id >> 16) * UINT32_C(2654435761);

	return ((h ^ h >> 16) & 0x1fff) == 7;
}

static size_t
longest_bucket(const struct front *f)
{
	size_t longest = 0;

	for (size_t i = 0; i < f->buckets; i++) {
		size_t n = 0;

		for (const struct session *s = f->bucket[i]; s != NULL; s = s->next)
			n++;
		longest = n > longest ? n : longest;
	}
	return longest;
}

/* tests/regress/0381: a front that was taken over numbers its sessions so that each is looked for among all. */
static void
numbers_that_fall_together(void **state)
{
	struct fixture *x = *state;
	unsigned sent = 0;

	for (uint32_t id = 1; sent < TOGETHER; id++) {
		if (!falls_together(id))
			continue;
		start(x, id, SMTP_AUTH_LOGIN, false, SPAN(""));
		if (++sent % 100 == 0)
			spin(x, 4);
	}
	while (x->seen.frames < TOGETHER && !x->seen.closed)
		(void)wait_frame(x);
	assert_int_equal(x->auth->fronts->count, TOGETHER);
	assert_in_range(longest_bucket(x->auth->fronts), 1, DEPTH_MOST);
}

static void
cancel_and_end(void **state)
{
	struct fixture *x = *state;

	start(x, 1, SMTP_AUTH_LOGIN, false, SPAN(""));
	(void)wait_frame(x);
	assert_true(span_eq((struct span){ x->seen.body, x->seen.len }, SPAN("Username:")));
	assert_true(channel_send_octets(x->front, AUTH_CANCEL, 1, SPAN("")));
	proves(x, 1, "alice", x->key, "alice/laptop");
	/* The end comes while a worker is hashing: nothing is said any more. */
	plain(x, 2, "alice", "correct horse");
	spin(x, 3);
	assert_true(channel_send_octets(x->front, AUTH_END, 2, SPAN("")));
	assert_true(channel_send_octets(x->front, AUTH_END, 77, SPAN("")));
	proves(x, 3, "alice", "correct horse", "alice");
	assert_null(front_find(x->auth->fronts, 2));
	assert_int_equal(x->auth->fronts->count, 2);
}

/* ---- who may send as whom ---- */

static void
addresses_of_a_principal(void **state)
{
	struct fixture *x = *state;
	struct auth_verdict v;

	proves(x, 1, "alice/laptop", x->key, "alice/laptop");
	assert_int_equal(ask(x, 1, AUTH_SENDER, "alice@example.org").fail, OK);
	assert_int_equal(ask(x, 1, AUTH_SENDER, "alice+tag@EXAMPLE.org").fail, OK);
	assert_int_equal(ask(x, 1, AUTH_SENDER, "anything@alice.example").fail, OK);
	assert_int_equal(ask(x, 1, AUTH_SENDER, "").fail, OK);          /* 6409-4 */
	v = ask(x, 1, AUTH_SENDER, "bob@example.org");
	assert_int_equal(v.fail, FAIL_SENDER_DENIED);
	assert_true(v.words.len > 0);
	assert_int_equal(ask(x, 1, AUTH_AUTHOR, "bob@example.org").fail, FAIL_AUTHOR_DENIED);
	assert_int_equal(ask(x, 1, AUTH_AUTHOR, "alice@example.org").fail, OK);
	/* A key's own list is narrower. */
	proves(x, 2, "alice", x->shop, "alice/shop");
	assert_int_equal(ask(x, 2, AUTH_SENDER, "shop@alice.example").fail, OK);
	assert_int_equal(ask(x, 2, AUTH_SENDER, "alice@example.org").fail, FAIL_SENDER_DENIED);
}

static void
expired_and_revoked(void **state)
{
	struct fixture *x = *state;
	struct auth_verdict v;
	uint64_t took;

	/* 5248-1: only after correct credentials is more said. */
	assert_int_equal(fails(x, 1, "alice", x->old, &took), FAIL_DISABLED);
	assert_int_equal(fails(x, 1, "alice/old", "wrong", &took), FAIL_CREDENTIALS);
	proves(x, 2, "alice", x->key, "alice/laptop");
	proves(x, 3, "alice", "correct horse", "alice");
	assert_true(users_revoke(x->conf.users_file.p, "alice", "laptop", &why));
	x->auth->accounts.looked = 0;
	v = ask(x, 2, AUTH_SENDER, "alice@example.org");
	assert_int_equal(v.fail, FAIL_SENDER_DENIED);
	assert_true(span_eq(v.words, SPAN("the login alice/laptop is revoked")));
	assert_int_equal(ask(x, 3, AUTH_SENDER, "alice@example.org").fail, OK);
	assert_int_equal(fails(x, 4, "alice/laptop", x->key, &took), FAIL_DISABLED);
	assert_true(users_revoke(x->conf.users_file.p, "alice", NULL, &why));
	x->auth->accounts.looked = 0;
	assert_int_equal(ask(x, 3, AUTH_SENDER, "alice@example.org").fail, FAIL_SENDER_DENIED);
	assert_int_equal(ask(x, 3, AUTH_AUTHOR, "alice@example.org").fail, FAIL_AUTHOR_DENIED);
}

static void
uses_are_noted(void **state)
{
	struct fixture *x = *state;
	struct used *used;
	const struct used_entry *e;

	proves(x, 1, "alice", x->key, "alice/laptop");
	auth_save(x->auth);
	used = used_load(x->auth->accounts.used_file);
	e = used_find(used, SPAN("alice/laptop"));
	assert_non_null(e);
	assert_true(e->when + 10 > (uint64_t)time(NULL));
	assert_string_equal(e->peer, "192.0.2.7");
	assert_null(used_find(used, SPAN("alice")));
	used_free(used);
}

/* Regress 0424: STATE/auth/last-used has a line for each login, and a front that was taken over chooses what it says of its peer. */
static void
a_peer_is_one_word(void **state)
{
	static const char *const peers[] = { "192.0.2.7\nbob 4000000000 192.0.2.9", "192.0.2.7 x", "192.0.2.7\r", "\x1b[2J", "192.0.2.7\x7f", "192.0.2.7\xc3\xa4" };
	struct fixture *x = *state;
	struct span initial = SPAN("");

	for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
		struct auth_start s = { SMTP_AUTH_PLAIN, false, initial, span_of(peers[i]), 0, SPAN(""), SPAN("client.example.org"), 0 };

		assert_true(channel_send(x->front, AUTH_START, 1, auth_start_layout, &s));
		spin(x, 20);
		if (!x->seen.closed || x->seen.accused != 1)
			fail_msg("peer %zu was believed", i);
		channel_close(x->front);
		connect_front(x);
	}
	proves(x, 1, "alice", x->key, "alice/laptop");
}

/* ---- stolen passwords: docs/guard.md ---- */

static struct {
	unsigned alarms, holds, notices;
	const char *login;
	char event[32], words[256], rcpt[64], text[2048];
} told;

static void
put_octets(char *out, size_t room, struct span s)
{
	assert_true(s.len < room);
	memcpy(out, s.p, s.len);
	out[s.len] = 0;
}

static void
on_step(void *arg, const struct child_alarm *alarm)
{
	(void)arg;
	told.alarms++;
	assert_true(span_eq(alarm->login, span_of(told.login)));
	put_octets(told.event, sizeof told.event, alarm->event);
	put_octets(told.words, sizeof told.words, alarm->words);
}

static void
on_guard(void *arg, struct channel *c, const struct frame *f)
{
	struct guard_hold hold;
	struct guard_notice notice;

	(void)arg;
	(void)c;
	if (f->type == GUARD_HOLD) {
		told.holds++;
		assert_true(fields_parse(guard_hold_layout, f->body, &hold) && span_eq(hold.login, span_of(told.login)));
		return;
	}
	assert_int_equal(f->type, GUARD_NOTICE);
	assert_true(fields_parse(guard_notice_layout, f->body, &notice));
	/* 4_spool would take anything else for nonsense. */
	assert_true(utf8_valid(notice.text) && utf8_valid(notice.subject));
	told.notices++;
	put_octets(told.rcpt, sizeof told.rcpt, notice.rcpt);
	put_octets(told.text, sizeof told.text, notice.text);
}

static struct channel *
connect_spool(struct fixture *x)
{
	static const struct channel_handler handler = { .message = on_guard };
	int fd[2];

	assert_true(channel_pair(fd));
	auth_add_spool(x->auth, fd[0]);
	return channel_open(&x->loop, fd[1], &handler, NULL);
}

static struct auth_spent
spend(struct fixture *x, uint32_t session, uint32_t rcpts)
{
	struct auth_spent m;

	assert_true(channel_send(x->front, AUTH_SPEND, session, auth_spend_layout, &(struct auth_spend){ rcpts, 0 }));
	(void)wait_frame(x);
	assert_int_equal(x->seen.type, AUTH_SPENT);
	assert_true(fields_parse(auth_spent_layout, (struct span){ x->seen.body, x->seen.len }, &m));
	return m;
}

static void
watch(struct fixture *x)
{
	const struct users_settings s = { .recovery = "owner@example.net" };

	memset(&told, 0, sizeof told);
	told.login = "alice/laptop";
	assert_true(users_set(x->conf.users_file.p, "alice", NULL, &s, &why));
	x->auth->accounts.looked = 0;
	x->auth->alarm = on_step;
	proves(x, 1, "alice/laptop", x->key, "alice/laptop");
}

static void
a_stolen_key_is_slowed_held_and_locked(void **state)
{
	struct fixture *x = *state;
	struct channel *spool = connect_spool(x);
	uint64_t took;

	watch(x);
	assert_int_equal(spend(x, 1, 85).fail, OK);
	took = clock_run();
	assert_int_equal(spend(x, 1, 5).fail, OK);
	assert_in_range(clock_run() - took, HABIT_DELAY_MS - 100, HABIT_DELAY_MS + 3000);
	assert_string_equal(told.event, "slowed");
	assert_int_equal(spend(x, 1, 20).hold, 1);
	assert_string_equal(told.event, "held");
	assert_non_null(strstr(told.words, "110 recipients in 1 minute from a network that it is not used to (192.0.2.0/24)"));
	spin(x, 20);
	assert_int_equal(told.holds, 1);
	assert_int_equal(told.notices, 2);
	assert_string_equal(told.rcpt, "owner@example.net");
	assert_non_null(strstr(told.text, "110 recipients"));
	for (const char *line = told.text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		assert_true(end - line <= 78);
	assert_int_equal(spend(x, 1, 200).fail, FAIL_LOCKED);
	assert_int_equal(told.alarms, 3);
	assert_int_equal(ask(x, 1, AUTH_SENDER, "alice@example.org").fail, FAIL_LOCKED);
	assert_int_equal(fails(x, 2, "alice/laptop", x->key, &took), FAIL_DISABLED);
	/* Another key of hers, and her password, are not what was stolen. */
	proves(x, 3, "alice", "correct horse", "alice");
	channel_close(spool);
	(void)uv_run(&x->loop, UV_RUN_NOWAIT);
}

/* tests/regress/0271: as long as a name may be, with letters of two octets at odd places, and at even ones. */
static void
a_long_name_is_cut_between_letters(void **state)
{
	static const struct users_settings s = { .recovery = "owner@example.net" };
	static const char *const address[] = { "zoe@example.org" };
	struct fixture *x = *state;
	struct channel *spool = connect_spool(x);
	char name[USERS_NAME_MAX + 1], login[USERS_NAME_MAX + 10], key[SENDER_KEY_ROOM];

	memset(&told, 0, sizeof told);
	told.login = login;
	x->auth->alarm = on_step;
	for (unsigned i = 0; i < 2; i++) {
		name[0] = i == 0 ? 'z' : 'y';
		name[1] = 'o';
		for (size_t at = 1 + i; at < USERS_NAME_MAX - 2; at += 2)
			memcpy(name + at, "\u00e9", 3);
		(void)snprintf(login, sizeof login, "%s/laptop", name);
		assert_true(users_add_principal(x->conf.users_file.p, &(struct users_new){ .name = name, .address = address, .addresses = 1 }, &why));
		assert_true(users_add_key(x->conf.users_file.p, name, "laptop", NULL, key, &why));
		assert_true(users_set(x->conf.users_file.p, name, NULL, &s, &why));
		x->auth->accounts.looked = 0;
		proves(x, 1 + i, login, key, login);
		assert_int_equal(spend(x, 1 + i, 150).hold, 1);
		spin(x, 20);
		assert_int_equal(told.notices, 1 + i);
	}
	channel_close(spool);
	(void)uv_run(&x->loop, UV_RUN_NOWAIT);
}

static void
a_spool_that_was_away_is_told_later(void **state)
{
	struct fixture *x = *state;
	struct channel *spool;

	watch(x);
	assert_int_equal(spend(x, 1, 101).hold, 1);
	assert_int_equal(told.alarms, 1);
	spool = connect_spool(x);
	spin(x, 20);
	assert_int_equal(told.holds, 1);
	assert_int_equal(told.notices, 1);
	channel_close(spool);
	(void)uv_run(&x->loop, UV_RUN_NOWAIT);
}

/* 0133: it was sent to a 4_spool that died before it had read it. */
static void
a_hold_outlives_its_spool(void **state)
{
	struct fixture *x = *state;
	struct channel *spool;
	int fd[2];

	assert_true(channel_pair(fd));
	auth_add_spool(x->auth, fd[0]);
	watch(x);
	assert_int_equal(spend(x, 1, 101).hold, 1);
	spin(x, 20);
	(void)close(fd[1]);
	spin(x, 20);
	assert_null(x->auth->spool);
	spool = connect_spool(x);
	spin(x, 20);
	assert_int_equal(told.holds, 1);
	assert_int_equal(told.notices, 0);
	channel_close(spool);
	spin(x, 20);
	/* What was let go meanwhile is not held again. */
	habit_unlock(&habits_find(&x->auth->habits, SPAN("alice/laptop"))->habit, ORIGIN_UNKNOWN, 1);
	spool = connect_spool(x);
	spin(x, 20);
	assert_int_equal(told.holds, 1);
	channel_close(spool);
	spin(x, 20);
}

static void
reopen(struct fixture *x)
{
	channel_close(x->front);
	auth_close(x->auth);
	(void)uv_run(&x->loop, UV_RUN_DEFAULT);
	x->auth = auth_open(&x->loop, &x->conf);
	assert_non_null(x->auth);
	x->auth->pause_ms = PAUSE_MS;
	connect_front(x);
}

static void
habits_outlive_a_restart(void **state)
{
	struct fixture *x = *state;
	char path[128];
	FILE *f;

	watch(x);
	assert_int_equal(spend(x, 1, 101).hold, 1);
	reopen(x);
	proves(x, 1, "alice/laptop", x->key, "alice/laptop");
	assert_int_equal(spend(x, 1, 1).hold, 1);
	(void)snprintf(path, sizeof path, "%s/auth/habits", x->dir);
	f = fopen(path, "r+");
	assert_non_null(f);
	(void)fseek(f, 40, SEEK_SET);
	(void)fputc('x', f);
	(void)fclose(f);
	/* What it writes when it ends is not what is read: it is damaged after that. */
	x->auth->habits.kept.dirty = false;
	reopen(x);
	proves(x, 1, "alice/laptop", x->key, "alice/laptop");
	assert_int_equal(spend(x, 1, 1).hold, 0);
	(void)snprintf(path, sizeof path, "%s/auth/habits.damaged", x->dir);
	assert_int_equal(access(path, F_OK), 0);
}

/* Regress 0137: neither the operator's hold nor the owner's notice is lost when both end before they have spoken. */
static void
a_hold_that_was_not_told_outlives_a_restart(void **state)
{
	struct fixture *x = *state;
	struct channel *spool;

	watch(x);
	assert_int_equal(spend(x, 1, 101).hold, 1);
	reopen(x);
	spool = connect_spool(x);
	spin(x, 20);
	assert_int_equal(told.holds, 1);
	assert_int_equal(told.notices, 1);
	channel_close(spool);
	spin(x, 20);
	/* Once is enough. */
	reopen(x);
	spool = connect_spool(x);
	spin(x, 20);
	assert_int_equal(told.holds, 1);
	channel_close(spool);
	spin(x, 20);
}

/* Regress 0136: what could be written could not be read. */
static void
as_many_habits_as_there_may_be_outlive_a_restart(void **state)
{
	struct fixture *x = *state;
	struct habits *t = &x->auth->habits;
	char login[16];

	for (unsigned i = 0; i < HABITS_MAX; i++) {
		struct habit_entry *e;

		(void)snprintf(login, sizeof login, "login%u", i);
		e = habits_make(t, span_of(login));
		assert_non_null(e);
		e->habit.step = HABIT_LOCKED;
	}
	t->kept.dirty = true;
	reopen(x);
	t = &x->auth->habits;
	assert_int_equal(t->count, HABITS_MAX);
	assert_int_equal(habits_find(t, SPAN("login65535"))->habit.step, HABIT_LOCKED);
}

/* From the machine itself nobody is watched, and the front is told that it need not ask. */
static void
nobody_is_watched_at_home(void **state)
{
	struct fixture *x = *state;
	struct auth_start here = { SMTP_AUTH_PLAIN, true, { NULL, 0 }, SPAN("127.0.0.1"), 0, SPAN(""), SPAN("client.example.org"), 0 };
	uint8_t said[200];
	struct buf b = BUF_OVER(said);

	watch(x);
	assert_int_equal(ask(x, 1, AUTH_SENDER, "alice@example.org").unwatched, 0);
	assert_true(buf_put(&b, SPAN("\0alice/laptop\0")) && buf_put_text(&b, x->key));
	here.initial = buf_span(&b);
	assert_true(channel_send(x->front, AUTH_START, 2, auth_start_layout, &here));
	(void)wait_frame(x);
	assert_int_equal(result(x).fail, OK);
	assert_int_equal(ask(x, 2, AUTH_SENDER, "alice@example.org").unwatched, 1);
}

/* What 4_spool believes: this login, this path, this front, now; so many recipients of this message. */
static void
what_is_allowed_is_warranted(void **state)
{
	struct fixture *x = *state;
	struct warrant_sender w = { { 0, 0 }, SPAN_INIT("alice/laptop"), SPAN_INIT("alice@example.org"), 0, false };
	struct warrant_spent allowed = { { 0, 0 }, 77, 3, false, 0 };
	struct auth_spend m = { 3, 77 };
	struct auth_verdict v;
	struct auth_spent s;

	memcpy(x->auth->warrant_key, "not all zero it is", SIPHASH_KEY);
	watch(x);
	v = ask(x, 1, AUTH_SENDER, "alice@example.org");
	w.when = v.when;
	assert_int_equal(v.fail, OK);
	assert_true(v.warrant == warrant_sender(x->auth->warrant_key, &w));
	assert_true(v.when <= uv_now(&x->loop) && uv_now(&x->loop) - v.when < 10000);
	v = ask(x, 1, AUTH_SENDER, "bob@example.org");
	assert_true(v.fail != OK && v.warrant == 0);
	assert_true(channel_send(x->front, AUTH_SPEND, 1, auth_spend_layout, &m));
	(void)wait_frame(x);
	assert_true(fields_parse(auth_spent_layout, (struct span){ x->seen.body, x->seen.len }, &s));
	allowed.when = s.when;
	assert_true(s.when <= clock_run() && clock_run() - s.when < 10000);
	assert_true(s.fail == OK && s.warrant == warrant_spent(x->auth->warrant_key, &allowed));
}

static void
spending_has_its_order(void **state)
{
	struct fixture *x = *state;
	struct auth_spend m = { 1, 0 };

	assert_true(channel_send(x->front, AUTH_SPEND, 1, auth_spend_layout, &m));
	(void)wait_frame(x);
	assert_true(x->seen.closed);
	connect_front(x);
	proves(x, 1, "alice/laptop", x->key, "alice/laptop");
	m.rcpts = 0;
	assert_true(channel_send(x->front, AUTH_SPEND, 1, auth_spend_layout, &m));
	(void)wait_frame(x);
	assert_true(x->seen.closed);
	connect_front(x);
	proves(x, 1, "alice/laptop", x->key, "alice/laptop");
	m.rcpts = 90;
	assert_true(channel_send(x->front, AUTH_SPEND, 1, auth_spend_layout, &m));
	assert_true(channel_send(x->front, AUTH_SPEND, 1, auth_spend_layout, &m));
	(void)wait_frame(x);
	assert_true(x->seen.closed);
	connect_front(x);
}

static unsigned rests;

static void
on_rest(void *arg)
{
	(void)arg;
	rests++;
}

/* Its front is gone: nobody waits for the answer, but whoever drains waits for us. */
static void
a_late_answer_does_not_hold_up_the_end(void **state)
{
	struct fixture *x = *state;
	struct auth_spend m = { 5, 0 };
	uint64_t start = clock_run();

	watch(x);
	assert_int_equal(spend(x, 1, 85).fail, OK);
	assert_true(channel_send(x->front, AUTH_SPEND, 1, auth_spend_layout, &m));
	spin(x, 20);
	assert_int_equal(x->auth->attempts, 1);
	rests = 0;
	x->auth->idle = on_rest;
	channel_close(x->front);
	x->front = NULL;
	while (x->auth->attempts > 0 && clock_run() - start < 10000)
		(void)uv_run(&x->loop, UV_RUN_ONCE);
	assert_true(rests > 0 || auth_is_writing(x->auth));
	x->auth->idle = NULL;
	connect_front(x);
}

static void
on_idle(void *arg)
{
	struct fixture *x = arg;

	x->seen.idle++;
}

/* 0130: told to finish, while an answer to AUTH_SPEND is still being delayed for a session that has gone. */
static void
a_delayed_answer_does_not_keep_it_from_ending(void **state)
{
	struct fixture *x = *state;
	struct auth_spend m = { 5, 0 };
	uint64_t start;

	watch(x);
	assert_int_equal(spend(x, 1, 85).fail, OK);
	assert_true(channel_send(x->front, AUTH_SPEND, 1, auth_spend_layout, &m));
	spin(x, 20);
	assert_string_equal(told.event, "slowed");
	x->auth->idle = on_idle;
	channel_close(x->front);
	x->front = NULL;
	start = clock_run();
	while (x->seen.idle == 0 && clock_run() - start < HABIT_DELAY_MS / 4)
		spin(x, 1);
	assert_true(x->seen.idle > 0);
	connect_front(x);
}

/* 0130: a front that breaks the order may be the last one too. */
static void
a_broken_front_is_no_reason_to_stay(void **state)
{
	struct fixture *x = *state;
	uint64_t start = clock_run();

	x->auth->idle = on_idle;
	assert_true(channel_send_octets(x->front, AUTH_CANCEL, 1, SPAN("")));
	while (x->seen.idle == 0 && clock_run() - start < 2000)
		spin(x, 1);
	assert_int_equal(x->seen.accused, 1);
	assert_true(x->seen.idle > 0);
	connect_front(x);
}

static void
an_idle_session_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct session) <= 56);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_name_of_a_login), TEST(recalled_keys_still_need_the_key), TEST(scram_by_password_and_by_key),
		TEST(imported_hashes), TEST(a_salt_does_not_tell_who_is_there), TEST(a_key_at_an_unknown_login_costs_what_it_may_cost), TEST(a_peer_is_one_word),
		TEST(unknown_and_wrong_take_the_same_time), TEST(failures_slow_down_and_lock_out),
		TEST(too_many_passwords_wait), TEST(ten_guesses_and_no_more), TEST(budgets_do_not_tell_who_is_there), TEST(a_key_opens_no_way_to_the_password), TEST(a_proxy_is_never_punished), TEST(scram_is_counted_too), TEST(a_right_proof_leaves_a_line), TEST(a_spray_is_an_alarm), TEST(sprays_do_not_use_up_the_alarms),
		TEST(broken_fronts_are_ended), TEST(more_sessions_than_allowed), TEST(cancel_and_end), TEST(numbers_that_fall_together),
		TEST(addresses_of_a_principal), TEST(expired_and_revoked), TEST(uses_are_noted),
		TEST(a_stolen_key_is_slowed_held_and_locked), TEST(a_long_name_is_cut_between_letters), TEST(a_spool_that_was_away_is_told_later), TEST(a_hold_outlives_its_spool),
		TEST(habits_outlive_a_restart),
		TEST(a_hold_that_was_not_told_outlives_a_restart),
		TEST(as_many_habits_as_there_may_be_outlive_a_restart),
		TEST(nobody_is_watched_at_home), TEST(what_is_allowed_is_warranted), TEST(spending_has_its_order), TEST(a_delayed_answer_does_not_keep_it_from_ending),
		TEST(a_late_answer_does_not_hold_up_the_end),
		TEST(a_broken_front_is_no_reason_to_stay),
		cmocka_unit_test(an_idle_session_is_small),
	};

	(void)alarm(240);       /* a frame that never comes must not hold the build */
	return cmocka_run_group_tests(tests, NULL, NULL);
}

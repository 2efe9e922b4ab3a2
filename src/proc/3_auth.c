/*
 * 3_auth - who proves what, and who may send as whom.
 *
 * Reads from strangers  length-framed, order-checked requests of the fronts.
 * Secrets it holds      credential verifiers; a password for as long as it is being checked.
 * May                   read the users file, the passwd-file and the country database, write below STATE/auth (last-used, fake-salts, attempts, habits), hash on worker threads,
 *                       accept on the ledger's socket (`postern user attempts`).
 *
 * Hashing never runs on the loop. Nothing here asks the network.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/secret.h"
#include "os/country.h"
#include "os/log.h"
#include "os/workers.h"
#include "proc/3_auth.h"
#include "proc/cage.h"
#include "proc/child.h"

/* The promise. Readers of the spool's directory it must never have: the accounts lie in a directory of their own. */
const struct cage auth_cage = {
	.user = "postern-auth",
	.calls = PROMISE_ACCEPT | PROMISE_FILES | PROMISE_THREADS | PROMISE_LOCK,
	.descriptors = 1024,
	.root = {
		{ CAGE_CONF(state_dir), "/auth", PROMISE_READ | PROMISE_WRITE, CAGE_OWN },
		{ CAGE_CONF(users_file), "", PROMISE_READ, CAGE_BESIDE },
		{ CAGE_CONF(passwd_file), "", PROMISE_READ, CAGE_BESIDE },
		{ CAGE_CONF(country_database), "", PROMISE_READ, CAGE_BESIDE },
	},
};

/* ---- fronts ---- */

static void
on_message(void *arg, struct channel *c, const struct frame *frame)
{
	(void)c;
	front_message(arg, frame);
}

static void
on_closed(void *arg, struct channel *c)
{
	struct front *f = arg;

	if (channel_spoke_nonsense(c))
		front_broken(f, 0, "no frame");
	f->channel = NULL;
	front_end(f);
	auth_rest(f->auth);
}

/* exit() takes OpenSSL away from workers that still hash, and two must not write the same file. */
void
auth_rest(struct auth *a)
{
	for (const struct front *f = a->fronts; f != NULL; f = f->next)
		if (f->channel != NULL)
			return;
	if (a->idle != NULL && a->attempts == 0 && !auth_is_writing(a))
		a->idle(a->arg);
}

/* The front of this slot, a new one if there is none yet. They are few and stay as long as the process. */
static struct front *
front_of(struct auth *a, uint32_t slot)
{
	struct front *f;

	for (f = a->fronts; f != NULL; f = f->next)
		if (f->slot == slot)
			return f;
	f = calloc(1, sizeof *f);
	if (f == NULL)
		return NULL;
	f->auth = a;
	f->slot = slot;
	f->next = a->fronts;
	a->fronts = f;
	return f;
}

struct warrant_front
front_warranted(const struct front *f)
{
	return (struct warrant_front){ f->slot, f->life };
}

void
auth_add_front(struct auth *a, uint32_t slot, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed,
		.secret = message_is_secret };
	struct front *f = front_of(a, slot);

	if (f != NULL) {
		front_end(f);   /* the one before it is gone */
		f->life = child_life(ROLE_FRONT, slot);
		f->channel = channel_open(a->loop, fd, &handler, f);
	} else {
		(void)close(fd);
	}
	if (f == NULL || f->channel == NULL)
		log_say(LOG_FAULT, "peer", "no memory for a front's channel");
}

/* ---- 4_spool ---- */

static void
on_spool_message(void *arg, struct channel *c, const struct frame *frame)
{
	struct auth *a = arg;
	struct guard_outcome m;

	if (frame->type == GUARD_OUTCOME && fields_parse(guard_outcome_layout, frame->body, &m)) {
		habits_outcome(a, &m);
		return;
	}
	log_say(LOG_FAULT, "spool-broken", "it sent what the order does not allow");
	channel_close(c);
	a->spool = NULL;
}

static void
on_spool_closed(void *arg, struct channel *c)
{
	struct auth *a = arg;

	(void)c;
	a->spool = NULL;
}

void
auth_add_spool(struct auth *a, int fd)
{
	static const struct channel_handler handler = { .message = on_spool_message, .closed = on_spool_closed };

	channel_close(a->spool);
	a->spool = channel_open(a->loop, fd, &handler, a);
	if (a->spool != NULL)
		habits_tell(a);
	else
		log_say(LOG_FAULT, "peer", "no memory for the spool's channel");
}

/* ---- what is kept on disk ---- */

static bool
format_uses(void *arg, struct buf *out)
{
	const struct auth *a = arg;

	out->p = (uint8_t *)used_format(a->accounts.used, &out->len);
	return out->p != NULL;
}

static const struct kept_file uses = {
	"last-used", "last-used", "cannot write the last uses", "the last uses are written again", AUTH_NOTE_MS, format_uses, auth_written,
};

void
auth_note_use(struct auth *a, struct span login, struct span peer)
{
	used_note(a->accounts.used, login, (uint64_t)time(NULL), peer);
	kept_touch(&a->uses);
}

void
auth_written(void *arg)
{
	auth_rest(arg);
}

bool
auth_is_writing(const struct auth *a)
{
	return a->uses.writing || a->ledger.kept.writing || a->habits.kept.writing;
}

void
auth_save(struct auth *a)
{
	kept_save(&a->uses);
	kept_save(&a->ledger.kept);
	kept_save(&a->habits.kept);
}

/* ---- life ---- */

static void
take_settings(struct auth *a, const struct conf *conf)
{
	a->sessions_max = conf->sessions_max;
	a->offer_login = conf->auth_login;
	a->habits.watch = conf->habit_watch;
	a->habits.hour = conf->habit_hour;
	a->habits.day = conf->habit_day;
}

struct auth *
auth_open(uv_loop_t *loop, const struct conf *conf)
{
	struct auth *a = calloc(1, sizeof *a);

	if (a == NULL || getrandom(a->table_key, sizeof a->table_key, 0) != sizeof a->table_key || !accounts_open(&a->accounts, conf)) {
		free(a);
		return NULL;
	}
	a->loop = loop;
	if (!ledger_open(a, conf)) {
		ledger_free(a);
		free(a);
		return NULL;
	}
	habits_open(a, conf);
	countries_configure(a, conf);
	a->pause_ms = AUTH_PAUSE_MS;
	take_settings(a, conf);
	hasher_init(&a->hasher, loop);
	kept_open(&a->uses, loop, conf->state_dir.p, &uses, a);
	a->handles++;
	return a;
}

void
auth_configure(struct auth *a, const struct conf *conf)
{
	take_settings(a, conf);
	accounts_configure(&a->accounts, conf);
	countries_configure(a, conf);
}

void
auth_handle_closed(uv_handle_t *handle)
{
	struct auth *a = handle->data;
	struct front *f, *next;

	if (--a->handles > 0)
		return;
	for (f = a->fronts; f != NULL; f = next) {
		next = f->next;
		free(f);
	}
	accounts_close(&a->accounts);
	ledger_free(a);
	habits_free(a);
	country_close(a->country);
	wipe(a->warrant_key, sizeof a->warrant_key);
	free(a);
}

void
auth_close(struct auth *a)
{
	for (struct front *f = a->fronts; f != NULL; f = f->next)
		front_end(f);
	channel_close(a->spool);
	a->spool = NULL;
	/* Attempts still with a worker point to the accounts no more, but to us. */
	while (a->attempts > 0 || auth_is_writing(a))
		(void)uv_run(a->loop, UV_RUN_ONCE);
	auth_save(a);
	ledger_close(a);
	kept_close(&a->habits.kept, auth_handle_closed);
	kept_close(&a->ledger.kept, auth_handle_closed);
	kept_close(&a->uses, auth_handle_closed);
}

/* ---- what 0_master says ---- */

enum { PENDING_MAX = 128 };     /* every front, and 4_spool; with room for those that begin again meanwhile */

/* 0_master brings 4_spool and us together when one of us begins, within its longest back-off. When one of us has hung up on the other and
 * both live, nothing is held in the queue any more, whatever looks stolen. */
enum { AUTH_ALONE_MS = 30 * 1000, AUTH_ALONE_LOOK_MS = 1000 };

static struct {
	struct child child;
	struct auth *auth;
	uv_timer_t alone;
	uint64_t whole;                 /* uv_now() when 4_spool was last there, or came */
	struct { enum role role; uint32_t slot; int fd; } pending[PENDING_MAX];
	size_t pendings;
	int ledger_fd;                  /* given before we could listen on it; -1: none */
	uint8_t warrant_key[SIPHASH_KEY];
	bool has_key;
	bool draining;
} me = { .ledger_fd = -1 };

static void
add_peer(enum role role, uint32_t slot, int fd)
{
	if (role == ROLE_SPOOL) {
		auth_add_spool(me.auth, fd);
		me.whole = uv_now(&me.child.loop);
	} else
		auth_add_front(me.auth, slot, fd);
}

static void
on_peer(void *arg, enum role role, uint32_t slot, int fd)
{
	bool known = role == ROLE_FRONT || role == ROLE_SPOOL;

	(void)arg;
	if (known && me.auth != NULL) {
		add_peer(role, slot, fd);
	} else if (known && me.pendings < PENDING_MAX) {
		me.pending[me.pendings].role = role;
		me.pending[me.pendings].slot = slot;
		me.pending[me.pendings++].fd = fd;
	} else {
		log_say(LOG_FAULT, "peer", "a peer that 3_auth has no business with");
		(void)close(fd);
	}
}

static void
on_listen(void *arg, const struct master_listen *m, int fd)
{
	(void)arg;
	if (m->service != MASTER_LISTEN_LEDGER || me.auth != NULL || me.ledger_fd != -1)
		(void)close(fd);
	else
		me.ledger_fd = fd;
}

static void
on_secret(void *arg, struct span octets)
{
	(void)arg;
	me.has_key = octets.len == sizeof me.warrant_key;
	if (me.has_key)
		memcpy(me.warrant_key, octets.p, octets.len);
}

static void
on_alone(uv_timer_t *timer)
{
	uint64_t now = uv_now(timer->loop);

	if (me.auth->spool != NULL || me.draining) {
		me.whole = now;
	} else if (now - me.whole >= AUTH_ALONE_MS && !auth_is_writing(me.auth)) {
		auth_save(me.auth);
		child_give_up(&me.child, "4_spool is gone");
	}
}

static void
on_idle(void *arg)
{
	(void)arg;
	if (!me.draining)
		return;
	auth_save(me.auth);
	ledger_close(me.auth);
	child_drained(&me.child);
}

static void
on_broken(void *arg, uint32_t slot)
{
	(void)arg;
	child_accuse(&me.child, ROLE_FRONT, slot);
}

static void
on_alarm(void *arg, const struct child_alarm *alarm)
{
	(void)arg;
	if (me.child.master != NULL)
		(void)channel_send(me.child.master, CHILD_ALARM, 0, child_alarm_layout, alarm);
}

static void
on_go(void *arg)
{
	(void)arg;
	if (!workers_start(&me.child.loop)) {
		child_give_up(&me.child, "no threads to check passwords");
		return;
	}
	me.auth = me.has_key ? auth_open(&me.child.loop, &me.child.conf) : NULL;
	if (me.auth == NULL) {
		log_say(LOG_FAULT, "start", me.has_key ? "out of memory or of randomness" : "the master gave no key for warrants");
		uv_stop(&me.child.loop);
		return;
	}
	memcpy(me.auth->warrant_key, me.warrant_key, sizeof me.warrant_key);
	wipe(me.warrant_key, sizeof me.warrant_key);
	me.auth->idle = on_idle;
	me.auth->broken = on_broken;
	me.auth->alarm = on_alarm;
	for (size_t i = 0; i < me.pendings; i++)
		add_peer(me.pending[i].role, me.pending[i].slot, me.pending[i].fd);
	me.pendings = 0;
	if (me.ledger_fd != -1)
		ledger_listen(me.auth, me.ledger_fd);
	me.whole = uv_now(&me.child.loop);
	(void)uv_timer_init(&me.child.loop, &me.alone);
	(void)uv_timer_start(&me.alone, on_alone, AUTH_ALONE_LOOK_MS, AUTH_ALONE_LOOK_MS);
	child_ready(&me.child);
}

static void
on_reload(void *arg)
{
	(void)arg;
	auth_configure(me.auth, &me.child.conf);
}

/* The fronts finish first, and what they finish may need us. */
static void
on_drain(void *arg)
{
	(void)arg;
	me.draining = true;
	/* A worker that hashes cannot be interrupted; should it outlast the master's patience, what we know is on the disk. */
	auth_save(me.auth);
	auth_rest(me.auth);
}

int
auth_main(uint32_t slot)
{
	static const struct child_handler handler = { .listen = on_listen, .peer = on_peer, .secret = on_secret, .go = on_go, .reload = on_reload, .drain = on_drain };

	return child_run(&me.child, ROLE_AUTH, slot, &handler, NULL);
}

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/secret.h"
#include "os/log.h"
#include "os/log_target.h"
#include "os/notify.h"
#include "proc/0_master.h"
#include "proc/cage.h"
#include "proc/descriptors.h"

/*
 * STARTING  the children of one stage after the other are started and awaited
 * RUNNING   all have been ready once; what dies is started again
 * DRAINING  one stage after the other is told to finish, last to first; nothing is started any more
 * ENDED     no child lives; the loop only closes handles
 */
static void
master_enter(struct master *m, enum master_phase next)
{
	if (next > m->phase)
		m->phase = next;
}

/* The two enums count the same way, so the drain just counts down; fronts first, the spool last. */
static const struct drain_step {
	enum stage stage;
	unsigned patience;              /* ms; in sum MASTER_DRAIN_MS */
} drain_steps[] = {
	{ STAGE_FRONTS, 17000 }, { STAGE_RELAY, 10000 }, { STAGE_AUTH, 5000 }, { STAGE_SPOOL, 3000 },
};

enum { EXIT_SOFTWARE = 70, EXIT_OS = 71, LISTEN_TRIES = 20, LISTEN_WAIT_US = 50 * 1000 };

/* ---- the end ---- */

static void
close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static bool
stage_lives(const struct master *m, enum stage stage)
{
	for (size_t i = 0; i < m->workers; i++) {
		if (m->worker[i].stage == stage && m->worker[i].running)
			return true;
	}
	return false;
}

static void on_impatience(uv_timer_t *);

/* Tell the next stage that still lives to finish; when none does, that was all. */
static void
drain_on(struct master *m)
{
	for (size_t i = 0; i < sizeof(drain_steps) / sizeof(drain_steps[0]); i++) {
		const struct drain_step *step = &drain_steps[i];

		if (!stage_lives(m, step->stage))
			continue;
		if (m->stage == step->stage && uv_is_active((uv_handle_t *)&m->patience))
			return;
		m->stage = step->stage;
		master_drain_stage(m, step->stage);
		(void)uv_timer_start(&m->patience, on_impatience, step->patience, 0);
		return;
	}
	master_enter(m, MASTER_ENDED);
	(void)uv_timer_stop(&m->patience);
	uv_stop(&m->loop);
}

static void
on_impatience(uv_timer_t *timer)
{
	struct master *m = timer->data;

	log_say(LOG_WARN, "drain-cut", "somebody did not finish in time and is ended; accepted mail stays in the spool");
	master_kill_stage(m, (int)m->stage);
}

static void
drain(struct master *m, int status)
{
	if (m->phase >= MASTER_DRAINING) {
		log_say(LOG_WARN, "stop", "at once");
		master_kill_stage(m, -1);
		return;
	}
	m->status = status;
	m->stage = STAGE_MAX;
	master_enter(m, MASTER_DRAINING);
	/* The fronts have their own; once they are gone nobody waits in a queue that is never served. */
	master_listeners_close(m);
	atomic_store(&m->hurry, true);
	log_say(LOG_NOTE, "drain", "accepting nothing new");
	notify_stopping("finishing what was begun");
	drain_on(m);
}

/* ---- the start ---- */

static void
start_stage(struct master *m, enum stage stage)
{
	m->stage = stage;
	for (size_t i = 0; i < m->workers; i++) {
		if (m->worker[i].stage == stage && !master_child_begin(&m->worker[i])) {
			drain(m, EXIT_OS);
			return;
		}
	}
}

static bool
stage_is_ready(const struct master *m, enum stage stage)
{
	for (size_t i = 0; i < m->workers; i++) {
		if (m->worker[i].stage == stage && !m->worker[i].ready)
			return false;
	}
	return true;
}

void
master_on_ready(struct master *m, struct worker *w)
{
	struct log_line l;

	if (m->phase == MASTER_RUNNING) {
		log_begin(&l, LOG_NOTE, "child-ready");
		log_text(&l, "child", role_name(w->role));
		log_u64(&l, "slot", w->slot);
		log_u64(&l, "child-pid", (uint64_t)w->process.pid);
		log_end(&l);
	}
	master_on_signer(m, w);
	if (m->phase != MASTER_STARTING || !stage_is_ready(m, m->stage))
		return;
	if (m->stage + 1 < STAGE_MAX) {
		start_stage(m, m->stage + 1);
		return;
	}
	master_enter(m, MASTER_RUNNING);
	for (size_t i = 0; i < m->sockets; i++)
		m->socket[i].fresh = false;
	master_log_state(m, "ready");
	notify_ready(NOTIFY_SERVING);
	master_log_doubts(m);
	master_log_endings(m);
	if (m->setup->ready != NULL)
		m->setup->ready(m->setup->arg);
	/* What changed since we read it would else be noticed by nobody. */
	if (m->reload_wanted)
		master_reload(m);
}

static void
log_end_of(const struct worker *w)
{
	struct log_line l;

	/* Nobody need look at one that did as it was told, as at a reload that wants another cage. */
	log_begin(&l, w->exit_signal == 0 && w->exit_status == 0 ? LOG_NOTE : LOG_FAULT, "child-ended");
	log_text(&l, "child", role_name(w->role));
	log_u64(&l, "slot", w->slot);
	log_u64(&l, "child-pid", (uint64_t)w->process.pid);
	if (w->exit_signal != 0)
		log_text(&l, "signal", strsignal(w->exit_signal));
	else
		log_u64(&l, "status", (uint64_t)w->exit_status);
	log_end(&l);
}

void
master_on_end(struct master *m, struct worker *w)
{
	if (m->phase >= MASTER_DRAINING) {
		if (w->exit_signal != 0 || w->exit_status != 0)
			log_end_of(w);
		drain_on(m);
		return;
	}
	if (master_is_spare(w) && w->exit_status == 0 && w->exit_signal == 0)
		return;
	log_end_of(w);
	if (master_is_spare(w))
		return;
	/* One that cannot even begin will not do better the next time: its words are in the log, the operator reads them. */
	if (!w->was_ready && (w->exit_signal == 0 || w->backoff >= BACKOFF_HOPELESS_MS)) {
		drain(m, w->exit_status > 0 ? (int)w->exit_status : EXIT_SOFTWARE);
		return;
	}
	master_child_again(w);
}

/* ---- signals and clocks ---- */

static void
on_hup(uv_signal_t *handle, int signal)
{
	struct master *m = handle->data;

	(void)signal;
	if (m->phase == MASTER_RUNNING)
		master_reload(m);
	else if (m->phase == MASTER_STARTING)
		m->reload_wanted = true;
	else
		log_say(LOG_WARN, "reload-refused", "not while draining");
}

static void
on_term(uv_signal_t *handle, int signal)
{
	(void)signal;
	drain(handle->data, 0);
}

static void
on_pulse(uv_timer_t *timer)
{
	struct master *m = timer->data;

	if (m->phase == MASTER_RUNNING)
		master_pulse(m);
}

static void
on_watch(uv_timer_t *timer)
{
	struct master *m = timer->data;

	if (m->phase != MASTER_RUNNING)
		return;
	master_watch(m);
	master_watch_names(m);
}

static void
on_day(uv_timer_t *timer)
{
	struct master *m = timer->data;

	if (m->phase != MASTER_RUNNING)
		return;
	if (m->setup->renew != NULL)
		m->setup->renew(m->setup->arg);
}

static void
on_hour(uv_timer_t *timer)
{
	struct master *m = timer->data;

	if (m->phase == MASTER_RUNNING)
		master_log_endings(m);
}

/* The previous key still opens the tickets it has sealed, for half a day (RFC 9325 3.4). */
static void
on_tickets(uv_timer_t *timer)
{
	struct master *m = timer->data;
	uint8_t fresh[TLS_TICKET_KEYS / 2];

	if (RAND_bytes(fresh, sizeof(fresh)) != 1) {
		log_say(LOG_WARN, "ticket-keys", "no randomness; the old ones stay");
		return;
	}
	memcpy(m->ticket_keys + sizeof(fresh), m->ticket_keys, sizeof(fresh));
	memcpy(m->ticket_keys, fresh, sizeof(fresh));
	wipe(fresh, sizeof(fresh));
	master_send_tickets(m);
}

static void
timer_begin(struct master *m, uv_timer_t *timer, uv_timer_cb call, uint64_t every)
{
	(void)uv_timer_init(&m->loop, timer);
	timer->data = m;
	if (call != NULL)
		(void)uv_timer_start(timer, call, every, every);
}

static void
signal_begin(struct master *m, uv_signal_t *handle, uv_signal_cb call, int signal)
{
	(void)uv_signal_init(&m->loop, handle);
	handle->data = m;
	(void)uv_signal_start(handle, call, signal);
}

/* ---- the whole ---- */

/* The fronts of a server that was killed a moment ago die after it, and with them the last hold on its ports. */
static bool
listen_patiently(struct master *m, struct buf *why)
{
	for (unsigned i = 0; i < LISTEN_TRIES; i++) {
		if (master_listen(m, &m->conf, why, &m->status))
			return true;
		if (m->status != EXIT_OS)
			return false;
		(void)usleep(LISTEN_WAIT_US);
	}
	return false;
}

static bool
prepare(struct master *m, struct buf *why)
{
	m->status = EXIT_OS;
	if (!descriptors_suffice(&m->conf, descriptors_limit(), why))
		return false;
	descriptors_fit_and_say(&m->conf);
	m->status = 78;
	certificates_look(&m->conf, m->seen);
	dkim_look(&m->conf, &m->dkim_seen);
	if (!certificates_read(&m->conf, &m->certificates, why) || !dkim_read(&m->conf, false, &m->dkim, why) || !master_lock(m, why, &m->status) ||
	    !cage_hand_over(&m->conf, why) || !listen_patiently(m, why) || !master_control_open(m, why, &m->status))
		return false;
	m->status = EXIT_OS;
	if (RAND_bytes(m->ticket_keys, sizeof(m->ticket_keys)) == 1 && RAND_bytes(m->warrant_key, sizeof(m->warrant_key)) == 1)
		return true;
	buf_put_text(why, "OpenSSL has no randomness");
	buf_terminate(why);
	return false;
}

static unsigned
front_count(const struct conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return conf->fronts > 0 ? conf->fronts : cores > 0 ? (unsigned)cores : 1;
}

/* `postern serve` blocks it at once; what has come since then comes now. */
static void
allow_hup(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
unlimit_memory(void)
{
	const char *why;

	if (!promise_may_lock(&why))
		log_say(LOG_WARN, "memory-unlocked", why);
}

static void
run(struct master *m)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_NAME, "postern: master");
	if (m->conf.sandbox != CONF_SANDBOX_OFF)
		unlimit_memory();
	if (m->conf.sandbox != CONF_SANDBOX_OFF && !promise_keep_master())
		log_say(LOG_WARN, "cage-open", "the master keeps capabilities that it does not need");
	signal_begin(m, &m->hup, on_hup, SIGHUP);
	allow_hup();
	signal_begin(m, &m->term, on_term, SIGTERM);
	signal_begin(m, &m->interrupt, on_term, SIGINT);
	timer_begin(m, &m->patience, NULL, 0);
	timer_begin(m, &m->watch, on_watch, WATCH_MS);
	timer_begin(m, &m->pulse, on_pulse, PULSE_MS);
	timer_begin(m, &m->hour, on_hour, HOUR_MS);
	timer_begin(m, &m->day, on_day, DAY_MS);
	timer_begin(m, &m->tickets, on_tickets, TICKETS_MS);
	master_alarms_init(m);
	master_children_init(m, front_count(&m->conf));
	names_look(m->names);
	m->status = 0;
	start_stage(m, STAGE_SPOOL);
	(void)uv_run(&m->loop, UV_RUN_DEFAULT);
	master_alarms_end(m);
	log_say(LOG_NOTE, "stopped", NULL);
	uv_walk(&m->loop, close_handle, NULL);
	(void)uv_run(&m->loop, UV_RUN_DEFAULT);
}

int
master_run(const struct master_setup *setup)
{
	static struct master m;
	uint8_t words[1024];
	struct buf why = BUF_OVER(words);

	/* The keys that pass through us belong in no core file. */
	promise_begin(STDERR_FILENO);
	m.setup = setup;
	m.conf = setup->conf;
	notify_begin();
	m.lock_fd = m.spool_fd = m.control_fd = m.ledger_fd = m.history_fd = -1;
	log_target_open(&m.conf, "master");
	descriptors_raise();
	if (uv_loop_init(&m.loop) != 0) {
		log_say(LOG_FAULT, "start", "no event loop");
		return EXIT_OS;
	}
	if (prepare(&m, &why))
		run(&m);
	else
		log_say(LOG_FAULT, "start", (const char *)words);
	master_sockets_close(&m);
	certificates_free(&m.certificates);
	certificates_free(&m.before);
	dkim_store_free(&m.dkim);
	wipe(m.ticket_keys, sizeof(m.ticket_keys));
	wipe(m.warrant_key, sizeof(m.warrant_key));
	(void)uv_loop_close(&m.loop);
	return m.status;
}

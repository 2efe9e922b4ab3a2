/*
 * 4_spool: takes mail from 1_front, makes it durable, hands it to 5_relay until every recipient is settled.
 *
 * It reads octets from strangers but never looks at them, holds the mail, and may open files below the spool's directory and
 * nothing else. Fronts may only ask what their session's phase allows (the table in 4_spool_front.c).
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/workers.h"
#include "proc/4_spool_gather.h"
#include "proc/4_spool_session.h"
#include "proc/4_spool_show.h"
#include "proc/cage.h"

/* The promise. PASS: segments are handed to 5_relay, to read. */
const struct cage spool_cage = {
	.user = "postern-spool",
	.calls = PROMISE_ACCEPT | PROMISE_FILES | PROMISE_THREADS | PROMISE_PASS,
	.root = { { CAGE_CONF(spool_dir), "", PROMISE_READ | PROMISE_WRITE, CAGE_OWN } },
};

/* ---- the clock ---- */
/* When the machine was booted, by its clock: changes only when somebody sets the clock, not while it sleeps. */
static int64_t
clock_of_boot(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)clock_wall() - ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

void
keeper_look_at_clock(struct keeper *k)
{
	int64_t clock = clock_of_boot(), step = clock - k->clock;
	struct log_line l;

	if (step < KEEPER_CLOCK_MS && step > -KEEPER_CLOCK_MS)
		return;
	k->clock = clock;
	schedule_shift(&k->spool.schedule, step);
	/* It may have heard of the new time already. */
	if (k->spool.schedule.now > clock_wall())
		k->spool.schedule.now = clock_wall();
	release_clock(&k->spool, step);
	spool_no_later(&k->spool, clock_wall());
	front_clock(k, step);
	log_begin(&l, LOG_NOTE, "clock-set");
	log_text(&l, "direction", step < 0 ? "back" : "forward");
	log_u64(&l, "ms", (uint64_t)(step < 0 ? -step : step));
	log_end(&l);
}

/* ---- the worker ---- */
static void
work_run(uv_work_t *work)
{
	struct keeper *k = work->data;

	batch_run(k->batch);
}

/* Answers go out before new tries: somebody waits for them. */
static void
settle(struct keeper *k, uint64_t took)
{
	/* An eighth of the newest, so that one hiccup is forgotten soon. */
	k->write_ns = k->write_ns - k->write_ns / 8 + took / 8;
	k->batch = NULL;
	log_hold();
	(void)spool_settle(&k->spool);
	front_flush_all(k);
	hold_settled(k);
	filter_pump(k);
	follower_settled(k);
	log_release();
	spool_tidy(&k->spool);
	front_tell_all(k);
}

static void
work_done(uv_work_t *work, int status)
{
	struct keeper *k = work->data;

	(void)status;
	settle(k, uv_hrtime() - k->written_at);
	keeper_turn(k);
}

/*
 * Where the disk is quick, waiting for it here costs less than waking a worker and being woken by it, and what comes meanwhile
 * gathers in the sockets. Where it is slow the worker waits, so that results and answers are not held up.
 * True when the batch is written and settled.
 */
static bool
write_batch(struct keeper *k)
{
	struct batch *b = journal_begin(&k->spool.journal);

	/* None while one is being written: k->batch is the worker's then. */
	if (b == NULL)
		return false;
	k->batch = b;
	k->resting = false;
	k->written_at = uv_hrtime();
	if (k->write_ns < KEEPER_QUICK_NS && b->mem.len < KEEPER_QUICK_OCTETS) {
		batch_run(b);
		settle(k, uv_hrtime() - k->written_at);
		return true;
	}
	/* Fails only without a callback, which is ours to give. */
	(void)uv_queue_work(&k->child.loop, &k->work, work_run, work_done);
	return false;
}

/* ---- turns and timers ---- */
static void
leave(struct keeper *k)
{
	k->opened = false;
	front_close_all(k);
	filter_close(k);
	relay_close(k);
	control_close(k);
	guard_close(k);
	follower_close(k);
	(void)uv_check_stop(&k->turn);
	(void)uv_prepare_stop(&k->before);
	log_release();
	(void)uv_idle_stop(&k->walk_on);
	(void)uv_timer_stop(&k->tick);
	(void)uv_timer_stop(&k->lazy);
	(void)uv_timer_stop(&k->due);
	spool_close(&k->spool);
	child_drained(&k->child);
}

/* Results that are on their way are waited for, then everything is synced. */
static void
go_on_draining(struct keeper *k)
{
	struct journal *j = &k->spool.journal;

	if ((k->commits > 0 || k->tries_out > 0 || k->walking > 0) && uv_now(&k->child.loop) < k->drain_by)
		return;
	if (j->running)
		return;
	if (j->state == OK && !journal_idle(j)) {
		journal_want_sync(j);
		if (!write_batch(k) || !journal_idle(j))
			return;
	}
	leave(k);
}

static void
on_due(uv_timer_t *timer)
{
	keeper_turn(timer->data);
}

static void
on_idle(uv_idle_t *idle)
{
	(void)idle;
}

/* A timer of 0 ms would be run again before any socket is read; an idle handle makes the loop turn, and each turn reads them. */
static void
walk_on(struct keeper *k)
{
	if (hold_waits(k)) {
		(void)uv_idle_stop(&k->walk_on);
		(void)uv_timer_start(&k->due, on_due, KEEPER_LAZY_MS, 0);
	} else
		(void)uv_idle_start(&k->walk_on, on_idle);
}

static void
arm_due(struct keeper *k)
{
	uint64_t when = schedule_when(&k->spool.schedule), now;

	(void)uv_timer_stop(&k->due);
	if (k->walking > 0) {
		walk_on(k);
		return;
	}
	(void)uv_idle_stop(&k->walk_on);
	if (k->relay == NULL || k->draining || when == UINT64_MAX || channel_congested(k->relay))
		return;
	now = clock_wall();
	/* What is further away the tick will see. */
	if (when > now && when - now < KEEPER_TICK_MS)
		(void)uv_timer_start(&k->due, on_due, when - now, 0);
}

static void
on_lazy(uv_timer_t *timer)
{
	struct keeper *k = timer->data;

	if (++k->lazy_writes >= KEEPER_LAZY_WRITES) {
		journal_want_sync(&k->spool.journal);
		k->lazy_writes = 0;
	}
	if (k->spool.journal.state == OK)
		(void)write_batch(k);
	keeper_turn(k);
}

void
keeper_turn(struct keeper *k)
{
	struct journal *j = &k->spool.journal;

	if (!k->opened)
		return;
	keeper_look_at_clock(k);
	hold_step(k);
	for (unsigned i = 0; i < KEEPER_BATCHES; i++) {
		if (!k->draining && k->walking == 0)
			relay_pump(k);
		if (!journal_pressing(j) || !write_batch(k))
			break;
	}
	if (!j->running && j->state == OK && !journal_idle(j) && !uv_is_active((uv_handle_t *)&k->lazy))
		(void)uv_timer_start(&k->lazy, on_lazy, KEEPER_LAZY_MS, 0);
	front_pause_all(k, journal_crowded(j));
	arm_due(k);
	if (k->draining)
		go_on_draining(k);
}

static void
on_before(uv_prepare_t *before)
{
	(void)before;
	log_hold();
}

static void
on_turn(uv_check_t *turn)
{
	keeper_turn(turn->data);
	log_release();
}

static void
rest(struct keeper *k)
{
	if (k->resting || !journal_idle(&k->spool.journal) || k->commits > 0)
		return;
	journal_rest(&k->spool.journal);
	(void)malloc_trim(0);
	k->resting = true;
}

static void
lose(void *arg, uint32_t slot)
{
	relay_forget(arg, slot);
}

static void
on_tick(uv_timer_t *timer)
{
	struct keeper *k = timer->data;

	keeper_look_at_clock(k);
	(void)spool_look(&k->spool);
	spool_set_aside(&k->spool, clock_wall(), lose, k);
	lost_tell(k);
	spool_tidy(&k->spool);
	plan_sweep(&k->spool, clock_wall());
	gather_flush(k, false);
	once_expire(&k->spool.once, clock_wall());
	if (!k->draining)
		relay_overdue(k);
	guard_flush(k);
	filter_step(k);
	follower_tell(k);
	/* A batch that found no room tries again. */
	if (k->spool.journal.state == FAIL_DISK_FULL)
		write_batch(k);
	front_tell_all(k);
	rest(k);
	keeper_turn(k);
}

/* ---- what the spool tells ---- */
static void
on_committed(void *arg, void *who, uint64_t id, uint32_t slot, enum fail f)
{
	front_committed(arg, letter_committed(arg, who, f) ? NULL : who, id, slot, f);
}

static void
on_gone(void *arg, uint64_t segment)
{
	show_gone(arg, segment);
	follower_segment_gone(arg, segment);
}

static const struct spool_handler spool_handler = { on_committed, on_gone };

/* ---- what the master tells ---- */
static struct schedule_conf
schedule_of(const struct conf *c)
{
	struct schedule_conf s = { .retry_first = c->retry_first * UINT64_C(1000), .retry_max = c->retry_max * UINT64_C(1000) };
	bool single = c->relay.kind != CONF_RELAY_MX;
	uint64_t running = (uint64_t)c->relay_connections * KEEPER_RUNNING;

	s.running = running > KEEPER_TRIES ? KEEPER_TRIES : running < 16 ? 16 : (uint32_t)running;
	s.window = c->relay_concurrency * 4 > s.running ? s.running : c->relay_concurrency * 4;
	if (single)
		s.window = s.running;
	if (s.window < 1)
		s.window = 1;
	/* Nobody knows yet whether anybody answers there; where there is but one next hop, nobody else is kept waiting by it. */
	if (!single) {
		s.first = KEEPER_WINDOW_FIRST;
		s.unproven = s.running / 2;
	}
	if (s.retry_first < 1000)
		s.retry_first = 1000;
	if (s.retry_max < s.retry_first)
		s.retry_max = s.retry_first;
	s.hold_max = single ? s.retry_first : 5 * s.retry_first;
	return s;
}

/* Our own fields, a longer header, what milters may make of a body. */
static uint64_t
content_most(const struct conf *c)
{
	return c->size_max + KEEPER_CONTENT_MORE;
}

static void
on_go(void *arg)
{
	struct keeper *k = arg;
	const struct conf *c = &k->child.conf;
	struct spool_conf sc = { .directory = c->spool_dir.p, .disk = &disk_linux, .segment_size = c->segment_size,
		.free_min = c->spool_free_min, .schedule = schedule_of(c), .single = c->relay.kind != CONF_RELAY_MX,
		.duplicate_window = c->duplicate_window * UINT64_C(1000), .history = c->history, .content_max = content_most(c) };

	if (!k->has_warrant_key) {
		log_say(LOG_FAULT, "start", "the master gave no key for warrants");
		exit(70);
	}
	if (!workers_start(&k->child.loop))
		exit(70);
	if (!spool_open(&k->spool, &sc, &spool_handler, k, clock_wall()))
		exit(74);
	k->opened = true;
	k->clock = clock_of_boot();
	k->told = spool_state(&k->spool);
	filter_configure(k);
	(void)uv_prepare_init(&k->child.loop, &k->before);
	(void)uv_check_init(&k->child.loop, &k->turn);
	(void)uv_idle_init(&k->child.loop, &k->walk_on);
	(void)uv_timer_init(&k->child.loop, &k->tick);
	(void)uv_timer_init(&k->child.loop, &k->lazy);
	(void)uv_timer_init(&k->child.loop, &k->due);
	(void)uv_prepare_start(&k->before, on_before);
	(void)uv_check_start(&k->turn, on_turn);
	(void)uv_timer_start(&k->tick, on_tick, KEEPER_TICK_MS, KEEPER_TICK_MS);
	lost_tell(k);
	front_go_all(k);
	guard_pause(k);
	follower_go(k);
	child_ready(&k->child);
	keeper_turn(k);
}

static void
on_reload(void *arg)
{
	struct keeper *k = arg;
	struct schedule_conf s = schedule_of(&k->child.conf);

	/* Directory, segment size and the kind of relay stay as they were until the next start. */
	k->spool.conf.free_min = k->child.conf.spool_free_min;
	k->spool.conf.content_max = content_most(&k->child.conf);
	spool_configure(&k->spool, &s, k->child.conf.duplicate_window * UINT64_C(1000));
	filter_configure(k);
	front_tell_anew(k);
	keeper_turn(k);
}

static void
on_drain(void *arg)
{
	struct keeper *k = arg;

	k->draining = true;
	k->drain_by = uv_now(&k->child.loop) + KEEPER_DRAIN_MS;
	gather_flush(k, true);
	keeper_turn(k);
}

static void
on_secret(void *arg, struct span octets)
{
	struct keeper *k = arg;

	k->has_warrant_key = octets.len == sizeof k->warrant_key;
	if (k->has_warrant_key)
		memcpy(k->warrant_key, octets.p, octets.len);
}

static void
on_peer(void *arg, enum role role, uint32_t slot, int fd)
{
	if (role == ROLE_FRONT)
		front_open(arg, slot, fd);
	else if (role == ROLE_RELAY)
		relay_open(arg, fd);
	else if (role == ROLE_AUTH)
		guard_open(arg, fd);
	else if (role == ROLE_MILTER)
		filter_open(arg, fd);
	else if (role == ROLE_HISTORY)
		follower_open(arg, fd);
	else
		(void)close(fd);
}

static void
on_listen(void *arg, const struct master_listen *m, int fd)
{
	if (m->service == MASTER_LISTEN_CONTROL)
		control_listen(arg, fd);
	else
		(void)close(fd);
}

static const struct child_handler child_handler = {
	.listen = on_listen,
	.peer = on_peer,
	.secret = on_secret,
	.go = on_go,
	.reload = on_reload,
	.drain = on_drain,
};

int
spool_main(uint32_t slot)
{
	static struct keeper k;
	int status;

	if (getrandom(k.table_key, sizeof k.table_key, 0) != sizeof k.table_key)
		return 71;
	k.began = clock_run();
	k.ids.slot = KEEPER_ID_SLOT;
	k.tries_free = k.gathered = SCHEDULE_NONE;
	k.turn.data = k.tick.data = k.lazy.data = k.due.data = k.work.data = &k;
	status = child_run(&k.child, ROLE_SPOOL, slot, &child_handler, &k);
	/* The master is gone, or we are drained; whatever a worker still writes is finished by the end of the process. */
	return status;
}

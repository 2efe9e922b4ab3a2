/*
 * 7_history: writes down what became of every message, and answers `postern queue where`.
 *
 * It reads the spool's log by descriptors that 4_spool shows it, behind everything else and waited for by nobody, keeps what the records
 * say in SQLite below STATE/history, and may open files there and nowhere else. It has no network.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/log.h"
#include "proc/7_history.h"
#include "proc/cage.h"

/* The promise. RECORD_LOCKS: SQLite makes sure that nobody else writes its file. */
const struct cage history_cage = {
	.user = "postern-history",
	.calls = PROMISE_ACCEPT | PROMISE_FILES | PROMISE_RECORD_LOCKS,
	.root = { { CAGE_CONF(state_dir), "/history", PROMISE_READ | PROMISE_WRITE, CAGE_OWN } },
};

/* ---- the file ---- */
static void
directory_of(const struct archive *a, char out[CONF_TEXT_MAX + 16])
{
	struct buf b = { (uint8_t *)out, 0, CONF_TEXT_MAX + 15 };

	(void)buf_put_text(&b, a->child.conf.state_dir.p);
	(void)buf_put_text(&b, "/history");
	out[b.len] = '\0';
}

static struct history_limits
limits_of(const struct conf *c)
{
	return (struct history_limits){ .age = c->history_age * UINT64_C(1000), .size = c->history_size };
}

/* From where the history ends; segments that were shown before are of no use any more. */
static void
begin_reading(struct archive *a)
{
	struct history_place p = history_place(a->history);
	uint64_t durable = a->tail.durable;

	tail_fini(&a->tail);
	tail_init(&a->tail, (struct tail_place){ p.segment, p.salt, p.offset, p.sequence });
	a->tail.durable = durable;
	archive_forget(a);
}

static void
say_place(struct archive *a, bool again)
{
	struct history_at m = { a->tail.at.segment, a->tail.at.sequence, again ? ++a->epoch : 0 };

	if (a->spool != NULL && a->history != NULL)
		(void)channel_send(a->spool, HISTORY_AT, 0, history_at_layout, &m);
}

static void
add_gap_alone(struct archive *a, struct span words, struct history_place place)
{
	history_begin(a->history);
	history_add_gap(a->history, clock_wall(), words);
	(void)history_commit(a->history, &place);
}

/* What is damaged makes room for a new one; the log is read again from its oldest record on. */
static void
set_aside(struct archive *a, const char *why)
{
	char directory[CONF_TEXT_MAX + 16];
	uint8_t text[CONF_TEXT_MAX + 64];
	struct buf name = { text, 0, sizeof text - 1 };
	struct log_line l;
	bool moved;

	directory_of(a, directory);
	moved = history_set_aside(directory, clock_wall(), &name);
	log_begin(&l, LOG_FAULT, "history-damaged");
	log_text(&l, "why", why);
	log_text(&l, moved ? "set-aside-as" : "cannot-be-renamed", (const char *)text);
	log_end(&l);
}

static bool
try_open(struct archive *a, enum history_fault *fault, struct buf *why)
{
	struct history_limits limits = limits_of(&a->child.conf);
	char directory[CONF_TEXT_MAX + 16];

	directory_of(a, directory);
	*fault = HISTORY_FINE;
	why->len = 0;
	a->history = history_open(directory, &limits, clock_wall(), fault, why);
	return a->history != NULL;
}

static void
say_closed(enum history_fault fault, const char *why)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, "history-closed");
	log_text(&l, "why", why);
	if (fault == HISTORY_NEWER)
		log_text(&l, "remedy", "run that version again, or move STATE/history/history.db away and a new history begins; mail goes on");
	log_end(&l);
}

/* Mail goes on whatever becomes of this. */
static void
open_history(struct archive *a, bool damaged)
{
	uint8_t text[300];
	struct buf why = { text, 0, sizeof text - 1 };
	enum history_fault fault;

	if (!try_open(a, &fault, &why) && fault == HISTORY_BROKEN) {
		set_aside(a, (const char *)text);
		damaged = true;
		(void)try_open(a, &fault, &why);
	}
	if (a->history == NULL) {
		if (a->retry == 0)
			say_closed(fault, (const char *)text);
		a->retry = uv_now(&a->child.loop) + ARCHIVE_RETRY_MS;
		return;
	}
	a->retry = 0;
	if (damaged)
		add_gap_alone(a, SPAN("the file was damaged and has been set aside; what it knew of older messages is not here"),
		    (struct history_place){ 0 });
	begin_reading(a);
	say_place(a, true);
}

void
archive_failed(struct archive *a, enum history_fault fault)
{
	uint8_t text[300];
	struct buf why = { text, 0, sizeof text - 1 };

	(void)buf_put_text(&why, history_why(a->history));
	(void)buf_terminate(&why);
	if (fault == HISTORY_BROKEN) {
		history_close(a->history);
		a->history = NULL;
		set_aside(a, (const char *)text);
		open_history(a, true);
		return;
	}
	if (!a->said_full)
		log_say(LOG_WARN, "history-behind", (const char *)text);
	a->said_full = true;
	a->retry = uv_now(&a->child.loop) + ARCHIVE_RETRY_MS;
	begin_reading(a);
	say_place(a, true);
}

/* ---- following the log ---- */
/* Records of one transaction; how many. */
static uint32_t
read_some(struct archive *a, bool *more)
{
	struct record_header h;
	struct tail_gap gap;
	struct span payload;
	uint32_t n = 0;
	bool may_end = true;

	*more = true;
	while (n < ARCHIVE_BATCH || !may_end) {
		enum tail_step step = tail_next(&a->tail, &h, &payload, &gap);

		if (step == TAIL_END) {
			*more = false;
			return n;
		}
		if (n++ == 0)
			history_begin(a->history);
		if (step == TAIL_GAP)
			archive_gap(a, &gap);
		else
			may_end = archive_record(a, &h, payload);
	}
	return n;
}

/* A disk that is full gets room by somebody else; damage at the old end would stay, and the file grow, because nobody else looks there. */
static void
prune(struct archive *a)
{
	enum history_fault fault = HISTORY_FINE;

	for (unsigned i = 0; i < ARCHIVE_PRUNE_STEPS && history_prune(a->history, clock_wall(), &fault); i++)
		;
	if (fault == HISTORY_BROKEN)
		archive_failed(a, fault);
}

static void read_on(struct archive *, uint64_t ms);

static void
on_go_on(uv_timer_t *timer)
{
	read_on(timer->data, ARCHIVE_READ_MS);
}

/* Whoever is still asking has been waiting for this. */
static void
answer_what_was_read(struct archive *a)
{
	if (a->asked == 0 || a->tail.at.sequence <= a->asked)
		return;
	a->asked = 0;
	archive_answer(a, true);
}

/* Write down what can be read of the log, for so long; what is left is read from the loop. */
static void
read_on(struct archive *a, uint64_t ms)
{
	uint64_t begun = uv_hrtime();
	bool more = true;

	while (more && uv_hrtime() - begun < ms * 1000000 && a->history != NULL && (a->retry == 0 || uv_now(&a->child.loop) >= a->retry)) {
		struct history_place place;
		enum history_fault fault;

		if (read_some(a, &more) == 0)
			break;
		place = (struct history_place){ a->tail.at.segment, a->tail.at.salt, a->tail.at.offset, a->tail.at.sequence };
		fault = history_commit(a->history, &place);
		if (fault != HISTORY_FINE) {
			archive_failed(a, fault);
			return;
		}
		a->retry = 0;
		if (a->said_full)
			log_say(LOG_NOTE, "history-behind", "no more: it goes on where it had stopped");
		a->said_full = false;
		say_place(a, false);
		prune(a);
	}
	answer_what_was_read(a);
	archive_post(a);
	if (more && a->history != NULL && a->retry == 0 && !a->draining)
		(void)uv_timer_start(&a->go_on, on_go_on, 0, 0);
}

/* ---- 4_spool ---- */
static void
another_log(struct archive *a)
{
	struct history_place nowhere = { 0 };

	log_say(LOG_WARN, "history-gap", "the spool's log is not the one that was read before; it is read from its beginning");
	add_gap_alone(a, SPAN("the spool was replaced by another one; what was not read of it is missing"), nowhere);
	begin_reading(a);
	say_place(a, true);
}

static bool
on_segment(struct archive *a, const struct frame *f)
{
	struct history_segment m;
	bool foreign;

	if (!fields_parse(history_segment_layout, f->body, &m))
		return false;
	foreign = m.number < a->tail.at.segment || (m.number == a->tail.at.segment && a->tail.at.salt != 0 && m.salt != a->tail.at.salt);
	if (f->session == a->epoch && a->history != NULL && !foreign && tail_add(&a->tail, m.number, m.salt, f->fd))
		return true;
	(void)close(f->fd);
	if (f->session == a->epoch && a->history != NULL && foreign)
		another_log(a);
	return true;
}

/* A disk that had said yes and lied, or a spool put back from a copy: what comes now has numbers that were read before. */
static void
log_went_back(struct archive *a)
{
	struct tail_place at = a->tail.at;

	log_say(LOG_WARN, "history-gap", "the spool's log has lost records that were read already; it is read on from where it ends");
	at.sequence = 0;
	add_gap_alone(a, SPAN("the spool's log went back: it has lost records that are here already"),
	    (struct history_place){ at.segment, at.salt, at.offset, 0 });
	a->tail.at = at;
	archive_forget(a);
}

static bool
on_durable(struct archive *a, const struct frame *f)
{
	struct history_durable m;

	if (!fields_parse(history_durable_layout, f->body, &m))
		return false;
	if (f->session != a->epoch)
		return true;
	if (a->history != NULL && a->tail.at.sequence > m.sequence + 1)
		log_went_back(a);
	tail_durable(&a->tail, m.sequence);
	if (m.asked)
		a->asked = m.sequence;
	read_on(a, ARCHIVE_READ_MS);
	return true;
}

static bool
on_gone(struct archive *a, const struct frame *f)
{
	struct history_gone m;

	if (!fields_parse(history_gone_layout, f->body, &m))
		return false;
	if (f->session == a->epoch)
		tail_gone(&a->tail, m.number);
	return true;
}

static void
spool_lost(struct archive *a)
{
	a->spool = NULL;
	archive_answer(a, true);
	if (!a->draining)
		return;
	read_on(a, ARCHIVE_DRAIN_MS);
	(void)uv_timer_stop(&a->go_on);
	(void)uv_timer_stop(&a->drain_limit);
	archive_control_close(a);
	if (a->hooked > 0)
		archive_settle_hooks(a);
	archive_hook_close(a);
	history_close(a->history);
	a->history = NULL;
	child_drained(&a->child);
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct archive *a = arg;

	if ((f->type == HISTORY_SEGMENT && on_segment(a, f)) || (f->type == HISTORY_DURABLE && on_durable(a, f))
	    || (f->type == HISTORY_GONE && on_gone(a, f)))
		return;
	if (f->fd != -1)
		(void)close(f->fd);
	log_say(LOG_FAULT, "peer-broken", "spool said what it may not say");
	channel_close(c);
	spool_lost(a);
}

static void
on_closed(void *arg, struct channel *c)
{
	(void)c;
	spool_lost(arg);
}

/* ---- what the master tells ---- */
static void
on_tick(uv_timer_t *timer)
{
	struct archive *a = timer->data;
	bool late = a->retry != 0 && uv_now(&a->child.loop) >= a->retry;

	if (a->history == NULL && late)
		open_history(a, false);
	else if (late)
		read_on(a, ARCHIVE_READ_MS);
	archive_answer(a, false);
	if (a->history == NULL || a->retry != 0)
		return;
	prune(a);
	archive_hook_tick(a);
}

static void
on_go(void *arg)
{
	struct archive *a = arg;

	a->going = true;
	(void)uv_timer_init(&a->child.loop, &a->tick);
	(void)uv_timer_init(&a->child.loop, &a->drain_limit);
	(void)uv_timer_init(&a->child.loop, &a->go_on);
	open_history(a, false);
	(void)uv_timer_start(&a->tick, on_tick, ARCHIVE_TICK_MS, ARCHIVE_TICK_MS);
	child_ready(&a->child);
}

static void
on_reload(void *arg)
{
	struct archive *a = arg;
	struct history_limits limits = limits_of(&a->child.conf);

	if (a->history != NULL)
		history_limit(a->history, &limits);
}

static void
on_drain_limit(uv_timer_t *timer)
{
	struct archive *a = timer->data;

	channel_close(a->spool);
	spool_lost(a);
}

/* 4_spool ends at the same time; its last words are waited for, so that the history of a stopped server is whole. */
static void
on_drain(void *arg)
{
	struct archive *a = arg;

	a->draining = true;
	if (a->spool == NULL)
		spool_lost(a);
	else
		(void)uv_timer_start(&a->drain_limit, on_drain_limit, ARCHIVE_DRAIN_MS, 0);
}

static void
on_peer(void *arg, enum role role, uint32_t slot, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed, .descriptor = message_has_descriptor };
	struct archive *a = arg;

	(void)slot;
	if (role == ROLE_HOOK) {
		archive_hook_open(a, fd);
		return;
	}
	if (role != ROLE_SPOOL) {
		(void)close(fd);
		return;
	}
	if (a->spool != NULL)
		channel_close(a->spool);
	a->spool = channel_open(&a->child.loop, fd, &handler, a);
	if (a->spool == NULL)
		return;
	/* The log may have been cut since, behind what was synced: what is durable is heard anew. */
	a->tail.durable = 0;
	if (a->history != NULL)
		begin_reading(a);
	say_place(a, true);
}

static void
on_listen(void *arg, const struct master_listen *m, int fd)
{
	if (m->service == MASTER_LISTEN_HISTORY)
		archive_listen(arg, fd);
	else
		(void)close(fd);
}

static const struct child_handler child_handler = {
	.listen = on_listen,
	.peer = on_peer,
	.go = on_go,
	.reload = on_reload,
	.drain = on_drain,
};

int
history_main(uint32_t slot)
{
	static struct archive a;

	a.tick.data = a.go_on.data = a.drain_limit.data = &a;
	return child_run(&a.child, ROLE_HISTORY, slot, &child_handler, &a);
}

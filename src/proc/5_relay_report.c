/* The days: today's is counted in and kept, those that are over are sent, and then forgotten. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/replace.h"
#include "proc/5_relay.h"
#include "proc/5_relay_report.h"

enum { DAY_MS = TLSRPT_DAY_SECONDS * 1000, TICK_MS = 1000, SOON_MS = 20, LONG_MS = 3600 * 1000 };

static uint32_t
day_now(void)
{
	return (uint32_t)(clock_wall() / DAY_MS);
}

/* ---- days ---- */

static void
day_free(struct report_day *d)
{
	if (d == NULL)
		return;
	free(d->table);
	free(d->report);
	free(d);
}

static struct report_day *
day_new(const struct relay_reports *r, uint32_t day)
{
	struct report_day *d = calloc(1, sizeof *d);

	/* Pages that nobody writes to are none; so calloc(), and no memset(). */
	if (d == NULL || (d->table = calloc(1, sizeof *d->table)) == NULL) {
		free(d);
		return NULL;
	}
	tlsrpt_init(d->table, r->key, day);
	return d;
}

/* Sooner or later after midnight, each domain at its own time: nobody is asked by everybody at once (8460 4.1). */
static uint64_t
due_of(uint32_t day)
{
	uint32_t random;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		random = day;
	return ((uint64_t)day + 1) * DAY_MS + 1000 + random % (RELAY_REPORT_DELAY_MS - 1000);
}

/* False: no memory; the file is there for a later time. */
static bool
day_close(struct relay_reports *r, struct report_day *d)
{
	d->report = calloc(d->table->domains > 0 ? d->table->domains : 1, sizeof *d->report);
	if (d->report == NULL)
		return false;
	d->left = d->table->domains;
	for (uint32_t i = 0; i < d->table->domains; i++)
		d->report[i] = (struct report_state){ .step = REPORT_WAITS, .due = due_of(d->table->day) };
	report_settled_read(r->state_dir, d);
	return true;
}

static struct report_day **
closed_place(struct relay_reports *r)
{
	for (size_t i = 0; i < RELAY_REPORT_DAYS - 1; i++)
		if (r->closed[i] == NULL)
			return &r->closed[i];
	return NULL;
}

static bool
is_loaded(const struct relay_reports *r, uint32_t day)
{
	for (size_t i = 0; i < RELAY_REPORT_DAYS - 1; i++)
		if (r->closed[i] != NULL && r->closed[i]->table->day == day)
			return true;
	return r->today != NULL && r->today->table->day == day;
}

static void
load_closed(struct relay_reports *r, uint32_t day)
{
	struct report_day **place = closed_place(r), *d;

	if (place == NULL || is_loaded(r, day) || !report_file_there(r->state_dir, day))
		return;
	d = day_new(r, day);
	if (d != NULL && report_file_read(r->state_dir, d->table) && day_close(r, d))
		*place = d;
	else
		day_free(d);
}

/* The oldest first: they have the least time left. */
static void
load_closed_days(struct relay_reports *r)
{
	uint32_t today = day_now();

	for (uint32_t ago = RELAY_REPORT_OLD_DAYS; ago > 0; ago--)
		load_closed(r, today - ago);
}

static void
log_closed(const struct tlsrpt *t)
{
	struct log_line l;
	uint64_t missed = t->missed;
	char date[TLSRPT_DATE + 1];

	for (uint32_t i = 0; i < t->domains; i++)
		missed += t->domain[i].missed;
	tlsrpt_date(t->day, date);
	log_begin(&l, missed > 0 ? LOG_WARN : LOG_NOTE, "tls-reports-day");
	log_text(&l, "day", date);
	log_u64(&l, "domains", t->domains);
	if (missed > 0) {
		log_u64(&l, "not-counted", missed);
		log_text(&l, "why", "there was no room for them; docs/limits.md has the ceilings");
	}
	log_end(&l);
}

/* ---- the file of today ---- */

static void
take_result(struct relay_reports *r, int error)
{
	if (error != 0 && !r->failing)
		log_fail("tls-reports", "cannot keep what TLS reports are made of; a restart would forget it", error);
	if (error == 0 && r->failing)
		log_say(LOG_NOTE, "tls-reports", "what TLS reports are made of is kept again");
	r->failing = error != 0;
}

/* 0, or why not. */
static int
text_of(struct relay_reports *r, struct report_day *d)
{
	struct report_write *w = &r->write;
	size_t size = tlsrpt_store_size(d->table);

	w->text = (struct buf){ malloc(size), 0, size };
	if (w->text.p == NULL)
		return ENOMEM;
	if (!report_file_names(r->state_dir, d->table->day, w->path, w->fresh, sizeof w->path) || !tlsrpt_format(d->table, &w->text))
		return ENAMETOOLONG;
	return 0;
}

static void
write_end(struct relay_reports *r)
{
	free(r->write.text.p);
	r->write.text.p = NULL;
	r->write.day = NULL;
}

/* In the loop: at the end, and when a day is over. */
static void
write_now(struct relay_reports *r, struct report_day *d)
{
	int error;

	if (!d->dirty)
		return;
	error = text_of(r, d);
	if (error == 0 && !file_replace(r->write.path, r->write.fresh, buf_span(&r->write.text)))
		error = errno;
	write_end(r);
	d->dirty = error != 0;
	take_result(r, error);
}

static void finish(struct relay_reports *);

static void
on_worker(uv_work_t *work)
{
	struct report_write *w = work->data;

	w->error = file_replace(w->path, w->fresh, buf_span(&w->text)) ? 0 : errno;
}

static void
on_written(uv_work_t *work, int status)
{
	struct report_write *w = work->data;
	struct relay_reports *r = (struct relay_reports *)(void *)((uint8_t *)w - offsetof(struct relay_reports, write));
	int error = status != 0 ? ECANCELED : w->error;

	w->day->dirty |= error != 0;
	write_end(r);
	take_result(r, error);
	if (r->closing)
		finish(r);
	else
		report_arm(r);
}

/* The table goes on changing while a worker writes the copy. */
static void
write_begin(struct relay_reports *r, struct report_day *d)
{
	int error = text_of(r, d);

	r->written = relay_now(r->relay);
	r->write.work.data = &r->write;
	if (error == 0) {
		r->write.day = d;
		error = -uv_queue_work(&r->relay->child.loop, &r->write.work, on_worker, on_written);
	}
	if (error == 0) {
		d->dirty = false;
		return;
	}
	write_end(r);
	take_result(r, error);
}

/* ---- the timer ---- */

static void on_timer(uv_timer_t *);

static bool
have_closed(const struct relay_reports *r)
{
	for (size_t i = 0; i < RELAY_REPORT_DAYS - 1; i++)
		if (r->closed[i] != NULL)
			return true;
	return false;
}

/* When there is nothing to count, to write and to send, nothing wakes us. */
void
report_arm(struct relay_reports *r)
{
	uint64_t now = relay_now(r->relay), wait = LONG_MS;

	(void)uv_timer_stop(&r->timer);
	if (r->today == NULL && !have_closed(r))
		return;
	if (r->today != NULL) {
		uint64_t midnight = ((uint64_t)r->today->table->day + 1) * DAY_MS, clock = clock_wall();
		uint64_t since = now - r->written, until = clock >= midnight ? 0 : midnight - clock;

		if (r->today->dirty)
			wait = since >= RELAY_REPORT_WRITE_MS ? 0 : RELAY_REPORT_WRITE_MS - since;
		if (until < wait)
			wait = until;
	}
	if (have_closed(r) && wait > TICK_MS)
		wait = TICK_MS;
	(void)uv_timer_start(&r->timer, on_timer, wait > TICK_MS ? wait : TICK_MS, 0);
}

/* Not at once: who calls is in the middle of something. */
void
report_soon(struct relay_reports *r)
{
	(void)uv_timer_start(&r->timer, on_timer, SOON_MS, 0);
}

/* The clock was far ahead and is right now: what was counted under a day to come belongs to this one, unless that has a file. */
static void
date_back(struct relay_reports *r)
{
	uint32_t day = day_now();
	bool there = report_file_there(r->state_dir, day);

	log_say(LOG_WARN, "tls-reports-clock", there ? "the clock was set back; what was counted since it had been ahead is forgotten" :
	    "the clock was set back; what was counted since it had been ahead counts for today");
	report_files_remove(r->state_dir, r->today->table->day);
	r->today->table->day = day;
	r->today->dirty = true;
	if (!there)
		return;
	day_free(r->today);
	r->today = NULL;
}

/* The day is over when its last second is; a clock that was set back a little goes on with the day that it has begun. */
static void
roll_over(struct relay_reports *r)
{
	struct report_day *d = r->today, **place = closed_place(r);

	if (d == NULL || r->write.day != NULL)
		return;
	if (day_now() + 1 < d->table->day) {
		date_back(r);
		return;
	}
	if (day_now() <= d->table->day)
		return;
	write_now(r, d);
	log_closed(d->table);
	r->today = NULL;
	if (place != NULL && day_close(r, d))
		*place = d;
	else
		day_free(d);
}

static void
send_due(struct relay_reports *r, struct report_day *d, uint64_t now)
{
	for (uint32_t i = 0; i < d->table->domains && d->left > 0; i++)
		if (d->report[i].step == REPORT_WAITS && now >= d->report[i].due && !report_begin(r, d, i))
			return;
}

static void
sweep_closed(struct relay_reports *r)
{
	uint64_t now = clock_wall();
	bool emptied = false;

	for (size_t i = 0; i < RELAY_REPORT_DAYS - 1; i++) {
		struct report_day *d = r->closed[i];

		if (d == NULL)
			continue;
		send_due(r, d, now);
		if (d->left > 0 || d->running > 0 || r->write.day == d)
			continue;
		report_files_remove(r->state_dir, d->table->day);
		day_free(d);
		r->closed[i] = NULL;
		emptied = true;
	}
	if (emptied)
		load_closed_days(r);
}

static void
on_timer(uv_timer_t *timer)
{
	struct relay_reports *r = timer->data;

	roll_over(r);
	if (r->today != NULL && r->today->dirty && r->write.day == NULL &&
	    relay_now(r->relay) - r->written >= RELAY_REPORT_WRITE_MS)
		write_begin(r, r->today);
	report_runs_sweep(r);
	sweep_closed(r);
	report_arm(r);
}

/* ---- today ---- */

struct report_day *
report_today(struct relay_reports *r)
{
	roll_over(r);
	if (r->today == NULL) {
		r->today = day_new(r, day_now());
		/* One that a restart, or a clock set back, has left behind is gone on with. */
		if (r->today != NULL)
			(void)report_file_read(r->state_dir, r->today->table);
	}
	return r->today;
}

/* ---- beginning and end ---- */

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static struct relay_reports *
reports_open(struct relay *relay)
{
	struct relay_reports *r = calloc(1, sizeof *r);

	if (r == NULL || getrandom(r->key, sizeof r->key, 0) != sizeof r->key) {
		free(r);
		log_say(LOG_FAULT, "tls-reports", "out of memory: no session is counted");
		return NULL;
	}
	r->relay = relay;
	memcpy(r->state_dir, relay->child.conf.state_dir.p, sizeof r->state_dir);
	(void)uv_timer_init(&relay->child.loop, &r->timer);
	r->timer.data = r;
	r->written = relay_now(relay) - RELAY_REPORT_WRITE_MS;
	report_files_sweep(r->state_dir, day_now() - RELAY_REPORT_OLD_DAYS);
	if (report_file_there(r->state_dir, day_now()))
		(void)report_today(r);
	load_closed_days(r);
	return r;
}

static void
finish(struct relay_reports *r)
{
	struct relay *relay = r->relay;

	if (r->today != NULL)
		write_now(r, r->today);
	day_free(r->today);
	for (size_t i = 0; i < RELAY_REPORT_DAYS - 1; i++)
		day_free(r->closed[i]);
	relay->reports = NULL;
	uv_close((uv_handle_t *)&r->timer, on_closed);
	relay_work_over(relay);
}

void
relay_reports_pause(struct relay *relay)
{
	struct relay_reports *r = relay->reports;

	if (r == NULL)
		return;
	report_runs_stop(r, false);
	fetcher_close(r->fetcher);
	r->fetcher = NULL;
}

void
relay_reports_close(struct relay *relay)
{
	struct relay_reports *r = relay->reports;

	if (r == NULL || r->closing)
		return;
	report_runs_stop(r, true);
	relay_reports_pause(relay);
	(void)uv_timer_stop(&r->timer);
	r->closing = true;
	/* A worker that writes an older copy must not have the last word. */
	if (r->write.day == NULL)
		finish(r);
}

bool
relay_reports_gone(const struct relay *relay)
{
	return relay->reports == NULL;
}

/* Nobody to answer for a report, or nobody to ask where it is wanted: then there is nothing to count. */
static bool
wanted(const struct relay *relay)
{
	const struct conf *conf = &relay->child.conf;

	return conf->tls_reports && conf->tls_report_contact.p[0] != 0 && conf->relay.kind != CONF_RELAY_MAILDIR && relay->resolver != NULL;
}

void
relay_reports_configure(struct relay *relay)
{
	if (!wanted(relay)) {
		relay_reports_close(relay);
		return;
	}
	if (relay->reports == NULL)
		relay->reports = reports_open(relay);
	if (relay->reports == NULL)
		return;
	relay->reports->closing = false;
	report_soon(relay->reports);
}

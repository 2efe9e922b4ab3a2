/*
 * The ledger of attempts on disk: STATE/auth/attempts, a snapshot that proves itself by a keyed hash (policy/guess.h), the key beside
 * it in attempts.key. Written whole to attempts.new, synced, and moved over the old one, by a worker: a crash loses the last
 * AUTH_LEDGER_MS, never the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/replace.h"
#include "proc/3_auth.h"

enum { FILE_MAX = 16 * 1024 * 1024 };

/* ---- out ---- */

/* Is the file not what the ledger is? */
static bool
is_behind(const struct ledger *l)
{
	return l->stale || l->written != l->guess->changes;
}

/* A worker's thread, or the loop's at the end: touches the copy, and nothing that changes. 0, or why not. */
static int
write_copy(const struct ledger *l, const struct guess *guess)
{
	size_t size = guess_snapshot_size(guess);
	struct buf b = { malloc(size), 0, size };
	int error = b.p != NULL && guess_format(guess, &b) && file_replace(l->file, l->fresh, buf_span(&b)) ? 0 : errno;

	free(b.p);
	return error;
}

/* A disk that is full stays full for a while: one line when it begins and one when it is over. */
static void
take_result(struct ledger *l, int error)
{
	if (error != 0 && !l->failing)
		log_fail("ledger", "cannot write the ledger of attempts; a restart would forget who has guessed", error);
	if (error == 0 && l->failing)
		log_say(LOG_NOTE, "ledger", "the ledger of attempts is written again");
	l->failing = error != 0;
	l->stale = l->failing;
}

static void
work(uv_work_t *job)
{
	struct ledger *l = job->data;

	l->error = write_copy(l, l->shown);
}

static void
worked(uv_work_t *job, int status)
{
	struct ledger *l = job->data;
	struct auth *a = l->timer.data;

	take_result(l, status == 0 ? l->error : ECANCELED);
	l->writing = false;
	ledger_touch(a);
	auth_rest(a);
}

static void
on_timer(uv_timer_t *timer)
{
	struct auth *a = timer->data;
	struct ledger *l = &a->ledger;

	if (l->writing || !is_behind(l))
		return;
	*l->shown = *l->guess;
	l->written = l->guess->changes;
	l->work.data = l;
	l->writing = uv_queue_work(a->loop, &l->work, work, worked) == 0;
}

void
ledger_touch(struct auth *a)
{
	struct ledger *l = &a->ledger;

	if (is_behind(l) && !uv_is_closing((uv_handle_t *)&l->timer) && !uv_is_active((uv_handle_t *)&l->timer))
		(void)uv_timer_start(&l->timer, on_timer, AUTH_LEDGER_MS, 0);
}

void
ledger_write_now(struct auth *a)
{
	struct ledger *l = &a->ledger;

	if (!is_behind(l))
		return;
	take_result(l, write_copy(l, l->guess));
	l->written = l->guess->changes;
}

/* ---- in ---- */

/* Kept for whoever wants to know what became of it; there is only one. */
static void
set_aside(const struct ledger *l)
{
	struct log_line line;

	log_begin(&line, LOG_WARN, "ledger-damaged");
	log_text(&line, "file", l->file);
	log_text(&line, "reason", "damaged, of another version, or not made here: who has guessed, and who has logged in where, is forgotten");
	log_text(&line, "kept-as", rename(l->file, l->aside) == 0 ? l->aside : "");
	log_end(&line);
}

static void
load(struct ledger *l)
{
	size_t len;
	char *text = file_read(l->file, FILE_MAX, &len);

	if (text == NULL && errno == ENOENT)
		return;
	if (text == NULL || !guess_parse(l->guess, (struct span){ (const uint8_t *)text, len }, clock_wall()))
		set_aside(l);
	free(text);
}

bool
ledger_open(struct auth *a, const struct conf *conf)
{
	struct ledger *l = &a->ledger;
	uint8_t octets[SIPHASH_KEY];
	struct buf key = BUF_OVER(octets);

	l->guess = calloc(1, sizeof *l->guess);
	l->shown = calloc(1, sizeof *l->shown);
	if (l->guess == NULL || l->shown == NULL)
		return false;
	(void)snprintf(l->file, sizeof l->file, "%s/auth/attempts", conf->state_dir.p);
	(void)snprintf(l->fresh, sizeof l->fresh, "%s/auth/attempts.new", conf->state_dir.p);
	(void)snprintf(l->aside, sizeof l->aside, "%s/auth/attempts.damaged", conf->state_dir.p);
	accounts_keep_key(conf->state_dir.p, "attempts.key", &key, "cannot keep the key of the ledger; a restart would forget who has guessed");
	guess_init(l->guess, octets);
	wipe(octets, sizeof octets);
	load(l);
	l->written = l->guess->changes;
	(void)uv_timer_init(a->loop, &l->timer);
	l->timer.data = a;
	a->handles++;
	return true;
}

void
ledger_free(struct auth *a)
{
	free(a->ledger.guess);
	free(a->ledger.shown);
}

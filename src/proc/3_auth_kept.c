#include "proc/3_auth_kept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/log.h"
#include "os/replace.h"

static struct kept *
kept_of(uv_timer_t *timer)
{
	return (struct kept *)((char *)timer - offsetof(struct kept, timer));
}

void
kept_open(struct kept *k, uv_loop_t *loop, const char *state_dir, const struct kept_file *file, void *arg)
{
	memset(k, 0, sizeof *k);
	k->file = file;
	k->arg = arg;
	(void)snprintf(k->path, sizeof k->path, "%s/auth/%s", state_dir, file->name);
	(void)snprintf(k->fresh, sizeof k->fresh, "%s/auth/%s.new", state_dir, file->name);
	(void)uv_timer_init(loop, &k->timer);
	k->timer.data = arg;
	k->work.data = k;
}

void
kept_set_aside(const struct kept *k, const char *event, const char *reason)
{
	char aside[KEPT_PATH_MAX + sizeof ".damaged"];
	struct log_line l;

	(void)snprintf(aside, sizeof aside, "%s.damaged", k->path);
	log_begin(&l, LOG_WARN, event);
	log_text(&l, "file", k->path);
	log_text(&l, "reason", reason);
	log_text(&l, "kept-as", rename(k->path, aside) == 0 ? aside : "");
	log_end(&l);
}

/* ---- out ---- */

static bool
format(struct kept *k)
{
	k->text = (struct buf){ NULL, 0, 0 };
	k->dirty = false;
	return k->file->format(k->arg, &k->text);
}

/* 0, or why not. */
static int
write_file(const struct kept *k)
{
	return file_replace(k->path, k->fresh, buf_span(&k->text)) ? 0 : errno;
}

/* A disk that is full stays full for a while: one line when it begins and one when it is over. */
static void
take_result(struct kept *k, int error)
{
	free(k->text.p);
	k->text = (struct buf){ NULL, 0, 0 };
	if (error != 0 && !k->failing)
		log_fail(k->file->event, k->file->failing, error);
	if (error == 0 && k->failing)
		log_say(LOG_NOTE, k->file->event, k->file->works);
	k->failing = error != 0;
	k->dirty |= k->failing;
}

static void begin_wait(struct kept *);

static void
work(uv_work_t *job)
{
	struct kept *k = job->data;

	k->error = write_file(k);
}

static void
worked(uv_work_t *job, int status)
{
	struct kept *k = job->data;

	take_result(k, status == 0 ? k->error : ECANCELED);
	k->writing = false;
	begin_wait(k);
	if (k->file->written != NULL)
		k->file->written(k->arg);
}

static void
on_timer(uv_timer_t *timer)
{
	struct kept *k = kept_of(timer);

	if (k->writing || !k->dirty)
		return;         /* worked() begins anew */
	if (!format(k)) {
		take_result(k, ENOMEM);
		begin_wait(k);
		return;
	}
	/* Fails only for a NULL function. */
	k->writing = uv_queue_work(timer->loop, &k->work, work, worked) == 0;
}

static void
begin_wait(struct kept *k)
{
	if (k->dirty && !uv_is_closing((uv_handle_t *)&k->timer) && !uv_is_active((uv_handle_t *)&k->timer))
		(void)uv_timer_start(&k->timer, on_timer, k->file->delay, 0);
}

void
kept_touch(struct kept *k)
{
	k->dirty = true;
	begin_wait(k);
}

void
kept_save(struct kept *k)
{
	if (k->dirty && !k->writing)
		take_result(k, format(k) ? write_file(k) : ENOMEM);
}

void
kept_close(struct kept *k, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&k->timer, closed);
}

/*
 * 6_milter: asks the milters of the configuration about each message before it is acknowledged.
 *
 * Reads octets of milters, which are programs of others, and of mail, which it shows to them; holds no secret; may, after its
 * promise, connect to what the configuration names and read mail by descriptor. It is started only when there are milters.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/log.h"
#include "proc/6_milter.h"
#include "proc/cage.h"

/* The promise. No file at all: a socket's path is not opened. Which sockets and ports, the configuration says. */
static void
narrow(const struct conf *conf, struct promise *out)
{
	for (uint32_t i = 0; i < conf->milters; i++) {
		out->calls |= conf->milter[i].local ? PROMISE_LOCAL : PROMISE_STREAMS;
		if (!conf->milter[i].local)
			out->port[out->ports++] = conf->milter[i].port;
	}
}

const struct cage milter_cage = {
	.user = "postern-milter",
	.narrow = narrow,
};

struct milters milters;

uint64_t
milters_now(void)
{
	return uv_now(&milters.child.loop);
}

/* ---- time ---- */

static void
on_sweep(uv_timer_t *timer)
{
	if (!milter_links_sweep())
		(void)uv_timer_stop(timer);
}

void
milters_busy(void)
{
	if (!uv_is_active((uv_handle_t *)&milters.sweep))
		(void)uv_timer_start(&milters.sweep, on_sweep, MILTER_SWEEP_MS, MILTER_SWEEP_MS);
}

/* ---- 4_spool ---- */

/* The master makes channels only for processes that begin: without one for long, our end is the way to a new one. */
static void
on_alone(uv_timer_t *timer)
{
	(void)timer;
	log_say(LOG_FAULT, "spool-gone", "no new channel to it came");
	exit(70);
}

/* Nobody waits for the answers any more. */
static void
forget_spool(void)
{
	if (milters.going && !milters.draining)
		(void)uv_timer_start(&milters.alone, on_alone, MILTER_ALONE_MS, 0);
	milters.spool = NULL;
	milter_jobs_forget();
	milter_links_drop();
	milter_files_gone();
}

static bool
on_segment(const struct frame *f)
{
	struct relay_segment m;

	if (!fields_parse(relay_segment_layout, f->body, &m))
		return false;
	if (f->type == FILTER_SEGMENT)
		milter_file_add(m.number, f->fd);
	else
		milter_file_gone(m.number);
	return true;
}

static bool
on_leave(struct span body)
{
	struct filter_leave m;

	if (!fields_parse(filter_leave_layout, body, &m) || m.talk == 0)
		return false;
	milter_links_leave(m.talk);
	return true;
}

static bool
take_message(const struct frame *f)
{
	switch (f->type) {
	case FILTER_SEGMENT:
	case FILTER_SEGMENT_GONE:
		return on_segment(f);
	case FILTER_ASK:
		return milter_job_begin(f->session, f->body);
	case FILTER_RCPT:
		return milter_job_rcpt(f->session, f->body);
	case FILTER_ASK_RCPT:
		return milter_probe_begin(f->session, f->body);
	case FILTER_LEAVE:
		return on_leave(f->body);
	case FILTER_CANCEL:
		return span_done(f->body) && milter_job_cancel(f->session);
	default:
		return false;
	}
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	(void)arg;
	if (milters.going && take_message(f))
		return;
	log_say(LOG_FAULT, "spool-broken", "it sent what the order does not allow");
	if (f->fd != -1)
		(void)close(f->fd);
	channel_close(c);
	forget_spool();
}

static void
on_gone(void *arg, struct channel *c)
{
	(void)arg;
	(void)c;
	forget_spool();
}

static void
on_drained(void *arg, struct channel *c)
{
	(void)arg;
	(void)c;
	milter_links_go_on();
}

static void
on_peer(void *arg, enum role role, uint32_t slot, int fd)
{
	static const struct channel_handler spool = { .message = on_message, .closed = on_gone, .drained = on_drained,
		.descriptor = message_has_descriptor };

	(void)arg;
	(void)slot;
	if (role != ROLE_SPOOL) {
		(void)close(fd);
		return;
	}
	if (milters.spool != NULL) {
		channel_close(milters.spool);
		forget_spool();
	}
	milters.spool = channel_open(&milters.child.loop, fd, &spool, NULL);
	if (milters.spool != NULL && milters.going)
		(void)uv_timer_stop(&milters.alone);
	if (milters.spool != NULL && !milters.going)
		channel_pause(milters.spool, true);
}

/* ---- the master ---- */

static void
configure(void)
{
	milters.conf = (struct milter_conf){ span_of(milters.child.conf.hostname.p), SPAN("Postern") };
}

static void
on_go(void *arg)
{
	(void)arg;
	(void)uv_timer_init(&milters.child.loop, &milters.sweep);
	(void)uv_timer_init(&milters.child.loop, &milters.alone);
	configure();
	milter_services_begin(&milters.child.conf);
	milters.going = true;
	if (milters.spool != NULL)
		channel_pause(milters.spool, false);
	child_ready(&milters.child);
}

/* Other milters take another process: a cage is never widened. */
static void
on_reload(void *arg)
{
	(void)arg;
	configure();
}

static void
on_drain(void *arg)
{
	(void)arg;
	milters.draining = true;
	(void)uv_timer_stop(&milters.alone);
	milter_jobs_forget();
	milter_links_drop();
	child_drained(&milters.child);
}

int
milter_main(uint32_t slot)
{
	static const struct child_handler handler = { .peer = on_peer, .go = on_go, .reload = on_reload, .drain = on_drain };

	return child_run(&milters.child, ROLE_MILTER, slot, &handler, NULL);
}

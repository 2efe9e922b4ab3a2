/*
 * fuzz/master_to_child.c - what a broken 0_master could say to a child: the order of proc/child.h, kept by the process's own file,
 * which is part of this program. The cage alone is left open, since it could not be left again.
 *
 * Whatever comes: GO once and after a configuration, RELOAD only after GO, descriptors where they belong, configurations whole.
 */
#include "../src/proc/child.c"

#include <string.h>

#include "frames.h"

static const uint16_t types[] = { MASTER_CONF, MASTER_CERTIFICATE, MASTER_TICKET_KEYS, MASTER_LISTEN, MASTER_PEER, MASTER_SECRET,
	MASTER_GO, MASTER_RELOAD, MASTER_DRAIN, MASTER_BACK, MASTER_PING, CHILD_READY, MASTER_DKIM };
static struct child child;
static unsigned gone, pings;
static bool drained, peered, arrived;   /* arrived: it was told to go, with a peer */

bool
cage_take(enum role role, const struct conf *conf)
{
	(void)role;
	return conf->hostname.p[0] != '\0';
}

/* Its log is not what this is about. */
void
log_target_open(const struct conf *conf, const char *who)
{
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };

	(void)conf;
	log_open(&quiet, who);
}

static void
take_listen(void *arg, const struct master_listen *m, int fd)
{
	(void)arg, (void)m;
	frames_insist(close(fd) == 0);
}

static void
take_peer(void *arg, enum role role, uint32_t slot, int fd)
{
	(void)arg, (void)slot;
	frames_insist(role < ROLE_MAX && close(fd) == 0);
	peered = true;
}

static void
take_certificate(void *arg, const struct master_certificate *m)
{
	(void)arg;
	frames_insist(m->chain.len <= CHANNEL_BODY_MAX && m->key.len <= CHANNEL_BODY_MAX);
}

static void
take_go(void *arg)
{
	static uint8_t text[64 * 1024], again[64 * 1024];
	struct buf a = BUF_OVER(text), b = BUF_OVER(again), why = { (uint8_t[300]){ 0 }, 0, 300 };
	struct conf copy;

	(void)arg;
	frames_insist(++gone == 1);
	arrived = arrived || peered;
	/* What is in force can be handed on, and means the same then. */
	frames_insist(conf_format(&child.conf, &a) && conf_parse(&copy, buf_span(&a), &why) && conf_format(&copy, &b));
	frames_insist(span_eq(buf_span(&a), buf_span(&b)));
}

static void
take_reload(void *arg)
{
	(void)arg;
	frames_insist(gone == 1);
}

static void
take_drain(void *arg)
{
	(void)arg;
	frames_insist(gone == 1 && !drained);
	drained = true;
	child_drained(&child);
}

static void
heard(const struct frames_one *f)
{
	frames_insist(f->body.len == 0 && (f->type == CHILD_DRAINED || (f->type == CHILD_PONG && pings-- > 0)));
}

static void
begin(int fd)
{
	static const struct channel_handler master = { .message = on_message, .closed = on_master_gone, .secret = message_is_secret,
		.descriptor = message_has_descriptor };
	static const struct child_handler handler = {
		.listen = take_listen, .peer = take_peer, .certificate = take_certificate, .go = take_go, .reload = take_reload,
		.drain = take_drain,
	};

	memset(&me, 0, sizeof me);
	me.child = &child;
	me.handler = &handler;
	child.role = ROLE_FRONT;
	conf_defaults(&child.conf);
	child.master = channel_open(&child.loop, fd, &master, NULL);
	frames_insist(child.master != NULL);
	gone = pings = 0;
	drained = peered = false;
}

bool
fuzz_arrived(void)
{
	return arrived;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool made;
	struct span in = { p, n };
	struct frames_one f;
	int fd[2];

	if (!made)
		frames_insist(uv_loop_init(&child.loop) == 0);
	made = true;
	log_target_open(NULL, "fuzz");
	frames_insist(channel_pair(fd));
	begin(fd[0]);
	while (!me.failed && !drained && frames_next(&in, types, sizeof types / sizeof types[0], &f)) {
		pings += f.type == MASTER_PING;
		if (!frames_write(fd[1], &f, -1))
			break;
		for (unsigned i = 0; i < 3; i++)
			(void)uv_run(&child.loop, UV_RUN_NOWAIT);
		if (!frames_read(fd[1], heard))
			break;
	}
	(void)close(fd[1]);
	channel_close(child.master);
	for (unsigned i = 0; i < 4; i++)
		(void)uv_run(&child.loop, UV_RUN_NOWAIT);
	return 0;
}

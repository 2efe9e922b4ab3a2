#include "dns/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void
on_answers(uv_poll_t *poll, int status, int events)
{
	struct resolver *r = poll->data;

	(void)status;
	(void)events;
	/* Calls the callbacks given to ub_resolve_async(); they may ask anew. */
	ub_process(r->ctx);
}

/* Deadlines are checked once a second: nobody needs them sharper, and one timer serves all. Each report may begin and cancel
 * look-ups, so the list is read anew after it. */
static void
on_clock(uv_timer_t *clock)
{
	struct resolver *r = clock->data;
	struct mx_lookup *l = r->lookups;

	while (l != NULL)
		l = mx_lookup_tick(l, uv_now(r->loop)) ? r->lookups : l->next;
	for (struct txt_lookup *t = r->texts; t != NULL;)
		t = txt_lookup_tick(t, uv_now(r->loop)) ? r->texts : txt_lookup_next(t);
	if (r->lookups == NULL && r->texts == NULL)
		uv_timer_stop(clock);
}

void
resolver_clock(struct resolver *r, bool at_once)
{
	if (at_once)
		uv_timer_start(&r->clock, on_clock, 0, 1000);
	else if (!uv_is_active((uv_handle_t *)&r->clock))
		uv_timer_start(&r->clock, on_clock, 1000, 1000);
}

static int
set_server(struct ub_ctx *ctx, const char *server, char asked[ASKED_MAX])
{
	int err;

	if (server == NULL || server[0] == 0) {
		/* No resolv.conf means that unbound itself asks from the root down. */
		err = ub_ctx_resolvconf(ctx, NULL);
		(void)snprintf(asked, ASKED_MAX, " (asked: %s)", err == 0 ? "the servers in /etc/resolv.conf" : "from the root down");
		ub_ctx_hosts(ctx, NULL);
		return 0;
	}
	(void)snprintf(asked, ASKED_MAX, " (asked: %.52s)", server);
	err = ub_ctx_set_option(ctx, "do-not-query-localhost:", "no");
	return err != 0 ? err : ub_ctx_set_fwd(ctx, server);
}

/* Questions without an answer yet, each with a descriptor of its own. The library's 16 are enough for sixteen domains whose servers are
 * silent to keep everybody else's questions waiting (tests/regress/0190). */
static void
set_range(char out[8])
{
	struct rlimit files;
	rlim_t most = RESOLVER_QUESTIONS;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 4 < most)
		most = files.rlim_cur / 4;
	(void)snprintf(out, 8, "%u", most < RESOLVER_QUESTIONS_LEAST ? RESOLVER_QUESTIONS_LEAST : (unsigned)most);
}

/* The ceilings of the cache: a relay's domains, not the world's. */
static int
set_limits(struct ub_ctx *ctx)
{
	char range[8];
	const char *const options[][2] = {
		{ "msg-cache-size:", "2m" },
		{ "rrset-cache-size:", "4m" },
		{ "key-cache-size:", "1m" },
		{ "cache-max-negative-ttl:", "300" },
		{ "infra-keep-probing:", "yes" },
		/* A resolver that is silent about some names is not taken for a dead one: what it owes one must not cost another. */
		{ "infra-host-ttl:", "0" },
		{ "outgoing-range:", range },
	};

	set_range(range);
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		/* An older libunbound may not know one of them; none is needed. */
		(void)ub_ctx_set_option(ctx, options[i][0], options[i][1]);
	return ub_ctx_debugout(ctx, NULL);
}

int
resolver_configure(struct ub_ctx *ctx, const struct resolver_conf *conf, char asked[ASKED_MAX])
{
	int err = set_limits(ctx);

	if (err == 0)
		err = set_server(ctx, conf->server, asked);
	if (err == 0 && conf->trust_anchor != NULL && conf->trust_anchor[0] != 0)
		err = ub_ctx_add_ta_file(ctx, conf->trust_anchor);
	if (err == 0)
		err = ub_ctx_async(ctx, 1);
	return err;
}

static void
on_closed(uv_handle_t *handle)
{
	struct resolver *r = handle->data;

	if (--r->open_handles == 0)
		free(r);
}

static bool
resolver_begin(struct resolver *r, uv_loop_t *loop, int fd)
{
	r->loop = loop;
	if (uv_poll_init(loop, &r->poll, fd) != 0)
		return false;
	uv_timer_init(loop, &r->clock);
	r->open_handles = 2;
	r->poll.data = r->clock.data = r;
	uv_poll_start(&r->poll, UV_READABLE, on_answers);
	return true;
}

struct resolver *
resolver_open(uv_loop_t *loop, const struct resolver_conf *conf, struct buf *why)
{
	struct resolver *r = calloc(1, sizeof *r);
	int err = UB_NOMEM;

	if (r == NULL || (r->ctx = ub_ctx_create()) == NULL)
		goto fail;
	err = resolver_configure(r->ctx, conf, r->asked);
	if (err == 0 && resolver_begin(r, loop, ub_fd(r->ctx)))
		return r;
fail:
	buf_put_text(why, err == 0 ? "the event loop refused the resolver" : ub_strerror(err));
	buf_terminate(why);
	if (r != NULL && r->ctx != NULL)
		ub_ctx_delete(r->ctx);
	free(r);
	return NULL;
}

void
resolver_close(struct resolver *r)
{
	if (r == NULL)
		return;
	while (r->lookups != NULL)
		mx_lookup_cancel(r->lookups);
	while (r->texts != NULL)
		txt_lookup_cancel(r->texts);
	uv_poll_stop(&r->poll);
	ub_ctx_delete(r->ctx);
	r->ctx = NULL;
	uv_close((uv_handle_t *)&r->poll, on_closed);
	uv_close((uv_handle_t *)&r->clock, on_closed);
}

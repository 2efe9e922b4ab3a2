/*
 * 5_relay - carries messages to their next hop.
 *
 * Reads from strangers: the next hop's TLS and SMTP, DNS answers. Holds: the smart host's password. May, after its promise:
 * connect, resolve, read mail by descriptor, fetch policies and keep them below STATE/relay, with the counts for TLS reports, and
 * write below one Maildir when that is the route.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/anchor.h"
#include "os/log.h"
#include "os/workers.h"
#include "proc/5_relay.h"
#include "proc/5_relay_report.h"
#include "proc/5_relay_sts.h"
#include "proc/cage.h"
#include "tls/fetch.h"

/* The promise. What TLS and the resolver read when the configuration is taken anew, and the Maildir when there is one. */
const struct cage relay_cage = {
	.user = "postern-relay",
	.calls = PROMISE_FILES | PROMISE_CONNECT | PROMISE_THREADS | PROMISE_LOCK,
	.root = {
		{ CAGE_CONF(relay.directory), "", PROMISE_READ | PROMISE_WRITE | PROMISE_MOVE, CAGE_OWN },
		{ CAGE_CONF(relay.directory), "/tmp", PROMISE_READ | PROMISE_WRITE, CAGE_OWN },
		{ CAGE_CONF(relay.directory), "/new", PROMISE_READ | PROMISE_WRITE, CAGE_OWN },
		{ CAGE_CONF(relay.directory), "/cur", PROMISE_READ | PROMISE_WRITE, CAGE_OWN },
		{ CAGE_CONF(state_dir), "/relay", PROMISE_READ | PROMISE_WRITE, CAGE_OWN },
		{ CAGE_CONF(state_dir), "/relay/mta-sts", PROMISE_READ | PROMISE_WRITE, CAGE_OWN },
		{ CAGE_CONF(state_dir), "/relay/tls-reports", PROMISE_READ | PROMISE_WRITE, CAGE_OWN },
		CAGE_TLS_AND_NAMES,
	},
};

static struct relay relay;

/* ---- the clock, and work that waits for the next turn of the loop ---- */

uint64_t
relay_now(struct relay *r)
{
	return uv_now(&r->child.loop);
}

static void
drained_check(struct relay *r)
{
	if (!r->draining || r->drained || r->connections > 0 || r->maildir_jobs > 0 || !relay_reports_gone(r))
		return;
	r->drained = true;
	child_drained(&r->child);
}

static void
on_soon(uv_timer_t *timer)
{
	struct relay *r = timer->data;

	drained_check(r);
	relay_destinations_pump(r);
}

/* Not at once: who calls is in the middle of something. */
void
relay_work_over(struct relay *r)
{
	if ((r->hungry || r->draining || r->maildir_jobs < RELAY_MAILDIR_JOBS) && !uv_is_active((uv_handle_t *)&r->soon))
		uv_timer_start(&r->soon, on_soon, 0, 0);
}

static void
on_clock(uv_timer_t *timer)
{
	struct relay *r = timer->data;

	relay_domains_sweep(r);
	relay_destinations_sweep(r);
	relay_destinations_pump(r);
	relay_sts_sweep(r);
	relay_dkim_sweep(r);
	if (r->draining && relay_now(r) >= r->drain_until)
		relay_connections_drop(r, false);
	drained_check(r);
	if (r->destinations == NULL && r->domains == NULL && !r->draining)
		uv_timer_stop(timer);
}

void
relay_clock_start(struct relay *r)
{
	if (!uv_is_active((uv_handle_t *)&r->clock))
		uv_timer_start(&r->clock, on_clock, 1000, 1000);
}

/* ---- 4_spool ---- */

/* The master makes channels only for processes that begin: without one for long, our end is the way to a new one. */
static void
on_alone(uv_timer_t *timer)
{
	struct relay *r = timer->data;

	log_say(LOG_FAULT, "spool-gone", "no new channel to it came");
	secret_wipe(&r->password);
	exit(70);
}

static void
forget_spool(struct relay *r)
{
	if (r->going && !r->draining)
		uv_timer_start(&r->alone, on_alone, RELAY_ALONE_MS, 0);
	r->spool = NULL;
	r->epoch++;
	if (r->receiving != NULL)
		relay_attempt_free(r->receiving);
	r->receiving = NULL;
	/* It will send them all again; what we dropped in time is not delivered twice. */
	relay_destinations_forget(r);
	relay_connections_drop(r, true);
	relay_file_all_gone(r);
	relay_report_deserted(r);
}

static void
on_spool_gone(void *arg, struct channel *c)
{
	(void)c;
	log_say(LOG_WARN, "spool-gone", "its attempts are forgotten until it is back");
	forget_spool(arg);
}

static bool
on_segment(struct relay *r, const struct frame *f)
{
	struct relay_segment m;

	if (!fields_parse(relay_segment_layout, f->body, &m))
		return false;
	if (f->type == RELAY_SEGMENT)
		relay_file_add(r, m.number, f->fd);
	else
		relay_file_gone(r, m.number);
	return true;
}

static bool
take_message(struct relay *r, const struct frame *f)
{
	switch (f->type) {
	case RELAY_SEGMENT:
	case RELAY_SEGMENT_GONE:
		return on_segment(r, f);
	case RELAY_TRY:
		return relay_attempt_begin(r, f->session, f->body);
	case RELAY_RCPT:
		return relay_attempt_rcpt(r, f->session, f->body);
	case RELAY_LETTER_TAKEN:
		return relay_report_taken(r, f->session, f->body);
	default:
		return false;
	}
}

static void
on_spool_message(void *arg, struct channel *c, const struct frame *f)
{
	if (take_message(arg, f))
		return;
	log_say(LOG_FAULT, "spool-broken", "it sent what the order does not allow");
	if (f->fd != -1)
		(void)close(f->fd);
	channel_close(c);
	forget_spool(arg);
}

static void
on_peer(void *arg, enum role role, uint32_t slot, int fd)
{
	static const struct channel_handler spool = { .message = on_spool_message, .closed = on_spool_gone, .descriptor = message_has_descriptor };
	struct relay *r = arg;

	(void)slot;
	if (role == ROLE_SIGNER) {
		relay_dkim_peer(r, fd);
		return;
	}
	if (role != ROLE_SPOOL) {
		(void)close(fd);
		return;
	}
	if (r->spool != NULL) {
		channel_close(r->spool);
		forget_spool(r);
	}
	r->spool = channel_open(&r->child.loop, fd, &spool, r);
	if (r->spool != NULL && r->going)
		uv_timer_stop(&r->alone);
}

/* ---- configuration ---- */

void
relay_trust_release(struct relay_trust *trust)
{
	if (trust == NULL || --trust->refs > 0)
		return;
	tls_client_free(trust->client);
	free(trust);
}

static struct relay_trust *
trust_new(const struct conf *conf)
{
	struct relay_trust *trust = calloc(1, sizeof *trust);
	char text[400] = "";
	struct buf why = BUF_OVER(text);

	if (trust == NULL)
		return NULL;
	trust->refs = 1;
	trust->client = tls_client_new(conf->relay_ca_file.p[0] != 0 ? conf->relay_ca_file.p : NULL, &why);
	if (trust->client != NULL)
		return trust;
	log_say(LOG_FAULT, "trust", text);
	free(trust);
	return NULL;
}

/* What a start-up puts up with: the mail waits, and the file may be mended. */
static void
judge_anchor(const char *file)
{
	char text[400] = "";
	struct buf why = BUF_OVER(text);
	struct log_line l;

	if (file[0] == 0 || dns_anchor_current(file, &why))
		return;
	log_begin(&l, LOG_FAULT, "trust-anchor-old");
	log_text(&l, "file", file);
	log_text(&l, "why", text);
	log_end(&l);
}

static struct resolver *
resolver_new(struct relay *r)
{
	struct resolver_conf conf = { r->child.conf.dns_server.p, r->child.conf.dns_trust_anchor.p };
	char text[200] = "";
	struct buf why = BUF_OVER(text);
	struct resolver *resolver = resolver_open(&r->child.loop, &conf, &why);

	if (resolver == NULL)
		log_say(LOG_FAULT, "resolver", text);
	judge_anchor(conf.trust_anchor);
	return resolver;
}

/* The CA files may have changed under the same name, so everything is read anew. */
static void
configure(struct relay *r)
{
	relay_reports_pause(r);
	relay_sts_pause(r);
	relay_trust_release(r->trust);
	r->trust = NULL;
	resolver_close(r->resolver);
	r->resolver = NULL;
	if (r->child.conf.relay.kind == CONF_RELAY_MAILDIR) {
		(void)relay_sts_configure(r);
		relay_reports_close(r);
		return;
	}
	if (r->child.conf.relay.kind == CONF_RELAY_MX && r->child.conf.dns_trust_anchor.p[0] == 0)
		log_say(LOG_NOTE, "dane-off", "without dns-trust-anchor no TLSA record can be validated, so none is asked for");
	r->trust = trust_new(&r->child.conf);
	child_judge_trust(&r->child);
	r->resolver = resolver_new(r);
	if (!relay_sts_configure(r)) {
		/* To send without them would be to send against them. */
		child_give_up(&r->child, "out of memory");
		return;
	}
	relay_reports_configure(r);
}

static void
on_secret(void *arg, struct span octets)
{
	struct relay *r = arg;

	if (!secret_set(&r->password, octets))
		log_say(LOG_FAULT, "relay-password", "longer than any password may be");
}

static void
on_dkim(void *arg, const struct master_dkim *m)
{
	struct relay *r = arg;

	if (!relay_dkim_keys_stage(m))
		child_give_up(&r->child, "the list of DKIM keys is out of order, or memory is short");
}

static void
on_go(void *arg)
{
	struct relay *r = arg;

	if (!workers_start(&r->child.loop)) {
		child_give_up(&r->child, "no threads to write files");
		return;
	}
	r->clock.data = r->soon.data = r->alone.data = r;
	uv_timer_init(&r->child.loop, &r->clock);
	uv_timer_init(&r->child.loop, &r->soon);
	uv_timer_init(&r->child.loop, &r->alone);
	uv_idle_init(&r->child.loop, &r->converter.turn);
	configure(r);
	relay_dkim_keys_take(r);
	r->going = true;
	child_ready(&r->child);
	relay_domains_sweep(r);
}

static void
on_reload(void *arg)
{
	struct relay *r = arg;

	/* Look-ups first: the resolver that they wait for goes. */
	relay_destinations_renew(r);
	configure(r);
	relay_dkim_keys_take(r);
	relay_connections_leave(r);
	relay_domains_sweep(r);
	relay_destinations_pump(r);
}

static void
on_drain(void *arg)
{
	struct relay *r = arg;

	r->draining = true;
	uv_timer_stop(&r->alone);
	r->drain_until = relay_now(r) + RELAY_DRAIN_MS;
	relay_destinations_forget(r);
	relay_connections_leave(r);
	relay_reports_close(r);
	relay_sts_save(r);
	relay_clock_start(r);
	relay_work_over(r);
}

int
relay_main(uint32_t slot)
{
	static const struct child_handler handler = {
		.peer = on_peer, .secret = on_secret, .dkim = on_dkim, .go = on_go, .reload = on_reload, .drain = on_drain,
	};
	char text[200];
	struct buf why = BUF_OVER(text);
	int status;

	relay.idle_last = &relay.idle;
	relay.hungry_last = &relay.hungry;
	/* What fails is said when somebody wants a policy: relay_sts_configure() asks again. */
	(void)fetch_library_load(&why);
	status = child_run(&relay.child, ROLE_RELAY, slot, &handler, &relay);
	secret_wipe(&relay.password);
	return status;
}

#include <stdlib.h>
#include <string.h>

#include "os/log.h"
#include "proc/5_relay.h"

/* ---- the table ---- */

static struct relay_destination **
bucket_of(struct relay *relay, struct span domain)
{
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < domain.len; i++)
		hash = (hash ^ ascii_lower(domain.p[i])) * 16777619;
	return &relay->bucket[hash % RELAY_DESTINATION_BUCKETS];
}

static struct relay_destination *
destination_find(struct relay *relay, struct span domain, enum transport_need need)
{
	struct relay_destination *d = *bucket_of(relay, domain);

	while (d != NULL && (d->need != need || !span_same(span_of(d->domain), domain)))
		d = d->bucket_next;
	return d;
}

static struct relay_destination *
destination_new(struct relay *relay, struct span domain, enum transport_need need)
{
	struct relay_destination *d = calloc(1, sizeof *d);
	struct relay_destination **bucket = bucket_of(relay, domain);

	if (d == NULL)
		return NULL;
	d->relay = relay;
	d->need = need;
	for (size_t i = 0; i < domain.len; i++)
		d->domain[i] = (char)ascii_lower(domain.p[i]);
	d->last = &d->first;
	d->good = UINT32_MAX;
	d->limit = RELAY_LIMIT_FIRST;
	d->bucket_next = *bucket;
	*bucket = d;
	d->next = relay->destinations;
	relay->destinations = d;
	relay_clock_start(relay);
	return d;
}

void
relay_hosts_release(struct relay_hosts *hosts)
{
	if (hosts == NULL || --hosts->refs > 0)
		return;
	free(hosts->sts);
	free(hosts);
}

static void
forget_hosts(struct relay_destination *d)
{
	relay_hosts_release(d->hosts);
	d->hosts = NULL;
	d->sts_known = false;
	d->good = UINT32_MAX;
}

static void
destination_free(struct relay_destination *d)
{
	struct relay_destination **at = bucket_of(d->relay, span_of(d->domain));

	while (*at != d)
		at = &(*at)->bucket_next;
	*at = d->bucket_next;
	mx_lookup_cancel(d->lookup);
	relay_sts_forget(d);
	relay_hosts_release(d->hosts);
	free(d);
}

/* ---- the waiting ones ---- */

/* Behind those that are as urgent (RFC 6710 4.2); 4_spool gives us no more than a window of them. */
static void
enqueue(struct relay_destination *d, struct relay_attempt *a)
{
	struct relay_attempt **at = d->last;

	if (a->facts.priority != 0)
		for (at = &d->first; *at != NULL && (int32_t)(*at)->facts.priority >= (int32_t)a->facts.priority;)
			at = &(*at)->next;
	a->next = *at;
	*at = a;
	if (a->next == NULL)
		d->last = &a->next;
	d->waiting++;
}

struct relay_attempt *
relay_destination_take(struct relay_destination *d)
{
	struct relay_attempt *a = d->first;

	if (a == NULL)
		return NULL;
	d->first = a->next;
	if (d->first == NULL)
		d->last = &d->first;
	d->waiting--;
	a->next = NULL;
	return a;
}

void
relay_destination_put_back(struct relay_destination *d, struct relay_attempt *a)
{
	a->next = d->first;
	d->first = a;
	if (a->next == NULL)
		d->last = &a->next;
	d->waiting++;
}

static void
fail_waiting(struct relay_destination *d, const struct relay_reason *reason)
{
	struct relay_attempt *a;

	while ((a = relay_destination_take(d)) != NULL)
		relay_attempt_fail(a, reason);
}

void
relay_destination_add(struct relay *relay, struct relay_attempt *a)
{
	struct relay_destination *d = NULL;
	struct relay_reason reason = { .class = SMTP_CLASS_LATER };
	enum transport_need need = relay_need(&a->facts);

	if (relay->draining) {
		relay_attempt_finish(a);
		return;
	}
	if (!relay_extents_valid(&a->facts)) {
		relay_reason_set(&reason, SMTP_CLASS_LATER, 0, "4.3.0", "the spool's description of the content is wrong");
		relay_attempt_fail(a, &reason);
		return;
	}
	d = destination_find(relay, a->facts.destination, need);
	if (d == NULL)
		d = destination_new(relay, a->facts.destination, need);
	if (d == NULL) {
		relay_attempt_finish(a);
		return;
	}
	enqueue(d, a);
	relay_destination_pump(d);
}

/* ---- where it is ---- */

static bool
hosts_fresh(struct relay_destination *d)
{
	if (d->hosts != NULL && relay_now(d->relay) < d->hosts_until)
		return true;
	forget_hosts(d);
	return false;
}

static bool
keep_hosts(struct relay_destination *d, const struct mx_list *list)
{
	uint64_t keep = list->ttl < RELAY_HOSTS_MS / 1000 ? (uint64_t)list->ttl * 1000 : RELAY_HOSTS_MS;

	forget_hosts(d);
	d->hosts = calloc(1, sizeof *d->hosts);
	if (d->hosts == NULL)
		return false;
	d->hosts->refs = 1;
	d->hosts->list = *list;
	/* Long enough for the connections that are opened because of it. */
	d->hosts_until = relay_now(d->relay) + (keep > 1000 ? keep : 1000);
	return true;
}

/* 5321-61: only what may change by itself is tried again. A smart host is the operator's to put right: its mail waits. */
static void
refused_by_dns(struct relay_destination *d, const struct mx_list *list)
{
	bool later = list->verdict == MX_LATER || d->relay->child.conf.relay.kind == CONF_RELAY_SMART_HOST;
	struct relay_reason reason = { .stage = SMTP_STAGE_GREETING };

	relay_reason_set(&reason, later ? SMTP_CLASS_LATER : SMTP_CLASS_NEVER, mx_code(list->verdict),
	    later ? "4.4.3" : mx_enhanced(list->verdict), list->words);
	if (later)
		reason.code = 0;
	fail_waiting(d, &reason);
}

static void
on_hosts(void *arg, const struct mx_list *list)
{
	struct relay_destination *d = arg;

	d->lookup = NULL;
	if (list->verdict != MX_FOUND) {
		refused_by_dns(d, list);
		return;
	}
	if (keep_hosts(d, list))
		relay_destination_pump(d);
}

static void
find_hosts(struct relay_destination *d)
{
	const struct conf *conf = &d->relay->child.conf;
	bool smart = conf->relay.kind == CONF_RELAY_SMART_HOST;
	struct mx_question q = { .domain = smart ? span_of(conf->relay.host.p) : span_of(d->domain),
		.self = span_of(conf->hostname.p), .host_only = smart,
		.tlsa_port = smart ? conf->relay.port : (uint16_t)conf->relay_port };
	struct mx_list list = { .verdict = MX_LATER, .words = "there is no resolver; see the log of its start" };

	if (d->lookup != NULL)
		return;
	/* Where no record would change anything none is waited for. */
	if (d->need == TRANSPORT_NEED_DELIVERY || relay_hop(conf) == TRANSPORT_HOP_FIXED_TLS)
		q.tlsa_port = 0;
	if (mx_literal(q.domain, &list) || d->relay->resolver == NULL)
		on_hosts(d, &list);
	else
		d->lookup = mx_lookup_begin(d->relay->resolver, &q, on_hosts, d);
}

/* ---- doing it ---- */

static struct relay_connection *
idle_connection(const struct relay_destination *d)
{
	for (struct relay_connection *k = d->connections; k != NULL; k = k->next)
		if (k->state == RELAY_IDLE)
			return k;
	return NULL;
}

/* Somebody else's idle connection makes room for ours. */
static bool
have_slot(struct relay *relay)
{
	if (relay->connections < relay->child.conf.relay_connections)
		return true;
	relay->hungry = true;
	for (struct relay_destination *d = relay->destinations; d != NULL; d = d->next) {
		struct relay_connection *k = idle_connection(d);

		if (k != NULL) {
			relay_connection_leave(k);
			break;
		}
	}
	return false;
}

static bool
may_open(struct relay_destination *d)
{
	uint32_t most = d->relay->child.conf.relay_concurrency;

	if (most == 0)
		most = 1;
	return d->opening < d->waiting && d->open < (d->limit < most ? d->limit : most);
}

/* "TLS-Required: No" asks nobody, a smart host whose TLS is demanded anyway need not be asked (sts-10). */
static bool
policy_known(struct relay_destination *d)
{
	if (!d->sts_known && (d->need == TRANSPORT_NEED_DELIVERY || d->hosts->list.literal ||
	    relay_hop(&d->relay->child.conf) == TRANSPORT_HOP_FIXED_TLS || d->relay->policies == NULL))
		d->sts_known = true;
	if (!d->sts_known)
		d->sts_known = relay_sts_ask(d);
	return d->sts_known;
}

static void
open_connections(struct relay_destination *d)
{
	while (may_open(d)) {
		if (!hosts_fresh(d)) {
			find_hosts(d);
			/* An address literal is there at once, and on_hosts() has come back to us. */
			return;
		}
		if (!policy_known(d))
			return;
		if (!have_slot(d->relay) || !relay_connection_open(d))
			return;
	}
}

static void
pump_smtp(struct relay_destination *d)
{
	struct relay_connection *k;

	if (d->domain[0] == 0 && d->relay->child.conf.relay.kind == CONF_RELAY_MX) {
		struct relay_reason reason = { .stage = SMTP_STAGE_GREETING };

		relay_reason_set(&reason, SMTP_CLASS_LATER, 0, "4.3.5", "the way to deliver has just been changed");
		fail_waiting(d, &reason);
	}
	while (d->waiting > 0 && (k = idle_connection(d)) != NULL)
		relay_talk_carry(k, relay_destination_take(d));
	if (d->waiting > 0 && d->open == 0 && relay_now(d->relay) < d->down_until)
		fail_waiting(d, &d->down);
	open_connections(d);
}

void
relay_destination_pump(struct relay_destination *d)
{
	if (d->relay->draining || !d->relay->going)
		return;
	if (d->relay->child.conf.relay.kind == CONF_RELAY_MAILDIR)
		relay_maildir_pump(d);
	else
		pump_smtp(d);
}

/* ---- what connections tell ---- */

void
relay_destination_ready(struct relay_destination *d, const struct relay_connection *k)
{
	d->down_times = 0;
	d->down_until = 0;
	if (k->hosts == d->hosts)
		d->good = k->at;
}

void
relay_destination_success(struct relay_destination *d)
{
	if (d->limit < d->relay->child.conf.relay_concurrency)
		d->limit++;
}

/* For half of the first retry's interval, then twice as long each time. */
static void
remember_down(struct relay_destination *d, const struct relay_reason *reason)
{
	uint64_t hold = (uint64_t)d->relay->child.conf.retry_first * 500;

	hold <<= d->down_times < 10 ? d->down_times : 10;
	if (hold > RELAY_DOWN_MAX_MS)
		hold = RELAY_DOWN_MAX_MS;
	d->down = *reason;
	d->down_times++;
	d->down_until = relay_now(d->relay) + hold;
}

void
relay_destination_refused(struct relay_destination *d, const struct relay_reason *reason)
{
	d->limit = d->limit > 1 ? d->limit / 2 : 1;
	forget_hosts(d);
	if (reason->policy == TRANSPORT_STS)
		relay_sts_doubt(d);
	if (d->open > 0)
		return;                 /* the others may still carry what waits */
	remember_down(d, reason);
	fail_waiting(d, reason);
}

/* ---- all of them ---- */

static void
sweep_connections(struct relay_destination *d, uint64_t now)
{
	struct relay_connection *next;

	for (struct relay_connection *k = d->connections; k != NULL; k = next) {
		next = k->next;
		if (now >= k->deadline) {
			relay_connection_expire(k);
			next = d->connections;  /* it may have taken others with it */
		}
	}
}

static bool
idle(const struct relay_destination *d, uint64_t now)
{
	return d->connections == NULL && d->waiting == 0 && d->lookup == NULL && d->sts == NULL && now >= d->down_until &&
	    (d->hosts == NULL || now >= d->hosts_until);
}

void
relay_destinations_sweep(struct relay *relay)
{
	uint64_t now = relay_now(relay);

	for (struct relay_destination *d = relay->destinations; d != NULL; d = d->next) {
		sweep_connections(d, now);
		if (d->waiting > 0)
			relay_destination_pump(d);
	}
	for (struct relay_destination **at = &relay->destinations; *at != NULL;) {
		struct relay_destination *d = *at;

		if (idle(d, now)) {
			*at = d->next;
			destination_free(d);
		} else {
			at = &d->next;
		}
	}
}

/* 4_spool hears that they are over, when it is there to hear. */
void
relay_destinations_forget(struct relay *relay)
{
	for (struct relay_destination *d = relay->destinations; d != NULL; d = d->next) {
		struct relay_attempt *a;

		while ((a = relay_destination_take(d)) != NULL)
			relay_attempt_finish(a);
	}
}

void
relay_destinations_renew(struct relay *relay)
{
	for (struct relay_destination *d = relay->destinations; d != NULL; d = d->next) {
		mx_lookup_cancel(d->lookup);
		d->lookup = NULL;
		relay_sts_forget(d);
		forget_hosts(d);
		d->down_until = 0;
	}
}

void
relay_destinations_pump(struct relay *relay)
{
	relay->hungry = false;
	for (struct relay_destination *d = relay->destinations; d != NULL; d = d->next)
		if (d->waiting > 0)
			relay_destination_pump(d);
}

/* The first connection of all that is chosen; each use changes the lists, so the search begins anew. */
static struct relay_connection *
connection_find(struct relay *relay, bool (*chosen)(const struct relay_connection *))
{
	for (struct relay_destination *d = relay->destinations; d != NULL; d = d->next)
		for (struct relay_connection *k = d->connections; k != NULL; k = k->next)
			if (chosen(k))
				return k;
	return NULL;
}

static bool
any(const struct relay_connection *k)
{
	(void)k;
	return true;
}

static bool
carries(const struct relay_connection *k)
{
	return k->attempt != NULL;
}

static bool
stays(const struct relay_connection *k)
{
	return !k->last;
}

void
relay_connections_drop(struct relay *relay, bool busy_only)
{
	struct relay_connection *k;

	while ((k = connection_find(relay, busy_only ? carries : any)) != NULL)
		relay_connection_drop(k);
}

void
relay_connections_leave(struct relay *relay)
{
	struct relay_connection *k;
	bool was_going = relay->going;

	/* None may be opened meanwhile, or this would not end. */
	relay->going = false;
	while ((k = connection_find(relay, stays)) != NULL)
		relay_connection_leave(k);
	relay->going = was_going;
}

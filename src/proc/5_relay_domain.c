/* From a recipient's domain to the hosts that take its mail, anew for each attempt that finds what is known too old. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "os/log.h"
#include "proc/5_relay.h"
#include "proc/5_relay_sts.h"

/* ---- the table ---- */

static struct relay_domain **
bucket_of(struct relay *relay, struct span domain)
{
	return &relay->domain_bucket[hash_of_folded(domain) % RELAY_DOMAIN_BUCKETS];
}

static bool
same_source(const struct conf_addresses *a, const struct conf_addresses *b)
{
	return a->v4 == b->v4 && a->v6 == b->v6 && memcmp(a->address4, b->address4, 4) == 0 &&
	    memcmp(a->address6, b->address6, 16) == 0;
}

static struct relay_domain *
domain_find(struct relay *relay, struct span name, enum transport_need need, const struct conf_addresses *source)
{
	struct relay_domain *d = *bucket_of(relay, name);

	while (d != NULL && (d->need != need || !same_source(&d->source, source) || !span_same(span_of(d->domain), name)))
		d = d->bucket_next;
	return d;
}

static struct relay_domain *
domain_new(struct relay *relay, struct span name, enum transport_need need, const struct conf_addresses *source)
{
	struct relay_domain *d = calloc(1, sizeof *d);
	struct relay_domain **bucket = bucket_of(relay, name);

	if (d == NULL)
		return NULL;
	d->relay = relay;
	d->need = need;
	d->source = *source;
	for (size_t i = 0; i < name.len; i++)
		d->domain[i] = (char)ascii_lower(name.p[i]);
	d->last = &d->first;
	d->bucket_next = *bucket;
	*bucket = d;
	d->next = relay->domains;
	relay->domains = d;
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
forget_hosts(struct relay_domain *d)
{
	relay_hosts_release(d->hosts);
	d->hosts = NULL;
	d->sts_known = false;
}

static void
forget_way(struct relay_domain *d)
{
	if (d->to != NULL)
		d->to->domains--;
	d->to = NULL;
}

static void
domain_free(struct relay_domain *d)
{
	struct relay_domain **at = bucket_of(d->relay, span_of(d->domain));

	while (*at != d)
		at = &(*at)->bucket_next;
	*at = d->bucket_next;
	mx_lookup_cancel(d->lookup);
	relay_sts_forget(d);
	forget_hosts(d);
	forget_way(d);
	free(d);
}

/* ---- the waiting ones ---- */

static struct relay_attempt *
take(struct relay_domain *d)
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

static void
fail_waiting(struct relay_domain *d, const struct relay_reason *reason)
{
	struct relay_attempt *a;

	while ((a = take(d)) != NULL)
		relay_attempt_fail(a, reason);
}

void
relay_domain_add(struct relay *relay, struct relay_attempt *a)
{
	struct relay_reason reason = { .class = SMTP_CLASS_LATER };
	enum transport_need need = relay_need(&a->facts);
	struct conf_addresses source = relay_source(&relay->child.conf, a->facts.login, a->facts.reverse_path);
	struct relay_domain *d;

	if (relay->draining) {
		relay_attempt_finish(a);
		return;
	}
	if (!relay_extents_valid(&a->facts)) {
		relay_reason_set(&reason, SMTP_CLASS_LATER, 0, "4.3.0", "the spool's description of the content is wrong");
		relay_attempt_fail(a, &reason);
		return;
	}
	/* A name is text here; what ends in its middle would be looked for where it is not. */
	if (span_find(a->facts.destination, '\0') < a->facts.destination.len) {
		relay_reason_set(&reason, SMTP_CLASS_NEVER, 0, "5.1.2", "the recipient's domain is no name");
		relay_attempt_fail(a, &reason);
		return;
	}
	d = domain_find(relay, a->facts.destination, need, &source);
	if (d == NULL)
		d = domain_new(relay, a->facts.destination, need, &source);
	if (d == NULL) {
		relay_attempt_finish(a);
		return;
	}
	if ((a->facts.flags & MAIL_HURRIED) != 0 && d->to != NULL)
		relay_destination_hurry(d->to);
	a->next = NULL;
	*d->last = a;
	d->last = &a->next;
	d->waiting++;
	relay_domain_pump(d);
}

/* ---- where it is ---- */

static bool
keep_hosts(struct relay_domain *d, const struct mx_list *list)
{
	uint64_t keep = list->ttl < RELAY_HOSTS_MS / 1000 ? (uint64_t)list->ttl * 1000 : RELAY_HOSTS_MS;

	forget_hosts(d);
	d->hosts = calloc(1, sizeof *d->hosts);
	if (d->hosts == NULL)
		return false;
	d->hosts->refs = 1;
	d->hosts->list = *list;
	/* Long enough for the connections that are opened because of it. */
	d->until = relay_now(d->relay) + (keep > 1000 ? keep : 1000);
	return true;
}

/* 5321-61: only what may change by itself is tried again. A smart host is the operator's to put right: its mail waits. */
static void
refused_by_dns(struct relay_domain *d, const struct mx_list *list)
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
	struct relay_domain *d = arg;

	d->lookup = NULL;
	if (list->verdict != MX_FOUND) {
		refused_by_dns(d, list);
		return;
	}
	if (keep_hosts(d, list))
		relay_domain_pump(d);
}

static void
find_hosts(struct relay_domain *d)
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

/* "TLS-Required: No" asks nobody, a smart host whose TLS is demanded anyway need not be asked (sts-10). */
static bool
policy_known(struct relay_domain *d)
{
	if (!d->sts_known && (d->need == TRANSPORT_NEED_DELIVERY || d->hosts->list.literal ||
	    relay_hop(&d->relay->child.conf) == TRANSPORT_HOP_FIXED_TLS || d->relay->policies == NULL))
		d->sts_known = true;
	if (!d->sts_known)
		d->sts_known = relay_sts_ask(d);
	return d->sts_known;
}

/* Hosts and policy are known: whose they are. */
static void
find_way(struct relay_domain *d)
{
	struct relay_destination *to = relay_destination_of(d, d->hosts, d->until);

	forget_hosts(d);
	forget_way(d);
	if (to == NULL)
		return;
	to->domains++;
	d->to = to;
}

static bool
way_known(const struct relay_domain *d)
{
	return d->to != NULL && !d->to->stale && relay_now(d->relay) < d->until;
}

/* Does it stand where it is, in the middle of a conversation with DNS or policy host? */
static bool
asking(struct relay_domain *d)
{
	if (d->hosts == NULL)
		find_hosts(d);
	/* An address literal is there at once, and on_hosts() has come back to us. */
	if (d->hosts == NULL)
		return true;
	return !policy_known(d);
}

void
relay_domain_pump(struct relay_domain *d)
{
	struct relay_destination *to;
	struct relay_attempt *a;

	if (d->relay->draining || !d->relay->going || d->waiting == 0)
		return;
	if (d->domain[0] == 0 && d->relay->child.conf.relay.kind == CONF_RELAY_MX) {
		struct relay_reason reason = { .stage = SMTP_STAGE_GREETING };

		relay_reason_set(&reason, SMTP_CLASS_LATER, 0, "4.3.5", "the way to deliver has just been changed");
		fail_waiting(d, &reason);
		return;
	}
	if (d->to != NULL && relay_destination_down(d->to)) {
		fail_waiting(d, &d->to->down);
		return;
	}
	if (!way_known(d)) {
		if (d->relay->child.conf.relay.kind != CONF_RELAY_MAILDIR && asking(d))
			return;
		find_way(d);
	}
	to = d->to;
	while (to != NULL && (a = take(d)) != NULL)
		relay_destination_add(to, a);
	if (to != NULL)
		relay_destination_pump(to);
}

/* ---- all of them ---- */

static bool
idle(const struct relay_domain *d, uint64_t now)
{
	return d->waiting == 0 && d->lookup == NULL && d->sts == NULL && (d->to == NULL || now >= d->until || d->to->stale)
	    && (d->to == NULL || now >= d->to->down_until);
}

void
relay_domains_sweep(struct relay *relay)
{
	uint64_t now = relay_now(relay);

	for (struct relay_domain *d = relay->domains; d != NULL; d = d->next)
		if (d->waiting > 0 && d->lookup == NULL && d->sts == NULL)
			relay_domain_pump(d);
	for (struct relay_domain **at = &relay->domains; *at != NULL;) {
		struct relay_domain *d = *at;

		if (idle(d, now)) {
			*at = d->next;
			domain_free(d);
		} else {
			at = &d->next;
		}
	}
}

/* 4_spool hears that they are over, when it is there to hear. */
void
relay_domains_forget(struct relay *relay)
{
	for (struct relay_domain *d = relay->domains; d != NULL; d = d->next) {
		struct relay_attempt *a;

		while ((a = take(d)) != NULL)
			relay_attempt_finish(a);
	}
}

void
relay_domains_renew(struct relay *relay)
{
	for (struct relay_domain *d = relay->domains; d != NULL; d = d->next) {
		mx_lookup_cancel(d->lookup);
		d->lookup = NULL;
		relay_sts_forget(d);
		forget_hosts(d);
		forget_way(d);
	}
}

void
relay_domains_doubt(struct relay_destination *to)
{
	for (struct relay_domain *d = to->relay->domains; d != NULL; d = d->next)
		if (d->to == to)
			relay_sts_doubt(d);
}

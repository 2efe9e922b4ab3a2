/* A set of hosts under one policy: who waits for it, how much it gets at once, and what is known of it. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "os/log.h"
#include "proc/5_relay.h"
#include "proc/5_relay_sts.h"

/* ---- the table ---- */

static struct relay_destination **
bucket_of(struct relay *relay, struct span key)
{
	return &relay->bucket[hash_of(key) % RELAY_DESTINATION_BUCKETS];
}

static struct relay_destination *
destination_new(const struct relay_domain *from, const struct relay_hosts *hosts, struct span key)
{
	struct relay *relay = from->relay;
	struct relay_destination *d = calloc(1, sizeof *d);
	struct relay_destination **bucket = bucket_of(relay, key);
	const struct conf_limit *l = relay_limit_of(from, hosts);

	if (d == NULL || (d->key = malloc(key.len)) == NULL) {
		free(d);
		return NULL;
	}
	memcpy(d->key, key.p, key.len);
	memcpy(d->domain, from->domain, sizeof d->domain);
	d->key_len = key.len;
	d->relay = relay;
	d->need = from->need;
	d->source = from->source;
	d->good = UINT32_MAX;
	d->limit = RELAY_LIMIT_FIRST;
	d->rate = l != NULL ? l->rate : 0;
	d->most = l != NULL && l->connections > 0 ? l->connections : relay->child.conf.relay_concurrency;
	d->bucket_next = *bucket;
	*bucket = d;
	d->next = relay->destinations;
	relay->destinations = d;
	relay_clock_start(relay);
	return d;
}

static void
forget_hosts(struct relay_destination *d)
{
	relay_hosts_release(d->hosts);
	d->hosts = NULL;
	d->good = UINT32_MAX;
}

struct relay_destination *
relay_destination_of(struct relay_domain *from, struct relay_hosts *hosts, uint64_t until)
{
	uint8_t octets[RELAY_KEY_MAX];
	struct buf key = BUF_OVER(octets);
	struct relay_destination *d;

	relay_key_make(from, hosts, &key);
	d = *bucket_of(from->relay, buf_span(&key));
	while (d != NULL && !span_eq((struct span){ d->key, d->key_len }, buf_span(&key)))
		d = d->bucket_next;
	if (d == NULL)
		d = destination_new(from, hosts, buf_span(&key));
	if (d == NULL)
		return NULL;
	/* What was learnt of addresses is kept as long as they are. */
	if (hosts != NULL && (d->hosts == NULL || d->stale || relay_now(d->relay) >= d->hosts_until)) {
		forget_hosts(d);
		d->hosts = hosts;
		hosts->refs++;
		d->hosts_until = until;
	}
	d->stale = false;
	return d;
}

static void
destination_free(struct relay_destination *d)
{
	struct relay_destination **at = bucket_of(d->relay, (struct span){ d->key, d->key_len });

	while (*at != d)
		at = &(*at)->bucket_next;
	*at = d->bucket_next;
	relay_hosts_release(d->hosts);
	free(d->key);
	free(d);
}

/* ---- the waiting ones ---- */

void
relay_destination_add(struct relay_destination *d, struct relay_attempt *a)
{
	if (!relay_line_add(d, a))
		relay_attempt_finish(a);
}

void
relay_destination_put_back(struct relay_destination *d, struct relay_attempt *a)
{
	if (!relay_line_put_back(d, a))
		relay_attempt_finish(a);
}

static void
fail_waiting(struct relay_destination *d, const struct relay_reason *reason)
{
	struct relay_attempt *a;

	while ((a = relay_line_take(d)) != NULL)
		relay_attempt_fail(a, reason);
}

/* How its hosts are called, or what its policy is, is not known any more: back to where that is asked. */
static void
disperse(struct relay_destination *d)
{
	struct relay_attempt *first = NULL, **last = &first, *a;

	d->stale = true;
	while ((a = relay_line_take(d)) != NULL) {
		*last = a;
		last = &a->next;
	}
	while ((a = first) != NULL) {
		first = a->next;
		relay_domain_add(d->relay, a);
	}
}

/* ---- its pace ---- */

static uint64_t
clock_us(void)
{
	return uv_hrtime() / 1000;
}

/* May one more go now? A rate is an even pace with a second's slack, so that waking up once a second loses nothing. */
static bool
rate_allows(const struct relay_destination *d)
{
	return d->rate == 0 || d->rate_due <= clock_us() + RELAY_RATE_SLACK_US;
}

static void
rate_count(struct relay_destination *d)
{
	uint64_t now = clock_us();

	if (d->rate == 0)
		return;
	d->rate_due = (d->rate_due > now ? d->rate_due : now) + UINT64_C(60000000) / d->rate;
}

struct relay_attempt *
relay_destination_take(struct relay_destination *d)
{
	struct relay_attempt *a = rate_allows(d) ? relay_line_take(d) : NULL;

	if (a != NULL)
		rate_count(d);
	return a;
}

/* As many connections as it may have now: one until somebody has answered. */
static uint32_t
limit_now(const struct relay_destination *d)
{
	uint32_t most = d->most > 0 ? d->most : 1;

	if (!d->proven)
		return 1;
	if (relay_now(d->relay) < d->enough_until && d->enough < most)
		most = d->enough;
	return d->limit < most ? d->limit : most;
}

static bool
wants_connection(const struct relay_destination *d)
{
	return d->opening < d->waiting && d->open < limit_now(d) && rate_allows(d);
}

/* ---- places for connections, which all destinations share ---- */

/* Those that are not ready yet may be waiting for somebody who is not there: half of the places are for others. */
static bool
have_place(const struct relay *relay)
{
	uint32_t most = relay->child.conf.relay_connections;

	return relay->connections < most && relay->opening < (most + 1) / 2;
}

uint32_t
relay_destination_opener(const struct relay_destination *d)
{
	return d->turn == NULL ? 0 : d->turn->principal % RELAY_OPENERS;
}

/* And half of those are for other principals than the one whose mail it is. So is a quarter of all: who is ready may be slow. */
static bool
have_share(const struct relay_destination *d)
{
	const struct relay *relay = d->relay;
	uint32_t who = relay_destination_opener(d), most = relay->child.conf.relay_connections;

	return relay->opening_of[who] < (most + 3) / 4 && relay->opening_of[who] + relay->carrying_of[who] < (most * 3 + 3) / 4;
}

/* Somebody's idle connection makes room. One at a time: each that ends brings us here again. */
static void
make_room(struct relay *relay)
{
	if (relay->connections >= relay->child.conf.relay_connections && relay->leaving == 0 && relay->idle != NULL)
		relay_connection_leave(relay->idle);
}

static void
go_hungry(struct relay_destination *d)
{
	struct relay *relay = d->relay;

	make_room(relay);
	if (d->hungry)
		return;
	d->hungry = true;
	d->hungry_next = NULL;
	*relay->hungry_last = d;
	relay->hungry_last = &d->hungry_next;
	relay->hungries++;
}

/* The share of one destination while others have nothing. */
bool
relay_destination_yields(const struct relay_destination *d, const struct relay_connection *k)
{
	const struct relay *relay = d->relay;
	uint32_t share;

	/* Not for one that is not ready: nobody knows whether it will be. */
	if (d->open - d->opening > limit_now(d))
		return true;
	if (relay->hungry == NULL || relay->connections < relay->child.conf.relay_connections)
		return false;
	share = relay->child.conf.relay_connections / (relay->busy + 1);
	return d->open > (share > 1 ? share : 1) || relay_now(d->relay) - k->born > RELAY_TURN_MS;
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

/* False: not now. */
static bool
open_one(struct relay_destination *d)
{
	if (!d->stale && d->hosts != NULL && relay_now(d->relay) < d->hosts_until)
		return relay_connection_open(d);
	disperse(d);
	return false;
}

static void
open_connections(struct relay_destination *d)
{
	while (wants_connection(d)) {
		/* Where others stand in line we stand behind them. */
		if (!have_place(d->relay) || !have_share(d) || d->relay->hungry != NULL) {
			go_hungry(d);
			if (have_place(d->relay) && have_share(d))
				relay_work_over(d->relay);
			return;
		}
		if (!open_one(d))
			return;
	}
}

static void
use_idle(struct relay_destination *d)
{
	struct relay_connection *k;
	struct relay_attempt *a;

	while (d->waiting > 0 && (k = idle_connection(d)) != NULL && (a = relay_destination_take(d)) != NULL)
		relay_talk_carry(k, a);
	if (d->waiting > 0 && relay_destination_down(d))
		fail_waiting(d, &d->down);
}

void
relay_destination_pump(struct relay_destination *d)
{
	if (d->relay->draining || !d->relay->going)
		return;
	if (d->relay->child.conf.relay.kind == CONF_RELAY_MAILDIR) {
		relay_maildir_pump(d);
		return;
	}
	use_idle(d);
	open_connections(d);
}

static struct relay_destination *
hungry_take(struct relay *relay)
{
	struct relay_destination *d = relay->hungry;

	relay->hungry = d->hungry_next;
	if (relay->hungry == NULL)
		relay->hungry_last = &relay->hungry;
	d->hungry = false;
	relay->hungries--;
	return d;
}

/* A place is free: one connection for each who waits for one, in turn. Whose principal has his share already stays where he is. */
static void
feed_hungry(struct relay *relay)
{
	for (uint32_t left = relay->hungries; left > 0 && relay->hungry != NULL && have_place(relay); left--) {
		struct relay_destination *d = hungry_take(relay);

		use_idle(d);
		if (wants_connection(d) && (!have_share(d) || open_one(d)) && wants_connection(d))
			go_hungry(d);
	}
	if (relay->hungry != NULL)
		make_room(relay);
}

void
relay_destinations_pump(struct relay *relay)
{
	if (!relay->going || relay->draining)
		return;
	if (relay->child.conf.relay.kind != CONF_RELAY_MAILDIR) {
		feed_hungry(relay);
		return;
	}
	for (struct relay_destination *d = relay->destinations; d != NULL; d = d->next)
		relay_maildir_pump(d);
}

/* ---- what connections tell ---- */

bool
relay_destination_down(const struct relay_destination *d)
{
	return d->open == 0 && relay_now(d->relay) < d->down_until;
}

void
relay_destination_hurry(struct relay_destination *d)
{
	d->down_until = 0;
	d->down_times = 0;
}

void
relay_destination_ready(struct relay_destination *d, const struct relay_connection *k)
{
	d->down_times = 0;
	d->down_until = 0;
	d->proven = true;
	if (k->hosts == d->hosts)
		d->good = k->at;
	/* One was enough to find out; now as many as there is work for. */
	if (d->waiting > 1 && !d->hungry)
		open_connections(d);
}

/* One more for each success; for each round of them once it has asked for less. */
void
relay_destination_success(struct relay_destination *d)
{
	if (d->slowed > 0 && ++d->credit < d->limit)
		return;
	d->credit = 0;
	if (d->limit < d->most)
		d->limit++;
}

/* What was under way together is answered together: it counts once. */
void
relay_destination_slow(struct relay_destination *d)
{
	uint64_t now = relay_now(d->relay);
	uint32_t limit = d->limit < d->open ? d->limit : d->open;

	if (d->slowed > 0 && now - d->slowed < RELAY_SLOW_MS)
		return;
	d->slowed = now > 0 ? now : 1;
	d->credit = 0;
	d->limit = limit > 2 ? limit / 2 : 1;
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
	d->proven = false;
}

void
relay_destination_refused(struct relay_destination *d, const struct relay_reason *reason)
{
	d->stale = true;
	if (reason->policy == TRANSPORT_STS)
		relay_domains_doubt(d);
	if (d->open > 0) {
		/* The others may still carry what waits. */
		d->enough = d->open;
		d->enough_until = relay_now(d->relay) + RELAY_ENOUGH_MS;
		return;
	}
	d->limit = d->limit > 1 ? d->limit / 2 : 1;
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
	return d->connections == NULL && d->waiting == 0 && d->domains == 0 && !d->hungry && now >= d->down_until;
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
	relay_domains_forget(relay);
	for (struct relay_destination *d = relay->destinations; d != NULL; d = d->next) {
		struct relay_attempt *a;

		while ((a = relay_line_take(d)) != NULL)
			relay_attempt_finish(a);
	}
}

/* Nothing is known any more, not even the way: whoever waits asks anew, when somebody pumps. */
void
relay_destinations_renew(struct relay *relay)
{
	bool was_going = relay->going;

	relay_domains_renew(relay);
	relay->going = false;
	for (struct relay_destination *d = relay->destinations; d != NULL; d = d->next) {
		d->down_until = 0;
		disperse(d);
	}
	relay->going = was_going;
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

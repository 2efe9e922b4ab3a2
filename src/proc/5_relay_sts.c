/*
 * The MTA-STS policies of domains: TXT record, policy file, memory.
 *
 *	ask ──TXT──▶ same id: what is kept ─────────────▶ known
 *	        └──▶ new id ──addresses──▶ HTTPS ──▶ kept ┘
 *
 * What fails leaves in force what is kept, until its max_age is over (RFC 8461 3.3): who can stop the DNS or the web server must
 * not thereby switch the policy off.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "dns/text.h"
#include "os/clock.h"
#include "os/log.h"
#include "proc/5_relay.h"
#include "proc/5_relay_sts.h"
#include "tls/fetch.h"

enum sts_state {
	STS_IDLE,               /* known as far as it can be; checked says since when */
	STS_TXT,                /* the TXT record is asked for */
	STS_QUEUED,             /* a fetch is due, and too many run */
	STS_HOSTS,              /* the policy host's addresses are asked for */
	STS_FETCH,
};

/* What is known of one domain. */
struct relay_sts {
	struct relay_sts *bucket_next;
	struct relay_policies *policies;
	struct relay_domain *waiters;
	enum sts_state state;
	struct txt_lookup *txt;
	struct mx_lookup *hosts;
	struct fetch *fetch;
	bool unasked;                   /* the newest TXT question had no answer */
	uint64_t checked;               /* uv_now() of the last TXT answer; 0: never, or in doubt */
	uint64_t failed;                /* uv_now() of the last fetch that failed */
	char failed_id[MTA_STS_ID_MAX + 1];     /* the id it was for */
	enum transport_result failed_result;    /* how */
	char wanted[MTA_STS_ID_MAX + 1];        /* the id that the TXT record has */
	struct relay_sts_kept *kept;    /* NULL: nothing */
	bool filed;                     /* it has a file to be read from again */
	uint64_t asked;                 /* uv_now() when somebody last wanted to know */
	char domain[MX_NAME_MAX];
};

struct relay_policies {
	struct relay *relay;
	struct fetcher *fetcher;
	uint32_t domains, fetches;
	uint64_t swept;
	struct relay_sts *bucket[RELAY_STS_BUCKETS];
};

static void fetch_next(struct relay_sts *);

/* The only function that changes the state. */
static void
sts_enter(struct relay_sts *s, enum sts_state next)
{
	bool was = s->state == STS_HOSTS || s->state == STS_FETCH, is = next == STS_HOSTS || next == STS_FETCH;

	if (is && !was)
		s->policies->fetches++;
	if (was && !is)
		s->policies->fetches--;
	s->state = next;
}

/* ---- the table ---- */

static struct relay_sts **
bucket_of(struct relay_policies *p, const char *domain)
{
	return &p->bucket[hash_of(span_of(domain)) % RELAY_STS_BUCKETS];
}

static void
read_kept(struct relay_sts *s)
{
	struct relay_sts_kept *kept = malloc(sizeof *kept);

	if (kept != NULL && relay_sts_read(&s->policies->relay->child.conf, s->domain, clock_wall(), kept))
		s->kept = kept;
	else
		free(kept);
	s->filed = s->kept != NULL;
}

static struct relay_sts *
sts_known(struct relay_policies *p, const char *domain)
{
	struct relay_sts *s = *bucket_of(p, domain);

	while (s != NULL && strcmp(s->domain, domain) != 0)
		s = s->bucket_next;
	return s;
}

/* NULL: no room just now. */
static struct relay_sts *
sts_find(struct relay_policies *p, const char *domain)
{
	struct relay_sts **bucket = bucket_of(p, domain), *s = sts_known(p, domain);

	if (s != NULL || p->domains == RELAY_STS_DOMAINS_MAX || (s = calloc(1, sizeof *s)) == NULL)
		return s;
	s->policies = p;
	(void)snprintf(s->domain, sizeof s->domain, "%s", domain);
	s->bucket_next = *bucket;
	*bucket = s;
	p->domains++;
	read_kept(s);
	return s;
}

/* Whatever is asked for is not waited for. */
static void
sts_stop(struct relay_sts *s)
{
	while (s->waiters != NULL)
		relay_sts_forget(s->waiters);
	txt_lookup_cancel(s->txt);
	mx_lookup_cancel(s->hosts);
	fetch_cancel(s->fetch);
	s->txt = NULL;
	s->hosts = NULL;
	s->fetch = NULL;
	sts_enter(s, STS_IDLE);
	/* What has failed may have been put right. */
	s->checked = s->failed = 0;
}

static void
sts_free(struct relay_sts *s)
{
	sts_stop(s);
	free(s->kept);
	s->policies->domains--;
	free(s);
}

/* ---- what is in force ---- */

static bool
in_force(const struct relay_sts *s)
{
	uint64_t now = clock_wall();

	return s->kept != NULL && s->kept->fetched <= now && now - s->kept->fetched < (uint64_t)s->kept->policy.max_age * 1000;
}

const struct mta_sts_policy *
relay_sts_in_force(struct relay_policies *p, const char *domain)
{
	const struct relay_sts *s = p != NULL ? sts_known(p, domain) : NULL;

	return s != NULL && in_force(s) ? &s->kept->policy : NULL;
}

/* Nothing but this memory has it (8461 3.3), so each occasion to write it is taken. */
static void
save(struct relay_sts *s)
{
	if (in_force(s) && !s->filed)
		s->filed = relay_sts_write(&s->policies->relay->child.conf, s->domain, s->kept);
}

static bool
fill(struct relay_domain *d, const struct relay_sts *s)
{
	bool failed = s->failed != 0 && s->wanted[0] != 0 && strcmp(s->failed_id, s->wanted) == 0;

	d->hosts->sts_result = failed ? s->failed_result : TRANSPORT_OK;
	d->hosts->sts_unknown = !in_force(s) && (failed || s->unasked);
	if (!in_force(s) || d->hosts->sts != NULL)
		return true;
	d->hosts->sts = malloc(sizeof *d->hosts->sts);
	if (d->hosts->sts == NULL)
		return false;           /* no memory is no reason to forget a policy */
	*d->hosts->sts = s->kept->policy;
	return true;
}

/* Those who wait come again, and find it known. Whoever has to wait anew stands in front, so each is told once. */
static void
tell(struct relay_sts *s)
{
	uint32_t count = 0;

	for (struct relay_domain *d = s->waiters; d != NULL; d = d->sts_next)
		count++;
	for (; count > 0 && s->waiters != NULL; count--) {
		struct relay_domain *d = s->waiters;

		while (d->sts_next != NULL)
			d = d->sts_next;
		relay_sts_forget(d);
		relay_domain_pump(d);
	}
}

static void
settle(struct relay_sts *s)
{
	sts_enter(s, STS_IDLE);
	s->checked = relay_now(s->policies->relay);
	tell(s);
}

static void
log_sts(const struct relay_sts *s, enum log_level level, const char *event, enum transport_result result, const char *why)
{
	struct log_line l;

	log_begin(&l, level, event);
	log_text(&l, "domain", s->domain);
	if (s->wanted[0] != 0)
		log_text(&l, "id", s->wanted);
	if (result != TRANSPORT_OK)
		log_text(&l, "result", transport_result_name(result));
	log_text(&l, "why", why);
	if (result != TRANSPORT_OK)
		log_text(&l, "in-force", in_force(s) ? mta_sts_mode_name(s->kept->policy.mode) : "nothing");
	log_end(&l);
}

/* ---- HTTPS ---- */

static void
fetch_failed(struct relay_sts *s, enum transport_result result, const char *why)
{
	s->failed = relay_now(s->policies->relay);
	s->failed_result = result;
	memcpy(s->failed_id, s->wanted, sizeof s->failed_id);
	log_sts(s, LOG_WARN, "sts-fetch-failed", result, why);
	settle(s);
}

static void
take_policy(struct relay_sts *s, struct span text)
{
	struct relay_sts_kept *kept = calloc(1, sizeof *kept);
	const char *words = "out of memory";

	if (kept == NULL || !mta_sts_policy_parse(text, &kept->policy, &words)) {
		char why[160];

		free(kept);
		(void)snprintf(why, sizeof why, "the policy is not valid: %s", words);
		fetch_failed(s, TRANSPORT_STS_POLICY_INVALID, why);
		return;
	}
	memcpy(kept->id, s->wanted, sizeof kept->id);
	kept->fetched = clock_wall();
	free(s->kept);
	s->kept = kept;
	s->failed = 0;
	s->filed = false;
	save(s);
	log_sts(s, LOG_NOTE, "sts-policy", TRANSPORT_OK, mta_sts_mode_name(kept->policy.mode));
	settle(s);
}

static void
on_fetched(void *arg, const struct fetch_answer *a)
{
	struct relay_sts *s = arg;

	s->fetch = NULL;
	if (a->verdict == FETCH_DONE)
		take_policy(s, a->body);
	else if (a->verdict == FETCH_UNTRUSTED)
		fetch_failed(s, TRANSPORT_STS_WEBPKI_INVALID, a->words);
	else
		fetch_failed(s, TRANSPORT_STS_POLICY_FETCH_ERROR, a->words);
}

static void
policy_host(const struct relay_sts *s, char name[MX_NAME_MAX + 16])
{
	(void)snprintf(name, MX_NAME_MAX + 16, "mta-sts.%s", s->domain);
}

static void
on_hosts(void *arg, const struct mx_list *list)
{
	struct relay_sts *s = arg;
	char name[MX_NAME_MAX + 16];
	struct fetch_question q = { .host = name, .path = "/.well-known/mta-sts.txt", .media_type = "text/plain",
		.port = (uint16_t)s->policies->relay->child.conf.mta_sts_port, .most = MTA_STS_FILE_MAX,
		.milliseconds = RELAY_STS_FETCH_MS };

	s->hosts = NULL;
	if (list->verdict != MX_FOUND) {
		fetch_failed(s, TRANSPORT_STS_POLICY_FETCH_ERROR, list->words);
		return;
	}
	policy_host(s, name);
	for (uint32_t i = 0; i < list->addresses && q.addresses < FETCH_ADDRESSES_MAX; i++) {
		const struct mx_address *one = &list->address[i];

		if (inet_ntop(one->v6 ? AF_INET6 : AF_INET, one->octets, q.address[q.addresses], FETCH_ADDRESS_TEXT) != NULL)
			q.addresses++;
	}
	sts_enter(s, STS_FETCH);
	s->fetch = s->policies->fetcher != NULL ? fetch_begin(s->policies->fetcher, &q, on_fetched, s) : NULL;
	if (s->fetch == NULL)
		fetch_failed(s, TRANSPORT_STS_POLICY_FETCH_ERROR, s->policies->fetcher != NULL ?
		    "the policy host cannot be asked: no memory, or no host name" : "nothing can be fetched; see the log of the last start or reload");
}

static void
fetch_next(struct relay_sts *s)
{
	char name[MX_NAME_MAX + 16];
	struct mx_question q = { .host_only = true };

	if (s->policies->fetches >= RELAY_STS_FETCHES_MAX) {
		sts_enter(s, STS_QUEUED);
		return;
	}
	policy_host(s, name);
	q.domain = span_of(name);
	sts_enter(s, STS_HOSTS);
	s->hosts = mx_lookup_begin(s->policies->relay->resolver, &q, on_hosts, s);
	if (s->hosts == NULL)
		fetch_failed(s, TRANSPORT_STS_POLICY_FETCH_ERROR, "out of memory");
}

/* ---- the TXT record ---- */

/* Exactly one record may claim to be one (8461 3.1). */
static bool
id_of(const struct txt_list *list, char id[MTA_STS_ID_MAX + 1])
{
	uint32_t claims = 0, at = 0;

	for (uint32_t i = 0; i < list->records; i++)
		if (mta_sts_record_claims(list->record[i])) {
			claims++;
			at = i;
		}
	return claims == 1 && mta_sts_record_parse(list->record[at], id);
}

/* Did a fetch for this id fail so lately that it is not to be repeated (8461 3.3)? */
static bool
just_failed(const struct relay_sts *s)
{
	return s->failed != 0 && strcmp(s->failed_id, s->wanted) == 0 &&
	    relay_now(s->policies->relay) - s->failed < RELAY_STS_CHECK_MS;
}

/* Not yet to be renewed, while a failure would still not matter (8461 3.3)? */
static bool
is_fresh(const struct relay_sts_kept *kept)
{
	uint64_t half = (uint64_t)kept->policy.max_age * 1000 / 2;

	return clock_wall() - kept->fetched < (half < RELAY_STS_REFRESH_MS ? half : RELAY_STS_REFRESH_MS);
}

static void
on_txt(void *arg, const struct txt_list *list)
{
	struct relay_sts *s = arg;
	bool same;

	s->txt = NULL;
	s->wanted[0] = 0;
	s->unasked = list->verdict == TXT_LATER;
	if (s->unasked)
		log_sts(s, in_force(s) ? LOG_WARN : LOG_FINE, "sts-txt-failed", TRANSPORT_OK, list->words);
	if (list->verdict != TXT_FOUND || !id_of(list, s->wanted)) {
		/* sts-7: what is kept stays in force without its record. */
		s->wanted[0] = 0;
		settle(s);
		return;
	}
	same = in_force(s) && strcmp(s->wanted, s->kept->id) == 0;
	if (just_failed(s) || (same && is_fresh(s->kept))) {
		settle(s);
		return;
	}
	/* A policy that only grows old is renewed behind everybody's back. */
	if (same) {
		s->checked = relay_now(s->policies->relay);
		tell(s);
	}
	fetch_next(s);
}

static void
check(struct relay_sts *s)
{
	char name[MX_NAME_MAX + 16];

	save(s);
	(void)snprintf(name, sizeof name, "_mta-sts.%s", s->domain);
	sts_enter(s, STS_TXT);
	s->txt = txt_lookup_begin(s->policies->relay->resolver, name, on_txt, s);
	if (s->txt == NULL)
		sts_enter(s, STS_IDLE);
}

/* ---- from outside ---- */

/* sts-10: a smart host's own name is the policy domain; and mail to a subdomain never uses its parent's policy. */
static bool
domain_of(const struct relay_domain *d, char domain[MX_NAME_MAX])
{
	const struct conf *conf = &d->relay->child.conf;
	bool smart = conf->relay.kind == CONF_RELAY_SMART_HOST;

	return dns_ascii(smart ? span_of(conf->relay.host.p) : span_of(d->domain), domain) && strlen(domain) < MX_NAME_MAX - 16;
}

static bool
is_known(const struct relay_sts *s)
{
	return s->checked != 0 && relay_now(s->policies->relay) - s->checked < RELAY_STS_CHECK_MS;
}

bool
relay_sts_ask(struct relay_domain *d)
{
	char domain[MX_NAME_MAX];
	struct relay_sts *s;

	if (d->sts != NULL)
		return false;
	if (!domain_of(d, domain))
		return true;
	s = sts_find(d->relay->policies, domain);
	if (s == NULL)
		return false;           /* too many just now: no reason to take it for a domain without a policy */
	s->asked = relay_now(d->relay);
	if (s->state == STS_IDLE && !is_known(s))
		check(s);
	if (is_known(s))
		return fill(d, s);
	if (s->state == STS_IDLE)
		return false;           /* no memory to ask with */
	d->sts = s;
	d->sts_next = s->waiters;
	s->waiters = d;
	return false;
}

void
relay_sts_forget(struct relay_domain *d)
{
	struct relay_domain **at;

	if (d->sts == NULL)
		return;
	for (at = &d->sts->waiters; *at != d; at = &(*at)->sts_next)
		;
	*at = d->sts_next;
	d->sts = NULL;
	d->sts_next = NULL;
}

void
relay_sts_doubt(struct relay_domain *d)
{
	char domain[MX_NAME_MAX];
	struct relay_sts *s = d->relay->policies != NULL && domain_of(d, domain) ? sts_find(d->relay->policies, domain) : NULL;

	if (s != NULL)
		s->checked = 0;
}

/* Nobody would miss it: what is in force can be read again. Where many come and go those who ask wait for no memory of others. */
static bool
is_idle(const struct relay_sts *s, uint64_t now)
{
	uint64_t keep = s->policies->domains > RELAY_STS_DOMAINS_MAX / 2 ? RELAY_STS_CROWDED_MS : RELAY_STS_KEEP_MS;

	return s->state == STS_IDLE && s->waiters == NULL && now - s->asked > keep &&
	    now - s->failed > RELAY_STS_CHECK_MS && (s->filed || !in_force(s));
}

static void
bucket_sweep(struct relay_sts **at, uint64_t now)
{
	while (*at != NULL) {
		struct relay_sts *s = *at;

		if (s->state == STS_QUEUED)
			fetch_next(s);
		if (is_idle(s, now)) {
			*at = s->bucket_next;
			sts_free(s);
		} else {
			at = &s->bucket_next;
		}
	}
}

void
relay_sts_sweep(struct relay *r)
{
	uint64_t now = relay_now(r);

	if (r->policies == NULL || now - r->policies->swept < 1000)
		return;
	r->policies->swept = now;
	for (size_t i = 0; i < RELAY_STS_BUCKETS; i++)
		bucket_sweep(&r->policies->bucket[i], now);
}

/* ---- beginning and end ---- */

/* Without one nothing new is learnt, and what is kept counts all the same. */
static struct fetcher *
fetcher_new(struct relay *r)
{
	char text[200] = "";
	struct buf why = BUF_OVER(text);
	struct fetcher *fetcher = r->trust != NULL ? fetcher_open(&r->child.loop, r->trust->client, &why) : NULL;

	if (fetcher == NULL && r->trust != NULL)
		log_say(LOG_FAULT, "mta-sts", text);
	return fetcher;
}

void
relay_sts_save(struct relay *r)
{
	for (size_t i = 0; r->policies != NULL && i < RELAY_STS_BUCKETS; i++)
		for (struct relay_sts *s = r->policies->bucket[i]; s != NULL; s = s->bucket_next)
			save(s);
}

/* All of it; but what is in force and has no file only when it must. */
static void
empty(struct relay_policies *p, bool wholly)
{
	for (size_t i = 0; i < RELAY_STS_BUCKETS; i++)
		for (struct relay_sts **at = &p->bucket[i]; *at != NULL;) {
			struct relay_sts *s = *at;

			if (!wholly && in_force(s) && !s->filed) {
				sts_stop(s);
				at = &s->bucket_next;
			} else {
				*at = s->bucket_next;
				sts_free(s);
			}
		}
}

void
relay_sts_pause(struct relay *r)
{
	if (r->policies == NULL)
		return;
	relay_sts_save(r);
	empty(r->policies, false);
	fetcher_close(r->policies->fetcher);
	r->policies->fetcher = NULL;
}

bool
relay_sts_configure(struct relay *r)
{
	if (!r->child.conf.mta_sts || r->child.conf.relay.kind == CONF_RELAY_MAILDIR) {
		if (r->policies != NULL)
			empty(r->policies, true);
		free(r->policies);
		r->policies = NULL;
		return true;
	}
	if (r->policies == NULL && (r->policies = calloc(1, sizeof *r->policies)) == NULL)
		return false;
	r->policies->relay = r;
	r->policies->fetcher = fetcher_new(r);
	return true;
}

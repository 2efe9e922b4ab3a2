/* What each session with a next hop came to, as policy/tlsrpt.h counts it. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "dns/tlsa.h"
#include "proc/5_relay.h"
#include "proc/5_relay_report.h"
#include "proc/5_relay_sts.h"

static void
put_tlsa(const struct mx_list *list, const struct mx_tlsa *t, struct buf *out)
{
	struct tlsa_record record;

	if (!tlsa_record_parse((struct span){ list->tlsa_octets + t->at, t->len }, &record))
		return;
	if (out->len > 0)
		(void)buf_put_byte(out, '\t');
	(void)buf_put_u64(out, record.usage);
	(void)buf_put_byte(out, ' ');
	(void)buf_put_u64(out, record.selector);
	(void)buf_put_byte(out, ' ');
	(void)buf_put_u64(out, record.matching);
	(void)buf_put_byte(out, ' ');
	for (size_t i = 0; i < record.data.len; i++)
		(void)buf_put_hex(out, record.data.p[i], 2);
}

/* 4.5: the usable records of this host, in presentation format. */
static void
put_tlsas(const struct relay_connection *k, struct buf *out)
{
	const struct mx_list *list = &k->hosts->list;

	for (uint32_t i = 0; i < list->tlsas; i++)
		if (&list->host[list->tlsa[i].host] == k->policy.host)
			put_tlsa(list, &list->tlsa[i], out);
}

static void
remote_address(const struct relay_connection *k, char text[INET6_ADDRSTRLEN])
{
	const struct mx_address *a = &k->hosts->list.address[k->at];

	if (inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->octets, text, INET6_ADDRSTRLEN) == NULL)
		text[0] = 0;
}

/* Empty: there is none. */
static void
local_address(int fd, char text[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage a;
	socklen_t len = sizeof a;

	text[0] = 0;
	if (fd == -1 || getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		return;
	if (a.ss_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, text, INET6_ADDRSTRLEN);
	else
		(void)inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, text, INET6_ADDRSTRLEN);
}

/* Whose policies are asked: the recipient's domain, or the smart host that stands for it (8460 1.1). */
static bool
domain_of(const struct relay_connection *k, struct span destination, char domain[MX_NAME_MAX])
{
	const struct conf *conf = &k->relay->child.conf;

	if (k->hosts->list.literal)
		return false;
	return dns_ascii(conf->relay.kind == CONF_RELAY_SMART_HOST ? span_of(conf->relay.host.p) : destination, domain);
}

/* A session, and those whose it is: domains with the same hosts under the same policy share it. */
struct tally {
	struct relay_connection *k;
	struct relay_reports *reports;
	struct tlsrpt_session s;
	struct tlsrpt_session beside;   /* a policy that could not be had, too; TRANSPORT_OK: none */
};

static void
put_policy(const struct relay_connection *k, const char *domain, struct tlsrpt_session *s, struct buf *strings)
{
	if (s->type == TLSRPT_TLSA) {
		s->policy_domain = span_of(k->policy.host->base[0] != 0 ? k->policy.host->base : k->policy.name);
		put_tlsas(k, strings);
	} else if (s->type == TLSRPT_STS) {
		const struct mta_sts_policy *sts = relay_sts_in_force(k->relay->policies, domain);

		/* Domains that share hosts may have other words for the same verdict. */
		if (k->hosts->sts != NULL)
			mta_sts_policy_format(sts != NULL ? sts : k->hosts->sts, '\t', strings);
	}
	s->strings = buf_span(strings);
}

static void
count(const struct tally *t, const char *domain, struct tlsrpt_session s)
{
	static uint8_t octets[4 * TLSRPT_POLICY_MAX];
	const struct relay_connection *k = t->k;
	char ip[INET6_ADDRSTRLEN] = "", from[INET6_ADDRSTRLEN] = "";
	struct buf strings = BUF_OVER(octets);
	struct report_day *d = report_today(t->reports);

	if (d == NULL)
		return;
	s.domain = s.policy_domain = span_of(domain);
	put_policy(k, domain, &s, &strings);
	if (s.result != TRANSPORT_OK) {
		remote_address(k, ip);
		local_address(k->fd, from);
	}
	s.mx = span_of(k->policy.name);
	s.ip = span_of(ip);
	s.from = span_of(from);
	tlsrpt_add(d->table, &s);
	if (!d->dirty) {
		d->dirty = true;
		report_arm(t->reports);
	}
}

/* Once for each domain; of more than there is room for the first one may be counted again. */
static bool
is_new(const struct relay_reports *r, struct relay_counted *c, struct span destination)
{
	uint64_t hash = siphash(r->key, destination);

	for (uint32_t i = 0; i < c->count && i < RELAY_COUNTED_MAX; i++)
		if (c->domain[i] == hash)
			return false;
	c->domain[c->count++ % RELAY_COUNTED_MAX] = hash;
	return true;
}

static void
count_for(void *arg, struct span destination)
{
	struct tally *t = arg;
	char domain[MX_NAME_MAX];

	if (!is_new(t->reports, &t->k->counted, destination) || !domain_of(t->k, destination, domain))
		return;
	if (t->beside.result != TRANSPORT_OK)
		count(t, domain, t->beside);
	count(t, domain, t->s);
}

/* Whose mail it carries; before it carries any, or when it never will, whose mail waits for it. */
static void
count_all(struct tally *t)
{
	const struct relay_destination *to = t->k->to;

	if (t->k->attempt != NULL)
		count_for(t, t->k->attempt->facts.destination);
	else if (to->waiting > 0)
		relay_line_walk(to, RELAY_COUNTED_LOOK, count_for, t);
	else
		count_for(t, span_of(to->domain));
}

static struct relay_reports *
counting(const struct relay_connection *k, enum tlsrpt_type *type)
{
	struct relay_reports *r = k->relay->reports;

	return r != NULL && !r->closing && tlsrpt_type_of(k->policy.verdict.policy, type) ? r : NULL;
}

/* A policy that could not be had: its session is no success, even where mail goes. */
static void
without_policy(struct tally *t)
{
	struct tlsrpt_session missing = { .type = TLSRPT_STS, .result = t->k->hosts->sts_result, .beside = t->s.type == TLSRPT_STS };

	if (t->s.type == TLSRPT_NO_POLICY)
		t->s = missing;
	else
		t->beside = missing;
}

/* What enforcing the policy would have come to, and why. */
static void
test_result(const struct relay_connection *k, struct tlsrpt_session *s, struct buf *why)
{
	s->result = k->reason.result;
	if (s->result != TRANSPORT_OK && k->policy.verdict.result != TRANSPORT_OK && (k->tls == NULL || tls_verified(k->tls)))
		buf_put_text(why, "no mx pattern of the policy is for this host");
	else if (s->result != TRANSPORT_OK && k->tls != NULL)
		tls_why(k->tls, why);
	s->reason = span_head(buf_span(why), span_find(buf_span(why), 0));
}

void
relay_report_session(struct relay_connection *k)
{
	struct tally t = { .k = k };
	char text[TLSRPT_REASON_MAX + 1];
	struct buf why = BUF_OVER(text);

	t.reports = counting(k, &t.s.type);
	/* What goes in clear because TLS has failed before was counted when it failed. */
	if (t.reports == NULL || (k->tls == NULL && k->policy.tls == SMTP_TLS_NONE))
		return;
	if (k->policy.verdict.policy == TRANSPORT_STS_TESTING)
		test_result(k, &t.s, &why);
	else if (k->tls == NULL)
		t.s.result = TRANSPORT_STARTTLS_NOT_SUPPORTED;
	else if (k->policy.verdict.policy == TRANSPORT_DANE_TLS)
		t.s.result = TRANSPORT_TLSA_INVALID;    /* the session is as good as it can be, the records are not */
	if (k->hosts->sts_result != TRANSPORT_OK)
		without_policy(&t);
	count_all(&t);
}

void
relay_report_failure(struct relay_connection *k, const char *why)
{
	struct tally t = { .k = k, .s = { .result = k->reason.result, .reason = span_of(why) } };

	t.reports = counting(k, &t.s.type);
	if (t.reports != NULL && t.s.result != TRANSPORT_OK)
		count_all(&t);
}

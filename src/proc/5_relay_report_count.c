/* What each session with a next hop came to, as policy/tlsrpt.h counts it. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "dns/tlsa.h"
#include "proc/5_relay.h"
#include "proc/5_relay_report.h"

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
put_sts(const struct mta_sts_policy *sts, struct buf *out)
{
	(void)buf_put_text(out, "version: STSv1\tmode: ");
	(void)buf_put_text(out, mta_sts_mode_name(sts->mode));
	for (uint32_t i = 0; i < sts->mxs; i++) {
		(void)buf_put_text(out, "\tmx: ");
		(void)buf_put_text(out, sts->text + sts->mx[i]);
	}
	(void)buf_put_text(out, "\tmax_age: ");
	(void)buf_put_u64(out, sts->max_age);
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
domain_of(const struct relay_connection *k, char domain[MX_NAME_MAX])
{
	const struct conf *conf = &k->relay->child.conf;

	if (k->hosts->list.literal)
		return false;
	return dns_ascii(conf->relay.kind == CONF_RELAY_SMART_HOST ? span_of(conf->relay.host.p) : span_of(k->to->domain), domain);
}

static void
count(const struct relay_connection *k, struct relay_reports *r, struct tlsrpt_session *s)
{
	static uint8_t octets[4 * TLSRPT_POLICY_MAX];
	char domain[MX_NAME_MAX], ip[INET6_ADDRSTRLEN] = "", from[INET6_ADDRSTRLEN] = "";
	struct buf strings = BUF_OVER(octets);
	struct report_day *d = report_today(r);

	if (d == NULL || !domain_of(k, domain))
		return;
	s->domain = s->policy_domain = span_of(domain);
	if (s->type == TLSRPT_TLSA) {
		s->policy_domain = span_of(k->policy.host->base[0] != 0 ? k->policy.host->base : k->policy.name);
		put_tlsas(k, &strings);
	} else if (s->type == TLSRPT_STS && k->hosts->sts != NULL) {
		put_sts(k->hosts->sts, &strings);
	}
	if (s->result != TRANSPORT_OK) {
		remote_address(k, ip);
		local_address(k->fd, from);
	}
	s->strings = buf_span(&strings);
	s->mx = span_of(k->policy.name);
	s->ip = span_of(ip);
	s->from = span_of(from);
	tlsrpt_add(d->table, s);
	if (!d->dirty) {
		d->dirty = true;
		report_arm(r);
	}
}

static struct relay_reports *
counting(const struct relay_connection *k, enum tlsrpt_type *type)
{
	struct relay_reports *r = k->relay->reports;

	return r != NULL && !r->closing && tlsrpt_type_of(k->policy.verdict.policy, type) ? r : NULL;
}

/* A policy that could not be had: its session is no success, even where mail goes. */
static void
count_without_policy(const struct relay_connection *k, struct relay_reports *r, struct tlsrpt_session *s)
{
	struct tlsrpt_session missing = { .type = TLSRPT_STS, .result = k->hosts->sts_result, .beside = s->type == TLSRPT_STS };

	if (s->type == TLSRPT_NO_POLICY)
		*s = missing;
	else
		count(k, r, &missing);
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
relay_report_session(const struct relay_connection *k)
{
	struct tlsrpt_session s = { .result = TRANSPORT_OK };
	char text[TLSRPT_REASON_MAX + 1];
	struct buf why = BUF_OVER(text);
	struct relay_reports *r = counting(k, &s.type);

	/* What goes in clear because TLS has failed before was counted when it failed. */
	if (r == NULL || (k->tls == NULL && k->policy.tls == SMTP_TLS_NONE))
		return;
	if (k->policy.verdict.policy == TRANSPORT_STS_TESTING)
		test_result(k, &s, &why);
	else if (k->tls == NULL)
		s.result = TRANSPORT_STARTTLS_NOT_SUPPORTED;
	else if (k->policy.verdict.policy == TRANSPORT_DANE_TLS)
		s.result = TRANSPORT_TLSA_INVALID;      /* the session is as good as it can be, the records are not */
	if (k->hosts->sts_result != TRANSPORT_OK)
		count_without_policy(k, r, &s);
	count(k, r, &s);
}

void
relay_report_failure(const struct relay_connection *k, const char *why)
{
	struct tlsrpt_session s = { .result = k->reason.result, .reason = span_of(why) };
	struct relay_reports *r = counting(k, &s.type);

	if (r != NULL && s.result != TRANSPORT_OK)
		count(k, r, &s);
}

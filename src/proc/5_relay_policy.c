#include <stdio.h>
#include <string.h>

#include "dns/tlsa.h"
#include "os/log.h"
#include "proc/5_relay.h"
#include "proc/5_relay_report.h"

/* ---- what is asked for ---- */

/* A bounce about a message with REQUIRETLS goes to whom it can (8689 5): it keeps the word for who understands it. */
enum transport_need
relay_need(const struct relay_try *m)
{
	if ((m->flags & MAIL_REQUIRETLS) != 0)
		return m->reverse_path.len > 0 ? TRANSPORT_NEED_TLS : TRANSPORT_NEED_NOTHING;
	return (m->flags & MAIL_TLS_OPTIONAL) != 0 ? TRANSPORT_NEED_DELIVERY : TRANSPORT_NEED_NOTHING;
}

/* A password goes to nobody but the host that was named: with one, "perhaps" is not enough. */
enum transport_hop
relay_hop(const struct conf *conf)
{
	if (conf->relay.kind != CONF_RELAY_SMART_HOST)
		return TRANSPORT_HOP_MX;
	if (conf->relay.tls == CONF_RELAY_OPPORTUNISTIC && conf->relay.user.p[0] == 0)
		return TRANSPORT_HOP_FIXED;
	return TRANSPORT_HOP_FIXED_TLS;
}

struct transport_verdict
relay_verdict(const struct conf *conf, enum transport_need need, const struct relay_hosts *hosts, const struct mx_host *host)
{
	const struct mta_sts_policy *sts = hosts->sts;
	struct transport_facts f = {
		.hop = relay_hop(conf), .need = need, .literal = hosts->list.literal,
		.mx = hosts->list.mx, .address = host->address, .tlsa = host->tlsa, .tlsa_usable = host->tlsa_usable,
		.sts = sts != NULL, .sts_mode = sts != NULL ? sts->mode : MTA_STS_NONE,
		.sts_matches = sts != NULL && mta_sts_matches(sts, span_of(host->name)), .sts_unknown = hosts->sts_unknown,
	};

	return transport_decide(&f);
}

static enum smtp_client_tls
tls_of(const struct conf *conf, const struct transport_verdict *v)
{
	if (conf->relay.kind == CONF_RELAY_SMART_HOST && conf->relay.tls == CONF_RELAY_IMPLICIT)
		return SMTP_TLS_IMPLICIT;
	return v->tls ? SMTP_TLS_REQUIRED : SMTP_TLS_MAY;
}

struct relay_policy
relay_policy(const struct relay_destination *d, const struct relay_hosts *hosts, uint32_t address)
{
	const struct conf *conf = &d->relay->child.conf;
	const struct mx_host *host = &hosts->list.host[hosts->list.address[address].host];
	bool smart = conf->relay.kind == CONF_RELAY_SMART_HOST;
	struct relay_policy p = { .verdict = relay_verdict(conf, d->need, hosts, host), .auth = smart && conf->relay.user.p[0] != 0,
		.port = smart ? conf->relay.port : (uint16_t)conf->relay_port, .host = host, .name = host->name };

	p.tls = tls_of(conf, &p.verdict);
	p.verify = p.verdict.verified ? TLS_VERIFY : TLS_VERIFY_NOTHING;
	if (p.tls == SMTP_TLS_MAY && (hosts->no_tls >> address & 1) != 0)
		p.tls = SMTP_TLS_NONE;
	return p;
}

/* ---- the session ---- */

/* The host's usable records, as the session takes them. */
static size_t
records_of(const struct relay_connection *k, struct tls_dane_record out[MX_TLSA_MAX])
{
	const struct mx_list *list = &k->hosts->list;
	size_t count = 0;

	for (uint32_t i = 0; i < list->tlsas; i++) {
		const struct mx_tlsa *t = &list->tlsa[i];
		struct tlsa_record r;

		if (&list->host[t->host] == k->policy.host &&
		    tlsa_record_parse((struct span){ list->tlsa_octets + t->at, t->len }, &r))
			out[count++] = (struct tls_dane_record){ r.usage, r.selector, r.matching, r.data };
	}
	return count;
}

/* Records that looked usable and OpenSSL cannot read: TLS without authentication (7672 2.2), but for REQUIRETLS. */
static void
dane_is_unusable(struct relay_connection *k)
{
	bool verified = k->policy.verdict.requiretls;

	k->reason.result = TRANSPORT_TLSA_INVALID;
	k->reason.policy = k->policy.verdict.policy = verified ? TRANSPORT_REQUIRETLS : TRANSPORT_DANE_TLS;
	k->policy.verdict.auth = verified ? TRANSPORT_AUTH_PKIX : TRANSPORT_AUTH_NONE;
	k->policy.verdict.verified = verified;
	k->policy.verify = verified ? TLS_VERIFY : TLS_VERIFY_NOTHING;
}

struct tls_session *
relay_policy_session(struct relay_connection *k)
{
	struct tls_dane_record record[MX_TLSA_MAX];
	char next_hop[MX_NAME_MAX];
	struct tls_dane dane = { .base = k->policy.host->base, .record = record,
		.also = dns_ascii(span_of(k->to->domain), next_hop) ? next_hop : NULL };
	struct tls_session *t;
	bool usable;

	if (k->policy.verdict.auth != TRANSPORT_AUTH_DANE)
		return tls_connect(k->trust->client, k->fd, k->policy.name, k->policy.verify);
	dane.records = records_of(k, record);
	t = tls_connect_dane(k->trust->client, k->fd, &dane, &usable);
	if (usable)
		return t;
	dane_is_unusable(k);
	return tls_connect(k->trust->client, k->fd, k->policy.name, k->policy.verify);
}

void
relay_policy_say(struct relay_connection *k)
{
	struct buf b = { (uint8_t *)k->reason.tls, 0, sizeof k->reason.tls - 16 };
	struct tls_facts f;

	tls_facts(k->tls, &f);
	buf_put_text(&b, f.version);
	buf_put_byte(&b, ' ');
	buf_put_text(&b, f.cipher);
	buf_put_byte(&b, ' ');
	buf_put_text(&b, transport_policy_name(k->reason.policy));
	if (tls_verified(k->tls)) {
		buf_put_byte(&b, ' ');
		tls_matched(k->tls, &b);
	}
	b.max = sizeof k->reason.tls;
	buf_put_text(&b, tls_verified(k->tls) ? " verified" : " unverified");
	buf_terminate(&b);
}

/* ---- what it came to ---- */

static enum transport_result
result_of(const struct relay_connection *k)
{
	static const enum transport_result results[] = {
		[TLS_FAULT_NONE] = TRANSPORT_VALIDATION_FAILURE,
		[TLS_FAULT_NAME] = TRANSPORT_CERTIFICATE_HOST_MISMATCH,
		[TLS_FAULT_EXPIRED] = TRANSPORT_CERTIFICATE_EXPIRED,
		[TLS_FAULT_UNTRUSTED] = TRANSPORT_CERTIFICATE_NOT_TRUSTED,
		[TLS_FAULT_DANE] = TRANSPORT_TLSA_INVALID,
		[TLS_FAULT_OTHER] = TRANSPORT_VALIDATION_FAILURE,
	};

	return k->tls == NULL ? TRANSPORT_VALIDATION_FAILURE : results[tls_fault(k->tls)];
}

void
relay_policy_failed(struct relay_connection *k)
{
	k->reason.result = result_of(k);
}

/* A policy that is being tested lets everything through and has what it would have stopped written down (8461 5). */
static void
test_policy(struct relay_connection *k)
{
	struct log_line l;

	if (k->tls != NULL && !tls_verified(k->tls))
		k->reason.result = result_of(k);
	else if (k->tls == NULL && k->policy.tls != SMTP_TLS_NONE)
		k->reason.result = TRANSPORT_STARTTLS_NOT_SUPPORTED;
	if (k->reason.result == TRANSPORT_OK)
		return;
	log_begin(&l, LOG_NOTE, "sts-testing");
	log_text(&l, "host", k->reason.host);
	log_text(&l, "domain", k->to->domain);
	log_text(&l, "result", transport_result_name(k->reason.result));
	log_text(&l, "why", "delivered all the same: the policy's mode is testing");
	log_end(&l);
}

bool
relay_policy_unproved(const struct relay_connection *k)
{
	return k->tls == NULL && k->policy.verdict.tls && k->policy.verdict.policy != TRANSPORT_REQUIRETLS;
}

bool
relay_policy_stripped(const struct relay_connection *k, const struct smtp_outcome *o)
{
	bool unknown = o->stage == SMTP_STAGE_EHLO && (o->code == 500 || o->code == 502);

	return o->stage == SMTP_STAGE_STARTTLS || (unknown && relay_policy_unproved(k));
}

bool
relay_policy_ready(struct relay_connection *k)
{
	if (k->policy.verdict.policy == TRANSPORT_STS_TESTING)
		test_policy(k);
	if (!k->policy.verdict.requiretls || k->smtp.caps.requiretls)
		return true;
	relay_report_session(k);        /* of TLS itself nobody complains */
	k->reason.stage = SMTP_STAGE_EHLO;
	relay_connection_blame(k, SMTP_CLASS_NEVER, 0, "5.7.30",
	    "the message requires TLS on its whole way, and this host does not offer REQUIRETLS");
	return false;
}

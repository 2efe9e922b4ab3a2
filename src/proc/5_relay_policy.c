#include "proc/5_relay.h"

static const enum smtp_client_tls smart_host_tls[] = {
	[CONF_RELAY_IMPLICIT] = SMTP_TLS_IMPLICIT,
	[CONF_RELAY_STARTTLS] = SMTP_TLS_REQUIRED,
	[CONF_RELAY_OPPORTUNISTIC] = SMTP_TLS_MAY,
};

static struct relay_policy
smart_host_policy(const struct conf_relay *conf)
{
	struct relay_policy p = { .tls = smart_host_tls[conf->tls], .verify = TLS_VERIFY, .port = conf->port,
		.auth = conf->user.p[0] != 0 };

	if (conf->tls == CONF_RELAY_OPPORTUNISTIC && !p.auth)
		p.verify = TLS_VERIFY_NOTHING;
	/* A password goes to nobody but the host that was named: with one, "perhaps" is not enough. */
	if (conf->tls == CONF_RELAY_OPPORTUNISTIC && p.auth)
		p.tls = SMTP_TLS_REQUIRED;
	return p;
}

/* Port 25 without a policy of the receiver's: encrypt when it can be had, verify to know, deliver in any case (RFC 7435). */
static struct relay_policy
mx_policy(const struct conf *conf)
{
	return (struct relay_policy){ .tls = SMTP_TLS_MAY, .verify = TLS_VERIFY_NOTHING, .port = (uint16_t)conf->relay_port };
}

struct relay_policy
relay_policy(const struct conf *conf, const struct relay_hosts *hosts, uint32_t address)
{
	struct relay_policy p =
	    conf->relay.kind == CONF_RELAY_SMART_HOST ? smart_host_policy(&conf->relay) : mx_policy(conf);

	p.name = hosts->list.host[hosts->list.address[address].host].name;
	if (p.tls == SMTP_TLS_MAY && (hosts->no_tls >> address & 1) != 0)
		p.tls = SMTP_TLS_NONE;
	return p;
}

/* What makes two domains one destination: hosts, policy, need, source, and the row of relay-limit. */
#include <string.h>

#include "conf/route.h"
#include "proc/5_relay.h"

static void
put_flag(struct buf *key, bool flag)
{
	(void)buf_put_byte(key, flag ? '1' : '0');
}

/* May a certificate be good for one of two domains with this host, and not for the other? Only the next-hop domain as a name
 * beside the host's own makes the difference (RFC 7672 3.2.2); a digest of the end entity's key asks for no name (3.1.1). */
static bool
names_domain(const struct relay_hosts *hosts, const struct transport_verdict *v)
{
	if (v->auth != TRANSPORT_AUTH_DANE)
		return false;
	for (uint32_t i = 0; i < hosts->list.tlsas; i++) {
		struct span rdata = { hosts->list.tlsa_octets + hosts->list.tlsa[i].at, hosts->list.tlsa[i].len };

		if (rdata.len == 0 || rdata.p[0] != 3)
			return true;
	}
	return false;
}

static bool
key_host(const struct relay_domain *d, const struct relay_hosts *hosts, const struct mx_host *host, struct buf *key)
{
	struct transport_verdict v = relay_verdict(&d->relay->child.conf, d->need, hosts, host);

	(void)buf_put_text(key, host->name);
	(void)buf_put_byte(key, ' ');
	(void)buf_put_u64(key, host->preference);
	(void)buf_put_byte(key, ' ');
	(void)buf_put_u64(key, (uint64_t)v.act << 8 | (uint64_t)v.auth);
	(void)buf_put_byte(key, ' ');
	(void)buf_put_u64(key, v.policy);
	put_flag(key, v.tls);
	put_flag(key, v.verified);
	put_flag(key, v.requiretls);
	return buf_put_byte(key, ';') && !names_domain(hosts, &v);
}

const struct conf_limit *
relay_limit_of(const struct relay_domain *d, const struct relay_hosts *hosts)
{
	const struct conf *conf = &d->relay->child.conf;
	const struct conf_limit *l = limit_find(conf, span_of(d->domain));

	for (uint32_t i = 0; hosts != NULL && l == NULL && i < hosts->list.hosts; i++)
		l = limit_find(conf, span_of(hosts->list.host[i].name));
	return l != NULL ? l : limit_of_all(conf);
}

/* Hosts in the order of their names: equal preferences come in another order each time (5321-64). */
static bool
key_hosts(const struct relay_domain *d, const struct relay_hosts *hosts, struct buf *key)
{
	uint32_t order[MX_HOSTS_MAX], count = 0;
	bool shared = true;

	for (uint32_t i = 0; i < hosts->list.hosts; i++) {
		uint32_t at = count++;

		for (; at > 0 && strcmp(hosts->list.host[order[at - 1]].name, hosts->list.host[i].name) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	for (uint32_t i = 0; i < count; i++)
		shared = key_host(d, hosts, &hosts->list.host[order[i]], key) && shared;
	return shared;
}

void
relay_key_make(const struct relay_domain *d, const struct relay_hosts *hosts, struct buf *key)
{
	const struct conf_limit *l = relay_limit_of(d, hosts);
	const struct conf_addresses *s = &d->source;

	put_flag(key, s->v4);
	put_flag(key, s->v6);
	(void)buf_put(key, (struct span){ s->address4, 4 });
	(void)buf_put(key, (struct span){ s->address6, 16 });
	(void)buf_put_u64(key, d->need);
	(void)buf_put_byte(key, ' ');
	(void)buf_put_text(key, l != NULL ? l->who.p : "");
	(void)buf_put_byte(key, ';');
	/* A Maildir has no hosts; an address as a domain has no name. */
	if (hosts == NULL || hosts->list.literal || !key_hosts(d, hosts, key))
		(void)buf_put_text(key, d->domain);
}

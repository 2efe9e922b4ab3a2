/* From a host's addresses to its TLSA records (RFC 7672 2.2.2, 2.2.3): which name is the base domain, and what DNSSEC says. */
#include <stdio.h>
#include <string.h>

#include "dns/resolver.h"
#include "dns/tlsa.h"

enum { TLSA_ANSWER_MAX = 128 };         /* records of one answer that are looked at */

static enum transport_dns
failure_of(const struct ub_result *result)
{
	return result != NULL && result->bogus ? TRANSPORT_DNS_BOGUS : TRANSPORT_DNS_ERROR;
}

/* Without a validated way to the host's name nothing that is found there proves anything. */
static bool
wanted(const struct mx_lookup *l)
{
	return l->tlsa_port != 0 && (l->host_only || l->list.mx == TRANSPORT_DNS_SECURE);
}

void
tlsa_name(const struct mx_query *q, char name[MX_NAME_MAX])
{
	(void)snprintf(name, MX_NAME_MAX, "_%u._tcp.%.*s", q->lookup->tlsa_port, MX_NAME_MAX - 14,
	    q->lookup->list.host[q->host].base);
}

/* "_65535._tcp." and a name of this length are still a name. */
static bool
ask_below(struct mx_lookup *l, uint8_t host, const char *base)
{
	struct mx_host *h = &l->list.host[host];
	size_t len = strlen(base);

	if (len > 1 && base[len - 1] == '.')
		len--;
	if (len == 0 || len > MX_NAME_MAX - 14)
		return false;
	memcpy(h->base, base, len);
	h->base[len] = 0;
	for (size_t i = 0; i < len; i++)
		h->base[i] = (char)ascii_lower((uint8_t)h->base[i]);
	h->tlsa = TRANSPORT_DNS_ERROR;  /* until the answer is there nobody knows */
	mx_query_begin(l, DNS_TYPE_TLSA, host);
	return true;
}

static bool
is_alias(const struct mx_host *h, const struct ub_result *result)
{
	struct span real = span_of(result->canonname);

	if (real.len > 1 && real.p[real.len - 1] == '.')
		real.len--;
	return real.len > 0 && !span_same(real, span_of(h->name));
}

void
tlsa_addresses(struct mx_lookup *l, uint8_t host, const struct ub_result *result)
{
	struct mx_host *h = &l->list.host[host];

	/* The other family has spoken for the host already: both lie in one zone. */
	if (l->settled[host])
		return;
	l->settled[host] = true;
	h->address = result->secure ? TRANSPORT_DNS_SECURE : TRANSPORT_DNS_INSECURE;
	if (!wanted(l) || (!result->secure && !is_alias(h, result)))
		return;
	/* An alias into a zone without DNSSEC may lie in a zone with it, and then has TLSA records of its own. */
	if (!result->secure) {
		h->address = TRANSPORT_DNS_ERROR;
		mx_query_begin(l, DNS_TYPE_CNAME, host);
	} else if (!is_alias(h, result) || !ask_below(l, host, result->canonname)) {
		(void)ask_below(l, host, h->name);
	}
}

void
tlsa_no_addresses(struct mx_lookup *l, uint8_t host, const struct ub_result *result)
{
	struct mx_host *h = &l->list.host[host];

	if (!l->settled[host] && h->address == TRANSPORT_DNS_ERROR)
		h->address = failure_of(result);
}

static void
on_cname(struct mx_lookup *l, uint8_t host, enum answer answer, const struct ub_result *result)
{
	struct mx_host *h = &l->list.host[host];

	if (answer == ANSWER_LATER) {
		h->address = failure_of(result);
		return;
	}
	h->address = answer == ANSWER_DATA && result->secure ? TRANSPORT_DNS_SECURE : TRANSPORT_DNS_INSECURE;
	if (h->address == TRANSPORT_DNS_SECURE)
		(void)ask_below(l, host, h->name);
}

static bool
keep(struct mx_list *list, uint8_t host, struct span rdata)
{
	struct mx_tlsa *t = &list->tlsa[list->tlsas];

	if (list->tlsas == MX_TLSA_MAX || rdata.len > MX_TLSA_OCTETS - list->tlsa_used)
		return false;
	*t = (struct mx_tlsa){ host, (uint16_t)list->tlsa_used, (uint16_t)rdata.len };
	memcpy(list->tlsa_octets + t->at, rdata.p, rdata.len);
	list->tlsa_used += (uint32_t)rdata.len;
	list->tlsas++;
	return true;
}

/* Validated records. A usable one for which there is no room is as good as unknown, not as good as none. */
static void
take(struct mx_lookup *l, uint8_t host, const struct ub_result *result)
{
	struct mx_host *h = &l->list.host[host];
	bool lost = false;

	for (int i = 0; result->data[i] != NULL && i < TLSA_ANSWER_MAX; i++) {
		struct span rdata = { (const uint8_t *)result->data[i], (size_t)result->len[i] };
		struct tlsa_record record;

		if (!tlsa_record_parse(rdata, &record) || !tlsa_record_usable(&record))
			continue;
		if (keep(&l->list, host, rdata))
			h->tlsa_usable = true;
		else
			lost = true;
	}
	h->tlsa = lost && !h->tlsa_usable ? TRANSPORT_DNS_ERROR : TRANSPORT_DNS_SECURE;
	if (h->tlsa == TRANSPORT_DNS_ERROR)
		(void)snprintf(l->list.tlsa_words, sizeof l->list.tlsa_words, "DNS: the TLSA records of %s are too big", h->name);
}

static void
on_tlsa(struct mx_lookup *l, uint8_t host, enum answer answer, const struct ub_result *result)
{
	struct mx_host *h = &l->list.host[host];

	if (answer == ANSWER_LATER) {
		h->tlsa = failure_of(result);
		return;
	}
	if (answer == ANSWER_DATA && result->secure) {
		take(l, host, result);
		return;
	}
	h->tlsa = result->secure ? TRANSPORT_DNS_ABSENT : TRANSPORT_DNS_INSECURE;
	/* Nothing where the alias leads: then what it is called itself. */
	if (!span_same(span_of(h->base), span_of(h->name)))
		(void)ask_below(l, host, h->name);
}

void
tlsa_answer(struct mx_query *q, enum answer answer, const struct ub_result *result, const char *words, const char *detail)
{
	struct mx_list *list = &q->lookup->list;

	if (answer == ANSWER_LATER)
		(void)snprintf(list->tlsa_words, sizeof list->tlsa_words, "DNS: %s of %.200s: %s%.120s",
		    q->type == DNS_TYPE_TLSA ? "TLSA" : "CNAME", list->host[q->host].name, words, detail);
	if (q->type == DNS_TYPE_CNAME)
		on_cname(q->lookup, q->host, answer, result);
	else
		on_tlsa(q->lookup, q->host, answer, result);
}

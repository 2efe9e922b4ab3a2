#include "policy/transport.h"

#include <assert.h>
#include <stddef.h>

static bool
unknown(enum transport_dns status)
{
	return status == TRANSPORT_DNS_BOGUS || status == TRANSPORT_DNS_ERROR;
}

static struct transport_verdict
skip(enum transport_policy policy, enum transport_result result, const char *enhanced, const char *words)
{
	return (struct transport_verdict){ .act = TRANSPORT_SKIP, .policy = policy, .result = result, .enhanced = enhanced,
		.words = words };
}

static struct transport_verdict
go(enum transport_policy policy, enum transport_auth auth, bool tls, const char *words)
{
	return (struct transport_verdict){ .act = TRANSPORT_TRY, .policy = policy, .auth = auth, .tls = tls,
		.verified = tls && auth != TRANSPORT_AUTH_NONE, .enhanced = "", .words = words };
}

/* 7672 2.1.2: whoever can make a look-up fail must not thereby switch DANE off. */
static bool
dns_fails(const struct transport_facts *f, struct transport_verdict *v)
{
	bool mx = f->hop == TRANSPORT_HOP_MX && unknown(f->mx);
	/* Without a validated MX answer TLSA records would prove nothing, and are not looked at. */
	bool dane = f->hop != TRANSPORT_HOP_MX || f->mx == TRANSPORT_DNS_SECURE;
	bool rest = dane && (unknown(f->address) || (f->address == TRANSPORT_DNS_SECURE && unknown(f->tlsa)));
	bool bogus = (mx && f->mx == TRANSPORT_DNS_BOGUS) ||
	    (rest && (f->address == TRANSPORT_DNS_BOGUS || f->tlsa == TRANSPORT_DNS_BOGUS));

	if (!mx && !rest)
		return false;
	*v = bogus ? skip(TRANSPORT_DANE, TRANSPORT_DNSSEC_INVALID, "4.7.5",
	    "DNSSEC validation failed, so it is not known whether this host must prove itself with DANE (RFC 7672 2.1)")
	           : skip(TRANSPORT_DANE, TRANSPORT_DNSSEC_INVALID, "4.4.3",
	    "the DNS did not say whether this host has TLSA records (RFC 7672 2.1)");
	return true;
}

static bool
dane_speaks(const struct transport_facts *f)
{
	return (f->hop != TRANSPORT_HOP_MX || f->mx == TRANSPORT_DNS_SECURE) && f->tlsa == TRANSPORT_DNS_SECURE;
}

/* 8461 4.1, 5: what a policy in force says of this host. */
static bool
sts_decides(const struct transport_facts *f, struct transport_verdict *v)
{
	if (!f->sts || f->sts_mode == MTA_STS_NONE)
		return false;
	if (f->sts_mode == MTA_STS_TESTING) {
		*v = go(TRANSPORT_STS_TESTING, TRANSPORT_AUTH_PKIX, false, "the domain's MTA-STS policy is being tested");
		if (!f->sts_matches)
			v->result = TRANSPORT_VALIDATION_FAILURE;
	} else if (!f->sts_matches) {
		*v = skip(TRANSPORT_STS, TRANSPORT_VALIDATION_FAILURE, "4.7.5",
		    "the domain's MTA-STS policy does not name this mail exchanger (RFC 8461 4.1)");
	} else {
		*v = go(TRANSPORT_STS, TRANSPORT_AUTH_PKIX, true, "the domain's MTA-STS policy is enforced (RFC 8461 5)");
	}
	return true;
}

static struct transport_verdict
of_the_receiver(const struct transport_facts *f)
{
	struct transport_verdict v;

	if (f->literal)
		return go(TRANSPORT_OPPORTUNISTIC, TRANSPORT_AUTH_NONE, false, "an address has no policy");
	if (dns_fails(f, &v))
		return v;
	if (dane_speaks(f) && f->tlsa_usable)
		return go(TRANSPORT_DANE, TRANSPORT_AUTH_DANE, true, "TLSA records are validated (RFC 7672 2.2)");
	/* Unusable records demand TLS and prove nobody; a policy that can prove more is welcome to (8461 2 is not touched: DANE
	 * does not fail here). */
	if (sts_decides(f, &v) && !(dane_speaks(f) && v.policy == TRANSPORT_STS_TESTING))
		return v;
	if (dane_speaks(f))
		return go(TRANSPORT_DANE_TLS, TRANSPORT_AUTH_NONE, true,
		    "TLSA records are validated, none of them can be used (RFC 7672 2.2)");
	return go(TRANSPORT_OPPORTUNISTIC, TRANSPORT_AUTH_NONE, false, "the receiver has no policy");
}

/* 8689 4.2.1: the name that leads to the host must not be somebody's invention. */
static bool
name_is_secured(const struct transport_facts *f)
{
	if (f->hop != TRANSPORT_HOP_MX)
		return true;            /* the operator wrote it down */
	return f->mx == TRANSPORT_DNS_SECURE || (f->sts && f->sts_mode != MTA_STS_NONE && f->sts_matches);
}

static struct transport_verdict
with_requiretls(const struct transport_facts *f, struct transport_verdict v)
{
	/* A smart host whose TLS is demanded proves its address, too, if that is what it was given as. */
	bool nameless = f->literal && f->hop != TRANSPORT_HOP_FIXED_TLS;

	if (v.act != TRANSPORT_TRY)
		return v;
	/* As with DNSSEC: what is not known is not "no". */
	if (!nameless && !name_is_secured(f) && f->sts_unknown)
		return skip(TRANSPORT_REQUIRETLS, TRANSPORT_OK, "4.7.5",
		    "REQUIRETLS: the MTA-STS policy that may vouch for this mail exchanger's name cannot be had just now (RFC 8689 4.2.1)");
	if (nameless || !name_is_secured(f)) {
		v.act = TRANSPORT_REFUSE;
		v.policy = TRANSPORT_REQUIRETLS;
		v.enhanced = "5.7.30";
		v.words = nameless ? "REQUIRETLS: an address without a name cannot prove itself (RFC 8689 4.2.1)" :
		    "REQUIRETLS: neither DNSSEC nor MTA-STS vouches for this mail exchanger's name (RFC 8689 4.2.1)";
		return v;
	}
	if (v.auth != TRANSPORT_AUTH_DANE) {
		if (!v.verified && v.policy != TRANSPORT_SMART_HOST)
			v.policy = TRANSPORT_REQUIRETLS;
		v.auth = TRANSPORT_AUTH_PKIX;
	}
	v.tls = v.verified = v.requiretls = true;
	return v;
}

struct transport_verdict
transport_decide(const struct transport_facts *f)
{
	struct transport_verdict v;

	/* A password or a demand of the operator's is at stake: no wish of a message's and no record of anybody's lowers it. */
	if (f->hop == TRANSPORT_HOP_FIXED_TLS)
		v = go(TRANSPORT_SMART_HOST, TRANSPORT_AUTH_PKIX, true, "the smart host's settings demand it");
	else if (f->need == TRANSPORT_NEED_DELIVERY)
		return go(TRANSPORT_TLS_OPTIONAL, TRANSPORT_AUTH_NONE, false, "the message says TLS-Required: No (RFC 8689 3)");
	else
		v = of_the_receiver(f);
	return f->need == TRANSPORT_NEED_TLS ? with_requiretls(f, v) : v;
}

const char *
transport_policy_name(enum transport_policy policy)
{
	static const char *const names[] = {
		[TRANSPORT_OPPORTUNISTIC] = "opportunistic", [TRANSPORT_DANE] = "dane", [TRANSPORT_DANE_TLS] = "dane-unusable",
		[TRANSPORT_STS] = "sts", [TRANSPORT_STS_TESTING] = "sts-testing", [TRANSPORT_SMART_HOST] = "smart-host",
		[TRANSPORT_REQUIRETLS] = "requiretls", [TRANSPORT_TLS_OPTIONAL] = "tls-optional",
	};

	assert((size_t)policy < sizeof names / sizeof names[0]);
	return names[policy];
}

const char *
transport_result_name(enum transport_result result)
{
	static const char *const names[] = {
		[TRANSPORT_OK] = "",
		[TRANSPORT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
		[TRANSPORT_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
		[TRANSPORT_CERTIFICATE_EXPIRED] = "certificate-expired",
		[TRANSPORT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
		[TRANSPORT_VALIDATION_FAILURE] = "validation-failure",
		[TRANSPORT_TLSA_INVALID] = "tlsa-invalid",
		[TRANSPORT_DNSSEC_INVALID] = "dnssec-invalid",
		[TRANSPORT_DANE_REQUIRED] = "dane-required",
		[TRANSPORT_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
		[TRANSPORT_STS_POLICY_INVALID] = "sts-policy-invalid",
		[TRANSPORT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
	};

	assert((size_t)result < sizeof names / sizeof names[0]);
	return names[result];
}

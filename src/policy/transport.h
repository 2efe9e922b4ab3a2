/*
 * policy/transport.h - may mail go to this mail exchanger, and how well must the connection be secured? Facts to verdict.
 *
 * DANE (RFC 7672) speaks first, then MTA-STS (RFC 8461), then opportunistic TLS (RFC 7435); a failing DANE is never overridden by
 * MTA-STS (8461 2). REQUIRETLS adds to whatever was found, "TLS-Required: No" takes it away (RFC 8689). A smart host is a
 * policy domain of its own: what its operator's settings say is the least.
 *
 * Owner     nothing; words point to static text. Blocks never.
 */
#ifndef POSTERN_POLICY_TRANSPORT_H
#define POSTERN_POLICY_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/mta_sts.h"

/* What DNSSEC says of an answer (RFC 4035 4.3). */
enum transport_dns {
	TRANSPORT_DNS_INSECURE,         /* an answer that nobody vouches for, or none was asked for */
	TRANSPORT_DNS_SECURE,           /* validated; for TLSA: and there are records */
	TRANSPORT_DNS_ABSENT,           /* TLSA only: validated that there are none */
	TRANSPORT_DNS_BOGUS,            /* signatures that do not hold */
	TRANSPORT_DNS_ERROR,            /* SERVFAIL, time-out: nobody knows */
};

/* What the message wants of the whole way (RFC 8689). */
enum transport_need {
	TRANSPORT_NEED_NOTHING,
	TRANSPORT_NEED_TLS,             /* REQUIRETLS */
	TRANSPORT_NEED_DELIVERY,        /* "TLS-Required: No": rather in clear than not at all */
};

/* What the operator wants of this hop. */
enum transport_hop {
	TRANSPORT_HOP_MX,               /* found by DNS: the receiver's policies decide */
	TRANSPORT_HOP_FIXED,            /* a smart host without demands: as an MX */
	TRANSPORT_HOP_FIXED_TLS,        /* a smart host whose TLS and name are demanded */
};

struct transport_facts {
	enum transport_hop hop;
	enum transport_need need;
	bool literal;                   /* the hop is an address: it has neither name nor policies */
	enum transport_dns mx;          /* of the MX answer, or of its absence; not looked at for a fixed hop */
	enum transport_dns address;     /* of the host's A and AAAA */
	enum transport_dns tlsa;
	bool tlsa_usable;               /* at least one record that RFC 7672 3.1 lets be used */
	bool sts;                       /* sts_mode is a policy in force: fetched, and not older than its max_age */
	enum mta_sts_mode sts_mode;
	bool sts_matches;               /* one of its mx patterns is for this host's name */
	bool sts_unknown;               /* no policy is in force, and it could not be found out whether the domain has one */
};

enum transport_act {
	TRANSPORT_TRY,                  /* connect, as the rest of the verdict says */
	TRANSPORT_SKIP,                 /* not to this host now; the next one, else the mail waits */
	TRANSPORT_REFUSE,               /* not to this host at all; the next one, else the mail is bounced (8689 4.2.1) */
};

/* Which policy it was, in the order in which they speak. */
enum transport_policy {
	TRANSPORT_OPPORTUNISTIC,
	TRANSPORT_DANE,
	TRANSPORT_DANE_TLS,             /* secure TLSA records, none usable: TLS without authentication (7672 2.2) */
	TRANSPORT_STS,
	TRANSPORT_STS_TESTING,
	TRANSPORT_SMART_HOST,
	TRANSPORT_REQUIRETLS,           /* nothing but the message asked for it */
	TRANSPORT_TLS_OPTIONAL,         /* the message asked for none of it */
};

enum transport_auth {
	TRANSPORT_AUTH_NONE,            /* verify to know, go on in any case */
	TRANSPORT_AUTH_PKIX,            /* a trusted chain, and the host's name */
	TRANSPORT_AUTH_DANE,            /* the TLSA records */
};

/* RFC 8460 4.3, with 0 for no failure. */
enum transport_result {
	TRANSPORT_OK,
	TRANSPORT_STARTTLS_NOT_SUPPORTED,
	TRANSPORT_CERTIFICATE_HOST_MISMATCH,
	TRANSPORT_CERTIFICATE_EXPIRED,
	TRANSPORT_CERTIFICATE_NOT_TRUSTED,
	TRANSPORT_VALIDATION_FAILURE,
	TRANSPORT_TLSA_INVALID,
	TRANSPORT_DNSSEC_INVALID,
	TRANSPORT_DANE_REQUIRED,
	TRANSPORT_STS_POLICY_FETCH_ERROR,
	TRANSPORT_STS_POLICY_INVALID,
	TRANSPORT_STS_WEBPKI_INVALID,
};

struct transport_verdict {
	enum transport_act act;
	enum transport_policy policy;
	enum transport_auth auth;
	bool tls;                       /* no mail without TLS */
	bool verified;                  /* no mail to whom auth does not fit; else what it says is only recorded */
	bool requiretls;                /* no mail to a hop that does not offer REQUIRETLS behind TLS (8689 4.2.1) */
	enum transport_result result;   /* what to report when act is not TRY, or of a policy that is being tested */
	const char *enhanced;           /* for a DSN when act is not TRY: "4.7.5" */
	const char *words;              /* the reason, always; static */
};

struct transport_verdict transport_decide(const struct transport_facts *);

/* "dane", "sts": for ledger and log. */
const char *transport_policy_name(enum transport_policy);
/* "certificate-host-mismatch", "" for TRANSPORT_OK. */
const char *transport_result_name(enum transport_result);

#endif

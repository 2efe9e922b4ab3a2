/*
 * dns/tlsa.h - a TLSA record (RFC 6698 2.1): what a certificate must be like. Pure.
 *
 * Owner     the record points into the RDATA that it was parsed from.
 * Blocks    never.
 */
#ifndef POSTERN_DNS_TLSA_H
#define POSTERN_DNS_TLSA_H

#include "base/span.h"

enum tlsa_usage { TLSA_PKIX_TA, TLSA_PKIX_EE, TLSA_DANE_TA, TLSA_DANE_EE };

struct tlsa_record {
	uint8_t usage, selector, matching;
	struct span data;
};

bool tlsa_record_parse(struct span rdata, struct tlsa_record *);
/* For SMTP: usage 2 or 3 (RFC 7672 3.1.3), selector and matching type known, data of the digest's length. */
bool tlsa_record_usable(const struct tlsa_record *);

#endif

#include "dns/tlsa.h"

bool
tlsa_record_parse(struct span rdata, struct tlsa_record *record)
{
	if (rdata.len < 4)
		return false;
	record->usage = rdata.p[0];
	record->selector = rdata.p[1];
	record->matching = rdata.p[2];
	span_skip(&rdata, 3);
	record->data = rdata;
	return true;
}

bool
tlsa_record_usable(const struct tlsa_record *record)
{
	/* The whole, SHA-256, SHA-512 (RFC 7671 9, dane-8); of the whole OpenSSL says later whether it can be read. */
	static const size_t lengths[] = { 0, 32, 64 };

	if (record->usage != TLSA_DANE_TA && record->usage != TLSA_DANE_EE)
		return false;
	if (record->selector > 1 || record->matching > 2)
		return false;
	return record->matching == 0 ? record->data.len > 0 : record->data.len == lengths[record->matching];
}

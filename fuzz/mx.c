/* The RDATA of MX, TLSA and TXT records as anybody's name server may send it (RFC 1035 3.3, RFC 6698 2.1): what parses is a name,
 * and the order holds; what is usable has the length that its digest has. */
#include <stdlib.h>
#include <string.h>

#include "dns/mx.h"
#include "dns/text.h"
#include "dns/tlsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
check(const struct mx_record *record, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (record[i].name[0] == 0 || strlen(record[i].name) > 253 ||
		    (i > 0 && record[i].preference < record[i - 1].preference))
			abort();
}

static void
check_others(struct span rdata)
{
	uint8_t room[128];
	struct buf text = BUF_OVER(room);
	struct tlsa_record tlsa;

	if (txt_record_parse(rdata, &text) && text.len >= rdata.len && rdata.len > 0)
		abort();
	if (tlsa_record_parse(rdata, &tlsa) && tlsa_record_usable(&tlsa) &&
	    (tlsa.data.len != rdata.len - 3 || (tlsa.matching > 0 && tlsa.data.len != 32u * tlsa.matching)))
		abort();
}

/* Records one after the other, each behind an octet with its length. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct mx_record record[MX_RECORDS_MAX];
	struct span rest = { p, n };
	size_t count = 0, all;

	while (rest.len > 0 && count < MX_RECORDS_MAX) {
		size_t len = rest.p[0];

		span_skip(&rest, 1);
		check_others(span_head(rest, len));
		if (mx_record_parse(span_head(rest, len), &record[count]))
			count++;
		span_skip(&rest, len);
	}
	all = count;
	if (mx_order(record, &count, SPAN("us.example"), n) == MX_FOUND && (count == 0 || count > all))
		abort();
	check(record, count);
	return 0;
}

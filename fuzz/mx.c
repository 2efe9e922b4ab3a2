/* The RDATA of MX records as anybody's name server may send it (RFC 1035 3.3.9): what parses is a name, and the order holds. */
#include <stdlib.h>
#include <string.h>

#include "dns/mx.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
check(const struct mx_record *record, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (record[i].name[0] == 0 || strlen(record[i].name) > 253 ||
		    (i > 0 && record[i].preference < record[i - 1].preference))
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

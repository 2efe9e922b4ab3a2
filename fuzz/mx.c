/* The RDATA of MX, TLSA and TXT records as anybody's name server may send it (RFC 1035 3.3, RFC 6698 2.1): what parses is a name,
 * and the order holds; what is usable has the length that its digest has. And a file of trust anchors (RFC 1035 5.1), where a comment and
 * a key that signs change what they should. */
#include <stdlib.h>
#include <string.h>

#include "dns/anchor.h"
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

static enum dns_anchor
judge_with(const char *before, struct span text, const char *after)
{
	static uint8_t room[65536];
	struct buf all = BUF_OVER(room);

	if (!buf_put_text(&all, before) || !buf_put(&all, text) || !buf_put_text(&all, after))
		return dns_anchor_judge(text);
	return dns_anchor_judge(buf_span(&all));
}

static void
check_anchor(struct span text)
{
	enum dns_anchor judged = dns_anchor_judge(text);

	if (judge_with("; a comment (\n", text, "") != judged ||
	    judge_with(". IN DS 38696 8 2 683D\n", text, "") != DNS_ANCHOR_GOOD ||
	    (judged == DNS_ANCHOR_NONE && judge_with(". 1 IN DS 20326 8 2 E06D\n", text, "") != DNS_ANCHOR_RETIRED))
		abort();
}

/* Records one after the other, each behind an octet with its length. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct mx_record record[MX_RECORDS_MAX];
	struct span rest = { p, n };
	size_t count = 0, all;

	check_anchor(rest);
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

#include "dns/srv.h"

enum { FIXED = 6 };

static uint16_t
number(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

bool
srv_record_parse(struct span rdata, struct srv_record *r)
{
	if (rdata.len <= FIXED)
		return false;
	*r = (struct srv_record){ .priority = number(rdata.p), .weight = number(rdata.p + 2), .port = number(rdata.p + 4) };
	span_skip(&rdata, FIXED);
	return mx_name_parse(rdata, r->target);
}

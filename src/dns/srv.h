/*
 * dns/srv.h - an SRV record (RFC 2782): where a domain has a service, and which to try first. Pure.
 *
 * Owner     the caller. Blocks never.
 */
#ifndef POSTERN_DNS_SRV_H
#define POSTERN_DNS_SRV_H

#include "dns/mx.h"

struct srv_record {
	uint16_t priority, weight, port;
	char target[MX_NAME_MAX];       /* "": the service is decidedly not there */
};

bool srv_record_parse(struct span rdata, struct srv_record *);

#endif

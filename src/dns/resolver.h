/*
 * dns/resolver.h - private to this room: what dns/resolver.c and dns/lookup.c share.
 */
#ifndef POSTERN_DNS_RESOLVER_H
#define POSTERN_DNS_RESOLVER_H

#include <unbound.h>

#include "dns/lookup.h"

enum { DNS_TYPE_A = 1, DNS_TYPE_MX = 15, DNS_TYPE_AAAA = 28, DNS_CLASS_IN = 1 };

struct resolver {
	uv_loop_t *loop;
	struct ub_ctx *ctx;
	uv_poll_t poll;                 /* readable: answers wait */
	uv_timer_t clock;               /* ticks while look-ups run, for their deadlines */
	struct mx_lookup *lookups;
	uint32_t open_handles;          /* of the two; the resolver is freed with the last */
};

/* One question to libunbound; async_id < 0 when none is out. */
struct mx_query {
	struct mx_lookup *lookup;
	int async_id;
	uint8_t host;
	uint8_t type;                   /* DNS_TYPE_* */
};

/* What one host has of one family. */
struct mx_found {
	uint8_t count;
	uint8_t octets[MX_HOST_ADDRESSES_MAX][16];
};

struct mx_lookup {
	struct resolver *resolver;
	struct mx_lookup *next, **link;
	void (*done)(void *arg, const struct mx_list *);
	void *arg;
	uint64_t deadline;              /* uv_now() */
	uint32_t waiting;               /* queries out */
	uint32_t deadline_ms;
	bool ended;                     /* verdict is known; done() is due */
	bool some_later;
	bool host_only;
	char domain[MX_NAME_MAX];
	char self[MX_NAME_MAX];
	struct mx_query query[1 + 2 * MX_HOSTS_MAX];
	struct mx_found found[MX_HOSTS_MAX][2];
	struct mx_list list;
};

/* Ends it when it is due. True when it reported, and is gone. */
bool mx_lookup_tick(struct mx_lookup *, uint64_t now);
/* Have look-ups ticked every second from now on, or also as soon as the loop turns. */
void resolver_clock(struct resolver *, bool at_once);

#endif

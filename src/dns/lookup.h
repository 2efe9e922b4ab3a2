/*
 * dns/lookup.h - asking the DNS without waiting for it: libunbound in a thread of its own, its answers on our loop.
 *
 * Owner     resolver and look-ups belong to the caller until resolver_close(), or until done() was called or
 *           mx_lookup_cancel().
 * Blocks    never. Every look-up ends by its own deadline, whatever the resolver does.
 * Fails     a look-up always ends in done() with a verdict and words (dns/mx.h).
 */
#ifndef POSTERN_DNS_LOOKUP_H
#define POSTERN_DNS_LOOKUP_H

#include <uv.h>

#include "base/buf.h"
#include "dns/mx.h"

struct resolver;
struct mx_lookup;

struct resolver_conf {
	const char *server;             /* "192.0.2.53" or "192.0.2.53@5353"; NULL or "": resolv.conf and hosts file */
	const char *trust_anchor;       /* file; NULL or "": answers are not validated */
};

/* NULL with words in why. The thread starts with the first question. */
struct resolver *resolver_open(uv_loop_t *, const struct resolver_conf *, struct buf *why);
/* Cancels every look-up without done(). NULL is harmless. */
void resolver_close(struct resolver *);

enum {
	MX_DEADLINE = 30000,
	RESOLVER_QUESTIONS = 2048,      /* without an answer at once, fewer when descriptors are short */
	RESOLVER_QUESTIONS_LEAST = 64,
};

struct mx_question {
	struct span domain;             /* U-labels are turned into A-labels (RFC 5891) */
	struct span self;               /* our own name, for 5321-66; empty: no check */
	bool host_only;                 /* a host's addresses, no MX: smart hosts */
	uint16_t tlsa_port;             /* ask for TLSA records of hosts that DNSSEC vouches for; 0: do not (RFC 7672 2.2) */
	uint32_t deadline;              /* milliseconds for everything; 0: MX_DEADLINE */
};

/* done() is called once, from the loop, never from inside this call; list is valid during it and self-contained.
 * NULL when memory is short. */
struct mx_lookup *mx_lookup_begin(struct resolver *, const struct mx_question *,
    void (*done)(void *arg, const struct mx_list *), void *arg);
/* done() will not be called. NULL is harmless. */
void mx_lookup_cancel(struct mx_lookup *);

/* The name to ask for: A-labels, lower case, no dot behind (RFC 5891). False: it is no domain name. */
bool dns_ascii(struct span domain, char name[MX_NAME_MAX]);

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" or either without brackets and tag: needs no question. False for a name. */
bool mx_literal(struct span domain, struct mx_list *);

#endif

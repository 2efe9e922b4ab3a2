/*
 * dns/resolver.h - private to this room: what dns/resolver.c and dns/lookup.c share.
 */
#ifndef POSTERN_DNS_RESOLVER_H
#define POSTERN_DNS_RESOLVER_H

#include <unbound.h>

#include "dns/lookup.h"
#include "dns/text.h"

enum {
	DNS_TYPE_A = 1, DNS_TYPE_CNAME = 5, DNS_TYPE_MX = 15, DNS_TYPE_TXT = 16, DNS_TYPE_AAAA = 28, DNS_TYPE_TLSA = 52,
	DNS_CLASS_IN = 1,
	ASKED_MAX = 80,                 /* words about who is asked, with NUL */
};

/* What one answer is to us. */
enum answer { ANSWER_DATA, ANSWER_NOTHING, ANSWER_NO_NAME, ANSWER_LATER };

struct resolver {
	uv_loop_t *loop;
	struct ub_ctx *ctx;
	uv_poll_t poll;                 /* readable: answers wait */
	uv_timer_t clock;               /* ticks while look-ups run, for their deadlines */
	struct mx_lookup *lookups;
	struct txt_lookup *texts;
	uint32_t open_handles;          /* of the two; the resolver is freed with the last */
	char asked[ASKED_MAX];
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

enum { MX_QUERIES_OF_HOST = 3 };        /* A, AAAA, and one after the other what finds TLSA records */

struct mx_lookup {
	struct resolver *resolver;
	struct mx_lookup *next, **link;
	void (*done)(void *arg, const struct mx_list *);
	void *arg;
	uint64_t deadline;              /* uv_now() */
	uint32_t waiting;               /* queries out */
	uint32_t deadline_ms;
	uint32_t passed;                /* of the hosts in their order: they have no address */
	uint64_t seed;                  /* of that order */
	bool more;                      /* hosts behind those that are looked up */
	bool ended;                     /* verdict is known; done() is due */
	bool some_later;
	bool host_only;
	uint16_t tlsa_port;
	bool settled[MX_HOSTS_MAX];     /* an address has come, and with it what DNSSEC says of the host */
	char domain[MX_NAME_MAX];
	char self[MX_NAME_MAX];
	struct mx_query query[1 + MX_QUERIES_OF_HOST * MX_HOSTS_MAX];
	struct mx_found found[MX_HOSTS_MAX][2];
	struct mx_list list;
};

/* ---- lookup.c ---- */
/* Words for an answer that is none; detail may be `asked`. */
enum answer answer_classify(const char *asked, int err, const struct ub_result *, const char **words, const char **detail);
void mx_query_begin(struct mx_lookup *, uint8_t type, uint8_t host);
/* Ends it when it is due. True when it reported, and is gone. */
bool mx_lookup_tick(struct mx_lookup *, uint64_t now);

/* ---- lookup_tlsa.c ---- */
/* A host's addresses have come, with the name that they really are of. */
void tlsa_addresses(struct mx_lookup *, uint8_t host, const struct ub_result *);
/* ...or cannot be had. */
void tlsa_no_addresses(struct mx_lookup *, uint8_t host, const struct ub_result *);
/* An answer to TLSA or CNAME. */
void tlsa_answer(struct mx_query *, enum answer, const struct ub_result *, const char *words, const char *detail);
/* The owner name of the TLSA question that is out. */
void tlsa_name(const struct mx_query *, char name[MX_NAME_MAX]);

/* ---- text.c ---- */
bool txt_lookup_tick(struct txt_lookup *, uint64_t now);
struct txt_lookup *txt_lookup_next(struct txt_lookup *);

/* ---- resolver.c ---- */
/* Where to ask, whom DNSSEC trusts, and how much may be kept; answers come from a thread. 0 or an error of libunbound's. asked says where, for
 * whoever reads that no answer came: it is the first thing to look at. */
int resolver_configure(struct ub_ctx *, const struct resolver_conf *, char asked[ASKED_MAX]);
/* Have look-ups ticked every second from now on, or also as soon as the loop turns. */
void resolver_clock(struct resolver *, bool at_once);

#endif

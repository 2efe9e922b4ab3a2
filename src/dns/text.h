/*
 * dns/text.h - the TXT records of a name (RFC 1035 3.3.14), for the policies that domains publish in them.
 *
 * Owner     the look-up belongs to the caller until done() was called or txt_lookup_cancel().
 * Blocks    never. Every look-up ends by its own deadline.
 * Fails     TXT_LATER with words: nobody knows whether there are any.
 */
#ifndef POSTERN_DNS_TEXT_H
#define POSTERN_DNS_TEXT_H

#include "dns/lookup.h"

struct txt_lookup;

enum {
	TXT_RECORDS_MAX = 16,           /* of one answer that are looked at */
	TXT_OCTETS_MAX = 2048,          /* of one record, its strings joined; a longer one is passed over */
	TXT_DEADLINE = 15000,           /* milliseconds */
};

enum txt_verdict { TXT_FOUND, TXT_NOTHING, TXT_LATER };

struct txt_list {
	enum txt_verdict verdict;
	bool secure;                    /* DNSSEC-validated */
	uint32_t ttl;                   /* seconds */
	uint32_t records;
	struct span record[TXT_RECORDS_MAX];    /* valid during done() */
	const char *words;              /* why TXT_LATER; NUL-terminated, valid during done() */
};

/* The RDATA of a TXT record: its strings joined onto out. False: malformed, or longer than there is room. */
bool txt_record_parse(struct span rdata, struct buf *out);

/* name: at most 255 octets, A-labels. done() is called once, from the loop, never from inside. NULL when memory is short. */
struct txt_lookup *txt_lookup_begin(struct resolver *, const char *name,
    void (*done)(void *arg, const struct txt_list *), void *arg);
/* done() will not be called. NULL is harmless. */
void txt_lookup_cancel(struct txt_lookup *);

#endif

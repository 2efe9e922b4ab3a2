/*
 * dns/ask.h - one question at a time, waited for: for commands, which have nothing else to do meanwhile.
 *
 * Owner     the asker belongs to the caller until dns_asker_close(); an answer is good until the next question.
 * Blocks    until the answer is there or the time is over.
 * Fails     DNS_FAILED with words: nobody knows what is there. Never taken for "nothing there" (dane-2).
 */
#ifndef POSTERN_DNS_ASK_H
#define POSTERN_DNS_ASK_H

#include "dns/lookup.h"

struct dns_asker;

enum { DNS_RECORDS_MAX = 32 /* of one answer that are looked at */ };

enum dns_verdict { DNS_DATA, DNS_NOTHING, DNS_NO_NAME, DNS_FAILED };
enum dns_type { DNS_A = 1, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52 };

struct dns_answer {
	enum dns_verdict verdict;
	bool secure;                    /* DNSSEC vouches for it, also for there being nothing */
	uint32_t records;
	struct span record[DNS_RECORDS_MAX];    /* RDATA */
	const char *words;              /* why DNS_FAILED; NUL-terminated */
};

/* NULL with words in why. */
struct dns_asker *dns_asker_open(const struct resolver_conf *, struct buf *why);
/* NULL is harmless. */
void dns_asker_close(struct dns_asker *);
/* name: A-labels, without a dot behind. */
void dns_ask(struct dns_asker *, const char *name, enum dns_type, unsigned milliseconds, struct dns_answer *);

#endif

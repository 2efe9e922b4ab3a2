/*
 * dns/mx.h - from a domain to the hosts that take its mail, in the order in which they are to be tried (RFC 5321 5.1,
 * RFC 7505).
 *
 * This file's functions decide and do no I/O; dns/lookup.h asks the questions.
 *
 * Owner     the caller, of everything. Blocks never.
 * Fails     as a verdict with words; MX_LATER alone may be tried again.
 */
#ifndef POSTERN_DNS_MX_H
#define POSTERN_DNS_MX_H

#include "base/span.h"
#include "policy/transport.h"

enum {
	MX_RECORDS_MAX = 128,           /* records of one answer that are looked at; the rest is ignored */
	MX_HOSTS_MAX = 10,              /* that are tried (5321-65 allows a cap) */
	MX_HOST_ADDRESSES_MAX = 8,      /* of one host and one family */
	MX_ADDRESSES_MAX = 40,          /* of all hosts together */
	MX_NAME_MAX = 256,              /* with NUL */
	MX_WORDS_MAX = 480,             /* with NUL */
	MX_TLSA_MAX = 64,               /* usable TLSA records of all hosts together */
	MX_TLSA_OCTETS = 4096,          /* of their data; digests take 35, so this is meant for the few that publish certificates */
};

enum mx_verdict {
	MX_FOUND,
	MX_NO_DOMAIN,   /* NXDOMAIN, or no domain name at all: 5.1.2 */
	MX_NULL,        /* the domain says that it takes no mail: 5.1.10, reply 556 (7505-1) */
	MX_NO_HOST,     /* no mail exchanger has an address: 5.4.4 */
	MX_LOOP,        /* we are the best one ourselves: 5.4.6 */
	MX_LATER,       /* SERVFAIL, time-out, bogus signatures: 4.4.3 */
};

struct mx_record {
	uint16_t preference;
	char name[MX_NAME_MAX];         /* without the last dot; "" is the root */
};

struct mx_host {
	char name[MX_NAME_MAX];
	uint16_t preference;
	/* Of A and AAAA (dane-4). An alias that is itself validated counts as SECURE, wherever it leads (7672 2.2.2). */
	enum transport_dns address;
	enum transport_dns tlsa;        /* INSECURE: none validated, or none asked for */
	bool tlsa_usable;               /* SECURE, and some of the records are usable for SMTP */
	char base[MX_NAME_MAX];         /* TLSA base domain when SECURE (7672 2.2.2): name, or what it is an alias for */
};

/* A usable TLSA record: RDATA, in mx_list.tlsa_octets. */
struct mx_tlsa {
	uint8_t host;                   /* index into host */
	uint16_t at, len;
};

struct mx_address {
	uint8_t host;                   /* index into host */
	bool v6;
	uint8_t octets[16];             /* network order; 4 of them without v6 */
};

struct mx_list {
	enum mx_verdict verdict;
	enum transport_dns mx;          /* of the MX answer (dane-1); SECURE or INSECURE once there is one */
	bool literal;                   /* an address was given for the domain: nothing was asked */
	bool implicit;                  /* no MX: the domain's own address (5321-62) */
	uint32_t ttl;                   /* seconds that the answer may be kept */
	uint32_t hosts, addresses, tlsas, tlsa_used;
	struct mx_host host[MX_HOSTS_MAX];
	struct mx_address address[MX_ADDRESSES_MAX];    /* in the order to be tried */
	struct mx_tlsa tlsa[MX_TLSA_MAX];
	uint8_t tlsa_octets[MX_TLSA_OCTETS];
	char words[MX_WORDS_MAX];       /* why it is not MX_FOUND; NUL-terminated, one line */
	char tlsa_words[MX_WORDS_MAX];  /* why a TLSA question has no answer; "" when none failed */
};

/* A domain name in wire form (RFC 1035 3.1), uncompressed, to text. False when it is cut, too long, or no host name. */
bool mx_name_parse(struct span wire, char name[MX_NAME_MAX]);
/* The RDATA of an MX record (RFC 1035 3.3.9). */
bool mx_record_parse(struct span rdata, struct mx_record *);

/*
 * Put records into the order to be tried: preference, equals shuffled by seed (5321-64); without repetitions, the root, and
 * names that are addresses (5321-67); without self and everything no better than self (5321-66). *count is what is left.
 * MX_FOUND, MX_NULL (the only one is the root), MX_LOOP, or MX_NO_HOST.
 */
enum mx_verdict mx_order(struct mx_record *, size_t *count, struct span self, uint64_t seed);

/* What asking for the addresses of all hosts came to. */
enum mx_verdict mx_conclude(size_t addresses, bool some_later);

/* RFC 3463 code and reply code for a DSN; "" and 0 for MX_FOUND. */
const char *mx_enhanced(enum mx_verdict);
uint16_t mx_code(enum mx_verdict);

#endif

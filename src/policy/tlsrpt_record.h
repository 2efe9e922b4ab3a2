/*
 * policy/tlsrpt_record.h - where a domain wants its reports: the TXT record at _smtp._tls (RFC 8460 3). Pure.
 *
 *	v=TLSRPTv1; rua=mailto:reports@example.com,https://reports.example.com/v1
 *
 * Owner     the caller; a record holds its texts itself. Blocks never.
 * Fails     false: no record, or one that is no list of key=value. URIs that cannot be used are counted and passed over.
 */
#ifndef POSTERN_POLICY_TLSRPT_RECORD_H
#define POSTERN_POLICY_TLSRPT_RECORD_H

#include "base/span.h"

enum {
	TLSRPT_URIS_MAX = 4,            /* of one record that reports are sent to; further ones are passed over */
	TLSRPT_TO_MAX = 320,            /* with NUL: a mailbox, or a host */
	TLSRPT_PATH_MAX = 512,          /* with NUL: path and query */
};

enum tlsrpt_scheme { TLSRPT_MAILTO, TLSRPT_HTTPS };

struct tlsrpt_uri {
	enum tlsrpt_scheme scheme;
	uint16_t port;                  /* of HTTPS */
	char to[TLSRPT_TO_MAX];         /* "reports@example.com", or "reports.example.com" in lower case */
	char path[TLSRPT_PATH_MAX];     /* "/v1?x=y" */
};

struct tlsrpt_record {
	uint32_t uris, passed_over;
	struct tlsrpt_uri uri[TLSRPT_URIS_MAX];
};

/* Does a TXT record (its strings joined) claim to be one? Unless exactly one does, the domain has none (8460 3). */
bool tlsrpt_record_claims(struct span txt);
bool tlsrpt_record_parse(struct span txt, struct tlsrpt_record *);

#endif

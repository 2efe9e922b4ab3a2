/*
 * mail/trace.h - the lines we add: Received (RFC 5321 4.4, RFC 8314 4.3, RFC 3848, RFC 6531 4.3), Date (RFC 5322 3.3) and
 * Message-ID (3.6.4).
 *
 * Owner     the caller. Blocks never. Fails false when out has no room, out untouched.
 */
#ifndef POSTERN_MAIL_TRACE_H
#define POSTERN_MAIL_TRACE_H

#include "base/buf.h"

struct trace {
	struct span helo;       /* as the client said it, already checked */
	struct span peer;       /* address literal with brackets: [192.0.2.7] or [IPv6:2001:db8::1] */
	struct span host;       /* our name */
	struct span id;         /* queue id */
	struct span cipher;     /* IANA name, TLS_AES_128_GCM_SHA256; empty without TLS */
	struct span group;      /* x25519; empty when unknown */
	struct span recipient;  /* for clause; empty with several recipients (5321-37) */
	uint64_t now;           /* ms since 1970 */
	int priority;           /* MT-PRIORITY (RFC 6710 3); 0 is not written */
	bool esmtp, tls, auth, utf8;
};

/* At most TRACE_MAX octets, CRLFs included, folded so that no line is over 78 where names allow it. */
enum { TRACE_MAX = 1536 };
bool received_format(const struct trace *, struct buf *out);

/* "Sun, 22 Nov 2026 10:00:00 +0000" without CRLF; always UTC. */
bool date_format(uint64_t now_ms, struct buf *out);

/* "<id.random@host>" without CRLF. random is 8 unguessable octets. */
bool message_id_format(struct span id, uint64_t random, struct span host, struct buf *out);

#endif

/*
 * tls/client.h - TLS towards a server: verification is on unless the caller is opportunistic (RFC 7817, 9525).
 *
 * Names are matched against dNSName (or iPAddress for a literal) only, never CN; wildcards are one whole left-most label.
 *
 * DANE: RFC 7671, 7672 3; records of the usages 2 and 3 only.
 *
 * Owner     the caller, until tls_client_free().
 */
#ifndef POSTERN_TLS_CLIENT_H
#define POSTERN_TLS_CLIENT_H

#include "tls/session.h"

struct tls_client;

enum tls_verify {
	TLS_VERIFY,             /* chain and name, or the handshake fails */
	TLS_VERIFY_NOTHING,     /* opportunistic relaying on port 25 only */
};

/* Has the system's store, which OpenSSL looks for in vain without a word, a CA? False with words in why: where it was looked for,
 * and what to do. Blocks on the disk. */
bool tls_system_trusts(struct buf *why);

/* ca_file: PEM file of trusted CAs, NULL for the system's. NULL with words in why when it cannot be read. */
struct tls_client *tls_client_new(const char *ca_file, struct buf *why);
void tls_client_free(struct tls_client *);
/* name: host name (also SNI) or address literal without brackets; NUL-terminated. Resumes an earlier session to the same name
 * when there is one. NULL when memory is short. */
struct tls_session *tls_connect(struct tls_client *, int fd, const char *name, enum tls_verify);

struct tls_dane_record {                /* RFC 6698 2.1 */
	uint8_t usage, selector, matching;
	struct span data;
};
struct tls_dane {
	const char *base;               /* TLSA base domain: SNI, and the name that a DANE-TA(2) certificate must have... */
	const char *also;               /* ...or this one (7672 3.2.2: the next-hop domain); NULL: no other */
	const struct tls_dane_record *record;
	size_t records;
};
/* As tls_connect(), but what authenticates is the records; nothing is resumed. DANE-EE(3): neither name nor dates count (7672
 * 3.1.1). *usable false: OpenSSL can use none of the records, and NULL comes back. */
struct tls_session *tls_connect_dane(struct tls_client *, int fd, const struct tls_dane *, bool *usable);

/* After the handshake: was the chain trusted and the name right (also known under TLS_VERIFY_NOTHING)? */
bool tls_verified(const struct tls_session *);
/* What it was that fitted, when verified: "mx.example.net", "3 1 1". Appended to out, which stays without NUL. */
void tls_matched(const struct tls_session *, struct buf *out);

/* Why a certificate is not good, in the terms of RFC 8460 4.3. */
enum tls_fault {
	TLS_FAULT_NONE,         /* it is good, or is not what the session failed for */
	TLS_FAULT_NAME,
	TLS_FAULT_EXPIRED,
	TLS_FAULT_UNTRUSTED,
	TLS_FAULT_DANE,         /* no TLSA record fits */
	TLS_FAULT_OTHER,
};
enum tls_fault tls_fault(const struct tls_session *);

/* Have somebody else's SSL_CTX (an HTTPS client's) trust whom we trust, with our settings. */
bool tls_client_lend(struct tls_client *, void *ssl_ctx);

#endif

/*
 * tls/served.h - which certificate does a listener really serve? The proof that a new one was taken up.
 *
 * Owner     nothing is kept between calls.
 * Blocks    on the network, three seconds at most for each step: call from a worker.
 * Fails     false with words in why, NUL-terminated.
 */
#ifndef POSTERN_TLS_SERVED_H
#define POSTERN_TLS_SERVED_H

#include "base/buf.h"

enum { TLS_FINGERPRINT = 32 };

struct tls_served_question {
	char address[64];       /* IPv4 or IPv6, without brackets */
	char name[256];         /* for SNI; may be empty */
	uint16_t port;
	bool starttls;          /* say EHLO and STARTTLS first */
	struct span first;      /* what goes out before anything else; static, mostly empty */
	uint8_t expected[TLS_FINGERPRINT];
	const char *signatures; /* that lead to this kind of key where several are served under one name; NULL: any */
};

/* Set expected and signatures. False: no certificate. */
bool tls_served_expect(struct tls_served_question *, struct span chain_pem);
/* Is what is expected served? The chain is not judged. */
bool tls_served(const struct tls_served_question *, struct buf *why);
/* SHA-256 of the first certificate in a PEM text. */
bool tls_fingerprint(struct span chain_pem, uint8_t fingerprint[TLS_FINGERPRINT]);

#endif

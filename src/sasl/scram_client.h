/*
 * sasl/scram_client.h - the client's half of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677). Private to this room.
 *
 * Ours, because GNU SASL 2.2.0 refuses to speak plain SCRAM once it has been given a channel binding: a client that can bind and is
 * offered no -PLUS must say so with `y`, or nobody notices that -PLUS was stripped (RFC 5802 6; docs/decisions).
 *
 * Order     scram_client_first(), scram_client_final(), scram_client_verify(); each once, and not after a false one.
 * Owner     the caller; secrets are wiped by scram_client_end().
 * Blocks    scram_client_final() computes for as long as the server's iterations say, at most SCRAM_ITERATIONS_MAX.
 * Fails     false with static words in why.
 */
#ifndef POSTERN_SASL_SCRAM_CLIENT_H
#define POSTERN_SASL_SCRAM_CLIENT_H

#include "base/buf.h"
#include "base/secret.h"
#include "sasl/verifier.h"

enum {
	SCRAM_ITERATIONS_MIN = 4096,    /* RFC 7677 4 */
	SCRAM_ITERATIONS_MAX = 2000000, /* about half a second; more is an attack on us (scram-6) */
	SCRAM_NONCE_MAX = 64,
	SCRAM_SERVER_MAX = 3072,        /* octets of a message of the server's */
};

enum scram_flag { SCRAM_CANNOT_BIND, SCRAM_COULD_BIND, SCRAM_BINDS_UNIQUE, SCRAM_BINDS_EXPORTER };       /* n, y, p=... */

struct scram_client {
	const char *why;
	struct secret password;         /* prepared */
	enum scram_flag flag;
	uint8_t binding[64];
	size_t binding_len;
	uint8_t nonce[SCRAM_NONCE_MAX];
	size_t nonce_len;
	uint8_t first[1024];            /* client-first-message-bare */
	size_t first_len;
	uint8_t server_signature[VERIFIER_HASH];
};

/* A fresh nonce of 24 printable characters. False: no randomness. */
bool scram_nonce(struct buf *out);
/* user and password are prepared; binding is used with the BINDS flags; the nonce is the caller's, so that vectors can be run. */
bool scram_client_first(struct scram_client *, enum scram_flag, struct span binding, struct span user, struct span password,
    struct span nonce, struct buf *out);
bool scram_client_final(struct scram_client *, struct span server_first, struct buf *out);
/* True only when the server knew the verifier (scram-5). */
bool scram_client_verify(struct scram_client *, struct span server_final);
void scram_client_end(struct scram_client *);

#endif

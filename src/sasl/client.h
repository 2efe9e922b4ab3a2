/*
 * sasl/client.h - proving to a next hop or a submission server who we are (RFC 4422, 5802, 7677, 4616), through GNU SASL.
 *
 * Preference is ours: SCRAM-SHA-256-PLUS, SCRAM-SHA-256, PLAIN, LOGIN (4422-3). PLAIN and LOGIN only over TLS.
 *
 * Owner     the caller. Secrets: the password is copied into the exchange and wiped by sasl_client_end().
 * Blocks    never.
 */
#ifndef POSTERN_SASL_CLIENT_H
#define POSTERN_SASL_CLIENT_H

#include "base/buf.h"
#include "base/secret.h"
#include "smtp/server.h"

struct sasl_client;

struct sasl_client_facts {
	struct span user;
	struct span password;
	uint32_t offered;               /* bits of enum smtp_mechanism */
	bool tls;                       /* PLAIN and LOGIN are used only then */
	int binding_type;               /* enum tls_binding_type */
	struct span binding;
};

/* Choose a mechanism and make the initial response onto initial (initial->len stays 0 and *has_initial false for LOGIN).
 * NULL with words in why when nothing on offer will do. */
struct sasl_client *sasl_client_begin(const struct sasl_client_facts *, enum smtp_mechanism *chosen, struct buf *initial,
    bool *has_initial, struct buf *why);
/* Answer a challenge. False when the server is wrong or is not who it says (a bad server signature, scram-5). */
bool sasl_client_step(struct sasl_client *, struct span challenge, struct buf *response, struct buf *why);
/* After 235: did the server prove itself where the mechanism has it do so? */
bool sasl_client_proved(const struct sasl_client *);
void sasl_client_end(struct sasl_client *);

#endif

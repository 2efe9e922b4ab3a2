/*
 * proc/peers_sign.h - what 2_signer is asked: by fronts for handshakes, by 5_relay for mail (docs/dkim.md)
 *
 * The order, and who says what, stand in proc/peers.h; spans are borrowed from the frame they came in.
 */
#ifndef POSTERN_PROC_PEERS_SIGN_H
#define POSTERN_PROC_PEERS_SIGN_H

#include "base/fields.h"

struct sign_ask {
	uint32_t scheme;                /* enum sign_scheme */
	struct span key;                /* SHA-256 of the leaf certificate */
	struct span to_be_signed;       /* the octets, not their digest: 2_signer looks at what they say */
};
struct sign_answer { uint32_t fail; struct span signature; };   /* OK, FAIL_BUSY: too many, FAIL_LOCAL: no such key */


enum { SIGN_DKIM_WINDOW = 8 };          /* questions without an answer: no front's handshake stands behind more signatures */
struct sign_dkim_ask {
	uint32_t algorithm;             /* enum dkim_algorithm */
	struct span domain, selector;
	struct span digest;             /* DKIM_DIGEST octets */
};

extern const struct layout sign_ask_layout, sign_answer_layout, sign_dkim_ask_layout;

#endif

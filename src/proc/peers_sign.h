/*
 * proc/peers_sign.h - what 2_signer is asked
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

extern const struct layout sign_ask_layout, sign_answer_layout;

#endif

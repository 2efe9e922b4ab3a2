/*
 * proc/2_signer.h - the ceilings of 2_signer.
 */
#ifndef POSTERN_PROC_2_SIGNER_H
#define POSTERN_PROC_2_SIGNER_H

enum {
	/* Signatures for one front. The most that a front's core can shake hands is near a thousand a second. */
	SIGNER_PER_SECOND = 2000,
	SIGNER_BURST = 4000,
	/* In one turn of the loop: an honest front asks, and waits for the answer. */
	SIGNER_A_TURN = 2,
	/* Keys that were replaced still finish the handshakes that began with them; a handshake has 30 s. */
	SIGNER_KEPT_MS = 40 * 1000,
	SIGNER_FRONTS_MAX = 64,
};

#endif

/*
 * proc/2_signer_dkim.h - private to 2_signer*.c: the keys that sign mail, and 5_relay, which asks for it.
 *
 * They are no TLS keys and sign nothing but digests that 5_relay sends; TLS keys sign nothing for 5_relay.
 *
 * Owner     everything is the process's only one. Blocks for one message's signatures in each turn of the loop, so that handshakes
 *           of fronts come between two messages.
 */
#ifndef POSTERN_PROC_2_SIGNER_DKIM_H
#define POSTERN_PROC_2_SIGNER_DKIM_H

#include "proc/child.h"

enum {
	/* Signatures for 5_relay: more than a core makes with RSA. */
	SIGNER_DKIM_PER_SECOND = 10000,
	SIGNER_DKIM_BURST = 20000,
};

/* broken(): it said what no sane 5_relay says. gone(): its channel has ended. The channel is closed already. */
struct signer_dkim_handler {
	void (*broken)(uint32_t slot, const char *why);
	void (*gone)(void);
};

/* One key of the list, which is replaced from index 0 on; the list before it still signs until forgotten. */
void signer_dkim_key(const struct master_dkim *);
void signer_dkim_forget(void);
/* A channel to 5_relay, in place of the one before; the handler is static. */
void signer_dkim_peer(uv_loop_t *, const struct signer_dkim_handler *, uint32_t slot, int fd);
/* Does no 5_relay talk to us? */
bool signer_dkim_alone(void);
void signer_dkim_end(void);

#endif

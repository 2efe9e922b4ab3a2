/*
 * proc/1_front_sign.h - 1_front's questions to 2_signer.
 *
 * Blocks    a signature is waited for, ASK_MS at most (os/ask.h).
 */
#ifndef POSTERN_PROC_1_FRONT_SIGN_H
#define POSTERN_PROC_1_FRONT_SIGN_H

#include "tls/remote.h"

/* For tls_server_add_remote(). Without a 2_signer, or when it refuses, the handshake fails and the log says why. */
extern const struct tls_signer front_signer;
/* The channel to a new 2_signer; the one before it is closed. */
void sign_begin(int fd);
/* As far as we know: one that has died is not missed before it is asked. */
bool sign_is_there(void);

#endif

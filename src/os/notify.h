/*
 * os/notify.h - telling who supervises us how far we are, in the protocol of sd_notify(3): one datagram to $NOTIFY_SOCKET.
 *
 * Where that is not set, or nobody listens there, nothing happens: no part of the work depends on it.
 *
 * Owner     the process. Blocks: never.
 * Order     notify_begin() first, before there is another thread or process.
 */
#ifndef POSTERN_OS_NOTIFY_H
#define POSTERN_OS_NOTIFY_H

/* Takes $NOTIFY_SOCKET out of the environment: what we start does not speak for us. */
void notify_begin(void);

#define NOTIFY_SERVING "accepting mail"

/* status: words for `systemctl status`, or NULL; cut at 300 octets. */
void notify_ready(const char *status);
void notify_reloading(void);
void notify_stopping(const char *status);

#endif

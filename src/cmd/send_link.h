/*
 * cmd/send_link.h - a connection to a submission server that a command waits for: TCP, then TLS, each step with a deadline.
 *
 * Owner     the caller, until send_link_close(), which may always be called.
 * Blocks    up to the milliseconds given.
 * Fails     false, or a step other than LINK_DATA; then why has one line in words, NUL-terminated.
 */
#ifndef POSTERN_CMD_SEND_LINK_H
#define POSTERN_CMD_SEND_LINK_H

#include <sys/socket.h>

#include "conf/conf.h"
#include "tls/client.h"

struct send_link {
	int fd;
	struct tls_client *trust;
	struct tls_session *tls;        /* NULL before TLS */
	char peer[64];                  /* address that answered */
	char why[1024];
	bool temporary;                 /* failed in a way that time may heal */
	bool unknown;                   /* there is no such host */
};

void send_link_init(struct send_link *);
/* To the first of the host's addresses that answers. loopback_only refuses all others. */
bool send_link_open(struct send_link *, const char *host, uint16_t port, uint32_t ms, bool loopback_only);
/* The handshake; chain and name are verified. ca: empty for the system's. */
bool send_link_secure(struct send_link *, const char *host, const char *ca, uint32_t ms);

enum send_link_step { LINK_DATA, LINK_END, LINK_BROKEN };
/* spoken: NULL, or where octets go that come meanwhile; with the first of them it is LINK_BROKEN, since nobody waits for the rest of out. */
enum send_link_step send_link_write(struct send_link *, struct span out, struct buf *spoken, uint32_t ms);
/* At least one octet onto in. LINK_END: the peer has closed, properly or not. */
enum send_link_step send_link_read(struct send_link *, struct buf *in, uint32_t ms);
/* Without waiting: nothing has come, and the connection stands. What has come lies in in. */
bool send_link_quiet(struct send_link *, struct buf *in);
/* Waits for octets of a connection in clear: false when none have come for ms. */
bool send_link_wait(const struct send_link *, uint32_t ms);
void send_link_close(struct send_link *);

#endif

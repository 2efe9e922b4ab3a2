/*
 * cmd/send_connect.h - TCP to the first address of a host that answers (RFC 8305 5): they are begun one after the other, a quarter of a second
 * apart, so that one that is dead does not hold up the others.
 *
 * Owner     the caller owns the socket that comes back: non-blocking, close-on-exec.
 * Blocks    until one has answered or all have failed; each attempt gets the milliseconds given.
 * Fails     -1; then failed() has heard of each address why.
 */
#ifndef POSTERN_CMD_SEND_CONNECT_H
#define POSTERN_CMD_SEND_CONNECT_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	CONNECT_ADDRESSES_MAX = 32,     /* of a host; others are not tried */
	CONNECT_APART_MS = 250,         /* RFC 8305 5 */
};

struct send_connect {
	const struct addrinfo *list;    /* in the order of getaddrinfo(); the two families take turns (RFC 8305 4) */
	uint32_t ms;
	bool (*may)(void *arg, const struct addrinfo *);        /* NULL: any; false: not this one */
	/* Why not, as an errno. */
	void (*failed)(void *arg, const struct addrinfo *, int error);
	void *arg;
};

/* The socket, and whose it is. */
int send_connect(const struct send_connect *, const struct addrinfo **winner);

#endif

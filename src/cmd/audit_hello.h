/*
 * cmd/audit_hello.h - ClientHellos of our own making: what a server does with hellos that no library sends.
 *
 * Owner     the caller. Blocks for the patience of the endpoint, at most. What was seen goes to the endpoint's transcript.
 */
#ifndef POSTERN_CMD_AUDIT_HELLO_H
#define POSTERN_CMD_AUDIT_HELLO_H

#include "audit/hello.h"
#include "cmd/audit.h"

/* One connection, one hello, what came first. The question's name and random are filled in here. */
enum hello_step audit_ask_hello(struct endpoint *, struct hello_question *, struct hello_reply *);

/* An address literal is no name, and goes without SNI (RFC 6066 3). */
bool audit_is_address(const char *host);

/* What of a second try with a lower version than it has (RFC 7507), and of a version that it need not have taken (RFC 8446 4.1.3)?
 * best, next: the newest two that it speaks. */
void audit_downgrade(struct endpoint *, uint16_t best, uint16_t next);
/* With which groups does it exchange keys? Which versions it speaks, and whether with Diffie-Hellman over a prime. */
void audit_groups(struct endpoint *, bool tls13, bool tls12, bool prime);
/* Which certificate do those get who name no host, or one that it does not know (RFC 6066 3)? */
void audit_names(struct endpoint *);

#endif

/*
 * A bed for 1_front: the real process, forked, with a master, a 3_auth and a 4_spool of our own at the other ends of its
 * channels, and TLS clients that talk to it over loopback.
 *
 * Logins: anybody, password "secret". "slow" gets no answer, "gone" kills 3_auth, "who" becomes "PEER/FLAGS" of AUTH_START.
 * Senders: local part "denied" is refused, "nobody-answers" gets no answer. Authors: local part "evil" is refused.
 * Messages by their number of recipients: see enum bed_rcpts; else they may go.
 * Commits by reverse-path: "full@" disk full, "crash@" kills 4_spool, "mute@" no answer, else OK.
 */
#ifndef POSTERN_TESTS_FRONT_BED_H
#define POSTERN_TESTS_FRONT_BED_H

#include <sys/types.h>

#include "base/buf.h"
#include "os/channel.h"
#include "signer_bed.h"
#include "tls/client.h"

enum bed_rcpts { BED_SLOW = 7, BED_LOCKED = 8, BED_HELD = 9, BED_LATE = 10, BED_CRASH = 11 };

struct front_bed {
	pid_t front, auth, spool;
	struct signer_bed signer;       /* the real one */
	int master;                     /* our end of the front's descriptor 3 */
	int stored;                     /* what 4_spool stored comes out here: "LEN\n" and the content */
	int said;                       /* one octet for each AUTH_END (e), SPOOL_ABORT (a), SPOOL_COMMIT (c, and h when held) */
	int said_in, stored_in;
	uint16_t port_implicit, port_clear;
	struct tls_client *tls;
	char ca_file[64];
	char log_file[64];
};

/* conf: lines on top of what every bed has. */
void front_bed_make(struct front_bed *, const char *conf);
void front_bed_drop(struct front_bed *);
void front_bed_auth(struct front_bed *);        /* a new 3_auth */
void front_bed_spool(struct front_bed *);       /* a new 4_spool */
void front_bed_signer(struct front_bed *);      /* a new 2_signer's channel */
void front_bed_tell(struct front_bed *, uint16_t type, struct span body, int fd);
/* Wait for a message of this type from the front; false after ms. */
bool front_bed_hear(struct front_bed *, uint16_t type, int ms);
/* The chain to the front, the key to 2_signer. */
void front_bed_certificate(struct front_bed *, const char *name);
/* Does the log of the front hold this? Waits a little for it. */
bool front_bed_logged(struct front_bed *, const char *text);
/* The same, now. */
bool front_bed_has_logged(struct front_bed *, const char *text);

struct client {
	int fd;
	struct tls_session *tls;
	char text[65536];               /* everything of the last reply, NUL-terminated */
};

void client_open(struct client *, uint16_t port);
/* From another address of the loopback network. */
void client_open_from(struct client *, const char *address, uint16_t port);
void client_shake(struct client *, struct front_bed *, const char *name);
/* The rest of a handshake that has begun. */
void client_shake_on(struct client *);
void client_close(struct client *);
void client_send(struct client *, const char *text);
void client_send_octets(struct client *, struct span);
/* One whole reply into text; its code, or 0 at the end, -1 when nothing comes in ms. */
int client_reply(struct client *, int ms);
/* Send a line and take its reply. */
int client_say(struct client *, const char *line);
/* Implicit TLS, greeting, EHLO. */
void client_greet(struct client *, struct front_bed *);
/* From the connection on, and AUTH PLAIN as user. */
void client_login(struct client *, struct front_bed *, const char *user);

#endif

/*
 * proc/1_front_first.h - a connection before its protocol is known: PROXY headers, and clients that speak the wrong protocol.
 * For the files of 1_front alone.
 *
 * Nothing here is ever taken as SMTP. What can be told is told once: to the client in its own protocol where it has one that
 * shows it, to the operator in the log, with what to change; each kind of line is limited in number by itself (6409-11).
 */
#ifndef POSTERN_PROC_1_FRONT_FIRST_H
#define POSTERN_PROC_1_FRONT_FIRST_H

#include <sys/socket.h>

#include "proc/1_front.h"
#include "smtp/first_octets.h"

/* Lines in the log that strangers can cause, at most MISUSE_LINES of a kind in a minute and in one front; REFUSED_LINES
 * about AUTH, which 3_auth tells of too. */
enum { MISUSE_LINES = 5, REFUSED_LINES = 30 };
enum front_misuse {
	MISUSE_SMTP, MISUSE_SILENT, MISUSE_HTTP, MISUSE_HTTP_IN_TLS, MISUSE_HTTP_IN_CLEAR, MISUSE_URD, MISUSE_SSL2, MISUSE_OTHER,
	MISUSE_TLS_IN_CLEAR,
	MISUSE_HANDSHAKE, MISUSE_HANDSHAKE_LAST = MISUSE_HANDSHAKE + TLS_CURE_MAX - 1,      /* one for each enum tls_cure */
	MISUSE_PROXY_STRANGER, MISUSE_PROXY_ABSENT, MISUSE_PROXY_VERSION, MISUSE_PROXY_BAD, MISUSE_PROXY_LATE,
	MISUSE_MAX
};

/* ---- 1_front_first.c ---- */
/* An accepted connection has its session: read who is behind it, then what it speaks, then serve it. */
void first_begin(struct front_session *, const struct sockaddr_storage *from);
/* Octets, or their end, in PHASE_PROXY and in PHASE_NEW. */
void first_proxy_ready(struct front_session *);
void first_ready(struct front_session *);
/* The time of these phases is over. */
void first_expired(struct front_session *);
/* Octets behind the greeting of the STARTTLS port, before anything else was said: false when they are no SMTP and ended it. */
bool first_in_clear(struct front_session *, struct span seen);

/* ---- 1_front_words.c ---- */
void words_misused(const struct front_session *, enum front_misuse);
/* With words of its own. */
void words_misused_because(const struct front_session *, enum front_misuse, const char *what);
/* TLS failed. */
void words_handshake(const struct front_session *);
/* Once a second or so: what was not said in the minute before is counted, in one line of each kind. */
void words_count_unsaid(void);

/* ---- 1_front_wire.c ---- */
/* Keep input for later; false when memory is short. */
bool wire_keep(struct front_session *, struct span);
/* Send what fits, wait for nothing, let the peer read it; then the end. why: for the log. */
void wire_last_words(struct front_session *, struct span, const char *why);
void wire_shake(struct front_session *);
void peer_format(const struct sockaddr_storage *, char out[FRONT_PEER_MAX]);

#endif

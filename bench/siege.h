/*
 * bench/siege.h - what the files of siege share: one party is one connection, an attack is a table of variants of what parties do.
 *
 * A party goes as far as its variant's depth as an honest client would; there begin() is called, and from then on the variant has it.
 * Everything runs on one epoll and never waits. Nothing grows: parties are an array, replies pass through a buffer of fixed size.
 */
#ifndef POSTERN_BENCH_SIEGE_H
#define POSTERN_BENCH_SIEGE_H

#include <stdint.h>

#include "client.h"

enum party_stage {
	PARTY_FREE,
	PARTY_CONNECTING,
	PARTY_SHAKING,
	PARTY_GREETING,
	PARTY_EHLO,
	PARTY_AUTH,
	PARTY_THERE,            /* begin() was called */
};

enum depth {
	DEPTH_TCP,              /* connected, nothing said */
	DEPTH_TLS,              /* handshake done */
	DEPTH_GREETED,          /* EHLO answered */
	DEPTH_PROVED,           /* AUTH accepted */
};

enum { PARTY_IN = 600, PARTY_LINE = 1200 };

struct party {
	const struct variant *variant;
	SSL *ssl;
	int fd;
	enum party_stage stage;
	uint32_t events;                        /* that epoll watches for */
	struct timespec begun, asked;           /* connect(); the last AUTH */
	long turn;                              /* the variant's own count; 0 at begin() */
	uint64_t sent;                          /* octets, all layers of ours */
	bool deaf;                              /* reads nothing any more */
	const char *out;                        /* what is being written */
	size_t out_len, in_len;
	char in[PARTY_IN + 1], line[PARTY_LINE];
};

struct variant {
	enum depth depth;
	bool clear;                             /* to the STARTTLS port, and without TLS */
	bool old;                               /* TLS 1.2 at most */
	void (*begin)(struct party *);
	void (*reply)(struct party *, int code);        /* a whole reply after begin(); NULL: it is read and thrown away */
	void (*room)(struct party *);           /* all was written; NULL: nothing more to say */
	void (*tick)(struct party *);           /* once a second after begin() */
};

enum { VARIANTS = 5 };
struct attack {
	const char *name;
	bool honest;                            /* a failure counts, certificates are checked, patience ends */
	unsigned variants;
	struct variant variant[VARIANTS];
};
extern const struct attack attacks[];           /* the last one's name is NULL */

struct siege {
	const struct attack *attack;
	const char *host, *from, *login;
	struct sockaddr_in implicit, clear;
	SSL_CTX *tls;
	int epoll;
	char auth[CLIENT_AUTH_MAX];
	char *content;
	size_t content_len;
	/* options */
	long connections, seconds, rate, addresses, net, seed, octets, every, size, patience;
	/* figures */
	long opened, refused, there, held, held_max, ended, left, replies, guesses, accepted, failed;
	uint64_t octets_out;
	struct samples whole, proof;            /* ms: connect to 250, AUTH to 235 */
};
extern struct siege siege;

/* ---- siege_party.c ---- */
void party_open(struct party *, const struct variant *, struct in_addr from);
/* The end, said by us or (ended) by the other side. why: for the honest, who must not fail. */
void party_close(struct party *, bool ended, const char *why);
void party_ready(struct party *, uint32_t events);
/* What comes next on the wire; text must stay. Only when nothing is being written. */
void party_say(struct party *, const char *text, size_t len);
void party_say_text(struct party *, const char *text);

#endif

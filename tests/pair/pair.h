/*
 * pair.h - the client engine and the server engine, joined in memory: what one says is the other's input, in pieces of any size.
 *
 * The server's driver here has one principal, alice with the password "wonderland", and knows addresses by what they begin with:
 * "nobody" is refused for ever, "later" for now. What it stored and whom for is kept, and so is what the client was told.
 */
#ifndef POSTERN_TESTS_PAIR_H
#define POSTERN_TESTS_PAIR_H

#include "smtp/client.h"
#include "smtp/server.h"

enum { PAIR_PIPE = 1 << 17, PAIR_STORE = 1 << 24, PAIR_TOLD = 1 << 17, PAIR_RCPTS = 1 << 17, PAIR_STEPS = 1 << 26 };

struct pair_mail {
	struct smtp_client_mail mail;
	const char *rcpt;               /* prefix; NULL: "r". A recipient is PREFIX + number + @example.net */
	uint32_t nobody, later;         /* each recipient whose number has this remainder modulo 7, from 1 on, is of that kind */
	struct span content;
};

/* Octets on their way. */
struct pair_pipe {
	uint8_t octets[PAIR_PIPE];
	size_t len;
};

struct pair {
	/* Chosen by the test. */
	bool starttls, auth;
	uint32_t mechanisms, rcpt_max;
	uint64_t size_max;
	size_t client_piece, server_piece;      /* octets that each end is given at once */
	size_t client_out, server_out;          /* room in io->out */
	struct span password;
	const struct pair_mail *mails;
	size_t mail_count;
	enum fail commit;                       /* answer to COMMIT */
	/* What happened. */
	uint32_t told[3];                       /* outcomes of each class */
	uint32_t told_session;
	struct smtp_outcome last;
	uint32_t commits, aborts;
	uint32_t most_unread;                   /* octets that one end had said and the other not read yet */
	uint8_t *stored;
	size_t stored_len;
	char rcpts[PAIR_RCPTS];                 /* accepted ones, one a line */
	size_t rcpts_len;
	/* The two ends. */
	struct smtp_client client;
	struct smtp_server server;
	struct smtp_client_conf client_conf;
	struct smtp_server_conf server_conf;
	struct smtp_io client_io, server_io;
	struct smtp_mail lent;
	enum smtp_client_want client_want;
	enum smtp_want server_want;
	struct pair_pipe to_server, to_client;
	size_t to_server_seen, to_client_seen;  /* of the pipe, what the reader may look at */
	size_t mail_at, content_at;
	unsigned rounds;
	bool client_done, server_done, client_waits, server_waits;
	uint64_t clock;
	uint8_t client_octets[8192], server_octets[8192], content_octets[8192];
};

void pair_init(struct pair *);
/* Until both have closed. False when neither can go on. */
bool pair_run(struct pair *);
void pair_fini(struct pair *);

#endif

/*
 * talk.h - a driver of smtp/server for tests: bytes in, and what came of them as three streams that do not depend on how the
 * bytes were split: replies, questions, stored messages.
 *
 * The fake behind it knows one login, alice with the password secret, and lets everybody send as everybody unless told not to.
 */
#ifndef POSTERN_TESTS_TALK_H
#define POSTERN_TESTS_TALK_H

#include "smtp/server.h"

enum {
	TALK_REFUSALS_MAX = 16,            /* refusals that a test may name */
	TALK_OUT_MAX = 8192,
	TALK_CONTENT_MAX = 16384,
};

struct stream {
	uint8_t *p;
	size_t len, max;
};

/* "When this is asked about such an address, say that." */
struct talk_refusal {
	enum smtp_ask_kind kind;
	struct span about;              /* empty: whatever it is about */
	enum fail fail;
	struct span words;
	bool once, used;
};

struct talk_rules {
	struct talk_refusal refusal[TALK_REFUSALS_MAX];
	size_t refusals;
	bool no_memory;
	bool keep_after_starttls;       /* do not drop what was sent behind STARTTLS: for the fuzzer, which has no segments */
	size_t out_room, content_room;
};

struct talk {
	struct smtp_server_conf conf;
	struct smtp_server server;
	struct smtp_io io;
	struct smtp_mail mail;
	const struct talk_rules *rules;
	bool refused[TALK_REFUSALS_MAX];   /* which refusals that hold once are used up */
	enum smtp_want want;
	uint8_t in[SMTP_LINE_KEPT];
	size_t in_len, in_used;
	uint8_t out[TALK_OUT_MAX], content[TALK_CONTENT_MAX];
	enum smtp_mechanism mechanism;
	unsigned round;                 /* of the AUTH exchange */
	bool login_is_alice;
	int8_t priority_most;
	uint64_t next_id;
	struct stream replies, questions, stored;
	struct stream draft, envelope;  /* of the transaction */
	struct stream last_content, last_envelope;
	unsigned messages;              /* stored */
};

struct talk_setup {
	uint64_t size_max;
	uint32_t rcpt_max, mechanisms;
	uint32_t hold_max, by_least;    /* as in struct smtp_server_conf */
	uint64_t priority_size_max;
	int8_t priority_least, priority_most;   /* most: that the login may have */
	bool terms;                     /* MT-PRIORITY, DELIVERBY and BINARYMIME are offered */
	bool tls, starttls, local;
};

/* Octets live in the talk; it may be begun again and again. */
void talk_begin(struct talk *, const struct talk_setup *, const struct talk_rules *);
void talk_end(struct talk *);
/* Give n octets at once to the driver's buffer; they are all used, or wait there, or are dropped when the talk is over. */
void talk_send(struct talk *, const uint8_t *p, size_t n);
/* TLS is up, when the engine waits for it. */
void talk_secure(struct talk *);
bool talk_equal(const struct talk *, const struct talk *);

#endif

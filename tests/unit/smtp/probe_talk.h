/*
 * probe_talk.h - one conversation of the probe with a peer that is nothing but text: for test_probe.c and fuzz/probe.c.
 *
 * The peer's replies are given whole or in pieces of any size; what the probe said (sent) and what it learned (facts) are kept as
 * two streams, which may not depend on the size. An octet 1 in the replies stands for the TLS handshake.
 */
#ifndef POSTERN_TESTS_PROBE_TALK_H
#define POSTERN_TESTS_PROBE_TALK_H

#include <string.h>

#include "smtp/probe.h"

enum { PROBE_TALK_OUT = 4096, PROBE_TALK_SENT = 64 * 1024, PROBE_TALK_FACTS = 256 * 1024, PROBE_TALK_STEPS = 1 << 20 };

struct probe_talk {
	struct smtp_probe probe;
	struct smtp_probe_conf conf;
	struct smtp_io io;
	bool plain;                     /* the mechanism that is being tried; else LOGIN */
	unsigned answered;              /* of LOGIN's two questions */
	bool declines;                  /* no password for this server */
	bool closes;                    /* at the end of the replies; else it is silent */
	uint32_t patience;              /* of the last wait, by one who waits 5000 ms */
	struct buf sent, facts;
	uint8_t out[PROBE_TALK_OUT], sent_octets[PROBE_TALK_SENT], facts_octets[PROBE_TALK_FACTS];
};

static inline void
probe_talk_say(void *arg, const char *key, struct span value)
{
	struct probe_talk *t = arg;

	(void)(buf_put_text(&t->facts, key) && buf_put_byte(&t->facts, ' ') && buf_put(&t->facts, value) && buf_put_byte(&t->facts, '\n'));
}

static inline void
probe_talk_init(struct probe_talk *t, const struct smtp_probe_conf *conf)
{
	t->conf = *conf;
	t->conf.say = probe_talk_say;
	t->conf.arg = t;
	t->declines = t->closes = false;
	t->io.out = BUF_OVER(t->out);
	t->sent = BUF_OVER(t->sent_octets);
	t->facts = BUF_OVER(t->facts_octets);
}

static inline void
probe_talk_flush(struct probe_talk *t)
{
	(void)buf_put(&t->sent, buf_span(&t->io.out));
	t->io.out.len = 0;
}

/* What the peer has yet to say: replies from have on, of which those up to at are used. */
struct probe_talk_peer {
	struct span replies;
	size_t at, have, split;
};

static inline bool
probe_talk_at_handshake(const struct probe_talk_peer *r)
{
	return r->have < r->replies.len && r->replies.p[r->have] == 1;
}

static inline enum smtp_probe_want
probe_talk_input(struct probe_talk *t, struct probe_talk_peer *r)
{
	enum smtp_probe_want want;
	size_t used;

	probe_talk_flush(t);
	t->patience = smtp_probe_patience(&t->probe, 5000);
	want = smtp_probe_feed(&t->probe, (struct span){ r->replies.p + r->at, r->have - r->at }, &used);
	r->at += used;
	if (want != SMTP_PROBE_INPUT || used > 0)
		return want;
	if (r->have == r->replies.len || probe_talk_at_handshake(r))
		return smtp_probe_lost(&t->probe, t->closes);
	for (size_t n = 0; n < r->split && r->have < r->replies.len && !probe_talk_at_handshake(r); n++)
		r->have++;
	return want;
}

static inline enum smtp_probe_want
probe_talk_shake(struct probe_talk *t, struct probe_talk_peer *r)
{
	while (r->have < r->replies.len && !probe_talk_at_handshake(r))
		r->have++;
	if (r->have == r->replies.len)
		return smtp_probe_lost(&t->probe, t->closes);
	r->at = ++r->have;
	return smtp_probe_secured(&t->probe);
}

/* PLAIN where it is offered, else LOGIN; what neither asks for is not answered. */
static inline enum smtp_probe_want
probe_talk_prove(struct probe_talk *t)
{
	bool plain = t->probe.client.caps.mechanisms & SMTP_AUTH_PLAIN, login = t->probe.client.caps.mechanisms & SMTP_AUTH_LOGIN;

	if (t->declines || (!plain && !login))
		return smtp_probe_decline(&t->probe, SPAN("not to this one"));
	t->plain = plain;
	t->answered = 0;
	return smtp_probe_login(&t->probe, plain ? SMTP_AUTH_PLAIN : SMTP_AUTH_LOGIN, plain ? SPAN("\0me\0secret") : (struct span){ NULL, 0 });
}

static inline enum smtp_probe_want
probe_talk_answer(struct probe_talk *t)
{
	if (t->probe.client.initial_unsent)
		return smtp_probe_respond(&t->probe, SPAN("\0me\0secret"));
	if (t->plain || t->answered == 2)
		return smtp_probe_decline(&t->probe, SPAN("there is no more"));
	return smtp_probe_respond(&t->probe, t->answered++ == 0 ? SPAN("me") : SPAN("secret"));
}

/* True when the talk came to its end. */
static inline bool
probe_talk_run(struct probe_talk *t, struct span replies, size_t split)
{
	struct probe_talk_peer peer = { .replies = replies, .split = split };
	enum smtp_probe_want want = smtp_probe_begin(&t->probe, &t->conf, &t->io);

	for (unsigned step = 0; step < PROBE_TALK_STEPS && want != SMTP_PROBE_DONE; step++) {
		smtp_probe_check(&t->probe);
		if (want == SMTP_PROBE_INPUT)
			want = probe_talk_input(t, &peer);
		else if (want == SMTP_PROBE_SHAKE)
			want = probe_talk_shake(t, &peer);
		else
			want = want == SMTP_PROBE_LOGIN ? probe_talk_prove(t) : probe_talk_answer(t);
	}
	smtp_probe_check(&t->probe);
	probe_talk_flush(t);
	return want == SMTP_PROBE_DONE;
}

#endif

/*
 * client_talk.h - one conversation of the client engine with a peer that is nothing but text: for test_client.c and fuzz/client.c.
 *
 * The peer's replies are given whole or in pieces of any size; what the client said (sent) and what it reported (told) are kept
 * as two streams, which may not depend on the size. An octet 1 in the replies stands for the TLS handshake.
 */
#ifndef POSTERN_TESTS_CLIENT_TALK_H
#define POSTERN_TESTS_CLIENT_TALK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client.h"

enum { TALK_OUT = 2048, TALK_SENT = 256 * 1024, TALK_TOLD = 128 * 1024, TALK_STEPS = 1 << 20 };

struct client_talk_mail {
	struct smtp_client_mail mail;
	const char *const *rcpts;       /* NULL: r0@example.org and so on */
	struct smtp_client_rcpt rcpt;   /* what else is said of each */
	uint32_t by_one;                /* with mail.one_by_one: how many there are */
	bool drop;                      /* when they are named: there is to be no message */
	struct span content;
	bool give_up;                   /* half way through the content */
};

struct client_talk {
	struct smtp_client c;
	struct smtp_client_conf conf;
	struct smtp_io io;
	const struct client_talk_mail *mails;
	size_t mail_count, mail_at, content_at;
	size_t given;                   /* recipients, one by one */
	struct span initial;
	size_t piece;                   /* octets of content given at once; 0: all */
	uint64_t waited;                /* sum of the patience at each read */
	size_t out_max;
	uint8_t out[TALK_OUT];
	struct buf sent, told;
	uint8_t sent_octets[TALK_SENT], told_octets[TALK_TOLD];
};

static inline void
talk_init(struct client_talk *t)
{
	memset(t, 0, offsetof(struct client_talk, sent_octets));
	t->conf = (struct smtp_client_conf){ .helo = SPAN("client.example.org"), .tls = SMTP_TLS_IMPLICIT };
	t->out_max = TALK_OUT;
	t->initial = SPAN("\0user\0pass");
	t->sent = (struct buf){ t->sent_octets, 0, TALK_SENT };
	t->told = (struct buf){ t->told_octets, 0, TALK_TOLD };
}

static inline void
talk_tell(struct client_talk *t)
{
	static const char *const stages[] = { "GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "CONTENT", "RSET", "QUIT" };
	static const char *const classes[] = { "DELIVERED", "LATER", "NEVER" };
	const struct smtp_outcome *o = &t->c.outcome;
	char line[SMTP_REPLY_KEPT + 100];

	(void)snprintf(line, sizeof line, "%d %s %s %u %s%s%s %.*s\n", (int)o->recipient, stages[o->stage], classes[o->class],
	    o->code, o->enhanced, o->dsn ? " dsn" : "", o->by ? " by" : "", (int)o->text.len, (const char *)o->text.p);
	(void)buf_put_text(&t->told, line);
}

static inline void
talk_flush(struct client_talk *t)
{
	(void)buf_put(&t->sent, buf_span(&t->io.out));
	t->io.out.len = 0;
}

static inline enum smtp_client_want
talk_auth(struct client_talk *t)
{
	static const enum smtp_mechanism preferred[] = {
		SMTP_AUTH_SCRAM_SHA_256_PLUS, SMTP_AUTH_SCRAM_SHA_256, SMTP_AUTH_PLAIN, SMTP_AUTH_LOGIN,
	};
	size_t i = 0;

	while (!(t->c.caps.mechanisms & preferred[i]))
		i++;
	return smtp_client_auth_begin(&t->c, preferred[i], preferred[i] == SMTP_AUTH_LOGIN ? (struct span){ NULL, 0 } : t->initial);
}

static inline enum smtp_client_want
talk_rcpt(struct client_talk *t)
{
	const struct client_talk_mail *m = &t->mails[t->mail_at - 1];
	struct smtp_client_rcpt rcpt = m->rcpt;
	char address[64];

	if (t->c.mail.one_by_one && t->c.rcpt_wanted == m->by_one && m->drop) {
		t->given -= t->c.rcpts_accepted;
		return smtp_client_drop(&t->c);
	}
	if (t->c.mail.one_by_one && t->c.rcpt_wanted == m->by_one)
		return smtp_client_rcpts_end(&t->c);
	t->given += t->c.mail.one_by_one;
	(void)snprintf(address, sizeof address, "r%u@example.org", t->c.rcpt_wanted);
	rcpt.path = span_of(m->rcpts == NULL ? address : m->rcpts[t->c.rcpt_wanted]);
	return smtp_client_rcpt(&t->c, &rcpt);
}

static inline enum smtp_client_want
talk_content(struct client_talk *t)
{
	const struct client_talk_mail *m = &t->mails[t->mail_at - 1];
	struct span left = m->content, now;
	enum smtp_client_want want;
	size_t used;

	span_skip(&left, t->content_at);
	if (m->give_up && t->content_at >= m->content.len / 2)
		return smtp_client_give_up(&t->c, SPAN("the disk is gone"));
	now = t->piece == 0 ? left : span_head(left, t->piece);
	want = smtp_client_content(&t->c, now, now.len == left.len, &used);
	t->content_at += used;
	return want;
}

static inline enum smtp_client_want
talk_next(struct client_talk *t)
{
	t->content_at = 0;
	return t->mail_at < t->mail_count ? smtp_client_mail(&t->c, &t->mails[t->mail_at++].mail) : smtp_client_quit(&t->c);
}

/* True when the talk came to its end: CLOSE, and nothing wanted afterwards. */
static inline bool
talk_run(struct client_talk *t, struct span replies, size_t split)
{
	size_t at = 0, have = 0;
	enum smtp_client_want want;

	t->io.out = (struct buf){ t->out, 0, t->out_max };
	want = smtp_client_begin(&t->c, &t->conf, &t->io);
	for (unsigned step = 0; step < TALK_STEPS; step++) {
		size_t used = 0;

		smtp_client_check(&t->c);
		switch (want) {
		case SMTP_CLIENT_INPUT:
			talk_flush(t);
			t->waited += smtp_client_patience(&t->c);
			want = smtp_client_feed(&t->c, (struct span){ replies.p + at, have - at }, &used);
			at += used;
			if (want != SMTP_CLIENT_INPUT || used > 0 || t->io.out.len > 0)
				break;
			if (have == replies.len || replies.p[have] == 1)
				want = smtp_client_lost(&t->c, SMTP_CLASS_LATER, SPAN("gone"));
			for (size_t n = 0; n < split && have < replies.len && replies.p[have] != 1; n++)
				have++;
			break;
		case SMTP_CLIENT_FLUSH:
			talk_flush(t);
			want = smtp_client_go_on(&t->c);
			break;
		case SMTP_CLIENT_STARTTLS:
			talk_flush(t);
			(void)buf_put_text(&t->sent, "~\r\n");
			while (at < replies.len && replies.p[at] != 1)
				at++;
			have = at = at < replies.len ? at + 1 : at;
			want = smtp_client_secured(&t->c);
			break;
		case SMTP_CLIENT_AUTH_START:
			want = talk_auth(t);
			break;
		case SMTP_CLIENT_AUTH_NEXT:
			want = span_same(t->c.challenge, SPAN("liar")) ? smtp_client_auth_cancel(&t->c, SPAN("not the server")) :
			    smtp_client_auth_next(&t->c, t->c.initial_unsent ? t->initial : t->c.challenge);
			break;
		case SMTP_CLIENT_READY:
			want = talk_next(t);
			break;
		case SMTP_CLIENT_RCPT:
			want = talk_rcpt(t);
			break;
		case SMTP_CLIENT_CONTENT:
			want = talk_content(t);
			break;
		case SMTP_CLIENT_OUTCOME:
			talk_tell(t);
			want = smtp_client_go_on(&t->c);
			break;
		case SMTP_CLIENT_CLOSE:
			talk_flush(t);
			return smtp_client_lost(&t->c, SMTP_CLASS_LATER, SPAN("again")) == SMTP_CLIENT_CLOSE;
		}
	}
	return false;
}

#endif

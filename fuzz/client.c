/*
 * fuzz/client.c - a hostile next hop: every byte the client engine reads. The first octet chooses what the client wants (TLS, AUTH,
 * size of out, kind of message); the rest are replies, an octet 1 stands for the TLS handshake. Whole and octet by octet the
 * client must say and report the same; smtp_client_check() holds at each step, and every recipient has exactly one outcome.
 */
#include <stdint.h>
#include <stdlib.h>

#include "../tests/unit/smtp/client_talk.h"

static struct client_talk whole, pieces;

static const uint8_t content[] = "From: a@example.org\r\n\r\n.dot\r\n..\r\nmore\r\n.";

static void
choose(struct client_talk *t, uint8_t how, const struct client_talk_mail *mails, size_t n)
{
	static const enum smtp_client_tls tls[] = { SMTP_TLS_IMPLICIT, SMTP_TLS_REQUIRED, SMTP_TLS_MAY, SMTP_TLS_NONE };

	talk_init(t);
	t->conf.tls = tls[how & 3];
	t->conf.auth = how & 4;
	t->conf.helo_fallback = how & 8;
	t->out_max = how & 16 ? SMTP_CLIENT_OUT_ROOM : TALK_OUT;
	t->piece = how & 32 ? 3 : 0;
	t->mails = mails;
	t->mail_count = n;
}

/* Lines that begin with a number each mail's outcome: as many as recipients were given over, unless the session never was ready. */
static void
count_outcomes(const struct client_talk *t)
{
	size_t told = 0, owed = 0;

	for (size_t i = 0; i < t->told.len; i++)
		told += t->told.p[i] == '\n';
	for (size_t i = 0; i < t->mail_at; i++)
		owed += t->mails[i].mail.rcpts;
	/* One by one, he who was asked for when it ended has one too. */
	owed += t->given;
	if (t->mail_at > 0 ? told < owed || told - owed > 1 || (told != owed && !t->mails[1].mail.one_by_one) : told > 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct span body = { content, sizeof content - 1 };
	const struct client_talk_mail mails[] = {
		{ .mail = { .reverse_path = SPAN("a@example.org"), .size = body.len, .rcpts = 5, .ret = SMTP_RET_HDRS,
			.terms = { .priority = 4, .by = true, .by_seconds = 60, .by_return = n > 0 && p[0] & 128 } },
			.rcpt = { .notify = SMTP_NOTIFY_FAILURE, .orcpt = SPAN("rfc822;x@y") }, .content = body },
		{ .mail = { .rcpts = n > 0 && p[0] & 64 ? 0 : 1, .one_by_one = n > 0 && p[0] & 64, .eightbit = true, .size = body.len, .binary = n > 0 && p[0] & 128 }, .by_one = 3,
			.drop = n > 0 && p[0] & 32, .content = body },
		{ .mail = { .reverse_path = SPAN("a@example.org"), .rcpts = 300 }, .content = body, .give_up = n > 0 && p[0] & 64 },
	};
	struct span replies;

	if (n == 0)
		return 0;
	replies = (struct span){ p + 1, n - 1 };
	choose(&whole, p[0], mails, 3);
	choose(&pieces, p[0], mails, 3);
	if (!talk_run(&whole, replies, n) || !talk_run(&pieces, replies, 1))
		abort();
	if (!span_eq(buf_span(&whole.sent), buf_span(&pieces.sent)) || !span_eq(buf_span(&whole.told), buf_span(&pieces.told)))
		abort();
	count_outcomes(&whole);
	return 0;
}

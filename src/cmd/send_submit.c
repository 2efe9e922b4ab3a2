/* One message and its recipients: as many transactions and sessions as the server's limits make of them (RFC 9422). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/send_session.h"

enum { ORCPT_ROOM = 500 };

struct submission {
	struct send *send;
	struct session *session;
	bool progress;                  /* the last transaction brought somebody forward */
	bool again;                     /* this session has a limit that leaves somebody to another one */
	uint32_t settled;               /* recipients whom the server has answered in this session */
	bool is_tls;                    /* of the last session, for the report */
	struct tls_facts tls;
	const char *mechanism;
	uint32_t batch_count;
	uint32_t batch[SMTP_CLIENT_RCPTS_MAX];  /* index in send->rcpts of each recipient of the transaction */
};

/* ---- a transaction ---- */

static bool
all_is_utf8(const struct submission *u)
{
	return u->send->message.utf8 || !send_is_ascii(send_reverse_path(u->send));
}

/* 6531-6: those who cannot be named to this server must not take the others with them. */
static void
leave_out_unnameable(struct submission *u)
{
	static const struct smtp_outcome unnameable = { .stage = SMTP_STAGE_RCPT, .class = SMTP_CLASS_NEVER, .enhanced = "5.6.7",
		.text = SPAN_INIT("the server does not offer SMTPUTF8, which this address needs") };

	if (u->session->client.caps.utf8 || all_is_utf8(u))
		return;
	for (uint32_t i = 0; i < u->send->rcpt_count; i++) {
		struct send_rcpt *r = &u->send->rcpts[i];

		if (r->fate != SEND_WAITING || send_is_ascii(r->address))
			continue;
		r->fate = SEND_NEVER;
		send_outcome(u->send, &unnameable, r->address);
	}
}

/* As many waiting recipients as one transaction takes. */
static void
fill_batch(struct submission *u)
{
	uint32_t most = u->session->client.caps.rcpt_max;

	if (most == 0 || most > SMTP_CLIENT_RCPTS_MAX)
		most = SMTP_CLIENT_RCPTS_MAX;
	u->batch_count = 0;
	for (uint32_t i = 0; i < u->send->rcpt_count && u->batch_count < most; i++)
		if (u->send->rcpts[i].fate == SEND_WAITING)
			u->batch[u->batch_count++] = i;
}

static bool
needs_utf8(const struct submission *u)
{
	if (all_is_utf8(u))
		return true;
	for (uint32_t i = 0; i < u->batch_count; i++)
		if (!send_is_ascii(u->send->rcpts[u->batch[i]].address))
			return true;
	return false;
}

/* Is there somebody for one more transaction of this session? */
static bool
is_due(struct submission *u)
{
	const struct smtp_client *c = &u->session->client;

	leave_out_unnameable(u);
	fill_batch(u);
	if (u->batch_count == 0 || (c->transactions > 0 && !u->progress))
		return false;
	/* RFC 9422 4.1 */
	if (c->caps.mail_max == 0 || c->transactions < c->caps.mail_max)
		return true;
	u->again = true;
	return false;
}

/* RFC 6152 3. With international addresses nothing is gained. */
static bool
make_fit(struct submission *u)
{
	if (!u->send->message.eightbit || u->session->client.caps.eightbit || needs_utf8(u))
		return true;
	return send_encode(u->send, false, " has octets above 127, and the submission server does not offer 8BITMIME");
}

static enum smtp_client_want
want_ready(struct submission *u)
{
	struct send *send = u->send;
	struct session *s = u->session;
	struct smtp_client_mail mail = { .reverse_path = span_of(send_reverse_path(send)), .ret = send->options.ret,
		.envid = span_of(s->envid), .terms = send_terms(send) };

	if (!send_session_proved(s) || !is_due(u) || !make_fit(u))
		return smtp_client_quit(&s->client);
	mail.size = send->message.size;
	mail.eightbit = send->message.eightbit;
	u->progress = false;
	s->content_at = 0;
	mail.rcpts = u->batch_count;
	mail.utf8 = needs_utf8(u);
	return smtp_client_mail(&s->client, &mail);
}

static enum smtp_client_want
want_rcpt(struct submission *u)
{
	const struct send_rcpt *r = &u->send->rcpts[u->batch[u->session->client.rcpt_wanted]];
	struct smtp_client_rcpt rcpt = { .path = span_of(r->address), .notify = u->send->options.notify };
	uint8_t octets[ORCPT_ROOM];
	struct buf orcpt = BUF_OVER(octets);

	/* 3461-4: the original recipient is the address as it is first submitted. */
	if (rcpt.notify != 0 && send_is_ascii(r->address) && buf_put_text(&orcpt, "rfc822;") && send_put_xtext(&orcpt, rcpt.path))
		rcpt.orcpt = buf_span(&orcpt);
	return smtp_client_rcpt(&u->session->client, &rcpt);
}

/* 452 behind accepted recipients asks for a further transaction (5321-73); anything else that is told is told. */
static bool
may_try_again(const struct smtp_client *c, const struct smtp_outcome *o)
{
	return o->class == SMTP_CLASS_LATER && o->stage == SMTP_STAGE_RCPT && (o->code == 452 || o->code == 552) && c->rcpts_accepted > 0;
}

static void
settle_one(struct submission *u, const struct smtp_outcome *o)
{
	static const enum send_fate fates[] = { [SMTP_CLASS_DELIVERED] = SEND_TAKEN, [SMTP_CLASS_LATER] = SEND_LATER,
		[SMTP_CLASS_NEVER] = SEND_NEVER };
	struct send_rcpt *rcpt = &u->send->rcpts[u->batch[o->recipient]];

	if (may_try_again(&u->session->client, o))
		return;
	u->progress = true;
	if (o->elsewhere) {
		rcpt->fate = SEND_ELSEWHERE;
		u->again = true;
		return;
	}
	rcpt->fate = fates[o->class];
	u->settled += o->code != 0;
	send_outcome(u->send, o, rcpt->address);
}

static enum smtp_client_want
want_outcome(struct submission *u)
{
	const struct smtp_outcome *o = &u->session->client.outcome;

	if (o->recipient != SMTP_WHOLE_SESSION)
		settle_one(u, o);
	else if (u->send->status == 0)
		send_outcome(u->send, o, NULL);
	return smtp_client_go_on(&u->session->client);
}

/* ---- a session ---- */

static void
converse(struct submission *u)
{
	enum smtp_client_want want;

	u->session = send_session_begin(u->send, &want);
	if (u->session == NULL)
		return;
	while (want != SMTP_CLIENT_CLOSE) {
		want = want == SMTP_CLIENT_READY ? want_ready(u) : want == SMTP_CLIENT_RCPT ? want_rcpt(u) : want_outcome(u);
		want = send_session_run(u->session, want);
	}
	u->is_tls = u->session->link.tls != NULL;
	u->tls = u->session->tls;
	u->mechanism = u->session->mechanism;
	send_session_end(u->session);
}

/* Whom this session could not take may be taken by the next one. */
static void
call_back(struct send *send)
{
	for (uint32_t i = 0; i < send->rcpt_count; i++)
		if (send->rcpts[i].fate == SEND_ELSEWHERE)
			send->rcpts[i].fate = SEND_WAITING;
}

static void
report(const struct submission *u)
{
	const struct send *send = u->send;

	if (send->taken == 0 || send->options.quiet)
		return;
	(void)printf("%s\t%u of %u recipients\t%s:%u", send->said, send->taken, send->rcpt_count, send->server.host.p,
	    send->server.port);
	if (u->is_tls)
		(void)printf("\t%s\t%s", u->tls.version, u->tls.cipher);
	(void)printf("%s%s\n", u->mechanism == NULL ? "" : "\t", u->mechanism == NULL ? "" : u->mechanism);
}

/* Whoever has no outcome was not sent to: the session ended before his turn. */
static void
settle(struct send *send)
{
	for (uint32_t i = 0; i < send->rcpt_count; i++)
		if (send->rcpts[i].fate == SEND_WAITING && (send->status == 0 || send->taken > 0))
			(void)send_fail(send, EX_TEMPFAIL, "%s: not sent", send->rcpts[i].address);
}

bool
send_submit(struct send *send)
{
	struct submission *u = calloc(1, sizeof *u);

	if (u == NULL)
		return send_fail(send, EX_OSERR, "out of memory");
	u->send = send;
	/* Each further session has somebody less to take, and only who gets answers is asked again. */
	do {
		u->again = false;
		u->settled = 0;
		converse(u);
		call_back(send);
	} while (u->again && u->settled > 0);
	settle(send);
	report(u);
	free(u);
	return send->status == 0;
}

#include "pair.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t
pair_now(void *arg)
{
	struct pair *p = arg;

	return UINT64_C(1795341600000) + p->clock++;
}

static void
pair_random(void *arg, uint8_t *octets, size_t n)
{
	(void)arg;
	memset(octets, 0x5a, n);
}

void
pair_init(struct pair *p)
{
	memset(p, 0, sizeof *p);
	p->mechanisms = SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN;
	p->auth = true;
	p->rcpt_max = 1000;
	p->size_max = PAIR_STORE - 4096;
	p->client_piece = p->server_piece = 4096;
	p->client_out = SMTP_CLIENT_OUT_ROOM;
	p->server_out = SMTP_REPLY_ROOM;
	p->password = SPAN("wonderland");
	p->stored = malloc(PAIR_STORE);
}

void
pair_fini(struct pair *p)
{
	free(p->stored);
}

/* ---- pipes ---- */

static void
say(struct pair *p, struct buf *out, struct pair_pipe *pipe)
{
	assert(out->len <= PAIR_PIPE - pipe->len);
	memcpy(pipe->octets + pipe->len, out->p, out->len);
	pipe->len += out->len;
	out->len = 0;
	if (pipe->len > p->most_unread)
		p->most_unread = (uint32_t)pipe->len;
}

static void
take(struct pair_pipe *pipe, size_t *seen, size_t used)
{
	memmove(pipe->octets, pipe->octets + used, pipe->len - used);
	pipe->len -= used;
	*seen -= used;
}

/* Let the reader see a piece more; false when there is none. */
static bool
show_more(const struct pair_pipe *pipe, size_t *seen, size_t piece)
{
	if (*seen == pipe->len)
		return false;
	*seen = pipe->len - *seen < piece ? pipe->len : *seen + piece;
	return true;
}

/* ---- the server's driver ---- */

static enum fail
rcpt_verdict(struct span local)
{
	if (span_take(&local, SPAN("nobody")))
		return FAIL_RCPT_DOMAIN;
	return span_take(&local, SPAN("later")) ? FAIL_BUSY : OK;
}

static void
note_rcpt(struct pair *p, struct span path)
{
	assert(path.len + 1 < PAIR_RCPTS - p->rcpts_len);
	memcpy(p->rcpts + p->rcpts_len, path.p, path.len);
	p->rcpts_len += path.len;
	p->rcpts[p->rcpts_len++] = '\n';
}

static bool
is_plain(struct span octets, struct span password)
{
	struct span rest = octets;

	return span_take(&rest, SPAN("AGFsaWNlAHdvbmRlcmxhbmQ=")) && span_done(rest) && span_eq(password, SPAN("wonderland"));
}

/* PLAIN by its one message; LOGIN by two questions; SCRAM by three messages of any kind, the server's last in a 334 (4954-17). */
static void
answer_auth(struct pair *p, struct smtp_answer *a)
{
	static const char *const prompts[] = { "Username:", "Password:" };
	const struct smtp_ask *ask = &p->server.ask;
	unsigned last = ask->mechanism == SMTP_AUTH_PLAIN ? 0 : 2;

	p->rounds = ask->kind == SMTP_ASK_AUTH_START ? 0 : p->rounds + 1;
	if (ask->mechanism == SMTP_AUTH_PLAIN ? ask->has_octets || ask->kind == SMTP_ASK_AUTH_NEXT : p->rounds == last) {
		bool good = ask->mechanism != SMTP_AUTH_PLAIN || is_plain(ask->octets, SPAN("wonderland"));

		a->auth = good ? SMTP_AUTH_DONE : SMTP_AUTH_FAILED;
		a->verdict.fail = good ? OK : FAIL_CREDENTIALS;
		return;
	}
	a->auth = SMTP_AUTH_CHALLENGE;
	a->challenge = ask->mechanism == SMTP_AUTH_PLAIN ? SPAN("") : span_of(prompts[p->rounds]);
}

static enum smtp_want
answer(struct pair *p)
{
	struct smtp_answer a = { .verdict = { .fail = OK } };

	switch (p->server.ask.kind) {
	case SMTP_ASK_AUTH_START:
	case SMTP_ASK_AUTH_NEXT:
		answer_auth(p, &a);
		break;
	case SMTP_ASK_RCPT:
		a.verdict.fail = rcpt_verdict(p->server.ask.path.local);
		if (a.verdict.fail == OK)
			note_rcpt(p, p->server.ask.path.whole);
		break;
	case SMTP_ASK_DATA:
		a.queue_id = p->commits + 1;
		break;
	case SMTP_ASK_COMMIT:
		a.verdict.fail = p->commit;
		p->commits++;
		break;
	case SMTP_ASK_ABORT:
		p->aborts++;
		break;
	default:
		break;
	}
	return smtp_server_answer(&p->server, &a);
}

static enum smtp_want
server_input(struct pair *p)
{
	size_t used;
	enum smtp_want want;

	say(p, &p->server_io.out, &p->to_client);
	want = smtp_server_feed(&p->server, (struct span){ p->to_server.octets, p->to_server_seen }, &used);
	/* ask may point into the input until the answer is given, so what is used goes away only then. */
	while (want == SMTP_WANT_VERDICT || want == SMTP_WANT_MEMORY)
		want = want == SMTP_WANT_VERDICT ? answer(p) : smtp_server_lend(&p->server, &p->lent);
	take(&p->to_server, &p->to_server_seen, used);
	p->server_waits = want == SMTP_WANT_INPUT && used == 0 && !show_more(&p->to_server, &p->to_server_seen, p->server_piece);
	return want;
}

static enum smtp_want
server_store(struct pair *p)
{
	struct buf *content = &p->server_io.content;

	assert(content->len <= PAIR_STORE - p->stored_len);
	memcpy(p->stored + p->stored_len, content->p, content->len);
	p->stored_len += content->len;
	content->len = 0;
	return smtp_server_go_on(&p->server);
}

static enum smtp_want
server_secured(struct pair *p)
{
	say(p, &p->server_io.out, &p->to_client);
	take(&p->to_server, &p->to_server_seen, p->to_server_seen);
	return smtp_server_secured(&p->server, (struct smtp_session_facts){ .peer = SPAN("[192.0.2.7]"), .tls = true });
}

static void
server_step(struct pair *p)
{
	switch (p->server_want) {
	case SMTP_WANT_INPUT:
		p->server_want = server_input(p);
		break;
	case SMTP_WANT_FLUSH:
		say(p, &p->server_io.out, &p->to_client);
		p->server_want = smtp_server_go_on(&p->server);
		break;
	case SMTP_WANT_STORE:
		p->server_want = server_store(p);
		break;
	case SMTP_WANT_MEMORY:
		p->server_want = smtp_server_lend(&p->server, &p->lent);
		break;
	case SMTP_WANT_VERDICT:
		p->server_want = answer(p);
		break;
	case SMTP_WANT_STARTTLS:
		p->server_want = server_secured(p);
		break;
	case SMTP_WANT_CLOSE:
		say(p, &p->server_io.out, &p->to_client);
		p->server_done = true;
		break;
	}
	(void)smtp_server_reclaim(&p->server);
	smtp_server_check(&p->server);
}

/* ---- the client's driver ---- */

static enum smtp_client_want
client_input(struct pair *p)
{
	enum smtp_client_want want;
	size_t used;

	say(p, &p->client_io.out, &p->to_server);
	want = smtp_client_feed(&p->client, (struct span){ p->to_client.octets, p->to_client_seen }, &used);
	take(&p->to_client, &p->to_client_seen, used);
	p->client_waits = want == SMTP_CLIENT_INPUT && used == 0 && p->client_io.out.len == 0
	    && !show_more(&p->to_client, &p->to_client_seen, p->client_piece);
	return want;
}

static enum smtp_client_want
client_auth(struct pair *p)
{
	uint8_t octets[64];
	struct buf initial = BUF_OVER(octets);
	enum smtp_mechanism m = p->client.caps.mechanisms & SMTP_AUTH_SCRAM_SHA_256 ? SMTP_AUTH_SCRAM_SHA_256 :
	    p->client.caps.mechanisms & SMTP_AUTH_PLAIN ? SMTP_AUTH_PLAIN : SMTP_AUTH_LOGIN;

	if (m == SMTP_AUTH_LOGIN)
		return smtp_client_auth_begin(&p->client, m, (struct span){ NULL, 0 });
	(void)buf_put(&initial, SPAN("\0alice\0"));
	(void)buf_put(&initial, p->password);
	return smtp_client_auth_begin(&p->client, m, buf_span(&initial));
}

static enum smtp_client_want
client_rcpt(struct pair *p)
{
	const struct pair_mail *m = &p->mails[p->mail_at - 1];
	uint32_t i = p->client.rcpt_wanted, kind = i % 7 + 1;
	const char *prefix = kind == m->nobody ? "nobody" : kind == m->later ? "later" : m->rcpt == NULL ? "r" : m->rcpt;
	char address[64];

	(void)snprintf(address, sizeof address, "%s%u@example.net", prefix, i);
	return smtp_client_rcpt(&p->client, &(struct smtp_client_rcpt){ .path = span_of(address),
	    .notify = SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY, .orcpt = SPAN("rfc822;someone@example.net") });
}

static enum smtp_client_want
client_content(struct pair *p)
{
	struct span left = p->mails[p->mail_at - 1].content, now;
	enum smtp_client_want want;
	size_t used;

	span_skip(&left, p->content_at);
	now = span_head(left, p->client_piece);
	want = smtp_client_content(&p->client, now, now.len == left.len, &used);
	p->content_at += used;
	return want;
}

static enum smtp_client_want
client_outcome(struct pair *p)
{
	const struct smtp_outcome *o = &p->client.outcome;

	if (o->recipient == SMTP_WHOLE_SESSION)
		p->told_session++;
	else
		p->told[o->class]++;
	p->last = *o;
	return smtp_client_go_on(&p->client);
}

static enum smtp_client_want
client_ready(struct pair *p)
{
	p->content_at = 0;
	return p->mail_at < p->mail_count ? smtp_client_mail(&p->client, &p->mails[p->mail_at++].mail) : smtp_client_quit(&p->client);
}

static void
client_step(struct pair *p)
{
	switch (p->client_want) {
	case SMTP_CLIENT_INPUT:
		p->client_want = client_input(p);
		break;
	case SMTP_CLIENT_FLUSH:
		/* As a driver that writes all before it goes on: not while the other end has not read. */
		if (p->to_server.len > PAIR_PIPE / 2)
			return;
		say(p, &p->client_io.out, &p->to_server);
		p->client_want = smtp_client_go_on(&p->client);
		break;
	case SMTP_CLIENT_STARTTLS:
		say(p, &p->client_io.out, &p->to_server);
		take(&p->to_client, &p->to_client_seen, p->to_client_seen);
		p->client_want = smtp_client_secured(&p->client);
		break;
	case SMTP_CLIENT_AUTH_START: p->client_want = client_auth(p); break;
	case SMTP_CLIENT_AUTH_NEXT: p->client_want = smtp_client_auth_next(&p->client, SPAN("response")); break;
	case SMTP_CLIENT_READY: p->client_want = client_ready(p); break;
	case SMTP_CLIENT_RCPT: p->client_want = client_rcpt(p); break;
	case SMTP_CLIENT_CONTENT: p->client_want = client_content(p); break;
	case SMTP_CLIENT_OUTCOME: p->client_want = client_outcome(p); break;
	case SMTP_CLIENT_CLOSE:
		say(p, &p->client_io.out, &p->to_server);
		p->client_done = true;
		break;
	}
	smtp_client_check(&p->client);
}

bool
pair_run(struct pair *p)
{
	p->client_conf = (struct smtp_client_conf){ .helo = SPAN("client.example.org"), .auth = p->auth,
		.tls = p->starttls ? SMTP_TLS_REQUIRED : SMTP_TLS_IMPLICIT };
	p->server_conf = (struct smtp_server_conf){ .hostname = SPAN("mail.example.net"), .size_max = p->size_max,
		.rcpt_max = p->rcpt_max, .mechanisms = p->mechanisms, .env = { pair_now, pair_random, p } };
	p->client_io.out = (struct buf){ p->client_octets, 0, p->client_out };
	p->server_io.out = (struct buf){ p->server_octets, 0, p->server_out };
	p->server_io.content = BUF_OVER(p->content_octets);
	p->client_want = smtp_client_begin(&p->client, &p->client_conf, &p->client_io);
	p->server_want = smtp_server_begin(&p->server, &p->server_conf, &p->server_io,
	    (struct smtp_session_facts){ .peer = SPAN("[192.0.2.7]"), .tls = !p->starttls, .starttls = p->starttls });
	for (unsigned step = 0; step < PAIR_STEPS; step++) {
		if (p->client_done)
			return true;
		if (p->server_done && p->to_client.len == 0)
			p->client_want = smtp_client_lost(&p->client, SMTP_CLASS_LATER, SPAN("closed"));
		client_step(p);
		if (!p->server_done)
			server_step(p);
		if (p->client_waits && p->server_waits && p->to_client.len == p->to_client_seen && p->to_server.len == p->to_server_seen
		    && p->client_want == SMTP_CLIENT_INPUT && p->server_want == SMTP_WANT_INPUT && p->client_io.out.len == 0
		    && p->server_io.out.len == 0)
			return false;
	}
	return false;
}

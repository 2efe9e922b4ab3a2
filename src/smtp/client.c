#include "smtp/client_parts.h"

#include <assert.h>
#include <string.h>

enum { NONSENSE_QUOTED = 100 };         /* octets of a reply that makes no sense */

#define BIT(n) (1u << (n))
#define LOSING (BIT(CLIENT_SWEEP) | BIT(CLIENT_CLOSED))

static const uint32_t edges[CLIENT_STATE_MAX] = {
	[CLIENT_GREETING]  = BIT(CLIENT_EHLO) | BIT(CLIENT_HELO) | LOSING,
	[CLIENT_EHLO]      = BIT(CLIENT_HELO) | BIT(CLIENT_STARTTLS) | BIT(CLIENT_CHOOSING) | BIT(CLIENT_READY) | LOSING,
	[CLIENT_HELO]      = BIT(CLIENT_READY) | LOSING,
	[CLIENT_STARTTLS]  = BIT(CLIENT_SECURING) | BIT(CLIENT_CHOOSING) | BIT(CLIENT_READY) | LOSING,
	[CLIENT_SECURING]  = BIT(CLIENT_EHLO) | LOSING,
	[CLIENT_CHOOSING]  = BIT(CLIENT_PROVING) | LOSING,
	[CLIENT_PROVING]   = BIT(CLIENT_ANSWERING) | BIT(CLIENT_CHOOSING) | BIT(CLIENT_EHLO) | BIT(CLIENT_READY) | LOSING,
	[CLIENT_ANSWERING] = BIT(CLIENT_PROVING) | LOSING,
	[CLIENT_READY]     = BIT(CLIENT_ENVELOPE) | BIT(CLIENT_ASIDE) | BIT(CLIENT_QUIT) | LOSING,
	[CLIENT_ENVELOPE]  = BIT(CLIENT_CONTENT) | BIT(CLIENT_VOID) | BIT(CLIENT_READY) | LOSING,
	[CLIENT_CONTENT]   = BIT(CLIENT_FINAL) | LOSING,
	[CLIENT_FINAL]     = LOSING,
	[CLIENT_ASIDE]     = BIT(CLIENT_READY) | LOSING,
	[CLIENT_VOID]      = BIT(CLIENT_READY) | LOSING,
	[CLIENT_SWEEP]     = BIT(CLIENT_ENVELOPE) | BIT(CLIENT_READY) | BIT(CLIENT_CLOSED),
	[CLIENT_QUIT]      = LOSING,
};

void
client_enter(struct smtp_client *c, enum client_state next)
{
	assert(edges[c->state] & BIT(next));
	c->state = (uint8_t)next;
}

enum smtp_client_want
client_want(struct smtp_client *c, enum smtp_client_want want)
{
	c->want = want;
	return want;
}

enum smtp_stage
smtp_client_awaits(const struct smtp_client *c)
{
	static const uint8_t stages[CLIENT_STATE_MAX] = {
		[CLIENT_GREETING] = SMTP_STAGE_GREETING, [CLIENT_EHLO] = SMTP_STAGE_EHLO, [CLIENT_HELO] = SMTP_STAGE_EHLO,
		[CLIENT_STARTTLS] = SMTP_STAGE_STARTTLS, [CLIENT_SECURING] = SMTP_STAGE_STARTTLS,
		[CLIENT_CHOOSING] = SMTP_STAGE_AUTH, [CLIENT_PROVING] = SMTP_STAGE_AUTH,
		[CLIENT_ANSWERING] = SMTP_STAGE_AUTH, [CLIENT_READY] = SMTP_STAGE_MAIL, [CLIENT_ASIDE] = SMTP_STAGE_MAIL,
		[CLIENT_CONTENT] = SMTP_STAGE_CONTENT, [CLIENT_FINAL] = SMTP_STAGE_CONTENT,
		[CLIENT_VOID] = SMTP_STAGE_CONTENT, [CLIENT_SWEEP] = SMTP_STAGE_QUIT,
		[CLIENT_QUIT] = SMTP_STAGE_QUIT, [CLIENT_CLOSED] = SMTP_STAGE_QUIT,
	};

	if (c->state != CLIENT_ENVELOPE)
		return (enum smtp_stage)stages[c->state];
	if (c->rset_awaited)
		return SMTP_STAGE_RSET;
	if (c->mail_due || c->mail_awaited)
		return SMTP_STAGE_MAIL;
	return c->data_awaited && c->rcpts_answered == c->rcpts_sent ? SMTP_STAGE_DATA : SMTP_STAGE_RCPT;
}

/* A command without secrets. False when a peer that answers before it is asked has made us fill out. */
static bool
say(struct smtp_client *c, const char *verb, struct span argument)
{
	struct buf *out = &c->io->out;

	if (buf_room(out) < strlen(verb) + argument.len + 2)
		return false;
	(void)buf_put_text(out, verb);
	(void)buf_put(out, argument);
	(void)buf_put_text(out, "\r\n");
	return true;
}

static enum smtp_client_want
say_and_enter(struct smtp_client *c, const char *verb, struct span argument, enum client_state next)
{
	if (!say(c, verb, argument))
		return client_broken(c, "the peer answers before it is asked");
	client_enter(c, next);
	return client_want(c, SMTP_CLIENT_INPUT);
}

enum smtp_client_want
smtp_client_begin(struct smtp_client *c, const struct smtp_client_conf *conf, struct smtp_io *io)
{
	assert(io->out.max >= SMTP_CLIENT_OUT_ROOM && conf->helo.len > 0 && conf->helo.len <= SMTP_HELO_MAX);
	memset(c, 0, sizeof *c);
	c->conf = conf;
	c->io = io;
	c->reader.lenient = conf->lenient;
	c->state = CLIENT_GREETING;
	return client_want(c, SMTP_CLIENT_INPUT);
}

/* ---- up to READY ---- */

static const struct client_verdict no_auth = { SMTP_STAGE_AUTH, SMTP_CLASS_NEVER, 0, "5.7.4",
	SPAN_INIT("the peer offers no authentication") };
static const struct client_verdict no_mechanism = { SMTP_STAGE_AUTH, SMTP_CLASS_NEVER, 0, "5.7.4",
	SPAN_INIT("the peer offers no authentication mechanism that we know") };
static const struct client_verdict no_starttls = { SMTP_STAGE_STARTTLS, SMTP_CLASS_LATER, 0, "4.7.5",
	SPAN_INIT("TLS is required here and the peer does not offer STARTTLS") };

enum smtp_client_want
client_ready(struct smtp_client *c)
{
	client_enter(c, CLIENT_READY);
	return client_want(c, SMTP_CLIENT_READY);
}

/* The peer has done nothing odd, so it is told that we go. */
enum smtp_client_want
client_refuse_session(struct smtp_client *c, const struct client_verdict *why)
{
	c->polite = true;
	return client_sweep(c, why, CLIENT_CLOSED);
}

enum smtp_client_want
client_session_refused(struct smtp_client *c)
{
	c->polite = c->reply_code != 421;
	return client_sweep_reply(c, smtp_client_awaits(c), CLIENT_CLOSED);
}

static bool
is_positive(const struct smtp_client *c)
{
	return c->reply_code / 100 == 2;
}

static enum smtp_client_want
greeting_reply(struct smtp_client *c)
{
	if (!is_positive(c))
		return client_session_refused(c);
	if (c->conf->helo_only)
		return say_and_enter(c, "HELO ", c->conf->helo, CLIENT_HELO);
	return say_and_enter(c, "EHLO ", c->conf->helo, CLIENT_EHLO);
}

/* TLS is as it shall be, or need not be: prove who we are if that is asked for. */
static enum smtp_client_want
after_tls(struct smtp_client *c)
{
	if (!c->conf->auth)
		return client_ready(c);
	if (c->caps.mechanisms == 0)
		return client_refuse_session(c, c->caps.auth ? &no_mechanism : &no_auth);
	client_enter(c, CLIENT_CHOOSING);
	return client_want(c, SMTP_CLIENT_AUTH_START);
}

static enum smtp_client_want
ehlo_reply(struct smtp_client *c)
{
	bool wants_tls = !c->secured && (c->conf->tls == SMTP_TLS_REQUIRED || c->conf->tls == SMTP_TLS_MAY);
	bool may_fall_back = c->conf->helo_fallback && !c->conf->auth && c->conf->tls != SMTP_TLS_REQUIRED && !c->secured;

	if (c->reply_code / 100 == 5 && may_fall_back)
		return say_and_enter(c, "HELO ", c->conf->helo, CLIENT_HELO);
	if (!is_positive(c))
		return client_session_refused(c);
	if (c->proved)
		return client_ready(c);
	if (wants_tls && c->caps.starttls)
		return say_and_enter(c, "STARTTLS", SPAN(""), CLIENT_STARTTLS);
	if (wants_tls && c->conf->tls == SMTP_TLS_REQUIRED)
		return client_refuse_session(c, &no_starttls);
	return after_tls(c);
}

enum smtp_client_want
client_proved(struct smtp_client *c)
{
	c->proved = true;
	if (!c->conf->hello_again)
		return client_ready(c);
	return say_and_enter(c, "EHLO ", c->conf->helo, CLIENT_EHLO);
}

static enum smtp_client_want
helo_reply(struct smtp_client *c)
{
	c->caps = (struct smtp_client_caps){ 0 };
	return is_positive(c) ? client_ready(c) : client_session_refused(c);
}

static enum smtp_client_want
starttls_reply(struct smtp_client *c)
{
	if (is_positive(c)) {
		client_enter(c, CLIENT_SECURING);
		return client_want(c, SMTP_CLIENT_STARTTLS);
	}
	if (c->conf->tls == SMTP_TLS_REQUIRED || c->reply_code == 421)
		return client_session_refused(c);
	return after_tls(c);
}

enum smtp_client_want
smtp_client_secured(struct smtp_client *c)
{
	assert(c->want == SMTP_CLIENT_STARTTLS);
	c->secured = true;
	c->caps = (struct smtp_client_caps){ 0 };       /* 3207-8 */
	return say_and_enter(c, "EHLO ", c->conf->helo, CLIENT_EHLO);
}

/* ---- bytes ---- */

static enum smtp_client_want
quit_reply(struct smtp_client *c)
{
	client_enter(c, CLIENT_CLOSED);
	return client_want(c, SMTP_CLIENT_CLOSE);
}

/* Whatever it says is the examiner's to judge; only who hangs up is not asked again. */
static enum smtp_client_want
aside_reply(struct smtp_client *c)
{
	return c->reply_code == 421 ? client_session_refused(c) : client_ready(c);
}

/* The peer does not wait for the final dot. Whatever it says, the transaction cannot be finished in step any more. */
static enum smtp_client_want
early_reply(struct smtp_client *c)
{
	if (c->reply_code < 400)
		return client_broken(c, "the peer answers before it is asked");
	c->polite = false;
	return client_sweep_reply(c, SMTP_STAGE_CONTENT, CLIENT_CLOSED);
}

/* While the end of the content has not left us no answer is about the message, and what is left must not make one of it. */
static enum smtp_client_want
final_reply(struct smtp_client *c)
{
	if (c->io->out.len == 0)
		return client_final_reply(c);
	c->io->out.len = 0;
	return early_reply(c);
}

static enum smtp_client_want (*const on_reply[CLIENT_STATE_MAX])(struct smtp_client *) = {
	[CLIENT_GREETING] = greeting_reply,
	[CLIENT_EHLO]     = ehlo_reply,
	[CLIENT_HELO]     = helo_reply,
	[CLIENT_STARTTLS] = starttls_reply,
	[CLIENT_PROVING]  = client_auth_reply,
	[CLIENT_ENVELOPE] = client_envelope_reply,
	[CLIENT_CONTENT]  = early_reply,
	[CLIENT_FINAL]    = final_reply,
	[CLIENT_ASIDE]    = aside_reply,
	[CLIENT_VOID]     = client_void_reply,
	[CLIENT_QUIT]     = quit_reply,
};

/* After a reply that made us say something the driver has to send it first, else the talk would depend on the split. */
enum smtp_client_want
smtp_client_feed(struct smtp_client *c, struct span in, size_t *used)
{
	size_t before = c->io->out.len, n;
	bool early = c->state == CLIENT_CONTENT;

	*used = 0;
	if (c->state == CLIENT_CLOSED)
		return c->want;
	assert(c->want == SMTP_CLIENT_INPUT || early);
	while (c->want == SMTP_CLIENT_INPUT || (early && c->state == CLIENT_CONTENT)) {
		struct span rest = in;
		enum smtp_reply_step line;

		span_skip(&rest, *used);
		line = client_reply_line(c, rest, &n);
		*used += n;
		if (line == SMTP_REPLY_MORE)
			break;
		if (line == SMTP_REPLY_BAD)
			return client_nonsense(c, "the peer's reply is not SMTP");
		if (line == SMTP_REPLY_PART)
			continue;
		c->replies++;
		(void)on_reply[c->state](c);
		if (c->state == CLIENT_SECURING)
			*used = in.len;         /* 3207-8: what came behind the 220 was never said */
		if (c->io->out.len != before)
			break;
	}
	return c->want;
}

enum smtp_client_want
smtp_client_quit(struct smtp_client *c)
{
	if (c->state == CLIENT_CLOSED)
		return c->want;
	assert(c->want == SMTP_CLIENT_READY);
	return say_and_enter(c, "QUIT", SPAN(""), CLIENT_QUIT);
}

enum smtp_client_want
smtp_client_aside(struct smtp_client *c, struct span line)
{
	assert(c->want == SMTP_CLIENT_READY);
	return say_and_enter(c, "", line, CLIENT_ASIDE);
}

/* ---- losing ---- */

static enum smtp_client_want
broken(struct smtp_client *c, struct span words)
{
	c->polite = false;
	return client_sweep(c, &(struct client_verdict){ smtp_client_awaits(c), SMTP_CLASS_LATER, 0, "4.5.0", words }, CLIENT_CLOSED);
}

enum smtp_client_want
client_broken(struct smtp_client *c, const char *words)
{
	return broken(c, span_of(words));
}

/* Who repeats what he hears does not get our password into a log. */
enum smtp_client_want
client_nonsense(struct smtp_client *c, const char *words)
{
	uint8_t text[SMTP_REPLY_KEPT];
	struct buf b = BUF_OVER(text);

	(void)buf_put_text(&b, words);
	if (c->reply_len > 0 && c->state != CLIENT_PROVING) {
		(void)buf_put_text(&b, ": \"");
		if (c->reply_code != 0)
			(void)(buf_put_padded(&b, c->reply_code, 3) && buf_put_byte(&b, ' '));
		(void)buf_put(&b, span_head((struct span){ c->reply, c->reply_len }, NONSENSE_QUOTED));
		(void)buf_put_byte(&b, '"');
	}
	return broken(c, client_reply_keep(c, buf_span(&b)));
}

enum smtp_client_want
smtp_client_lost(struct smtp_client *c, enum smtp_class class, struct span why)
{
	struct client_verdict v = { smtp_client_awaits(c), class, 0, class == SMTP_CLASS_NEVER ? "5.4.2" : "4.4.2", why };

	if (c->state == CLIENT_CLOSED)
		return c->want;
	c->polite = false;
	c->io->out.len = 0;
	/* The outcomes under way are true already: only what was to come after them is not. */
	if (c->state == CLIENT_SWEEP) {
		c->then = CLIENT_CLOSED;
		return smtp_client_go_on(c);
	}
	v.text = client_reply_keep(c, why);
	return client_sweep(c, &v, CLIENT_CLOSED);
}

enum smtp_client_want
smtp_client_give_up(struct smtp_client *c, struct span why)
{
	return smtp_client_lost(c, SMTP_CLASS_LATER, why);
}

/* ---- watching ---- */

uint32_t
smtp_client_patience(const struct smtp_client *c)
{
	static const uint32_t minutes[] = {
		[SMTP_STAGE_GREETING] = 5, [SMTP_STAGE_EHLO] = 5, [SMTP_STAGE_STARTTLS] = 5, [SMTP_STAGE_AUTH] = 5,
		[SMTP_STAGE_MAIL] = 5, [SMTP_STAGE_RCPT] = 5, [SMTP_STAGE_DATA] = 2, [SMTP_STAGE_CONTENT] = 10,
		[SMTP_STAGE_RSET] = 5,
	};
	enum smtp_stage stage = smtp_client_awaits(c);

	if (c->state == CLIENT_CONTENT)
		return 3 * 60 * 1000;
	return stage == SMTP_STAGE_QUIT ? 30 * 1000 : minutes[stage] * 60 * 1000;
}

#define WANT(name) BIT(SMTP_CLIENT_##name)
static const uint16_t wants[CLIENT_STATE_MAX] = {
	[CLIENT_GREETING]  = WANT(INPUT),
	[CLIENT_EHLO]      = WANT(INPUT),
	[CLIENT_HELO]      = WANT(INPUT),
	[CLIENT_STARTTLS]  = WANT(INPUT),
	[CLIENT_SECURING]  = WANT(STARTTLS),
	[CLIENT_CHOOSING]  = WANT(AUTH_START),
	[CLIENT_PROVING]   = WANT(INPUT),
	[CLIENT_ANSWERING] = WANT(AUTH_NEXT),
	[CLIENT_READY]     = WANT(READY),
	[CLIENT_ENVELOPE]  = WANT(INPUT) | WANT(FLUSH) | WANT(RCPT) | WANT(OUTCOME),
	[CLIENT_CONTENT]   = WANT(CONTENT) | WANT(FLUSH),
	[CLIENT_FINAL]     = WANT(INPUT),
	[CLIENT_ASIDE]     = WANT(INPUT),
	[CLIENT_VOID]      = WANT(INPUT),
	[CLIENT_SWEEP]     = WANT(OUTCOME),
	[CLIENT_QUIT]      = WANT(INPUT),
	[CLIENT_CLOSED]    = WANT(CLOSE),
};

/*
 * GREETING .. ANSWERING  no recipient, no transaction
 * READY                  TLS and proof as conf asks; every recipient so far has had its outcome
 * ENVELOPE               at least one recipient is to be settled or a reply to be awaited
 * CONTENT, FINAL         at least one recipient is accepted and has no outcome
 * ASIDE, VOID            none is
 */
void
smtp_client_check(const struct smtp_client *c)
{
	assert(c->state < CLIENT_STATE_MAX && (wants[c->state] & BIT(c->want)));
	assert(c->reply_len <= SMTP_REPLY_KEPT && c->reader.lines <= SMTP_REPLY_LINES_MAX);
	assert(c->io->out.len <= c->io->out.max);
	assert(c->mail.rcpts <= SMTP_CLIENT_RCPTS_MAX && c->rcpts_sent <= c->mail.rcpts);
	assert(c->rcpts_answered <= c->rcpts_sent && c->rcpts_accepted <= c->rcpts_answered);
	assert(c->rcpts_reported <= c->mail.rcpts && c->swept <= c->mail.rcpts);
	assert(c->rounds <= SMTP_CLIENT_ROUNDS_MAX);
	if (c->state < CLIENT_READY)
		assert(c->mail.rcpts == 0 && c->transactions == 0);
	if (c->state == CLIENT_READY) {
		assert(c->conf->tls != SMTP_TLS_REQUIRED || c->secured);
		assert(c->rcpts_reported == c->mail.rcpts);
	}
	if (c->state == CLIENT_CONTENT || c->state == CLIENT_FINAL)
		assert(c->rcpts_accepted > 0 && c->rcpts_reported < c->mail.rcpts);
	if (c->want == SMTP_CLIENT_RCPT)
		assert(c->rcpt_wanted == c->rcpts_sent && c->rcpt_wanted < c->mail.rcpts);
}

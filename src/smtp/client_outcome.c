/* Who is told what: every recipient exactly one outcome, a session without recipients one for itself. */
#include "smtp/client_parts.h"

#include <assert.h>
#include <string.h>

bool
client_bit(const uint8_t bits[], uint32_t i)
{
	return bits[i / 8] >> i % 8 & 1;
}

/* Waits for an outcome: accepted and not told yet, or not answered yet. */
static bool
is_open(const struct smtp_client *c, uint32_t i)
{
	return client_bit(c->accepted, i) || (i >= c->rcpts_answered && !client_bit(c->skipped, i));
}

static uint32_t
next_open(struct smtp_client *c)
{
	while (c->swept < c->mail.rcpts && !is_open(c, c->swept))
		c->swept++;
	return c->swept;
}

static enum smtp_client_want
close_session(struct smtp_client *c)
{
	client_enter(c, CLIENT_CLOSED);
	/* 5321-27; the driver hangs up without waiting, so there is nothing to lose when it does not fit. */
	if (c->polite)
		(void)buf_put_text(&c->io->out, "QUIT\r\n");
	return client_want(c, SMTP_CLIENT_CLOSE);
}

static enum smtp_client_want
sweep_over(struct smtp_client *c)
{
	if (c->then == CLIENT_CLOSED)
		return close_session(c);
	if (c->then == CLIENT_READY)
		return client_ready(c);
	client_enter(c, CLIENT_ENVELOPE);
	return client_envelope_step(c);
}

static enum smtp_client_want
sweep_step(struct smtp_client *c)
{
	uint32_t next = next_open(c);

	if (next == c->mail.rcpts)
		return sweep_over(c);
	c->swept++;
	c->rcpts_reported++;
	c->outcome.recipient = next;
	c->outcome.apart = c->culprit < c->mail.rcpts && next != c->culprit;
	return client_want(c, SMTP_CLIENT_OUTCOME);
}

static void
set_outcome(struct smtp_client *c, const struct client_verdict *why)
{
	struct buf enhanced = { (uint8_t *)c->outcome.enhanced, 0, sizeof c->outcome.enhanced };

	c->outcome = (struct smtp_outcome){ .recipient = SMTP_WHOLE_SESSION, .stage = why->stage, .class = why->class,
		.code = why->code, .text = why->text };
	c->outcome.by = why->class == SMTP_CLASS_DELIVERED && c->caps.deliver_by;
	c->outcome.dsn = why->class == SMTP_CLASS_DELIVERED && c->caps.dsn;
	(void)buf_put_text(&enhanced, why->enhanced);
	assert(enhanced.len > 0);
}

static struct client_verdict
verdict_of_reply(const struct smtp_client *c, enum smtp_stage stage, enum smtp_class class, char enhanced[12])
{
	client_reply_enhanced(c, class, enhanced);
	return (struct client_verdict){ stage, class, c->reply_code, enhanced, { c->reply, c->reply_len } };
}

enum smtp_client_want
client_sweep(struct smtp_client *c, const struct client_verdict *why, enum client_state then)
{
	bool whole = c->mail.rcpts == 0 && c->state < CLIENT_READY;

	set_outcome(c, why);
	c->then = (uint8_t)then;
	c->culprit = then == CLIENT_CLOSED && why->stage == SMTP_STAGE_RCPT ? c->rcpts_answered : UINT32_MAX;
	client_enter(c, CLIENT_SWEEP);
	return whole ? client_want(c, SMTP_CLIENT_OUTCOME) : sweep_step(c);
}

enum smtp_client_want
client_sweep_reply(struct smtp_client *c, enum smtp_stage stage, enum client_state then)
{
	char enhanced[12];
	struct client_verdict v = verdict_of_reply(c, stage, client_reply_class(c), enhanced);

	return client_sweep(c, &v, then);
}

enum smtp_client_want
client_refuse(struct smtp_client *c, uint32_t recipient, const struct client_verdict *why)
{
	set_outcome(c, why);
	c->outcome.recipient = recipient;
	c->rcpts_reported++;
	return client_want(c, SMTP_CLIENT_OUTCOME);
}

enum smtp_client_want
client_refuse_reply(struct smtp_client *c, uint32_t recipient, enum smtp_class class)
{
	char enhanced[12];
	struct client_verdict v = verdict_of_reply(c, SMTP_STAGE_RCPT, class, enhanced);

	return client_refuse(c, recipient, &v);
}

enum smtp_client_want
smtp_client_go_on(struct smtp_client *c)
{
	assert(c->want == SMTP_CLIENT_FLUSH || c->want == SMTP_CLIENT_OUTCOME);
	if (c->state == CLIENT_SWEEP)
		return sweep_step(c);
	if (c->state == CLIENT_ENVELOPE)
		return client_envelope_step(c);
	return client_content_end(c);
}

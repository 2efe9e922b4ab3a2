/* AUTH (RFC 4954 4). What is proved and how is the driver's (sasl/client.h); here are its lines. */
#include "smtp/client_parts.h"

#include <assert.h>
#include <string.h>

#include "base/base64.h"

enum { AUTH_COMMAND_MAX = 512 };        /* RFC 4954 4: the SMTP limit, CRLF included */

static const struct client_verdict not_sent = { SMTP_STAGE_AUTH, SMTP_CLASS_LATER, 0, "4.7.0",
	SPAN_INIT("our authentication response is too long to be sent") };

/* "*" ends the exchange; its 501 is not waited for, because the session ends with it. */
static enum smtp_client_want
cancel(struct smtp_client *c, struct span why)
{
	struct client_verdict v = { SMTP_STAGE_AUTH, SMTP_CLASS_LATER, 0, "4.7.0", client_reply_keep(c, why) };

	(void)buf_put_text(&c->io->out, "*\r\n");
	return client_refuse_session(c, &v);
}

static enum smtp_client_want
prove(struct smtp_client *c)
{
	client_enter(c, CLIENT_PROVING);
	return client_want(c, SMTP_CLIENT_INPUT);
}

enum smtp_client_want
smtp_client_auth_begin(struct smtp_client *c, enum smtp_mechanism mechanism, struct span initial)
{
	struct buf *out = &c->io->out;
	const char *name = smtp_mechanism_name(mechanism);
	size_t text = initial.len == 0 ? 1 : BASE64_LEN(initial.len);
	bool fits = strlen("AUTH  \r\n") + strlen(name) + text <= AUTH_COMMAND_MAX;

	assert(c->want == SMTP_CLIENT_AUTH_START);
	c->mechanism = (uint8_t)mechanism;
	c->rounds = 0;
	c->initial_unsent = initial.p != NULL && !fits;         /* 4954-10 */
	if (buf_room(out) < AUTH_COMMAND_MAX)
		return client_broken(c, "the peer answers before it is asked");
	(void)buf_put_text(out, "AUTH ");
	(void)buf_put_text(out, name);
	if (initial.p != NULL && fits) {
		(void)buf_put_byte(out, ' ');
		if (initial.len == 0)
			(void)buf_put_byte(out, '=');
		(void)base64_format(initial, out);
	}
	(void)buf_put_text(out, "\r\n");
	return prove(c);
}

enum smtp_client_want
smtp_client_auth_next(struct smtp_client *c, struct span response)
{
	struct buf *out = &c->io->out;

	assert(c->want == SMTP_CLIENT_AUTH_NEXT);
	c->initial_unsent = false;
	if (buf_room(out) < BASE64_LEN(response.len) + 2) {
		c->polite = false;
		return client_sweep(c, &not_sent, CLIENT_CLOSED);
	}
	(void)base64_format(response, out);
	(void)buf_put_text(out, "\r\n");
	return prove(c);
}

enum smtp_client_want
smtp_client_auth_cancel(struct smtp_client *c, struct span why)
{
	assert(c->want == SMTP_CLIENT_AUTH_NEXT || c->want == SMTP_CLIENT_AUTH_START);
	if (c->want == SMTP_CLIENT_AUTH_START) {
		struct client_verdict v = { SMTP_STAGE_AUTH, SMTP_CLASS_LATER, 0, "4.7.0", client_reply_keep(c, why) };

		return client_refuse_session(c, &v);
	}
	return cancel(c, why);
}

static enum smtp_client_want
challenged(struct smtp_client *c)
{
	if (c->challenge.p == NULL)
		return cancel(c, SPAN("the peer's challenge is not base64"));   /* 4954-12 */
	if (c->rounds == SMTP_CLIENT_ROUNDS_MAX)
		return cancel(c, SPAN("the peer's challenges do not end"));
	c->rounds++;
	client_enter(c, CLIENT_ANSWERING);
	return client_want(c, SMTP_CLIENT_AUTH_NEXT);
}

/* 504 and 534 are about the mechanism, not about us (4954-32): another one may do. */
static bool
another_may_do(const struct smtp_client *c)
{
	return (c->reply_code == 504 || c->reply_code == 534) && (c->caps.mechanisms & ~(uint32_t)c->mechanism) != 0;
}

enum smtp_client_want
client_auth_reply(struct smtp_client *c)
{
	if (c->reply_code / 100 == 3)
		return challenged(c);
	if (c->reply_code / 100 == 2)
		return client_proved(c);
	if (!another_may_do(c))
		return client_session_refused(c);
	c->caps.mechanisms &= ~(uint32_t)c->mechanism;
	client_enter(c, CLIENT_CHOOSING);
	return client_want(c, SMTP_CLIENT_AUTH_START);
}

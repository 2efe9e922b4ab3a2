/* One transaction (RFC 5321 3.3): RSET when one was left open, MAIL, RCPTs and DATA in groups (RFC 2920 3.1), content. */
#include "base/hash.h"
#include "smtp/client_parts.h"

#include <assert.h>
#include <string.h>

#include "mail/path.h"

enum { ENVID_MAX = 100, ORCPT_MAX = 500 };      /* RFC 3461 5.4 */

/* ---- what the peer cannot take ---- */

static const struct client_verdict too_big = { SMTP_STAGE_MAIL, SMTP_CLASS_NEVER, 0, "5.3.4",
	SPAN_INIT("message is bigger than the peer takes") };                                   /* 1870-6 */
static const struct client_verdict no_eightbit = { SMTP_STAGE_MAIL, SMTP_CLASS_NEVER, 0, "5.6.3",
	SPAN_INIT("message has octets above 127 and the peer does not offer 8BITMIME") };       /* 6152-2 */
static const struct client_verdict no_binary = { SMTP_STAGE_MAIL, SMTP_CLASS_NEVER, 0, "5.6.3",
	SPAN_INIT("message is binary and the peer does not offer BINARYMIME and CHUNKING") };   /* 3030-7 */
static const struct client_verdict no_utf8 = { SMTP_STAGE_MAIL, SMTP_CLASS_NEVER, 0, "5.6.7",
	SPAN_INIT("message is internationalised and the peer does not offer SMTPUTF8") };       /* 6531-6 */
static const struct client_verdict no_requiretls = { SMTP_STAGE_MAIL, SMTP_CLASS_NEVER, 0, "5.7.30",
	SPAN_INIT("message requires TLS on its whole way and the peer does not offer REQUIRETLS") };   /* 8689-2 */
static const struct client_verdict spent = { SMTP_STAGE_MAIL, SMTP_CLASS_LATER, 0, "4.5.3",
	SPAN_INIT("the peer takes no further message in this session") };                       /* 9422-2 */
static const struct client_verdict bad_sender = { SMTP_STAGE_MAIL, SMTP_CLASS_NEVER, 0, "5.1.7",
	SPAN_INIT("sender address cannot be sent") };
static const struct client_verdict bad_rcpt = { SMTP_STAGE_RCPT, SMTP_CLASS_NEVER, 0, "5.1.3",
	SPAN_INIT("recipient address cannot be sent") };
static const struct client_verdict rcpts_spent = { SMTP_STAGE_RCPT, SMTP_CLASS_LATER, 0, "4.5.3",
	SPAN_INIT("the peer takes no further recipient in one message") };                      /* 9422-2 */

static const struct client_verdict domains_spent = { SMTP_STAGE_RCPT, SMTP_CLASS_LATER, 0, "4.5.3",
	SPAN_INIT("the peer takes recipients of no further domain in this session") };          /* RFC 9422 4.3 */

/* 8689-1: what was offered in clear was perhaps never offered. */
static bool
offers_requiretls(const struct smtp_client *c)
{
	return c->caps.requiretls && (c->secured || c->conf->tls == SMTP_TLS_IMPLICIT);
}

/* Whatever stands in a spool, no octet of it begins a command of its own. */
static bool
sayable(struct span s, size_t max, uint8_t least)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < least || s.p[i] == 127)
			return false;
	return s.len <= max;
}

static const struct client_verdict *
obstacle(const struct smtp_client *c)
{
	const struct smtp_client_mail *mail = &c->mail;

	if (c->caps.mail_max > 0 && c->transactions >= c->caps.mail_max)
		return &spent;
	if (c->caps.size_max > 0 && mail->size > c->caps.size_max)
		return &too_big;
	if (mail->utf8 && !c->caps.utf8)
		return &no_utf8;
	if (mail->binary && !(c->caps.binary && c->caps.chunking))
		return &no_binary;
	if (mail->eightbit && !mail->binary && !c->caps.eightbit)
		return &no_eightbit;
	if (mail->requiretls && mail->reverse_path.len > 0 && !offers_requiretls(c))
		return &no_requiretls;
	if (!sayable(mail->reverse_path, PATH_MAX_OCTETS, ' ') || !sayable(mail->envid, ENVID_MAX, '!'))
		return &bad_sender;
	return client_terms_obstacle(c);
}

/* ---- commands; envelope_step() has made sure of SMTP_CLIENT_OUT_ROOM ---- */

static void
put_mail(struct smtp_client *c)
{
	struct buf *out = &c->io->out;
	const struct smtp_client_mail *mail = &c->mail;

	(void)buf_put_text(out, "MAIL FROM:<");
	(void)buf_put(out, mail->reverse_path);
	(void)buf_put_byte(out, '>');
	if (c->caps.size && mail->size > 0) {
		(void)buf_put_text(out, " SIZE=");
		(void)buf_put_u64(out, mail->size);
	}
	if (mail->binary || mail->eightbit)
		(void)buf_put_text(out, mail->binary ? " BODY=BINARYMIME" : " BODY=8BITMIME");
	if (mail->utf8)
		(void)buf_put_text(out, " SMTPUTF8");
	if (mail->requiretls && offers_requiretls(c))
		(void)buf_put_text(out, " REQUIRETLS");
	if (c->caps.dsn && mail->ret != SMTP_RET_NONE)
		(void)buf_put_text(out, mail->ret == SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (c->caps.dsn && mail->envid.len > 0) {
		(void)buf_put_text(out, " ENVID=");
		(void)buf_put(out, mail->envid);
	}
	client_terms_put(c);
	if (c->conf->auth && c->conf->relays && c->caps.auth)
		(void)buf_put_text(out, " AUTH=<>");
	(void)buf_put_text(out, "\r\n");
}

static void
put_notify(struct buf *out, uint32_t notify)
{
	static const struct { uint32_t bit; const char *word; } words[] = {
		{ SMTP_NOTIFY_SUCCESS, "SUCCESS" }, { SMTP_NOTIFY_FAILURE, "FAILURE" }, { SMTP_NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	if (notify & SMTP_NOTIFY_NEVER) {
		(void)buf_put_text(out, " NOTIFY=NEVER");
		return;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (notify & words[i].bit) {
			(void)buf_put_text(out, before);
			(void)buf_put_text(out, words[i].word);
			before = ",";
		}
}

static void
put_rcpt(struct smtp_client *c, const struct smtp_client_rcpt *rcpt)
{
	struct buf *out = &c->io->out;

	(void)buf_put_text(out, "RCPT TO:<");
	(void)buf_put(out, rcpt->path);
	(void)buf_put_byte(out, '>');
	if (c->caps.dsn) {
		put_notify(out, rcpt->notify);
		if (rcpt->orcpt.len > 0) {
			(void)buf_put_text(out, " ORCPT=");
			(void)buf_put(out, rcpt->orcpt);
		}
	}
	(void)buf_put_text(out, "\r\n");
}

/* ---- the envelope ---- */

/* The sender is to send less: less than what? */
static enum smtp_client_want
refuse_size(struct smtp_client *c)
{
	struct client_verdict v = too_big;
	uint8_t text[120];
	struct buf b = BUF_OVER(text);

	(void)(buf_put(&b, too_big.text) && buf_put_text(&b, ": ") && buf_put_u64(&b, c->mail.size)
	    && buf_put_text(&b, " octets, at most ") && buf_put_u64(&b, c->caps.size_max));
	v.text = client_reply_keep(c, buf_span(&b));
	return client_sweep(c, &v, CLIENT_READY);
}

enum smtp_client_want
smtp_client_mail(struct smtp_client *c, const struct smtp_client_mail *mail)
{
	const struct client_verdict *why;

	assert(c->want == SMTP_CLIENT_READY && (mail->one_by_one ? mail->rcpts == 0 : mail->rcpts > 0) && mail->rcpts <= SMTP_CLIENT_RCPTS_MAX);
	c->mail = *mail;
	c->mail.rcpts += mail->one_by_one;
	c->rcpts_sent = c->rcpts_answered = c->rcpts_accepted = c->rcpts_reported = c->swept = 0;
	memset(c->accepted, 0, sizeof c->accepted);
	memset(c->skipped, 0, sizeof c->skipped);
	c->rset_awaited = c->mail_awaited = c->data_awaited = false;
	c->mail_failed = c->data_sent = c->dot_due = c->window_full = false;
	why = obstacle(c);
	if (why == &too_big)
		return refuse_size(c);
	if (why != NULL)
		return client_sweep(c, why, CLIENT_READY);
	c->mail_due = true;
	client_enter(c, CLIENT_ENVELOPE);
	return client_envelope_step(c);
}

/* Recipients that were never sent have nothing to wait for. */
static void
pass_skipped(struct smtp_client *c)
{
	while (c->rcpts_answered < c->rcpts_sent && client_bit(c->skipped, c->rcpts_answered))
		c->rcpts_answered++;
}

static enum smtp_client_want
skip(struct smtp_client *c, const struct client_verdict *why)
{
	uint32_t i = c->rcpts_sent++;

	c->skipped[i / 8] |= (uint8_t)(1u << i % 8);
	pass_skipped(c);
	return client_refuse(c, i, why);
}

/* Two domains of one hash only mean that the peer counts for itself. */
static uint32_t
domain_hash(struct span path)
{
	size_t at = path.len;

	while (at > 0 && path.p[at - 1] != '@')
		at--;
	span_skip(&path, at);
	return (uint32_t)hash_of_folded(path);
}

/* RFC 9422 4.3: of one domain more than the session may have? What is said counts, whatever the answer. */
static bool
domain_fits(struct smtp_client *c, struct span path)
{
	uint32_t hash, most = c->caps.domain_max < SMTP_CLIENT_DOMAINS_MAX ? c->caps.domain_max : SMTP_CLIENT_DOMAINS_MAX;

	if (most == 0)
		return true;
	hash = domain_hash(path);
	for (uint32_t i = 0; i < c->domains; i++)
		if (c->domain[i] == hash)
			return true;
	if (c->domains >= most)
		return false;
	c->domain[c->domains++] = hash;
	return true;
}

static enum smtp_client_want
leave_to_another(struct smtp_client *c)
{
	enum smtp_client_want want = skip(c, &domains_spent);

	c->outcome.elsewhere = true;
	return want;
}

enum smtp_client_want
smtp_client_rcpt(struct smtp_client *c, const struct smtp_client_rcpt *rcpt)
{
	assert(c->want == SMTP_CLIENT_RCPT);
	if (rcpt->path.len == 0 || !sayable(rcpt->path, PATH_MAX_OCTETS, ' ') || !sayable(rcpt->orcpt, ORCPT_MAX, '!'))
		return skip(c, &bad_rcpt);
	if (c->caps.rcpt_max > 0 && c->rcpts_sent >= c->caps.rcpt_max)
		return skip(c, &rcpts_spent);
	if (!domain_fits(c, rcpt->path))
		return leave_to_another(c);
	put_rcpt(c, rcpt);
	c->rcpts_sent++;
	return client_envelope_step(c);
}

enum smtp_client_want
smtp_client_rcpts_end(struct smtp_client *c)
{
	assert(c->want == SMTP_CLIENT_RCPT && c->mail.one_by_one && c->rcpts_sent > 0);
	c->mail.one_by_one = false;
	c->mail.rcpts = c->rcpts_sent;
	return client_envelope_step(c);
}

enum smtp_client_want
smtp_client_drop(struct smtp_client *c)
{
	assert(c->want == SMTP_CLIENT_RCPT && c->mail.one_by_one);
	c->mail.rcpts = c->rcpts_sent = c->rcpts_answered = c->rcpts_accepted = c->rcpts_reported = c->swept = 0;
	c->rset_due = true;
	return client_ready(c);
}

static uint32_t
unanswered(const struct smtp_client *c)
{
	return (uint32_t)c->rset_awaited + c->mail_awaited + c->data_awaited + (c->rcpts_sent - c->rcpts_answered);
}

/* May one more command be said before the answers to the others have come? A full window is let run half empty, so that
 * commands go out in groups and not one for each answer. */
static bool
may_speak(struct smtp_client *c)
{
	uint32_t n = unanswered(c);

	if (!c->caps.pipelining || c->mail.one_by_one)
		return n == 0;
	c->window_full = n >= (c->window_full ? SMTP_CLIENT_WINDOW / 2 : SMTP_CLIENT_WINDOW);
	return !c->window_full;
}

static void
put_next_opening(struct smtp_client *c)
{
	if (c->rset_due) {
		(void)buf_put_text(&c->io->out, "RSET\r\n");
		c->rset_due = false;
		c->rset_awaited = true;
		return;
	}
	put_mail(c);
	c->mail_due = false;
	c->mail_awaited = true;
	c->transactions++;
}

static enum smtp_client_want
next_recipient(struct smtp_client *c)
{
	if (c->mail.one_by_one)
		c->mail.rcpts = c->rcpts_sent + 1;
	c->rcpt_wanted = c->rcpts_sent;
	return client_want(c, SMTP_CLIENT_RCPT);
}

/* Is DATA worth saying: somebody is accepted, or may be yet. */
static bool
data_due(const struct smtp_client *c)
{
	return !c->data_sent && !c->mail_failed && !c->mail.binary && (c->rcpts_accepted > 0 || c->rcpts_answered < c->rcpts_sent);
}

/* All is said and answered and nobody was accepted. */
static enum smtp_client_want
envelope_over(struct smtp_client *c)
{
	c->rset_due = !c->mail_failed;
	return client_ready(c);
}

/* RFC 3030 2: one chunk, the last. It waits for the answers to RCPT, since what is announced has to be sent. */
static enum smtp_client_want
begin_chunk(struct smtp_client *c)
{
	struct buf *out = &c->io->out;

	if (buf_room(out) < SMTP_CLIENT_OUT_ROOM)
		return client_want(c, SMTP_CLIENT_FLUSH);
	(void)buf_put_text(out, "BDAT ");
	(void)buf_put_u64(out, c->mail.size);
	(void)buf_put_text(out, " LAST\r\n");
	c->chunk_left = c->mail.size;
	client_enter(c, CLIENT_CONTENT);
	return client_want(c, SMTP_CLIENT_CONTENT);
}

enum smtp_client_want
client_envelope_step(struct smtp_client *c)
{
	bool rcpts_left = (c->rcpts_sent < c->mail.rcpts || c->mail.one_by_one) && !c->mail_failed;

	while (may_speak(c) && (c->mail_due || rcpts_left || data_due(c))) {
		if (buf_room(&c->io->out) < SMTP_CLIENT_OUT_ROOM)
			return client_want(c, SMTP_CLIENT_FLUSH);
		if (c->mail_due) {
			put_next_opening(c);
			continue;
		}
		if (rcpts_left)
			return next_recipient(c);
		(void)buf_put_text(&c->io->out, "DATA\r\n");
		c->data_sent = c->data_awaited = true;
	}
	if (unanswered(c) > 0)
		return client_want(c, SMTP_CLIENT_INPUT);
	return c->mail.binary && c->rcpts_accepted > 0 && !c->mail_failed ? begin_chunk(c) : envelope_over(c);
}

/* ---- answers to the envelope ---- */

static enum smtp_client_want
rset_reply(struct smtp_client *c)
{
	c->rset_awaited = false;
	if (c->reply_code / 100 != 2)
		return client_nonsense(c, "the peer refuses RSET");
	return client_envelope_step(c);
}

static enum smtp_client_want
mail_reply(struct smtp_client *c)
{
	c->mail_awaited = false;
	if (c->reply_code / 100 == 2)
		return client_envelope_step(c);
	/* The answers to what was pipelined behind it are still to come; they say nothing new. */
	c->mail_failed = true;
	return client_sweep_reply(c, SMTP_STAGE_MAIL, CLIENT_ENVELOPE);
}

/* RFC 5321 4.5.3.1.10: 552 used to mean too many recipients; 5.2.2 says that it means a full mailbox. */
static enum smtp_class
rcpt_class(const struct smtp_client *c)
{
	char enhanced[12];

	if (c->reply_code != 552 || c->rcpts_accepted == 0)
		return client_reply_class(c);
	client_reply_enhanced(c, SMTP_CLASS_NEVER, enhanced);
	return memcmp(enhanced, "5.2.", 4) == 0 ? SMTP_CLASS_NEVER : SMTP_CLASS_LATER;
}

static enum smtp_client_want
rcpt_reply(struct smtp_client *c)
{
	uint32_t i = c->rcpts_answered++;
	enum smtp_class class = rcpt_class(c);

	pass_skipped(c);
	if (c->mail_failed)
		return client_envelope_step(c);
	if (class != SMTP_CLASS_DELIVERED)
		return client_refuse_reply(c, i, class);
	c->accepted[i / 8] |= (uint8_t)(1u << i % 8);
	c->rcpts_accepted++;
	return client_envelope_step(c);
}

static enum smtp_client_want
begin_content(struct smtp_client *c)
{
	c->line_start = true;
	if (c->rcpts_accepted > 0 && !c->mail_failed) {
		client_enter(c, CLIENT_CONTENT);
		return client_want(c, SMTP_CLIENT_CONTENT);
	}
	/* 2920-5: nobody is to have it, so it stays empty and its verdict is ignored. */
	if (!buf_put_text(&c->io->out, ".\r\n"))
		return client_broken(c, "the peer answers before it is asked");
	client_enter(c, CLIENT_VOID);
	return client_want(c, SMTP_CLIENT_INPUT);
}

static enum smtp_client_want
data_reply(struct smtp_client *c)
{
	c->data_awaited = false;
	if (c->reply_code / 100 == 3)
		return begin_content(c);
	if (c->reply_code / 100 == 2)
		return client_nonsense(c, "the peer's reply to DATA makes no sense");
	c->rset_due = true;
	return client_sweep_reply(c, SMTP_STAGE_DATA, CLIENT_READY);
}

enum smtp_client_want
client_envelope_reply(struct smtp_client *c)
{
	enum smtp_stage stage = smtp_client_awaits(c);

	if (c->reply_code == 421)
		return client_sweep_reply(c, stage, CLIENT_CLOSED);
	if (stage == SMTP_STAGE_RSET)
		return rset_reply(c);
	if (stage == SMTP_STAGE_DATA)
		return data_reply(c);
	if (c->reply_code / 100 == 3)
		return client_nonsense(c, "the peer's reply makes no sense");
	return stage == SMTP_STAGE_MAIL ? mail_reply(c) : rcpt_reply(c);
}

/* ---- content ---- */

/* Offset of the first '.' that begins a line. Dots are rarer than line ends: base64 has none. */
static size_t
leading_dot(const struct smtp_client *c, struct span s)
{
	for (size_t at = 0;; at++) {
		struct span rest = s;

		span_skip(&rest, at);
		at += span_find(rest, '.');
		if (at == s.len || (at == 0 ? c->line_start : s.p[at - 1] == '\n'))
			return at;
	}
}

/* RFC 5321 4.5.2: a leading dot is doubled. Copies what fits; how much of in was used. */
static size_t
stuff(struct smtp_client *c, struct span in)
{
	struct buf *out = &c->io->out;
	size_t used = 0;

	while (used < in.len && buf_room(out) > 1) {
		struct span rest = { in.p + used, in.len - used };
		size_t n;

		rest = span_head(rest, buf_room(out) - 1);
		n = leading_dot(c, rest);
		(void)buf_put(out, span_head(rest, n));
		if (n > 0)
			c->line_start = rest.p[n - 1] == '\n';
		if (n < rest.len) {
			(void)buf_put_text(out, "..");
			c->line_start = false;
			n++;
		}
		used += n;
	}
	return used;
}

static size_t
copy(struct smtp_client *c, struct span in)
{
	in = span_head(in, buf_room(&c->io->out));
	(void)buf_put(&c->io->out, in);
	c->chunk_left -= in.len;
	return in.len;
}

enum smtp_client_want
client_content_end(struct smtp_client *c)
{
	if (!c->dot_due)
		return client_want(c, SMTP_CLIENT_CONTENT);
	if (c->mail.binary) {
		client_enter(c, CLIENT_FINAL);
		return client_want(c, SMTP_CLIENT_INPUT);
	}
	/* 5321-33: a message that does not end in CRLF is given one. */
	if (!buf_put_text(&c->io->out, c->line_start ? ".\r\n" : "\r\n.\r\n"))
		return client_want(c, SMTP_CLIENT_FLUSH);
	client_enter(c, CLIENT_FINAL);
	return client_want(c, SMTP_CLIENT_INPUT);
}

enum smtp_client_want
smtp_client_content(struct smtp_client *c, struct span octets, bool last, size_t *used)
{
	assert(c->want == SMTP_CLIENT_CONTENT && !c->dot_due);
	if (c->mail.binary && (octets.len > c->chunk_left || (last && octets.len < c->chunk_left)))
		return smtp_client_give_up(c, SPAN("the message is not as long as was said"));
	*used = c->mail.binary ? copy(c, octets) : stuff(c, octets);
	if (*used < octets.len)
		return client_want(c, SMTP_CLIENT_FLUSH);
	c->dot_due = last;
	return client_content_end(c);
}

enum smtp_client_want
client_final_reply(struct smtp_client *c)
{
	if (c->reply_code / 100 == 3)
		return client_nonsense(c, "the peer's reply to the message makes no sense");
	/* 3030-3: a chunk that was refused leaves a transaction that takes nothing more. */
	c->rset_due = c->mail.binary && c->reply_code / 100 != 2;
	return client_sweep_reply(c, SMTP_STAGE_CONTENT, c->reply_code == 421 ? CLIENT_CLOSED : CLIENT_READY);
}

enum smtp_client_want
client_void_reply(struct smtp_client *c)
{
	if (c->reply_code != 421)
		return client_ready(c);
	return client_sweep_reply(c, SMTP_STAGE_CONTENT, CLIENT_CLOSED);
}

/* Replies (RFC 5321 4.2): the code decides, the text is for people and for the EHLO list. */
#include "smtp/client_parts.h"

#include <assert.h>

#include "base/base64.h"

/* ---- what EHLO offers ---- */

static void
offer_starttls(struct smtp_client_caps *caps, struct span args)
{
	(void)args;
	caps->starttls = true;
}

static void
offer_auth(struct smtp_client_caps *caps, struct span args)
{
	caps->auth = true;
	while (!span_done(args))
		caps->mechanisms |= smtp_mechanism_find(span_take_word(&args));
}

static void
offer_pipelining(struct smtp_client_caps *caps, struct span args)
{
	(void)args;
	caps->pipelining = true;
}

static void
offer_size(struct smtp_client_caps *caps, struct span args)
{
	uint64_t n;

	caps->size = true;
	caps->size_max = span_take_u64(&args, &n) && span_done(args) ? n : 0;
}

static void
offer_eightbit(struct smtp_client_caps *caps, struct span args)
{
	(void)args;
	caps->eightbit = true;
}

static void
offer_utf8(struct smtp_client_caps *caps, struct span args)
{
	(void)args;
	caps->utf8 = true;
}

static void
offer_dsn(struct smtp_client_caps *caps, struct span args)
{
	(void)args;
	caps->dsn = true;
}

static void
offer_chunking(struct smtp_client_caps *caps, struct span args)
{
	(void)args;
	caps->chunking = true;
}

static void
offer_binary(struct smtp_client_caps *caps, struct span args)
{
	(void)args;
	caps->binary = true;
}

static void
offer_enhanced(struct smtp_client_caps *caps, struct span args)
{
	(void)args;
	caps->enhanced = true;
}

static void
offer_requiretls(struct smtp_client_caps *caps, struct span args)
{
	(void)args;
	caps->requiretls = true;
}

/* RFC 9422 3.7: a limit that cannot be read was not offered. */
static uint32_t
limit_value(struct span digits)
{
	uint64_t n;

	if (digits.len > 6 || !span_take_u64(&digits, &n) || !span_done(digits))
		return 0;
	return (uint32_t)n;
}

static void
offer_limits(struct smtp_client_caps *caps, struct span args)
{
	while (!span_done(args)) {
		struct span word = span_take_word(&args);

		if (span_take(&word, SPAN("RCPTMAX=")))
			caps->rcpt_max = limit_value(word);
		else if (span_take(&word, SPAN("MAILMAX=")))
			caps->mail_max = limit_value(word);
		else if (span_take(&word, SPAN("RCPTDOMAINMAX=")))
			caps->domain_max = limit_value(word);
	}
}

static const struct offer {
	struct span keyword;
	void (*note)(struct smtp_client_caps *, struct span args);
} offers[] = {
	{ SPAN_INIT("STARTTLS"), offer_starttls },
	{ SPAN_INIT("AUTH"), offer_auth },
	{ SPAN_INIT("PIPELINING"), offer_pipelining },
	{ SPAN_INIT("SIZE"), offer_size },
	{ SPAN_INIT("8BITMIME"), offer_eightbit },
	{ SPAN_INIT("SMTPUTF8"), offer_utf8 },
	{ SPAN_INIT("DSN"), offer_dsn },
	{ SPAN_INIT("CHUNKING"), offer_chunking },
	{ SPAN_INIT("BINARYMIME"), offer_binary },
	{ SPAN_INIT("ENHANCEDSTATUSCODES"), offer_enhanced },
	{ SPAN_INIT("REQUIRETLS"), offer_requiretls },
	{ SPAN_INIT("LIMITS"), offer_limits },
	{ SPAN_INIT("FUTURERELEASE"), client_offer_future_release },
	{ SPAN_INIT("MT-PRIORITY"), client_offer_mt_priority },
	{ SPAN_INIT("DELIVERBY"), client_offer_deliver_by },
};

static void
note_offer(struct smtp_client *c, struct span text)
{
	struct span keyword = span_take_word(&text);

	for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++)
		if (span_same(keyword, offers[i].keyword))
			offers[i].note(&c->caps, text);
}

/* ---- the text ---- */

static void
keep_octets(struct smtp_client *c, struct span text)
{
	for (size_t i = 0; i < text.len && c->reply_len < SMTP_REPLY_KEPT; i++)
		c->reply[c->reply_len++] = text.p[i] < 32 || text.p[i] == 127 ? '?' : text.p[i];
}

struct span
client_reply_keep(struct smtp_client *c, struct span words)
{
	c->reply_len = 0;
	keep_octets(c, words);
	return (struct span){ c->reply, c->reply_len };
}

/* ---- lines ---- */

static void
begin_reply(struct smtp_client *c)
{
	c->reply_len = 0;
	if (c->state == CLIENT_EHLO)
		c->caps = (struct smtp_client_caps){ 0 };       /* 9422-4: the newest list is the only one */
}

static void
decode_challenge(struct smtp_client *c, struct span text)
{
	struct buf out = BUF_OVER(c->challenge_octets);

	c->challenge = (struct span){ NULL, 0 };
	if (base64_parse(text, &out))
		c->challenge = buf_span(&out);
}

enum smtp_reply_step
client_reply_line(struct smtp_client *c, struct span in, size_t *used)
{
	bool first = c->reader.lines == 0;
	struct smtp_reply_line line;
	enum smtp_reply_step step = smtp_reply_read(&c->reader, in, &line, used);

	if (step == SMTP_REPLY_MORE || step == SMTP_REPLY_BAD)
		return step;
	if (first)
		begin_reply(c);
	else if (c->state == CLIENT_EHLO && line.code / 100 == 2)
		note_offer(c, line.text);
	c->reply_code = line.code;
	keep_octets(c, first ? SPAN("") : SPAN(" / "));
	keep_octets(c, line.text);
	if (c->state == CLIENT_PROVING)
		decode_challenge(c, first ? line.text : SPAN("?"));
	return step;
}

/* ---- the verdict ---- */

enum smtp_class
client_reply_class(const struct smtp_client *c)
{
	unsigned first = c->reply_code / 100;

	return first == 2 ? SMTP_CLASS_DELIVERED : first == 5 ? SMTP_CLASS_NEVER : SMTP_CLASS_LATER;
}

/* 1 to 3 digits without a leading zero (RFC 3463 2), onto out. */
static bool
take_number(struct span *s, struct buf *out)
{
	size_t n = 0;

	while (n < s->len && n < 3 && ascii_is_digit(s->p[n]))
		n++;
	if (n == 0 || (n > 1 && s->p[0] == '0') || !buf_put(out, span_head(*s, n)))
		return false;
	span_skip(s, n);
	return true;
}

static bool
parse_enhanced(struct span text, uint8_t class, struct buf *out)
{
	return span_take_byte(&text, class) && span_take_byte(&text, '.') && buf_put_byte(out, class)
	    && buf_put_byte(out, '.') && take_number(&text, out) && span_take_byte(&text, '.') && buf_put_byte(out, '.')
	    && take_number(&text, out) && (span_done(text) || text.p[0] == ' ');
}

/* The class wins over what the reply's first digit says: 552 after accepted recipients is temporary (RFC 5321 4.5.3.1.10). */
void
client_reply_enhanced(const struct smtp_client *c, enum smtp_class class, char enhanced[12])
{
	static const char digits[] = { [SMTP_CLASS_DELIVERED] = '2', [SMTP_CLASS_LATER] = '4', [SMTP_CLASS_NEVER] = '5' };
	struct buf out = { (uint8_t *)enhanced, 0, 12 };
	uint8_t said = (uint8_t)('0' + c->reply_code / 100);

	if (!parse_enhanced((struct span){ c->reply, c->reply_len }, said, &out)) {
		out.len = 0;
		(void)buf_put_text(&out, "?.0.0");
	}
	(void)buf_terminate(&out);
	enhanced[0] = digits[class];
}

/* Replies (RFC 5321 4.2): the code decides, the text is for people and for the EHLO list. */
#include "smtp/client_parts.h"

#include <assert.h>
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"

/* ---- what EHLO offers ---- */

/* 0: none is said, or none that can be read. */
static uint64_t
number_of(struct span args)
{
	uint64_t n;

	return span_take_u64(&args, &n) && span_done(args) ? n : 0;
}

static void
note_mechanisms(struct smtp_client_caps *caps, struct span args)
{
	while (!span_done(args))
		caps->mechanisms |= smtp_mechanism_find(span_take_word(&args));
}

static void
note_size(struct smtp_client_caps *caps, struct span args)
{
	caps->size_max = number_of(args);
}

static void
note_by(struct smtp_client_caps *caps, struct span args)
{
	caps->by_least = number_of(args);
}

/* RFC 9422 3.7: a limit that cannot be read was not offered. */
static uint32_t
limit_value(struct span digits)
{
	return digits.len > 6 ? 0 : (uint32_t)number_of(digits);
}

static void
note_limits(struct smtp_client_caps *caps, struct span args)
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

#define OFFER(keyword, member) { SPAN_INIT(keyword), offsetof(struct smtp_client_caps, member) }
/* Each is a bool. */
static const struct { struct span keyword; size_t member; } offers[] = {
	OFFER("STARTTLS", starttls), OFFER("AUTH", auth), OFFER("PIPELINING", pipelining), OFFER("SIZE", size),
	OFFER("8BITMIME", eightbit), OFFER("SMTPUTF8", utf8), OFFER("DSN", dsn), OFFER("CHUNKING", chunking),
	OFFER("BINARYMIME", binary), OFFER("REQUIRETLS", requiretls), OFFER("FUTURERELEASE", future_release),
	OFFER("MT-PRIORITY", mt_priority), OFFER("DELIVERBY", deliver_by),
};
/* Those of which more than the keyword counts. */
static const struct { struct span keyword; void (*note)(struct smtp_client_caps *, struct span args); } details[] = {
	{ SPAN_INIT("AUTH"), note_mechanisms },
	{ SPAN_INIT("SIZE"), note_size },
	{ SPAN_INIT("LIMITS"), note_limits },
	{ SPAN_INIT("DELIVERBY"), note_by },
};

static void
note_offer(struct smtp_client *c, struct span text)
{
	struct span keyword = span_take_word(&text);

	for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++)
		if (span_same(keyword, offers[i].keyword))
			*(bool *)((char *)&c->caps + offers[i].member) = true;
	for (size_t i = 0; i < sizeof details / sizeof details[0]; i++)
		if (span_same(keyword, details[i].keyword))
			details[i].note(&c->caps, text);
}

/* ---- the text ---- */

/* Of an octet a character begins with: those that end a line, ring, or begin what drives a terminal, U+0080 to U+009F among them. */
static bool
is_control(struct span text)
{
	return text.p[0] < 32 || text.p[0] == 127 || (text.p[0] == 0xc2 && text.len > 1 && text.p[1] < 0xa0);
}

/* What is kept is text, wherever it ends: no half of a character, nor what is none. */
static void
keep_octets(struct smtp_client *c, struct span text)
{
	while (text.len > 0) {
		size_t width = is_control(text) ? 0 : utf8_width(text), n = width > 0 ? width : 1;

		if (n > (size_t)(SMTP_REPLY_KEPT - c->reply_len))
			return;
		if (width == 0)
			c->reply[c->reply_len] = '?';
		else
			memcpy(c->reply + c->reply_len, text.p, n);
		c->reply_len = (uint16_t)(c->reply_len + n);
		span_skip(&text, n);
	}
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

/* Up to where a line ends, whatever has come behind it. */
static void
keep_nonsense(struct smtp_client *c, const struct smtp_reply_line *line)
{
	struct span text = span_head(line->text, span_find(line->text, '\n'));

	(void)client_reply_keep(c, span_head(text, span_find(text, '\r')));
	c->reply_code = line->code;
}

enum smtp_reply_step
client_reply_line(struct smtp_client *c, struct span in, size_t *used)
{
	bool first = c->reader.lines == 0;
	struct smtp_reply_line line;
	enum smtp_reply_step step = smtp_reply_read(&c->reader, in, &line, used);

	if (step == SMTP_REPLY_BAD)
		keep_nonsense(c, &line);
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

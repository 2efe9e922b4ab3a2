#include "base/buf.h"
#include "mail/utf8.h"
#include "smtp/server_room.h"

enum {
	SIZE_DIGITS_MAX = 20,           /* RFC 1870 3 */
	ENVID_MAX = 100,                /* RFC 3461 5.4 */
	ORCPT_MAX = 500,
	AUTH_MAX = 500,                 /* RFC 4954 5 */
};

/* One ESMTP parameter (RFC 5321 4.1.2): takes its value; has_value tells "X=" from "X". */
struct param {
	struct span keyword;
	enum fail (*take)(struct smtp_server *, struct span value);
	bool has_value;
};

/* ---- xtext (RFC 3461 4) ---- */

static int
hex_value(uint8_t c)
{
	/* Upper case only, says the grammar. */
	return ascii_is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decode s onto out; out may be NULL to check only. */
static bool
xtext_parse(struct span s, struct buf *out)
{
	while (!span_done(s)) {
		uint8_t c = s.p[0];
		size_t width = 1;

		if (!ascii_is_graph(c) || c == '=')
			return false;
		if (c == '+') {
			if (s.len < 3 || hex_value(s.p[1]) < 0 || hex_value(s.p[2]) < 0)
				return false;
			c = (uint8_t)(hex_value(s.p[1]) << 4 | hex_value(s.p[2]));
			width = 3;
		}
		if (out != NULL && !buf_put_byte(out, c))
			return false;
		span_skip(&s, width);
	}
	return true;
}

/* ---- MAIL ---- */

static enum fail
take_size(struct smtp_server *s, struct span value)
{
	struct span digits = value;
	size_t n = 0;

	while (n < value.len && ascii_is_digit(value.p[n]))
		n++;
	if (n == 0 || n < value.len || n > SIZE_DIGITS_MAX)
		return FAIL_PARAM_BAD;
	/* Twenty digits may say more than we can count. */
	if (!span_take_u64(&digits, &s->ask.size) || s->ask.size > s->conf->size_max)
		return FAIL_TOO_BIG;
	return OK;
}

static enum fail
take_body(struct smtp_server *s, struct span value)
{
	if (span_same(value, SPAN("8BITMIME")))
		s->ask.body = SMTP_BODY_8BITMIME;
	else if (!span_same(value, SPAN("7BIT")))
		return FAIL_PARAM_BAD;
	return OK;
}

static enum fail
take_smtputf8(struct smtp_server *s, struct span value)
{
	(void)value;
	s->ask.utf8 = true;
	return OK;
}

static enum fail
take_ret(struct smtp_server *s, struct span value)
{
	if (span_same(value, SPAN("FULL")))
		s->ask.ret = SMTP_RET_FULL;
	else if (span_same(value, SPAN("HDRS")))
		s->ask.ret = SMTP_RET_HDRS;
	else
		return FAIL_PARAM_BAD;
	return OK;
}

static enum fail
take_envid(struct smtp_server *s, struct span value)
{
	if (span_done(value) || value.len > ENVID_MAX || !xtext_parse(value, NULL))
		return FAIL_PARAM_BAD;
	s->ask.envid = value;
	return OK;
}

/* "<>" or a mailbox, in xtext (4954-25). */
static enum fail
take_auth(struct smtp_server *s, struct span value)
{
	uint8_t octets[AUTH_MAX];
	struct buf decoded = BUF_OVER(octets);
	struct mailbox who = { 0 };
	enum path_error e;

	if (value.len > AUTH_MAX || !xtext_parse(value, &decoded))
		return FAIL_PARAM_BAD;
	e = mailbox_parse(buf_span(&decoded), &who);
	/* Somebody else's name for somebody: a domain of one label is not ours to judge. */
	if (e != PATH_OK && !(e == PATH_UNQUALIFIED && !span_done(who.domain)) && !span_eq(value, SPAN("<>")))
		return FAIL_PARAM_BAD;
	s->ask.auth = value;
	return OK;
}

/* 8689-1: what was not offered before TLS is not known before TLS. */
static enum fail
take_requiretls(struct smtp_server *s, struct span value)
{
	(void)value;
	if (!s->facts.tls)
		return FAIL_PARAM_UNKNOWN;
	s->ask.requiretls = true;
	return OK;
}

static const struct param mail_table[] = {
	{ SPAN_INIT("SIZE"), take_size, true },
	{ SPAN_INIT("BODY"), take_body, true },
	{ SPAN_INIT("SMTPUTF8"), take_smtputf8, false },
	{ SPAN_INIT("AUTH"), take_auth, true },
	{ SPAN_INIT("RET"), take_ret, true },
	{ SPAN_INIT("ENVID"), take_envid, true },
	{ SPAN_INIT("REQUIRETLS"), take_requiretls, false },
};

/* ---- RCPT ---- */

static uint32_t
notify_bit(struct span word)
{
	static const struct { struct span word; uint32_t bit; } words[] = {
		{ SPAN_INIT("SUCCESS"), SMTP_NOTIFY_SUCCESS },
		{ SPAN_INIT("FAILURE"), SMTP_NOTIFY_FAILURE },
		{ SPAN_INIT("DELAY"), SMTP_NOTIFY_DELAY },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (span_same(word, words[i].word))
			return words[i].bit;
	return 0;
}

static enum fail
take_notify(struct smtp_server *s, struct span value)
{
	uint32_t bits = 0;

	if (span_same(value, SPAN("NEVER"))) {
		s->ask.notify = SMTP_NOTIFY_NEVER;
		return OK;
	}
	do {
		uint32_t bit = notify_bit(span_take_until(&value, ','));

		if (bit == 0 || (bits & bit) != 0)
			return FAIL_PARAM_BAD;
		bits |= bit;
	} while (span_take_byte(&value, ','));
	s->ask.notify = bits;
	return OK;
}

/* Not xtext, but what RFC 6533 3 lets stand behind "utf-8;" in a transaction with SMTPUTF8. */
static bool
unitext_valid(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((!ascii_is_graph(s.p[i]) && s.p[i] < 128) || s.p[i] == '=')
			return false;
	return utf8_valid(s);
}

static bool
address_type_valid(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return s.len > 0;
}

static enum fail
take_orcpt(struct smtp_server *s, struct span value)
{
	struct span address = value, type = span_take_until(&address, ';');
	bool good = span_take_byte(&address, ';') && !span_done(address) && value.len <= ORCPT_MAX &&
	    address_type_valid(type);

	if (good && s->mail->utf8 && span_same(type, SPAN("utf-8")))
		good = unitext_valid(address);
	else
		good = good && xtext_parse(address, NULL);
	if (!good)
		return FAIL_PARAM_BAD;
	s->ask.orcpt = value;
	return OK;
}

static const struct param rcpt_table[] = {
	{ SPAN_INIT("NOTIFY"), take_notify, true },
	{ SPAN_INIT("ORCPT"), take_orcpt, true },
};

/* ---- the list ---- */

static enum fail
take_param(struct smtp_server *s, const struct param *table, size_t rows, struct span text, unsigned *seen)
{
	struct span keyword = span_take_until(&text, '=');
	bool has_value = span_take_byte(&text, '=');

	for (size_t i = 0; i < rows; i++) {
		if (!span_same(keyword, table[i].keyword))
			continue;
		if (has_value != table[i].has_value || (*seen & BIT(i)) != 0)
			return FAIL_PARAM_BAD;
		*seen |= BIT(i);
		return table[i].take(s, text);
	}
	return FAIL_PARAM_UNKNOWN;
}

static struct verdict
take_params(struct smtp_server *s, const struct param *table, size_t rows, struct span text)
{
	unsigned seen = 0;

	if (!span_done(text) && text.p[0] != ' ')
		return because(FAIL_PARAM_BAD, "a space must follow the address");
	span_take_spaces(&text);
	/* Parameters belong to the extensions, and those to EHLO (RFC 5321 4.1.1.11). */
	if (!span_done(text) && !s->esmtp)
		return because(FAIL_PARAM_UNKNOWN, "parameters need EHLO");
	while (!span_done(text)) {
		enum fail f = take_param(s, table, rows, span_take_word(&text), &seen);

		if (f != OK)
			return because(f, NULL);
	}
	return because(OK, NULL);
}

struct verdict
mail_params(struct smtp_server *s, struct span text)
{
	return take_params(s, mail_table, sizeof mail_table / sizeof mail_table[0], text);
}

struct verdict
rcpt_params(struct smtp_server *s, struct span text)
{
	return take_params(s, rcpt_table, sizeof rcpt_table / sizeof rcpt_table[0], text);
}

#include "base/buf.h"
#include "base/utf8.h"
#include "mail/timestamp.h"
#include "mail/xtext.h"
#include "smtp/server_room.h"

enum {
	SIZE_DIGITS_MAX = 20,           /* RFC 1870 3 */
	ENVID_MAX = 100,                /* RFC 3461 5.4 */
	ORCPT_MAX = 500,
	AUTH_MAX = 500,                 /* RFC 4954 5 */
	SECONDS_DIGITS_MAX = 9,         /* RFC 4865 3, RFC 2852 4 */
};

/* One ESMTP parameter (RFC 5321 4.1.2): takes its value; has_value tells "X=" from "X". */
struct param {
	struct span keyword;
	enum fail (*take)(struct smtp_server *, struct span value);
	bool has_value;
	enum fail bad;                  /* what a bad or repeated one is called; OK: FAIL_PARAM_BAD */
};

/* ---- xtext (RFC 3461 4) ---- */

/* Decode s onto out; out may be NULL to check only. */
static bool
xtext_parse(struct span s, struct buf *out)
{
	while (!span_done(s)) {
		uint8_t c = s.p[0];
		size_t width;

		if (!ascii_is_graph(c) || c == '=')
			return false;
		width = xtext_octet(s, &c);
		if (width == 0)
			return false;
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
	else if (span_same(value, SPAN("BINARYMIME")) && s->conf->binarymime)
		s->ask.body = SMTP_BODY_BINARYMIME;
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

/* ---- when, how soon and by when ---- */

static uint64_t
now_of(const struct smtp_server *s)
{
	return s->conf->env.now(s->conf->env.arg);
}

/* 1*9DIGIT, in ms. */
static bool
take_seconds(struct span *value, uint64_t *ms)
{
	size_t before = value->len;

	if (!span_take_u64(value, ms) || before - value->len > SECONDS_DIGITS_MAX)
		return false;
	*ms *= 1000;
	return true;
}

/* Both ways to say it, for the notification that may come of it; a second one is one too many (4865-3). */
static enum fail
take_hold(struct smtp_server *s, const char *how, struct span value, uint64_t release)
{
	struct buf text = BUF_OVER(s->ask.terms.hold);

	if (s->ask.terms.release != 0 || !buf_put_text(&text, how) || !buf_put(&text, value))
		return FAIL_PARAM_BAD;
	s->ask.terms.hold_len = (uint8_t)text.len;
	s->ask.terms.release = release;
	return OK;
}

static enum fail
take_holdfor(struct smtp_server *s, struct span value)
{
	struct span digits = value;
	uint64_t ms;

	if (s->conf->hold_max == 0)
		return FAIL_PARAM_UNKNOWN;
	if (span_done(value) || value.p[0] == '0' || !take_seconds(&digits, &ms) || !span_done(digits))
		return FAIL_PARAM_BAD;
	return take_hold(s, "for;", value, now_of(s) + ms);
}

static enum fail
take_holduntil(struct smtp_server *s, struct span value)
{
	uint64_t when;

	if (s->conf->hold_max == 0)
		return FAIL_PARAM_UNKNOWN;
	if (!timestamp_parse(value, &when) || when == 0)
		return FAIL_PARAM_BAD;
	return take_hold(s, "until;", value, when);
}

/* "0", or one other digit with or without a minus (RFC 6710 3). */
static enum fail
take_mt_priority(struct smtp_server *s, struct span value)
{
	bool minus = span_take_byte(&value, '-');

	if (!s->conf->mt_priority)
		return FAIL_PARAM_UNKNOWN;
	if (value.len != 1 || !ascii_is_digit(value.p[0]) || (minus && value.p[0] == '0'))
		return FAIL_PARAM_SYNTAX;
	s->ask.terms.priority = (int8_t)(minus ? '0' - value.p[0] : value.p[0] - '0');
	return OK;
}

/* "3600;R", "-5;NT" (RFC 2852 4). */
static enum fail
take_by(struct smtp_server *s, struct span value)
{
	struct smtp_terms *t = &s->ask.terms;
	bool minus = span_take_byte(&value, '-');
	uint64_t ms, now = now_of(s);

	if (!s->conf->deliver_by)
		return FAIL_PARAM_UNKNOWN;
	if (!minus)
		(void)span_take_byte(&value, '+');
	if (!take_seconds(&value, &ms) || !span_take_byte(&value, ';'))
		return FAIL_PARAM_BAD;
	t->by_return = span_take(&value, SPAN("R"));
	if (!t->by_return && !span_take(&value, SPAN("N")))
		return FAIL_PARAM_BAD;
	t->by_trace = span_take(&value, SPAN("T"));
	if (!span_done(value) || (t->by_return && (minus || ms == 0)))
		return FAIL_PARAM_BAD;
	if (t->by_return && ms < s->conf->by_least * UINT64_C(1000))
		return FAIL_BY_SHORT;
	/* A clock of long ago must not make "none" of it. */
	t->deadline = !minus ? now + ms : now > ms ? now - ms : 1;
	return OK;
}

/* What no parameter can know by itself. */
static struct verdict
terms_check(const struct smtp_server *s)
{
	const struct smtp_terms *t = &s->ask.terms;
	uint64_t now;

	if (t->priority < s->conf->priority_least)
		return because(FAIL_PRIORITY_LOW, NULL);
	if (t->priority > 0 && s->conf->priority_size_max > 0 && s->ask.size > s->conf->priority_size_max)
		return because(FAIL_PRIORITY_SIZE, NULL);
	if (t->release == 0)
		return because(OK, NULL);
	now = now_of(s);
	if (span_done(s->ask.path.whole))
		return because(FAIL_PARAM_BAD, "a notification is not held for later");         /* 4865-7 */
	if (t->release <= now)
		return because(FAIL_PARAM_BAD, "the time of HOLDUNTIL is over");
	if (t->release - now > s->conf->hold_max * UINT64_C(1000))
		return because(FAIL_PARAM_BAD, "held for longer than FUTURERELEASE allows");
	if (t->deadline != 0 && t->release > t->deadline)
		return because(FAIL_PARAM_BAD, "released only after BY says that it must be delivered");
	return because(OK, NULL);
}

static const struct param mail_table[] = {
	{ SPAN_INIT("SIZE"), take_size, true, OK },
	{ SPAN_INIT("BODY"), take_body, true, OK },
	{ SPAN_INIT("SMTPUTF8"), take_smtputf8, false, OK },
	{ SPAN_INIT("AUTH"), take_auth, true, OK },
	{ SPAN_INIT("RET"), take_ret, true, OK },
	{ SPAN_INIT("ENVID"), take_envid, true, OK },
	{ SPAN_INIT("REQUIRETLS"), take_requiretls, false, OK },
	{ SPAN_INIT("HOLDFOR"), take_holdfor, true, OK },
	{ SPAN_INIT("HOLDUNTIL"), take_holduntil, true, OK },
	{ SPAN_INIT("MT-PRIORITY"), take_mt_priority, true, FAIL_PARAM_SYNTAX },
	{ SPAN_INIT("BY"), take_by, true, OK },
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
	{ SPAN_INIT("NOTIFY"), take_notify, true, OK },
	{ SPAN_INIT("ORCPT"), take_orcpt, true, OK },
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
			return table[i].bad != OK ? table[i].bad : FAIL_PARAM_BAD;
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
	struct verdict v = take_params(s, mail_table, sizeof mail_table / sizeof mail_table[0], text);

	return v.fail == OK ? terms_check(s) : v;
}

struct verdict
rcpt_params(struct smtp_server *s, struct span text)
{
	return take_params(s, rcpt_table, sizeof rcpt_table / sizeof rcpt_table[0], text);
}

/* What the server said, and whether it should have (RFC 5321, 6409, 4954, 3207, 8314). */
#include "audit/tests.h"

bool
is_service(const struct section *s, const char *service)
{
	return span_eq(s->service, span_of(service));
}

bool
has_tls(const struct section *s)
{
	return section_count(s, "tls") > 0;
}

bool
quote(const struct section *s, const char *key, struct buf *evidence)
{
	struct span value;

	if (section_find(s, key, &value))
		(void)(buf_put_text(evidence, key) && buf_put_text(evidence, ": ")
		    && buf_put(evidence, span_head(value, buf_room(evidence))));
	return true;
}

bool
number_in(struct span value, unsigned words, int64_t *n)
{
	struct span word = { NULL, 0 };
	uint64_t size;
	bool negative;

	for (unsigned i = 0; i <= words; i++)
		word = span_take_word(&value);
	negative = span_take_byte(&word, '-');
	if (!span_take_u64(&word, &size) || size > INT32_MAX)
		return false;
	*n = negative ? -(int64_t)size : (int64_t)size;
	return true;
}

unsigned
reply_code(const struct section *s, const char *key)
{
	struct span value;
	int64_t code;

	return section_find(s, key, &value) && number_in(value, 0, &code) && code > 0 && code < 1000 ? (unsigned)code : 0;
}

/* ---- what is there ---- */

static bool
is_submission(const struct section *s)
{
	return is_service(s, "submission") || is_service(s, "submissions");
}

static bool
is_smtp(const struct section *s)
{
	return is_submission(s) || is_service(s, "smtp");
}

bool
refused(const struct section *s, struct buf *e)
{
	return is_submission(s) && section_has(s, "connect", "refused") && quote(s, "connect", e);
}

bool
filtered(const struct section *s, struct buf *e)
{
	return is_submission(s) && (section_has(s, "connect", "timed-out") || section_has(s, "connect", "unreachable"))
	    && quote(s, "connect", e);
}

bool
clear_smtp_on_tls_port(const struct section *s, struct buf *e)
{
	return is_service(s, "submissions") && section_has(s, "first", "smtp") && quote(s, "first", e);
}

bool
http_here(const struct section *s, struct buf *e)
{
	return section_has(s, "first", "http") && quote(s, "first", e);
}

bool
urd_here(const struct section *s, struct buf *e)
{
	return section_has(s, "first", "urd") && quote(s, "first", e);
}

bool
tls_answers(const struct section *s)
{
	struct span words, alert = SPAN("alert");

	(void)section_find(s, "tls-failed", &words);
	for (; words.len >= alert.len; span_skip(&words, 1))
		if (span_same(span_head(words, alert.len), alert))
			return true;
	return false;
}

/* Who answers our hello with an alert is not silent, whatever becomes of a line in clear. */
bool
silent(const struct section *s, struct buf *e)
{
	return !tls_answers(s) && section_has(s, "first", "nothing") && quote(s, "first", e);
}

bool
other_here(const struct section *s, struct buf *e)
{
	return (section_has(s, "first", "other") && quote(s, "first", e)) || (other_greets(s) && quote(s, "greeting", e));
}

bool
other_greets(const struct section *s)
{
	return (is_service(s, "submission") || is_service(s, "smtp")) && section_count(s, "greeting") > 0 && reply_code(s, "greeting") == 0
	    && !section_has(s, "first", "nothing");
}

bool
hostile(const struct section *s, struct buf *e)
{
	return section_count(s, "hostile") > 0 && quote(s, "hostile", e);
}

/* ---- STARTTLS ---- */

static bool
tries(const struct section *s, int64_t *made, int64_t *offered)
{
	struct span value;

	return section_find(s, "starttls-tries", &value) && number_in(value, 0, made) && number_in(value, 1, offered);
}

bool
no_starttls(const struct section *s, struct buf *e)
{
	int64_t made, offered;

	/* Who turned us away at the greeting had no occasion to offer it. */
	return is_service(s, "submission") && section_count(s, "ehlo-clear") > 0 && tries(s, &made, &offered) && made > 0 && offered == 0
	    && quote(s, "starttls-tries", e);
}

bool
starttls_unsteady(const struct section *s, struct buf *e)
{
	int64_t made, offered;

	return is_smtp(s) && tries(s, &made, &offered) && offered > 0 && offered < made && quote(s, "starttls-tries", e);
}

bool
starttls_refused(const struct section *s, struct buf *e)
{
	unsigned code = reply_code(s, "starttls");

	/* This reply is to STARTTLS with a command behind it, which a server may well refuse; by itself it is another matter. */
	return code != 0 && code != 220 && !has_tls(s) && section_count(s, "tls-failed") == 0 && quote(s, "starttls", e);
}

bool
starttls_again(const struct section *s, struct buf *e)
{
	return section_has(s, "ehlo-tls", "STARTTLS") && buf_put_text(e, "EHLO under TLS offers STARTTLS");
}

bool
injectable(const struct section *s, struct buf *e)
{
	return section_has(s, "injection", "answered") && quote(s, "injection", e);
}

bool
no_close_notify(const struct section *s, struct buf *e)
{
	return section_has(s, "close-notify", "no") && buf_put_text(e, "TCP ended without close_notify");
}

/* ---- login ---- */

bool
auth_offered_clear(const struct section *s, struct buf *e)
{
	struct span lines = s->lines;
	struct fact f;

	while (is_smtp(s) && fact_take(&lines, &f)) {
		struct span value = f.value;

		if (span_eq(f.key, SPAN("ehlo-clear")) && (span_take(&value, SPAN("AUTH ")) || span_take(&value, SPAN("AUTH="))))
			return buf_put_text(e, "EHLO before TLS: ") && buf_put(e, span_head(f.value, 200));
	}
	return false;
}

/* Did AUTH with this mechanism get further than a refusal before TLS? */
static bool
auth_goes_on(const struct section *s, bool exposing, struct buf *e)
{
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f)) {
		struct span value = f.value, mechanism = span_take_word(&value);
		bool plain = span_same(mechanism, SPAN("PLAIN")) || span_same(mechanism, SPAN("LOGIN"));

		if (span_eq(f.key, SPAN("auth-clear")) && span_take(&value, SPAN("334")) && plain == exposing)
			return buf_put_text(e, "AUTH before TLS: ") && buf_put(e, span_head(f.value, 200));
	}
	return false;
}

bool
auth_taken_clear(const struct section *s, struct buf *e)
{
	return auth_goes_on(s, false, e);
}

bool
auth_exposing_clear(const struct section *s, struct buf *e)
{
	return auth_goes_on(s, true, e);
}

/* The mechanisms that EHLO offers under TLS. */
static bool
mechanisms(const struct section *s, struct span *names)
{
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f))
		if (span_eq(f.key, SPAN("ehlo-tls")) && span_take(&f.value, SPAN("AUTH ")) && !span_done(f.value)) {
			*names = f.value;
			return true;
		}
	return false;
}

static bool
offers_scram(const struct section *s, const char *end)
{
	struct span names;

	if (!mechanisms(s, &names))
		return false;
	while (!span_done(names)) {
		struct span name = span_take_word(&names), rest = name;

		if (span_take(&rest, SPAN("SCRAM-")) && span_ends(name, span_of(end)))
			return true;
	}
	return false;
}

/* Is this one of the names, whole? */
static bool
offers_name(const struct section *s, const char *name)
{
	struct span names;

	if (!mechanisms(s, &names))
		return false;
	while (!span_done(names))
		if (span_same(span_take_word(&names), span_of(name)))
			return true;
	return false;
}

static bool
spoke_over_tls(const struct section *s)
{
	return is_submission(s) && section_count(s, "ehlo-tls") > 0;
}

bool
no_auth(const struct section *s, struct buf *e)
{
	struct span names;

	return spoke_over_tls(s) && !mechanisms(s, &names) && buf_put_text(e, "EHLO under TLS offers no AUTH");
}

bool
no_scram(const struct section *s, struct buf *e)
{
	struct span names;

	return spoke_over_tls(s) && mechanisms(s, &names) && !offers_scram(s, "") && buf_put_text(e, "AUTH ") && buf_put(e, span_head(names, 200));
}

bool
no_binding(const struct section *s, struct buf *e)
{
	return spoke_over_tls(s) && offers_scram(s, "") && !offers_scram(s, "-PLUS")
	    && buf_put_text(e, "SCRAM without -PLUS");
}

bool
auth_anonymous(const struct section *s, struct buf *e)
{
	return spoke_over_tls(s) && offers_name(s, "ANONYMOUS") && buf_put_text(e, "AUTH under TLS offers ANONYMOUS");
}

bool
auth_obsolete(const struct section *s, struct buf *e)
{
	static const char *const old[] = { "CRAM-MD5", "DIGEST-MD5", "NTLM" };
	bool any = false;

	for (size_t i = 0; spoke_over_tls(s) && i < sizeof old / sizeof old[0]; i++)
		if (offers_name(s, old[i])) {
			(void)(buf_put_text(e, any ? " " : "AUTH under TLS offers ") && buf_put_text(e, old[i]));
			any = true;
		}
	return any;
}

bool
mail_without_login(const struct section *s, struct buf *e)
{
	return is_submission(s) && reply_code(s, "mail-tls") / 100 == 2 && quote(s, "mail-tls", e);
}

bool
mail_without_login_clear(const struct section *s, struct buf *e)
{
	return is_submission(s) && reply_code(s, "mail-clear") / 100 == 2 && quote(s, "mail-clear", e);
}

bool
open_relay(const struct section *s, struct buf *e)
{
	if (reply_code(s, "rcpt-tls") / 100 == 2)
		return quote(s, "rcpt-tls", e);
	return reply_code(s, "rcpt-clear") / 100 == 2 && quote(s, "rcpt-clear", e);
}

/* ---- manners ---- */

/* X.7.Y: not the address but the question is refused (RFC 3463 3.8). */
static bool
is_forbidden(const struct section *s, const char *key)
{
	struct span value;

	if (!section_find(s, key, &value))
		return false;
	(void)span_take_word(&value);
	return span_take(&value, SPAN("5.7."));
}

bool
vrfy_tells(const struct section *s, struct buf *e)
{
	unsigned code = reply_code(s, "vrfy");

	return (code == 250 || code == 251 || (code == 550 && !is_forbidden(s, "vrfy"))) && quote(s, "vrfy", e);
}

/* 252: it will not say (RFC 5321 3.5.3). */
bool
expn_tells(const struct section *s, struct buf *e)
{
	return reply_code(s, "expn") == 250 && quote(s, "expn", e);
}

/* A host name as RFC 5321 4.1.2 has it, with a dot; or an address literal. */
static bool
is_host(struct span name)
{
	bool dot = false;

	if (name.len > 2 && name.p[0] == '[' && name.p[name.len - 1] == ']')
		return true;
	for (size_t i = 0; i < name.len; i++) {
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '-' && name.p[i] != '.')
			return false;
		dot = dot || name.p[i] == '.';
	}
	return dot;
}

bool
greeting_odd(const struct section *s, struct buf *e)
{
	struct span value;

	if (!section_find(s, "greeting", &value) || reply_code(s, "greeting") != 220)
		return false;
	(void)span_take_word(&value);
	return !is_host(span_take_word(&value)) && quote(s, "greeting", e);
}

bool
ehlo_odd(const struct section *s, struct buf *e)
{
	const char *key = section_count(s, "ehlo-tls") > 0 ? "ehlo-tls" : "ehlo-clear";
	struct span value;

	return section_find(s, key, &value) && !is_host(span_take_word(&value)) && quote(s, key, e);
}

bool
no_size(const struct section *s, struct buf *e)
{
	return spoke_over_tls(s) && !section_has(s, "ehlo-tls", "SIZE") && buf_put_text(e, "EHLO under TLS has no SIZE");
}

bool
no_pipelining(const struct section *s, struct buf *e)
{
	return spoke_over_tls(s) && !section_has(s, "ehlo-tls", "PIPELINING") && buf_put_text(e, "EHLO under TLS has no PIPELINING");
}

/* ---- as it should be ---- */

bool
good_implicit(const struct section *s, struct buf *e)
{
	return is_service(s, "submissions") && has_tls(s) && reply_code(s, "greeting") == 220 && quote(s, "tls", e);
}

bool
good_login(const struct section *s, struct buf *e)
{
	unsigned code = reply_code(s, "mail-tls");

	return is_submission(s) && code / 100 == 5 && quote(s, "mail-tls", e);
}

bool
good_scram(const struct section *s, struct buf *e)
{
	return spoke_over_tls(s) && offers_scram(s, "-PLUS") && buf_put_text(e, "SCRAM with channel binding is offered");
}

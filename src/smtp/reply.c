#include <assert.h>

#include "base/base64.h"
#include "base/queue_id.h"
#include "mail/timestamp.h"
#include "smtp/server_room.h"

enum {
	WORDS_MAX = 400,                /* keeps a reply line below 512 octets (RFC 5321 4.5.3.1.5) */
	LIMIT_MAX = 999999,             /* RFC 9422 4 */
};

/* Words may quote what the peer said: nothing but printable ASCII goes out (RFC 5321 4.2, RFC 6531 3.7.4). */
static bool
put_words(struct buf *out, struct span words)
{
	words = span_head(words, WORDS_MAX);
	for (size_t i = 0; i < words.len; i++) {
		uint8_t c = words.p[i];

		if (!buf_put_byte(out, c == ' ' || ascii_is_graph(c) ? c : '?'))
			return false;
	}
	return true;
}

static void
put_line(struct smtp_server *s, unsigned code, const char *enhanced, struct span words)
{
	struct buf *out = &s->io->out;
	bool fits = buf_put_u64(out, code) && buf_put_byte(out, ' ');

	if (enhanced != NULL)
		fits = fits && buf_put_text(out, enhanced) && buf_put_byte(out, ' ');
	fits = fits && put_words(out, words) && buf_put_text(out, "\r\n");
	assert(fits);
	(void)fits;
}

void
reply_say(struct smtp_server *s, unsigned code, const char *enhanced, struct span words)
{
	put_line(s, code, enhanced, words);
}

void
reply_plain(struct smtp_server *s, unsigned code, const char *words)
{
	put_line(s, code, NULL, span_of(words));
}

void
reply_verdict(struct smtp_server *s, struct verdict v)
{
	const struct fail_row *row = fail_row(v.fail);

	put_line(s, row->smtp, row->enhanced, span_done(v.words) ? span_of(row->text) : v.words);
}

void
reply_host(struct smtp_server *s, unsigned code, const char *words)
{
	struct buf *out = &s->io->out;
	bool fits = buf_put_u64(out, code) && buf_put_byte(out, ' ') && buf_put(out, s->conf->hostname) &&
	    buf_put_text(out, words) && buf_put_text(out, "\r\n");

	assert(fits);
	(void)fits;
}

bool
reply_challenge(struct smtp_server *s, struct span octets)
{
	struct buf *out = &s->io->out;
	size_t before = out->len;

	if (octets.len <= SMTP_CHALLENGE_MAX && buf_put_text(out, "334 ") && base64_format(octets, out) &&
	    buf_put_text(out, "\r\n"))
		return true;
	out->len = before;
	return false;
}

void
reply_queued(struct smtp_server *s)
{
	uint8_t text[QUEUE_ID_LEN];
	struct buf id = BUF_OVER(text);

	(void)queue_id_format(s->mail->queue_id, &id);
	put_line(s, 250, "2.0.0", buf_span(&id));
}

/* X.3.6 wants the priority in front of the words (RFC 6710 9). */
void
reply_priority(struct smtp_server *s, int priority)
{
	uint8_t text[64];
	struct buf words = BUF_OVER(text);

	if (priority < 0)
		(void)buf_put_byte(&words, '-');
	(void)buf_put_u64(&words, (uint64_t)(priority < 0 ? -priority : priority));
	(void)buf_put_text(&words, " is the priority it gets; sender ok");
	reply_say(s, 250, "2.3.6", buf_span(&words));
}

bool
smtp_refusal_valid(uint32_t code, struct span enhanced)
{
	uint64_t class, subject, detail;

	if (code < 400 || code > 559 || code == 421 || enhanced.len > SMTP_ENHANCED_MAX)
		return false;
	return span_take_u64(&enhanced, &class) && class == code / 100 && span_take_byte(&enhanced, '.') &&
	    span_take_u64(&enhanced, &subject) && span_take_byte(&enhanced, '.') && span_take_u64(&enhanced, &detail) &&
	    span_done(enhanced);
}

/* ---- the list behind EHLO (requirements F4) ---- */

static bool
put_keyword(struct buf *out, const char *keyword)
{
	return buf_put_text(out, "250-") && buf_put_text(out, keyword) && buf_put_text(out, "\r\n");
}

static bool
put_number(struct buf *out, const char *keyword, uint64_t value)
{
	return buf_put_text(out, "250-") && buf_put_text(out, keyword) && buf_put_u64(out, value) &&
	    buf_put_text(out, "\r\n");
}

static bool
put_auth(const struct smtp_server *s, struct buf *out)
{
	if (auth_mechanisms(s) == 0)
		return true;
	if (!buf_put_text(out, "250-AUTH"))
		return false;
	auth_names_format(s, out);
	return buf_put_text(out, "\r\n");
}

/* 4865-1: for those who may submit, so only when somebody has proved who they are. */
static bool
put_future_release(const struct smtp_server *s, struct buf *out)
{
	const struct env *env = &s->conf->env;
	uint64_t last;

	if (s->conf->hold_max == 0 || !s->authenticated)
		return true;
	last = env->now(env->arg) + s->conf->hold_max * UINT64_C(1000);
	return buf_put_text(out, "250-FUTURERELEASE ") && buf_put_u64(out, s->conf->hold_max) && buf_put_byte(out, ' ') &&
	    timestamp_format(last, out) && buf_put_text(out, "\r\n");
}

static bool
put_terms(const struct smtp_server *s, struct buf *out)
{
	bool fits = put_future_release(s, out);

	if (s->conf->binarymime)
		fits = fits && put_keyword(out, "BINARYMIME");
	if (s->conf->mt_priority)
		fits = fits && put_keyword(out, "MT-PRIORITY");
	if (s->conf->deliver_by && s->conf->by_least > 0)
		fits = fits && put_number(out, "DELIVERBY ", s->conf->by_least);
	else if (s->conf->deliver_by)
		fits = fits && put_keyword(out, "DELIVERBY");
	return fits;
}

void
reply_ehlo(struct smtp_server *s)
{
	static const char *const always[] = {
		"PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "DSN"
	};
	struct buf *out = &s->io->out;
	uint32_t rcpts = s->conf->rcpt_max < LIMIT_MAX ? s->conf->rcpt_max : LIMIT_MAX;
	bool fits = buf_put_text(out, "250-") && buf_put(out, s->conf->hostname) && buf_put_text(out, "\r\n");

	for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
		fits = fits && put_keyword(out, always[i]);
	fits = fits && put_number(out, "SIZE ", s->conf->size_max);
	if (s->facts.starttls)
		fits = fits && put_keyword(out, "STARTTLS");
	if (s->facts.tls)
		fits = fits && put_keyword(out, "REQUIRETLS");          /* 8689-1, 8689-6 */
	fits = fits && put_auth(s, out) && put_terms(s, out) && put_number(out, "LIMITS RCPTMAX=", rcpts) &&
	    buf_put_text(out, "250 HELP\r\n");
	assert(fits);
	(void)fits;
}

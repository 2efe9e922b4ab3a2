/*
 * What is true in each state (smtp_server_check() asserts it):
 *
 *	OPENED          greeted; nobody has said hello, nobody has proved anything; after STARTTLS we are here again
 *	GREETED         EHLO or HELO said, nothing proved
 *	PROVING         EHLO said, inside an AUTH exchange, over TLS
 *	READY           somebody has proved who they are, or is local and has said hello; no transaction
 *	MAIL            memory is lent, the driver has a draft; no recipient yet
 *	RCPT            the same with at least one recipient
 *	BODY            the same; content is coming, by DATA or by BDAT
 *	CHUNKS          between BDAT chunks; without a draft when one was refused: then RSET is the way on
 *	CLOSED          nothing leaves it
 */
#include <assert.h>
#include <string.h>

#include "smtp/first_octets.h"
#include "smtp/server_room.h"

static const unsigned edges[SMTP_STATE_MAX] = {
	[SMTP_OPENED]  = BIT(SMTP_GREETED) | BIT(SMTP_READY),
	[SMTP_GREETED] = BIT(SMTP_GREETED) | BIT(SMTP_OPENED) | BIT(SMTP_PROVING),
	[SMTP_PROVING] = BIT(SMTP_GREETED) | BIT(SMTP_READY),
	[SMTP_READY]   = BIT(SMTP_MAIL),
	[SMTP_MAIL]    = BIT(SMTP_READY) | BIT(SMTP_RCPT),
	[SMTP_RCPT]    = BIT(SMTP_READY) | BIT(SMTP_RCPT) | BIT(SMTP_BODY) | BIT(SMTP_CHUNKS),
	[SMTP_BODY]    = BIT(SMTP_READY) | BIT(SMTP_CHUNKS),
	[SMTP_CHUNKS]  = BIT(SMTP_READY) | BIT(SMTP_CHUNKS) | BIT(SMTP_BODY),
};

/* Refusals that say the peer does not know what it is doing. What a verdict or an address brings is none of them: a list
 * with many dead addresses is sense (5321-73). */
#define MASK(f) (UINT64_C(1) << (f))
static const uint64_t senseless = MASK(FAIL_SYNTAX) | MASK(FAIL_COMMAND) | MASK(FAIL_UNIMPLEMENTED) | MASK(FAIL_LINE_LONG) |
    MASK(FAIL_EIGHTBIT_COMMAND) | MASK(FAIL_ARGUMENT) | MASK(FAIL_ORDER) | MASK(FAIL_NEED_TLS) | MASK(FAIL_NEED_AUTH) |
    MASK(FAIL_MECHANISM) | MASK(FAIL_AUTH_CANCELLED) | MASK(FAIL_BASE64) |
    MASK(FAIL_AUTH_LINE_LONG) | MASK(FAIL_PARAM_UNKNOWN) | MASK(FAIL_PARAM_BAD) | MASK(FAIL_PARAM_SYNTAX) | MASK(FAIL_NO_RCPT);
static_assert(FAIL_MAX <= 64, "a failure is a bit");

static bool
in_transaction(const struct smtp_server *s)
{
	return s->state >= SMTP_MAIL && s->state <= SMTP_CHUNKS;
}

/* ---- states and questions ---- */

/* The only function that changes the state, but for the beginning. */
void
server_enter(struct smtp_server *s, enum smtp_state next)
{
	assert(next == SMTP_CLOSED || (edges[s->state] & BIT(next)) != 0);
	s->state = next;
}

void
server_ask(struct smtp_server *s, enum smtp_ask_kind kind)
{
	s->ask.kind = kind;
	s->want = SMTP_WANT_VERDICT;
}

void
server_drop_draft(struct smtp_server *s)
{
	if (!s->drafting)
		return;
	s->drafting = false;
	s->then = THEN_INPUT;
	server_ask(s, SMTP_ASK_ABORT);
}

void
server_forget_mail(struct smtp_server *s)
{
	s->io->content.len = 0;
	server_drop_draft(s);
	if (in_transaction(s))
		server_enter(s, SMTP_READY);
}

void
server_hang_up(struct smtp_server *s)
{
	s->io->content.len = 0;
	server_drop_draft(s);
	/* An ABORT or AUTH_CANCEL that is under way comes first. */
	s->then = THEN_CLOSE;
	if (s->want != SMTP_WANT_VERDICT)
		s->want = SMTP_WANT_CLOSE;
	server_enter(s, SMTP_CLOSED);
}

void
server_give_up(struct smtp_server *s, const char *words)
{
	reply_verdict(s, because(FAIL_TOO_MANY_ERRORS, words));
	server_hang_up(s);
}

void
server_count(struct smtp_server *s, enum fail f)
{
	if ((senseless & MASK(f)) != 0 && ++s->errors >= SMTP_ERRORS_MAX)
		server_give_up(s, NULL);
}

void
server_refuse(struct smtp_server *s, struct verdict why)
{
	reply_verdict(s, why);
	server_count(s, why.fail);
}

void
server_idle(struct smtp_server *s)
{
	if (++s->nothings > SMTP_NOTHING_MAX)
		server_give_up(s, NULL);
}

uint64_t
server_times_size(const struct smtp_server *s, unsigned times)
{
	uint64_t size = s->conf->size_max > SMTP_SIZE_LEAST ? s->conf->size_max : SMTP_SIZE_LEAST;

	return size > UINT64_MAX / times ? UINT64_MAX : size * times;
}

/* ---- lines ---- */

/* The longest line that we take now, with its CRLF. */
static size_t
line_limit(const struct smtp_server *s, struct span in)
{
	if (s->state == SMTP_PROVING)
		return SMTP_AUTH_LINE_MAX + 2;
	return span_take(&in, SPAN("AUTH ")) ? SMTP_LINE_KEPT : SMTP_COMMAND_MAX;
}

static void
line_is_long(struct smtp_server *s, struct span in)
{
	bool auth = s->state == SMTP_PROVING || span_take(&in, SPAN("AUTH "));

	s->swallowing = true;
	s->later = auth ? FAIL_AUTH_LINE_LONG : FAIL_LINE_LONG;
}

static void
line_is_foul(struct smtp_server *s, uint8_t c)
{
	const char *words = c == '\r' ? "bare CR in a command" : c == '\n' ? "bare LF in a command" : "NUL in a command";

	reply_verdict(s, because(FAIL_LINE_LONG, words));
	reply_verdict(s, because(FAIL_TOO_MANY_ERRORS, "only CRLF ends a line, closing"));
	server_hang_up(s);
}

static void
line_take(struct smtp_server *s, struct span line)
{
	s->ask = (struct smtp_ask){ .kind = SMTP_ASK_NONE };
	if (s->state == SMTP_PROVING)
		auth_line(s, line);
	else
		command_take(s, line);
}

/* Is only a piece of CRLF, or nothing of it, behind n octets? */
static bool
needs_more(struct span in, size_t n)
{
	return n == in.len || (n + 1 == in.len && in.p[n] == '\r');
}

static bool
is_crlf(struct span in, size_t n)
{
	return in.p[n] == '\r' && in.p[n + 1] == '\n';
}

/* Nothing is said: see the top of server.h. */
static size_t
line_is_http(struct smtp_server *s, struct span in)
{
	s->foreign = true;
	server_hang_up(s);
	return in.len;
}

static size_t
line_step(struct smtp_server *s, struct span in)
{
	size_t limit = line_limit(s, in), n;
	struct span head = span_head(in, limit);
	uint64_t seen = 0;

	/* Its line need not end, where the method is known. */
	if (http_begins(in))
		return line_is_http(s, in);
	n = plain_length(head, &seen);
	if (needs_more(head, n)) {
		if (head.len < limit)
			return 0;
		line_is_long(s, in);
		return n;
	}
	if (!is_crlf(head, n)) {
		line_is_foul(s, head.p[n]);
		return n + 1;
	}
	if (http_is_request(span_head(head, n)))
		return line_is_http(s, in);
	line_take(s, span_head(head, n));
	return n + 2;
}

/* The rest of a line that was too long, then what we think of it. */
static size_t
swallow_step(struct smtp_server *s, struct span in)
{
	uint64_t seen = 0;
	size_t n = plain_length(in, &seen);

	if (needs_more(in, n))
		return n;
	if (!is_crlf(in, n)) {
		line_is_foul(s, in.p[n]);
		return n + 1;
	}
	s->swallowing = false;
	s->ask = (struct smtp_ask){ .kind = SMTP_ASK_NONE };
	if (s->state == SMTP_PROVING)
		auth_break(s, s->later);
	else
		server_refuse(s, because(s->later, NULL));
	return n + 2;
}

static size_t
step(struct smtp_server *s, struct span in)
{
	if (s->discard > 0)
		return chunk_discard(s, in);
	if (s->swallowing)
		return swallow_step(s, in);
	if (s->state == SMTP_BODY)
		return content_step(s, in);
	return line_step(s, in);
}

/* ---- how much of it ---- */

/* Octets that may still come before the session is ended for their number. Ends fall on the same octet however they are split. */
static size_t
allowance(const struct smtp_server *s)
{
	uint64_t left = SIZE_MAX;

	if (!s->authenticated)
		left = SMTP_HEARD_MAX - s->heard;
	else if (s->swallowing)
		left = server_times_size(s, SMTP_SWALLOW_TIMES) - s->discarded;
	else if (s->state == SMTP_BODY)
		left = server_times_size(s, SMTP_CONTENT_TIMES) - s->mail->taken;
	return left < SIZE_MAX ? (size_t)left : SIZE_MAX;
}

static const char *
too_much(const struct smtp_server *s)
{
	if (!s->authenticated)
		return "too much without authentication, closing";
	return s->swallowing ? "too much that is refused, closing" : "far more than the biggest message, closing";
}

static size_t
step_within(struct smtp_server *s, struct span in)
{
	struct smtp_mail *body = s->state == SMTP_BODY ? s->mail : NULL;
	bool stranger = !s->authenticated, swallowing = s->swallowing;
	size_t left = allowance(s), n = 0;
	struct span view = span_head(in, left);

	if (left > 0)
		n = step(s, view);
	if (n == 0 && view.len == left && s->want == SMTP_WANT_INPUT)
		server_give_up(s, too_much(s));
	if (stranger)
		s->heard += (uint32_t)n;
	else if (swallowing)
		s->discarded += n;
	if (body != NULL)
		body->taken += n;
	return n;
}

/* ---- the driver's side ---- */

enum smtp_want
smtp_server_begin(struct smtp_server *s, const struct smtp_server_conf *conf, struct smtp_io *io,
    struct smtp_session_facts facts)
{
	assert(conf->size_max > 0 && conf->rcpt_max > 0 && facts.tls + facts.starttls + facts.local <= 1);
	memset(s, 0, sizeof *s);
	s->conf = conf;
	s->io = io;
	s->facts = facts;
	s->state = SMTP_OPENED;
	s->want = SMTP_WANT_INPUT;
	reply_host(s, 220, " ESMTP");
	return s->want;
}

enum smtp_want
smtp_server_feed(struct smtp_server *s, struct span in, size_t *used)
{
	assert(s->want == SMTP_WANT_INPUT);
	*used = 0;
	while (s->want == SMTP_WANT_INPUT && !span_done(in)) {
		size_t n;

		if (buf_room(&s->io->out) < SMTP_REPLY_ROOM) {
			s->want = SMTP_WANT_FLUSH;
			break;
		}
		n = step_within(s, in);
		if (n == 0)
			break;
		span_skip(&in, n);
		*used += n;
	}
	return s->want;
}

static void
stored(struct smtp_server *s)
{
	enum smtp_then then = (enum smtp_then)s->then;

	s->io->content.len = 0;
	s->then = THEN_INPUT;
	if (then == THEN_END_CHUNK)
		chunk_end(s);
	else if (then == THEN_FINISH)
		content_finish(s);
}

enum smtp_want
smtp_server_go_on(struct smtp_server *s)
{
	enum smtp_want was = s->want;

	assert(was == SMTP_WANT_FLUSH || was == SMTP_WANT_STORE);
	s->want = SMTP_WANT_INPUT;
	if (was == SMTP_WANT_STORE)
		stored(s);
	return s->want;
}

enum smtp_want
smtp_server_lend(struct smtp_server *s, struct smtp_mail *mail)
{
	assert(s->want == SMTP_WANT_MEMORY && s->mail == NULL);
	s->want = SMTP_WANT_INPUT;
	s->mail = mail;
	if (mail == NULL)
		server_refuse(s, because(FAIL_DISK_FULL, "no memory for another message just now"));
	else
		mail_begin(s);
	return s->want;
}

static void
then_answered(struct smtp_server *s, const struct smtp_answer *a)
{
	(void)a;
	if (s->then == THEN_CLOSE)
		s->want = SMTP_WANT_CLOSE;
	s->then = THEN_INPUT;
}

enum smtp_want
smtp_server_answer(struct smtp_server *s, const struct smtp_answer *a)
{
	static void (*const answered[])(struct smtp_server *, const struct smtp_answer *) = {
		[SMTP_ASK_AUTH_START] = auth_answered,
		[SMTP_ASK_AUTH_NEXT] = auth_answered,
		[SMTP_ASK_AUTH_CANCEL] = then_answered,
		[SMTP_ASK_SENDER] = sender_answered,
		[SMTP_ASK_RCPT] = rcpt_answered,
		[SMTP_ASK_DATA] = data_answered,
		[SMTP_ASK_AUTHOR] = author_answered,
		[SMTP_ASK_COMMIT] = commit_answered,
		[SMTP_ASK_ABORT] = then_answered,
	};
	enum smtp_ask_kind kind = s->ask.kind;

	assert(s->want == SMTP_WANT_VERDICT && kind != SMTP_ASK_NONE);
	s->ask.kind = SMTP_ASK_NONE;
	s->want = SMTP_WANT_INPUT;
	answered[kind](s, a);
	/* What was asked about is gone by the next call; nothing may point there, least of all at a secret. */
	if (s->want != SMTP_WANT_VERDICT)
		s->ask = (struct smtp_ask){ .kind = SMTP_ASK_NONE };
	return s->want;
}

enum smtp_want
smtp_server_secured(struct smtp_server *s, struct smtp_session_facts facts)
{
	assert(s->want == SMTP_WANT_STARTTLS && facts.tls && !facts.starttls);
	s->facts = facts;
	s->esmtp = false;
	s->helo_len = 0;
	s->nothings = 0;
	server_enter(s, SMTP_OPENED);
	s->want = SMTP_WANT_INPUT;
	return s->want;
}

enum smtp_want
smtp_server_end(struct smtp_server *s, enum fail why)
{
	if (s->state != SMTP_CLOSED) {
		if (buf_room(&s->io->out) >= SMTP_REPLY_ROOM)
			reply_verdict(s, because(why, NULL));
		server_enter(s, SMTP_CLOSED);
	}
	s->drafting = false;
	s->ask = (struct smtp_ask){ .kind = SMTP_ASK_NONE };
	s->want = SMTP_WANT_CLOSE;
	return s->want;
}

struct smtp_mail *
smtp_server_reclaim(struct smtp_server *s)
{
	struct smtp_mail *mail = s->mail;

	if (in_transaction(s) || s->ask.kind == SMTP_ASK_SENDER)
		return NULL;
	s->mail = NULL;
	return mail;
}

static void
check_mail(const struct smtp_server *s)
{
	const struct smtp_mail *m = s->mail;

	assert(m != NULL);
	assert((m->rcpts > 0) == (s->state != SMTP_MAIL));
	assert(m->rcpts <= m->rcpt_commands && m->rcpts <= s->conf->rcpt_max && m->overshoot <= SMTP_OVERSHOOT_MAX + 1);
	assert(m->taken <= server_times_size(s, SMTP_CONTENT_TIMES));
	assert(s->drafting || s->ask.kind == SMTP_ASK_COMMIT || s->state == SMTP_CHUNKS);
	assert(m->partial_len <= sizeof m->partial && m->reverse_path_len <= sizeof m->reverse_path);
	assert(s->state >= SMTP_BODY || s->io->content.len == 0);
	assert(s->state != SMTP_CHUNKS || s->drafting == (m->fail == OK));
}

void
smtp_server_check(const struct smtp_server *s)
{
	bool proved = s->state >= SMTP_READY && s->state <= SMTP_CHUNKS;

	assert(s->state < SMTP_STATE_MAX);
	assert(s->state == SMTP_CLOSED || s->authenticated == proved);
	assert(s->state != SMTP_PROVING || (s->esmtp && s->facts.tls));
	assert((s->want == SMTP_WANT_VERDICT) == (s->ask.kind != SMTP_ASK_NONE));
	assert(s->want != SMTP_WANT_CLOSE || s->state == SMTP_CLOSED);
	assert(s->want != SMTP_WANT_INPUT || s->state != SMTP_CLOSED);
	assert(s->want != SMTP_WANT_CLOSE || !s->drafting);
	assert(s->want != SMTP_WANT_MEMORY || s->mail == NULL);
	assert(s->want != SMTP_WANT_STORE || s->state == SMTP_BODY);
	assert(s->errors <= SMTP_ERRORS_MAX && s->auth_failures <= SMTP_AUTH_FAILURES_MAX);
	assert(s->heard <= SMTP_HEARD_MAX && s->tries <= SMTP_TRIES_MAX + 1);
	assert(!(s->facts.starttls && proved));
	if (in_transaction(s))
		check_mail(s);
}

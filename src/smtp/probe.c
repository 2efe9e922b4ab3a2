#include "smtp/probe.h"

#include <assert.h>
#include <string.h>

enum {
	LOGIN_MS = 10000,               /* a refusal may be late on purpose */
	INJECTED_MS = 700,              /* an answer that was queued comes at once */
	ENDING_MS = 2000,
	ANY = 0,
};

enum probe_phase {
	PROBE_SHAKING,          /* TLS comes before anything is said */
	PROBE_TALKING,          /* smtp/client goes its way */
	PROBE_ASIDE,            /* a step of the plan was said */
	PROBE_LISTENING,        /* what was said in clear must not be answered over TLS */
	PROBE_CONTENT,          /* an end that is none was sent */
	PROBE_LEAVING,          /* QUIT is said, or nothing */
	PROBE_OVER,
	PROBE_PHASE_MAX
};

#define BIT(n) (1u << (n))

static const uint8_t edges[PROBE_PHASE_MAX] = {
	[PROBE_SHAKING]   = BIT(PROBE_TALKING) | BIT(PROBE_OVER),
	[PROBE_TALKING]   = BIT(PROBE_ASIDE) | BIT(PROBE_LISTENING) | BIT(PROBE_LEAVING) | BIT(PROBE_OVER),
	[PROBE_ASIDE]     = BIT(PROBE_ASIDE) | BIT(PROBE_CONTENT) | BIT(PROBE_LEAVING) | BIT(PROBE_OVER),
	[PROBE_LISTENING] = BIT(PROBE_OVER),
	[PROBE_CONTENT]   = BIT(PROBE_OVER),
	[PROBE_LEAVING]   = BIT(PROBE_OVER),
};

/* The only function that changes the phase. */
static void
probe_enter(struct smtp_probe *p, enum probe_phase next)
{
	assert(edges[p->phase] & BIT(next));
	p->phase = (uint8_t)next;
}

/* ---- the plans ---- */

/* What no client says, and the fact that its reply is. Nobody has these names: RFC 2606 reserves them; example.com takes no mail (RFC 7505). */
struct step {
	const char *say;
	uint8_t after;                  /* only when the reply before began with this digit */
	bool sender;                    /* the reverse-path stands behind it */
	const char *key, *label;        /* NULL: nobody wants to know; label stands before the reply */
};

/* Without a response: it shows whether one would be taken, and gives nothing away. */
#define AUTH(mechanism) { .say = "AUTH " mechanism, .key = "auth-clear", .label = mechanism }, { .say = "*", .after = 3 }
/* Where MAIL without a login is taken, a recipient elsewhere too; then everything is forgotten. */
#define MAIL(place) { .say = "MAIL FROM:<>", .key = "mail-" place }, { .say = "RCPT TO:<nobody@example.com>", .after = 2, .key = "rcpt-" place }, \
	{ .say = "RSET" }

static const struct step nothing[] = { { .say = NULL } };
/* AUTH last: after so many mistakes Exim hangs up. */
static const struct step in_clear[] = {
	MAIL("clear"), AUTH("PLAIN"), AUTH("LOGIN"), AUTH("CRAM-MD5"), AUTH("SCRAM-SHA-256"), { .say = NULL } };
/* Some in between make such a thing of STARTTLS, so that the server does not know it and the client goes on. */
#define STRIPPED(hello) { .say = "STARTTLX" }, { .say = "AUTH PLAIN", .key = "stripped", .label = hello " AUTH" }, { .say = "*", .after = 3 }, \
	{ .say = "MAIL FROM:<>", .key = "stripped", .label = hello " MAIL" }, { .say = "RSET" }, { .say = NULL }
static const struct step stripped[] = { STRIPPED("EHLO") }, stripped_helo[] = { STRIPPED("HELO") };
static const struct step over_tls[] = {
	MAIL("tls"), { .say = "VRFY nobody-of-this-name", .key = "vrfy" }, { .say = "EXPN staff", .key = "expn" }, { .say = NULL } };
static const struct step as_another[] = {
	{ .say = "MAIL FROM:<audit@example.com>", .key = "sender-foreign" }, { .say = "RSET" }, { .say = NULL } };
static const struct step a_message[] = {
	{ .say = "MAIL FROM:<", .sender = true }, { .say = "RCPT TO:<nobody@example.com>", .after = 2 }, { .say = "DATA", .after = 2 },
	{ .say = NULL } };

static const struct plan {
	const char *greeting, *ehlo, *starttls, *login; /* the keys of the facts; NULL: nobody wants to know */
	const struct step *steps;
	bool tls;                       /* greeting and EHLO count over TLS only */
	bool proves;                    /* a login, if there is one, comes first */
	bool waits;                     /* for the answer to QUIT */
	bool ends_greeted, ends_inside; /* it is over then, without a farewell */
	bool helo;                      /* HELO is said, and cannot see what is offered */
} plans[SMTP_PROBE_PLANS] = {
	[SMTP_PROBE_GREETING]  = { .greeting = "greeting", .steps = nothing, .ends_greeted = true },
	[SMTP_PROBE_WAIT]      = { .steps = nothing, .ends_greeted = true },
	[SMTP_PROBE_ENTER]     = { .steps = nothing, .tls = true, .proves = true, .ends_inside = true },
	[SMTP_PROBE_REACH]     = { .steps = nothing, .tls = true },
	[SMTP_PROBE_GLANCE]    = { .steps = nothing },
	[SMTP_PROBE_LOOK]      = { .ehlo = "ehlo-clear", .steps = nothing },
	[SMTP_PROBE_CLEAR]     = { .ehlo = "ehlo-clear", .steps = in_clear },
	[SMTP_PROBE_INJECTION] = { .starttls = "starttls", .steps = nothing, .tls = true },
	[SMTP_PROBE_STRIPPED]  = { .steps = stripped },
	[SMTP_PROBE_STRIPPED_HELO] = { .steps = stripped_helo, .helo = true },
	[SMTP_PROBE_LOOK_TLS]  = { .greeting = "greeting", .ehlo = "ehlo-tls", .steps = nothing, .tls = true, .waits = true },
	[SMTP_PROBE_TLS]       = { .greeting = "greeting", .ehlo = "ehlo-tls", .steps = over_tls, .tls = true, .waits = true },
	[SMTP_PROBE_SENDER]    = { .login = "login", .steps = as_another, .tls = true, .proves = true },
	[SMTP_PROBE_ENDING]    = { .steps = a_message, .tls = true, .proves = true },
};

static const struct ending {
	const char *name;
	struct span octets;
} endings[SMTP_PROBE_ENDINGS] = {
	{ "LF.LF", SPAN_INIT("\n.\n") }, { "LF.CRLF", SPAN_INIT("\n.\r\n") }, { "CRLF.LF", SPAN_INIT("\r\n.\n") },
	{ "CR.CR", SPAN_INIT("\r.\r") }, { "CR.CRLF", SPAN_INIT("\r.\r\n") },
};

static const struct plan *
plan_of(const struct smtp_probe *p)
{
	return &plans[p->conf.plan];
}

/* ---- facts ---- */

static void
say(const struct smtp_probe *p, const char *key, struct span value)
{
	if (key != NULL)
		p->conf.say(p->conf.arg, key, value);
}

/* "LABEL CODE TEXT" of the newest line. */
static void
say_reply(const struct smtp_probe *p, const char *key, const char *label)
{
	uint8_t octets[SMTP_PROBE_TEXT_MAX + 64];
	struct buf b = BUF_OVER(octets);

	if (label != NULL)
		(void)(buf_put_text(&b, label) && buf_put_byte(&b, ' '));
	(void)(buf_put_u64(&b, p->code) && buf_put_byte(&b, ' ') && buf_put(&b, buf_span(&p->text)));
	say(p, key, buf_span(&b));
}

static void
say_ehlo(const struct smtp_probe *p)
{
	struct span lines = buf_span(&p->ehlo);

	while (!span_done(lines)) {
		say(p, plan_of(p)->ehlo, span_take_until(&lines, '\n'));
		span_skip(&lines, 1);
	}
}

static void
forget_reply(struct smtp_probe *p)
{
	p->code = 0;
	p->text.len = 0;
}

static enum smtp_probe_want
probe_want(struct smtp_probe *p, enum smtp_probe_want want)
{
	p->want = want;
	return want;
}

static enum smtp_probe_want
over(struct smtp_probe *p)
{
	if (p->conf.plan == SMTP_PROBE_ENDING && !p->begun)
		say_reply(p, "smuggling", "not-begun");
	probe_enter(p, PROBE_OVER);
	return probe_want(p, SMTP_PROBE_DONE);
}

/* What an end that is none came to. Whoever takes one of all is asked for each by itself. */
static enum smtp_probe_want
ended(struct smtp_probe *p, const char *silence)
{
	bool all = p->conf.ending == SMTP_PROBE_ENDINGS;

	p->taken = p->code / 100 == 2;
	if (p->taken && !all)
		say_reply(p, "smuggling", endings[p->conf.ending].name);
	if (!p->taken && all)
		say(p, "smuggling", p->code != 0 ? SPAN("refused") : span_of(silence));
	return over(p);
}

/* ---- steps ---- */

/* Never completed: whoever is not fooled throws it away when the connection goes (RFC 5321 4.1.1.4). */
static enum smtp_probe_want
send_content(struct smtp_probe *p)
{
	struct buf *out = &p->io->out;
	size_t first = p->conf.ending % SMTP_PROBE_ENDINGS, count = p->conf.ending == SMTP_PROBE_ENDINGS ? SMTP_PROBE_ENDINGS : 1;
	bool fits = buf_put_text(out, "Subject: an examination\r\n\r\n");

	for (size_t i = first; fits && i < first + count; i++)
		fits = buf_put_text(out, "This is broken off.") && buf_put(out, endings[i].octets);
	if (!fits)
		return over(p);
	p->begun = true;
	forget_reply(p);
	probe_enter(p, PROBE_CONTENT);
	return probe_want(p, SMTP_PROBE_INPUT);
}

/* The plan is through. */
static enum smtp_probe_want
leave(struct smtp_probe *p)
{
	if (p->conf.plan == SMTP_PROBE_ENDING && p->code == 354)
		return send_content(p);
	probe_enter(p, PROBE_LEAVING);
	if (smtp_client_quit(&p->client) == SMTP_CLIENT_CLOSE || !plan_of(p)->waits)
		return over(p);
	return probe_want(p, SMTP_PROBE_INPUT);
}

static enum smtp_probe_want
say_step(struct smtp_probe *p)
{
	const struct step *s = &plan_of(p)->steps[p->step];
	uint8_t octets[SMTP_PROBE_SENDER_MAX + 64];
	struct buf line = BUF_OVER(octets);

	(void)buf_put_text(&line, s->say);
	if (s->sender)
		(void)(buf_put(&line, p->conf.sender) && buf_put_byte(&line, '>'));
	p->step++;
	probe_enter(p, PROBE_ASIDE);
	return smtp_client_aside(&p->client, buf_span(&line)) == SMTP_CLIENT_INPUT ? probe_want(p, SMTP_PROBE_INPUT) : over(p);
}

static enum smtp_probe_want
next_step(struct smtp_probe *p)
{
	const struct step *s = &plan_of(p)->steps[p->step];

	for (; s->say != NULL && s->after != ANY && p->code / 100 != s->after; s++)
		p->step++;
	return s->say == NULL ? leave(p) : say_step(p);
}

/* ---- the client's way ---- */

static enum smtp_client_want
refused(struct smtp_probe *p)
{
	const struct smtp_outcome *o = &p->client.outcome;
	uint8_t octets[SMTP_REPLY_KEPT + 16];
	struct buf b = BUF_OVER(octets);

	/* Not the peer's word but ours: the login was never said. */
	if (o->stage == SMTP_STAGE_AUTH && o->code == 0 && !p->proving) {
		(void)(buf_put_text(&b, "unsent ") && buf_put(&b, o->text));
		say(p, plan_of(p)->login, buf_span(&b));
	}
	return smtp_client_go_on(&p->client);
}

/* In one piece with STARTTLS: whoever answers it after the handshake would answer a stranger's too. */
static void
inject(struct smtp_probe *p)
{
	if (p->conf.plan != SMTP_PROBE_INJECTION || p->injected || smtp_client_awaits(&p->client) != SMTP_STAGE_STARTTLS)
		return;
	p->injected = buf_put_text(&p->io->out, "NOOP\r\n");
}

/* What the client wants is wanted, or answered here. */
static enum smtp_probe_want
follow(struct smtp_probe *p, enum smtp_client_want want)
{
	while (want != SMTP_CLIENT_CLOSE) {
		if (want == SMTP_CLIENT_INPUT) {
			inject(p);
			return probe_want(p, SMTP_PROBE_INPUT);
		}
		if (want == SMTP_CLIENT_STARTTLS)
			return probe_want(p, SMTP_PROBE_SHAKE);
		if (want == SMTP_CLIENT_READY) {
			p->inside = true;
			p->starttls = p->client.caps.starttls;
			return plan_of(p)->ends_inside ? over(p) : next_step(p);
		}
		if (want == SMTP_CLIENT_AUTH_START)
			return probe_want(p, SMTP_PROBE_LOGIN);
		if (want == SMTP_CLIENT_AUTH_NEXT)
			return probe_want(p, SMTP_PROBE_CHALLENGE);
		want = refused(p);
	}
	return over(p);
}

/* ---- bytes ---- */

/* The fact that the reply under way is; false: it is none. */
static bool
awaited(const struct smtp_probe *p, const char **key, const char **label)
{
	const struct plan *plan = plan_of(p);
	bool counts = p->secured || !plan->tls;

	*key = *label = NULL;
	if (p->phase == PROBE_ASIDE) {
		*key = plan->steps[p->step - 1].key;
		*label = plan->steps[p->step - 1].label;
	} else if (p->phase == PROBE_TALKING) {
		enum smtp_stage stage = smtp_client_awaits(&p->client);

		*key = stage == SMTP_STAGE_GREETING && counts ? plan->greeting : stage == SMTP_STAGE_STARTTLS ? plan->starttls
		    : stage == SMTP_STAGE_AUTH ? plan->login : NULL;
	}
	return *key != NULL;
}

static bool
is_ehlo(const struct smtp_probe *p)
{
	return p->phase == PROBE_TALKING && smtp_client_awaits(&p->client) == SMTP_STAGE_EHLO;
}

static bool
is_login(const struct smtp_probe *p)
{
	return p->phase == PROBE_TALKING && smtp_client_awaits(&p->client) == SMTP_STAGE_AUTH;
}

/* Only the first reply behind each start counts: what comes after a refusal answers HELO, and lists nothing. */
static void
ehlo_line(struct smtp_probe *p, const struct smtp_reply_line *line, bool last)
{
	struct span text = span_head(line->text, SMTP_PROBE_TEXT_MAX);

	if (p->greeted)
		return;
	if (!buf_put(&p->ehlo, text) || !buf_put_byte(&p->ehlo, '\n'))
		p->hostile = "an EHLO reply of more than 16384 octets";
	if (!last || p->hostile != NULL)
		return;
	p->greeted = true;
	if (line->code / 100 == 2 && (p->secured || !plan_of(p)->tls))
		say_ehlo(p);
	p->ehlo.len = 0;
}

/* The client's way ends with what came, even nothing; of our own steps only replies count. */
static void
say_broken_off(const struct smtp_probe *p)
{
	const char *key, *label;

	if (p->want == SMTP_PROBE_INPUT && awaited(p, &key, &label) && (p->phase == PROBE_TALKING || p->code != 0))
		say_reply(p, key, label);
}

static enum smtp_probe_want
fail(struct smtp_probe *p, const char *words)
{
	p->hostile = words;
	say_broken_off(p);
	p->io->out.len = 0;
	return over(p);
}

static void
keep(struct smtp_probe *p, const struct smtp_reply_line *line)
{
	p->code = line->code;
	p->text.len = 0;
	(void)buf_put(&p->text, span_head(line->text, SMTP_PROBE_TEXT_MAX));
}

/* What cannot be read: no honest server sends it, unless it does not speak SMTP at all. */
static enum smtp_probe_want
unreadable(struct smtp_probe *p, const struct smtp_reply_line *line)
{
	keep(p, line);
	if (p->reader.fault == SMTP_REPLY_LINE_LONG)
		return fail(p, "a line of more than 4096 octets");
	return fail(p, p->reader.fault == SMTP_REPLY_ENDLESS ? "a reply of more than 128 lines" : NULL);
}

/* What a login brought is known when no other step or mechanism follows. */
static enum smtp_probe_want
proved(struct smtp_probe *p, enum smtp_client_want want)
{
	if (want != SMTP_CLIENT_AUTH_NEXT && want != SMTP_CLIENT_AUTH_START)
		say_reply(p, plan_of(p)->login, NULL);
	return follow(p, want);
}

static enum smtp_probe_want
replied(struct smtp_probe *p, const struct smtp_reply_line *line, struct span octets, bool last)
{
	bool proves = last && is_login(p);
	const char *key, *label;
	enum smtp_client_want want;
	size_t used;

	keep(p, line);
	p->replies += last;
	if (span_find(octets, '\0') < octets.len)
		return fail(p, "a NUL in a reply");
	if (is_ehlo(p))
		ehlo_line(p, line, last);
	if (p->hostile != NULL)
		return fail(p, p->hostile);
	if (last && !proves && awaited(p, &key, &label))
		say_reply(p, key, label);
	if (p->phase == PROBE_CONTENT)
		return last ? ended(p, "") : p->want;
	if (last && plan_of(p)->ends_greeted)
		return over(p);
	want = smtp_client_feed(&p->client, octets, &used);
	return proves ? proved(p, want) : follow(p, want);
}

/* Over TLS came what nobody asked for there. */
static enum smtp_probe_want
answered(struct smtp_probe *p, bool answer)
{
	say(p, "injection", answer ? SPAN("answered") : SPAN("clean"));
	return over(p);
}

/* After a reply that made us say something the driver has to send it first, else the talk would depend on the split. */
enum smtp_probe_want
smtp_probe_feed(struct smtp_probe *p, struct span in, size_t *used)
{
	size_t before = p->io->out.len, n;

	*used = 0;
	while (p->want == SMTP_PROBE_INPUT && *used < in.len && p->io->out.len == before) {
		struct smtp_reply_line line;
		struct span rest = in;
		enum smtp_reply_step step;

		span_skip(&rest, *used);
		if (p->phase == PROBE_LISTENING) {
			*used = in.len;
			return answered(p, true);
		}
		step = smtp_reply_read(&p->reader, rest, &line, &n);
		if (step == SMTP_REPLY_MORE)
			break;
		*used += n;
		if (step == SMTP_REPLY_BAD)
			(void)unreadable(p, &line);
		else
			(void)replied(p, &line, span_head(rest, n), step == SMTP_REPLY_LAST);
	}
	if (p->want == SMTP_PROBE_SHAKE)
		*used = in.len;                 /* 3207-8: what came behind the 220 was never said */
	return p->want;
}

enum smtp_probe_want
smtp_probe_lost(struct smtp_probe *p, bool closed)
{
	if (p->phase == PROBE_OVER)
		return p->want;
	p->io->out.len = 0;
	forget_reply(p);
	if (p->phase == PROBE_LISTENING)
		return answered(p, false);
	if (p->phase == PROBE_CONTENT)
		return ended(p, closed ? "closed" : "waits");
	say_broken_off(p);
	return over(p);
}

/* ---- beginning, TLS, login ---- */

static enum smtp_probe_want
greet(struct smtp_probe *p)
{
	const struct plan *plan = plan_of(p);

	p->client_conf = (struct smtp_client_conf){
		.helo = SPAN("audit.invalid"),          /* nobody has this name: RFC 2606 reserves it */
		.tls = p->conf.implicit ? SMTP_TLS_IMPLICIT : plan->tls ? SMTP_TLS_REQUIRED : SMTP_TLS_NONE,
		.auth = plan->proves && p->conf.login,
		.helo_fallback = p->conf.implicit, .helo_only = plan->helo, .lenient = true,
	};
	probe_enter(p, PROBE_TALKING);
	return follow(p, smtp_client_begin(&p->client, &p->client_conf, p->io));
}

enum smtp_probe_want
smtp_probe_begin(struct smtp_probe *p, const struct smtp_probe_conf *conf, struct smtp_io *io)
{
	assert(conf->plan < SMTP_PROBE_PLANS && conf->ending <= SMTP_PROBE_ENDINGS && conf->sender.len <= SMTP_PROBE_SENDER_MAX);
	memset(p, 0, sizeof *p);
	p->conf = *conf;
	p->io = io;
	p->reader.lenient = true;
	p->text = BUF_OVER(p->text_octets);
	p->ehlo = BUF_OVER(p->ehlo_octets);
	p->phase = PROBE_SHAKING;
	if (conf->implicit)
		return probe_want(p, SMTP_PROBE_SHAKE);
	return greet(p);
}

enum smtp_probe_want
smtp_probe_secured(struct smtp_probe *p)
{
	assert(p->want == SMTP_PROBE_SHAKE);
	p->secured = true;
	p->greeted = false;
	if (p->phase == PROBE_SHAKING)
		return greet(p);
	if (!p->injected)
		return follow(p, smtp_client_secured(&p->client));
	probe_enter(p, PROBE_LISTENING);
	return probe_want(p, SMTP_PROBE_INPUT);
}

enum smtp_probe_want
smtp_probe_login(struct smtp_probe *p, enum smtp_mechanism mechanism, struct span initial)
{
	assert(p->want == SMTP_PROBE_LOGIN);
	p->proving = true;
	return follow(p, smtp_client_auth_begin(&p->client, mechanism, initial));
}

enum smtp_probe_want
smtp_probe_respond(struct smtp_probe *p, struct span response)
{
	assert(p->want == SMTP_PROBE_CHALLENGE);
	return follow(p, smtp_client_auth_next(&p->client, response));
}

/* Once it was begun, what the server said last is what it brought. */
enum smtp_probe_want
smtp_probe_decline(struct smtp_probe *p, struct span why)
{
	assert(p->want == SMTP_PROBE_LOGIN || p->want == SMTP_PROBE_CHALLENGE);
	if (p->proving)
		say_reply(p, plan_of(p)->login, NULL);
	return follow(p, smtp_client_auth_cancel(&p->client, why));
}

/* ---- watching ---- */

uint32_t
smtp_probe_patience(const struct smtp_probe *p, uint32_t usual)
{
	if (p->phase == PROBE_LISTENING)
		return INJECTED_MS;
	if (p->phase == PROBE_CONTENT)
		return usual < ENDING_MS ? usual : ENDING_MS;
	if (p->phase == PROBE_TALKING && p->proving && usual < LOGIN_MS)
		return LOGIN_MS;
	return usual;
}

bool
smtp_probe_awaits_greeting(const struct smtp_probe *p)
{
	return p->want == SMTP_PROBE_INPUT && p->phase == PROBE_TALKING && smtp_client_awaits(&p->client) == SMTP_STAGE_GREETING;
}

bool
smtp_probe_awaits_reply(const struct smtp_probe *p)
{
	return p->want == SMTP_PROBE_INPUT && (p->phase == PROBE_TALKING || p->phase == PROBE_ASIDE);
}

bool
smtp_probe_is_within_reply(const struct smtp_probe *p, struct span unused)
{
	return p->phase != PROBE_OVER && p->phase != PROBE_LISTENING && (p->reader.lines > 0 || !span_done(unused));
}

/*
 * SHAKING          nothing has been said or heard
 * TALKING, ASIDE   the client's state is what its own check says
 * CONTENT          a message was begun, and is not to be finished
 * OVER             nothing is wanted any more
 */
void
smtp_probe_check(const struct smtp_probe *p)
{
	assert(p->phase < PROBE_PHASE_MAX && (p->phase == PROBE_OVER) == (p->want == SMTP_PROBE_DONE));
	assert(p->text.len <= SMTP_PROBE_TEXT_MAX && p->ehlo.len <= SMTP_PROBE_EHLO_MAX && p->io->out.len <= p->io->out.max);
	assert((p->phase == PROBE_CONTENT) <= p->begun && p->taken <= p->begun && p->secured <= (p->phase != PROBE_SHAKING));
	assert(p->phase != PROBE_LISTENING || (p->secured && p->injected));
	if (p->phase == PROBE_TALKING || p->phase == PROBE_ASIDE)
		smtp_client_check(&p->client);
	if (p->want == SMTP_PROBE_SHAKE)
		assert(!p->secured && (p->conf.implicit || plan_of(p)->tls));
}

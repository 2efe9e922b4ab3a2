#include "base/base64.h"
#include "smtp/server_room.h"

/* Strongest first: some clients take the first they know, whatever RFC 4422 3.1 says. */
static const struct mechanism {
	struct span name;
	enum smtp_mechanism bit;
	bool server_first;
} mechanisms[] = {
	{ SPAN_INIT("SCRAM-SHA-256-PLUS"), SMTP_AUTH_SCRAM_SHA_256_PLUS, false },
	{ SPAN_INIT("SCRAM-SHA-256"), SMTP_AUTH_SCRAM_SHA_256, false },
	{ SPAN_INIT("PLAIN"), SMTP_AUTH_PLAIN, false },
	{ SPAN_INIT("LOGIN"), SMTP_AUTH_LOGIN, true },
};

enum { MECHANISMS = sizeof mechanisms / sizeof mechanisms[0] };

/* Nothing is to be proved where others can listen (4954-21, 4954-33). */
uint32_t
auth_mechanisms(const struct smtp_server *s)
{
	return s->facts.tls ? s->conf->mechanisms : 0;
}

void
auth_names_format(const struct smtp_server *s, struct buf *out)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if ((auth_mechanisms(s) & mechanisms[i].bit) != 0) {
			(void)buf_put_byte(out, ' ');
			(void)buf_put(out, mechanisms[i].name);
		}
}

static const struct mechanism *
find_mechanism(const struct smtp_server *s, struct span name)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if ((auth_mechanisms(s) & mechanisms[i].bit) != 0 && span_same(name, mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

static enum fail
take_initial(struct smtp_ask *ask, struct span text)
{
	ask->has_octets = !span_done(text);
	if (span_eq(text, SPAN("=")))           /* there, but empty (4954-9) */
		text.len = 0;
	if (text.len > SMTP_AUTH_LINE_MAX)
		return FAIL_AUTH_LINE_LONG;
	if (!base64_valid(text))
		return FAIL_BASE64;
	ask->octets = text;
	return OK;
}

struct verdict
auth_command(struct smtp_server *s, struct span args)
{
	struct span name = span_take_until(&args, ' ');
	const struct mechanism *m = find_mechanism(s, name);
	enum fail f;

	if (!s->esmtp)
		return because(FAIL_ORDER, "AUTH needs EHLO");
	if (span_done(name))
		return because(FAIL_SYNTAX, "AUTH needs the name of a mechanism");
	if (m == NULL)
		return because(FAIL_MECHANISM, NULL);
	(void)span_take_byte(&args, ' ');
	if (m->server_first && !span_done(args))
		return because(FAIL_INITIAL_RESPONSE, NULL);
	f = take_initial(&s->ask, args);
	if (f != OK)
		return because(f, NULL);
	s->ask.mechanism = m->bit;
	server_enter(s, SMTP_PROVING);
	server_ask(s, SMTP_ASK_AUTH_START);
	return because(OK, NULL);
}

void
auth_break(struct smtp_server *s, enum fail why)
{
	server_enter(s, SMTP_GREETED);
	server_refuse(s, because(why, NULL));
	s->then = s->want == SMTP_WANT_CLOSE ? THEN_CLOSE : THEN_INPUT;
	server_ask(s, SMTP_ASK_AUTH_CANCEL);
}

void
auth_line(struct smtp_server *s, struct span line)
{
	if (span_eq(line, SPAN("*"))) {
		auth_break(s, FAIL_AUTH_CANCELLED);
	} else if (!base64_valid(line)) {
		auth_break(s, FAIL_BASE64);
	} else {
		s->ask.has_octets = true;
		s->ask.octets = line;
		server_ask(s, SMTP_ASK_AUTH_NEXT);
	}
}

static void
proved(struct smtp_server *s)
{
	s->authenticated = true;
	s->nothings = 0;
	server_enter(s, SMTP_READY);
	reply_say(s, 235, "2.7.0", SPAN("authenticated"));
}

/* Only what the peer got wrong counts: a broken back end is no reason to throw anybody out (4954-31, 4954-34). */
static void
not_proved(struct smtp_server *s, struct verdict why)
{
	server_enter(s, SMTP_GREETED);
	server_refuse(s, why);
	/* 421 says that we close (RFC 5321 3.8). */
	if (fail_row(why.fail)->smtp == 421)
		server_hang_up(s);
	if (s->want == SMTP_WANT_INPUT && fail_row(why.fail)->blame == BLAME_PEER &&
	    ++s->auth_failures >= SMTP_AUTH_FAILURES_MAX)
		server_give_up(s);
}

void
auth_answered(struct smtp_server *s, const struct smtp_answer *a)
{
	if (a->auth == SMTP_AUTH_CHALLENGE) {
		if (!reply_challenge(s, a->challenge))
			auth_break(s, FAIL_AUTH_BACKEND);
	} else if (a->auth == SMTP_AUTH_DONE && a->verdict.fail == OK) {
		proved(s);
	} else {
		not_proved(s, a->verdict.fail == OK ? because(FAIL_CREDENTIALS, NULL) : a->verdict);
	}
}

#include <string.h>

#include "mail/utf8.h"
#include "smtp/server_room.h"

/* Every state that awaits a command. */
#define ANY (BIT(SMTP_OPENED) | BIT(SMTP_GREETED) | BIT(SMTP_READY) | BIT(SMTP_MAIL) | BIT(SMTP_RCPT) | BIT(SMTP_CHUNKS))

enum trait {
	BEFORE_TLS = 1,         /* may be said where STARTTLS must come first (3207-4) */
	PROOF = 2,              /* for those who have proved who they are: 530 to others (4954-30) */
	EIGHTBIT = 4,           /* octets above 127 are looked at by the command itself */
	EXACT = 8,              /* trailing spaces mean something */
	TRY = 16,               /* counted until a message is accepted */
};

/* ---- hello ---- */

static struct span
trimmed(struct span args)
{
	span_take_spaces(&args);
	while (args.len > 0 && args.p[args.len - 1] == ' ')
		args.len--;
	return args;
}

/* A refused hello changes nothing (5321-10) and its reply has no enhanced code (2034-2). */
static bool
hello(struct smtp_server *s, struct span name, bool esmtp)
{
	if (name.len > SMTP_HELO_MAX || !(domain_valid(name) || address_literal_valid(name))) {
		reply_plain(s, 501, "a host name or an address literal must follow");
		server_count(s, FAIL_SYNTAX);
		return false;
	}
	s->esmtp = esmtp;
	s->helo_len = (uint8_t)name.len;
	memcpy(s->helo, name.p, name.len);
	return true;
}

static void
hello_done(struct smtp_server *s)
{
	if (s->state == SMTP_OPENED && s->facts.local) {
		s->authenticated = true;
		server_enter(s, SMTP_READY);
	} else if (s->state == SMTP_OPENED) {
		server_enter(s, SMTP_GREETED);
	}
	server_forget_mail(s);
	server_idle(s);
}

static struct verdict
cmd_ehlo(struct smtp_server *s, struct span args)
{
	if (hello(s, args, true)) {
		reply_ehlo(s);
		hello_done(s);
	}
	return because(OK, NULL);
}

static struct verdict
cmd_helo(struct smtp_server *s, struct span args)
{
	if (hello(s, args, false)) {
		reply_host(s, 250, "");
		hello_done(s);
	}
	return because(OK, NULL);
}

static struct verdict
cmd_starttls(struct smtp_server *s, struct span args)
{
	if (s->facts.tls)
		return because(FAIL_ORDER, "TLS is up already");
	if (!span_done(args))
		return because(FAIL_ARGUMENT, NULL);
	if (!s->facts.starttls)
		return because(FAIL_TLS_UNAVAILABLE, NULL);
	reply_say(s, 220, "2.0.0", SPAN("Ready to start TLS"));
	s->want = SMTP_WANT_STARTTLS;
	return because(OK, NULL);
}

/* ---- a transaction ---- */

static struct verdict
take_path(struct span *args, struct span keyword, bool null_ok, struct mailbox *path)
{
	enum fail syntax = null_ok ? FAIL_SENDER_SYNTAX : FAIL_RCPT_SYNTAX;
	enum path_error e;

	if (!span_take(args, keyword))
		return because(syntax, null_ok ? "MAIL FROM:<address> is the form" : "RCPT TO:<address> is the form");
	/* Spaces behind the colon are against the grammar and common (5321-14). */
	span_take_spaces(args);
	e = path_take(args, null_ok, path);
	if (e == PATH_UNQUALIFIED)
		return because(null_ok ? FAIL_SENDER_DOMAIN : FAIL_RCPT_DOMAIN, NULL);
	return e == PATH_OK ? because(OK, NULL) : because(syntax, path_error_text(e));
}

static struct verdict
cmd_mail(struct smtp_server *s, struct span args)
{
	struct verdict v = take_path(&args, SPAN("FROM:"), true, &s->ask.path);

	if (v.fail == OK)
		v = mail_params(s, args);
	if (v.fail == OK && s->ask.path.utf8 && !s->ask.utf8)
		v = because(FAIL_UTF8_SENDER, NULL);
	if (v.fail != OK)
		return v;
	s->strays = 0;
	if (s->mail == NULL)
		s->want = SMTP_WANT_MEMORY;
	else
		mail_begin(s);
	return v;
}

void
mail_begin(struct smtp_server *s)
{
	struct smtp_mail *m = s->mail;
	struct span from = s->ask.path.whole;

	m->reverse_path_len = (uint16_t)from.len;
	if (from.len > 0)
		memcpy(m->reverse_path, from.p, from.len);
	m->recipient_len = 0;
	m->body = s->ask.body;
	m->utf8 = s->ask.utf8;
	m->requiretls = s->ask.requiretls;
	m->terms = s->ask.terms;
	m->eightbit = m->in_body = false;
	m->size = m->queue_id = m->chunk_left = 0;
	m->rcpts = m->rcpt_commands = m->overshoot = 0;
	m->taken = 0;
	m->line = 1;
	m->column = 0;
	m->partial_len = 0;
	m->fail = OK;
	m->fail_line = 0;
	m->fail_words = m->unfit = NULL;
	m->unfit_line = 0;
	header_init(&m->header, m->utf8);
	server_ask(s, SMTP_ASK_SENDER);
}

/* In our words, or in those of somebody else. */
static void
refuse_answered(struct smtp_server *s, const struct smtp_answer *a)
{
	if (a->code == 0) {
		server_refuse(s, a->verdict);
		return;
	}
	reply_say(s, a->code, a->enhanced, a->verdict.words);
	server_count(s, a->verdict.fail);
}

void
sender_answered(struct smtp_server *s, const struct smtp_answer *a)
{
	if (a->verdict.fail != OK) {
		refuse_answered(s, a);
		return;
	}
	s->drafting = true;
	s->nothings = 0;
	server_enter(s, SMTP_MAIL);
	if (a->lowered)
		s->mail->terms.priority = a->priority;
	if (a->lowered)
		reply_priority(s, a->priority);
	else
		reply_say(s, 250, "2.1.0", SPAN("sender ok"));
}

static struct verdict
cmd_rcpt(struct smtp_server *s, struct span args)
{
	struct smtp_mail *m = s->mail;
	struct verdict v;

	/* Failed ones count too (9422-2). */
	if (m->rcpt_commands == s->conf->rcpt_max && ++m->overshoot > SMTP_OVERSHOOT_MAX) {
		server_give_up(s, "far more recipients than RCPTMAX, closing");
		return because(OK, NULL);
	}
	if (m->rcpt_commands == s->conf->rcpt_max)
		return because(FAIL_RCPT_MANY, NULL);
	m->rcpt_commands++;
	v = take_path(&args, SPAN("TO:"), false, &s->ask.path);
	if (v.fail == OK)
		v = rcpt_params(s, args);
	if (v.fail == OK && s->ask.path.utf8 && !m->utf8)
		v = because(FAIL_UTF8_RCPT, NULL);
	if (v.fail != OK)
		return v;
	/* The answer may come when the line is not there any more. */
	if (m->rcpts == 0) {
		m->recipient_len = (uint16_t)s->ask.path.whole.len;
		memcpy(m->recipient, s->ask.path.whole.p, m->recipient_len);
	}
	server_ask(s, SMTP_ASK_RCPT);
	return v;
}

void
rcpt_answered(struct smtp_server *s, const struct smtp_answer *a)
{
	if (a->verdict.fail != OK) {
		refuse_answered(s, a);
		return;
	}
	s->mail->rcpts++;
	server_enter(s, SMTP_RCPT);
	reply_say(s, 250, "2.1.5", SPAN("recipient ok"));
}

static struct verdict
cmd_data(struct smtp_server *s, struct span args)
{
	if (!span_done(args))
		return because(FAIL_ARGUMENT, NULL);
	if (s->mail->body == SMTP_BODY_BINARYMIME)
		return because(FAIL_ORDER, "BODY=BINARYMIME comes with BDAT, not with DATA");  /* 3030-4 */
	s->dot_data = true;
	server_ask(s, SMTP_ASK_DATA);
	return because(OK, NULL);
}

void
data_answered(struct smtp_server *s, const struct smtp_answer *a)
{
	if (a->verdict.fail != OK) {
		if (s->dot_data)
			server_refuse(s, a->verdict);
		else
			chunk_drop(s, a->verdict);
		return;
	}
	s->mail->queue_id = a->queue_id;
	s->mail->digesting = a->digest_key != NULL;
	if (s->mail->digesting)
		siphash_init(&s->mail->digest, a->digest_key);
	server_enter(s, SMTP_BODY);
	content_begin(s);
	if (s->dot_data)
		reply_plain(s, 354, "send the message, then a line with a dot");
	else
		chunk_begin(s);
}

void
author_answered(struct smtp_server *s, const struct smtp_answer *a)
{
	if (a->verdict.fail == OK) {
		server_ask(s, SMTP_ASK_COMMIT);
		return;
	}
	server_forget_mail(s);
	server_refuse(s, a->verdict);
}

/* The one place where the message becomes ours (5321-47), or is somebody else's, who has said so. */
void
commit_answered(struct smtp_server *s, const struct smtp_answer *a)
{
	s->drafting = false;
	server_forget_mail(s);
	if (a->verdict.fail != OK) {
		refuse_answered(s, a);
		return;
	}
	s->errors = s->nothings = s->tries = 0;
	s->discarded = 0;
	/* It is queued already: what the client would have heard the first time. */
	if (a->queue_id != 0)
		s->mail->queue_id = a->queue_id;
	if (a->code != 0)
		reply_say(s, a->code, a->enhanced, a->verdict.words);
	else
		reply_queued(s);
}

/* ---- the rest ---- */

static struct verdict
cmd_rset(struct smtp_server *s, struct span args)
{
	if (!span_done(args))
		return because(FAIL_ARGUMENT, NULL);
	reply_say(s, 250, "2.0.0", SPAN("forgotten"));
	server_forget_mail(s);
	server_idle(s);
	return because(OK, NULL);
}

static struct verdict
cmd_noop(struct smtp_server *s, struct span args)
{
	(void)args;
	reply_say(s, 250, "2.0.0", SPAN("ok"));
	server_idle(s);
	return because(OK, NULL);
}

static struct verdict
cmd_help(struct smtp_server *s, struct span args)
{
	(void)args;
	reply_say(s, 214, "2.0.0", SPAN("EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT, as RFC 6409 has it"));
	server_idle(s);
	return because(OK, NULL);
}

static struct verdict
cmd_vrfy(struct smtp_server *s, struct span args)
{
	if (!s->authenticated)
		return because(FAIL_NEED_AUTH, NULL);
	if (span_done(args))
		return because(FAIL_SYNTAX, "VRFY needs an address");
	reply_say(s, 252, "2.5.0", SPAN("not verified, but a message to it will be tried"));
	server_idle(s);
	return because(OK, NULL);
}

static struct verdict
cmd_quit(struct smtp_server *s, struct span args)
{
	if (!span_done(args))
		return because(FAIL_ARGUMENT, NULL);
	reply_say(s, 221, "2.0.0", SPAN("bye"));
	server_hang_up(s);
	return because(OK, NULL);
}

static struct verdict
cmd_unimplemented(struct smtp_server *s, struct span args)
{
	(void)s;
	(void)args;
	return because(FAIL_UNIMPLEMENTED, NULL);
}

static struct verdict
cmd_unknown(struct smtp_server *s, struct span args)
{
	(void)s;
	(void)args;
	return because(FAIL_COMMAND, NULL);
}

/* ---- the table ---- */

void
command_refuse_stray(struct smtp_server *s, struct verdict why)
{
	if ((why.fail == FAIL_ORDER || why.fail == FAIL_NO_RCPT) && s->authenticated && s->strays <= s->conf->rcpt_max) {
		s->strays++;
		reply_verdict(s, why);
	} else {
		server_refuse(s, why);
	}
}

static void
refuse_stray(struct smtp_server *s, struct span args, struct verdict why)
{
	(void)args;
	command_refuse_stray(s, why);
}

static void
refuse_simply(struct smtp_server *s, struct span args, struct verdict why)
{
	(void)args;
	server_refuse(s, why);
}

static const struct command {
	struct span verb;
	unsigned legal;                 /* states in which it may be said */
	unsigned traits;
	struct verdict (*run)(struct smtp_server *, struct span args);
	void (*refuse)(struct smtp_server *, struct span args, struct verdict);
} commands[] = {
	{ SPAN_INIT("EHLO"), ANY, BEFORE_TLS | EIGHTBIT, cmd_ehlo, refuse_simply },
	{ SPAN_INIT("HELO"), ANY, EIGHTBIT, cmd_helo, refuse_simply },
	{ SPAN_INIT("STARTTLS"), ANY & ~BIT(SMTP_OPENED), BEFORE_TLS, cmd_starttls, refuse_simply },
	{ SPAN_INIT("AUTH"), BIT(SMTP_GREETED), EIGHTBIT | EXACT, auth_command, refuse_simply },
	{ SPAN_INIT("MAIL"), BIT(SMTP_READY), PROOF | EIGHTBIT | TRY, cmd_mail, refuse_simply },
	{ SPAN_INIT("RCPT"), BIT(SMTP_MAIL) | BIT(SMTP_RCPT), PROOF | EIGHTBIT, cmd_rcpt, refuse_stray },
	{ SPAN_INIT("DATA"), BIT(SMTP_RCPT), PROOF | TRY, cmd_data, refuse_stray },
	{ SPAN_INIT("BDAT"), BIT(SMTP_RCPT) | BIT(SMTP_CHUNKS), PROOF, chunk_command, chunk_refuse },
	{ SPAN_INIT("RSET"), ANY, 0, cmd_rset, refuse_simply },
	{ SPAN_INIT("NOOP"), ANY, BEFORE_TLS, cmd_noop, refuse_simply },
	{ SPAN_INIT("QUIT"), ANY, BEFORE_TLS, cmd_quit, refuse_simply },
	{ SPAN_INIT("VRFY"), ANY, EIGHTBIT, cmd_vrfy, refuse_simply },
	{ SPAN_INIT("HELP"), ANY, 0, cmd_help, refuse_simply },
	{ SPAN_INIT("EXPN"), ANY, EIGHTBIT, cmd_unimplemented, refuse_simply },
	{ SPAN_INIT("BURL"), ANY, EIGHTBIT, cmd_unimplemented, refuse_simply },
	{ SPAN_INIT("ETRN"), ANY, EIGHTBIT, cmd_unimplemented, refuse_simply },
	{ SPAN_INIT("TURN"), ANY, EIGHTBIT, cmd_unimplemented, refuse_simply },
	{ SPAN_INIT("ATRN"), ANY, EIGHTBIT, cmd_unimplemented, refuse_simply },
};

static const struct command unknown = { SPAN_INIT(""), ANY, EIGHTBIT, cmd_unknown, refuse_simply };

static const struct command *
find_command(struct span verb)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (span_same(verb, commands[i].verb))
			return &commands[i];
	return &unknown;
}

static enum fail
admit(const struct smtp_server *s, const struct command *c, struct span args)
{
	if (s->facts.starttls && (c->traits & BEFORE_TLS) == 0)
		return FAIL_NEED_TLS;
	if ((c->traits & EIGHTBIT) == 0 && !utf8_is_ascii(args))
		return FAIL_EIGHTBIT_COMMAND;
	if ((c->legal & BIT(s->state)) != 0)
		return OK;
	if (s->state == SMTP_GREETED && (c->traits & PROOF) != 0)
		return FAIL_NEED_AUTH;
	return s->state == SMTP_MAIL && (c->legal & BIT(SMTP_RCPT)) != 0 ? FAIL_NO_RCPT : FAIL_ORDER;
}

void
command_take(struct smtp_server *s, struct span line)
{
	struct span verb = span_take_until(&line, ' ');
	const struct command *c = find_command(verb);
	struct verdict v;

	if ((c->traits & EXACT) == 0)
		line = trimmed(line);
	else
		(void)span_take_byte(&line, ' ');
	v = because(admit(s, c, line), NULL);
	if (v.fail == OK && (c->traits & TRY) != 0 && ++s->tries > SMTP_TRIES_MAX) {
		server_give_up(s, "too many messages in a row came to nothing, closing");
		return;
	}
	if (v.fail == OK)
		v = c->run(s, line);
	if (v.fail != OK)
		c->refuse(s, line, v);
}

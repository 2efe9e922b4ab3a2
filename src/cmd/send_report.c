#include <stdio.h>
#include <string.h>

#include "cmd/send.h"

/* Which of two ends to report: for ever is worse than later, and the first for ever is the one that counts. */
static int
worse(int a, int b)
{
	if (a == 0 || (a == EX_TEMPFAIL && b != 0))
		return b;
	return a;
}

bool
send_fail(struct send *s, int status, const char *format, ...)
{
	char words[SEND_WORDS_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(words, sizeof words, format, ap);
	va_end(ap);
	(void)fprintf(stderr, "%s: %s\n", s->program, words);
	send_clean(span_of(words), s->failed, sizeof s->failed);
	s->status = worse(s->status, status);
	return false;
}

void
send_clean(struct span text, char *out, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len && n + 1 < room; i++)
		out[n++] = text.p[i] >= 32 && text.p[i] < 127 ? (char)text.p[i] : '?';
	out[n] = '\0';
}

void
send_verbose(const struct send *s, const char *mark, struct span line)
{
	char clean[1100];

	if (!s->options.verbose)
		return;
	send_clean(line, clean, sizeof clean);
	(void)fprintf(stderr, "%s %s\n", mark, clean);
}

/* sysexits(3) of an enhanced code (RFC 3463 3): who has to do something about it. */
static int
status_of(const struct smtp_outcome *o)
{
	static const struct { const char *prefix; int status; } rows[] = {
		{ "5.1.1", EX_NOUSER }, { "5.1.2", EX_NOHOST }, { "5.1.10", EX_NOHOST }, { "5.1.", EX_DATAERR },
		{ "5.3.4", EX_DATAERR }, { "5.5.", EX_PROTOCOL }, { "5.6.", EX_DATAERR }, { "5.7.", EX_NOPERM },
	};

	/* Our own verdict is about the login, unless the connection or the protocol broke. */
	if (o->stage == SMTP_STAGE_AUTH && o->code == 0 && strcmp(o->enhanced, "4.4.2") != 0 && strcmp(o->enhanced, "4.5.0") != 0)
		return EX_NOPERM;
	if (o->class == SMTP_CLASS_LATER)
		return o->stage == SMTP_STAGE_STARTTLS && o->code == 0 ? EX_PROTOCOL : EX_TEMPFAIL;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strncmp(o->enhanced, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].status;
	return o->stage == SMTP_STAGE_AUTH ? EX_NOPERM : EX_UNAVAILABLE;
}

static const char *
stage_words(enum smtp_stage stage)
{
	static const char *const words[] = {
		[SMTP_STAGE_GREETING] = "the connection", [SMTP_STAGE_EHLO] = "to EHLO", [SMTP_STAGE_STARTTLS] = "to STARTTLS",
		[SMTP_STAGE_AUTH] = "to AUTH", [SMTP_STAGE_MAIL] = "to MAIL FROM", [SMTP_STAGE_RCPT] = "to RCPT TO",
		[SMTP_STAGE_DATA] = "to DATA", [SMTP_STAGE_CONTENT] = "to the message", [SMTP_STAGE_RSET] = "to RSET",
		[SMTP_STAGE_QUIT] = "to QUIT",
	};

	return words[stage];
}

/* 4954-17's one text for all does not say what to do; here is somebody who can do it. */
static const char *
advice(const struct smtp_outcome *o)
{
	if (o->stage == SMTP_STAGE_AUTH && o->code == 535)
		return " (check user and password)";
	return "";
}

/* A sender that nobody has named is refused by most servers, and only we know where it comes from. */
static void
advise_from(struct send *s, const struct smtp_outcome *o)
{
	if (!s->from_made || s->options.null_sender || o->stage != SMTP_STAGE_MAIL || o->code < 500)
		return;
	(void)fprintf(stderr, "%s: the sender was %s, as neither an option nor the account named one; --from (sendmail: -f) does\n", s->program,
	    s->from);
	s->from_made = false;   /* once for all recipients */
}

static void
keep_words(struct send *s, const struct smtp_outcome *o)
{
	struct span text = o->text;

	if (span_take(&text, span_of(o->enhanced)))
		(void)span_take_spaces(&text);
	send_clean(text, s->said, sizeof s->said);
	s->taken++;
}

void
send_outcome(struct send *s, const struct smtp_outcome *o, const char *address)
{
	char text[SMTP_REPLY_KEPT + 1];

	if (o->class == SMTP_CLASS_DELIVERED) {
		keep_words(s, o);
		return;
	}
	send_clean(o->text, text, sizeof text);
	if (o->code == 0)
		(void)send_fail(s, status_of(o), "%s: %s", address == NULL ? s->server.host.p : address, text);
	else
		(void)send_fail(s, status_of(o), "%s%s%s answered %s: %u %s%s", address == NULL ? "" : address,
		    address == NULL ? "" : ": ", s->server.host.p, stage_words(o->stage), o->code, text, advice(o));
	advise_from(s, o);
}

#include <string.h>

#include "proc/1_front.h"

enum { LINES_A_MINUTE = 20 };

struct span
words_peer(const struct front_session *s)
{
	struct span p = span_of(s->peer);

	(void)span_take_byte(&p, '[');
	(void)span_take(&p, SPAN("IPv6:"));
	if (p.len > 0 && p.p[p.len - 1] == ']')
		p.len--;
	return p;
}

static const char *
mechanism_name(const struct front_session *s)
{
	switch ((enum smtp_mechanism)s->mechanism) {
	case SMTP_AUTH_PLAIN:
		return "PLAIN";
	case SMTP_AUTH_LOGIN:
		return "LOGIN";
	case SMTP_AUTH_SCRAM_SHA_256:
		return "SCRAM-SHA-256";
	case SMTP_AUTH_SCRAM_SHA_256_PLUS:
		return "SCRAM-SHA-256-PLUS";
	}
	return "?";
}

/* Who it is and over what (8314-16). */
static void
put_session(struct log_line *l, const struct front_session *s)
{
	struct tls_facts f;

	if (s->login != NULL)
		log_text(l, "login", s->login);
	log_span(l, "peer", words_peer(s));
	log_text(l, "service", s->implicit ? "submissions" : "submission");
	if (s->tls == NULL || s->phase < PHASE_TALK || !s->smtp.facts.tls)
		return;
	tls_facts(s->tls, &f);
	log_text(l, "tls", f.version);
	log_text(l, "cipher", f.cipher);
	log_text(l, "group", f.group);
}

void
words_proved(const struct front_session *s)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, "authenticated");
	put_session(&l, s);
	log_text(&l, "mechanism", mechanism_name(s));
	log_span(&l, "helo", (struct span){ s->smtp.helo, s->smtp.helo_len });
	log_end(&l);
}

void
words_not_proved(const struct front_session *s, enum fail why, struct span login)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, "auth-refused");
	if (login.len > 0)
		log_span(&l, "login", login);
	put_session(&l, s);
	log_text(&l, "mechanism", mechanism_name(s));
	log_text(&l, "why", fail_row(why)->text);
	log_end(&l);
}

void
words_ended(const struct front_session *s, const char *why)
{
	struct log_line l;

	/* Strangers come and go by the thousand; who has proved something is worth a line. */
	log_begin(&l, s->login != NULL ? LOG_NOTE : LOG_FINE, "session-ended");
	put_session(&l, s);
	log_u64(&l, "accepted", s->accepted);
	log_text(&l, "why", why);
	log_end(&l);
}

/* May another line of the kind that strangers can cause be written? *silent: how many were not, since the last one. */
static bool
within_limit(uint64_t *silent)
{
	static uint64_t minute, lines, unsaid;
	uint64_t now = uv_now(&front.child.loop) / 60000;

	if (now != minute) {
		minute = now;
		lines = 0;
	}
	if (lines == LINES_A_MINUTE) {
		unsaid++;
		return false;
	}
	lines++;
	*silent = unsaid;
	unsaid = 0;
	return true;
}

void
words_misused(const struct front_session *s, const char *what, const char *change)
{
	struct log_line l;
	uint64_t silent;

	if (!within_limit(&silent))
		return;
	log_begin(&l, LOG_NOTE, "client-misconfigured");
	put_session(&l, s);
	log_text(&l, "what", what);
	log_text(&l, "change", change);
	if (silent > 0)
		log_u64(&l, "unsaid", silent);
	log_end(&l);
}

void
words_handshake(const struct front_session *s, const char *why)
{
	struct log_line l;
	uint64_t silent;

	if (!within_limit(&silent))
		return;
	log_begin(&l, LOG_NOTE, "handshake-failed");
	put_session(&l, s);
	log_text(&l, "why", why);
	if (silent > 0)
		log_u64(&l, "unsaid", silent);
	log_end(&l);
}

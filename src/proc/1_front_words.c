#include <string.h>

#include "proc/1_front_first.h"

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
	const char *name = smtp_mechanism_name((enum smtp_mechanism)s->mechanism);

	return name != NULL ? name : "?";
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

/* Of strangers' doing: in a minute and in one front; how many more there were is said behind it. */
static struct limit { uint64_t minute, lines, unsaid; } refusals;

static uint64_t
this_minute(void)
{
	return uv_now(&front.child.loop) / 60000;
}

static bool
within_limit(struct limit *l, uint64_t most)
{
	if (l->minute != this_minute()) {
		l->minute = this_minute();
		l->lines = 0;
	}
	if (l->lines < most) {
		l->lines++;
		return true;
	}
	l->unsaid++;
	return false;
}

/* What was not said in a minute that is over, and is said now. */
static uint64_t
unsaid_of(struct limit *l)
{
	uint64_t unsaid = l->minute == this_minute() ? 0 : l->unsaid;

	if (unsaid > 0)
		l->unsaid = 0;
	return unsaid;
}

void
words_not_proved(const struct front_session *s, enum fail why, struct span login)
{
	struct log_line l;

	/* Nothing was looked at, and it may be thousands a second: 3_auth says so, and how many they were. */
	if (why == FAIL_GUESSING || !within_limit(&refusals, REFUSED_LINES))
		return;
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

/* ---- what strangers can cause ---- */

static const struct misuse {
	enum log_level level;
	const char *event, *what, *change;
} misuses[MISUSE_MAX] = {
#define CLIENT LOG_NOTE, "client-misconfigured"
#define PROXY LOG_WARN, "proxy-refused"
	[MISUSE_SMTP] = { CLIENT, "plaintext SMTP on the submissions port",
	    "set the connection security to SSL/TLS, or use port 587 with STARTTLS" },
	[MISUSE_SILENT] = { CLIENT, "nothing came, not even a TLS handshake",
	    "a client that waits for a greeting here needs SSL/TLS as its connection security" },
	[MISUSE_HTTP] = { CLIENT, "HTTP on the submissions port", "this is a mail port; a web browser has no business here" },
	[MISUSE_HTTP_IN_TLS] = { CLIENT, "HTTP inside TLS",
	    "a web page that leads browsers here may want to misuse the certificate (ALPACA)" },
	[MISUSE_HTTP_IN_CLEAR] = { CLIENT, "HTTP on the STARTTLS port", "this is a mail port; a web browser has no business here" },
	[MISUSE_URD] = { CLIENT, "a URD request (group and source of a multicast) on the submissions port",
	    "a router between this client and us should take it: switch URD on there, or let the client use IGMPv3" },
	[MISUSE_SSL2] = { CLIENT, "SSL 2.0 hello on the submissions port",
	    "let the client speak TLS 1.2 or later; it may need an update" },
	[MISUSE_OTHER] = { CLIENT, "something that is not TLS on the submissions port",
	    "set the connection security to SSL/TLS, or use port 587 with STARTTLS" },
	[MISUSE_TLS_IN_CLEAR] = { CLIENT, "TLS on the STARTTLS port",
	    "use port 465 for SSL/TLS, or set the connection security to STARTTLS" },
#define HANDSHAKE LOG_NOTE, "handshake-failed"
	[MISUSE_HANDSHAKE + TLS_CURE_UNKNOWN] = { HANDSHAKE, "other reasons", NULL },
	[MISUSE_HANDSHAKE + TLS_CURE_UPDATE] = { HANDSHAKE, "the client is too old",
	    "let the client speak TLS 1.2 or later with AEAD suites; it, its TLS library or its system may need an update" },
	[MISUSE_HANDSHAKE + TLS_CURE_TRUST] = { HANDSHAKE, "the client does not trust our certificate",
	    "let the client trust our CA and use a name that is in our certificate, or set `certificate` to one that it trusts" },
	[MISUSE_HANDSHAKE + TLS_CURE_NAME] = { HANDSHAKE, "the client uses a name that is not in our certificate",
	    "let the client use a name that is in our certificate, or set `certificate` to one that has the name it uses" },
	[MISUSE_HANDSHAKE + TLS_CURE_RENEW] = { HANDSHAKE, "the client says that our certificate is out of date",
	    "renew `certificate`, or set the client's clock right" },
	[MISUSE_HANDSHAKE + TLS_CURE_KIND] = { HANDSHAKE, "the client cannot use our kind of key",
	    "add a `certificate` with another kind of key (RSA beside ECDSA), or update the client" },
	[MISUSE_HANDSHAKE + TLS_CURE_ALPN] = { HANDSHAKE, "the client wants another protocol (ALPN)",
	    "no mail client does; a web page that leads browsers here may want to misuse the certificate (ALPACA)" },
	[MISUSE_PROXY_STRANGER] = { LOG_NOTE, "proxy-refused", "PROXY header from an address that is not in `proxy`",
	    "if it is a proxy of yours, add its address to `proxy`; nobody else is believed" },
	[MISUSE_PROXY_ABSENT] = { PROXY, "no PROXY header from an address in `proxy`",
	    "let it send version 2 (send-proxy-v2 in HAProxy), or take its address out of `proxy`" },
	[MISUSE_PROXY_VERSION] = { PROXY, "PROXY header of version 1",
	    "let the proxy send version 2 (send-proxy-v2 instead of send-proxy in HAProxy)" },
	[MISUSE_PROXY_BAD] = { PROXY, "PROXY header malformed", "see what is between this proxy and us, and which version it runs" },
	[MISUSE_PROXY_LATE] = { PROXY, "no whole PROXY header within half a minute from an address in `proxy`",
	    "let it send version 2 (send-proxy-v2 in HAProxy), or take its address out of `proxy`" },
};

/* One kind must not hide another, so each has its own minute. */
static struct limit limits[MISUSE_MAX];

static const char *
what_key(enum front_misuse misuse)
{
	return misuse >= MISUSE_HANDSHAKE && misuse <= MISUSE_HANDSHAKE_LAST ? "why" : "what";
}

void
words_misused_because(const struct front_session *s, enum front_misuse misuse, const char *what)
{
	const struct misuse *m = &misuses[misuse];
	struct log_line l;

	if (!within_limit(&limits[misuse], MISUSE_LINES))
		return;
	log_begin(&l, m->level, m->event);
	put_session(&l, s);
	log_text(&l, what_key(misuse), what);
	if (m->change != NULL)
		log_text(&l, "change", m->change);
	log_end(&l);
}

void
words_misused(const struct front_session *s, enum front_misuse misuse)
{
	words_misused_because(s, misuse, misuses[misuse].what);
}

void
words_handshake(const struct front_session *s)
{
	char text[400];
	struct buf why = BUF_OVER(text);

	tls_why(s->tls, &why);
	words_misused_because(s, MISUSE_HANDSHAKE + tls_cure(s->tls), text);
}

static void
count_refusals(void)
{
	uint64_t unsaid = unsaid_of(&refusals);
	struct log_line l;

	if (unsaid == 0)
		return;
	log_begin(&l, LOG_NOTE, "auth-refused");
	log_u64(&l, "unsaid", unsaid);
	log_end(&l);
}

void
words_count_unsaid(void)
{
	count_refusals();
	for (enum front_misuse i = 0; i < MISUSE_MAX; i++) {
		uint64_t unsaid = unsaid_of(&limits[i]);
		struct log_line l;

		if (unsaid == 0)
			continue;
		log_begin(&l, misuses[i].level, misuses[i].event);
		log_text(&l, what_key(i), misuses[i].what);
		log_u64(&l, "unsaid", unsaid);
		log_end(&l);
	}
}

/* The driver of smtp/client for one command: it waits, it may ask nobody, and everything it learns goes to the user. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/send_session.h"

enum { LAST_WORDS_MS = 1000, LAST_READS = 8 };

/* ---- what the user sees of the conversation ---- */

static void
show_lines(const struct session *s, const char *mark, struct span text, bool secret)
{
	while (s->send->options.verbose && text.len > 0) {
		struct span line = span_take_until(&text, '\n');

		span_skip(&text, 1);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (secret && span_same(span_head(line, 5), SPAN("AUTH ")))
			send_verbose(s->send, mark, span_head(line, 5 + span_find((struct span){ line.p + 5, line.len - 5 }, ' ')));
		else
			send_verbose(s->send, mark, secret ? SPAN("(hidden)") : line);
	}
}

static void
show_out(const struct session *s)
{
	if (!s->content_out)
		show_lines(s, ">", buf_span(&s->io.out), s->secret_out);
}

static void
show_in(const struct session *s, struct span used)
{
	show_lines(s, "<", used, s->secret_in && used.len > 2 && used.p[0] == '3');
}

/* ---- bytes ---- */

static enum smtp_client_want
lose(struct session *s)
{
	return smtp_client_lost(&s->client, SMTP_CLASS_LATER, span_of(s->link.why));
}

/* Send what io.out has. False when the connection broke; the peer's last words may still be readable. */
static bool
flush(struct session *s)
{
	bool good = true;

	if (s->io.out.len > 0) {
		show_out(s);
		good = send_link_write(&s->link, buf_span(&s->io.out), s->content_out ? &s->in : NULL,
		    smtp_client_patience(&s->client)) == LINK_DATA;
	}
	if (s->secret_out)
		wipe(s->io.out.p, s->io.out.len);
	/* What did not go out the engine has to know of: no answer is about it. */
	if (good || s->secret_out)
		s->io.out.len = 0;
	s->secret_in = s->secret_out;
	s->secret_out = s->content_out = false;
	return good;
}

static enum smtp_client_want
feed(struct session *s)
{
	enum smtp_client_want want;
	size_t used;

	want = smtp_client_feed(&s->client, buf_span(&s->in), &used);
	show_in(s, span_head(buf_span(&s->in), used));
	buf_drop(&s->in, used);
	s->fresh = used > 0 && s->in.len > 0;
	return want;
}

/* A peer that refuses in the middle of the content says why before it hangs up. */
static enum smtp_client_want
last_words(struct session *s)
{
	char why[sizeof s->link.why];

	memcpy(why, s->link.why, sizeof why);
	for (int i = 0; i < LAST_READS; i++) {
		enum smtp_client_want want = s->in.len > 0 ? feed(s) : SMTP_CLIENT_CONTENT;

		if (want == SMTP_CLIENT_OUTCOME || want == SMTP_CLIENT_CLOSE) {
			s->io.out.len = 0;
			return want;
		}
		if (send_link_read(&s->link, &s->in, LAST_WORDS_MS) != LINK_DATA)
			break;
	}
	memcpy(s->link.why, why, sizeof why);
	return lose(s);
}

/* flush() has failed. */
static enum smtp_client_want
cannot_write(struct session *s, bool content)
{
	return content ? last_words(s) : lose(s);
}

/* RFC 8314 3.3: where TLS comes first the server waits as we do. It may only be slow as well, so this is advice. */
static void
advise_greeting(const struct session *s, const char *words)
{
	const struct send *send = s->send;

	(void)fprintf(stderr, "%s: %s:%u [%s] %s: where TLS is awaited from the first octet, as on port 465, right would be submissions://%s:%u\n",
	    send->program, send->server.host.p, send->server.port, s->link.peer, words, send->server.host.p, send->server.port);
}

/* More into in, with an eye on a greeting that may never come. */
static enum send_link_step
await_input(struct session *s)
{
	uint32_t patience = smtp_client_patience(&s->client), first = s->send->options.seconds * 1000;
	bool greeting = s->link.tls == NULL && s->send->server.tls == CONF_RELAY_STARTTLS && smtp_client_awaits(&s->client) == SMTP_STAGE_GREETING;
	enum send_link_step step;

	if (greeting && first < patience && !send_link_wait(&s->link, first)) {
		if (!s->send->options.quiet)
			advise_greeting(s, "has not greeted us yet");
		patience -= first;
	}
	step = send_link_read(&s->link, &s->in, patience);
	if (greeting && step != LINK_DATA)
		advise_greeting(s, "never greeted us");
	return step;
}

static enum smtp_client_want
want_input(struct session *s)
{
	bool content = s->content_out;

	if (!flush(s))
		return cannot_write(s, content);
	if (!s->fresh && await_input(s) != LINK_DATA)
		return lose(s);
	return feed(s);
}

static enum smtp_client_want
want_flush(struct session *s)
{
	bool content = s->content_out;

	return flush(s) ? smtp_client_go_on(&s->client) : cannot_write(s, content);
}

/* ---- TLS and proof ---- */

/* Port 587 greets in clear (RFC 8314 3.3); who has seen our first octets before that may answer them as TLS wants it. */
static bool
awaits_starttls(const char *why)
{
	return strncmp(why, "not TLS", 7) == 0 || strstr(why, "(alert unexpected_message)") != NULL;
}

/* A CA of one's own is none of the system's. */
static void
advise_tls(const struct session *s)
{
	const struct send *send = s->send;

	if (send->ca.p[0] == '\0' && strstr(s->link.why, "not trusted here") != NULL)
		(void)fprintf(stderr, "%s: --ca FILE (ca in an account) trusts the CAs in FILE instead of the system's\n", send->program);
	if (send->server.tls == CONF_RELAY_IMPLICIT && awaits_starttls(s->link.why))
		(void)fprintf(stderr, "%s: where STARTTLS is awaited, as on port 587, right would be submission://%s:%u\n", send->program,
		    send->server.host.p, send->server.port);
}

static bool
secure(struct session *s)
{
	struct send *send = s->send;
	const char *host = send->server.host.p;

	if (!send_link_secure(&s->link, host, send->ca.p, send->options.seconds * 1000)) {
		int status = s->link.trust == NULL ? EX_CONFIG : s->link.temporary ? EX_TEMPFAIL : EX_PROTOCOL;

		(void)send_fail(send, status, "%s:%u [%s]: %s", host, send->server.port, s->link.peer, s->link.why);
		advise_tls(s);
		return false;
	}
	tls_facts(s->link.tls, &s->tls);
	if (send->options.verbose)
		(void)fprintf(stderr, "* %s %s %s\n", s->tls.version, s->tls.cipher, s->tls.group);
	return true;
}

static enum smtp_client_want
want_starttls(struct session *s)
{
	s->in.len = 0;                  /* 3207-8 */
	s->fresh = false;
	if (!flush(s))
		return lose(s);
	if (!secure(s))
		return smtp_client_lost(&s->client, SMTP_CLASS_LATER, SPAN("the connection could not be made secure"));
	return smtp_client_secured(&s->client);
}

static enum smtp_client_want
want_auth_start(struct session *s)
{
	uint8_t binding[64];
	char words[300];
	struct buf bound = BUF_OVER(binding), why = { (uint8_t *)words, 0, sizeof words - 1 };
	struct send *send = s->send;
	struct sasl_client_facts facts = { .user = span_of(send->server.user.p), .offered = s->client.caps.mechanisms,
		.password = { send->password.p, send->password.len }, .tls = s->link.tls != NULL };
	enum smtp_mechanism chosen;
	bool has_initial = false;

	if (s->link.tls != NULL)
		facts.binding_type = (int)tls_binding(s->link.tls, &bound);
	facts.binding = buf_span(&bound);
	sasl_client_end(s->sasl);
	s->initial.len = 0;
	s->sasl = sasl_client_begin(&facts, &chosen, &s->initial, &has_initial, &why);
	wipe(binding, sizeof binding);
	if (s->sasl == NULL)
		return smtp_client_auth_cancel(&s->client, buf_span(&why));
	s->secret_out = true;
	s->mechanism = chosen == SMTP_AUTH_PLAIN ? "PLAIN" : chosen == SMTP_AUTH_LOGIN ? "LOGIN" :
	    chosen == SMTP_AUTH_SCRAM_SHA_256 ? "SCRAM-SHA-256" : "SCRAM-SHA-256-PLUS";
	return smtp_client_auth_begin(&s->client, chosen, has_initial ? buf_span(&s->initial) : (struct span){ NULL, 0 });
}

static enum smtp_client_want
want_auth_next(struct session *s)
{
	uint8_t octets[RESPONSE_ROOM];
	char words[300];
	struct buf response = BUF_OVER(octets), why = { (uint8_t *)words, 0, sizeof words - 1 };
	enum smtp_client_want want;

	s->secret_out = true;
	if (s->client.initial_unsent)
		return smtp_client_auth_next(&s->client, buf_span(&s->initial));
	if (sasl_client_step(s->sasl, s->client.challenge, &response, &why))
		want = smtp_client_auth_next(&s->client, buf_span(&response));
	else
		want = smtp_client_auth_cancel(&s->client, buf_span(&why));
	wipe(octets, sizeof octets);
	return want;
}

/* ---- the message ---- */

/* scram-5: a server that lets us in without showing that it knows the password too is not the one we know. */
bool
send_session_proved(struct session *s)
{
	if (s->sasl == NULL || sasl_client_proved(s->sasl))
		return true;
	return send_fail(s->send, EX_NOPERM, "%s accepted the login without proving that it knows the password: nothing was sent",
	    s->send->server.host.p);
}

bool
send_session_alive(struct session *s)
{
	return s->in.len == 0 && send_link_quiet(&s->link, &s->in);
}

const char *
send_reverse_path(const struct send *send)
{
	return send->options.null_sender ? "" : send->from;
}

/* RFC 3461 4: what is neither '+' nor '=' nor outside 33 to 126 stands for itself. */
bool
send_put_xtext(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		bool plain = c > 32 && c < 127 && c != '+' && c != '=';
		const uint8_t coded[3] = { '+', (uint8_t)"0123456789ABCDEF"[c >> 4], (uint8_t)"0123456789ABCDEF"[c & 15] };

		if (!(plain ? buf_put_byte(out, c) : buf_put(out, (struct span){ coded, 3 })))
			return false;
	}
	return true;
}

static enum smtp_client_want
want_content(struct session *s)
{
	const struct send_message *m = &s->send->message;
	enum smtp_client_want want = s->in.len > 0 ? feed(s) : SMTP_CLIENT_CONTENT;
	size_t used;
	ssize_t n;

	/* What came together with the 354 is not about the message. */
	if (want != SMTP_CLIENT_CONTENT)
		return want;
	n = pread(s->send->message.fd, s->content, sizeof s->content, (off_t)s->content_at);
	if (n < 0 || (n == 0 && s->content_at < m->size)) {
		(void)send_fail(s->send, EX_IOERR, "reading the message: %s", strerror(errno));
		return smtp_client_give_up(&s->client, SPAN("the message could not be read"));
	}
	if (s->content_at == 0 && s->send->options.verbose)
		(void)fprintf(stderr, "> (%llu octets)\n", (unsigned long long)m->size);
	s->content_out = true;
	want = smtp_client_content(&s->client, (struct span){ s->content, (size_t)n }, s->content_at + (uint64_t)n >= m->size, &used);
	s->content_at += used;
	return want;
}

/* ---- the loop ---- */

enum smtp_client_want
send_session_run(struct session *s, enum smtp_client_want want)
{
	static enum smtp_client_want (*const on_want[])(struct session *) = {
		[SMTP_CLIENT_INPUT] = want_input, [SMTP_CLIENT_FLUSH] = want_flush, [SMTP_CLIENT_STARTTLS] = want_starttls,
		[SMTP_CLIENT_AUTH_START] = want_auth_start, [SMTP_CLIENT_AUTH_NEXT] = want_auth_next, [SMTP_CLIENT_CONTENT] = want_content,
		[SMTP_CLIENT_READY] = NULL, [SMTP_CLIENT_RCPT] = NULL, [SMTP_CLIENT_OUTCOME] = NULL, [SMTP_CLIENT_CLOSE] = NULL,
	};

	while (on_want[want] != NULL)
		want = on_want[want](s);
	if (want == SMTP_CLIENT_CLOSE)
		(void)flush(s);
	return want;
}

/* 8314-4: with a name alone, STARTTLS on 587 is tried when 465 does not answer. Both verify, so nothing is lost by it. */
static bool
connect_server(struct session *s)
{
	struct send *send = s->send;
	const char *host = send->server.host.p;
	uint32_t ms = send->options.seconds * 1000;
	char first[sizeof s->link.why];

	if (send_link_open(&s->link, host, send->server.port, ms, send->plain))
		return true;
	if (send->guess && !s->link.unknown) {
		memcpy(first, s->link.why, sizeof first);
		if (send_link_open(&s->link, host, 587, ms, false)) {
			send->server.port = 587;
			send->server.tls = CONF_RELAY_STARTTLS;
			return true;
		}
		return send_fail(send, EX_TEMPFAIL, "%s: port 465: %s; port 587: %s", host, first, s->link.why);
	}
	return send_fail(send, s->link.unknown ? EX_NOHOST : s->link.temporary ? EX_TEMPFAIL : EX_CONFIG, "%s:%u: %s", host,
	    send->server.port, s->link.why);
}

/* 5321-12: without a name that others can know, the address this connection has. */
static void
name_ourselves(struct session *s)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof a;
	char text[INET6_ADDRSTRLEN] = "127.0.0.1";
	const char *tag = "";

	(void)snprintf(s->host, sizeof s->host, "%s", s->send->host);
	if (s->host[0] != '\0')
		return;
	memset(&a, 0, sizeof a);
	(void)getsockname(s->link.fd, (struct sockaddr *)&a, &len);
	if (a.ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, text, sizeof text);
	if (a.ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, text, sizeof text);
		tag = "IPv6:";
	}
	(void)snprintf(s->host, sizeof s->host, "[%s%s]", tag, text);
}

static bool
prepare(struct session *s, struct send *send)
{
	struct buf envid = { (uint8_t *)s->envid, 0, SEND_ENVID_MAX };
	const char *ca = send->ca.p;

	memset(s, 0, offsetof(struct session, out_octets));
	s->send = send;
	send_link_init(&s->link);
	s->io.out = (struct buf){ s->out_octets, 0, OUT_ROOM };
	s->in = (struct buf){ s->in_octets, 0, IN_ROOM };
	s->initial = (struct buf){ s->initial_octets, 0, RESPONSE_ROOM };
	if (send->options.envid != NULL && !send_put_xtext(&envid, span_of(send->options.envid)))
		return send_fail(send, EX_USAGE, "the envelope id is longer than %d octets", SEND_ENVID_MAX);
	s->envid[envid.len] = '\0';
	if (ca[0] != '\0' && access(ca, R_OK) != 0)
		return send_fail(send, EX_CONFIG, "ca %s: %s", ca, strerror(errno));
	return true;
}

struct session *
send_session_begin(struct send *send, enum smtp_client_want *want)
{
	struct session *s = malloc(sizeof *s);

	if (s == NULL) {
		(void)send_fail(send, EX_OSERR, "out of memory");
		return NULL;
	}
	if (!prepare(s, send) || !connect_server(s)) {
		send_session_end(s);
		return NULL;
	}
	name_ourselves(s);
	s->conf = (struct smtp_client_conf){ .helo = span_of(s->host), .auth = send->server.user.p[0] != '\0',
		.tls = send->plain ? SMTP_TLS_NONE : send->server.tls == CONF_RELAY_IMPLICIT ? SMTP_TLS_IMPLICIT : SMTP_TLS_REQUIRED,
		.hello_again = send->options.hold[0] != '\0' };
	if (s->conf.tls == SMTP_TLS_IMPLICIT && !secure(s)) {
		send_session_end(s);
		return NULL;
	}
	*want = send_session_run(s, smtp_client_begin(&s->client, &s->conf, &s->io));
	return s;
}

void
send_session_end(struct session *s)
{
	if (s == NULL)
		return;
	sasl_client_end(s->sasl);
	send_link_close(&s->link);
	wipe(s->out_octets, sizeof s->out_octets);
	wipe(s->initial_octets, sizeof s->initial_octets);
	free(s);
}

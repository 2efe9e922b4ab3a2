/*
 * sendmail -bs: SMTP on standard input and output. MAIL and each RCPT go to the submission server before they are answered, the message when
 * it is complete, so that what is heard at the pipe is the server's answer. A session with the server serves as many messages as it likes.
 *
 * Whoever runs us has proved who he is by running us. The engine serves nobody who has not said AUTH, so its driver says it for
 * him before the first octet of input, and keeps the replies to itself. The trace field that the engine writes tells of a
 * session that was none; the submission server writes its own, and ours is left out.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/send_session.h"
#include "os/env.h"
#include "os/replace.h"

enum { STDIO_RCPTS = 1000, STDIO_OUT = 16 * 1024, STDIO_CONTENT = 64 * 1024,
	STDIO_IDLE_MS = 5000 };                 /* a session without a message is ended then */

/* What the server said last. */
struct heard {
	bool any;
	enum smtp_class class;
	uint16_t code;
	char enhanced[12], text[SMTP_REPLY_KEPT + 1];
};

struct stdio {
	struct send *send;
	struct smtp_server server;
	struct smtp_server_conf conf;
	struct smtp_io io;
	struct smtp_mail mail;
	struct session *session;        /* with the submission server; NULL: none */
	enum smtp_client_want want;     /* of it: RCPT while somebody may be added */
	char envid[SEND_ENVID_MAX + 1]; /* xtext, of this message; empty: what the options say */
	struct heard heard;
	struct buf in;
	uint64_t messages;
	bool in_trace;                  /* inside the trace field that is left out */
	bool line_start;
	bool typed;                     /* by somebody at a terminal, which ends lines with LF */
	bool broken;                    /* standard input cannot be read, or output is gone: error says why */
	int error;
	bool lost;                      /* the message could not be kept */
	uint8_t out[STDIO_OUT], content[STDIO_CONTENT], in_octets[SMTP_LINE_KEPT];
};

/* ---- what the server says ---- */

static void
hear(struct heard *h, const struct smtp_outcome *o)
{
	struct span text = o->text;

	if (o->enhanced[0] != '\0' && span_take(&text, span_of(o->enhanced)))
		(void)span_take_spaces(&text);
	h->any = true;
	h->class = o->class;
	h->code = o->code;
	memcpy(h->enhanced, o->enhanced, sizeof h->enhanced);
	send_clean(text, h->text, sizeof h->text);
}

static void
hear_ourselves(struct stdio *s, uint16_t code, const char *enhanced, const char *text)
{
	hear(&s->heard, &(struct smtp_outcome){ .class = code < 500 ? SMTP_CLASS_LATER : SMTP_CLASS_NEVER, .code = code, .text = span_of(text) });
	(void)memccpy(s->heard.enhanced, enhanced, '\0', sizeof s->heard.enhanced);
}

/* 421 is about their session; the one at the pipe goes on. */
static struct smtp_answer
refusal(const struct stdio *s)
{
	const struct heard *h = &s->heard;
	bool later = h->class != SMTP_CLASS_NEVER;
	bool theirs = smtp_refusal_valid(h->code, span_of(h->enhanced)) && later == (h->code < 500);
	uint16_t ours = !later ? 554 : memcmp(h->enhanced, "4.5.3", 6) == 0 ? 452 : 451;

	return (struct smtp_answer){ .verdict = { later ? FAIL_BUSY : FAIL_FILTERED, span_of(h->text) }, .code = theirs ? h->code : ours,
		.enhanced = h->enhanced };
}

/* Until the server waits for us. */
static void
go_on(struct stdio *s, enum smtp_client_want want)
{
	struct smtp_client *c = &s->session->client;

	for (want = send_session_run(s->session, want); want == SMTP_CLIENT_OUTCOME; want = send_session_run(s->session, want)) {
		hear(&s->heard, &c->outcome);
		want = smtp_client_go_on(c);
	}
	s->want = want;
}

static void
hang_up(struct stdio *s)
{
	if (s->session != NULL && s->want == SMTP_CLIENT_READY)
		(void)send_session_run(s->session, smtp_client_quit(&s->session->client));
	send_session_end(s->session);
	s->session = NULL;
	s->want = SMTP_CLIENT_CLOSE;
}

/* There is to be no message, or no further one. A limit of domains is one of the session: each message may reach it (RFC 9422 4.3). */
static void
end_message(struct stdio *s)
{
	if (s->want == SMTP_CLIENT_RCPT)
		s->want = smtp_client_drop(&s->session->client);
	if (s->want != SMTP_CLIENT_READY || s->session->client.caps.domain_max > 0)
		hang_up(s);
}

/* ---- one message ---- */

static void
copy_text(char *out, struct span text)
{
	if (text.len > 0)
		memcpy(out, text.p, text.len);
	out[text.len] = '\0';
}

static bool
begin_file(struct stdio *s)
{
	struct send *send = s->send;

	send->message.size = 0;
	s->in_trace = s->line_start = true;
	s->lost = false;
	if (send->message.fd == -1)
		send->message.fd = send_message_file();
	return send->message.fd != -1 && ftruncate(send->message.fd, 0) == 0;
}

static void
say_mail(struct stdio *s)
{
	const struct smtp_ask *ask = &s->server.ask;
	struct session *session = s->session;
	/* Nobody has seen the content yet; who takes any octets loses nothing by being told that there may be some. */
	struct smtp_client_mail mail = { .reverse_path = span_of(send_reverse_path(s->send)), .size = ask->size, .one_by_one = true,
		.eightbit = session->client.caps.eightbit, .utf8 = ask->utf8, .requiretls = ask->requiretls, .ret = ask->ret,
		.envid = span_of(s->envid[0] != '\0' ? s->envid : session->envid), .terms = send_terms(s->send) };

	session->content_at = 0;
	go_on(s, smtp_client_mail(&session->client, &mail));
}

static void
say_mail_anew(struct stdio *s)
{
	s->session = send_session_begin(s->send, &s->want);
	if (s->session == NULL) {
		hear_ourselves(s, 451, "4.4.1", s->send->failed);
		return;
	}
	go_on(s, s->want);
	if (s->want == SMTP_CLIENT_READY && send_session_proved(s->session)) {
		say_mail(s);
	} else if (s->want == SMTP_CLIENT_READY) {
		hear_ourselves(s, 554, "5.7.8", s->send->failed);
		hang_up(s);
	}
}

/* Is there nothing to try in a further session: the server has taken MAIL in this one, or refused it for good? */
static bool
say_mail_again(struct stdio *s)
{
	if (s->session == NULL)
		return false;
	if (!send_session_alive(s->session)) {
		s->want = SMTP_CLIENT_CLOSE;
		return false;
	}
	say_mail(s);
	return s->want == SMTP_CLIENT_RCPT || s->heard.class == SMTP_CLASS_NEVER;
}

static struct smtp_answer
begin_message(struct stdio *s)
{
	struct send *send = s->send;
	const struct smtp_ask *ask = &s->server.ask;

	if (!begin_file(s))
		return (struct smtp_answer){ .verdict = { .fail = FAIL_DISK_FULL } };
	send->options.null_sender = ask->path.whole.len == 0;
	copy_text(send->from, ask->path.whole);
	send->from_made = false;
	copy_text(s->envid, span_head(ask->envid, SEND_ENVID_MAX));
	s->heard.any = false;
	/* "Not now" may be about the session: it has had enough messages, or is closing. */
	if (!say_mail_again(s)) {
		hang_up(s);
		say_mail_anew(s);
	}
	if (s->want == SMTP_CLIENT_RCPT)
		return (struct smtp_answer){ .verdict = { .fail = OK } };
	end_message(s);
	return refusal(s);
}

static struct smtp_answer
add_rcpt(struct stdio *s)
{
	const struct smtp_ask *ask = &s->server.ask;
	struct smtp_client_rcpt rcpt = { .path = ask->path.whole, .notify = ask->notify, .orcpt = ask->orcpt };

	if (s->want != SMTP_CLIENT_RCPT)
		return refusal(s);
	s->heard.any = false;
	go_on(s, smtp_client_rcpt(&s->session->client, &rcpt));
	return s->heard.any ? refusal(s) : (struct smtp_answer){ .verdict = { .fail = OK } };
}

static bool
keep(struct stdio *s, struct span octets)
{
	while (octets.len > 0) {
		ssize_t n = pwrite(s->send->message.fd, octets.p, octets.len, (off_t)s->send->message.size);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s->send->message.size += (uint64_t)n;
		span_skip(&octets, (size_t)n);
	}
	return true;
}

/* The trace field is the first: it ends where a line begins with anything but a space. */
static struct span
without_trace(struct stdio *s, struct span octets)
{
	bool first = s->send->message.size == 0 && s->line_start;

	while (s->in_trace && octets.len > 0) {
		if (s->line_start && !first && octets.p[0] != ' ' && octets.p[0] != '\t') {
			s->in_trace = false;
			break;
		}
		first = false;
		s->line_start = octets.p[0] == '\n';
		span_skip(&octets, 1);
	}
	return octets;
}

static void
store(struct stdio *s)
{
	if (!keep(s, without_trace(s, buf_span(&s->io.content))))
		s->lost = true;
	s->io.content.len = 0;
}

static bool
encode(struct stdio *s, bool eightbit)
{
	struct send *send = s->send;
	char why[100] = " has octets above 127, and the submission server does not offer 8BITMIME";

	if (s->mail.unfit != NULL)
		(void)snprintf(why, sizeof why, ", line %u: %s", s->mail.unfit_line, s->mail.unfit);
	send->status = 0;
	if (send_encode(send, eightbit, why))
		return true;
	if (send->status == EX_DATAERR)
		hear_ourselves(s, 554, "5.6.3", send->failed);
	else
		hear_ourselves(s, 451, "4.3.0", send->failed);
	return false;
}

/* Now that the message is known: make of it what the server takes. With international addresses nothing is gained by seven bits. */
static bool
make_fit(struct stdio *s)
{
	const struct smtp_client_caps *caps = &s->session->client.caps;
	bool seven = s->mail.eightbit && !caps->eightbit && !s->mail.utf8;

	if ((seven || s->mail.unfit != NULL) && !encode(s, !seven))
		return false;
	if (caps->size_max == 0 || s->send->message.size <= caps->size_max)
		return true;
	hear_ourselves(s, 552, "5.3.4", "the message is bigger than the submission server takes");
	return false;
}

static struct smtp_answer
submit(struct stdio *s)
{
	struct smtp_answer a;

	if (s->lost) {
		end_message(s);
		return (struct smtp_answer){ .verdict = { .fail = FAIL_LOCAL } };
	}
	if (s->want == SMTP_CLIENT_RCPT && make_fit(s))
		go_on(s, smtp_client_rcpts_end(&s->session->client));
	a = refusal(s);
	if (s->heard.any && s->heard.class == SMTP_CLASS_DELIVERED)
		a = (struct smtp_answer){ .verdict = { OK, span_of(s->heard.text) }, .code = 250, .enhanced = s->heard.enhanced };
	end_message(s);
	return a;
}

/* ---- the engine ---- */

static enum smtp_want
answer(struct stdio *s)
{
	struct smtp_answer a = { .verdict = { .fail = OK }, .auth = SMTP_AUTH_DONE };

	switch (s->server.ask.kind) {
	case SMTP_ASK_SENDER: a = begin_message(s); break;
	case SMTP_ASK_RCPT: a = add_rcpt(s); break;
	case SMTP_ASK_DATA: a.queue_id = ++s->messages; break;
	case SMTP_ASK_COMMIT: a = submit(s); break;
	case SMTP_ASK_ABORT: end_message(s); break;
	default: break;
	}
	return smtp_server_answer(&s->server, &a);
}

static void
give_up(struct stdio *s)
{
	s->broken = true;
	s->error = errno;
}

static void
flush(struct stdio *s)
{
	if (!s->broken && !file_write(STDOUT_FILENO, buf_span(&s->io.out)))
		give_up(s);
	s->io.out.len = 0;
}

/* The server's session is not kept from it for nothing. */
static void
wait_for_input(struct stdio *s)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	if (s->want == SMTP_CLIENT_READY && poll(&p, 1, STDIO_IDLE_MS) == 0)
		hang_up(s);
}

/* n octets with CR before each LF; there is room for twice as many. */
static size_t
end_lines(uint8_t *p, size_t n)
{
	size_t more = 0, at;

	for (size_t i = 0; i < n; i++)
		more += p[i] == '\n';
	at = n + more;
	for (size_t i = n; i > 0; i--) {
		p[--at] = p[i - 1];
		if (p[at] == '\n')
			p[--at] = '\r';
	}
	return n + more;
}

/* More input; false at its end. */
static bool
more_input(struct stdio *s)
{
	size_t room = s->typed ? buf_room(&s->in) / 2 : buf_room(&s->in);
	uint8_t *in = s->in.p + s->in.len;
	ssize_t n;

	wait_for_input(s);
	do
		n = read(STDIN_FILENO, in, room);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		give_up(s);
	if (n > 0)
		s->in.len += s->typed ? end_lines(in, (size_t)n) : (size_t)n;
	return n > 0;
}

/* Everything the engine wants until it wants input that is not there. */
static enum smtp_want
run(struct stdio *s)
{
	enum smtp_want want = SMTP_WANT_INPUT;
	size_t used = 0;

	for (;;) {
		if (want == SMTP_WANT_INPUT) {
			buf_drop(&s->in, used);
			want = smtp_server_feed(&s->server, buf_span(&s->in), &used);
			if (want == SMTP_WANT_INPUT && used == 0)
				return want;
		} else if (want == SMTP_WANT_VERDICT) {
			want = answer(s);
		} else if (want == SMTP_WANT_STORE) {
			store(s);
			want = smtp_server_go_on(&s->server);
		} else if (want == SMTP_WANT_FLUSH) {
			flush(s);
			want = smtp_server_go_on(&s->server);
		} else if (want == SMTP_WANT_MEMORY) {
			want = smtp_server_lend(&s->server, &s->mail);
		} else {
			return want;
		}
		(void)smtp_server_reclaim(&s->server);
	}
}

/* In the name of him who runs us. */
static void
log_in(struct stdio *s)
{
	flush(s);
	(void)buf_put(&s->in, SPAN("EHLO localhost\r\nAUTH PLAIN =\r\n"));
	(void)run(s);
	s->io.out.len = 0;
}

static void
prepare(struct stdio *s, struct send *send)
{
	memset(s, 0, offsetof(struct stdio, out));
	s->send = send;
	s->conf = (struct smtp_server_conf){ .hostname = span_of(send->host[0] != '\0' ? send->host : "localhost"),
		.size_max = SEND_MESSAGE_MAX, .rcpt_max = STDIO_RCPTS, .mechanisms = SMTP_AUTH_PLAIN, .encodes = true, .env = os_env };
	s->io.out = BUF_OVER(s->out);
	s->io.content = BUF_OVER(s->content);
	s->in = BUF_OVER(s->in_octets);
	s->typed = isatty(STDIN_FILENO) == 1;
}

bool
send_stdio(struct send *send)
{
	struct stdio *s = malloc(sizeof *s);
	enum smtp_want want;

	if (s == NULL)
		return send_fail(send, EX_OSERR, "out of memory");
	prepare(s, send);
	/* Nobody can listen on a pipe, which is what the engine wants TLS for. */
	want = smtp_server_begin(&s->server, &s->conf, &s->io, (struct smtp_session_facts){ .peer = SPAN("[127.0.0.1]"), .tls = true });
	log_in(s);
	while (want != SMTP_WANT_CLOSE && !s->broken) {
		want = run(s);
		flush(s);
		if (want == SMTP_WANT_INPUT && !more_input(s))
			break;
	}
	flush(s);
	hang_up(s);
	send->status = 0;
	if (s->broken)
		(void)send_fail(send, EX_IOERR, "standard input or output: %s", strerror(s->error));
	free(s);
	return send->status == 0;
}

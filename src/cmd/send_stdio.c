/*
 * sendmail -bs: SMTP on standard input and output, each message handed on before it is answered, so that its 250 is the server's.
 *
 * Whoever runs us has proved who he is by running us. The engine serves nobody who has not said AUTH, so its driver says it for
 * him before the first octet of input, and keeps the replies to itself. The trace field that the engine writes tells of a
 * session that was none; the submission server writes its own, and ours is left out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/send.h"
#include "os/env.h"
#include "os/replace.h"
#include "smtp/server.h"

enum { STDIO_RCPTS = 1000, STDIO_OUT = 16 * 1024, STDIO_CONTENT = 64 * 1024 };

struct stdio {
	struct send *send;
	struct smtp_server server;
	struct smtp_server_conf conf;
	struct smtp_io io;
	struct smtp_mail mail;
	struct buf in;
	uint64_t messages;
	bool in_trace;                  /* inside the trace field that is left out */
	bool line_start;
	bool broken;                    /* standard output is gone, or the message could not be kept */
	uint8_t out[STDIO_OUT], content[STDIO_CONTENT], in_octets[SMTP_LINE_KEPT];
};

/* ---- one message ---- */

static void
copy_text(char *out, struct span text)
{
	if (text.len > 0)
		memcpy(out, text.p, text.len);
	out[text.len] = '\0';
}

static enum fail
begin_message(struct stdio *s)
{
	struct send *send = s->send;
	const struct smtp_ask *ask = &s->server.ask;

	send_forget_rcpts(send);
	send->taken = 0;
	send->message.size = 0;
	send->message.utf8 = ask->utf8;
	send->message.requiretls = ask->requiretls;
	send->options.null_sender = ask->path.whole.len == 0;
	send->options.ret = ask->ret;
	send->options.notify = 0;
	copy_text(send->from, ask->path.whole);
	copy_text(send->envid, span_head(ask->envid, SEND_ENVID_MAX));
	s->in_trace = s->line_start = true;
	if (send->message.fd == -1)
		send->message.fd = send_message_file();
	return send->message.fd != -1 && ftruncate(send->message.fd, 0) == 0 ? OK : FAIL_DISK_FULL;
}

static enum fail
add_rcpt(struct stdio *s)
{
	const struct smtp_ask *ask = &s->server.ask;
	uint32_t before = s->send->rcpt_count;
	char address[PATH_MAX_OCTETS + 1];
	struct send_rcpt *rcpt;

	copy_text(address, ask->path.whole);
	if (!send_add_rcpt(s->send, address))
		return FAIL_BUSY;
	/* Named before: then the first time counts. */
	if (s->send->rcpt_count == before)
		return OK;
	rcpt = &s->send->rcpts[before];
	rcpt->notify = ask->notify;
	if (ask->orcpt.len > 0)
		rcpt->orcpt = strndup((const char *)ask->orcpt.p, ask->orcpt.len);
	return OK;
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
		s->broken = true;
	s->io.content.len = 0;
}

/* Somebody can be sent to with more luck, and nobody has it yet: then it is worth coming again. */
static bool
is_for_later(const struct send *send)
{
	for (uint32_t i = 0; i < send->rcpt_count; i++)
		if (send->rcpts[i].fate == SEND_LATER)
			return true;
	return send->status == EX_TEMPFAIL;
}

/* What the server said decides what we say. Who has the message is not to get it again (RFC 5321 6.1). */
static struct verdict
submit(struct stdio *s)
{
	struct send *send = s->send;
	bool later;

	if (s->broken)
		return (struct verdict){ .fail = FAIL_LOCAL };
	send->status = 0;
	send->message.eightbit = s->mail.eightbit || s->mail.utf8;
	(void)send_submit(send);
	if (send->taken > 0 && send->status != 0)
		send_report_refused(send);
	if (send->taken > 0)
		return (struct verdict){ .fail = OK };
	later = is_for_later(send);
	return (struct verdict){ .fail = later ? FAIL_BUSY : FAIL_CONTENT,
		.words = later ? SPAN("the submission server does not take it now") : SPAN("the submission server refuses it") };
}

/* ---- the engine ---- */

static enum smtp_want
answer(struct stdio *s)
{
	struct smtp_answer a = { .verdict = { .fail = OK }, .auth = SMTP_AUTH_DONE };

	switch (s->server.ask.kind) {
	case SMTP_ASK_SENDER: a.verdict.fail = begin_message(s); break;
	case SMTP_ASK_RCPT: a.verdict.fail = add_rcpt(s); break;
	case SMTP_ASK_DATA: a.queue_id = ++s->messages; break;
	case SMTP_ASK_COMMIT: a.verdict = submit(s); break;
	default: break;
	}
	return smtp_server_answer(&s->server, &a);
}

static void
flush(struct stdio *s)
{
	s->broken = s->broken || !file_write(STDOUT_FILENO, buf_span(&s->io.out));
	s->io.out.len = 0;
}

/* More input; false at its end. */
static bool
more_input(struct stdio *s)
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, s->in.p + s->in.len, buf_room(&s->in));
	while (n == -1 && errno == EINTR);
	if (n > 0)
		s->in.len += (size_t)n;
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
		.size_max = SEND_MESSAGE_MAX, .rcpt_max = STDIO_RCPTS, .mechanisms = SMTP_AUTH_PLAIN, .env = os_env };
	s->io.out = BUF_OVER(s->out);
	s->io.content = BUF_OVER(s->content);
	s->in = BUF_OVER(s->in_octets);
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
	send->status = s->broken ? EX_IOERR : 0;
	free(s);
	return send->status == 0;
}

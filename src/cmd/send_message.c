/* Whatever is typed or piped becomes a message that may be submitted, in an unlinked file, so that its size costs no memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/send.h"
#include "mail/compose.h"
#include "os/env.h"
#include "os/replace.h"

struct work {
	struct send *send;
	struct compose_facts facts;
	struct compose compose;
	int in;
	size_t at, len;                 /* of chunk */
	struct buf out;
	uint8_t chunk[64 * 1024];
	uint8_t header[COMPOSE_HEADER_ROOM], out_octets[COMPOSE_OUT_ROOM];
};

static const char *
message_folder(void)
{
	const char *folder = getenv("TMPDIR");

	return folder != NULL && folder[0] == '/' ? folder : "/tmp";
}

bool
send_fail_file(struct send *s)
{
	return send_fail(s, EX_CANTCREAT, "a file for the message in %s: %s", message_folder(), strerror(errno));
}

int
send_message_file(void)
{
	const char *folder = message_folder();
	unsigned long long name;
	char path[4096];
	int fd;

	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd != -1)
		return fd;
	/* A file system without O_TMPFILE. */
	os_env.random(os_env.arg, (uint8_t *)&name, sizeof name);
	if ((size_t)snprintf(path, sizeof path, "%s/postern-%016llx", folder, name) >= sizeof path)
		return -1;
	fd = open(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
	if (fd != -1)
		(void)unlink(path);
	return fd;
}

/* ---- input ---- */

static bool
open_input(struct work *w)
{
	const char *file = w->send->options.file;

	w->in = STDIN_FILENO;
	if (file == NULL || strcmp(file, "-") == 0)
		return true;
	w->in = open(file, O_RDONLY | O_CLOEXEC);
	return w->in != -1 || send_fail(w->send, EX_NOINPUT, "%s: %s", file, strerror(errno));
}

/* Something is in chunk, or the end has come: then w->len is 0. */
static bool
more_input(struct work *w)
{
	ssize_t n;

	if (w->at < w->len)
		return true;
	do
		n = read(w->in, w->chunk, sizeof w->chunk);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return send_fail(w->send, EX_IOERR, "reading the message: %s", strerror(errno));
	w->at = 0;
	w->len = (size_t)n;
	return true;
}

static struct span
input(const struct work *w)
{
	return (struct span){ w->chunk + w->at, w->len - w->at };
}

/* ---- output ---- */

static bool
keep(struct work *w)
{
	w->send->message.size += w->out.len;
	if (w->send->message.size > SEND_MESSAGE_MAX)
		return send_fail(w->send, EX_DATAERR, "the message is over %d octets", SEND_MESSAGE_MAX);
	if (!file_write(w->send->message.fd, buf_span(&w->out)))
		return send_fail(w->send, EX_IOERR, "keeping the message: %s", strerror(errno));
	w->out.len = 0;
	return true;
}

static bool
bad(struct work *w)
{
	if (w->compose.line == 0)
		return send_fail(w->send, EX_DATAERR, "message: %s", w->compose.why);
	return send_fail(w->send, EX_DATAERR, "message, line %u: %s", w->compose.line, w->compose.why);
}

/* ---- the steps of mail/compose.h ---- */

static bool
read_header(struct work *w)
{
	enum compose_step step = COMPOSE_MORE;

	while (step == COMPOSE_MORE) {
		size_t used;

		if (!more_input(w))
			return false;
		if (w->len == 0) {
			step = compose_header_end(&w->compose);
			break;
		}
		step = compose_header_feed(&w->compose, input(w), &used);
		w->at += used;
	}
	return step == COMPOSE_DONE || bad(w);
}

static bool
add_rcpt(struct send *s, struct span address)
{
	char text[COMPOSE_ADDRESS_ROOM + 1];
	struct buf out = { (uint8_t *)text, 0, COMPOSE_ADDRESS_ROOM };
	struct mailbox m;

	if (address_next_bare(&address, &m) != ADDRESS_ONE || !send_put_address(m.local, m.domain, &out))
		return send_fail(s, EX_DATAERR, "a recipient's address is too long");
	text[out.len] = '\0';
	return send_add_rcpt(s, text);
}

static bool
read_recipients(struct work *w)
{
	uint8_t text[COMPOSE_ADDRESS_ROOM];
	struct buf address = BUF_OVER(text);
	enum compose_step step;

	if (!w->send->options.read_recipients)
		return true;
	while ((step = compose_recipient(&w->compose, &address)) == COMPOSE_MORE) {
		if (!add_rcpt(w->send, buf_span(&address)))
			return false;
	}
	if (step == COMPOSE_BAD)
		return bad(w);
	return w->send->rcpt_count > 0 || send_fail(w->send, EX_DATAERR, "the message names no recipient in To, Cc or Bcc");
}

static bool
write_header(struct work *w)
{
	enum compose_step step;

	do {
		step = compose_header_drain(&w->compose, &w->out);
		if (step == COMPOSE_BAD)
			return bad(w);
		if (!keep(w))
			return false;
	} while (step == COMPOSE_MORE);
	return true;
}

static bool
copy_body(struct work *w)
{
	enum compose_step step = COMPOSE_MORE;

	while (!w->compose.ended) {
		size_t used;

		if (!more_input(w))
			return false;
		if (w->len == 0)
			break;
		step = compose_body_feed(&w->compose, input(w), &used, &w->out);
		w->at += used;
		if (step == COMPOSE_BAD)
			return bad(w);
		if (!keep(w))
			return false;
	}
	do {
		step = compose_body_end(&w->compose, &w->out);
		if (step == COMPOSE_BAD)
			return bad(w);
		if (!keep(w))
			return false;
	} while (step == COMPOSE_MORE);
	return true;
}

static bool
make_fit(struct work *w)
{
	char why[200];

	(void)snprintf(why, sizeof why, ", line %u: %s, which nobody may send (RFC 5322 2.1.1, 2.3)", w->compose.unfit_line, w->compose.why);
	return send_encode(w->send, true, why);
}

static void
prepare(struct work *w, struct send *s)
{
	w->send = s;
	w->in = -1;
	w->out = (struct buf){ w->out_octets, 0, sizeof w->out_octets };
	w->facts = (struct compose_facts){ .from = span_of(s->from), .name = span_of(s->options.name), .a_labels = send_a_labels,
		.domain = span_of(s->domain), .env = os_env, .dot_ends = s->options.dot_ends };
	compose_init(&w->compose, &w->facts, (struct buf){ w->header, 0, sizeof w->header });
}

bool
send_message_read(struct send *s)
{
	struct work *w = malloc(sizeof *w);
	bool good;

	if (w == NULL)
		return send_fail(s, EX_OSERR, "out of memory");
	memset(w, 0, offsetof(struct work, chunk));
	prepare(w, s);
	s->message.fd = send_message_file();
	if (s->message.fd == -1)
		good = send_fail_file(s);
	else
		good = open_input(w) && read_header(w) && read_recipients(w) && write_header(w) && copy_body(w);
	s->message.eightbit = w->compose.eightbit || w->compose.utf8;
	s->message.utf8 = w->compose.utf8;
	if (w->in > STDIN_FILENO)
		(void)close(w->in);
	good = good && (!w->compose.unfit || make_fit(w));
	free(w);
	return good;
}

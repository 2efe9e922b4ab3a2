/*
 * Content goes by: lines are counted and looked at, header lines pass mail/header.h, the rest is copied in runs as long as
 * the input lets them be. Only CRLF ends a line and only CRLF "." CRLF ends DATA (RFC 5321 2.3.8, 4.1.1.4). What must not be
 * is remembered with its line and refused at the end; from there on nothing is kept, but lines are still told apart, for the
 * end must be found where the client put it.
 */
#include <assert.h>
#include <string.h>

#include "base/queue_id.h"
#include "mail/trace.h"
#include "smtp/server_room.h"

enum {
	TEXT_MAX = SMTP_TEXT_LINE_MAX - 2,
	ADDED_MAX = 400,                        /* a Date and a Message-ID field */
	HEADER_ROOM = SMTP_TEXT_LINE_MAX + ADDED_MAX,
	BODY_ROOM = 512,                        /* less is not worth a copy */
};
static_assert(HEADER_ROOM + TRACE_MAX <= SMTP_CONTENT_ROOM, "the trace field and a header line fit into an empty buffer");

/* A line's first dot, when there is one. */
enum dot { DOT_NONE, DOT_STUFFED, DOT_END, DOT_MORE };

/* ---- octets ---- */

#define EIGHT(octet) (UINT64_C(0x0101010101010101) * (octet))

static bool
is_plain(uint8_t c)
{
	return c != '\r' && c != '\n' && c != 0;
}

size_t
plain_length(struct span s, uint64_t *seen)
{
	uint64_t all = 0, w;
	size_t i = 0;

	while (s.len - i >= sizeof w) {
		memcpy(&w, s.p + i, sizeof w);
		/* Is an octet below 14 among the eight? Then look at each. */
		if (((w - EIGHT(14)) & ~w & EIGHT(128)) != 0) {
			size_t end = i + sizeof w;

			for (; i < end && is_plain(s.p[i]); i++)
				all |= s.p[i];
			if (i < end)
				break;
		} else {
			all |= w;
			i += sizeof w;
		}
	}
	if (s.len - i < sizeof w)
		for (; i < s.len && is_plain(s.p[i]); i++)
			all |= s.p[i];
	*seen |= all;
	return i;
}

static void
note_seen(struct smtp_mail *m, uint64_t seen)
{
	if ((seen & EIGHT(128)) != 0)
		m->eightbit = true;
}

/* ---- what is wrong ---- */

static void
content_fail(struct smtp_mail *m, enum fail f, uint32_t line, const char *words)
{
	if (m->fail != OK)
		return;
	m->fail = f;
	m->fail_line = line;
	m->fail_words = words;
}

/* Somebody may make lines of it that can be sent (RFC 2045 6.7); of a header he may not. */
static void
unfit(const struct smtp_server *s, const char *words)
{
	struct smtp_mail *m = s->mail;

	if (!s->conf->encodes || !m->in_body) {
		content_fail(m, FAIL_CONTENT, m->line, words);
	} else if (m->unfit == NULL) {
		m->unfit = words;
		m->unfit_line = m->line;
	}
}

/* A bare CR or LF is never encoded: it tells that two readers disagree about lines (RFC 5321 2.3.8). */
static void
foul(const struct smtp_server *s, uint8_t c)
{
	if (c == 0)
		unfit(s, "NUL octet");
	else
		content_fail(s->mail, FAIL_CONTENT, s->mail->line, c == '\r' ? "bare CR" : "bare LF");
}

/* Count n octets of the line we are in, and remember which limit they cross first. */
static void
count(const struct smtp_server *s, size_t n)
{
	struct smtp_mail *m = s->mail;
	uint64_t room = m->size < s->conf->size_max ? s->conf->size_max - m->size : 0;
	size_t line_room = TEXT_MAX - m->column;

	if (n > line_room && line_room <= room)
		unfit(s, "more than 998 octets");
	if (n > room)
		content_fail(m, FAIL_TOO_BIG, 0, NULL);
	m->size += n;
	m->column = n > line_room ? TEXT_MAX : m->column + (uint32_t)n;
}

static void
count_line_end(const struct smtp_server *s)
{
	struct smtp_mail *m = s->mail;

	m->size += 2;
	if (m->size > s->conf->size_max)
		content_fail(m, FAIL_TOO_BIG, 0, NULL);
	m->line++;
	m->column = 0;
}

void
content_refuse(struct smtp_server *s)
{
	const struct smtp_mail *m = s->mail;
	uint8_t text[160];
	struct buf words = BUF_OVER(text);

	if (m->fail_words != NULL) {
		(void)buf_put_text(&words, m->fail_words);
		if (m->fail_line > 0) {
			(void)buf_put_text(&words, " in line ");
			(void)buf_put_u64(&words, m->fail_line);
		}
	}
	server_refuse(s, (struct verdict){ m->fail, buf_span(&words) });
}

/* ---- what is kept ---- */

/* What the client sent, kept or not. */
static void
digest(struct smtp_mail *m, struct span octets)
{
	if (m->digesting && m->fail == OK)
		siphash_feed(&m->digest, octets);
}

static void
keep(struct smtp_server *s, struct span octets)
{
	bool fits = s->mail->fail != OK || buf_put(&s->io->content, octets);

	assert(fits);
	(void)fits;
}

bool
smtp_server_digest(const struct smtp_server *s, uint8_t hash[SIPHASH_WIDE])
{
	const struct smtp_mail *m = s->mail;

	if (m == NULL || !m->digesting || header_lacks_message_id(&m->header))
		return false;
	siphash_drain(&m->digest, hash);
	return true;
}

static struct span
queue_id_text(const struct smtp_mail *m, uint8_t text[QUEUE_ID_LEN])
{
	struct buf id = { text, 0, QUEUE_ID_LEN };

	(void)queue_id_format(m->queue_id, &id);
	return buf_span(&id);
}

/* The trace field comes first (5321-40). */
void
content_begin(struct smtp_server *s)
{
	struct smtp_mail *m = s->mail;
	const struct env *env = &s->conf->env;
	uint8_t id[QUEUE_ID_LEN];
	struct trace t = {
		.helo = { s->helo, s->helo_len },
		.peer = s->facts.peer,
		.host = s->conf->hostname,
		.id = queue_id_text(m, id),
		.cipher = s->facts.cipher,
		.group = s->facts.group,
		.now = env->now(env->arg),
		.priority = m->terms.priority,
		.esmtp = s->esmtp,
		.tls = s->facts.tls,
		.auth = s->authenticated && !s->facts.local,
		.utf8 = m->utf8,
	};

	/* Several recipients may not learn of each other (5321-37). */
	if (m->rcpts == 1)
		t.recipient = (struct span){ m->recipient, m->recipient_len };
	if (!received_format(&t, &s->io->content))
		content_fail(m, FAIL_LOCAL, 0, NULL);
}

static bool
put_message_id(struct smtp_server *s)
{
	const struct env *env = &s->conf->env;
	struct buf *out = &s->io->content;
	uint8_t id[QUEUE_ID_LEN], octets[8];
	uint64_t random = 0;
	size_t at;

	env->random(env->arg, octets, sizeof octets);
	for (size_t i = 0; i < sizeof octets; i++)
		random = random << 8 | octets[i];
	if (!buf_put_text(out, "Message-ID: "))
		return false;
	at = out->len;
	if (!message_id_format(queue_id_text(s->mail, id), random, s->conf->hostname, out))
		return false;
	header_give_message_id(&s->mail->header, (struct span){ out->p + at, out->len - at });
	return buf_put_text(out, "\r\n");
}

static bool
put_date(struct smtp_server *s)
{
	const struct env *env = &s->conf->env;
	struct buf *out = &s->io->content;

	return buf_put_text(out, "Date: ") && date_format(env->now(env->arg), out) && buf_put_text(out, "\r\n");
}

static void
header_note(struct smtp_mail *m)
{
	const struct header_scan *h = &m->header;

	if (h->fail != OK)
		content_fail(m, h->fail, h->fail_line, h->fail_words);
}

/* The header section is over, with or without its empty line. */
static void
header_close(struct smtp_server *s)
{
	struct smtp_mail *m = s->mail;

	m->in_body = true;
	(void)header_end(&m->header);
	header_note(m);
	if (m->fail != OK)
		return;
	if ((header_lacks_date(&m->header) && !put_date(s)) ||
	    (header_lacks_message_id(&m->header) && !put_message_id(s)))
		content_fail(m, FAIL_LOCAL, 0, NULL);
}

static void
header_take_line(struct smtp_server *s, struct span line)
{
	struct smtp_mail *m = s->mail;
	bool kept;

	count(s, line.len);
	kept = header_line(&m->header, line);
	header_note(m);
	if (span_done(line))
		header_close(s);
	digest(m, line);
	digest(m, SPAN("\r\n"));
	if (kept) {
		keep(s, line);
		keep(s, SPAN("\r\n"));
	}
	count_line_end(s);
}

/* ---- lines ---- */

static enum dot
dot_at(const struct smtp_server *s, struct span in)
{
	if (!s->dot_data || s->mail->column > 0 || in.p[0] != '.')
		return DOT_NONE;
	if (in.len < 2 || (in.len < 3 && in.p[1] == '\r'))
		return DOT_MORE;
	return in.p[1] == '\r' && in.p[2] == '\n' ? DOT_END : DOT_STUFFED;
}

/* As much as is there of a line that is under way or not part of the header: how much. */
static size_t
take_text(struct smtp_server *s, struct span in)
{
	struct smtp_mail *m = s->mail;
	uint64_t seen = 0;
	size_t n = plain_length(in, &seen);

	note_seen(m, seen);
	count(s, n);
	if (n == in.len || (n + 1 == in.len && in.p[n] == '\r'))
		return n;
	if (in.p[n] == '\r' && in.p[n + 1] == '\n') {
		count_line_end(s);
		return n + 2;
	}
	foul(s, in.p[n]);
	count(s, 1);
	return n + 1;
}

static void
keep_body(struct smtp_server *s, struct span octets)
{
	digest(s->mail, octets);
	keep(s, octets);
}

/* Body lines, and all lines once something was wrong. Copied in runs between stuffed dots. */
static size_t
body_take(struct smtp_server *s, struct span in, bool *ended)
{
	bool keeping = s->mail->fail == OK;
	size_t room = keeping ? buf_room(&s->io->content) : in.len, run = 0, at = 0, n = 0;
	struct span view = span_head(in, room);
	enum dot dot = DOT_NONE;

	if (room < BODY_ROOM && view.len < in.len) {
		s->want = SMTP_WANT_STORE;
		return 0;
	}
	do {
		struct span rest = { view.p + at, view.len - at };

		if (span_done(rest) || (dot = dot_at(s, rest)) >= DOT_END)
			break;
		if (dot == DOT_STUFFED) {
			keep_body(s, (struct span){ view.p + run, at - run });
			run = ++at;
			span_skip(&rest, 1);
		}
		n = take_text(s, rest);
		at += n;
	} while (n > 0);
	if (keeping)
		keep_body(s, (struct span){ view.p + run, at - run });
	*ended = dot == DOT_END;
	return at + (*ended ? 3 : 0);
}

/* One header line, when it is there and nothing is wrong with its octets; what is wrong is for body_take() to say. */
static size_t
header_take(struct smtp_server *s, struct span in, bool *ended)
{
	struct smtp_mail *m = s->mail;
	enum dot dot = dot_at(s, in);
	struct span line = in;
	uint64_t seen = 0;
	size_t n;

	if (buf_room(&s->io->content) < HEADER_ROOM) {
		s->want = SMTP_WANT_STORE;
		return 0;
	}
	if (dot == DOT_MORE)
		return 0;
	if (dot == DOT_END) {
		*ended = true;
		return 3;
	}
	span_skip(&line, dot == DOT_STUFFED);
	n = plain_length(span_head(line, SMTP_TEXT_LINE_MAX), &seen);
	if (n <= TEXT_MAX && (n == line.len || (n + 1 == line.len && line.p[n] == '\r')))
		return 0;
	if (n > TEXT_MAX || line.p[n] != '\r' || line.p[n + 1] != '\n' || m->size + n + 2 > s->conf->size_max)
		return body_take(s, in, ended);
	note_seen(m, seen);
	header_take_line(s, span_head(line, n));
	return n + 2 + (dot == DOT_STUFFED);
}

/* 3030-5: what comes behind the header section of a binary message has no lines, only a size. */
static size_t
binary_take(struct smtp_server *s, struct span in)
{
	struct smtp_mail *m = s->mail;
	size_t room = m->fail == OK ? buf_room(&s->io->content) : in.len;
	struct span head = span_head(in, room);

	if (room == 0) {
		s->want = SMTP_WANT_STORE;
		return 0;
	}
	m->eightbit = true;
	if (head.len > (m->size < s->conf->size_max ? s->conf->size_max - m->size : 0))
		content_fail(m, FAIL_TOO_BIG, 0, NULL);
	m->size += head.len;
	keep_body(s, head);
	return head.len;
}

static size_t
take_lines(struct smtp_server *s, struct span in, bool *ended)
{
	bool binary = s->mail->body == SMTP_BODY_BINARYMIME;
	size_t used = 0, n;

	do {
		bool header = !s->mail->in_body && s->mail->fail == OK;

		if (header)
			n = header_take(s, in, ended);
		else
			n = binary ? binary_take(s, in) : body_take(s, in, ended);
		span_skip(&in, n);
		used += n;
	} while (n > 0 && !*ended && s->want == SMTP_WANT_INPUT && !span_done(in));
	return used;
}

/* ---- lines that a chunk cut ---- */

static bool
partial_is_line(const struct smtp_mail *m)
{
	return m->partial_len > 0 && m->partial[m->partial_len - 1] == '\n';
}

static void
partial_put(struct smtp_mail *m, struct span octets)
{
	assert(octets.len <= sizeof m->partial - m->partial_len);
	memcpy(m->partial + m->partial_len, octets.p, octets.len);
	m->partial_len = (uint16_t)(m->partial_len + octets.len);
}

static void
partial_take(struct smtp_server *s)
{
	struct smtp_mail *m = s->mail;
	struct buf cut = { m->partial, m->partial_len, sizeof m->partial };
	bool ended = false;

	buf_drop(&cut, take_lines(s, buf_span(&cut), &ended));
	m->partial_len = (uint16_t)cut.len;
}

/* The rest of a cut line out of the next chunk. There is room for what comes of it, so it is taken in one go. */
static size_t
partial_join(struct smtp_server *s, struct span in)
{
	struct smtp_mail *m = s->mail;
	struct span head = span_head(in, SMTP_TEXT_LINE_MAX - m->partial_len);
	size_t line_end = span_find(head, '\n');

	if (m->fail == OK && buf_room(&s->io->content) < HEADER_ROOM) {
		s->want = SMTP_WANT_STORE;
		return 0;
	}
	if (line_end < head.len)
		head.len = line_end + 1;
	partial_put(m, head);
	if (partial_is_line(m) || m->partial_len == SMTP_TEXT_LINE_MAX)
		partial_take(s);
	return head.len;
}

static size_t
take_chunk(struct smtp_server *s, struct span in)
{
	struct smtp_mail *m = s->mail;
	bool ended = false;
	size_t n;

	in = span_head(in, m->chunk_left < in.len ? (size_t)m->chunk_left : in.len);
	if (m->partial_len > 0) {
		n = partial_join(s, in);
	} else {
		n = take_lines(s, in, &ended);
		/* Nothing more comes of this chunk: what is left is a line cut in two. */
		if (s->want == SMTP_WANT_INPUT && in.len == m->chunk_left) {
			span_skip(&in, n);
			n += in.len;
			partial_put(m, in);
		}
	}
	m->chunk_left -= n;
	if (m->chunk_left == 0 && s->want == SMTP_WANT_INPUT)
		chunk_end(s);
	return n;
}

/* ---- the whole ---- */

size_t
content_step(struct smtp_server *s, struct span in)
{
	bool ended = false;
	size_t n;

	if (!s->dot_data)
		return take_chunk(s, in);
	n = take_lines(s, in, &ended);
	if (ended)
		content_end(s);
	return n;
}

bool
content_end_line(struct smtp_server *s)
{
	struct smtp_mail *m = s->mail;

	if ((m->partial_len > 0 && !partial_is_line(m)) || (m->partial_len == 0 && m->column > 0))
		partial_put(m, SPAN("\r\n"));
	if (m->partial_len > 0)
		partial_take(s);
	if (s->want == SMTP_WANT_STORE)
		s->then = THEN_END_CHUNK;
	return s->want != SMTP_WANT_STORE;
}

void
content_end(struct smtp_server *s)
{
	struct smtp_mail *m = s->mail;

	if (!m->in_body && m->fail == OK)
		header_close(s);
	if (m->terms.priority > 0 && s->conf->priority_size_max > 0 && m->size > s->conf->priority_size_max)
		content_fail(m, FAIL_PRIORITY_SIZE, 0, NULL);
	if (m->fail != OK) {
		server_forget_mail(s);
		content_refuse(s);
	} else if (s->io->content.len > 0) {
		s->then = THEN_FINISH;
		s->want = SMTP_WANT_STORE;
	} else {
		content_finish(s);
	}
}

/* Is everybody in From the reverse-path, for which the verdict is in? */
static bool
author_is_sender(const struct smtp_mail *m)
{
	struct span rest = header_authors(&m->header);
	struct mailbox sender, author;
	enum address_step step;

	if (mailbox_parse((struct span){ m->reverse_path, m->reverse_path_len }, &sender) != PATH_OK)
		return false;
	while ((step = address_next(&rest, &author)) == ADDRESS_ONE)
		if (!mailbox_equal(&sender, &author))
			return false;
	return step == ADDRESS_END;
}

void
content_finish(struct smtp_server *s)
{
	if (author_is_sender(s->mail)) {
		server_ask(s, SMTP_ASK_COMMIT);
		return;
	}
	s->ask.octets = header_authors(&s->mail->header);
	server_ask(s, SMTP_ASK_AUTHOR);
}

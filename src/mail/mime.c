#include "mail/mime.h"

#include <assert.h>
#include <string.h>

#include "mail/field.h"

/* ---- what a header section says ---- */

static const struct { struct span name; enum mime_field field; } known[] = {
	{ SPAN_INIT("Content-Type"), MIME_FIELD_TYPE },
	{ SPAN_INIT("Content-Transfer-Encoding"), MIME_FIELD_ENCODING },
	{ SPAN_INIT("MIME-Version"), MIME_FIELD_VERSION },
	{ SPAN_INIT("DKIM-Signature"), MIME_FIELD_DKIM },
};

static enum mime_field
field_known(struct span name)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (span_same(name, known[i].name))
			return known[i].field;
	return MIME_FIELD_OTHER;
}

/* Octets of a value that may go on in further lines; too many of them and it says nothing. */
static void
value_keep(struct mime *m, struct span octets)
{
	if (m->field == MIME_FIELD_TYPE) {
		if (octets.len > sizeof m->value - m->value_len)
			m->entity.odd = true;
		octets = span_head(octets, sizeof m->value - m->value_len);
		memcpy(m->value + m->value_len, octets.p, octets.len);
		m->value_len = (uint16_t)(m->value_len + octets.len);
	}
	if (m->field == MIME_FIELD_ENCODING) {
		if (octets.len > sizeof m->encoding - m->encoding_len)
			m->entity.odd = true;
		octets = span_head(octets, sizeof m->encoding - m->encoding_len);
		memcpy(m->encoding + m->encoding_len, octets.p, octets.len);
		m->encoding_len = (uint8_t)(m->encoding_len + octets.len);
	}
}

static void
field_begin(struct mime *m, struct span name, struct span value)
{
	enum mime_field field = field_known(name);

	m->field = (uint8_t)field;
	m->begun = true;
	if ((field == MIME_FIELD_TYPE && m->entity.typed) || (field == MIME_FIELD_ENCODING && m->has_encoding))
		m->entity.odd = true;
	m->entity.typed |= field == MIME_FIELD_TYPE;
	m->entity.versioned |= field == MIME_FIELD_VERSION;
	m->has_encoding |= field == MIME_FIELD_ENCODING;
	value_keep(m, value);
}

static enum mime_encoding
encoding_of(const struct mime *m)
{
	static const struct { struct span name; enum mime_encoding encoding; } names[] = {
		{ SPAN_INIT("7bit"), MIME_7BIT }, { SPAN_INIT("8bit"), MIME_8BIT }, { SPAN_INIT("binary"), MIME_BINARY },
		{ SPAN_INIT("quoted-printable"), MIME_QUOTED }, { SPAN_INIT("base64"), MIME_BASE64 },
	};
	struct span token = mime_token((struct span){ m->encoding, m->encoding_len });

	if (!m->has_encoding)
		return MIME_UNSAID;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (span_same(token, names[i].name))
			return names[i].encoding;
	return MIME_UNKNOWN;
}

static bool
is_plainly(enum mime_encoding e)
{
	return e < MIME_QUOTED;
}

/* RFC 2046 5.2, RFC 6532 3.7: of the messages only the global ones may be encoded, and only these two are looked into. */
static enum mime_kind
message_kind(const struct mime *m, const struct mime_type *t)
{
	if (span_same(t->subtype, SPAN("rfc822")) || span_same(t->subtype, SPAN("news")))
		return is_plainly(m->entity.encoding) ? MIME_MESSAGE : MIME_SEALED;
	return span_same(span_head(t->subtype, 6), SPAN("global")) ? MIME_DATA : MIME_SEALED;
}

static enum mime_kind
kind_of(struct mime *m, struct mime_type *t)
{
	bool digest = m->depth > 0 && m->level[m->depth - 1].digest && m->entity.root != m->entity.number;

	if (!m->entity.typed)
		return digest ? MIME_MESSAGE : MIME_TEXT;
	if (!mime_type_parse((struct span){ m->value, m->value_len }, t))
		return MIME_TEXT;
	if (span_same(t->type, SPAN("text")))
		return MIME_TEXT;
	if (span_same(t->type, SPAN("message")))
		return message_kind(m, t);
	if (!span_same(t->type, SPAN("multipart")))
		return MIME_DATA;
	return t->boundary_len > 0 && m->depth < MIME_LEVELS && is_plainly(m->entity.encoding) ? MIME_MULTIPART : MIME_SEALED;
}

/* ---- entities ---- */

static void
entity_begin(struct mime *m, bool is_message)
{
	const struct mime_entity *above = m->depth > 0 ? &m->level[m->depth - 1].entity : &m->entity;
	bool odd = is_message ? m->entity.odd : above->odd;

	m->entity = (struct mime_entity){ .number = m->entities, .root = is_message ? m->entities : above->root, .odd = odd };
	m->entity.is_signed = m->depth > 0 && m->level[m->depth - 1].is_signed;
	m->entities += m->entities < UINT32_MAX;
	m->in_header = true;
	m->ignored = m->begun = m->has_encoding = m->cr = m->held = false;
	m->field = MIME_FIELD_OTHER;
	m->line_len = m->value_len = 0;
	m->encoding_len = 0;
}

static void
level_push(struct mime *m, const struct mime_type *t)
{
	struct mime_level *l = &m->level[m->depth++];

	*l = (struct mime_level){ .entity = m->entity, .boundary_len = t->boundary_len };
	l->digest = span_same(t->subtype, SPAN("digest"));
	l->is_signed = m->entity.is_signed || span_same(t->subtype, SPAN("signed"));
	memcpy(l->boundary, t->boundary, t->boundary_len);
}

static void
body_begin(struct mime *m, bool ignored)
{
	m->in_header = false;
	m->ignored = ignored;
	m->head = true;
	m->cr = m->held = false;
	m->line_len = 0;
}

static void
header_over(struct mime *m, bool blank)
{
	struct mime_type t = { .boundary_len = 0 };

	m->entity.encoding = encoding_of(m);
	m->entity.kind = kind_of(m, &t);
	m->events->body(m->arg, &m->entity, blank);
	if (m->entity.kind == MIME_MESSAGE && blank) {
		entity_begin(m, true);
		return;
	}
	if (m->entity.kind == MIME_MULTIPART)
		level_push(m, &t);
	body_begin(m, m->entity.kind == MIME_MULTIPART);
}

/* ---- delimiters ---- */

/* The level whose delimiter this line is, plus one; 0: none's. Spaces may follow (RFC 2046 5.1.1). */
static uint32_t
delimiter_find(const struct mime *m, struct span line, bool *closing)
{
	if (!span_take(&line, SPAN("--")))
		return 0;
	while (line.len > 0 && ascii_is_blank(line.p[line.len - 1]))
		line.len--;
	for (uint32_t i = m->depth; i > 0; i--) {
		struct span rest = line, boundary = { m->level[i - 1].boundary, m->level[i - 1].boundary_len };

		if (!span_eq(span_head(rest, boundary.len), boundary))
			continue;
		span_skip(&rest, boundary.len);
		*closing = span_eq(rest, SPAN("--"));
		if (*closing || span_done(rest))
			return i;
	}
	return 0;
}

static void
delimiter(struct mime *m, uint32_t level, bool closing, bool crlf)
{
	if (!m->ignored)
		m->events->end(m->arg);
	m->events->delimiter(m->arg, (struct span){ m->line, m->line_len }, m->held, crlf);
	m->depth = level;
	if (!closing) {
		entity_begin(m, false);
		return;
	}
	m->entity = m->level[level - 1].entity;
	m->depth = level - 1;
	body_begin(m, true);
}

/* ---- header sections ---- */

/* "From alice Sun Nov 22 ...": a message out of a mailbox file. Everybody reads over it. */
static bool
is_mailbox_line(const struct mime *m, struct span line)
{
	(void)span_take_byte(&line, '>');
	return m->entity.root == m->entity.number && !m->begun && span_eq(span_head(line, 5), SPAN("From "));
}

static void
header_line(struct mime *m, bool crlf)
{
	struct span line = { m->line, m->line_len }, name, value;
	uint32_t level;
	bool closing = false;

	if (span_done(line)) {
		header_over(m, true);
		return;
	}
	level = delimiter_find(m, line, &closing);
	if (level > 0) {
		/* A part without a body, or without anything. */
		m->held = false;
		header_over(m, false);
		m->line_len = (uint16_t)line.len;
		delimiter(m, level, closing, crlf);
		return;
	}
	if (m->begun && ascii_is_blank(line.p[0])) {
		value_keep(m, line);
	} else if (field_split(line, &name, &value)) {
		field_begin(m, name, value);
	} else {
		m->field = MIME_FIELD_OTHER;
		m->entity.odd = m->entity.odd || !is_mailbox_line(m, line);
	}
	m->events->field(m->arg, (enum mime_field)m->field, line);
}

static bool
is_foul(struct span line)
{
	return span_find(line, '\r') < line.len || span_find(line, 0) < line.len;
}

/* A line as it stands, with its LF or cut off at the end of the message. */
static void
header_line_over(struct mime *m, bool lf)
{
	bool crlf = lf && m->line_len > 0 && m->line[m->line_len - 1] == '\r';

	if (lf && !crlf)
		m->odd = "a bare LF in a header section";
	m->line_len = (uint16_t)(m->line_len - crlf);
	if (is_foul((struct span){ m->line, m->line_len }))
		m->odd = "a bare CR or a NUL in a header section";
	header_line(m, lf);
	/* Before it the new section or body has made its own beginning. */
	m->line_len = 0;
}

static size_t
header_take(struct mime *m, struct span in)
{
	size_t n = span_find(in, '\n'), room = MIME_LINE_MAX - 1 - m->line_len;
	bool whole = n < in.len && n <= room;

	in = span_head(in, room);
	n = n < in.len ? n : in.len;
	memcpy(m->line + m->line_len, in.p, n);
	m->line_len = (uint16_t)(m->line_len + n);
	if (whole) {
		header_line_over(m, true);
		return n + 1;
	}
	if (m->line_len == MIME_LINE_MAX - 1 && n == 0) {
		/* Nothing will be made of such a message; the rest of it only must not run over. */
		m->odd = "a line of more than 998 octets in a header section";
		m->line_len = 0;
	}
	return n;
}

/* ---- bodies ---- */

static void
say_text(struct mime *m, struct span s)
{
	if (s.len > 0)
		m->events->text(m->arg, s);
}

/* What was held back was no delimiter. */
static void
head_release(struct mime *m)
{
	if (m->held)
		m->events->newline(m->arg);
	m->held = m->head = false;
	say_text(m, (struct span){ m->line, m->line_len });
	m->line_len = 0;
}

static void
body_line_over(struct mime *m)
{
	bool closing = false;
	uint32_t level = m->head ? delimiter_find(m, (struct span){ m->line, m->line_len }, &closing) : 0;

	if (level > 0) {
		delimiter(m, level, closing, true);
		return;
	}
	if (m->head)
		head_release(m);
	m->held = true;
	m->head = true;
}

/* May this octet be the next of a delimiter? */
static bool
may_delimit(const struct mime *m, uint8_t c)
{
	if (m->depth == 0)
		return false;
	if (m->line_len >= MIME_DELIMITER_MAX)
		return m->line_len < MIME_LINE_MAX && ascii_is_blank(c);
	return m->line_len < 2 ? c == '-' : c != '\r' && c != '\n';
}

static size_t
body_take(struct mime *m, struct span in)
{
	size_t n = 0;

	if (m->cr) {
		m->cr = false;
		if (in.p[0] == '\n') {
			body_line_over(m);
			return 1;
		}
		if (m->head)
			head_release(m);
		say_text(m, SPAN("\r"));
		return 0;
	}
	if (m->head) {
		while (n < in.len && may_delimit(m, in.p[n]))
			m->line[m->line_len++] = in.p[n++];
		if (n == in.len)
			return n;
		if (in.p[n] != '\r') {
			head_release(m);
			return n;
		}
	} else {
		n = span_find(in, '\r');
		say_text(m, span_head(in, n));
	}
	m->cr = n < in.len;
	return n + m->cr;
}

/* ---- the whole ---- */

void
mime_begin(struct mime *m, const struct mime_events *events, void *arg)
{
	memset(m, 0, sizeof *m);
	m->events = events;
	m->arg = arg;
	entity_begin(m, true);
}

void
mime_feed(struct mime *m, struct span in)
{
	while (in.len > 0)
		span_skip(&in, m->in_header ? header_take(m, in) : body_take(m, in));
}

static void
body_cut_off(struct mime *m)
{
	bool closing = false;
	uint32_t level = 0;

	if (m->head && !m->cr)
		level = delimiter_find(m, (struct span){ m->line, m->line_len }, &closing);
	if (level > 0) {
		delimiter(m, level, closing, false);
		return;
	}
	if (m->head)
		head_release(m);
	if (m->cr)
		say_text(m, SPAN("\r"));
}

void
mime_end(struct mime *m)
{
	if (m->in_header && m->line_len > 0)
		header_line_over(m, false);
	if (m->in_header)
		header_over(m, false);
	else
		body_cut_off(m);
	if (!m->in_header && !m->ignored)
		m->events->end(m->arg);
}

#include "mail/dkim.h"

#include <assert.h>
#include <string.h>

#include "base/base64.h"
#include "mail/field.h"

enum oversign {
	ALWAYS,                 /* listed once more than present, also when there is none */
	WHEN_THERE,             /* the same, but only when there is one: who passes mail on may add it */
	NEVER,
};

/*
 * RFC 6376 5.4.1, with Message-ID, Sender, what says how the body is read (8.15 shows what else could be done with it), RFC 8058 5's
 * List-Unsubscribe-Post, and RFC 8689's TLS-Required. Never what changes on the way: Return-Path, Received, Bcc.
 */
static const struct known {
	struct span name;
	enum oversign oversign;
} known[DKIM_KNOWN] = {
	{ SPAN_INIT("from"), ALWAYS },
	{ SPAN_INIT("sender"), WHEN_THERE },
	{ SPAN_INIT("reply-to"), ALWAYS },
	{ SPAN_INIT("to"), ALWAYS },
	{ SPAN_INIT("cc"), ALWAYS },
	{ SPAN_INIT("subject"), ALWAYS },
	{ SPAN_INIT("date"), ALWAYS },
	{ SPAN_INIT("message-id"), ALWAYS },
	{ SPAN_INIT("in-reply-to"), WHEN_THERE },
	{ SPAN_INIT("references"), WHEN_THERE },
	{ SPAN_INIT("mime-version"), ALWAYS },
	{ SPAN_INIT("content-type"), ALWAYS },
	{ SPAN_INIT("content-transfer-encoding"), ALWAYS },
	{ SPAN_INIT("content-disposition"), WHEN_THERE },
	{ SPAN_INIT("content-description"), WHEN_THERE },
	{ SPAN_INIT("content-id"), WHEN_THERE },
	{ SPAN_INIT("content-language"), WHEN_THERE },
	{ SPAN_INIT("resent-date"), NEVER },
	{ SPAN_INIT("resent-from"), NEVER },
	{ SPAN_INIT("resent-sender"), NEVER },
	{ SPAN_INIT("resent-to"), NEVER },
	{ SPAN_INIT("resent-cc"), NEVER },
	{ SPAN_INIT("resent-message-id"), NEVER },
	{ SPAN_INIT("list-id"), NEVER },
	{ SPAN_INIT("list-help"), NEVER },
	{ SPAN_INIT("list-unsubscribe"), NEVER },
	{ SPAN_INIT("list-unsubscribe-post"), NEVER },
	{ SPAN_INIT("list-subscribe"), NEVER },
	{ SPAN_INIT("list-post"), NEVER },
	{ SPAN_INIT("list-owner"), NEVER },
	{ SPAN_INIT("list-archive"), NEVER },
	{ SPAN_INIT("tls-required"), WHEN_THERE },
	{ SPAN_INIT("auto-submitted"), WHEN_THERE },
};

enum { KNOWN_FROM = 0, FOLD_AT = 76, SIGNATURE_LINE = 72 };

static const struct { enum dkim_algorithm algorithm; const char *name; } algorithms[DKIM_ALGORITHMS] = {
	{ DKIM_RSA_SHA256, "rsa-sha256" }, { DKIM_ED25519_SHA256, "ed25519-sha256" },
};

const char *
dkim_algorithm_name(enum dkim_algorithm algorithm)
{
	for (size_t i = 0; i < DKIM_ALGORITHMS; i++)
		if (algorithms[i].algorithm == algorithm)
			return algorithms[i].name;
	return "";
}

unsigned
dkim_algorithm_find(struct span name)
{
	for (size_t i = 0; i < DKIM_ALGORITHMS; i++)
		if (span_same(span_of(algorithms[i].name), name))
			return algorithms[i].algorithm;
	return 0;
}

/* ---- which fields ---- */

bool
dkim_header_find(struct span octets, size_t *section, size_t *body)
{
	struct span rest = octets;

	/* Line by line: the section ends where one has nothing but its end. */
	while (rest.len >= 2) {
		size_t line = span_find(rest, '\n');

		if (rest.p[0] == '\r' && rest.p[1] == '\n') {
			*section = octets.len - rest.len;
			*body = *section + 2;
			return true;
		}
		if (line == rest.len)
			return false;
		span_skip(&rest, line + 1);
	}
	return false;
}

/* Length and first letter rule out nearly every row. */
static size_t
find_known(struct span name)
{
	for (size_t i = 0; i < DKIM_KNOWN; i++)
		if (known[i].name.len == name.len && known[i].name.p[0] == ascii_lower(name.p[0]) && span_same(known[i].name, name))
			return i;
	return DKIM_KNOWN;
}

void
dkim_header_init(struct dkim_header *h, struct span section)
{
	struct header_field f;

	memset(h->count, 0, sizeof h->count);
	while (section.len > 0 && field_next(&section, &f)) {
		size_t i = find_known(f.name);

		if (i < DKIM_KNOWN)
			h->field[i][h->count[i]++ % DKIM_INSTANCES_MAX] = f.whole;
	}
}

/* The n-th field of this name from the bottom, counted from 0; empty when there is none, or it is not kept. */
static struct span
from_bottom(const struct dkim_header *h, size_t name, uint32_t n)
{
	if (n >= h->count[name] || n >= DKIM_INSTANCES_MAX)
		return (struct span){ NULL, 0 };
	return h->field[name][(h->count[name] - 1 - n) % DKIM_INSTANCES_MAX];
}

bool
dkim_header_author(const struct dkim_header *h, struct mailbox *out)
{
	struct span field = from_bottom(h, KNOWN_FROM, 0), name, value;

	return field.len > 0 && field_split(field, &name, &value) && address_next(&value, out) == ADDRESS_ONE;
}

/* A name with more fields than we keep is listed for those that we keep: to list more would be a lie about the others. */
static uint32_t
times_listed(const struct dkim_header *h, size_t name)
{
	uint32_t n = h->count[name];

	if (n > DKIM_INSTANCES_MAX)
		return DKIM_INSTANCES_MAX;
	return n + (known[name].oversign == ALWAYS || (known[name].oversign == WHEN_THERE && n > 0));
}

bool
dkim_names_format(const struct dkim_header *h, struct buf *out)
{
	size_t before = out->len;
	bool good = true;

	for (size_t i = 0; i < DKIM_KNOWN; i++)
		for (uint32_t n = times_listed(h, i); n > 0 && good; n--)
			good = (out->len == before || buf_put_byte(out, ':')) && buf_put(out, known[i].name);
	if (!good)
		out->len = before;
	return good;
}

/* ---- one field in relaxed form ---- */

/* Gathers, so that the digest is not called for each octet. */
struct writer {
	const struct dkim_sink *to;
	struct buf b;
	uint8_t octets[512];
};

static void
writer_init(struct writer *w, const struct dkim_sink *to)
{
	w->to = to;
	w->b = BUF_OVER(w->octets);
}

static void
writer_flush(struct writer *w)
{
	if (w->b.len > 0)
		w->to->put(w->to->arg, buf_span(&w->b));
	w->b.len = 0;
}

static void
write_octet(struct writer *w, uint8_t c)
{
	if (buf_room(&w->b) == 0)
		writer_flush(w);
	(void)buf_put_byte(&w->b, c);
}

/* Unfolded, runs of white space as one space, none at either end (3.4.2). */
static void
write_value(struct writer *w, struct span value)
{
	bool space = false, begun = false;

	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.p[i];

		if (c == '\r' || c == '\n')
			continue;
		if (ascii_is_blank(c)) {
			space = begun;
			continue;
		}
		if (space)
			write_octet(w, ' ');
		write_octet(w, c);
		space = false;
		begun = true;
	}
}

static void
write_field(struct writer *w, struct span field)
{
	struct span name, value;

	if (!field_split(field, &name, &value))
		return;
	for (size_t i = 0; i < name.len; i++)
		write_octet(w, ascii_lower(name.p[i]));
	write_octet(w, ':');
	write_value(w, value);
}

void
dkim_field_put(struct span field, const struct dkim_sink *to)
{
	struct writer w;

	writer_init(&w, to);
	write_field(&w, field);
	writer_flush(&w);
}

static struct span
trimmed(struct span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
		span_skip(&s, 1);
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t' || s.p[s.len - 1] == '\r' || s.p[s.len - 1] == '\n'))
		s.len--;
	return s;
}

bool
dkim_header_put(const struct dkim_header *h, struct span names, const struct dkim_sink *to)
{
	uint32_t listed[DKIM_KNOWN] = { 0 };
	struct writer w;

	writer_init(&w, to);
	do {
		struct span name = trimmed(span_take_until(&names, ':')), field;
		size_t i = name.len > 0 ? find_known(name) : DKIM_KNOWN;

		if (i == DKIM_KNOWN)
			return false;
		field = from_bottom(h, i, listed[i]++);
		if (field.len == 0)
			continue;               /* listed once more than present: nothing (5.4.2) */
		write_field(&w, field);
		write_octet(&w, '\r');
		write_octet(&w, '\n');
	} while (span_take_byte(&names, ':'));
	writer_flush(&w);
	return true;
}

/* ---- the DKIM-Signature field ---- */

static bool
put_tag(struct buf *out, const char *tag, struct span value, const char *close)
{
	return buf_put_text(out, tag) && buf_put(out, value) && buf_put_text(out, close);
}

/* White space may stand around the colons (3.5), so lines break there. */
static bool
put_names(struct buf *out, struct span names)
{
	size_t column = 8 + 2;
	bool good = buf_put_text(out, "\th=");

	do {
		struct span name = span_take_until(&names, ':');
		bool more = names.len > 0;

		if (column + name.len + 1 > FOLD_AT) {
			good = good && buf_put_text(out, "\r\n\t ");
			column = 9;
		}
		good = good && buf_put(out, name) && (!more || buf_put_byte(out, ':'));
		column += name.len + 1;
	} while (good && span_take_byte(&names, ':'));
	return good && buf_put_text(out, ";\r\n");
}

static bool
put_base64_folded(struct buf *out, struct span octets)
{
	uint8_t room[BASE64_LEN(DKIM_SIGNATURE_MAX)];
	struct buf text = BUF_OVER(room);
	struct span rest;
	bool good = base64_format(octets, &text);

	for (rest = buf_span(&text); good && rest.len > 0; span_skip(&rest, span_head(rest, SIGNATURE_LINE).len))
		good = (rest.len == text.len || buf_put_text(out, "\r\n\t ")) && buf_put(out, span_head(rest, SIGNATURE_LINE));
	return good;
}

bool
dkim_field_format(const struct dkim_signature *s, struct buf *out)
{
	size_t before = out->len;
	bool good = put_tag(out, "DKIM-Signature: v=1; a=", span_of(dkim_algorithm_name(s->algorithm)), "; c=relaxed/relaxed;\r\n") &&
	    put_tag(out, "\td=", s->domain, "; s=") && put_tag(out, "", s->selector, "; t=") && buf_put_u64(out, s->when) &&
	    buf_put_text(out, ";\r\n") && put_names(out, s->names) && buf_put_text(out, "\tbh=") &&
	    base64_format(s->body_digest, out) && buf_put_text(out, ";\r\n\tb=") && put_base64_folded(out, s->signature) &&
	    buf_put_text(out, "\r\n");

	if (!good)
		out->len = before;
	return good;
}

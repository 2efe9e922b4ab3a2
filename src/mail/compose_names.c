/* Jürgen Groß <root>: the name as encoded-words (RFC 2047 5 (2), (3)), the address completed, its domain in A-labels, everything else as it is. */
#include "mail/compose_parts.h"

#include "base/utf8.h"
#include "mail/encoded_word.h"
#include "mail/field.h"
#include "mail/path.h"

enum { NAME_MAX_OCTETS = 500, SHORT_NAME = 10 };        /* of a person; of a field whose line has room for an encoded-word */

struct names {
	struct compose *c;
	struct span value;
	struct span addresses;          /* what is left of them */
	const uint8_t *gap;             /* where the next one has its domain, or lacks it; NULL: none needs another */
	size_t gap_len;                 /* octets there that words stand for */
	struct buf words;
	uint8_t words_octets[DOMAIN_MAX + 2];
	size_t start;                   /* of what has not been written */
	bool comment;                   /* it has one */
	struct buf *out;
};

/* A domain for an address that has none, A-labels for one whose domain is not ASCII. */
static bool
is_gap(struct names *n, const struct mailbox *m)
{
	const struct compose_facts *facts = n->c->facts;

	n->words = (struct buf){ n->words_octets, 0, sizeof n->words_octets };
	n->gap = span_done(m->domain) ? m->local.p + m->local.len : m->domain.p;
	n->gap_len = m->domain.len;
	if (span_done(m->domain))
		return buf_put_byte(&n->words, '@') && buf_put(&n->words, facts->domain);
	return !utf8_is_ascii(m->domain) && facts->a_labels != NULL && facts->a_labels(m->domain, &n->words);
}

static void
find_gap(struct names *n)
{
	struct mailbox m;

	while (compose_address_next(n->c, &n->addresses, &m) == ADDRESS_ONE)
		if (is_gap(n, &m))
			return;
	n->gap = NULL;
}

static struct span
piece(const struct names *n, size_t end)
{
	return (struct span){ n->value.p + n->start, end - n->start };
}

static bool
put_some(struct names *n, struct span text)
{
	n->c->utf8 |= !utf8_is_ascii(text);
	return buf_put(n->out, text);
}

/* Up to end, as it is but for domains. */
static bool
put_raw(struct names *n, size_t end)
{
	struct span text = piece(n, end);

	n->start = end;
	n->comment = false;
	while (n->gap != NULL && n->gap > text.p && n->gap + n->gap_len <= text.p + text.len) {
		struct span head = span_head(text, (size_t)(n->gap - text.p));

		if (!put_some(n, head) || !put_some(n, buf_span(&n->words)))
			return false;
		span_skip(&text, head.len + n->gap_len);
		find_gap(n);
	}
	return put_some(n, text);
}

/* The octets that are meant. False: too many. */
static bool
unquote(struct span phrase, struct buf *name)
{
	bool quoted = false, fits = true;

	for (size_t i = 0; i < phrase.len && fits; i++) {
		uint8_t c = phrase.p[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\\' && quoted && i + 1 < phrase.len)
			c = phrase.p[++i];
		if (c == '\r' || c == '\n' || (name->len == 0 && ascii_is_blank(c)))
			continue;
		fits = buf_put_byte(name, c);
	}
	while (name->len > 0 && ascii_is_blank(name->p[name->len - 1]))
		name->len--;
	return fits;
}

/* A phrase ends at end, with '<' or the ':' of a group. */
static bool
put_phrase(struct names *n, size_t end, bool folds)
{
	struct span phrase = piece(n, end);
	uint8_t octets[NAME_MAX_OCTETS];
	struct buf name = BUF_OVER(octets);
	bool holds_gap = n->gap != NULL && n->gap <= phrase.p + phrase.len;

	if (utf8_is_ascii(phrase) || n->comment || holds_gap || !unquote(phrase, &name))
		return put_raw(n, end);
	folds = folds || n->start > 0;
	n->start = end;
	return buf_put_text(n->out, folds ? "\r\n " : " ") && encoded_words_put(buf_span(&name), n->out)
	    && (n->value.p[end] == ':' || buf_put_text(n->out, "\r\n "));
}

/* The end of what begins at `at` with '"' or '('. */
static size_t
skip_to_end(struct span value, size_t at)
{
	uint8_t open = value.p[at], close = open == '(' ? ')' : open == '<' ? '>' : '"';
	unsigned depth = 1;

	for (at++; at < value.len && depth > 0; at++) {
		uint8_t c = value.p[at];

		if (c == '\\' && open != '<')
			at++;
		else if (c == close)
			depth--;
		else if (c == '(' && open == '(')
			depth++;
	}
	return at < value.len ? at : value.len;
}

/* From '(' to behind ')' (RFC 2047 5 (2)). */
static bool
put_comment(struct names *n, size_t at, size_t end)
{
	struct span inside = { n->value.p + at + 1, end - at - 1 };
	uint8_t octets[NAME_MAX_OCTETS];
	struct buf text = BUF_OVER(octets);

	for (size_t i = 0; i + 1 < inside.len; i++) {
		uint8_t c = inside.p[i];

		if (c == '\\')
			c = inside.p[++i];
		if (c != '\r' && c != '\n' && !buf_put_byte(&text, c))
			return put_raw(n, end);
	}
	if (!put_raw(n, at))
		return false;
	n->start = end;
	return buf_put_text(n->out, "\r\n (") && encoded_words_put(buf_span(&text), n->out) && buf_put_byte(n->out, ')');
}

/* The comment that ends at end is not ASCII, and what stands before it is. */
static bool
is_foreign_comment(const struct names *n, size_t at, size_t end)
{
	struct span comment = { n->value.p + at, end - at };

	return !utf8_is_ascii(comment) && utf8_is_ascii(piece(n, at)) && comment.len > 2 && comment.p[comment.len - 1] == ')';
}

bool
compose_names_put(struct compose *c, const struct header_field *f, struct buf *out)
{
	struct names n = { .c = c, .value = f->value, .addresses = f->value, .out = out };
	bool good = buf_put(out, span_head(f->whole, f->whole.len - f->value.len)), folds = f->name.len > SHORT_NAME;
	size_t at = 0;

	find_gap(&n);
	while (at < n.value.len && good) {
		uint8_t octet = n.value.p[at];
		size_t end = octet == '"' || octet == '(' || octet == '<' ? skip_to_end(n.value, at) : at + 1;

		if (octet == '<' || octet == ':')
			good = put_phrase(&n, at, folds) && put_raw(&n, end);
		else if (octet == ',' || octet == ';')
			good = put_raw(&n, end);
		if (octet == '(' && is_foreign_comment(&n, at, end))
			good = put_comment(&n, at, end);
		else
			n.comment |= octet == '(';
		at = end;
	}
	return good && put_raw(&n, n.value.len);
}

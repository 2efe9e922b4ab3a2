#include "audit/transcript.h"

/* ---- reading ---- */

static struct span
take_line(struct span *text)
{
	struct span line = span_take_until(text, '\n');

	(void)span_take_byte(text, '\n');
	return line;
}

static struct fact
fact_of(struct span line)
{
	struct fact f = { .key = span_take_until(&line, ' ') };

	(void)span_take_byte(&line, ' ');
	f.value = line;
	return f;
}

bool
fact_take(struct span *lines, struct fact *f)
{
	do {
		if (span_done(*lines))
			return false;
		*f = fact_of(take_line(lines));
	} while (span_done(f->key));
	return true;
}

/* Everything up to the next line that begins an endpoint. */
static struct span
take_section(struct span *text)
{
	struct span all = *text;

	while (!span_done(*text)) {
		struct span here = *text;

		if (span_eq(fact_of(take_line(&here)).key, SPAN("endpoint")))
			break;
		*text = here;
	}
	return span_head(all, all.len - text->len);
}

bool
transcript_open(struct transcript *t, struct span text)
{
	struct fact first = fact_of(take_line(&text));
	uint64_t version;

	*t = (struct transcript){ .rest = text };
	if (!span_eq(first.key, SPAN("postern-audit")) || !span_take_u64(&first.value, &version) || version != TRANSCRIPT_VERSION
	    || !span_done(first.value))
		return false;
	t->target.lines = take_section(&t->rest);
	(void)section_find(&t->target, "at", &t->at);
	return section_find(&t->target, "target", &t->name);
}

bool
transcript_take(struct span *all, struct span *one)
{
	struct span rest = *all, head = SPAN("postern-audit ");

	if (span_done(rest))
		return false;
	do {
		span_skip(&rest, span_find(rest, '\n'));
		(void)span_take_byte(&rest, '\n');
	} while (!span_done(rest) && !span_eq(span_head(rest, head.len), head));
	*one = span_head(*all, all->len - rest.len);
	*all = rest;
	return true;
}

bool
transcript_next(struct transcript *t, struct section *s)
{
	while (!span_done(t->rest)) {
		struct span value = fact_of(take_line(&t->rest)).value, port;
		uint64_t n;

		*s = (struct section){ .address = span_take_word(&value) };
		port = span_take_word(&value);
		s->service = value;
		s->lines = take_section(&t->rest);
		if (span_take_u64(&port, &n) && span_done(port) && n <= UINT16_MAX && !span_done(s->service)) {
			s->port = (uint16_t)n;
			return true;
		}
	}
	return false;
}

bool
section_find(const struct section *s, const char *key, struct span *value)
{
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f))
		if (span_eq(f.key, span_of(key))) {
			*value = f.value;
			return true;
		}
	*value = (struct span){ NULL, 0 };
	return false;
}

bool
section_has(const struct section *s, const char *key, const char *words)
{
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f))
		if (span_eq(f.key, span_of(key)) && span_take(&f.value, span_of(words))
		    && (span_done(f.value) || f.value.p[0] == ' '))
			return true;
	return false;
}

size_t
section_count(const struct section *s, const char *key)
{
	struct span lines = s->lines;
	struct fact f;
	size_t n = 0;

	while (fact_take(&lines, &f))
		n += span_eq(f.key, span_of(key));
	return n;
}

/* ---- writing ---- */

bool
transcript_put(struct buf *out, const char *key, struct span value)
{
	size_t before = out->len;
	bool fits = buf_put_text(out, key) && buf_put_byte(out, ' ');

	value = span_head(value, TRANSCRIPT_VALUE_MAX);
	for (size_t i = 0; fits && i < value.len; i++) {
		uint8_t c = value.p[i];

		if (c >= 32 && c <= 126 && c != '\\')
			fits = buf_put_byte(out, c);
		else
			fits = buf_put_text(out, "\\x") && buf_put_hex(out, c, 2);
	}
	fits = fits && buf_put_byte(out, '\n');
	if (!fits)
		out->len = before;
	return fits;
}

bool
transcript_put_text(struct buf *out, const char *key, const char *value)
{
	return transcript_put(out, key, span_of(value));
}

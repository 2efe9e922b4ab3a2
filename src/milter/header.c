#include "milter/header.h"

#include <string.h>

#include "mail/field.h"
#include "mail/header.h"

/* ---- what is a field ---- */

static bool
name_is_right(struct span name)
{
	if (span_done(name) || name.len > MILTER_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_graph(name.p[i]) || name.p[i] == ':')
			return false;
	return true;
}

static bool
all_blank(struct span s)
{
	size_t n = 0;

	while (n < s.len && ascii_is_blank(s.p[n]))
		n++;
	return n == s.len;
}

/* A line without its end off the front of a value, whether LF or CRLF ends it. */
static struct span
take_line(struct span *value, bool *more)
{
	struct span line = span_take_until(value, '\n');

	*more = span_take_byte(value, '\n');
	if (*more && !span_done(line) && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

const char *
milter_field_wrong(struct span name, struct span value)
{
	size_t room = HEADER_LINE_MAX;
	bool more = true;

	if (!name_is_right(name))
		return "the name of a field that it wants is none";
	room -= name.len + 2;
	for (bool first = true; more; first = false) {
		struct span line = take_line(&value, &more);

		if (span_find(line, '\r') < line.len || span_find(line, '\0') < line.len)
			return "a field that it wants has a bare CR or NUL in it";
		if (line.len > room)
			return "a line of a field that it wants is longer than 998 octets";
		if (!first && (span_done(line) || !ascii_is_blank(line.p[0]) || all_blank(line)))
			return "a field that it wants goes on in a line that is no continuation";
		room = HEADER_LINE_MAX;
	}
	return NULL;
}

/* ---- changing ---- */

/* Octets that the field will take. */
static size_t
field_octets(struct span name, struct span value, bool spaced)
{
	size_t octets = name.len + 1 + (spaced ? 0 : 1);
	bool more = true;

	while (more)
		octets += take_line(&value, &more).len + 2;
	return octets;
}

static void
put_field(uint8_t *at, struct span name, struct span value, bool spaced)
{
	struct buf out = { at, 0, SIZE_MAX };
	bool more = true;

	(void)buf_put(&out, name);
	(void)buf_put_byte(&out, ':');
	if (!spaced)
		(void)buf_put_byte(&out, ' ');
	while (more) {
		struct span line = take_line(&value, &more);

		(void)buf_put(&out, line);
		(void)buf_put_text(&out, "\r\n");
	}
}

/* Put the field where `gone` octets at `at` were. */
static bool
replace(struct buf *text, size_t at, size_t gone, struct span name, struct span value, bool spaced)
{
	size_t octets = field_octets(name, value, spaced);

	if (octets > gone && octets - gone > buf_room(text))
		return false;
	memmove(text->p + at + octets, text->p + at + gone, text->len - at - gone);
	put_field(text->p + at, name, value, spaced);
	text->len = text->len - gone + octets;
	return true;
}

bool
milter_header_add(struct buf *text, struct span name, struct span value, bool spaced)
{
	return replace(text, text->len, 0, name, value, spaced);
}

bool
milter_header_insert(struct buf *text, uint32_t index, struct span name, struct span value, bool spaced)
{
	struct span rest = buf_span(text);
	struct header_field f;

	for (; index > 0 && !span_done(rest) && field_next(&rest, &f); index--)
		;
	return replace(text, text->len - rest.len, 0, name, value, spaced);
}

bool
milter_header_change(struct buf *text, uint32_t index, struct span name, struct span value, bool spaced)
{
	struct span rest = buf_span(text);
	bool ours = span_same(name, SPAN("Received"));
	struct header_field f;
	uint32_t count = 0;

	while (!span_done(rest) && field_next(&rest, &f)) {
		size_t at = text->len - rest.len - f.whole.len;

		if (!span_same(f.name, name))
			continue;
		if (ours) {
			ours = false;
			continue;
		}
		if (++count < index)
			continue;
		if (!span_done(value))
			return replace(text, at, f.whole.len, name, value, spaced);
		memmove(text->p + at, text->p + at + f.whole.len, rest.len);
		text->len -= f.whole.len;
		return true;
	}
	return span_done(value) || milter_header_add(text, name, value, spaced);
}

/* ---- the section as a whole ---- */

size_t
milter_header_length(struct span content)
{
	struct span rest = content;
	struct header_field f;

	while (!span_done(rest) && rest.p[0] != '\r' && field_next(&rest, &f))
		;
	return content.len - rest.len;
}

const char *
milter_header_wrong(struct span text, bool utf8)
{
	struct header_scan scan;

	header_init(&scan, utf8);
	while (!span_done(text)) {
		struct span line = span_take_until(&text, '\r');

		span_skip(&text, 2);
		(void)header_line(&scan, line);
	}
	(void)header_line(&scan, SPAN(""));
	if (header_end(&scan) == OK)
		return NULL;
	return scan.fail_words != NULL ? scan.fail_words : "what it leaves is no header section";
}

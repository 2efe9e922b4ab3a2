/* Header lines of more than 998 octets (RFC 5322 2.1.1) become several, in front of a space (2.2.3) or where one may be
 * added to addresses (3.4). */
#include "mail/compose_parts.h"

#include <string.h>

#include "mail/field.h"

enum { FOLD_GROWS_BY = 3 };     /* CRLF and, behind a comma, a space */

/* In front of a space with a word behind it, as near to end as can be; 0: nowhere. Nothing before first is a word. */
static size_t
space_before(struct span field, size_t first, size_t end)
{
	size_t at = end - 1;

	while (at > first && (!ascii_is_blank(field.p[at - 1]) || ascii_is_blank(field.p[at])))
		at--;
	return at > first ? at - 1 : 0;
}

/* From what begins at `at` to its end: a quoted string, a comment, what stands in angles or brackets. Any other octet is alone. */
static size_t
skip_element(struct span field, size_t at)
{
	uint8_t open = field.p[at], close = open == '"' ? '"' : open == '(' ? ')' : open == '<' ? '>' : open == '[' ? ']' : 0;
	size_t depth = 1;

	for (at++; close != 0 && depth > 0 && at < field.len; at++) {
		if (field.p[at] == '\\')
			at++;
		else if (field.p[at] == '"' && open == '<')
			at = skip_element(field, at) - 1;
		else if (field.p[at] == close)
			depth--;
		else if (field.p[at] == '(' && open == '(')
			depth++;
	}
	return at;
}

/* Behind a comma between two addresses, the ':' of a group or a comment, or in front of what stands in angles behind a name: there white space
 * may be added. 0: nowhere. */
static size_t
between_before(struct span field, size_t first, size_t end)
{
	size_t at = span_find(field, ':') + 1, found = 0;

	while (at < end - 1) {
		uint8_t c = field.p[at];
		bool separates = c == ',' || c == ';' || c == ':' || c == '(';

		if (c == '<' && at > first)
			found = at;
		at = skip_element(field, at);
		if (separates && at > first && at < end && !ascii_is_blank(field.p[at]))
			found = at;
	}
	return found;
}

/* Where the line that begins at begin may end before end; 0: nowhere. */
static size_t
find_place(struct span field, size_t begin, size_t end)
{
	size_t first = begin, place;
	struct span name, value;
	enum known which;

	if (begin == 0)
		first = span_find(field, ':') + 1;
	while (begin > 0 && first < end && ascii_is_blank(field.p[first]))
		first++;
	if (first >= end || !field_split(field, &name, &value))
		return 0;
	place = space_before(field, first, end);
	which = compose_known(name);
	if (place > 0 || !(compose_has(which, HAS_ADDRESSES) || compose_has(which, NAMES_RECIPIENTS)))
		return place;
	return between_before(field, first, end);
}

bool
compose_fold(struct buf *b, size_t field, size_t begin, size_t *next)
{
	size_t place = find_place((struct span){ b->p + field, b->len - field }, begin - field, begin - field + COMPOSE_LINE_MAX), more;

	if (place == 0)
		return false;
	place += field;
	more = ascii_is_blank(b->p[place]) ? 2 : 3;
	if (buf_room(b) < more)
		return false;
	memmove(b->p + place + more, b->p + place, b->len - place);
	memcpy(b->p + place, "\r\n ", more);
	b->len += more;
	*next = place + 2;
	return true;
}

bool
compose_fold_lines(struct buf *b, size_t field)
{
	size_t begin = field, end;

	while (begin < b->len) {
		end = begin + span_find((struct span){ b->p + begin, b->len - begin }, '\n') + 1;
		if (end - begin > COMPOSE_LINE_MAX + 2 && buf_room(b) < FOLD_GROWS_BY)
			return false;
		if (end - begin <= COMPOSE_LINE_MAX + 2 || !compose_fold(b, field, begin, &begin))
			begin = end;
	}
	return true;
}

#include "mail/field.h"

bool
field_split(struct span line, struct span *name, struct span *value)
{
	size_t n = 0, colon;

	while (n < line.len && ascii_is_graph(line.p[n]) && line.p[n] != ':')
		n++;
	colon = n;
	while (colon < line.len && ascii_is_blank(line.p[colon]))
		colon++;
	if (n == 0 || colon == line.len || line.p[colon] != ':')
		return false;
	*name = span_head(line, n);
	*value = line;
	span_skip(value, colon + 1);
	return true;
}

bool
field_next(struct span *section, struct header_field *out)
{
	struct span rest = *section;

	do {
		span_skip(&rest, span_find(rest, '\n') + 1);
	} while (rest.len > 0 && ascii_is_blank(rest.p[0]));
	out->whole = span_head(*section, section->len - rest.len);
	if (!field_split(out->whole, &out->name, &out->value))
		return false;
	*section = rest;
	return true;
}

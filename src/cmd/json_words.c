#include "cmd/json_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/shown.h"
#include "cmd/when.h"

json_t *
json_words(struct span s)
{
	json_t *text = json_stringn(s.len > 0 ? (const char *)s.p : "", s.len);

	return text != NULL ? text : json_string("(not UTF-8)");
}

json_t *
json_when(uint64_t ms)
{
	char text[WHEN_ROOM];

	when_format(ms, text);
	return text[0] == '\0' ? json_null() : json_string(text);
}

/* Of two octets the second is the character's number. */
static size_t
escape(struct span s)
{
	size_t octets = s.p[0] == 0x7f ? 1 : 2;

	(void)printf("\\u00%02x", s.p[octets - 1]);
	return octets;
}

bool
json_show(const json_t *value)
{
	char *text = value != NULL ? json_dumps(value, JSON_INDENT(2)) : NULL;
	struct span rest = { (const uint8_t *)text, text != NULL ? strlen(text) : 0 };

	/* Of what controls there are only line ends between members here: those below 32 are escaped inside strings. */
	while (!span_done(rest)) {
		size_t n = rest.p[0] == '\n' ? 1 : shown_width(rest);

		if (n > 0)
			(void)fwrite(rest.p, 1, n, stdout);
		else
			n = escape(rest);
		span_skip(&rest, n);
	}
	free(text);
	return text != NULL && ferror(stdout) == 0;
}

#include "cmd/json_words.h"

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

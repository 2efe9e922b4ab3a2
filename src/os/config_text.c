#include "os/config_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Offset behind the quoted string that begins at from. */
static size_t
behind_quoted(const char *text, size_t len, size_t from)
{
	size_t i = from + 1;

	while (i < len && text[i] != text[from])
		i += text[i] == '\\' ? 2 : 1;
	return i < len ? i + 1 : len;
}

/* Does a comment begin at i? A slash inside a bare word is part of the word: /etc//postern. */
static bool
begins_comment(const char *text, size_t len, size_t i)
{
	bool at_word = i == 0 || strchr(" \t\r\n{}()=,", text[i - 1]) != NULL;

	if (text[i] == '#')
		return true;
	return at_word && text[i] == '/' && i + 1 < len && (text[i + 1] == '/' || text[i + 1] == '*');
}

static size_t
behind_comment(const char *text, size_t len, size_t from)
{
	const char *end;

	if (text[from] == '/' && text[from + 1] == '*') {
		end = len - from < 4 ? NULL : memmem(text + from + 2, len - from - 2, "*/", 2);
		return end == NULL ? len : (size_t)(end - text) + 2;
	}
	end = memchr(text + from, '\n', len - from);
	return end == NULL ? len : (size_t)(end - text);
}

void
config_text_blank(char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t end;

		if (text[i] == '"' || text[i] == '\'') {
			i = behind_quoted(text, len, i);
			continue;
		}
		end = begins_comment(text, len, i) ? behind_comment(text, len, i) : i;
		for (size_t k = i; k < end; k++)
			text[k] = text[k] == '\n' ? '\n' : ' ';
		i = end > i ? end : i + 1;
	}
}

char *
config_text_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	int error = errno;

	if (f == NULL)
		return NULL;
	text = malloc(CONFIG_TEXT_MAX + 1);
	if (text != NULL) {
		*len = fread(text, 1, CONFIG_TEXT_MAX + 1, f);
		error = ferror(f) ? errno : *len > CONFIG_TEXT_MAX ? EFBIG : memchr(text, '\0', *len) != NULL ? EILSEQ : 0;
	}
	(void)fclose(f);
	if (text == NULL || error != 0) {
		free(text);
		errno = text == NULL ? ENOMEM : error;
		return NULL;
	}
	config_text_blank(text, *len);
	return text;
}

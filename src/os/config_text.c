#include "os/config_text.h"

#include <errno.h>
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

/* No value goes over its line's end, so one that does has lost its quote there. A line end behind a backslash is none. */
static bool
is_closed(const char *text, size_t len, size_t from)
{
	size_t i = from + 1;

	while (i < len && text[i] != text[from] && text[i] != '\n')
		i += text[i] == '\\' ? 2 : 1;
	return i < len && text[i] == text[from];
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
behind_comment(const char *text, size_t len, size_t from, bool *closed)
{
	const char *end;

	if (text[from] == '/' && text[from + 1] == '*') {
		end = len - from < 4 ? NULL : memmem(text + from + 2, len - from - 2, "*/", 2);
		*closed = end != NULL;
		return end == NULL ? len : (size_t)(end - text) + 2;
	}
	end = memchr(text + from, '\n', len - from);
	return end == NULL ? len : (size_t)(end - text);
}

size_t
config_text_blank(char *text, size_t len)
{
	size_t open = len;

	for (size_t i = 0; i < len;) {
		bool closed = true;
		size_t end;

		if (text[i] == '"' || text[i] == '\'') {
			if (open == len && !is_closed(text, len, i))
				open = i;
			i = behind_quoted(text, len, i);
			continue;
		}
		end = begins_comment(text, len, i) ? behind_comment(text, len, i, &closed) : i;
		if (open == len && !closed)
			open = i;
		for (size_t k = i; k < end; k++)
			text[k] = text[k] == '\n' ? '\n' : ' ';
		i = end > i ? end : i + 1;
	}
	return open;
}

/* Does ${NAME} that begins here have a value, or a default? Not closed: libconfuse takes it for text. */
static bool
has_value(const char *text, size_t len, struct span *name)
{
	const char *end = memchr(text, '}', len), *after;
	char variable[256];

	*name = (struct span){ (const uint8_t *)text + 2, end == NULL ? 0 : (size_t)(end - text) - 2 };
	after = end == NULL ? NULL : memchr(name->p, ':', name->len);
	if (end == NULL || (after != NULL && after[1] == '-'))
		return true;
	(void)snprintf(variable, sizeof(variable), "%.*s", (int)name->len, (const char *)name->p);
	return getenv(variable) != NULL;
}

size_t
config_text_unset(const char *text, size_t len, struct span *name)
{
	for (size_t i = 0, quoted = len; i < len; i++) {
		if (text[i] == '\'' && quoted == len)
			i = behind_quoted(text, len, i) - 1;
		else if (text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = quoted == len ? i : len;
		else if (text[i] == '$' && i + 1 < len && text[i + 1] == '{' && !has_value(text + i, len - i, name))
			return i;
	}
	return len;
}

uint32_t
config_text_line(const char *text, size_t at)
{
	uint32_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

/* The whole file, NUL behind it. NULL with errno. */
static char *
read_file(const char *path, size_t *len)
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
	text[*len] = '\0';
	return text;
}

/* ---- putting it together ---- */

struct maker {
	struct config_text *made;
	struct buf out;
	struct buf *why;
	uint32_t lines;                 /* of the whole so far, from 1 */
};

static bool
complain(struct maker *m, const char *file, uint32_t line, const char *name, const char *words)
{
	buf_put_text(m->why, file);
	if (line > 0) {
		buf_put_byte(m->why, ':');
		buf_put_u64(m->why, line);
		buf_put_text(m->why, ": key \"include\": ");
		buf_put_text(m->why, name);
	}
	buf_put_text(m->why, ": ");
	buf_put_text(m->why, words);
	return false;
}

/* What stands open from there to the end of the text. */
static bool
complain_open(struct maker *m, const char *file, const char *text, size_t at)
{
	buf_put_text(m->why, file);
	buf_put_byte(m->why, ':');
	buf_put_u64(m->why, config_text_line(text, at));
	buf_put_text(m->why, text[at] == ' ' ? ": the comment that begins here is never closed" : ": the quote that begins here is never closed");
	return false;
}

static bool
complain_unset(struct maker *m, const char *file, const char *text, size_t at, struct span name)
{
	buf_put_text(m->why, file);
	buf_put_byte(m->why, ':');
	buf_put_u64(m->why, config_text_line(text, at));
	buf_put_text(m->why, ": the environment has no ${");
	buf_put(m->why, name);
	buf_put_text(m->why, "}; between single quotes it stands for itself");
	return false;
}

static bool
part_begin(struct maker *m, const char *file, uint32_t line)
{
	struct config_part *p = &m->made->part[m->made->parts];

	if (m->made->parts == CONFIG_PARTS_MAX)
		return complain(m, file, line, "", "more than 32 files included");
	m->made->parts++;
	(void)snprintf(p->file, sizeof(p->file), "%s", file);
	p->whole = m->lines;
	p->line = line;
	return true;
}

static bool
put(struct maker *m, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		m->lines += text[i] == '\n';
	return buf_put(&m->out, (struct span){ (const uint8_t *)text, len });
}

/* A relative name counts from the directory of the file that has it. */
static void
resolve(const char *from, struct span name, char path[CONF_TEXT_MAX])
{
	const char *slash = strrchr(from, '/');
	int directory = slash == NULL || (name.len > 0 && name.p[0] == '/') ? 0 : (int)(slash - from) + 1;

	(void)snprintf(path, CONF_TEXT_MAX, "%.*s%.*s", directory, from, (int)name.len, (const char *)name.p);
}

static void
skip_blanks(const char **p)
{
	while (**p != '\0' && strchr(" \t\r\n", **p) != NULL)
		(*p)++;
}

/* include("NAME") at p: NAME, and where the text goes on; false when it is something else. */
static bool
include_take(const char *p, struct span *name, const char **end)
{
	const char *close;
	char quote;

	if (strncmp(p, "include", 7) != 0)
		return false;
	p += 7;
	skip_blanks(&p);
	if (*p++ != '(')
		return false;
	skip_blanks(&p);
	quote = *p;
	close = quote == '"' || quote == '\'' ? strchr(p + 1, quote) : NULL;
	if (close == NULL)
		return false;
	*name = (struct span){ (const uint8_t *)p + 1, (size_t)(close - p) - 1 };
	p = close + 1;
	skip_blanks(&p);
	*end = p + 1;
	return *p == ')';
}

static bool append(struct maker *, const char *path, const char *from, uint32_t line, unsigned depth);

/* Where in the text from i on the next include stands, outside quotes and at the beginning of a word. */
static size_t
find_include(const char *text, size_t len, size_t i, struct span *name, const char **end)
{
	while (i < len) {
		bool at_word = i == 0 || strchr(" \t\r\n})", text[i - 1]) != NULL;

		if (at_word && include_take(text + i, name, end))
			return i;
		i = text[i] == '"' || text[i] == '\'' ? behind_quoted(text, len, i) : i + 1;
	}
	return len;
}

static bool
append_text(struct maker *m, const char *path, const char *text, size_t len, unsigned depth)
{
	uint32_t line = 1;
	size_t i = 0;

	while (i < len) {
		struct span name = { NULL, 0 };
		const char *end = text + len;
		size_t found = find_include(text, len, i, &name, &end);
		char included[CONF_TEXT_MAX];

		if (!put(m, text + i, found - i))
			return complain(m, path, 0, "", strerror(EFBIG));
		for (size_t k = i; k < found; k++)
			line += text[k] == '\n';
		if (found == len)
			return true;
		resolve(path, name, included);
		if (!append(m, included, path, line, depth + 1))
			return false;
		for (const char *p = text + found; p < end; p++)
			line += *p == '\n';
		if (!part_begin(m, path, line))
			return false;
		i = (size_t)(end - text);
	}
	return true;
}

/* from and line: who includes it; line 0 for the first file. */
static bool
append(struct maker *m, const char *path, const char *from, uint32_t line, unsigned depth)
{
	size_t len = 0, open, unset;
	struct span name;
	char *text = depth < CONFIG_DEPTH_MAX ? read_file(path, &len) : NULL;
	bool ok;

	if (text == NULL) {
		return complain(m, from, line, path,
		    depth < CONFIG_DEPTH_MAX ? strerror(errno) : "nested too deep; do files include each other?");
	}
	open = config_text_blank(text, len);
	ok = open == len || complain_open(m, path, text, open);
	unset = ok ? config_text_unset(text, len, &name) : len;
	ok = ok && (unset == len || complain_unset(m, path, text, unset, name));
	ok = ok && part_begin(m, path, 1) && append_text(m, path, text, len, depth) && (line == 0 || put(m, "\n", 1));
	free(text);
	return ok;
}

bool
config_text_read(struct config_text *t, const char *path, struct buf *why)
{
	struct maker m = { .made = t, .why = why, .lines = 1 };
	bool ok;

	memset(t, 0, sizeof(*t));
	t->text = malloc(CONFIG_TEXT_MAX);
	if (t->text == NULL)
		return complain(&m, path, 0, "", strerror(ENOMEM));
	m.out = (struct buf){ (uint8_t *)t->text, 0, CONFIG_TEXT_MAX };
	ok = append(&m, path, path, 0, 0) && (m.out.len > 0 || put(&m, "\n", 1));
	t->len = m.out.len;
	if (!ok)
		config_text_free(t);
	return ok;
}

void
config_text_free(struct config_text *t)
{
	free(t->text);
	t->text = NULL;
	t->len = 0;
}

const char *
config_text_where(const struct config_text *t, uint32_t whole, uint32_t *line)
{
	const struct config_part *p = &t->part[0];

	for (size_t i = 1; i < t->parts && t->part[i].whole <= whole; i++)
		p = &t->part[i];
	*line = p->line + (whole - p->whole);
	return p->file;
}

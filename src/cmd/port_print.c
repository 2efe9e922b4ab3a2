/* What `postern port` shows to people. */
#include <string.h>

#include "cmd/port.h"
#include "cmd/shown.h"

enum { WIDTH = 110, TOPIC = 23, HALF = 56 };

struct shown {
	size_t rows;
	uint16_t port;                  /* of the newest row that has one */
	bool has_port;
};

static void
put(struct span s)
{
	bool space = false;

	/* A file may say anything; it must not drive the terminal. */
	while (!span_done(s)) {
		size_t width = s.p[0] == '\n' ? 1 : shown_width(s);
		bool blank = s.p[0] == '\n' || s.p[0] == ' ';

		if (blank && !space)
			(void)putchar(' ');
		else if (!blank)
			shown_put(span_head(s, width == 0 ? 1 : width));
		space = blank;
		span_skip(&s, width == 0 ? 1 : width);
	}
}

/* Octets of the line that begins text: it ends at a space, and is no longer than width if it can. */
static size_t
line_length(const char *text, size_t width)
{
	size_t len = strlen(text), at = width;

	if (len <= width)
		return len;
	while (at > 0 && text[at] != ' ')
		at--;
	return at > 0 ? at : width;
}

static void
put_wrapped(const char *text, size_t indent, size_t width)
{
	for (;;) {
		size_t n = line_length(text, width);

		(void)printf("%.*s\n", (int)n, text);
		text += n;
		while (*text == ' ')
			text++;
		if (*text == '\0')
			return;
		(void)printf("%*s", (int)indent, "");
	}
}

/* ---- IANA's rows ---- */

static void
put_fact(const char *what, struct span value, bool *any)
{
	if (value.len == 0)
		return;
	(void)printf("%s%s ", *any ? ", " : "", what);
	put(value);
	*any = true;
}

static void
print_row(void *arg, const struct registry_row *row)
{
	struct shown *shown = arg;
	bool any = false;

	shown->rows++;
	shown->has_port = shown->has_port || row->has_port;
	shown->port = row->has_port ? row->first : shown->port;
	if (!row->has_port)
		(void)printf("  %-12s", "no port");
	else if (row->first == row->last)
		(void)printf("  %5u/%-6s", row->first, registry_protocol_name(row->protocol));
	else
		(void)printf("  %u-%u/%s ", row->first, row->last, registry_protocol_name(row->protocol));
	put(row->name.len > 0 ? row->name : SPAN("(no name)"));
	(void)fputs("  ", stdout);
	put(row->description);
	(void)putchar('\n');
	(void)printf("%14s", "");
	put_fact("assignee", row->assignee, &any);
	put_fact("contact", row->contact, &any);
	put_fact("registered", row->registered, &any);
	put_fact("modified", row->modified, &any);
	put_fact("reference", row->reference, &any);
	put_fact("service code", row->service_code, &any);
	put_fact("unauthorized use:", row->unauthorized, &any);
	put_fact("note:", row->notes, &any);
	(void)printf(any ? "\n" : "no assignee, date or reference\n");
}

static void
print_rows(const struct port_command *c, const struct port_query *q, struct shown *shown)
{
	*shown = (struct shown){ 0 };
	if (c->source.file != NULL)
		(void)printf("IANA, %s:\n", c->source.file);
	else
		(void)printf("IANA, %s:\n", registry_date);
	port_each_row(&c->source, q, print_row, shown);
	if (shown->rows == 0 && q->name.len == 0)
		(void)printf("  no row: not assigned\n");
	else if (shown->rows == 0)
		(void)printf("  no service of this name\n");
}

static void
print_aliases(const struct port_query *q, const struct shown *shown)
{
	for (size_t i = 0; i < port_alias_count; i++) {
		const struct port_alias *a = &port_aliases[i];

		if (q->name.len > 0 ? span_same(q->name, span_of(a->name)) : shown->has_port && q->first == q->last && q->first == a->port)
			(void)printf("  %s: %s\n", a->name, a->words);
	}
}

/* ---- the profile, and this host ---- */

static void
print_profile(uint16_t port)
{
	bool any = false;

	for (size_t i = 0; i < port_statement_count; i++) {
		const struct port_statement *s = &port_statements[i];

		if (s->port != port)
			continue;
		if (!any)
			(void)printf("\nThe field:\n");
		any = true;
		(void)printf("  %-*s", TOPIC - 2, port_topic_name(s->topic));
		put_wrapped(s->text, TOPIC, WIDTH - TOPIC);
		(void)printf("%*s[%s; %s]\n", TOPIC, "", s->source, port_confidence_name(s->confidence));
	}
}

static void
print_local(const struct port_query *q)
{
	static struct port_local found[PORT_LOCAL_MAX];
	size_t n = port_listening(q, found, PORT_LOCAL_MAX);

	(void)printf("\nThis host:\n");
	for (size_t i = 0; i < n; i++)
		(void)printf("  %5u/%-6s%s  %s\n", found[i].port, registry_protocol_name(found[i].protocol), found[i].address,
		    found[i].process[0] != '\0' ? found[i].process : "(whose it is can be seen by root)");
	if (n == 0)
		(void)printf("  nothing listens there\n");
}

static void
print_query(const struct port_command *c, struct port_query q)
{
	const struct registry_range *range;
	struct shown shown;

	(void)printf("%s\n", q.text);
	if (q.name.len == 0) {
		range = registry_range_of(q.first);
		(void)printf("  ");
		put_wrapped(range->words, 2, WIDTH - 2);
		if (registry_range_of(q.last) != range)
			(void)printf("  up to a %s port\n", registry_range_of(q.last)->name);
	}
	print_rows(c, &q, &shown);
	if (port_has_field(&q))
		print_aliases(&q, &shown);
	if (q.name.len > 0 && shown.has_port) {
		q.first = q.last = shown.port;
		q.name.len = 0;
	}
	if (q.name.len == 0 && q.first == q.last && port_has_field(&q))
		print_profile(q.first);
	if (c->local && q.name.len == 0)
		print_local(&q);
}

void
port_print(const struct port_command *c)
{
	for (size_t i = 0; i < c->queries; i++) {
		if (i > 0)
			(void)putchar('\n');
		print_query(c, c->query[i]);
	}
}

/* ---- side by side ---- */

static uint16_t
port_of(const struct port_query *q)
{
	const struct port_alias *alias = q->name.len > 0 ? port_alias_of(q->name) : NULL;

	return alias != NULL ? alias->port : q->first;
}

/* What is said of one port under one topic, with spaces between. */
static void
gather(uint16_t port, enum port_topic topic, char out[1024])
{
	struct buf b = { (uint8_t *)out, 0, 1023 };

	for (size_t i = 0; i < port_statement_count; i++)
		if (port_statements[i].port == port && port_statements[i].topic == topic)
			(void)((b.len == 0 || buf_put_text(&b, ". ")) && buf_put_text(&b, port_statements[i].text));
	out[b.len] = '\0';
}

static const char *
put_half(const char *text)
{
	size_t n = line_length(text, HALF - 2);

	(void)printf("%-*.*s", HALF, (int)n, text);
	text += n;
	while (*text == ' ')
		text++;
	return text;
}

void
port_print_side_by_side(const struct port_command *c)
{
	uint16_t left = port_of(&c->query[0]), right = port_of(&c->query[1]);
	char text[2][1024];

	(void)printf("%-*s%-*u%u\n", TOPIC, "", HALF, left, right);
	for (unsigned topic = 0; topic < TOPIC_MAX; topic++) {
		const char *a = text[0], *b = text[1];
		bool first = true;

		gather(left, (enum port_topic)topic, text[0]);
		gather(right, (enum port_topic)topic, text[1]);
		while (first || *a != '\0' || *b != '\0') {
			(void)printf("%-*s", TOPIC, first ? port_topic_name((enum port_topic)topic) : "");
			a = put_half(a);
			b = put_half(b);
			(void)putchar('\n');
			first = false;
		}
	}
}

/* postern port: what IANA and the field say of a port. */
#include "cmd/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cmd/commands.h"

enum { REGISTRY_FILE_MAX = 16 * 1024 * 1024 };

static const char usage[] =
    "usage: postern port [--json] [--compare] [--local] [--registry FILE] PORT...\n"
    "\n"
    "PORT is a number (465), a number and a protocol (465/udp), a range (460-470), or a service's name (submissions).\n"
    "\n"
    "    --compare         two ports of the mail family side by side\n"
    "    --local           what listens there on this host, too\n"
    "    --registry FILE   IANA's CSV, newer than the one of this program\n"
    "    --json            for programs\n";

/* ---- what is asked ---- */

static bool
take_protocol(struct span text, struct port_query *q)
{
	for (unsigned i = REGISTRY_TCP; i < REGISTRY_PROTOCOLS; i++)
		if (span_same(text, span_of(registry_protocol_name((enum registry_protocol)i)))) {
			q->any_protocol = false;
			q->protocol = (enum registry_protocol)i;
			return true;
		}
	return false;
}

/* What makes a name, which may begin with digits and have hyphens (RFC 6335 5.1). */
static bool
has_letter(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_alpha(text.p[i]))
			return true;
	return false;
}

/* A few older names have other signs in them. */
static bool
is_name(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_graph(text.p[i]))
			return false;
	return has_letter(text) && text.len <= 63;
}

/* NULL, or what is wrong with it. */
static const char *
parse_query(const char *text, struct port_query *q)
{
	struct span rest = span_of(text), protocol, head = span_take_until(&rest, '/');

	*q = (struct port_query){ .text = text, .any_protocol = true };
	protocol = rest;
	if (span_take_byte(&protocol, '/') && !take_protocol(protocol, q))
		return "the protocol is none of tcp, udp, sctp, dccp";
	if (head.len == 0)
		return "it is empty";
	if (!ascii_is_digit(head.p[0]) || span_find(head, '-') == head.len || has_letter(head)) {
		struct span number = head;

		if (registry_port_take(&number, &q->first) && span_done(number)) {
			q->last = q->first;
			return NULL;
		}
		q->name = head;
		return is_name(head) ? NULL : "it is neither a port number (0 to 65535) nor a service's name";
	}
	if (!registry_port_take(&head, &q->first) || !span_take_byte(&head, '-') || !registry_port_take(&head, &q->last) || !span_done(head))
		return "a range is two numbers of 0 to 65535 with - between them";
	return q->first <= q->last ? NULL : "the range ends before it begins";
}

const struct port_alias *
port_alias_of(struct span name)
{
	for (size_t i = 0; i < port_alias_count; i++)
		if (span_same(name, span_of(port_aliases[i].name)))
			return &port_aliases[i];
	return NULL;
}

/* ---- rows ---- */

/* A name that has several is written with the explanation of IANA behind it, on lines of its own. */
static bool
is_called(const struct registry_row *row, struct span name)
{
	return span_same(span_head(row->name, span_find(row->name, '\n')), name);
}

static bool
is_meant(const struct port_query *q, const struct registry_row *row)
{
	const struct port_alias *alias = q->name.len > 0 ? port_alias_of(q->name) : NULL;

	if (!q->any_protocol && row->protocol != q->protocol && row->protocol != REGISTRY_NONE)
		return false;
	if (q->name.len > 0)
		return is_called(row, q->name) || (alias != NULL && row->has_port && row->first <= alias->port && alias->port <= row->last);
	return row->has_port && row->first <= q->last && q->first <= row->last;
}

bool
port_has_field(const struct port_query *q)
{
	return q->any_protocol || q->protocol == REGISTRY_TCP || q->protocol == REGISTRY_UDP;
}

static void
each_of_file(const struct port_source *s, const struct port_query *q, void (*each)(void *, const struct registry_row *), void *arg)
{
	static struct registry_csv csv;
	struct registry_row row;
	char text[200];
	struct buf why = BUF_OVER(text);
	enum registry_step step;

	if (!registry_csv_begin(&csv, (struct span){ (const uint8_t *)s->text, s->len }, &why))
		return;
	while ((step = registry_csv_next(&csv, &row, &why)) != REGISTRY_END) {
		why.len = 0;
		if (step == REGISTRY_ROW && is_meant(q, &row))
			each(arg, &row);
	}
}

void
port_each_row(const struct port_source *s, const struct port_query *q, void (*each)(void *, const struct registry_row *), void *arg)
{
	struct registry_reader reader = registry_begin(registry_image);
	struct registry_row row;

	if (s->file != NULL) {
		each_of_file(s, q, each, arg);
		return;
	}
	while (registry_next(&reader, &row))
		if (is_meant(q, &row))
			each(arg, &row);
}

/* ---- a newer registry ---- */

static bool
read_file(struct port_source *s)
{
	FILE *f = fopen(s->file, "rbe");
	bool good;

	s->text = malloc(REGISTRY_FILE_MAX);
	if (f == NULL || s->text == NULL) {
		(void)fprintf(stderr, "postern port: %s: %s\n", s->file, strerror(errno));
		if (f != NULL)
			(void)fclose(f);
		return false;
	}
	s->len = fread(s->text, 1, REGISTRY_FILE_MAX, f);
	good = ferror(f) == 0 && s->len < REGISTRY_FILE_MAX;
	if (!good)
		(void)fprintf(stderr, "postern port: %s: %s\n", s->file, s->len < REGISTRY_FILE_MAX ? strerror(errno) : "bigger than 16 MiB");
	(void)fclose(f);
	return good;
}

/* Damage is named once, before anything is answered; the other rows count all the same. */
static bool
load_registry(struct port_source *s)
{
	static struct registry_csv csv;
	struct registry_row row;
	char text[200];
	struct buf why = { (uint8_t *)text, 0, sizeof text - 1 };
	enum registry_step step;

	if (!read_file(s))
		return false;
	if (!registry_csv_begin(&csv, (struct span){ (const uint8_t *)s->text, s->len }, &why)) {
		(void)fprintf(stderr, "postern port: %s: not IANA's port registry: %.*s\n", s->file, (int)why.len, text);
		return false;
	}
	while ((step = registry_csv_next(&csv, &row, &why)) != REGISTRY_END) {
		if (step == REGISTRY_DAMAGED)
			(void)fprintf(stderr, "postern port: %s:%u: left out, it %.*s\n", s->file, csv.line, (int)why.len, text);
		why.len = 0;
	}
	return true;
}

/* ---- the command ---- */

static int
misused(const char *what, const char *why)
{
	(void)fprintf(stderr, "postern port: %s: %s\n%s", what, why, usage);
	return EX_USAGE;
}

/* 0 to go on, else the exit status and one more. */
static int
take_argument(struct port_command *c, int argc, char **argv, int *i)
{
	const char *a = argv[*i], *wrong;

	if (strcmp(a, "--help") == 0) {
		(void)fputs(usage, stdout);
		return 1;
	}
	if (strcmp(a, "--json") == 0)
		c->json = true;
	else if (strcmp(a, "--compare") == 0)
		c->compare = true;
	else if (strcmp(a, "--local") == 0)
		c->local = true;
	else if (strcmp(a, "--registry") == 0 && *i + 1 < argc)
		c->source.file = argv[++*i];
	else if (a[0] == '-')
		return 1 + misused(a, strcmp(a, "--registry") == 0 ? "needs a file" : "no such option");
	else if (c->queries == PORT_QUERIES_MAX)
		return 1 + misused(a, "more than 64 ports at once");
	else if ((wrong = parse_query(a, &c->query[c->queries])) != NULL)
		return 1 + misused(a, wrong);
	else
		c->queries++;
	return 0;
}

static bool
has_profile(const struct port_query *q)
{
	const struct port_alias *alias = q->name.len > 0 ? port_alias_of(q->name) : NULL;
	uint16_t port = alias != NULL ? alias->port : q->first;

	for (size_t i = 0; (q->name.len == 0 || alias != NULL) && i < port_statement_count; i++)
		if (port_statements[i].port == port)
			return true;
	return false;
}

int
command_port(int argc, char **argv)
{
	static struct port_command c;

	for (int i = 1; i < argc; i++) {
		int end = take_argument(&c, argc, argv, &i);

		if (end != 0)
			return end - 1;
	}
	if (c.queries == 0)
		return misused("PORT", "is missing");
	if (c.compare && (c.queries != 2 || !has_profile(&c.query[0]) || !has_profile(&c.query[1])))
		return misused("--compare", "needs two ports of 24 25 110 143 465 585 587 993 995 2525 4190");
	if (c.source.file != NULL && !load_registry(&c.source))
		return EX_NOINPUT;
	if (c.json)
		port_print_json(&c);
	else if (c.compare)
		port_print_side_by_side(&c);
	else
		port_print(&c);
	free(c.source.text);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

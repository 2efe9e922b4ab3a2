#include "cmd/audit_autoconfig.h"

#include <expat.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "dns/lookup.h"

/* The elements that lead to what is wanted, from the outside in. */
static const char *const path[] = { "clientConfig", "emailProvider", "outgoingServer" };

enum field { FIELD_NONE, FIELD_HOSTNAME, FIELD_PORT, FIELD_SOCKET, FIELD_AUTHENTICATION };

enum {
	SERVER_DEPTH = sizeof path / sizeof path[0],
	FIELD_DEPTH,                    /* of the elements within a server, counted from 1 */
};

struct reading {
	XML_Parser parser;
	const char *domain;
	const char *wrong;              /* why it was stopped; NULL: it was not */
	struct autoconfig *file;
	struct autoconfig_server server;
	unsigned depth;                 /* elements that are open */
	unsigned known;                 /* how many of them, from the outermost on, are those of the path */
	bool provided;                  /* there was a provider */
	enum field field;               /* that is being read */
	bool odd;                       /* something of this server cannot be used */
	uint8_t octets[AUTOCONFIG_TEXT_MAX];
	struct buf value;
};

const char *
autoconfig_socket_name(enum autoconfig_socket socket)
{
	static const char *const names[] = { "unknown", "plain", "STARTTLS", "SSL" };

	return names[socket];
}

static void
stop(struct reading *r, const char *wrong)
{
	r->wrong = wrong;
	(void)XML_StopParser(r->parser, XML_FALSE);
}

/* ---- values ---- */

static struct span
trimmed(struct span s)
{
	while (!span_done(s) && s.p[0] <= ' ')
		span_skip(&s, 1);
	while (!span_done(s) && s.p[s.len - 1] <= ' ')
		s.len--;
	return s;
}

/* With the one placeholder that names a host. */
static bool
put_expanded(struct span s, const char *domain, struct buf *out)
{
	bool fits = true;

	while (fits && !span_done(s)) {
		if (span_take(&s, SPAN("%EMAILDOMAIN%"))) {
			fits = buf_put_text(out, domain);
		} else {
			fits = buf_put_byte(out, s.p[0]);
			span_skip(&s, 1);
		}
	}
	return fits;
}

static bool
is_host(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!ascii_is_alnum((uint8_t)name[i]) && name[i] != '-' && name[i] != '.' && name[i] != '_')
			return false;
	return n > 0;
}

static bool
take_host(struct reading *r, struct span value)
{
	uint8_t octets[AUTOCONFIG_TEXT_MAX];
	struct buf b = BUF_OVER(octets);
	char name[MX_NAME_MAX];

	if (!put_expanded(value, r->domain, &b) || !dns_ascii(buf_span(&b), name) || !is_host(name))
		return false;
	(void)snprintf(r->server.host, sizeof r->server.host, "%s", name);
	return true;
}

static bool
take_port(struct reading *r, struct span value)
{
	uint64_t port;

	if (!span_take_u64(&value, &port) || !span_done(value) || port == 0 || port > UINT16_MAX)
		return false;
	r->server.port = (uint16_t)port;
	return true;
}

static bool
take_socket(struct reading *r, struct span value)
{
	for (unsigned i = AUTOCONFIG_PLAIN; i <= AUTOCONFIG_SSL; i++)
		if (span_same(value, span_of(autoconfig_socket_name(i)))) {
			r->server.socket = i;
			return true;
		}
	return false;
}

/* A word of a report: whatever else stands there is none. */
static bool
take_authentication(struct reading *r, struct span value)
{
	size_t at = strlen(r->server.authentication);
	struct buf b = { (uint8_t *)r->server.authentication, at, sizeof r->server.authentication - 1 };

	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_alnum(value.p[i]) && value.p[i] != '-')
			return false;
	return !span_done(value) && (at == 0 || buf_put_byte(&b, ',')) && buf_put(&b, value) && buf_terminate(&b);
}

static void
take_field(struct reading *r)
{
	struct span value = trimmed(buf_span(&r->value));
	bool good = true;

	if (r->field == FIELD_HOSTNAME)
		good = take_host(r, value);
	else if (r->field == FIELD_PORT)
		good = take_port(r, value);
	else if (r->field == FIELD_SOCKET)
		good = take_socket(r, value);
	else
		good = take_authentication(r, value);
	r->odd = r->odd || !good;
	r->field = FIELD_NONE;
}

static void
take_server(struct reading *r)
{
	bool whole = !r->odd && r->server.host[0] != '\0' && r->server.port != 0 && r->server.socket != AUTOCONFIG_UNKNOWN;

	if (whole && r->file->servers < AUTOCONFIG_SERVERS_MAX)
		r->file->server[r->file->servers++] = r->server;
	else
		r->file->unusable++;
}

/* ---- what libexpat tells of ---- */

static enum field
field_of(const char *name)
{
	static const char *const names[] = { [FIELD_HOSTNAME] = "hostname", [FIELD_PORT] = "port", [FIELD_SOCKET] = "socketType",
		[FIELD_AUTHENTICATION] = "authentication" };

	for (unsigned i = FIELD_HOSTNAME; i <= FIELD_AUTHENTICATION; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return FIELD_NONE;
}

/* Another kind than SMTP is nothing that we know. */
static bool
is_smtp(const char **attributes)
{
	for (; attributes[0] != NULL; attributes += 2)
		if (strcmp(attributes[0], "type") == 0)
			return span_same(span_of(attributes[1]), SPAN("smtp"));
	return false;
}

static void XMLCALL
on_start(void *arg, const char *name, const char **attributes)
{
	struct reading *r = arg;

	if (r->depth == AUTOCONFIG_DEPTH_MAX) {
		stop(r, "elements are nested more than 16 deep");
		return;
	}
	if (r->known == SERVER_DEPTH && r->depth == SERVER_DEPTH) {
		r->field = field_of(name);
		r->value = BUF_OVER(r->octets);
	}
	if (r->known == r->depth && r->depth < SERVER_DEPTH && strcmp(name, path[r->depth]) == 0
	    && (r->depth + 1 < SERVER_DEPTH || is_smtp(attributes)))
		r->known++;
	r->depth++;
	if (r->known == 0)
		stop(r, "its outermost element is not clientConfig");
	r->provided = r->provided || r->known > 1;
	if (r->known == SERVER_DEPTH && r->depth == SERVER_DEPTH) {
		r->server = (struct autoconfig_server){ .port = 0 };
		r->odd = false;
	}
}

static void XMLCALL
on_end(void *arg, const char *name)
{
	struct reading *r = arg;

	(void)name;
	if (r->field != FIELD_NONE && r->depth == FIELD_DEPTH)
		take_field(r);
	if (r->known == SERVER_DEPTH && r->depth == SERVER_DEPTH)
		take_server(r);
	r->depth--;
	if (r->known > r->depth)
		r->known = r->depth;
}

/* What does not fit into a value is none that could be used. */
static void XMLCALL
on_text(void *arg, const char *octets, int n)
{
	struct reading *r = arg;

	if (r->field != FIELD_NONE && r->depth == FIELD_DEPTH && !buf_put(&r->value, (struct span){ (const uint8_t *)octets, (size_t)n }))
		r->odd = true;
}

static void XMLCALL
on_doctype(void *arg, const char *name, const char *system, const char *public, int internal)
{
	(void)name, (void)system, (void)public, (void)internal;
	stop(arg, "it declares a document type, for which a configuration has no need");
}

/* ---- all of it ---- */

static void
say_wrong(const struct reading *r, char words[AUTOCONFIG_WORDS_MAX])
{
	const char *wrong = r->wrong != NULL ? r->wrong : XML_ErrorString(XML_GetErrorCode(r->parser));

	(void)snprintf(words, AUTOCONFIG_WORDS_MAX, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r->parser), wrong);
}

static bool
read_all(struct reading *r, struct span text, char words[AUTOCONFIG_WORDS_MAX])
{
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	if (XML_Parse(r->parser, (const char *)text.p, (int)text.len, XML_TRUE) != XML_STATUS_OK || r->wrong != NULL) {
		say_wrong(r, words);
		return false;
	}
	if (!r->provided)
		(void)snprintf(words, AUTOCONFIG_WORDS_MAX, "it has no emailProvider");
	return r->provided;
}

bool
autoconfig_parse(struct span text, const char *domain, struct autoconfig *file, char words[AUTOCONFIG_WORDS_MAX])
{
	struct reading r = { .domain = domain, .file = file };
	bool good;

	*file = (struct autoconfig){ .servers = 0 };
	(void)snprintf(words, AUTOCONFIG_WORDS_MAX, "it is longer than 64 KiB");
	if (text.len > AUTOCONFIG_OCTETS_MAX)
		return false;
	(void)snprintf(words, AUTOCONFIG_WORDS_MAX, "out of memory");
	r.parser = XML_ParserCreate(NULL);
	if (r.parser == NULL)
		return false;
	good = read_all(&r, text, words);
	XML_ParserFree(r.parser);
	if (!good)
		*file = (struct autoconfig){ .servers = 0 };
	return good;
}

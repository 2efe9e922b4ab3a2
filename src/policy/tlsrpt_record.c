#include "policy/tlsrpt_record.h"

#include <string.h>

#include "mail/path.h"

/* 8460 3: %s"v=TLSRPTv1" and a delimiter; its letter case counts. */
bool
tlsrpt_record_claims(struct span txt)
{
	struct span version = SPAN("v=TLSRPTv1");

	if (!span_eq(span_head(txt, version.len), version))
		return false;
	span_skip(&txt, version.len);
	txt = span_trim(txt);
	return txt.len > 0 && txt.p[0] == ';';
}

/* ---- URIs ---- */

static bool
copy(struct span s, char *out, size_t room)
{
	if (s.len == 0 || s.len >= room)
		return false;
	memcpy(out, s.p, s.len);
	out[s.len] = 0;
	return true;
}

/* RFC 3986 2.1. A stray "%" makes it no URI. */
static bool
percent_decode(struct span s, uint8_t *out, size_t room, size_t *len)
{
	for (*len = 0; s.len > 0; ) {
		uint8_t c = s.p[0];

		span_skip(&s, 1);
		if (c == '%') {
			if (s.len < 2 || ascii_hex_value(s.p[0]) > 15 || ascii_hex_value(s.p[1]) > 15)
				return false;
			c = (uint8_t)(ascii_hex_value(s.p[0]) << 4 | ascii_hex_value(s.p[1]));
			span_skip(&s, 2);
		}
		if (*len == room || !ascii_is_graph(c))
			return false;
		out[(*len)++] = c;
	}
	return true;
}

/* RFC 6068, one address; what it wants for a header is not ours to follow. */
static bool
mailto_parse(struct span s, struct tlsrpt_uri *uri)
{
	uint8_t address[TLSRPT_TO_MAX];
	struct mailbox mailbox;
	struct span decoded = { address, 0 };

	s = span_take_until(&s, '?');
	uri->scheme = TLSRPT_MAILTO;
	return percent_decode(s, address, sizeof address, &decoded.len) && mailbox_parse(decoded, &mailbox) == PATH_OK &&
	    !mailbox.utf8 && copy(mailbox.whole, uri->to, sizeof uri->to);
}

/* A host name in A-labels. An address proves nothing about who owns it, and a user's name is none of ours. */
static bool
host_fits(struct span s)
{
	bool letter = false;

	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && (s.p[i] != '.' || i == 0 || s.p[i - 1] == '.'))
			return false;
		letter = letter || ascii_is_alpha(s.p[i]);
	}
	return letter && s.len <= 253 && span_find(s, '.') < s.len - 1;
}

static bool
path_fits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_graph(s.p[i]) || s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return true;
}

static size_t
authority_length(struct span s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
		n++;
	return n;
}

static bool
port_parse(struct span s, uint16_t *port)
{
	uint64_t n;

	if (span_done(s)) {
		*port = 443;
		return true;
	}
	if (!span_take_byte(&s, ':') || !span_take_u64(&s, &n) || !span_done(s) || n == 0 || n > 65535)
		return false;
	*port = (uint16_t)n;
	return true;
}

static bool
https_parse(struct span s, struct tlsrpt_uri *uri)
{
	struct span port = span_head(s, authority_length(s)), host = span_take_until(&port, ':');
	uint8_t path[TLSRPT_PATH_MAX];
	size_t at = 0;

	span_skip(&s, authority_length(s));
	s = span_take_until(&s, '#');
	if (!host_fits(host) || !port_parse(port, &uri->port) || !path_fits(s) || s.len + 2 > sizeof path)
		return false;
	if (s.len == 0 || s.p[0] != '/')
		path[at++] = '/';
	if (s.len > 0)
		memcpy(path + at, s.p, s.len);
	uri->scheme = TLSRPT_HTTPS;
	if (!copy(host, uri->to, sizeof uri->to) || !copy((struct span){ path, at + s.len }, uri->path, sizeof uri->path))
		return false;
	for (char *p = uri->to; *p != 0; p++)
		*p = (char)ascii_lower((uint8_t)*p);
	return true;
}

/* The scheme's letter case does not count (RFC 3986 3.1). */
static bool
uri_parse(struct span s, struct tlsrpt_uri *uri)
{
	if (span_take(&s, SPAN("mailto:")))
		return mailto_parse(s, uri);
	return span_take(&s, SPAN("https://")) && https_parse(s, uri);
}

/* A repeated one is not sent to twice. */
static bool
is_new(const struct tlsrpt_record *r, const struct tlsrpt_uri *uri)
{
	for (uint32_t i = 0; i < r->uris; i++)
		if (r->uri[i].scheme == uri->scheme && r->uri[i].port == uri->port && strlen(r->uri[i].to) == strlen(uri->to) &&
		    memcmp(r->uri[i].to, uri->to, strlen(uri->to)) == 0 && strlen(r->uri[i].path) == strlen(uri->path) &&
		    memcmp(r->uri[i].path, uri->path, strlen(uri->path)) == 0)
			return false;
	return true;
}

static void
take_uris(struct span value, struct tlsrpt_record *r)
{
	while (!span_done(value)) {
		struct tlsrpt_uri uri = { .port = 0 };
		bool good = uri_parse(span_trim(span_take_until(&value, ',')), &uri);

		(void)span_take_byte(&value, ',');
		if (good && r->uris < TLSRPT_URIS_MAX && is_new(r, &uri))
			r->uri[r->uris++] = uri;
		else
			r->passed_over++;
	}
}

/* ---- the record ---- */

static bool
name_fits(struct span s)
{
	if (s.len == 0 || s.len > 32 || !ascii_is_alnum(s.p[0]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '-' && s.p[i] != '.')
			return false;
	return true;
}

bool
tlsrpt_record_parse(struct span txt, struct tlsrpt_record *r)
{
	bool found = false;

	memset(r, 0, sizeof *r);
	if (!tlsrpt_record_claims(txt))
		return false;
	(void)span_take_until(&txt, ';');
	while (span_take_byte(&txt, ';')) {
		struct span value = span_trim(span_take_until(&txt, ';'));
		struct span name = span_take_until(&value, '=');

		/* Nothing stands behind the last delimiter. */
		if (span_done(name) && span_done(value))
			return found && span_done(txt);
		if (!name_fits(name) || !span_take_byte(&value, '='))
			return false;
		if (!span_eq(name, SPAN("rua")) || found)
			continue;               /* what is not known is passed over (8460 3) */
		found = true;
		take_uris(value, r);
	}
	return found && span_done(txt);
}

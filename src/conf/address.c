#include "conf/value.h"

#include <string.h>

static bool
label_is_valid(struct span label)
{
	if (label.len == 0 || label.len > 63 || label.p[0] == '-' || label.p[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-')
			return false;
	}
	return true;
}

/* Labels of a host name; 0 when it is none. A name whose last label is a number would be taken for an address. */
static unsigned
host_labels(struct span name)
{
	struct span label;
	unsigned labels = 0;

	if (name.len > 253)
		return 0;
	do {
		label = span_take_until(&name, '.');
		if (!label_is_valid(label))
			return 0;
		labels++;
	} while (span_take_byte(&name, '.'));
	for (size_t i = 0; i < label.len; i++) {
		if (!ascii_is_digit(label.p[i]))
			return labels;
	}
	return 0;
}

bool
host_is_name(struct span name)
{
	return host_labels(name) >= 1;
}

bool
host_is_qualified(struct span name)
{
	return host_labels(name) >= 2;
}

bool
address_is_v4(struct span text)
{
	for (unsigned i = 0; i < 4; i++) {
		size_t before;
		uint64_t octet;

		if (i > 0 && !span_take_byte(&text, '.'))
			return false;
		before = text.len;
		if (!span_take_u64(&text, &octet) || octet > 255 || before - text.len > 3)
			return false;
	}
	return span_done(text);
}

static unsigned
hex_digits(struct span text)
{
	unsigned n = 0;

	while (n < text.len && ascii_hex_value(text.p[n]) < 16)
		n++;
	return n;
}

/* RFC 4291 2.2: eight groups, or fewer around one "::", the last two of which may be an IPv4 address. */
bool
address_is_v6(struct span text)
{
	bool gap = span_take(&text, SPAN("::"));
	unsigned groups = 0;

	while (!span_done(text)) {
		unsigned digits = hex_digits(text);

		if (groups <= 6 && span_find(text, '.') < text.len && span_find(text, ':') == text.len)
			return address_is_v4(text) && (gap ? groups + 2 < 8 : groups + 2 == 8);
		if (digits == 0 || digits > 4 || ++groups > 8)
			return false;
		span_skip(&text, digits);
		if (span_done(text))
			break;
		if (!gap && span_take(&text, SPAN("::")))
			gap = true;
		else if (!span_take_byte(&text, ':') || span_done(text))
			return false;
	}
	return gap ? groups < 8 : groups == 8;
}

bool
port_take(struct span *text, uint16_t *port)
{
	struct span s = *text;
	uint64_t number;

	if (!span_take_u64(&s, &number) || number < 1 || number > 65535)
		return false;
	*port = (uint16_t)number;
	*text = s;
	return true;
}

/* "host" or "[v6]" off the front, up to a colon; the brackets go. *bracketed says which. */
static bool
host_take(struct span *text, struct span *host, bool *bracketed)
{
	*bracketed = span_take_byte(text, '[');
	*host = span_take_until(text, *bracketed ? ']' : ':');
	return *bracketed ? span_take_byte(text, ']') && address_is_v6(*host) : host->len > 0;
}

bool
listen_parse(struct span text, struct conf_listen *out, struct buf *why)
{
	struct span host, s = text;
	bool bracketed;

	if (address_is_v6(text) || !host_take(&s, &host, &bracketed) ||
	    !(bracketed || span_eq(host, SPAN("*")) || address_is_v4(host)) || host.len >= sizeof(out->address)) {
		buf_put_text(why, "is not ADDRESS:PORT with an IPv4 address, an IPv6 address in brackets, or * for all; "
		                  "a name will not do");
		return false;
	}
	if (!span_take_byte(&s, ':') || !port_take(&s, &out->port) || !span_done(s)) {
		buf_put_text(why, "has no port from 1 to 65535 behind its address");
		return false;
	}
	memset(out->address, 0, sizeof(out->address));
	memcpy(out->address, host.p, host.len);
	return true;
}

static bool
host_format(struct span host, uint16_t port, struct buf *out)
{
	bool v6 = span_find(host, ':') < host.len;

	return (!v6 || buf_put_byte(out, '[')) && buf_put(out, host) && (!v6 || buf_put_byte(out, ']')) &&
	    buf_put_byte(out, ':') && buf_put_u64(out, port);
}

bool
listen_format(const struct conf_listen *l, struct buf *out)
{
	return host_format(span_of(l->address), l->port, out);
}

enum { TLS_PORT = 465 };        /* RFC 8314 7.3 */

static const struct scheme {
	const char *prefix;
	enum conf_relay_tls tls;
	uint16_t port;
} schemes[] = {
	{ "submissions://", CONF_RELAY_IMPLICIT, TLS_PORT },
	{ "submission://", CONF_RELAY_STARTTLS, 587 },
	{ "smtp://", CONF_RELAY_OPPORTUNISTIC, 25 },
};

/* [user@]host[:port]; a user may have an @ of his own, a host has none. */
static bool
smart_host_parse(struct span text, const struct scheme *scheme, struct conf_relay *out, struct buf *why)
{
	struct span user = { text.p, 0 }, host;
	bool bracketed;

	for (size_t i = 0; i < text.len; i++)
		user.len = text.p[i] == '@' ? i : user.len;
	span_skip(&text, user.len > 0 ? user.len + 1 : 0);
	if (user.len > 0 && scheme->tls == CONF_RELAY_OPPORTUNISTIC) {
		buf_put_text(why, "would give a password to a host that nobody has verified; "
		                  "use submissions:// or submission:// with a user");
		return false;
	}
	if (memchr(user.p, ':', user.len) != NULL) {
		buf_put_text(why, "has a password in it; only the user stands there, and the password in the file that relay-credentials names"
		                  " (postern send: password-command)");
		return false;
	}
	out->port = scheme->port;
	if (!host_take(&text, &host, &bracketed) || !(bracketed || address_is_v4(host) || host_is_name(host)) ||
	    (span_take_byte(&text, ':') && !port_take(&text, &out->port)) || !span_done(text)) {
		buf_put_text(why, "has no host name or address, or no port from 1 to 65535");
		return false;
	}
	if (out->port == TLS_PORT && scheme->tls != CONF_RELAY_IMPLICIT) {
		buf_put_text(why, "waits for clear words from a port that speaks TLS from the first octet on (RFC 8314); right would be submissions://");
		return false;
	}
	return text_set(&out->user, user, why) && text_set(&out->host, host, why);
}

bool
relay_parse(struct span text, struct conf_relay *out, struct buf *why)
{
	memset(out, 0, sizeof(*out));
	if (span_same(text, SPAN("mx"))) {
		out->kind = CONF_RELAY_MX;
		out->tls = CONF_RELAY_OPPORTUNISTIC;
		return true;
	}
	if (span_take(&text, SPAN("maildir:"))) {
		out->kind = CONF_RELAY_MAILDIR;
		if (text.len > 0 && text.p[0] == '/')
			return text_set(&out->directory, text, why);
		buf_put_text(why, "has a directory that does not begin with /");
		return false;
	}
	out->kind = CONF_RELAY_SMART_HOST;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		out->tls = schemes[i].tls;
		if (span_take(&text, span_of(schemes[i].prefix)))
			return smart_host_parse(text, &schemes[i], out, why);
	}
	buf_put_text(why, "is no way to hand mail on (mx, maildir:DIR, submissions://USER@HOST, submission://USER@HOST, "
	                  "smtp://HOST)");
	return false;
}

bool
relay_format(const struct conf_relay *r, struct buf *out)
{
	if (r->kind == CONF_RELAY_MX)
		return buf_put_text(out, "mx");
	if (r->kind == CONF_RELAY_MAILDIR)
		return buf_put_text(out, "maildir:") && buf_put_text(out, r->directory.p);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (schemes[i].tls == r->tls && !buf_put_text(out, schemes[i].prefix))
			return false;
	}
	if (r->user.p[0] != '\0' && (!buf_put_text(out, r->user.p) || !buf_put_byte(out, '@')))
		return false;
	return host_format(text_span(&r->host), r->port, out);
}

#include "conf/webhook.h"

#include <string.h>

#include "conf/value.h"

static const char *const names[] = { "delivered", "deferred", "bounced", "held", "dropped" };
enum { NAMES = sizeof names / sizeof names[0] };

static bool
refuse(struct buf *why, const char *words)
{
	(void)buf_put_text(why, words);
	return false;
}

static bool
copy(char *out, size_t room, struct span text)
{
	if (text.len >= room)
		return false;
	if (text.len > 0)
		memcpy(out, text.p, text.len);
	out[text.len] = '\0';
	return true;
}

/* The host, with its brackets taken off. */
static bool
take_host(struct span *text, struct webhook_url *url)
{
	struct span host;

	if (span_take_byte(text, '[')) {
		host = span_take_until(text, ']');
		return span_take_byte(text, ']') && address_is_v6(host) && copy(url->host, sizeof url->host, host);
	}
	for (host = *text, host.len = 0; text->len > 0 && text->p[0] != ':' && text->p[0] != '/'; host.len++) {
		if (!ascii_is_alnum(text->p[0]) && text->p[0] != '-' && text->p[0] != '.')
			return false;
		span_skip(text, 1);
	}
	return host.len > 0 && copy(url->host, sizeof url->host, host);
}

static bool
is_this_machine(const char *host)
{
	struct span h = span_of(host);

	return span_same(h, SPAN("localhost")) || span_eq(h, SPAN("::1")) || (address_is_v4(h) && span_eq(span_head(h, 4), SPAN("127.")));
}

bool
webhook_url_parse(struct span text, struct webhook_url *url, struct buf *why)
{
	*url = (struct webhook_url){ .clear = span_take(&text, SPAN("http://")) };
	if (!url->clear && !span_take(&text, SPAN("https://")))
		return refuse(why, "does not begin with https://");
	url->port = url->clear ? 80 : 443;
	if (!take_host(&text, url))
		return refuse(why, "has no host name or address behind https://");
	if (span_take_byte(&text, ':') && !port_take(&text, &url->port))
		return refuse(why, "has no port behind the colon");
	if (text.len > 0 && text.p[0] != '/')
		return refuse(why, "has something behind its host that is neither :PORT nor /PATH");
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_graph(text.p[i]) || text.p[i] == '#')
			return refuse(why, "has octets in its path that a request cannot have");
	if (!copy(url->path, sizeof url->path, text.len > 0 ? text : SPAN("/")))
		return refuse(why, "has a path longer than 255 octets");
	if (url->clear && !is_this_machine(url->host))
		return refuse(why, "is not encrypted; http:// is for this machine only: localhost, 127.0.0.1, [::1]");
	return true;
}

struct span
webhook_url_public(struct span text)
{
	struct span rest = text;

	(void)span_take_until(&rest, ':');
	span_skip(&rest, strlen("://"));
	(void)span_take_until(&rest, '/');
	return span_head(text, text.len - rest.len);
}

bool
webhook_events_parse(struct span text, uint32_t *events, struct buf *why)
{
	*events = 0;
	for (struct span word = span_take_word(&text); word.len > 0; word = span_take_word(&text)) {
		unsigned i = 0;

		while (i < NAMES && !span_same(word, span_of(names[i])))
			i++;
		if (i == NAMES)
			return refuse(why, "is not made of delivered, deferred, bounced, held and dropped");
		*events |= 1u << i;
	}
	return *events != 0 || refuse(why, "names no event; right would be \"delivered bounced\"");
}

bool
webhook_events_format(uint32_t events, struct buf *out)
{
	bool good = true, first = true;

	for (unsigned i = 0; i < NAMES; i++) {
		if ((events >> i & 1) == 0)
			continue;
		good = good && (first || buf_put_byte(out, ' ')) && buf_put_text(out, names[i]);
		first = false;
	}
	return good;
}

const char *
webhook_event_name(uint32_t event)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (event == 1u << i)
			return names[i];
	return NULL;
}

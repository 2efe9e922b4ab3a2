#include "conf/route.h"

#include <string.h>

#include "conf/network.h"
#include "conf/value.h"

enum { RATE_MAX = 1000000, CONNECTIONS_MAX = 10000, V4_AT = 12 };

/* ---- words ---- */

/* The next word and the blanks behind it. */
static struct span
word_take(struct span *text)
{
	struct span word = span_take_until(text, ' ');

	(void)span_take_spaces(text);
	return word;
}

static bool
refuse(struct buf *why, const char *words)
{
	buf_put_text(why, words);
	return false;
}

static void
who_lower(struct conf_text *who)
{
	for (size_t i = 0; who->p[i] != '\0'; i++)
		who->p[i] = (char)ascii_lower((uint8_t)who->p[i]);
}

/* ---- relay-source ---- */

/* "login:alice", with whatever octets a login may have; a domain's name; "*". */
static bool
sender_parse(struct span word, struct conf_text *who, struct buf *why)
{
	struct span rest = word;
	bool login = span_take(&rest, SPAN("login:"));

	if (login ? rest.len == 0 : !span_eq(word, SPAN("*")) && !host_is_name(word))
		return refuse(why, "does not begin with a sender's domain, login:NAME or *");
	if (!text_set(who, word, why))
		return false;
	if (!login)
		who_lower(who);
	return true;
}

static bool
text_keep(char *out, size_t room, struct span text)
{
	if (text.len >= room)
		return false;
	memcpy(out, text.p, text.len);
	out[text.len] = '\0';
	return true;
}

static bool
address_parse(struct span word, struct conf_source *out, struct buf *why)
{
	struct conf_network n;
	bool v4 = address_is_v4(word);

	if ((!v4 && !address_is_v6(word)) || !network_parse(word, &n, why))
		return refuse(why, "names something that is no IPv4 or IPv6 address to send from");
	if (v4 ? out->address.v4 : out->address.v6)
		return refuse(why, "has two addresses of one family; one is enough");
	if (v4) {
		out->address.v4 = true;
		memcpy(out->address.address4, n.address + V4_AT, 4);
		return text_keep(out->text4, sizeof out->text4, word);
	}
	out->address.v6 = true;
	memcpy(out->address.address6, n.address, 16);
	return text_keep(out->text6, sizeof out->text6, word);
}

bool
source_parse(struct span text, struct conf_source *out, struct buf *why)
{
	memset(out, 0, sizeof *out);
	if (!sender_parse(word_take(&text), &out->who, why))
		return false;
	if (span_done(text))
		return refuse(why, "has no address to send from");
	while (!span_done(text))
		if (!address_parse(word_take(&text), out, why))
			return false;
	return true;
}

bool
source_format(const struct conf_source *s, struct buf *out)
{
	return buf_put_text(out, s->who.p) && (!s->address.v4 || (buf_put_byte(out, ' ') && buf_put_text(out, s->text4)))
	    && (!s->address.v6 || (buf_put_byte(out, ' ') && buf_put_text(out, s->text6)));
}

static const struct conf_source *
source_named(const struct conf *conf, struct span prefix, struct span name)
{
	for (uint32_t i = 0; i < conf->sources; i++) {
		struct span who = text_span(&conf->source[i].who);

		if (span_take(&who, prefix) && span_same(who, name))
			return &conf->source[i];
	}
	return NULL;
}

const struct conf_source *
source_find(const struct conf *conf, struct span login, struct span reverse_path)
{
	const struct conf_source *found = NULL;
	struct span device = login, domain = reverse_path;

	if (conf->sources == 0)
		return NULL;
	if (login.len > 0)
		found = source_named(conf, SPAN("login:"), login);
	if (found == NULL && login.len > 0)
		found = source_named(conf, SPAN("login:"), span_take_until(&device, '/'));
	/* The last @: a local-part may have one in quotes. */
	for (size_t at = span_find(domain, '@'); at < domain.len; at = span_find(domain, '@'))
		span_skip(&domain, at + 1);
	if (found == NULL && domain.len > 0)
		found = source_named(conf, SPAN(""), domain);
	return found != NULL ? found : source_named(conf, SPAN(""), SPAN("*"));
}

/* ---- relay-limit ---- */

static bool
number_parse(struct span digits, uint64_t most, uint32_t *out, struct buf *why)
{
	uint64_t value;

	if (!span_take_u64(&digits, &value) || !span_done(digits) || value == 0 || value > most)
		return refuse(why, "has a rate or a number of connections that is none, or out of range (rate=1 to 1000000 messages a minute, "
		                   "connections=1 to 10000)");
	if (*out != 0)
		return refuse(why, "says the same twice");
	*out = (uint32_t)value;
	return true;
}

static bool
receiver_parse(struct span word, struct conf_text *who, struct buf *why)
{
	struct span name = word;

	(void)span_take_byte(&name, '.');
	if (!span_eq(word, SPAN("*")) && !host_is_name(name))
		return refuse(why, "does not begin with a domain, a mail exchanger's name, .NAME or *");
	if (!text_set(who, word, why))
		return false;
	who_lower(who);
	return true;
}

bool
limit_parse(struct span text, struct conf_limit *out, struct buf *why)
{
	memset(out, 0, sizeof *out);
	if (!receiver_parse(word_take(&text), &out->who, why))
		return false;
	while (!span_done(text)) {
		struct span word = word_take(&text);

		if (span_take(&word, SPAN("rate="))) {
			if (!number_parse(word, RATE_MAX, &out->rate, why))
				return false;
		} else if (span_take(&word, SPAN("connections="))) {
			if (!number_parse(word, CONNECTIONS_MAX, &out->connections, why))
				return false;
		} else
			return refuse(why, "has a word that is neither rate=N nor connections=N");
	}
	return out->rate > 0 || out->connections > 0 || refuse(why, "limits nothing: rate=N, connections=N or both are missing");
}

bool
limit_format(const struct conf_limit *l, struct buf *out)
{
	return buf_put_text(out, l->who.p)
	    && (l->rate == 0 || (buf_put_text(out, " rate=") && buf_put_u64(out, l->rate)))
	    && (l->connections == 0 || (buf_put_text(out, " connections=") && buf_put_u64(out, l->connections)));
}

/* How well a row fits a name: more is better, 0 not at all. */
static size_t
fit(const struct conf_limit *l, struct span name)
{
	struct span who = text_span(&l->who), tail;

	if (span_same(who, name))
		return CONF_TEXT_MAX + 1;
	if (who.len == 0 || who.p[0] != '.' || name.len <= who.len)
		return 0;
	tail = (struct span){ name.p + name.len - who.len, who.len };
	return span_same(tail, who) ? who.len : 0;
}

const struct conf_limit *
limit_find(const struct conf *conf, struct span name)
{
	const struct conf_limit *best = NULL;
	size_t most = 0;

	for (uint32_t i = 0; i < conf->limits; i++) {
		size_t n = fit(&conf->limit[i], name);

		if (n > most) {
			most = n;
			best = &conf->limit[i];
		}
	}
	return best;
}

const struct conf_limit *
limit_of_all(const struct conf *conf)
{
	for (uint32_t i = 0; i < conf->limits; i++)
		if (span_eq(text_span(&conf->limit[i].who), SPAN("*")))
			return &conf->limit[i];
	return NULL;
}

/* ---- the rows ---- */

bool
source_set(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	if (conf->sources == CONF_SOURCES_MAX) {
		buf_put_text(why, "is one too many; at most 64 sources");
		return false;
	}
	if (!source_parse(text, &conf->source[conf->sources], why))
		return false;
	conf->sources++;
	return true;
}

bool
source_get(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->sources && source_format(&conf->source[item], out);
}

bool
limit_set(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	if (conf->limits == CONF_LIMITS_MAX) {
		buf_put_text(why, "is one too many; at most 64 destinations with limits of their own");
		return false;
	}
	if (!limit_parse(text, &conf->limit[conf->limits], why))
		return false;
	conf->limits++;
	return true;
}

bool
limit_get(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->limits && limit_format(&conf->limit[item], out);
}

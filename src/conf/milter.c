#include "conf/milter.h"

#include <string.h>

#include "conf/value.h"

enum { PATH_MOST = 107 /* sun_path, without its NUL */, TIMEOUT_STANDARD = 30, TIMEOUT_MOST = 300 };
enum { CONNECTIONS_STANDARD = 32 };

static const char *const failures[] = {
	[CONF_MILTER_TEMPFAIL] = "tempfail", [CONF_MILTER_ACCEPT] = "accept", [CONF_MILTER_REJECT] = "reject",
};

static bool
wrong(struct buf *why, const char *words)
{
	buf_put_text(why, words);
	return false;
}

/* ---- where ---- */

static bool
take_inet(struct span place, struct conf_milter *out, struct buf *why)
{
	bool v6 = span_take_byte(&place, '[');
	struct span host = span_take_until(&place, v6 ? ']' : ':');

	if ((v6 ? !address_is_v6(host) || !span_take_byte(&place, ']') : !address_is_v4(host)) || !span_take_byte(&place, ':') ||
	    !port_take(&place, &out->port) || !span_done(place))
		return wrong(why, "is not inet:ADDRESS:PORT with an IPv4 address, or an IPv6 address in brackets; a name will not do");
	memcpy(out->place, host.p, host.len);
	return true;
}

static bool
take_unix(struct span place, struct conf_milter *out, struct buf *why)
{
	if (span_done(place) || place.p[0] != '/')
		return wrong(why, "has a path that does not begin with /");
	if (place.len > PATH_MOST)
		return wrong(why, "has a path longer than the 107 octets that a socket's may have");
	for (size_t i = 0; i < place.len; i++)
		if (place.p[i] < 33 || place.p[i] == 127)
			return wrong(why, "has a control character in its path");
	memcpy(out->place, place.p, place.len);
	return true;
}

/* ---- what stands behind it ---- */

static bool
take_timeout(struct span value, struct conf_milter *out, struct buf *why)
{
	if (!duration_parse(value, &out->timeout, why))
		return false;
	if (out->timeout < 1 || out->timeout > TIMEOUT_MOST)
		return wrong(why, "has a timeout that is not from 1s to 300s");
	return true;
}

static bool
take_connections(struct span value, struct conf_milter *out, struct buf *why)
{
	uint64_t n;

	if (!span_take_u64(&value, &n) || !span_done(value) || n < 1 || n > MILTER_CONNECTIONS_MOST)
		return wrong(why, "has a number of connections that is not from 1 to 512");
	out->connections = (uint32_t)n;
	return true;
}

static bool
take_failure(struct span value, struct conf_milter *out, struct buf *why)
{
	for (unsigned i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		if (!span_same(value, span_of(failures[i])))
			continue;
		out->failure = (enum conf_milter_failure)i;
		return true;
	}
	return wrong(why, "has an on-failure that is neither tempfail, accept nor reject");
}

static bool
take_option(struct span word, struct conf_milter *out, struct buf *why)
{
	if (span_take(&word, SPAN("timeout=")))
		return take_timeout(word, out, why);
	if (span_take(&word, SPAN("on-failure=")))
		return take_failure(word, out, why);
	if (span_take(&word, SPAN("connections=")))
		return take_connections(word, out, why);
	return wrong(why, "has something behind it that is none of timeout=..., on-failure=... and connections=...");
}

bool
conf_milter_parse(struct span text, struct conf_milter *out, struct buf *why)
{
	struct span rest = text, place = span_take_word(&rest);
	bool good;

	memset(out, 0, sizeof *out);
	out->timeout = TIMEOUT_STANDARD;
	out->connections = CONNECTIONS_STANDARD;
	out->local = span_take(&place, SPAN("unix:"));
	if (out->local)
		good = take_unix(place, out, why);
	else if (span_take(&place, SPAN("inet:")))
		good = take_inet(place, out, why);
	else
		good = wrong(why, "begins neither with inet: nor with unix:");
	while (good && !span_done(rest))
		good = take_option(span_take_word(&rest), out, why);
	return good;
}

bool
conf_milter_name(const struct conf_milter *m, struct buf *out)
{
	struct span place = span_of(m->place);
	bool v6 = !m->local && span_find(place, ':') < place.len;

	if (m->local)
		return buf_put_text(out, "unix:") && buf_put(out, place);
	return buf_put_text(out, v6 ? "inet:[" : "inet:") && buf_put(out, place) && buf_put_text(out, v6 ? "]:" : ":") &&
	    buf_put_u64(out, m->port);
}

bool
conf_milter_format(const struct conf_milter *m, struct buf *out)
{
	return conf_milter_name(m, out) && buf_put_text(out, " timeout=") && buf_put_u64(out, m->timeout) &&
	    buf_put_text(out, "s on-failure=") && buf_put_text(out, failures[m->failure]) &&
	    buf_put_text(out, " connections=") && buf_put_u64(out, m->connections);
}

bool
conf_milters_same(const struct conf_milter *a, uint32_t as, const struct conf_milter *b, uint32_t bs)
{
	bool same = as == bs;

	for (uint32_t i = 0; same && i < as; i++) {
		const struct conf_milter *x = &a[i], *y = &b[i];

		same = x->local == y->local && x->port == y->port && x->timeout == y->timeout && x->failure == y->failure &&
		    x->connections == y->connections && span_eq(span_of(x->place), span_of(y->place));
	}
	return same;
}

/* ---- the row ---- */

bool
milter_set(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	if (conf->milters == CONF_MILTERS_MAX)
		return wrong(why, "is one too many; at most 8 milters");
	if (!conf_milter_parse(text, &conf->milter[conf->milters], why))
		return false;
	conf->milters++;
	return true;
}

bool
milter_get(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->milters && conf_milter_format(&conf->milter[item], out);
}

/*
 * What a domain tells mail programs of its submission service in autoconfig files (draft-ietf-mailmaint-autoconfig), and whether that and
 * its SRV records (RFC 6186, 8314 5.1) say the same.
 */
#include "audit/tests.h"

enum { IMPLICIT_PORT = 465, NEGOTIATED_PORT = 587, RECORDS_MAX = 64 /* that are compared with each of a file's servers */ };

enum mode { MODE_PLAIN, MODE_STARTTLS, MODE_IMPLICIT };

/* A server of a file, as the transcript has it. */
struct server {
	struct span value, host, methods, by;
	int64_t port;
	enum mode mode;
};

static enum mode
mode_of(struct span word)
{
	return span_eq(word, SPAN("SSL")) ? MODE_IMPLICIT : span_eq(word, SPAN("STARTTLS")) ? MODE_STARTTLS : MODE_PLAIN;
}

static const char *
mode_name(enum mode mode)
{
	static const char *const names[] = { "clear text", "STARTTLS", "implicit TLS" };

	return names[mode];
}

static bool
server_take(struct span *lines, struct server *server)
{
	struct fact f;

	while (fact_take(lines, &f)) {
		if (!span_eq(f.key, SPAN("autoconfig-server")))
			continue;
		*server = (struct server){ .value = f.value };
		server->host = span_take_word(&f.value);
		if (!number_in(server->value, 1, &server->port))
			continue;
		(void)span_take_word(&f.value);
		server->mode = mode_of(span_take_word(&f.value));
		server->methods = span_take_word(&f.value);
		server->by = span_take_word(&f.value);
		return true;
	}
	return false;
}

static const char *const files[] = { "autoconfig", "well-known" };
enum { FILES = sizeof files / sizeof files[0] };

/* The first server of a file, which is the one that mail programs take. */
static bool
first_of(const struct section *s, const char *file, struct server *server)
{
	struct span lines = s->lines;

	while (server_take(&lines, server))
		if (span_eq(server->by, span_of(file)))
			return true;
	return false;
}

static bool
quote_server(const struct server *server, struct buf *e)
{
	return buf_put_text(e, "autoconfig: ") && buf_put(e, span_head(server->value, buf_room(e)));
}

/* ---- the files ---- */

static bool
find_state(const struct section *s, const char *state, struct buf *e)
{
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f)) {
		struct span value = f.value;

		(void)span_take_word(&value);
		if (span_eq(f.key, SPAN("autoconfig")) && span_eq(span_take_word(&value), span_of(state)))
			return buf_put(e, span_head(f.value, buf_room(e)));
	}
	return false;
}

bool
autoconfig_missing(const struct section *s, struct buf *e)
{
	struct span lines = s->lines;
	struct fact f;
	bool any = false;

	while (fact_take(&lines, &f)) {
		struct span value = f.value;

		if (!span_eq(f.key, SPAN("autoconfig")))
			continue;
		(void)span_take_word(&value);
		if (!span_eq(span_take_word(&value), SPAN("none")))
			return false;
		(void)(buf_put_text(e, any ? "; " : "") && buf_put(e, span_head(f.value, buf_room(e))));
		any = true;
	}
	return any;
}

bool
autoconfig_bad(const struct section *s, struct buf *e)
{
	return find_state(s, "bad", e);
}

bool
autoconfig_partly(const struct section *s, struct buf *e)
{
	return find_state(s, "partly", e);
}

bool
autoconfig_empty(const struct section *s, struct buf *e)
{
	return find_state(s, "empty", e);
}

bool
autoconfig_untrusted(const struct section *s, struct buf *e)
{
	return find_state(s, "untrusted", e);
}

bool
autoconfig_failed(const struct section *s, struct buf *e)
{
	return find_state(s, "failed", e);
}

/* ---- what they say ---- */

bool
autoconfig_clear(const struct section *s, struct buf *e)
{
	struct span lines = s->lines;
	struct server server;

	while (server_take(&lines, &server))
		if (server.mode == MODE_PLAIN)
			return quote_server(&server, e);
	return false;
}

static bool
has_mode(const struct section *s, const char *file, enum mode mode)
{
	struct span lines = s->lines;
	struct server server;

	while (server_take(&lines, &server))
		if (server.mode == mode && span_eq(server.by, span_of(file)))
			return true;
	return false;
}

bool
autoconfig_order(const struct section *s, struct buf *e)
{
	struct server first;

	for (size_t i = 0; i < FILES; i++)
		if (first_of(s, files[i], &first) && first.mode != MODE_IMPLICIT && has_mode(s, files[i], MODE_IMPLICIT))
			return quote_server(&first, e) && buf_put_text(e, " comes before one with SSL");
	return false;
}

bool
autoconfig_no_implicit(const struct section *s, struct buf *e)
{
	struct server first;

	for (size_t i = 0; i < FILES; i++)
		if (first_of(s, files[i], &first) && has_mode(s, files[i], MODE_STARTTLS) && !has_mode(s, files[i], MODE_IMPLICIT))
			return quote_server(&first, e);
	return false;
}

/* The first method is the one that is used. */
bool
autoconfig_no_login(const struct section *s, struct buf *e)
{
	struct span lines = s->lines;
	struct server server;

	while (server_take(&lines, &server)) {
		struct span methods = server.methods, first = span_take_until(&methods, ',');

		if (span_same(first, SPAN("none")) || span_same(first, SPAN("client-IP-address")))
			return quote_server(&server, e);
	}
	return false;
}

static bool
is_of_other(int64_t port, bool implicit)
{
	return port == (implicit ? NEGOTIATED_PORT : IMPLICIT_PORT);
}

bool
port_of_other_service(const struct section *s, struct buf *e)
{
	struct span lines = s->lines;
	struct server server;
	struct srv_said r;

	while (srv_take(&lines, &r))
		if (r.leads && is_of_other(r.port, span_eq(r.service, SPAN("submissions"))))
			return buf_put_text(e, "srv: ") && buf_put(e, span_head(r.value, buf_room(e)));
	for (lines = s->lines; server_take(&lines, &server);)
		if (is_of_other(server.port, server.mode == MODE_IMPLICIT))
			return quote_server(&server, e);
	return false;
}

/* ---- against each other ---- */

/* What a client tries first that goes by SRV: the least priority; of equal ones, implicit TLS if it has sense. */
static bool
first_by_srv(const struct section *s, struct srv_said *first, enum mode *mode)
{
	struct span lines = s->lines;
	struct srv_said r;
	bool any = false;

	while (srv_take(&lines, &r)) {
		enum mode his = span_eq(r.service, SPAN("submissions")) ? MODE_IMPLICIT : MODE_STARTTLS;

		if (!r.leads || (any && (r.priority > first->priority || (r.priority == first->priority && his <= *mode))))
			continue;
		*first = r;
		*mode = his;
		any = true;
	}
	return any;
}

static bool
quote_modes(const char *one, enum mode first, const char *other, enum mode second, struct buf *e)
{
	return buf_put_text(e, one) && buf_put_text(e, ": first ") && buf_put_text(e, mode_name(first)) && buf_put_text(e, "; ") && buf_put_text(e, other)
	    && buf_put_text(e, ": first ") && buf_put_text(e, mode_name(second));
}

bool
announced_otherwise(const struct section *s, struct buf *e)
{
	struct server one, other;
	struct srv_said first;
	enum mode mode;
	bool srv = first_by_srv(s, &first, &mode), one_there = first_of(s, files[0], &one), other_there = first_of(s, files[1], &other);

	if (srv && one_there && one.mode != mode)
		return quote_modes("SRV", mode, files[0], one.mode, e);
	if (srv && other_there && other.mode != mode)
		return quote_modes("SRV", mode, files[1], other.mode, e);
	return one_there && other_there && one.mode != other.mode && quote_modes(files[0], one.mode, files[1], other.mode, e);
}

static bool
srv_has(const struct section *s, const struct server *server)
{
	struct span lines = s->lines;
	struct srv_said r;

	while (srv_take(&lines, &r))
		if (r.leads && r.port == server->port && span_same(r.host, server->host))
			return true;
	return false;
}

static bool
file_has(const struct section *s, const char *file, const struct srv_said *r)
{
	struct span lines = s->lines;
	struct server server;

	while (server_take(&lines, &server))
		if (span_eq(server.by, span_of(file)) && server.port == r->port && span_same(server.host, r->host))
			return true;
	return false;
}

/* Any of those that SRV puts first: with equal priorities it is a client's dice that decide (RFC 2782). */
static bool
file_has_first(const struct section *s, const char *file, const struct srv_said *first)
{
	struct span lines = s->lines;
	struct srv_said r;

	for (unsigned n = 0; n < RECORDS_MAX && srv_take(&lines, &r); n++)
		if (r.leads && r.priority == first->priority && span_eq(r.service, first->service) && file_has(s, file, &r))
			return true;
	return false;
}

/* What one of them puts first, the other does not know at all. */
bool
announced_elsewhere(const struct section *s, struct buf *e)
{
	struct server server;
	struct srv_said first;
	enum mode mode;

	for (size_t i = 0; i < FILES && first_by_srv(s, &first, &mode); i++) {
		if (!first_of(s, files[i], &server))
			continue;
		if (!srv_has(s, &server))
			return quote_server(&server, e) && buf_put_text(e, ", where no SRV record leads");
		if (!file_has_first(s, files[i], &first))
			return buf_put_text(e, "srv: ") && buf_put(e, span_head(first.value, buf_room(e))) && buf_put_text(e, ", which autoconfig does not have");
	}
	return false;
}

/* ---- as it should be ---- */

bool
good_autoconfig(const struct section *s, struct buf *e)
{
	struct span lines = s->lines;
	struct server first, server;

	while (server_take(&lines, &server))
		if (server.mode == MODE_PLAIN || is_of_other(server.port, server.mode == MODE_IMPLICIT))
			return false;
	for (size_t i = 0; i < FILES; i++)
		if (first_of(s, files[i], &server) && server.mode != MODE_IMPLICIT)
			return false;
	return (first_of(s, files[0], &first) || first_of(s, files[1], &first)) && quote_server(&first, e);
}

/* Every place, and who says so. */
bool
sources(const struct section *s, struct buf *e)
{
	struct span lines = s->lines;
	struct fact f;
	bool any = false;

	while (fact_take(&lines, &f)) {
		struct span host, port, service;

		if (!span_eq(f.key, SPAN("found")))
			continue;
		host = span_take_word(&f.value);
		port = span_take_word(&f.value);
		service = span_take_word(&f.value);
		(void)service;
		(void)(buf_put_text(e, any ? "; " : "") && buf_put(e, host) && buf_put_byte(e, ':') && buf_put(e, port) && buf_put_text(e, " by ")
		    && buf_put(e, f.value));
		any = true;
	}
	return any;
}

#include "conf/conf.h"

#include <assert.h>
#include <string.h>

#include "conf/keys.h"
#include "conf/nearest.h"
#include "conf/value.h"

/* Quoted values in complaints are cut here, so that what is wrong still fits behind them. */
enum { QUOTE_MAX = 80 };

size_t
conf_keys(void)
{
	size_t n = 0;

	while (conf_rows[n].key.name != NULL)
		n++;
	return n;
}

const struct conf_key *
conf_key(size_t index)
{
	assert(index < conf_keys());
	return &conf_rows[index].key;
}

size_t
conf_find(struct span name)
{
	size_t i = 0;

	while (conf_rows[i].key.name != NULL && !span_eq(name, span_of(conf_rows[i].key.name)))
		i++;
	return i;
}

/* How much of the value may be said: a URL with a password in it, as far as its "//". */
static size_t
sayable(struct span value)
{
	size_t begin = 0, end = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (begin == 0 && i > 1 && value.p[i] == '/' && value.p[i - 1] == '/' && value.p[i - 2] == ':')
			begin = i + 1;
		end = value.p[i] == '@' ? i : end;
	}
	if (begin == 0 || end < begin || memchr(value.p + begin, ':', end - begin) == NULL)
		return value.len < QUOTE_MAX ? value.len : QUOTE_MAX;
	return begin;
}

static void
quote(struct span value, struct buf *out)
{
	struct span head = span_head(value, sayable(value));

	buf_put_byte(out, '"');
	for (size_t i = 0; i < head.len; i++)
		buf_put_byte(out, head.p[i] < 32 || head.p[i] == 127 ? '?' : head.p[i]);
	buf_put_text(out, head.len < value.len ? "...\"" : "\"");
}

bool
conf_set(struct conf *conf, size_t index, struct span value, struct buf *why)
{
	const struct conf_row *row = &conf_rows[index];
	size_t mark = why->len;

	assert(index < conf_keys());
	quote(value, why);
	buf_put_byte(why, ' ');
	if (row->parse(conf, row, value, why)) {
		why->len = mark;
		buf_end_words(why);
		return true;
	}
	buf_put_text(why, "; right would be \"");
	buf_put_text(why, row->key.example);
	buf_put_byte(why, '"');
	buf_end_words(why);
	return false;
}

void
conf_defaults(struct conf *conf)
{
	uint8_t words[256];

	memset(conf, 0, sizeof(*conf));
	for (const struct conf_row *row = conf_rows; row->key.name != NULL; row++) {
		struct buf why = BUF_OVER(words);
		bool ok = row->standard == NULL || row->parse(conf, row, span_of(row->standard), &why);

		assert(ok);
		(void)ok;
	}
}

size_t
conf_count(const struct conf *conf, size_t index)
{
	const struct conf_row *row = &conf_rows[index];
	uint8_t text[2 * CONF_TEXT_MAX + 16];
	size_t n = 0;

	assert(index < conf_keys());
	if (!row->key.repeatable)
		return 1;
	for (;; n++) {
		struct buf out = BUF_OVER(text);

		if (!row->format(conf, row, n, &out))
			return n;
	}
}

bool
conf_value(const struct conf *conf, size_t index, size_t item, struct buf *out)
{
	size_t mark = out->len;

	assert(index < conf_keys());
	if (conf_rows[index].format(conf, &conf_rows[index], item, out))
		return true;
	out->len = mark;
	return false;
}

/* ---- what no single key can know ---- */

static bool
fill_path(struct conf_text *path, const struct conf *conf, const char *below, struct buf *why)
{
	uint8_t text[CONF_TEXT_MAX];
	struct buf full = BUF_OVER(text);

	if (path->p[0] != '\0')
		return true;
	if (buf_put_text(&full, conf->state_dir.p) && buf_put_text(&full, below) && full.len < sizeof(text))
		return text_set(path, buf_span(&full), why);
	buf_put_text(why, "state-dir is too long a path");
	return false;
}

static bool
fill_listeners(struct conf *conf, struct buf *why)
{
	if (conf->listens > 0)
		return true;
	return conf_set(conf, conf_find(SPAN("listen-submissions")), SPAN("*:465"), why) &&
	    conf_set(conf, conf_find(SPAN("listen-submission")), SPAN("*:587"), why);
}

static bool
fill_postmaster(struct conf *conf, struct buf *why)
{
	uint8_t text[2 * CONF_TEXT_MAX];
	struct buf address = BUF_OVER(text);

	if (conf->postmaster.p[0] != '\0')
		return true;
	buf_put_text(&address, "postmaster@");
	buf_put_text(&address, conf->hostname.p);
	return text_set(&conf->postmaster, buf_span(&address), why);
}

static void
fill_tls_reports(struct conf *conf)
{
	if (conf->tls_report_contact.p[0] == '\0')
		conf->tls_report_contact = conf->postmaster;
	if (conf->tls_report_organization.p[0] == '\0')
		conf->tls_report_organization = conf->hostname;
}

/* What would do harm, or nothing, although each key is right by itself; NULL when all is well. */
static const char *
contradiction(const struct conf *conf)
{
	bool user = conf->relay.user.p[0] != '\0', password = conf->relay_credentials.p[0] != '\0';

	if (conf->hostname.p[0] == '\0')
		return "hostname is missing; right would be hostname = \"mail.example.org\"";
	if (user && !password)
		return "relay names a user, but relay-credentials names no file with his password; right would be "
		       "relay-credentials = \"/etc/postern/relay-password\"";
	if (password && !user)
		return "relay-credentials is set, but relay names no user; right would be relay = \"submissions://USER@HOST\"";
	if (conf->webhook.p[0] != '\0' && conf->webhook_secret.p[0] == '\0')
		return "webhook is set, but webhook-secret names no file with the key that signs what is posted";
	if (conf->webhook.p[0] == '\0' && conf->webhook_secret.p[0] != '\0')
		return "webhook-secret is set, but webhook says nothing of where to post";
	if (conf->webhook.p[0] != '\0' && !conf->history)
		return "webhook needs history = \"yes\": what could not be posted yet waits there";
	if (conf->retry_first > conf->retry_max)
		return "retry-first is longer than retry-max";
	if (conf->retry_max > conf->expire)
		return "retry-max is longer than expire, so that mail would go back after one try";
	if (conf->delay_notice > conf->expire)
		return "delay-notice comes after expire";
	if (strlen(conf->control_socket.p) > 107)
		return "control-socket is longer than the 107 octets that a socket's path may have; set it to a shorter path";
	if (strlen(conf->ledger_socket.p) > 107)
		return "ledger-socket is longer than the 107 octets that a socket's path may have; set it to a shorter path";
	if (strlen(conf->history_socket.p) > 107)
		return "history-socket is longer than the 107 octets that a socket's path may have; set it to a shorter path";
	if (span_eq(span_of(conf->history_socket.p), span_of(conf->control_socket.p))
	    || span_eq(span_of(conf->history_socket.p), span_of(conf->ledger_socket.p)))
		return "history-socket is the path of another socket; it needs one of its own";
	if (span_eq(span_of(conf->ledger_socket.p), span_of(conf->control_socket.p)))
		return "ledger-socket and control-socket are the same path; each needs one of its own";
	return NULL;
}

bool
conf_finish(struct conf *conf, struct buf *why)
{
	const char *wrong;

	if (!fill_path(&conf->spool_dir, conf, "/spool", why) || !fill_path(&conf->users_file, conf, "/auth/users", why) ||
	    !fill_path(&conf->control_socket, conf, "/control", why) || !fill_path(&conf->ledger_socket, conf, "/ledger", why) ||
	    !fill_path(&conf->history_socket, conf, "/where", why) ||
	    !fill_path(&conf->dkim_dir, conf, "/dkim", why) || !fill_listeners(conf, why) || !fill_postmaster(conf, why)) {
		buf_end_words(why);
		return false;
	}
	fill_tls_reports(conf);
	wrong = contradiction(conf);
	if (wrong != NULL)
		buf_put_text(why, wrong);
	buf_end_words(why);
	return wrong == NULL;
}

uint32_t
conf_unauthenticated_max(const struct conf *conf)
{
	enum { LEAST = 100 };
	uint32_t most = conf->unauthenticated_max;

	if (most == 0)
		most = conf->sessions_max / 4 > LEAST ? conf->sessions_max / 4 : LEAST;
	return most < conf->sessions_max ? most : conf->sessions_max;
}

/* ---- the whole as lines ---- */

static bool
format_item(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	size_t mark = out->len, value;

	if (!buf_put_text(out, row->key.name) || !buf_put_text(out, " = "))
		return false;
	value = out->len;
	if (!row->format(conf, row, item, out) || !buf_put_byte(out, '\n'))
		return false;
	/* Nothing set and nothing to say: an optional path. */
	if (out->len == value + 1)
		out->len = mark;
	return true;
}

bool
conf_format(const struct conf *conf, struct buf *out)
{
	for (size_t i = 0; conf_rows[i].key.name != NULL; i++) {
		for (size_t item = 0; item < conf_count(conf, i); item++) {
			if (!format_item(conf, &conf_rows[i], item, out))
				return false;
		}
	}
	return true;
}

static bool
parse_line(struct conf *conf, struct span line, struct buf *why)
{
	struct span value = line, name = span_take_until(&value, ' ');
	size_t index = conf_find(name);

	if (index < conf_keys() && span_take(&value, SPAN(" = ")))
		return conf_set(conf, index, value, why);
	buf_put_text(why, "not KEY = VALUE with a known key: ");
	quote(line, why);
	buf_end_words(why);
	return false;
}

bool
conf_parse(struct conf *conf, struct span text, struct buf *why)
{
	conf_defaults(conf);
	while (!span_done(text)) {
		struct span line = span_take_until(&text, '\n');

		if (!span_take_byte(&text, '\n')) {
			buf_put_text(why, "the last line has no end");
			buf_end_words(why);
			return false;
		}
		if (!parse_line(conf, line, why))
			return false;
	}
	buf_end_words(why);
	return true;
}

/* Every kind of value, both ways; what no single key can know; the whole as lines and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conf/nearest.h"
#include "conf/network.h"
#include "conf/value.h"

#define ROWS(array) (sizeof(array) / sizeof(array)[0])

static bool
set(struct conf *conf, const char *key, const char *value, char words[600])
{
	struct buf why = { (uint8_t *)words, 0, 600 };
	size_t index = conf_find(span_of(key));

	assert_true(index < conf_keys());
	return conf_set(conf, index, span_of(value), &why);
}

static void
get(const struct conf *conf, const char *key, size_t item, char out[600])
{
	struct buf b = { (uint8_t *)out, 0, 599 };

	assert_true(conf_value(conf, conf_find(span_of(key)), item, &b));
	out[b.len] = '\0';
}

/* What is said goes in, what is shown comes out; NULL: refused. */
static const struct {
	const char *key, *said, *shown;
} values[] = {
	{ "hostname", "mail.example.org", "mail.example.org" },
	{ "hostname", "xn--bcher-kva.example", "xn--bcher-kva.example" },
	{ "hostname", "localhost", NULL },
	{ "mt-priority-max", "9", "9" },
	{ "mt-priority-min", "-9", "-9" },
	{ "mt-priority-max", "10", NULL },
	{ "mt-priority-min", "-", NULL },
	{ "mt-priority-max", "", NULL },
	{ "future-release", "0", "0" },
	{ "future-release", "2 years", NULL },
	{ "future-release-messages", "0", NULL },
	{ "deliver-by-min", "30 s", "30 s" },
	{ "hostname", "", NULL },
	{ "hostname", "mail..example.org", NULL },
	{ "hostname", "mail.example.org.", NULL },
	{ "hostname", "-mail.example.org", NULL },
	{ "hostname", "192.0.2.7", NULL },
	{ "hostname", "mail example.org", NULL },
	{ "hostname", "b\xc3\xbc" "cher.example", NULL },
	{ "listen-submissions", "[::]:465", "[::]:465" },
	{ "listen-submissions", "*:465", "*:465" },
	{ "listen-submissions", "192.0.2.7:10465", "192.0.2.7:10465" },
	{ "listen-submissions", "[2001:db8::1]:465", "[2001:db8::1]:465" },
	{ "listen-submissions", "[::ffff:192.0.2.7]:465", "[::ffff:192.0.2.7]:465" },
	{ "listen-submissions", "::1:465", NULL },
	{ "listen-submissions", "2001:db8::1", NULL },
	{ "listen-submissions", "[192.0.2.7]:465", NULL },
	{ "listen-submissions", "mail.example.org:465", NULL },
	{ "listen-submissions", "192.0.2.7", NULL },
	{ "listen-submissions", "192.0.2.7:", NULL },
	{ "listen-submissions", "192.0.2.7:0", NULL },
	{ "listen-submissions", "192.0.2.7:65536", NULL },
	{ "listen-submissions", "192.0.2.256:465", NULL },
	{ "listen-submissions", "192.0.2:465", NULL },
	{ "listen-submissions", "[1:2:3:4:5:6:7:8:9]:465", NULL },
	{ "listen-submissions", "[1::2::3]:465", NULL },
	{ "listen-submissions", "[12345::]:465", NULL },
	{ "listen-submissions", "[:1]:465", NULL },
	{ "listen-submissions", "[1:]:465", NULL },
	{ "listen-submissions", "*:465 ", NULL },
	{ "proxy", "192.0.2.1", "192.0.2.1" },
	{ "proxy", "10.0.0.0/8", "10.0.0.0/8" },
	{ "proxy", "2001:db8::/32", "2001:db8::/32" },
	{ "proxy", "::ffff:192.0.2.0/120", "::ffff:192.0.2.0/120" },
	{ "proxy", "::1", "::1" },
	{ "proxy", "0.0.0.0/0", NULL },
	{ "proxy", "::/0", NULL },
	{ "proxy", "10.1.0.0/8", NULL },
	{ "proxy", "2001:db8::1/64", NULL },
	{ "proxy", "10.0.0.0/33", NULL },
	{ "proxy", "10.0.0.0/", NULL },
	{ "proxy", "10.0.0.0/8 ", NULL },
	{ "proxy", "10.0.0", NULL },
	{ "proxy", "proxy.example.org", NULL },
	{ "proxy", "[::1]", NULL },
	{ "proxy", "", NULL },
	{ "size-max", "50 MiB", "50 MiB" },
	{ "size-max", "50M", "50 MiB" },
	{ "size-max", "1024 kib", "1 MiB" },
	{ "size-max", "100000", "100000 B" },
	{ "size-max", "2T", NULL },
	/* regress 0305: of more than the spool can keep of one message, and of more recipients than fit into its record */
	{ "size-max", "800 MiB", "800 MiB" },
	{ "size-max", "801 MiB", NULL },
	{ "rcpt-max", "16000", "16000" },
	{ "rcpt-max", "16001", NULL },
	{ "size-max", "1", NULL },
	{ "size-max", "50 MB", NULL },
	{ "size-max", "lots", NULL },
	{ "size-max", "-1", NULL },
	{ "size-max", "99999999999999999999", NULL },
	{ "size-max", "18446744073709551615 KiB", NULL },
	{ "spool-free-min", "0", "0" },
	{ "retry-first", "60 s", "1 min" },
	{ "retry-first", "90s", "90 s" },
	{ "retry-first", "1 minute", "1 min" },
	{ "retry-first", "60", NULL },
	{ "retry-first", "0", NULL },
	{ "expire", "1 w", "7 d" },
	{ "expire", "120 hours", "5 d" },
	{ "expire", "5 years", NULL },
	{ "expire", "400 d", NULL },
	{ "delay-notice", "0", "0" },
	{ "delay-notice", "4h", "4 h" },
	{ "auth-login", "no", "no" },
	{ "auth-login", "TRUE", "yes" },
	{ "auth-login", "maybe", NULL },
	{ "rcpt-max", "1000", "1000" },
	{ "rcpt-max", "99", NULL },             /* 5321-54: never fewer than 100 */
	{ "rcpt-max", "1e3", NULL },
	{ "history", "no", "no" },
	{ "history-age", "90 d", "90 d" },
	{ "history-age", "59 min", NULL },
	{ "history-size", "1000", NULL },
	{ "history-backlog", "0", "0" },
	{ "webhook", "https://hooks.example.org", "https://hooks.example.org" },
	{ "webhook", "https://hooks.example.org:8443/a?b=c", "https://hooks.example.org:8443/a?b=c" },
	{ "webhook", "https://[2001:db8::1]:8443/a", "https://[2001:db8::1]:8443/a" },
	{ "webhook", "http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a" },
	{ "webhook", "http://[::1]/", "http://[::1]/" },
	{ "webhook", "http://localhost/", "http://localhost/" },
	{ "webhook", "http://127.example.org/", NULL },
	{ "webhook", "http://localhost.example.org/", NULL },
	{ "webhook", "http://[::2]/", NULL },
	{ "webhook", "http://127.0.0.1@example.org/", NULL },
	{ "webhook", "https://user@example.org/", NULL },
	{ "webhook", "https://example.org:0/", NULL },
	{ "webhook", "https://example.org:65536/", NULL },
	{ "webhook", "https://example.org?x", NULL },
	{ "webhook", "https://example.org/a#b", NULL },
	{ "webhook", "https://example.org/a b", NULL },
	{ "webhook", "https:///a", NULL },
	{ "webhook", "https://", NULL },
	{ "webhook", "", NULL },
	{ "webhook-events", "held delivered", "delivered held" },
	{ "webhook-events", "delivered deferred bounced held dropped", "delivered deferred bounced held dropped" },
	{ "webhook-events", "", NULL },
	{ "webhook-events", "opened", NULL },
	{ "webhook-most", "0", NULL },
	{ "relay", "mx", "mx" },
	{ "relay", "maildir:/var/mail/all", "maildir:/var/mail/all" },
	{ "relay", "maildir:all", NULL },
	{ "relay", "submissions://smtp.example.net", "submissions://smtp.example.net:465" },
	{ "relay", "submissions://alice@smtp.example.net", "submissions://alice@smtp.example.net:465" },
	{ "relay", "submissions://alice@example.org@smtp.example.net:2465",
	    "submissions://alice@example.org@smtp.example.net:2465" },
	{ "relay", "submission://alice@[2001:db8::25]", "submission://alice@[2001:db8::25]:587" },
	{ "relay", "smtp://192.0.2.25", "smtp://192.0.2.25:25" },
	{ "relay", "smtp://localhost:2525", "smtp://localhost:2525" },
	{ "relay", "smtp://alice@smtp.example.net", NULL },     /* 8314-43: no password without verified TLS */
	{ "relay", "submission://smtp.example.net:465", NULL },
	{ "relay", "smtp://smtp.example.net:465", NULL },
	{ "relay", "smtp://", NULL },
	{ "relay", "smtp://host:port", NULL },
	{ "relay", "smtp://host:25/path", NULL },
	{ "relay", "https://smtp.example.net", NULL },
	{ "relay", "smtp.example.net", NULL },
	{ "certificate", "chain=/a/b.pem key=/a/c.pem", "chain=/a/b.pem key=/a/c.pem" },
	{ "certificate", "chain=/a b/c key=/d e/f", "chain=/a b/c key=/d e/f" },
	{ "certificate", "chain=/a/b.pem", NULL },
	{ "certificate", "chain= key=/a", NULL },
	{ "certificate", "chain=a key=/a", NULL },
	{ "dns-server", "192.0.2.53", "192.0.2.53" },
	{ "dns-server", "2001:db8::53@5353", "2001:db8::53@5353" },
	{ "dns-server", "192.0.2.53@", NULL },
	{ "dns-server", "dns.example", NULL },
	{ "postmaster", "postmaster@example.org", "postmaster@example.org" },
	{ "postmaster", "postmaster", NULL },
	{ "postmaster", "<postmaster@example.org>", NULL },
	{ "state-dir", "/var/lib/postern", "/var/lib/postern" },
	{ "state-dir", "state", NULL },
	{ "state-dir", "/a\nb", NULL },
	{ "log-format", "json", "json" },
	{ "log-format", "xml", NULL },
	{ "log-target", "syslog", "syslog" },
	{ "log-target", "/var/log/x", NULL },
};

static void
values_are_read_and_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(values); i++) {
		struct conf conf;
		char words[600] = "", shown[600];

		conf_defaults(&conf);
		if (set(&conf, values[i].key, values[i].said, words) != (values[i].shown != NULL))
			fail_msg("%s = \"%s\": %s", values[i].key, values[i].said, words);
		if (values[i].shown == NULL) {
			assert_non_null(strstr(words, "; right would be \""));
			continue;
		}
		get(&conf, values[i].key, 0, shown);
		assert_string_equal(shown, values[i].shown);
		/* What is shown can be said. */
		conf_defaults(&conf);
		assert_true(set(&conf, values[i].key, shown, words));
	}
}

/* Nobody has said how many: a quarter, but not so few that a small server could be filled by one address, and never more than all. */
static void
unauthenticated_sessions_have_a_share(void **state)
{
	static const struct { uint32_t sessions, said, most; } rows[] = {
		{ 10000, 0, 2500 }, { 401, 0, 100 }, { 400, 0, 100 }, { 200, 0, 100 }, { 3, 0, 3 }, { 10000, 7000, 7000 }, { 10, 7000, 10 },
		{ 10, 1, 1 },
	};
	struct conf conf;

	(void)state;
	conf_defaults(&conf);
	for (size_t i = 0; i < ROWS(rows); i++) {
		conf.sessions_max = rows[i].sessions;
		conf.unauthenticated_max = rows[i].said;
		assert_int_equal(conf_unauthenticated_max(&conf), rows[i].most);
	}
}

static void
defaults_are_as_documented(void **state)
{
	static const char *const table[][2] = {
		{ "size-max", "50 MiB" }, { "rcpt-max", "1000" }, { "relay", "mx" }, { "relay-port", "25" },
		{ "relay-concurrency", "20" }, { "relay-connections", "500" }, { "retry-first", "1 min" }, { "retry-max", "3 h" },
		{ "expire", "5 d" }, { "delay-notice", "0" }, { "segment-size", "64 MiB" }, { "spool-free-min", "128 MiB" },
		{ "fronts", "0" }, { "sessions-max", "10000" }, { "auth-login", "yes" }, { "state-dir", "/var/lib/postern" },
		{ "sessions-per-address", "100" }, { "unauthenticated-max", "0" }, { "unauthenticated-per-address", "50" },
		{ "auth-deadline", "5 min" }, { "command-timeout", "5 min" }, { "content-rate-min", "16 KiB" },
		{ "history", "yes" }, { "history-age", "30 d" }, { "history-size", "1 GiB" }, { "history-backlog", "256 MiB" },
		{ "webhook", "" }, { "webhook-events", "delivered deferred bounced held dropped" }, { "webhook-age", "1 d" }, { "webhook-most", "100000" },
		{ "log-format", "logfmt" }, { "log-target", "stderr" }, { "hostname", "" }, { "passwd-file", "" },
	};
	struct conf conf;

	(void)state;
	conf_defaults(&conf);
	for (size_t i = 0; i < ROWS(table); i++) {
		char shown[600];

		get(&conf, table[i][0], 0, shown);
		assert_string_equal(shown, table[i][1]);
	}
	assert_int_equal(conf.listens, 0);
	assert_int_equal(conf.certificates, 0);
}

static void
a_host_name_is_enough(void **state)
{
	struct conf conf;
	char words[600], shown[600];
	struct buf why = BUF_OVER(words);

	(void)state;
	conf_defaults(&conf);
	assert_true(set(&conf, "hostname", "mail.example.org", words));
	assert_true(conf_finish(&conf, &why));
	/* 8314-1: implicit TLS on 465; 6409-1: submission on 587. */
	get(&conf, "listen-submissions", 0, shown);
	assert_string_equal(shown, "*:465");
	get(&conf, "listen-submission", 0, shown);
	assert_string_equal(shown, "*:587");
	get(&conf, "spool-dir", 0, shown);
	assert_string_equal(shown, "/var/lib/postern/spool");
	get(&conf, "users-file", 0, shown);
	assert_string_equal(shown, "/var/lib/postern/auth/users");
	get(&conf, "control-socket", 0, shown);
	assert_string_equal(shown, "/var/lib/postern/control");
	get(&conf, "ledger-socket", 0, shown);
	assert_string_equal(shown, "/var/lib/postern/ledger");
	get(&conf, "history-socket", 0, shown);
	assert_string_equal(shown, "/var/lib/postern/where");
	get(&conf, "postmaster", 0, shown);
	assert_string_equal(shown, "postmaster@mail.example.org");
}

static void
one_listener_key_leaves_the_other_alone(void **state)
{
	struct conf conf;
	char words[600];
	struct buf why = BUF_OVER(words);

	(void)state;
	conf_defaults(&conf);
	assert_true(set(&conf, "hostname", "mail.example.org", words));
	assert_true(set(&conf, "listen-submissions", "[::1]:465", words));
	assert_true(conf_finish(&conf, &why));
	assert_int_equal(conf.listens, 1);
	assert_int_equal(conf_count(&conf, conf_find(SPAN("listen-submission"))), 0);
}

static void
contradictions_are_refused(void **state)
{
	static const struct {
		const char *key[3], *value[3], *words;
	} rows[] = {
		{ { NULL }, { NULL }, NULL },
		{ { "relay" }, { "submissions://u@h.example" }, "relay-credentials" },
		{ { "webhook" }, { "https://h.example/" }, "webhook-secret" },
		{ { "webhook-secret" }, { "/etc/s" }, "webhook says nothing" },
		{ { "webhook", "webhook-secret", "history" }, { "https://h.example/", "/etc/s", "no" }, "history" },
		{ { "webhook", "webhook-secret" }, { "https://h.example/", "/etc/s" }, NULL },
		{ { "history-socket", "control-socket" }, { "/run/s", "/run/s" }, "history-socket" },
		{ { "relay-credentials" }, { "/etc/p" }, "names no user" },
		{ { "relay", "relay-credentials" }, { "submissions://u@h.example", "/etc/p" }, NULL },
		{ { "retry-first", "retry-max" }, { "2 h", "1 h" }, "retry-first" },
		{ { "retry-max", "expire" }, { "2 h", "1 h" }, "expire" },
		{ { "delay-notice" }, { "6 d" }, "delay-notice" },
		{ { "control-socket" },
		    { "/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789" },
		    "107" },
		{ { "ledger-socket" },
		    { "/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789" },
		    "107" },
		{ { "control-socket", "ledger-socket" }, { "/run/postern/one", "/run/postern/one" }, "each needs one of its own" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct conf conf;
		char words[600] = "";
		struct buf why = BUF_OVER(words);

		conf_defaults(&conf);
		assert_true(set(&conf, "hostname", "mail.example.org", words));
		for (size_t k = 0; k < 3 && rows[i].key[k] != NULL; k++)
			assert_true(set(&conf, rows[i].key[k], rows[i].value[k], words));
		assert_int_equal(conf_finish(&conf, &why), rows[i].words == NULL);
		if (rows[i].words != NULL)
			assert_non_null(strstr(words, rows[i].words));
	}
}

static void
a_host_name_is_needed(void **state)
{
	struct conf conf;
	char words[600] = "";
	struct buf why = BUF_OVER(words);

	(void)state;
	conf_defaults(&conf);
	assert_false(conf_finish(&conf, &why));
	assert_non_null(strstr(words, "hostname is missing"));
}

static void
ceilings_hold(void **state)
{
	struct conf conf;
	char words[600], value[400];

	(void)state;
	conf_defaults(&conf);
	for (unsigned i = 1; i <= CONF_LISTEN_MAX; i++) {
		(void)snprintf(value, sizeof(value), "127.0.0.%u:465", i);
		assert_true(set(&conf, "listen-submissions", value, words));
	}
	assert_false(set(&conf, "listen-submission", "127.0.0.99:587", words));
	assert_false(set(&conf, "listen-submission", "127.0.0.1:465", words));
	for (unsigned i = 0; i < CONF_CERTIFICATES_MAX; i++)
		assert_true(set(&conf, "certificate", "chain=/a key=/b", words));
	assert_false(set(&conf, "certificate", "chain=/a key=/b", words));
	memset(value, 'a', sizeof(value));
	value[0] = '/';
	value[CONF_TEXT_MAX] = '\0';
	assert_false(set(&conf, "state-dir", value, words));
	value[CONF_TEXT_MAX - 1] = '\0';
	assert_true(set(&conf, "state-dir", value, words));
}

static void
complaints_fit_any_room(void **state)
{
	struct conf conf;

	(void)state;
	conf_defaults(&conf);
	for (size_t room = 1; room < 200; room++) {
		char words[200];
		struct buf why = { (uint8_t *)words, 0, room };

		assert_false(conf_set(&conf, conf_find(SPAN("hostname")), SPAN("a\nb"), &why));
		assert_true(memchr(words, '\0', room) != NULL);
		assert_null(memchr(words, '\n', why.len));
	}
}

static void
the_whole_goes_out_and_comes_back(void **state)
{
	static uint8_t first[65536], second[65536];
	struct buf one = BUF_OVER(first), two = BUF_OVER(second);
	struct conf conf, back;
	char words[600];
	struct buf why = BUF_OVER(words);

	(void)state;
	conf_defaults(&conf);
	for (size_t i = 0; i < conf_keys(); i++)
		assert_true(set(&conf, conf_key(i)->name, conf_key(i)->example, words));
	assert_true(conf_finish(&conf, &why));
	assert_true(conf_format(&conf, &one));
	why.len = 0;
	assert_true(conf_parse(&back, buf_span(&one), &why));
	assert_true(conf_format(&back, &two));
	assert_true(span_eq(buf_span(&one), buf_span(&two)));
}

static void
lines_that_are_none_are_refused(void **state)
{
	static const char *const texts[] = {
		"hostname = a.b", "hostname\n", "hostname=a.b\n", "\n", "host = a.b\n", "hostname = a\n", "hostname = a.b\nx",
	};

	(void)state;
	for (size_t i = 0; i < ROWS(texts); i++) {
		struct conf conf;
		char words[600];
		struct buf why = BUF_OVER(words);

		assert_false(conf_parse(&conf, span_of(texts[i]), &why));
		assert_true(strlen(words) > 0);
	}
}

static void
examples_are_right_and_meanings_are_sentences(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_keys(); i++) {
		const struct conf_key *k = conf_key(i);

		assert_int_equal(conf_find(span_of(k->name)), i);
		assert_true(k->meaning[strlen(k->meaning) - 1] == '.');
		assert_null(strchr(k->name, '_'));
	}
	assert_int_equal(conf_find(SPAN("nothing")), conf_keys());
}

static void
a_slip_of_the_pen_is_recognised(void **state)
{
	static const char *const rows[][2] = {
		{ "hostnme", "hostname" }, { "host-name", "hostname" }, { "max-size", NULL }, { "size_max", "size-max" },
		{ "lisen-submission", "listen-submission" }, { "Hostname", "hostname" }, { "ehostname", "hostname" },
		{ "hosntame", "hostname" }, { "relayhost", "relay" }, { "listen", "listen-submissions" }, { "mil", NULL }, { "frobnicate", NULL },
		{ "a-name-that-is-far-longer-than-any-key-could-be", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *near = conf_nearest(span_of(rows[i][0]));

		if ((near == NULL) != (rows[i][1] == NULL) || (near != NULL && strcmp(near, rows[i][1]) != 0))
			fail_msg("%s -> %s", rows[i][0], near != NULL ? near : "nothing");
	}
	assert_int_equal(word_distance(SPAN("kitten"), SPAN("sitting")), 3);
	assert_int_equal(word_distance(SPAN(""), SPAN("abc")), 3);
	assert_int_equal(word_distance(SPAN("ab"), SPAN("ba")), 1);
}

/* Whose address is in which network; single addresses stand for themselves. */
static void
networks_have_their_addresses(void **state)
{
	static const struct { const char *network, *address; bool has; } rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.0", false },
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "172.16.0.0/12", "172.31.255.255", true },
		{ "172.16.0.0/12", "172.32.0.0", false },
		{ "192.0.2.0/31", "192.0.2.1", true },
		{ "192.0.2.0/31", "192.0.2.2", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
		{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
		{ "192.0.2.0/24", "::192.0.2.9", false },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "2001:db8:0:8000::/49", "2001:db8:0:ffff::", true },
		{ "2001:db8:0:8000::/49", "2001:db8:0:7fff::", false },
		{ "::1", "::1", true },
		{ "::1", "::", false },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", true },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:9", false },
		{ "1:2::7:8", "1:2:0:0:0:0:7:8", true },
		{ "ABCD::", "abcd:0:0:0:0:0:0:0", true },
	};
	uint8_t words[200];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct buf why = BUF_OVER(words);
		struct conf_network n, a;

		if (!network_parse(span_of(rows[i].network), &n, &why) || !network_parse(span_of(rows[i].address), &a, &why) ||
		    network_has(&n, a.address) != rows[i].has)
			fail_msg("%s %s", rows[i].network, rows[i].address);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read_and_shown),
		cmocka_unit_test(networks_have_their_addresses),
		cmocka_unit_test(defaults_are_as_documented),
		cmocka_unit_test(unauthenticated_sessions_have_a_share),
		cmocka_unit_test(a_host_name_is_enough),
		cmocka_unit_test(one_listener_key_leaves_the_other_alone),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(a_host_name_is_needed),
		cmocka_unit_test(ceilings_hold),
		cmocka_unit_test(complaints_fit_any_room),
		cmocka_unit_test(the_whole_goes_out_and_comes_back),
		cmocka_unit_test(lines_that_are_none_are_refused),
		cmocka_unit_test(examples_are_right_and_meanings_are_sentences),
		cmocka_unit_test(a_slip_of_the_pen_is_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

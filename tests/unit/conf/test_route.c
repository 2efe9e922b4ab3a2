/* conf/route.h: relay-source and relay-limit. */
#include "conf/route.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static struct conf conf;
static char words[300];

static bool
set(const char *key, const char *value)
{
	struct buf why = BUF_OVER(words);

	return conf_set(&conf, conf_find(span_of(key)), span_of(value), &why);
}

static void
fresh(void)
{
	conf_defaults(&conf);
}

static const char *
source_of(const char *login, const char *path)
{
	const struct conf_source *s = source_find(&conf, span_of(login), span_of(path));

	return s == NULL ? "none" : s->address.v4 ? s->text4 : s->text6;
}

static void
who_sends_from_where(void **state)
{
	(void)state;
	fresh();
	assert_string_equal(source_of("alice", "a@one.example"), "none");
	assert_true(set("relay-source", "one.example 192.0.2.1 2001:db8::1"));
	assert_true(set("relay-source", "login:alice 192.0.2.2"));
	assert_true(set("relay-source", "login:bob/phone 192.0.2.4"));
	assert_string_equal(source_of("carol", "c@two.example"), "none");
	assert_true(set("relay-source", "* 2001:db8::3"));
	/* The login is the most particular, then the domain. */
	assert_string_equal(source_of("alice/laptop", "a@one.example"), "192.0.2.2");
	assert_string_equal(source_of("bob/phone", "b@one.example"), "192.0.2.4");
	assert_string_equal(source_of("bob", "b@ONE.example"), "192.0.2.1");
	assert_string_equal(source_of("bob", "\"b@two.example\"@one.example"), "192.0.2.1");
	assert_string_equal(source_of("bob", "b@sub.one.example"), "2001:db8::3");
	assert_string_equal(source_of("", ""), "2001:db8::3");
	assert_true(conf.source[0].address.v4 && conf.source[0].address.v6);
	assert_memory_equal(conf.source[0].address.address4, "\xc0\x00\x02\x01", 4);
	assert_int_equal(conf.source[0].address.address6[15], 1);
}

static void
how_much_goes_where(void **state)
{
	(void)state;
	fresh();
	assert_null(limit_find(&conf, SPAN("one.example")));
	assert_true(set("relay-limit", "ONE.example rate=60"));
	assert_true(set("relay-limit", ".mail.example connections=4 rate=600"));
	assert_true(set("relay-limit", ".in.mail.example connections=5"));
	assert_true(set("relay-limit", "* rate=1000"));
	assert_int_equal(limit_find(&conf, SPAN("one.EXAMPLE"))->rate, 60);
	assert_null(limit_find(&conf, SPAN("mx.one.example")));
	assert_null(limit_find(&conf, SPAN("mail.example")));
	assert_null(limit_find(&conf, SPAN("notmail.example")));
	assert_int_equal(limit_find(&conf, SPAN("mx1.mail.example"))->connections, 4);
	assert_int_equal(limit_find(&conf, SPAN("mx1.in.mail.example"))->connections, 5);
	assert_int_equal(limit_of_all(&conf)->rate, 1000);
}

static void
what_is_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "relay-source", "" }, { "relay-source", "one.example" }, { "relay-source", "one.example nonsense" },
		{ "relay-source", "one.example 192.0.2.1 192.0.2.2" }, { "relay-source", "login: 192.0.2.1" },
		{ "relay-source", "one.example 192.0.2.0/24" }, { "relay-source", "-bad- 192.0.2.1" }, { "relay-source", "one.example ::1 ::2" },
		{ "relay-limit", "" }, { "relay-limit", "one.example" }, { "relay-limit", "one.example rate=0" },
		{ "relay-limit", "one.example rate=x" }, { "relay-limit", "one.example rate=1 rate=2" }, { "relay-limit", "one.example speed=1" },
		{ "relay-limit", "one.example rate=99999999999999999999" }, { "relay-limit", "one.example connections=10001" },
		{ "relay-limit", "..example rate=1" }, { "relay-limit", ". rate=1" },
	};

	(void)state;
	fresh();
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (set(bad[i][0], bad[i][1]))
			print_message("taken: %s\n", bad[i][1]);
		assert_int_equal(conf.sources + conf.limits, 0);
		assert_true(strlen(words) > 20);
	}
}

/* What the other processes get is what was said, and there is a ceiling. */
static void
lines_and_back(void **state)
{
	static uint8_t text[100000];
	struct buf out = BUF_OVER(text), why = BUF_OVER(words);
	static struct conf back;

	(void)state;
	fresh();
	assert_true(set("relay-source", "one.example   192.0.2.1  2001:db8::1"));
	assert_true(set("relay-limit", "* connections=3 rate=5"));
	assert_true(conf_format(&conf, &out));
	assert_true(conf_parse(&back, buf_span(&out), &why));
	assert_memory_equal(&back.source, &conf.source, sizeof conf.source);
	assert_memory_equal(&back.limit, &conf.limit, sizeof conf.limit);
	for (unsigned i = 1; i < CONF_LIMITS_MAX; i++)
		assert_true(set("relay-limit", "x.example rate=1"));
	assert_false(set("relay-limit", "y.example rate=1"));
	assert_non_null(strstr(words, "64"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_sends_from_where),
		cmocka_unit_test(how_much_goes_where),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(lines_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

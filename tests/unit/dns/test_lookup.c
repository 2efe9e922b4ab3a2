/* A look-up always ends: by its own deadline when nobody answers, by a verdict when there is nothing to ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/lookup.h"

struct silent {
	uv_loop_t loop;
	struct resolver *resolver;
	int fd;                         /* a server that never answers */
	unsigned done;
	struct mx_list list;
	struct mx_lookup *other;        /* to be cancelled from inside done() */
};

static int
setup(void **state)
{
	static struct silent s;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof in;
	char server[64], why[200];
	struct buf b = BUF_OVER(why);

	memset(&s, 0, sizeof s);
	s.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(s.fd, (struct sockaddr *)&in, len) != 0 || getsockname(s.fd, (struct sockaddr *)&in, &len) != 0)
		return -1;
	(void)snprintf(server, sizeof server, "127.0.0.1@%u", ntohs(in.sin_port));
	uv_loop_init(&s.loop);
	s.resolver = resolver_open(&s.loop, &(struct resolver_conf){ .server = server }, &b);
	*state = &s;
	return s.resolver == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct silent *s = *state;

	resolver_close(s->resolver);
	for (int i = 0; i < 5; i++)
		uv_run(&s->loop, UV_RUN_NOWAIT);
	(void)close(s->fd);
	return uv_loop_close(&s->loop);
}

static void
on_done(void *arg, const struct mx_list *list)
{
	struct silent *s = arg;

	s->done++;
	s->list = *list;
	mx_lookup_cancel(s->other);
	s->other = NULL;
}

static void
on_tick(uv_timer_t *tick)
{
	(void)tick;
}

/* At most ten seconds. */
static void
run_until_done(struct silent *s)
{
	uv_timer_t tick;

	uv_timer_init(&s->loop, &tick);
	uv_timer_start(&tick, on_tick, 0, 50);
	for (int i = 0; i < 200 && s->done == 0; i++)
		uv_run(&s->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&tick, NULL);
	for (int i = 0; i < 2; i++)
		uv_run(&s->loop, UV_RUN_NOWAIT);
	assert_int_equal(s->done, 1);
}

static struct mx_lookup *
begin(struct silent *s, const char *domain, uint32_t deadline)
{
	struct mx_question q = { .domain = span_of(domain), .self = SPAN("us.example"), .deadline = deadline };

	return mx_lookup_begin(s->resolver, &q, on_done, s);
}

static void
test_deadline(void **state)                     /* 5321-61 */
{
	struct silent *s = *state;

	assert_non_null(begin(s, "net.example", 500));
	run_until_done(s);
	assert_int_equal(s->list.verdict, MX_LATER);
	assert_non_null(strstr(s->list.words, "net.example"));
	assert_non_null(strstr(s->list.words, " (asked: 127.0.0.1@"));
}

static void
test_cancelled_from_inside(void **state)
{
	struct silent *s = *state;

	s->other = begin(s, "one.example", 500);
	assert_non_null(begin(s, "two.example", 400));
	run_until_done(s);
	assert_null(s->other);
}

static void
test_no_domain_name(void **state)
{
	struct silent *s = *state;

	assert_non_null(begin(s, "", 0));
	assert_int_equal(s->done, 0);           /* never from inside */
	run_until_done(s);
	assert_int_equal(s->list.verdict, MX_NO_DOMAIN);
}

static void
test_no_domain_name_at_all(void **state)
{
	struct silent *s = *state;

	assert_non_null(begin(s, "a..example", 0));
	run_until_done(s);
	assert_int_not_equal(s->list.verdict, MX_FOUND);
}

static void
test_closed_while_asking(void **state)
{
	struct silent *s = *state;

	assert_non_null(begin(s, "net.example", 0));
	uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void
test_server_malformed(void **state)
{
	struct silent *s = *state;
	char why[200] = "";
	struct buf b = BUF_OVER(why);

	assert_null(resolver_open(&s->loop, &(struct resolver_conf){ .server = "not an address" }, &b));
	assert_true(strlen(why) > 0);
}

/* The short way for plain names and libidn2 say the same; NULL: refused. */
static void
test_ascii_names(void **state)
{
	static const char long_label[] = "0123456789012345678901234567890123456789012345678901234567890123.example";
	static const struct { const char *name, *ascii; } row[] = {
		{ "mx1.Example.NET", "mx1.example.net" }, { "example.net.", "example.net" }, { "a-b.c", "a-b.c" }, { "1.2.example", "1.2.example" },
		{ "b\xc3\xbc" "cher.example", "xn--bcher-kva.example" }, { "B\xc3\x9c" "CHER.example", "xn--bcher-kva.example" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" }, { "_dmarc.example", "_dmarc.example" }, { "", NULL },
		{ long_label + 1, long_label + 1 }, { long_label, NULL },
		/* tests/regress/0393: full stops of other scripts, and what letters of full width are made of. */
		{ "example.net\xe3\x80\x82", "example.net" }, { "b\xc3\xbc" "cher\xe3\x80\x82" "example", "xn--bcher-kva.example" },
		{ "e..", NULL }, { "a..b", NULL }, { ".e", NULL }, { ".", NULL }, { "\xe3\x80\x82", NULL }, { "e.\xe3\x80\x82", NULL },
		{ "a\xef\xbc\x8f" "b.example", NULL }, { "a\xef\xbc\xa0" "b.example", NULL }, { "a b.example", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		char name[MX_NAME_MAX] = "";

		print_message("name %zu: %s\n", i, row[i].name);
		assert_int_equal(dns_ascii(span_of(row[i].name), name), row[i].ascii != NULL);
		if (row[i].ascii != NULL)
			assert_string_equal(name, row[i].ascii);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancelled_from_inside, setup, teardown),
		cmocka_unit_test(test_ascii_names),
		cmocka_unit_test_setup_teardown(test_no_domain_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_domain_name_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_while_asking, setup, teardown),
		cmocka_unit_test_setup_teardown(test_server_malformed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

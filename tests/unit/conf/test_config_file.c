/* The file itself: which line is named when something is wrong, where values come from, includes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/config_file.h"
#include "os/config_text.h"

#define ROWS(array) (sizeof(array) / sizeof(array)[0])

static char directory[] = "/tmp/postern-conf-XXXXXX";
static struct conf conf;
static struct config_origins origins;
static char words[800];

static void
write_file(const char *name, const char *text, char path[100])
{
	FILE *f;

	(void)snprintf(path, 100, "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static bool
read_text(const char *text)
{
	struct buf why = BUF_OVER(words);
	char path[100];

	write_file("postern.conf", text, path);
	conf_defaults(&conf);
	memset(&origins, 0, sizeof(origins));
	return config_file_read(path, &conf, &origins, &why);
}

/* After "FILE:". */
static const struct {
	const char *text, *words;
} wrong[] = {
	{ "hostnme = \"a.b\"\n", "1: key \"hostnme\": no such key; right would be \"hostname\"" },
	{ "# one\n# two\n\nhostname = \"localhost\"\n", "4: key \"hostname\": \"localhost\" is not" },
	{ "hostname = \"a.b\" # one\n/* two\n three */\nsize-max = \"x\"\n", "4: key \"size-max\": \"x\" is not a size" },
	{ "hostname = a.b\nhostname = c.d\n", "2: key \"hostname\": set already at " },
	{ "size-max = \"1 GiB\"\n", "1: key \"size-max\": \"1 GiB\" is too big, at most 800 MiB: the spool's log has no room for more" },
	{ "rcpt-max = 100000\n", "1: key \"rcpt-max\": \"100000\" is too big, at most 16000: more may not fit into one record" },
	{ "expire = 5 d\n", "1: key \"expire\": \"5\" has no unit" },
	{ "size-max = 50000000 MiB\n", "1: \"MiB\" is no key; a value with a space in it needs quotes" },
	{ "hostname \"a.b\"\n", "1: missing equal sign" },
	{ "hostname = \"a.b\n", "1: the quote that begins here is never closed" },
	{ "\n/* a\n b\n", "2: the comment that begins here is never closed" },
	{ "= \"a.b\"\n", "1: unexpected token '='; right would be KEY = \"VALUE\"" },
	{ "\n\n}\n", "3: unexpected closing brace" },
	{ "certificate { chain = \"/a\" }\n", "1: key \"certificate\": chain or key is missing" },
	{ "certificate {\n chain = \"/a\"\n chain = \"/b\"\n}\n", "3: key \"chain\": set already" },
	{ "certificate {\n chain = \"a\"\n}\n", "2: key \"chain\": \"a\" does not begin with /; right would be \"/etc/postern/chain.pem\"" },
	{ "certificate {\n chan = \"/a\"\n}\n", "2: key \"chan\": no such key; a certificate has chain and key" },
	{ "listen-submissions = { \"*:465\",\n \"mail:465\" }\n", "2: key \"listen-submissions\": \"mail:465\" is not" },
	{ "\ninclude(\"/nothing.conf\")\n", "2: key \"include\": /nothing.conf: No such file" },
	{ "include(\"postern.conf\")\n", "1: key \"include\": " },
	{ "include\n", "1: key \"include\": right would be include(\"FILE\")" },
};

static void
the_line_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(wrong); i++) {
		const char *said;

		assert_false(read_text(wrong[i].text));
		said = strstr(words, "postern.conf:");
		if (said == NULL || strncmp(said + 13, wrong[i].words, strlen(wrong[i].words)) != 0)
			fail_msg("%s -> %s", wrong[i].text, words);
	}
}

static void
origins_are_known(void **state)
{
	const struct conf_origin *at;
	char path[100];

	(void)state;
	write_file("more.conf", "# more\nrelay = \"maildir:/m\"\n", path);
	assert_true(read_text("# us\nhostname = mail.example.org // here\n\nlisten-submissions = {\n \"*:1\",\n \"*:2\"\n}\n"
	                      "certificate { chain = /a key = /b }\ninclude(\"more.conf\")\nexpire = 4d\n"));
	at = config_origin(&origins, conf_find(SPAN("hostname")), 0);
	assert_int_equal(at->line, 2);
	at = config_origin(&origins, conf_find(SPAN("listen-submissions")), 1);
	assert_int_equal(at->line, 6);
	at = config_origin(&origins, conf_find(SPAN("certificate")), 0);
	assert_int_equal(at->line, 8);
	at = config_origin(&origins, conf_find(SPAN("relay")), 0);
	assert_int_equal(at->line, 2);
	assert_string_equal(at->file.p, path);
	at = config_origin(&origins, conf_find(SPAN("expire")), 0);
	assert_int_equal(at->line, 10);
	assert_null(config_origin(&origins, conf_find(SPAN("size-max")), 0));
}

/* An error in an included file names that file, and does no harm to the next reading. */
static void
an_included_error_is_found(void **state)
{
	char path[100];

	(void)state;
	write_file("more.conf", "# more\nrelay = \"nowhere\"\n", path);
	for (unsigned i = 0; i < 30; i++) {
		assert_false(read_text("hostname = mail.example.org\ninclude(\"more.conf\")\n"));
		assert_non_null(strstr(words, "more.conf:2: key \"relay\": "));
	}
	write_file("more.conf", "relay = mx\n", path);
	assert_true(read_text("hostname = mail.example.org\ninclude ( 'more.conf' ) include(\"more2.conf\")\n") == false);
	assert_non_null(strstr(words, "postern.conf:2: key \"include\": "));
	assert_false(read_text("hostname = mail.example.org\ninclude(\"more.conf\") expire = 1\n"));
	assert_non_null(strstr(words, "postern.conf:2: key \"expire\""));
	assert_true(read_text("include(\"more.conf\")"));
}

static void
the_command_line_wins(void **state)
{
	struct buf why = BUF_OVER(words);
	char path[100];

	(void)state;
	write_file("postern.conf", "hostname = a.b\nlisten-submissions = { \"*:1\", \"*:2\" }\n", path);
	conf_defaults(&conf);
	memset(&origins, 0, sizeof(origins));
	assert_true(config_option_set("hostname=c.d", &conf, &origins, &why));
	assert_true(config_option_set("listen-submissions=*:3", &conf, &origins, &why));
	assert_true(config_file_read(path, &conf, &origins, &why));
	assert_string_equal(conf.hostname.p, "c.d");
	assert_int_equal(conf.listens, 1);
	assert_int_equal(conf.listen[0].port, 3);
	assert_false(config_option_set("hostnme=c.d", &conf, &origins, &why));
	why.len = 0;
	assert_false(config_option_set("hostname", &conf, &origins, &why));
	why.len = 0;
	assert_false(config_option_set("hostname=c", &conf, &origins, &why));
}

static void
files_that_are_none_are_refused(void **state)
{
	struct buf why = BUF_OVER(words);

	(void)state;
	assert_false(config_file_read("/nonexistent/x", &conf, &origins, &why));
	assert_string_equal(words, "/nonexistent/x: No such file or directory");
	why.len = 0;
	assert_false(config_file_read("/tmp", &conf, &origins, &why));
	assert_string_equal(words, "/tmp: Is a directory");
	assert_true(read_text(""));
}

static void
comments_become_blanks(void **state)
{
	static const char *const rows[][2] = {
		{ "a#b\nc", "a  \nc" },
		{ "a // b\nc", "a     \nc" },
		{ "a/* b\n*/c", "a/* b\n*/c" },
		{ "/* b\n*/c", "    \n  c" },
		{ "/* b", "    " },
		{ "\"#\" #", "\"#\"  " },
		{ "'\\'#' #", "'\\'#'  " },
		{ "x = submissions://h", "x = submissions://h" },
		{ "\"open # ", "\"open # " },
		{ "\"\\", "\"\\" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[40];

		(void)snprintf(text, sizeof(text), "%s", rows[i][0]);
		(void)config_text_blank(text, strlen(text));
		assert_string_equal(text, rows[i][1]);
	}
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char path[100];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", directory, i == 0 ? "postern.conf" : "more.conf");
		(void)unlink(path);
	}
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_is_named),
		cmocka_unit_test(origins_are_known),
		cmocka_unit_test(an_included_error_is_found),
		cmocka_unit_test(the_command_line_wins),
		cmocka_unit_test(files_that_are_none_are_refused),
		cmocka_unit_test(comments_become_blanks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

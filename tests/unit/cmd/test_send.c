/* What `postern send` and sendmail make of their command lines, accounts and input, before anything is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/send.h"

static struct send s;
static char folder[] = "/tmp/postern-test-send-XXXXXX";

static int
begin(void **state)
{
	(void)state;
	send_init(&s, "test");
	(void)unsetenv("POSTERN_PASSWORD");
	return 0;
}

static int
end(void **state)
{
	(void)state;
	(void)send_end(&s);
	return 0;
}

/* A command line of words that a space separates; parse() keeps pointing into it. */
static bool
parse(bool (*with)(struct send *, int, char **), const char *line)
{
	static char text[500];
	char *argv[40], *next = text;
	int argc = 0;

	(void)snprintf(text, sizeof text, "%s", line);
	while (next != NULL && argc < 39) {
		argv[argc++] = next;
		next = strchr(next, ' ');
		if (next != NULL)
			*next++ = '\0';
	}
	argv[argc] = NULL;
	return with(&s, argc, argv);
}

static const char *
path_of(const char *name)
{
	static char path[200];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static const char *
write_file(const char *name, const char *text, mode_t mode)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static void
test_send_options(void **state)
{
	(void)state;
	assert_true(parse(send_options_parse, "send --to a@b.org --from c@d.org --notify success,DELAY --ret hdrs --timeout 5 -v e@f.org"));
	assert_int_equal(s.rcpt_count, 2);
	assert_string_equal(s.options.from, "c@d.org");
	assert_int_equal(s.options.notify, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY);
	assert_int_equal(s.options.ret, SMTP_RET_HDRS);
	assert_int_equal(s.options.seconds, 5);
	assert_true(s.options.verbose);
	assert_false(s.options.dot_ends);
}

/* cli-3: what is wrong with a command line is 64. */
static void
test_send_usage(void **state)
{
	static const char *const lines[] = {
		"send", "send --to", "send --notify now a@b", "send --notify never,delay a@b", "send --ret some a@b",
		"send --timeout 0 a@b", "send --timeout 5x a@b", "send --password secret a@b",
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		begin(NULL);
		assert_false(parse(send_options_parse, lines[i]));
		assert_int_equal(send_end(&s), EX_USAGE);
	}
	begin(NULL);
}

/* cli-1, cli-2: options that mean something, options that are let pass, arguments behind them. */
static void
test_sendmail_options(void **state)
{
	(void)state;
	assert_true(parse(sendmail_options_parse,
	    "sendmail -Am -B8BITMIME -h 5 -L tag -m -n -o7 -o8 -oem -odi -om -U -X log -fa@b.org -FAlice -Nnever -Rfull -Vid -t x@y.org -z@y.org"));
	assert_int_equal(s.options.mode, SEND_DELIVER);
	assert_true(s.options.read_recipients && s.options.dot_ends && s.options.quiet);
	assert_string_equal(s.options.from, "a@b.org");
	assert_string_equal(s.options.name, "Alice");
	assert_string_equal(s.options.envid, "id");
	assert_int_equal(s.options.notify, SMTP_NOTIFY_NEVER);
	assert_int_equal(s.options.ret, SMTP_RET_FULL);
	/* behind the first recipient nothing is an option any more */
	assert_int_equal(s.rcpt_count, 2);
	assert_string_equal(s.rcpts[1].address, "-z@y.org");
	send_forget_rcpts(&s);
	assert_false(parse(sendmail_options_parse, "sendmail x@y.org -t"));
}

static void
test_sendmail_modes(void **state)
{
	static const struct { const char *line; enum send_mode mode; bool dot_ends; } rows[] = {
		{ "sendmail -i a", SEND_DELIVER, false }, { "sendmail -oi a", SEND_DELIVER, false }, { "sendmail a", SEND_DELIVER, true },
		{ "sendmail -bm a", SEND_DELIVER, true }, { "sendmail -bs", SEND_STDIO, true }, { "sendmail -bp", SEND_LIST_QUEUE, true },
		{ "/usr/bin/mailq", SEND_LIST_QUEUE, true }, { "newaliases", SEND_NOTHING, true }, { "sendmail -bi", SEND_NOTHING, true },
		{ "sendmail -q", SEND_NOTHING, true }, { "sendmail -q30m", SEND_NOTHING, true }, { "sendmail -bv a", SEND_VERIFY, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(NULL);
		assert_true(parse(sendmail_options_parse, rows[i].line));
		assert_int_equal(s.options.mode, rows[i].mode);
		assert_int_equal(s.options.dot_ends, rows[i].dot_ends);
		assert_int_equal(send_end(&s), 0);
	}
	begin(NULL);
	assert_false(parse(sendmail_options_parse, "sendmail -bd"));
	assert_false(parse(sendmail_options_parse, "sendmail"));
	assert_int_equal(s.status, EX_USAGE);
}

/* Lists, names and bare words on a command line; nobody twice. */
static void
test_recipients(void **state)
{
	(void)state;
	(void)snprintf(s.domain, sizeof s.domain, "here.example.org");
	assert_true(send_add_rcpt(&s, "Alice <alice@example.org>, bob"));
	assert_true(send_add_rcpt(&s, "alice@example.org"));
	assert_true(send_add_rcpt(&s, "\"a b\"@[192.0.2.1]"));
	assert_true(send_settle_rcpts(&s));
	assert_int_equal(s.rcpt_count, 3);
	assert_string_equal(s.rcpts[0].address, "alice@example.org");
	assert_string_equal(s.rcpts[1].address, "bob@here.example.org");
	assert_string_equal(s.rcpts[2].address, "\"a b\"@[192.0.2.1]");
	/* 5321-2: an address never begins a command */
	assert_true(send_add_rcpt(&s, "x@y.org>\r\nDATA"));
	assert_false(send_settle_rcpts(&s));
	assert_int_equal(s.status, EX_USAGE);
}

static bool
account(const char *text, mode_t mode)
{
	s.options.accounts_file = write_file("accounts", text, mode);
	return send_account(&s);
}

static void
test_account(void **state)
{
	(void)state;
	assert_true(account("# mine\naccount \"default\" {\n\tserver = \"submission://mail.example.org:2587\"\n\tuser = \"alice\"\n"
	    "\tpassword = \"secret\"\n\tfrom = \"alice@example.org\"\n\tca = \"/ca.pem\"\n}\n", 0600));
	assert_int_equal(s.server.port, 2587);
	assert_int_equal(s.server.tls, CONF_RELAY_STARTTLS);
	assert_string_equal(s.server.host.p, "mail.example.org");
	assert_string_equal(s.server.user.p, "alice");
	assert_string_equal(s.from, "alice@example.org");
	assert_string_equal(s.domain, "example.org");
	assert_string_equal(s.ca.p, "/ca.pem");
	assert_true(send_password(&s));
	assert_int_equal(s.password.len, 6);
}

/* cli-5: who else may read a password, or write a command for us to run, is refused. */
static void
test_account_private(void **state)
{
	static const char with[] = "account x { server = \"a.example.org\" password = \"p\" }\n";
	static const char without[] = "account x { server = \"a.example.org\" password-command = \"echo p\" }\n";

	(void)state;
	assert_false(account(with, 0644));
	assert_false(account(with, 0604));
	assert_false(account(without, 0666));
	assert_int_equal(s.status, EX_CONFIG);
	begin(NULL);
	assert_true(account(without, 0644));
	assert_true(s.guess);
}

static void
test_account_wrong(void **state)
{
	static const char *const texts[] = {
		"account x { sever = \"a.example.org\" }\n", "account x {\n", "account x { server = \"http://a\" }\n", "",
		"account x { server = \"maildir:/x\" }\n", "account x { server = \"smtp://127.0.0.1\" user = \"u\" }\n",
		"account x { server = \"a.example.org\" from = \"a b\" }\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		begin(NULL);
		assert_false(account(texts[i], 0600));
		assert_true(send_end(&s) == EX_CONFIG || i == 6);
	}
	begin(NULL);
	assert_false(account("account x { user = \"u\" }\n", 0600));
	assert_non_null(strstr(s.failed, "/accounts: account \"x\" has no server"));
	begin(NULL);
	s.options.account = "y";
	assert_false(account("account x { server = \"a.example.org\" }\n", 0600));
	assert_int_equal(s.status, EX_CONFIG);
}

/* The password's other homes; the environment does not keep it. */
static void
test_password(void **state)
{
	(void)state;
	(void)snprintf(s.server.user.p, sizeof s.server.user.p, "alice");
	s.options.password_command = "printf 'open sesame\\r\\nmore\\n'";
	assert_true(send_password(&s));
	assert_int_equal(s.password.len, 11);
	assert_memory_equal(s.password.p, "open sesame", 11);
	s.options.password_command = "false";
	assert_false(send_password(&s));
	assert_int_equal(s.password.len, 0);
	s.options.password_command = NULL;
	(void)setenv("POSTERN_PASSWORD", "from outside", 1);
	assert_true(send_password(&s));
	assert_int_equal(s.password.len, 12);
	assert_null(getenv("POSTERN_PASSWORD"));
	secret_wipe(&s.password);
	assert_false(send_password(&s));
	assert_int_equal(s.status, EX_CONFIG);
}

/* 5321-12: a name that is none, or that would be a command of its own, is not said to a server. */
static void
test_helo(void **state)
{
	static const char *const bad[] = { "a\r\nRSET", "two words", "a\n", "[192.0.2.1", "x..y" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		begin(NULL);
		s.options.server = "a.example.org";
		s.options.helo = bad[i];
		assert_false(send_account(&s));
		assert_int_equal(s.status, EX_USAGE);
		(void)send_end(&s);
	}
	begin(NULL);
	s.options.server = "a.example.org";
	s.options.helo = "[IPv6:2001:db8::1]";
	assert_true(send_account(&s));
}

static size_t
read_back(char *out, size_t room)
{
	ssize_t n = pread(s.message.fd, out, room - 1, 0);

	assert_true(n >= 0);
	out[n] = '\0';
	assert_int_equal(n, s.message.size);
	return (size_t)n;
}

/* 5321-2, 5321-33, 5322-7: LF becomes CRLF, Bcc goes, -t adds to who was named, "." ends. */
static void
test_message(void **state)
{
	char text[4000];

	(void)state;
	assert_true(account("account x { server = \"a.example.org\" from = \"alice@example.org\" }\n", 0600));
	assert_true(send_add_rcpt(&s, "named@example.org"));
	s.options.file = write_file("message", "To: bob@example.org\nBcc: eve\nSubject: x\n\nline\n..\n.\nnot this\n", 0600);
	s.options.read_recipients = s.options.dot_ends = true;
	assert_true(send_message_read(&s));
	assert_int_equal(s.rcpt_count, 3);
	assert_string_equal(s.rcpts[2].address, "eve@example.org");
	(void)read_back(text, sizeof text);
	assert_non_null(strstr(text, "To: bob@example.org\r\n"));
	assert_non_null(strstr(text, "From: <alice@example.org>\r\n"));
	assert_null(strstr(text, "Bcc"));
	assert_non_null(strstr(text, "\r\n\r\nline\r\n..\r\n"));
	assert_null(strstr(text, "not this"));
	assert_false(s.message.eightbit);
}

/* 66 and 65: input that is not there, input that is nothing to send. */
static void
test_message_wrong(void **state)
{
	(void)state;
	s.options.file = path_of("nothing-here");
	assert_false(send_message_read(&s));
	assert_int_equal(s.status, EX_NOINPUT);
	(void)send_end(&s);
	begin(NULL);
	s.options.file = write_file("message", "Subject: x\n\n", 0600);
	s.options.read_recipients = true;
	assert_false(send_message_read(&s));
	assert_int_equal(s.status, EX_DATAERR);
}

/* What a terminal could take for orders does not reach it. */
static void
test_clean(void **state)
{
	char out[20];

	(void)state;
	send_clean(SPAN("a\033[2Jb\302\233c"), out, sizeof out);
	assert_string_equal(out, "a?[2Jb??c");
	send_clean(SPAN("much longer than the room"), out, 5);
	assert_string_equal(out, "much");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_send_options, begin, end),
		cmocka_unit_test_setup_teardown(test_send_usage, begin, end),
		cmocka_unit_test_setup_teardown(test_sendmail_options, begin, end),
		cmocka_unit_test_setup_teardown(test_sendmail_modes, begin, end),
		cmocka_unit_test_setup_teardown(test_recipients, begin, end),
		cmocka_unit_test_setup_teardown(test_account, begin, end),
		cmocka_unit_test_setup_teardown(test_account_private, begin, end),
		cmocka_unit_test_setup_teardown(test_account_wrong, begin, end),
		cmocka_unit_test_setup_teardown(test_password, begin, end),
		cmocka_unit_test_setup_teardown(test_message, begin, end),
		cmocka_unit_test_setup_teardown(test_message_wrong, begin, end),
		cmocka_unit_test_setup_teardown(test_helo, begin, end),
		cmocka_unit_test_setup_teardown(test_clean, begin, end),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path_of("accounts"));
	(void)unlink(path_of("message"));
	(void)rmdir(folder);
	return failed;
}

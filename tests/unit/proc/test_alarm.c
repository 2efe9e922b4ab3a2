/* proc/0_master_alarm.c: alarm-command is run with the event, and with nothing else. docs/guard.md */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/log.h"
#include "os/promise.h"
#include "proc/0_master.h"

enum { PATIENCE = 10000 };

struct bed {
	struct master master;
	char folder[64], program[128];
};

/* A program in a folder that everybody may write to: as root it runs as somebody else. */
static void
bed_init(struct bed *b, const char *script)
{
	struct log_conf quiet = { .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .most = LOG_NOTE };
	FILE *f;

	log_open(&quiet, "test");
	memset(b, 0, sizeof *b);
	(void)snprintf(b->folder, sizeof b->folder, "/tmp/alarm-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	assert_int_equal(chmod(b->folder, 0777), 0);
	(void)snprintf(b->program, sizeof b->program, "%s/alarm", b->folder);
	f = fopen(b->program, "w");
	assert_non_null(f);
	(void)fprintf(f, "#!/bin/sh\nfolder=%s\n%s\n", b->folder, script);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(b->program, 0755), 0);
	conf_defaults(&b->master.conf);
	(void)snprintf(b->master.conf.hostname.p, CONF_TEXT_MAX, "mail.example.org");
	(void)snprintf(b->master.conf.alarm_command.p, CONF_TEXT_MAX, "%s", b->program);
	b->master.phase = MASTER_RUNNING;
	assert_int_equal(uv_loop_init(&b->master.loop), 0);
	master_alarms_init(&b->master);
}

static void
close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void
bed_fini(struct bed *b)
{
	DIR *d = opendir(b->folder);
	struct dirent *e;

	uv_walk(&b->master.loop, close_handle, NULL);
	(void)uv_run(&b->master.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->master.loop), 0);
	while ((e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	assert_int_equal(rmdir(b->folder), 0);
}

static void
say(struct bed *b, const char *event, const char *login, const char *words)
{
	struct child_alarm m = { span_of(event), span_of(login), span_of(words) };
	uint8_t octets[1024];
	struct buf body = BUF_OVER(octets);

	assert_true(fields_format(child_alarm_layout, &m, &body));
	master_alarm(&b->master, buf_span(&body));
}

/* Until nothing runs and nothing waits. */
static void
settle(struct bed *b)
{
	uint64_t end;

	uv_update_time(&b->master.loop);
	end = uv_now(&b->master.loop) + PATIENCE;
	while (b->master.alarms.running && uv_now(&b->master.loop) < end)
		(void)uv_run(&b->master.loop, UV_RUN_ONCE);
	assert_false(b->master.alarms.running);
}

static size_t
content(const struct bed *b, const char *name, char *text, size_t room)
{
	char path[160];
	size_t n = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", b->folder, name);
	f = fopen(path, "r");
	if (f != NULL) {
		n = fread(text, 1, room - 1, f);
		(void)fclose(f);
	}
	text[n] = '\0';
	return n;
}

static unsigned
times(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void
the_event_in_its_environment(void **state)
{
	static struct bed b;
	char text[4096];

	(void)state;
	(void)setenv("POSTERN_SECRET", "of the operator's shell", 1);
	bed_init(&b, "{ tr '\\0' '\\n' < /proc/$$/environ; echo \"uid=$(id -u)\"; echo \"args=$#\"; pwd; readlink /proc/$$/fd/0; "
	    "ls /proc/$$/fd; } > $folder/out");
	say(&b, "locked", "alice/laptop\n; rm -rf /", "57 recipients in 4 min\x1b[2J, \xc3\xa4 network never seen");
	settle(&b);
	(void)content(&b, "out", text, sizeof text);
	assert_non_null(strstr(text, "POSTERN_EVENT=locked\n"));
	assert_non_null(strstr(text, "POSTERN_LOGIN=alice/laptop?; rm -rf /\n"));
	assert_non_null(strstr(text, "POSTERN_WORDS=57 recipients in 4 min?[2J, \xc3\xa4 network never seen\n"));
	assert_non_null(strstr(text, "POSTERN_HOST=mail.example.org\n"));
	assert_null(strstr(text, "POSTERN_SECRET"));
	/* These four and PATH. */
	assert_int_equal(times(strstr(text, "PATH="), "\n") >= 5, 1);
	assert_int_equal(times(text, "="), 5 + 2);
	assert_non_null(strstr(text, "args=0\n/\n/dev/null\n"));
	if (geteuid() == 0)
		assert_null(strstr(text, "uid=0\n"));
	/* The shell has its script open as 10, its output as 1, and nothing else: a pipe of its own would be 3 for a moment. */
	assert_null(strstr(text, "\n3\n"));
	bed_fini(&b);
}

/* Under the master's own promise, which is for good and therefore another process's: no capability, no way to gain one, not root. */
static void
it_may_nothing(void **state)
{
	static struct bed b;
	char text[4096];
	int status;
	pid_t pid;

	(void)state;
	bed_init(&b, "{ grep -E 'Cap(Prm|Eff|Amb)|NoNewPrivs|Groups' /proc/self/status; echo \"uid=$(id -u)\"; } > $folder/out");
	pid = fork();
	if (pid == 0) {
		if (!promise_keep_master())
			_exit(2);
		(void)uv_loop_fork(&b.master.loop);
		say(&b, "held", "alice", "why");
		settle(&b);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)content(&b, "out", text, sizeof text);
	assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
	if (geteuid() == 0) {
		assert_int_equal(times(text, "\t0000000000000000\n"), 3);
		assert_non_null(strstr(text, "Groups:\t \n"));
		assert_null(strstr(text, "uid=0\n"));
	}
	bed_fini(&b);
}

/* One after the other; what is more than may wait is in the log only. */
static void
one_at_a_time(void **state)
{
	static struct bed b;
	char text[4096];

	(void)state;
	bed_init(&b, "echo \"begin $POSTERN_LOGIN\" >> $folder/out; sleep 0.02; echo \"end $POSTERN_LOGIN\" >> $folder/out");
	for (unsigned i = 0; i < 40; i++) {
		char login[16];

		(void)snprintf(login, sizeof login, "u%u", i);
		say(&b, "held", login, "why");
	}
	settle(&b);
	(void)content(&b, "out", text, sizeof text);
	assert_int_equal(times(text, "begin "), 1 + ALARMS_WAITING);
	for (unsigned i = 0; i <= ALARMS_WAITING; i++) {
		char both[64];

		(void)snprintf(both, sizeof both, "begin u%u\nend u%u\n", i, i);
		assert_non_null(strstr(text, both));
	}
	/* There is room again. */
	say(&b, "held", "later", "why");
	settle(&b);
	(void)content(&b, "out", text, sizeof text);
	assert_non_null(strstr(text, "end later\n"));
	bed_fini(&b);
}

static void
so_many_an_hour(void **state)
{
	static struct bed b;
	char text[4096];

	(void)state;
	bed_init(&b, "echo x >> $folder/out");
	for (unsigned i = 0; i < ALARMS_HOUR + 20; i++) {
		say(&b, "held", "alice", "why");
		settle(&b);
	}
	assert_int_equal(content(&b, "out", text, sizeof text), 2 * ALARMS_HOUR);
	bed_fini(&b);
}

static bool
lives(long pid)
{
	char path[64], state[256] = "";
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	state[fread(state, 1, sizeof state - 1, f)] = '\0';
	(void)fclose(f);
	return state[0] != '\0' && strstr(state, ") Z") == NULL;
}

static long
pid_in(const struct bed *b, const char *name)
{
	char text[64];

	return content(b, name, text, sizeof text) > 0 ? strtol(text, NULL, 10) : 0;
}

/* What does not end is ended, with what it has started; then it is the next one's turn. */
static void
it_has_a_time_limit(void **state)
{
	static struct bed b;
	long child;

	(void)state;
	bed_init(&b, "[ $POSTERN_LOGIN = quick ] && exec touch $folder/quick\nsleep 1000 & echo $! > $folder/child; wait");
	b.master.alarms.limit_ms = 700;
	say(&b, "held", "slow", "why");
	say(&b, "held", "quick", "why");
	settle(&b);
	child = pid_in(&b, "child");
	assert_true(child > 1);
	for (unsigned i = 0; i < 100 && lives(child); i++)
		(void)usleep(10000);
	assert_false(lives(child));
	assert_int_equal(faccessat(open(b.folder, O_RDONLY | O_CLOEXEC), "quick", F_OK, 0), 0);
	bed_fini(&b);
}

/* The end of the server is its end, and while draining none begins. */
static void
it_ends_with_the_server(void **state)
{
	static struct bed b;
	long child = 0;

	(void)state;
	bed_init(&b, "echo $$ > $folder/child.new; mv $folder/child.new $folder/child; exec sleep 1000");
	say(&b, "held", "alice", "why");
	for (unsigned i = 0; i < 500 && (child = pid_in(&b, "child")) == 0; i++)
		(void)usleep(10000);
	assert_true(child > 1 && lives(child));
	b.master.phase = MASTER_DRAINING;
	say(&b, "held", "bob", "why");
	master_alarms_end(&b.master);
	settle(&b);
	assert_false(lives(child));
	assert_int_equal(b.master.alarms.count, 1);
	bed_fini(&b);
}

/* No command, one that is none, a message that is none. */
static void
what_cannot_be_run(void **state)
{
	static struct bed b;
	char text[64];

	(void)state;
	bed_init(&b, "echo x >> $folder/out");
	master_alarm(&b.master, SPAN("hello"));
	assert_int_equal(b.master.alarms.count, 0);
	assert_int_equal(chmod(b.program, 0644), 0);
	say(&b, "held", "alice", "why");
	say(&b, "held", "alice", "why");
	settle(&b);
	assert_int_equal(b.master.alarms.count, 0);
	b.master.conf.alarm_command.p[0] = '\0';
	say(&b, "held", "alice", "why");
	assert_false(b.master.alarms.running);
	(void)snprintf(b.master.conf.alarm_command.p, CONF_TEXT_MAX, "%s", b.program);
	assert_int_equal(chmod(b.program, 0755), 0);
	say(&b, "held", "alice", "why");
	settle(&b);
	assert_int_equal(content(&b, "out", text, sizeof text), 2);
	bed_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_event_in_its_environment),
		cmocka_unit_test(it_may_nothing),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(so_many_an_hour),
		cmocka_unit_test(it_has_a_time_limit),
		cmocka_unit_test(it_ends_with_the_server),
		cmocka_unit_test(what_cannot_be_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where the password comes from (cli-5): --password-command, the account's command or password, $POSTERN_PASSWORD, the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/send.h"
#include "os/terminal.h"

enum {
	REST_MAX = 1024 * 1024,         /* octets behind the first line that a command may write; ours */
	LOOK_MS = 100,                  /* between two looks whether it has ended */
};

/* The first line of what comes from fd; false when it is empty or too long. */
static bool
read_line(int fd, struct secret *out)
{
	uint8_t octets[SECRET_MAX + 2];
	struct span line = { octets, 0 };
	bool good;

	while (line.len < sizeof octets) {
		ssize_t n = read(fd, octets + line.len, sizeof octets - line.len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		line.len += (size_t)n;
		if (span_find(line, '\n') < line.len)
			break;
	}
	line.len = span_find(line, '\n');
	if (line.len > 0 && octets[line.len - 1] == '\r')
		line.len--;
	good = line.len > 0 && secret_set(out, line);
	wipe(octets, sizeof octets);
	return good;
}

/* Whoever writes more than we want to read dies of it (141 is the shell's word for that), and standard input may be somebody's SMTP. */
static void
run_command(const char *command, int out, bool alone)
{
	int nothing = alone ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_DFL);
	if (nothing != -1)
		(void)dup2(nothing, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Its status. What it says behind the password is read, so that it can end well; an agent that it leaves behind may keep the pipe. */
static int
end_command(pid_t pid, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t octets[4096];
	size_t rest = 0;
	ssize_t n = 1;
	int status = 0;
	bool ended = false;

	while (n > 0 && rest < REST_MAX && !ended) {
		if (poll(&p, 1, LOOK_MS) > 0) {
			n = read(fd, octets, sizeof octets);
			rest += n > 0 ? (size_t)n : 0;
		} else {
			ended = waitpid(pid, &status, WNOHANG) == pid;
		}
	}
	wipe(octets, sizeof octets);
	(void)close(fd);
	while (!ended && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	return status;
}

static bool
command_good(int status)
{
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;

	return status == 0 || number == SIGPIPE;
}

static bool
ask_command(struct send *s, const char *command)
{
	int fd[2], status;
	bool good;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) == -1)
		return send_fail(s, EX_OSERR, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		run_command(command, fd[1], s->options.mode == SEND_STDIO);
	(void)close(fd[1]);
	if (pid == -1) {
		(void)close(fd[0]);
		return send_fail(s, EX_OSERR, "fork: %s", strerror(errno));
	}
	good = read_line(fd[0], &s->password);
	status = end_command(pid, fd[0]);
	if (good && command_good(status))
		return true;
	secret_wipe(&s->password);
	return send_fail(s, EX_CONFIG, "password-command `%s` gave no password (%s %d)", command,
	    WIFEXITED(status) ? "exit status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static bool
ask_environment(struct send *s)
{
	char *value = getenv("POSTERN_PASSWORD");
	bool good;

	if (value == NULL || value[0] == '\0')
		return false;
	good = secret_set(&s->password, span_of(value));
	wipe(value, strlen(value));
	(void)unsetenv("POSTERN_PASSWORD");
	return good;
}

static bool
ask_terminal(struct send *s)
{
	char prompt[600];
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), n;
	bool good = false;

	if (fd == -1)
		return false;
	if (terminal_hide(fd)) {
		n = snprintf(prompt, sizeof prompt, "Password of %s at %s: ", s->server.user.p, s->server.host.p);
		good = n > 0 && write(fd, prompt, (size_t)n) == n && read_line(fd, &s->password);
		terminal_show();
	}
	(void)close(fd);
	return good;
}

bool
send_password(struct send *s)
{
	const char *command = s->options.password_command != NULL ? s->options.password_command : s->password_command;

	if (s->server.user.p[0] == '\0')
		return true;
	if (command[0] != '\0')
		return ask_command(s, command);
	if (s->password.len > 0 || ask_environment(s))
		return true;
	if (s->options.ask_terminal && ask_terminal(s))
		return true;
	return send_fail(s, EX_CONFIG, "no password for %s: --password-command COMMAND, password-command in the account, or $POSTERN_PASSWORD",
	    s->server.user.p);
}

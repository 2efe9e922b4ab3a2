/* Where the password comes from (cli-5): --password-command, the account's command or password, $POSTERN_PASSWORD, the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/send.h"

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

static void
run_command(const char *command, int out)
{
	(void)dup2(out, STDOUT_FILENO);
	(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static bool
ask_command(struct send *s, const char *command)
{
	int fd[2], status = 0;
	bool good;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) == -1)
		return send_fail(s, EX_OSERR, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		run_command(command, fd[1]);
	(void)close(fd[1]);
	good = pid != -1 && read_line(fd[0], &s->password);
	(void)close(fd[0]);
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	if (pid == -1)
		return send_fail(s, EX_OSERR, "fork: %s", strerror(errno));
	/* A command that writes more than its first line may die of that; what counts is the line. */
	if (good && (status == 0 || WIFSIGNALED(status)))
		return true;
	secret_wipe(&s->password);
	return send_fail(s, EX_CONFIG, "password-command `%s` gave no password (exit status %d)", command,
	    WIFEXITED(status) ? WEXITSTATUS(status) : -1);
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
	struct termios before, silent;
	char prompt[600];
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), n;
	bool good = false;

	if (fd == -1)
		return false;
	if (tcgetattr(fd, &before) == 0) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)(ECHO);
		n = snprintf(prompt, sizeof prompt, "Password of %s at %s: ", s->server.user.p, s->server.host.p);
		if (tcsetattr(fd, TCSAFLUSH, &silent) == 0 && n > 0 && write(fd, prompt, (size_t)n) == n)
			good = read_line(fd, &s->password);
		(void)tcsetattr(fd, TCSAFLUSH, &before);
		(void)!write(fd, "\n", 1);
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

#include "cmd/send.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cmd/commands.h"

/* So that no file of ours gets a number that somebody reads or writes as his. What is not there cannot be read. */
static void
fill_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			(void)open("/dev/null", O_WRONLY);
}

void
send_init(struct send *s, const char *program)
{
	fill_standard();
	memset(s, 0, sizeof *s);
	s->program = program;
	s->message.fd = -1;
	s->options.seconds = SEND_CONNECT_SECONDS;
	/* Both are errors of write() that are told in words. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	/* What holds a password leaves no core file and lets nobody look on. */
	(void)prctl(PR_SET_DUMPABLE, 0);
}

int
send_end(struct send *s)
{
	int status = s->status;

	send_forget_rcpts(s);
	free(s->rcpts);
	if (s->message.fd != -1)
		(void)close(s->message.fd);
	secret_wipe(&s->password);
	return status;
}

int
command_send(int argc, char **argv)
{
	struct send s;

	send_init(&s, "postern send");
	if (send_options_parse(&s, argc, argv) && s.options.mode == SEND_DELIVER)
		(void)(send_account(&s) && send_settle_rcpts(&s) && send_message_read(&s) && send_password(&s) && send_submit(&s));
	return send_end(&s);
}

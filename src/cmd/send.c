#include "cmd/send.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cmd/commands.h"

void
send_init(struct send *s, const char *program)
{
	memset(s, 0, sizeof *s);
	s->program = program;
	s->message.fd = -1;
	s->options.seconds = SEND_CONNECT_SECONDS;
	(void)signal(SIGPIPE, SIG_IGN);
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

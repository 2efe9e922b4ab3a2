/* sendmail for programs that know nothing else (requirements cli-1 to cli-4). */
#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/send.h"

static int
list_queue(void)
{
	char name[] = "queue", verb[] = "list", *argv[] = { name, verb, NULL };

	return command_queue(2, argv);
}

/* -bv: what would be done, without doing it. Who exists is for the server to know, and it says so when it is sent to. */
static bool
verify(struct send *s)
{
	for (uint32_t i = 0; i < s->rcpt_count; i++)
		(void)printf("%s: would be handed to %s:%u\n", s->rcpts[i].address, s->server.host.p, s->server.port);
	return true;
}

static void
run(struct send *s)
{
	if (!send_account(s))
		return;
	if (s->options.mode == SEND_STDIO)
		(void)(send_password(s) && send_stdio(s));
	else if (s->options.mode == SEND_VERIFY)
		(void)(send_settle_rcpts(s) && verify(s));
	else
		(void)(send_settle_rcpts(s) && send_message_read(s) && send_password(s) && send_submit(s));
}

int
command_sendmail(int argc, char **argv)
{
	struct send s;
	enum send_mode mode;

	send_init(&s, "sendmail");
	if (sendmail_options_parse(&s, argc, argv) && s.options.mode != SEND_LIST_QUEUE && s.options.mode != SEND_NOTHING)
		run(&s);
	mode = s.options.mode;
	if (s.status == 0 && mode == SEND_LIST_QUEUE) {
		(void)send_end(&s);
		return list_queue();
	}
	return send_end(&s);
}

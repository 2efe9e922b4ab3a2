#include "cmd/ledger.h"

#include <unistd.h>

#include "base/fail.h"
#include "os/control.h"

struct conversation {
	const struct ledger_question *question;
	uv_loop_t loop;
	struct channel *channel;
	struct buf *why;
	uint32_t count;
	int status;
	bool ended;
};

static void
end(struct conversation *t, int status, const char *words)
{
	if (words != NULL)
		(void)(buf_put_text(t->why, words) && buf_terminate(t->why));
	t->status = status;
	t->ended = true;
	uv_stop(&t->loop);
}

static void
take_end(struct conversation *t, const struct frame *f)
{
	struct queue_end e;

	if (!fields_parse(queue_end_layout, f->body, &e)) {
		end(t, LEDGER_UNAVAILABLE, "the server's answer is malformed; is it of this version?");
		return;
	}
	t->count = e.count;
	if (e.fail != OK)
		(void)buf_put(t->why, e.words);
	end(t, e.fail == OK ? LEDGER_FINE : LEDGER_REFUSED, e.fail == OK ? NULL : "");
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct conversation *t = arg;

	(void)c;
	if (t->ended)
		return;
	if (f->type == QUEUE_END)
		take_end(t, f);
	else if (t->question->row == NULL || !t->question->row(t->question->arg, f))
		end(t, LEDGER_UNAVAILABLE, "the server's answer is malformed; is it of this version?");
}

static void
on_closed(void *arg, struct channel *c)
{
	struct conversation *t = arg;

	(void)c;
	t->channel = NULL;
	if (!t->ended)
		end(t, LEDGER_UNAVAILABLE, "the server hung up; is it of this version?");
}

int
ledger_query(const struct ledger_question *q, uint32_t *count, struct buf *why)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };
	struct conversation t = { .question = q, .why = why, .status = LEDGER_UNAVAILABLE };
	int fd = control_connect(q->path);

	if (fd == -1) {
		control_why(q->path, why);
		return LEDGER_UNAVAILABLE;
	}
	if (uv_loop_init(&t.loop) != 0 || (t.channel = channel_open(&t.loop, fd, &handler, &t)) == NULL) {
		(void)(buf_put_text(why, "out of memory") && buf_terminate(why));
		return LEDGER_UNAVAILABLE;
	}
	if (!channel_send(t.channel, q->type, 1, ledger_which_layout, &q->which))
		end(&t, LEDGER_REFUSED, "longer than a login or a network can be");
	while (!t.ended)
		(void)uv_run(&t.loop, UV_RUN_DEFAULT);
	channel_close(t.channel);
	(void)uv_run(&t.loop, UV_RUN_NOWAIT);
	(void)uv_loop_close(&t.loop);
	*count = t.count;
	return t.status;
}

/* `postern queue where`: asks 7_history, and 4_spool for what waits; without a server, the history's file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/queue_id.h"
#include "cmd/queue.h"
#include "cmd/queue_where.h"
#include "cmd/when.h"
#include "os/control.h"

enum { EXIT_FINE = 0, EXIT_NOINPUT = 66, EXIT_UNAVAILABLE = 69, EXIT_OS = 71 };

/* One question to one socket. */
struct talk {
	struct where_answer *answer;
	struct where_row *row;          /* whose state 4_spool is asked for */
	uv_loop_t loop;
	struct channel *channel;
	uint32_t fail;
	uint64_t next;
	bool ended, broken;
	char words[400];
};

static void
end_talk(struct talk *t, bool broken)
{
	t->broken = broken;
	t->ended = true;
	uv_stop(&t->loop);
}

/* ---- what 7_history says ---- */
static bool
on_end(struct talk *t, struct span body)
{
	struct where_answer *a = t->answer;
	struct where_end m;

	if (!fields_parse(where_end_layout, body, &m))
		return false;
	a->found.messages += m.messages;
	a->found.next = t->next = m.next;
	a->found.begun = m.begun;
	a->behind = m.behind;
	t->fail = m.fail;
	(void)snprintf(t->words, sizeof t->words, "%.*s", (int)m.words.len, (const char *)m.words.p);
	end_talk(t, false);
	return true;
}

static bool
take_row(struct where_answer *a, const struct frame *f)
{
	struct where_message m;
	struct where_recipient r;
	struct where_attempt t;
	struct where_event e;
	struct where_gap g;

	switch (f->type) {
	case WHERE_MESSAGE:
		if (!fields_parse(where_message_layout, f->body, &m))
			return false;
		where_gather.message(a, &(struct history_message){ .id = m.id, .arrival = m.arrival, .size = m.size, .flags = m.flags,
			.rcpts = m.rcpts, .sender = m.sender, .login = m.login, .peer = m.peer, .tls = m.tls, .message_id = m.message_id });
		return true;
	case WHERE_RECIPIENT:
		if (!fields_parse(where_recipient_layout, f->body, &r))
			return false;
		where_gather.recipient(a, r.id, r.number, r.path);
		return true;
	case WHERE_ATTEMPT:
		if (!fields_parse(where_attempt_layout, f->body, &t))
			return false;
		where_gather.attempt(a, &(struct history_attempt){ .id = t.id, .when = t.when, .number = t.number, .attempt = t.attempt,
			.class = t.class, .code = t.code, .took = t.took, .status = t.status, .host = t.host, .tls = t.tls, .text = t.text,
			.reply = t.reply });
		return true;
	case WHERE_EVENT:
		if (!fields_parse(where_event_layout, f->body, &e))
			return false;
		where_gather.event(a, &(struct history_event){ .id = e.id, .when = e.when, .other = e.other, .kind = e.kind, .words = e.words });
		return true;
	case WHERE_GAP:
		if (!fields_parse(where_gap_layout, f->body, &g))
			return false;
		where_gather.gap(a, g.when, g.words);
		return true;
	default:
		return false;
	}
}

/* ---- what 4_spool says ---- */
static bool
take_live(struct talk *t, const struct frame *f)
{
	struct queue_entry e;

	switch (f->type) {
	case QUEUE_ENTRY:
		if (!fields_parse(queue_entry_layout, f->body, &e))
			return false;
		t->row->live = true;
		t->row->next_try = e.next_try;
		t->row->held = e.held;
		return true;
	case QUEUE_RECIPIENT:
		return true;
	case QUEUE_END:
		end_talk(t, false);
		return true;
	default:
		return false;
	}
}

/* ---- the conversations ---- */
static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct talk *t = arg;
	bool good;

	(void)c;
	if (t->ended)
		return;
	if (t->row != NULL)
		good = take_live(t, f);
	else
		good = f->type == WHERE_END ? on_end(t, f->body) : take_row(t->answer, f);
	if (!good)
		end_talk(t, true);
}

static void
on_closed(void *arg, struct channel *c)
{
	struct talk *t = arg;

	(void)c;
	t->channel = NULL;
	end_talk(t, true);
}

static bool
talk_open(struct talk *t, const char *path)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };
	int fd = control_connect(path);

	if (fd == -1)
		return false;
	if (uv_loop_init(&t->loop) != 0)
		return false;
	t->channel = channel_open(&t->loop, fd, &handler, t);
	return t->channel != NULL;
}

static void
talk_close(struct talk *t)
{
	channel_close(t->channel);
	(void)uv_run(&t->loop, UV_RUN_NOWAIT);
	(void)uv_loop_close(&t->loop);
}

static bool
ask(struct talk *t, uint16_t type, struct layout layout, const void *question)
{
	t->ended = false;
	if (t->channel == NULL || !channel_send(t->channel, type, 1, layout, question))
		return false;
	while (!t->ended)
		(void)uv_run(&t->loop, UV_RUN_DEFAULT);
	return !t->broken;
}

/* An answer that was long comes in pieces, and the gaps with each. */
static bool
ask_history(struct talk *t, const char *what, uint32_t most)
{
	struct where_ask q = { .what = span_of(what), .most = most };

	do {
		t->answer->holes = 0;
		if (!ask(t, WHERE_ASK, where_ask_layout, &q))
			return false;
		q.before = t->next;
		q.most = most - (t->answer->found.messages < most ? t->answer->found.messages : most);
	} while (t->fail == OK && t->next != 0 && q.most > 0);
	return true;
}

/* Is anybody still waiting? */
static bool
is_open(const struct where_answer *a, size_t row)
{
	for (size_t i = a->row[row].first_recipient; i < where_persons_end(a, row); i++)
		if (where_state(a, row, a->person[i].number) <= WHERE_HELD)
			return true;
	return false;
}

/* When its next try is due only the spool knows. */
static void
ask_spool(const struct settings *s, struct where_answer *a)
{
	struct talk t = { .answer = a };
	bool opened = false;

	for (size_t i = 0; i < a->rows; i++) {
		struct queue_which q = { a->row[i].message.id };

		if (!is_open(a, i))
			continue;
		if (!opened && !talk_open(&t, s->conf.control_socket.p))
			return;
		opened = true;
		t.row = &a->row[i];
		if (!ask(&t, QUEUE_SHOW, queue_which_layout, &q))
			break;
	}
	if (opened)
		talk_close(&t);
}

/* ---- without a server ---- */
static bool
read_file(const struct settings *s, struct where_answer *a, const char *what, uint32_t most, struct buf *why)
{
	char directory[CONF_TEXT_MAX + 16];
	struct history_answer to = where_gather;
	struct history_question q = { .what = span_of(what), .most = most };
	struct history *h;
	bool good;

	(void)snprintf(directory, sizeof directory, "%s/history", s->conf.state_dir.p);
	h = history_open_to_read(directory, why);
	if (h == NULL)
		return false;
	if (!queue_id_parse(q.what, &q.id))
		q.id = 0;
	to.arg = a;
	a->offline = true;
	good = history_find(h, &q, &to, &a->found) == HISTORY_FINE;
	if (!good)
		(void)(buf_put_text(why, history_why(h)) && buf_terminate(why));
	history_close(h);
	return good;
}

/* ---- the whole ---- */
/* Has it only been forgotten? */
static bool
still_waits(const struct settings *s, const char *what)
{
	struct where_answer a = { 0 };
	struct where_row row = { .live = false };
	struct talk t = { .answer = &a, .row = &row };
	struct queue_which q = { 0 };

	if (!queue_id_parse(span_of(what), &q.id) || !talk_open(&t, s->conf.control_socket.p))
		return false;
	(void)ask(&t, QUEUE_SHOW, queue_which_layout, &q);
	talk_close(&t);
	return row.live;
}

static int
report(const struct settings *s, const struct where_answer *a, const char *what, bool json)
{
	char begun[WHEN_ROOM] = "";
	int found = EXIT_FINE;

	if (a->short_of_memory) {
		(void)fprintf(stderr, "postern queue: out of memory; --limit asks for less\n");
		return EXIT_OS;
	}
	if (json && !where_print_json(a))
		return EXIT_OS;
	if (a->rows == 0) {
		bool waits = still_waits(s, what);

		when_format(a->found.begun, begun);
		(void)fprintf(stderr, "postern queue: nothing is known of %s; the history begins at %s%s%s\n", what, begun,
		    waits ? "; but it waits: postern queue show " : "", waits ? what : "");
		found = EXIT_NOINPUT;
	}
	/* When nothing was found, what is missing from the history matters most. */
	if (!json)
		where_print(a);
	return fflush(stdout) == 0 ? found : EXIT_OS;
}

static int
from_file(const struct settings *s, struct where_answer *a, const char *what, uint32_t most, bool json)
{
	uint8_t text[300];
	struct buf why = { text, 0, sizeof text - 1 };
	const char *reason = errno == ENOENT || errno == ECONNREFUSED ? "the server is not running" : strerror(errno);

	if (errno == EACCES || !read_file(s, a, what, most, &why)) {
		text[why.len] = '\0';
		(void)fprintf(stderr, "postern queue: %s (no answer at %s)%s%s\n", reason, s->conf.history_socket.p,
		    why.len > 0 ? ", and its history cannot be read: " : "", why.len > 0 ? (const char *)text : "");
		return EXIT_UNAVAILABLE;
	}
	return report(s, a, what, json);
}

static int
from_server(const struct settings *s, struct talk *t, const char *what, uint32_t most, bool json)
{
	bool answered = ask_history(t, what, most);

	talk_close(t);
	if (!answered) {
		(void)fprintf(stderr, "postern queue: the server at %s hung up\n", s->conf.history_socket.p);
		return EXIT_UNAVAILABLE;
	}
	if (t->fail != OK) {
		(void)fprintf(stderr, "postern queue: %s\n", t->words);
		return EXIT_OS;
	}
	ask_spool(s, t->answer);
	return report(s, t->answer, what, json);
}

int
queue_where(const struct settings *s, const char *what, uint32_t most, bool json)
{
	struct where_answer a = { 0 };
	struct talk t = { .answer = &a };
	int status;

	if (!s->conf.history) {
		(void)fprintf(stderr, "postern queue: no history is kept (history = \"no\"); what waits: postern queue list\n");
		return EXIT_UNAVAILABLE;
	}
	if (talk_open(&t, s->conf.history_socket.p))
		status = from_server(s, &t, what, most, json);
	else
		status = from_file(s, &a, what, most, json);
	where_answer_free(&a);
	return status;
}

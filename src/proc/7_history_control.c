/* `postern queue where` asks over a local socket. Who may connect is a matter of the socket's mode. */
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/queue_id.h"
#include "proc/7_history.h"

/* ---- the answer ---- */
struct telling { struct channel *channel; uint32_t session; };

static void
tell_message(void *arg, const struct history_message *m)
{
	const struct telling *t = arg;
	struct where_message out = { .id = m->id, .arrival = m->arrival, .size = m->size, .flags = m->flags, .rcpts = m->rcpts,
		.sender = m->sender, .login = m->login, .peer = m->peer, .tls = m->tls, .message_id = m->message_id };

	(void)channel_send(t->channel, WHERE_MESSAGE, t->session, where_message_layout, &out);
}

static void
tell_recipient(void *arg, uint64_t id, uint32_t number, struct span path)
{
	const struct telling *t = arg;
	struct where_recipient out = { id, number, path };

	(void)channel_send(t->channel, WHERE_RECIPIENT, t->session, where_recipient_layout, &out);
}

static void
tell_attempt(void *arg, const struct history_attempt *a)
{
	const struct telling *t = arg;
	struct where_attempt out = { .id = a->id, .when = a->when, .number = a->number, .attempt = a->attempt, .class = a->class,
		.code = a->code, .took = a->took, .status = a->status, .host = a->host, .tls = a->tls, .text = a->text,
		.reply = a->reply };

	(void)channel_send(t->channel, WHERE_ATTEMPT, t->session, where_attempt_layout, &out);
}

static void
tell_event(void *arg, const struct history_event *e)
{
	const struct telling *t = arg;
	struct where_event out = { .id = e->id, .when = e->when, .other = e->other, .kind = e->kind, .words = e->words };

	(void)channel_send(t->channel, WHERE_EVENT, t->session, where_event_layout, &out);
}

static void
tell_gap(void *arg, uint64_t when, struct span words)
{
	const struct telling *t = arg;
	struct where_gap out = { when, words };

	(void)channel_send(t->channel, WHERE_GAP, t->session, where_gap_layout, &out);
}

static void
answer(struct archive *a, struct archive_asker *k)
{
	struct telling t = { k->channel, k->session };
	struct history_answer to = { tell_message, tell_recipient, tell_attempt, tell_event, tell_gap, &t };
	struct history_question q = { .what = { k->what, k->len }, .before = k->before, .most = k->most };
	struct where_end end = { .fail = OK };
	struct history_found found = { 0 };
	enum history_fault fault = HISTORY_FINE;

	k->waiting = false;
	if (!queue_id_parse(q.what, &q.id))
		q.id = 0;
	if (a->history == NULL) {
		end.fail = FAIL_LOCAL;
		end.words = SPAN("the history cannot be opened just now; see the log");
	} else {
		fault = history_find(a->history, &q, &to, &found);
		end.messages = found.messages;
		end.next = found.next;
		end.begun = found.begun;
		end.behind = a->tail.durable >= a->tail.at.sequence ? a->tail.durable - a->tail.at.sequence + 1 : 0;
	}
	if (fault != HISTORY_FINE) {
		end.fail = FAIL_LOCAL;
		end.words = SPAN("the history cannot be read; see the log");
	}
	(void)channel_send(k->channel, WHERE_END, k->session, where_end_layout, &end);
	channel_flush(k->channel);
	if (fault == HISTORY_BROKEN)
		archive_failed(a, fault);
}

void
archive_answer(struct archive *a, bool all)
{
	for (size_t i = 0; i < ARCHIVE_CONTROLS; i++) {
		struct archive_asker *k = &a->asker[i];

		if (k->channel != NULL && k->waiting && (all || uv_now(&a->child.loop) - k->since >= ARCHIVE_WAIT_MS))
			answer(a, k);
	}
}

/* ---- the question ---- */
static struct archive_asker *
asker_of(struct archive *a, const struct channel *c)
{
	for (size_t i = 0; i < ARCHIVE_CONTROLS; i++)
		if (a->asker[i].channel == c)
			return &a->asker[i];
	return NULL;
}

/* One question at a time. */
static bool
on_ask(struct archive *a, struct archive_asker *k, const struct frame *f)
{
	struct where_ask m;

	if (f->type != WHERE_ASK || !fields_parse(where_ask_layout, f->body, &m) || k->waiting || m.what.len == 0
	    || m.what.len > sizeof k->what || m.most == 0 || m.most > HISTORY_FIND_MOST)
		return false;
	k->session = f->session;
	k->most = m.most;
	k->before = m.before;
	k->len = m.what.len;
	memcpy(k->what, m.what.p, m.what.len);
	k->since = uv_now(&a->child.loop);
	k->waiting = true;
	/* What has just happened is to be in the answer. Whoever goes on with a list has seen its beginning. */
	if (a->spool == NULL || a->history == NULL || m.before != 0)
		answer(a, k);
	else
		(void)channel_send_octets(a->spool, HISTORY_ASK, 0, (struct span){ NULL, 0 });
	return true;
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct archive *a = arg;
	struct archive_asker *k = asker_of(a, c);

	if (k != NULL && a->going && on_ask(a, k, f))
		return;
	if (k != NULL)
		k->channel = NULL;
	channel_close(c);
}

static void
on_closed(void *arg, struct channel *c)
{
	struct archive_asker *k = asker_of(arg, c);

	if (k != NULL)
		k->channel = NULL;
}

static void
take_connection(void *arg, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };
	struct archive *a = arg;
	struct archive_asker *k = asker_of(a, NULL);

	if (k != NULL)
		*k = (struct archive_asker){ .channel = channel_open(&a->child.loop, fd, &handler, a) };
	else
		(void)close(fd);
}

void
archive_listen(struct archive *a, int fd)
{
	(void)door_open(&a->door, &a->child.loop, fd, "history", take_connection, a);
}

void
archive_control_close(struct archive *a)
{
	for (size_t i = 0; i < ARCHIVE_CONTROLS; i++) {
		if (a->asker[i].channel == NULL)
			continue;
		channel_flush(a->asker[i].channel);
		channel_close(a->asker[i].channel);
		a->asker[i].channel = NULL;
	}
	(void)door_close(&a->door);
}

/*
 * 7_history reads the log itself, by descriptors, up to where it is synced, and says how far it has come; nothing on the way of a message
 * waits for it. What it has not read is kept, up to history-backlog. docs/history.md.
 */
#include <unistd.h>

#include "os/log.h"
#include "proc/4_spool.h"

/* What is kept for it makes room for mail when the disk is full. */
static void
follow(struct keeper *k)
{
	struct journal *j = &k->spool.journal;

	if (j->follower != UINT64_MAX)
		journal_follow(j, j->follower, k->spool.low || j->state == FAIL_DISK_FULL ? 0 : k->child.conf.history_backlog);
}

/* The file of the newest segment is made with its first batch: one that is not there yet is shown later. */
static bool
show(struct keeper *k, struct segment *s)
{
	struct history_segment m = { s->number, s->salt };
	int fd = journal_reader(&k->spool.journal, s);

	return fd != -1 && channel_send_fd(k->follower.channel, HISTORY_SEGMENT, k->follower.epoch, history_segment_layout, &m, fd);
}

/* True: it has got some that it had not. */
static bool
show_segments(struct keeper *k)
{
	struct journal *j = &k->spool.journal;
	struct follower *f = &k->follower;
	size_t ahead = 0;
	bool shown = false;

	for (size_t i = 0; i < j->segments && ahead < KEEPER_AHEAD; i++) {
		struct segment *s = j->segment[i];

		if (s->number < j->follower)
			continue;
		ahead++;
		if (s->number < f->next)
			continue;
		if (!show(k, s))
			break;
		f->next = s->number + 1;
		shown = true;
	}
	return shown;
}

static void
say_durable(struct keeper *k)
{
	const struct journal *j = &k->spool.journal;
	struct follower *f = &k->follower;
	/* In trouble it hears what there is. */
	struct history_durable m = { j->durable, f->wanted != 0 && (j->durable >= f->wanted || j->state != OK) };

	(void)show_segments(k);
	f->told = m.sequence;
	if (m.asked)
		f->wanted = 0;
	(void)channel_send(f->channel, HISTORY_DURABLE, f->epoch, history_durable_layout, &m);
}

void
follower_tell(struct keeper *k)
{
	struct follower *f = &k->follower;

	follow(k);
	if (f->channel != NULL && f->epoch != 0 && k->spool.journal.durable > f->told && !channel_congested(f->channel))
		say_durable(k);
}

void
follower_settled(struct keeper *k)
{
	struct follower *f = &k->follower;

	if (f->channel == NULL || f->wanted == 0)
		return;
	if (k->spool.journal.durable >= f->wanted || k->spool.journal.state != OK) {
		say_durable(k);
		channel_flush(f->channel);
	}
}

void
follower_segment_gone(struct keeper *k, uint64_t number)
{
	struct history_gone m = { number };
	struct follower *f = &k->follower;

	if (f->channel != NULL && number < f->next && number >= k->spool.journal.follower)
		(void)channel_send(f->channel, HISTORY_GONE, f->epoch, history_gone_layout, &m);
}

/* ---- what it says ---- */
static bool
on_at(struct keeper *k, const struct frame *frame)
{
	struct journal *j = &k->spool.journal;
	struct follower *f = &k->follower;
	struct history_at m;
	uint64_t newest = j->segments > 0 ? j->segment[j->segments - 1]->number : 0;

	if (!fields_parse(history_at_layout, frame->body, &m) || (f->epoch == 0 && m.again == 0))
		return false;
	/* It has read another log than ours: it will see that, and begin anew. */
	if (m.segment > newest)
		m.segment = 0;
	if (m.again != 0) {
		f->next = m.segment;
		f->epoch = m.again;
	}
	journal_follow(j, m.segment, k->child.conf.history_backlog);
	follow(k);
	if (show_segments(k) || f->told == 0 || m.again != 0)
		say_durable(k);
	return true;
}

static bool
on_ask(struct keeper *k, const struct frame *frame)
{
	struct journal *j = &k->spool.journal;

	if (!span_done(frame->body) || k->follower.epoch == 0)
		return false;
	k->follower.wanted = j->sequence - 1;
	journal_want_sync(j);
	follower_settled(k);
	if (k->follower.wanted != 0)
		keeper_turn(k);
	return true;
}

static void
broken(struct keeper *k, struct channel *c, const char *why)
{
	log_say(LOG_FAULT, "history-broken", why);
	channel_close(c);
	k->follower.channel = NULL;
	child_accuse(&k->child, ROLE_HISTORY, 0);
}

static void
on_message(void *arg, struct channel *c, const struct frame *frame)
{
	struct keeper *k = arg;
	bool good = (frame->type == HISTORY_AT && on_at(k, frame)) || (frame->type == HISTORY_ASK && on_ask(k, frame));

	if (good)
		return;
	broken(k, c, "it said what the order does not allow");
}

static void
on_closed(void *arg, struct channel *c)
{
	struct keeper *k = arg;

	if (channel_spoke_nonsense(c))
		broken(k, c, "it sent what is no frame");
	else
		k->follower.channel = NULL;
}

void
follower_open(struct keeper *k, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };
	struct follower *f = &k->follower;

	if (f->channel != NULL)
		channel_close(f->channel);
	*f = (struct follower){ 0 };
	f->channel = channel_open(&k->child.loop, fd, &handler, k);
	if (f->channel != NULL && !k->opened)
		channel_pause(f->channel, true);
}

void
follower_go(struct keeper *k)
{
	if (k->follower.channel != NULL)
		channel_pause(k->follower.channel, false);
}

/* The last words: everything is synced. It goes on reading by itself. */
void
follower_close(struct keeper *k)
{
	struct follower *f = &k->follower;

	if (f->channel == NULL)
		return;
	if (f->epoch != 0)
		say_durable(k);
	channel_flush(f->channel);
	channel_close(f->channel);
	f->channel = NULL;
}

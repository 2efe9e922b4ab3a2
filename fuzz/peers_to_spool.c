/*
 * fuzz/peers_to_spool.c - what a taken-over front, relay or history and whoever reaches the control socket could say to 4_spool.
 *
 * The process's own file is part of this program; the spool is a real one on the disk. Whatever comes: each answer belongs to a
 * COMMIT, OK is said once for each, and what was accepted is in the spool.
 */
#include "../src/proc/4_spool.c"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "frames.h"
#include "policy/warrant.h"

/* The first SPOOL_TYPES go to the front's channel, the next to the relay's, the next to the control socket, the rest to the history's. */
enum { FRONT_TYPES = 5, RELAY_TYPES = 3, CONTROL_TYPES = 8 };
static const uint16_t types[] = { SPOOL_MAIL, SPOOL_RCPT, SPOOL_BODY, SPOOL_COMMIT, SPOOL_ABORT, RELAY_RESULT, RELAY_DONE, RELAY_LETTER,
	QUEUE_LIST, QUEUE_SHOW, QUEUE_RETRY, QUEUE_DROP, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_PURGE, QUEUE_RESCHEDULE, HISTORY_AT, HISTORY_ASK,
	SPOOL_ASK_RCPT };
enum { TYPES = sizeof types / sizeof types[0], INPUTS_MAX = 300 };

static struct keeper k;
static const char *directory;
static unsigned commits, inputs;
static uint32_t try_number;
static bool arrived;                    /* what a front brought was handed to the relay */

static int
control_socket(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s/control", directory);
	frames_insist(fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 8) == 0);
	return fd;
}

static int
control_connect(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s/control", directory);
	frames_insist(fd != -1);
	(void)connect(fd, (struct sockaddr *)&at, sizeof at);
	return fd;
}

static void
set_up(void)
{
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct conf *c = &k.child.conf;

	if (k.opened)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	directory = frames_directory();
	conf_defaults(c);
	(void)snprintf(c->spool_dir.p, sizeof c->spool_dir.p, "%s/spool", directory);
	(void)snprintf(c->hostname.p, sizeof c->hostname.p, "mail.example.org");
	c->relay.kind = CONF_RELAY_MAILDIR;
	c->spool_free_min = 0;
	c->segment_size = 1024 * 1024;
	frames_insist(uv_loop_init(&k.child.loop) == 0);
	k.has_warrant_key = true;
	k.ids.slot = KEEPER_ID_SLOT;
	k.tries_free = k.gathered = SCHEDULE_NONE;
	k.turn.data = k.tick.data = k.lazy.data = k.due.data = k.work.data = &k;
	on_go(&k);
	frames_insist(k.opened);
	control_listen(&k, control_socket());
}

/* 3_auth says yes to everything here, else no input would come further than to its first MAIL. */
static void
warrant(struct frames_one *f)
{
	static uint8_t room[4096];
	struct buf b = BUF_OVER(room);
	struct spool_mail m;
	struct warrant_sender w;

	if (f->type != SPOOL_MAIL || !fields_parse(spool_mail_layout, f->body, &m))
		return;
	w = (struct warrant_sender){ { 0, 0 }, m.login, m.reverse_path, uv_now(&k.child.loop), true };
	m.when = w.when;
	m.unwatched = 1;
	m.warrant = warrant_sender(k.warrant_key, &w);
	if (fields_format(spool_mail_layout, &m, &b))
		f->body = buf_span(&b);
}

static void
heard_by_front(const struct frames_one *f)
{
	struct spool_committed m;
	struct spool_admitted admitted;
	struct spool_heard heard;
	struct spool_state state;

	if (f->type == SPOOL_STATE) {
		frames_insist(fields_parse(spool_state_layout, f->body, &state));
		return;
	}
	if (f->type == SPOOL_ADMITTED) {
		frames_insist(fields_parse(spool_admitted_layout, f->body, &admitted) && admitted.fail < FAIL_MAX);
		return;
	}
	if (f->type == SPOOL_HEARD) {
		frames_insist(fields_parse(spool_heard_layout, f->body, &heard) && heard.fail == OK && heard.code == 0);
		return;
	}
	frames_insist(f->type == SPOOL_COMMITTED && commits > 0 && f->session >= 1 && f->session <= 4);
	frames_insist(fields_parse(spool_committed_layout, f->body, &m));
	commits--;
}

static void
heard_by_relay(const struct frames_one *f)
{
	struct relay_letter_taken taken;
	struct relay_segment segment;
	struct spool_rcpt rcpt;
	struct relay_try try;

	if (f->type == RELAY_SEGMENT || f->type == RELAY_SEGMENT_GONE) {
		frames_insist(fields_parse(relay_segment_layout, f->body, &segment));
	} else if (f->type == RELAY_TRY) {
		frames_insist(fields_parse(relay_try_layout, f->body, &try) && try.extents.len % RELAY_EXTENT == 0 && try.rcpts > 0);
		try_number = f->session;
		arrived = true;
	} else if (f->type == RELAY_LETTER_TAKEN) {
		frames_insist(fields_parse(relay_letter_taken_layout, f->body, &taken) && taken.fail < FAIL_MAX);
	} else {
		frames_insist(f->type == RELAY_RCPT && f->session == try_number && fields_parse(spool_rcpt_layout, f->body, &rcpt));
	}
}

static void
heard_by_control(const struct frames_one *f)
{
	struct queue_recipient recipient;
	struct queue_entry entry;
	struct queue_end end;

	if (f->type == QUEUE_ENTRY)
		frames_insist(fields_parse(queue_entry_layout, f->body, &entry));
	else if (f->type == QUEUE_RECIPIENT)
		frames_insist(fields_parse(queue_recipient_layout, f->body, &recipient));
	else
		frames_insist(f->type == QUEUE_END && fields_parse(queue_end_layout, f->body, &end));
}

static void
heard_by_history(const struct frames_one *f)
{
	struct history_segment segment;
	struct history_durable durable;
	struct history_gone gone;

	if (f->type == HISTORY_SEGMENT)
		frames_insist(fields_parse(history_segment_layout, f->body, &segment));
	else if (f->type == HISTORY_DURABLE)
		frames_insist(fields_parse(history_durable_layout, f->body, &durable));
	else
		frames_insist(f->type == HISTORY_GONE && fields_parse(history_gone_layout, f->body, &gone));
}

static void
turns(const int fd[4], bool waiting)
{
	for (unsigned i = 0; i < (waiting ? 40u : 3u); i++) {
		(void)uv_run(&k.child.loop, UV_RUN_NOWAIT);
		(void)frames_read(fd[0], heard_by_front);
		(void)frames_read(fd[1], heard_by_relay);
		(void)frames_read(fd[2], heard_by_control);
		(void)frames_read(fd[3], heard_by_history);
		if (waiting && commits == 0)
			break;
	}
}

/* The queue of one input must not become the burden of the next ones: after some, the program begins with an empty spool. */
static void
start_anew_sometimes(void)
{
	if (++inputs % INPUTS_MAX != 0)
		return;
	for (uint32_t i = 0; i < 4; i++)
		(void)uv_run(&k.child.loop, UV_RUN_NOWAIT);
	while (k.batch != NULL)
		(void)uv_run(&k.child.loop, UV_RUN_ONCE);
	leave(&k);
	for (unsigned i = 0; i < 4; i++)
		(void)uv_run(&k.child.loop, UV_RUN_NOWAIT);
	frames_loop_close(&k.child.loop);
	frames_directory_remove();
	for (uint32_t i = 0; i < k.tries; i++) {
		free(k.try[i].text.p);
		free(k.try[i].rcpt);
		free(k.try[i].hold);
	}
	free(k.try);
	memset(&k, 0, sizeof k);
}

bool
fuzz_arrived(void)
{
	return arrived;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct frames_one f;
	int ours[4], theirs[3][2];

	set_up();
	commits = 0;
	for (unsigned i = 0; i < 3; i++)
		frames_insist(channel_pair(theirs[i]));
	front_open(&k, 0, theirs[0][0]);
	relay_open(&k, theirs[1][0]);
	ours[0] = theirs[0][1];
	ours[1] = theirs[1][1];
	ours[2] = control_connect();
	follower_open(&k, theirs[2][0]);
	ours[3] = theirs[2][1];
	while (frames_next(&in, types, TYPES, &f)) {
		size_t i = 0, to;

		while (i < TYPES && types[i] != f.type)
			i++;
		to = i < FRONT_TYPES ? 0 : i < FRONT_TYPES + RELAY_TYPES ? 1 : i < FRONT_TYPES + RELAY_TYPES + CONTROL_TYPES ? 2 : 3;
		/* What is of none of them goes anywhere. */
		if (i == TYPES)
			to = f.session % 4;
		/* The relay knows the number of its try. */
		if (to == 1 && f.session < 3)
			f.session = try_number;
		commits += f.type == SPOOL_COMMIT;
		warrant(&f);
		(void)frames_write(ours[to], &f, -1);
		turns(ours, (f.marks & FRAMES_WAIT) != 0);
	}
	for (unsigned i = 0; i < 4; i++)
		(void)close(ours[i]);
	/* Fronts are not read while the log has enough to write, so their end may be seen late. */
	for (unsigned i = 0; i < 2000 && (i < 4 || k.front[0] != NULL || k.relay != NULL || k.follower.channel != NULL); i++) {
		(void)uv_run(&k.child.loop, UV_RUN_NOWAIT);
		if (i >= 4)
			(void)usleep(1000);
	}
	frames_insist(k.front[0] == NULL && k.relay == NULL && k.follower.channel == NULL);
	for (size_t i = 0; i < KEEPER_CONTROLS; i++)
		frames_insist(k.control[i].channel == NULL);
	start_anew_sometimes();
	return 0;
}

/*
 * fuzz/peers_to_history.c - what the spool's log, 4_spool, 8_hook and whoever reaches the socket of `postern queue where` could say to
 * 7_history.
 *
 * The process's own file is part of this program; history and log are real files on the disk. A frame of type LOG_RECORD is a record of
 * the log, sealed as the spool does it, or with FRAMES_TORN octets that are none. Whatever comes: each question has one end.
 */
#include "../src/proc/7_history.c"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "frames.h"

enum { LOG_RECORD = 999, SPOOL_TYPES = 3, SALT = 77 };
static const uint16_t types[] = { HISTORY_SEGMENT, HISTORY_DURABLE, HISTORY_GONE, HOOK_SENT, WHERE_ASK, LOG_RECORD };
enum { TYPES = sizeof types / sizeof types[0] };

static struct archive a;
static const char *directory;
static unsigned asked;
static uint32_t epoch;
static uint64_t hook_row, sequence, offset;
static int log_fd = -1;

static struct sockaddr_un
control_at(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s/where", directory);
	return at;
}

static int
control_socket(void)
{
	struct sockaddr_un at = control_at();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	frames_insist(fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 8) == 0);
	return fd;
}

static int
control_reach(void)
{
	struct sockaddr_un at = control_at();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	frames_insist(fd != -1);
	(void)connect(fd, (struct sockaddr *)&at, sizeof at);
	return fd;
}

static void
set_up(void)
{
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct conf *c = &a.child.conf;
	char path[96];

	if (a.going)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	directory = frames_directory();
	(void)snprintf(path, sizeof path, "%s/history", directory);
	frames_insist(mkdir(path, 0700) == 0);
	conf_defaults(c);
	(void)snprintf(c->state_dir.p, sizeof c->state_dir.p, "%s", directory);
	(void)snprintf(c->webhook.p, sizeof c->webhook.p, "http://127.0.0.1:1/");
	c->history_size = 1024 * 1024;
	frames_insist(uv_loop_init(&a.child.loop) == 0);
	a.tick.data = a.go_on.data = a.drain_limit.data = &a;
	on_go(&a);
	frames_insist(a.history != NULL);
	archive_listen(&a, control_socket());
}

/* ---- what it says ---- */
static void
heard_by_spool(const struct frames_one *f)
{
	struct history_at m;

	if (f->type == HISTORY_ASK) {
		frames_insist(f->body.len == 0);
		return;
	}
	frames_insist(f->type == HISTORY_AT && fields_parse(history_at_layout, f->body, &m));
	if (m.again != 0)
		epoch = m.again;
}

static void
heard_by_hook(const struct frames_one *f)
{
	struct hook_send m;

	frames_insist(f->type == HOOK_SEND && fields_parse(hook_send_layout, f->body, &m) && m.row != 0 && m.event_id.len > 0);
	hook_row = m.row;
}

static void
heard_by_asker(const struct frames_one *f)
{
	static const uint16_t rows[] = { WHERE_MESSAGE, WHERE_RECIPIENT, WHERE_ATTEMPT, WHERE_EVENT, WHERE_GAP };
	struct where_end end;

	if (f->type == WHERE_END) {
		frames_insist(asked > 0 && fields_parse(where_end_layout, f->body, &end));
		asked--;
		return;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i] == f->type)
			return;
	frames_insist(false);
}

static void
turns(const int fd[3], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		(void)uv_run(&a.child.loop, UV_RUN_NOWAIT);
		(void)frames_read(fd[0], heard_by_spool);
		(void)frames_read(fd[1], heard_by_hook);
		(void)frames_read(fd[2], heard_by_asker);
	}
}

/* ---- the log ---- */
static void
log_new(void)
{
	char path[96];

	if (log_fd != -1)
		(void)close(log_fd);
	(void)snprintf(path, sizeof path, "%s/segment", directory);
	log_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	frames_insist(log_fd != -1);
	offset = 0;
}

/* First octet: the kind; the rest: its payload. */
static void
log_record(const struct frames_one *f)
{
	static uint8_t record[128 * 1024];
	struct record_header h = { .salt = SALT };

	if (f->body.len == 0 || f->body.len > sizeof record - 128)
		return;
	h.kind = f->body.p[0] % (RECORD_KINDS + 1);
	h.length = (uint32_t)f->body.len - 1;
	h.sequence = ++sequence;
	memcpy(record + RECORD_HEADER, f->body.p + 1, h.length);
	record_seal(record, &h);
	if (f->marks & FRAMES_TORN)
		record[RECORD_HEADER - 1] ^= 1;
	frames_insist(pwrite(log_fd, record, record_octets(h.length), (off_t)offset) > 0);
	offset += record_octets(h.length);
}

/* What a sane spool says now. */
static void
say_sane(int to, uint16_t type)
{
	uint8_t octets[64];
	struct buf b = BUF_OVER(octets);
	struct history_segment segment = { 1, SALT };
	struct history_durable durable = { sequence, 1 };
	struct frames_one f = { .type = type, .session = epoch };

	if (type == HISTORY_SEGMENT) {
		frames_insist(fields_format(history_segment_layout, &segment, &b));
		f.marks = FRAMES_FD;
	} else {
		frames_insist(fields_format(history_durable_layout, &durable, &b));
	}
	f.body = buf_span(&b);
	(void)frames_write(to, &f, log_fd);
}

static void
take_frame(const int ours[3], struct frames_one *f)
{
	size_t i = 0;
	uint8_t row[8];

	while (i < TYPES && types[i] != f->type)
		i++;
	if (f->type == LOG_RECORD) {
		log_record(f);
		return;
	}
	if (i < 2 && f->body.len == 0) {
		say_sane(ours[0], f->type);
		return;
	}
	/* 4_spool knows the epoch, 8_hook the row. */
	if (i < SPOOL_TYPES && (f->marks & FRAMES_END) == 0)
		f->session = epoch;
	if (f->type == HOOK_SENT && f->body.len >= 8 && (f->marks & FRAMES_END) == 0) {
		static uint8_t body[4096];

		u64_put(row, hook_row);
		f->body = span_head(f->body, sizeof body);
		memcpy(body, f->body.p, f->body.len);
		memcpy(body, row, 8);
		f->body.p = body;
	}
	asked += f->type == WHERE_ASK;
	(void)frames_write(ours[i < SPOOL_TYPES ? 0 : f->type == HOOK_SENT ? 1 : i < TYPES ? 2 : f->session % 3], f, -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct frames_one f;
	int ours[3], theirs[2][2];

	set_up();
	log_new();
	asked = 0;
	sequence = 0;
	for (unsigned i = 0; i < 2; i++)
		frames_insist(channel_pair(theirs[i]));
	/* Another log each time. */
	add_gap_alone(&a, SPAN("another input"), (struct history_place){ 0 });
	on_peer(&a, ROLE_SPOOL, 0, theirs[0][0]);
	on_peer(&a, ROLE_HOOK, 0, theirs[1][0]);
	ours[0] = theirs[0][1];
	ours[1] = theirs[1][1];
	ours[2] = control_reach();
	turns(ours, 3);
	while (frames_next(&in, types, TYPES, &f)) {
		take_frame(ours, &f);
		turns(ours, 2);
	}
	/* Who is still asking gets an answer when the spool goes. */
	(void)close(ours[0]);
	for (unsigned i = 0; i < 4; i++) {
		(void)uv_run(&a.child.loop, UV_RUN_NOWAIT);
		(void)frames_read(ours[1], heard_by_hook);
		(void)frames_read(ours[2], heard_by_asker);
	}
	(void)close(ours[1]);
	(void)close(ours[2]);
	for (unsigned i = 0; i < 4; i++)
		(void)uv_run(&a.child.loop, UV_RUN_NOWAIT);
	frames_insist(a.spool == NULL && a.hook == NULL && a.history != NULL);
	for (size_t i = 0; i < ARCHIVE_CONTROLS; i++)
		frames_insist(a.asker[i].channel == NULL);
	return 0;
}

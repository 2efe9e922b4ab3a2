/*
 * fuzz/spool_to_milter.c - what a broken 4_spool could say to 6_milter, whose own file is part of this program. One milter listens
 * and says yes to all, one hangs up, one is not there.
 *
 * Whatever comes: verdicts are of questions that were asked, each has one, and when 4_spool is gone nothing is left of them.
 */
#include "../src/proc/6_milter.c"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "frames.h"

static const uint16_t types[] = { FILTER_SEGMENT, FILTER_SEGMENT_GONE, FILTER_ASK, FILTER_RCPT, FILTER_CANCEL, RELAY_TRY,
	FILTER_ASK_RCPT, FILTER_LEAVE };
enum { LINKS = 16 };

static const char *directory;
static int segment = -1, yes = -1, no = -1, talks[LINKS];
static unsigned asks, verdicts;

static int
listen_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", directory, name);
	frames_insist(fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 64) == 0);
	return fd;
}

static void
add_milter(const char *name)
{
	struct conf *c = &milters.child.conf;
	uint8_t words[200];
	struct buf why = BUF_OVER(words);
	char text[200];

	(void)snprintf(text, sizeof text, "unix:%s/%s", directory, name);
	frames_insist(conf_set(c, conf_find(SPAN("milter")), span_of(text), &why));
}

static void
set_up(void)
{
	static const char content[] = "Received: by us\r\nFrom: a@example.org\r\n\r\nhello\r\n";
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	char path[64];
	int wide;

	if (milters.going)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	directory = frames_directory();
	for (size_t i = 0; i < LINKS; i++)
		talks[i] = -1;
	conf_defaults(&milters.child.conf);
	add_milter("yes");
	add_milter("no");
	add_milter("nobody");
	yes = listen_at("yes");
	no = listen_at("no");
	wide = memfd_create("segment", MFD_CLOEXEC);
	frames_insist(wide != -1 && write(wide, content, sizeof content - 1) == (ssize_t)sizeof content - 1);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", wide);
	segment = open(path, O_RDONLY | O_CLOEXEC);
	frames_insist(segment != -1 && uv_loop_init(&milters.child.loop) == 0);
	on_go(NULL);
}

/* Inputs say "yes", "no" and "nobody": where these are differs from run to run. */
static void
put_place(struct frames_one *f)
{
	static uint8_t room[CHANNEL_BODY_MAX];
	struct buf b = BUF_OVER(room);
	struct filter_ask m;
	char text[200];

	if ((f->type != FILTER_ASK && f->type != FILTER_ASK_RCPT) || !fields_parse(filter_ask_layout, f->body, &m) || m.milter.len > 6)
		return;
	(void)snprintf(text, sizeof text, "unix:%s/%.*s timeout=30s on-failure=tempfail connections=32", directory, (int)m.milter.len,
	    (const char *)m.milter.p);
	m.milter = span_of(text);
	if (fields_format(filter_ask_layout, &m, &b))
		f->body = buf_span(&b);
}

static void
heard(const struct frames_one *f)
{
	struct filter_verdict v;

	frames_insist(f->session >= 1 && f->session <= 4);
	if (f->type == FILTER_VERDICT)
		frames_insist(++verdicts <= asks && fields_parse(filter_verdict_layout, f->body, &v) && v.kind <= FILTER_DISCARD);
	else
		frames_insist(f->type >= FILTER_BODY && f->type < FILTER_VERDICT);
}

/* Options, then "go on" to all that may want a word: more than that is another fuzz target's. */
static void
say_yes(void)
{
	static const uint8_t options[] = { 0, 0, 0, 13, 'O', 0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0xf, 0xf2, 0x80 };
	static const uint8_t go_on[] = { 0, 0, 0, 1, 'c' };
	uint8_t in[4096];
	int fd;

	while ((fd = accept4(no, NULL, NULL, SOCK_CLOEXEC)) != -1)
		(void)close(fd);
	while ((fd = accept4(yes, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) != -1) {
		size_t i = 0;

		while (i < LINKS && talks[i] != -1)
			i++;
		if (i == LINKS || write(fd, options, sizeof options) != (ssize_t)sizeof options)
			(void)close(fd);
		else
			talks[i] = fd;
	}
	for (size_t i = 0; i < LINKS; i++) {
		ssize_t n = talks[i] == -1 ? -1 : read(talks[i], in, sizeof in);

		if (n == 0) {
			(void)close(talks[i]);
			talks[i] = -1;
		}
		/* The end of a message is a packet by itself here: everything else is silent. */
		if (n >= 5 && memcmp(in + n - 5, "\0\0\0\1E", 5) == 0)
			(void)!write(talks[i], go_on, sizeof go_on);
	}
}

static void
turns(int fd, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		(void)uv_run(&milters.child.loop, UV_RUN_NOWAIT);
		say_yes();
		(void)frames_read(fd, heard);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct frames_one f;
	int fd[2];

	set_up();
	asks = verdicts = 0;
	frames_insist(channel_pair(fd));
	on_peer(NULL, ROLE_SPOOL, 0, fd[0]);
	while (frames_next(&in, types, sizeof types / sizeof types[0], &f)) {
		asks += f.type == FILTER_ASK || f.type == FILTER_ASK_RCPT;
		put_place(&f);
		(void)frames_write(fd[1], &f, segment);
		turns(fd[1], f.marks & FRAMES_WAIT ? 30 : 4);
	}
	(void)close(fd[1]);
	for (unsigned i = 0; i < 4; i++) {
		(void)uv_run(&milters.child.loop, UV_RUN_NOWAIT);
		say_yes();
	}
	uv_timer_stop(&milters.alone);
	frames_insist(milters.spool == NULL && milters.receiving == NULL);
	for (size_t i = 0; i < KEEPER_FILTERS; i++)
		frames_insist(milters.job[i] == NULL);
	for (uint32_t i = 0; i < milters.services; i++)
		frames_insist(milters.service[i].links == NULL && milters.service[i].first == NULL);
	return 0;
}

/*
 * fuzz/spool_to_relay.c - what a broken 4_spool could say to 5_relay, whose own file is part of this program; mail goes to a Maildir.
 *
 * Whatever comes: results are of tries that were begun, numbers are those of their recipients, and each try ends once.
 */
#include "../src/proc/5_relay.c"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "frames.h"

static const uint16_t types[] = { RELAY_SEGMENT, RELAY_SEGMENT_GONE, RELAY_TRY, RELAY_RCPT, RELAY_DONE, SPOOL_MAIL,
	RELAY_LETTER_TAKEN };
static const char *directory;
static int segment = -1;
static unsigned tries, ended, rcpts, results;
static bool arrived;                    /* a message was delivered */

static void
set_up(void)
{
	static const char content[] = "Received: by us\r\nFrom: a@example.org\r\n\r\nhello\r\n";
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct conf *c = &relay.child.conf;
	uint8_t words[300];
	struct buf why = BUF_OVER(words);
	char route[200];
	int wide;

	if (relay.going)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	directory = frames_directory();
	conf_defaults(c);
	(void)snprintf(route, sizeof route, "maildir:%s/Maildir", directory);
	frames_insist(conf_set(c, conf_find(SPAN("hostname")), SPAN("mail.example.org"), &why) &&
	    conf_set(c, conf_find(SPAN("relay")), span_of(route), &why));
	/* A reader's end: the relay must never be able to write into the spool. */
	wide = memfd_create("segment", MFD_CLOEXEC);
	frames_insist(wide != -1 && write(wide, content, sizeof content - 1) == (ssize_t)sizeof content - 1);
	(void)snprintf(route, sizeof route, "/proc/self/fd/%d", wide);
	segment = open(route, O_RDONLY | O_CLOEXEC);
	frames_insist(segment != -1 && uv_loop_init(&relay.child.loop) == 0);
	on_go(&relay);
	uv_timer_stop(&relay.alone);
}

static void
heard(const struct frames_one *f)
{
	struct relay_result m;

	frames_insist(f->session >= 1 && f->session <= 4);
	if (f->type == RELAY_DONE) {
		frames_insist(++ended <= tries && f->body.len == 0);
		return;
	}
	frames_insist(f->type == RELAY_RESULT && fields_parse(relay_result_layout, f->body, &m));
	frames_insist(++results <= rcpts);
	arrived = arrived || m.class == SMTP_CLASS_DELIVERED;
}

static void
turns(int fd, bool waiting)
{
	/* Three are what it takes to read a frame with a descriptor, also when there is nothing to wait for. */
	for (unsigned i = 0; i < 3 || (waiting && i < 100 && ended < tries); i++) {
		(void)uv_run(&relay.child.loop, UV_RUN_NOWAIT);
		(void)frames_read(fd, heard);
	}
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
	int fd[2];

	set_up();
	tries = ended = rcpts = results = 0;
	frames_insist(channel_pair(fd));
	on_peer(&relay, ROLE_SPOOL, 0, fd[0]);
	while (frames_next(&in, types, sizeof types / sizeof types[0], &f)) {
		tries += f.type == RELAY_TRY;
		rcpts += f.type == RELAY_RCPT;
		(void)frames_write(fd[1], &f, segment);
		turns(fd[1], (f.marks & FRAMES_WAIT) != 0);
	}
	(void)close(fd[1]);
	for (unsigned i = 0; i < 4; i++)
		(void)uv_run(&relay.child.loop, UV_RUN_NOWAIT);
	uv_timer_stop(&relay.alone);
	frames_insist(relay.spool == NULL && relay.receiving == NULL);
	return 0;
}

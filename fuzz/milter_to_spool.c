/*
 * fuzz/milter_to_spool.c - what a taken-over 6_milter could say to 4_spool, whose own file is part of this program.
 *
 * Two messages of a well-behaved front are under way, a small one and one whose content lies in the log, and a recipient of a third one is
 * asked about. Whatever comes: each COMMIT and the recipient is answered once, a refusal has a code that may be said, and what was accepted is in the spool as it was changed.
 */
#include "../src/proc/4_spool.c"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "conf/milter.h"
#include "frames.h"
#include "policy/warrant.h"
#include "smtp/server.h"

static const uint16_t types[] = { FILTER_BODY, FILTER_BODY_GONE, FILTER_HEADER, FILTER_SENDER, FILTER_DROP, FILTER_ADD, FILTER_VERDICT,
	FILTER_ASK };
enum { TYPES = sizeof types / sizeof types[0], SESSIONS = 2, NAMING = 3, INPUTS_MAX = 300 };

static struct keeper k;
static const char *directory;
static unsigned answers, heards, inputs;
static uint32_t asked[SESSIONS + 1], probe;
static uint64_t next_id = 1;

static void
set_up(void)
{
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct conf *c = &k.child.conf;
	uint8_t words[200];
	struct buf why = BUF_OVER(words);

	if (k.opened)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	directory = frames_directory();
	conf_defaults(c);
	(void)snprintf(c->spool_dir.p, sizeof c->spool_dir.p, "%s/spool", directory);
	(void)snprintf(c->hostname.p, sizeof c->hostname.p, "mail.example.org");
	frames_insist(conf_milter_parse(SPAN("inet:127.0.0.1:1"), &c->milter[0], &why));
	frames_insist(conf_milter_parse(SPAN("inet:127.0.0.1:2"), &c->milter[1], &why));
	c->milters = 2;
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
}

static void
heard_by_front(const struct frames_one *f)
{
	struct spool_committed m;
	struct spool_refused r;
	struct spool_heard heard;
	struct spool_state state;

	if (f->type == SPOOL_STATE) {
		frames_insist(fields_parse(spool_state_layout, f->body, &state));
		return;
	}
	if (f->type == SPOOL_HEARD) {
		frames_insist(f->session == NAMING && ++heards == 1 && fields_parse(spool_heard_layout, f->body, &heard) && heard.fail < FAIL_MAX);
		frames_insist(heard.code == 0 || (heard.fail != OK && smtp_refusal_valid(heard.code, heard.enhanced)));
		return;
	}
	frames_insist(f->session >= 1 && f->session <= SESSIONS && ++answers <= SESSIONS);
	if (f->type == SPOOL_REFUSED)
		frames_insist(fields_parse(spool_refused_layout, f->body, &r) && smtp_refusal_valid(r.code, r.enhanced));
	else
		frames_insist(f->type == SPOOL_COMMITTED && fields_parse(spool_committed_layout, f->body, &m) && m.fail < FAIL_MAX);
}

static void
heard_by_milter(const struct frames_one *f)
{
	struct relay_segment segment;
	struct filter_leave leaves;
	struct filter_ask m;

	if (f->type == FILTER_SEGMENT || f->type == FILTER_SEGMENT_GONE) {
		frames_insist(fields_parse(relay_segment_layout, f->body, &segment));
	} else if (f->type == FILTER_ASK) {
		frames_insist(fields_parse(filter_ask_layout, f->body, &m) && m.rcpts > 0 && (m.text.len == 0 || m.extents.len == 0));
		frames_insist(m.extents.len % RELAY_EXTENT == 0 && (m.extents.len > 0 || m.text.len == m.size));
		/* The newest two questions are those that may be answered. */
		asked[1] = asked[2];
		asked[2] = f->session;
	} else if (f->type == FILTER_ASK_RCPT) {
		frames_insist(fields_parse(filter_ask_layout, f->body, &m) && m.rcpts == 1 && m.talk != 0 && m.extents.len == 0);
		probe = f->session;
	} else if (f->type == FILTER_LEAVE) {
		frames_insist(fields_parse(filter_leave_layout, f->body, &leaves) && leaves.talk != 0);
	} else {
		frames_insist(f->type == FILTER_RCPT || f->type == FILTER_CANCEL);
	}
}

static void
turns(const int fd[2], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		(void)uv_run(&k.child.loop, UV_RUN_NOWAIT);
		(void)frames_read(fd[0], heard_by_front);
		(void)frames_read(fd[1], heard_by_milter);
	}
}

static void
say(int to, uint16_t type, uint32_t session, struct layout layout, const void *m)
{
	static uint8_t room[1024];
	struct buf b = BUF_OVER(room);
	struct frames_one f = { type, session, 0, { NULL, 0 } };

	frames_insist(fields_format(layout, m, &b));
	f.body = buf_span(&b);
	frames_insist(frames_write(to, &f, -1));
}

/* 3_auth has said yes. */
static void
say_mail(int to, uint32_t session, struct spool_mail *m)
{
	struct warrant_sender w = { { 0, 0 }, m->login, m->reverse_path, uv_now(&k.child.loop), true };

	m->when = w.when;
	m->unwatched = 1;
	m->warrant = warrant_sender(k.warrant_key, &w);
	say(to, SPOOL_MAIL, session, spool_mail_layout, m);
}

static void
submit(const int fd[2], uint32_t session, unsigned pieces)
{
	static uint8_t content[16 * 1024];
	struct spool_mail mail = { .queue_id = next_id++ << 18, .reverse_path = SPAN("a@example.org"), .login = SPAN("joe"), .peer = SPAN("192.0.2.1"),
		.helo = SPAN("c"), .tls = SPAN("TLSv1.3 TLS_AES_128_GCM_SHA256 x25519") };
	struct spool_commit commit = { .size = (uint64_t)pieces * sizeof content, .rcpts = 2, .flags = 1u << MAIL_MECHANISM };
	struct frames_one body = { SPOOL_BODY, session, 0, { content, sizeof content } };

	memset(content, 'x', sizeof content);
	memcpy(content, "From: a@example.org\r\n\r\n", 23);
	say_mail(fd[0], session, &mail);
	for (uint32_t i = 0; i < 2; i++) {
		struct spool_rcpt rcpt = { .number = i, .path = i == 0 ? SPAN("b@example.net") : SPAN("c@example.net") };

		say(fd[0], SPOOL_RCPT, session, spool_rcpt_layout, &rcpt);
	}
	for (unsigned i = 0; i < pieces; i++) {
		frames_insist(frames_write(fd[0], &body, -1));
		turns(fd, 1);
	}
	say(fd[0], SPOOL_COMMIT, session, spool_commit_layout, &commit);
	turns(fd, 3);
}

static void
name_one(const int fd[2])
{
	struct spool_mail mail = { .queue_id = next_id++, .reverse_path = SPAN("a@example.org"), .login = SPAN("joe") };
	struct spool_ask_rcpt rcpt = { .path = SPAN("d@example.net"), .mechanism = 1 };

	say_mail(fd[0], NAMING, &mail);
	say(fd[0], SPOOL_ASK_RCPT, NAMING, spool_ask_rcpt_layout, &rcpt);
	turns(fd, 3);
}

static void
start_anew_sometimes(void)
{
	if (++inputs % INPUTS_MAX != 0)
		return;
	while (k.batch != NULL)
		(void)uv_run(&k.child.loop, UV_RUN_ONCE);
	leave(&k);
	for (unsigned i = 0; i < 4; i++)
		(void)uv_run(&k.child.loop, UV_RUN_NOWAIT);
	frames_loop_close(&k.child.loop);
	frames_directory_remove();
	memset(&k, 0, sizeof k);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct frames_one f;
	int ours[2], theirs[2][2];

	set_up();
	answers = heards = 0;
	asked[1] = asked[2] = probe = 0;
	for (unsigned i = 0; i < 2; i++)
		frames_insist(channel_pair(theirs[i]));
	front_open(&k, 0, theirs[0][0]);
	filter_open(&k, theirs[1][0]);
	ours[0] = theirs[0][1];
	ours[1] = theirs[1][1];
	submit(ours, 1, 1);
	submit(ours, 2, 6);
	name_one(ours);
	/* Its chunks must be in the file before anybody is asked. */
	for (unsigned i = 0; i < 400 && asked[1] == 0; i++)
		turns(ours, 1);
	while (frames_next(&in, types, TYPES, &f)) {
		if (f.session <= SESSIONS)
			f.session = asked[f.session];
		else if (f.session == NAMING)
			f.session = probe;
		(void)frames_write(ours[1], &f, -1);
		turns(ours, f.marks & FRAMES_WAIT ? 20 : 2);
	}
	(void)close(ours[1]);
	turns(ours, 40);
	(void)close(ours[0]);
	for (unsigned i = 0; i < 2000 && (k.front[0] != NULL || k.filters.channel != NULL); i++) {
		(void)uv_run(&k.child.loop, UV_RUN_NOWAIT);
		if (i >= 4)
			(void)usleep(1000);
	}
	frames_insist(k.front[0] == NULL && k.filters.channel == NULL && k.filters.first == NULL);
	for (size_t i = 0; i < KEEPER_FILTERS; i++)
		frames_insist(k.filters.asked[i] == NULL);
	start_anew_sometimes();
	return 0;
}

/*
 * fuzz/signer_to_relay.c - what a broken 2_signer could say to 5_relay, whose own file for it is part of this program.
 *
 * Whatever comes: questions are answered in their order and once each, a signature comes with every answer that is one, what was
 * forgotten is never heard of again, and the next 2_signer is asked what the broken one owes.
 */
#include "../src/proc/5_relay_dkim_ask.c"

#include <signal.h>

#include "frames.h"

enum { QUESTIONS = 40 };

static const uint16_t types[] = { SIGN_DKIM_ANSWER, SIGN_DKIM_ASK, SIGN_ANSWER, MASTER_PING };
static struct relay relay;
static struct relay_dkim_question *question[QUESTIONS];
static unsigned made, done_last, heard_asks;

static void
on_done(struct relay_dkim_question *q, const char *why)
{
	unsigned i = q->digest[0];

	frames_insist(i < made && question[i] == q && !q->forgotten && (q->len > 0) == (why == NULL) && q->len <= DKIM_SIGNATURE_MAX);
	frames_insist(i >= done_last);
	done_last = i;
	question[i] = NULL;
	free(q);
}

static void
ask_another(void)
{
	struct relay_dkim_question *q = made < QUESTIONS ? calloc(1, sizeof *q) : NULL;

	if (q == NULL)
		return;
	*q = (struct relay_dkim_question){ .key = { "example.org", "s", DKIM_ED25519_SHA256 }, .digest = { (uint8_t)made }, .done = on_done };
	question[made++] = q;
	relay_dkim_ask(q);
}

static void
forget_one(unsigned which)
{
	if (which < made && question[which] != NULL) {
		question[which]->forgotten = true;
		question[which] = NULL;
	}
}

static void
heard(const struct frames_one *f)
{
	struct sign_dkim_ask ask;

	frames_insist(f->type == SIGN_DKIM_ASK && f->session == ++heard_asks && fields_parse(sign_dkim_ask_layout, f->body, &ask));
	frames_insist(ask.digest.len == DKIM_DIGEST);
}

static void
turn(int fd)
{
	(void)uv_run(&relay.child.loop, UV_RUN_NOWAIT);
	(void)frames_read(fd, heard);
	frames_insist(me.count <= SIGN_DKIM_WINDOW);
}

/* An honest one answers all that is left, so that nothing outlives the input. */
static void
answer_the_rest(void)
{
	uint8_t octets[64] = { 1 }, room[200];
	struct sign_answer a = { OK, { octets, sizeof octets } };
	uint32_t number = 0;
	int fd[2];

	frames_insist(channel_pair(fd));
	heard_asks = 0;
	relay_dkim_peer(&relay, fd[0]);
	for (unsigned i = 0; i < QUESTIONS * 2 && (me.count > 0 || me.first != NULL); i++) {
		struct buf body = BUF_OVER(room);
		struct frames_one f = { .type = SIGN_DKIM_ANSWER };

		turn(fd[1]);
		frames_insist(fields_format(sign_answer_layout, &a, &body));
		f.session = ++number;
		f.body = buf_span(&body);
		if (me.count > 0)
			(void)frames_write(fd[1], &f, -1);
		turn(fd[1]);
	}
	frames_insist(me.count == 0 && me.first == NULL);
	(void)close(fd[1]);
	(void)uv_run(&relay.child.loop, UV_RUN_NOWAIT);
	frames_insist(me.signer == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct span in = { p, n };
	struct frames_one f;
	uint32_t number = 0;
	static bool begun;
	int fd[2];

	if (!begun) {
		(void)signal(SIGPIPE, SIG_IGN);
		log_open(&quiet, "fuzz");
		frames_insist(uv_loop_init(&relay.child.loop) == 0);
		begun = true;
	}
	made = done_last = heard_asks = 0;
	frames_insist(channel_pair(fd));
	relay_dkim_peer(&relay, fd[0]);
	while (frames_next(&in, types, sizeof types / sizeof types[0], &f)) {
		ask_another();
		if ((f.marks & FRAMES_END) != 0)
			forget_one(f.session);
		f.session = f.session == 1 ? ++number : f.session == 2 ? number : f.session == 3 ? UINT32_MAX : 0;
		if ((f.marks & FRAMES_WAIT) != 0)
			turn(fd[1]);
		(void)frames_write(fd[1], &f, -1);
		turn(fd[1]);
	}
	(void)close(fd[1]);
	for (unsigned i = 0; i < 4; i++)
		(void)uv_run(&relay.child.loop, UV_RUN_NOWAIT);
	answer_the_rest();
	for (unsigned i = 0; i < made; i++)
		frames_insist(question[i] == NULL);
	return 0;
}

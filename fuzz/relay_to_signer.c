/*
 * fuzz/relay_to_signer.c - what a taken-over 5_relay could say to 2_signer, whose own file for it is part of this program.
 *
 * Whatever comes: answers belong to the questions in their order, no more wait than may, a signature is 64 octets of Ed25519 and made
 * by the key that was named; who is accused has lost his channel.
 */
#include "../src/proc/2_signer_dkim.c"

#include <signal.h>

#include "frames.h"

static const uint16_t types[] = { SIGN_DKIM_ASK, SIGN_DKIM_ANSWER, SIGN_ASK, MASTER_DKIM, RELAY_DONE };
static uv_loop_t loop;
static uint32_t answered;
static unsigned accused;

static void
on_broken(uint32_t slot, const char *why)
{
	frames_insist(slot == 0 && why != NULL && signer_dkim_alone());
	accused++;
}

static void
on_gone(void)
{
	frames_insist(signer_dkim_alone());
}

static void
set_up(void)
{
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct master_dkim m = { .count = 1, .algorithm = DKIM_ED25519_SHA256, .domain = SPAN("example.org"), .selector = SPAN("s") };
	uint8_t pem[DKIM_PEM_MAX], words[200];
	struct buf text = BUF_OVER(pem), why = BUF_OVER(words);

	if (me.now.count > 0)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	frames_insist(uv_loop_init(&loop) == 0 && dkim_key_make(DKIM_ED25519_SHA256, &text, &why));
	m.key = buf_span(&text);
	signer_dkim_key(&m);
	frames_insist(me.now.count == 1);
}

static void
heard(const struct frames_one *f)
{
	struct sign_answer a;

	frames_insist(f->type == SIGN_DKIM_ANSWER && f->session == ++answered && fields_parse(sign_answer_layout, f->body, &a));
	frames_insist(a.signature.len == (a.fail == OK ? 64 : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct signer_dkim_handler handler = { .broken = on_broken, .gone = on_gone };
	struct span in = { p, n };
	struct frames_one f;
	uint32_t number = 0;
	bool open = true;
	int fd[2];

	set_up();
	answered = accused = 0;
	frames_insist(channel_pair(fd));
	signer_dkim_peer(&loop, &handler, 0, fd[0]);
	while (frames_next(&in, types, sizeof types / sizeof types[0], &f)) {
		/* Four ways to count, of which one is right. */
		f.session = f.session == 1 ? ++number : f.session == 2 ? number : f.session == 3 ? UINT32_MAX : 0;
		open = open && frames_write(fd[1], &f, -1);
		if ((f.marks & FRAMES_WAIT) != 0)
			(void)uv_run(&loop, UV_RUN_NOWAIT);
		frames_insist(me.count <= SIGN_DKIM_WINDOW && answered <= me.asked);
		open = frames_read(fd[1], heard) && open;
	}
	(void)close(fd[1]);
	for (unsigned i = 0; i < SIGN_DKIM_WINDOW + 4; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	frames_insist(signer_dkim_alone() && me.count == 0 && accused <= 1);
	return 0;
}

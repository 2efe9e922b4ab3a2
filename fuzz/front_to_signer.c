/*
 * fuzz/front_to_signer.c - what a taken-over front could say to 2_signer, in any order, on channels of two slots.
 *
 * The process's own file is part of this program, so its order, its keys and its allowance are the real ones. Whatever comes: an
 * answer belongs to a question that was asked, a signature verifies, and a front that is accused is closed.
 */
#include "../src/proc/2_signer.c"

#include <signal.h>
#include <stdlib.h>

#include "frames.h"
#include "signer_key.h"
#include "tls/served.h"

static const uint16_t types[] = { SIGN_ASK, SIGN_ANSWER, MASTER_CERTIFICATE, AUTH_START, SPOOL_MAIL };
static uint8_t name[TLS_FINGERPRINT];
static struct sign_ask asked[2];        /* the last question of each end, that parsed */
static unsigned owed[2], ending;

static void
set_up(void)
{
	struct master_certificate m = { .index = 0 };
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };

	if (me.now.count > 0)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	signer_key_make(&m.chain, &m.key);
	frames_insist(tls_fingerprint(m.chain, name));
	frames_insist(uv_loop_init(&me.child.loop) == 0);
	on_certificate(NULL, &m);
	frames_insist(me.now.count == 1);
}

static void
heard(const struct frames_one *f)
{
	struct sign_answer a;

	frames_insist(f->type == SIGN_ANSWER && owed[ending] > 0 && fields_parse(sign_answer_layout, f->body, &a));
	owed[ending]--;
	frames_insist((a.fail == OK) == (a.signature.len > 0));
	if (a.fail != OK)
		return;
	/* What was signed is a handshake of a TLS server and nothing else. */
	frames_insist(sign_form(asked[ending].to_be_signed) != SIGN_NOTHING);
	if (asked[ending].scheme == SCHEME_ECDSA_SHA256)
		frames_insist(signer_key_verifies(asked[ending].to_be_signed, a.signature));
}

/* The key's name cannot be guessed; a question that leaves it empty means ours. */
static struct span
with_name(struct span body)
{
	static uint8_t room[4096];
	struct buf b = BUF_OVER(room);

	if (!fields_parse(sign_ask_layout, body, &asked[ending]))
		return body;
	if (asked[ending].key.len == 0)
		asked[ending].key = (struct span){ name, sizeof name };
	frames_insist(fields_format(sign_ask_layout, &asked[ending], &b));
	frames_insist(fields_parse(sign_ask_layout, buf_span(&b), &asked[ending]));
	return buf_span(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct frames_one f;
	uint32_t number[2] = { 0, 0 };
	bool open[2] = { true, true };
	int fd[2][2];

	set_up();
	for (unsigned i = 0; i < 2; i++) {
		frames_insist(channel_pair(fd[i]));
		on_peer(NULL, ROLE_FRONT, i, fd[i][0]);
		owed[i] = 0;
	}
	while (frames_next(&in, types, sizeof types / sizeof types[0], &f)) {
		ending = (f.marks & FRAMES_END) != 0;
		if (f.type == SIGN_ASK)
			f.body = with_name(f.body);
		/* Four ways to count, of which one is right. */
		f.session = f.session == 1 ? ++number[ending] : f.session == 2 ? number[ending] : f.session == 3 ? UINT32_MAX : 0;
		open[ending] = open[ending] && frames_write(fd[ending][1], &f, -1);
		owed[ending] += open[ending];
		(void)uv_run(&me.child.loop, UV_RUN_NOWAIT);
		open[ending] = frames_read(fd[ending][1], heard) && open[ending];
	}
	for (unsigned i = 0; i < 2; i++)
		(void)close(fd[i][1]);
	for (unsigned i = 0; i < 4; i++)
		(void)uv_run(&me.child.loop, UV_RUN_NOWAIT);
	for (size_t i = 0; i < SIGNER_FRONTS_MAX; i++)
		frames_insist(me.front[i].channel == NULL);
	return 0;
}

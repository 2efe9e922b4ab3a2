/*
 * server.c - a client's bytes into the server's half. However they are split, the talk is the same, and what must be true
 * in a state is true after every step (the driver calls smtp_server_check()).
 *
 * Input: one octet of settings, then what the client says.
 */
#include <stdlib.h>

#include "../tests/dialog/talk.c"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum setting {
	LISTENER = 3,           /* 0 submissions, 1 submission, 2 clear, 3 local */
	LOGGED_IN = 4,
	SMALL = 8,              /* a low limit for size and recipients */
	STRICT = 16,            /* From, and one recipient, are denied */
	TROUBLE = 32,           /* the disk fills up between questions */
};

static const struct talk_refusal strict[] = {
	{ .kind = SMTP_ASK_AUTHOR, .fail = FAIL_AUTHOR_DENIED, .words = SPAN_INIT("not\r\nyou") },
	{ .kind = SMTP_ASK_RCPT, .about = SPAN_INIT("carol"), .fail = FAIL_SENDER_DENIED },
};
static const struct talk_refusal trouble[] = {
	{ .kind = SMTP_ASK_DATA, .fail = FAIL_DISK_FULL, .once = true },
	{ .kind = SMTP_ASK_COMMIT, .fail = FAIL_DOUBT, .once = true },
	{ .kind = SMTP_ASK_SENDER, .fail = FAIL_BUSY, .once = true },
};

static void
refuse(struct talk_rules *r, const struct talk_refusal *some, size_t count)
{
	for (size_t i = 0; i < count; i++)
		r->refusal[r->refusals++] = some[i];
}

static void
play(struct talk *t, uint8_t settings, struct span said, size_t piece, size_t out_room, size_t content_room)
{
	static const struct span login = SPAN_INIT("EHLO laptop\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
	unsigned listener = settings & LISTENER;
	struct talk_setup setup = {
		.size_max = settings & SMALL ? 300 : 1 << 20, .rcpt_max = settings & SMALL ? 3 : 100,
		.mechanisms = SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN | SMTP_AUTH_SCRAM_SHA_256,
		.terms = true, .hold_max = settings & SMALL ? 60 : 30 * 86400, .by_least = settings & SMALL ? 60 : 0,
		.priority_least = settings & SMALL ? -4 : -9, .priority_most = settings & STRICT ? 0 : 9,
		.priority_size_max = settings & SMALL ? 100 : 0,
		.tls = listener == 0, .starttls = listener == 1, .local = listener == 3,
	};
	static struct talk_rules rules;

	rules = (struct talk_rules){ .keep_after_starttls = true, .out_room = out_room, .content_room = content_room };
	if (settings & STRICT)
		refuse(&rules, strict, sizeof strict / sizeof strict[0]);
	if (settings & TROUBLE)
		refuse(&rules, trouble, sizeof trouble / sizeof trouble[0]);
	talk_begin(t, &setup, &rules);
	if (settings & LOGGED_IN)
		talk_send(t, login.p, login.len);
	while (!span_done(said)) {
		struct span head = span_head(said, piece);

		talk_send(t, head.p, head.len);
		span_skip(&said, head.len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct talk whole, octets, pieces;
	struct span said = { p + 1, n - 1 };

	if (n < 2)
		return 0;
	play(&whole, p[0], said, SIZE_MAX, TALK_OUT_MAX, TALK_CONTENT_MAX);
	play(&octets, p[0], said, 1, SMTP_REPLY_ROOM, SMTP_CONTENT_ROOM);
	play(&pieces, p[0], said, 2 + p[n / 2] % 61, SMTP_REPLY_ROOM + 200, SMTP_CONTENT_ROOM + 77);
	if (!talk_equal(&whole, &octets) || !talk_equal(&whole, &pieces))
		abort();
	talk_end(&whole);
	talk_end(&octets);
	talk_end(&pieces);
	return 0;
}

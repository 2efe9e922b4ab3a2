/*
 * line.c - where does a line end? The word-at-a-time scan against a plain one, at every offset; then the lines of a session
 * cut in two at every place: the same replies must come, and none of them may have an octet that a reply may not have.
 */
#include <stdlib.h>

#include "../tests/dialog/talk.c"
#include "smtp/server_room.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { SCAN_MAX = 512, CUTS_MAX = 64 };

static void
insist(bool good)
{
	if (!good)
		abort();
}

static void
scan(struct span s)
{
	for (size_t from = 0; from < s.len; from++) {
		struct span rest = { s.p + from, s.len - from };
		uint64_t seen = 0;
		uint8_t all = 0;
		size_t n = 0;

		for (; n < rest.len && rest.p[n] != '\r' && rest.p[n] != '\n' && rest.p[n] != 0; n++)
			all |= rest.p[n];
		insist(plain_length(rest, &seen) == n);
		insist(((seen & UINT64_C(0x8080808080808080)) != 0) == (all > 127));
	}
}

/* Each line of a reply: three digits, '-' or ' ', printable octets, CRLF. */
static void
replies_are_clean(const struct stream *replies)
{
	struct span left = { replies->p, replies->len };

	while (!span_done(left)) {
		struct span line = span_take_until(&left, '\r');

		insist(span_take(&left, SPAN("\r\n")));
		insist(line.len >= 4 && line.len <= 1000 && line.p[0] >= '2' && line.p[0] <= '5');
		insist(line.p[3] == ' ' || line.p[3] == '-');
		for (size_t i = 0; i < line.len; i++)
			insist(line.p[i] >= ' ' && line.p[i] < 127);
	}
}

static void
say(struct talk *t, struct span s, size_t cut)
{
	static const struct talk_rules rules = { .out_room = TALK_OUT_MAX, .content_room = TALK_CONTENT_MAX };
	static const struct talk_setup setup = { .size_max = 1000, .rcpt_max = 100, .mechanisms = SMTP_AUTH_PLAIN, .tls = true };

	talk_begin(t, &setup, &rules);
	talk_send(t, s.p, cut);
	talk_send(t, s.p + cut, s.len - cut);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct talk whole, cut;
	struct span s = { p, n };
	size_t step = 1 + n / CUTS_MAX;

	scan(span_head(s, SCAN_MAX));
	say(&whole, s, n);
	replies_are_clean(&whole.replies);
	for (size_t at = 0; at < n; at += step) {
		say(&cut, s, at);
		insist(talk_equal(&whole, &cut));
		talk_end(&cut);
	}
	talk_end(&whole);
	return 0;
}

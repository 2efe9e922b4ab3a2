/* What may not be sent as it is goes in quoted-printable or base64: mail/downgrade, from one file into another. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/send.h"
#include "mail/downgrade.h"
#include "os/replace.h"

struct work {
	struct send *send;
	struct send_message encoded;
	struct downgrade_plan plan;
	union { struct downgrade_survey survey; struct downgrade writer; } walk;
	uint64_t at;                    /* of the original */
	struct buf out;
	uint8_t in[64 * 1024], out_octets[64 * 1024];
};

/* The next piece of the original; an empty one at its end. */
static bool
read_piece(struct work *w, struct span *piece)
{
	ssize_t n;

	do
		n = pread(w->send->message.fd, w->in, sizeof w->in, (off_t)w->at);
	while (n == -1 && errno == EINTR);
	if (n == -1 || (n == 0 && w->at < w->send->message.size))
		return send_fail(w->send, EX_IOERR, "reading the message: %s", n == 0 ? "it is shorter than before" : strerror(errno));
	w->at += (uint64_t)n;
	*piece = (struct span){ w->in, (size_t)n };
	return true;
}

static bool
keep(struct work *w)
{
	struct span left = buf_span(&w->out);

	for (size_t i = 0; i < left.len && !w->encoded.eightbit; i++)
		w->encoded.eightbit = left.p[i] > 127;
	w->encoded.size += left.len;
	if (!file_write(w->encoded.fd, left))
		return send_fail(w->send, EX_IOERR, "keeping the message: %s", strerror(errno));
	w->out.len = 0;
	return true;
}

/* Why it may not be done; NULL: it may. */
static const char *
why_not(const struct work *w, enum downgrade_verdict verdict)
{
	if (verdict == DOWNGRADE_CONVERT)
		return w->plan.dkim ? "its DKIM-Signature would be broken (RFC 6376 5.3)" : NULL;
	return w->plan.why != NULL ? w->plan.why : "no part of it was found to be";
}

static bool
survey(struct work *w, bool eightbit, const char *why)
{
	struct downgrade_hop hop = { .eightbit = eightbit, .utf8 = eightbit };
	struct span piece;
	const char *obstacle;

	downgrade_survey_begin(&w->walk.survey, &w->plan, &hop);
	do {
		if (!read_piece(w, &piece))
			return false;
		downgrade_survey_feed(&w->walk.survey, piece);
	} while (piece.len > 0);
	obstacle = why_not(w, downgrade_survey_end(&w->walk.survey));
	return obstacle == NULL || send_fail(w->send, EX_DATAERR, "message%s, and it cannot be encoded: %s; let the program that writes it "
	    "encode it as quoted-printable or base64", why, obstacle);
}

static bool
write_encoded(struct work *w)
{
	struct span piece;

	w->at = 0;
	downgrade_begin(&w->walk.writer, &w->plan, &w->out);
	do {
		struct span rest;

		if (!read_piece(w, &piece))
			return false;
		for (rest = piece; rest.len > 0;) {
			span_skip(&rest, downgrade_feed(&w->walk.writer, rest));
			if (!keep(w))
				return false;
		}
	} while (piece.len > 0);
	downgrade_end(&w->walk.writer);
	return keep(w);
}

bool
send_encode(struct send *s, bool eightbit, const char *why)
{
	struct work *w = malloc(sizeof *w);
	bool good;

	if (w == NULL)
		return send_fail(s, EX_OSERR, "out of memory");
	memset(w, 0, offsetof(struct work, in));
	w->send = s;
	w->encoded = (struct send_message){ .fd = -1, .utf8 = s->message.utf8 };
	w->out = (struct buf){ w->out_octets, 0, sizeof w->out_octets };
	good = survey(w, eightbit, why);
	if (good) {
		w->encoded.fd = send_message_file();
		good = w->encoded.fd != -1 || send_fail_file(s);
	}
	good = good && write_encoded(w);
	if (good) {
		(void)close(s->message.fd);
		s->message = w->encoded;
	} else if (w->encoded.fd != -1) {
		(void)close(w->encoded.fd);
	}
	free(w);
	return good;
}

/*
 * sendmail -bs: the report on those whom the server refused when it took the message for others (RFC 5321 6.1, RFC 3464).
 *
 * The caller has named everybody before the server is asked, and one final reply is all that is left to say. A refusal would have it
 * sent again to those who have it, so it is 250; and whoever says 250 owes a report on the rest. It is submitted as the message was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/send.h"
#include "mail/dsn.h"
#include "os/env.h"

enum { HOST_ROOM = 300, COPY_ROOM = 16 * 1024 };

struct send_refusal {
	uint16_t code;
	char enhanced[12];
	char text[SMTP_REPLY_KEPT + 1];
};

/* What goes aside while the report is the message. */
struct aside {
	struct send_message message;
	struct send_rcpt *rcpts;
	uint32_t rcpt_count, rcpt_room, notify;
	enum smtp_ret ret;
	bool null_sender;
	char envid[SEND_ENVID_MAX + 1];
};

struct report {
	struct send *send;
	struct dsn dsn;
	struct dsn_facts facts;
	char host[HOST_ROOM];           /* of the server */
	struct send_message message;
	bool broken;
	struct buf out;
	uint8_t octets[2 * DSN_PIECE_MAX], copy[COPY_ROOM];
};

void
send_keep_refusal(struct send_rcpt *rcpt, const struct smtp_outcome *o)
{
	if (rcpt->refusal == NULL)
		rcpt->refusal = malloc(sizeof *rcpt->refusal);
	if (rcpt->refusal == NULL)
		return;         /* the report says less then */
	rcpt->refusal->code = o->code;
	memcpy(rcpt->refusal->enhanced, o->enhanced, sizeof rcpt->refusal->enhanced);
	send_clean(o->text, rcpt->refusal->text, sizeof rcpt->refusal->text);
}

/* Is a report on him asked for (3461-7)? */
static bool
is_owed(const struct send_rcpt *rcpt)
{
	return rcpt->fate != SEND_TAKEN && (rcpt->notify == 0 || (rcpt->notify & SMTP_NOTIFY_FAILURE) != 0);
}

/* ---- writing ---- */

static void
write_out(struct report *r)
{
	struct span octets = buf_span(&r->out);

	while (octets.len > 0 && !r->broken) {
		ssize_t n = pwrite(r->message.fd, octets.p, octets.len, (off_t)r->message.size);

		if (n == -1 && errno == EINTR)
			continue;
		r->broken = n <= 0;
		r->message.size += n > 0 ? (uint64_t)n : 0;
		span_skip(&octets, n > 0 ? (size_t)n : 0);
	}
	r->out.len = 0;
}

static void
piece(struct report *r, bool fits)
{
	r->broken |= !fits;
	write_out(r);
}

static void
each_refused(struct report *r, bool (*put)(struct dsn *, const struct dsn_recipient *, struct buf *))
{
	for (uint32_t i = 0; i < r->send->rcpt_count; i++) {
		const struct send_rcpt *rcpt = &r->send->rcpts[i];
		const struct send_refusal *why = rcpt->refusal;
		struct dsn_recipient row = { .action = DSN_FAILED, .path = span_of(rcpt->address), .orcpt = span_of(rcpt->orcpt),
			.host = span_of(r->host), .when = r->facts.now, .status = SPAN("4.4.2"),
			.text = SPAN("the session ended before it was sent") };

		if (!is_owed(rcpt))
			continue;
		if (why != NULL) {
			row.status = span_of(why->enhanced);
			row.code = why->code;
			row.text = span_of(why->text);
		}
		piece(r, put(&r->dsn, &row, &r->out));
	}
}

static void
put_original(struct report *r)
{
	const struct send_message *m = &r->send->message;
	uint64_t at = 0;

	piece(r, dsn_original_begin(&r->dsn, &r->out));
	while (dsn_original_wanted(&r->dsn) && at < m->size && !r->broken) {
		ssize_t n = pread(m->fd, r->copy, sizeof r->copy, (off_t)at);
		struct span rest = { r->copy, n > 0 ? (size_t)n : 0 };

		r->broken = n <= 0;
		at += rest.len;
		while (rest.len > 0 && dsn_original_wanted(&r->dsn)) {
			span_skip(&rest, dsn_original(&r->dsn, rest, &r->out));
			write_out(r);
		}
	}
	piece(r, dsn_end(&r->dsn, &r->out));
}

static void
compose(struct report *r)
{
	piece(r, dsn_begin(&r->dsn, &r->facts, &r->out));
	each_refused(r, dsn_tell);
	piece(r, dsn_between(&r->dsn, &r->out));
	each_refused(r, dsn_report);
	put_original(r);
}

static void
prepare(struct report *r, struct send *send)
{
	struct buf host = { (uint8_t *)r->host, 0, sizeof r->host - 1 };
	const struct send_message *m = &send->message;

	memset(r, 0, offsetof(struct report, octets));
	r->send = send;
	r->out = BUF_OVER(r->octets);
	(void)buf_put(&host, span_head(span_of(send->server.host.p), HOST_ROOM - 10));
	(void)buf_put_byte(&host, ':');
	(void)buf_put_u64(&host, send->server.port);
	/* It is from whom the account may write as, and he is the one to ask. */
	r->facts = (struct dsn_facts){ .action = DSN_FAILED, .host = span_of(send->host[0] != '\0' ? send->host : "localhost"),
		.postmaster = span_of(send->from), .to = span_of(send->from), .report_id = SPAN("sendmail-bs"),
		.message_id = span_of(send->said), .envid = span_of(send->envid), .size = m->size,
		.full = send->options.ret == SMTP_RET_FULL, .eightbit = m->eightbit, .utf8 = m->utf8 };
	r->facts.now = r->facts.arrival = os_env.now(os_env.arg);
	os_env.random(os_env.arg, (uint8_t *)&r->facts.random, sizeof r->facts.random);
	r->message = (struct send_message){ .fd = send_message_file(), .utf8 = dsn_is_utf8(&r->facts),
		.eightbit = dsn_is_utf8(&r->facts), .requiretls = m->requiretls };
	r->broken = r->message.fd == -1;
}

/* ---- handing it over ---- */

static struct aside
put_aside(struct send *send, const struct send_message *report)
{
	struct aside a = { .message = send->message, .rcpts = send->rcpts, .rcpt_count = send->rcpt_count, .rcpt_room = send->rcpt_room,
		.notify = send->options.notify, .ret = send->options.ret, .null_sender = send->options.null_sender };

	memcpy(a.envid, send->envid, sizeof a.envid);
	send->message = *report;
	send->rcpts = NULL;
	send->rcpt_count = send->rcpt_room = send->options.notify = 0;
	send->options.ret = SMTP_RET_NONE;
	send->options.null_sender = true;
	send->envid[0] = '\0';
	send->status = 0;
	return a;
}

static void
take_back(struct send *send, const struct aside *a)
{
	send_forget_rcpts(send);
	free(send->rcpts);
	send->message = a->message;
	send->rcpts = a->rcpts;
	send->rcpt_count = a->rcpt_count;
	send->rcpt_room = a->rcpt_room;
	send->options.notify = a->notify;
	send->options.ret = a->ret;
	send->options.null_sender = a->null_sender;
	memcpy(send->envid, a->envid, sizeof send->envid);
}

static bool
hand_over(struct report *r)
{
	struct send *send = r->send;
	struct aside a = put_aside(send, &r->message);
	bool good = send_add_rcpt(send, send->from) && send_submit(send);

	take_back(send, &a);
	return good;
}

static bool
anybody_owed(const struct send *send)
{
	for (uint32_t i = 0; i < send->rcpt_count; i++)
		if (is_owed(&send->rcpts[i]))
			return true;
	return false;
}

void
send_report_refused(struct send *send)
{
	struct report *r;

	/* 3461-10: nothing is reported to nobody. */
	if (send->options.null_sender || !anybody_owed(send))
		return;
	r = malloc(sizeof *r);
	if (r == NULL) {
		(void)send_fail(send, EX_OSERR, "out of memory: who was refused is not reported to <%s>", send->from);
		return;
	}
	prepare(r, send);
	if (!r->broken)
		compose(r);
	if (r->broken || !hand_over(r))
		(void)send_fail(send, EX_IOERR, "the report on who was refused did not go to <%s>: see the lines above", send->from);
	if (r->message.fd != -1)
		(void)close(r->message.fd);
	free(r);
}

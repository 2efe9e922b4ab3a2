/* What milters want changed is gathered here until they have said their last word; only a new body goes to 4_spool as it comes. */
#include <stdlib.h>
#include <string.h>

#include "proc/6_milter.h"

/* ---- the header ---- */

static bool
edited_begin(struct milter_job *j)
{
	size_t max = j->mail.header.len + MILTER_HEADER_GROWTH;

	if (j->edited.p != NULL)
		return true;
	j->edited = (struct buf){ malloc(max), 0, max };
	if (j->edited.p == NULL)
		return false;
	j->changes |= FILTER_NEW_HEADER;
	return buf_put(&j->edited, j->mail.header);
}

static const char *
edit_header(struct milter_job *j, const struct milter_edit *e, bool spaced)
{
	bool done = edited_begin(j);

	if (done && e->kind == MILTER_ADD_HEADER)
		done = milter_header_add(&j->edited, e->name, e->value, spaced);
	else if (done && e->kind == MILTER_INSERT_HEADER)
		done = milter_header_insert(&j->edited, e->index, e->name, e->value, spaced);
	else if (done)
		done = milter_header_change(&j->edited, e->index, e->name, e->value, spaced);
	return done ? NULL : "it adds more to the header than may be";
}

/* ---- the body ---- */

/* Room for one frame, until 4_spool is told. */
static struct buf
body_room(void)
{
	static uint8_t nowhere[MILTER_BODY_PIECE];

	/* Without a 4_spool nobody wants it. */
	return milters.spool != NULL ? channel_reserve(milters.spool, MILTER_BODY_PIECE) : BUF_OVER(nowhere);
}

static void
body_send(struct milter_job *j, struct buf b)
{
	j->body_octets += b.len;
	if (milters.spool != NULL)
		channel_commit(milters.spool, FILTER_BODY, j->session, b);
}

static const char *
edit_body(struct milter_job *j, struct span octets)
{
	bool first = (j->changes & FILTER_NEW_BODY) == 0;

	j->changes |= FILTER_NEW_BODY;
	while (first || !span_done(octets)) {
		struct buf b = body_room();
		const char *wrong;

		if (b.p == NULL)
			return "out of memory";
		if (first)
			(void)buf_put_text(&b, "\r\n");
		first = false;
		wrong = milter_lines_take(&j->lines, &octets, &b);
		body_send(j, b);
		if (wrong != NULL)
			return wrong;
	}
	if (j->body_octets > milters.child.conf.size_max + MILTER_BODY_MORE)
		return "the body that it wants is bigger than size-max";
	return NULL;
}

/* ---- the envelope ---- */

static const char *
edit_sender(struct milter_job *j, struct span path)
{
	if (path.len > sizeof j->sender)
		return "the sender that it wants is too long";
	memcpy(j->sender, path.p, path.len);
	j->sender_len = path.len;
	j->new_sender = true;
	return NULL;
}

static size_t
dropped_octets(const struct milter_job *j)
{
	return (j->facts.rcpts + 7) / 8;
}

/* RFC 5321 2.4: local parts are compared as they are. There may be many to compare with, and most have another length. */
static bool
same(struct span a, struct span b)
{
	struct mailbox one, two;

	return a.len == b.len && span_same(a, b) && mailbox_parse(a, &one) == PATH_OK && mailbox_parse(b, &two) == PATH_OK &&
	    mailbox_equal(&one, &two);
}

/* Has it been added? take: it goes again. */
static bool
find_added(struct milter_job *j, struct span path, bool take)
{
	struct span rest = buf_span(&j->added);

	while (!span_done(rest)) {
		uint8_t *at = j->added.p + (j->added.len - rest.len);
		struct span one = span_take_until(&rest, '\0');

		(void)span_take_byte(&rest, '\0');
		if (!same(one, path))
			continue;
		if (take) {
			memmove(at, rest.p, rest.len);
			j->added.len -= one.len + 1;
		}
		return true;
	}
	return false;
}

/* Does it get the message already? */
static bool
is_there(struct milter_job *j, struct span path)
{
	for (uint32_t i = 0; i < j->facts.rcpts; i++)
		if ((j->dropped == NULL || (j->dropped[i / 8] >> i % 8 & 1) == 0) && same(j->mail.rcpt(j, i), path))
			return true;
	return find_added(j, path, false);
}

static const char *
edit_add(struct milter_job *j, struct span path)
{
	if (is_there(j, path))
		return NULL;
	if (j->added.p == NULL) {
		j->added = (struct buf){ malloc(MILTER_ADDED_OCTETS), 0, MILTER_ADDED_OCTETS };
		if (j->added.p == NULL)
			return "out of memory";
	}
	if (j->adds++ == FILTER_ADDED_MAX || buf_room(&j->added) <= path.len)
		return "it adds too many recipients";
	(void)buf_put(&j->added, path);
	(void)buf_put_byte(&j->added, '\0');
	return NULL;
}

/* One that is not there is no matter. */
static const char *
edit_delete(struct milter_job *j, struct span path)
{
	if (j->dropped == NULL && (j->dropped = calloc(1, dropped_octets(j))) == NULL)
		return "out of memory";
	(void)find_added(j, path, true);
	for (uint32_t i = 0; i < j->facts.rcpts; i++)
		if (same(j->mail.rcpt(j, i), path))
			j->dropped[i / 8] = (uint8_t)(j->dropped[i / 8] | 1u << i % 8);
	return NULL;
}

/* "unix:/run/filter: reason" is shown by `postern queue show`. */
static const char *
edit_hold(struct milter_job *j, struct span words)
{
	struct buf why = BUF_OVER(j->why);

	(void)buf_put(&why, span_head(span_of(j->service->name), sizeof j->why / 2));
	(void)buf_put_text(&why, ": ");
	(void)buf_put(&why, span_head(words, buf_room(&why)));
	j->why_len = why.len;
	j->changes |= FILTER_HOLD;
	return NULL;
}

const char *
milter_job_edit(struct milter_job *j, const struct milter_edit *e, bool spaced)
{
	switch (e->kind) {
	case MILTER_ADD_HEADER:
	case MILTER_INSERT_HEADER:
	case MILTER_CHANGE_HEADER:
		return edit_header(j, e, spaced);
	case MILTER_REPLACE_BODY:
		return edit_body(j, e->octets);
	case MILTER_CHANGE_SENDER:
		return edit_sender(j, e->path);
	case MILTER_ADD_RCPT:
		return edit_add(j, e->path);
	case MILTER_DELETE_RCPT:
		return edit_delete(j, e->path);
	case MILTER_QUARANTINE:
		return edit_hold(j, e->octets);
	}
	return NULL;
}

/* ---- all of it ---- */

const char *
milter_job_finish_changes(struct milter_job *j)
{
	struct buf b;
	const char *wrong;

	if (j->changes & FILTER_NEW_HEADER) {
		wrong = milter_header_wrong(buf_span(&j->edited), j->mail.utf8);
		if (wrong != NULL)
			return wrong;
	}
	if ((j->changes & FILTER_NEW_BODY) == 0)
		return NULL;
	b = body_room();
	if (b.p == NULL)
		return "out of memory";
	wrong = milter_lines_end(&j->lines, &b);
	body_send(j, b);
	if (j->lines.eightbit)
		j->changes |= FILTER_EIGHTBIT;
	return wrong;
}

static void
send_header(struct milter_job *j)
{
	struct span rest = buf_span(&j->edited);

	while ((j->changes & FILTER_NEW_HEADER) != 0 && !span_done(rest)) {
		struct span piece = span_head(rest, FILTER_HEADER_PIECE);

		(void)channel_send_octets(milters.spool, FILTER_HEADER, j->session, piece);
		span_skip(&rest, piece.len);
	}
}

void
milter_job_send_changes(struct milter_job *j)
{
	struct span rest = buf_span(&j->added);

	if (milters.spool == NULL)
		return;
	send_header(j);
	if (j->new_sender)
		(void)channel_send_octets(milters.spool, FILTER_SENDER, j->session, (struct span){ j->sender, j->sender_len });
	if (j->dropped != NULL)
		(void)channel_send_octets(milters.spool, FILTER_DROP, j->session, (struct span){ j->dropped, dropped_octets(j) });
	while (!span_done(rest)) {
		struct span path = span_take_until(&rest, '\0');

		(void)span_take_byte(&rest, '\0');
		(void)channel_send_octets(milters.spool, FILTER_ADD, j->session, path);
	}
}

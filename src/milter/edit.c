#include <string.h>

#include "mail/path.h"
#include "milter/header.h"
#include "milter/room.h"

#define MALFORMED "a change that it wants is malformed"

/* ---- one function for each ---- */

static const char *
take_name_value(struct milter_talk *t, struct span data)
{
	struct milter_edit *e = &t->edit;

	if (!take_string(&data, &e->name) || !take_string(&data, &e->value) || !span_done(data))
		return MALFORMED;
	return milter_field_wrong(e->name, e->value);
}

static const char *
take_header(struct milter_talk *t, struct span data)
{
	return take_name_value(t, data);
}

static const char *
take_header_at(struct milter_talk *t, struct span data)
{
	if (data.len < 4)
		return MALFORMED;
	t->edit.index = get_big(data.p);
	span_skip(&data, 4);
	return take_name_value(t, data);
}

static const char *
take_octets(struct milter_talk *t, struct span data)
{
	t->edit.octets = data;
	return NULL;
}

/* "<a@example.org>" or without the brackets; what follows it as arguments is not looked at. */
static const char *
take_path(struct milter_talk *t, struct span data, bool sender)
{
	struct mailbox m = { .whole = { NULL, 0 } };
	struct span path;
	enum path_error error;

	if (!take_string(&data, &path))
		return MALFORMED;
	if (sender && (span_done(path) || span_eq(path, SPAN("<>")))) {
		t->edit.path = SPAN("");
		return NULL;
	}
	if (path.len > 2 && path.p[0] == '<' && path.p[path.len - 1] == '>')
		path = (struct span){ path.p + 1, path.len - 2 };
	error = mailbox_parse(path, &m);
	if (error != PATH_OK)
		return sender ? "the sender that it wants is no address" : "the recipient that it wants is no address";
	if (m.utf8 && !t->mail->utf8)
		return "the address that it wants needs SMTPUTF8, which the message has not";
	t->edit.path = m.whole;
	return NULL;
}

static const char *
take_sender(struct milter_talk *t, struct span data)
{
	return take_path(t, data, true);
}

static const char *
take_rcpt(struct milter_talk *t, struct span data)
{
	return take_path(t, data, false);
}

static const char *
take_reason(struct milter_talk *t, struct span data)
{
	if (!take_string(&data, &t->edit.octets))
		return MALFORMED;
	for (size_t i = 0; i < t->edit.octets.len; i++)
		if (t->edit.octets.p[i] != ' ' && !ascii_is_graph(t->edit.octets.p[i]))
			return "its reason for quarantine is not printable";
	return NULL;
}

/* ---- the table ---- */

static const struct row {
	uint8_t code;
	enum milter_edit_kind kind;
	uint32_t action;
	const char *(*take)(struct milter_talk *, struct span data);
} rows[] = {
	{ 'h', MILTER_ADD_HEADER, ACTION_ADD_HEADER, take_header },
	{ 'i', MILTER_INSERT_HEADER, ACTION_ADD_HEADER, take_header_at },
	{ 'm', MILTER_CHANGE_HEADER, ACTION_CHANGE_HEADER, take_header_at },
	{ 'b', MILTER_REPLACE_BODY, ACTION_BODY, take_octets },
	{ 'e', MILTER_CHANGE_SENDER, ACTION_SENDER, take_sender },
	{ '+', MILTER_ADD_RCPT, ACTION_ADD_RCPT, take_rcpt },
	{ '2', MILTER_ADD_RCPT, ACTION_ADD_RCPT_ARGUMENTS, take_rcpt },
	{ '-', MILTER_DELETE_RCPT, ACTION_DELETE_RCPT, take_rcpt },
	{ 'q', MILTER_QUARANTINE, ACTION_QUARANTINE, take_reason },
};

static const struct row *
row_of(uint8_t code)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}

bool
edit_is(uint8_t code)
{
	return row_of(code) != NULL;
}

const char *
edit_take(struct milter_talk *t, uint8_t code, struct span data)
{
	const struct row *r = row_of(code);

	if ((t->actions & r->action) == 0)
		return "it wants a change that it has not announced";
	memset(&t->edit, 0, sizeof t->edit);
	t->edit.kind = r->kind;
	return r->take(t, data);
}

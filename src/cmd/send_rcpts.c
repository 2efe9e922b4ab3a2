#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cmd/send.h"
#include "dns/lookup.h"
#include "mail/path.h"

bool
send_is_ascii(const char *address)
{
	for (const char *p = address; *p != '\0'; p++)
		if ((unsigned char)*p > 127)
			return false;
	return true;
}

bool
send_a_labels(struct span domain, struct buf *out)
{
	char name[MX_NAME_MAX];

	return dns_ascii(domain, name) && buf_put_text(out, name);
}

bool
send_put_address(struct span local, struct span domain, struct buf *out)
{
	if (!buf_put(out, local) || !buf_put_byte(out, '@'))
		return false;
	if (!utf8_is_ascii(domain) && utf8_is_ascii(local) && send_a_labels(domain, out))
		return true;
	return buf_put(out, domain);
}

static bool
has_rcpt(const struct send *s, const char *address)
{
	for (uint32_t i = 0; i < s->rcpt_count; i++)
		if (strcmp(s->rcpts[i].address, address) == 0)
			return true;
	return false;
}

static bool
make_room(struct send *s)
{
	uint32_t room = s->rcpt_room == 0 ? 16 : s->rcpt_room * 2;
	struct send_rcpt *more;

	if (s->rcpt_count < s->rcpt_room)
		return true;
	if (s->rcpt_count == SEND_RCPTS_MAX)
		return send_fail(s, EX_USAGE, "more than %d recipients", SEND_RCPTS_MAX);
	more = realloc(s->rcpts, room * sizeof *more);
	if (more == NULL)
		return send_fail(s, EX_OSERR, "out of memory");
	s->rcpts = more;
	s->rcpt_room = room;
	return true;
}

void
send_forget_rcpts(struct send *s)
{
	for (uint32_t i = 0; i < s->rcpt_count; i++)
		free(s->rcpts[i].address);
	s->rcpt_count = 0;
}

bool
send_add_rcpt(struct send *s, const char *address)
{
	char *copy;

	if (has_rcpt(s, address))
		return true;
	if (!make_room(s))
		return false;
	copy = strdup(address);
	if (copy == NULL)
		return send_fail(s, EX_OSERR, "out of memory");
	s->rcpts[s->rcpt_count++] = (struct send_rcpt){ .address = copy, .fate = SEND_WAITING };
	return true;
}

/* local@domain, the domain ours when there is none. */
static bool
complete(struct send *s, const struct mailbox *m)
{
	char address[600];
	struct buf out = { (uint8_t *)address, 0, sizeof address - 1 };
	struct mailbox check;
	enum path_error e;

	if (!send_put_address(m->local, m->domain.len > 0 ? m->domain : span_of(s->domain), &out))
		return send_fail(s, EX_USAGE, "a recipient's address is too long");
	address[out.len] = '\0';
	e = mailbox_parse(span_of(address), &check);
	if (e != PATH_OK && e != PATH_UNQUALIFIED)
		return send_fail(s, EX_USAGE, "%s: %s", address, path_error_text(e));
	return send_add_rcpt(s, address);
}

/* One argument may be "Alice <alice@example.org>, root". */
static bool
take_apart(struct send *s, const char *text)
{
	struct span rest = span_of(text);

	for (;;) {
		struct mailbox m;
		enum address_step step = address_next_bare(&rest, &m);

		if (step == ADDRESS_END)
			return true;
		if (step == ADDRESS_BAD)
			return send_fail(s, EX_USAGE, "\"%s\" is no address", text);
		if (!complete(s, &m))
			return false;
	}
}

bool
send_settle_rcpts(struct send *s)
{
	struct send_rcpt *raw = s->rcpts;
	uint32_t count = s->rcpt_count;
	bool good = true;

	s->rcpts = NULL;
	s->rcpt_count = s->rcpt_room = 0;
	for (uint32_t i = 0; i < count; i++) {
		good = good && take_apart(s, raw[i].address);
		free(raw[i].address);
	}
	free(raw);
	if (good && s->rcpt_count == 0 && !s->options.read_recipients)
		return send_fail(s, EX_USAGE, "nobody to send to: the recipients that were named are no addresses");
	return good;
}

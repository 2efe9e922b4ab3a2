#include "sasl/passwd.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "sasl/crypt.h"
#include "sasl/users_store.h"

/* Dovecot: iterations,salt,StoredKey,ServerKey. */
static bool
parse_scram(struct span text, struct verifier *v)
{
	uint64_t iterations;
	struct span part;
	struct buf field[3] = { BUF_OVER(v->salt), BUF_OVER(v->stored), BUF_OVER(v->server) };

	if (!span_take_u64(&text, &iterations) || iterations < VERIFIER_ITERATIONS_MIN || iterations > VERIFIER_ITERATIONS_MAX)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (!span_take_byte(&text, ','))
			return false;
		part = span_take_until(&text, ',');
		if (!base64_parse(part, &field[i]))
			return false;
	}
	v->iterations = (uint32_t)iterations;
	v->salt_len = (uint32_t)field[0].len;
	return span_done(text) && field[0].len > 0 && field[1].len == VERIFIER_HASH && field[2].len == VERIFIER_HASH;
}

bool
passwd_parse(struct span line, struct passwd_entry *e, const char **why)
{
	struct span hash;

	memset(e, 0, sizeof *e);
	*why = NULL;
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0 || line.p[0] == '#')
		return true;
	e->name = span_take_until(&line, ':');
	*why = "it must read user:{SCHEME}hash:...";
	if (!span_take_byte(&line, ':'))
		return false;
	*why = "a user name has letters, digits, . _ - + @ only, at most 190 octets";
	if (!users_name_valid(e->name))
		return false;
	hash = span_take_until(&line, ':');
	if (span_take(&hash, SPAN("{SCRAM-SHA-256}"))) {
		*why = "the SCRAM verifier is malformed";
		return parse_scram(hash, &e->verifier);
	}
	if (!crypt_supported(&hash, why))
		return false;
	e->crypt = hash;
	return true;
}

bool
passwd_grants(struct span name, struct span hostname, uint8_t sep, struct buf *out)
{
	struct span parent = hostname;

	if (span_find(name, '@') < name.len)
		return buf_put(out, name);
	if (!buf_put(out, name) || !buf_put_byte(out, '@') || !buf_put(out, hostname))
		return false;
	(void)span_take_until(&parent, '.');
	if (!span_take_byte(&parent, '.') || span_find(parent, '.') == parent.len)
		return true;
	return buf_put_byte(out, sep) && buf_put(out, name) && buf_put_byte(out, '@') && buf_put(out, parent);
}

static bool
append(struct users *u, const struct users_source *from, const struct passwd_entry *e, struct buf *made)
{
	bool taken;
	struct user *user = users_append(u, e->name, &taken);
	size_t before = made->len;

	if (user == NULL)
		return taken;   /* the users file says more about it */
	user->imported = true;
	user->crypt = e->crypt;
	user->verifier = e->verifier;
	if (!passwd_grants(e->name, from->hostname, ' ', made))
		return false;
	user->grants = (struct span){ made->p + before, made->len - before };
	return true;
}

bool
users_take_passwd(struct users *u, const struct users_source *from, struct span text, const struct users_trouble *trouble)
{
	struct passwd_entry entry;
	struct buf made = { NULL, 0, 0 };
	const char *why;
	uint32_t number = 0, lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	/* Each grant is a name and at most the host name, twice. */
	made.max = 2 * (text.len + lines * (from->hostname.len + 2)) + 1;
	u->text[2] = malloc(made.max);
	made.p = (uint8_t *)u->text[2];
	if (made.p == NULL)
		return false;
	while (!span_done(text)) {
		struct span line = span_take_until(&text, '\n');

		(void)span_take_byte(&text, '\n');
		number++;
		if (!passwd_parse(line, &entry, &why)) {
			if (trouble != NULL && trouble->damaged != NULL)
				trouble->damaged(trouble->arg, from->passwd_file, number, why);
		} else if (entry.name.len > 0 && !append(u, from, &entry, &made)) {
			return false;
		}
	}
	return true;
}

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/replace.h"
#include "sasl/users_store.h"

struct loading {
	struct users *users;
	const struct users_trouble *trouble;
	const char *file;
	uint32_t line;
	bool memory_short;
};

static void
tell(const struct loading *l, const char *why)
{
	if (l->trouble != NULL && l->trouble->damaged != NULL)
		l->trouble->damaged(l->trouble->arg, l->file, l->line, why);
}

/* The grants in the file's own octets: the commas between them become spaces, once. */
static void
commas_to_spaces(struct span list)
{
	uint8_t *p = (uint8_t *)(uintptr_t)list.p;

	for (size_t i = 0; i < list.len; i++)
		if (p[i] == ',')
			p[i] = ' ';
}

static void
take_principal(struct loading *l, const struct users_line *line)
{
	bool taken;
	struct user *user = users_append(l->users, line->name, &taken);

	if (user == NULL) {
		if (taken)
			tell(l, "a second principal of this name");
		l->memory_short |= !taken;
		return;
	}
	user->grants = line->grants;
	user->recovery = line->recovery;
	user->limit = line->limit;
	user->ranked = users_priority_parse(line->priority, &user->priority);
	user->created = line->created;
	user->revoked = line->revoked;
	commas_to_spaces(user->grants);
}

static void
take_password(struct loading *l, struct user *user, const struct users_line *line)
{
	if (user->crypt.len > 0 || user->verifier.iterations > 0) {
		tell(l, "a second password of this principal");
		return;
	}
	user->crypt = line->crypt;
	user->verifier = line->verifier;
}

static void
take_key(struct loading *l, struct user *user, const struct users_line *line)
{
	struct user_key key = { line->device, line->id, line->grants, line->verifier, line->created, line->expires, line->revoked, line->limit,
		.next = 0 };
	unsigned keys = 0;

	key.ranked = users_priority_parse(line->priority, &key.priority);
	for (const struct user_key *k = users_first_key(l->users, user); k != NULL; k = users_next_key(l->users, k), keys++)
		if (span_same(k->device, key.device) || span_eq(k->id, key.id)) {
			tell(l, "a second key of this device, or with this id");
			return;
		}
	if (keys >= USERS_KEYS_MAX) {
		tell(l, "more than 64 keys of one principal");
		return;
	}
	commas_to_spaces(key.from);
	l->memory_short |= !users_append_key(l->users, user, &key);
}

static void
take_proof(struct loading *l, const struct users_line *line)
{
	int32_t at = users_look_up(l->users, line->name);

	if (at == USERS_NONE)
		tell(l, "no principal of this name is in force");
	else if (line->kind == USERS_PASSWORD)
		take_password(l, &l->users->user[at], line);
	else
		take_key(l, &l->users->user[at], line);
}

/* A principal whose line is damaged is known and refused, so that no passwd entry of that name stands in for it. */
static void
take_damage(struct loading *l, const struct users_line *line, const char *why)
{
	bool taken;
	struct user *user;

	tell(l, why);
	if (line->kind != USERS_PRINCIPAL || !users_name_valid(line->name))
		return;
	user = users_append(l->users, line->name, &taken);
	if (user != NULL)
		user->revoked = 1;
	l->memory_short |= user == NULL && !taken;
}

static void
take_line(struct loading *l, struct span text)
{
	struct users_line line;
	const char *why;

	if (!users_line_parse(text, &line, &why))
		take_damage(l, &line, why);
	else if (line.kind == USERS_PRINCIPAL)
		take_principal(l, &line);
	else if (line.kind != USERS_NOTHING)
		take_proof(l, &line);
}

/* Principals in a first pass, the rest in a second, so that the order of lines does not matter. */
static void
take_lines(struct loading *l, struct span text, bool principals)
{
	struct users_line head;
	struct span one;

	for (l->line = 1; !span_done(text) && !l->memory_short; l->line++) {
		one = span_take_until(&text, '\n');
		users_line_head(one, &head);
		if ((head.kind == USERS_PRINCIPAL) != principals) {
			(void)span_take_byte(&text, '\n');
			continue;
		}
		if (span_take_byte(&text, '\n'))
			take_line(l, one);
		else
			/* Perhaps it was cut in front of its from= or revoked=. */
			tell(l, "the last line has no end");
	}
}

static bool
load_users(struct users *u, const struct users_source *from, const struct users_trouble *trouble)
{
	struct loading l = { u, trouble, from->users_file, 0, false };
	size_t len;

	u->text[0] = file_read(from->users_file, USERS_FILE_MAX, &len);
	if (u->text[0] == NULL)
		return errno == ENOENT;
	take_lines(&l, (struct span){ (const uint8_t *)u->text[0], len }, true);
	take_lines(&l, (struct span){ (const uint8_t *)u->text[0], len }, false);
	if (l.memory_short)
		errno = ENOMEM;
	return !l.memory_short;
}

static bool
load_passwd(struct users *u, const struct users_source *from, const struct users_trouble *trouble)
{
	size_t len;

	if (from->passwd_file == NULL || from->passwd_file[0] == 0)
		return true;
	u->text[1] = file_read(from->passwd_file, USERS_FILE_MAX, &len);
	if (u->text[1] == NULL)
		return false;
	if (users_take_passwd(u, from, (struct span){ (const uint8_t *)u->text[1], len }, trouble))
		return true;
	errno = ENOMEM;
	return false;
}

struct users *
users_load(const struct users_source *from, const struct users_trouble *trouble)
{
	struct users *u = calloc(1, sizeof *u);
	const char *at = from->users_file;
	int error;

	if (u == NULL)
		goto failed;
	if (load_users(u, from, trouble) && (at = from->passwd_file, load_passwd(u, from, trouble))) {
		if (users_index_addresses(u))
			return u;
		errno = ENOMEM;
	}
	error = errno;
	users_free(u);
	errno = error;
failed:
	if (trouble != NULL && trouble->unread != NULL)
		*trouble->unread = at != NULL ? at : from->users_file;
	return NULL;
}

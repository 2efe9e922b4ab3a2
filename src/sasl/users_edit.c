#include "sasl/users_edit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/sender.h"
#include "sasl/passwd.h"
#include "sasl/prepare.h"
#include "sasl/users_file.h"
#include "sasl/users_store.h"

enum { LINES_MAX = 2 };         /* of one change: a principal, and its password */

/* What a change looks for: the line of this kind, name and device, if there is one. */
struct found {
	struct users_line line;         /* parsed; spans point into the file's text */
	bool present, sound;
	const char *why;
};

static uint64_t
now_seconds(void)
{
	return (uint64_t)time(NULL);
}

static bool
same_line(const struct users_line *a, const struct users_line *b)
{
	return a->kind == b->kind && span_same(a->name, b->name) && span_same(a->device, b->device);
}

static bool
next_line(struct span *text, struct span *line)
{
	if (span_done(*text))
		return false;
	*line = span_take_until(text, '\n');
	(void)span_take_byte(text, '\n');
	return true;
}

static struct found
find(const struct users_file *f, const struct users_line *wanted)
{
	struct span text = users_file_lines(f), line;
	struct found found = { .present = false };
	struct users_line head;

	while (!found.present && next_line(&text, &line)) {
		users_line_head(line, &head);
		if (!same_line(&head, wanted))
			continue;
		found.present = true;
		found.sound = users_line_parse(line, &found.line, &found.why);
	}
	return found;
}

static size_t
index_of(const struct users_line *head, const struct users_line *const *wanted, size_t n)
{
	size_t i = 0;

	while (i < n && !same_line(head, wanted[i]))
		i++;
	return i;
}

/* The whole text with each of these lines in place of the one that says the same, or behind all others. */
static bool
put_instead(struct users_file *f, const struct users_line *const *wanted, size_t n)
{
	struct span text = users_file_lines(f), line;
	struct users_line head;
	uint8_t made[LINES_MAX][USERS_LINE_MAX + 1];
	struct buf b[LINES_MAX] = { BUF_OVER(made[0]), BUF_OVER(made[1]) };
	bool placed[LINES_MAX] = { false };

	for (size_t i = 0; i < n; i++)
		if (!users_line_format(wanted[i], &b[i]))
			return false;
	while (next_line(&text, &line)) {
		size_t i;

		users_line_head(line, &head);
		i = index_of(&head, wanted, n);
		if (i < n) {
			if (!placed[i])
				users_file_put(f, buf_span(&b[i]));
			placed[i] = true;
			continue;
		}
		users_file_put(f, line);
		users_file_put(f, SPAN("\n"));
	}
	for (size_t i = 0; i < n; i++)
		if (!placed[i])
			users_file_put(f, buf_span(&b[i]));
	users_file_put_remnant(f);
	return true;
}

static bool
finish_all(struct users_file *f, const struct users_line *const *line, size_t n, struct buf *why)
{
	if (put_instead(f, line, n))
		return users_file_commit(f, why);
	(void)buf_refuse(why, "the line would be longer than 4096 octets: grant a whole domain instead", NULL);
	users_file_abort(f);
	return false;
}

static bool
finish(struct users_file *f, const struct users_line *line, struct buf *why)
{
	return finish_all(f, &line, 1, why);
}

/* A change that is refused: words, and the file as it was. */
static bool
refuse(struct users_file *f, struct buf *why, const char *words, const char *detail)
{
	users_file_abort(f);
	return buf_refuse(why, words, detail);
}

static bool
name_ok(const char *name, struct buf *why)
{
	if (users_name_valid(span_of(name)))
		return true;
	return buf_refuse(why, "a name has letters, digits, . _ - + @ only, at most 190 octets; not", name);
}

static bool
listed(struct span list, struct span address)
{
	while (!span_done(list)) {
		if (span_same(span_take_until(&list, ','), address))
			return true;
		(void)span_take_byte(&list, ',');
	}
	return false;
}

/* Those that the list does not have yet. */
static bool
put_addresses(struct buf *list, const char *const *address, size_t addresses, struct buf *why)
{
	for (size_t i = 0; i < addresses; i++) {
		if (!users_grant_valid(span_of(address[i]))) {
			return buf_refuse(why, "not an address (alice@example.org) or a domain (@example.org)", address[i]);
		}
		if (listed(buf_span(list), span_of(address[i])))
			continue;
		if ((list->len > 0 && !buf_put_byte(list, ',')) || !buf_put_text(list, address[i]) || list->len > USERS_GRANTS_MAX) {
			return buf_refuse(why, "too many addresses: grant a whole domain instead", NULL);
		}
	}
	return true;
}

static const char REVOKED[] = "this principal is revoked and its name stays taken (without revoked= in its line of the users file it is back, keys and all)";

/* The principal's line, which must be there, sound and not revoked. */
static bool
want_principal(struct users_file *f, const char *name, struct found *p, struct buf *why)
{
	*p = find(f, &(struct users_line){ .kind = USERS_PRINCIPAL, .name = span_of(name) });
	if (!p->present)
		return refuse(f, why, "there is no principal (postern user add makes one)", name);
	if (!p->sound)
		return refuse(f, why, "the principal's line in the users file is damaged", p->why);
	if (p->line.revoked != 0)
		return refuse(f, why, REVOKED, name);
	return true;
}

bool
users_add_addresses(const char *file, const char *name, const char *const *address, size_t addresses, struct buf *why)
{
	uint8_t list[USERS_GRANTS_MAX + 256];
	struct buf b = BUF_OVER(list);
	struct users_file f;
	struct found p;

	if (!users_file_begin(&f, file, why) || !want_principal(&f, name, &p, why))
		return false;
	(void)buf_put(&b, p.line.grants);
	if (!put_addresses(&b, address, addresses, why)) {
		users_file_abort(&f);
		return false;
	}
	p.line.grants = buf_span(&b);
	return finish(&f, &p.line, why);
}

/* What is kept of it, in prepared; the caller wipes that. */
static bool
take_password(struct span password, struct secret *prepared, struct buf *why)
{
	char key[SENDER_KEY_ROOM];
	bool done = false;

	if (password.len > 255)
		(void)buf_refuse(why, "a password has at most 255 octets (RFC 4616 2)", NULL);
	else if (!sasl_prepare(PREPARE_STORED, password, prepared))
		(void)buf_refuse(why, "the password is empty or has characters that SASLprep forbids", NULL);
	else if (sender_key_parse((struct span){ prepared->p, prepared->len }, key))
		(void)buf_refuse(why, "this has the form of a sender key; choose another password", NULL);
	else
		done = true;
	wipe(key, sizeof key);
	return done;
}

static bool
make_password(struct span password, struct verifier *v, struct buf *why)
{
	struct secret prepared = { .len = 0 };
	bool valid = take_password(password, &prepared, why);
	bool done = valid && verifier_make(v, (struct span){ prepared.p, prepared.len }, VERIFIER_PASSWORD_ITERATIONS);

	if (valid && !done)
		(void)buf_refuse(why, "no randomness for a salt", NULL);
	secret_wipe(&prepared);
	return done;
}

static bool
principal_new(const struct users_new *u, struct users_line *line, struct buf *list, struct buf *why)
{
	*line = (struct users_line){ .kind = USERS_PRINCIPAL, .name = span_of(u->name), .created = now_seconds() };
	if (!name_ok(u->name, why) || !put_addresses(list, u->address, u->addresses, why))
		return false;
	if (u->addresses == 0)
		return buf_refuse(why, "a principal needs an address that it may send from: --address", NULL);
	if (u->recovery != NULL && u->recovery[0] != 0 && !users_recovery_valid(span_of(u->recovery)))
		return buf_refuse(why, "the recovery address is not one like alice@example.net", NULL);
	line->grants = buf_span(list);
	line->recovery = span_of(u->recovery);
	return true;
}

bool
users_add_principal(const char *file, const struct users_new *u, struct buf *why)
{
	uint8_t list[USERS_GRANTS_MAX + 256];
	struct buf b = BUF_OVER(list);
	struct users_line line, password = { .kind = USERS_PASSWORD, .name = span_of(u->name), .created = now_seconds() };
	struct users_file f;
	struct found found;

	/* Hashed before the lock is taken: others need not wait for it. */
	if (!principal_new(u, &line, &b, why) || (u->password != NULL && !make_password(*u->password, &password.verifier, why)) ||
	    !users_file_begin(&f, file, why))
		return false;
	found = find(&f, &line);
	if (found.present && found.sound && found.line.revoked != 0)
		return refuse(&f, why, REVOKED, u->name);
	if (found.present)
		return refuse(&f, why, "there is already a principal (postern user grant gives it more addresses)", u->name);
	return finish_all(&f, (const struct users_line *const[]){ &line, &password }, u->password != NULL ? 2 : 1, why);
}

bool
users_set_password(const char *file, const char *name, struct span password, struct buf *why)
{
	struct users_line line = { .kind = USERS_PASSWORD, .created = now_seconds() };
	struct users_file f;
	struct found p;

	/* Hashed before the lock is taken: others need not wait for it. */
	if (!name_ok(name, why) || !make_password(password, &line.verifier, why))
		return false;
	if (!users_file_begin(&f, file, why) || !want_principal(&f, name, &p, why))
		return false;
	line.name = p.line.name;
	return finish(&f, &line, why);
}

/* Each must lie within what the principal has; 3_auth asks both again for each message. */
static bool
from_ok(struct span grants, const struct users_key_options *o, struct buf *why)
{
	struct mailbox box;
	struct span one, rest;
	bool found;

	for (size_t i = 0; i < o->froms; i++) {
		found = false;
		for (rest = grants; !found && !span_done(rest); (void)span_take_byte(&rest, ',')) {
			one = span_take_until(&rest, ',');
			found = span_same(one, span_of(o->from[i])) || span_eq(one, SPAN("*"))
			    || (mailbox_parse(span_of(o->from[i]), &box) == PATH_OK && sender_granted(one, &box));
		}
		if (!found) {
			return buf_refuse(why, "the principal itself may not send from", o->from[i]);
		}
	}
	return true;
}

/* Keys that the principal has, and whether one of them has this id. */
static size_t
count_keys(const struct users_file *f, struct span name, struct span id, bool *taken)
{
	struct span text = users_file_lines(f), line;
	struct users_line one;
	const char *why;
	size_t keys = 0;

	*taken = false;
	while (next_line(&text, &line)) {
		users_line_head(line, &one);
		if (one.kind != USERS_KEY || !span_same(one.name, name))
			continue;
		keys++;
		*taken |= users_line_parse(line, &one, &why) && span_eq(one.id, id);
	}
	return keys;
}

static bool
make_key(const struct users_file *f, struct users_line *line, char key[SENDER_KEY_ROOM], const char **why)
{
	bool taken = true;

	*why = "no randomness for a key";
	for (int tries = 0; taken && tries < 100; tries++) {
		if (!sender_key_make(key))
			return false;
		line->id = (struct span){ (const uint8_t *)key, SENDER_KEY_ID };
		if (count_keys(f, line->name, line->id, &taken) >= USERS_KEYS_MAX) {
			*why = "this principal has 64 keys already, revoked ones included";
			return false;
		}
	}
	return !taken && verifier_make(&line->verifier, span_of(key), VERIFIER_KEY_ITERATIONS);
}

static bool
add_key(struct users_file *f, const struct found *p, struct users_line *line, const struct users_key_options *o,
    char key[SENDER_KEY_ROOM], struct buf *why)
{
	struct found old;
	const char *words;

	line->name = p->line.name;
	old = find(f, line);
	if (old.present && (!old.sound || old.line.revoked == 0))
		return refuse(f, why, "there is already a key of this device; revoke it first", NULL);
	if (!from_ok(p->line.grants, o, why)) {
		users_file_abort(f);
		return false;
	}
	if (!make_key(f, line, key, &words))
		return refuse(f, why, words, NULL);
	return finish(f, line, why);
}

bool
users_add_key(const char *file, const char *name, const char *device, const struct users_key_options *options,
    char key[SENDER_KEY_ROOM], struct buf *why)
{
	static const struct users_key_options none;
	const struct users_key_options *o = options == NULL ? &none : options;
	uint8_t list[USERS_GRANTS_MAX + 256];
	struct buf b = BUF_OVER(list);
	struct users_line line = { .kind = USERS_KEY, .device = span_of(device), .created = now_seconds(), .expires = o->expires };
	struct users_file f;
	struct found p;
	bool done;

	key[0] = 0;
	if (!users_device_valid(line.device)) {
		return buf_refuse(why, "a device has letters, digits, . _ - + @ only, at most 64 octets; not", device);
	}
	if (!put_addresses(&b, o->from, o->froms, why))
		return false;
	line.grants = buf_span(&b);
	if (!users_file_begin(&f, file, why) || !want_principal(&f, name, &p, why))
		return false;
	done = add_key(&f, &p, &line, o, key, why);
	if (!done)
		wipe(key, SENDER_KEY_ROOM);
	return done;
}

bool
users_revoke(const char *file, const char *name, const char *device, struct buf *why)
{
	struct users_line wanted = { .kind = device == NULL ? USERS_PRINCIPAL : USERS_KEY, .name = span_of(name),
		.device = span_of(device) };
	struct users_file f;
	struct found found;

	if (!users_file_begin(&f, file, why))
		return false;
	found = find(&f, &wanted);
	if (!found.present)
		return refuse(&f, why, device == NULL ? "there is no principal" : "there is no key of this device",
		    device == NULL ? name : device);
	if (!found.sound)
		return refuse(&f, why, "the line in the users file is damaged (and not in force)", found.why);
	if (found.line.revoked != 0)
		return refuse(&f, why, "it is revoked already", device == NULL ? name : device);
	found.line.revoked = now_seconds();
	return finish(&f, &found.line, why);
}


static const char *
take_settings(struct users_line *line, const struct users_settings *s)
{
	struct span digits = span_of(s->limit);
	int8_t priority;

	if (s->recovery != NULL && line->kind != USERS_PRINCIPAL)
		return "a recovery address belongs to a principal, not to one of its keys";
	if (s->recovery != NULL && s->recovery[0] != 0 && !users_recovery_valid(span_of(s->recovery)))
		return "the recovery address is not one like alice@example.net";
	if (s->limit != NULL && !span_done(digits)
	    && (!span_take_u64(&digits, &line->limit) || !span_done(digits) || line->limit == 0 || line->limit > USERS_LIMIT_MAX))
		return "the limit is recipients a day, 1 to 100000000";
	if (s->priority != NULL && s->priority[0] != 0 && !users_priority_parse(span_of(s->priority), &priority))
		return "the highest priority is -9 to 9 (RFC 6710)";
	if (s->priority != NULL)
		line->priority = span_of(s->priority);
	if (s->limit != NULL && s->limit[0] == 0)
		line->limit = 0;
	if (s->recovery != NULL)
		line->recovery = span_of(s->recovery);
	return NULL;
}

bool
users_set(const char *file, const char *name, const char *device, const struct users_settings *settings, struct buf *why)
{
	struct users_line wanted = { .kind = USERS_KEY, .name = span_of(name), .device = span_of(device) };
	struct users_file f;
	struct found found;
	const char *words;

	if (!users_file_begin(&f, file, why) || !want_principal(&f, name, &found, why))
		return false;
	if (device != NULL) {
		found = find(&f, &wanted);
		if (!found.present || !found.sound || found.line.revoked != 0)
			return refuse(&f, why, "there is no key of this device in force", device);
	}
	words = take_settings(&found.line, settings);
	return words != NULL ? refuse(&f, why, words, NULL) : finish(&f, &found.line, why);
}

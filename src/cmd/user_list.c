#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/json_words.h"
#include "cmd/user.h"
#include "cmd/when.h"
#include "sasl/used.h"
#include "sasl/users.h"

static void
tell_damaged(void *arg, const char *file, uint32_t line, const char *why)
{
	(void)arg;
	(void)fprintf(stderr, "%s:%u: damaged, not in force: %s\n", file, line, why);
}

static const char *
password_kind(const struct user *u)
{
	return u->crypt.len > 0 ? "crypt" : u->verifier.iterations > 0 ? "scram" : NULL;
}

static const char *
key_state(const struct user *u, const struct user_key *k)
{
	if (u->revoked != 0 || k->revoked != 0)
		return "revoked";
	return user_key_expired(k, (uint64_t)time(NULL)) ? "expired" : "in force";
}

/* "alice", or "alice/laptop". */
static const struct used_entry *
last_use(const struct used *used, struct span name, struct span device)
{
	uint8_t login[USERS_NAME_MAX + USERS_DEVICE_MAX + 1];
	struct buf b = BUF_OVER(login);

	if (!buf_put(&b, name) || (device.len > 0 && (!buf_put_byte(&b, '/') || !buf_put(&b, device))))
		return NULL;
	return used_find(used, buf_span(&b));
}

/* ---- for people ---- */

static void
print_use(const struct used_entry *e)
{
	char when[WHEN_ROOM];

	if (e == NULL) {
		(void)printf(", never used");
		return;
	}
	when_format(e->when * 1000, when);
	(void)printf(", last used %s from %s", when, e->peer[0] != 0 ? e->peer : "somewhere");
}

static void
print_key(const struct user *u, const struct user_key *k, const struct used *used)
{
	char created[WHEN_ROOM], expires[WHEN_ROOM];

	when_format(k->created * 1000, created);
	when_format(k->expires * 1000, expires);
	(void)printf("    key %.*s: %s, made %s", (int)k->device.len, (const char *)k->device.p, key_state(u, k), created);
	if (expires[0] != 0)
		(void)printf(", expires %s", expires);
	print_use(last_use(used, u->name, k->device));
	if (k->limit > 0)
		(void)printf(", limit %" PRIu64 " a day", k->limit);
	if (k->ranked)
		(void)printf(", priority up to %d", k->priority);
	if (k->from.len > 0)
		(void)printf(", only as %.*s", (int)k->from.len, (const char *)k->from.p);
	(void)printf("\n");
}

static bool
print_all(const struct users *users, const struct used *used)
{
	for (size_t i = 0; i < users_count(users); i++) {
		const struct user *u = users_at(users, i);
		const char *kind = password_kind(u);

		(void)printf("%.*s%s: %.*s\n", (int)u->name.len, (const char *)u->name.p,
		    u->revoked != 0 ? " (revoked)" : u->imported ? " (passwd-file)" : "", (int)u->grants.len, (const char *)u->grants.p);
		if (u->recovery.len > 0)
			(void)printf("    recovery: %.*s\n", (int)u->recovery.len, (const char *)u->recovery.p);
		if (u->limit > 0)
			(void)printf("    limit: %" PRIu64 " recipients a day\n", u->limit);
		if (u->ranked)
			(void)printf("    priority: %d at most\n", u->priority);
		if (kind != NULL) {
			(void)printf("    password: %s", kind);
			print_use(last_use(used, u->name, (struct span){ NULL, 0 }));
			(void)printf("\n");
		}
		for (const struct user_key *k = users_first_key(users, u); k != NULL; k = users_next_key(users, k))
			print_key(u, k, used);
	}
	return fflush(stdout) == 0;
}

/* ---- for programs ---- */

static json_t *
json_limit(uint64_t limit)
{
	return limit == 0 ? json_null() : json_integer((json_int_t)limit);
}

static json_t *
json_priority(bool ranked, int8_t priority)
{
	return ranked ? json_integer(priority) : json_null();
}

static json_t *
json_list(struct span list)
{
	json_t *array = json_array();
	struct span one;

	while (array != NULL && (one = span_take_word(&list)).len > 0)
		(void)json_array_append_new(array, json_words(one));
	return array;
}

static json_t *
json_key(const struct user *u, const struct user_key *k, const struct used *used)
{
	const struct used_entry *e = last_use(used, u->name, k->device);

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "device", json_words(k->device), "state", key_state(u, k),
	    "from", json_list(k->from), "created", json_when(k->created * 1000), "expires", json_when(k->expires * 1000),
	    "revoked", json_when(k->revoked * 1000), "last_used", json_when(e != NULL ? e->when * 1000 : 0),
	    "last_peer", e != NULL ? json_string(e->peer) : json_null(), "limit", json_limit(k->limit),
	    "priority", json_priority(k->ranked, k->priority));
}

static json_t *
json_user(const struct users *users, const struct user *u, const struct used *used)
{
	const char *kind = password_kind(u);
	const struct used_entry *e = last_use(used, u->name, (struct span){ NULL, 0 });
	json_t *keys = json_array();

	for (const struct user_key *k = users_first_key(users, u); k != NULL; k = users_next_key(users, k))
		(void)json_array_append_new(keys, json_key(u, k, used));
	return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", json_words(u->name), "addresses", json_list(u->grants),
	    "imported", u->imported, "created", json_when(u->created * 1000), "revoked", json_when(u->revoked * 1000),
	    "password", kind != NULL ? json_string(kind) : json_null(), "password_last_used", json_when(e != NULL ? e->when * 1000 : 0),
	    "keys", keys, "recovery", u->recovery.len > 0 ? json_words(u->recovery) : json_null(), "limit", json_limit(u->limit),
	    "priority", json_priority(u->ranked, u->priority));
}

static bool
print_json(const struct users *users, const struct used *used)
{
	json_t *all = json_array();
	bool done;

	for (size_t i = 0; i < users_count(users); i++)
		(void)json_array_append_new(all, json_user(users, users_at(users, i), used));
	done = json_show(all) && printf("\n") > 0 && fflush(stdout) == 0;
	json_decref(all);
	return done;
}

bool
user_list(struct user_command *c, struct buf *why)
{
	const char *unread = c->users_file;
	struct users_source source = { c->users_file, c->settings.conf.passwd_file.p, span_of(c->settings.conf.hostname.p) };
	struct users_trouble trouble = { tell_damaged, NULL, &unread };
	struct users *users = users_load(&source, &trouble);
	char path[CONF_TEXT_MAX + 32];
	struct used *used;
	bool done;

	if (users == NULL)
		return buf_put_text(why, unread) && buf_put_text(why, ": ") && buf_put_text(why, strerror(errno))
		    && buf_terminate(why) && false;
	(void)snprintf(path, sizeof path, "%s/auth/last-used", c->settings.conf.state_dir.p);
	used = used_load(path);
	done = used != NULL && (c->json ? print_json(users, used) : print_all(users, used));
	used_free(used);
	users_free(users);
	return done || (buf_refuse(why, "cannot write the list", NULL));
}

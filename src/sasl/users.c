#include "sasl/users.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sasl/users_store.h"

/* The slot of text, or the free one where it would be: at least half of them are free. */
static struct users_slot *
slot_of(const struct users *u, struct span text)
{
	size_t at = hash_of_folded(text) & (u->slots - 1);

	while (u->slot[at].text.len > 0 && !span_same(u->slot[at].text, text))
		at = (at + 1) & (u->slots - 1);
	return &u->slot[at];
}

static bool
grow_index(struct users *u)
{
	struct users bigger = { .slots = u->slots == 0 ? 64 : u->slots * 2 };

	bigger.slot = calloc(bigger.slots, sizeof *bigger.slot);
	if (bigger.slot == NULL)
		return false;
	for (size_t i = 0; i < u->slots; i++)
		if (u->slot[i].text.len > 0)
			*slot_of(&bigger, u->slot[i].text) = u->slot[i];
	free(u->slot);
	u->slot = bigger.slot;
	u->slots = bigger.slots;
	return true;
}

static struct users_slot *
claim_slot(struct users *u, struct span text, int32_t user)
{
	struct users_slot *slot;

	if (u->used * 2 >= u->slots && !grow_index(u))
		return NULL;
	slot = slot_of(u, text);
	if (slot->text.len == 0) {
		*slot = (struct users_slot){ text, user };
		u->used++;
	}
	return slot;
}

int32_t
users_look_up(const struct users *u, struct span text)
{
	if (u->slots == 0 || text.len == 0)
		return USERS_NONE;
	return slot_of(u, text)->text.len > 0 ? slot_of(u, text)->user : USERS_NONE;
}

struct user *
users_append(struct users *u, struct span name, bool *taken)
{
	struct user *grown;

	*taken = users_look_up(u, name) != USERS_NONE;
	if (*taken)
		return NULL;
	if (u->count == u->room) {
		grown = reallocarray(u->user, u->room * 2 + 16, sizeof *grown);
		if (grown == NULL)
			return NULL;
		u->user = grown;
		u->room = u->room * 2 + 16;
	}
	if (claim_slot(u, name, (int32_t)u->count) == NULL)
		return NULL;
	u->user[u->count] = (struct user){ .name = name, .first_key = USERS_NONE };
	return &u->user[u->count++];
}

bool
users_append_key(struct users *u, struct user *user, const struct user_key *key)
{
	struct user_key *grown;

	if (u->keys == u->keys_room) {
		grown = reallocarray(u->key, u->keys_room * 2 + 16, sizeof *grown);
		if (grown == NULL)
			return false;
		u->key = grown;
		u->keys_room = u->keys_room * 2 + 16;
	}
	u->key[u->keys] = *key;
	u->key[u->keys].next = user->first_key;
	user->first_key = (int32_t)u->keys++;
	return true;
}

/* An address finds its principal when it is no name and belongs to one principal alone. */
bool
users_index_addresses(struct users *u)
{
	struct users_slot *slot;
	struct span grants, address;

	for (size_t i = 0; i < u->count; i++)
		for (grants = u->user[i].grants; (address = span_take_word(&grants)).len > 0;) {
			if (address.p[0] == '@')
				continue;
			slot = claim_slot(u, address, (int32_t)i);
			if (slot == NULL)
				return false;
			if (slot->user != (int32_t)i && (slot->user == USERS_NONE || !span_same(u->user[slot->user].name, address)))
				slot->user = USERS_NONE;
		}
	return true;
}

void
users_free(struct users *u)
{
	if (u == NULL)
		return;
	free(u->user);
	free(u->key);
	free(u->slot);
	for (size_t i = 0; i < sizeof u->text / sizeof u->text[0]; i++)
		free(u->text[i]);
	free(u);
}

size_t
users_count(const struct users *u)
{
	return u->count;
}

const struct user *
users_at(const struct users *u, size_t index)
{
	return &u->user[index];
}

const struct user *
users_named(const struct users *u, struct span name)
{
	int32_t at = users_look_up(u, name);

	return at != USERS_NONE && span_same(u->user[at].name, name) ? &u->user[at] : NULL;
}

const struct user *
users_find(const struct users *u, struct span login, struct span *device)
{
	struct span name = login;
	int32_t at;

	*device = (struct span){ login.p, 0 };
	for (size_t i = login.len; i > 0; i--)
		if (login.p[i - 1] == '/') {
			name = span_head(login, i - 1);
			*device = (struct span){ login.p + i, login.len - i };
			break;
		}
	at = users_look_up(u, name);
	return at == USERS_NONE ? NULL : &u->user[at];
}

const struct user_key *
users_first_key(const struct users *u, const struct user *user)
{
	return user->first_key == USERS_NONE ? NULL : &u->key[user->first_key];
}

const struct user_key *
users_next_key(const struct users *u, const struct user_key *key)
{
	return key->next == USERS_NONE ? NULL : &u->key[key->next];
}

const struct user_key *
users_key(const struct users *u, const struct user *user, struct span device)
{
	for (const struct user_key *k = users_first_key(u, user); k != NULL; k = users_next_key(u, k))
		if (span_same(k->device, device))
			return k;
	return NULL;
}

const struct user_key *
users_key_by_id(const struct users *u, const struct user *user, struct span id)
{
	for (const struct user_key *k = users_first_key(u, user); k != NULL; k = users_next_key(u, k))
		if (span_eq(k->id, id))
			return k;
	return NULL;
}

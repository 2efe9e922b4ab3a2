#include "sasl/used.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "os/replace.h"
#include "sasl/users_store.h"

enum { LINE_MAX_OCTETS = 360 };

static struct used_entry *
entry_of(const struct used *u, struct span login)
{
	size_t at = hash_of(login) & (u->slots - 1);

	while (u->entry[at].login != NULL && !span_eq(span_of(u->entry[at].login), login))
		at = (at + 1) & (u->slots - 1);
	return &u->entry[at];
}

static bool
grow(struct used *u)
{
	struct used bigger = { .slots = u->slots == 0 ? 64 : u->slots * 2 };

	bigger.entry = calloc(bigger.slots, sizeof *bigger.entry);
	if (bigger.entry == NULL)
		return false;
	for (size_t i = 0; i < u->slots; i++)
		if (u->entry[i].login != NULL)
			*entry_of(&bigger, span_of(u->entry[i].login)) = u->entry[i];
	free(u->entry);
	u->entry = bigger.entry;
	u->slots = bigger.slots;
	return true;
}

void
used_note(struct used *u, struct span login, uint64_t when, struct span peer)
{
	struct used_entry *e;

	if (login.len == 0)
		return;
	e = entry_of(u, login);
	if (e->login == NULL) {
		if (u->count * 2 >= u->slots && (u->count >= USED_MAX || !grow(u)))
			return;
		e = entry_of(u, login);
		e->login = strndup((const char *)login.p, login.len);
		if (e->login == NULL)
			return;
		u->count++;
	}
	e->when = when;
	peer = span_head(peer, USED_PEER_MAX);
	memset(e->peer, 0, sizeof e->peer);
	if (peer.len > 0)
		memcpy(e->peer, peer.p, peer.len);
}

const struct used_entry *
used_find(const struct used *u, struct span login)
{
	const struct used_entry *e;

	if (u->slots == 0)
		return NULL;
	e = entry_of(u, login);
	return e->login == NULL ? NULL : e;
}

static void
take_lines(struct used *u, struct span text)
{
	struct span line, login, peer;
	uint64_t when;

	while (!span_done(text)) {
		line = span_take_until(&text, '\n');
		(void)span_take_byte(&text, '\n');
		login = span_take_word(&line);
		if (!span_take_u64(&line, &when))
			continue;
		(void)span_take_spaces(&line);
		peer = span_take_word(&line);
		if (span_done(line))
			used_note(u, login, when, peer);
	}
}

struct used *
used_load(const char *path)
{
	struct used *u = calloc(1, sizeof *u);
	size_t len;
	char *text;

	if (u == NULL || !grow(u)) {
		free(u);
		return NULL;
	}
	text = file_read(path, USERS_FILE_MAX, &len);
	if (text != NULL)
		take_lines(u, (struct span){ (const uint8_t *)text, len });
	free(text);
	return u;
}

void
used_free(struct used *u)
{
	if (u == NULL)
		return;
	for (size_t i = 0; i < u->slots; i++)
		free(u->entry[i].login);
	free(u->entry);
	free(u);
}

char *
used_format(const struct used *u, size_t *len)
{
	struct buf b = { NULL, 0, u->count * LINE_MAX_OCTETS + 1 };

	b.p = malloc(b.max);
	if (b.p == NULL)
		return NULL;
	for (size_t i = 0; i < u->slots; i++) {
		const struct used_entry *e = &u->entry[i];

		if (e->login == NULL)
			continue;
		/* A login is at most 255 octets and a peer 63, so each line fits. */
		(void)(buf_put_text(&b, e->login) && buf_put_byte(&b, ' ') && buf_put_u64(&b, e->when) && buf_put_byte(&b, ' ')
		    && buf_put_text(&b, e->peer) && buf_put_byte(&b, '\n'));
	}
	*len = b.len;
	return (char *)b.p;
}

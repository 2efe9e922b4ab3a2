/*
 * What each principal does (policy/habit.h), by login, and on disk: STATE/auth/habits, with its SHA-256 behind it.
 * A crash loses the last HABITS_MS (3_auth_kept.h).
 *
 *	"postern habits 2\n"  u32 count  { u32 length, login, u32 untold, u32 length, habit_format() } ...  SHA-256 of all that
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/hash.h"
#include "os/replace.h"
#include "proc/3_auth.h"

#define MAGIC "postern habits 2\n"

enum {
	DIGEST = 32, FIRST_SLOTS = 64,
	ENTRY = 12,                     /* octets of an entry beside its login and its habit */
	/* What can be written can be read. */
	FILE_MAX = sizeof MAGIC - 1 + 4 + HABITS_MAX * (ENTRY + SASL_LOGIN_MAX + HABIT_SAVED_MAX) + DIGEST,
};

static const struct span magic = SPAN_INIT(MAGIC);

/* ---- the table ---- */

static struct habit_entry **
slot_of(const struct habits *t, struct span login)
{
	size_t at = hash_of(login) & (t->slots - 1);

	while (t->slot[at] != NULL && !span_eq(span_of(t->slot[at]->login), login))
		at = (at + 1) & (t->slots - 1);
	return &t->slot[at];
}

struct habit_entry *
habits_find(const struct habits *t, struct span login)
{
	return t->slots == 0 ? NULL : *slot_of(t, login);
}

static bool
grow(struct habits *t)
{
	struct habits bigger = { .slots = t->slots == 0 ? FIRST_SLOTS : t->slots * 2 };

	if (t->count * 2 < t->slots)
		return true;
	bigger.slot = calloc(bigger.slots, sizeof bigger.slot[0]);
	if (bigger.slot == NULL)
		return false;
	for (size_t i = 0; i < t->slots; i++)
		if (t->slot[i] != NULL)
			*slot_of(&bigger, span_of(t->slot[i]->login)) = t->slot[i];
	free(t->slot);
	t->slot = bigger.slot;
	t->slots = bigger.slots;
	return true;
}

/* Logins are what the users file has: nobody from outside can fill this. When it is full all the same, the newcomer goes unwatched. */
struct habit_entry *
habits_make(struct habits *t, struct span login)
{
	struct habit_entry *e = habits_find(t, login);

	if (e != NULL)
		return e;
	if (t->count >= HABITS_MAX || login.len > SASL_LOGIN_MAX || !grow(t))
		return NULL;
	e = calloc(1, sizeof *e);
	if (e == NULL)
		return NULL;
	memcpy(e->login, login.p, login.len);
	*slot_of(t, login) = e;
	t->count++;
	return e;
}

/* ---- to octets ---- */

static bool
put_entry(struct buf *b, const struct habit_entry *e)
{
	struct span login = span_of(e->login);
	size_t at;

	if (!u32_append(b, (uint32_t)login.len) || !buf_put(b, login) || !u32_append(b, e->untold) || !u32_append(b, 0))
		return false;
	at = b->len;
	if (!habit_format(&e->habit, b))
		return false;
	u32_put(b->p + at - 4, (uint32_t)(b->len - at));
	return true;
}

static bool
put_digest(struct buf *b)
{
	uint8_t digest[DIGEST];

	return EVP_Digest(b->p, b->len, digest, NULL, EVP_sha256(), NULL) == 1 && buf_put(b, (struct span){ digest, DIGEST });
}

static bool
format(void *arg, struct buf *b)
{
	const struct habits *t = &((struct auth *)arg)->habits;

	*b = (struct buf){ NULL, 0, magic.len + 4 + DIGEST };
	for (size_t i = 0; i < t->slots; i++)
		if (t->slot[i] != NULL)
			b->max += ENTRY + strlen(t->slot[i]->login) + HABIT_SAVED_MAX;
	b->p = malloc(b->max);
	if (b->p == NULL || !buf_put(b, magic) || !u32_append(b, (uint32_t)t->count))
		return false;
	for (size_t i = 0; i < t->slots; i++)
		if (t->slot[i] != NULL && !put_entry(b, t->slot[i]))
			return false;
	return put_digest(b);
}

/* ---- from octets ---- */

static bool
take_u32(struct span *s, uint32_t *value)
{
	if (s->len < 4)
		return false;
	*value = u32_get(s->p);
	span_skip(s, 4);
	return true;
}

static bool
take_piece(struct span *s, struct span *piece)
{
	uint32_t n;

	if (!take_u32(s, &n) || n > s->len)
		return false;
	*piece = span_head(*s, n);
	span_skip(s, n);
	return true;
}

static bool
take_entry(struct habits *t, struct span *s)
{
	struct span login, octets;
	struct habit_entry *e;
	uint32_t untold;

	if (!take_piece(s, &login) || !take_u32(s, &untold) || !take_piece(s, &octets) || login.len == 0 || memchr(login.p, 0, login.len) != NULL)
		return false;
	e = habits_make(t, login);
	if (e == NULL || untold > 1)
		return false;
	e->untold = untold == 1;
	return habit_parse(octets, &e->habit);
}

static bool
digest_fits(struct span text)
{
	uint8_t digest[DIGEST];

	return text.len > DIGEST && EVP_Digest(text.p, text.len - DIGEST, digest, NULL, EVP_sha256(), NULL) == 1
	    && memcmp(digest, text.p + text.len - DIGEST, DIGEST) == 0;
}

static bool
parse(struct habits *t, struct span text)
{
	uint32_t count;

	if (!digest_fits(text))
		return false;
	text.len -= DIGEST;
	if (!span_eq(span_head(text, magic.len), magic))
		return false;
	span_skip(&text, magic.len);
	if (!take_u32(&text, &count))
		return false;
	while (count-- > 0)
		if (!take_entry(t, &text))
			return false;
	return span_done(text);
}

/* ---- the file ---- */

static const struct kept_file file = {
	"habits", "habits", "cannot write what logins usually do; a restart would forget it", "what logins usually do is written again",
	HABITS_MS, format, auth_written,
};

void
habits_touch(struct auth *a)
{
	kept_touch(&a->habits.kept);
}

static void
forget_all(struct habits *t)
{
	for (size_t i = 0; i < t->slots; i++)
		free(t->slot[i]);
	free(t->slot);
	t->slot = NULL;
	t->slots = t->count = 0;
}

static void
load(struct habits *t)
{
	size_t len;
	char *text = file_read(t->kept.path, FILE_MAX, &len);

	if (text == NULL && errno == ENOENT)
		return;
	if (text == NULL || !parse(t, (struct span){ (const uint8_t *)text, len })) {
		forget_all(t);
		kept_set_aside(&t->kept, "habits-damaged",
		    "damaged or of another version: what logins usually do, and who is held or locked, is forgotten");
	}
	free(text);
}

void
habits_open(struct auth *a, const struct conf *conf)
{
	struct habits *t = &a->habits;

	kept_open(&t->kept, a->loop, conf->state_dir.p, &file, a);
	a->handles++;
	load(t);
}

void
habits_free(struct auth *a)
{
	forget_all(&a->habits);
}

/*
 * The ledger of attempts on disk: STATE/auth/attempts, a snapshot that proves itself by a keyed hash (policy/guess.h), the key beside
 * it in attempts.key. A crash loses the last AUTH_LEDGER_MS (3_auth_kept.h).
 */
#include <errno.h>
#include <stdlib.h>

#include "base/secret.h"
#include "os/clock.h"
#include "os/replace.h"
#include "proc/3_auth.h"

enum { FILE_MAX = 16 * 1024 * 1024 };

/* ---- out ---- */

static bool
format(void *arg, struct buf *out)
{
	const struct auth *a = arg;

	out->max = guess_snapshot_size(a->ledger.guess);
	out->p = malloc(out->max);
	return out->p != NULL && guess_format(a->ledger.guess, out);
}

static const struct kept_file file = {
	"attempts", "ledger", "cannot write the ledger of attempts; a restart would forget who has guessed",
	"the ledger of attempts is written again", AUTH_LEDGER_MS, format, auth_written,
};

/* Not every login is a change, and each change a file written. */
void
ledger_touch(struct auth *a)
{
	struct ledger *l = &a->ledger;

	if (l->seen == l->guess->changes)
		return;
	l->seen = l->guess->changes;
	kept_touch(&l->kept);
}

/* ---- in ---- */

static void
load(struct ledger *l)
{
	size_t len;
	char *text = file_read(l->kept.path, FILE_MAX, &len);

	if (text == NULL && errno == ENOENT)
		return;
	if (text == NULL || !guess_parse(l->guess, (struct span){ (const uint8_t *)text, len }, clock_wall()))
		kept_set_aside(&l->kept, "ledger-damaged",
		    "damaged, of another version, or not made here: who has guessed, and who has logged in where, is forgotten");
	free(text);
}

bool
ledger_open(struct auth *a, const struct conf *conf)
{
	struct ledger *l = &a->ledger;
	uint8_t octets[SIPHASH_KEY];
	struct buf key = BUF_OVER(octets);

	l->guess = calloc(1, sizeof *l->guess);
	if (l->guess == NULL)
		return false;
	accounts_keep_key(conf->state_dir.p, "attempts.key", &key, "cannot keep the key of the ledger; a restart would forget who has guessed");
	guess_init(l->guess, octets);
	wipe(octets, sizeof octets);
	kept_open(&l->kept, a->loop, conf->state_dir.p, &file, a);
	a->handles++;
	load(l);
	l->seen = l->guess->changes;
	return true;
}

void
ledger_free(struct auth *a)
{
	free(a->ledger.guess);
}

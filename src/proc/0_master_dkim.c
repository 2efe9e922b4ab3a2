/* The keys that sign mail: read for 2_signer whenever it begins or is told to take them, and kept by nobody else. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "os/log.h"
#include "proc/0_master.h"

/* What waits or is old signs nothing. */
static void
keep_active(struct dkim_store *all)
{
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++)
		if (all->entry[i].phase == DKIM_ACTIVE)
			all->entry[kept++] = all->entry[i];
	all->count = kept;
}

/* No directory is no keys only where nobody has asked for one: a disk that is not mounted must not make mail go unsigned. */
static bool
is_there(const struct conf *conf, bool expected, struct buf *why)
{
	char standard[CONF_TEXT_MAX + 8];

	(void)snprintf(standard, sizeof(standard), "%s/dkim", conf->state_dir.p);
	if (access(conf->dkim_dir.p, F_OK) == 0 || (!expected && strcmp(standard, conf->dkim_dir.p) == 0))
		return true;
	why->len = 0;
	buf_put_text(why, conf->dkim_dir.p);
	buf_put_text(why, ": ");
	buf_put_text(why, strerror(errno));
	buf_put_text(why, "; the keys that sign mail should be there");
	buf_terminate(why);
	return false;
}

/* A key that is listed and cannot be used is an error: left out, its domain's mail would go unsigned without a word. */
bool
dkim_read(const struct conf *conf, bool expected, struct dkim_store *all, struct buf *why)
{
	bool good;

	*all = (struct dkim_store){ NULL, 0 };
	good = is_there(conf, expected, why) && dkim_store_read(conf->dkim_dir.p, all, why);

	if (good)
		keep_active(all);
	for (size_t i = 0; good && i < all->count; i++)
		good = dkim_store_check(conf->dkim_dir.p, &all->entry[i], NULL, why);
	if (!good)
		dkim_store_free(all);
	return good;
}

bool
master_dkim_keys(const struct conf *conf, struct buf *why)
{
	struct dkim_store all;
	bool good = dkim_read(conf, false, &all, why);

	dkim_store_free(&all);
	return good;
}

void
dkim_look(const struct conf *conf, struct file_mark *seen)
{
	char path[CONF_TEXT_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/changed", conf->dkim_dir.p);
	(void)file_look(path, seen);
}

bool
dkim_changed(const struct conf *conf, const struct file_mark *seen)
{
	struct file_mark now;

	dkim_look(conf, &now);
	return file_differs(&now, seen);
}

void
master_send_dkim(struct worker *w)
{
	const struct master *m = w->master;
	static struct dkim_pem pem;
	bool keys = w->role == ROLE_SIGNER;
	struct master_dkim none = { .count = 0 };
	uint8_t words[600];
	struct buf why = BUF_OVER(words);

	if (w->channel == NULL || (!keys && w->role != ROLE_RELAY))
		return;
	for (size_t i = 0; i < m->dkim.count; i++) {
		const struct dkim_entry *e = &m->dkim.entry[i];
		struct master_dkim one = { (uint32_t)i, (uint32_t)m->dkim.count, e->algorithm, span_of(e->domain), span_of(e->selector),
			{ NULL, 0 } };

		/* 2_signer refuses one without a key, and mail of that domain waits. */
		if (keys && !dkim_store_pem(m->conf.dkim_dir.p, e, &pem, &why))
			log_say(LOG_FAULT, "dkim-key", (const char *)words);
		else if (keys)
			one.key = (struct span){ pem.p, pem.len };
		(void)channel_send(w->channel, MASTER_DKIM, 0, master_dkim_layout, &one);
		wipe(pem.p, sizeof(pem.p));
	}
	if (m->dkim.count == 0)
		(void)channel_send(w->channel, MASTER_DKIM, 0, master_dkim_layout, &none);
}

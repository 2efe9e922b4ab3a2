/* What names are looked up by: the resolvers and the hosts file of this machine, which others write. Who reads them has a cage that knows the
 * files of when it began, so what has taken their place is read by one that begins anew. */
#include <stdlib.h>

#include "base/hash.h"
#include "os/log.h"
#include "os/replace.h"
#include "proc/0_master.h"

enum { NAMES_MOST = 1024 * 1024 };      /* octets whose words count; of a bigger file it is the mark */

static const char *const paths[NAME_FILES] = { "/etc/resolv.conf", "/etc/hosts" };

static uint64_t
sum_of(const char *path, const struct file_mark *mark)
{
	size_t len;
	char *text = file_read(path, NAMES_MOST, &len);
	uint64_t sum = text != NULL ? hash_of((struct span){ (const uint8_t *)text, len }) :
	    hash_of((struct span){ (const uint8_t *)mark, sizeof(*mark) });

	free(text);
	return sum;
}

static struct name_file
look(size_t which)
{
	struct name_file f;

	(void)file_look(paths[which], &f.mark);
	f.sum = sum_of(paths[which], &f.mark);
	return f;
}

void
names_look(struct name_file seen[NAME_FILES])
{
	for (size_t i = 0; i < NAME_FILES; i++)
		seen[i] = look(i);
}

bool
names_replaced(const struct name_file seen[NAME_FILES])
{
	struct file_mark now;
	bool replaced = false;

	for (size_t i = 0; i < NAME_FILES; i++) {
		(void)file_look(paths[i], &now);
		replaced = replaced || file_differs(&now, &seen[i].mark);
	}
	return replaced;
}

/* A DHCP client writes the same words again and again; and one that is away or empty is being written. */
static const char *
changed(const struct name_file seen[NAME_FILES])
{
	for (size_t i = 0; i < NAME_FILES; i++) {
		struct name_file now = look(i);

		if (now.mark.size > 0 && now.sum != seen[i].sum)
			return paths[i];
	}
	return NULL;
}

void
master_watch_names(struct master *m)
{
	const char *path = m->conf.dns_server.p[0] == '\0' ? changed(m->names) : NULL;

	if (path == NULL)
		return;
	names_look(m->names);
	log_say(LOG_NOTE, "resolvers-taken", path);
	master_drain_stage(m, STAGE_RELAY);
}

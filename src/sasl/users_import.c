#include <stdlib.h>
#include <time.h>

#include "sasl/passwd.h"
#include "sasl/users_edit.h"
#include "sasl/users_file.h"
#include "os/replace.h"
#include "sasl/users_store.h"

/* Two lines for one entry: who it is, and what proves it. False: they do not fit. */
static bool
put_entry(struct users_file *f, const struct users_import *i, const struct passwd_entry *e)
{
	uint8_t list[USERS_GRANTS_MAX], made[2 * USERS_LINE_MAX];
	struct buf grants = BUF_OVER(list), b = BUF_OVER(made);
	struct users_line principal = { .kind = USERS_PRINCIPAL, .name = e->name, .created = (uint64_t)time(NULL) };
	struct users_line password = { .kind = USERS_PASSWORD, .name = e->name, .crypt = e->crypt, .verifier = e->verifier,
		.created = principal.created };
	struct users_line again;
	const char *why;

	if (!passwd_grants(e->name, i->hostname, ',', &grants))
		return false;
	principal.grants = buf_span(&grants);
	/* Read back: a host name that is none would make a line that is damaged. */
	if (!users_line_format(&principal, &b) || !users_line_parse(span_head(buf_span(&b), b.len - 1), &again, &why))
		return false;
	if (!users_line_format(&password, &b))
		return false;
	users_file_put(f, buf_span(&b));
	return true;
}

static void
take_entry(struct users_file *f, struct users *known, struct users_import *i, struct span text, uint32_t line)
{
	struct passwd_entry e;
	const char *why;
	bool taken = false;

	if (!passwd_parse(text, &e, &why)) {
		i->skipped++;
		i->damaged(i->arg, i->passwd_file, line, why);
	} else if (e.name.len == 0) {
		return;
	} else if (users_append(known, e.name, &taken) == NULL && taken) {
		i->known++;
	} else if (!put_entry(f, i, &e)) {
		i->skipped++;
		i->damaged(i->arg, i->passwd_file, line, "no valid address can be made of the name");
	} else {
		i->taken++;
	}
}

/* Every name that the file already speaks of, damaged lines included. */
static void
know_names(struct users *known, struct span text)
{
	struct users_line head;
	bool taken;

	while (!span_done(text)) {
		users_line_head(span_take_until(&text, '\n'), &head);
		(void)span_take_byte(&text, '\n');
		if (head.kind == USERS_PRINCIPAL)
			(void)users_append(known, head.name, &taken);
	}
}

static void
take_all(struct users_file *f, struct users_import *i, struct users *known, struct span entries)
{
	uint32_t number = 0;

	know_names(known, users_file_lines(f));
	users_file_put(f, users_file_lines(f));
	users_file_put_remnant(f);
	while (!span_done(entries)) {
		struct span line = span_take_until(&entries, '\n');

		(void)span_take_byte(&entries, '\n');
		take_entry(f, known, i, line, ++number);
	}
}

bool
users_import(const char *file, struct users_import *i, struct buf *why)
{
	struct users *known = calloc(1, sizeof *known);
	struct users_file f;
	size_t len = 0;
	char *entries = file_read(i->passwd_file, USERS_FILE_MAX, &len);
	bool done = false;

	i->taken = i->known = i->skipped = 0;
	if (entries == NULL || known == NULL) {
		(void)buf_refuse(why, "cannot read the passwd-file", i->passwd_file);
	} else if (users_file_begin(&f, file, why)) {
		take_all(&f, i, known, (struct span){ (const uint8_t *)entries, len });
		done = users_file_commit(&f, why);
	}
	users_free(known);
	free(entries);
	return done;
}

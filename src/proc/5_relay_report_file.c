/*
 * STATE/relay/tls-reports: for each day that is not done with
 *
 *	2026-11-22              what was counted (policy/tlsrpt_store.c), replaced whole
 *	2026-11-22.settled      after its end, one line each, appended: "begun MS DOMAIN", "settled DOMAIN"
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/log.h"
#include "os/replace.h"
#include "proc/5_relay_report.h"

enum { PATH_ROOM = CONF_TEXT_MAX + 64 };

static bool
path_of(const char *state_dir, uint32_t day, const char *tail, char *path, size_t room)
{
	char date[TLSRPT_DATE + 1];
	int n;

	tlsrpt_date(day, date);
	n = snprintf(path, room, "%s/relay/tls-reports/%s%s", state_dir, date, tail);
	return n > 0 && (size_t)n < room;
}

/* Who cannot make it will not be able to write into it either, and says so then. */
static void
folder_make(const char *state_dir, const char *name)
{
	char path[PATH_ROOM];
	int n = snprintf(path, sizeof path, "%s/%s", state_dir, name);

	if (n > 0 && (size_t)n < sizeof path)
		(void)mkdir(path, 0700);
}

bool
report_file_names(const char *state_dir, uint32_t day, char *path, char *fresh, size_t room)
{
	folder_make(state_dir, "relay");
	folder_make(state_dir, "relay/tls-reports");
	return path_of(state_dir, day, "", path, room) && path_of(state_dir, day, ".new", fresh, room);
}

/* ---- reading ---- */

static void
drop_damaged(const char *path)
{
	struct log_line l;

	log_begin(&l, LOG_WARN, "tls-reports-damaged");
	log_text(&l, "file", path);
	log_text(&l, "why", "it is not whole, or was not made here; that day's counts are forgotten, and the file is removed");
	log_end(&l);
	(void)unlink(path);
}

bool
report_file_there(const char *state_dir, uint32_t day)
{
	char path[PATH_ROOM];

	return path_of(state_dir, day, "", path, sizeof path) && access(path, R_OK) == 0;
}

bool
report_file_read(const char *state_dir, struct tlsrpt *t)
{
	char path[PATH_ROOM], *text;
	size_t len;
	bool good;

	if (!path_of(state_dir, t->day, "", path, sizeof path))
		return false;
	text = file_read(path, RELAY_REPORT_FILE_MAX, &len);
	if (text == NULL && errno == ENOENT)
		return false;
	good = text != NULL && tlsrpt_parse(t, (struct span){ (const uint8_t *)text, len });
	if (!good)
		drop_damaged(path);
	free(text);
	return good;
}

/* ---- what is settled ---- */

static void
take_line(struct report_day *d, struct span line)
{
	uint64_t when = 0;
	bool begun = span_take(&line, SPAN("begun "));
	uint32_t domain;

	if (begun ? !span_take_u64(&line, &when) || !span_take_byte(&line, ' ') : !span_take(&line, SPAN("settled ")))
		return;
	domain = tlsrpt_find(d->table, line);
	if (domain == TLSRPT_NOTHING || d->report[domain].step == REPORT_SETTLED)
		return;
	if (begun) {
		d->report[domain].first = when;
		return;
	}
	d->report[domain].step = REPORT_SETTLED;
	d->left--;
}

void
report_settled_read(const char *state_dir, struct report_day *d)
{
	char path[PATH_ROOM], *text = NULL;
	struct span rest;
	size_t len = 0;

	if (path_of(state_dir, d->table->day, ".settled", path, sizeof path))
		text = file_read(path, RELAY_REPORT_FILE_MAX, &len);
	if (text == NULL)
		return;
	rest = (struct span){ (const uint8_t *)text, len };
	while (!span_done(rest)) {
		struct span line = span_take_until(&rest, '\n');

		/* A line that a crash cut has settled nothing. */
		if (span_take_byte(&rest, '\n'))
			take_line(d, line);
	}
	free(text);
}

/* The state as it is now. A write that fails costs at most a second report with the same id. */
void
report_settled_write(const char *state_dir, const struct report_day *d, uint32_t domain)
{
	struct span name = tlsrpt_text(d->table, d->table->domain[domain].name);
	const struct report_state *s = &d->report[domain];
	char path[PATH_ROOM], line[TLSRPT_NAME_MAX + 64];
	int n, fd = -1;

	if (s->step == REPORT_SETTLED)
		n = snprintf(line, sizeof line, "settled %.*s\n", (int)name.len, (const char *)name.p);
	else
		n = snprintf(line, sizeof line, "begun %llu %.*s\n", (unsigned long long)s->first, (int)name.len, (const char *)name.p);
	if (path_of(state_dir, d->table->day, ".settled", path, sizeof path))
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1 || write(fd, line, (size_t)n) != n)
		log_fail("tls-reports", "cannot note which report is sent; after a restart it would be sent again", errno);
	if (fd != -1)
		(void)close(fd);
}

/* ---- the end ---- */

void
report_files_remove(const char *state_dir, uint32_t day)
{
	char path[PATH_ROOM];

	/* In this order: who is killed in between sends nothing twice. */
	if (path_of(state_dir, day, "", path, sizeof path))
		(void)unlink(path);
	if (path_of(state_dir, day, ".settled", path, sizeof path))
		(void)unlink(path);
}

static void
log_dropped(const char *date)
{
	struct log_line l;

	log_begin(&l, LOG_WARN, "tls-reports-dropped");
	log_text(&l, "day", date);
	log_text(&l, "why", "it is too long over: what was counted is not reported any more");
	log_end(&l);
}

static bool
is_before(const char *name, const char *date)
{
	for (size_t i = 0; i < TLSRPT_DATE; i++)
		if (name[i] == 0 || (i == 4 || i == 7 ? name[i] != '-' : !ascii_is_digit((uint8_t)name[i])))
			return false;
	return memcmp(name, date, TLSRPT_DATE) < 0;
}

void
report_files_sweep(const char *state_dir, uint32_t day)
{
	char path[PATH_ROOM], date[TLSRPT_DATE + 1];
	const struct dirent *e;
	DIR *directory;

	tlsrpt_date(day, date);
	(void)snprintf(path, sizeof path, "%s/relay/tls-reports", state_dir);
	directory = opendir(path);
	while (directory != NULL && (e = readdir(directory)) != NULL) {
		if (!is_before(e->d_name, date) || unlinkat(dirfd(directory), e->d_name, 0) != 0)
			continue;
		if (strlen(e->d_name) == TLSRPT_DATE)
			log_dropped(e->d_name);
	}
	if (directory != NULL)
		(void)closedir(directory);
}

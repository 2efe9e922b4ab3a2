/*
 * --watch: what has changed since the last time. The file holds the transcripts of then, so that both times are judged by the same rules, and a
 * new version of the checks is no change of the server's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/audit.h"
#include "os/replace.h"

enum { SEEN_MAX = 4096 /* findings of one target that are compared */, FRESH_MAX = 4096 };

struct seen {
	struct span address, evidence;
	uint16_t port;
	const struct check *check;
};

struct sight {
	struct seen seen[SEEN_MAX];
	size_t count;
	uint8_t evidence[SEEN_MAX * 64];
};

/* ---- the file ---- */

static struct span
name_of(struct span text)
{
	struct transcript t;

	return transcript_open(&t, text) ? t.name : SPAN("");
}

/* The one of then for this target; empty when there is none. */
static struct span
find(struct span all, struct span name)
{
	struct span one;

	while (transcript_take(&all, &one))
		if (span_eq(name_of(one), name))
			return one;
	return SPAN("");
}

static bool
name_fresh(const char *file, char fresh[FRESH_MAX])
{
	errno = ENAMETOOLONG;
	return snprintf(fresh, FRESH_MAX, "%s.new", file) < FRESH_MAX;
}

/* Better known before hours of examining than behind them. */
static bool
can_be_replaced(const char *file)
{
	char fresh[FRESH_MAX];
	int fd = name_fresh(file, fresh) ? open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

	if (fd == -1)
		return false;
	(void)close(fd);
	return unlink(fresh) == 0;
}

bool
audit_watch_open(struct audit_watch *w, const char *file)
{
	size_t len = 0;

	*w = (struct audit_watch){ .file = file };
	w->text = file_read(file, AUDIT_WATCH_MAX, &len);
	w->before = (struct span){ (const uint8_t *)w->text, w->text != NULL ? len : 0 };
	w->now = (struct buf){ malloc(AUDIT_WATCH_MAX), 0, AUDIT_WATCH_MAX };
	return w->now.p != NULL && (w->text != NULL || errno == ENOENT) && can_be_replaced(file);
}

/* ---- what is different ---- */

static void
on_finding(void *arg, const struct finding *f)
{
	struct sight *s = arg;
	size_t n = f->evidence.len < 64 ? f->evidence.len : 64;
	uint8_t *kept = s->evidence + s->count * 64;

	if (s->count == SEEN_MAX || f->check->severity == SEVERITY_GOOD)
		return;
	if (n > 0)
		memcpy(kept, f->evidence.p, n);
	s->seen[s->count++] = (struct seen){ f->section->address, { kept, n }, f->section->port, f->check };
}

static bool
has(const struct sight *s, const struct seen *one)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->seen[i].check == one->check && s->seen[i].port == one->port && span_eq(s->seen[i].address, one->address))
			return true;
	return false;
}

/* An end that comes nearer is told each time. */
static bool
is_ending(const struct check *c)
{
	return strcmp(c->id, "cert-ends-soon") == 0 || strcmp(c->id, "cert-ends-in-weeks") == 0 || strcmp(c->id, "cert-expired") == 0;
}

static void
tell(const char *mark, const struct seen *s)
{
	(void)printf("  %s %-9s %.*s port %u: %s  [%s]\n             seen  %.*s\n", mark, severity_name(s->check->severity), (int)s->address.len,
	    (const char *)s->address.p, s->port, s->check->title, s->check->id, (int)s->evidence.len, (const char *)s->evidence.p);
}

static size_t
tell_changes(const struct sight *before, const struct sight *now, bool first)
{
	size_t told = 0;

	for (size_t i = 0; i < now->count; i++)
		if (first || !has(before, &now->seen[i]) || is_ending(now->seen[i].check)) {
			tell(first ? " " : has(before, &now->seen[i]) ? "!" : "+", &now->seen[i]);
			told++;
		}
	for (size_t i = 0; i < before->count; i++)
		if (!has(now, &before->seen[i])) {
			tell("-", &before->seen[i]);
			told++;
		}
	return told;
}

/* All of it: what was not looked at has not gone. */
static bool
was_examined(struct span text)
{
	struct transcript t;
	struct section s;
	bool examined = false;

	if (!transcript_open(&t, text))
		return false;
	while (transcript_next(&t, &s)) {
		examined = examined || section_has(&s, "connect", "ok");
		if (section_count(&s, "unexamined") > 0)
			return false;
	}
	return examined;
}

void
audit_watch_take(struct audit_watch *w, struct span text)
{
	static struct sight before, now;
	struct span name = name_of(text), old = find(w->before, name);

	before.count = now.count = 0;
	(void)audit_judge(old, on_finding, &before);
	(void)audit_judge(text, on_finding, &now);
	(void)printf("%.*s: ", (int)name.len, (const char *)name.p);
	if (!was_examined(text)) {
		(void)printf("could not be examined as a whole; what was known of it is kept\n");
		w->full |= !buf_put(&w->now, old);
		return;
	}
	(void)printf("%s\n", span_done(old) ? "seen for the first time" : "compared with the last time");
	if (tell_changes(&before, &now, span_done(old)) == 0)
		(void)printf("    nothing has changed\n");
	w->full |= !buf_put(&w->now, text);
}

/* Who was not asked for this time stays as he was. */
bool
audit_watch_close(struct audit_watch *w)
{
	struct span all = w->before, one, mine = buf_span(&w->now);
	char fresh[FRESH_MAX];
	bool kept;

	while (transcript_take(&all, &one))
		if (span_done(find(mine, name_of(one))))
			w->full |= !buf_put(&w->now, one);
	kept = !w->full && name_fresh(w->file, fresh) && file_replace(w->file, fresh, buf_span(&w->now));
	free(w->text);
	free(w->now.p);
	return kept;
}

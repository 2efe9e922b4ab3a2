#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/log.h"
#include "spool/draft.h"
#include "spool/plan.h"

static void
message_settled(struct spool *s, const struct ticket *t, enum fail fail)
{
	if (fail == OK) {
		s->index.entry[t->index].flags &= (uint8_t)~ENTRY_PENDING;
		if (!spool_is_held(s, t->index))
			plan_or_mark(s, t->index, s->index.entry[t->index].arrival);
	} else {
		once_forget(&s->once, s->index.entry[t->index].once, t->id);
		spool_forget(s, t->index);
	}
	s->handler->committed(s->arg, t->arg, t->id, t->index, fail);
}

static void
ticket_settled(void *arg, const struct ticket *t, enum fail fail)
{
	struct spool *s = arg;

	if (t->kind == TICKET_MESSAGE)
		message_settled(s, t, fail);
	else
		copy_settled(s, t, fail);
}

static void
segment_gone(void *arg, uint64_t number)
{
	struct spool *s = arg;

	s->handler->gone(s->arg, number);
}

static const struct journal_handler journal_handler = { ticket_settled, segment_gone };

static bool
open_directory(struct spool *s)
{
	if (mkdir(s->conf.directory, 0700) == -1 && errno != EEXIST)
		return false;
	s->dirfd = open(s->conf.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->dirfd != -1 && s->conf.disk->fsync(s->conf.disk->arg, s->dirfd) == 0;
}

bool
spool_open(struct spool *s, const struct spool_conf *conf, const struct spool_handler *handler, void *arg, uint64_t now)
{
	*s = (struct spool){ .conf = *conf, .handler = handler, .arg = arg, .dirfd = -1 };
	s->copy.slot = INDEX_NONE;
	if (getrandom(&s->chance, sizeof s->chance, 0) != sizeof s->chance)
		s->chance = (uint32_t)now;
	if (!open_directory(s)) {
		log_fail("spool", conf->directory, errno);
		if (s->dirfd != -1)
			(void)close(s->dirfd);
		return false;
	}
	journal_init(&s->journal, conf->disk, s->dirfd, conf->segment_size, &journal_handler, s);
	if (conf->history)
		journal_follow(&s->journal, 0, UINT64_MAX);
	if (!once_init(&s->once, &s->journal, conf->duplicate_window) || !index_init(&s->index) || !plan_init(s) || !recover(s, now)) {
		spool_close(s);
		return false;
	}
	(void)spool_look(s);
	journal_reap(&s->journal);
	return true;
}

void
spool_close(struct spool *s)
{
	draft_spares_free(s);
	plan_fini(s);
	release_fini(s);
	index_fini(&s->index);
	once_fini(&s->once);
	journal_fini(&s->journal);
	free(s->scratch.p);
	free(s->lost);
	free(s->unkept);
	free(s->copy.extents.p);
	free(s->copy.rcpts.p);
	(void)close(s->dirfd);
}

void
spool_configure(struct spool *s, const struct schedule_conf *conf, uint64_t duplicate_window)
{
	once_configure(&s->once, duplicate_window);
	s->conf.schedule = *conf;
	schedule_configure(&s->schedule, conf);
}

bool
spool_look(struct spool *s)
{
	uint64_t free_now = s->conf.disk->room(s->conf.disk->arg, s->dirfd);
	uint64_t enough = s->low ? s->conf.free_min + s->conf.free_min / 16 : s->conf.free_min;
	bool was_low = s->low;

	s->low = free_now < enough;
	s->room = free_now < s->conf.free_min ? 0 : free_now - s->conf.free_min;
	s->copy.rested = 0;
	return s->low != was_low;
}

enum fail
spool_state(const struct spool *s)
{
	if (s->journal.state != OK)
		return s->journal.state;
	return s->low ? FAIL_DISK_FULL : OK;
}

static void
log_trouble(enum fail f, const struct batch *b)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, f == FAIL_DOUBT ? "spool-in-doubt" : "disk-full");
	log_text(&l, "what", b->call);
	log_errno(&l, b->error);
	log_text(&l, "do", f == FAIL_DOUBT ? "see to the disk, then restart Postern: until then nothing is taken or tried"
	    : "make room; it goes on by itself");
	log_end(&l);
}

enum fail
spool_settle(struct spool *s)
{
	const struct batch *b = s->journal.write;
	enum fail f = b->fail;

	/* Before the batch is cleared: what failed, said once. */
	if (f != OK && s->journal.state == OK) {
		s->refusals++;
		copy_stop(s);
		log_trouble(f, b);
	}
	return journal_end(&s->journal);
}

void
spool_tidy(struct spool *s)
{
	if (s->journal.state != OK)
		return;
	journal_reap(&s->journal);
	if (s->journal.gather->mem.len < SPOOL_COPY_STEP)
		copy_step(s);
}

/* The half of the journal that blocks. It touches the batch, the descriptors of its segments and dir_dirty, nothing else. */
#include <errno.h>
#include <unistd.h>

#include "spool/journal.h"

enum {
	FILL = 1024 * 1024,      /* octets of zeros ahead of the records: some two hundred small mails */
	FILL_FOR = 64 * 1024,   /* a bigger batch gains nothing: its own octets cost more than the file system's journal */
};

/* Never written: all of it is one page of the kernel's. */
static uint8_t zeros[FILL];

/* Full disks and tables end by themselves; everything else means that nobody knows what is on the disk. */
static enum fail
blame(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return FAIL_DISK_FULL;
	default:
		return FAIL_DOUBT;
	}
}

static bool
batch_failed(struct batch *b, enum fail fail, const char *call)
{
	b->fail = fail;
	b->error = errno;
	b->call = call;
	return false;
}

static bool
sync_segment(struct batch *b, const struct segment *s)
{
	const struct disk *disk = b->journal->disk;

	if (s == NULL || s->fd == -1 || disk->fdatasync(disk->arg, s->fd) == 0)
		return true;
	/* After a sync that failed the kernel may have thrown the pages away: asking again would say yes and lie. */
	return batch_failed(b, FAIL_DOUBT, "fdatasync");
}

static bool
open_segment(struct batch *b, struct segment *s)
{
	const struct disk *disk = b->journal->disk;
	char name[SEGMENT_NAME];

	segment_name(s->number, name);
	s->fd = disk->open(disk->arg, b->journal->dirfd, name);
	if (s->fd == -1)
		return batch_failed(b, blame(errno), "open");
	b->journal->dir_dirty = true;
	return true;
}

/* A sync of octets that the file already had needs no commit of the file system's journal, and takes half the time. That
 * there is no room to fill is no failure: nothing was promised. */
static void
fill_ahead(const struct batch *b, const struct part *part)
{
	const struct disk *disk = b->journal->disk;
	struct segment *s = part->segment;
	uint64_t end = part->offset + part->len;
	ssize_t n;

	if (end <= s->filled)
		return;
	s->filled = end;
	if (!b->sync || b->mem.len > FILL_FOR)
		return;
	n = disk->pwrite(disk->arg, s->fd, zeros, sizeof zeros, (off_t)end);
	if (n > 0)
		s->filled += (uint64_t)n;
}

static bool
write_part(struct batch *b, const struct part *part)
{
	const struct disk *disk = b->journal->disk;
	size_t done = 0;

	/* Not only before the open: a batch that was taken back has written its part of the segment before anew. */
	if (!sync_segment(b, part->before) || (part->segment->fd == -1 && !open_segment(b, part->segment)))
		return false;
	while (done < part->len) {
		ssize_t n = disk->pwrite(disk->arg, part->segment->fd, b->mem.p + part->from + done, part->len - done,
		    (off_t)(part->offset + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return batch_failed(b, n == 0 ? FAIL_DISK_FULL : blame(errno), "pwrite");
	}
	fill_ahead(b, part);
	return true;
}

/* Cut every file back to where this batch began, so that no restart finds what the client was told we do not have. */
static void
take_back(struct batch *b)
{
	const struct disk *disk = b->journal->disk;

	for (size_t i = b->parts; i > 0; i--) {
		const struct part *part = &b->part[i - 1];

		if (part->segment->fd == -1)
			continue;
		if (disk->truncate(disk->arg, part->segment->fd, (off_t)part->offset) == -1) {
			(void)batch_failed(b, FAIL_DOUBT, "ftruncate");
			return;
		}
		part->segment->filled = part->offset;
	}
}

static bool
sync_batch(struct batch *b)
{
	const struct disk *disk = b->journal->disk;

	if (!b->sync)
		return true;
	if (!sync_segment(b, b->parts > 0 ? b->part[b->parts - 1].segment : b->sync_also))
		return false;
	if (b->journal->dir_dirty && disk->fsync(disk->arg, b->journal->dirfd) == -1)
		return batch_failed(b, FAIL_DOUBT, "fsync");
	b->journal->dir_dirty = false;
	return true;
}

/* One at a time, each made to stay before the next: docs/spool.md, Removing. */
static bool
unlink_segments(struct batch *b)
{
	const struct disk *disk = b->journal->disk;
	char name[SEGMENT_NAME];

	for (size_t i = 0; i < b->unlinks; i++) {
		segment_name(b->unlink[i], name);
		if (disk->unlink(disk->arg, b->journal->dirfd, name) == -1 && errno != ENOENT)
			return batch_failed(b, FAIL_DOUBT, "unlink");
		if (disk->fsync(disk->arg, b->journal->dirfd) == -1)
			return batch_failed(b, FAIL_DOUBT, "fsync");
	}
	b->unlinks = 0;
	return true;
}

void
batch_run(struct batch *b)
{
	b->fail = OK;
	for (size_t i = 0; i < b->parts; i++)
		if (!write_part(b, &b->part[i])) {
			if (b->fail == FAIL_DISK_FULL)
				take_back(b);
			return;
		}
	if (sync_batch(b))
		(void)unlink_segments(b);
}

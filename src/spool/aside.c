#include "spool/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/log.h"
#include "os/replace.h"

enum { PIECE = 65536, NAME = 80 };

/* What is not whole must not be taken for what was kept: a copy gets its name when it is on the disk. */
static const char unfinished[] = "damaged/unfinished";

/* A file for a copy that will have this name. -1: there will be none; kept: because it is there already. */
static int
aside_open(struct spool *s, const char *name, bool *kept)
{
	*kept = faccessat(s->dirfd, name, F_OK, 0) == 0;
	if (*kept || (mkdirat(s->dirfd, "damaged", 0700) == -1 && errno != EEXIST))
		return -1;
	return openat(s->dirfd, unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Octets that the disk will not read are left out as zeros of the same number. */
static bool
copy_range(int in, uint64_t from, uint64_t to, int out)
{
	static uint8_t piece[PIECE];

	while (from < to) {
		size_t want = to - from < PIECE ? (size_t)(to - from) : PIECE;
		ssize_t got = pread(in, piece, want, (off_t)from);

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0) {
			for (size_t i = 0; i < want; i++)
				piece[i] = 0;
			got = (ssize_t)want;
		}
		if (!file_write(out, (struct span){ piece, (size_t)got }))
			return false;
		from += (uint64_t)got;
	}
	return true;
}

static bool
all_zero(int fd, uint64_t from, uint64_t to)
{
	static uint8_t piece[PIECE];

	while (from < to) {
		ssize_t got = pread(fd, piece, to - from < PIECE ? (size_t)(to - from) : PIECE, (off_t)from);

		if (got <= 0)
			return false;
		for (ssize_t i = 0; i < got; i++)
			if (piece[i] != 0)
				return false;
		from += (uint64_t)got;
	}
	return true;
}

static bool
sync_directory(const struct spool *s)
{
	int fd = openat(s->dirfd, "damaged", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd != -1 && fsync(fd) == 0;

	if (fd != -1)
		(void)close(fd);
	return good && fsync(s->dirfd) == 0;
}

static bool
aside_close(struct spool *s, int out, const char *name, bool good)
{
	good = good && fsync(out) == 0 && renameat(s->dirfd, unfinished, s->dirfd, name) == 0;
	(void)close(out);
	if (!good)
		(void)unlinkat(s->dirfd, unfinished, 0);
	return good && sync_directory(s);
}

bool
aside_range(struct spool *s, int fd, const struct unkept *u, bool quiet)
{
	char name[NAME];
	struct log_line l;
	bool kept = true, zero = all_zero(fd, u->from, u->to);
	int out;

	(void)snprintf(name, sizeof name, "damaged/%016llx-%016llx.bin", (unsigned long long)u->segment,
	    (unsigned long long)u->from);
	if (!zero && (out = aside_open(s, name, &kept)) != -1)
		kept = aside_close(s, out, name, copy_range(fd, u->from, u->to, out));
	if (!kept && quiet)
		return false;
	log_begin(&l, LOG_WARN, "damaged");
	log_u64(&l, "segment", u->segment);
	log_u64(&l, "offset", u->from);
	log_u64(&l, "octets", u->to - u->from);
	log_text(&l, "file", zero ? "none, all zeros" : kept ? name : "could not be written; it is tried again");
	log_end(&l);
	return kept;
}

static bool
copy_extents(struct spool *s, struct span extents, int out)
{
	struct extent e;

	while (extent_take(&extents, &e)) {
		struct segment *segment = journal_segment(&s->journal, e.segment);

		if (segment != NULL && journal_reader(&s->journal, segment) != -1
		    && !copy_range(segment->reader, e.offset, e.offset + e.octets, out))
			return false;
	}
	return true;
}

/* What there is of the message's record and of extents, in a file of its own whose name is written. gone: is it kept when there is no
 * record to read? */
static bool
aside_copy(struct spool *s, const struct entry *e, struct span extents, bool gone, char name[NAME])
{
	struct segment *segment = journal_segment(&s->journal, PLACE_SEGMENT(e->place));
	uint64_t from = PLACE_OFFSET(e->place);
	bool good = gone, kept;
	int out;

	(void)snprintf(name, NAME, "damaged/message-%016llx.bin", (unsigned long long)e->id);
	out = aside_open(s, name, &kept);
	if (out == -1)
		return kept;
	if (segment != NULL && journal_reader(&s->journal, segment) != -1)
		good = copy_range(segment->reader, from, from + record_octets(e->length), out) && copy_extents(s, extents, out);
	return aside_close(s, out, name, good);
}

bool
aside_message(struct spool *s, uint32_t slot, const struct message_record *m, bool quiet)
{
	struct log_line l;
	char name[NAME];
	bool kept = aside_copy(s, &s->index.entry[slot], m->extents, false, name);

	if (!kept && quiet)
		return false;
	log_begin(&l, LOG_FAULT, "lost");
	log_id(&l, "id", m->id);
	log_span(&l, "from", m->reverse_path);
	log_span(&l, "login", m->login);
	log_u64(&l, "rcpts", m->rcpts);
	log_u64(&l, "size", m->size);
	log_text(&l, "file", kept ? name : "could not be written; it is tried again");
	log_text(&l, "why", "part of its content is damaged");
	log_end(&l);
	return kept;
}

bool
aside_record(struct spool *s, uint32_t slot, bool quiet)
{
	const struct entry *e = &s->index.entry[slot];
	struct log_line l;
	char name[NAME];
	bool kept = aside_copy(s, e, (struct span){ NULL, 0 }, true, name);

	if (!kept && quiet)
		return false;
	log_begin(&l, LOG_FAULT, kept ? "lost" : "unreadable");
	log_id(&l, "id", e->id);
	log_u64(&l, "rcpts", e->rcpts);
	log_u64(&l, "size", e->size);
	log_text(&l, "file", kept ? name : "could not be written; it is tried again");
	log_text(&l, "why", "its record cannot be read any more, so nobody was written to");
	log_text(&l, "do", "ask its sender to send it again; event=accepted of this id has named him");
	log_end(&l);
	return kept;
}

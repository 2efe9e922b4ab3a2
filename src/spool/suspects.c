#include "spool/suspects.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/log.h"

enum { WINDOW = 256 * 1024, FILE_NAME = 64 };

/* ---- who may be lost ---- */
static void
add(struct suspects *s, const struct suspect *one)
{
	size_t more = s->max == 0 ? 16 : s->max * 2;
	struct suspect *bigger;

	for (size_t i = 0; i < s->count; i++)
		if (s->one[i].id == one->id) {
			s->one[i] = *one;
			return;
		}
	if (s->count == s->max) {
		bigger = more <= SUSPECTS_MOST ? reallocarray(s->one, more, sizeof *bigger) : NULL;
		if (bigger == NULL)
			return;
		s->one = bigger;
		s->max = more;
	}
	s->one[s->count++] = *one;
}

void
suspects_clear(struct suspects *s, uint64_t id)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->one[i].id == id)
			s->one[i--] = s->one[--s->count];
}

/* The head of a MESSAGE at p; how far behind it the next record would begin, 0: there is none here. */
static uint64_t
take_head(struct span p, uint64_t salt, uint64_t *id)
{
	struct record_header h;

	*id = 0;
	if (!record_header_parse(p, &h) || h.salt != salt)
		return 0;
	if (h.kind == RECORD_MESSAGE && p.len >= RECORD_HEADER + sizeof *id && h.length >= sizeof *id)
		*id = u64_get(p.p + RECORD_HEADER);
	return record_octets(h.length);
}

void
suspects_look(struct suspects *s, int fd, const struct suspect *damage, uint64_t to, uint64_t salt, uint64_t named)
{
	static uint8_t window[WINDOW + RECORD_HEADER + 8];
	struct suspect one = *damage;

	if (named != 0) {
		one.id = named;
		add(s, &one);
	}
	for (uint64_t at = damage->from; salt != 0 && at < to;) {
		size_t n = disk_read(fd, window, to - at < sizeof window ? (size_t)(to - at) : sizeof window, at), i = 0;

		while (i < WINDOW && i + RECORD_HEADER <= n) {
			uint64_t next = take_head((struct span){ window + i, n - i }, salt, &one.id);

			one.at = at + i;
			if (one.id != 0)
				add(s, &one);
			i += next > 0 && next <= WINDOW ? (size_t)next : RECORD_ALIGN;
		}
		/* What cannot be read is passed over. */
		at += i > 0 ? i : WINDOW;
	}
}

/* ---- the end ---- */
/* The envelope as it can still be read; p holds it. */
static bool
read_envelope(struct spool *s, const struct suspect *one, uint8_t *p, size_t max, struct message_record *m)
{
	struct segment *segment = journal_segment(&s->journal, one->segment);
	struct record_header h;
	size_t n, content_at;

	if (one->at == 0 || segment == NULL || journal_reader(&s->journal, segment) == -1)
		return false;
	n = disk_read(segment->reader, p, max, one->at);
	if (!record_header_parse((struct span){ p, n }, &h))
		return false;
	if (n > RECORD_HEADER + h.length)
		n = RECORD_HEADER + h.length;
	return message_head_parse((struct span){ p + RECORD_HEADER, n - RECORD_HEADER }, m, &content_at) && m->id == one->id;
}

static void
tell_one(struct spool *s, const struct suspect *one)
{
	static uint8_t window[WINDOW];
	struct message_record m;
	char file[FILE_NAME];
	struct log_line l;

	(void)snprintf(file, sizeof file, "damaged/%016llx-%016llx.bin", (unsigned long long)one->segment, (unsigned long long)one->from);
	log_begin(&l, LOG_FAULT, "lost");
	log_id(&l, "id", one->id);
	if (read_envelope(s, one, window, sizeof window, &m)) {
		log_span(&l, "from", m.reverse_path);
		log_span(&l, "login", m.login);
		log_u64(&l, "rcpts", m.rcpts);
		log_u64(&l, "size", m.size);
	}
	log_text(&l, "file", file);
	log_text(&l, "why", "its record is damaged, what is said here of its sender perhaps too, so nobody was written to");
	log_text(&l, "do", "ask its sender to send it again; event=accepted of this id has named him");
	log_end(&l);
}

void
suspects_tell(struct suspects *s, struct spool *spool, uint64_t now)
{
	for (size_t i = 0; i < s->count; i++) {
		uint64_t id = s->one[i].id;

		if (index_find(&spool->index, id) != INDEX_NONE)
			continue;
		tell_one(spool, &s->one[i]);
		(void)spool_fact(spool, &(struct fact_record){ .id = id, .kind = FACT_LOST, .when = now });
		/* The next start finds it finished. */
		(void)journal_append(&spool->journal, RECORD_DONE, done_record_layout, &(struct done_record){ id }, true);
	}
}

void
suspects_free(struct suspects *s)
{
	free(s->one);
	*s = (struct suspects){ NULL, 0, 0 };
}

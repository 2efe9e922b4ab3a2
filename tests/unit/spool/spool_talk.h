/*
 * tests/unit/spool/spool_talk.h - what fronts, the relay and operators say to a spool_bed, a line each.
 */
#ifndef POSTERN_TESTS_SPOOL_TALK_H
#define POSTERN_TESTS_SPOOL_TALK_H

#include "spool_bed.h"

#include "smtp/client.h"

#define CONTENT "From: a@example.org\r\nSubject: x\r\n\r\nhello\r\n"

/* A try as the relay sees it. */
struct try_seen {
	uint32_t session;
	uint64_t id, size;
	uint32_t flags, attempt, rcpts;
	uint8_t extents[200];
	size_t extents_len;
	char from[64], destination[64], to[8][64];
	uint32_t number[8];
};

/* The newest segment's descriptor that want_try() was given. */
extern int last_segment;

struct spool_mail mail(uint64_t id, const char *from);
void say_rcpt(struct bed *, uint32_t session, const char *to, uint32_t notify);
/* MAIL, RCPT (comma-separated), BODY, COMMIT; not waiting for the answer. */
void say_message(struct bed *, uint32_t session, uint64_t id, const char *from, const char *to, uint32_t notify);
/* The same for a login, and with these flags of COMMIT. */
void say_message_of(struct bed *, uint32_t session, uint64_t id, const char *login, const char *to, uint32_t flags);
enum fail answer(struct bed *, uint32_t session);
/* RELAY_TRY with its recipients. */
void want_try(struct bed *, struct try_seen *);
void say_result(struct bed *, const struct try_seen *, uint32_t i, enum smtp_class, uint32_t code);
void say_done(struct bed *, const struct try_seen *);
void finish(struct bed *, const struct try_seen *, enum smtp_class, uint32_t code);
/* The octets of the first extent. */
size_t read_content(const struct try_seen *, char *p, size_t n);
/* No try within ms. */
void nothing_comes(struct bed *, int ms);
struct queue_end want_end(struct bed_end *);

#endif

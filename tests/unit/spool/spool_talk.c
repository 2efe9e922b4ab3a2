#include "spool_talk.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"

/* Of the bed's front, which has slot 0: a big one is of another millisecond, not of another front. */
struct spool_mail
mail(uint64_t id, const char *from)
{
	return (struct spool_mail){ .queue_id = id < 1024 ? id : id << 18, .arrival = clock_wall(), .reverse_path = span_of(from), .login = SPAN_INIT("alice"),
		.peer = SPAN_INIT("192.0.2.1"), .tls = SPAN_INIT("TLSv1.3") };
}

void
say_rcpt(struct bed *b, uint32_t session, const char *to, uint32_t notify)
{
	struct spool_rcpt r = { .path = span_of(to), .notify = notify };

	bed_send(&b->front, SPOOL_RCPT, session, spool_rcpt_layout, &r);
}

static const char content[] = CONTENT;

static void
say_all(struct bed *b, uint32_t session, const struct spool_mail *m, const char *to, uint32_t notify, uint32_t flags)
{
	struct spool_commit c = { .size = sizeof content - 1, .flags = flags };
	struct span rest = span_of(to);

	bed_send(&b->front, SPOOL_MAIL, session, spool_mail_layout, m);
	while (rest.len > 0) {
		struct span one = span_take_until(&rest, ',');
		struct spool_rcpt r = { .number = c.rcpts++, .path = one, .notify = notify };

		(void)span_take_byte(&rest, ',');
		bed_send(&b->front, SPOOL_RCPT, session, spool_rcpt_layout, &r);
	}
	bed_send_octets(&b->front, SPOOL_BODY, session, span_of(content));
	bed_send(&b->front, SPOOL_COMMIT, session, spool_commit_layout, &c);
}

void
say_message(struct bed *b, uint32_t session, uint64_t id, const char *from, const char *to, uint32_t notify)
{
	struct spool_mail m = mail(id, from);

	say_all(b, session, &m, to, notify, 0);
}

void
say_message_of(struct bed *b, uint32_t session, uint64_t id, const char *login, const char *to, uint32_t flags)
{
	struct spool_mail m = mail(id, "a@example.org");

	m.login = span_of(login);
	say_all(b, session, &m, to, 0, flags);
}

enum fail
answer(struct bed *b, uint32_t session)
{
	struct spool_committed c;
	struct bed_frame f;

	bed_want(&b->front, SPOOL_COMMITTED, &f);
	assert_int_equal(f.session, session);
	assert_true(fields_parse(spool_committed_layout, f.body, &c));
	return (enum fail)c.fail;
}

static void
keep(char out[64], struct span s)
{
	assert_true(s.len < 64);
	if (s.len > 0)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
}

int last_segment = -1;

void
want_try(struct bed *b, struct try_seen *t)
{
	struct relay_try m;
	struct bed_frame f;

	for (;;) {
		assert_true(bed_take(&b->relay, &f, 10000));
		if (f.type == RELAY_TRY)
			break;
		assert_true(f.type == RELAY_SEGMENT || f.type == RELAY_SEGMENT_GONE);
		if (f.fd != -1) {
			if (last_segment != -1)
				(void)close(last_segment);
			last_segment = f.fd;
		}
	}
	assert_true(fields_parse(relay_try_layout, f.body, &m));
	*t = (struct try_seen){ .session = f.session, .id = m.queue_id, .size = m.size, .flags = m.flags, .attempt = m.attempt,
		.rcpts = m.rcpts, .extents_len = m.extents.len };
	keep(t->from, m.reverse_path);
	keep(t->destination, m.destination);
	assert_true(m.extents.len <= sizeof t->extents);
	memcpy(t->extents, m.extents.p, m.extents.len);
	for (uint32_t i = 0; i < m.rcpts; i++) {
		struct spool_rcpt r;

		bed_want(&b->relay, RELAY_RCPT, &f);
		assert_true(fields_parse(spool_rcpt_layout, f.body, &r));
		if (i < 8) {
			keep(t->to[i], r.path);
			t->number[i] = r.number;
		}
	}
}

void
say_result(struct bed *b, const struct try_seen *t, uint32_t i, enum smtp_class class, uint32_t code)
{
	struct relay_result r = { .number = t->number[i], .class = class, .code = code, .stage = SMTP_STAGE_RCPT, .when = clock_wall(),
		.enhanced = class == SMTP_CLASS_NEVER ? SPAN("5.1.1") : class == SMTP_CLASS_LATER ? SPAN("4.2.0") : SPAN("2.0.0"),
		.host = SPAN_INIT("mx.example.net [192.0.2.25]:25"), .tls = SPAN_INIT("none"), .text = SPAN_INIT("so it is") };

	bed_send(&b->relay, RELAY_RESULT, t->session, relay_result_layout, &r);
}

void
say_done(struct bed *b, const struct try_seen *t)
{
	bed_send_octets(&b->relay, RELAY_DONE, t->session, (struct span){ NULL, 0 });
}

void
finish(struct bed *b, const struct try_seen *t, enum smtp_class class, uint32_t code)
{
	for (uint32_t i = 0; i < t->rcpts; i++)
		say_result(b, t, i, class, code);
	say_done(b, t);
}

size_t
read_content(const struct try_seen *t, char *p, size_t n)
{
	ssize_t got;

	assert_int_equal(t->extents_len, RELAY_EXTENT);
	got = pread(last_segment, p, u32_get(t->extents + 16) < n ? u32_get(t->extents + 16) : n, (off_t)u64_get(t->extents + 8));
	assert_true(got >= 0);
	return (size_t)got;
}

void
nothing_comes(struct bed *b, int ms)
{
	struct bed_frame f;

	while (bed_take(&b->relay, &f, ms))
		if (f.type == RELAY_TRY)
			fail_msg("there was nothing to try");
}

struct queue_end
want_end(struct bed_end *c)
{
	struct queue_end e;
	struct bed_frame f;

	bed_want(c, QUEUE_END, &f);
	assert_true(fields_parse(queue_end_layout, f.body, &e));
	return e;
}

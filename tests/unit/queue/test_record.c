/* queue/record.h: what is written is read again, and nothing else is. */
#include "queue/record.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static uint8_t memory[4096];

static struct message_record
sample(struct buf *rcpts)
{
	struct recipient a = { .notify = 2, .path = SPAN_INIT("bob@example.net"), .orcpt = SPAN_INIT("rfc822;bob@example.net"),
		.last.class = OUTCOME_NONE };
	struct recipient b = { .path = SPAN_INIT("eve@example.com"), .last = { OUTCOME_LATER, 451, 3, OUTCOME_TOLD, 77,
		SPAN_INIT("4.3.0"), SPAN_INIT("mx [192.0.2.1]:25"), SPAN_INIT("none"), SPAN_INIT("busy"), 0 } };
	struct message_record m = { .id = 7, .arrival = 8, .size = 5, .flags = 1, .ret = 2, .rcpts = 2,
		.reverse_path = SPAN_INIT("a@example.org"), .login = SPAN_INIT("a/laptop"), .peer = SPAN_INIT("192.0.2.7"),
		.helo = SPAN_INIT("laptop"), .tls = SPAN_INIT("TLSv1.3"), .envid = SPAN_INIT("x"), .content = SPAN_INIT("hello") };

	assert_true(fields_format(recipient_layout, &a, rcpts));
	assert_true(fields_format(recipient_layout, &b, rcpts));
	m.recipients = buf_span(rcpts);
	return m;
}

static void
a_message_comes_back(void **state)
{
	uint8_t text[1024], out_octets[1024];
	struct buf rcpts = BUF_OVER(text), out = BUF_OVER(out_octets);
	struct message_record m = sample(&rcpts), back;
	struct recipient r;
	size_t content_at;

	(void)state;
	assert_true(fields_format(message_record_layout, &m, &out));
	assert_int_equal(out.len, message_octets(&m));
	assert_true(message_parse(buf_span(&out), &back));
	assert_true(span_eq(back.content, SPAN("hello")));
	assert_true(recipient_take(&back.recipients, &r) && recipient_take(&back.recipients, &r));
	assert_true(span_eq(r.last.text, SPAN("busy")));
	assert_int_equal(r.last.attempt, 3);
	assert_true(span_done(back.recipients));
	/* Without its content. */
	assert_true(message_head_parse(span_head(buf_span(&out), out.len - 5), &back, &content_at));
	assert_int_equal(content_at, out.len - 5);
	/* Any cut is noticed. */
	for (size_t n = 0; n < out.len; n++)
		assert_false(message_parse(span_head(buf_span(&out), n), &back));
}

static void
a_message_that_lies_is_refused(void **state)
{
	uint8_t text[1024], out_octets[1024];
	struct buf rcpts = BUF_OVER(text), out = BUF_OVER(out_octets);
	struct message_record m = sample(&rcpts), back;
	struct extent e = { 1, 64, 5 };
	uint8_t one[RECORD_EXTENT_OCTETS];
	struct buf extents = BUF_OVER(one);

	(void)state;
	for (uint32_t count = 0; count < 4; count++) {
		out.len = 0;
		m.rcpts = count;
		assert_true(fields_format(message_record_layout, &m, &out));
		assert_int_equal(message_parse(buf_span(&out), &back), count == 2);
	}
	m.rcpts = 2;
	m.size = 6;
	out.len = 0;
	assert_true(fields_format(message_record_layout, &m, &out));
	assert_false(message_parse(buf_span(&out), &back));
	/* Extents must sum up to the size, and then there is no content of its own. */
	assert_true(extent_format(&e, &extents));
	m.extents = buf_span(&extents);
	m.content.len = 0;
	for (uint64_t size = 4; size < 7; size++) {
		out.len = 0;
		m.size = size;
		assert_true(fields_format(message_record_layout, &m, &out));
		assert_int_equal(message_parse(buf_span(&out), &back), size == 5);
	}
}

/* Version 3 ends a RESULT with how long the try took; what was written before has not got that. */
static void
a_result_of_any_age_comes_back(void **state)
{
	struct result_record r = { .id = 7, .number = 1, .last = { .class = OUTCOME_LATER, .code = 451, .attempt = 3, .when = 77,
		.enhanced = SPAN_INIT("4.3.0"), .host = SPAN_INIT("mx"), .tls = SPAN_INIT("none"), .text = SPAN_INIT("busy"), .took = 1234 } }, back;
	uint8_t octets[256];
	struct buf out = BUF_OVER(octets);

	(void)state;
	assert_true(fields_format(result_record_layout, &r, &out));
	assert_true(result_parse(buf_span(&out), &back));
	assert_true(back.last.took == 1234 && back.last.code == 451 && span_eq(back.last.text, SPAN("busy")));
	assert_true(result_parse(span_head(buf_span(&out), out.len - 4), &back));
	assert_true(back.last.took == 0 && back.last.code == 451 && span_eq(back.last.text, SPAN("busy")));
	for (size_t n = 0; n < out.len; n++)
		assert_int_equal(result_parse(span_head(buf_span(&out), n), &back), n == out.len - 4);
}

static void
a_fact_comes_back(void **state)
{
	struct fact_record r = { .id = 7, .kind = FACT_MESSAGE_ID, .when = 8, .other = 9, .words = SPAN_INIT("a@b") }, back;
	static const uint8_t many[FACT_WORDS_MAX + 1];
	uint8_t octets[FACT_WORDS_MAX + 64];
	struct buf out = BUF_OVER(octets);

	(void)state;
	assert_true(fields_format(fact_record_layout, &r, &out));
	for (size_t n = 0; n < out.len; n++)
		assert_false(fields_parse(fact_record_layout, span_head(buf_span(&out), n), &back));
	assert_true(fields_parse(fact_record_layout, buf_span(&out), &back));
	assert_true(back.id == 7 && back.kind == FACT_MESSAGE_ID && back.when == 8 && back.other == 9 && span_eq(back.words, SPAN("a@b")));
	out.len = 0;
	r.words = (struct span){ many, sizeof many };
	assert_false(fields_format(fact_record_layout, &r, &out));
}

static void
terms_come_back(void **state)
{
	uint8_t text[1024], octets[1024], plain_octets[1024];
	struct buf rcpts = BUF_OVER(text), out = BUF_OVER(octets), plain = BUF_OVER(plain_octets);
	struct message_record m = sample(&rcpts), back;
	size_t content_at;

	(void)state;
	/* Without terms it is what it always was. */
	assert_true(message_format(&m, &out) && fields_format(message_record_layout, &m, &plain));
	assert_true(span_eq(buf_span(&out), buf_span(&plain)));
	assert_true(message_parse(buf_span(&out), &back) && back.release == 0 && back.deadline == 0 && back.hold.len == 0);
	m.release = 5000;
	m.deadline = 6000;
	m.by = RECORD_BY_RETURN | RECORD_BY_TRACE;
	m.priority = (uint32_t)-9;
	m.hold = SPAN("for;60");
	out.len = 0;
	assert_true(message_format(&m, &out));
	assert_int_equal(out.len, message_octets(&m));
	assert_true(message_parse(buf_span(&out), &back));
	assert_true(back.release == 5000 && back.deadline == 6000 && back.by == 3 && (int32_t)back.priority == -9 && back.flags == 1
	    && span_eq(back.hold, SPAN("for;60")) && span_eq(back.content, SPAN("hello")));
	assert_true(message_head_parse(span_head(buf_span(&out), out.len - 5), &back, &content_at));
	assert_int_equal(content_at, out.len - 5);
	for (size_t n = 0; n < out.len; n++)
		assert_false(message_parse(span_head(buf_span(&out), n), &back));
	/* A program that does not know them would take them for recipients; the version keeps it away. */
	assert_false(fields_parse(message_record_layout, buf_span(&out), &back));
}

static void
terms_that_lie_are_refused(void **state)
{
	uint8_t text[1024], octets[1024];
	struct buf rcpts = BUF_OVER(text);
	struct message_record m = sample(&rcpts), back;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct buf out = BUF_OVER(octets);

		m.release = 5000;
		m.priority = i == 1 ? 10 : i == 2 ? (uint32_t)-10 : 9;
		m.by = i == 3 ? 4 : 0;
		assert_true(message_format(&m, &out));
		assert_int_equal(message_parse(buf_span(&out), &back), i == 0);
	}
	/* Terms that say nothing have no place in a record. */
	m.release = m.by = m.priority = 0;
	for (unsigned flags = 0; flags < 2; flags++) {
		struct buf out = BUF_OVER(octets);

		assert_true(message_format(&m, &out));
		u32_put(out.p + 24, m.flags | (flags ? RECORD_FLAG_TERMS : 0));
		assert_int_equal(message_parse(buf_span(&out), &back), flags == 0);
	}
}

static void
what_is_held_comes_back(void **state)
{
	struct held_record r = { .id = 7, .held = 1, .when = 8, .words = SPAN_INIT("because") }, back;
	struct record_header h = { .kind = RECORD_KINDS, .length = 8 };
	uint8_t octets[HELD_WORDS_MAX + 64];
	static const uint8_t many[HELD_WORDS_MAX + 1];
	struct buf out = BUF_OVER(octets);

	(void)state;
	assert_true(fields_format(held_record_layout, &r, &out));
	for (size_t n = 0; n < out.len; n++)
		assert_false(fields_parse(held_record_layout, span_head(buf_span(&out), n), &back));
	assert_true(fields_parse(held_record_layout, buf_span(&out), &back));
	assert_true(back.id == 7 && back.held == 1 && back.when == 8 && span_eq(back.words, SPAN("because")));
	out.len = 0;
	r.words = (struct span){ many, HELD_WORDS_MAX };
	assert_true(fields_format(held_record_layout, &r, &out));
	out.len = 0;
	r.words.len++;
	assert_false(fields_format(held_record_layout, &r, &out));
	/* It is the newest kind. */
	record_seal(memory, &h);
	assert_true(record_header_parse((struct span){ memory, sizeof memory }, &h));
	h.kind = RECORD_KINDS + 1;
	record_seal(memory, &h);
	assert_false(record_header_parse((struct span){ memory, sizeof memory }, &h));
}

static void
a_record_proves_itself(void **state)
{
	struct record_header h = { .kind = RECORD_DONE, .length = 13, .salt = 9, .sequence = 10 }, back;
	size_t whole = (size_t)record_octets(13);

	(void)state;
	assert_int_equal(whole, 56);
	memset(memory, 'x', sizeof memory);
	record_seal(memory, &h);
	assert_true(record_header_parse((struct span){ memory, whole }, &back));
	assert_true(record_intact((struct span){ memory, RECORD_HEADER + 13 }, &back));
	assert_int_equal(back.salt, 9);
	assert_int_equal(back.sequence, 10);
	/* Padding is zero. */
	assert_memory_equal(memory + RECORD_HEADER + 13, "\0\0\0", 3);
	for (size_t bit = 0; bit < 8 * (RECORD_HEADER + 13); bit++) {
		bool good;

		memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
		good = record_header_parse((struct span){ memory, whole }, &back)
		    && record_intact((struct span){ memory, whole }, &back);
		assert_false(good);
		memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void
a_length_that_is_too_long_is_no_header(void **state)
{
	struct record_header h = { .kind = RECORD_DONE, .length = 8 }, back;

	(void)state;
	record_seal(memory, &h);
	u32_put(memory + 4, RECORD_PAYLOAD_MAX + 1);
	assert_false(record_header_parse((struct span){ memory, sizeof memory }, &back));
	u32_put(memory + 4, RECORD_PAYLOAD_MAX);
	assert_true(record_header_parse((struct span){ memory, sizeof memory }, &back));
	assert_false(record_intact((struct span){ memory, sizeof memory }, &back));
}

static void
a_domain_is_what_follows_the_last_at(void **state)
{
	(void)state;
	assert_true(span_eq(recipient_domain(SPAN("\"a@b\"@example.org")), SPAN("example.org")));
	assert_int_equal(recipient_domain(SPAN("postmaster")).len, 0);
	assert_int_equal(recipient_domain(SPAN("")).len, 0);
	assert_true(span_eq(recipient_domain(SPAN("x@[192.0.2.1]")), SPAN("[192.0.2.1]")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_comes_back),
		cmocka_unit_test(a_message_that_lies_is_refused),
		cmocka_unit_test(terms_come_back), cmocka_unit_test(terms_that_lie_are_refused),
		cmocka_unit_test(a_result_of_any_age_comes_back),
		cmocka_unit_test(a_fact_comes_back),
		cmocka_unit_test(what_is_held_comes_back),
		cmocka_unit_test(a_record_proves_itself),
		cmocka_unit_test(a_length_that_is_too_long_is_no_header),
		cmocka_unit_test(a_domain_is_what_follows_the_last_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

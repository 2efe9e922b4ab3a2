/* The MTA's half of a talk: what it says, in which order, and what it makes of replies, in any split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "milter/milter.h"

#define HEADER "Received: by us\r\nFrom: a@example.org\r\nSubject:  two\r\n\tlines\r\n"
enum { BODY = 70000 };

static const struct milter_conf conf = { SPAN_INIT("mail.example.org"), SPAN_INIT("Postern") };

static struct span
rcpt_of(void *arg, uint32_t number)
{
	(void)arg;
	return number == 0 ? SPAN("b@example.net") : SPAN("c@example.net");
}

static struct milter_mail mail = {
	.id = SPAN_INIT("abc"), .peer = SPAN_INIT("2001:db8::1"), .helo = SPAN_INIT("c.example.org"), .tls_version = SPAN_INIT("TLSv1.3"),
	.cipher = SPAN_INIT("TLS_AES_128_GCM_SHA256"), .login = SPAN_INIT("joe"), .mechanism = SPAN_INIT("PLAIN"),
	.reverse_path = SPAN_INIT("a@example.org"), .rcpts = 2, .rcpt = rcpt_of, .header = SPAN_INIT(HEADER), .size = 1000, .utf8 = true,
};

/* A milter that answers each command from a table, and notes what it hears. */
struct bed {
	struct milter_talk talk;
	uint8_t out[MILTER_OUT], in[2 * MILTER_IN];
	size_t in_len, body;
	char heard[400];                /* a letter for each packet */
	uint8_t said[64 * 1024];        /* what was sent, of packets that are not body */
	size_t said_len, split;
	uint32_t version, protocol;
	char at;                        /* the command that answer is for */
	const char *answer;
	size_t answer_len;
	char edits[200];
	unsigned mails, named;
	bool open;                      /* it hears of each recipient when he is named */
	struct milter_mail one;
	char rcpts[8];                  /* what it said of them: y, n */
};

static void
put(struct bed *b, const void *octets, size_t len)
{
	assert_true(len <= sizeof b->in - b->in_len);
	memcpy(b->in + b->in_len, octets, len);
	b->in_len += len;
}

static void
put_packet(struct bed *b, char code, const void *data, size_t len)
{
	uint8_t head[5] = { (uint8_t)((len + 1) >> 24), (uint8_t)((len + 1) >> 16), (uint8_t)((len + 1) >> 8), (uint8_t)(len + 1), (uint8_t)code };

	put(b, head, 5);
	put(b, data, len);
}

static bool
silent(const struct bed *b, char command)
{
	static const struct { char command; uint32_t bit; } bits[] = { { 'C', 0x1000 }, { 'H', 0x2000 }, { 'M', 0x4000 }, { 'R', 0x8000 },
		{ 'T', 0x10000 }, { 'L', 0x80 }, { 'N', 0x40000 }, { 'B', 0x80000 } };

	for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
		if (bits[i].command == command)
			return (b->protocol & bits[i].bit) != 0;
	return command == 'D' || command == 'A' || command == 'Q' || command == 'K';
}

static void
hear(struct bed *b, const uint8_t *p, size_t len)
{
	char command = (char)p[0];
	uint8_t options[12] = { 0, 0, 0, (uint8_t)b->version, 0, 0, 1, 0xff, (uint8_t)(b->protocol >> 24), (uint8_t)(b->protocol >> 16),
		(uint8_t)(b->protocol >> 8), (uint8_t)b->protocol };

	b->heard[strlen(b->heard)] = command;
	if (command != 'B') {
		assert_true(len <= sizeof b->said - b->said_len);
		memcpy(b->said + b->said_len, p, len);
		b->said_len += len;
	}
	if (command == b->at)
		put(b, b->answer, b->answer_len);
	else if (command == 'O')
		put_packet(b, 'O', options, sizeof options);
	else if (!silent(b, command))
		put_packet(b, 'c', "", 0);
}

static void
deliver(struct bed *b)
{
	const struct buf *out = &b->talk.out;

	for (size_t at = 0; at < out->len;) {
		size_t len = (size_t)out->p[at] << 24 | (size_t)out->p[at + 1] << 16 | (size_t)out->p[at + 2] << 8 | out->p[at + 3];

		assert_true(len >= 1 && len <= out->len - at - 4);
		hear(b, out->p + at + 4, len);
		at += 4 + len;
	}
	b->talk.out.len = 0;
}

static enum milter_want
feed(struct bed *b)
{
	enum milter_want want = MILTER_WANT_INPUT;
	size_t used = 0, given = 0;

	deliver(b);
	/* It must not ask for more than there will ever be. */
	assert_true(b->in_len > 0);
	while (used == 0 && want == MILTER_WANT_INPUT && given < b->in_len) {
		given = given + b->split < b->in_len ? given + b->split : b->in_len;
		want = milter_feed(&b->talk, (struct span){ b->in, given }, &used);
	}
	if (want == MILTER_WANT_EDIT) {
		const struct milter_edit *e = &b->talk.edit;
		size_t len = strlen(b->edits);

		(void)snprintf(b->edits + len, sizeof b->edits - len, "%d:%u:%.*s:%.*s:%.*s:%.*s;", (int)e->kind, e->index, (int)e->name.len,
		    (const char *)e->name.p, (int)e->value.len, (const char *)e->value.p, (int)e->path.len, (const char *)e->path.p,
		    (int)e->octets.len, (const char *)e->octets.p);
	}
	memmove(b->in, b->in + used, b->in_len - used);
	b->in_len -= used;
	return want;
}

static struct span
named_of(void *arg, uint32_t number)
{
	const struct bed *b = arg;

	return rcpt_of(NULL, b->named + number);
}

static const struct milter_mail *
mail_of(struct bed *b)
{
	if (!b->open || b->named == 2)
		return &mail;
	b->one = mail;
	b->one.open = true;
	b->one.rcpts = 1;
	b->one.rcpt = named_of;
	b->one.arg = b;
	b->one.header = (struct span){ NULL, 0 };
	return &b->one;
}

/* Until a verdict about so many messages, or a failure. */
static enum milter_want
run(struct bed *b, unsigned mails)
{
	enum milter_want want = b->talk.want;

	for (unsigned steps = 0; steps < 100000; steps++)
		switch (want) {
		case MILTER_WANT_FLUSH:
			deliver(b);
			want = milter_go_on(&b->talk);
			break;
		case MILTER_WANT_INPUT:
			want = feed(b);
			break;
		case MILTER_WANT_MAIL:
			b->body = 0;
			b->mails++;
			b->named = 0;
			want = milter_begin(&b->talk, mail_of(b));
			break;
		case MILTER_WANT_RCPT:
			deliver(b);
			b->rcpts[strlen(b->rcpts)] = b->talk.verdict.kind == MILTER_PASS ? 'y' : 'n';
			b->named++;
			want = milter_more(&b->talk, mail_of(b));
			break;
		case MILTER_WANT_BODY: {
			struct buf room = milter_body_room(&b->talk);
			size_t n = BODY - b->body < room.max ? BODY - b->body : room.max;

			memset(room.p, 'x', n);
			b->body += n;
			want = milter_body(&b->talk, n);
			break;
		}
		case MILTER_WANT_EDIT:
			want = milter_go_on(&b->talk);
			break;
		case MILTER_WANT_VERDICT:
			deliver(b);
			if (b->mails == mails || !milter_suits(&b->talk, &mail))
				return want;
			b->body = 0;
			b->mails++;
			b->named = 0;
			want = milter_begin(&b->talk, mail_of(b));
			break;
		case MILTER_WANT_FAIL:
			assert_non_null(b->talk.why);
			return want;
		}
	fail_msg("no end");
	return want;
}

static void
begin(struct bed *b, uint32_t version, uint32_t protocol, char at, const char *answer, size_t len)
{
	memset(b, 0, sizeof *b);
	b->split = SIZE_MAX / 2;
	b->version = version;
	b->protocol = protocol;
	b->at = at;
	b->answer = answer;
	b->answer_len = len;
	(void)milter_open(&b->talk, &conf, (struct buf){ b->out, 0, sizeof b->out });
}

static struct bed bed;

static void
test_a_message(void **state)
{
	static const char said[] = "C[IPv6:2001:db8::1]\0006\0\0IPv6:2001:db8::1";

	(void)state;
	for (size_t split = 1; split < 40; split++) {
		begin(&bed, 6, 0, 0, "", 0);
		bed.split = split;
		assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
		assert_int_equal(bed.talk.verdict.kind, MILTER_PASS);
		assert_string_equal(bed.heard, "ODCDHDMDRDRDTLLDNBBDE");
		assert_true(memmem(bed.said, bed.said_len, said, sizeof said) != NULL);
		assert_true(memmem(bed.said, bed.said_len, "LSubject\0 two\n\tlines", 21) != NULL);
		assert_true(memmem(bed.said, bed.said_len, "{auth_type}\0PLAIN\0{auth_authen}\0joe\0{mail_addr}\0a@example.org", 62) != NULL);
		assert_true(memmem(bed.said, bed.said_len, "M<a@example.org>\0SIZE=1000\0SMTPUTF8", 36) != NULL);
	}
}

static void
test_what_it_does_not_want_is_not_said(void **state)
{
	static const struct { uint32_t version, protocol; const char *heard; } rows[] = {
		{ 6, 0x1, "ODHDMDRDRDTLLDNBBDE" }, { 6, 0x2, "ODCDMDRDRDTLLDNBBDE" }, { 6, 0x4, "ODCDHDRDRDTLLDNBBDE" },
		{ 6, 0x8, "ODCDHDMDTLLDNBBDE" }, { 6, 0x10, "ODCDHDMDRDRDTLLDNDE" }, { 6, 0x20, "ODCDHDMDRDRDTDNBBDE" },
		{ 6, 0x40, "ODCDHDMDRDRDTLLBBDE" }, { 6, 0x200, "ODCDHDMDRDRLLDNBBDE" }, { 3, 0, "ODCDHDMDRDRLLDNBBDE" },
		{ 6, 0x27f, "ODE" }, { 6, 0xfd080, "ODCDHDMDRDRDTLLDNBBDE" }, { 6, 0x1ff7ff, "ODE" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(&bed, rows[i].version, rows[i].protocol, 0, "", 0);
		assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
		assert_string_equal(bed.heard, rows[i].heard);
	}
}

static void
test_one_message_after_the_other(void **state)
{
	(void)state;
	begin(&bed, 6, 0x27e, 0, "", 0);
	assert_int_equal(run(&bed, 3), MILTER_WANT_VERDICT);
	/* The same client: no new connection. */
	assert_string_equal(bed.heard, "ODCDEDEDE");
	assert_int_equal(bed.talk.reuse, MILTER_REUSE_ANY);
	mail.login = SPAN("jim");
	assert_true(milter_suits(&bed.talk, &mail));
	bed.mails++;
	(void)milter_begin(&bed.talk, &mail);
	assert_int_equal(run(&bed, 4), MILTER_WANT_VERDICT);
	assert_string_equal(bed.heard, "ODCDEDEDEKDCDE");
	mail.login = SPAN("joe");
	begin(&bed, 6, 0x27e, 'E', "\0\0\0\1a", 5);
	assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
	assert_int_equal(bed.talk.reuse, MILTER_REUSE_CLIENT);
	assert_true(milter_suits(&bed.talk, &mail));
	mail.login = SPAN("jim");
	assert_false(milter_suits(&bed.talk, &mail));
	mail.login = SPAN("joe");
	begin(&bed, 6, 0, 'C', "\0\0\0\1a", 5);
	assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
	assert_false(milter_suits(&bed.talk, &mail));
}

#define ANSWER(octets) octets, sizeof octets - 1
static const struct verdict_row { char at; const char *answer; size_t len; enum milter_kind kind; unsigned code; const char *enhanced, *text; } verdicts[] = {
	{ 'C', ANSWER("\0\0\0\1r"), MILTER_REFUSE, 550, "5.7.1", "refused by a content filter" },
	{ 'R', ANSWER("\0\0\0\1t"), MILTER_REFUSE, 451, "4.7.1", "<b@example.net>: a content filter says: try again later" },
	{ 'N', ANSWER("\0\0\0\1d"), MILTER_DISCARD, 0, "", "" },
	{ 'B', ANSWER("\0\0\0\1a"), MILTER_PASS, 0, "", "" },
	{ 'E', ANSWER("\0\0\0\1f"), MILTER_REFUSE, 451, "4.7.1", "a content filter says: try again later" },
	{ 'E', ANSWER("\0\0\0\1p\0\0\0\1p\0\0\0\1r"), MILTER_REFUSE, 550, "5.7.1", "refused by a content filter" },
	{ 'E', ANSWER("\0\0\0\022y554 5.6.9 50%% x\0"), MILTER_REFUSE, 554, "5.6.9", "50% x" },
	{ 'E', ANSWER("\0\0\0\014y421 4.3.2 \0"), MILTER_REFUSE, 451, "4.3.2", "" },
	{ 'E', ANSWER("\0\0\0\015y550 5.7 no\0\0"), MILTER_REFUSE, 550, "5.7.1", "5.7 no" },
	{ 'E', ANSWER("\0\0\0\5y550\0"), MILTER_REFUSE, 550, "5.7.1", "" },
};

static void
test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
		for (size_t split = 1; split < 20; split++) {
			const struct verdict_row *r = &verdicts[i];
			const struct milter_verdict *v = &bed.talk.verdict;

			begin(&bed, 6, 0, r->at, r->answer, r->len);
			bed.split = split;
			assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
			assert_int_equal(v->kind, r->kind);
			assert_int_equal(v->code, r->code);
			assert_string_equal(v->enhanced, r->enhanced);
			assert_int_equal(v->text_len, strlen(r->text));
			assert_memory_equal(v->text, r->text, v->text_len);
			/* What it did not see the end of is called off. */
			assert_int_equal(bed.heard[strlen(bed.heard) - 1] == 'A', r->at != 'E');
		}
}

static void
test_skip(void **state)
{
	(void)state;
	begin(&bed, 6, 0x400, 'B', ANSWER("\0\0\0\1s"));
	assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
	assert_string_equal(bed.heard, "ODCDHDMDRDRDTLLDNBDE");
	begin(&bed, 6, 0, 'B', ANSWER("\0\0\0\1s"));
	assert_int_equal(run(&bed, 1), MILTER_WANT_FAIL);
}

/* Each recipient when he is named: the same talk, octet by octet, as when all is known from the beginning; refused is he alone. */
static void
test_recipients_one_by_one(void **state)
{
	static uint8_t whole[sizeof bed.said];
	static const struct { uint32_t protocol; const char *answer; size_t len; const char *heard, *rcpts; } rows[] = {
		{ 0, ANSWER("\0\0\0\1c"), "ODCDHDMDRDRDTLLDNBBDE", "yy" },
		{ 0, ANSWER("\0\0\0\1r"), "ODCDHDMDRDRDTLLDNBBDE", "nn" },
		{ 0, ANSWER("\0\0\0\1t"), "ODCDHDMDRDRDTLLDNBBDE", "nn" },
		{ 0, ANSWER("\0\0\0\13y550 5.1.1\0"), "ODCDHDMDRDRDTLLDNBBDE", "nn" },
		{ 0, ANSWER("\0\0\0\1p\0\0\0\1c"), "ODCDHDMDRDRDTLLDNBBDE", "yy" },
		{ 0x400, ANSWER("\0\0\0\1s"), "ODCDHDMDRDTLLDNBBDE", "yy" },
		{ 0x8000, ANSWER(""), "ODCDHDMDRDRDTLLDNBBDE", "yy" },
		{ 0x8, ANSWER(""), "ODCDHDMDTLLDNBBDE", "yy" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t split = 1; split < 12; split++) {
			begin(&bed, 6, rows[i].protocol, 'R', rows[i].answer, rows[i].len);
			bed.split = split;
			bed.open = true;
			assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
			assert_int_equal(bed.talk.verdict.kind, MILTER_PASS);
			assert_string_equal(bed.heard, rows[i].heard);
			assert_string_equal(bed.rcpts, rows[i].rcpts);
			assert_int_equal(bed.talk.reuse, MILTER_REUSE_ANY);
		}
	begin(&bed, 6, 0, 0, "", 0);
	assert_int_equal(run(&bed, 2), MILTER_WANT_VERDICT);
	memcpy(whole, bed.said, sizeof whole);
	begin(&bed, 6, 0, 0, "", 0);
	bed.open = true;
	assert_int_equal(run(&bed, 2), MILTER_WANT_VERDICT);
	assert_memory_equal(bed.said, whole, sizeof whole);
}

/* What ends the whole talk does so at a recipient as well; what may not be said there still may not. */
static void
test_ends_at_a_recipient(void **state)
{
	static const struct { char at; const char *answer; size_t len; enum milter_want want; enum milter_kind kind; const char *heard; } rows[] = {
		{ 'R', ANSWER("\0\0\0\1a"), MILTER_WANT_VERDICT, MILTER_PASS, "ODCDHDMDRA" },
		{ 'R', ANSWER("\0\0\0\1d"), MILTER_WANT_VERDICT, MILTER_DISCARD, "ODCDHDMDRA" },
		{ 'M', ANSWER("\0\0\0\1r"), MILTER_WANT_VERDICT, MILTER_REFUSE, "ODCDHDMA" },
		{ 'R', ANSWER("\0\0\0\1s"), MILTER_WANT_FAIL, MILTER_PASS, "ODCDHDMDR" },
		{ 'R', ANSWER("\0\0\0\2q\0"), MILTER_WANT_FAIL, MILTER_PASS, "ODCDHDMDR" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(&bed, 6, 0, rows[i].at, rows[i].answer, rows[i].len);
		bed.open = true;
		assert_int_equal(run(&bed, 1), rows[i].want);
		assert_int_equal(bed.talk.verdict.kind, rows[i].kind);
		assert_string_equal(bed.heard, rows[i].heard);
	}
}

/* Packets one behind the other. */
struct answer { uint8_t octets[20 * 1024]; size_t len; };

static void
say(struct answer *a, char code, const char *data, size_t len)
{
	uint8_t head[5] = { 0, 0, (uint8_t)((len + 1) >> 8), (uint8_t)(len + 1), (uint8_t)code };

	memcpy(a->octets + a->len, head, 5);
	memcpy(a->octets + a->len + 5, data, len);
	a->len += 5 + len;
}

static void
test_edits(void **state)
{
	struct answer a = { .len = 0 };

	(void)state;
	say(&a, 'h', ANSWER("X\0" "1\0"));
	say(&a, 'i', ANSWER("\0\0\0\2Y\0\0"));
	say(&a, 'm', ANSWER("\0\0\0\1Z\0a\0"));
	say(&a, 'b', ANSWER("xy"));
	say(&a, 'e', ANSWER("<>\0"));
	say(&a, '+', ANSWER("<\xc3\xa4@example.org>\0"));
	say(&a, '2', ANSWER("<d@example.org>\0NOTIFY=NEVER\0"));
	say(&a, '-', ANSWER("b@example.org\0"));
	say(&a, 'q', ANSWER("why\0"));
	say(&a, 'c', "", 0);
	for (size_t split = 1; split < 30; split++) {
		begin(&bed, 6, 0x27f, 'E', (const char *)a.octets, a.len);
		bed.split = split;
		assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
		assert_string_equal(bed.edits, "0:0:X:1::;1:2:Y:::;2:1:Z:a::;3:0::::xy;4:0::::;5:0:::\xc3\xa4@example.org:;5:0:::d@example.org:;"
		    "6:0:::b@example.org:;7:0::::why;");
	}
	/* At another time than the end. */
	begin(&bed, 6, 0, 'M', (const char *)a.octets, a.len);
	assert_int_equal(run(&bed, 1), MILTER_WANT_FAIL);
}

static void
test_failures(void **state)
{
	static const struct { char at; const char *answer; size_t len; } rows[] = {
		{ 'O', ANSWER("\0\0\0\1c") }, { 'O', ANSWER("\0\0\0\1O") }, { 'O', ANSWER("\0\0\0\15O\0\0\0\7\0\0\0\0\0\0\0\0") },
		{ 'O', ANSWER("\0\0\0\15O\0\0\0\1\0\0\0\0\0\0\0\0") }, { 'O', ANSWER("\0\0\0\15O\0\0\0\6\0\0\2\0\0\0\0\0") },
		{ 'O', ANSWER("\0\0\0\15O\0\0\0\6\0\0\0\0\0\0\10\0") }, { 'O', ANSWER("\0\0\0\21O\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\0") },
		{ 'O', ANSWER("\0\0\0\16O\0\0\0\6\0\0\0\0\0\0\0\0x") },
		{ 'M', ANSWER("\0\0\0\0") }, { 'M', ANSWER("\0\2\0\1c") }, { 'M', ANSWER("\377\377\377\377c") }, { 'M', ANSWER("\0\0\0\1O") },
		{ 'M', ANSWER("\0\0\0\1?") }, { 'E', ANSWER("\0\0\0\1h") }, { 'E', ANSWER("\0\0\0\3i\0\0") }, { 'E', ANSWER("\0\0\0\2q\n") },
		{ 'E', ANSWER("\0\0\0\1y") }, { 'E', ANSWER("\0\0\0\5y250\0") }, { 'E', ANSWER("\0\0\0\5y5x0\0") }, { 'E', ANSWER("\0\0\0\6y5500\0") },
		{ 'E', ANSWER("\0\0\0\13y560 5.7.1\0") }, { 'E', ANSWER("\0\0\0\2+\0") }, { 'E', ANSWER("\0\0\0\4e<x\0") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(&bed, 6, 0, rows[i].at, rows[i].answer, rows[i].len);
		assert_int_equal(run(&bed, 1), MILTER_WANT_FAIL);
	}
}

/* 0311. */
static void
test_a_field_that_is_too_long(void **state)
{
	static uint8_t text[MILTER_CHUNK + 10];
	struct span header = mail.header;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "To:", 3);
	memcpy(text + sizeof text - 2, "\r\n", 2);
	mail.header = (struct span){ text, sizeof text };
	begin(&bed, 6, 0, 0, NULL, 0);
	assert_int_equal(run(&bed, 1), MILTER_WANT_FAIL);
	assert_true(bed.talk.unshowable);
	mail.header = header;
	/* What a milter does wrong is another matter. */
	begin(&bed, 6, 0, 'M', ANSWER("\0\0\0\1?"));
	assert_int_equal(run(&bed, 1), MILTER_WANT_FAIL);
	assert_false(bed.talk.unshowable);
}

static void
test_busy_without_end(void **state)
{
	static char busy[5 * (MILTER_PROGRESS_MAX + 1)];

	(void)state;
	for (size_t i = 0; i < sizeof busy; i += 5)
		memcpy(busy + i, "\0\0\0\1p", 5);
	begin(&bed, 6, 0, 'E', busy, sizeof busy);
	assert_int_equal(run(&bed, 1), MILTER_WANT_FAIL);
}

/* 0287: however many pieces a new body comes in, a field may still be added behind it. */
static void
test_a_body_in_many_pieces(void **state)
{
	static struct answer a;

	(void)state;
	a.len = 0;
	for (unsigned i = 0; i < MILTER_EDITS_MAX + 10; i++)
		say(&a, 'b', ANSWER("x"));
	say(&a, 'h', ANSWER("X\0" "1\0"));
	say(&a, 'c', "", 0);
	begin(&bed, 6, 0x27f, 'E', (const char *)a.octets, a.len);
	assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
	/* Fields have their number all the same. */
	a.len = 0;
	for (unsigned i = 0; i <= MILTER_EDITS_MAX; i++)
		say(&a, 'h', ANSWER("X\0" "1\0"));
	say(&a, 'c', "", 0);
	begin(&bed, 6, 0x27f, 'E', (const char *)a.octets, a.len);
	assert_int_equal(run(&bed, 1), MILTER_WANT_FAIL);
}

static void
test_macros_that_it_wants(void **state)
{
	struct answer some = { .len = 0 }, none = { .len = 0 };

	(void)state;
	say(&some, 'O', ANSWER("\0\0\0\6\0\0\0\0\0\0\2\177" "\0\0\0\5{i} , {auth_authen} nothing\0" "\0\0\0\143x\0"));
	begin(&bed, 6, 0, 'O', (const char *)some.octets, some.len);
	assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
	assert_string_equal(bed.heard, "ODE");
	assert_true(memmem(bed.said, bed.said_len, "DEi\0abc\0{auth_authen}\0joe", 26) != NULL);
	/* None at all is none at all. */
	say(&none, 'O', ANSWER("\0\0\0\6\0\0\0\0\0\0\2\177\0\0\0\5\0"));
	begin(&bed, 6, 0, 'O', (const char *)none.octets, none.len);
	assert_int_equal(run(&bed, 1), MILTER_WANT_VERDICT);
	assert_string_equal(bed.heard, "OE");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_message), cmocka_unit_test(test_what_it_does_not_want_is_not_said),
		cmocka_unit_test(test_one_message_after_the_other), cmocka_unit_test(test_verdicts), cmocka_unit_test(test_skip),
		cmocka_unit_test(test_recipients_one_by_one), cmocka_unit_test(test_ends_at_a_recipient),
		cmocka_unit_test(test_edits), cmocka_unit_test(test_failures), cmocka_unit_test(test_a_field_that_is_too_long), cmocka_unit_test(test_busy_without_end),
		cmocka_unit_test(test_a_body_in_many_pieces), cmocka_unit_test(test_macros_that_it_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

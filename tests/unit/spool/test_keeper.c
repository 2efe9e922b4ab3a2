/* proc/4_spool: the whole process, spoken to in its private messages. 5321-50..55, 3461-6, 3461-7, 3461-10, 3461-11. */
#include "spool_talk.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "queue/record.h"
static void
in_and_out(void **state)
{
	struct bed b;
	struct try_seen t;
	char text[256];

	(void)state;
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net,y@example.com,z@EXAMPLE.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	/* One try for each destination, whatever the case of its letters. */
	for (unsigned i = 0; i < 2; i++) {
		want_try(&b, &t);
		assert_int_equal(t.id, 100);
		assert_int_equal(t.attempt, 1);
		assert_int_equal(t.rcpts, strcmp(t.destination, "example.net") == 0 ? 2 : 1);
		assert_int_equal(read_content(&t, text, sizeof text), sizeof CONTENT - 1);
		assert_memory_equal(text, CONTENT, sizeof CONTENT - 1);
		finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	}
	assert_int_equal(bed_drain(&b), 0);
	bed_start(&b);
	nothing_comes(&b, 300);
	bed_close(&b);
}

/* 5321-50, 5321-55, 3461-7, 3461-11: one notice for both, from nobody, and only those whom NOTIFY allows. */
static void
permanent_failure(void **state)
{
	struct bed b;
	struct try_seen t, n;
	char text[4096];
	size_t len;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net,y@example.net,z@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	say_result(&b, &t, 0, SMTP_CLASS_NEVER, 550);
	say_result(&b, &t, 1, SMTP_CLASS_DELIVERED, 250);
	say_result(&b, &t, 2, SMTP_CLASS_NEVER, 550);
	say_done(&b, &t);
	want_try(&b, &n);
	assert_string_equal(n.from, "");
	assert_string_equal(n.to[0], "a@example.org");
	assert_true(n.flags & MAIL_DSN);
	len = read_content(&n, text, sizeof text - 1);
	text[len] = '\0';
	assert_non_null(strstr(text, "x@example.net"));
	assert_non_null(strstr(text, "z@example.net"));
	assert_null(strstr(text, "Final-Recipient: rfc822; y@example.net"));
	assert_non_null(strstr(text, "multipart/report"));
	/* 5321-51, 5321-52: nobody is told that this one failed. */
	finish(&b, &n, SMTP_CLASS_NEVER, 550);
	nothing_comes(&b, 300);
	/* NOTIFY=NEVER; and the empty reverse-path, 3461-10. */
	say_message(&b, 2, 101, "a@example.org", "x@example.net", SMTP_NOTIFY_NEVER);
	say_message(&b, 3, 102, "", "x@example.net", 0);
	assert_int_equal(answer(&b, 2), OK);
	assert_int_equal(answer(&b, 3), OK);
	want_try(&b, &t);
	want_try(&b, &n);
	finish(&b, &t, SMTP_CLASS_NEVER, 550);
	finish(&b, &n, SMTP_CLASS_NEVER, 550);
	nothing_comes(&b, 300);
	bed_close(&b);
}

/* 3461-6: NOTIFY=SUCCESS to a next hop without DSN: "relayed". */
static void
relayed_notice(void **state)
{
	struct bed b;
	struct try_seen t, n;
	char text[4096];

	(void)state;
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net", SMTP_NOTIFY_SUCCESS);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	want_try(&b, &n);
	text[read_content(&n, text, sizeof text - 1)] = '\0';
	assert_non_null(strstr(text, "Action: relayed"));
	finish(&b, &n, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* A recipient that must wait is tried again alone; its expiry gives 5.4.7. */
static void
later_and_expiry(void **state)
{
	struct bed b;
	struct try_seen t;
	char text[4096];

	(void)state;
	bed_init(&b);
	b.conf.expire = 3;
	b.conf.retry_max = 1;
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net,y@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	assert_int_equal(t.rcpts, 2);
	say_result(&b, &t, 1, SMTP_CLASS_DELIVERED, 250);
	say_result(&b, &t, 0, SMTP_CLASS_LATER, 451);
	say_done(&b, &t);
	for (uint32_t attempt = 2; attempt < 20; attempt++) {
		want_try(&b, &t);
		if (t.flags & MAIL_DSN)
			break;
		assert_int_equal(t.attempt, attempt);
		assert_int_equal(t.rcpts, 1);
		assert_string_equal(t.to[0], "x@example.net");
		finish(&b, &t, SMTP_CLASS_LATER, 451);
	}
	assert_true(t.flags & MAIL_DSN);
	text[read_content(&t, text, sizeof text - 1)] = '\0';
	assert_non_null(strstr(text, "5.4.7"));
	assert_non_null(strstr(text, "so it is"));
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* tests/regress/0081: what claims to come from next year ends as soon as what came now. */
static void
arrival_in_the_future(void **state)
{
	struct spool_mail m = mail(100, "a@example.org");
	struct spool_commit c = { .size = 5, .rcpts = 1 };
	struct bed b;
	struct try_seen t;

	(void)state;
	bed_init(&b);
	b.conf.expire = 2;
	b.conf.retry_max = 1;
	bed_start(&b);
	m.arrival += UINT64_C(365) * 86400 * 1000;
	bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
	say_rcpt(&b, 1, "x@example.net", 0);
	bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hello"));
	bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
	assert_int_equal(answer(&b, 1), OK);
	for (uint32_t attempt = 1; attempt < 10; attempt++) {
		want_try(&b, &t);
		if (t.flags & MAIL_DSN)
			break;
		finish(&b, &t, SMTP_CLASS_LATER, 451);
	}
	assert_true(t.flags & MAIL_DSN);
	bed_fini(&b);
}

static size_t
put_record(uint8_t *at, enum record_kind kind, uint64_t sequence, struct layout layout, const void *payload)
{
	struct record_header h = { .kind = kind, .salt = 77, .sequence = sequence };
	struct buf body = { at + RECORD_HEADER, 0, 2000 };

	assert_true(fields_format(layout, payload, &body));
	h.length = (uint32_t)body.len;
	record_seal(at, &h);
	return (size_t)record_octets(h.length);
}

/* A spool whose one segment holds one message that arrived at that time. */
static void
write_spool(const struct bed *b, uint64_t arrival)
{
	static uint8_t octets[8192];
	struct segment_record segment = { .version = 1, .number = 1, .created = 1 };
	struct recipient r = { .path = SPAN_INIT("x@example.net"), .last.class = OUTCOME_NONE };
	struct message_record m = { .id = 100, .arrival = arrival, .size = 5, .rcpts = 1,
		.reverse_path = SPAN_INIT("a@example.org"), .login = SPAN_INIT("alice"), .content = SPAN_INIT("hello") };
	uint8_t rcpts[256];
	struct buf list = BUF_OVER(rcpts);
	size_t n = put_record(octets, RECORD_SEGMENT, 1, segment_record_layout, &segment);
	char path[CONF_TEXT_MAX + 32];
	FILE *f;

	assert_true(fields_format(recipient_layout, &r, &list));
	m.recipients = buf_span(&list);
	n += put_record(octets + n, RECORD_MESSAGE, 2, message_record_layout, &m);
	assert_int_equal(mkdir(b->conf.spool_dir.p, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/0000000000000001.log", b->conf.spool_dir.p);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* tests/regress/0081: the same for what an earlier life wrote down. */
static void
arrival_in_the_future_on_disk(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	bed_init(&b);
	b.conf.expire = 2;
	b.conf.retry_max = 1;
	write_spool(&b, clock_wall() + UINT64_C(365) * 86400 * 1000);
	bed_start(&b);
	for (uint32_t attempt = 1; attempt < 10; attempt++) {
		want_try(&b, &t);
		if (t.flags & MAIL_DSN)
			break;
		finish(&b, &t, SMTP_CLASS_LATER, 451);
	}
	assert_true(t.flags & MAIL_DSN);
	bed_fini(&b);
}

static void
relay_dies(void **state)
{
	struct bed b;
	struct try_seen t;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net,y@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	say_result(&b, &t, 0, SMTP_CLASS_DELIVERED, 250);
	/* It must be read before the end is. */
	(void)usleep(100000);
	bed_new_relay(&b);
	want_try(&b, &t);
	assert_int_equal(t.attempt, 1);
	assert_int_equal(t.rcpts, 1);
	assert_string_equal(t.to[0], "y@example.net");
	/* And once more, after everybody was reported. */
	say_result(&b, &t, 0, SMTP_CLASS_DELIVERED, 250);
	say_done(&b, &t);
	assert_int_equal(bed_drain(&b), 0);
	bed_start(&b);
	nothing_comes(&b, 300);
	bed_fini(&b);
}

/* Acknowledged, then killed: all of it is tried after the next start. */
static void
killed_after_the_answer(void **state)
{
	struct bed b;
	struct try_seen t;
	bool seen[50] = { false };

	(void)state;
	bed_init(&b);
	bed_start(&b);
	for (uint32_t i = 0; i < 50; i++)
		say_message(&b, i, 500 + i, "a@example.org", "x@example.net", 0);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(answer(&b, i), OK);
	bed_kill(&b);
	bed_start(&b);
	for (uint32_t i = 0; i < 50; i++) {
		want_try(&b, &t);
		assert_in_range(t.id, 500, 549);
		assert_false(seen[t.id - 500]);
		seen[t.id - 500] = true;
		finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	}
	bed_close(&b);
}

/* The master hears who it was: it ends the process, which would else live on without us. */
static void
want_accused(struct bed *b, enum role role)
{
	struct master_peer peer;
	struct bed_frame f;

	bed_want(&b->master, CHILD_PEER_BROKEN, &f);
	assert_true(fields_parse(master_peer_layout, f.body, &peer));
	assert_int_equal(peer.role, role);
	assert_int_equal(peer.slot, 0);
}

/* What an honest front never says ends it, and drops its drafts; the others and the spool go on. */
static void
broken_fronts(void **state)
{
	struct spool_commit c = { .size = 5, .rcpts = 1 };
	struct spool_rcpt r = { .path = SPAN_INIT("x@example.net") };
	struct spool_mail m = mail(1, "a@example.org");
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	for (unsigned i = 0; i < 8; i++) {
		struct spool_mail forged = m;

		switch (i) {
		case 0:         /* a recipient before MAIL */
			bed_send(&b.front, SPOOL_RCPT, 1, spool_rcpt_layout, &r);
			break;
		case 1:         /* content before a recipient */
			bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
			bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hello"));
			break;
		case 2:         /* MAIL twice */
			bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
			bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
			break;
		case 3:         /* sizes that differ */
			bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
			bed_send(&b.front, SPOOL_RCPT, 1, spool_rcpt_layout, &r);
			bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hell"));
			bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
			break;
		case 4:         /* a recipient after content */
			bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
			bed_send(&b.front, SPOOL_RCPT, 1, spool_rcpt_layout, &r);
			bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hello"));
			bed_send(&b.front, SPOOL_RCPT, 1, spool_rcpt_layout, &r);
			break;
		case 5:         /* what only 5_relay may say */
			bed_send_octets(&b.front, RELAY_DONE, 1, (struct span){ NULL, 0 });
			break;
		case 6:         /* mail that could never bounce */
			forged.flags = MAIL_DSN;
			bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &forged);
			break;
		default:        /* a body that does not parse */
			bed_send_octets(&b.front, SPOOL_MAIL, 1, SPAN("hello"));
		}
		assert_true(bed_is_closed(&b.front, 2000));
		want_accused(&b, ROLE_FRONT);
		bed_new_front(&b);
		say_message(&b, 9, 500 + i, "a@example.org", "x@example.net", 0);
		assert_int_equal(answer(&b, 9), OK);
	}
	bed_close(&b);
}

static void
broken_relays(void **state)
{
	struct try_seen t;
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	say_message(&b, 1, 100, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	for (unsigned i = 0; i < 4; i++) {
		want_try(&b, &t);
		if (i == 0) {           /* a try that is none */
			t.session++;
			say_done(&b, &t);
		} else if (i == 1) {    /* a recipient that is none */
			t.number[0] = 7;
			say_result(&b, &t, 0, SMTP_CLASS_DELIVERED, 250);
		} else if (i == 2) {    /* two results for one */
			say_result(&b, &t, 0, SMTP_CLASS_LATER, 450);
			say_result(&b, &t, 0, SMTP_CLASS_LATER, 450);
		} else                  /* a class that is none */
			say_result(&b, &t, 0, (enum smtp_class)3, 250);
		assert_true(bed_is_closed(&b.relay, 2000));
		want_accused(&b, ROLE_RELAY);
		bed_new_relay(&b);
	}
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* The front says ABORT, or dies, at every phase; ids twice; sessions again. */
static void
aborts_and_ids(void **state)
{
	struct spool_mail m = mail(1, "a@example.org");
	struct try_seen t;
	struct bed b;

	(void)state;
	bed_init(&b);
	bed_start(&b);
	for (unsigned phase = 0; phase < 4; phase++) {
		if (phase > 0)
			bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
		if (phase > 1)
			say_rcpt(&b, 1, "x@example.net", 0);
		if (phase > 2)
			bed_send_octets(&b.front, SPOOL_BODY, 1, SPAN("hello"));
		bed_send_octets(&b.front, SPOOL_ABORT, 1, (struct span){ NULL, 0 });
	}
	say_message(&b, 1, 100, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	say_message(&b, 1, 100, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 1), FAIL_LOCAL);
	want_try(&b, &t);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	/* Committed, and the front forgets to wait: the message stands. */
	say_message(&b, 2, 101, "a@example.org", "x@example.net", 0);
	bed_send_octets(&b.front, SPOOL_ABORT, 2, (struct span){ NULL, 0 });
	say_message(&b, 2, 102, "a@example.org", "x@example.net", 0);
	assert_int_equal(answer(&b, 2), OK);
	want_try(&b, &t);
	want_try(&b, &t);
	bed_fini(&b);
}

/* A big message goes through in chunks and comes back in extents. */
static void
big_message(void **state)
{
	static uint8_t piece[100000];
	struct spool_mail m = mail(100, "a@example.org");
	struct spool_commit c = { .size = sizeof piece * 8, .rcpts = 1 };
	struct try_seen t;
	struct bed b;
	uint64_t total = 0;

	(void)state;
	for (size_t i = 0; i < sizeof piece; i++)
		piece[i] = (uint8_t)('a' + i % 23);
	bed_init(&b);
	bed_start(&b);
	bed_send(&b.front, SPOOL_MAIL, 1, spool_mail_layout, &m);
	say_rcpt(&b, 1, "x@example.net", 0);
	for (unsigned i = 0; i < 8; i++)
		bed_send_octets(&b.front, SPOOL_BODY, 1, (struct span){ piece, sizeof piece });
	bed_send(&b.front, SPOOL_COMMIT, 1, spool_commit_layout, &c);
	assert_int_equal(answer(&b, 1), OK);
	want_try(&b, &t);
	assert_int_equal(t.size, c.size);
	for (size_t at = 0; at < t.extents_len; at += RELAY_EXTENT) {
		static uint8_t have[CHANNEL_BODY_MAX];
		uint32_t octets = u32_get(t.extents + at + 16);

		assert_int_equal(pread(last_segment, have, octets, (off_t)u64_get(t.extents + at + 8)), octets);
		for (uint32_t i = 0; i < octets; i++, total++)
			assert_int_equal(have[i], piece[total % sizeof piece]);
	}
	assert_int_equal(total, c.size);
	finish(&b, &t, SMTP_CLASS_DELIVERED, 250);
	bed_close(&b);
}

/* `postern queue`: list by address, show, retry, drop; what runs while it is dropped ends without a word. */
static void
operator_asks(void **state)
{
	struct queue_list list = { .address = SPAN_INIT("Example.NET") };
	struct queue_which which = { 101 };
	struct queue_entry entry;
	struct queue_recipient person;
	struct try_seen t, other;
	struct bed_frame f;
	struct bed_end c;
	struct bed b;

	(void)state;
	bed_init(&b);
	b.conf.retry_first = 600;
	bed_start(&b);
	bed_control(&b, &c);
	say_message(&b, 1, 100, "a@example.org", "x@example.com", 0);
	say_message(&b, 2, 101, "a@example.org", "x@example.net,y@example.net", 0);
	assert_int_equal(answer(&b, 1), OK);
	assert_int_equal(answer(&b, 2), OK);
	want_try(&b, &t);
	want_try(&b, &other);
	finish(&b, t.id == 101 ? &t : &other, SMTP_CLASS_LATER, 451);
	(void)usleep(100000);
	bed_send(&c, QUEUE_LIST, 1, queue_list_layout, &list);
	bed_want(&c, QUEUE_ENTRY, &f);
	assert_true(fields_parse(queue_entry_layout, f.body, &entry));
	assert_int_equal(entry.id, 101);
	assert_int_equal(entry.waiting, 2);
	assert_int_equal(entry.attempts, 1);
	assert_true(entry.next_try > clock_wall());
	assert_true(span_eq(entry.last, SPAN("so it is")));
	assert_int_equal(want_end(&c).next, 0);
	bed_send(&c, QUEUE_SHOW, 1, queue_which_layout, &which);
	bed_want(&c, QUEUE_ENTRY, &f);
	for (unsigned i = 0; i < 2; i++) {
		bed_want(&c, QUEUE_RECIPIENT, &f);
		assert_true(fields_parse(queue_recipient_layout, f.body, &person));
		assert_int_equal(person.class, SMTP_CLASS_LATER);
		assert_int_equal(person.code, 451);
	}
	assert_int_equal(want_end(&c).fail, OK);
	bed_send(&c, QUEUE_RETRY, 1, queue_which_layout, &which);
	assert_int_equal(want_end(&c).count, 1);
	want_try(&b, &t);
	assert_int_equal(t.id, 101);
	assert_int_equal(t.attempt, 2);
	bed_send(&c, QUEUE_DROP, 1, queue_which_layout, &which);
	assert_int_equal(want_end(&c).fail, OK);
	finish(&b, &t, SMTP_CLASS_NEVER, 550);
	nothing_comes(&b, 200);
	bed_send(&c, QUEUE_SHOW, 1, queue_which_layout, &which);
	assert_int_equal(want_end(&c).fail, FAIL_ARGUMENT);
	/* Nobody may say here what fronts say. */
	bed_send_octets(&c, SPOOL_ABORT, 1, (struct span){ NULL, 0 });
	assert_true(bed_is_closed(&c, 2000));
	bed_end_close(&c);
	bed_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_and_out),
		cmocka_unit_test(permanent_failure),
		cmocka_unit_test(relayed_notice),
		cmocka_unit_test(later_and_expiry),
		cmocka_unit_test(arrival_in_the_future),
		cmocka_unit_test(arrival_in_the_future_on_disk),
		cmocka_unit_test(relay_dies),
		cmocka_unit_test(killed_after_the_answer),
		cmocka_unit_test(broken_fronts),
		cmocka_unit_test(broken_relays),
		cmocka_unit_test(aborts_and_ids),
		cmocka_unit_test(big_message),
		cmocka_unit_test(operator_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

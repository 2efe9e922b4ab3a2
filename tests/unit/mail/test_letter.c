/* mail/letter.h: a mail of ours, whatever is written into it. 3834-5.2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/letter.h"

static const struct letter plain = {
	.host = SPAN_INIT("mail.example.org"), .to = SPAN_INIT("alice@home.example"), .subject = SPAN_INIT("Your mail waits"),
	.text = SPAN_INIT("Dear Alice,\nsomebody sends.\n"), .id = SPAN_INIT("0123456789ab"), .random = 0x1234,
	.now = UINT64_C(1795341600000),
};

static uint8_t room[LETTER_MAX];

static const char *
formatted(const struct letter *l)
{
	struct buf b = BUF_OVER(room);

	assert_true(letter_format(l, &b));
	assert_true(buf_terminate(&b));
	return (const char *)room;
}

static void
a_letter(void **state)
{
	(void)state;
	assert_string_equal(formatted(&plain),
	    "From: \"Mail system at mail.example.org\" <postmaster@mail.example.org>\r\n"
	    "To: <alice@home.example>\r\n"
	    "Subject: Your mail waits\r\n"
	    "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
	    "Message-ID: <0123456789ab.0000000000001234@mail.example.org>\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "Dear Alice,\r\nsomebody sends.\r\n");
}

static void
a_postmaster_of_ones_own(void **state)
{
	struct letter l = plain;

	(void)state;
	l.postmaster = SPAN("help@example.org");
	assert_non_null(strstr(formatted(&l), " <help@example.org>\r\n"));
	assert_null(strstr(formatted(&l), "postmaster@"));
}

/* Nothing in it becomes a field, a line of its own, or anything but text. */
static void
what_strangers_said_stays_text(void **state)
{
	struct letter l = plain;

	(void)state;
	l.subject = SPAN("x\r\nBcc: victim@example.net\r\n\r\nhello");
	assert_non_null(strstr(formatted(&l), "Subject: x??Bcc: victim@example.net????hello\r\nDate: "));
	l.text = SPAN("a\rb\0c \n.\n=\xc3\xa4\xff end without a line end");
	assert_non_null(strstr(formatted(&l), "\r\n\r\na?b?c =\r\n\r\n.\r\n=3D=C3=A4? end without a line end\r\n"));
	for (const uint8_t *p = room; *p != '\0'; p++)
		assert_true(*p < 127);
}

/* The longest text fits even when each octet of it takes three. */
static void
the_longest_fits(void **state)
{
	static uint8_t text[LETTER_TEXT_MAX], subject[200];
	struct letter l = plain;
	struct buf b = BUF_OVER(room);

	(void)state;
	memset(text, '=', sizeof text);
	memset(subject, 'x', sizeof subject);
	l.text = (struct span){ text, sizeof text };
	l.subject = (struct span){ subject, sizeof subject };
	assert_true(letter_format(&l, &b));
	/* And what does not fit leaves out as it was. */
	for (size_t max = 0; max < 2000; max += 7) {
		b = (struct buf){ room, 3, max + 3 };
		assert_false(letter_format(&l, &b));
		assert_int_equal(b.len, 3);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_letter),
		cmocka_unit_test(a_postmaster_of_ones_own),
		cmocka_unit_test(what_strangers_said_stays_text),
		cmocka_unit_test(the_longest_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/user.h"
#include "os/terminal.h"

/* One line, octet by octet: what stands behind it is not ours to take. False: nothing came, or too much. */
static bool
read_line(int fd, struct secret *out)
{
	uint8_t c = 0;
	ssize_t n = 1;

	out->len = 0;
	while (out->len < sizeof out->p && c != '\n') {
		n = read(fd, &c, 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (c != '\n')
			out->p[out->len++] = c;
	}
	if (out->len > 0 && out->p[out->len - 1] == '\r')
		out->len--;
	c = 0;
	return out->len > 0 && out->len < sizeof out->p;
}

static bool
ask_hidden(int tty, const char *prompt, struct secret *out)
{
	bool done;

	if (!terminal_hide(tty))
		return false;
	(void)dprintf(tty, "%s", prompt);
	done = read_line(tty, out);
	terminal_show();
	return done;
}

static bool
ask_twice(int tty, const char *name, struct secret *out, struct buf *why)
{
	struct secret again = { .len = 0 };
	char prompt[300];
	bool done, same;

	(void)snprintf(prompt, sizeof prompt, "New password of %.200s: ", name);
	done = ask_hidden(tty, prompt, out) && ask_hidden(tty, "The same again: ", &again);
	same = secret_equal((struct span){ out->p, out->len }, (struct span){ again.p, again.len });
	secret_wipe(&again);
	if (!done)
		return buf_refuse(why, "no password was given", NULL);
	return same || buf_refuse(why, "the two passwords differ", NULL);
}

bool
user_ask_password(const char *name, struct secret *out, struct buf *why)
{
	int tty;
	bool done;

	out->len = 0;
	if (!isatty(STDIN_FILENO))
		return read_line(STDIN_FILENO, out) || buf_refuse(why, "the standard input has no password on its first line", NULL);
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty == -1)
		return buf_refuse(why, "there is no terminal to ask for the password on", NULL);
	done = ask_twice(tty, name, out, why);
	(void)close(tty);
	return done;
}

static bool
expiry_date(struct span text, uint64_t *when)
{
	uint64_t year, month, day;
	struct tm tm;
	time_t t;

	if (!span_take_u64(&text, &year) || !span_take_byte(&text, '-') || !span_take_u64(&text, &month) || !span_take_byte(&text, '-')
	    || !span_take_u64(&text, &day) || !span_done(text) || year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	tm = (struct tm){ .tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day + 1 };
	t = timegm(&tm);
	*when = (uint64_t)t;
	/* timegm() carries 31 April over to May; the day after it is the 2nd then, not the 1st. */
	return t > 0 && (tm.tm_mday == (int)day + 1 || tm.tm_mday == 1);
}

bool
user_expiry(const char *text, uint64_t now, uint64_t *when)
{
	struct span s = span_of(text);
	uint64_t n, unit;

	if (expiry_date(s, when))
		return *when > now;
	if (!span_take_u64(&s, &n) || s.len != 1 || n == 0 || n > 36500)
		return false;
	unit = s.p[0] == 'h' ? 3600 : s.p[0] == 'd' ? 86400 : s.p[0] == 'w' ? 7 * 86400 : 0;
	*when = now + n * unit;
	return unit > 0;
}

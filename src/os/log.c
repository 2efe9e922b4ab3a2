#include "os/log.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/queue_id.h"
#include "base/utf8.h"

static struct {
	struct log_conf conf;
	char who[32];
	bool holding;
	uint8_t held[PIPE_BUF];
	size_t held_len;
} at = { .conf = { .fd = STDERR_FILENO, .most = LOG_NOTE }, .who = "postern" };

static const char *const level_names[] = { "fault", "warn", "note", "fine" };
/* syslog(3) priorities with the mail facility (2 << 3). */
static const unsigned priorities[] = { 16 + 3, 16 + 4, 16 + 6, 16 + 7 };

enum { LINE_END_ROOM = 2 };     /* a brace and a line feed always fit */
_Static_assert((int)LOG_LINE_MAX <= (int)PIPE_BUF, "a line is one write that no other process's line can split");

void
log_open(const struct log_conf *conf, const char *who)
{
	at.conf = *conf;
	(void)snprintf(at.who, sizeof at.who, "%s", who);
}

/* U+0080 to U+009F: a terminal takes them for the beginning of a sequence, as it does an escape. */
static bool
is_control(struct span s)
{
	return s.p[0] < 0x20 || s.p[0] == 0x7f || (s.p[0] == 0xc2 && s.len > 1 && s.p[1] >= 0x80 && s.p[1] < 0xa0);
}

/* Inside quotes: what JSON needs escaped, and what a terminal must never see raw. */
static bool
put_escaped(struct buf *b, struct span s)
{
	bool fits = true;

	while (fits && s.len > 0) {
		size_t n = s.p[0] < 0x80 ? 1 : utf8_width(s);
		uint8_t c = s.p[0];

		if (n == 0 || is_control(s)) {
			/* Of two octets the second is the character's number. */
			fits = buf_room(b) >= 6 && buf_put_text(b, "\\u00") && buf_put_hex(b, n > 1 ? s.p[1] : c, 2);
		} else if (n > 1) {
			fits = buf_put(b, span_head(s, n));
		} else if (c == '"' || c == '\\') {
			fits = buf_room(b) >= 2 && buf_put_byte(b, '\\') && buf_put_byte(b, c);
		} else {
			fits = buf_put_byte(b, c);
		}
		span_skip(&s, n == 0 ? 1 : n);
	}
	return fits;
}

static bool
is_bare(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_graph(s.p[i]) || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
			return false;
	return s.len > 0;
}

/* One key and value, all or nothing; a line that is full drops what comes last. */
static void
put_pair(struct log_line *l, const char *key, struct span value, bool number)
{
	struct buf *b = &l->out;
	size_t before = b->len;
	bool quoted = !number && (at.conf.json || !is_bare(value));
	bool fits = buf_put_text(b, at.conf.json ? (b->len > 1 ? ",\"" : "\"") : b->len > 0 ? " " : "")
	    && buf_put_text(b, key) && buf_put_text(b, at.conf.json ? "\":" : "=")
	    && (!quoted || buf_put_byte(b, '"'))
	    && (quoted ? put_escaped(b, span_head(value, LOG_VALUE_MAX)) : buf_put(b, span_head(value, LOG_VALUE_MAX)))
	    && (!quoted || buf_put_byte(b, '"'));

	if (!fits)
		b->len = before;
}

static void
put_time(struct log_line *l)
{
	struct timespec now;
	struct tm tm;
	char text[40];
	size_t n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text + n, sizeof text - n, ".%03uZ", (unsigned)(now.tv_nsec / 1000000));
	log_text(l, "ts", text);
}

void
log_begin(struct log_line *l, enum log_level level, const char *event)
{
	assert(level <= LOG_FINE);
	l->level = level;
	l->out = (struct buf){ l->text, 0, sizeof l->text - LINE_END_ROOM };
	if (level > at.conf.most)
		return;
	if (at.conf.json)
		(void)buf_put_byte(&l->out, '{');
	put_time(l);
	log_text(l, "level", level_names[level]);
	log_text(l, "proc", at.who);
	log_text(l, "event", event);
}

void
log_span(struct log_line *l, const char *key, struct span value)
{
	if (l->level <= at.conf.most)
		put_pair(l, key, value, false);
}

void
log_text(struct log_line *l, const char *key, const char *value)
{
	log_span(l, key, span_of(value));
}

void
log_u64(struct log_line *l, const char *key, uint64_t value)
{
	uint8_t digits[20];
	struct buf b = BUF_OVER(digits);

	if (l->level > at.conf.most)
		return;
	(void)buf_put_u64(&b, value);
	put_pair(l, key, buf_span(&b), true);
}

void
log_id(struct log_line *l, const char *key, uint64_t id)
{
	uint8_t text[QUEUE_ID_LEN];
	struct buf b = BUF_OVER(text);

	(void)queue_id_format(id, &b);
	log_span(l, key, buf_span(&b));
}

void
log_errno(struct log_line *l, int error)
{
	char text[128];

	log_text(l, "error", strerror_r(error, text, sizeof text));
}

static void
write_syslog(struct log_line *l)
{
	uint8_t packet[LOG_LINE_MAX + 64];
	struct buf b = BUF_OVER(packet);

	(void)(buf_put_byte(&b, '<') && buf_put_u64(&b, priorities[l->level]) && buf_put_text(&b, ">postern: ")
	    && buf_put(&b, buf_span(&l->out)));
	/* A log that is full must not stop the mail. */
	(void)send(at.conf.fd, b.p, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
write_out(const uint8_t *p, size_t n)
{
	ssize_t done = write(at.conf.fd, p, n);

	/* There is nobody left to tell. */
	(void)done;
}

static void
write_held(void)
{
	if (at.held_len > 0)
		write_out(at.held, at.held_len);
	at.held_len = 0;
}

static void
write_line(struct span line, bool urgent)
{
	if (urgent || line.len > sizeof at.held - at.held_len)
		write_held();
	if (urgent || !at.holding) {
		write_out(line.p, line.len);
		return;
	}
	memcpy(at.held + at.held_len, line.p, line.len);
	at.held_len += line.len;
}

void
log_hold(void)
{
	at.holding = true;
}

void
log_release(void)
{
	at.holding = false;
	write_held();
}

void
log_end(struct log_line *l)
{
	if (l->level > at.conf.most)
		return;
	l->out.max += LINE_END_ROOM;
	if (at.conf.json)
		(void)buf_put_byte(&l->out, '}');
	if (at.conf.syslog) {
		write_syslog(l);
		return;
	}
	(void)buf_put_byte(&l->out, '\n');
	write_line(buf_span(&l->out), l->level <= LOG_WARN);
}

bool
log_may(struct log_pause *p, uint64_t now, uint64_t every, uint64_t *unsaid)
{
	if (now < p->next) {
		p->unsaid++;
		return false;
	}
	*unsaid = p->unsaid;
	*p = (struct log_pause){ .next = now + every };
	return true;
}

void
log_say(enum log_level level, const char *event, const char *why)
{
	struct log_line l;

	log_begin(&l, level, event);
	if (why != NULL)
		log_text(&l, "why", why);
	log_end(&l);
}

void
log_fail(const char *event, const char *what, int error)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, event);
	log_text(&l, "what", what);
	log_errno(&l, error);
	log_end(&l);
}

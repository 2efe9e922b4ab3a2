/*
 * os/log.h - one line an event, logfmt or JSON, to stderr or syslog.
 *
 * Owner     the caller has a struct log_line on its stack.
 * Blocks    on the descriptor it writes to; whole lines and at most PIPE_BUF octets a write(2), so that lines of several
 *           processes do not mix.
 * Secrets   there is no call that takes a struct secret; every value is escaped (control octets, quotes, octets above 127
 *           that are no valid UTF-8), and cut at LOG_VALUE_MAX.
 *
 *	struct log_line l;
 *	log_begin(&l, LOG_NOTE, "accepted");
 *	log_span(&l, "id", id);
 *	log_u64(&l, "size", size);
 *	log_end(&l);
 */
#ifndef POSTERN_OS_LOG_H
#define POSTERN_OS_LOG_H

#include "base/buf.h"

enum log_level { LOG_FAULT, LOG_WARN, LOG_NOTE, LOG_FINE };
enum { LOG_LINE_MAX = 4000, LOG_VALUE_MAX = 500 };

struct log_line {
	enum log_level level;
	struct buf out;
	uint8_t text[LOG_LINE_MAX];
};

struct log_conf {
	bool json;
	bool syslog;            /* fd is a datagram socket to the syslog daemon */
	int fd;                 /* 2, or the one for syslog */
	enum log_level most;    /* LOG_NOTE unless debugging */
};

/* Once per process, before the first line; who is "front:0", "spool", ... */
void log_open(const struct log_conf *, const char *who);

void log_begin(struct log_line *, enum log_level, const char *event);
void log_span(struct log_line *, const char *key, struct span value);
void log_text(struct log_line *, const char *key, const char *value);
void log_u64(struct log_line *, const char *key, uint64_t value);
/* A queue id, formatted. */
void log_id(struct log_line *, const char *key, uint64_t id);
/* strerror(error) under "error". */
void log_errno(struct log_line *, int error);
void log_end(struct log_line *);

/* Between the two, lines up to NOTE may wait in memory: somebody who waits for an answer should not wait for the log as well, and one call
 * writes many. A warning takes what waits along at once, since the process may be about to end. */
void log_hold(void);
void log_release(void);

/* One kind of line that may come often, said seldom. Begins as { 0 }. */
struct log_pause {
	uint64_t next;          /* not before; whatever clock the caller has */
	uint64_t unsaid;        /* since the last one */
};

/* May the line be said now? True: write it, *unsaid were not said before it, and the next one is due after every. False: it is counted. */
bool log_may(struct log_pause *, uint64_t now, uint64_t every, uint64_t *unsaid);

/* An event with nothing but words, and one with a reason in errno's terms. */
void log_say(enum log_level, const char *event, const char *why);
void log_fail(const char *event, const char *what, int error);

#endif

/*
 * proc/5_relay_report.h - private to 5_relay*.c: TLS reports (RFC 8460), from the session that is counted to the report that is sent.
 *
 *	session ──▶ today's table ──midnight──▶ a closed day ──TXT──▶ gzip ──┬─ mailto: ─▶ 4_spool
 *	                │ file, each half minute       │ what is settled      └─ https: ──▶ POST
 *
 * Owner     struct relay_reports, which belongs to the relay.
 * Blocks    on the disk when it begins, and at its end; a worker writes in between. One write of a short line for each report.
 * Fails     what cannot be kept or sent is said in the log; mail is never held up by it.
 */
#ifndef POSTERN_PROC_5_RELAY_REPORT_H
#define POSTERN_PROC_5_RELAY_REPORT_H

#include <uv.h>

#include "conf/conf.h"
#include "dns/text.h"
#include "policy/tlsrpt.h"
#include "policy/tlsrpt_names.h"
#include "policy/tlsrpt_record.h"
#include "proc/peers.h"
#include "tls/fetch.h"

struct relay;
struct relay_connection;

enum {
	RELAY_REPORT_DAYS = 3,                  /* in memory: today's and closed ones; older ones wait on the disk */
	RELAY_REPORT_OLD_DAYS = 7,              /* what is older is not sent any more */
	RELAY_REPORT_WRITE_MS = 30 * 1000,      /* between two writes of what was counted */
	RELAY_REPORT_DELAY_MS = 4 * 3600 * 1000,        /* at most, from midnight (8460 4.1) */
	RELAY_REPORT_RETRY_MS = 24 * 3600 * 1000,       /* from the first attempt (8460 5.5) */
	RELAY_REPORT_RETRY_FIRST_MS = 5 * 60 * 1000,    /* doubled each time */
	RELAY_REPORT_RETRY_MOST_MS = 4 * 3600 * 1000,
	RELAY_REPORTS_AT_ONCE = 8,
	RELAY_REPORT_POST_MS = 60 * 1000,
	RELAY_REPORT_LETTER_MS = 60 * 1000,     /* for 4_spool's answer */
	RELAY_REPORT_ANSWER_MAX = 64 * 1024,    /* octets of a server's answer to POST */
	RELAY_REPORT_FILE_MAX = TLSRPT_STORE_MAX,
};

/* What became of one domain's report. */
enum report_step { REPORT_WAITS, REPORT_RUNS, REPORT_SETTLED };

struct report_state {
	enum report_step step;
	uint32_t attempts;
	uint64_t due;                   /* ms since 1970 */
	uint64_t first;                 /* of the first attempt; 0: none yet */
};

struct report_day {
	struct tlsrpt *table;
	struct report_state *report;    /* of each domain; NULL: the day is not over */
	uint32_t left;                  /* domains that are not settled */
	uint32_t running;
	bool dirty;                     /* table has what the file has not */
};

/* A report on its way. */
struct report_run {
	struct relay_reports *reports;  /* NULL: this place is free */
	struct report_day *day;
	uint32_t domain;
	uint32_t at, accepted;          /* URI in use; how many took it */
	struct txt_lookup *txt;
	struct mx_lookup *hosts;
	struct fetch *fetch;
	uint32_t letter;                /* session of the RELAY_LETTER that is out; 0: none */
	uint64_t letter_until;          /* uv_now() */
	uint8_t *gzip;
	size_t gzip_len;
	struct tlsrpt_record record;
	struct fetch_question question; /* POST that is out, or was just now */
};

struct report_write {
	uv_work_t work;
	struct report_day *day;         /* NULL: none runs */
	int error;
	struct buf text;
	char path[CONF_TEXT_MAX + 64], fresh[CONF_TEXT_MAX + 64];
};

struct relay_reports {
	struct relay *relay;
	struct report_day *today;
	struct report_day *closed[RELAY_REPORT_DAYS - 1];
	uint8_t key[SIPHASH_KEY];
	struct report_run run[RELAY_REPORTS_AT_ONCE];
	uint32_t letters;               /* session of the newest */
	struct fetcher *fetcher;        /* NULL until somebody wants HTTPS */
	struct report_write write;
	uv_timer_t timer;
	uint64_t written;               /* uv_now() when the newest write began */
	bool failing;                   /* the newest write failed, and the log says so */
	bool closing;
	char state_dir[CONF_TEXT_MAX];
};

/* ---- 5_relay_report.c ---- */
/* As the configuration has it: begin, go on, or end. After the resolver and the trust were made. */
void relay_reports_configure(struct relay *);
/* What runs is given up for now: resolver and trust go. */
void relay_reports_pause(struct relay *);
/* Write what there is and end. Not at once while a worker writes: relay_reports_gone() says when. */
void relay_reports_close(struct relay *);
bool relay_reports_gone(const struct relay *);
/* For whoever has changed something. */
void report_arm(struct relay_reports *);
/* A place is free: somebody else's report may begin. */
void report_soon(struct relay_reports *);
/* NULL: no memory. */
struct report_day *report_today(struct relay_reports *);

/* ---- 5_relay_report_count.c ---- */
/* A session that is good enough for mail: of the attempt that it is about to carry, or of those that it will not. */
void relay_report_session(struct relay_connection *);
/* One that is not, for this reason; reason.result says what it is called. What the relay did wrong itself is not for here. */
void relay_report_failure(struct relay_connection *, const char *why);

/* ---- 5_relay_report_compose.c ---- */
/* The report about a domain of the table as JSON (8460 4.4), gzipped. *octets is to be freed. False: no memory, or too big. */
bool report_compose(const struct tlsrpt *, uint32_t domain, const struct conf *, uint8_t **octets, size_t *len);

/* ---- 5_relay_report_file.c: STATE/relay/tls-reports ---- */
bool report_file_names(const char *state_dir, uint32_t day, char *path, char *fresh, size_t room);
/* Into an initialised table of that day. False: there is none that is any good. */
bool report_file_read(const char *state_dir, struct tlsrpt *);
bool report_file_there(const char *state_dir, uint32_t day);
/* What was settled, or begun at first, before we began. */
void report_settled_read(const char *state_dir, struct report_day *);
void report_settled_write(const char *state_dir, const struct report_day *, uint32_t domain);
/* The day is over and done with. */
void report_files_remove(const char *state_dir, uint32_t day);
/* Everything before that day goes. */
void report_files_sweep(const char *state_dir, uint32_t day);

/* ---- 5_relay_report_send.c ---- */
/* False: not now, too many run. */
bool report_begin(struct relay_reports *, struct report_day *, uint32_t domain);
/* Those that need the resolver or the trust, or all; they come again. */
void report_runs_stop(struct relay_reports *, bool letters);
void report_runs_sweep(struct relay_reports *);
/* RELAY_LETTER_TAKEN. False: nobody asked. */
bool relay_report_taken(struct relay *, uint32_t session, struct span body);
/* 4_spool is gone: nobody will answer. */
void relay_report_deserted(struct relay *);

#endif

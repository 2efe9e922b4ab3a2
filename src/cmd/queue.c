#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/queue_id.h"
#include "cmd/commands.h"
#include "cmd/queue.h"
#include "cmd/queue_where.h"
#include "cmd/settings.h"
#include "cmd/when.h"
#include "os/clock.h"
#include "os/control.h"

enum { EXIT_FINE = 0, EXIT_USAGE = 64, EXIT_NOINPUT = 66, EXIT_UNAVAILABLE = 69, EXIT_OS = 71, EXIT_LATER = 75,
	EXIT_CONFIG = 78, LOGIN_MAX = 255, PAGE = 500,
	WHERE_MOST = 20,
	PATIENCE_MS = 2000 };             /* so long without an answer, and we say that we wait */

static const char usage[] =
    "usage: postern queue [list [ADDRESS]] [--held] [--most N] [--json]\n"
    "       postern queue show ID [--json]\n"
    "       postern queue where ID|MESSAGE-ID|ADDRESS [--limit N] [--json]\n"
    "       postern queue retry ID|all\n"
    "       postern queue drop ID\n"
    "       postern queue cancel ID\n"
    "       postern queue reschedule ID WHEN\n"
    "       postern queue hold|release|purge ID | --principal LOGIN\n"
    "       all: [--config FILE] [--state DIR] [--set KEY=VALUE]...\n"
    "\n"
    "Shows and changes what waits in the spool of the running server. ADDRESS is a sender, a recipient or a recipient's domain.\n"
    "`cancel` drops, and `reschedule` moves, what waits for its release (FUTURERELEASE), and nothing else. WHEN is a time like\n"
    "2026-11-23T08:00:00Z, how long from now, like 90min, 2h, 3d, or now.\n"
    "where says what became of a message, also long after it has gone; ADDRESS is its sender or a recipient, newest first, 20 at most.\n"
    "What is held waits until it is released, or purged: dropped, and nobody is told. LOGIN alice has what alice/laptop sent, too.\n"
    "Exit status 0: done; 66: no such message, or none that it can be done to; 69: the server is not running; 75: not now, ask again.\n";

enum verb { VERB_LIST, VERB_SHOW, VERB_WHERE, VERB_RETRY, VERB_DROP, VERB_CANCEL, VERB_RESCHEDULE, VERB_HOLD, VERB_RELEASE, VERB_PURGE };

struct query {
	struct settings settings;
	enum verb verb;
	const char *what;               /* ID, address, "all", or NULL */
	const char *principal;          /* or NULL */
	const char *when;               /* or NULL */
	unsigned words;
	uint64_t id, release;
	uint64_t most;                  /* rows of a list at most */
	uint64_t limit;                 /* messages that `where` shows at most; 0: WHERE_MOST */
	bool json, held;
	/* The conversation. */
	uv_loop_t loop;
	uv_timer_t patience;
	struct channel *channel;
	struct queue_answer answer;
	struct queue_total total;
	bool ended, broken, unshown;
};

/* ---- the command line ---- */
static const struct verb_row {
	const char *name;
	uint16_t question;
	bool principals;                /* takes --principal instead of an id */
	const char *done;               /* what has happened to so many messages */
} verbs[] = {
	[VERB_LIST] = { "list", QUEUE_LIST, false, NULL },
	[VERB_SHOW] = { "show", QUEUE_SHOW, false, NULL },
	[VERB_WHERE] = { "where", WHERE_ASK, false, NULL },
	[VERB_RETRY] = { "retry", QUEUE_RETRY, false, "to be tried now" },
	[VERB_DROP] = { "drop", QUEUE_DROP, false, "dropped" },
	[VERB_CANCEL] = { "cancel", QUEUE_RESCHEDULE, false, "cancelled" },
	[VERB_RESCHEDULE] = { "reschedule", QUEUE_RESCHEDULE, false, "rescheduled" },
	[VERB_HOLD] = { "hold", QUEUE_HOLD, true, "held" },
	[VERB_RELEASE] = { "release", QUEUE_RELEASE, true, "released, to be tried now" },
	[VERB_PURGE] = { "purge", QUEUE_PURGE, true, "dropped for good" },
};

static bool
take_word(struct query *q, const char *word)
{
	unsigned words = ++q->words;

	if (words == 2) {
		q->what = word;
		return true;
	}
	if (words == 3 && q->verb == VERB_RESCHEDULE) {
		q->when = word;
		return true;
	}
	for (size_t i = 0; words == 1 && i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(word, verbs[i].name) == 0) {
			q->verb = (enum verb)i;
			return true;
		}
	return false;
}

static bool
check_when(struct query *q, struct buf *why)
{
	if (q->verb != VERB_RESCHEDULE)
		return true;
	if (q->when != NULL && when_parse(span_of(q->when), clock_wall(), &q->release) && q->release > 0)
		return true;
	return buf_put_text(why, q->when == NULL ? "until when? " : "not understood as a time: it is ") &&
	    buf_put_text(why, WHEN_FORMS ", or now") && false;
}

static bool
check_where(const struct query *q, struct buf *why)
{
	if (q->what == NULL || q->what[0] == '\0' || strlen(q->what) > HISTORY_TEXT_MAX)
		return buf_put_text(why, "say which: a queue id, a Message-ID, a sender or a recipient") && false;
	return true;
}

static bool
check_words(struct query *q, struct buf *why)
{
	bool all = q->verb == VERB_RETRY && q->what != NULL && strcmp(q->what, "all") == 0;

	if (q->principal != NULL && (!verbs[q->verb].principals || q->what != NULL))
		return buf_put_text(why, q->what != NULL ? "either a queue id or --principal, not both"
		    : "--principal goes with hold, release and purge") && false;
	if (q->principal != NULL && (q->principal[0] == '\0' || strlen(q->principal) > LOGIN_MAX))
		return buf_put_text(why, "that is not a login") && false;
	if ((q->held || q->most > 0) && q->verb != VERB_LIST)
		return buf_put_text(why, q->held ? "--held goes with list" : "--most goes with list") && false;
	if (q->limit != 0 && q->verb != VERB_WHERE)
		return buf_put_text(why, "--limit goes with where") && false;
	if (q->verb == VERB_WHERE)
		return check_where(q, why);
	if (q->verb == VERB_LIST || q->principal != NULL || all)
		return true;
	if (q->what != NULL && queue_id_parse(span_of(q->what), &q->id))
		return check_when(q, why);
	if (q->what != NULL)
		return buf_refuse(why, "not a queue id", q->what);
	return buf_refuse(why, verbs[q->verb].principals ? "the queue id, or --principal LOGIN, is missing" : "the queue id is missing", NULL);
}

static_assert(HISTORY_FIND_MOST == 1000, "the words below say so");

/* A number of messages. */
static bool
take_number(const char *text, uint64_t most, uint64_t *number)
{
	struct span rest = span_of(text);

	return span_take_u64(&rest, number) && span_done(rest) && *number > 0 && *number <= most;
}

/* An option with a value behind it, or a word. */
static bool
take_argument(struct query *q, const char *name, const char *value, bool *used, struct buf *why)
{
	*used = strcmp(name, "--most") == 0 || strcmp(name, "--limit") == 0 || strcmp(name, "--principal") == 0;
	if (*used && value == NULL)
		return buf_refuse(why, name, "needs a value behind it");
	if (strcmp(name, "--most") == 0)
		return take_number(value, UINT64_MAX, &q->most) || buf_refuse(why, "--most needs a number of messages, at least 1; not", value);
	if (strcmp(name, "--limit") == 0)
		return take_number(value, HISTORY_FIND_MOST, &q->limit) || buf_refuse(why, "--limit needs a number of messages, 1 to 1000; not", value);
	if (strcmp(name, "--principal") == 0)
		q->principal = value;
	else if (name[0] == '-' || !take_word(q, name))
		return buf_refuse(why, "not understood", name);
	return true;
}

static bool
take_arguments(struct query *q, int argc, char **argv, struct buf *why)
{
	bool used;

	for (int i = 1; i < argc; i++) {
		switch (settings_option(&q->settings, argc, argv, &i, why)) {
		case SETTINGS_TAKEN:
			continue;
		case SETTINGS_WRONG:
			return false;
		case SETTINGS_OTHER:
			break;
		}
		if (strcmp(argv[i], "--json") == 0)
			q->json = true;
		else if (strcmp(argv[i], "--held") == 0)
			q->held = true;
		else if (!take_argument(q, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used, why))
			return false;
		else
			i += used;
	}
	return check_words(q, why);
}

/* ---- the conversation ---- */
static void
end_conversation(struct query *q, bool broken)
{
	q->broken = broken;
	q->ended = true;
	uv_stop(&q->loop);
}

static bool
take_end(struct query *q, struct span body)
{
	struct queue_answer *a = &q->answer;

	if (!fields_parse(queue_end_layout, body, &a->end))
		return false;
	(void)snprintf(a->words, sizeof a->words, "%.*s", (int)a->end.words.len, (const char *)a->end.words.p);
	end_conversation(q, false);
	return true;
}

static bool
take_frame(struct query *q, const struct frame *f)
{
	struct queue_entry e;
	struct queue_recipient r;

	switch (f->type) {
	case QUEUE_ENTRY:
		return fields_parse(queue_entry_layout, f->body, &e) && queue_row_add(&q->answer, &e);
	case QUEUE_RECIPIENT:
		return fields_parse(queue_recipient_layout, f->body, &r) && queue_person_add(&q->answer, &r);
	case QUEUE_END:
		return take_end(q, f->body);
	default:
		return false;
	}
}

/* The master has the socket, whoever is behind it. */
static void
on_patience(uv_timer_t *timer)
{
	(void)timer;
	(void)fputs("postern queue: the server does not answer yet: it reads its spool, or cannot; see event=spool-start, spool and child in "
	    "its log; waiting\n", stderr);
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct query *q = arg;

	(void)c;
	(void)uv_timer_stop(&q->patience);
	if (!q->ended && !take_frame(q, f))
		end_conversation(q, true);
}

static void
on_closed(void *arg, struct channel *c)
{
	struct query *q = arg;

	(void)c;
	q->channel = NULL;
	end_conversation(q, true);
}

static void
ask_once(struct query *q, uint64_t after)
{
	uint16_t question = verbs[q->verb].question;
	uint64_t left = q->most == 0 ? 0 : q->most - q->total.rows;
	struct queue_list list = { .after = after, .most = left < PAGE ? (uint32_t)left : PAGE, .held = q->held,
		.address = span_of(q->what) };
	struct queue_which which = { q->id };
	struct queue_held held = { q->id, span_of(q->principal) };
	struct queue_reschedule reschedule = { q->id, q->release };

	q->ended = false;
	if (q->verb == VERB_LIST)
		(void)channel_send(q->channel, question, 1, queue_list_layout, &list);
	else if (question == QUEUE_RESCHEDULE)
		(void)channel_send(q->channel, question, 1, queue_reschedule_layout, &reschedule);
	else if (verbs[q->verb].principals)
		(void)channel_send(q->channel, question, 1, queue_held_layout, &held);
	else
		(void)channel_send(q->channel, question, 1, queue_which_layout, &which);
	while (!q->ended)
		(void)uv_run(&q->loop, UV_RUN_DEFAULT);
}

/* Shown as it comes: a queue may have millions. False: not to be had, or nobody reads it. */
static bool
show_page(struct query *q)
{
	bool shown = true;

	if (q->json)
		shown = queue_print_json_page(&q->answer, &q->total);
	else
		queue_print_page(&q->answer, &q->total);
	queue_answer_empty(&q->answer);
	q->unshown = !shown || fflush(stdout) != 0;
	return !q->unshown;
}

/* A long list comes in several answers. */
static bool
ask(struct query *q)
{
	uint64_t after = 0;

	do {
		ask_once(q, after);
		after = q->answer.end.next;
	} while (!q->broken && q->verb == VERB_LIST && q->answer.end.fail == OK && show_page(q) && after != 0
	    && (q->most == 0 || q->total.rows < q->most));
	return !q->broken;
}

/* ---- the whole ---- */
static int
unavailable(const char *path)
{
	char words[1024];
	struct buf why = BUF_OVER(words);

	control_why(path, &why);
	(void)fprintf(stderr, "postern queue: %.*s\n", (int)why.len, words);
	return EXIT_UNAVAILABLE;
}

static int
status_of(uint32_t fail)
{
	switch (fail) {
	case FAIL_ARGUMENT:
		return EXIT_NOINPUT;
	case FAIL_SYNTAX:
		return EXIT_USAGE;
	case FAIL_BUSY:
	case FAIL_DISK_FULL:
	case FAIL_DOUBT:
		return EXIT_LATER;
	default:
		return EXIT_OS;
	}
}

static int
report(struct query *q)
{
	struct queue_answer *a = &q->answer;

	if (a->end.fail != OK) {
		(void)fprintf(stderr, "postern queue: %s\n", a->words);
		return status_of(a->end.fail);
	}
	if (verbs[q->verb].done != NULL) {
		(void)printf("%s: %u message%s\n", verbs[q->verb].done, a->end.count, a->end.count == 1 ? "" : "s");
		/* Programs read that line. */
		if (a->words[0] != '\0')
			(void)fprintf(stderr, "postern queue: %s\n", a->words);
		return fflush(stdout) == 0 ? EXIT_FINE : EXIT_OS;
	}
	if (q->verb == VERB_LIST)
		(q->json ? queue_print_json_total : queue_print_total)(&q->total);
	else if (!q->json)
		queue_print(a);
	else if (!queue_print_json(a))
		return EXIT_OS;
	return fflush(stdout) == 0 && !q->unshown ? EXIT_FINE : EXIT_OS;
}

static int
converse(struct query *q)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };
	const char *path = q->settings.conf.control_socket.p;
	int fd = control_connect(path), status;

	if (fd == -1)
		return unavailable(path);
	if (uv_loop_init(&q->loop) != 0 || (q->channel = channel_open(&q->loop, fd, &handler, q)) == NULL) {
		(void)fputs("postern queue: out of memory, or of descriptors\n", stderr);
		return EXIT_OS;
	}
	(void)uv_timer_init(&q->loop, &q->patience);
	(void)uv_timer_start(&q->patience, on_patience, PATIENCE_MS, 0);
	if (ask(q))
		status = report(q);
	else {
		(void)fprintf(stderr, "postern queue: the server at %s hung up\n", path);
		status = EXIT_UNAVAILABLE;
	}
	channel_close(q->channel);
	uv_close((uv_handle_t *)&q->patience, NULL);
	(void)uv_run(&q->loop, UV_RUN_NOWAIT);
	(void)uv_loop_close(&q->loop);
	queue_answer_free(&q->answer);
	return status;
}

int
command_queue(int argc, char **argv)
{
	static struct query q;
	char text[1024];
	struct buf why = { (uint8_t *)text, 0, sizeof text - 1 };

	memset(&q, 0, sizeof q);
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		(void)fputs(usage, stdout);
		return EXIT_FINE;
	}
	if (!take_arguments(&q, argc, argv, &why)) {
		text[why.len] = '\0';
		(void)fprintf(stderr, "postern queue: %s\n%s", text, usage);
		return EXIT_USAGE;
	}
	if (!settings_read(&q.settings, &why)) {
		text[why.len] = '\0';
		(void)fprintf(stderr, "postern queue: %s\n", text);
		return EXIT_CONFIG;
	}
	if (q.verb == VERB_WHERE)
		return queue_where(&q.settings, q.what, q.limit != 0 ? (uint32_t)q.limit : WHERE_MOST, q.json);
	return converse(&q);
}

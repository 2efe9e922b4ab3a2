/*
 * What 3_auth wants an operator to know: a line in the log, and `alarm-command` run with the event in its environment.
 *
 * The command is somebody else's program with words in it that strangers have chosen. It gets them in four variables, never in
 * a command line; no shell, no descriptor but /dev/null and the log's stderr, no other variable but PATH; it is never root. One runs at
 * a time, for ALARM_MS at most, ALARMS_HOUR in an hour.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/log.h"
#include "os/promise.h"
#include "proc/0_master.h"

/* ---- what waits ---- */
static void
copy_clean(char *out, size_t room, struct span s)
{
	size_t n = s.len < room - 1 ? s.len : room - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(s.p[i] < 32 || s.p[i] == 127 ? '?' : s.p[i]);
	out[n] = '\0';
}

/* False, and said once an hour: there are too many, or they come faster than the command runs. */
static bool
alarm_room(struct master *m)
{
	struct alarms *a = &m->alarms;
	uint64_t now = uv_now(&m->loop);

	if (a->hour_begun == 0 || now - a->hour_begun >= ALARMS_PERIOD_MS) {
		a->hour_begun = now == 0 ? 1 : now;
		a->hour_count = 0;
		a->dropped = false;
	}
	if (a->count < ALARMS_WAITING && a->hour_count < ALARMS_HOUR) {
		a->hour_count++;
		return true;
	}
	if (!a->dropped)
		log_say(LOG_WARN, "alarm-dropped", "more alarms than alarm-command can be run for; they are in the log only");
	a->dropped = true;
	return false;
}

static void
alarm_keep(struct alarms *a, const struct child_alarm *m)
{
	struct alarm *one = &a->waiting[(a->first + a->count++) % ALARMS_WAITING];

	copy_clean(one->event, sizeof(one->event), m->event);
	copy_clean(one->login, sizeof(one->login), m->login);
	copy_clean(one->words, sizeof(one->words), m->words);
}

/* ---- running it ---- */
static void begin_next(struct master *);

static void
on_closed(uv_handle_t *handle)
{
	struct master *m = handle->data;

	m->alarms.running = false;
	begin_next(m);
}

static void
on_exit(uv_process_t *process, int64_t status, int signal)
{
	struct master *m = process->data;
	bool good = status == 0 && signal == 0;
	struct log_line l;

	(void)uv_timer_stop(&m->alarms.limit);
	log_begin(&l, good ? LOG_NOTE : LOG_WARN, "alarm-command");
	if (signal != 0)
		log_text(&l, "signal", strsignal(signal));
	else
		log_u64(&l, "status", (uint64_t)status);
	if (m->alarms.overdue)
		log_text(&l, "why", "it ran too long and was ended");
	log_u64(&l, "ms", uv_now(&m->loop) - m->alarms.begun);
	log_end(&l);
	uv_close((uv_handle_t *)process, on_closed);
}

static void
on_limit(uv_timer_t *timer)
{
	struct master *m = timer->data;

	m->alarms.overdue = true;
	/* It has a session of its own: what it started ends too. */
	(void)kill(-m->alarms.process.pid, SIGKILL);
}

/* Root's own programs read other variables and other files than these people may choose: never as root. */
bool
master_alarm_identity(struct identity *out)
{
	static const char *const names[] = { "postern-alarm", "nobody" };

	return identity_find(names, 2, out);
}

static bool
choose_user(uv_process_options_t *options)
{
	struct identity id;

	if (geteuid() != 0)
		return true;
	if (!master_alarm_identity(&id))
		return false;
	options->flags |= UV_PROCESS_SETUID | UV_PROCESS_SETGID;
	options->uid = id.uid;
	options->gid = id.gid;
	return true;
}

/* False: nothing was begun, on_closed() will not be called. */
static bool
spawn(struct master *m, const struct alarm *one)
{
	static char event[64], login[300], words[450], host[CONF_TEXT_MAX + 16], path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char *args[] = { m->conf.alarm_command.p, NULL };
	char *env[] = { path, event, login, words, host, NULL };
	uv_stdio_container_t stdio[] = {
		{ .flags = UV_IGNORE }, { .flags = UV_IGNORE }, { .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
	};
	uv_process_options_t options = { .exit_cb = on_exit, .file = args[0], .args = args, .env = env, .cwd = "/",
		.flags = UV_PROCESS_DETACHED, .stdio = stdio, .stdio_count = 3 };
	int error;

	(void)snprintf(event, sizeof(event), "POSTERN_EVENT=%s", one->event);
	(void)snprintf(login, sizeof(login), "POSTERN_LOGIN=%s", one->login);
	(void)snprintf(words, sizeof(words), "POSTERN_WORDS=%s", one->words);
	(void)snprintf(host, sizeof(host), "POSTERN_HOST=%s", m->conf.hostname.p);
	if (!choose_user(&options)) {
		log_say(LOG_WARN, "alarm-command", "not run: there is neither a user postern-alarm nor nobody, and root it must not be");
		return false;
	}
	error = uv_spawn(&m->loop, &m->alarms.process, &options);
	if (error == 0)
		return true;
	log_say(LOG_WARN, "alarm-command", uv_strerror(error));
	/* libuv has the handle in its hands even then. */
	uv_close((uv_handle_t *)&m->alarms.process, on_closed);
	return true;
}

static void
begin_next(struct master *m)
{
	struct alarms *a = &m->alarms;
	const struct alarm *one = &a->waiting[a->first];

	/* A reload may have taken the command away. */
	if (m->conf.alarm_command.p[0] == '\0')
		a->count = 0;
	if (a->running || a->count == 0 || m->phase >= MASTER_DRAINING)
		return;
	a->first = (a->first + 1) % ALARMS_WAITING;
	a->count--;
	a->overdue = false;
	a->begun = uv_now(&m->loop);
	a->process.data = m;
	a->running = spawn(m, one);
	if (a->running && uv_is_active((uv_handle_t *)&a->process))
		(void)uv_timer_start(&a->limit, on_limit, a->limit_ms, 0);
}

/* ---- what the others call ---- */
void
master_alarms_init(struct master *m)
{
	(void)uv_timer_init(&m->loop, &m->alarms.limit);
	m->alarms.limit.data = m;
	m->alarms.limit_ms = ALARM_MS;
}

void
master_alarm(struct master *m, struct span body)
{
	struct child_alarm alarm;
	struct log_line l;

	if (!fields_parse(child_alarm_layout, body, &alarm))
		return;
	log_begin(&l, LOG_WARN, "alarm");
	log_span(&l, "of", alarm.event);
	log_span(&l, "login", alarm.login);
	log_span(&l, "why", alarm.words);
	log_end(&l);
	if (m->conf.alarm_command.p[0] == '\0' || !alarm_room(m))
		return;
	alarm_keep(&m->alarms, &alarm);
	begin_next(m);
}

void
master_alarms_end(struct master *m)
{
	if (!m->alarms.running || !uv_is_active((uv_handle_t *)&m->alarms.process))
		return;
	log_say(LOG_WARN, "alarm-command", "ended, because the server ends");
	(void)kill(-m->alarms.process.pid, SIGKILL);
}

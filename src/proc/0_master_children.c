#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "conf/webhook.h"
#include "os/log.h"
#include "proc/0_master.h"

enum { ENVIRONMENT_MAX = 256 };

static_assert((int)FRONTS_MAX <= (int)PEERS_SLOTS_MAX, "every front can be accused");

/* Which processes talk to which: both ends of a new channel are handed out whenever one of the two starts. */
static const enum role talk[][2] = {
	{ ROLE_FRONT, ROLE_SIGNER },
	{ ROLE_FRONT, ROLE_AUTH },
	{ ROLE_FRONT, ROLE_SPOOL },
	{ ROLE_SPOOL, ROLE_RELAY },
	{ ROLE_SPOOL, ROLE_AUTH },
	{ ROLE_SPOOL, ROLE_MILTER },
	{ ROLE_RELAY, ROLE_SIGNER },
	{ ROLE_SPOOL, ROLE_HISTORY },
	{ ROLE_HISTORY, ROLE_HOOK },
};

static void
worker_init(struct master *m, enum role role, uint32_t slot, enum stage stage)
{
	struct worker *w = &m->worker[m->workers++];

	*w = (struct worker){ .master = m, .role = role, .slot = slot, .stage = stage };
	(void)uv_timer_init(&m->loop, &w->timer);
	w->timer.data = w;
}

void
master_children_init(struct master *m, unsigned fronts)
{
	worker_init(m, ROLE_SPOOL, 0, STAGE_SPOOL);
	if (m->conf.history)
		worker_init(m, ROLE_HISTORY, 0, STAGE_SPOOL);
	worker_init(m, ROLE_SIGNER, 0, STAGE_AUTH);
	worker_init(m, ROLE_AUTH, 0, STAGE_AUTH);
	worker_init(m, ROLE_RELAY, 0, STAGE_RELAY);
	if (m->conf.milters > 0)
		worker_init(m, ROLE_MILTER, 0, STAGE_AUTH);
	if (m->conf.webhook.p[0] != '\0')
		worker_init(m, ROLE_HOOK, 0, STAGE_RELAY);
	for (unsigned i = 0; i < fronts && i < FRONTS_MAX; i++)
		worker_init(m, ROLE_FRONT, i, STAGE_FRONTS);
}

/* ---- what a child is told ---- */

void
master_send_conf(struct worker *w)
{
	static uint8_t text[128 * 1024];
	struct buf b = BUF_OVER(text);
	struct conf *conf = &w->master->conf;
	struct conf_text webhook = conf->webhook;

	/* A secret has one home; the others need to know no more than that there is a webhook. */
	if (w->role != ROLE_HOOK)
		conf->webhook.p[webhook_url_public(span_of(webhook.p)).len] = '\0';
	if (w->channel != NULL && conf_format(conf, &b))
		(void)channel_send_octets(w->channel, MASTER_CONF, 0, buf_span(&b));
	conf->webhook = webhook;
}

void
master_send_certificates(struct worker *w)
{
	struct certificates *all = &w->master->certificates;
	bool wants = w->role == ROLE_FRONT || w->role == ROLE_SIGNER;

	if (w->role == ROLE_SIGNER && w->channel != NULL)
		certificates_read_keys(all);
	for (size_t i = 0; w->channel != NULL && wants && i < all->count; i++) {
		struct master_certificate m = { (uint32_t)i, all->list[i].chain, { NULL, 0 } };

		if (w->role == ROLE_SIGNER)
			m.key = all->list[i].key;

		(void)channel_send(w->channel, MASTER_CERTIFICATE, 0, master_certificate_layout, &m);
	}
	if (w->role == ROLE_SIGNER)
		certificates_forget_keys(all);
}

void
master_send_listeners(struct worker *w, bool fresh_only)
{
	const struct master *m = w->master;

	if (w->channel == NULL || w->role != ROLE_FRONT || (fresh_only && w->listens))
		return;
	for (size_t i = 0; i < m->sockets; i++) {
		const struct socket_bound *s = &m->socket[i];
		struct master_listen listen = { s->conf.service, span_of(s->conf.address), s->conf.port };

		if (s->fresh || !fresh_only)
			(void)channel_send_fd(w->channel, MASTER_LISTEN, 0, master_listen_layout, &listen, s->fd);
	}
	/* One that begins anew before the others hear of a reload needs to be told no more of it. */
	w->listens = true;
}

/* The local sockets on which the operator's commands ask. */
static void
send_control(struct worker *w)
{
	const struct master *m = w->master;
	struct master_listen queue = { MASTER_LISTEN_CONTROL, span_of(m->conf.control_socket.p), 0 };
	struct master_listen ledger = { MASTER_LISTEN_LEDGER, span_of(m->conf.ledger_socket.p), 0 };
	struct master_listen history = { MASTER_LISTEN_HISTORY, span_of(m->conf.history_socket.p), 0 };

	if (w->role == ROLE_SPOOL)
		(void)channel_send_fd(w->channel, MASTER_LISTEN, 0, master_listen_layout, &queue, m->control_fd);
	if (w->role == ROLE_AUTH)
		(void)channel_send_fd(w->channel, MASTER_LISTEN, 0, master_listen_layout, &ledger, m->ledger_fd);
	if (w->role == ROLE_HISTORY)
		(void)channel_send_fd(w->channel, MASTER_LISTEN, 0, master_listen_layout, &history, m->history_fd);
}

/* Read anew each time, so that the master keeps no password and no key. */
static void
send_secret(struct worker *w)
{
	const char *path = w->role == ROLE_HOOK ? w->master->conf.webhook_secret.p : w->master->conf.relay_credentials.p;
	struct secret password = { .len = 0 };
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (path[0] == '\0')
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		n = read(fd, password.p, sizeof(password.p));
	if (n > 0) {
		password.len = span_find((struct span){ password.p, (size_t)n }, '\n');
		/* Nor is the CR of a CRLF a part of it. */
		if (password.len > 0 && password.p[password.len - 1] == '\r')
			password.len--;
		(void)channel_send_octets(w->channel, MASTER_SECRET, 0, (struct span){ password.p, password.len });
	} else {
		log_say(LOG_FAULT, w->role == ROLE_HOOK ? "webhook-secret" : "relay-credentials", "cannot be read, is empty, or may be read by others");
	}
	if (fd != -1)
		(void)close(fd);
	wipe(password.p, sizeof(password.p));
}

static void
introduce(struct worker *a, struct worker *b)
{
	struct master_peer to_a = { b->role, b->slot, b->life }, to_b = { a->role, a->slot, a->life };
	int fd[2];

	if (!channel_pair(fd)) {
		log_fail("peer", "cannot make a channel", errno);
		return;
	}
	(void)channel_send_fd(a->channel, MASTER_PEER, 0, master_peer_layout, &to_a, fd[0]);
	(void)channel_send_fd(b->channel, MASTER_PEER, 0, master_peer_layout, &to_b, fd[1]);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void
introduce_to_all(struct worker *w)
{
	for (size_t i = 0; i < w->master->workers; i++) {
		struct worker *other = &w->master->worker[i];

		for (size_t k = 0; other != w && other->channel != NULL && k < sizeof(talk) / sizeof(talk[0]); k++) {
			if ((talk[k][0] == w->role && talk[k][1] == other->role) ||
			    (talk[k][1] == w->role && talk[k][0] == other->role))
				introduce(w, other);
		}
	}
}

/* Everything a new child needs, in the order of child.h. */
static void
brief(struct worker *w)
{
	if (w->role == ROLE_SIGNER)
		master_keys_anew(w->master);
	master_send_conf(w);
	master_send_certificates(w);
	master_send_dkim(w);
	master_send_listeners(w, false);
	if (w->role == ROLE_FRONT)
		(void)channel_send_octets(w->channel, MASTER_TICKET_KEYS, 0,
		    (struct span){ w->master->ticket_keys, TLS_TICKET_KEYS });
	send_control(w);
	if (w->role == ROLE_RELAY || w->role == ROLE_HOOK)
		send_secret(w);
	if (w->role == ROLE_AUTH || w->role == ROLE_SPOOL)
		(void)channel_send_octets(w->channel, MASTER_SECRET, 0, (struct span){ w->master->warrant_key, SIPHASH_KEY });
	introduce_to_all(w);
	(void)channel_send_octets(w->channel, MASTER_GO, 0, (struct span){ NULL, 0 });
}

void
master_send_reload(struct worker *w)
{
	if (w->role == ROLE_RELAY || w->role == ROLE_HOOK)
		send_secret(w);
	if (w->role == ROLE_SIGNER)
		w->unconfirmed++;
	(void)channel_send_octets(w->channel, MASTER_RELOAD, 0, (struct span){ NULL, 0 });
}

void
master_drain_stage(struct master *m, enum stage stage)
{
	for (size_t i = 0; i < m->workers; i++) {
		struct worker *w = &m->worker[i];

		if (w->channel != NULL && w->stage == stage)
			(void)channel_send_octets(w->channel, MASTER_DRAIN, 0, (struct span){ NULL, 0 });
	}
}

void
master_send_tickets(struct master *m)
{
	for (size_t i = 0; i < m->workers; i++) {
		struct worker *w = &m->worker[i];

		if (w->channel != NULL && w->role == ROLE_FRONT)
			(void)channel_send_octets(w->channel, MASTER_TICKET_KEYS, 0, (struct span){ m->ticket_keys, TLS_TICKET_KEYS });
	}
}

void
master_kill_stage(struct master *m, int stage)
{
	for (size_t i = 0; i < m->workers; i++) {
		struct worker *w = &m->worker[i];

		if (w->running && (stage == -1 || (int)w->stage == stage))
			(void)uv_process_kill(&w->process, SIGKILL);
	}
}

/* ---- birth and death ---- */

/* Only who keeps the order of a channel is believed, and only about its other end: a front that was taken over must not have
 * others ended. */
static bool
may_accuse(enum role accuser, uint32_t accused)
{
	static const enum role believed[][2] = {
		{ ROLE_SIGNER, ROLE_FRONT }, { ROLE_AUTH, ROLE_FRONT }, { ROLE_SPOOL, ROLE_FRONT }, { ROLE_SPOOL, ROLE_RELAY },
		{ ROLE_SPOOL, ROLE_MILTER },
		{ ROLE_SIGNER, ROLE_RELAY },
		{ ROLE_SPOOL, ROLE_HISTORY }, { ROLE_HISTORY, ROLE_HOOK },
	};

	for (size_t i = 0; i < sizeof(believed) / sizeof(believed[0]); i++)
		if (believed[i][0] == accuser && believed[i][1] == accused)
			return true;
	return false;
}

static void
end_broken(struct worker *accuser, struct span body)
{
	struct master *m = accuser->master;
	struct master_peer peer;
	struct log_line l;

	if (!fields_parse(master_peer_layout, body, &peer) || !may_accuse(accuser->role, peer.role))
		return;
	for (size_t i = 0; i < m->workers; i++) {
		struct worker *w = &m->worker[i];

		/* It may be the one before it that is meant: the accuser has stood still, and only now looked. */
		if (w->role != peer.role || w->slot != peer.slot || w->life != peer.life || !w->ready || w->ending)
			continue;
		w->ending = true;
		log_begin(&l, LOG_FAULT, "child-broken");
		log_text(&l, "child", role_name(w->role));
		log_u64(&l, "slot", w->slot);
		log_text(&l, "by", role_name(accuser->role));
		log_end(&l);
		(void)uv_process_kill(&w->process, SIGKILL);
	}
}

/* ---- the pulse ---- */

/* How many pulses may pass without an answer: more than the longest that the process may stand still for. The spool waits for a
 * disk, the fronts for 2_signer (ASK_MS). */
static unsigned
pulses_of(enum role role)
{
	static const unsigned pulses[ROLE_MAX] = {
		[ROLE_SIGNER] = 5, [ROLE_FRONT] = 10, [ROLE_AUTH] = 10, [ROLE_RELAY] = 15, [ROLE_SPOOL] = 30,
		[ROLE_MILTER] = 10,
		[ROLE_HISTORY] = 60, [ROLE_HOOK] = 15,
	};

	return pulses[role];
}

static void
end_hung(struct worker *w)
{
	struct log_line l;

	w->ending = true;
	log_begin(&l, LOG_FAULT, "child-hangs");
	log_text(&l, "child", role_name(w->role));
	log_u64(&l, "slot", w->slot);
	log_u64(&l, "child-pid", (uint64_t)w->process.pid);
	log_u64(&l, "seconds", (uint64_t)w->unanswered * PULSE_MS / 1000);
	log_end(&l);
	(void)uv_process_kill(&w->process, SIGKILL);
}

/* Counted and not timed: when we were stopped ourselves, or the machine slept, nobody else is to blame. */
void
master_pulse(struct master *m)
{
	for (size_t i = 0; i < m->workers; i++) {
		struct worker *w = &m->worker[i];

		/* One that waits for a dead disk cannot even be killed before the disk answers. */
		if (!w->ready || w->ending || w->channel == NULL)
			continue;
		if (w->unanswered == 0)
			(void)channel_send_octets(w->channel, MASTER_PING, 0, (struct span){ NULL, 0 });
		if (w->unanswered++ >= pulses_of(w->role))
			end_hung(w);
	}
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct worker *w = arg;

	(void)c;
	if (f->type == CHILD_READY && !w->ready) {
		w->ready = w->was_ready = true;
		master_on_ready(w->master, w);
	} else if (f->type == CHILD_READY && w->unconfirmed > 0) {
		w->unconfirmed--;
		master_on_signer(w->master, w);
	} else if (f->type == CHILD_PEER_BROKEN) {
		end_broken(w, f->body);
	} else if (f->type == CHILD_PONG) {
		w->unanswered = 0;
	} else if (f->type == CHILD_ALARM && w->role == ROLE_AUTH) {
		master_alarm(w->master, f->body);
	}
}

/* A child that closes its channel but lives is broken: end it, so that on_exit() can start another. */
static void
on_closed(void *arg, struct channel *c)
{
	struct worker *w = arg;

	(void)c;
	w->channel = NULL;
	if (w->running && w->master->phase != MASTER_DRAINING)
		(void)uv_process_kill(&w->process, SIGKILL);
}

static void
on_ended(uv_handle_t *handle)
{
	struct worker *w = handle->data;

	w->running = w->ready = false;
	master_on_end(w->master, w);
}

static void
on_exit(uv_process_t *process, int64_t exit_status, int signal)
{
	struct worker *w = process->data;

	w->exit_status = exit_status;
	w->exit_signal = signal;
	channel_close(w->channel);
	w->channel = NULL;
	uv_close((uv_handle_t *)process, on_ended);
}

/*
 * Where passwords pass, two habits of the C library would leave copies behind. What is freed keeps its octets: GNU SASL frees its copies of
 * a response as they are, so in 3_auth glibc overwrites what is freed; the thread's cache of freed pieces, which it does not
 * overwrite, has to go for that. And the first call of each library function spills the vector registers, with what was last copied
 * through them, to the stack: so all are looked up before anything begins. tests/serve/test_memory.py looks for what is left.
 */
static char **
environment(const struct worker *w)
{
	static char bind_now[] = "LD_BIND_NOW=1", wipe_freed[] = "GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0";
	static char *list[ENVIRONMENT_MAX + 3];
	size_t n = 0;

	if (w->role != ROLE_AUTH && w->role != ROLE_FRONT)
		return NULL;
	for (size_t i = 0; environ[i] != NULL && n < ENVIRONMENT_MAX; i++) {
		if (strncmp(environ[i], "LD_BIND_NOW=", 12) != 0 &&
		    (w->role != ROLE_AUTH || strncmp(environ[i], "GLIBC_TUNABLES=", 15) != 0))
			list[n++] = environ[i];
	}
	list[n++] = bind_now;
	if (w->role == ROLE_AUTH)
		list[n++] = wipe_freed;
	list[n] = NULL;
	return list;
}

static int
spawn(struct worker *w, int fd)
{
	char title[48], slot[16];
	char *args[] = { title, (char[]){ "serve" }, (char[]){ "--role" }, (char *)(uintptr_t)role_name(w->role),
		(char[]){ "--slot" }, slot, NULL };
	uv_stdio_container_t stdio[PEERS_LOCK_FD + 1] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = STDOUT_FILENO },
		{ .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
		{ .flags = UV_INHERIT_FD, .data.fd = fd },
		{ .flags = UV_INHERIT_FD, .data.fd = w->master->spool_fd },
	};
	uv_process_options_t options = { .exit_cb = on_exit, .file = "/proc/self/exe", .args = args,
		.env = environment(w), .stdio = stdio,
		.stdio_count = w->role == ROLE_SPOOL ? PEERS_LOCK_FD + 1 : PEERS_MASTER_FD + 1 };

	(void)snprintf(title, sizeof(title), "postern: %s %u", role_name(w->role), w->slot);
	(void)snprintf(slot, sizeof(slot), "%u", w->slot);
	w->process.data = w;
	return uv_spawn(&w->master->loop, &w->process, &options);
}

static void
say_not_begun(const struct worker *w, int error)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, "child");
	log_text(&l, "of", role_name(w->role));
	log_text(&l, "why", uv_strerror(error));
	if (error == UV_ENOENT)
		log_text(&l, "remedy", "mount /proc: processes are started from /proc/self/exe");
	else if (error == UV_EAGAIN)
		log_text(&l, "remedy", "raise RLIMIT_NPROC, or TasksMax= in the service's unit");
	log_end(&l);
}

bool
master_child_begin(struct worker *w)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed,
		.secret = message_is_secret };
	int fd[2], error = channel_pair(fd) ? 0 : uv_translate_sys_error(errno);

	if (error != 0) {
		say_not_begun(w, error);
		return false;
	}
	w->started = uv_now(&w->master->loop);
	w->unconfirmed = w->unanswered = 0;
	w->ending = false;
	w->life++;
	error = spawn(w, fd[1]);
	(void)close(fd[1]);
	w->running = error == 0;
	w->channel = error == 0 ? channel_open(&w->master->loop, fd[0], &handler, w) : NULL;
	if (error != 0) {
		(void)close(fd[0]);
		say_not_begun(w, error);
		/* libuv has the handle in its hands even then. */
		uv_close((uv_handle_t *)&w->process, NULL);
		return false;
	}
	if (w->channel != NULL)
		brief(w);
	else
		(void)uv_process_kill(&w->process, SIGKILL);
	return true;
}

static void
on_timer(uv_timer_t *timer)
{
	struct worker *w = timer->data;

	if (w->master->phase >= MASTER_DRAINING || w->running || master_is_spare(w))
		return;
	if (!master_child_begin(w))
		master_child_again(w);
}

void
master_child_again(struct worker *w)
{
	uint64_t lived = uv_now(&w->master->loop) - w->started;

	if (lived >= BACKOFF_FORGIVEN_MS)
		w->backoff = 0;
	w->backoff = w->backoff == 0 ? BACKOFF_FIRST_MS : w->backoff * 2;
	if (w->backoff > BACKOFF_MAX_MS)
		w->backoff = BACKOFF_MAX_MS;
	(void)uv_timer_start(&w->timer, on_timer, w->backoff, 0);
}

/* ---- 6_milter, which is there when there are milters ---- */

static struct worker *
milter_worker(struct master *m)
{
	for (size_t i = 0; i < m->workers; i++)
		if (m->worker[i].role == ROLE_MILTER)
			return &m->worker[i];
	return NULL;
}

bool
master_is_spare(const struct worker *w)
{
	return w->role == ROLE_MILTER && w->master->conf.milters == 0;
}

void
master_milter(struct master *m, bool anew)
{
	struct worker *w = milter_worker(m);

	if (w == NULL && m->conf.milters > 0 && m->workers < WORKERS_MAX) {
		worker_init(m, ROLE_MILTER, 0, STAGE_AUTH);
		w = milter_worker(m);
		/* A server that runs does not end because of it. */
		w->was_ready = true;
	}
	if (w == NULL || !anew)
		return;
	/* A cage is never widened, nor is it worth narrowing: another process. */
	if (w->running && w->channel != NULL)
		(void)channel_send_octets(w->channel, MASTER_DRAIN, 0, (struct span){ NULL, 0 });
	else if (!w->running && m->conf.milters > 0 && !uv_is_active((uv_handle_t *)&w->timer) && !master_child_begin(w))
		master_child_again(w);
}

/*
 * 1_front - TLS and SMTP with strangers. One loop, no worker, no file.
 *
 * Reads from strangers: everything they send. Holds: the TLS keys of its sessions, and a password for as long as it takes
 * to pass it on. May not: see the certificates' private keys, queued mail, credentials, or say 250 to a message for which
 * 4_spool has not said durable.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "proc/1_front_away.h"
#include "proc/1_front_crowd.h"
#include "proc/1_front_first.h"
#include "proc/1_front_sign.h"
#include "proc/cage.h"

/* The promise: no file at all, no socket of its own, no thread. */
const struct cage front_cage = { .user = "postern-front", .calls = PROMISE_ACCEPT | PROMISE_LOCK };

struct front front;

/* ---- time ---- */

static bool
waits_for_spool(const struct front_session *s)
{
	return s->waiting == WAIT_COMMIT || s->waiting == WAIT_ADMITTED || s->waiting == WAIT_RCPT;
}

static void
expire(struct front_session *s)
{
	switch (s->queue) {
	case QUEUE_HANDSHAKE:
		if (s->phase == PHASE_NEW || s->phase == PHASE_PROXY)
			first_expired(s);
		else
			session_drop(s, NULL);
		break;
	case QUEUE_CLIENT:
		talk_end(s, talk_has_content(s) && s->brought > 0 ? FAIL_TOO_SLOW : FAIL_TIMEOUT);
		break;
	case QUEUE_US:
		/* A late answer must never be taken for the next one's: the session ends here. */
		(void)away(waits_for_spool(s) ? AWAY_MUTE_SPOOL : AWAY_MUTE_AUTH);
		talk_end(s, FAIL_SHUTDOWN);
		break;
	case QUEUE_GOODBYE:
	case QUEUE_MAX:
		session_drop(s, NULL);
		break;
	}
}

/* Milters take the time that they are given, and 4_spool a little to say what came of it. */
static uint64_t
us_ms(void)
{
	const struct conf *c = &front.child.conf;
	uint64_t milters = c->milters > 0 ? (uint64_t)c->milter_deadline * 1000 + FRONT_FILTER_MS : 0;

	return milters > FRONT_US_MS ? milters : FRONT_US_MS;
}

static uint64_t
allowed(const struct front_session *s)
{
	static const uint64_t ms[QUEUE_MAX] = {
		[QUEUE_HANDSHAKE] = FRONT_HANDSHAKE_MS, [QUEUE_GOODBYE] = FRONT_GOODBYE_MS,
	};

	/* The setting in force, the same for all of a list: it is looked through from its oldest on. */
	return s->queue == QUEUE_CLIENT ? (uint64_t)front.child.conf.command_timeout * 1000 : s->queue == QUEUE_US ? us_ms()
	                                                                                                     : ms[s->queue];
}

static void
resume_accepting(void)
{
	if (front.accept_again == 0 || uv_now(&front.child.loop) < front.accept_again || front.draining)
		return;
	front.accept_again = 0;
	for (uint32_t i = 0; i < FRONT_LISTEN_MAX; i++) {
		if (front.listener[i].open)
			(void)uv_poll_start(&front.listener[i].poll, UV_READABLE, wire_accept);
	}
}

/* A peer that has died comes back at once, as a new one. One that lives and has hung up does not: both must begin anew. */
static void
watch_peers(uint64_t now)
{
	if (front.auth != NULL && front.spool != NULL && sign_is_there())
		front.whole = now;
	else if (!front.draining && now - front.whole >= FRONT_ALONE_MS)
		child_give_up(&front.child, front.auth == NULL ? "3_auth is gone" : front.spool == NULL ? "4_spool is gone" : "2_signer is gone");
}

static void
on_sweep(uv_timer_t *timer)
{
	uint64_t now = uv_now(timer->loop);
	struct front_session *s;

	watch_peers(now);
	for (size_t q = 0; q < QUEUE_MAX; q++)
		while ((s = front.queue[q].oldest) != NULL && now - s->since >= allowed(s))
			expire(s);
	await_sweep();
	words_count_unsaid();
	away_sweep(now);
	crowd_sweep(now);
	resume_accepting();
	/* What was sent lazily does not wait longer than this. */
	if (front.auth != NULL)
		channel_flush(front.auth);
	if (front.spool != NULL)
		channel_flush(front.spool);
}

/* ---- what the master gives ---- */

static void
listener_start(struct front_listener *l)
{
	l->poll.data = l;
	if (uv_poll_init(&front.child.loop, &l->poll, l->fd) != 0 ||
	    uv_poll_start(&l->poll, UV_READABLE, wire_accept) != 0)
		log_say(LOG_FAULT, "listen", "a listening socket cannot be polled");
}

static void
on_listener_closed(uv_handle_t *handle)
{
	struct front_listener *l = handle->data;

	l->closing = false;
}

static void
listener_close(struct front_listener *l)
{
	l->open = false;
	l->closing = front.going;
	if (front.going)
		uv_close((uv_handle_t *)&l->poll, on_listener_closed);
	(void)close(l->fd);
}

/* What the new configuration no longer has. Sessions that came in there go on. */
static void
close_unwanted(void)
{
	const struct conf *c = &front.child.conf;

	for (uint32_t i = 0; i < FRONT_LISTEN_MAX; i++) {
		struct front_listener *l = &front.listener[i];
		bool wanted = false;

		for (uint32_t k = 0; k < c->listens; k++)
			wanted = wanted || (c->listen[k].service == l->as.service && c->listen[k].port == l->as.port &&
			                       strcmp(c->listen[k].address, l->as.address) == 0);
		if (l->open && !wanted)
			listener_close(l);
	}
}

static void
on_listen(void *arg, const struct master_listen *m, int fd)
{
	struct front_listener *l = front.listener;

	(void)arg;
	while (l < front.listener + FRONT_LISTEN_MAX && (l->open || l->closing))
		l++;
	if (l == front.listener + FRONT_LISTEN_MAX || front.draining || m->address.len >= sizeof(l->as.address)) {
		(void)close(fd);
		return;
	}
	memset(&l->as, 0, sizeof(l->as));
	l->as.service = m->service == CONF_SUBMISSIONS ? CONF_SUBMISSIONS : CONF_SUBMISSION;
	l->as.port = (uint16_t)m->port;
	memcpy(l->as.address, m->address.p, m->address.len);
	l->open = true;
	l->fd = fd;
	l->implicit = m->service == CONF_SUBMISSIONS;
	if (front.going)
		listener_start(l);
}

static void
replace_auth(int fd)
{
	channel_close(front.auth);
	auth_lost();
	front.auth_epoch++;
	front.whole = uv_now(&front.child.loop);        /* even one that dies at once shows that the master is at it */
	front.auth = channel_open(&front.child.loop, fd, &front_auth_handler, NULL);
	if (front.auth != NULL)
		session_each(auth_ask_again);
}

static void
replace_spool(int fd)
{
	channel_close(front.spool);
	spool_lost();
	front.spool_epoch++;
	front.whole = uv_now(&front.child.loop);
	/* Until it has told its state, nobody knows whether it can take anything. */
	front.spool_fail = FAIL_BUSY;
	front.spool = channel_open(&front.child.loop, fd, &front_spool_handler, NULL);
	if (front.spool != NULL)
		channel_lazy(front.spool, true);
}

static void
on_peer(void *arg, enum role role, uint32_t slot, int fd)
{
	(void)arg;
	(void)slot;
	if (role == ROLE_AUTH)
		replace_auth(fd);
	else if (role == ROLE_SPOOL)
		replace_spool(fd);
	else if (role == ROLE_SIGNER)
		sign_begin(fd);
	else
		(void)close(fd);
}

static void
on_certificate(void *arg, const struct master_certificate *m)
{
	char text[400];
	struct buf why = BUF_OVER(text);

	(void)arg;
	if (m->index == 0) {
		tls_server_free(front.staged);
		front.staged = tls_server_new();
		front.staged_certificates = 0;
	}
	if (front.staged != NULL && tls_server_add_remote(front.staged, m->chain, &front_signer, &why))
		front.staged_certificates++;
	else
		log_say(LOG_WARN, "certificate-refused", front.staged != NULL ? text : "out of memory");
}

static void
on_ticket_keys(void *arg, struct span keys)
{
	(void)arg;
	if (keys.len != TLS_TICKET_KEYS)
		return;
	memcpy(front.ticket_keys, keys.p, TLS_TICKET_KEYS);
	front.has_ticket_keys = true;
	if (front.tls != NULL)
		tls_server_ticket_keys(front.tls, front.ticket_keys);
}

/* What is staged counts from here on, for sessions that begin from here on. */
static void
take_staged(void)
{
	struct front_conf *c = conf_new(&front.child.conf);

	if (c != NULL) {
		conf_release(front.conf);
		front.conf = c;
	}
	if (front.staged_certificates > 0) {
		tls_server_free(front.tls);
		front.tls = front.staged;
		front.certificates = front.staged_certificates;
	} else {
		tls_server_free(front.staged);
	}
	front.staged = NULL;
	front.staged_certificates = 0;
	if (front.has_ticket_keys && front.tls != NULL)
		tls_server_ticket_keys(front.tls, front.ticket_keys);
}

static void
on_go(void *arg)
{
	(void)arg;
	take_staged();
	if (front.conf == NULL || !crowd_configure()) {
		log_say(LOG_FAULT, "start", "out of memory");
		uv_stop(&front.child.loop);
		return;
	}
	if (front.certificates == 0)
		log_say(LOG_WARN, "no-certificate", "no TLS: nobody can authenticate, and implicit TLS connections are closed");
	front.whole = front.auth_gone = front.spool_gone = uv_now(&front.child.loop);
	(void)uv_timer_init(&front.child.loop, &front.sweep);
	(void)uv_timer_start(&front.sweep, on_sweep, FRONT_SWEEP_MS, FRONT_SWEEP_MS);
	(void)uv_timer_init(&front.child.loop, &front.deadline);
	(void)uv_prepare_init(&front.child.loop, &front.turn);
	(void)uv_prepare_start(&front.turn, wire_turn);
	(void)uv_idle_init(&front.child.loop, &front.idle);
	front.going = true;
	for (uint32_t i = 0; i < FRONT_LISTEN_MAX; i++) {
		if (front.listener[i].open)
			listener_start(&front.listener[i]);
	}
	child_ready(&front.child);
}

static void
on_reload(void *arg)
{
	(void)arg;
	take_staged();
	if (!crowd_configure())
		log_say(LOG_FAULT, "reload", "out of memory: no more connections than before");
	close_unwanted();
}

/* ---- draining ---- */

static void
drain_one(struct front_session *s)
{
	if (s->phase == PHASE_NEW || s->phase == PHASE_PROXY || s->phase == PHASE_HANDSHAKE)
		session_drop(s, NULL);
	else if (talk_is_idle(s))
		talk_end(s, FAIL_SHUTDOWN);
}

static void
end_one(struct front_session *s)
{
	talk_end(s, FAIL_SHUTDOWN);
	session_drop(s, NULL);
}

static void
on_deadline(uv_timer_t *timer)
{
	(void)timer;
	session_each(end_one);
}

static void
on_drain(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < FRONT_LISTEN_MAX; i++) {
		if (front.listener[i].open)
			listener_close(&front.listener[i]);
	}
	if (front.sessions == 0) {
		front.draining = true;
		child_drained(&front.child);
		return;
	}
	(void)uv_timer_start(&front.deadline, on_deadline, FRONT_DRAIN_MS, 0);
	/* From here on the last one to leave ends the process. */
	front.draining = true;
	session_each(drain_one);
	await_sweep();                  /* nobody begins anew now */
}

int
front_main(uint32_t slot)
{
	static const struct child_handler handler = {
		.listen = on_listen,
		.peer = on_peer,
		.certificate = on_certificate,
		.ticket_keys = on_ticket_keys,
		.go = on_go,
		.reload = on_reload,
		.drain = on_drain,
	};
	static uint8_t in[FRONT_INPUT], out[FRONT_OUTPUT];
	int status;

	front.in = BUF_OVER(in);
	front.io.out = BUF_OVER(out);
	front.ids.slot = (uint8_t)slot;
	front.spool_fail = FAIL_BUSY;
	status = child_run(&front.child, ROLE_FRONT, slot, &handler, NULL);
	wipe(front.ticket_keys, sizeof front.ticket_keys);
	wipe(in, sizeof in);
	return status;
}

#include "proc/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "os/log.h"
#include "os/log_target.h"
#include "proc/cage.h"
#include "tls/client.h"

/* What the master has staged but not yet put in force. */
static struct {
	struct child *child;
	const struct child_handler *handler;
	void *arg;
	struct conf staged;
	uint32_t life[ROLE_MAX][PEERS_SLOTS_MAX];       /* of those we talk to */
	bool has_staged, going, draining, failed, uncaged;
} me;

static void
open_log(const struct child *child)
{
	char who[32];

	(void)snprintf(who, sizeof who, "%s:%u", role_name(child->role), child->slot);
	log_target_open(&child->conf, who);
}

/* Only a broken master sends what the order does not allow: there is nothing sane to go on with. */
static void
refuse(const char *why)
{
	log_say(LOG_FAULT, "master-broken", why);
	me.failed = true;
	uv_stop(&me.child->loop);
}

void
child_give_up(struct child *child, const char *why)
{
	log_say(LOG_FAULT, "given-up", why);
	me.failed = true;
	uv_stop(&child->loop);
}

static void
take_staged(void)
{
	if (me.has_staged)
		me.child->conf = me.staged;
	me.has_staged = false;
	open_log(me.child);
}

static void
on_conf(struct span body)
{
	uint8_t why[512];
	struct buf b = BUF_OVER(why);

	if (conf_parse(&me.staged, body, &b))
		me.has_staged = true;
	else
		refuse("configuration does not parse");
}

static void
on_certificate(struct span body)
{
	struct master_certificate m;

	if (!fields_parse(master_certificate_layout, body, &m))
		refuse("certificate malformed");
	else if (me.handler->certificate != NULL)
		me.handler->certificate(me.arg, &m);
}

static void
on_dkim(struct span body)
{
	struct master_dkim m;

	if (!fields_parse(master_dkim_layout, body, &m))
		refuse("DKIM key malformed");
	else if (me.handler->dkim != NULL)
		me.handler->dkim(me.arg, &m);
}

static void
on_listen(const struct frame *f)
{
	struct master_listen m;

	if (!fields_parse(master_listen_layout, f->body, &m))
		refuse("listen malformed");
	else if (me.handler->listen != NULL)
		me.handler->listen(me.arg, &m, f->fd);
	else
		(void)close(f->fd);
}

static void
on_peer(const struct frame *f)
{
	struct master_peer m;

	if (!fields_parse(master_peer_layout, f->body, &m) || m.role >= ROLE_MAX) {
		refuse("peer malformed");
	} else if (me.handler->peer != NULL && m.slot < PEERS_SLOTS_MAX) {
		/* From here on the one before it is no longer heard. */
		me.life[m.role][m.slot] = m.life;
		me.handler->peer(me.arg, (enum role)m.role, m.slot, f->fd);
	} else {
		(void)close(f->fd);
	}
}

static void
on_go(void)
{
	if (me.going || !me.has_staged) {
		refuse("go out of order");
		return;
	}
	take_staged();
	if (!cage_take(me.child->role, &me.child->conf)) {
		me.uncaged = true;
		uv_stop(&me.child->loop);
		return;
	}
	me.going = true;
	if (me.handler->go != NULL)
		me.handler->go(me.arg);
}

static void
on_reload(void)
{
	if (!me.going) {
		refuse("reload before go");
		return;
	}
	/* Who finishes begins nothing by a new configuration: the one that follows has it. */
	if (me.draining)
		return;
	take_staged();
	if (me.handler->reload != NULL)
		me.handler->reload(me.arg);
}

static void
on_drain(void)
{
	if (me.draining)
		return;
	me.draining = true;
	if (me.handler->drain != NULL && me.going)
		me.handler->drain(me.arg);
	else
		child_drained(me.child);
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	(void)arg;
	switch (f->type) {
	case MASTER_CONF:
		on_conf(f->body);
		break;
	case MASTER_CERTIFICATE:
		on_certificate(f->body);
		break;
	case MASTER_DKIM:
		on_dkim(f->body);
		break;
	case MASTER_TICKET_KEYS:
		if (me.handler->ticket_keys != NULL)
			me.handler->ticket_keys(me.arg, f->body);
		break;
	case MASTER_LISTEN:
		on_listen(f);
		break;
	case MASTER_PEER:
		on_peer(f);
		break;
	case MASTER_SECRET:
		if (me.handler->secret != NULL)
			me.handler->secret(me.arg, f->body);
		break;
	case MASTER_GO:
		on_go();
		break;
	case MASTER_RELOAD:
		on_reload();
		break;
	case MASTER_DRAIN:
		on_drain();
		break;
	case MASTER_BACK:
		if (me.handler->back != NULL)
			me.handler->back(me.arg);
		break;
	case MASTER_PING:
		(void)channel_send_octets(c, CHILD_PONG, 0, (struct span){ NULL, 0 });
		break;
	default:
		refuse("unknown message");
	}
}

static void
on_master_gone(void *arg, struct channel *c)
{
	(void)arg;
	(void)c;
	me.child->master = NULL;
	me.failed = true;
	uv_stop(&me.child->loop);
}

int
child_run(struct child *child, enum role role, uint32_t slot, const struct child_handler *handler, void *arg)
{
	static const struct channel_handler master = { .message = on_message, .closed = on_master_gone,
		.secret = message_is_secret, .descriptor = message_has_descriptor };
	int error;

	/* Workers may still use it when we exit. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	/* What the shell that started us had open is not for processes that talk to strangers. */
	promise_begin(role == ROLE_SPOOL ? PEERS_LOCK_FD : PEERS_MASTER_FD);
	me.child = child;
	me.handler = handler;
	me.arg = arg;
	child->role = role;
	child->slot = slot;
	conf_defaults(&child->conf);
	open_log(child);
	/* The terminal's ^C goes to the whole group; the master decides what it means. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	error = uv_loop_init(&child->loop);
	if (error == 0)
		child->master = channel_open(&child->loop, PEERS_MASTER_FD, &master, NULL);
	if (error != 0 || child->master == NULL) {
		log_say(LOG_FAULT, "start", "no loop, or descriptor 3 is no channel");
		return 71;
	}
	(void)uv_run(&child->loop, UV_RUN_DEFAULT);
	return me.uncaged ? 78 : me.failed ? 70 : 0;
}

void
child_ready(struct child *child)
{
	if (child->master != NULL)
		(void)channel_send_octets(child->master, CHILD_READY, 0, (struct span){ NULL, 0 });
}

uint32_t
child_life(enum role role, uint32_t slot)
{
	return slot < PEERS_SLOTS_MAX ? me.life[role][slot] : 0;
}

void
child_accuse(struct child *child, enum role role, uint32_t slot)
{
	struct master_peer peer = { role, slot, child_life(role, slot) };

	if (child->master != NULL)
		(void)channel_send(child->master, CHILD_PEER_BROKEN, 0, master_peer_layout, &peer);
}

void
child_drained(struct child *child)
{
	if (child->master != NULL) {
		(void)channel_send_octets(child->master, CHILD_DRAINED, 0, (struct span){ NULL, 0 });
		channel_flush(child->master);
	}
	uv_stop(&child->loop);
}

void
child_judge_trust(const struct child *child)
{
	char text[600];
	struct buf why = BUF_OVER(text);

	if (child->conf.relay_ca_file.p[0] == '\0' && !tls_system_trusts(&why))
		log_say(LOG_FAULT, "no-ca", text);
}

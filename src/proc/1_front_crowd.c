#include "proc/1_front_crowd.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proc/1_front.h"

enum { LINE_MS = 10 * 1000 };           /* between two log lines of one kind */

/* ---- words ---- */

/* What an operator should know of, and change if it is his own clients that it hits. Strangers cause it, so it is said seldom. */
enum kind { KIND_NETWORK, KIND_NETWORK_STRANGE, KIND_STRANGE, KIND_FULL, KIND_ROOM, KIND_LATE, KIND_MAX };

static void
say(enum kind kind, const struct front_session *s)
{
	static const struct { const char *what, *change; } rows[KIND_MAX] = {
		[KIND_NETWORK] = { "too many connections from one address", "if they are yours, raise sessions-per-address" },
		[KIND_NETWORK_STRANGE] = { "too many unauthenticated connections from one address",
		    "if they are yours, raise unauthenticated-per-address" },
		[KIND_STRANGE] = { "too many unauthenticated connections", "if they are yours, raise unauthenticated-max" },
		[KIND_FULL] = { "too many connections", "raise sessions-max or fronts" },
		[KIND_ROOM] = { "an unauthenticated connection was ended to make room for another one",
		    "if they are yours, raise unauthenticated-max, unauthenticated-per-address or sessions-max" },
		[KIND_LATE] = { "not authenticated in time", "let the client authenticate at once, or raise auth-deadline" },
	};
	static struct log_pause said[KIND_MAX];
	struct log_line l;
	uint64_t unsaid;

	if (!log_may(&said[kind], uv_now(&front.child.loop), LINE_MS, &unsaid))
		return;
	log_begin(&l, kind == KIND_LATE ? LOG_NOTE : LOG_WARN, kind == KIND_LATE ? "auth-late" : "crowded");
	log_span(&l, "peer", words_peer(s));
	log_text(&l, "service", s->implicit ? "submissions" : "submission");
	log_text(&l, "what", rows[kind].what);
	log_text(&l, "change", rows[kind].change);
	if (unsaid > 0)
		log_u64(&l, "unsaid", unsaid);
	log_end(&l);
}

/* ---- who it is ---- */

static struct front_session *
session_of(struct crowd_member *m)
{
	return (struct front_session *)(void *)((uint8_t *)m - offsetof(struct front_session, member));
}

/*
 * A proxy that speaks for itself is one address for many, and the operator has named it: each of its sessions is a network of its own,
 * in 0000::/8, where nobody comes from (reserved: RFC 4291). While it has not said for whom it comes, all of its sessions are one, without
 * ceilings: honest ones are that for no time, and who stays is the first to make room.
 * The text is ours (peer_format), so it parses; what did not would count as one.
 */
static struct crowd_network
network_of(const struct front_session *s)
{
	char text[FRONT_PEER_MAX];
	uint8_t octets[16] = { 0 };
	struct span peer = words_peer(s);
	bool six = span_find(peer, ':') < peer.len;
	struct crowd_network network;

	if (s->peer_is_proxy)
		return (struct crowd_network){ UINT64_C(1) << 32 | s->id, true, false };
	memcpy(text, peer.p, peer.len);
	text[peer.len] = '\0';
	(void)inet_pton(six ? AF_INET6 : AF_INET, text, octets);
	network = crowd_network_of((struct span){ octets, six ? 16 : 4 });
	network.many = s->proxy != NULL;
	return network;
}

/* ---- the table ---- */

static void
move_one(struct crowd *to, struct crowd_member *m)
{
	bool stranger = m->stranger;

	m->in = m->stranger = false;
	(void)crowd_add(to, m, network_of(session_of(m)), m->since);
	if (!stranger)
		crowd_prove(to, m);
}

/* session_each() takes no argument along. */
static struct crowd *moving;

static void
move_proved(struct front_session *s)
{
	if (s->member.in && !s->member.stranger)
		move_one(moving, &s->member);
}

/* A bigger table: strangers in their order, then the others. */
static bool
grow(uint32_t max)
{
	struct crowd bigger;
	uint8_t key[SIPHASH_KEY];
	void *memory = calloc(1, crowd_octets(max));
	struct crowd_member *next;

	if (memory == NULL)
		return false;
	front.conf->plain.env.random(front.conf->plain.env.arg, key, sizeof key);
	crowd_init(&bigger, max, memory, key);
	for (struct crowd_member *m = front.crowd.oldest; m != NULL; m = next) {
		next = m->newer_of_all;
		move_one(&bigger, m);
	}
	moving = &bigger;
	session_each(move_proved);
	free(front.crowd_memory);
	front.crowd = bigger;
	front.crowd_memory = memory;
	return true;
}

bool
crowd_configure(void)
{
	const struct conf *c = &front.child.conf;
	uint32_t max = c->sessions_max < FRONT_SLOTS ? c->sessions_max : FRONT_SLOTS;

	if (max > front.crowd.max && !grow(max))
		return false;
	front.crowd.limits = (struct crowd_limits){
		.members = c->sessions_per_address,
		.strangers = c->unauthenticated_per_address,
		.strangers_in_all = conf_unauthenticated_max(c),
	};
	return true;
}

/* ---- coming and going ---- */

/* What can be said is said, once and without waiting; who must make room is not waited for. */
static void
end_one(struct front_session *s, enum fail why)
{
	if (s->phase == PHASE_TALK && s->out.p == NULL) {
		front.io.out.len = 0;
		(void)smtp_server_end(&s->smtp, why);
		(void)wire_send(s);
		if (s->phase == PHASE_TALK && s->tls != NULL)
			(void)tls_goodbye(s->tls);
	}
	session_drop(s, fail_row(why)->text);
}

/* Instead of a greeting, so without an enhanced code (2034-2). Where TLS must come first nobody could read it. */
static void
refuse(struct front_session *s, enum kind kind)
{
	char text[400];
	struct buf b = BUF_OVER(text);

	say(kind, s);
	if (!s->implicit) {
		(void)buf_put_text(&b, "421 ");
		(void)buf_put_text(&b, s->conf->hostname.p);
		(void)buf_put_text(&b, kind == KIND_STRANGE ? " too many unauthenticated connections" : " too many connections");
		if (kind == KIND_NETWORK || kind == KIND_NETWORK_STRANGE) {
			(void)buf_put_text(&b, " from ");
			(void)buf_put(&b, words_peer(s));
		}
		(void)buf_put_text(&b, ", try again later\r\n");
		(void)send(s->fd, text, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	session_drop(s, NULL);
}

static enum crowd_answer
come_in(struct front_session *s)
{
	uint64_t now = uv_now(&front.child.loop);
	struct crowd_network network = network_of(s);
	struct crowd_member *victim;
	enum crowd_answer answer;

	crowd_remove(&front.crowd, &s->member);
	answer = crowd_ask(&front.crowd, network, front.sessions > front.child.conf.sessions_max, now, &victim);
	if (answer == CROWD_MAKE_ROOM) {
		say(KIND_ROOM, session_of(victim));
		end_one(session_of(victim), FAIL_CROWDED);
		answer = CROWD_WELCOME;
	}
	if (answer == CROWD_WELCOME && !crowd_add(&front.crowd, &s->member, network, now))
		answer = CROWD_FULL;
	return answer;
}

bool
crowd_enter(struct front_session *s)
{
	static const enum kind kinds[] = {
		[CROWD_NETWORK_FULL] = KIND_NETWORK, [CROWD_NETWORK_STRANGE] = KIND_NETWORK_STRANGE,
		[CROWD_STRANGE] = KIND_STRANGE, [CROWD_FULL] = KIND_FULL,
	};
	enum crowd_answer answer = come_in(s);

	if (answer == CROWD_WELCOME)
		return true;
	refuse(s, kinds[answer]);
	return false;
}

/* What it says first is on its way: closing now would take back what the client behind it should read (RFC 1122 4.2.2.13). */
bool
crowd_wait(struct front_session *s)
{
	if (come_in(s) == CROWD_WELCOME || front.sessions - front.crowd.members <= FRONT_PROXY_BEYOND)
		return true;
	refuse(s, KIND_FULL);
	return false;
}

void
crowd_proved(struct front_session *s)
{
	crowd_prove(&front.crowd, &s->member);
}

void
crowd_leave(struct front_session *s)
{
	crowd_remove(&front.crowd, &s->member);
}

void
crowd_sweep(uint64_t now)
{
	uint64_t allowed = (uint64_t)front.child.conf.auth_deadline * 1000;
	struct crowd_member *next;

	for (struct crowd_member *m = front.crowd.oldest; m != NULL && now - m->since >= allowed; m = next) {
		struct front_session *s = session_of(m);

		next = m->newer_of_all;
		if (s->phase == PHASE_PROXY || s->phase == PHASE_GOODBYE || s->phase == PHASE_LINGER)
			continue;       /* it has its own few seconds */
		say(KIND_LATE, s);
		talk_end(s, FAIL_AUTH_LATE);
	}
}

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/log.h"
#include "proc/5_relay.h"
#include "proc/5_relay_report.h"

static void on_event(uv_poll_t *, int status, int events);

/* ---- small things ---- */

void
relay_connection_watch(struct relay_connection *k, int events)
{
	if (events == k->events || k->poll == NULL)
		return;
	k->events = events;
	(void)uv_poll_start(k->poll, events, on_event);
}

static void
idle_add(struct relay_connection *k)
{
	k->idle_next = NULL;
	k->idle_link = k->relay->idle_last;
	*k->idle_link = k;
	k->relay->idle_last = &k->idle_next;
}

static void
idle_remove(struct relay_connection *k)
{
	*k->idle_link = k->idle_next;
	if (k->idle_next != NULL)
		k->idle_next->idle_link = k->idle_link;
	else
		k->relay->idle_last = k->idle_link;
}

void
relay_connection_enter(struct relay_connection *k, enum relay_connection_state state)
{
	if (state == RELAY_LEAVING && k->state != RELAY_LEAVING) {
		k->to->open--;
		k->relay->leaving++;
	}
	if (k->state == RELAY_IDLE && state != RELAY_IDLE)
		idle_remove(k);
	if (state == RELAY_IDLE && k->state != RELAY_IDLE)
		idle_add(k);
	k->state = state;
}

void
relay_connection_ready(struct relay_connection *k)
{
	k->ready = true;
	k->to->opening--;
	k->relay->opening--;
	k->relay->opening_of[k->opener]--;
}

void
relay_connection_log(const struct relay_connection *k, enum log_level level, const char *event, const char *why)
{
	struct log_line l;

	log_begin(&l, level, event);
	log_text(&l, "host", k->reason.host);
	if (k->to->domain[0] != 0)
		log_text(&l, "domain", k->to->domain);
	log_text(&l, "policy", transport_policy_name(k->reason.policy));
	if (k->reason.result != TRANSPORT_OK)
		log_text(&l, "result", transport_result_name(k->reason.result));
	log_text(&l, "why", why);
	log_end(&l);
}

static uint16_t
host_bit(const struct relay_connection *k)
{
	return (uint16_t)(1u << k->hosts->list.address[k->at].host);
}

/* What went wrong with this address; the last word counts, but one "later" among the addresses makes the whole "later". */
void
relay_connection_blame(struct relay_connection *k, enum smtp_class class, uint16_t code, const char *enhanced, const char *text)
{
	relay_reason_set(&k->reason, class, code, enhanced, text);
	if (class != SMTP_CLASS_NEVER) {
		k->doubted = true;
		return;
	}
	k->refusing |= host_bit(k);
	k->refusal = k->reason;
}

/* This address cannot be had from here, mostly for want of IPv6. Another one of the host may speak for it. */
static void
blame_unreached(struct relay_connection *k, const char *why)
{
	k->reason.stage = SMTP_STAGE_GREETING;
	relay_reason_set(&k->reason, SMTP_CLASS_LATER, 0, "4.4.1", why);
	k->unreached |= host_bit(k);
}

static bool
all_refuse(const struct relay_connection *k)
{
	return !k->doubted && (k->unreached & ~k->refusing) == 0;
}

/* ---- the socket ---- */

static void
poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void
socket_close(struct relay_connection *k)
{
	sasl_client_end(k->sasl);
	k->sasl = NULL;
	tls_free(k->tls);
	k->tls = NULL;
	if (k->poll != NULL)
		uv_close((uv_handle_t *)k->poll, poll_closed);
	k->poll = NULL;
	k->events = 0;
	if (k->fd != -1)
		(void)close(k->fd);
	k->fd = -1;
	k->in_len = 0;
}

static socklen_t
address_fill(const struct mx_address *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (a->v6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, a->octets, 16);
		return sizeof *in6;
	}
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	memcpy(&in->sin_addr, a->octets, 4);
	return sizeof *in;
}

/* "mx1.example.net [192.0.2.25]:25", and an address that was given as such only once. */
static void
say_host(struct relay_connection *k, const struct mx_address *a)
{
	const char *name = k->hosts->list.host[a->host].name;
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->octets, text, sizeof text);
	if (strcmp(name, text) == 0)
		name = "";
	(void)snprintf(k->reason.host, sizeof k->reason.host, "%s%s[%s]:%u", name, name[0] != 0 ? " " : "", text,
	    k->policy.port);
}

static bool
poll_begin(struct relay_connection *k)
{
	k->poll = malloc(sizeof *k->poll);
	if (k->poll == NULL)
		return false;
	if (uv_poll_init(&k->relay->child.loop, k->poll, k->fd) != 0) {
		free(k->poll);
		k->poll = NULL;
		return false;
	}
	k->poll->data = k;
	relay_connection_watch(k, UV_WRITABLE);
	return true;
}

/* Begin to connect. False with errno: not even that. */
static bool
socket_begin(struct relay_connection *k, const struct mx_address *a)
{
	struct sockaddr_storage to;
	socklen_t len = address_fill(a, k->policy.port, &to);
	int on = 1;

	k->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd == -1)
		return false;
	/* What we gather goes out whole; waiting for the peer's acknowledgement would cost a round trip. */
	(void)setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!relay_source_bind(&k->to->source, k->fd, a->v6))
		return false;
	if (connect(k->fd, (struct sockaddr *)&to, len) != 0 && errno != EINPROGRESS)
		return false;
	return poll_begin(k);
}

static void
refuse_connect(struct relay_connection *k, enum log_level level, const char *why)
{
	char text[160];

	(void)snprintf(text, sizeof text, "cannot connect: %s", why);
	blame_unreached(k, text);
	relay_connection_log(k, level, "connect-failed", why);
}

/* Until a handshake says better; why there will be none when this address has failed one, or whose policy forbids to go on so. */
static void
say_no_tls(struct relay_connection *k)
{
	const struct transport_verdict *v = &k->policy.verdict;
	bool failed = (k->hosts->no_tls >> k->at & 1) != 0;

	if (v->tls || v->act != TRANSPORT_TRY)
		(void)snprintf(k->reason.tls, sizeof k->reason.tls, "none (policy %s)", transport_policy_name(v->policy));
	else if (!failed || strncmp(k->reason.tls, "none (", 6) != 0)
		(void)snprintf(k->reason.tls, sizeof k->reason.tls, failed ? "none (TLS failed before)" : "none");
}

/* The address that worked for the last connection comes first; else the order is the DNS's. */
static uint32_t
address_at(const struct relay_connection *k, uint32_t step)
{
	if (k->first_address == UINT32_MAX)
		return step;
	if (step == 0)
		return k->first_address;
	return step <= k->first_address ? step - 1 : step;
}

/* Does a policy let us go there at all? */
static bool
allowed(struct relay_connection *k)
{
	const struct transport_verdict *v = &k->policy.verdict;
	char text[sizeof k->reason.text];

	k->reason.policy = v->policy;
	/* Why this address is tried a second time, without TLS, is worth keeping. */
	if ((k->hosts->no_tls >> k->at & 1) == 0)
		k->reason.result = v->result;
	if (v->act == TRANSPORT_TRY)
		return true;
	(void)snprintf(text, sizeof text, "%.240s%s%.200s", v->words, v->result == TRANSPORT_DNSSEC_INVALID &&
	    k->hosts->list.tlsa_words[0] != 0 ? "; " : "", v->result == TRANSPORT_DNSSEC_INVALID ? k->hosts->list.tlsa_words : "");
	k->reason.stage = SMTP_STAGE_GREETING;
	relay_connection_blame(k, v->act == TRANSPORT_REFUSE ? SMTP_CLASS_NEVER : SMTP_CLASS_LATER, 0, v->enhanced, text);
	relay_connection_log(k, LOG_NOTE, "host-passed-over", text);
	relay_report_failure(k, v->words);
	return false;
}

/* Where nothing is said of a family the kernel's choice would be another address than the one that was asked for. */
static bool
has_source(struct relay_connection *k, const struct mx_address *a)
{
	const char *why = a->v6 ? "relay-source names no IPv6 address to send this from" : "relay-source names no IPv4 address to send this from";

	if (relay_source_has(&k->to->source, a->v6))
		return true;
	blame_unreached(k, why);
	return false;
}

/* Begin with the next address that can be begun with (5321-65). False: there is none left. */
static bool
address_begin(struct relay_connection *k)
{
	while (!k->hopeless && k->step < k->hosts->list.addresses) {
		const struct mx_address *a;

		k->at = address_at(k, k->step++);
		a = &k->hosts->list.address[k->at];
		k->policy = relay_policy(k->to, k->hosts, k->at);
		k->counted.count = 0;
		say_host(k, a);
		say_no_tls(k);
		if (!allowed(k) || !has_source(k, a))
			continue;
		relay_connection_enter(k, RELAY_CONNECTING);
		k->deadline = relay_now(k->relay) + RELAY_CONNECT_MS;
		if (socket_begin(k, a))
			return true;
		if (errno == EADDRNOTAVAIL && (k->to->source.v4 || k->to->source.v6))
			refuse_connect(k, LOG_WARN, "this machine does not have the address that relay-source wants it sent from");
		else
			/* That there is no route from here, mostly for want of IPv6, is no event. */
			refuse_connect(k, LOG_FINE, strerror(errno));
		socket_close(k);
	}
	return false;
}

/* ---- beginning and end ---- */

static void
link_in(struct relay_connection *k, struct relay_destination *d)
{
	k->to = d;
	k->next = d->connections;
	k->link = &d->connections;
	if (k->next != NULL)
		k->next->link = &k->next;
	d->relay->busy += d->connections == NULL;
	d->connections = k;
	d->open++;
	d->opening++;
	d->relay->connections++;
	d->relay->opening++;
	k->opener = relay_destination_opener(d);
	d->relay->opening_of[k->opener]++;
}

static void
unlink_from(struct relay_connection *k)
{
	*k->link = k->next;
	if (k->next != NULL)
		k->next->link = k->link;
	if (k->state == RELAY_LEAVING)
		k->relay->leaving--;
	else
		k->to->open--;
	if (k->state == RELAY_IDLE)
		idle_remove(k);
	if (!k->ready) {
		k->to->opening--;
		k->relay->opening--;
		k->relay->opening_of[k->opener]--;
	}
	k->relay->connections--;
	k->relay->busy -= k->to->connections == NULL;
}

static void
connection_free(struct relay_connection *k)
{
	unlink_from(k);
	socket_close(k);
	relay_talk_end(k);
	relay_hosts_release(k->hosts);
	relay_trust_release(k->trust);
	free(k);
}

void
relay_connection_drop(struct relay_connection *k)
{
	struct relay_attempt *a = k->attempt;
	struct relay *relay = k->relay;

	relay_talk_load(k, NULL);
	if (a != NULL)
		relay_attempt_finish(a);
	connection_free(k);
	relay_work_over(relay);
}

/* Nobody answered as we need it: the destination hears why. */
static void
connection_refused(struct relay_connection *k)
{
	struct relay_destination *d = k->to;
	bool refused = all_refuse(k);
	struct relay_reason reason = refused ? k->refusal : k->reason;
	/* What REQUIRETLS asks for and nobody has is the sender's to hear (8689 4.2.1). */
	bool unfit = k->to->need == TRANSPORT_NEED_TLS && reason.code == 0;

	/* A smart host that refuses us is the operator's to put right: its mail waits. */
	if (!refused || (k->relay->child.conf.relay.kind == CONF_RELAY_SMART_HOST && !unfit))
		reason.class = SMTP_CLASS_LATER;
	if (reason.class == SMTP_CLASS_LATER && reason.enhanced[0] == '5')
		reason.enhanced[0] = '4';
	relay_connection_drop(k);
	relay_destination_refused(d, &reason);
}

void
relay_connection_retry(struct relay_connection *k)
{
	socket_close(k);
	relay_talk_end(k);
	if (!address_begin(k))
		connection_refused(k);
}

bool
relay_connection_open(struct relay_destination *d)
{
	struct relay_connection *k = calloc(1, sizeof *k);

	if (k == NULL)
		return false;
	link_in(k, d);
	k->relay = d->relay;
	k->fd = -1;
	k->hosts = d->hosts;
	k->hosts->refs++;
	k->first_address = d->good;
	k->trust = d->relay->trust;
	if (k->trust != NULL)
		k->trust->refs++;
	k->born = relay_now(d->relay);
	memcpy(k->helo, d->relay->child.conf.hostname.p, sizeof k->helo);
	if (!address_begin(k))
		connection_refused(k);
	return true;
}

/* ---- TLS ---- */

/* Where TLS was only a wish the mail goes on without it, to the same address, and says so. */
static void
tls_refused(struct relay_connection *k, const char *why)
{
	char text[480];

	relay_policy_failed(k);
	relay_connection_log(k, LOG_NOTE, "tls-failed", why);
	if (k->tls != NULL)             /* else it is our own fault */
		relay_report_failure(k, why);
	if (k->policy.tls == SMTP_TLS_MAY) {
		k->hosts->no_tls |= UINT64_C(1) << k->at;
		k->step--;
		(void)snprintf(k->reason.tls, sizeof k->reason.tls, "none (TLS failed: %.100s)", why);
		relay_connection_log(k, LOG_NOTE, "reconnect-without-tls", "TLS is not required of this hop");
	} else {
		(void)snprintf(text, sizeof text, "TLS failed: %.440s", why);
		k->reason.stage = SMTP_STAGE_STARTTLS;
		/* A certificate that proves nothing to REQUIRETLS alone is no matter of waiting; the receiver's own policy is. */
		if (k->policy.verdict.policy == TRANSPORT_REQUIRETLS && k->reason.result != TRANSPORT_VALIDATION_FAILURE)
			relay_connection_blame(k, SMTP_CLASS_NEVER, 0, "5.7.30", text);
		else
			relay_connection_blame(k, SMTP_CLASS_LATER, 0, "4.7.5", text);
	}
	relay_connection_retry(k);
}

static void
shake(struct relay_connection *k)
{
	char why[400] = "";
	struct buf b = BUF_OVER(why);
	enum tls_step step = tls_handshake(k->tls);

	switch (step) {
	case TLS_READ:
	case TLS_WRITE:
		relay_connection_watch(k, step == TLS_READ ? UV_READABLE : UV_WRITABLE);
		break;
	case TLS_DONE:
		relay_policy_say(k);
		relay_connection_watch(k, UV_READABLE);
		relay_talk_secured(k);
		break;
	default:
		tls_why(k->tls, &b);
		tls_refused(k, why);
	}
}

/* In TLS 1.3 the other side judges our part of the handshake when we are past it (RFC 8446 4.4.2.4). */
bool
relay_connection_taken_back(struct relay_connection *k)
{
	enum smtp_stage first = k->policy.tls == SMTP_TLS_IMPLICIT ? SMTP_STAGE_GREETING : SMTP_STAGE_EHLO;
	char why[400];
	struct buf b = BUF_OVER(why);

	if (k->ready || k->tls == NULL || !tls_broken(k->tls) || smtp_client_awaits(&k->smtp) != first)
		return false;
	tls_why(k->tls, &b);
	tls_refused(k, why);
	return true;
}

void
relay_connection_shake(struct relay_connection *k)
{
	relay_connection_enter(k, RELAY_SHAKING);
	k->in_len = 0;
	k->deadline = relay_now(k->relay) + RELAY_CONNECT_MS;
	k->tls = k->trust == NULL ? NULL : relay_policy_session(k);
	if (k->tls == NULL)
		tls_refused(k, "out of memory, or no trusted certificates could be read");
	else
		shake(k);
}

/* ---- events ---- */

static void
connected(struct relay_connection *k)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		refuse_connect(k, LOG_NOTE, strerror(error));
		relay_connection_retry(k);
		return;
	}
	relay_connection_watch(k, UV_READABLE);
	if (k->policy.tls == SMTP_TLS_IMPLICIT)
		relay_connection_shake(k);
	else
		relay_talk_begin(k);
}

static void
on_event(uv_poll_t *poll, int status, int events)
{
	struct relay_connection *k = poll->data;

	/* An error shows in the call that the state makes next. */
	if (status != 0) {
		events = UV_READABLE | UV_WRITABLE;
		k->events = 0;          /* libuv has stopped the poll */
	}
	switch (k->state) {
	case RELAY_CONNECTING:
		connected(k);
		break;
	case RELAY_SHAKING:
		shake(k);
		break;
	case RELAY_IDLE:
		/* Whatever it is, a 421 or the end: this connection is of no further use. */
		if (k->tls != NULL)
			(void)tls_goodbye(k->tls);
		relay_connection_drop(k);
		break;
	case RELAY_SIGNING:
		/* Whatever it says is heard when it is its turn. */
		relay_connection_watch(k, 0);
		break;
	case RELAY_TALKING:
	case RELAY_LEAVING:
		relay_talk_event(k, events);
		break;
	}
}

void
relay_connection_expire(struct relay_connection *k)
{
	switch (k->state) {
	case RELAY_CONNECTING:
		refuse_connect(k, LOG_NOTE, "no answer in time");
		relay_connection_retry(k);
		break;
	case RELAY_SHAKING:
		tls_refused(k, "the handshake took too long");
		break;
	case RELAY_IDLE:
		relay_talk_quit(k);
		break;
	case RELAY_SIGNING:
		/* Signing has a deadline of its own. */
		break;
	case RELAY_TALKING:
		relay_talk_lost(k, "the next hop said nothing for too long");
		break;
	case RELAY_LEAVING:
		relay_connection_drop(k);
		break;
	}
}

void
relay_connection_leave(struct relay_connection *k)
{
	k->last = true;
	if (k->state == RELAY_IDLE)
		relay_talk_quit(k);
	else if (!k->ready)
		relay_connection_drop(k);
}

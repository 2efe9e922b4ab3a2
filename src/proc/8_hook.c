/*
 * 8_hook: posts what 7_history gives it to the operator's web server, signed.
 *
 * It reads from strangers: what the web server answers, and the DNS. It holds the key of the signatures. It may connect and resolve, and
 * read the CA files; it has no mail, and no file of ours.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/secret.h"
#include "conf/webhook.h"
#include "dns/lookup.h"
#include "os/log.h"
#include "proc/cage.h"
#include "tls/fetch.h"

/* The promise: nothing of the state directory. */
const struct cage hook_cage = {
	.user = "postern-hook",
	.calls = PROMISE_FILES | PROMISE_CONNECT | PROMISE_THREADS | PROMISE_LOCK,
	.root = {
		CAGE_TLS_AND_NAMES,
	},
};

enum {
	POST_MS = 15000,                /* for everything */
	ANSWER_MAX = 64 * 1024,         /* octets of an answer, which nobody reads */
	ADDRESSES_MS = 60 * 1000,       /* they are kept so long */
	DIGEST = 32, SIGNATURE_MAX = 80, ID_MAX = 64,
};

#define UNUSABLE "webhook or its secret cannot be used; see the log of the start"

/* One event under way. */
struct post {
	uint64_t row;
	bool used;
	struct fetch *fetch;            /* NULL: waits for addresses */
	char id[ID_MAX + 1];
	uint8_t *body;
	size_t len;
};

struct poster {
	struct child child;
	struct channel *history;
	struct secret key;
	struct webhook_url url;
	struct tls_client *trust;
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct mx_lookup *lookup;
	struct fetch_question to;       /* host, port and its addresses */
	uint64_t looked_up;             /* uv_now() of the addresses; 0: there are none */
	struct post post[HOOK_IN_FLIGHT];
	bool going, wanting;            /* wanting: there is a URL, and all that it takes */
};

static struct poster poster;

/* ---- the end of one ---- */
static void
post_over(struct post *p, bool good, const char *words)
{
	struct hook_sent m = { .row = p->row, .good = good, .words = span_head(span_of(words), 400) };

	free(p->body);
	*p = (struct post){ .used = false };
	if (poster.history != NULL)
		(void)channel_send(poster.history, HOOK_SENT, 0, hook_sent_layout, &m);
}

static void
all_over(struct poster *o, const char *words)
{
	for (size_t i = 0; i < HOOK_IN_FLIGHT; i++)
		if (o->post[i].used && o->post[i].fetch == NULL)
			post_over(&o->post[i], false, words);
}

static void
forget_all(struct poster *o)
{
	for (size_t i = 0; i < HOOK_IN_FLIGHT; i++) {
		fetch_cancel(o->post[i].fetch);
		free(o->post[i].body);
		o->post[i] = (struct post){ .used = false };
	}
}

/* ---- the request: standardwebhooks.com, version 1 ---- */
/* "v1,BASE64" of the HMAC-SHA-256 of "ID.TIMESTAMP.BODY". */
static bool
sign(const struct poster *o, const struct post *p, const char *timestamp, char out[SIGNATURE_MAX])
{
	uint8_t digest[DIGEST], text[ID_MAX + 32];
	struct buf head = BUF_OVER(text), signature = { (uint8_t *)out, 0, SIGNATURE_MAX };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *c = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", (char[]){ "SHA256" }, 0), OSSL_PARAM_construct_end() };
	size_t n;
	bool good = buf_put_text(&head, p->id) && buf_put_byte(&head, '.') && buf_put_text(&head, timestamp) && buf_put_byte(&head, '.')
	    && c != NULL && EVP_MAC_init(c, o->key.p, o->key.len, params) == 1 && EVP_MAC_update(c, head.p, head.len) == 1
	    && EVP_MAC_update(c, p->body, p->len) == 1 && EVP_MAC_final(c, digest, &n, sizeof digest) == 1 && n == sizeof digest;

	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
	return good && buf_put_text(&signature, "webhook-signature: v1,") && base64_format((struct span){ digest, sizeof digest }, &signature)
	    && buf_terminate(&signature);
}

static void
on_answer(void *arg, const struct fetch_answer *a)
{
	struct post *p = arg;

	p->fetch = NULL;
	post_over(p, a->verdict == FETCH_DONE, a->words);
}

static void
send_post(struct poster *o, struct post *p)
{
	struct fetch_question q = o->to;
	char id[ID_MAX + 16], timestamp[24], stamp[48], signature[SIGNATURE_MAX];

	(void)snprintf(timestamp, sizeof timestamp, "%lld", (long long)time(NULL));
	(void)snprintf(id, sizeof id, "webhook-id: %s", p->id);
	(void)snprintf(stamp, sizeof stamp, "webhook-timestamp: %s", timestamp);
	if (!sign(o, p, timestamp, signature)) {
		post_over(p, false, "it cannot be signed; see the log of the start");
		return;
	}
	q.post = (struct span){ p->body, p->len };
	q.post_header = "Content-Type: application/json";
	q.more_header[0] = id;
	q.more_header[1] = stamp;
	q.more_header[2] = signature;
	p->fetch = fetch_begin(o->fetcher, &q, on_answer, p);
	if (p->fetch == NULL)
		post_over(p, false, "out of memory");
}

/* ---- where to ---- */
static void
send_waiting(struct poster *o)
{
	for (size_t i = 0; i < HOOK_IN_FLIGHT; i++)
		if (o->post[i].used && o->post[i].fetch == NULL)
			send_post(o, &o->post[i]);
}

static void
take_addresses(struct poster *o, const struct mx_list *list)
{
	o->to.addresses = 0;
	for (uint32_t i = 0; i < list->addresses && o->to.addresses < FETCH_ADDRESSES_MAX; i++) {
		const struct mx_address *one = &list->address[i];

		if (inet_ntop(one->v6 ? AF_INET6 : AF_INET, one->octets, o->to.address[o->to.addresses], FETCH_ADDRESS_TEXT) != NULL)
			o->to.addresses++;
	}
}

static void
on_addresses(void *arg, const struct mx_list *list)
{
	struct poster *o = arg;

	o->lookup = NULL;
	if (list->verdict != MX_FOUND) {
		all_over(o, list->words);
		return;
	}
	take_addresses(o, list);
	o->looked_up = uv_now(&o->child.loop);
	send_waiting(o);
}

/* An address, or this machine: nobody needs to be asked. */
static bool
is_address(struct poster *o)
{
	const char *host = o->url.host;
	uint8_t octets[16];

	if (span_same(span_of(host), SPAN("localhost")))
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, octets) != 1 && inet_pton(AF_INET6, host, octets) != 1)
		return false;
	(void)snprintf(o->to.address[0], FETCH_ADDRESS_TEXT, "%.47s", host);
	o->to.addresses = 1;
	return true;
}

static void
find_addresses(struct poster *o)
{
	struct mx_question q = { .domain = span_of(o->url.host), .host_only = true };

	if (is_address(o) || (o->looked_up != 0 && uv_now(&o->child.loop) - o->looked_up < ADDRESSES_MS)) {
		send_waiting(o);
		return;
	}
	if (o->lookup == NULL)
		o->lookup = mx_lookup_begin(o->resolver, &q, on_addresses, o);
	if (o->lookup == NULL)
		all_over(o, "out of memory");
}

/* ---- 7_history ---- */
static struct post *
post_take(struct poster *o)
{
	for (size_t i = 0; i < HOOK_IN_FLIGHT; i++)
		if (!o->post[i].used)
			return &o->post[i];
	return NULL;
}

static bool
on_send(struct poster *o, const struct frame *f)
{
	struct post *p = post_take(o);
	struct hook_send m;

	if (f->type != HOOK_SEND || !fields_parse(hook_send_layout, f->body, &m) || p == NULL || m.event_id.len > ID_MAX
	    || m.event_id.len == 0 || m.body.len == 0)
		return false;
	p->used = true;
	p->row = m.row;
	memcpy(p->id, m.event_id.p, m.event_id.len);
	p->len = m.body.len;
	p->body = malloc(p->len);
	if (p->body == NULL || !o->wanting) {
		post_over(p, false, o->wanting ? "out of memory" : UNUSABLE);
		return true;
	}
	memcpy(p->body, m.body.p, p->len);
	find_addresses(o);
	return true;
}

static void
history_lost(struct poster *o)
{
	o->history = NULL;
	forget_all(o);
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	if (on_send(arg, f))
		return;
	log_say(LOG_FAULT, "peer-broken", "history said what it may not say");
	channel_close(c);
	history_lost(arg);
}

static void
on_closed(void *arg, struct channel *c)
{
	(void)c;
	history_lost(arg);
}

static void
on_peer(void *arg, enum role role, uint32_t slot, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };
	struct poster *o = arg;

	(void)slot;
	if (role != ROLE_HISTORY) {
		(void)close(fd);
		return;
	}
	if (o->history != NULL) {
		channel_close(o->history);
		history_lost(o);
	}
	o->history = channel_open(&o->child.loop, fd, &handler, o);
	if (o->history != NULL && !o->going)
		channel_pause(o->history, true);
}

/* ---- what the master tells ---- */
/* "whsec_..." is base64, as the libraries of the receivers have it; anything else is the key itself. */
static void
on_secret(void *arg, struct span octets)
{
	struct poster *o = arg;
	struct buf key = { o->key.p, 0, sizeof o->key.p };

	secret_wipe(&o->key);
	if (!span_take(&octets, SPAN("whsec_"))) {
		if (!secret_set(&o->key, octets))
			log_say(LOG_FAULT, "webhook-secret", "longer than 1024 octets");
		return;
	}
	if (base64_valid(octets) && base64_parse(octets, &key))
		o->key.len = key.len;
	else
		log_say(LOG_FAULT, "webhook-secret", "what stands behind whsec_ is not base64");
}

static const char *
prepare(struct poster *o, struct buf *why)
{
	const struct conf *c = &o->child.conf;
	struct resolver_conf rc = { c->dns_server.p, c->dns_trust_anchor.p };

	if (!webhook_url_parse(span_of(c->webhook.p), &o->url, why))
		return "webhook is no URL";
	if (o->key.len == 0)
		return "there is no secret to sign with";
	o->trust = tls_client_new(c->relay_ca_file.p[0] != '\0' ? c->relay_ca_file.p : NULL, why);
	o->resolver = o->trust != NULL ? resolver_open(&o->child.loop, &rc, why) : NULL;
	o->fetcher = o->resolver != NULL ? fetcher_open(&o->child.loop, o->trust, why) : NULL;
	return o->fetcher != NULL ? NULL : (const char *)why->p;
}

/* What is under way stays, and waits to be posted anew. */
static void
stop_all(struct poster *o)
{
	mx_lookup_cancel(o->lookup);
	o->lookup = NULL;
	for (size_t i = 0; i < HOOK_IN_FLIGHT; i++) {
		fetch_cancel(o->post[i].fetch);
		o->post[i].fetch = NULL;
	}
	fetcher_close(o->fetcher);
	resolver_close(o->resolver);
	tls_client_free(o->trust);
	o->fetcher = NULL;
	o->resolver = NULL;
	o->trust = NULL;
	o->looked_up = 0;
	o->wanting = false;
}

static void
configure(struct poster *o)
{
	char text[400] = "";
	struct buf why = { (uint8_t *)text, 0, sizeof text - 1 };
	const char *wrong;

	stop_all(o);
	if (o->child.conf.webhook.p[0] == '\0')
		return;
	wrong = prepare(o, &why);
	if (wrong != NULL)
		log_say(LOG_FAULT, "webhook", wrong);
	o->wanting = wrong == NULL;
	if (o->wanting && !o->url.clear)
		child_judge_trust(&o->child);
	o->to = (struct fetch_question){ .host = o->url.host, .path = o->url.path, .port = o->url.port, .clear = o->url.clear,
		.most = ANSWER_MAX, .milliseconds = POST_MS };
}

static void
on_go(void *arg)
{
	struct poster *o = arg;

	o->going = true;
	configure(o);
	if (o->history != NULL)
		channel_pause(o->history, false);
	child_ready(&o->child);
}

/* A reload is nobody's failure: no try is counted, and nobody waits longer for it. */
static void
on_reload(void *arg)
{
	struct poster *o = arg;
	bool waits = false;

	configure(o);
	for (size_t i = 0; i < HOOK_IN_FLIGHT; i++)
		waits = waits || o->post[i].used;
	if (waits && o->wanting)
		find_addresses(o);
	else
		all_over(o, UNUSABLE);
}

/* What is under way is posted again by the next one. */
static void
on_drain(void *arg)
{
	struct poster *o = arg;

	forget_all(o);
	child_drained(&o->child);
}

int
hook_main(uint32_t slot)
{
	static const struct child_handler handler = {
		.peer = on_peer, .secret = on_secret, .go = on_go, .reload = on_reload, .drain = on_drain,
	};
	char text[200];
	struct buf why = BUF_OVER(text);
	int status;

	/* What fails is said by fetcher_open(), which asks again. */
	(void)fetch_library_load(&why);
	status = child_run(&poster.child, ROLE_HOOK, slot, &handler, &poster);
	secret_wipe(&poster.key);
	return status;
}

/*
 * fuzz/hops_to_relay.c - what mail exchangers could say to 5_relay, whose own file is part of this program: in clear and over TLS, over
 * as many connections as it opens, at any time.
 *
 * Input     one octet of settings (below), then records of fuzz/frames.h: which connection, in the order of their coming; marks (below);
 *           what it says.
 *
 * Whatever they say: each recipient has one result and each try one end; nobody counts as delivered before a hop has had a whole
 * message and said something with a 2 behind it; a message that demands verified TLS is not begun over anything else.
 */
#include "../src/proc/5_relay.c"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "frames.h"
#include "queue/record.h"
#include "signer_key.h"

enum { MESSAGES = 3, RCPTS_AT = 2, RCPTS = 3, EIGHTBIT = 16, REQUIRETLS = 32, ELSEWHERE = 64, BIG = 128 };
enum { WAIT = 1, CLOSE = 2, HALF = 4, SHAKE = 8, DEAF = 16 };
enum { CONNECTIONS = 8, HOSTS = 2, SMALL = 60, LARGE = 200000, TAIL = 8 };

static SSL_CTX *context;
static int listener[HOSTS], segment = -1;
static unsigned settings;

static struct hop {
	int fd;                         /* -1: it has not come, or has gone */
	SSL *tls;
	bool whole;                     /* it has had the end of a message */
	uint8_t tail[TAIL];             /* of what came last */
	size_t tail_len;
} hop[CONNECTIONS];
static unsigned hops, good;             /* good: 2s said by who had a whole message */

static struct attempt { unsigned rcpts, results, ends; } attempt[MESSAGES + 2];

/* ---- the relay ---- */
static uint16_t
listen_at(uint32_t address, uint16_t port, int *fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(address) } };
	socklen_t len = sizeof at;

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	frames_insist(*fd != -1 && bind(*fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(*fd, 16) == 0);
	frames_insist(getsockname(*fd, (struct sockaddr *)&at, &len) == 0);
	return ntohs(at.sin_port);
}

static void
make_context(void)
{
	struct span chain, key;
	BIO *bio;
	X509 *certificate;
	EVP_PKEY *pkey;

	signer_key_make(&chain, &key);
	bio = BIO_new_mem_buf(chain.p, (int)chain.len);
	certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	bio = BIO_new_mem_buf(key.p, (int)key.len);
	pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	context = SSL_CTX_new(TLS_server_method());
	frames_insist(context != NULL && SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, pkey) == 1);
	X509_free(certificate);
	EVP_PKEY_free(pkey);
}

/* Lines with and without a dot in front, and octets above 127 at the end for who asks for them. */
static void
make_segment(void)
{
	static uint8_t content[LARGE];
	char path[40];
	int wide = memfd_create("segment", MFD_CLOEXEC);

	for (size_t i = 0; i < sizeof content; i++)
		content[i] = (uint8_t)".line\r\n"[i % 7];
	memcpy(content, "From: a@example.org\r\n\r\n", 23);
	memcpy(content + SMALL - 2, "\r\n", 2);
	memcpy(content + sizeof content - 5, "\xc3\xbc!\r\n", 5);
	frames_insist(wide != -1 && write(wide, content, sizeof content) == (ssize_t)sizeof content);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", wide);
	segment = open(path, O_RDONLY | O_CLOEXEC);
	frames_insist(segment != -1);
}

static void
set_up(void)
{
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct conf *c = &relay.child.conf;
	uint8_t words[300];
	struct buf why = BUF_OVER(words);
	char port[8];

	if (relay.going)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	conf_defaults(c);
	(void)snprintf(c->state_dir.p, sizeof c->state_dir.p, "%s", frames_directory());
	(void)snprintf(port, sizeof port, "%u", listen_at(INADDR_LOOPBACK, 0, &listener[0]));
	(void)listen_at(INADDR_LOOPBACK + 1, (uint16_t)strtoul(port, NULL, 10), &listener[1]);
	frames_insist(conf_set(c, conf_find(SPAN("hostname")), SPAN("mail.example.org"), &why) &&
	    conf_set(c, conf_find(SPAN("relay")), SPAN("mx"), &why) && conf_set(c, conf_find(SPAN("mta-sts")), SPAN("no"), &why) &&
	    conf_set(c, conf_find(SPAN("dns-server")), SPAN("127.0.0.1@1"), &why) &&
	    conf_set(c, conf_find(SPAN("relay-port")), span_of(port), &why));
	relay.idle_last = &relay.idle;
	relay.hungry_last = &relay.hungry;
	make_context();
	make_segment();
	frames_insist(uv_loop_init(&relay.child.loop) == 0);
	on_go(&relay);
	uv_timer_stop(&relay.alone);
	frames_insist(relay.trust != NULL && relay.resolver != NULL);
}

/* ---- 4_spool, an honest one ---- */
static void
heard(const struct frames_one *f)
{
	struct relay_result m;
	struct attempt *a;

	frames_insist(f->session >= 1 && f->session <= MESSAGES + 1);
	a = &attempt[f->session];
	if (f->type == RELAY_DONE) {
		frames_insist(++a->ends == 1 && a->results == a->rcpts);
		return;
	}
	frames_insist(f->type == RELAY_RESULT && fields_parse(relay_result_layout, f->body, &m));
	frames_insist(++a->results <= a->rcpts && a->ends == 0);
	frames_insist(m.class != SMTP_CLASS_DELIVERED || good > 0);
}

static void
say(int fd, uint16_t type, uint32_t session, struct layout l, const void *message)
{
	uint8_t room[1024];
	struct buf b = BUF_OVER(room);
	struct frames_one f = { .type = type, .session = session, .marks = type == RELAY_SEGMENT ? FRAMES_FD : 0 };

	frames_insist(fields_format(l, message, &b));
	f.body = buf_span(&b);
	frames_insist(frames_write(fd, &f, segment));
}

static void
submit(int fd, uint32_t session)
{
	uint8_t octets[RELAY_EXTENT];
	struct buf extents = BUF_OVER(octets);
	bool big = (settings & BIG) != 0;
	struct extent e = { 1, 0, big ? LARGE : SMALL };
	struct relay_try m = { .queue_id = session, .arrival = 1, .attempt = 1, .rcpts = 1 + (settings >> RCPTS_AT & RCPTS),
		.flags = (big || (settings & EIGHTBIT) ? MAIL_8BIT : 0u) | (settings & REQUIRETLS ? MAIL_REQUIRETLS : 0u),
		.destination = (settings & ELSEWHERE) && session % 2 == 0 ? SPAN("[127.0.0.2]") : SPAN("[127.0.0.1]"),
		.reverse_path = SPAN("a@example.org"), .size = e.octets, .login = SPAN("a") };

	frames_insist(extent_format(&e, &extents));
	m.extents = buf_span(&extents);
	attempt[session] = (struct attempt){ .rcpts = m.rcpts };
	say(fd, RELAY_TRY, session, relay_try_layout, &m);
	for (uint32_t i = 0; i < m.rcpts; i++) {
		struct spool_rcpt r = { .number = i, .path = SPAN("bob@[127.0.0.1]"), .notify = i };

		say(fd, RELAY_RCPT, session, spool_rcpt_layout, &r);
	}
}

/* ---- the hops ---- */
static void
hop_close(struct hop *h)
{
	struct linger no_wait = { 1, 0 };

	SSL_free(h->tls);
	h->tls = NULL;
	if (h->fd != -1) {
		(void)setsockopt(h->fd, SOL_SOCKET, SO_LINGER, &no_wait, sizeof no_wait);
		(void)close(h->fd);
	}
	h->fd = -1;
}

static void
accept_all(void)
{
	for (unsigned i = 0; i < HOSTS; i++)
		for (int fd; (fd = accept4(listener[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1;) {
			struct hop one = { .fd = fd };

			if (hops < CONNECTIONS)
				hop[hops++] = one;
			else
				hop_close(&one);
		}
}

/* Does what the relay has said end a message? The end may come in pieces. */
static void
listen_for_end(struct hop *h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (h->tail_len == TAIL)
			memmove(h->tail, h->tail + 1, --h->tail_len);
		h->tail[h->tail_len++] = p[i];
		h->whole = h->whole || (h->tail_len >= 5 && memcmp(h->tail + h->tail_len - 5, "\r\n.\r\n", 5) == 0) ||
		    (h->tail_len >= 6 && memcmp(h->tail + h->tail_len - 6, " LAST\r", 6) == 0);
		/* None of our certificates can be verified. */
		frames_insist((settings & REQUIRETLS) == 0 || h->tail_len < 5 || memcmp(h->tail + h->tail_len - 5, "MAIL ", 5) != 0);
	}
}

static void
hop_read(struct hop *h)
{
	uint8_t octets[16384];
	int n;

	while (h->fd != -1) {
		n = h->tls != NULL ? SSL_read(h->tls, octets, sizeof octets) : (int)recv(h->fd, octets, sizeof octets, 0);
		if (n <= 0)
			break;
		listen_for_end(h, octets, (size_t)n);
	}
	ERR_clear_error();
}

static void
hop_act(struct hop *h, const struct frames_one *f)
{
	if (f->marks & SHAKE && h->tls == NULL) {
		h->tls = SSL_new(context);
		frames_insist(h->tls != NULL && SSL_set_fd(h->tls, h->fd) == 1);
		SSL_set_accept_state(h->tls);
		(void)SSL_do_handshake(h->tls);
	}
	if (f->body.len > 0) {
		good += h->whole && memchr(f->body.p, '2', f->body.len) != NULL;
		if (h->tls == NULL)
			(void)send(h->fd, f->body.p, f->body.len, 0);
		else if (SSL_is_init_finished(h->tls))
			(void)SSL_write(h->tls, f->body.p, (int)f->body.len);
	}
	ERR_clear_error();
	if (f->marks & HALF)
		(void)shutdown(h->fd, SHUT_WR);
	if (f->marks & CLOSE)
		hop_close(h);
}

static void
turns(int fd, unsigned count, bool deaf)
{
	while (count-- > 0) {
		(void)uv_run(&relay.child.loop, UV_RUN_NOWAIT);
		accept_all();
		for (unsigned i = 0; i < hops && !deaf; i++)
			hop_read(&hop[i]);
		if (fd != -1)
			(void)frames_read(fd, heard);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint16_t which[CONNECTIONS] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	static const struct relay_segment first = { 1 };
	struct span in = { p + 1, n - 1 };
	struct frames_one f;
	int fd[2];

	if (n == 0)
		return 0;
	set_up();
	settings = p[0];
	hops = good = 0;
	memset(attempt, 0, sizeof attempt);
	frames_insist(channel_pair(fd));
	on_peer(&relay, ROLE_SPOOL, 0, fd[0]);
	say(fd[1], RELAY_SEGMENT, 0, relay_segment_layout, &first);
	for (uint32_t i = 0; i <= (settings & MESSAGES); i++)
		submit(fd[1], 1 + i);
	turns(fd[1], 6, false);
	while (frames_next(&in, which, CONNECTIONS, &f)) {
		if (f.type < hops && hop[f.type].fd != -1)
			hop_act(&hop[f.type], &f);
		turns(fd[1], f.marks & WAIT ? 8 : 2, (f.marks & DEAF) != 0);
	}
	turns(fd[1], 4, false);
	(void)close(fd[1]);
	for (unsigned i = 0; i < hops; i++)
		hop_close(&hop[i]);
	turns(-1, 4, false);
	relay_connections_drop(&relay, false);
	turns(-1, 2, false);
	for (unsigned i = 0; i < hops; i++)
		hop_close(&hop[i]);
	uv_timer_stop(&relay.alone);
	frames_insist(relay.spool == NULL && relay.receiving == NULL && relay.connections == 0);
	return 0;
}

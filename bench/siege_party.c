#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "siege.h"

enum { TURNS = 16, COMPLAINTS = 20 };

/* ---- the end ---- */

void
party_close(struct party *p, bool ended, const char *why)
{
	static unsigned complaints;

	if (p->stage == PARTY_FREE)
		return;
	if (siege.attack->honest && why != NULL) {
		siege.failed++;
		if (complaints++ < COMPLAINTS)
			fprintf(stderr, "siege: stage %d after %.3f s: %s: %.*s\n", (int)p->stage, seconds_since(&p->begun), why,
			    (int)strcspn(p->in, "\r\n"), p->in);
	}
	if (p->stage == PARTY_THERE)
		siege.held--;
	if (ended)
		siege.ended++;
	else
		siege.left++;
	ERR_clear_error();
	SSL_free(p->ssl);
	(void)close(p->fd);
	p->ssl = NULL;
	p->fd = -1;
	p->stage = PARTY_FREE;
}

/* ---- writing ---- */

static void
watch(struct party *p, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = p };

	if (p->events == events)
		return;
	p->events = events;
	(void)epoll_ctl(siege.epoll, EPOLL_CTL_MOD, p->fd, &e);
}

/* Octets written, 0 for not now, -1 for never. */
static int
put(struct party *p, const char *octets, size_t len)
{
	int n = len > 16384 ? 16384 : (int)len, e;

	if (p->ssl == NULL) {
		n = (int)send(p->fd, octets, (size_t)n, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			watch(p, p->deaf ? EPOLLOUT : EPOLLOUT | EPOLLIN);
			return 0;
		}
		return n > 0 ? n : -1;
	}
	n = SSL_write(p->ssl, octets, n);
	if (n > 0)
		return n;
	e = SSL_get_error(p->ssl, n);
	if (e == SSL_ERROR_WANT_WRITE)
		watch(p, p->deaf ? EPOLLOUT : EPOLLOUT | EPOLLIN);
	return e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* True: all is written. */
static bool
flush_out(struct party *p)
{
	while (p->out_len > 0) {
		int n = put(p, p->out, p->out_len);

		if (n < 0)
			party_close(p, true, "the connection was cut");
		if (n <= 0)
			return false;
		p->out += n;
		p->out_len -= (size_t)n;
		p->sent += (uint64_t)n;
		siege.octets_out += (uint64_t)n;
	}
	return true;
}

void
party_say(struct party *p, const char *text, size_t len)
{
	p->out = text;
	p->out_len = len;
}

void
party_say_text(struct party *p, const char *text)
{
	party_say(p, text, strlen(text));
}

/* Whoever always has more to say says it in pieces, so that the others come in between. */
static void
write_turn(struct party *p)
{
	for (unsigned i = 0; i < TURNS; i++) {
		if (!flush_out(p))
			return;
		if (p->stage != PARTY_THERE || p->variant->room == NULL)
			break;
		p->variant->room(p);
		if (p->stage == PARTY_FREE || p->out_len == 0)
			break;
	}
	if (p->stage == PARTY_FREE)
		return;
	if (p->out_len > 0)
		watch(p, p->deaf ? EPOLLOUT : EPOLLOUT | EPOLLIN);
	else
		watch(p, p->deaf ? 0 : EPOLLIN);
}

/* ---- the way to the variant's depth ---- */

static void
arrive(struct party *p)
{
	p->stage = PARTY_THERE;
	siege.there++;
	if (++siege.held > siege.held_max)
		siege.held_max = siege.held;
	if (p->variant->begin != NULL)
		p->variant->begin(p);
}

static void
connected(struct party *p)
{
	if (p->variant->depth == DEPTH_TCP) {
		arrive(p);
	} else if (p->variant->clear) {
		p->stage = PARTY_GREETING;
	} else {
		p->ssl = client_ssl(siege.tls, p->fd, siege.host);
		if (p->variant->old)
			(void)SSL_set_max_proto_version(p->ssl, TLS1_2_VERSION);
		p->stage = PARTY_SHAKING;
	}
}

static void
shake(struct party *p)
{
	int n = SSL_do_handshake(p->ssl), e;

	if (n == 1) {
		p->stage = PARTY_GREETING;
		if (p->variant->depth == DEPTH_TLS)
			arrive(p);
		return;
	}
	e = SSL_get_error(p->ssl, n);
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		watch(p, e == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN);
	else
		party_close(p, true, "no handshake");
}

/* A whole reply has come. */
static void
advance(struct party *p, int code)
{
	siege.replies++;
	if (p->stage == PARTY_THERE) {
		if (p->variant->reply != NULL)
			p->variant->reply(p, code);
		return;
	}
	if (code / 100 != 2) {
		party_close(p, true, "refused");
		return;
	}
	switch (p->stage) {
	case PARTY_GREETING:
		p->stage = PARTY_EHLO;
		party_say_text(p, "EHLO siege.example.org\r\n");
		break;
	case PARTY_EHLO:
		if (p->variant->depth == DEPTH_GREETED) {
			arrive(p);
			break;
		}
		p->stage = PARTY_AUTH;
		p->asked = client_now();
		party_say_text(p, siege.auth);
		break;
	case PARTY_AUTH:
		samples_add(&siege.proof, seconds_since(&p->asked) * 1e3);
		arrive(p);
		break;
	default:
		break;
	}
}

/* ---- reading ---- */

static void
take_replies(struct party *p)
{
	char *end;

	while (p->stage != PARTY_FREE && (end = memchr(p->in, '\n', p->in_len)) != NULL) {
		size_t n = (size_t)(end + 1 - p->in);

		if (n > 4 && p->in[3] != '-')
			advance(p, (p->in[0] - '0') * 100 + (p->in[1] - '0') * 10 + (p->in[2] - '0'));
		p->in_len -= n;
		memmove(p->in, p->in + n, p->in_len);
		p->in[p->in_len] = '\0';
	}
	if (p->in_len == PARTY_IN)
		p->in_len = 0;          /* no reply line is so long; only the honest need to understand */
}

/* True: something came. */
static bool
get(struct party *p)
{
	int n, room = (int)(PARTY_IN - p->in_len);

	if (p->ssl != NULL) {
		n = SSL_read(p->ssl, p->in + p->in_len, room);
		if (n <= 0 && SSL_get_error(p->ssl, n) == SSL_ERROR_WANT_READ)
			return false;
	} else {
		n = (int)recv(p->fd, p->in + p->in_len, (size_t)room, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
	}
	if (n <= 0) {
		party_close(p, true, "the connection was closed");
		return false;
	}
	p->in_len += (size_t)n;
	p->in[p->in_len] = '\0';
	return true;
}

static void
talk(struct party *p)
{
	write_turn(p);
	for (unsigned i = 0; i < TURNS && p->stage != PARTY_FREE && !p->deaf && get(p); i++) {
		take_replies(p);
		if (p->stage != PARTY_FREE)
			write_turn(p);
	}
}

/* ---- what epoll says ---- */

static bool
is_connected(struct party *p)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
		return true;
	siege.refused++;
	party_close(p, true, strerror(error));
	return false;
}

void
party_ready(struct party *p, uint32_t events)
{
	if (p->stage == PARTY_FREE)
		return;                 /* closed since epoll looked */
	if (p->stage == PARTY_CONNECTING) {
		if (!is_connected(p))
			return;
		connected(p);
	} else if (p->deaf && (events & (EPOLLERR | EPOLLHUP)) != 0) {
		party_close(p, true, "the connection was cut");
		return;
	}
	if (p->stage == PARTY_SHAKING)
		shake(p);
	if (p->stage != PARTY_FREE && p->stage != PARTY_SHAKING)
		talk(p);
}

void
party_open(struct party *p, const struct variant *variant, struct in_addr from)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = p };

	memset(p, 0, offsetof(struct party, in));
	p->in[0] = '\0';
	p->variant = variant;
	p->begun = client_now();
	p->events = EPOLLOUT;
	siege.opened++;
	p->fd = client_connect(variant->clear ? &siege.clear : &siege.implicit, from);
	p->stage = p->fd == -1 ? PARTY_FREE : PARTY_CONNECTING;
	if (p->fd == -1) {
		siege.refused++;
		if (siege.attack->honest)
			siege.failed++;
	} else if (epoll_ctl(siege.epoll, EPOLL_CTL_ADD, p->fd, &e) != 0) {
		die("epoll");
	}
}

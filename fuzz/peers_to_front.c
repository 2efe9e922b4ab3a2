/*
 * fuzz/peers_to_front.c - what a taken-over 3_auth or 4_spool could say to 1_front, while a client of ours talks to it over TLS and
 * strangers send whatever they like: on both ports, with and without a PROXY header to come first.
 *
 * The process's own file is part of this program. Whatever comes: nobody is told that he is in unless 3_auth has said so, no message
 * is said to be ours unless 4_spool has said durable, nobody is asked for a password in clear text, and the front lives on.
 */
#include "../src/proc/1_front.c"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "frames.h"
#include "signer_key.h"

enum { AUTHS = 4, STRANGER = 0xffff, STRANGERS = 4 };
/* The first goes to the client's socket, up to AUTHS to the channel of 3_auth, the rest to that of 4_spool; the last to a stranger's. */
static const uint16_t types[] = { 0, AUTH_CHALLENGE, AUTH_RESULT, AUTH_VERDICT, AUTH_SPENT, SPOOL_COMMITTED, SPOOL_STATE, AUTH_START,
	SPOOL_MAIL, SPOOL_ADMITTED, SPOOL_REFUSED, SPOOL_HEARD, STRANGER };

static SSL_CTX *context;
static uint16_t port, clear_port;
static int stranger[STRANGERS];         /* -1: he has not come; on clear_port when odd, from the proxy's address from the third on */
static uint32_t auth_session, spool_session;
static unsigned proofs, commits, welcomed, accepted;
static bool arrived;                    /* a message was accepted */

static uint16_t
open_listener(enum conf_service service)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct master_listen m = { service, SPAN_INIT("127.0.0.1"), 0 };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	frames_insist(fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0);
	frames_insist(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	m.port = ntohs(at.sin_port);
	on_listen(NULL, &m, fd);
	return ntohs(at.sin_port);
}

static void
set_up(void)
{
	static uint8_t in[FRONT_INPUT], out[FRONT_OUTPUT];
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct buf why = { (uint8_t[400]){ 0 }, 0, 400 };
	struct span chain, key;

	if (front.going)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	front.in = BUF_OVER(in);
	front.io.out = BUF_OVER(out);
	front.spool_fail = FAIL_BUSY;
	conf_defaults(&front.child.conf);
	frames_insist(conf_set(&front.child.conf, conf_find(SPAN("hostname")), SPAN("mail.example.org"), &why) &&
	    conf_set(&front.child.conf, conf_find(SPAN("proxy")), SPAN("127.0.0.9"), &why));
	front.child.conf.auth_login = true;
	frames_insist(uv_loop_init(&front.child.loop) == 0);
	port = open_listener(CONF_SUBMISSIONS);
	clear_port = open_listener(CONF_SUBMISSION);
	/* A key of its own, so that 2_signer is not needed. */
	signer_key_make(&chain, &key);
	front.staged = tls_server_new();
	frames_insist(front.staged != NULL && tls_server_add(front.staged, chain, key, &why));
	front.staged_certificates = 1;
	on_go(NULL);
	frames_insist(front.going && front.certificates == 1);
	context = SSL_CTX_new(TLS_client_method());
	frames_insist(context != NULL);
}

static void
heard_by_auth(const struct frames_one *f)
{
	struct auth_start start;

	if (f->type == AUTH_START)
		frames_insist(fields_parse(auth_start_layout, f->body, &start));
	auth_session = f->session;
}

static void
heard_by_spool(const struct frames_one *f)
{
	struct spool_mail mail;
	struct spool_rcpt rcpt;

	if (f->type == SPOOL_MAIL)
		frames_insist(fields_parse(spool_mail_layout, f->body, &mail) && mail.login.len > 0);
	if (f->type == SPOOL_RCPT)
		frames_insist(fields_parse(spool_rcpt_layout, f->body, &rcpt));
	spool_session = f->session;
}

/* What an end of ours says counts as said, whether it was its turn or not. */
static void
note(const struct frames_one *f)
{
	struct spool_committed committed;
	struct auth_result result;

	if (f->type == AUTH_RESULT && fields_parse(auth_result_layout, f->body, &result) && result.fail == OK)
		proofs++;
	if (f->type == SPOOL_COMMITTED && fields_parse(spool_committed_layout, f->body, &committed) && committed.fail == OK)
		commits++;
}

/* The only 250 that has a queue id for words. */
static bool
is_acceptance(const char *line)
{
	struct span words = span_of(line);
	uint64_t id;

	return span_take(&words, SPAN("250 2.0.0 ")) && queue_id_parse(span_head(words, span_find(words, '\r')), &id);
}

static void
read_replies(SSL *client)
{
	static const char in[] = "235 ";
	char text[4096];
	int n;

	while ((n = SSL_read(client, text, sizeof text - 1)) > 0) {
		text[n] = '\0';
		for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
			welcomed += strncmp(line, in, sizeof in - 1) == 0;
			accepted += is_acceptance(line);
			arrived = arrived || accepted > 0;
		}
	}
	ERR_clear_error();
	frames_insist(welcomed <= proofs && accepted <= commits);
}

/* What goes out in clear text, or would be a strange accident in a record of TLS. */
static void
read_in_clear(int fd)
{
	char text[4096];
	ssize_t n;

	while ((n = recv(fd, text, sizeof text - 1, 0)) > 0) {
		text[n] = '\0';
		for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL)
			frames_insist(strncmp(line, "235 ", 4) != 0 && strncmp(line, "334 ", 4) != 0 && !is_acceptance(line));
	}
}

static void
turns(const int fd[2], SSL *client, unsigned count)
{
	while (count-- > 0) {
		(void)uv_run(&front.child.loop, UV_RUN_NOWAIT);
		(void)frames_read(fd[0], heard_by_auth);
		(void)frames_read(fd[1], heard_by_spool);
		if (SSL_is_init_finished(client))
			read_replies(client);
		else
			(void)SSL_do_handshake(client);
		for (unsigned i = 0; i < STRANGERS; i++)
			if (stranger[i] != -1)
				read_in_clear(stranger[i]);
	}
}

static int
connect_from(uint32_t address, uint16_t to)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(to), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = { htonl(address) } };
	struct linger no_wait = { 1, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	frames_insist(fd != -1 && bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
	frames_insist(fd != -1 && (connect(fd, (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS));
	/* Thousands of ports would wait for their time. */
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_wait, sizeof no_wait);
	return fd;
}

static void
say_as_stranger(unsigned i, const struct frames_one *f)
{
	if (stranger[i] == -1)
		stranger[i] = connect_from(i < 2 ? INADDR_LOOPBACK : INADDR_LOOPBACK + 8, i % 2 == 0 ? port : clear_port);
	(void)send(stranger[i], f->body.p, f->body.len, 0);
	if (f->marks & FRAMES_END)
		(void)shutdown(stranger[i], SHUT_WR);
}

static void
say(const struct frames_one *f, const int fd[2], SSL *client)
{
	struct frames_one m = *f;
	size_t i = 0;

	while (i < sizeof types / sizeof types[0] && types[i] != f->type)
		i++;
	if (i == 0) {
		if (f->body.len > 0 && SSL_is_init_finished(client))
			(void)SSL_write(client, f->body.p, (int)f->body.len);
		ERR_clear_error();
		return;
	}
	if (f->type == STRANGER) {
		say_as_stranger(f->session - 1, f);
		return;
	}
	/* The session that was asked for last, its neighbour, nobody, or one as it comes. */
	m.session = (i <= AUTHS ? auth_session : spool_session) + (f->session == 2);
	if (f->session == 3)
		m.session = 0;
	if (f->session == 4)
		m.session = UINT32_MAX;
	note(&m);
	(void)frames_write(fd[i > AUTHS], &m, -1);
}

bool
fuzz_arrived(void)
{
	return arrived;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t key[SIPHASH_KEY] = { 1 };
	struct spool_state fine = { .fail = OK, .room = 1 << 30, .key = { key, sizeof key }, .asks = 0 };
	struct span in = { p, n };
	uint8_t room[40];
	struct buf state = BUF_OVER(room);
	struct frames_one f = { .type = SPOOL_STATE };
	int ends[2][2], fd[2], tcp;
	SSL *client;

	set_up();
	proofs = commits = welcomed = accepted = 0;
	for (unsigned i = 0; i < 2; i++) {
		frames_insist(channel_pair(ends[i]));
		on_peer(NULL, i == 0 ? ROLE_AUTH : ROLE_SPOOL, 0, ends[i][0]);
		fd[i] = ends[i][1];
	}
	frames_insist(fields_format(spool_state_layout, &fine, &state));
	f.body = buf_span(&state);
	frames_insist(frames_write(fd[1], &f, -1));
	for (unsigned i = 0; i < STRANGERS; i++)
		stranger[i] = -1;
	tcp = connect_from(INADDR_LOOPBACK, port);
	client = SSL_new(context);
	frames_insist(client != NULL && SSL_set_fd(client, tcp) == 1);
	SSL_set_connect_state(client);
	for (unsigned i = 0; i < 20 && !SSL_is_init_finished(client); i++)
		turns(fd, client, 1);
	while (frames_next(&in, types, sizeof types / sizeof types[0], &f)) {
		say(&f, fd, client);
		turns(fd, client, f.marks & FRAMES_WAIT ? 8 : 2);
	}
	SSL_free(client);
	(void)close(tcp);
	for (unsigned i = 0; i < STRANGERS; i++)
		if (stranger[i] != -1)
			(void)close(stranger[i]);
	for (unsigned i = 0; i < 2; i++)
		(void)close(fd[i]);
	for (unsigned i = 0; i < 100 && (i < 4 || front.sessions > 0); i++) {
		(void)uv_run(&front.child.loop, UV_RUN_NOWAIT);
		/* Who waits for a process that is begun again waits for seconds; they are over. */
		front.auth_gone = front.spool_gone = 0;
		await_sweep();
	}
	frames_insist(front.sessions == 0 && front.auth == NULL && front.spool == NULL);
	return 0;
}

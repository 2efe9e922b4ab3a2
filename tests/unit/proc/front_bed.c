#include "front_bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../by_hand.h"
#include "../tls/certificates.h"
#include "base/base64.h"
#include "base/fail.h"
#include "proc/child.h"
#include "smtp/server.h"
#include "tls/server.h"

static struct identity ca;

/* ---- a 3_auth ---- */

static int said_fd = -1, stored_fd = -1;

static void
say(char c)
{
	assert_int_equal(write(said_fd, &c, 1), 1);
}

static void
send_result(struct channel *c, uint32_t session, struct span login, bool good)
{
	struct auth_result r = { .fail = good ? OK : FAIL_CREDENTIALS };

	if (good)
		r.login = login;
	channel_send(c, AUTH_RESULT, session, auth_result_layout, &r);
}

/* \0login\0password */
static void
check_plain(struct channel *c, uint32_t session, struct span response, const struct auth_start *start)
{
	char who[100];
	struct span login;

	span_take_byte(&response, 0);
	login = span_take_until(&response, 0);
	span_take_byte(&response, 0);
	if (span_eq(login, SPAN("gone")))
		_exit(0);
	if (start != NULL && span_eq(login, SPAN("who"))) {
		snprintf(who, sizeof who, "%.*s/%u", (int)start->peer.len, (const char *)start->peer.p, start->flags);
		login = span_of(who);
	}
	if (!span_eq(login, SPAN("slow")))
		send_result(c, session, login, span_eq(response, SPAN("secret")));
}

static void
auth_start(struct channel *c, const struct frame *f)
{
	struct auth_start m;

	assert_true(fields_parse(auth_start_layout, f->body, &m));
	if (m.mechanism == SMTP_AUTH_SCRAM_SHA_256_PLUS)
		channel_send_octets(c, AUTH_CHALLENGE, f->session, m.binding);
	else if (m.mechanism == SMTP_AUTH_LOGIN || !m.has_initial)
		channel_send_octets(c, AUTH_CHALLENGE, f->session, m.mechanism == SMTP_AUTH_LOGIN ? SPAN("Username:") : SPAN(""));
	else
		check_plain(c, f->session, m.initial, &m);
}

static void
auth_verdict(struct channel *c, const struct frame *f)
{
	struct span address = f->body;
	struct span local = span_take_until(&address, '@');
	struct auth_verdict v = { .fail = OK };

	if (span_eq(local, SPAN("nobody-answers")))
		return;
	if (f->type == AUTH_SENDER && span_eq(local, SPAN("denied")))
		v = (struct auth_verdict){ .fail = FAIL_SENDER_DENIED, .words = SPAN("you may send as user@example.org only"),
			.priority = AUTH_PRIORITY_UNSAID };
	if (f->type == AUTH_AUTHOR && span_eq(local, SPAN("evil")))
		v.fail = FAIL_AUTHOR_DENIED;
	channel_send(c, AUTH_VERDICT, f->session, auth_verdict_layout, &v);
}

/* By the number of recipients. */
static void
auth_spend(struct channel *c, const struct frame *f)
{
	struct auth_spend m;
	struct auth_spent spent = { .fail = OK };

	if (!fields_parse(auth_spend_layout, f->body, &m))
		return;
	if (m.rcpts == BED_CRASH)
		_exit(0);
	if (m.rcpts == BED_SLOW)
		spent.fail = FAIL_SLOW_DOWN;
	if (m.rcpts == BED_LOCKED)
		spent.fail = FAIL_LOCKED;
	if (m.rcpts == BED_LATE)
		(void)usleep(300 * 1000);
	spent.hold = m.rcpts == BED_HELD;
	channel_send(c, AUTH_SPENT, f->session, auth_spent_layout, &spent);
}

static void
auth_message(void *arg, struct channel *c, const struct frame *f)
{
	(void)arg;
	switch (f->type) {
	case AUTH_START:
		auth_start(c, f);
		break;
	case AUTH_NEXT:
		check_plain(c, f->session, f->body, NULL);
		break;
	case AUTH_SENDER:
	case AUTH_AUTHOR:
		auth_verdict(c, f);
		break;
	case AUTH_SPEND:
		auth_spend(c, f);
		break;
	case AUTH_END:
		say('e');
		break;
	default:
		break;
	}
}

/* ---- a 4_spool ---- */

static struct draft { uint32_t session; bool open, owed; char from[300]; uint64_t size, rcpts; uint8_t *p; } drafts[2048];

static struct draft *
draft_of(uint32_t session)
{
	return &drafts[(session & 0xfffff) % 2048];
}

static void
draft_begin(const struct frame *f)
{
	struct draft *d = draft_of(f->session);
	struct spool_mail m;

	assert_true(fields_parse(spool_mail_layout, f->body, &m));
	assert_false(d->open);
	/* While an answer is owed, nobody else may have the number that it would go to. */
	assert_false(d->owed);
	free(d->p);
	*d = (struct draft){ .session = f->session, .open = true };
	memcpy(d->from, m.reverse_path.p, m.reverse_path.len);
	assert_true(m.tls.len > 10 && m.login.len > 0 && m.queue_id > 0);
}

static void
draft_body(const struct frame *f)
{
	struct draft *d = draft_of(f->session);

	assert_true(d->open && d->rcpts > 0);
	if (getenv("FRONT_BED_KEEPS") != NULL) {
		d->p = realloc(d->p, d->size + f->body.len);
		memcpy(d->p + d->size, f->body.p, f->body.len);
	}
	d->size += f->body.len;
}

static void
draft_commit(struct channel *c, const struct frame *f)
{
	struct draft *d = draft_of(f->session);
	struct spool_commit m;
	struct spool_committed answer = { .fail = OK };
	char head[32];

	assert_true(fields_parse(spool_commit_layout, f->body, &m));
	assert_true(d->open && m.size == d->size && m.rcpts == d->rcpts);
	d->open = false;
	if (strncmp(d->from, "crash@", 6) == 0)
		_exit(0);
	d->owed = strncmp(d->from, "mute@", 5) == 0;
	if (d->owed)
		return;
	if (strncmp(d->from, "full@", 5) == 0)
		answer.fail = FAIL_DISK_FULL;
	if (d->p != NULL) {
		int n = snprintf(head, sizeof head, "%llu\n", (unsigned long long)d->size);

		assert_int_equal(write(stored_fd, head, (size_t)n), n);
		for (size_t at = 0; at < d->size;)
			at += (size_t)write(stored_fd, d->p + at, d->size - at);
		say('c');
		if ((m.flags & MAIL_HOLD) != 0)
			say('h');
	}
	channel_send(c, SPOOL_COMMITTED, f->session, spool_committed_layout, &answer);
}

static void
spool_message(void *arg, struct channel *c, const struct frame *f)
{
	struct spool_rcpt r;

	(void)arg;
	switch (f->type) {
	case SPOOL_MAIL:
		draft_begin(f);
		break;
	case SPOOL_RCPT:
		assert_true(fields_parse(spool_rcpt_layout, f->body, &r) && r.number == draft_of(f->session)->rcpts);
		draft_of(f->session)->rcpts++;
		break;
	case SPOOL_BODY:
		draft_body(f);
		break;
	case SPOOL_COMMIT:
		draft_commit(c, f);
		break;
	case SPOOL_ABORT:
		assert_true(draft_of(f->session)->open);
		draft_of(f->session)->open = false;
		say('a');
		break;
	default:
		_exit(3);
	}
}

/* ---- processes ---- */

static void
peer_closed(void *arg, struct channel *c)
{
	(void)arg;
	(void)c;
	_exit(0);
}

static void
peer_run(int fd, bool is_spool)
{
	static const struct channel_handler auth = { .message = auth_message, .closed = peer_closed };
	static const struct channel_handler spool = { .message = spool_message, .closed = peer_closed };
	uv_loop_t loop;
	struct channel *c;

	uv_loop_init(&loop);
	c = channel_open(&loop, fd, is_spool ? &spool : &auth, NULL);
	if (is_spool) {
		struct spool_state st = { .fail = OK, .room = 100 * 1024 * 1024 };

		channel_send(c, SPOOL_STATE, 0, spool_state_layout, &st);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	_exit(0);
}

static pid_t
peer_fork(struct front_bed *b, bool is_spool)
{
	int fd[2];
	pid_t pid;

	assert_true(channel_pair(fd));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fd[0]);
		close(b->master);
		said_fd = b->said_in;
		stored_fd = b->stored_in;
		peer_run(fd[1], is_spool);
	}
	close(fd[1]);
	/* Its state must be there when the front looks: until then MAIL is rightly answered 451. */
	if (is_spool)
		assert_int_equal(poll(&(struct pollfd){ .fd = fd[0], .events = POLLIN }, 1, 20000), 1);
	hand_introduce(b->master, is_spool ? ROLE_SPOOL : ROLE_AUTH, 0, 1, fd[0]);
	return pid;
}

void
front_bed_auth(struct front_bed *b)
{
	b->auth = peer_fork(b, false);
}

void
front_bed_signer(struct front_bed *b)
{
	hand_introduce(b->master, ROLE_SIGNER, 0, 1, signer_bed_front(&b->signer, 0));
}

void
front_bed_spool(struct front_bed *b)
{
	b->spool = peer_fork(b, true);
}

/* ---- the master's side, by hand ---- */

void
front_bed_tell(struct front_bed *b, uint16_t type, struct span body, int fd)
{
	/* Whoever has drained already has ended, and has said so. */
	assert_true(hand_send(b->master, type, 0, body, fd) || type == MASTER_DRAIN);
}

bool
front_bed_hear(struct front_bed *b, uint16_t type, int ms)
{
	return hand_hear(b->master, type, NULL, ms);
}

void
front_bed_certificate(struct front_bed *b, const char *name)
{
	static uint8_t body[20000];
	struct buf m = BUF_OVER(body);
	char alt[300];
	struct identity id;
	struct master_certificate c = { .index = 0 };

	snprintf(alt, sizeof alt, "DNS:%s", name);
	id = identity_make(name, alt, 0, &ca, -1, 10);
	c.chain = span_of(id.chain_pem);
	signer_bed_key(&b->signer, &id);
	assert_true(fields_format(master_certificate_layout, &c, &m));
	front_bed_tell(b, MASTER_CERTIFICATE, buf_span(&m), -1);
	identity_free(&id);
}

static void
tell_conf(struct front_bed *b, const char *lines)
{
	char words[500];
	struct buf why = { (uint8_t *)words, 0, sizeof words };
	struct span rest = span_of(lines);
	struct conf conf;

	conf_defaults(&conf);
	assert_true(conf_set(&conf, conf_find(SPAN("hostname")), SPAN("mail.example.org"), &why));
	while (!span_done(rest)) {
		struct span key = span_take_until(&rest, '='), value;

		span_skip(&rest, 1);
		value = span_take_until(&rest, '\n');
		span_skip(&rest, 1);
		if (!conf_set(&conf, conf_find(key), value, &why))
			fail_msg("%s", words);
	}
	assert_true(conf_finish(&conf, &why));
	hand_configure(b->master, &conf);
}

static int
bind_somewhere(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void
tell_listen(struct front_bed *b, uint32_t service, int fd, uint16_t port)
{
	uint8_t body[100];
	struct buf m = BUF_OVER(body);
	struct master_listen l = { service, SPAN("127.0.0.1"), port };

	assert_true(fields_format(master_listen_layout, &l, &m));
	front_bed_tell(b, MASTER_LISTEN, buf_span(&m), fd);
	close(fd);
}

/* The listeners are part of the configuration: a reload closes what is not in it. */
static void
tell_conf_and_listeners(struct front_bed *b, const char *conf)
{
	char lines[2000];
	int implicit = bind_somewhere(&b->port_implicit), clear = bind_somewhere(&b->port_clear);

	snprintf(lines, sizeof lines, "listen-submissions=127.0.0.1:%u\nlisten-submission=127.0.0.1:%u\n%s", b->port_implicit,
	    b->port_clear, conf);
	tell_conf(b, lines);
	tell_listen(b, CONF_SUBMISSIONS, implicit, b->port_implicit);
	tell_listen(b, CONF_SUBMISSION, clear, b->port_clear);
}

void
front_bed_make(struct front_bed *b, const char *conf)
{
	uint8_t keys[TLS_TICKET_KEYS];
	char text[400];
	struct buf why = BUF_OVER(text);
	int fd[2];
	FILE *f;

	memset(b, 0, sizeof *b);
	signal(SIGPIPE, SIG_IGN);
	if (ca.cert == NULL)
		ca = identity_make("Test CA", NULL, 0, NULL, -1, 10);
	snprintf(b->ca_file, sizeof b->ca_file, "/tmp/postern-front-ca-%d.pem", (int)getpid());
	snprintf(b->log_file, sizeof b->log_file, "/tmp/postern-front-log-%d", (int)getpid());
	f = fopen(b->ca_file, "w");
	assert_non_null(f);
	fputs(ca.chain_pem, f);
	fclose(f);
	b->tls = tls_client_new(b->ca_file, &why);
	assert_non_null(b->tls);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	b->said = fd[0], b->said_in = fd[1];
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	b->stored = fd[0], b->stored_in = fd[1];
	fcntl(b->stored_in, F_SETPIPE_SZ, 1024 * 1024);
	signer_bed_make(&b->signer, b->log_file);
	b->front = hand_start(front_main, b->log_file, &b->master);
	tell_conf_and_listeners(b, conf);
	front_bed_certificate(b, "mail.example.org");
	memset(keys, 7, sizeof keys);
	front_bed_tell(b, MASTER_TICKET_KEYS, (struct span){ keys, sizeof keys }, -1);
	front_bed_signer(b);
	front_bed_auth(b);
	front_bed_spool(b);
	front_bed_tell(b, MASTER_GO, SPAN(""), -1);
	assert_true(front_bed_hear(b, CHILD_READY, 5000));
}

static void
end_process(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

void
front_bed_drop(struct front_bed *b)
{
	int status = 0;

	front_bed_tell(b, MASTER_DRAIN, SPAN(""), -1);
	assert_true(front_bed_hear(b, CHILD_DRAINED, 10000));
	assert_int_equal(waitpid(b->front, &status, 0), b->front);
	assert_int_equal(status, 0);
	signer_bed_drop(&b->signer);
	end_process(b->auth);
	end_process(b->spool);
	close(b->master);
	close(b->said);
	close(b->said_in);
	close(b->stored);
	close(b->stored_in);
	tls_client_free(b->tls);
	unlink(b->ca_file);
	if (getenv("FRONT_BED_LOG") == NULL)
		unlink(b->log_file);
}

static char log_text_now[1024 * 1024];

bool
front_bed_has_logged(struct front_bed *b, const char *text)
{
	FILE *f = fopen(b->log_file, "r");
	size_t n = fread(log_text_now, 1, sizeof log_text_now - 1, f);

	log_text_now[n] = '\0';
	fclose(f);
	return strstr(log_text_now, text) != NULL;
}

bool
front_bed_logged(struct front_bed *b, const char *text)
{
	struct timespec nap = { 0, 20 * 1000 * 1000 };

	for (int i = 0; i < 100; i++, nanosleep(&nap, NULL))
		if (front_bed_has_logged(b, text))
			return true;
	fprintf(stderr, "%s", log_text_now);
	return false;
}

/* ---- clients ---- */

void
client_open(struct client *c, uint16_t port)
{
	client_open_from(c, "127.0.0.1", port);
}

void
client_open_from(struct client *c, const char *address, uint16_t port)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = { inet_addr(address) } };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(port) };

	int on = 1;

	memset(c, 0, sizeof *c);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(c->fd, (struct sockaddr *)&from, sizeof from), 0);
	if (connect(c->fd, (struct sockaddr *)&a, sizeof a) != 0)
		fail_msg("connect to %u: %s", port, strerror(errno));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static bool
wait_for(struct client *c, enum tls_step step, int ms)
{
	struct pollfd p = { c->fd, step == TLS_WRITE ? POLLOUT : POLLIN, 0 };

	return poll(&p, 1, ms) == 1;
}

void
client_shake(struct client *c, struct front_bed *b, const char *name)
{
	c->tls = tls_connect(b->tls, c->fd, name, TLS_VERIFY);
	client_shake_on(c);
}

void
client_shake_on(struct client *c)
{
	enum tls_step step;
	char text[400];
	struct buf why = BUF_OVER(text);

	while ((step = tls_handshake(c->tls)) == TLS_READ || step == TLS_WRITE)
		assert_true(wait_for(c, step, 5000));
	if (step != TLS_DONE) {
		tls_why(c->tls, &why);
		fail_msg("%s", text);
	}
}

void
client_close(struct client *c)
{
	if (c->tls != NULL)
		tls_goodbye(c->tls);
	tls_free(c->tls);
	c->tls = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void
client_send_octets(struct client *c, struct span out)
{
	while (!span_done(out)) {
		size_t n = 0;
		enum tls_step step = TLS_DONE;

		if (c->tls != NULL) {
			step = tls_write(c->tls, out, &n);
		} else {
			ssize_t k = send(c->fd, out.p, out.len, MSG_NOSIGNAL);

			n = k > 0 ? (size_t)k : 0;
			step = k < 0 && errno == EAGAIN ? TLS_WRITE : TLS_DONE;
		}
		span_skip(&out, n);
		if (step == TLS_CUT || step == TLS_FAILED || (step == TLS_DONE && n == 0))
			return;
		if (step != TLS_DONE)
			assert_true(wait_for(c, step, 10000));
	}
}

void
client_send(struct client *c, const char *text)
{
	client_send_octets(c, span_of(text));
}

/* One octet; 0 at the end, -1 for nothing. */
static int
next_octet(struct client *c, char *out, int ms)
{
	struct buf one = { (uint8_t *)out, 0, 1 };
	enum tls_step step = TLS_READ;
	ssize_t n;

	for (;;) {
		if (c->tls != NULL) {
			step = tls_read(c->tls, &one);
		} else {
			n = recv(c->fd, out, 1, 0);
			step = n == 1 ? TLS_DONE : n == 0 ? TLS_CLOSED : errno == EAGAIN ? TLS_READ : TLS_CUT;
		}
		if (step == TLS_DONE)
			return 1;
		if (step != TLS_READ && step != TLS_WRITE)
			return step == TLS_CLOSED ? 0 : -2;
		if (!wait_for(c, step, ms))
			return -1;
	}
}

int
client_reply(struct client *c, int ms)
{
	size_t len = 0, line = 0;
	int n;

	for (;;) {
		n = next_octet(c, c->text + len, ms);
		if (n != 1)
			return n;
		c->text[++len] = '\0';
		if (c->text[len - 1] != '\n')
			continue;
		if (len - line >= 5 && c->text[line + 3] == ' ')
			return (c->text[line] - '0') * 100 + (c->text[line + 1] - '0') * 10 + c->text[line + 2] - '0';
		line = len;
	}
}

int
client_say(struct client *c, const char *line)
{
	char whole[1200];
	int n = snprintf(whole, sizeof whole, "%s\r\n", line);

	client_send_octets(c, (struct span){ (uint8_t *)whole, (size_t)n });
	return client_reply(c, 10000);
}

void
client_greet(struct client *c, struct front_bed *b)
{
	client_shake(c, b, "mail.example.org");
	assert_int_equal(client_reply(c, 5000), 220);
	assert_int_equal(client_say(c, "EHLO laptop.example"), 250);
}

void
client_login(struct client *c, struct front_bed *b, const char *user)
{
	char plain[200], line[400] = "AUTH PLAIN ";
	struct buf out = { (uint8_t *)line, strlen(line), sizeof line - 1 };
	int n = snprintf(plain, sizeof plain, "%c%s%csecret", 0, user, 0);

	client_open(c, b->port_implicit);
	client_greet(c, b);
	assert_true(base64_format((struct span){ (uint8_t *)plain, (size_t)n }, &out));
	line[out.len] = '\0';
	assert_int_equal(client_say(c, line), 235);
}

/*
 * siege_attacks.c - what each attack does once it stands where it wants to stand. The table is at the end.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "siege.h"

/* ---- noise, the same for the same seed ---- */

enum { NOISE = 4096, QUESTIONS = 16384, MESSAGE = 100000 };

static uint64_t
next_random(void)
{
	static uint64_t x;

	if (x == 0)
		x = (uint64_t)siege.seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Random octets; most of the time with line ends in it, and now and then a verb, so that more than the first line is reached. */
static const char *
noise(size_t len)
{
	static const char *const verbs[] = { "\r\nMAIL FROM:<", "\r\nRCPT TO:<", "\r\nAUTH PLAIN ", "\r\nBDAT 10", "\r\nEHLO ",
		"\r\nSTARTTLS\r\n", "\r\nDATA\r\n", "\r\n.\r\n", "\r\nNOOP\r\n", "\r\n", "\n", "\r", "GET / HTTP/1.1\r\n" };
	static char octets[NOISE];
	bool lines = next_random() % 4 != 0;

	for (size_t i = 0; i < len; i++)
		octets[i] = (char)(next_random() >> 24);
	for (size_t i = next_random() % 80; lines && i + 16 < len; i += 16 + next_random() % 300) {
		const char *verb = verbs[next_random() % (sizeof verbs / sizeof verbs[0])];

		memcpy(octets + i, verb, strlen(verb));
	}
	return octets;
}

/* ---- half-open ---- */

/* The first octets of a TLS 1.3 ClientHello that promises 508 more. */
static void
say_half_a_hello(struct party *p)
{
	static const char half[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" "half a hello, no more";

	party_say(p, half, sizeof half - 1);
}

/* ---- slow-reader: asks as much as it may, reads nothing ---- */

static char pipelined[QUESTIONS];

static void
ask_without_end(struct party *p)
{
	static const char *const asked[] = { "NOOP\r\n", "HELP\r\n", "EHLO siege.example.org\r\n", "VRFY <a@example.org>\r\n", "RSET\r\n" };
	size_t n = 0;

	for (size_t i = 0; pipelined[0] == '\0' && n + 40 < sizeof pipelined; i++)
		n += (size_t)snprintf(pipelined + n, sizeof pipelined - n, "%s", asked[i % (sizeof asked / sizeof asked[0])]);
	if (p->sent < (uint64_t)siege.octets)
		party_say_text(p, pipelined);
}

static void
turn_deaf(struct party *p)
{
	int small = 2048;

	(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	p->deaf = true;
	ask_without_end(p);
}

/* ---- slow-writer: one octet a second ---- */

static void
begin_transaction(struct party *p)
{
	(void)snprintf(p->line, sizeof p->line, "MAIL FROM:<%s>\r\nRCPT TO:<sink@example.net>\r\nDATA\r\n", siege.from);
	party_say_text(p, p->line);
}

static void
drip_content_from_now(struct party *p, int code)
{
	if (code == 354)
		p->turn = 1;
	else if (code / 100 != 2)
		party_close(p, false, NULL);
}

static void
drip_content(struct party *p)
{
	static const char text[] = "Subject: slow\r\n\r\nabcdefghijklmnopqrstuvwxyz\r\n";
	size_t last = sizeof text - 2;

	if (p->turn > 0 && p->out_len == 0) {
		party_say(p, text + ((size_t)p->turn - 1) % last, 1);
		p->turn++;
	}
}

static void
drip_command(struct party *p)
{
	static const char text[] = "NOOP slowly, slowly, slowly, and never to the end of the line, ";

	if (p->out_len == 0)
		party_say(p, text + (size_t)p->turn++ % (sizeof text - 1), 1);
}

/* Enough of a message that somebody must keep it, and then a drip. */
static void
begin_chunk(struct party *p)
{
	static char text[MESSAGE];
	size_t n = strlen(text);

	if (n == 0)
		n = (size_t)snprintf(text, sizeof text, "MAIL FROM:<%s>\r\nRCPT TO:<sink@example.net>\r\nBDAT 1000000\r\n"
		    "Subject: slow\r\n\r\n", siege.from);
	for (; n + 26 < sizeof text; n += 25)
		memcpy(text + n, "kept until all has come\r\n", 26);
	p->turn = 1;
	party_say_text(p, text);
}

/* One octet of a ClientHello a second: a handshake that takes for ever. */
static void
drip_hello(struct party *p)
{
	static const char record[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

	if (p->out_len == 0)
		party_say(p, (size_t)p->turn < sizeof record - 1 ? record + p->turn : "x", 1);
	p->turn++;
}

/* ---- greedy: logged in, and makes others work without getting anywhere ---- */

static char repeated[2][QUESTIONS];

/* The same text again and again, made once. */
static const char *
repeat(char room[QUESTIONS], const char *text)
{
	size_t len = strlen(text);

	for (size_t n = strlen(room); n + len < QUESTIONS; n += len)
		memcpy(room + n, text, len + 1);
	return room;
}

static void
begin_and_reset(struct party *p)
{
	char text[400];

	(void)snprintf(text, sizeof text, "MAIL FROM:<%s>\r\nRCPT TO:<a@example.net>\r\nRCPT TO:<b@example.net>\r\nRSET\r\n",
	    siege.from);
	if (p->sent < (uint64_t)siege.octets)
		party_say_text(p, repeat(repeated[0], text));
}

static void
begin_small_chunks(struct party *p)
{
	(void)snprintf(p->line, sizeof p->line, "MAIL FROM:<%s>\r\nRCPT TO:<sink@example.net>\r\n", siege.from);
	party_say_text(p, p->line);
}

static void
small_chunks(struct party *p)
{
	if (p->sent < (uint64_t)siege.octets)
		party_say_text(p, repeat(repeated[1], "BDAT 1\r\nx"));
}

/* ---- garbage ---- */

static void
say_noise(struct party *p)
{
	size_t len = 1 + next_random() % NOISE;

	if (p->sent < (uint64_t)siege.octets)
		party_say(p, noise(len), len);
	else
		party_close(p, false, NULL);
}

/* A record whose head is right and whose inside is noise. */
static void
say_false_record(struct party *p)
{
	size_t n = 16 + next_random() % 1000;

	memcpy(p->line, noise(n + 9), n + 9);
	memcpy(p->line, "\x16\x03\x01", 3);
	p->line[3] = (char)((n + 4) >> 8);
	p->line[4] = (char)(n + 4);
	p->line[5] = 1;
	p->line[6] = 0;
	p->line[7] = (char)(n >> 8);
	p->line[8] = (char)n;
	party_say(p, p->line, n + 9);
}

static void
leave_next_second(struct party *p)
{
	party_close(p, false, NULL);
}

/* ---- churn ---- */

static void
cut(struct party *p)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	party_close(p, false, NULL);
}

static void
renegotiate(struct party *p)
{
	if (p->turn++ < 50 && SSL_renegotiate(p->ssl) == 1)
		party_say_text(p, "NOOP\r\n");
	else
		party_close(p, false, NULL);
}

static void
change_keys(struct party *p)
{
	if (p->turn++ < 1000 && SSL_key_update(p->ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
		party_say_text(p, "NOOP\r\n");
	else
		party_close(p, false, NULL);
}

static void
ask_for_tls(struct party *p)
{
	party_say_text(p, "STARTTLS\r\n");
}

static void
cut_at_reply(struct party *p, int code)
{
	(void)code;
	cut(p);
}

/* ---- guess ---- */

static void
guess(struct party *p)
{
	static const char *const names[] = { "root", "admin", "info", "test", "office", "alice", "bob", "postmaster" };
	char proof[CLIENT_PROOF_MAX - 1];
	unsigned which = (unsigned)(next_random() % 16);

	/* Half of the guesses are for the account that exists. */
	(void)snprintf(proof, sizeof proof, "%s:%s%08x", which < 8 ? siege.login : names[which - 8], "Summer", (unsigned)next_random());
	client_auth_line(p->line, proof);
	p->turn++;
	siege.guesses++;
	party_say_text(p, p->line);
}

static void
guess_again(struct party *p, int code)
{
	if (code == 421 || code == 221)
		party_close(p, true, NULL);
	else
		guess(p);
}

/* It does not wait for the pause that its failure brings. */
static void
leave_after_guess(struct party *p)
{
	if (p->turn > 0)
		party_close(p, false, NULL);
}

/* ---- the honest ---- */

static void
mail(struct party *p)
{
	(void)snprintf(p->line, sizeof p->line, "MAIL FROM:<%s>\r\n", siege.from);
	party_say_text(p, p->line);
}

static void
mail_reply(struct party *p, int code)
{
	long step = p->turn++;

	if (code / 100 != (step == 2 ? 3 : 2)) {
		party_close(p, false, "refused");
		return;
	}
	if (step == 0) {
		party_say_text(p, "RCPT TO:<sink@example.net>\r\n");
	} else if (step == 1) {
		party_say_text(p, "DATA\r\n");
	} else if (step == 2) {
		party_say(p, siege.content, siege.content_len);
	} else if (step == 3) {
		siege.accepted++;
		samples_add(&siege.whole, seconds_since(&p->begun) * 1e3);
		party_say_text(p, "QUIT\r\n");
	} else {
		party_close(p, false, NULL);
	}
}

/* ---- the table ---- */

const struct attack attacks[] = {
	{ "probe", true, 1, { { .depth = DEPTH_PROVED, .begin = mail, .reply = mail_reply } } },
	{ "idle", false, 1, { { .depth = DEPTH_PROVED } } },
	{ "half-open", false, 2, { { .depth = DEPTH_TCP }, { .depth = DEPTH_TCP, .begin = say_half_a_hello } } },
	{ "slow-reader", false, 3, {
		{ .depth = DEPTH_PROVED, .begin = turn_deaf, .room = ask_without_end },
		{ .depth = DEPTH_GREETED, .begin = turn_deaf, .room = ask_without_end },
		{ .depth = DEPTH_GREETED, .clear = true, .begin = turn_deaf, .room = ask_without_end } } },
	{ "slow-writer", false, 5, {
		{ .depth = DEPTH_PROVED, .begin = begin_transaction, .reply = drip_content_from_now, .tick = drip_content },
		{ .depth = DEPTH_GREETED, .tick = drip_command },
		{ .depth = DEPTH_GREETED, .clear = true, .tick = drip_command },
		{ .depth = DEPTH_TCP, .tick = drip_hello },
		{ .depth = DEPTH_PROVED, .begin = begin_chunk, .tick = drip_content } } },
	{ "greedy", false, 2, {
		{ .depth = DEPTH_PROVED, .begin = begin_and_reset, .room = begin_and_reset },
		{ .depth = DEPTH_PROVED, .begin = begin_small_chunks, .room = small_chunks } } },
	{ "garbage", false, 5, {
		{ .depth = DEPTH_TCP, .begin = say_noise, .room = say_noise },
		{ .depth = DEPTH_GREETED, .clear = true, .begin = say_noise, .room = say_noise },
		{ .depth = DEPTH_GREETED, .begin = say_noise, .room = say_noise },
		{ .depth = DEPTH_TCP, .begin = say_false_record, .tick = leave_next_second },
		{ .depth = DEPTH_PROVED, .begin = say_noise, .room = say_noise } } },
	{ "churn", false, 4, {
		{ .depth = DEPTH_TLS, .begin = cut },
		{ .depth = DEPTH_TLS, .old = true, .begin = renegotiate, .room = renegotiate },
		{ .depth = DEPTH_TLS, .begin = change_keys, .room = change_keys },
		{ .depth = DEPTH_GREETED, .clear = true, .begin = ask_for_tls, .reply = cut_at_reply } } },
	{ "guess", false, 1, { { .depth = DEPTH_GREETED, .begin = guess, .reply = guess_again } } },
	{ "guess-and-run", false, 1, { { .depth = DEPTH_GREETED, .begin = guess, .reply = guess_again, .tick = leave_after_guess } } },
	{ .name = NULL },
};

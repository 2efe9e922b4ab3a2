/* 2_signer, forked whole, with fronts of ours that ask what they must and what they must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/fail.h"
#include "os/ask.h"
#include "os/clock.h"
#include "policy/sign_form.h"
#include "proc/2_signer.h"
#include "../by_hand.h"
#include "signer_bed.h"
#include "tls/served.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

static struct signer_bed bed;
static struct identity id;
static uint8_t name[TLS_FINGERPRINT];

/* 64 spaces, context, 0, hash of 32 octets (RFC 8446 4.4.3). */
static struct span
verify_of(const char *context, size_t hash)
{
	static uint8_t room[400];
	size_t n = strlen(context) + 1;

	memset(room, ' ', 64);
	memcpy(room + 64, context, n);
	memset(room + 64 + n, 0xab, hash);
	return (struct span){ room, 64 + n + hash };
}

static struct span
good_octets(void)
{
	return verify_of("TLS 1.3, server CertificateVerify", 32);
}

static bool
ask_for(struct ask *a, struct span key, uint32_t scheme, struct span octets, struct sign_answer *answer)
{
	struct sign_ask q = { scheme, key, octets };
	struct span body;

	return ask(a, SIGN_ASK, sign_ask_layout, &q, SIGN_ANSWER, &body) && fields_parse(sign_answer_layout, body, answer);
}

static bool
ask_good(struct ask *a, struct sign_answer *answer)
{
	return ask_for(a, (struct span){ name, sizeof name }, SCHEME_ECDSA_SHA256, good_octets(), answer);
}

static bool
verifies(struct span octets, struct span signature)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good = EVP_DigestVerifyInit_ex(c, NULL, "SHA256", NULL, NULL, id.key, NULL) == 1 &&
	    EVP_DigestVerify(c, signature.p, signature.len, octets.p, octets.len) == 1;

	EVP_MD_CTX_free(c);
	return good;
}

static struct ask
front(uint32_t slot)
{
	struct ask a = { .fd = -1 };

	ask_begin(&a, signer_bed_front(&bed, slot));
	return a;
}

static void
handshakes_are_signed(void **state)
{
	struct ask one = front(0), two = front(1);
	struct sign_answer answer;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(ask_good(&one, &answer));
		assert_int_equal(answer.fail, OK);
		assert_true(verifies(good_octets(), answer.signature));
		assert_true(ask_good(&two, &answer));
		assert_int_equal(answer.fail, OK);
	}
	ask_close(&one);
	ask_close(&two);
}

/* Refused without being ended: an honest front may meet these when certificates change. */
static void
an_unknown_key_is_answered(void **state)
{
	struct ask a = front(0);
	struct sign_answer answer;

	(void)state;
	assert_true(ask_for(&a, SPAN("no such key"), SCHEME_ECDSA_SHA256, good_octets(), &answer));
	assert_int_equal(answer.fail, FAIL_LOCAL);
	assert_int_equal(answer.signature.len, 0);
	assert_true(ask_for(&a, (struct span){ name, sizeof name }, SCHEME_RSA_PSS_SHA256, good_octets(), &answer));
	assert_int_equal(answer.fail, FAIL_LOCAL);
	assert_true(ask_good(&a, &answer));
	assert_int_equal(answer.fail, OK);
	ask_close(&a);
}

/* The front loses its channel, and the master hears which one it was. */
static void
assert_accused(struct ask *a, uint32_t slot)
{
	uint8_t room[200];
	struct buf body = BUF_OVER(room);
	struct master_peer peer;
	struct sign_answer answer;

	assert_true(signer_bed_hear(&bed, CHILD_PEER_BROKEN, &body, 5000));
	assert_true(fields_parse(master_peer_layout, buf_span(&body), &peer));
	assert_int_equal(peer.role, ROLE_FRONT);
	assert_int_equal(peer.slot, slot);
	assert_int_equal(peer.life, 1);
	assert_false(ask_good(a, &answer));
	ask_close(a);
}

static void
other_forms_end_the_front(void **state)
{
	static const uint8_t curve_unknown[64 + 4 + 97] = { [64] = 3, 0, 25, 97, 4 };
	const struct { struct span octets; uint32_t scheme; } wrong[] = {
		{ SPAN(""), SCHEME_ECDSA_SHA256 },
		{ SPAN("please sign this token"), SCHEME_ECDSA_SHA256 },
		{ { curve_unknown, sizeof curve_unknown }, SCHEME_ECDSA_SHA256 },
		{ good_octets(), 0 },
		{ good_octets(), 0x0203 },                      /* ECDSA with SHA-1 */
		{ good_octets(), SCHEME_RSA_PKCS1_SHA256 },     /* not in TLS 1.3 */
	};

	(void)state;
	for (uint32_t i = 0; i < ROWS(wrong); i++) {
		struct ask a = front(i);
		struct sign_answer answer;

		assert_false(ask_for(&a, (struct span){ name, sizeof name }, wrong[i].scheme, wrong[i].octets, &answer));
		assert_accused(&a, i);
	}
	for (size_t hash = 0; hash <= 64; hash += 8) {
		struct ask a = front(7);
		struct sign_answer answer;
		struct span octets = verify_of(hash < 32 ? "TLS 1.3, server CertificateVerify" : "TLS 1.3, client CertificateVerify", hash);

		assert_false(ask_for(&a, (struct span){ name, sizeof name }, SCHEME_ECDSA_SHA256, octets, &answer));
		assert_accused(&a, 7);
	}
}

/* Frames by hand: what os/ask would never send. */
static void
send_frame(int fd, uint16_t type, uint32_t session, struct span octets)
{
	struct sign_ask q = { SCHEME_ECDSA_SHA256, { name, sizeof name }, octets };
	uint8_t room[1000];
	struct buf body = BUF_OVER(room);

	if (!fields_format(sign_ask_layout, &q, &body))
		assert_true(buf_put(&body, octets));
	assert_true(hand_send(fd, type, session, buf_span(&body), -1));
}

static void
another_order_ends_the_front(void **state)
{
	static uint8_t oversized[SIGN_OCTETS_MAX + 1];
	const struct { uint16_t type; uint32_t session; struct span octets; } wrong[] = {
		{ SIGN_ASK, 0, good_octets() },
		{ SIGN_ASK, 2, good_octets() },
		{ SIGN_ASK, UINT32_MAX, good_octets() },
		{ SIGN_ANSWER, 1, good_octets() },
		{ AUTH_START, 1, good_octets() },
		{ MASTER_CERTIFICATE, 1, good_octets() },
		{ SIGN_ASK, 1, { oversized, sizeof oversized } },
	};

	(void)state;
	for (uint32_t i = 0; i < ROWS(wrong); i++) {
		struct ask a = front(i), honest = front(20);
		struct sign_answer answer;

		send_frame(a.fd, wrong[i].type, wrong[i].session, wrong[i].octets);
		assert_accused(&a, i);
		/* Everything else goes on. */
		assert_true(ask_good(&honest, &answer));
		assert_int_equal(answer.fail, OK);
		ask_close(&honest);
	}
	/* The same number twice. */
	{
		struct ask a = front(9);

		send_frame(a.fd, SIGN_ASK, 1, good_octets());
		send_frame(a.fd, SIGN_ASK, 1, good_octets());
		a.number = 1;
		assert_accused(&a, 9);
	}
}

enum { AT_ONCE = 1000, OTHERS_WAIT_MS = 500 };

/* So many good questions in one go, as no honest front asks. */
static void
ask_at_once(int fd, struct span key)
{
	static uint8_t room[AT_ONCE * 256];
	struct sign_ask q = { SCHEME_RSA_PSS_SHA256, key, good_octets() };
	struct buf b = BUF_OVER(room);

	for (uint32_t i = 1; i <= AT_ONCE; i++) {
		uint8_t *head = b.p + b.len;
		struct buf body = { head + 12, 0, 244 };

		assert_true(fields_format(sign_ask_layout, &q, &body));
		u32_put(head, (uint32_t)body.len);
		u32_put(head + 4, SIGN_ASK);
		u32_put(head + 8, i);
		b.len += 12 + body.len;
	}
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	for (size_t sent = 0; sent < b.len;) {
		ssize_t n = send(fd, room + sent, b.len - sent, MSG_NOSIGNAL);

		assert_true(n > 0);
		sent += (size_t)n;
	}
}

/* tests/regress/0386: the others' handshakes do not stand behind a thousand signatures for one that was taken over. */
static void
who_asks_at_once_waits_for_himself(void **state)
{
	struct identity slow = identity_make("mail", "DNS:mail.example.org", 3072, NULL, -1, 10);
	uint8_t slow_name[TLS_FINGERPRINT];
	struct ask greedy = front(1), honest = front(2);
	struct sign_answer answer = { .fail = FAIL_BUSY };
	uint64_t begun, took;

	(void)state;
	assert_true(tls_fingerprint(span_of(slow.chain_pem), slow_name));
	signer_bed_key(&bed, &slow);
	ask_at_once(greedy.fd, (struct span){ slow_name, sizeof slow_name });
	begun = clock_run();
	assert_true(ask_for(&honest, (struct span){ slow_name, sizeof slow_name }, SCHEME_RSA_PSS_SHA256, good_octets(), &answer));
	took = clock_run() - begun;
	assert_int_equal(answer.fail, OK);
	if (took > OTHERS_WAIT_MS)
		fail_msg("another front waited %u ms for its signature", (unsigned)took);
	ask_close(&greedy);
	ask_close(&honest);
	signer_bed_key(&bed, &id);
	identity_free(&slow);
}

static void
too_many_are_answered_with_busy(void **state)
{
	struct ask greedy = front(1), honest = front(2);
	struct sign_answer answer = { .fail = OK };
	unsigned refused = 0, asked = 0;

	(void)state;
	/* Keys that are unknown cost no signature but count all the same, which makes this quick. */
	for (; refused == 0 && asked < 20 * SIGNER_BURST; asked++) {
		assert_true(ask_for(&greedy, SPAN("?"), SCHEME_ECDSA_SHA256, good_octets(), &answer));
		refused += answer.fail == FAIL_BUSY;
	}
	assert_int_equal(refused, 1);
	assert_true(asked > SIGNER_BURST);
	assert_true(ask_good(&honest, &answer));
	assert_int_equal(answer.fail, OK);
	/* A moment later there is something again. */
	poll(NULL, 0, 50);
	assert_true(ask_good(&greedy, &answer));
	assert_int_equal(answer.fail, OK);
	ask_close(&greedy);
	ask_close(&honest);
}

/* A handshake that began with the old certificate ends with it. */
static void
a_replaced_key_signs_a_while_longer(void **state)
{
	struct identity next = identity_make("mail", "DNS:mail.example.org", 0, NULL, -1, 10);
	struct ask a = front(0);
	struct sign_answer answer;

	(void)state;
	signer_bed_key(&bed, &next);
	assert_true(ask_good(&a, &answer));
	assert_int_equal(answer.fail, OK);
	signer_bed_key(&bed, &next);
	assert_true(ask_good(&a, &answer));
	assert_int_equal(answer.fail, FAIL_LOCAL);
	signer_bed_key(&bed, &id);
	assert_true(ask_good(&a, &answer));
	assert_int_equal(answer.fail, OK);
	ask_close(&a);
	identity_free(&next);
}

/* The front's side: a signer that hangs costs one wait, then nothing; one that dies, nothing. */
static void
a_mute_signer_costs_one_wait(void **state)
{
	struct ask a = { .fd = -1 };
	struct sign_answer answer;
	uint8_t late[12 + 12] = { 0 };
	int fd[2];

	(void)state;
	assert_false(ask_good(&a, &answer));
	assert_true(channel_pair(fd));
	ask_begin(&a, fd[0]);
	assert_false(ask_good(&a, &answer));            /* ASK_MS */
	assert_int_equal(a.number, 1);
	assert_false(ask_good(&a, &answer));            /* at once, and nothing is sent */
	assert_int_equal(a.number, 1);
	/* The late answer makes it whole again: the next one is asked, and gets its own answer only. */
	u32_put(late, 8);
	u32_put(late + 4, SIGN_ANSWER);
	u32_put(late + 8, 1);
	assert_int_equal(write(fd[1], late, 20), 20);
	u32_put(late + 8, 2);
	u32_put(late + 12, FAIL_BUSY);
	assert_int_equal(write(fd[1], late, 20), 20);
	assert_false(ask_good(&a, &answer));            /* number 2 was not asked for yet: that is no sane signer */
	assert_int_equal(a.fd, -1);
	close(fd[1]);
	assert_true(channel_pair(fd));
	ask_begin(&a, fd[0]);
	close(fd[1]);
	assert_false(ask_good(&a, &answer));
	assert_int_equal(a.fd, -1);
}

static int
begin(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	id = identity_make("mail", "DNS:mail.example.org", 0, NULL, -1, 10);
	assert_true(tls_fingerprint(span_of(id.chain_pem), name));
	signer_bed_make(&bed, "/dev/null");
	signer_bed_key(&bed, &id);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	signer_bed_drop(&bed);
	identity_free(&id);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_are_signed),
		cmocka_unit_test(who_asks_at_once_waits_for_himself),
		cmocka_unit_test(an_unknown_key_is_answered),
		cmocka_unit_test(other_forms_end_the_front),
		cmocka_unit_test(another_order_ends_the_front),
		cmocka_unit_test(too_many_are_answered_with_busy),
		cmocka_unit_test(a_replaced_key_signs_a_while_longer),
		cmocka_unit_test(a_mute_signer_costs_one_wait),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

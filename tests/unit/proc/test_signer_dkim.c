/* 2_signer, forked whole, with a 5_relay of ours that asks what it must and what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fail.h"
#include "policy/sign_form.h"
#include "proc/child.h"
#include "../by_hand.h"
#include "signer_bed.h"
#include "tls/dkim_store.h"

static struct signer_bed bed;
static uint8_t pem[3][DKIM_PEM_MAX];
static struct buf key[3];               /* RSA, Ed25519, another Ed25519 */
static const uint8_t digest[DKIM_DIGEST] = "thirty-two octets of a digest...";

struct peer { int fd; uint32_t session; };

static struct peer
connect_as(enum role role, uint32_t slot)
{
	return (struct peer){ signer_bed_peer(&bed, role, slot), 0 };
}

static void
send_frame(int fd, uint16_t type, uint32_t session, struct span body)
{
	assert_true(hand_send(fd, type, session, body, -1));
}

static struct span
question(uint32_t algorithm, const char *domain, const char *selector, size_t octets)
{
	static uint8_t room[600];
	struct buf body = BUF_OVER(room);
	struct sign_dkim_ask q = { algorithm, span_of(domain), span_of(selector), { digest, octets } };

	assert_true(fields_format(sign_dkim_ask_layout, &q, &body));
	return buf_span(&body);
}

/* The next answer; false: the channel has ended. */
static bool
hear(struct peer *p, uint32_t session, struct sign_answer *out)
{
	static uint8_t body[1000];
	struct pollfd poll_one = { p->fd, POLLIN, 0 };
	uint8_t header[12];
	ssize_t n;

	assert_int_equal(poll(&poll_one, 1, 5000), 1);
	n = read(p->fd, header, sizeof header);
	if (n <= 0)
		return false;
	assert_int_equal(n, sizeof header);
	assert_true(u32_get(header) <= sizeof body);
	assert_int_equal(read(p->fd, body, u32_get(header)), u32_get(header));
	assert_int_equal(u32_get(header + 4), SIGN_DKIM_ANSWER);
	assert_int_equal(u32_get(header + 8), session);
	return fields_parse(sign_answer_layout, (struct span){ body, u32_get(header) }, out);
}

static bool
ask(struct peer *p, uint32_t algorithm, const char *domain, const char *selector, struct sign_answer *out)
{
	p->session++;
	send_frame(p->fd, SIGN_DKIM_ASK, p->session, question(algorithm, domain, selector, sizeof digest));
	return hear(p, p->session, out);
}

/* Both algorithms sign one thing one way, so that a key of our own tells what is right. */
static void
assert_signed_by(const struct sign_answer *a, struct span text, enum dkim_algorithm algorithm)
{
	uint8_t room[DKIM_SIGNATURE_MAX], words[200];
	struct buf signature = BUF_OVER(room), why = BUF_OVER(words);
	struct dkim_key *k = dkim_key_new(text, algorithm, &why);

	assert_non_null(k);
	assert_true(dkim_key_sign(k, (struct span){ digest, sizeof digest }, &signature));
	assert_int_equal(a->fail, OK);
	assert_true(span_eq(a->signature, buf_span(&signature)));
	dkim_key_free(k);
}

static void
mail_is_signed_by_the_key_that_was_named(void **state)
{
	struct peer relay = connect_as(ROLE_RELAY, 0);
	struct sign_answer a;

	(void)state;
	assert_true(ask(&relay, DKIM_RSA_SHA256, "example.org", "r", &a));
	assert_signed_by(&a, buf_span(&key[0]), DKIM_RSA_SHA256);
	assert_true(ask(&relay, DKIM_ED25519_SHA256, "example.org", "e", &a));
	assert_signed_by(&a, buf_span(&key[1]), DKIM_ED25519_SHA256);
	assert_true(ask(&relay, DKIM_ED25519_SHA256, "example.net", "e", &a));
	assert_signed_by(&a, buf_span(&key[2]), DKIM_ED25519_SHA256);
	/* Answered, not punished: keys change. */
	assert_true(ask(&relay, DKIM_RSA_SHA256, "example.com", "r", &a));
	assert_int_equal(a.fail, FAIL_LOCAL);
	assert_true(ask(&relay, DKIM_RSA_SHA256, "example.org", "e", &a));
	assert_int_equal(a.fail, FAIL_LOCAL);
	assert_int_equal(a.signature.len, 0);
	close(relay.fd);
}

/* As many as may wait are answered in their order. */
static void
a_window_of_questions(void **state)
{
	struct peer relay = connect_as(ROLE_RELAY, 0);
	struct sign_answer a;

	(void)state;
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 1; i <= SIGN_DKIM_WINDOW; i++)
			send_frame(relay.fd, SIGN_DKIM_ASK, round * SIGN_DKIM_WINDOW + i, question(DKIM_ED25519_SHA256, "example.org", "e", 32));
		for (uint32_t i = 1; i <= SIGN_DKIM_WINDOW; i++) {
			assert_true(hear(&relay, round * SIGN_DKIM_WINDOW + i, &a));
			assert_int_equal(a.fail, OK);
		}
	}
	close(relay.fd);
}

static void
assert_accused(struct peer *p, enum role role)
{
	uint8_t room[200];
	struct buf body = BUF_OVER(room);
	struct master_peer peer;
	struct sign_answer a;

	assert_true(signer_bed_hear(&bed, CHILD_PEER_BROKEN, &body, 5000));
	assert_true(fields_parse(master_peer_layout, buf_span(&body), &peer));
	assert_int_equal(peer.role, role);
	assert_false(hear(p, 0, &a));
	close(p->fd);
}

static struct span
handshake(void)
{
	static uint8_t room[400], octets[130];
	struct sign_ask q = { SCHEME_ECDSA_SHA256, SPAN("some key"), { octets, sizeof octets } };
	struct buf body = BUF_OVER(room);

	memset(octets, ' ', 64);
	memcpy(octets + 64, "TLS 1.3, server CertificateVerify", 34);
	assert_true(fields_format(sign_ask_layout, &q, &body));
	return buf_span(&body);
}

static void
another_order_ends_the_relay(void **state)
{
	const struct { uint16_t type; uint32_t session; uint32_t algorithm; size_t octets; } wrong[] = {
		{ SIGN_DKIM_ASK, 0, DKIM_RSA_SHA256, 32 },
		{ SIGN_DKIM_ASK, 2, DKIM_RSA_SHA256, 32 },
		{ SIGN_DKIM_ANSWER, 1, DKIM_RSA_SHA256, 32 },
		{ SIGN_DKIM_ASK, 1, DKIM_RSA_SHA256, 31 },
		{ SIGN_DKIM_ASK, 1, DKIM_RSA_SHA256, 0 },
		{ SIGN_DKIM_ASK, 1, 3, 32 },
		{ SIGN_DKIM_ASK, 1, 0, 32 },
		{ MASTER_DKIM, 1, DKIM_RSA_SHA256, 32 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct peer relay = connect_as(ROLE_RELAY, 0);

		send_frame(relay.fd, wrong[i].type, wrong[i].session, question(wrong[i].algorithm, "example.org", "r", wrong[i].octets));
		assert_accused(&relay, ROLE_RELAY);
	}
}

/* A front has nothing signed as mail, and 5_relay nothing as a handshake. */
static void
neither_kind_of_key_serves_the_other_peer(void **state)
{
	struct peer relay = connect_as(ROLE_RELAY, 0), front = connect_as(ROLE_FRONT, 3);

	(void)state;
	send_frame(relay.fd, SIGN_ASK, 1, handshake());
	assert_accused(&relay, ROLE_RELAY);
	send_frame(front.fd, SIGN_DKIM_ASK, 1, question(DKIM_ED25519_SHA256, "example.org", "e", 32));
	assert_accused(&front, ROLE_FRONT);
}

static void
more_questions_than_may_wait(void **state)
{
	struct peer relay = connect_as(ROLE_RELAY, 0);
	struct span q = question(DKIM_RSA_SHA256, "example.org", "r", 32);
	uint8_t room[20000];
	size_t len = 0;

	(void)state;
	for (uint32_t i = 1; i <= 4 * SIGN_DKIM_WINDOW; i++) {
		u32_put(room + len, (uint32_t)q.len);
		u32_put(room + len + 4, SIGN_DKIM_ASK);
		u32_put(room + len + 8, i);
		memcpy(room + len + 12, q.p, q.len);
		len += 12 + q.len;
	}
	assert_int_equal(send(relay.fd, room, len, MSG_NOSIGNAL), len);
	assert_accused(&relay, ROLE_RELAY);
}

static void
tell_keys(size_t count)
{
	static const struct { const char *domain, *selector; uint32_t algorithm; unsigned key; } list[] = {
		{ "example.net", "e", DKIM_ED25519_SHA256, 2 }, { "example.org", "e", DKIM_ED25519_SHA256, 1 },
		{ "example.org", "r", DKIM_RSA_SHA256, 0 },
	};

	for (uint32_t i = 0; i < (count > 0 ? count : 1); i++) {
		struct master_dkim m = { i, (uint32_t)count, list[i].algorithm, span_of(list[i].domain), span_of(list[i].selector),
			buf_span(&key[list[i].key]) };
		uint8_t room[DKIM_PEM_MAX + 500];
		struct buf body = BUF_OVER(room);

		if (count == 0)
			m = (struct master_dkim){ .count = 0 };
		assert_true(fields_format(master_dkim_layout, &m, &body));
		signer_bed_tell(&bed, MASTER_DKIM, buf_span(&body), -1);
	}
	signer_bed_tell(&bed, MASTER_RELOAD, SPAN(""), -1);
	assert_true(signer_bed_hear(&bed, CHILD_READY, NULL, 5000));
}

/* A question that was under way when the list changed is still answered; the list before that one is gone. */
static void
keys_that_were_replaced_sign_for_a_while(void **state)
{
	struct peer relay = connect_as(ROLE_RELAY, 0);
	struct sign_answer a;

	(void)state;
	tell_keys(1);
	assert_true(ask(&relay, DKIM_RSA_SHA256, "example.org", "r", &a));
	assert_signed_by(&a, buf_span(&key[0]), DKIM_RSA_SHA256);
	tell_keys(0);
	assert_true(ask(&relay, DKIM_RSA_SHA256, "example.org", "r", &a));
	assert_int_equal(a.fail, FAIL_LOCAL);
	assert_true(ask(&relay, DKIM_ED25519_SHA256, "example.net", "e", &a));
	assert_int_equal(a.fail, OK);
	tell_keys(3);
	close(relay.fd);
}

static int
begin(void **state)
{
	uint8_t words[300];
	struct buf why = BUF_OVER(words);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		key[i] = BUF_OVER(pem[i]);
		if (!dkim_key_make(i == 0 ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256, &key[i], &why))
			return -1;
	}
	signer_bed_make(&bed, NULL);
	tell_keys(3);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	signer_bed_drop(&bed);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_is_signed_by_the_key_that_was_named),
		cmocka_unit_test(a_window_of_questions),
		cmocka_unit_test(another_order_ends_the_relay),
		cmocka_unit_test(neither_kind_of_key_serves_the_other_peer),
		cmocka_unit_test(more_questions_than_may_wait),
		cmocka_unit_test(keys_that_were_replaced_sign_for_a_while),
	};

	return cmocka_run_group_tests_name("proc/2_signer dkim", tests, begin, end);
}

#include "proc/1_front_sign.h"

#include "os/ask.h"
#include "proc/1_front.h"

/*
 * The handshake waits for the signature: 2_signer answers in the time that a signature takes, and asking aside would cost the
 * session a second stack (docs/decisions/0013-signer.md). What never answers costs one ASK_MS, then refusals at once.
 */
static struct ask signer = { .fd = -1 };

void
sign_begin(int fd)
{
	ask_begin(&signer, fd);
}

bool
sign_is_there(void)
{
	return signer.fd != -1;
}

/* Once a second: a flood of handshakes must not become a flood of lines. */
static bool
failed(const char *why)
{
	static uint64_t said;
	uint64_t now = uv_now(&front.child.loop);

	if (said == 0 || now - said >= 1000) {
		said = now;
		log_say(LOG_WARN, "not-signed", why);
	}
	return false;
}

static bool
sign(void *arg, const struct tls_sign_question *q, struct buf *signature)
{
	struct sign_ask question = { q->scheme, q->key, q->to_be_signed };
	struct sign_answer answer;
	struct span body;

	(void)arg;
	if (!ask(&signer, SIGN_ASK, sign_ask_layout, &question, SIGN_ANSWER, &body))
		return failed(signer.fd == -1 ? "no signer" : "the signer does not answer");
	if (!fields_parse(sign_answer_layout, body, &answer)) {
		ask_close(&signer);
		return failed("the signer's answer is malformed");
	}
	if (answer.fail != OK)
		return failed(answer.fail == FAIL_BUSY ? "too many handshakes for the signer" : "the signer does not have the key");
	return buf_put(signature, answer.signature) || failed("the signature is longer than the key");
}

const struct tls_signer front_signer = { .sign = sign };

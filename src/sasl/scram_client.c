#include "sasl/scram_client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

static bool
refuse(struct scram_client *c, const char *why)
{
	c->why = why;
	return false;
}

bool
scram_nonce(struct buf *out)
{
	uint8_t random[18];

	return RAND_bytes(random, sizeof random) == 1 && base64_format((struct span){ random, sizeof random }, out);
}

static bool
put_header(const struct scram_client *c, struct buf *out)
{
	static const char *const headers[] = { "n,,", "y,,", "p=tls-unique,,", "p=tls-exporter,," };

	return buf_put_text(out, headers[c->flag]);
}

/* saslname: ',' and '=' are written =2C and =3D (scram-2). */
static bool
put_name(struct buf *out, struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t o = name.p[i];

		if (o == ',' ? !buf_put_text(out, "=2C") : o == '=' ? !buf_put_text(out, "=3D") : !buf_put_byte(out, o))
			return false;
	}
	return true;
}

bool
scram_client_first(struct scram_client *c, enum scram_flag flag, struct span binding, struct span user, struct span password,
    struct span nonce, struct buf *out)
{
	struct buf first = BUF_OVER(c->first);

	memset(c, 0, sizeof *c);
	c->flag = flag;
	if (binding.len > sizeof c->binding || nonce.len > sizeof c->nonce || nonce.len == 0 || !secret_set(&c->password, password))
		return refuse(c, "channel binding or password too long");
	if (flag >= SCRAM_BINDS_UNIQUE) {
		memcpy(c->binding, binding.p, binding.len);
		c->binding_len = binding.len;
	}
	memcpy(c->nonce, nonce.p, nonce.len);
	c->nonce_len = nonce.len;
	if (!buf_put_text(&first, "n=") || !put_name(&first, user) || !buf_put_text(&first, ",r=") || !buf_put(&first, nonce))
		return refuse(c, "login name too long");
	c->first_len = first.len;
	return (put_header(c, out) && buf_put(out, buf_span(&first))) || refuse(c, "login name too long");
}

struct server_first {
	struct span nonce;
	uint8_t salt[512];
	size_t salt_len;
	uint32_t iterations;
};

/* "x=" up to the next comma, which is swallowed. */
static bool
take_attribute(struct span *in, uint8_t name, struct span *value)
{
	if (!span_take_byte(in, name) || !span_take_byte(in, '='))
		return false;
	*value = span_take_until(in, ',');
	(void)span_take_byte(in, ',');
	return true;
}

/* Order is fixed (scram-3); what stands behind i= are extensions, which are ignored. An m= in front is one that may not be. */
static bool
parse_first(struct scram_client *c, struct span in, struct server_first *f)
{
	struct span salt, count, ours = { c->nonce, c->nonce_len };
	struct buf b = BUF_OVER(f->salt);
	uint64_t n = 0;

	if (span_take(&in, SPAN("e=")))
		return refuse(c, "the server ended the authentication with an error");
	if (in.len > SCRAM_SERVER_MAX || !take_attribute(&in, 'r', &f->nonce) || !take_attribute(&in, 's', &salt)
	    || !take_attribute(&in, 'i', &count) || !base64_parse(salt, &b) || b.len == 0)
		return refuse(c, "the server's challenge is malformed");
	if (f->nonce.len <= ours.len || !span_eq(span_head(f->nonce, ours.len), ours))
		return refuse(c, "the server's nonce is not made of ours");
	if (!span_take_u64(&count, &n) || !span_done(count) || n < SCRAM_ITERATIONS_MIN || n > SCRAM_ITERATIONS_MAX)
		return refuse(c, "the server's iteration count is missing, below 4096 or unreasonably large");
	f->salt_len = b.len;
	f->iterations = (uint32_t)n;
	return true;
}

/* client-final-message-without-proof: c= has the header again, and the binding. */
static bool
put_final(const struct scram_client *c, struct span nonce, struct buf *out)
{
	uint8_t bound[128];
	struct buf b = BUF_OVER(bound);

	return put_header(c, &b) && buf_put(&b, (struct span){ c->binding, c->binding_len }) && buf_put_text(out, "c=")
	    && base64_format(buf_span(&b), out) && buf_put_text(out, ",r=") && buf_put(out, nonce);
}

static void
hmac(const uint8_t key[VERIFIER_HASH], struct span text, uint8_t out[VERIFIER_HASH])
{
	if (HMAC(EVP_sha256(), key, VERIFIER_HASH, text.p, text.len, out, NULL) == NULL)
		abort();
}

/* RFC 5802 3: what we send, and what the server must answer. */
static bool
prove(struct scram_client *c, const struct server_first *f, struct span message, uint8_t proof[VERIFIER_HASH])
{
	uint8_t salted[VERIFIER_HASH], key[VERIFIER_HASH], stored[VERIFIER_HASH];
	bool done = PKCS5_PBKDF2_HMAC((const char *)c->password.p, (int)c->password.len, f->salt, (int)f->salt_len,
	    (int)f->iterations, EVP_sha256(), sizeof salted, salted) == 1;

	if (done) {
		hmac(salted, SPAN("Client Key"), key);
		SHA256(key, sizeof key, stored);
		hmac(stored, message, proof);
		for (size_t i = 0; i < VERIFIER_HASH; i++)
			proof[i] ^= key[i];
		hmac(salted, SPAN("Server Key"), key);
		hmac(key, message, c->server_signature);
	}
	wipe(salted, sizeof salted);
	wipe(key, sizeof key);
	wipe(stored, sizeof stored);
	return done || refuse(c, "the password cannot be hashed");
}

bool
scram_client_final(struct scram_client *c, struct span in, struct buf *out)
{
	uint8_t room[sizeof c->first + 2 * SCRAM_SERVER_MAX + 512], proof[VERIFIER_HASH];
	struct buf message = BUF_OVER(room);
	struct server_first f = { .salt_len = 0 };
	size_t final_at;

	if (!parse_first(c, in, &f))
		return false;
	if (!buf_put(&message, (struct span){ c->first, c->first_len }) || !buf_put_byte(&message, ',') || !buf_put(&message, in)
	    || !buf_put_byte(&message, ','))
		return refuse(c, "the server's challenge is too long");
	final_at = message.len;
	if (!put_final(c, f.nonce, &message))
		return refuse(c, "the server's nonce is too long");
	if (!prove(c, &f, buf_span(&message), proof))
		return false;
	return (buf_put(out, (struct span){ room + final_at, message.len - final_at }) && buf_put_text(out, ",p=")
	    && base64_format((struct span){ proof, sizeof proof }, out)) || refuse(c, "the response is too long");
}

bool
scram_client_verify(struct scram_client *c, struct span in)
{
	uint8_t signature[VERIFIER_HASH];
	struct buf b = BUF_OVER(signature);
	struct span value;

	if (span_take(&in, SPAN("e=")))
		return refuse(c, "the server ended the authentication with an error");
	if (!take_attribute(&in, 'v', &value) || !base64_parse(value, &b) || b.len != VERIFIER_HASH)
		return refuse(c, "the server's last message is malformed");
	return secret_equal(buf_span(&b), (struct span){ c->server_signature, VERIFIER_HASH })
	    || refuse(c, "the server did not prove that it knows the password");
}

void
scram_client_end(struct scram_client *c)
{
	wipe(c, sizeof *c);
}

#include <string.h>

#include "milter/room.h"

enum macro_value {
	VALUE_HOST, VALUE_VERSION, VALUE_DAEMON, VALUE_ID, VALUE_PEER, VALUE_NAME, VALUE_TLS, VALUE_CIPHER, VALUE_BITS, VALUE_MECHANISM,
	VALUE_LOGIN, VALUE_SENDER, VALUE_SENDER_HOST, VALUE_RCPT, VALUE_RCPT_HOST, VALUE_MAILER,
};

#define AT(stage) (1u << (stage))
#define ALWAYS (AT(STAGE_MAIL) | AT(STAGE_RCPT) | AT(STAGE_DATA) | AT(STAGE_EOH) | AT(STAGE_END))

/* Where each is sent to a milter that asks for none: as Sendmail does by default, and the id wherever there is one. */
static const struct macro {
	const char *name;
	enum macro_value value;
	unsigned stages;
} macros[] = {
	{ "j", VALUE_HOST, AT(STAGE_CONNECT) },
	{ "v", VALUE_VERSION, AT(STAGE_CONNECT) },
	{ "{daemon_name}", VALUE_DAEMON, AT(STAGE_CONNECT) },
	{ "{client_addr}", VALUE_PEER, AT(STAGE_CONNECT) },
	{ "{client_name}", VALUE_NAME, AT(STAGE_CONNECT) },
	{ "_", VALUE_NAME, AT(STAGE_CONNECT) },
	{ "{tls_version}", VALUE_TLS, AT(STAGE_HELO) },
	{ "{cipher}", VALUE_CIPHER, AT(STAGE_HELO) },
	{ "{cipher_bits}", VALUE_BITS, AT(STAGE_HELO) },
	{ "i", VALUE_ID, ALWAYS },
	{ "{auth_type}", VALUE_MECHANISM, AT(STAGE_MAIL) },
	{ "{auth_authen}", VALUE_LOGIN, AT(STAGE_MAIL) },
	{ "{mail_addr}", VALUE_SENDER, AT(STAGE_MAIL) },
	{ "{mail_host}", VALUE_SENDER_HOST, AT(STAGE_MAIL) },
	{ "{mail_mailer}", VALUE_MAILER, AT(STAGE_MAIL) },
	{ "{rcpt_addr}", VALUE_RCPT, AT(STAGE_RCPT) },
	{ "{rcpt_host}", VALUE_RCPT_HOST, AT(STAGE_RCPT) },
	{ "{rcpt_mailer}", VALUE_MAILER, AT(STAGE_RCPT) },
};

static bool
has(struct span text, struct span part)
{
	for (; text.len >= part.len; span_skip(&text, 1))
		if (memcmp(text.p, part.p, part.len) == 0)
			return true;
	return false;
}

/* The name says it: "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES256-GCM-SHA384". */
static struct span
bits_of(struct span cipher)
{
	if (has(cipher, SPAN("AES_128")) || has(cipher, SPAN("AES128")))
		return SPAN("128");
	if (has(cipher, SPAN("AES_256")) || has(cipher, SPAN("AES256")) || has(cipher, SPAN("CHACHA20")))
		return SPAN("256");
	return SPAN("");
}

static struct span
host_of(struct span path)
{
	size_t at = path.len;

	while (at > 0 && path.p[at - 1] != '@')
		at--;
	span_skip(&path, at > 0 ? at : path.len);
	return path;
}

static struct span
rcpt_of(const struct milter_talk *t)
{
	return t->rcpt < t->mail->rcpts ? t->mail->rcpt(t->mail->arg, t->rcpt) : SPAN("");
}

static struct span
value_of(const struct milter_talk *t, enum macro_value value)
{
	const struct milter_mail *m = t->mail;

	switch (value) {
	case VALUE_HOST:
		return t->conf->hostname;
	case VALUE_VERSION:
		return t->conf->version;
	case VALUE_DAEMON:
		return SPAN("postern");
	case VALUE_ID:
		return m->id;
	case VALUE_PEER:
		return m->peer;
	case VALUE_NAME:
		/* Nobody has asked the DNS for its name. */
		return SPAN("unknown");
	case VALUE_TLS:
		return m->tls_version;
	case VALUE_CIPHER:
		return m->cipher;
	case VALUE_BITS:
		return bits_of(m->cipher);
	case VALUE_MECHANISM:
		return m->mechanism;
	case VALUE_LOGIN:
		return m->login;
	case VALUE_SENDER:
		return m->reverse_path;
	case VALUE_SENDER_HOST:
		return host_of(m->reverse_path);
	case VALUE_RCPT:
		return rcpt_of(t);
	case VALUE_RCPT_HOST:
		return host_of(rcpt_of(t));
	case VALUE_MAILER:
		return SPAN("smtp");
	}
	return SPAN("");
}

static bool
is_gap(uint8_t c)
{
	return c == ' ' || c == ',' || c == '\t';
}

/* Is the name on the list? A name of one letter may stand in braces or not. */
static bool
listed(struct span list, struct span name)
{
	while (!span_done(list)) {
		size_t n = 0;
		struct span word;

		while (n < list.len && !is_gap(list.p[n]))
			n++;
		word = span_head(list, n);
		span_skip(&list, n);
		if (span_eq(word, name) || (name.len == 1 && word.len == 3 && word.p[0] == '{' && word.p[1] == name.p[0] && word.p[2] == '}'))
			return true;
		while (!span_done(list) && is_gap(list.p[0]))
			span_skip(&list, 1);
	}
	return false;
}

static bool
wanted(const struct milter_talk *t, const struct macro *m, enum milter_stage stage)
{
	if (!t->has_symbols[stage])
		return (m->stages & AT(stage)) != 0;
	return listed((struct span){ (const uint8_t *)t->symbols[stage], t->symbols_len[stage] }, span_of(m->name));
}

void
macros_put(struct milter_talk *t, enum milter_stage stage, uint8_t command)
{
	size_t place = packet_begin(&t->out, 'D'), empty;

	(void)buf_put_byte(&t->out, command);
	empty = t->out.len;
	for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
		struct span value = value_of(t, macros[i].value);

		if (span_done(value) || !wanted(t, &macros[i], stage))
			continue;
		put_string(&t->out, span_of(macros[i].name));
		put_string(&t->out, value);
	}
	if (t->out.len == empty)
		t->out.len = place;
	else
		packet_end(&t->out, place);
}

bool
macros_choose(struct milter_talk *t, struct span list)
{
	while (!span_done(list)) {
		struct span names;
		uint32_t stage;

		if (list.len < 4)
			return false;
		stage = get_big(list.p);
		span_skip(&list, 4);
		if (!take_string(&list, &names) || names.len > MILTER_SYMBOLS_MAX)
			return false;
		/* A stage that only a later version of the protocol knows. */
		if (stage >= MILTER_STAGES)
			continue;
		memcpy(t->symbols[stage], names.p, names.len);
		t->symbols_len[stage] = (uint16_t)names.len;
		t->has_symbols[stage] = true;
	}
	return true;
}

#include "sasl/users_line.h"

#include <string.h>

#include "policy/sender.h"
#include "sasl/crypt.h"
#include "sasl/key.h"

static const struct span kinds[] = {
	[USERS_PRINCIPAL] = SPAN_INIT("principal"), [USERS_PASSWORD] = SPAN_INIT("password"), [USERS_KEY] = SPAN_INIT("key"),
};

static bool
name_octets(struct span s, size_t most)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 128 && !ascii_is_alnum(s.p[i]) && memchr("._-+@", s.p[i], 5) == NULL)
			return false;
	return s.len > 0 && s.len <= most;
}

bool
users_name_valid(struct span name)
{
	return name_octets(name, USERS_NAME_MAX);
}

bool
users_device_valid(struct span device)
{
	return name_octets(device, USERS_DEVICE_MAX);
}

bool
users_grant_valid(struct span grant)
{
	/* A comma or a space would end it; quoted local parts would need their grammar in every list. */
	for (size_t i = 0; i < grant.len; i++)
		if (grant.p[i] <= ' ' || grant.p[i] == 127 || grant.p[i] == ',' || grant.p[i] == '"' || grant.p[i] == '\\')
			return false;
	return grant_valid(grant);
}

bool
users_recovery_valid(struct span address)
{
	struct mailbox m;

	/* Without the characters that would end the word; and a whole mailbox, not a domain. */
	return address.len <= USERS_RECOVERY_MAX && users_grant_valid(address) && mailbox_parse(address, &m) == PATH_OK;
}

bool
users_priority_parse(struct span text, int8_t *priority)
{
	bool minus = span_take_byte(&text, '-');

	if (text.len != 1 || !ascii_is_digit(text.p[0]))
		return false;
	*priority = (int8_t)(minus ? '0' - text.p[0] : text.p[0] - '0');
	return true;
}

static bool
grants_valid(struct span list)
{
	struct span one;

	if (list.len > USERS_GRANTS_MAX)
		return false;
	for (;;) {
		one = span_take_until(&list, ',');
		if (!users_grant_valid(one))
			return false;
		if (!span_take_byte(&list, ','))
			return span_done(list);
	}
}

static bool
take_number(struct span value, uint64_t *number)
{
	return span_take_u64(&value, number) && span_done(value) && *number > 0;
}

/* The words that may stand behind the names, and in which kinds of line. */
enum word { WORD_GRANTS, WORD_FROM, WORD_RECOVERY, WORD_LIMIT, WORD_PRIORITY, WORD_ID, WORD_VERIFIER, WORD_CRYPT, WORD_CREATED, WORD_EXPIRES, WORD_REVOKED, WORDS };
#define IN(kind) (1U << (kind))
static const struct {
	struct span name;
	unsigned kinds;
} words[WORDS] = {
	[WORD_GRANTS] = { SPAN_INIT("addresses="), IN(USERS_PRINCIPAL) },
	[WORD_FROM] = { SPAN_INIT("from="), IN(USERS_KEY) },
	[WORD_RECOVERY] = { SPAN_INIT("recovery="), IN(USERS_PRINCIPAL) },
	[WORD_LIMIT] = { SPAN_INIT("limit="), IN(USERS_PRINCIPAL) | IN(USERS_KEY) },
	[WORD_PRIORITY] = { SPAN_INIT("priority="), IN(USERS_PRINCIPAL) | IN(USERS_KEY) },
	[WORD_ID] = { SPAN_INIT("id="), IN(USERS_KEY) },
	[WORD_VERIFIER] = { SPAN_INIT("verifier="), IN(USERS_PASSWORD) | IN(USERS_KEY) },
	[WORD_CRYPT] = { SPAN_INIT("crypt="), IN(USERS_PASSWORD) },
	[WORD_CREATED] = { SPAN_INIT("created="), IN(USERS_PRINCIPAL) | IN(USERS_PASSWORD) | IN(USERS_KEY) },
	[WORD_EXPIRES] = { SPAN_INIT("expires="), IN(USERS_KEY) },
	[WORD_REVOKED] = { SPAN_INIT("revoked="), IN(USERS_PRINCIPAL) | IN(USERS_KEY) },
};

static bool
take_value(enum word word, struct span value, struct users_line *l)
{
	const char *why;
	int8_t priority;

	switch (word) {
	case WORD_GRANTS:
	case WORD_FROM:
		l->grants = value;
		return grants_valid(value);
	case WORD_RECOVERY:
		l->recovery = value;
		return users_recovery_valid(value);
	case WORD_LIMIT:
		return take_number(value, &l->limit) && l->limit <= USERS_LIMIT_MAX;
	case WORD_PRIORITY:
		l->priority = value;
		return users_priority_parse(value, &priority);
	case WORD_ID:
		l->id = value;
		return sender_key_id_valid(value);
	case WORD_VERIFIER:
		return verifier_parse(value, &l->verifier);
	case WORD_CRYPT:
		l->crypt = value;
		return crypt_supported(&l->crypt, &why) && l->crypt.len == value.len;
	case WORD_CREATED:
		return take_number(value, &l->created);
	case WORD_EXPIRES:
		return take_number(value, &l->expires);
	case WORD_REVOKED:
		return take_number(value, &l->revoked);
	case WORDS:
		break;
	}
	return false;
}

static enum word
take_word_name(struct span *text)
{
	for (enum word w = 0; w < WORDS; w++)
		if (span_take(text, words[w].name))
			return w;
	return WORDS;
}

static bool
take_words(struct span text, struct users_line *l, unsigned *seen, const char **why)
{
	struct span value;
	enum word word;

	while (!span_done(text)) {
		if (!span_take_byte(&text, ' ')) {
			*why = "words must be parted by one space";
			return false;
		}
		value = span_take_until(&text, ' ');
		word = take_word_name(&value);
		*why = "a word that is not known";
		if (word == WORDS || !(words[word].kinds & IN(l->kind)))
			return false;
		*why = "a value that is malformed";
		if (*seen & IN(word) || !take_value(word, value, l))
			return false;
		*seen |= IN(word);
	}
	return true;
}

static bool
complete(const struct users_line *l, unsigned seen, const char **why)
{
	switch (l->kind) {
	case USERS_PRINCIPAL:
		*why = "addresses= is missing";
		return (seen & IN(WORD_GRANTS)) != 0;
	case USERS_PASSWORD:
		*why = "it must have either verifier= or crypt=";
		return (seen & IN(WORD_VERIFIER)) != 0 ? (seen & IN(WORD_CRYPT)) == 0 : (seen & IN(WORD_CRYPT)) != 0;
	case USERS_KEY:
		*why = "id= or verifier= is missing";
		return (seen & IN(WORD_ID)) != 0 && (seen & IN(WORD_VERIFIER)) != 0;
	case USERS_NOTHING:
		break;
	}
	return true;
}

/* Kind and names off the front. False: no known kind, or the names are malformed. */
static bool
take_head(struct span *line, struct users_line *l)
{
	struct span kind = span_take_until(line, ' ');

	for (l->kind = USERS_PRINCIPAL; l->kind <= USERS_KEY; l->kind++)
		if (span_eq(kind, kinds[l->kind]))
			break;
	if (l->kind > USERS_KEY || !span_take_byte(line, ' ')) {
		l->kind = USERS_NOTHING;
		return false;
	}
	l->name = span_take_until(line, ' ');
	if (l->kind == USERS_KEY && span_take_byte(line, ' '))
		l->device = span_take_until(line, ' ');
	return users_name_valid(l->name) && (l->kind != USERS_KEY || users_device_valid(l->device));
}

void
users_line_head(struct span line, struct users_line *l)
{
	memset(l, 0, sizeof *l);
	if (line.len > 0 && line.p[0] != '#' && !take_head(&line, l))
		l->kind = USERS_NOTHING;
}

bool
users_line_parse(struct span line, struct users_line *l, const char **why)
{
	unsigned seen = 0;

	memset(l, 0, sizeof *l);
	*why = "longer than 4096 octets, or has a NUL";
	if (line.len > USERS_LINE_MAX || memchr(line.p, 0, line.len) != NULL)
		return false;
	if (line.len == 0 || line.p[0] == '#')
		return true;
	*why = "it must begin with principal NAME, password NAME, or key NAME DEVICE";
	return take_head(&line, l) && take_words(line, l, &seen, why) && complete(l, seen, why);
}

static bool
put_word(struct buf *out, enum word word, struct span value)
{
	return value.len == 0 || (buf_put_byte(out, ' ') && buf_put(out, words[word].name) && buf_put(out, value));
}

static bool
put_number(struct buf *out, enum word word, uint64_t number)
{
	return number == 0 || (buf_put_byte(out, ' ') && buf_put(out, words[word].name) && buf_put_u64(out, number));
}

static bool
put_verifier(struct buf *out, const struct users_line *l)
{
	if (l->kind == USERS_PRINCIPAL)
		return true;
	if (l->crypt.len > 0)
		return put_word(out, WORD_CRYPT, l->crypt);
	return buf_put_byte(out, ' ') && buf_put(out, words[WORD_VERIFIER].name) && verifier_format(&l->verifier, out);
}

bool
users_line_format(const struct users_line *l, struct buf *out)
{
	size_t before = out->len;

	if (buf_put(out, kinds[l->kind]) && buf_put_byte(out, ' ') && buf_put(out, l->name)
	    && (l->kind != USERS_KEY || (buf_put_byte(out, ' ') && buf_put(out, l->device)))
	    && put_word(out, l->kind == USERS_KEY ? WORD_FROM : WORD_GRANTS, l->grants) && put_word(out, WORD_RECOVERY, l->recovery)
	    && put_number(out, WORD_LIMIT, l->limit) && put_word(out, WORD_PRIORITY, l->priority) && put_word(out, WORD_ID, l->id)
	    && put_verifier(out, l) && put_number(out, WORD_CREATED, l->created) && put_number(out, WORD_EXPIRES, l->expires)
	    && put_number(out, WORD_REVOKED, l->revoked) && buf_put_byte(out, '\n'))
		return true;
	out->len = before;
	return false;
}

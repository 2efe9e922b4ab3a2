#include "sasl/crypt.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

/* Methods that a guesser cannot hurry; DES, MD5 and the like are not checked at all. */
static bool
strong(struct span hash)
{
	static const struct span methods[] = {
		SPAN_INIT("$y$"), SPAN_INIT("$gy$"), SPAN_INIT("$7$"), SPAN_INIT("$2y$"), SPAN_INIT("$2b$"), SPAN_INIT("$2a$"),
		SPAN_INIT("$6$"), SPAN_INIT("$5$"),
	};

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (span_eq(span_head(hash, methods[i].len), methods[i]))
			return true;
	return false;
}

static bool
known_scheme(struct span scheme)
{
	static const struct span schemes[] = {
		SPAN_INIT("CRYPT"), SPAN_INIT("SHA512-CRYPT"), SPAN_INIT("SHA256-CRYPT"), SPAN_INIT("BLF-CRYPT"), SPAN_INIT("BCRYPT"),
		SPAN_INIT("YESCRYPT"),
	};

	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (span_same(scheme, schemes[i]))
			return true;
	return false;
}

bool
crypt_supported(struct span *hash, const char **why)
{
	struct span scheme, rest = *hash;

	*why = "this scheme is not checked here (known: CRYPT, SHA512-CRYPT, SHA256-CRYPT, BLF-CRYPT, YESCRYPT, SCRAM-SHA-256)";
	if (span_take_byte(&rest, '{')) {
		scheme = span_take_until(&rest, '}');
		if (!span_take_byte(&rest, '}') || !known_scheme(scheme))
			return false;
		*hash = rest;
	}
	*why = "the hash is empty, locked, or of a method too weak to keep (known: $y$ $7$ $2y$ $2b$ $6$ $5$)";
	if (hash->len > CRYPT_TEXT_MAX || !strong(*hash))
		return false;
	*why = NULL;
	return true;
}

/* crypt(3) says EINVAL whatever it was. These methods take much memory, and a setting that looks right may still have parameters that are
 * wrong: that is no guesser's doing either. */
static bool
may_lack_memory(const char *setting)
{
	return (strncmp(setting, "$y$", 3) == 0 || strncmp(setting, "$gy$", 4) == 0 || strncmp(setting, "$7$", 3) == 0)
	    && crypt_checksalt(setting) == CRYPT_SALT_OK;
}

enum match
crypt_check(struct span hash, struct span secret)
{
	char setting[CRYPT_TEXT_MAX + 1], phrase[SECRET_MAX + 1];
	struct crypt_data *data;
	const char *made;
	enum match match;

	if (hash.len >= sizeof setting || secret.len >= sizeof phrase)
		return MATCH_NO;
	data = calloc(1, sizeof *data);         /* 32 KiB: too much for a worker's stack to be sure of */
	if (data == NULL)
		return MATCH_UNKNOWN;
	memcpy(setting, hash.p, hash.len);
	setting[hash.len] = 0;
	memcpy(phrase, secret.p, secret.len);
	phrase[secret.len] = 0;
	/* Not crypt_r(): a sanitizer has one of its own, and the linker then leaves the library out. */
	made = crypt_rn(phrase, setting, data, sizeof *data);
	match = made != NULL ? secret_equal(span_of(made), hash) : may_lack_memory(setting) ? MATCH_UNKNOWN : MATCH_NO;
	wipe(phrase, sizeof phrase);
	wipe(data, sizeof *data);
	free(data);
	return match;
}

#include "conf/value.h"

#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* From the largest to the smallest, the spelling that is printed first among equals. */
static const struct unit size_units[] = {
	{ "TiB", UINT64_C(1) << 40 }, { "T", UINT64_C(1) << 40 },
	{ "GiB", UINT64_C(1) << 30 }, { "G", UINT64_C(1) << 30 },
	{ "MiB", UINT64_C(1) << 20 }, { "M", UINT64_C(1) << 20 },
	{ "KiB", UINT64_C(1) << 10 }, { "K", UINT64_C(1) << 10 },
	{ "B", 1 },
};

/* Weeks are read but not printed: "5 d" says more than "0 w". */
static const struct unit duration_units[] = {
	{ "d", 86400 }, { "day", 86400 }, { "days", 86400 },
	{ "h", 3600 }, { "hour", 3600 }, { "hours", 3600 },
	{ "min", 60 }, { "m", 60 }, { "minute", 60 }, { "minutes", 60 },
	{ "s", 1 }, { "second", 1 }, { "seconds", 1 },
	{ "w", 604800 }, { "week", 604800 }, { "weeks", 604800 },
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Number, spaces, unit; *named says whether there was a unit. */
static bool
quantity_parse(struct span text, const struct unit *unit, size_t units, uint64_t *value, bool *named)
{
	uint64_t number;

	if (!span_take_u64(&text, &number))
		return false;
	span_take_spaces(&text);
	*named = !span_done(text);
	*value = number;
	for (size_t i = 0; *named && i < units; i++) {
		if (!span_same(text, span_of(unit[i].name)))
			continue;
		if (number > UINT64_MAX / unit[i].factor)
			return false;
		*value = number * unit[i].factor;
		return true;
	}
	return !*named;
}

static bool
quantity_format(uint64_t value, const struct unit *unit, size_t units, struct buf *out)
{
	for (size_t i = 0; i < units; i++) {
		if (value % unit[i].factor == 0)
			return buf_put_u64(out, value / unit[i].factor) && buf_put_byte(out, ' ') &&
			    buf_put_text(out, unit[i].name);
	}
	return false;
}

bool
size_parse(struct span text, uint64_t *octets, struct buf *why)
{
	bool named;

	if (quantity_parse(text, size_units, COUNT(size_units), octets, &named))
		return true;
	buf_put_text(why, "is not a size (a number and one of KiB, MiB, GiB, TiB)");
	return false;
}

bool
size_format(uint64_t octets, struct buf *out)
{
	if (octets == 0)
		return buf_put_byte(out, '0');
	return quantity_format(octets, size_units, COUNT(size_units), out);
}

bool
duration_parse(struct span text, uint32_t *seconds, struct buf *why)
{
	uint64_t value = 0;
	bool named = false, ok = quantity_parse(text, duration_units, COUNT(duration_units), &value, &named);

	if (ok && value <= UINT32_MAX && (named || value == 0)) {
		*seconds = (uint32_t)value;
		return true;
	}
	buf_put_text(why, ok && !named ? "has no unit (s, min, h, d or w)"
	                               : "is not a span of time (a number and one of s, min, h, d, w)");
	return false;
}

bool
duration_format(uint32_t seconds, struct buf *out)
{
	if (seconds == 0)
		return buf_put_byte(out, '0');
	return quantity_format(seconds, duration_units, COUNT(duration_units) - 3, out);
}

bool
boolean_parse(struct span text, bool *value, struct buf *why)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "yes", true }, { "true", true }, { "on", true }, { "no", false }, { "false", false }, { "off", false },
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (!span_same(text, span_of(words[i].word)))
			continue;
		*value = words[i].value;
		return true;
	}
	buf_put_text(why, "is neither yes nor no");
	return false;
}

bool
text_set(struct conf_text *out, struct span text, struct buf *why)
{
	if (text.len >= sizeof(out->p)) {
		buf_put_text(why, "is longer than 255 octets");
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] >= 32 && text.p[i] != 127)
			continue;
		buf_put_text(why, "has a control character in it");
		return false;
	}
	memset(out->p, 0, sizeof(out->p));
	if (text.len > 0)
		memcpy(out->p, text.p, text.len);
	return true;
}

bool
certificate_parse(struct span text, struct conf_certificate *out, struct buf *why)
{
	struct span key = text, chain = text;
	size_t cut = 0;

	/* A path may have spaces in it, so the key begins at the last " key=". */
	for (size_t i = 0; i + 5 <= text.len; i++)
		cut = memcmp(text.p + i, " key=", 5) == 0 ? i : cut;
	chain.len = cut;
	span_skip(&key, cut + 5);
	if (cut == 0 || !span_take(&chain, SPAN("chain=")) || span_done(chain) || span_done(key)) {
		buf_put_text(why, "does not name both chain and key");
		return false;
	}
	if (chain.p[0] != '/' || key.p[0] != '/') {
		buf_put_text(why, "has a path that does not begin with /");
		return false;
	}
	return text_set(&out->chain, chain, why) && text_set(&out->key, key, why);
}

bool
certificate_format(const struct conf_certificate *c, struct buf *out)
{
	return buf_put_text(out, "chain=") && buf_put_text(out, c->chain.p) && buf_put_text(out, " key=") &&
	    buf_put_text(out, c->key.p);
}

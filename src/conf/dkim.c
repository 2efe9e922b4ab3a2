#include <string.h>

#include "conf/value.h"

static const char *const names[] = {
	[CONF_DKIM_OFF] = "off", [CONF_DKIM_RSA] = "rsa", [CONF_DKIM_ED25519] = "ed25519", [CONF_DKIM_BOTH] = "both",
};

const char *
dkim_name(enum conf_dkim value)
{
	return names[value];
}

bool
dkim_parse(struct span text, enum conf_dkim *out, struct buf *why)
{
	for (unsigned i = CONF_DKIM_OFF; i <= CONF_DKIM_BOTH; i++) {
		if (span_same(text, span_of(names[i]))) {
			*out = (enum conf_dkim)i;
			return true;
		}
	}
	buf_put_text(why, "is neither both, rsa, ed25519 nor off");
	return false;
}

bool
dkim_rule_parse(struct span text, bool below, struct conf_dkim_rule *out, struct buf *why)
{
	struct span name = span_take_word(&text), host = name;

	if (below)
		(void)span_take_byte(&host, '.');
	if (!host_is_qualified(host) || name.len >= sizeof(out->name) || span_done(text)) {
		buf_put_text(why, "is not a name and, behind a space, both, rsa, ed25519 or off");
		return false;
	}
	memset(out->name, 0, sizeof(out->name));
	memcpy(out->name, name.p, name.len);
	return dkim_parse(text, &out->algorithms, why);
}

bool
dkim_rule_format(const struct conf_dkim_rule *r, struct buf *out)
{
	return buf_put_text(out, r->name) && buf_put_byte(out, ' ') && buf_put_text(out, names[r->algorithms]);
}

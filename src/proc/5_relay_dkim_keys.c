/* Which domains can sign, as 0_master says, and which of their keys do, as the configuration says. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "os/log.h"
#include "policy/signing.h"
#include "proc/5_relay.h"
#include "tls/dkim_store.h"

struct key_list {
	struct relay_dkim_key *key;     /* by domain, in ascending order */
	size_t count, room;
};

static struct {
	struct key_list now, staged;
	uint32_t generation;
	uint64_t told[RELAY_DKIM_TOLD]; /* hashes of domains; the oldest makes room */
	size_t tolds;
} me;

/* ---- the list ---- */

static bool
stage_begin(uint32_t count)
{
	free(me.staged.key);
	me.staged = (struct key_list){ NULL, 0, 0 };
	if (count == 0)
		return true;
	if (count > DKIM_DOMAINS_MAX * DKIM_DOMAIN_KEYS_MAX)
		return false;
	me.staged.key = calloc(count, sizeof *me.staged.key);
	me.staged.room = me.staged.key != NULL ? count : 0;
	return me.staged.key != NULL;
}

bool
relay_dkim_keys_stage(const struct master_dkim *m)
{
	struct relay_dkim_key *k;

	if (m->index == 0 && !stage_begin(m->count))
		return false;
	if (m->count == 0)
		return true;
	if (m->index != me.staged.count || m->index >= me.staged.room ||
	    dkim_algorithm_name((enum dkim_algorithm)m->algorithm)[0] == '\0')
		return false;
	k = &me.staged.key[me.staged.count++];
	k->algorithm = (enum dkim_algorithm)m->algorithm;
	span_text(m->domain, k->domain, sizeof k->domain);
	span_text(m->selector, k->selector, sizeof k->selector);
	return m->index == 0 || strcmp(k[-1].domain, k->domain) <= 0;
}

void
relay_dkim_keys_take(const struct relay *relay)
{
	free(me.now.key);
	me.now = me.staged;
	me.staged = (struct key_list){ NULL, 0, 0 };
	me.generation++;
	me.tolds = 0;
	memset(me.told, 0, sizeof me.told);
	if (me.now.count == 0 && relay->child.conf.relay.kind != CONF_RELAY_MAILDIR)
		log_say(LOG_NOTE, "dkim-off", "no domain has keys, so no mail is signed; `postern user domain add DOMAIN` makes some");
}

bool
relay_dkim_keys_none(void)
{
	return me.now.count == 0;
}

uint32_t
relay_dkim_keys_generation(void)
{
	return me.generation;
}

/* ---- the choice ---- */

static int
rule_of(const struct conf_dkim_rule *rule, uint32_t count, struct span name)
{
	for (uint32_t i = 0; i < count; i++)
		if (signing_rule_fits(span_of(rule[i].name), name))
			return (int)rule[i].algorithms;
	return SIGNING_UNSAID;
}

int
relay_dkim_hop_rule(const struct relay_connection *k)
{
	const struct conf *c = &k->relay->child.conf;
	int rule = rule_of(c->dkim_hop, c->dkim_hops, k->attempt->facts.destination);

	return rule != SIGNING_UNSAID ? rule : rule_of(c->dkim_hop, c->dkim_hops, span_of(k->policy.name));
}

/* The first key of the domain; NULL: it has none. */
static const struct relay_dkim_key *
find(const char *domain)
{
	size_t low = 0, high = me.now.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(me.now.key[middle].domain, domain) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < me.now.count && strcmp(me.now.key[low].domain, domain) == 0 ? &me.now.key[low] : NULL;
}

/* The domain's own keys, else those of the nearest domain above it: aligned all the same (RFC 7489 3.1.1). */
static const struct relay_dkim_key *
find_aligned(const char *domain)
{
	const char *dot;

	for (; (dot = strchr(domain, '.')) != NULL; domain = dot + 1) {
		const struct relay_dkim_key *k = find(domain);

		if (k != NULL)
			return k;
	}
	return NULL;
}

static void
tell_once(const char *domain)
{
	uint64_t hash = hash_of(span_of(domain));
	struct log_line l;

	for (size_t i = 0; i < RELAY_DKIM_TOLD; i++)
		if (me.told[i] == hash)
			return;
	me.told[me.tolds++ % RELAY_DKIM_TOLD] = hash;
	log_begin(&l, LOG_NOTE, "unsigned");
	log_text(&l, "domain", domain);
	log_text(&l, "why", "it has no DKIM keys, nor has a domain above it; said once");
	log_end(&l);
}

/* A-labels in lower case, as keys have it. */
static bool
name_of(struct span author_domain, char name[MX_NAME_MAX])
{
	if (!dns_ascii(author_domain, name))
		return false;
	for (char *p = name; *p != '\0'; p++)
		*p = (char)ascii_lower((uint8_t)*p);
	return true;
}

size_t
relay_dkim_keys_choose(const struct relay *relay, struct span author_domain, int hop_rule,
    const struct relay_dkim_key *out[DKIM_ALGORITHMS])
{
	const struct conf *c = &relay->child.conf;
	const struct relay_dkim_key *key, *end = me.now.key + me.now.count;
	struct signing_facts facts = { .standard = (unsigned)c->dkim, .hop = hop_rule };
	char name[MX_NAME_MAX];
	unsigned set;
	size_t n = 0;

	if (!name_of(author_domain, name))
		return 0;
	key = find_aligned(name);
	if (key == NULL) {
		tell_once(name);
		return 0;
	}
	facts.domain = rule_of(c->dkim_domain, c->dkim_domains, span_of(name));
	if (facts.domain == SIGNING_UNSAID)
		facts.domain = rule_of(c->dkim_domain, c->dkim_domains, span_of(key->domain));
	for (const struct relay_dkim_key *k = key; k < end && strcmp(k->domain, key->domain) == 0; k++)
		facts.keys |= (unsigned)k->algorithm;
	set = signing_decide(&facts);
	/* RSA first: who knows one algorithm only looks at the signature on top. */
	for (unsigned algorithm = DKIM_RSA_SHA256; algorithm <= DKIM_ED25519_SHA256; algorithm <<= 1)
		for (const struct relay_dkim_key *k = key; (set & algorithm) != 0 && k < end && strcmp(k->domain, key->domain) == 0; k++)
			if ((unsigned)k->algorithm == algorithm) {
				out[n++] = k;
				set &= ~algorithm;
			}
	return n;
}

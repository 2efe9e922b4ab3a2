#include <assert.h>
#include <string.h>

#include "dns/mx.h"

enum { WIRE_NAME_MAX = 255 };   /* RFC 1035 2.3.4 */

/* One label's octets onto name: letters, digits, hyphen; underscores are met in the field. */
static bool
label_take(struct span *wire, char *name, size_t *at)
{
	size_t len = wire->p[0];

	if (len > 63 || len >= wire->len || *at + len + 1 >= MX_NAME_MAX)
		return false;
	if (*at > 0)
		name[(*at)++] = '.';
	for (size_t i = 1; i <= len; i++) {
		uint8_t c = wire->p[i];

		if (!ascii_is_alnum(c) && c != '-' && c != '_')
			return false;
		name[(*at)++] = (char)ascii_lower(c);
	}
	span_skip(wire, len + 1);
	return true;
}

bool
mx_name_parse(struct span wire, char name[MX_NAME_MAX])
{
	size_t at = 0;

	if (wire.len > WIRE_NAME_MAX)
		return false;
	while (wire.len > 0 && wire.p[0] != 0)
		if (!label_take(&wire, name, &at))
			return false;
	name[at] = 0;
	return wire.len == 1;
}

bool
mx_record_parse(struct span rdata, struct mx_record *record)
{
	if (rdata.len < 3)
		return false;
	record->preference = (uint16_t)(rdata.p[0] << 8 | rdata.p[1]);
	span_skip(&rdata, 2);
	return mx_name_parse(rdata, record->name);
}

/* Four groups of digits: somebody wrote an address where a name belongs. */
static bool
names_address(const char *name)
{
	for (; *name != 0; name++)
		if (!ascii_is_digit((uint8_t)*name) && *name != '.')
			return false;
	return true;
}

/* splitmix64: good enough to spread load, and the same seed gives the same order in a test. */
static uint64_t
shuffle_next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void
swap(struct mx_record *a, struct mx_record *b)
{
	struct mx_record t = *a;

	*a = *b;
	*b = t;
}

/* Shuffle all, then sort in a way that leaves equals as they lie. */
static void
sort(struct mx_record *record, size_t count, uint64_t seed)
{
	for (size_t i = count; i > 1; i--)
		swap(&record[i - 1], &record[shuffle_next(&seed) % i]);
	for (size_t i = 1; i < count; i++)
		for (size_t k = i; k > 0 && record[k].preference < record[k - 1].preference; k--)
			swap(&record[k], &record[k - 1]);
}

/* A name that came before with a better preference needs no second visit. */
static bool
repeated(const struct mx_record *record, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (span_same(span_of(record[i].name), span_of(name)))
			return true;
	return false;
}

static bool
usable(const struct mx_record *kept, size_t count, const char *name)
{
	return name[0] != 0 && !names_address(name) && !repeated(kept, count, name);
}

/* The first record of self's own preference, or count. Sorted input. */
static size_t
better_than(const struct mx_record *record, size_t count, struct span self)
{
	size_t at = 0;

	if (self.len > 0 && self.p[self.len - 1] == '.')
		self.len--;
	while (at < count && !span_same(span_of(record[at].name), self))
		at++;
	while (at > 0 && at < count && record[at - 1].preference == record[at].preference)
		at--;
	return at;
}

enum mx_verdict
mx_order(struct mx_record *record, size_t *count, struct span self, uint64_t seed)
{
	size_t all = *count, kept = 0, better;

	*count = 0;
	if (all == 1 && record[0].name[0] == 0)
		return MX_NULL;
	sort(record, all, seed);
	better = better_than(record, all, self);
	for (size_t i = 0; i < better; i++)
		if (usable(record, kept, record[i].name))
			record[kept++] = record[i];
	*count = kept;
	if (kept > 0)
		return MX_FOUND;
	return better < all ? MX_LOOP : MX_NO_HOST;
}

enum mx_verdict
mx_conclude(size_t addresses, bool some_later)
{
	if (addresses > 0)
		return MX_FOUND;
	/* A host that could not be asked about may be the one that has an address. */
	return some_later ? MX_LATER : MX_NO_HOST;
}

static const struct {
	uint16_t code;
	const char *enhanced;
} verdicts[] = {
	[MX_FOUND] = { 0, "" },
	[MX_NO_DOMAIN] = { 0, "5.1.2" },
	[MX_NULL] = { 556, "5.1.10" },
	[MX_NO_HOST] = { 0, "5.4.4" },
	[MX_LOOP] = { 0, "5.4.6" },
	[MX_LATER] = { 0, "4.4.3" },
};

const char *
mx_enhanced(enum mx_verdict verdict)
{
	assert((unsigned)verdict < sizeof verdicts / sizeof verdicts[0]);
	return verdicts[verdict].enhanced;
}

uint16_t
mx_code(enum mx_verdict verdict)
{
	assert((unsigned)verdict < sizeof verdicts / sizeof verdicts[0]);
	return verdicts[verdict].code;
}

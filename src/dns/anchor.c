#include "dns/anchor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

#include "base/base64.h"
#include "os/replace.h"

enum { FILE_MAX = 1 << 20, RECORD_MAX = 4096, KEY_MAX = 2048 };

/* The root's keys that sign no more: those of 2010, until 2018-10-11, and of 2017, until 2026-10-11. */
static const uint16_t retired[] = { 19036, 20326 };

/* ---- the text: RFC 1035 5.1, as far as it tells keys ---- */

/* One record in one line, its comments and parentheses gone. False: the text is at its end. What is too long is cut. */
static bool
take_record(struct span *text, struct buf *record)
{
	unsigned depth = 0;
	bool comment = false;

	record->len = 0;
	if (span_done(*text))
		return false;
	for (; !span_done(*text); span_skip(text, 1)) {
		uint8_t c = text->p[0];

		comment = c != '\n' && (comment || c == ';');
		if (c == '\n' && depth == 0)
			break;
		depth += c == '(' && !comment;
		depth -= c == ')' && !comment && depth > 0;
		(void)buf_put_byte(record, comment || c == '(' || c == ')' || c == '\t' || c == '\r' || c == '\n' ? ' ' : c);
	}
	(void)span_take_byte(text, '\n');
	return true;
}

/* RFC 4034 appendix B. */
static uint16_t
key_tag(struct span rdata)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < rdata.len; i++)
		sum += i & 1 ? rdata.p[i] : (uint32_t)rdata.p[i] << 8;
	return (uint16_t)(sum + (sum >> 16));
}

/* "257 3 8 BASE64", which may be in pieces. */
static bool
key_of(struct span fields, uint16_t *tag)
{
	uint8_t text_room[RECORD_MAX], rdata_room[KEY_MAX];
	struct buf text = BUF_OVER(text_room), rdata = BUF_OVER(rdata_room);
	uint64_t flags, protocol, algorithm;

	if (!span_take_u64(&fields, &flags) || span_take_spaces(&fields) == 0 || !span_take_u64(&fields, &protocol) ||
	    span_take_spaces(&fields) == 0 || !span_take_u64(&fields, &algorithm))
		return false;
	(void)(buf_put_byte(&rdata, (uint8_t)(flags >> 8)) && buf_put_byte(&rdata, (uint8_t)flags) &&
	    buf_put_byte(&rdata, (uint8_t)protocol) && buf_put_byte(&rdata, (uint8_t)algorithm));
	for (struct span piece; !span_done(piece = span_take_word(&fields));)
		if (!buf_put(&text, piece))
			return false;
	if (!base64_parse(buf_span(&text), &rdata))
		return false;
	*tag = key_tag(buf_span(&rdata));
	return true;
}

static bool
is_retired(uint16_t tag)
{
	for (size_t i = 0; i < sizeof retired / sizeof retired[0]; i++)
		if (retired[i] == tag)
			return true;
	return false;
}

/* Whose keys have been seen. */
struct seen {
	bool any, root, root_signs;
};

/* A key whose tag cannot be told is taken for one that signs. */
static void
judge_record(struct span record, struct seen *seen)
{
	bool root = !span_done(record) && record.p[0] == '.' && (record.len == 1 || record.p[1] == ' ');

	for (struct span word; !span_done(word = span_take_word(&record));) {
		bool ds = span_same(word, SPAN("DS"));
		uint64_t number;
		uint16_t tag;

		if (!ds && !span_same(word, SPAN("DNSKEY")))
			continue;
		if (ds && span_take_u64(&record, &number))
			tag = (uint16_t)number;
		else if (ds || !key_of(record, &tag))
			tag = 0;
		seen->any = true;
		seen->root |= root;
		seen->root_signs |= root && !is_retired(tag);
		return;
	}
}

enum dns_anchor
dns_anchor_judge(struct span text)
{
	uint8_t room[RECORD_MAX];
	struct buf record = BUF_OVER(room);
	struct seen seen = { .any = false };

	while (take_record(&text, &record))
		judge_record(buf_span(&record), &seen);
	if (!seen.any)
		return DNS_ANCHOR_NONE;
	return seen.root && !seen.root_signs ? DNS_ANCHOR_RETIRED : DNS_ANCHOR_GOOD;
}

/* ---- the file ---- */

static bool
judge_file(const char *file, enum dns_anchor *out, struct buf *why)
{
	size_t len;
	char *text = file_read(file, FILE_MAX, &len);

	if (text == NULL)
		return buf_refuse(why, strerror(errno), NULL);
	*out = dns_anchor_judge((struct span){ (const uint8_t *)text, len });
	free(text);
	return true;
}

/* "[1795463678] libunbound[4175:0] error: parse error in FILE:2:12 : words": the line is the one behind, so only the words are of use. */
static bool
refuse_with(char *said, int err, struct buf *why)
{
	char *begin = strstr(said, "error: "), *words;

	said[strcspn(said, "\n")] = '\0';
	begin = begin != NULL ? begin + strlen("error: ") : said;
	words = strstr(begin, " : ");
	words = words != NULL ? words + strlen(" : ") : begin;
	return buf_refuse(why, "libunbound cannot read it", words[0] != '\0' ? words : ub_strerror(err));
}

/* Files are read with the first question; one about localhost goes nowhere (RFC 6761 6.3). */
static int
read_by_unbound(const char *file, FILE *said)
{
	struct ub_ctx *ctx = ub_ctx_create();
	struct ub_result *result = NULL;
	int err;

	if (ctx == NULL)
		return UB_NOMEM;
	err = ub_ctx_debugout(ctx, said);
	if (err == 0)
		err = ub_ctx_add_ta_file(ctx, file);
	if (err == 0)
		err = ub_resolve(ctx, "localhost", 1, 1, &result);
	ub_resolve_free(result);
	/* It is the library's for good, not the context's. */
	(void)ub_ctx_debugout(ctx, NULL);
	ub_ctx_delete(ctx);
	return err;
}

bool
dns_anchor_usable(const char *file, struct buf *why)
{
	enum dns_anchor judged;
	char *text = NULL;
	size_t len;
	FILE *said;
	int err;

	if (!judge_file(file, &judged, why))
		return false;
	said = open_memstream(&text, &len);
	if (said == NULL)
		return buf_refuse(why, strerror(errno), NULL);
	err = read_by_unbound(file, said);
	(void)fclose(said);
	if (err != 0)
		(void)refuse_with(text, err, why);
	free(text);
	if (err == 0 && judged == DNS_ANCHOR_NONE)
		return buf_refuse(why, "no DS or DNSKEY record is in it, so no answer would ever be validated", NULL);
	return err == 0;
}

bool
dns_anchor_current(const char *file, struct buf *why)
{
	uint8_t unused_room[200];
	struct buf unused = BUF_OVER(unused_room);
	enum dns_anchor judged;

	if (!judge_file(file, &judged, &unused) || judged != DNS_ANCHOR_RETIRED)
		return true;
	return buf_refuse(why, "of the root's keys it holds only such as sign no more (since 2026-10-11), so every answer would be taken for "
	    "forged; right would be a newer one, of the package dns-root-data or from unbound-anchor(8)", NULL);
}

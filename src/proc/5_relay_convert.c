#include "proc/5_relay_convert.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "mail/unitext.h"
#include "os/log.h"
#include "proc/5_relay.h"

/* ---- who lacks what ---- */

static const struct relay_try *
facts_of(const struct relay_connection *k)
{
	return &k->attempt->facts;
}

static bool
takes_binary(const struct relay_connection *k)
{
	return k->smtp.caps.binary && k->smtp.caps.chunking;
}

/* Without the flag any octets above 127 in a header came as they are, and go on as they are (RFC 6532 is not theirs). */
static struct downgrade_hop
hop_of(const struct relay_connection *k)
{
	const struct smtp_client_caps *caps = &k->smtp.caps;

	return (struct downgrade_hop){ .eightbit = caps->eightbit,
		.utf8 = caps->eightbit && (caps->utf8 || !(facts_of(k)->flags & MAIL_UTF8)) };
}

static bool
is_due(const struct relay_connection *k)
{
	const struct smtp_client_caps *caps = &k->smtp.caps;
	uint32_t flags = facts_of(k)->flags;

	return ((flags & MAIL_BINARY) && !takes_binary(k)) || ((flags & MAIL_8BIT) && !(flags & MAIL_BINARY) && !caps->eightbit)
	    || ((flags & MAIL_UTF8) && !caps->utf8);
}

static void
refuse_everybody(struct relay_connection *k, const char *enhanced, const char *why)
{
	struct relay_attempt *a = k->attempt;

	relay_reason_set(&k->reason, SMTP_CLASS_NEVER, 0, enhanced, why);
	k->reason.stage = SMTP_STAGE_MAIL;
	for (uint32_t i = 0; i < a->facts.rcpts; i++)
		relay_attempt_report(a, i, &k->reason, span_of(k->reason.text), false);
}

/* ---- addresses (RFC 6531 3.2) ---- */

bool
relay_convert_path(const struct relay_connection *k, struct span path, struct buf *out)
{
	char name[MX_NAME_MAX];
	size_t at = path.len;

	if (k->smtp.caps.utf8 || utf8_is_ascii(path))
		return buf_put(out, path);
	while (at > 0 && path.p[at - 1] != '@')
		at--;
	/* A domain has two forms, and the one in A-labels is not internationalised; a local part has one. */
	if (at == 0 || !utf8_is_ascii(span_head(path, at)) || !dns_ascii((struct span){ path.p + at, path.len - at }, name))
		return false;
	return buf_room(out) >= at + strlen(name) && buf_put(out, span_head(path, at)) && buf_put_text(out, name);
}

struct span
relay_convert_orcpt(const struct relay_connection *k, struct span orcpt, struct buf *out)
{
	if (k->smtp.caps.utf8 || utf8_is_ascii(orcpt))
		return orcpt;
	return unitext_narrow(orcpt, out) ? buf_span(out) : (struct span){ NULL, 0 };
}

static bool
sayable(const struct relay_connection *k, struct span path)
{
	uint8_t text[PATH_MAX_OCTETS];
	struct buf out = BUF_OVER(text);

	return relay_convert_path(k, path, &out);
}

/* False: nobody is left. */
static bool
addresses_fit(struct relay_connection *k)
{
	struct relay_attempt *a = k->attempt;

	if (!sayable(k, a->facts.reverse_path)) {
		refuse_everybody(k, "5.6.7", "the sender's address is internationalised and the next hop does not offer SMTPUTF8");
		return false;
	}
	relay_reason_set(&k->reason, SMTP_CLASS_NEVER, 0, "5.6.7",
	    "the address is internationalised and the next hop does not offer SMTPUTF8");
	k->reason.stage = SMTP_STAGE_RCPT;
	for (uint32_t i = 0; i < a->facts.rcpts; i++)
		if (!a->rcpt[i].done && !sayable(k, relay_attempt_path(a, i)))
			relay_attempt_report(a, i, &k->reason, span_of(k->reason.text), false);
	return a->left > 0;
}

/* ---- the walk ---- */

static void
conversion_enter(struct relay_conversion *c, enum relay_convert_phase next)
{
	c->state = next;
	c->cursor = (struct relay_cursor){ 0, 0 };
	c->given = 0;
	c->out = (struct buf){ c->octets, 0, sizeof c->octets };
	c->taken = 0;
	c->over = false;
	if (next == RELAY_CONVERT_SURVEY)
		downgrade_survey_begin(&c->walk.survey, &c->plan, &c->hop);
	else
		downgrade_begin(&c->walk.writer, &c->plan, &c->out);
}

/* The next piece of the original; empty at its end. False: it cannot be read. */
static bool
read_piece(struct relay *relay, const struct relay_try *m, struct relay_conversion *c, size_t most, struct span *piece)
{
	uint64_t left = m->size - c->given;
	size_t n = left < most ? (size_t)left : most;

	*piece = (struct span){ relay->content, 0 };
	if (n > 0)
		piece->len = relay_content_read(relay, m, c->cursor, relay->content, n);
	return n == 0 || piece->len > 0;
}

static void
piece_used(const struct relay_try *m, struct relay_conversion *c, size_t octets)
{
	relay_cursor_move(m, &c->cursor, octets);
	c->given += octets;
}

/* Out, which is empty, gets what there is room for. */
static bool
convert_more(struct relay *relay, const struct relay_try *m, struct relay_conversion *c)
{
	c->out.len = c->taken = 0;
	while (!c->over && buf_room(&c->out) >= DOWNGRADE_ROOM) {
		struct span piece;

		if (!read_piece(relay, m, c, RELAY_CONVERT_OUT, &piece))
			return false;
		if (!span_done(piece)) {
			piece_used(m, c, downgrade_feed(&c->walk.writer, piece));
			continue;
		}
		downgrade_end(&c->walk.writer);
		c->over = true;
	}
	return true;
}

/* A slice of the walk. False: the content cannot be read. */
static bool
survey_step(struct relay *relay, const struct relay_try *m, struct relay_conversion *c)
{
	struct span piece;

	if (!read_piece(relay, m, c, RELAY_CONVERT_SLICE, &piece))
		return false;
	downgrade_survey_feed(&c->walk.survey, piece);
	piece_used(m, c, piece.len);
	if (c->given < m->size)
		return true;
	c->verdict = downgrade_survey_end(&c->walk.survey);
	c->size = c->verdict == DOWNGRADE_CONVERT ? 0 : m->size;
	conversion_enter(c, c->verdict == DOWNGRADE_CONVERT ? RELAY_CONVERT_COUNT : RELAY_CONVERT_READY);
	return true;
}

static bool
count_step(struct relay *relay, const struct relay_try *m, struct relay_conversion *c)
{
	uint64_t until = c->given + RELAY_CONVERT_SLICE;

	while (!c->over && c->given < until) {
		if (!convert_more(relay, m, c))
			return false;
		c->size += c->out.len;
	}
	if (c->over)
		conversion_enter(c, RELAY_CONVERT_READY);
	return true;
}

static void
unlink_from(struct relay *relay, struct relay_conversion *c)
{
	struct relay_conversion **at = &relay->converter.first;

	while (*at != NULL && *at != c)
		at = &(*at)->next;
	if (*at == c)
		*at = c->next;
	c->waiting = NULL;
	if (relay->converter.first == NULL)
		(void)uv_idle_stop(&relay->converter.turn);
}

/* One slice of one message in each turn, those that wait in turn. */
static void
on_turn(uv_idle_t *idle)
{
	struct relay *relay = idle->data;
	struct relay_conversion *c = relay->converter.first, **last = &relay->converter.first;
	struct relay_connection *k = c->waiting;
	const struct relay_try *m = facts_of(k);

	if (!(c->state == RELAY_CONVERT_SURVEY ? survey_step(relay, m, c) : count_step(relay, m, c))) {
		unlink_from(relay, c);
		relay_talk_lost(k, "the message could not be read from the spool");
		return;
	}
	if (c->state == RELAY_CONVERT_READY) {
		unlink_from(relay, c);
		relay_talk_carry_on(k);
		return;
	}
	relay->converter.first = c->next;
	while (*last != NULL)
		last = &(*last)->next;
	*last = c;
	c->next = NULL;
}

static bool
walk_begin(struct relay_connection *k)
{
	struct relay *relay = k->relay;
	struct relay_conversion *c = k->attempt->conversion;

	if (c == NULL)
		c = k->attempt->conversion = malloc(sizeof *c);
	if (c == NULL)
		return false;
	*c = (struct relay_conversion){ .next = relay->converter.first, .waiting = k, .hop = hop_of(k) };
	conversion_enter(c, RELAY_CONVERT_SURVEY);
	relay->converter.first = c;
	relay->converter.turn.data = relay;
	(void)uv_idle_start(&relay->converter.turn, on_turn);
	k->deadline = relay_now(relay) + RELAY_CONVERT_MS;
	relay_connection_watch(k, 0);
	return true;
}

/* ---- the verdict ---- */

static void
log_conversion(const struct relay_connection *k, enum log_level level, const char *event, const char *why)
{
	const struct relay_conversion *c = k->attempt->conversion;
	struct log_line l;

	log_begin(&l, level, event);
	log_id(&l, "id", facts_of(k)->queue_id);
	log_text(&l, "host", k->reason.host);
	log_u64(&l, "size", facts_of(k)->size);
	log_u64(&l, "becomes", c->size);
	if (why[0] != 0)
		log_text(&l, "why", why);
	log_end(&l);
}

/* Why it may not be converted; NULL: it may. */
static const char *
why_not(const struct relay_connection *k)
{
	const struct relay_conversion *c = k->attempt->conversion;
	enum conf_conversion said = k->relay->child.conf.down_conversion;

	if (c->verdict != DOWNGRADE_CONVERT)
		return c->plan.why;
	if (said == CONF_CONVERT_NEVER)
		return "down-conversion = never";
	if (said == CONF_CONVERT_UNSIGNED && c->plan.dkim)
		return "its DKIM-Signature would be broken";
	return NULL;
}

static enum relay_convert_answer
judge(struct relay_connection *k)
{
	const struct relay_conversion *c = k->attempt->conversion;
	bool binary = (facts_of(k)->flags & MAIL_BINARY) != 0;
	char text[300];
	struct buf words = BUF_OVER(text);
	const char *why = c->verdict == DOWNGRADE_AS_IT_IS ? NULL : why_not(k);

	if (c->verdict == DOWNGRADE_HEADER && (facts_of(k)->flags & MAIL_UTF8)) {
		refuse_everybody(k, "5.6.9", "the message's header is internationalised and the next hop does not offer SMTPUTF8");
		return RELAY_CONVERT_REFUSED;
	}
	if (why != NULL) {
		(void)buf_put_text(&words, binary ? "the message is binary and the next hop does not offer BINARYMIME and CHUNKING; "
		    : "the message has octets above 127 and the next hop does not offer 8BITMIME; ");
		(void)buf_put_text(&words, "it was not converted: ");
		(void)buf_put_text(&words, why);
		(void)buf_terminate(&words);
		log_conversion(k, LOG_NOTE, "not-converted", why);
		refuse_everybody(k, "5.6.3", text);
		return RELAY_CONVERT_REFUSED;
	}
	if (c->verdict == DOWNGRADE_CONVERT)
		log_conversion(k, LOG_FINE, "converted", "");
	return RELAY_CONVERT_GO;
}

enum relay_convert_answer
relay_convert_ask(struct relay_connection *k)
{
	const struct relay_conversion *c = k->attempt->conversion;
	struct downgrade_hop hop = hop_of(k);

	if (!is_due(k)) {
		relay_conversion_free(k->relay, k->attempt->conversion);
		k->attempt->conversion = NULL;
		return RELAY_CONVERT_GO;
	}
	if (!k->smtp.caps.utf8 && (facts_of(k)->flags & MAIL_UTF8) && !addresses_fit(k))
		return RELAY_CONVERT_REFUSED;
	if (c != NULL && c->state == RELAY_CONVERT_READY && c->hop.eightbit == hop.eightbit && c->hop.utf8 == hop.utf8)
		return judge(k);
	if (walk_begin(k))
		return RELAY_CONVERT_WAIT;
	relay_reason_set(&k->reason, SMTP_CLASS_LATER, 0, "4.3.0", "out of memory");
	k->reason.stage = SMTP_STAGE_MAIL;
	for (uint32_t i = 0; i < k->attempt->facts.rcpts; i++)
		relay_attempt_report(k->attempt, i, &k->reason, span_of(k->reason.text), false);
	return RELAY_CONVERT_REFUSED;
}

void
relay_convert_stop(struct relay_connection *k)
{
	if (k->attempt == NULL)
		return;
	relay_conversion_free(k->relay, k->attempt->conversion);
	k->attempt->conversion = NULL;
}

void
relay_conversion_free(struct relay *relay, struct relay_conversion *c)
{
	if (c != NULL && c->waiting != NULL)
		unlink_from(relay, c);
	free(c);
}

/* ---- the octets that go out ---- */

static struct relay_conversion *
converted(const struct relay_attempt *a)
{
	struct relay_conversion *c = a->conversion;

	return c != NULL && c->verdict == DOWNGRADE_CONVERT ? c : NULL;
}

/* What is left of the signatures, which go before everything else. */
static struct span
front_left(const struct relay_connection *k)
{
	struct span front = relay_dkim_front(k->attempt);

	span_skip(&front, k->attempt->seal.given);
	return front;
}

void
relay_outgoing_begin(struct relay_connection *k)
{
	struct relay_conversion *c = converted(k->attempt);

	k->cursor = (struct relay_cursor){ 0, 0 };
	k->given = k->attempt->seal.given = 0;
	if (c != NULL)
		conversion_enter(c, RELAY_CONVERT_READY);
}

uint64_t
relay_outgoing_size(const struct relay_connection *k)
{
	const struct relay_conversion *c = k->attempt->conversion;

	return (c != NULL ? c->size : facts_of(k)->size) + relay_dkim_front(k->attempt).len;
}

bool
relay_outgoing_eightbit(const struct relay_connection *k)
{
	const struct relay_conversion *c = k->attempt->conversion;

	return c != NULL ? c->plan.eightbit && c->hop.eightbit : (facts_of(k)->flags & MAIL_8BIT) != 0;
}

bool
relay_outgoing_binary(const struct relay_connection *k)
{
	return k->attempt->conversion == NULL && (facts_of(k)->flags & MAIL_BINARY) != 0;
}

bool
relay_outgoing(struct relay_connection *k, struct span *octets, bool *last)
{
	const struct relay_try *m = facts_of(k);
	struct relay_conversion *c = converted(k->attempt);
	uint64_t left = m->size - k->given;
	size_t room = buf_room(&k->io.out), most = room > RELAY_CONTENT_LEAST ? room : RELAY_CONTENT_LEAST;
	struct span front = front_left(k);

	if (!span_done(front)) {
		*octets = front;
		*last = false;
		return true;
	}
	if (c != NULL) {
		if (c->taken == c->out.len && !convert_more(k->relay, m, c))
			return false;
		*octets = (struct span){ c->out.p + c->taken, c->out.len - c->taken };
		*last = c->over;
		return true;
	}
	octets->p = k->relay->content;
	octets->len = relay_content_read(k->relay, m, k->cursor, k->relay->content, left < most ? (size_t)left : most);
	*last = octets->len == left;
	return octets->len > 0 || left == 0;
}

void
relay_outgoing_used(struct relay_connection *k, size_t octets)
{
	struct relay_conversion *c = converted(k->attempt);

	if (!span_done(front_left(k))) {
		k->attempt->seal.given += (uint32_t)octets;
		return;
	}
	if (c != NULL) {
		c->taken += octets;
		return;
	}
	relay_cursor_move(facts_of(k), &k->cursor, octets);
	k->given += octets;
}

/* ---- the same octets, for signing ---- */

uint32_t
relay_conversion_form(const struct relay_attempt *a)
{
	const struct relay_conversion *c = converted(a);

	return c == NULL ? RELAY_FORM_STORED : RELAY_FORM_CONVERTED | (c->hop.eightbit ? RELAY_FORM_EIGHTBIT : 0u) |
	    (c->hop.utf8 ? RELAY_FORM_UTF8 : 0u);
}

struct relay_conversion *
relay_conversion_again(const struct relay_attempt *a)
{
	const struct relay_conversion *of = a->conversion;
	struct relay_conversion *c = malloc(sizeof *c);

	if (c == NULL)
		return NULL;
	*c = (struct relay_conversion){ .verdict = of->verdict, .hop = of->hop, .plan = of->plan, .size = of->size };
	conversion_enter(c, RELAY_CONVERT_READY);
	return c;
}

size_t
relay_conversion_read(struct relay *relay, const struct relay_try *m, struct relay_conversion *c, uint8_t *to, size_t max)
{
	struct span octets;

	if (c->taken == c->out.len && (c->over || !convert_more(relay, m, c)))
		return 0;
	octets = span_head((struct span){ c->out.p + c->taken, c->out.len - c->taken }, max);
	memcpy(to, octets.p, octets.len);
	c->taken += octets.len;
	return octets.len;
}

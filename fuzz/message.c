/*
 * fuzz/message.c - what a taken-over process could send to another: every layout of proc/peers.h. The first octet picks the
 * layout, the rest is the body of a frame. What parses is written to the same octets, and what was written parses to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue_id.h"
#include "proc/peers.h"

static const struct layout *const layouts[] = {
	&master_certificate_layout, &master_listen_layout, &master_peer_layout, &auth_start_layout, &auth_result_layout,
	&auth_verdict_layout, &spool_mail_layout, &spool_rcpt_layout, &spool_commit_layout, &spool_committed_layout,
	&spool_state_layout, &relay_segment_layout, &relay_try_layout, &relay_result_layout, &queue_list_layout,
	&queue_which_layout, &queue_entry_layout, &queue_recipient_layout, &queue_end_layout,
	&sign_ask_layout, &sign_answer_layout, &child_alarm_layout, &auth_spend_layout, &auth_spent_layout,
	&guard_outcome_layout, &guard_notice_layout, &guard_hold_layout, &queue_held_layout, &ledger_which_layout,
	&ledger_attempt_layout, &ledger_lock_layout, &spool_admitted_layout, &queue_reschedule_layout,
	&relay_letter_layout, &relay_letter_taken_layout, &filter_ask_layout, &filter_verdict_layout, &spool_refused_layout,
	&filter_leave_layout, &spool_ask_rcpt_layout, &spool_heard_layout,
	&history_segment_layout, &history_durable_layout, &history_gone_layout, &history_at_layout, &where_ask_layout,
	&where_message_layout, &where_recipient_layout, &where_attempt_layout, &where_event_layout, &where_gap_layout,
	&where_end_layout, &hook_send_layout, &hook_sent_layout,
};

union any_message {
	struct master_certificate master_certificate;
	struct master_listen master_listen;
	struct auth_start auth_start;
	struct auth_result auth_result;
	struct spool_mail spool_mail;
	struct spool_rcpt spool_rcpt;
	struct relay_try relay_try;
	struct relay_result relay_result;
	struct relay_letter relay_letter;
	struct queue_list queue_list;
	struct queue_entry queue_entry;
	struct queue_recipient queue_recipient;
	struct queue_end queue_end;
	struct queue_held queue_held;
	struct guard_outcome guard_outcome;
	struct guard_notice guard_notice;
	struct guard_hold guard_hold;
	struct child_alarm child_alarm;
	struct auth_spend auth_spend;
	struct where_message where_message;
	struct where_attempt where_attempt;
	struct where_end where_end;
	struct hook_send hook_send;
	struct auth_spent auth_spent;
	struct ledger_which ledger_which;
	struct ledger_attempt ledger_attempt;
	struct ledger_lock ledger_lock;
	struct filter_ask filter_ask;
	struct filter_verdict filter_verdict;
	struct spool_refused spool_refused;
	struct sign_ask sign_ask;
	struct sign_answer sign_answer;
};

static void
insist(bool good)
{
	if (!good)
		abort();
}

static bool
field_equal(const struct field *f, const void *a, const void *b)
{
	const uint8_t *x = (const uint8_t *)a + f->offset, *y = (const uint8_t *)b + f->offset;
	struct span s, t;

	if (f->kind != FIELD_SPAN)
		return memcmp(x, y, f->kind == FIELD_U32 ? 4 : 8) == 0;
	memcpy(&s, x, sizeof s);
	memcpy(&t, y, sizeof t);
	return s.len <= f->max && span_eq(s, t);
}

static void
try_layout(const struct layout *l, struct span in)
{
	static uint8_t text[1 << 20];
	struct buf written = BUF_OVER(text);
	union any_message one, two;

	if (in.len > sizeof text || !fields_parse(*l, in, &one))
		return;
	insist(fields_format(*l, &one, &written));
	insist(span_eq(buf_span(&written), in));
	insist(fields_parse(*l, buf_span(&written), &two));
	for (size_t i = 0; i < l->count; i++)
		insist(field_equal(&l->field[i], &one, &two));
	/* No beginning of a message is a message. */
	for (size_t shorter = in.len > 64 ? in.len - 64 : 0; shorter < in.len; shorter++)
		insist(!fields_parse(*l, span_head(in, shorter), &two));
}

static void
try_queue_id(struct span in)
{
	uint8_t text[QUEUE_ID_LEN];
	struct buf written = BUF_OVER(text);
	uint64_t id;

	if (queue_id_parse(in, &id))
		insist(queue_id_format(id, &written) && span_eq(buf_span(&written), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };

	if (n == 0)
		return 0;
	span_skip(&in, 1);
	try_layout(layouts[p[0] % (sizeof layouts / sizeof layouts[0])], in);
	try_queue_id(in);
	return 0;
}

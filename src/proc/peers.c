#include "proc/peers.h"

#include <assert.h>

#include "policy/sign_form.h"
#include "tls/dkim_store.h"

const char *
role_name(enum role role)
{
	static const char *const names[ROLE_MAX] = {
		[ROLE_MASTER] = "master", [ROLE_FRONT] = "front", [ROLE_SIGNER] = "signer", [ROLE_AUTH] = "auth",
		[ROLE_SPOOL] = "spool", [ROLE_RELAY] = "relay", [ROLE_HTTP] = "http",
		[ROLE_MILTER] = "milter",
		[ROLE_HISTORY] = "history", [ROLE_HOOK] = "hook",
	};

	assert(role < ROLE_MAX);
	return names[role];
}

bool
message_is_secret(uint16_t type)
{
	switch (type) {
	case MASTER_CERTIFICATE:
	case MASTER_TICKET_KEYS:
	case MASTER_SECRET:
	case MASTER_DKIM:
	case AUTH_START:
	case AUTH_NEXT:
		return true;
	default:
		return false;
	}
}

bool
message_has_descriptor(uint16_t type)
{
	switch (type) {
	case MASTER_LISTEN:
	case MASTER_PEER:
	case RELAY_SEGMENT:
	case FILTER_SEGMENT:
	case HISTORY_SEGMENT:
		return true;
	default:
		return false;
	}
}

static const struct field master_certificate_fields[] = {
	FIELD_OF_U32(struct master_certificate, index),
	FIELD_OF_SPAN(struct master_certificate, chain, 256 * 1024),
	FIELD_OF_SPAN(struct master_certificate, key, 64 * 1024),
};
const struct layout master_certificate_layout = LAYOUT(master_certificate_fields);

static const struct field master_listen_fields[] = {
	FIELD_OF_U32(struct master_listen, service),
	FIELD_OF_SPAN(struct master_listen, address, 300),
	FIELD_OF_U32(struct master_listen, port),
};
const struct layout master_listen_layout = LAYOUT(master_listen_fields);

static const struct field master_peer_fields[] = {
	FIELD_OF_U32(struct master_peer, role),
	FIELD_OF_U32(struct master_peer, slot),
	FIELD_OF_U32(struct master_peer, life),
};
const struct layout master_peer_layout = LAYOUT(master_peer_fields);

static const struct field master_dkim_fields[] = {
	FIELD_OF_U32(struct master_dkim, index),
	FIELD_OF_U32(struct master_dkim, count),
	FIELD_OF_U32(struct master_dkim, algorithm),
	FIELD_OF_SPAN(struct master_dkim, domain, DKIM_SDID_MAX),
	FIELD_OF_SPAN(struct master_dkim, selector, DKIM_SELECTOR_MAX),
	FIELD_OF_SPAN(struct master_dkim, key, DKIM_PEM_MAX),
};
const struct layout master_dkim_layout = LAYOUT(master_dkim_fields);

static const struct field sign_dkim_ask_fields[] = {
	FIELD_OF_U32(struct sign_dkim_ask, algorithm),
	FIELD_OF_SPAN(struct sign_dkim_ask, domain, DKIM_SDID_MAX),
	FIELD_OF_SPAN(struct sign_dkim_ask, selector, DKIM_SELECTOR_MAX),
	FIELD_OF_SPAN(struct sign_dkim_ask, digest, DKIM_DIGEST),
};
const struct layout sign_dkim_ask_layout = LAYOUT(sign_dkim_ask_fields);

static const struct field sign_ask_fields[] = {
	FIELD_OF_U32(struct sign_ask, scheme),
	FIELD_OF_SPAN(struct sign_ask, key, 32),
	FIELD_OF_SPAN(struct sign_ask, to_be_signed, SIGN_OCTETS_MAX),
};
const struct layout sign_ask_layout = LAYOUT(sign_ask_fields);

static const struct field sign_answer_fields[] = {
	FIELD_OF_U32(struct sign_answer, fail),
	FIELD_OF_SPAN(struct sign_answer, signature, SIGN_SIGNATURE_MAX),
};
const struct layout sign_answer_layout = LAYOUT(sign_answer_fields);

static const struct field auth_start_fields[] = {
	FIELD_OF_U32(struct auth_start, mechanism),
	FIELD_OF_U32(struct auth_start, has_initial),
	FIELD_OF_SPAN(struct auth_start, initial, 9216),
	FIELD_OF_SPAN(struct auth_start, peer, 64),
	FIELD_OF_U32(struct auth_start, binding_type),
	FIELD_OF_SPAN(struct auth_start, binding, 64),
	FIELD_OF_SPAN(struct auth_start, helo, 255),
	FIELD_OF_U32(struct auth_start, flags),
};
const struct layout auth_start_layout = LAYOUT(auth_start_fields);

static const struct field auth_result_fields[] = {
	FIELD_OF_U32(struct auth_result, fail),
	FIELD_OF_SPAN(struct auth_result, login, 255),
};
const struct layout auth_result_layout = LAYOUT(auth_result_fields);

static const struct field auth_verdict_fields[] = {
	FIELD_OF_U32(struct auth_verdict, fail),
	FIELD_OF_SPAN(struct auth_verdict, words, 400),
	FIELD_OF_U32(struct auth_verdict, priority),
	FIELD_OF_U64(struct auth_verdict, warrant),
	FIELD_OF_U64(struct auth_verdict, when),
	FIELD_OF_U32(struct auth_verdict, unwatched),
};
const struct layout auth_verdict_layout = LAYOUT(auth_verdict_fields);

static const struct field spool_mail_fields[] = {
	FIELD_OF_U64(struct spool_mail, queue_id),
	FIELD_OF_U64(struct spool_mail, arrival),
	FIELD_OF_SPAN(struct spool_mail, reverse_path, 320),
	FIELD_OF_SPAN(struct spool_mail, login, 255),
	FIELD_OF_SPAN(struct spool_mail, peer, 64),
	FIELD_OF_SPAN(struct spool_mail, helo, 255),
	FIELD_OF_SPAN(struct spool_mail, tls, 128),
	FIELD_OF_U32(struct spool_mail, flags),
	FIELD_OF_U32(struct spool_mail, ret),
	FIELD_OF_SPAN(struct spool_mail, envid, 100),
	FIELD_OF_SPAN(struct spool_mail, auth, 500),
	FIELD_OF_U64(struct spool_mail, size),
	FIELD_OF_U64(struct spool_mail, release),
	FIELD_OF_SPAN(struct spool_mail, hold, 48),
	FIELD_OF_U64(struct spool_mail, deadline),
	FIELD_OF_U32(struct spool_mail, by),
	FIELD_OF_U32(struct spool_mail, priority),
	FIELD_OF_U64(struct spool_mail, warrant),
	FIELD_OF_U64(struct spool_mail, when),
	FIELD_OF_U32(struct spool_mail, unwatched),
};
const struct layout spool_mail_layout = LAYOUT(spool_mail_fields);

static const struct field spool_rcpt_fields[] = {
	FIELD_OF_U32(struct spool_rcpt, number),
	FIELD_OF_SPAN(struct spool_rcpt, path, 320),
	FIELD_OF_U32(struct spool_rcpt, notify),
	FIELD_OF_SPAN(struct spool_rcpt, orcpt, 507),
};
const struct layout spool_rcpt_layout = LAYOUT(spool_rcpt_fields);

static const struct field spool_commit_fields[] = {
	FIELD_OF_U64(struct spool_commit, size),
	FIELD_OF_U32(struct spool_commit, rcpts),
	FIELD_OF_U32(struct spool_commit, flags),
	FIELD_OF_SPAN(struct spool_commit, digest, 16),
	FIELD_OF_SPAN(struct spool_commit, message_id, 255),
	FIELD_OF_U64(struct spool_commit, warrant),
	FIELD_OF_U64(struct spool_commit, when),
};
const struct layout spool_commit_layout = LAYOUT(spool_commit_fields);

static const struct field spool_committed_fields[] = {
	FIELD_OF_U32(struct spool_committed, fail),
	FIELD_OF_U64(struct spool_committed, first),
};
const struct layout spool_committed_layout = LAYOUT(spool_committed_fields);

static const struct field spool_admitted_fields[] = {
	FIELD_OF_U32(struct spool_admitted, fail),
};
const struct layout spool_admitted_layout = LAYOUT(spool_admitted_fields);

static const struct field spool_state_fields[] = {
	FIELD_OF_U32(struct spool_state, fail),
	FIELD_OF_U64(struct spool_state, room),
	FIELD_OF_SPAN(struct spool_state, key, 16),
	FIELD_OF_U32(struct spool_state, asks),
};
const struct layout spool_state_layout = LAYOUT(spool_state_fields);

static const struct field relay_segment_fields[] = {
	FIELD_OF_U64(struct relay_segment, number),
};
const struct layout relay_segment_layout = LAYOUT(relay_segment_fields);

static const struct field relay_try_fields[] = {
	FIELD_OF_U64(struct relay_try, queue_id),
	FIELD_OF_U64(struct relay_try, arrival),
	FIELD_OF_U32(struct relay_try, attempt),
	FIELD_OF_U32(struct relay_try, rcpts),
	FIELD_OF_U32(struct relay_try, flags),
	FIELD_OF_U32(struct relay_try, ret),
	FIELD_OF_SPAN(struct relay_try, destination, 255),
	FIELD_OF_SPAN(struct relay_try, reverse_path, 320),
	FIELD_OF_SPAN(struct relay_try, envid, 100),
	FIELD_OF_U64(struct relay_try, size),
	FIELD_OF_SPAN(struct relay_try, extents, 256 * 1024),
	FIELD_OF_U64(struct relay_try, deadline),
	FIELD_OF_U32(struct relay_try, by),
	FIELD_OF_U32(struct relay_try, priority),
	FIELD_OF_SPAN(struct relay_try, login, 255),
};
const struct layout relay_try_layout = LAYOUT(relay_try_fields);

static const struct field relay_result_fields[] = {
	FIELD_OF_U32(struct relay_result, number),
	FIELD_OF_U32(struct relay_result, class),
	FIELD_OF_U32(struct relay_result, code),
	FIELD_OF_U32(struct relay_result, stage),
	FIELD_OF_U32(struct relay_result, dsn),
	FIELD_OF_U64(struct relay_result, when),
	FIELD_OF_SPAN(struct relay_result, enhanced, 16),
	FIELD_OF_SPAN(struct relay_result, host, 400),
	FIELD_OF_SPAN(struct relay_result, tls, 400),
	FIELD_OF_SPAN(struct relay_result, text, 480),
	FIELD_OF_U32(struct relay_result, by),
};
const struct layout relay_result_layout = LAYOUT(relay_result_fields);

static const struct field relay_letter_fields[] = {
	FIELD_OF_SPAN(struct relay_letter, to, 320),
	FIELD_OF_SPAN(struct relay_letter, domain, 255),
	FIELD_OF_U32(struct relay_letter, day),
	FIELD_OF_U64(struct relay_letter, successful),
	FIELD_OF_U64(struct relay_letter, failed),
	FIELD_OF_U64(struct relay_letter, missed),
	FIELD_OF_SPAN(struct relay_letter, report, RELAY_REPORT_MAX),
};
const struct layout relay_letter_layout = LAYOUT(relay_letter_fields);

static const struct field relay_letter_taken_fields[] = {
	FIELD_OF_U32(struct relay_letter_taken, fail),
};
const struct layout relay_letter_taken_layout = LAYOUT(relay_letter_taken_fields);

static const struct field queue_list_fields[] = {
	FIELD_OF_U64(struct queue_list, after),
	FIELD_OF_U32(struct queue_list, most),
	FIELD_OF_U32(struct queue_list, held),
	FIELD_OF_SPAN(struct queue_list, address, 300),
};
const struct layout queue_list_layout = LAYOUT(queue_list_fields);

static const struct field queue_which_fields[] = {
	FIELD_OF_U64(struct queue_which, id),
};
const struct layout queue_which_layout = LAYOUT(queue_which_fields);

static const struct field queue_entry_fields[] = {
	FIELD_OF_U64(struct queue_entry, id),
	FIELD_OF_U64(struct queue_entry, arrival),
	FIELD_OF_U64(struct queue_entry, size),
	FIELD_OF_U64(struct queue_entry, next_try),
	FIELD_OF_U32(struct queue_entry, rcpts),
	FIELD_OF_U32(struct queue_entry, waiting),
	FIELD_OF_U32(struct queue_entry, attempts),
	FIELD_OF_SPAN(struct queue_entry, reverse_path, 320),
	FIELD_OF_SPAN(struct queue_entry, login, 255),
	FIELD_OF_SPAN(struct queue_entry, peer, 64),
	FIELD_OF_SPAN(struct queue_entry, tls, 128),
	FIELD_OF_SPAN(struct queue_entry, last, 480),
	FIELD_OF_U64(struct queue_entry, held),
	FIELD_OF_SPAN(struct queue_entry, why, 400),
	FIELD_OF_U64(struct queue_entry, release),
	FIELD_OF_U64(struct queue_entry, deadline),
	FIELD_OF_U32(struct queue_entry, by),
	FIELD_OF_U32(struct queue_entry, priority),
};
const struct layout queue_entry_layout = LAYOUT(queue_entry_fields);

static const struct field queue_recipient_fields[] = {
	FIELD_OF_U32(struct queue_recipient, number),
	FIELD_OF_U32(struct queue_recipient, class),
	FIELD_OF_U32(struct queue_recipient, code),
	FIELD_OF_U32(struct queue_recipient, kind),
	FIELD_OF_U64(struct queue_recipient, when),
	FIELD_OF_SPAN(struct queue_recipient, path, 320),
	FIELD_OF_SPAN(struct queue_recipient, host, 400),
	FIELD_OF_SPAN(struct queue_recipient, tls, 400),
	FIELD_OF_SPAN(struct queue_recipient, text, 480),
};
const struct layout queue_recipient_layout = LAYOUT(queue_recipient_fields);

static const struct field queue_end_fields[] = {
	FIELD_OF_U32(struct queue_end, fail),
	FIELD_OF_U32(struct queue_end, count),
	FIELD_OF_U64(struct queue_end, next),
	FIELD_OF_SPAN(struct queue_end, words, 400),
};
const struct layout queue_end_layout = LAYOUT(queue_end_fields);

static const struct field queue_reschedule_fields[] = {
	FIELD_OF_U64(struct queue_reschedule, id),
	FIELD_OF_U64(struct queue_reschedule, release),
};
const struct layout queue_reschedule_layout = LAYOUT(queue_reschedule_fields);

static const struct field child_alarm_fields[] = {
	FIELD_OF_SPAN(struct child_alarm, event, 32),
	FIELD_OF_SPAN(struct child_alarm, login, 255),
	FIELD_OF_SPAN(struct child_alarm, words, 400),
};
const struct layout child_alarm_layout = LAYOUT(child_alarm_fields);

static const struct field auth_spend_fields[] = {
	FIELD_OF_U32(struct auth_spend, rcpts),
	FIELD_OF_U64(struct auth_spend, queue_id),
};
const struct layout auth_spend_layout = LAYOUT(auth_spend_fields);

static const struct field auth_spent_fields[] = {
	FIELD_OF_U32(struct auth_spent, fail),
	FIELD_OF_U32(struct auth_spent, hold),
	FIELD_OF_U64(struct auth_spent, warrant),
	FIELD_OF_U64(struct auth_spent, when),
};
const struct layout auth_spent_layout = LAYOUT(auth_spent_fields);

static const struct field guard_outcome_fields[] = {
	FIELD_OF_SPAN(struct guard_outcome, login, 255),
	FIELD_OF_U32(struct guard_outcome, delivered),
	FIELD_OF_U32(struct guard_outcome, bounced),
};
const struct layout guard_outcome_layout = LAYOUT(guard_outcome_fields);

static const struct field guard_notice_fields[] = {
	FIELD_OF_SPAN(struct guard_notice, rcpt, 320),
	FIELD_OF_SPAN(struct guard_notice, subject, 200),
	FIELD_OF_SPAN(struct guard_notice, text, 8192),
};
const struct layout guard_notice_layout = LAYOUT(guard_notice_fields);

static const struct field guard_hold_fields[] = {
	FIELD_OF_SPAN(struct guard_hold, login, 255),
	FIELD_OF_SPAN(struct guard_hold, words, 400),
};
const struct layout guard_hold_layout = LAYOUT(guard_hold_fields);

static const struct field queue_held_fields[] = {
	FIELD_OF_U64(struct queue_held, id),
	FIELD_OF_SPAN(struct queue_held, login, 255),
};
const struct layout queue_held_layout = LAYOUT(queue_held_fields);

static const struct field ledger_which_fields[] = {
	FIELD_OF_SPAN(struct ledger_which, login, 255),
	FIELD_OF_SPAN(struct ledger_which, network, 64),
};
const struct layout ledger_which_layout = LAYOUT(ledger_which_fields);

static const struct field ledger_attempt_fields[] = {
	FIELD_OF_SPAN(struct ledger_attempt, login, 255),
	FIELD_OF_SPAN(struct ledger_attempt, network, 64),
	FIELD_OF_U32(struct ledger_attempt, failures),
	FIELD_OF_U32(struct ledger_attempt, secrets),
	FIELD_OF_U32(struct ledger_attempt, known),
	FIELD_OF_U64(struct ledger_attempt, first),
	FIELD_OF_U64(struct ledger_attempt, last),
	FIELD_OF_U64(struct ledger_attempt, until),
	FIELD_OF_SPAN(struct ledger_attempt, words, 400),
};
const struct layout ledger_attempt_layout = LAYOUT(ledger_attempt_fields);

static const struct field ledger_lock_fields[] = {
	FIELD_OF_SPAN(struct ledger_lock, login, 255),
	FIELD_OF_SPAN(struct ledger_lock, words, 400),
	FIELD_OF_U32(struct ledger_lock, step),
	FIELD_OF_U64(struct ledger_lock, since),
};
const struct layout ledger_lock_layout = LAYOUT(ledger_lock_fields);

static const struct field filter_ask_fields[] = {
	FIELD_OF_U64(struct filter_ask, queue_id),
	FIELD_OF_SPAN(struct filter_ask, milter, 200),
	FIELD_OF_U32(struct filter_ask, patience),
	FIELD_OF_U32(struct filter_ask, flags),
	FIELD_OF_U32(struct filter_ask, mechanism),
	FIELD_OF_U32(struct filter_ask, rcpts),
	FIELD_OF_U64(struct filter_ask, size),
	FIELD_OF_SPAN(struct filter_ask, reverse_path, 320),
	FIELD_OF_SPAN(struct filter_ask, login, 255),
	FIELD_OF_SPAN(struct filter_ask, peer, 64),
	FIELD_OF_SPAN(struct filter_ask, helo, 255),
	FIELD_OF_SPAN(struct filter_ask, tls, 128),
	FIELD_OF_SPAN(struct filter_ask, extents, 256 * 1024),
	FIELD_OF_SPAN(struct filter_ask, text, 64 * 1024),
	FIELD_OF_U64(struct filter_ask, talk),
};
const struct layout filter_ask_layout = LAYOUT(filter_ask_fields);

static const struct field filter_leave_fields[] = {
	FIELD_OF_U64(struct filter_leave, talk),
};
const struct layout filter_leave_layout = LAYOUT(filter_leave_fields);

static const struct field filter_verdict_fields[] = {
	FIELD_OF_U32(struct filter_verdict, kind),
	FIELD_OF_U32(struct filter_verdict, changes),
	FIELD_OF_U32(struct filter_verdict, code),
	FIELD_OF_U64(struct filter_verdict, body_at),
	FIELD_OF_SPAN(struct filter_verdict, enhanced, 11),
	FIELD_OF_SPAN(struct filter_verdict, text, 400),
	FIELD_OF_SPAN(struct filter_verdict, words, 400),
};
const struct layout filter_verdict_layout = LAYOUT(filter_verdict_fields);

static const struct field spool_refused_fields[] = {
	FIELD_OF_U32(struct spool_refused, code),
	FIELD_OF_SPAN(struct spool_refused, enhanced, 11),
	FIELD_OF_SPAN(struct spool_refused, text, 400),
};
const struct layout spool_refused_layout = LAYOUT(spool_refused_fields);

static const struct field spool_ask_rcpt_fields[] = {
	FIELD_OF_SPAN(struct spool_ask_rcpt, path, 320),
	FIELD_OF_U32(struct spool_ask_rcpt, notify),
	FIELD_OF_SPAN(struct spool_ask_rcpt, orcpt, 507),
	FIELD_OF_U32(struct spool_ask_rcpt, mechanism),
};
const struct layout spool_ask_rcpt_layout = LAYOUT(spool_ask_rcpt_fields);

static const struct field spool_heard_fields[] = {
	FIELD_OF_U32(struct spool_heard, fail),
	FIELD_OF_U32(struct spool_heard, code),
	FIELD_OF_SPAN(struct spool_heard, enhanced, 11),
	FIELD_OF_SPAN(struct spool_heard, text, 400),
};
const struct layout spool_heard_layout = LAYOUT(spool_heard_fields);

static const struct field history_segment_fields[] = {
	FIELD_OF_U64(struct history_segment, number),
	FIELD_OF_U64(struct history_segment, salt),
};
const struct layout history_segment_layout = LAYOUT(history_segment_fields);

static const struct field history_durable_fields[] = {
	FIELD_OF_U64(struct history_durable, sequence),
	FIELD_OF_U32(struct history_durable, asked),
};
const struct layout history_durable_layout = LAYOUT(history_durable_fields);

static const struct field history_gone_fields[] = {
	FIELD_OF_U64(struct history_gone, number),
};
const struct layout history_gone_layout = LAYOUT(history_gone_fields);

static const struct field history_at_fields[] = {
	FIELD_OF_U64(struct history_at, segment),
	FIELD_OF_U64(struct history_at, sequence),
	FIELD_OF_U32(struct history_at, again),
};
const struct layout history_at_layout = LAYOUT(history_at_fields);

static const struct field where_ask_fields[] = {
	FIELD_OF_SPAN(struct where_ask, what, 512),
	FIELD_OF_U64(struct where_ask, before),
	FIELD_OF_U32(struct where_ask, most),
};
const struct layout where_ask_layout = LAYOUT(where_ask_fields);

static const struct field where_message_fields[] = {
	FIELD_OF_U64(struct where_message, id),
	FIELD_OF_U64(struct where_message, arrival),
	FIELD_OF_U64(struct where_message, size),
	FIELD_OF_U32(struct where_message, flags),
	FIELD_OF_U32(struct where_message, rcpts),
	FIELD_OF_SPAN(struct where_message, sender, 320),
	FIELD_OF_SPAN(struct where_message, login, 255),
	FIELD_OF_SPAN(struct where_message, peer, 64),
	FIELD_OF_SPAN(struct where_message, tls, 128),
	FIELD_OF_SPAN(struct where_message, message_id, 255),
};
const struct layout where_message_layout = LAYOUT(where_message_fields);

static const struct field where_recipient_fields[] = {
	FIELD_OF_U64(struct where_recipient, id),
	FIELD_OF_U32(struct where_recipient, number),
	FIELD_OF_SPAN(struct where_recipient, path, 320),
};
const struct layout where_recipient_layout = LAYOUT(where_recipient_fields);

static const struct field where_attempt_fields[] = {
	FIELD_OF_U64(struct where_attempt, id),
	FIELD_OF_U64(struct where_attempt, when),
	FIELD_OF_U32(struct where_attempt, number),
	FIELD_OF_U32(struct where_attempt, attempt),
	FIELD_OF_U32(struct where_attempt, class),
	FIELD_OF_U32(struct where_attempt, code),
	FIELD_OF_U32(struct where_attempt, took),
	FIELD_OF_SPAN(struct where_attempt, status, 16),
	FIELD_OF_SPAN(struct where_attempt, host, 400),
	FIELD_OF_SPAN(struct where_attempt, tls, 400),
	FIELD_OF_SPAN(struct where_attempt, text, 480),
	FIELD_OF_SPAN(struct where_attempt, reply, 20),
};
const struct layout where_attempt_layout = LAYOUT(where_attempt_fields);

static const struct field where_event_fields[] = {
	FIELD_OF_U64(struct where_event, id),
	FIELD_OF_U64(struct where_event, when),
	FIELD_OF_U64(struct where_event, other),
	FIELD_OF_U32(struct where_event, kind),
	FIELD_OF_SPAN(struct where_event, words, 480),
};
const struct layout where_event_layout = LAYOUT(where_event_fields);

static const struct field where_gap_fields[] = {
	FIELD_OF_U64(struct where_gap, when),
	FIELD_OF_SPAN(struct where_gap, words, 480),
};
const struct layout where_gap_layout = LAYOUT(where_gap_fields);

static const struct field where_end_fields[] = {
	FIELD_OF_U32(struct where_end, fail),
	FIELD_OF_U32(struct where_end, messages),
	FIELD_OF_U64(struct where_end, next),
	FIELD_OF_U64(struct where_end, begun),
	FIELD_OF_U64(struct where_end, behind),
	FIELD_OF_SPAN(struct where_end, words, 400),
};
const struct layout where_end_layout = LAYOUT(where_end_fields);

static const struct field hook_send_fields[] = {
	FIELD_OF_U64(struct hook_send, row),
	FIELD_OF_SPAN(struct hook_send, event_id, 64),
	FIELD_OF_SPAN(struct hook_send, body, 16384),
};
const struct layout hook_send_layout = LAYOUT(hook_send_fields);

static const struct field hook_sent_fields[] = {
	FIELD_OF_U64(struct hook_sent, row),
	FIELD_OF_U32(struct hook_sent, good),
	FIELD_OF_SPAN(struct hook_sent, words, 400),
};
const struct layout hook_sent_layout = LAYOUT(hook_sent_fields);

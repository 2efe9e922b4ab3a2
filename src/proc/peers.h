/*
 * proc/peers.h - who may say what to whom. Every private message of the program stands here and nowhere else; what is in
 * each, in the peers_*.h beside it.
 *
 * Each process is started with one descriptor (3): its channel to 0_master; 4_spool with one more. Everything else arrives over it. The direction of
 * each message stands in its comment; `session` in the frame is the number the asking side chose, unique while it lives.
 * The layouts are in proc/peers.c. The answering side keeps its own copy of the order and ends a peer that breaks it.
 */
#ifndef POSTERN_PROC_PEERS_H
#define POSTERN_PROC_PEERS_H

#include "base/fields.h"
#include "os/channel.h"
#include "proc/peers_auth.h"
#include "proc/peers_control.h"
#include "proc/peers_filter.h"
#include "proc/peers_history.h"
#include "proc/peers_mail.h"
#include "proc/peers_master.h"
#include "proc/peers_sign.h"

/* 4_spool has the spool directory's lock as well: as long as it lives, whatever became of the master, nobody else may write there. */
enum { PEERS_MASTER_FD = 3, PEERS_LOCK_FD = 4, PEERS_SLOTS_MAX = 64, HOOK_IN_FLIGHT = 8 };

enum role { ROLE_MASTER, ROLE_FRONT, ROLE_SIGNER, ROLE_AUTH, ROLE_SPOOL, ROLE_RELAY, ROLE_HTTP, ROLE_MILTER, ROLE_HISTORY, ROLE_HOOK, ROLE_MAX };
/* "front", "auth", ... */
const char *role_name(enum role);

enum message {
	/* 0_master to everybody. Configuration is staged, then taken with GO (at start) or RELOAD (later). */
	MASTER_CONF = 1,        /* raw octets: conf_format() lines */
	MASTER_CERTIFICATE,     /* struct master_certificate, to fronts without the key, to 2_signer with it: replaces the staged list
	                         * from index 0 on; 2_signer keeps the list before it for SIGNER_KEPT_MS */
	MASTER_TICKET_KEYS,     /* raw octets: TLS_TICKET_KEYS, to fronts; at once */
	MASTER_LISTEN,          /* struct master_listen with a listening socket, to fronts; control sockets to 4_spool, 3_auth, 7_history */
	MASTER_PEER,            /* struct master_peer with a channel's end; replaces the one of that role and slot; at once */
	MASTER_SECRET,          /* raw octets: smart host's password, to 5_relay; what signs webhooks, to 8_hook; the key of warrants, before
	                         * GO, to 3_auth and 4_spool */
	MASTER_GO,              /* empty: all is given, take the promise and work */
	MASTER_RELOAD,          /* empty: take what is staged, drop no session */
	MASTER_DRAIN,           /* empty: accept nothing new, finish what runs, then say CHILD_DRAINED and exit 0 */
	MASTER_BACK,            /* empty, to 2_signer: the certificates of the list before count again */
	MASTER_PING,            /* empty: say CHILD_PONG; who does not for long enough hangs and is ended */
	MASTER_DKIM = 16,       /* struct master_dkim, one for each key that signs mail: to 2_signer with the key, to 5_relay without;
	                         * staged, and taken with GO or RELOAD */

	/* Everybody to 0_master. */
	CHILD_READY = 20,       /* empty: working; from 2_signer also: RELOAD is done */
	CHILD_DRAINED,          /* empty: about to exit */
	CHILD_PEER_BROKEN,      /* struct master_peer, from who keeps the order: that one has said what no sane one says: end it */
	CHILD_ALARM,            /* struct child_alarm, from 3_auth: tell the operator, by the log and by alarm-command */
	CHILD_PONG,             /* empty */

	/* 1_front to 2_signer; session counts the front's questions from 1 on, and nobody asks before the answer is there. */
	SIGN_ASK = 30,          /* struct sign_ask */
	/* 2_signer to 1_front. */
	SIGN_ANSWER,            /* struct sign_answer */
	/* 5_relay to 2_signer; session counts its questions from 1 on, and at most SIGN_DKIM_WINDOW of them wait. */
	SIGN_DKIM_ASK,          /* struct sign_dkim_ask */
	/* 2_signer to 5_relay, in the order of the questions. */
	SIGN_DKIM_ANSWER,       /* struct sign_answer */

	/* 1_front to 3_auth; session is the SMTP session. */
	AUTH_START = 40,        /* struct auth_start; FRESH only */
	AUTH_NEXT,              /* raw octets of the response; PROVING only */
	AUTH_CANCEL,            /* empty; PROVING only; no answer */
	AUTH_SENDER,            /* raw octets: reverse-path; PROVED only */
	AUTH_AUTHOR,            /* raw octets: one address of the From field; PROVED only */
	AUTH_END,               /* empty: the session is over; no answer */
	AUTH_SPEND,             /* struct auth_spend: PROVED only, before content is asked for: may this principal send so much */
	/* 3_auth to 1_front. */
	AUTH_CHALLENGE = 50,    /* raw octets, to START and NEXT */
	AUTH_RESULT,            /* struct auth_result, to START and NEXT */
	AUTH_VERDICT,           /* struct auth_verdict, to SENDER and AUTHOR */
	AUTH_SPENT,             /* struct auth_spent, to SPEND */
	/* 1_front to 4_spool; session is the SMTP session: one draft at a time. */
	SPOOL_MAIL = 60,        /* struct spool_mail: opens the draft */
	SPOOL_RCPT,             /* struct spool_rcpt */
	SPOOL_BODY,             /* raw octets of content */
	SPOOL_COMMIT,           /* struct spool_commit: answered when durable */
	SPOOL_ABORT,            /* empty: no answer */
	SPOOL_ASK_RCPT,         /* struct spool_ask_rcpt: the same as RCPT, and HEARD answers */
	/* 4_spool to 1_front. */
	SPOOL_COMMITTED = 70,   /* struct spool_committed */
	SPOOL_STATE,            /* struct spool_state: at start and when it changes */
	SPOOL_ADMITTED,         /* struct spool_admitted, to a MAIL with a release time: may this principal have one more of those */

	/* 4_spool to 5_relay; session is the try. */
	RELAY_SEGMENT = 80,     /* struct relay_segment with a read-only descriptor */
	RELAY_SEGMENT_GONE,     /* struct relay_segment */
	RELAY_TRY,              /* struct relay_try, then one RELAY_RCPT for each recipient */
	RELAY_RCPT,             /* struct spool_rcpt */
	RELAY_LETTER_TAKEN = 85, /* struct relay_letter_taken, to LETTER: it is durable, or why it is not ours */
	/* 5_relay to 4_spool. */
	RELAY_RESULT = 90,      /* struct relay_result, one for each recipient of the try */
	RELAY_DONE,             /* empty: the try is over; recipients without a result count as "later", a try without any
	                         * result as not made */
	RELAY_LETTER,           /* struct relay_letter: a mail of ours */

	/* 4_spool to 3_auth; no answer. */
	GUARD_OUTCOME = 95,     /* struct guard_outcome: recipients of a principal's message that are final */
	/* 3_auth to 4_spool; no answer. */
	GUARD_NOTICE,           /* struct guard_notice: a mail of ours to a principal's recovery address */
	GUARD_HOLD,             /* struct guard_hold: what this principal has in the queue waits for the operator from now on */

	/* `postern queue` to 4_spool over the control socket, and its answers: from 100 on, see below. */
	QUEUE_LIST = 100,       /* struct queue_list: QUEUE_ENTRY for each, then QUEUE_END */
	QUEUE_SHOW,             /* struct queue_which: QUEUE_ENTRY, QUEUE_RECIPIENT for each, QUEUE_END */
	QUEUE_RETRY,            /* struct queue_which, id 0: all; QUEUE_END */
	QUEUE_DROP,             /* struct queue_which; QUEUE_END */
	QUEUE_HOLD,             /* struct queue_held; QUEUE_END with how many messages it was */
	QUEUE_RELEASE,          /* struct queue_held; QUEUE_END with how many */
	QUEUE_PURGE,            /* struct queue_held: those that are held are dropped, no notification; QUEUE_END with how many */
	QUEUE_RESCHEDULE,       /* struct queue_reschedule: of what is not released yet only; QUEUE_END when it is synced */
	QUEUE_ENTRY = 110,      /* struct queue_entry */
	QUEUE_RECIPIENT,        /* struct queue_recipient */
	QUEUE_END,              /* struct queue_end */

	/* `postern user` to 3_auth over its control socket, and its answers. */
	LEDGER_ATTEMPTS = 120,  /* struct ledger_which: LEDGER_ATTEMPT for each entry that matches, then QUEUE_END */
	LEDGER_FORGIVE,         /* struct ledger_which: QUEUE_END with how many entries it was */
	LEDGER_LOCKS,           /* struct ledger_which: LEDGER_LOCK for each principal that is slowed, held or locked, then QUEUE_END */
	LEDGER_UNLOCK,          /* struct ledger_which (login): back to normal; QUEUE_END */
	LEDGER_ATTEMPT = 130,   /* struct ledger_attempt */
	LEDGER_LOCK,            /* struct ledger_lock */

	/* 4_spool to 6_milter; session is the question. */
	FILTER_SEGMENT = 160,   /* struct relay_segment with a read-only descriptor */
	FILTER_SEGMENT_GONE,    /* struct relay_segment */
	FILTER_ASK,             /* struct filter_ask, then one FILTER_RCPT for each recipient */
	FILTER_RCPT,            /* raw octets: path */
	FILTER_CANCEL,          /* empty: nobody wants the answer any more; none comes after it but what was under way */
	FILTER_ASK_RCPT,        /* struct filter_ask, about one recipient of a message that is not there yet: VERDICT without changes */
	FILTER_LEAVE,           /* struct filter_leave: that transaction is over */
	/* 6_milter to 4_spool, between ASK and VERDICT and about that draft; nothing of it counts unless the verdict is PASS. */
	FILTER_BODY = 168,      /* raw octets of a new body, as they come; the empty line in front of it among them */
	FILTER_BODY_GONE,       /* empty: what came of a new body is forgotten */
	FILTER_HEADER,          /* raw octets of a new header section, without the empty line */
	FILTER_SENDER,          /* raw octets: reverse-path */
	FILTER_DROP,            /* raw octets: a bit for each recipient, 1: away with it; the first is the lowest of the first octet */
	FILTER_ADD,             /* raw octets: path of one more recipient */
	FILTER_VERDICT,         /* struct filter_verdict: the question is answered */
	/* 4_spool to 1_front, instead of COMMITTED. */
	SPOOL_REFUSED = 179,    /* struct spool_refused: a milter says no, in words of its own */
	SPOOL_HEARD = 178,      /* struct spool_heard, to ASK_RCPT */

	/* 4_spool to 7_history. */
	HISTORY_SEGMENT = 140,  /* struct history_segment with a read-only descriptor; once, in the order of their numbers */
	HISTORY_DURABLE,        /* struct history_durable: read up to here */
	HISTORY_GONE,           /* struct history_gone: that segment has been removed */
	/* 7_history to 4_spool. */
	HISTORY_AT,             /* struct history_at: at the beginning, and after each transaction */
	HISTORY_ASK,            /* empty: sync what is written, then say HISTORY_DURABLE, in any case */

	/* `postern queue where` to 7_history over its control socket, and its answers. */
	WHERE_ASK = 146,        /* struct where_ask: of each message WHERE_MESSAGE, _RECIPIENT, _ATTEMPT, _EVENT; then WHERE_GAP; WHERE_END */
	WHERE_MESSAGE,          /* struct where_message */
	WHERE_RECIPIENT,        /* struct where_recipient */
	WHERE_ATTEMPT,          /* struct where_attempt */
	WHERE_EVENT,            /* struct where_event */
	WHERE_GAP,              /* struct where_gap */
	WHERE_END,              /* struct where_end */

	/* 7_history to 8_hook; HOOK_IN_FLIGHT at once. */
	HOOK_SEND = 155,        /* struct hook_send */
	/* 8_hook to 7_history. */
	HOOK_SENT,              /* struct hook_sent, to SEND */
};

/* Do frames of this type carry a password, a key or a SASL response? For channel_handler.secret. */
bool message_is_secret(uint16_t type);
/* Do they come with a descriptor? For channel_handler.descriptor of who is given some: children by the master, who reads mail by 4_spool. */
bool message_has_descriptor(uint16_t type);

#endif

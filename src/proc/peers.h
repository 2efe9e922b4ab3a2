/*
 * proc/peers.h - who may say what to whom. Every private message of the program is described here and nowhere else.
 *
 * Each process is started with one descriptor (3): its channel to 0_master; 4_spool with one more. Everything else arrives over it. The direction of
 * each message stands in its comment; `session` in the frame is the number the asking side chose, unique while it lives.
 * The layouts are in proc/peers.c. The answering side keeps its own copy of the order and ends a peer that breaks it.
 */
#ifndef POSTERN_PROC_PEERS_H
#define POSTERN_PROC_PEERS_H

#include "base/fields.h"
#include "os/channel.h"

/* 4_spool has the state directory's lock as well: as long as it lives, whatever became of the master, nobody else may write there. */
enum { PEERS_MASTER_FD = 3, PEERS_LOCK_FD = 4, PEERS_SLOTS_MAX = 64 };

enum role { ROLE_MASTER, ROLE_FRONT, ROLE_SIGNER, ROLE_AUTH, ROLE_SPOOL, ROLE_RELAY, ROLE_HTTP, ROLE_MAX };
/* "front", "auth", ... */
const char *role_name(enum role);

enum message {
	/* 0_master to everybody. Configuration is staged, then taken with GO (at start) or RELOAD (later). */
	MASTER_CONF = 1,        /* raw octets: conf_format() lines */
	MASTER_CERTIFICATE,     /* struct master_certificate, to fronts without the key, to 2_signer with it: replaces the staged list
	                         * from index 0 on; 2_signer keeps the list before it for SIGNER_KEPT_MS */
	MASTER_TICKET_KEYS,     /* raw octets: TLS_TICKET_KEYS, to fronts; at once */
	MASTER_LISTEN,          /* struct master_listen with a listening socket, to fronts; control sockets to 4_spool and 3_auth */
	MASTER_PEER,            /* struct master_peer with a channel's end; replaces the one of that role and slot; at once */
	MASTER_SECRET,          /* raw octets: smart host's password, to 5_relay */
	MASTER_GO,              /* empty: all is given, take the promise and work */
	MASTER_RELOAD,          /* empty: take what is staged, drop no session */
	MASTER_DRAIN,           /* empty: accept nothing new, finish what runs, then say CHILD_DRAINED and exit 0 */
	MASTER_BACK,            /* empty, to 2_signer: the certificates of the list before count again */
	MASTER_PING,            /* empty: say CHILD_PONG; who does not for long enough hangs and is ended */

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
	AUTH_UNWATCHED,         /* empty, in front of the RESULT that is OK: there is no need to ask SPEND in this session */
	/* 1_front to 4_spool; session is the SMTP session: one draft at a time. */
	SPOOL_MAIL = 60,        /* struct spool_mail: opens the draft */
	SPOOL_RCPT,             /* struct spool_rcpt */
	SPOOL_BODY,             /* raw octets of content */
	SPOOL_COMMIT,           /* struct spool_commit: answered when durable */
	SPOOL_ABORT,            /* empty: no answer */
	/* 4_spool to 1_front. */
	SPOOL_COMMITTED = 70,   /* struct spool_committed */
	SPOOL_STATE,            /* struct spool_state: at start and when it changes */

	/* 4_spool to 5_relay; session is the try. */
	RELAY_SEGMENT = 80,     /* struct relay_segment with a read-only descriptor */
	RELAY_SEGMENT_GONE,     /* struct relay_segment */
	RELAY_TRY,              /* struct relay_try, then one RELAY_RCPT for each recipient */
	RELAY_RCPT,             /* struct spool_rcpt */
	/* 5_relay to 4_spool. */
	RELAY_RESULT = 90,      /* struct relay_result, one for each recipient of the try */
	RELAY_DONE,             /* empty: the try is over; recipients without a result count as "later", a try without any
	                         * result as not made */

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
};

/* Do frames of this type carry a password, a key or a SASL response? For channel_handler.secret. */
bool message_is_secret(uint16_t type);

struct master_certificate { uint32_t index; struct span chain, key; };
struct master_listen { uint32_t service; struct span address; uint32_t port; };    /* enum conf_service; 99: control socket */
enum { MASTER_LISTEN_CONTROL = 99, MASTER_LISTEN_LEDGER = 98 };
struct master_peer { uint32_t role, slot, life; };      /* life: counts those that had the slot, so that none is taken for the next */
struct child_alarm { struct span event, login, words; };        /* event: "slowed", "held", "locked", "spray" */

struct sign_ask {
	uint32_t scheme;                /* enum sign_scheme */
	struct span key;                /* SHA-256 of the leaf certificate */
	struct span to_be_signed;       /* the octets, not their digest: 2_signer looks at what they say */
};
struct sign_answer { uint32_t fail; struct span signature; };   /* OK, FAIL_BUSY: too many, FAIL_LOCAL: no such key */

struct auth_start {
	uint32_t mechanism;             /* enum smtp_mechanism */
	uint32_t has_initial;
	struct span initial;            /* raw octets */
	struct span peer;               /* address text */
	uint32_t binding_type;          /* enum tls_binding_type */
	struct span binding;
	struct span helo;               /* as the client said it */
	uint32_t flags;                 /* enum auth_start_flag */
};
enum auth_start_flag { AUTH_PEER_IS_PROXY = 1 /* peer is a proxy that did not say for whom it asks: never punished */ };
struct auth_result {
	uint32_t fail;                  /* enum fail; OK: proved; FAIL_GUESSING: also hang up */
	struct span words;              /* extra words, mostly empty */
	struct span login;              /* what logs and queue call this principal: "alice", "alice/laptop" for a sender key */
};
struct auth_verdict { uint32_t fail; struct span words; };
struct auth_spend { uint32_t rcpts; uint64_t size; };   /* size: declared, 0 when nobody said */
struct auth_spent {
	uint32_t fail;                  /* OK, FAIL_SLOW_DOWN, FAIL_LOCKED */
	uint32_t hold;                  /* 1: accept it, with MAIL_HOLD */
	uint32_t delay;                 /* ms to wait before going on; 0: none */
	struct span words;
};

struct spool_mail {
	uint64_t queue_id;
	uint64_t arrival;               /* ms since 1970 */
	struct span reverse_path;
	struct span login;
	struct span peer;               /* address text */
	struct span helo;
	struct span tls;                /* "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519" */
	uint32_t flags;                 /* enum mail_flag */
	uint32_t ret;                   /* enum smtp_ret */
	struct span envid;
	struct span auth;               /* AUTH= */
	uint64_t size;                  /* declared */
};
enum mail_flag {
	MAIL_8BIT = 1, MAIL_UTF8 = 2,
	MAIL_DSN = 4,                   /* we made it: never bounced */
	MAIL_HOLD = 8,                  /* accepted, not delivered until the operator says so */
	MAIL_REQUIRETLS = 16,           /* RFC 8689 2: only over verified TLS, only to who passes that on */
	MAIL_TLS_OPTIONAL = 32,         /* RFC 8689 3: "TLS-Required: No" stands in its header */
};
struct spool_rcpt { uint32_t number; struct span path; uint32_t notify; struct span orcpt; };
struct spool_commit { uint64_t size; uint32_t rcpts; uint32_t flags; };        /* enum mail_flag, MAIL_HOLD among them */
struct spool_committed { uint32_t fail; };
struct spool_state { uint32_t fail; uint64_t room; };   /* OK, FAIL_DISK_FULL, FAIL_DOUBT; octets that a message may take */

struct relay_segment { uint64_t number; };
struct relay_try {
	uint64_t queue_id;
	uint64_t arrival;
	uint32_t attempt;               /* from 1 */
	uint32_t rcpts;                 /* how many RELAY_RCPT follow */
	uint32_t flags, ret;
	struct span destination;        /* domain all recipients share; empty with a smart host or Maildir */
	struct span reverse_path;
	struct span envid;
	uint64_t size;                  /* octets of content */
	struct span extents;            /* of content in order: u64 segment, u64 offset, u32 octets, each 20 octets */
};
enum { RELAY_EXTENT = 20 };
struct relay_result {
	uint32_t number;                /* spool_rcpt.number */
	uint32_t class;                 /* enum smtp_class */
	uint32_t code;
	uint32_t stage;                 /* enum smtp_stage */
	uint32_t dsn;                   /* next hop took over DSN duties */
	uint64_t when;
	struct span enhanced;           /* "5.1.1" */
	struct span host;               /* "mx1.example.net [192.0.2.25]:25", "maildir /path" */
	struct span tls;                /* "TLSv1.3 TLS_AES_128_GCM_SHA256 dane 3 1 1 verified", "none" */
	struct span text;               /* reply or our words */
};

struct guard_outcome { struct span login; uint32_t delivered, bounced; };
struct guard_notice { struct span rcpt, subject, text; };       /* text: lines of at most 78 octets with LF */
struct guard_hold { struct span login, words; };        /* words: why, for `postern queue show` */

/* after: 0, or next of the answer before. */
struct queue_list {
	uint64_t after;
	uint32_t most, held;            /* held 1: only what is held */
	struct span address;            /* sender or recipient, empty: all */
};
struct queue_which { uint64_t id; };
struct queue_held { uint64_t id; struct span login; };  /* id 0: all of the principal's; "alice" means "alice/laptop" too */
struct queue_entry {
	uint64_t id, arrival, size, next_try;   /* next_try 0: being tried now, or held */
	uint32_t rcpts, waiting, attempts;
	struct span reverse_path, login, peer, tls, last;       /* last: newest reason in words */
	uint64_t held;                          /* since when; 0: not */
	struct span why;                        /* it is held */
};
struct queue_recipient {
	uint32_t number, class, code;           /* class: enum smtp_class, or 99: not tried yet */
	uint64_t when;
	struct span path, host, tls, text;
};
struct queue_end { uint32_t fail; uint32_t count; uint64_t next; struct span words; };    /* next: go on with after = next; 0: the end */

/* Empty: everybody's. network: as an attempt prints it, or an address. */
struct ledger_which { struct span login, network; };
struct ledger_attempt {
	struct span login, network;     /* login is empty for what a network did in all */
	uint32_t failures, secrets;     /* failed attempts, and different secrets among them */
	uint32_t known;                 /* 1: this account has logged in from there */
	uint64_t first, last;           /* ms since 1970 */
	uint64_t until;                 /* refused until then; 0: not */
	struct span words;
};
struct ledger_lock { struct span login, words; uint32_t step; uint64_t since; };        /* step: 1 slowed, 2 held, 3 locked */

extern const struct layout child_alarm_layout, auth_spend_layout, auth_spent_layout, guard_outcome_layout, guard_notice_layout;
extern const struct layout guard_hold_layout, queue_held_layout, ledger_which_layout, ledger_attempt_layout, ledger_lock_layout;
extern const struct layout master_certificate_layout, master_listen_layout, master_peer_layout;
extern const struct layout sign_ask_layout, sign_answer_layout;
extern const struct layout auth_start_layout, auth_result_layout, auth_verdict_layout;
extern const struct layout spool_mail_layout, spool_rcpt_layout, spool_commit_layout, spool_committed_layout, spool_state_layout;
extern const struct layout relay_segment_layout, relay_try_layout, relay_result_layout;
extern const struct layout queue_list_layout, queue_which_layout, queue_entry_layout, queue_recipient_layout, queue_end_layout;

#endif

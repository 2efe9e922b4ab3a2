/*
 * proc/1_front.h - what the files of 1_front share; nobody outside includes it.
 *
 * A session costs its struct and its TLS state, nothing else, while it is idle: input, output and content pass through one
 * buffer each, shared by all sessions. What is left over (a piece of a line, output that the peer does not take) is held in
 * memory of its own until it is used.
 */
#ifndef POSTERN_PROC_1_FRONT_H
#define POSTERN_PROC_1_FRONT_H

#include <assert.h>

#include "base/queue_id.h"
#include "os/log.h"
#include "policy/crowd.h"
#include "proc/1_front_limits.h"
#include "proc/child.h"
#include "smtp/server.h"
#include "tls/server.h"

/* Who keeps whom waiting; each has its own time and its own list, oldest first. */
enum front_queue {
	QUEUE_HANDSHAKE,        /* 30 s from the first octet's chance to the greeting */
	QUEUE_CLIENT,           /* command-timeout, for a command or for so much of a message (RFC 5321 4.5.3.2.7) */
	QUEUE_US,               /* a verdict or a commit is under way: 6409-12 leaves two minutes */
	QUEUE_GOODBYE,          /* the last reply is on its way, or the peer's end is awaited */
	QUEUE_MAX
};

enum front_phase {
	PHASE_NEW,              /* nothing heard yet; STARTTLS: not greeted yet */
	PHASE_PROXY,            /* a proxy has to say for whom it comes */
	PHASE_HANDSHAKE,
	PHASE_TALK,             /* the engine has the word */
	PHASE_GOODBYE,          /* the last reply is held, close_notify follows */
	PHASE_LINGER,           /* our side is closed; input is thrown away until the peer's end */
	PHASE_GONE,             /* waits for libuv to let go */
};

/* What a session waits for; an answer to anything else is stale. */
enum front_waiting {
	WAIT_NOTHING, WAIT_AUTH, WAIT_PROOF, WAIT_STORE, WAIT_SENDER, WAIT_ADMITTED, WAIT_RCPT, WAIT_AUTHOR, WAIT_TURN, WAIT_SPENT, WAIT_COMMIT
};

/* Settings that sessions look at as long as they live; a reload makes a new one. */
struct front_conf {
	uint32_t refs;
	struct conf_text hostname;
	struct smtp_server_conf plain;          /* no channel binding at hand */
	struct smtp_server_conf binding;        /* the same with SCRAM-SHA-256-PLUS */
};

struct front_held { uint8_t *p /* NULL when empty */; size_t len; };

/* A transaction: the memory that the engine borrows, and ours beside it. */
struct front_draft {
	struct smtp_mail mail;  /* first: the engine gives back a pointer to it */
	struct front_draft *next_free;
	struct span authors;    /* of From, still to be asked about; points into mail */
	uint64_t queue_id, declared;
	uint64_t sent;          /* octets of content given to 4_spool */
	enum smtp_ret ret;
	enum fail spent;        /* what 3_auth said to so many recipients; held: keep it, do not deliver */
	uint64_t warrant, warrant_when; /* that came with it */
	bool asked, decided, held;
	uint16_t envid_len, auth_len;
	uint8_t envid[FRONT_ENVID_MAX], auth[FRONT_MAIL_AUTH_MAX];
};

struct front_session {
	uv_poll_t poll;
	struct smtp_server smtp;
	struct front_conf *conf;
	struct tls_session *tls;
	struct proxy_header *proxy;             /* in PHASE_PROXY, else NULL */
	struct front_draft *draft;              /* lent to the engine, or NULL */
	struct front_session *older, *newer;    /* in the list of its queue; newer also chains free ones */
	uint64_t since;                         /* uv_now() when it joined that list */
	uint64_t brought;                       /* octets since then: of content, or behind our last reply */
	struct crowd_member member;
	struct front_held in, out;
	struct front_held response;             /* of an AUTH that waits for a 3_auth; secret */
	char *login;                            /* NUL-terminated; NULL before AUTH */
	char *allowed;                          /* the reverse-path that 3_auth said yes to; NUL-terminated, or NULL */
	uint64_t allowed_at;                    /* uv_now() of that */
	uint64_t warrant, warrant_when;         /* that came with it */
	uint32_t id;                            /* generation and slot */
	uint32_t auth_epoch;                    /* of the 3_auth that knows us; 0: none does */
	uint32_t draft_epoch;                   /* of the 4_spool that has our draft; 0: none has */
	uint32_t accepted;                      /* messages */
	int fd;
	enum front_phase phase;
	enum front_waiting waiting;
	enum front_queue queue;
	uint8_t events;                         /* that libuv watches for */
	uint8_t mechanism;
	int8_t priority_most;                   /* that its login may ask for, as far as 3_auth has said */
	bool implicit;                          /* TLS from the first octet on */
	bool peer_is_proxy;                     /* it did not say for whom it comes */
	bool stalled;                           /* 4_spool is behind: not reading */
	bool again;                             /* in front.again */
	bool unwatched;                         /* nobody wants to be asked whether it may send so much */
	bool spending, owed, parked;            /* its SPEND, its COMMIT has no answer yet; gone, but the place is not free for that */
	char peer[FRONT_PEER_MAX];              /* address literal, with brackets */
};

struct front_listener {
	uv_poll_t poll;
	int fd;
	bool implicit, open;                    /* open: the others mean something */
	bool closing;                           /* not open any more, but libuv still has the handle */
	struct conf_listen as;                  /* as the configuration has it */
};

struct front {
	struct child child;
	struct front_conf *conf;
	struct tls_server *tls, *staged;
	uint32_t certificates, staged_certificates;
	uint8_t ticket_keys[TLS_TICKET_KEYS];
	bool has_ticket_keys, going, draining;
	struct front_listener listener[FRONT_LISTEN_MAX];
	uint64_t accept_again;                  /* uv_now() from which we accept again after running out of descriptors */
	uv_timer_t sweep;
	uv_idle_t idle;                         /* runs while a session has its again set */
	uv_prepare_t turn;                      /* begins a turn of the loop */
	uv_timer_t deadline;                    /* of draining */
	struct channel *auth, *spool;
	uint32_t auth_epoch, spool_epoch;       /* counts the processes we have talked to; never 0 */
	uint64_t whole;                         /* uv_now() when all three were last there, or one came */
	uint64_t auth_gone, spool_gone;         /* uv_now() when auth became NULL, spool_fail FAIL_BUSY */
	enum fail spool_fail;                   /* FAIL_BUSY: it is not there, or has not told its state yet */
	uint64_t spool_room;
	bool spool_compares;                    /* it wants to know what it has had already */
	bool spool_asks;                        /* milters want to hear of each recipient */
	uint8_t spool_key[SIPHASH_KEY];
	struct queue_id_maker ids;
	struct front_session *slot[FRONT_SLOTS];
	struct front_session *free_sessions;
	struct front_draft *free_drafts;
	uint32_t slots;                         /* ever made */
	uint32_t sessions;                      /* alive */
	struct { struct front_session *oldest, *newest; } queue[QUEUE_MAX];
	struct crowd crowd;
	void *crowd_memory;

	/* What one session at a time works with. */
	struct buf in;
	size_t at;                              /* octets of in that are used */
	bool hungry;                            /* feeding what is there brings nothing */
	bool more;                              /* reading may bring something now */
	bool sensitive;                         /* what was used may be an AUTH line */
	bool moved;                             /* the conversation has come forward in this turn */
	size_t high, fed;                       /* octets of in that were in use since it was last clean; of commands used in this turn */
	unsigned reads, shakes;                 /* shakes: steps of handshakes in this turn of the loop */
	struct smtp_io io;
	uint32_t again[FRONT_AGAIN_MAX];        /* sessions that used up their turn */
	uint32_t agains;
};
static_assert((int)SMTP_LINE_KEPT <= (int)FRONT_COMMANDS, "a whole line fits");

extern struct front front;

/* ---- 1_front_session.c: places, lists, life ---- */
struct front_session *session_open(int fd, bool implicit, const char *peer);
/* The end, at once. why: for the log; NULL says nothing. session_find(): alive, or NULL. */
void session_drop(struct front_session *, const char *why);
struct front_session *session_find(uint32_t id);
/* 4_spool has answered this session's COMMIT, alive or not; or none will be answered any more. */
void session_settle(uint32_t id);
void session_settle_all(void);
/* Call f for each session that is alive; f may drop any of them. */
void session_each(void (*f)(struct front_session *));
void session_queue(struct front_session *, enum front_queue);
void phase_enter(struct front_session *, enum front_phase);
struct front_draft *draft_take(void);
void draft_give(struct front_draft *);
struct front_conf *conf_new(const struct conf *);
void conf_release(struct front_conf *);

/* ---- 1_front_wire.c: octets ---- */
/* Read behind front.in; false when there is nothing to go on with, perhaps because the session ended. */
bool wire_read(struct front_session *);
/* Send front.io.out; what does not go is held. False when something is held or the session ended. */
bool wire_send(struct front_session *);
void wire_watch(struct front_session *, int events);
/* Keep what is left of front.in for the next turn, and nothing there that was secret. */
void wire_hold_input(struct front_session *);
void wire_load_input(struct front_session *);
bool wire_send_held(struct front_session *);    /* true: all of it went */
/* Are there octets that poll will not announce? Must TLS write before it can read on? */
bool wire_buffered(const struct front_session *), wire_awaits_room(const struct front_session *);
/* Forget held octets; they may be secret. */
void wire_forget(struct front_held *, bool secret);
/* The engine has said its last word. */
void wire_goodbye(struct front_session *, const char *why);
/* STARTTLS has been answered. */
void wire_starttls(struct front_session *);
/* A turn of the loop begins; what a listener has announced. */
void wire_turn(uv_prepare_t *);
void wire_accept(uv_poll_t *, int status, int events);

/* ---- 1_front_talk.c: the engine's wants ---- */
void talk_begin(struct front_session *);
void talk_secured(struct front_session *);
void talk_readable(struct front_session *);
void talk_writable(struct front_session *);
/* Go on after congestion or a used-up turn. */
void talk_go_on(struct front_session *);
void talk_answer(struct front_session *, const struct smtp_answer *);
void talk_end(struct front_session *, enum fail);
/* True when nothing would be lost by closing. */
bool talk_is_idle(const struct front_session *);
/* A message is coming. */
bool talk_has_content(const struct front_session *);

/* ---- 1_front_auth.c: questions to 3_auth. Each says whether the answer is there at once. ---- */
extern const struct channel_handler front_auth_handler;
bool auth_ask_proof(struct front_session *, struct smtp_answer *);
void auth_cancel(struct front_session *);
bool auth_ask_sender(struct front_session *, struct smtp_answer *);
bool auth_ask_author(struct front_session *, struct smtp_answer *);
void auth_forget(struct front_session *);
/* 3_auth is gone: nobody who waits will hear from it. */
void auth_lost(void);

/* ---- 1_front_spool.c: drafts in 4_spool ---- */
extern const struct channel_handler front_spool_handler;
/* Is there a point in asking who may send: OK, or why nothing can be taken now. */
struct verdict spool_admits(uint64_t declared);
bool spool_open_draft(struct front_session *, struct smtp_answer *);    /* false: the answer comes later */
/* Does the 4_spool of today have this session's draft? */
bool spool_has_draft(const struct front_session *);
bool spool_add_recipient(struct front_session *, struct smtp_answer *); /* false: the answer comes later */
/* Where the engine may put content, and where it goes. */
void spool_lend_content(struct front_session *);
void spool_take_content(struct front_session *);
bool spool_ask_commit(struct front_session *, struct smtp_answer *);
void spool_abort(struct front_session *);
bool spool_congested(const struct front_session *);
void spool_lost(void);

/* ---- 1_front_words.c: the log ---- */
void words_proved(const struct front_session *);
void words_not_proved(const struct front_session *, enum fail, struct span login);
void words_ended(const struct front_session *, const char *why);
/* The peer's address without the literal's clothes. */
struct span words_peer(const struct front_session *);

#endif

/*
 * smtp/server_room.h - what the files of the server's half say to each other, and nobody else.
 *
 * A function here that replies leaves s->want as SMTP_WANT_INPUT unless it says what else it asks for.
 */
#ifndef POSTERN_SMTP_SERVER_ROOM_H
#define POSTERN_SMTP_SERVER_ROOM_H

#include "smtp/server.h"

#define BIT(n) (1u << (n))

/* What follows a STORE, an ABORT or an AUTH_CANCEL. */
enum smtp_then {
	THEN_INPUT,
	THEN_CLOSE,
	THEN_END_CHUNK,         /* the last BDAT chunk ended in the middle of a line */
	THEN_FINISH,            /* the content is whole and taken */
};

static inline struct verdict
because(enum fail f, const char *words)
{
	return (struct verdict){ f, span_of(words) };
}

/* ---- server.c: states and questions ---- */
void server_enter(struct smtp_server *, enum smtp_state next);
/* Wants a verdict about s->ask, which the caller has filled in. */
void server_ask(struct smtp_server *, enum smtp_ask_kind);
/* Say no, and close when there was too much nonsense. */
void server_refuse(struct smtp_server *, struct verdict);
/* The same for what was already answered in its own form. */
void server_count(struct smtp_server *, enum fail);
/* The command brought nothing forward; too many of them in a row close. */
void server_idle(struct smtp_server *);
/* 421, then close; words NULL: too many errors. */
void server_give_up(struct smtp_server *, const char *words);
/* So many messages of the biggest size, in octets; a smaller size_max than SMTP_SIZE_LEAST counts as that. */
uint64_t server_times_size(const struct smtp_server *, unsigned times);
/* The last reply has been put: close. An open draft is aborted first. */
void server_hang_up(struct smtp_server *);
/* Ask ABORT if the driver has an open draft. */
void server_drop_draft(struct smtp_server *);
/* The transaction is over, whatever came of it; back to READY or GREETED. */
void server_forget_mail(struct smtp_server *);

/* ---- commands.c ---- */
void command_take(struct smtp_server *, struct span line);
/* What a client has sent ahead when its MAIL, all its recipients or a chunk were refused is no nonsense (2920-3, 3030-3). */
void command_refuse_stray(struct smtp_server *, struct verdict);
/* The driver has lent memory for the MAIL that s->ask holds. */
void mail_begin(struct smtp_server *);
void sender_answered(struct smtp_server *, const struct smtp_answer *);
void rcpt_answered(struct smtp_server *, const struct smtp_answer *);
void data_answered(struct smtp_server *, const struct smtp_answer *);
void author_answered(struct smtp_server *, const struct smtp_answer *);
void commit_answered(struct smtp_server *, const struct smtp_answer *);

/* ---- params.c: what stands behind the path, into s->ask ---- */
struct verdict mail_params(struct smtp_server *, struct span text);
struct verdict rcpt_params(struct smtp_server *, struct span text);

/* ---- auth.c ---- */
uint32_t auth_mechanisms(const struct smtp_server *);
/* " NAME" for each mechanism of this session, strongest first. */
void auth_names_format(const struct smtp_server *, struct buf *out);
struct verdict auth_command(struct smtp_server *, struct span args);
void auth_line(struct smtp_server *, struct span line);
/* The exchange ends here for a reason of form; asks AUTH_CANCEL. */
void auth_break(struct smtp_server *, enum fail why);
void auth_answered(struct smtp_server *, const struct smtp_answer *);

/* ---- chunk.c: BDAT ---- */
struct verdict chunk_command(struct smtp_server *, struct span args);
/* A refused BDAT takes its octets all the same (3030-2), then says why. */
void chunk_refuse(struct smtp_server *, struct span args, struct verdict why);
/* The same when s->chunk says how many. */
void chunk_drop(struct smtp_server *, struct verdict why);
/* Take the octets of a refused chunk: how many. */
size_t chunk_discard(struct smtp_server *, struct span in);
void chunk_begin(struct smtp_server *);
void chunk_end(struct smtp_server *);

/* ---- content.c ---- */
void content_begin(struct smtp_server *);
/* Take a prefix of in: how much. */
size_t content_step(struct smtp_server *, struct span in);
/* A last line that a chunk left without CRLF gets one. May want STORE with THEN_END_CHUNK: call again. False then. */
bool content_end_line(struct smtp_server *);
/* The content is whole: ask to store and commit it, or refuse it. */
void content_end(struct smtp_server *);
/* The same after STORE. */
void content_finish(struct smtp_server *);
/* Say what is wrong with the content. */
void content_refuse(struct smtp_server *);
/* Octets before the first CR, LF or NUL. Bit 7 of some octet in *seen is set when one of them is above 127. */
size_t plain_length(struct span s, uint64_t *seen);

/* ---- reply.c ---- */
void reply_say(struct smtp_server *, unsigned code, const char *enhanced, struct span words);
void reply_verdict(struct smtp_server *, struct verdict);
/* Without an enhanced code: greeting, EHLO, HELO, 354 (RFC 2034 4). */
void reply_plain(struct smtp_server *, unsigned code, const char *words);
void reply_host(struct smtp_server *, unsigned code, const char *words);
void reply_ehlo(struct smtp_server *);
/* False when it does not fit. */
bool reply_challenge(struct smtp_server *, struct span octets);
void reply_queued(struct smtp_server *);
/* MAIL is taken, with this priority instead of the one it asked for. */
void reply_priority(struct smtp_server *, int priority);

#endif

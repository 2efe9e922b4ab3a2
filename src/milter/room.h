/*
 * milter/room.h - what the files of this room say to each other, and nobody else: the numbers of the protocol (libmilter/mfdef.h).
 */
#ifndef POSTERN_MILTER_ROOM_H
#define POSTERN_MILTER_ROOM_H

#include "milter/milter.h"

/* What a milter may ask for (SMFIF_). */
enum milter_action {
	ACTION_ADD_HEADER = 0x01, ACTION_BODY = 0x02, ACTION_ADD_RCPT = 0x04, ACTION_DELETE_RCPT = 0x08, ACTION_CHANGE_HEADER = 0x10,
	ACTION_QUARANTINE = 0x20, ACTION_SENDER = 0x40, ACTION_ADD_RCPT_ARGUMENTS = 0x80, ACTION_SYMBOLS = 0x100,
	ACTIONS = 0x1ff,
};

/* What it does not want to hear (SMFIP_NO), to answer (SMFIP_NR), and how it wants it. */
enum milter_step {
	NO_CONNECT = 0x01, NO_HELO = 0x02, NO_MAIL = 0x04, NO_RCPT = 0x08, NO_BODY = 0x10, NO_HEADER = 0x20, NO_EOH = 0x40,
	SILENT_HEADER = 0x80, NO_UNKNOWN = 0x100, NO_DATA = 0x200, MAY_SKIP = 0x400,
	SILENT_CONNECT = 0x1000, SILENT_HELO = 0x2000, SILENT_MAIL = 0x4000, SILENT_RCPT = 0x8000, SILENT_DATA = 0x10000,
	SILENT_UNKNOWN = 0x20000, SILENT_EOH = 0x40000, SILENT_BODY = 0x80000, LEADING_SPACE = 0x100000,
	/* All but SMFIP_RCPT_REJ: no recipient that we refused is in the message. */
	STEPS = 0x1ff7ff,
};

/* Where macros belong to (SMFIM_). */
enum milter_stage { STAGE_CONNECT, STAGE_HELO, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_END, STAGE_EOH, STAGE_NONE };

/* ---- talk.c ---- */
void talk_enter(struct milter_talk *, enum milter_state next);
enum milter_want talk_fail(struct milter_talk *, const char *why);
/* The reply to what was sent last lets us go on. */
enum milter_want talk_advance(struct milter_talk *);
/* The milter wants no more of this stage. */
enum milter_want talk_skip(struct milter_talk *);
/* What it says of the recipient that was shown. */
enum milter_want talk_rcpt(struct milter_talk *, enum milter_kind);
/* go_on: it has said so by "go on", at the end of the message. */
enum milter_want talk_verdict(struct milter_talk *, enum milter_kind, bool go_on);

/* ---- reply.c: one packet from the milter ---- */
enum milter_want reply_take(struct milter_talk *, uint8_t code, struct span data);

/* ---- edit.c: a packet that changes the message, into t->edit. NULL, or what is wrong with it ---- */
bool edit_is(uint8_t code);
const char *edit_take(struct milter_talk *, uint8_t code, struct span data);

/* ---- macros.c ---- */
/* A packet with the macros of this stage, for the command that follows. */
void macros_put(struct milter_talk *, enum milter_stage, uint8_t command);
/* What stands behind the options: which macros it wants at which stage. False: malformed. */
bool macros_choose(struct milter_talk *, struct span list);

/* ---- packets into t->out; that they fit is the caller's promise ---- */
/* Begin one: its place, for packet_end(). */
size_t packet_begin(struct buf *out, uint8_t command);
void packet_end(struct buf *out, size_t place);
void put_big(struct buf *out, uint32_t);
/* With a NUL behind it; what stands behind a NUL in it is cut off. */
void put_string(struct buf *out, struct span);
uint32_t get_big(const uint8_t *p);
/* Up to the NUL, which goes too; false: there is none. */
bool take_string(struct span *, struct span *out);

#endif

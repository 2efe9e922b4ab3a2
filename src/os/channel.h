/*
 * os/channel.h - one end of a private conversation between two processes: framed by length, typed, descriptors on the side.
 *
 * Frame     u32 octets of the body, u16 type, u16 flags (1: a descriptor comes with it), u32 session; then the body.
 * Order     frames arrive as sent. Sends are gathered and written once per turn of the loop, so a burst costs one write.
 * Owner     the channel owns its descriptor and its buffers; the handler is called from the loop's thread only.
 * Blocks    never. When the peer does not read, the send buffer grows up to CHANNEL_BACKLOG_MAX, beyond which the peer is
 *           taken for broken and the channel closes; look at channel_congested() long before.
 * Fails     a malformed frame, an unknown type, an oversized body or a descriptor too many closes the channel: only a broken peer sends that.
 */
#ifndef POSTERN_OS_CHANNEL_H
#define POSTERN_OS_CHANNEL_H

#include <uv.h>

#include "base/buf.h"
#include "base/fields.h"

enum {
	CHANNEL_BODY_MAX = 512 * 1024,          /* of one frame */
	CHANNEL_CONGESTED = 1024 * 1024,        /* unsent octets from which channel_congested() says true */
	CHANNEL_BACKLOG_MAX = 64 * 1024 * 1024,
	CHANNEL_LAZY_MAX = 48 * 1024,
};

struct frame {
	uint16_t type;
	uint32_t session;
	struct span body;       /* valid during the call */
	int fd;                 /* of a type that comes with one: the handler's to close; else -1 */
};

struct channel;

struct channel_handler {
	void (*message)(void *arg, struct channel *, const struct frame *);
	/* The peer is gone or broken. The channel is already closed and its memory may be reused after this returns.
	 * Not called when we close it ourselves. */
	void (*closed)(void *arg, struct channel *);
	/* Optional: congestion is over. */
	void (*drained)(void *arg, struct channel *);
	/* Optional: frames of this type carry a secret. Their octets are wiped on this side as soon as they are sent or handled. */
	bool (*secret)(uint16_t type);
	/* Optional: each frame of this type comes with one descriptor, and others with none. Without it none does. Whoever does otherwise is
	 * broken, and what he sent is closed before anybody sees it. */
	bool (*descriptor)(uint16_t type);
};

/* Makes an end of a connected stream socket (AF_UNIX); fd becomes the channel's, nonblocking. NULL, and fd is closed, when memory
 * is short. */
struct channel *channel_open(uv_loop_t *, int fd, const struct channel_handler *, void *arg);
/* Close now; unsent frames are lost. NULL is harmless. No handler is called any more. */
void channel_close(struct channel *);
/* Write what is gathered without waiting for the end of the turn; may leave a rest. */
void channel_flush(struct channel *);

/* While lazy, what is sent waits for the next frame that is not, for CHANNEL_LAZY_MAX octets, or for channel_flush(): for what
 * nobody waits for, so that it costs the other side no wake-up of its own. */
void channel_lazy(struct channel *, bool lazy);

/* Send a message described by its layout. False when it does not fit its own ceilings (a bug of the caller's). */
bool channel_send(struct channel *, uint16_t type, uint32_t session, struct layout, const void *message);
/* The same with raw octets for a body. */
bool channel_send_octets(struct channel *, uint16_t type, uint32_t session, struct span octets);
/* With a descriptor, which the channel duplicates. */
bool channel_send_fd(struct channel *, uint16_t type, uint32_t session, struct layout, const void *message, int fd);

/* Write a body in place: reserve up to max octets, fill the buf, then commit; what is not committed is forgotten.
 * Nothing else may be sent on this channel between the two. */
struct buf channel_reserve(struct channel *, size_t max);
void channel_commit(struct channel *, uint16_t type, uint32_t session, struct buf filled);

bool channel_congested(const struct channel *);
/* To be asked by closed(): has the peer sent what is no frame? Else it is just gone. */
bool channel_spoke_nonsense(const struct channel *);
/* Stop and go on calling message(); for back-pressure. */
void channel_pause(struct channel *, bool paused);

/* A connected pair of stream sockets, close-on-exec, nonblocking. False with errno. */
bool channel_pair(int fd[2]);

#endif

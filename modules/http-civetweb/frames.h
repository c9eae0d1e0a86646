/* SPDX-License-Identifier: Apache-2.0 */
/* frames - a WebSocket's frames as messages (RFC 6455, section 5). */
#ifndef FRAMES_H
#define FRAMES_H

#include <satellite/module.h>

/* What came so far of a message; zero at first. */
struct frames {
	struct sat_buf text;
	unsigned opcode;	/* of the message under way; 0: none is */
	const char *p;		/* what the last frame made whole: a message, a ping; or what is wrong */
	size_t len;
	unsigned code;		/* to close with; 0: without one */
};

enum frames_what { FRAMES_NOTHING, FRAMES_MESSAGE, FRAMES_PING, FRAMES_CLOSE, FRAMES_WRONG };

/* One frame, unmasked.  head: its first byte, with opcode and bits. */
enum frames_what frames_take(struct frames *f, unsigned head, const char *p, size_t len);
void frames_free(struct frames *f);

/* What comes of frames that are masked, looked through before anybody takes them in; zero at first. */
struct frames_way {
	char head[14];
	unsigned got;		/* bytes of the head */
	uint64_t left;		/* of the payload */
};
/* Adds to out what may go on.  false: a frame over SAT_BODY_MAX was announced, and is not in out:
 * a close frame is, as if the client had sent that. */
bool frames_pass(struct frames_way *w, const char *p, size_t n, struct sat_buf *out);

#define FRAMES_HEAD 10u
/* The head of a whole frame of ours: its length. */
size_t frames_head(char head[FRAMES_HEAD], unsigned opcode, size_t len);

#endif

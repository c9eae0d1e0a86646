/* SPDX-License-Identifier: Apache-2.0 */
/* mode - how a server misbehaves, as a whole or at one path. */
#ifndef SIM_MODE_H
#define SIM_MODE_H

#include "buf.h"
#include "http.h"

enum mode_kind {
	MODE_OK, MODE_DOWN, MODE_SLOW, MODE_GARBAGE, MODE_STATUS, MODE_LOOP,
	MODE_TRUNCATE, MODE_STALL, MODE_HANG, MODE_CLOSE, MODE_FILE, MODE_FLOOD, MODE_PAD,
};

struct mode {
	struct mode *next;
	char *path;			/* NULL: all that have none */
	enum mode_kind kind;
	int status;
	uint64_t ms;			/* of a pad: bytes */
	const struct flood *flood;
	struct buf body;		/* of a file, */
	bool packed;			/* by gzip */
};

/* "slow 200", "file PATH 503", "ok": 0 or -errno.  path NULL: all. */
int mode_set(struct mode **modes, const char *path, const char *text);
const struct mode *mode_of(const struct mode *modes, const char *path);
/* One that was set for just this; NULL: none. */
const struct mode *mode_at(const struct mode *modes, const char *path);
/* By so many bytes the answer is longer than it has to be. */
uint64_t mode_pad(const struct mode *mode);
void modes_free(struct mode **modes);
/* Is the request answered by the mode?  Else go on with it: at once, or, with
 * *later set, after so many ms. */
bool mode_answers(const struct mode *mode, struct http_request *req, int port,
		  uint64_t *later);
/* Both sides of a comparison: without /master before and .json behind. */
void path_plain(char *to, size_t size, const char *path);

#endif

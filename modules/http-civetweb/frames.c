/* SPDX-License-Identifier: Apache-2.0 */
/* frames - a WebSocket's frames as messages, or the code by which it is closed. */
#include <string.h>

#include "frames.h"

enum { CONTINUATION, TEXT, BINARY, CLOSE = 8, PING, PONG };	/* opcodes */
enum { PROTOCOL = 1002, NOT_UTF8 = 1007, TOO_BIG = 1009, NO_MEMORY = 1011 };	/* section 7.4.1 */

#define FIN		0x80u
#define RESERVED	0x70u
#define OPCODE		0x0fu
#define CONTROL		0x08u
#define CONTROL_MAX	125u

static enum frames_what wrong(struct frames *f, unsigned code, const char *why)
{
	f->code = code;
	f->p = why;
	f->len = strlen(why);
	return FRAMES_WRONG;
}

/* How many bytes follow the first of a character; -1: none may begin so. */
static int following(unsigned char c)
{
	if (c < 0x80)
		return 0;
	if (c < 0xc2 || c > 0xf4)
		return -1;
	return c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
}

/* No longer forms than needed, no surrogates, nothing over U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second < 0xa0;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second < 0x90;
	}
	return true;
}

static bool is_utf8(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;

	while (p < end) {
		int n = following(*p);

		if (n < 0 || n >= end - p || (n > 0 && !second_fits(p[0], p[1])))
			return false;
		for (int i = 1; i <= n; i++)
			if ((p[i] & 0xc0) != 0x80)
				return false;
		p += n + 1;
	}
	return true;
}

/* ---- Control frames ----------------------------------------------------- */

static bool may_close_with(unsigned code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

static enum frames_what take_close(struct frames *f, const char *p, size_t len)
{
	unsigned code = len < 2 ? 0 : (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];

	if (len == 1 || (len > 1 && !may_close_with(code)))
		return wrong(f, PROTOCOL, "a close code that is none");
	if (len > 2 && !is_utf8(p + 2, len - 2))
		return wrong(f, NOT_UTF8, "a close reason that is not UTF-8");
	f->code = code;
	return FRAMES_CLOSE;
}

static enum frames_what take_control(struct frames *f, unsigned head, const char *p, size_t len)
{
	if (!(head & FIN) || len > CONTROL_MAX)
		return wrong(f, PROTOCOL, "a control frame in pieces, or too long");
	switch (head & OPCODE) {
	case CLOSE:
		return take_close(f, p, len);
	case PING:
		f->p = p;
		f->len = len;
		return FRAMES_PING;
	case PONG:
		return FRAMES_NOTHING;
	}
	return wrong(f, PROTOCOL, "an opcode that is reserved");
}

/* ---- Messages ----------------------------------------------------------- */

static enum frames_what whole(struct frames *f, unsigned opcode, const char *p, size_t len)
{
	if (opcode == TEXT && !is_utf8(p, len))
		return wrong(f, NOT_UTF8, "text that is not UTF-8");
	f->p = p;
	f->len = len;
	return FRAMES_MESSAGE;
}

static enum frames_what take_piece(struct frames *f, bool last, const char *p, size_t len)
{
	unsigned opcode;

	f->text.max = SAT_BODY_MAX + 1;
	sat_buf_add(&f->text, p, len);
	if (f->text.full)
		return wrong(f, NO_MEMORY, "out of memory");
	if (!last)
		return FRAMES_NOTHING;
	opcode = f->opcode;
	f->opcode = 0;
	return whole(f, opcode, f->text.p != NULL ? f->text.p : "", f->text.len);
}

static enum frames_what take_data(struct frames *f, unsigned head, const char *p, size_t len)
{
	unsigned opcode = head & OPCODE;

	if (opcode > BINARY)
		return wrong(f, PROTOCOL, "an opcode that is reserved");
	if ((opcode == CONTINUATION) != (f->opcode != 0))
		return wrong(f, PROTOCOL, "pieces of messages out of turn");
	if (len > SAT_BODY_MAX - f->text.len)
		return wrong(f, TOO_BIG, "a message that is too long");
	if (opcode != CONTINUATION && head & FIN)
		return whole(f, opcode, p, len);
	if (opcode != CONTINUATION)
		f->opcode = opcode;
	return take_piece(f, head & FIN, p, len);
}

enum frames_what frames_take(struct frames *f, unsigned head, const char *p, size_t len)
{
	f->p = NULL;
	f->len = 0;
	if (f->opcode == 0)
		sat_buf_free(&f->text);		/* the last message */
	if (head & RESERVED)
		return wrong(f, PROTOCOL, "a bit that is reserved");
	return head & CONTROL ? take_control(f, head, p, len) : take_data(f, head, p, len);
}

void frames_free(struct frames *f)
{
	sat_buf_free(&f->text);
}

/* ---- On their way -------------------------------------------------------- */

/* The size of a head of which this much is known; at least what tells more. */
static unsigned head_size(const struct frames_way *w)
{
	unsigned len = (unsigned char)w->head[1] & 0x7fu, masked = (unsigned char)w->head[1] & 0x80u;

	if (w->got < 2)
		return 2;
	return 2 + (len == 127 ? 8 : len == 126 ? 2 : 0) + (masked ? 4 : 0);
}

static uint64_t payload(const struct frames_way *w)
{
	unsigned len = (unsigned char)w->head[1] & 0x7fu, bytes = len == 127 ? 8 : len == 126 ? 2 : 0;
	uint64_t n = bytes == 0 ? len : 0;

	for (unsigned i = 0; i < bytes; i++)
		n = n << 8 | (unsigned char)w->head[2 + i];
	return n;
}

bool frames_pass(struct frames_way *w, const char *p, size_t n, struct sat_buf *out)
{
	static const char close_frame[] = "\x88\x82\0\0\0\0\x03\xf1";	/* TOO_BIG, masked with zeroes */
	const char *end = p + n;

	while (p < end) {
		size_t part = (size_t)(end - p) < w->left ? (size_t)(end - p) : (size_t)w->left;

		sat_buf_add(out, p, part);
		p += part;
		w->left -= part;
		if (p == end)
			break;
		w->head[w->got++] = *p++;
		if (w->got < head_size(w))
			continue;
		w->left = payload(w);
		if (w->left > SAT_BODY_MAX) {
			sat_buf_add(out, close_frame, sizeof(close_frame) - 1);
			return false;
		}
		sat_buf_add(out, w->head, w->got);
		w->got = 0;
	}
	return true;
}

/* ---- Ours ---------------------------------------------------------------- */

size_t frames_head(char head[FRAMES_HEAD], unsigned opcode, size_t len)
{
	unsigned bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;

	head[0] = (char)(FIN | opcode);
	head[1] = (char)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
	for (unsigned i = 0; i < bytes; i++)
		head[2 + i] = (char)((uint64_t)len >> 8 * (bytes - 1 - i) & 0xff);
	return 2 + bytes;
}

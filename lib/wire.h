/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire - Riemann's protobuf messages, decoded in place and by hand, since
 * taking in events is what this program exists for.
 *
 * Fields, decode order, overrides by attributes: shared facts/riemann.md 3.8,
 * after Riemann's codec.  sat_buf_message() and sat_answer_parse() live here.
 */
#ifndef WIRE_H
#define WIRE_H

#include "arena.h"
#include "event.h"

struct wire_msg {
	struct event *events;	/* an array, loans; strings lie in the message */
	uint32_t n;
	const char *query;	/* NULL: none */
};

/* buf[len] must be writable: the last string's NUL may go there.  -EBADMSG:
 * malformed; -ENOMEM.  Tags, attributes and events come from the arena; events
 * without host have NULL, without time no SAT_HAS_TIME. */
int wire_decode(uint8_t *buf, size_t len, struct arena *a, struct wire_msg *out);

/* Answers, each with its 4-byte length. */
void wire_ok(struct sat_buf *b);
void wire_error(struct sat_buf *b, const char *error);	/* NULL: none said */
/* ok: true, and events: what wire_begin() gives is for wire_end(). */
size_t wire_begin(struct sat_buf *b);
size_t wire_begin_query(struct sat_buf *b, const char *query);	/* a message with one */
void wire_add(struct sat_buf *b, const struct sat_event *ev);
void wire_end(struct sat_buf *b, size_t from);

#endif

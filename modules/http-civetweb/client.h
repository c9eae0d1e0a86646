/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - what the files that deal with one connection share.
 *
 * client.c   its life, what it asks, and what is said to it
 * pass.c     its request to civetweb, and the answer back
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "gate.h"

struct out {			/* bytes on their way */
	uv_write_t write;	/* first */
	struct client *client;
	size_t len;
	char p[];
};

/* client.c */
void client_handle_closed(uv_handle_t *h);	/* one of its handles; with the last it goes */
void client_leave(struct client *c);		/* once what is on its way has been taken */
void client_shut(uv_shutdown_t *s, int status);	/* whatever came of it */
int client_write(uv_stream_t *to, struct client *c, const char *p, size_t n, uv_write_cb done);	/* copies */
void client_tell(struct client *c, const char *p, size_t n);
void client_give_room(uv_handle_t *h, size_t hint, uv_buf_t *buf);
void client_read_on(struct client *c);
size_t client_request_size(const struct client *c);	/* what follows is not passed on */

/* pass.c */
void pass_close(struct client *c);		/* fine if it is closed */
void pass_frames(struct client *c, const char *p, size_t n);
void pass_answer_on(struct client *c);		/* the client has taken enough of it */

#endif

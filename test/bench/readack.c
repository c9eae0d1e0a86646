/* SPDX-License-Identifier: Apache-2.0 */
/* readack - reads Riemann's frames and answers ok, nothing else: what a satellite is held against. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define ROOM	(256 * 1024)

struct conn {
	uv_tcp_t tcp;
	uint32_t left;		/* of the frame that is being read */
	unsigned head_len;
	unsigned char head[4];
};

struct answers { uv_write_t req; char p[]; };

static char in[ROOM], out[6 * ROOM / 4 + 6];

static void closed(uv_handle_t *h)
{
	free(h);
}

static void written(uv_write_t *req, int status)
{
	(void)status;
	free(req);
}

static void answer(struct conn *c, size_t len)
{
	uv_buf_t rest = uv_buf_init(out, (unsigned)len);
	int n = uv_try_write((uv_stream_t *)&c->tcp, &rest, 1);
	struct answers *a;

	n = n < 0 ? 0 : n;
	if ((size_t)n == len)
		return;
	len -= (size_t)n;
	a = malloc(sizeof(*a) + len);
	if (a == NULL)
		abort();
	memcpy(a->p, out + n, len);
	rest = uv_buf_init(a->p, (unsigned)len);
	uv_write(&a->req, (uv_stream_t *)&c->tcp, &rest, 1, written);
}

static void allocate(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	(void)h;
	(void)hint;
	*buf = uv_buf_init(in, ROOM);
}

static void heard(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = (struct conn *)s;
	size_t at = 0, size = n > 0 ? (size_t)n : 0, answered = 0, some;

	(void)buf;
	if (n < 0) {
		uv_close((uv_handle_t *)s, closed);
		return;
	}
	while (at < size) {
		if (c->head_len < 4) {
			c->head[c->head_len++] = (unsigned char)in[at++];
			if (c->head_len < 4)
				continue;
			memcpy(&c->left, c->head, 4);
			c->left = ntohl(c->left);
		}
		some = size - at < c->left ? size - at : c->left;
		at += some;
		c->left -= (uint32_t)some;
		if (c->left == 0) {
			memcpy(out + answered, "\0\0\0\2\x10\1", 6);
			answered += 6;
			c->head_len = 0;
		}
	}
	if (answered != 0)
		answer(c, answered);
}

static void knock(uv_stream_t *server, int status)
{
	struct conn *c = status == 0 ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL)
		return;
	uv_tcp_init(server->loop, &c->tcp);
	if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0) {
		uv_close((uv_handle_t *)&c->tcp, closed);
		return;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	uv_read_start((uv_stream_t *)&c->tcp, allocate, heard);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr;
	uv_tcp_t server;
	int rc;

	if (argc != 2 || uv_ip4_addr("127.0.0.1", atoi(argv[1]), &addr) != 0) {
		fprintf(stderr, "usage: readack PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	uv_tcp_init(uv_default_loop(), &server);
	rc = uv_tcp_bind(&server, (struct sockaddr *)&addr, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&server, 128, knock);
	if (rc != 0) {
		fprintf(stderr, "readack: port %s: %s\n", argv[1], uv_strerror(rc));
		return 1;
	}
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

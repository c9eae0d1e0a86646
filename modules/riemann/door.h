/* SPDX-License-Identifier: Apache-2.0 */
/* door - what the ways in of Riemann's clients share: counters, and lines of a log at a limited rate. */
#ifndef DOOR_H
#define DOOR_H

#include <satellite/module.h>

enum count {
	CONNECTIONS, ACCEPTED, MESSAGES, BYTES, MALFORMED, TOO_LARGE, REFUSED, TIMED_OUT,
	DATAGRAMS, UDP_DROPPED, TLS_ACCEPTED, TLS_FAILED,
};

/* What may be said of those outside: some lines, then how many more there were. */
struct lines { uint64_t since; unsigned n, held; };
void lines_log(struct sat_self *self, struct lines *l, const char *fmt, ...) SAT_PRINTF(3);

/* ---- UDP: a message a datagram, and no answer --------------------------- */

struct udp;
/* *out stays NULL where the setting is false. */
int udp_create(struct sat_self *self, const struct sat_conf *conf, struct lines *lines, struct udp **out);
/* These take NULL, too. */
int udp_open(struct udp *u);
int udp_start(struct udp *u);
void udp_unstart(struct udp *u);	/* what was started with it failed */
void udp_tick(struct udp *u);		/* once a second */
void udp_stop(struct udp *u, void (*stopped)(void *arg), void *arg);	/* after a start */
void udp_free(struct udp *u);

/* ---- TLS: between a connection and its socket --------------------------- */

#define TLS_READ ((size_t)128 * 1024)

struct tls {
	struct sat_tls *keys;
	const char *host;
	int port;
	bool verify;
	uint64_t handshake_ms;
	struct sat_buf out;	/* for the socket of the connection at hand */
	char in[TLS_READ];	/* from it */
};
extern const struct sat_option *const tls_options[];
/* *out stays NULL where there is no such group. */
int tls_create(struct sat_self *self, const struct sat_conf *conf, struct tls **out);
void tls_free(struct tls *t);	/* NULL is fine */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - what the files that deal with one master share.
 *
 * peer.c      its life, and what follows the end of a connection
 * connect.c   the way to it
 * send.c      messages out of the queue
 * answer.c    what it says to them
 * datagram.c  all of that over UDP
 * spool.c     what waits goes to the disk, and comes back; spool_inside.h has the rest
 */
#ifndef PEER_H
#define PEER_H

#include <uv.h>

#include "forward.h"

#define ADDRESSES	16u			/* tried of a name */
#define ANSWER_MAX	65536u
#define READ_SIZE	4096u
#define ROOM		((size_t)ANSWER_MAX + 4 + SAT_TLS_ROOM(READ_SIZE))	/* and one read more */

enum state { IDLE, WAITING, RESOLVING, CONNECTING, SHAKING, UP, CLOSING, STOPPED };
enum after { RETRY, NEXT_ADDRESS, RENEW, STOP };	/* what follows a close */

struct lookup {
	uv_getaddrinfo_t req;
	struct peer *peer;		/* NULL: nobody waits for it any more */
};

struct message {
	uv_write_t req;
	struct sat_buf buf;
};

struct peer {
	struct sender *sender;
	char host[256], name[272];
	int port;
	struct queue queue;
	struct spool *spool;		/* NULL: none */
	size_t counted;			/* of what waits, in the instance's gauge */
	size_t kept;			/* on the disk, when all is over */
	enum state state;
	enum after after;
	struct lookup *lookup;
	struct sockaddr_storage addrs[ADDRESSES];
	unsigned n_addrs, next_addr;
	uv_tcp_t tcp;
	uv_connect_t connect;
	bool open;			/* tcp is a handle, maybe closing */
	int fd;				/* of UDP; -1: none */
	int64_t up_since;
	struct sat_log_limit too_long, losses;
	enum { NOTHING, AWAY, WELL } told;	/* by the last line about it */
	struct sat_tls_conn *tls;	/* NULL: plain, or not connected */
	struct sat_alarm alarm;		/* by state: try again, or enough waited */
	struct sat_alarm flush;
	struct sat_buf in;
	int64_t backoff, refused_at;
	int64_t acknowledged, dropped, connections;
	bool proved;			/* this connection is to one that takes events */
	bool due;			/* what waits is to be sent without waiting for more */
	bool answers, away;		/* its last word: neither, or one */
	bool full, stuck, draining, last_try;
};

/* peer.c */
void peer_alarm(struct peer *p, int64_t after);
void peer_count(struct peer *p);		/* the queue, after any change of it */
void peer_drop(struct peer *p, size_t n);	/* so many events are lost */
void peer_leave(struct peer *p, enum after after);	/* end the connection, if there is one */
void peer_lose(struct peer *p, const char *why);	/* the same, and try again later */
size_t peer_waiting(const struct peer *p);	/* in memory and on the disk */
void peer_connect(struct peer *p);		/* the spool is there, or will not be */
void peer_end(struct peer *p, size_t kept);	/* the last of it: so many are on the disk */
void peer_took(struct peer *p);			/* it took what was sent: all is well */

/* connect.c */
void connect_start(struct peer *p);
void connect_next(struct peer *p);		/* to the next of its addresses */
void connect_up(struct peer *p);		/* it is there: what waits goes */
void connect_decrypt(struct peer *p, const char *bytes, size_t n);

/* send.c */
void send_due(struct peer *p);
void send_later(struct peer *p, int64_t after);	/* all that waits then */
void send_flush(struct sat_alarm *alarm);	/* the peer's own */
int send_message(struct peer *p, struct message *m);	/* takes m */

/* answer.c */
void answer_take(struct peer *p, const char *bytes, size_t n);

/* datagram.c */
void datagram_open(struct peer *p);		/* to the next of its addresses */
void datagram_shaken(struct peer *p);		/* the time to hear that nobody listens is over */
bool datagram_send(struct peer *p);		/* false: no more for now */
void datagram_close(struct peer *p);		/* fine if it is closed */

/* spool.c: events in order, in the peer's queue, then on the disk, then here. */
struct spool *spool_new(struct peer *p, struct place place);	/* NULL: no memory */
void spool_make_room(struct spool *s);
void spool_start(struct spool *s);		/* peer_connect() follows */
/* Whether events are to be put here: the master is away, or too slow for its queue. */
bool spool_wants(struct spool *s, const struct parcel *next);
size_t spool_put(struct spool *s, struct parcel *parcel, int64_t until);	/* as queue_put() */
void spool_begin(struct spool *s);		/* it is away: what waits goes to the disk */
void spool_turn(struct spool *s);		/* see what is to be done */
size_t spool_held(const struct spool *s);	/* events, beside those of the queue */
size_t spool_on_disk(const struct spool *s);	/* of them */
void spool_stop(struct spool *s);		/* all to the disk; peer_end() follows */
void spool_free(struct spool *s);

#endif

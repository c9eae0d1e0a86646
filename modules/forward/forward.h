/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward - what the files of this module share.
 *
 * A sender has a peer for each master, a peer a queue and a connection of its
 * own: what one of them suffers, the others never feel.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include <satellite/module.h>

#define DEPTH	4u		/* messages under way to a peer, not yet acknowledged */

#define QUEUE_BYTES	((size_t)16 << 20)	/* that wait for a master at most */
#define QUEUE_OWN	65536u	/* bytes that each may hold, whatever the queues of others do */

/* An event as it goes over the wire: a Riemann message of that one, without the length in
 * front.  Several of them in a row are a message, too.  All masters share it. */
struct parcel {
	uint32_t refs, len;
	char bytes[];
};
struct parcel *parcel_new(const void *bytes, size_t len);	/* copies; NULL: no memory */
struct parcel *parcel_ref(struct parcel *p);
void parcel_unref(struct parcel *p);

/* queue.c: events that wait, and those that are under way, which stand in front. */
struct entry {
	struct parcel *parcel;		/* ours; NULL: its ttl passed before it was sent */
	int64_t until;			/* steady; INT64_MAX: good for ever */
	uint64_t place;			/* in the spool, behind it; 0: in memory alone */
};
struct queue {
	struct entry *ring;
	size_t size, first, n;		/* size: a power of two, growing up to max */
	size_t held;			/* of n, those that have not expired */
	size_t max, bytes, max_bytes;
	struct sat_self *self;		/* whose share of memory-max it is; NULL: nobody's */
	size_t reserved;		/* of bytes, those beyond QUEUE_OWN */
	uint64_t passed;		/* of the spool: the place of the last that has gone */
	size_t under_way;		/* of n */
	size_t batches[DEPTH];		/* how many of these each message carries */
	unsigned n_batches;
};
struct most { size_t events, bytes; };	/* of a message; it has one event at least, whatever its size */
/* Takes p.  How many old ones, or the new one, had to go. */
size_t queue_put_placed(struct queue *q, struct parcel *p, int64_t until, uint64_t place);
static inline size_t queue_put(struct queue *q, struct parcel *p, int64_t until)
{
	return queue_put_placed(q, p, until, 0);
}
/* The next message: events put under way, which stay the queue's; *expired: how many were
 * too old by `now`.  0: none, and no message. */
size_t queue_take(struct queue *q, struct parcel **out, const struct most *most, int64_t now, size_t *expired);
void queue_untake(struct queue *q);	/* the last message was not sent */
size_t queue_ack(struct queue *q);	/* the first was answered: how many events it had */
void queue_lost(struct queue *q);	/* none will be answered: all wait again */
static inline size_t queue_waiting(const struct queue *q) { return q->n - q->under_way; }
/* From the front of one to the end of another, up to so many.  How many had to go. */
size_t queue_move(struct queue *from, struct queue *to, const struct most *most);
/* Of those that wait, the last that are in memory alone.  How many had to go. */
size_t queue_split(struct queue *q, struct queue *to);
/* Of all, the first that are in memory alone: they have no place, or in a segment before this. */
size_t queue_in_memory(const struct queue *q, uint32_t segment);
const struct entry *queue_at(const struct queue *q, size_t i);
void queue_free(struct queue *q);

/* sender.c: a set of masters, and how to send. */
struct settings {
	const char *spool;		/* folder; NULL: none */
	size_t spool_max;		/* bytes for a master */
	size_t queue, batch;
	int64_t flush, connect_timeout, ack_timeout;
	bool late;
	bool udp;			/* datagrams, and no TLS */
	struct sat_tls *tls;		/* the instance's; NULL: plain TCP */
};
struct sender {
	struct sender *next;		/* of the instance's */
	struct sat_self *self;
	struct settings how;
	struct peer **peers;
	struct sat_buf text;		/* of the event that is put */
	size_t n, open;			/* open: not yet stopped */
	bool started, stopping;
	struct sat_alarm deadline;
	void (*stopped)(void *arg);
	void *arg;
};
/* NULL: *rc, reported at conf's setting `name` if it is a mistake. */
struct sender *sender_new(struct sat_self *self, const struct settings *how, const char *const *masters,
			  const struct sat_conf *conf, const char *name, int *rc);
void sender_start(struct sender *s);	/* again: nothing */
void sender_put(struct sender *s, const struct sat_event *ev);
/* Send what waits, for 2.5 s at most; stopped() may come from inside. */
void sender_stop(struct sender *s, void (*stopped)(void *arg), void *arg);
void sender_peer_stopped(struct sender *s);
void sender_free(struct sender *s);

/* figures.c: of all that have been started, from this one on. */
void sender_figures(const struct sender *first, struct sat_figures *out);

/* peer.c: one master; peer.h has what is inside. */
struct peer *peer_new(struct sender *s, const char *name, const char **why);	/* why NULL: no memory */
const char *peer_name(const struct peer *p);	/* host:port */
/* Which of a master's folders is a spool's: one of n, from the first on, at first this. */
struct place { unsigned first, n, at; };
int peer_keep(struct peer *p, struct place place);	/* with a spool, before it is started */
void peer_make_room(struct peer *p);			/* of its spool: for one more */
void peer_start(struct peer *p);
void peer_put(struct peer *p, struct parcel *parcel, int64_t until);	/* takes parcel; NULL: it is lost */
void peer_drain(struct peer *p);	/* sender_peer_stopped() follows, maybe from inside */
void peer_give_up(struct peer *p);	/* the time to drain is over */
void peer_free(struct peer *p);
struct master_figures { bool up; double queued, spooled, acknowledged, dropped; };
void peer_figures(const struct peer *p, struct master_figures *f);	/* added */

/* address.c: "m1", "m1:5555", "[::1]:5555", "::1"; *port stays where there is none.  NULL: fine, else
 * why not. */
#define TCP_PORT	5555
#define TLS_PORT	5554
const char *address_split(const char *text, char *host, size_t size, int *port);

enum { COUNT_TAKEN, COUNT_QUEUED, COUNT_SENT, COUNT_ACKNOWLEDGED, COUNT_REFUSED, COUNT_DROPPED, COUNT_EXPIRED,
	COUNT_UNANSWERED, COUNT_RECONNECTS, COUNT_RESTORED, COUNT_SPOOL_ERRORS };

#endif

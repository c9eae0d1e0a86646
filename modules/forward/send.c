/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send - messages out of the queue and onto the connection.
 *
 * With TLS a message is encrypted as it is written.
 */
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define BATCH_MAX	1000u
#define MESSAGE_MAX	((size_t)4 << 20)	/* a quarter of what a master takes by default */

static void written(uv_write_t *req, int status)
{
	struct message *m = (struct message *)req;
	struct peer *p = req->data;

	sat_buf_free(&m->buf);
	free(m);
	if (status < 0 && (p->state == UP || p->state == SHAKING))
		peer_lose(p, strerror(-status));
}

/* Takes m. */
int send_message(struct peer *p, struct message *m)
{
	uv_buf_t buf = uv_buf_init(m->buf.p, (unsigned)m->buf.len);
	int rc;

	m->req.data = p;
	rc = uv_write(&m->req, (uv_stream_t *)&p->tcp, &buf, 1, written);
	if (rc != 0) {
		sat_buf_free(&m->buf);
		free(m);
	}
	return rc;
}

/* A message of these n. */
static struct message *pack(struct parcel *const *parcels, size_t n)
{
	struct message *m = calloc(1, sizeof(*m));
	size_t len = 0;

	if (m == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		len += parcels[i]->len;
	m->buf.max = len + 4;
	for (int shift = 24; shift >= 0; shift -= 8)
		sat_buf_add(&m->buf, &(char){ (char)(len >> shift) }, 1);
	for (size_t i = 0; i < n; i++)
		sat_buf_add(&m->buf, parcels[i]->bytes, parcels[i]->len);
	if (!m->buf.full)
		return m;
	sat_buf_free(&m->buf);
	free(m);
	return NULL;
}

/* The next message out of the queue; *n events; NULL: no memory. */
static struct message *compose(struct peer *p, size_t *n)
{
	const struct most most = { p->sender->how.batch, MESSAGE_MAX };
	struct parcel *parcels[BATCH_MAX];
	struct message *m;
	size_t expired;

	*n = queue_take(&p->queue, parcels, &most, sat_clock(), &expired);
	sat_count(p->sender->self, COUNT_EXPIRED, (int64_t)expired);
	if (*n == 0)
		return NULL;
	m = pack(parcels, *n);
	if (m == NULL)
		queue_untake(&p->queue);
	return m;
}

/* Frees m where that fails. */
static int encrypt(struct peer *p, struct message *m)
{
	struct sat_buf out = { .max = 3 * QUEUE_BYTES };
	int rc = sat_tls_encrypt(p->tls, m->buf.p, m->buf.len, &out);

	sat_buf_free(&m->buf);
	m->buf = out;
	if (rc != 0) {
		sat_buf_free(&m->buf);
		free(m);
	}
	return rc;
}

void send_later(struct peer *p, int64_t after)
{
	if (sat_alarm_set(p->sender->self, &p->flush, sat_clock() + after) != 0)
		p->due = true;		/* with the next one, then */
}

/* false: no more for now. */
static bool send_one(struct peer *p)
{
	size_t n;
	struct message *m = compose(p, &n);
	int rc;

	if (m == NULL) {
		if (n > 0)
			send_later(p, SAT_SECOND);
		return n == 0;
	}
	rc = p->tls != NULL ? encrypt(p, m) : 0;
	rc = rc == 0 ? send_message(p, m) : rc;
	if (rc != 0) {
		peer_lose(p, strerror(-rc));
		return false;
	}
	sat_count(p->sender->self, COUNT_SENT, (int64_t)n);
	if (p->queue.n_batches == 1)
		peer_alarm(p, p->sender->how.ack_timeout);
	return true;
}

void send_due(struct peer *p)
{
	size_t enough = p->sender->how.batch;

	while (p->state == UP && p->queue.n_batches < DEPTH && queue_waiting(&p->queue) > 0 &&
	       (p->due || queue_waiting(&p->queue) >= enough))
		if (!(p->sender->how.udp ? datagram_send(p) : send_one(p)))
			break;
	if (queue_waiting(&p->queue) == 0)
		p->due = false;
	if (p->spool != NULL)
		spool_turn(p->spool);
	peer_count(p);
	if (p->state == UP && p->draining && p->queue.n == 0)
		peer_leave(p, STOP);
}

void send_flush(struct sat_alarm *alarm)
{
	struct peer *p = SAT_OWNER(alarm, struct peer, flush);

	p->due = true;
	send_due(p);
}

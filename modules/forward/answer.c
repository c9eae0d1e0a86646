/* SPDX-License-Identifier: Apache-2.0 */
/* answer - what a master says to the messages it got. */
#include <string.h>

#include "peer.h"

static void refused(struct peer *p, size_t n, const char *error)
{
	sat_count(p->sender->self, COUNT_REFUSED, (int64_t)n);
	if (p->refused_at != 0 && sat_clock() - p->refused_at < 60 * SAT_SECOND)
		return;
	p->refused_at = sat_clock();
	sat_log(p->sender->self, LOG_WARNING, "%s: refused %zu events: %s", p->name, n, error);
}

static void acknowledged(struct peer *p, size_t n)
{
	sat_count(p->sender->self, COUNT_ACKNOWLEDGED, (int64_t)n);
	p->acknowledged += (int64_t)n;
	peer_took(p);
}

/* false: the connection is being left. */
static bool take_answer(struct peer *p, const char *msg, size_t len)
{
	char error[256] = "";
	int rc = sat_answer_parse(msg, len, error, sizeof(error));
	size_t n;

	if (p->queue.n_batches == 0 || rc == -EBADMSG) {
		peer_lose(p, "answers what is no answer");
		return false;
	}
	n = queue_ack(&p->queue);
	if (rc == -EREMOTEIO)
		refused(p, n, error);
	else
		acknowledged(p, n);
	peer_count(p);
	if (p->queue.n_batches > 0)
		peer_alarm(p, p->sender->how.ack_timeout);
	else
		sat_alarm_stop(&p->alarm);
	return true;
}

/* The whole answers that are in. */
static void take_answers(struct peer *p)
{
	size_t at = 0;

	while (p->in.len - at >= 4) {
		const unsigned char *u = (const unsigned char *)p->in.p + at;
		size_t len = (size_t)u[0] << 24 | (size_t)u[1] << 16 | (size_t)u[2] << 8 | u[3];

		if (len > ANSWER_MAX) {
			peer_lose(p, "answers what is no answer");
			return;
		}
		if (p->in.len - at - 4 < len)
			break;
		if (!take_answer(p, p->in.p + at + 4, len))
			return;
		at += 4 + len;
	}
	if (at > 0)
		memmove(p->in.p, p->in.p + at, p->in.len - at);
	p->in.len -= at;
}

void answer_take(struct peer *p, const char *bytes, size_t n)
{
	sat_buf_add(&p->in, bytes, n);
	if (p->in.full) {
		sat_buf_free(&p->in);
		p->in = (struct sat_buf){ .max = ROOM };
		peer_lose(p, "out of memory");
		return;
	}
	take_answers(p);
	send_due(p);
}

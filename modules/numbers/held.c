/* SPDX-License-Identifier: Apache-2.0 */
/* held - what operators over time have in common: events that are kept, and Riemann's ticker. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "held.h"

int held_add(struct held *k, const struct sat_event *ev)
{
	const struct sat_event *kept;

	if (k->n == k->size) {
		uint32_t more = k->size != 0 ? 2 * k->size : 8;
		const struct sat_event **v = realloc(k->v, more * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		k->v = v;
		k->size = more;
	}
	kept = sat_keep(ev);
	if (kept == NULL)
		return -ENOMEM;
	k->v[k->n++] = kept;
	return 0;
}

void held_shift(struct held *k)
{
	sat_drop(k->v[0]);
	k->n--;
	memmove(k->v, k->v + 1, k->n * sizeof(*k->v));
}

void held_free(struct held *k)
{
	while (k->n > 0)
		sat_drop(k->v[--k->n]);
	free(k->v);
	*k = (struct held){ NULL, 0, 0 };
}

int held_save(const struct held *k, struct sat_writer *out)
{
	int rc = sat_write_int(out, k->n);

	for (uint32_t i = 0; i < k->n && rc == 0; i++)
		rc = sat_write_event(out, k->v[i]);
	return rc;
}

int held_load(struct held *k, uint32_t max, struct sat_reader *in)
{
	const struct sat_event *ev;
	int64_t n;
	int rc = sat_read_int(in, &n);

	if (rc == 0 && (n < 0 || n > max))
		return -EBADMSG;
	while (rc == 0 && n-- > 0) {
		rc = sat_read_event(in, &ev);
		if (rc == 0 && ev == NULL)
			return -EBADMSG;
		if (rc == 0)
			rc = held_add(k, ev);
		sat_drop(ev);
	}
	return rc;
}

void ticker_feed(const struct sat_at *at, struct ticker *t, const struct sat_event *ev, int64_t delay)
{
	if (sat_expired(ev)) {
		sat_timer_stop(&t->timer);
		return;
	}
	t->until = ev->has & SAT_HAS_TTL ? sat_expires(ev) : INT64_MAX;
	if (!sat_timer_armed(&t->timer))
		sat_timer_set(at, &t->timer, sat_clock() + delay);
}

bool ticker_ticks(const struct sat_at *at, struct ticker *t, int64_t interval)
{
	if (sat_clock() > t->until)
		return false;
	sat_timer_set(at, &t->timer, t->timer.due + interval);
	return true;
}

/* What is left until then: time away does not count. */
int ticker_save(const struct ticker *t, struct sat_writer *out)
{
	sat_write_timer(out, &t->timer);
	return sat_write_int(out, t->until == INT64_MAX ? t->until : t->until - sat_clock());
}

int ticker_load(const struct sat_at *at, struct ticker *t, struct sat_reader *in)
{
	int rc;

	sat_read_timer(at, in, &t->timer);
	rc = sat_read_int(in, &t->until);
	if (t->until != INT64_MAX)
		t->until += sat_clock();
	return rc;
}

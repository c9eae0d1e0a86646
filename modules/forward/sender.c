/* SPDX-License-Identifier: Apache-2.0 */
/* sender - a set of masters that all get every event. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forward.h"

#define DRAIN	(5 * SAT_SECOND / 2)	/* of the 5 s that the process has to end */
#define TEXT_KEPT	65536u		/* bytes of memory that stay for the next event */
#define NO_TTL	60.0			/* the index takes this where an event has none */

/* Append a peer for this name, which stands `at`; -EINVAL: reported. */
static int add(struct sender *s, const char *name, const struct sat_conf *at)
{
	const char *why;
	struct peer *p = peer_new(s, name, &why);

	if (p == NULL)
		return why != NULL ? sat_conf_error(at, NULL, "\"%s\" %s", name, why) : -ENOMEM;
	s->peers[s->n++] = p;
	for (size_t i = 0; i + 1 < s->n; i++)
		if (strcmp(peer_name(s->peers[i]), peer_name(p)) == 0)
			return sat_conf_error(at, NULL, "\"%s\" stands there twice", name);
	return 0;
}

struct sender *sender_new(struct sat_self *self, const struct settings *how, const char *const *masters,
			  const struct sat_conf *conf, const char *name, int *rc)
{
	const struct sat_conf *list = conf != NULL ? sat_conf_get(conf, name) : NULL;
	struct sender *s = calloc(1, sizeof(*s));
	size_t n = 0;

	while (masters[n] != NULL)
		n++;
	*rc = -ENOMEM;
	if (s == NULL)
		return NULL;
	s->self = self;
	s->how = *how;
	s->peers = calloc(n + 1, sizeof(struct peer *));
	if (s->peers == NULL)
		goto fail;
	*rc = n > 0 ? 0 : sat_conf_error(conf, name, "names no master");
	for (size_t i = 0; i < n && *rc != -ENOMEM; i++) {
		int one = add(s, masters[i], list != NULL ? sat_conf_at(list, i) : NULL);

		*rc = one != 0 ? one : *rc;
	}
	if (*rc == 0)
		return s;
fail:
	sender_free(s);
	return NULL;
}

void sender_start(struct sender *s)
{
	if (s->started || sat_dry_run())
		return;
	s->started = true;
	s->open = s->n;
	for (size_t i = 0; i < s->n; i++)
		peer_start(s->peers[i]);
}

/* How long an event may wait.  One that takes a service back is never late: without it an
 * index would let the service expire as if its host had gone silent. */
static int64_t until(const struct sender *s, const struct sat_event *ev)
{
	double ttl = ev->has & SAT_HAS_TTL ? ev->ttl : NO_TTL;

	if (s->how.late || ttl > 1e9 || (ev->state != NULL && strcmp(ev->state, "expired") == 0))
		return INT64_MAX;
	return sat_clock() + (int64_t)(ttl * SAT_SECOND);
}

/* NULL: out of memory, or too long to wait anywhere. */
static struct parcel *parcel_of(struct sender *s, const struct sat_event *ev)
{
	struct parcel *parcel = NULL;

	s->text.max = QUEUE_BYTES;
	sat_buf_message(&s->text, &ev, 1);
	if (!s->text.full)
		parcel = parcel_new(s->text.p + 4, s->text.len - 4);
	s->text.len = 0;
	if (s->text.full || s->text.size > TEXT_KEPT)
		sat_buf_free(&s->text);
	return parcel;
}

void sender_put(struct sender *s, const struct sat_event *ev)
{
	struct parcel *parcel = parcel_of(s, ev);
	int64_t when = until(s, ev);

	for (size_t i = 0; i < s->n; i++)
		peer_put(s->peers[i], parcel != NULL ? parcel_ref(parcel) : NULL, when);
	parcel_unref(parcel);
}

void sender_peer_stopped(struct sender *s)
{
	if (--s->open > 0)
		return;
	sat_alarm_stop(&s->deadline);
	s->stopped(s->arg);
}

static void over(struct sat_alarm *alarm)
{
	struct sender *s = SAT_OWNER(alarm, struct sender, deadline);

	s->open++;		/* the last to stop may free it all */
	for (size_t i = 0; i < s->n; i++)
		peer_give_up(s->peers[i]);
	sender_peer_stopped(s);
}

void sender_stop(struct sender *s, void (*stopped)(void *arg), void *arg)
{
	if (!s->started) {
		stopped(arg);
		return;
	}
	s->stopping = true;
	s->stopped = stopped;
	s->arg = arg;
	s->open++;		/* until all have been told */
	s->deadline.fire = over;
	if (sat_alarm_set(s->self, &s->deadline, sat_clock() + DRAIN) == 0)
		for (size_t i = 0; i < s->n; i++)
			peer_drain(s->peers[i]);
	else
		over(&s->deadline);
	sender_peer_stopped(s);
}

void sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		peer_free(s->peers[i]);
	free(s->peers);
	sat_buf_free(&s->text);
	free(s);
}

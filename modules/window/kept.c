/* SPDX-License-Identifier: Apache-2.0 */
/* kept - a list of events in the order in which they came; old ones go at its front. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "window.h"

/* What stands is moved to the front once as much has gone there: each event moves once or so. */
static int room(struct kept *k)
{
	const struct sat_event **more;
	uint32_t size;

	if (k->head + k->n < k->room)
		return 0;
	if (k->head != 0 && k->head >= k->n) {
		memmove(k->evs, k->evs + k->head, k->n * sizeof(*k->evs));
		k->head = 0;
		return 0;
	}
	size = k->room != 0 ? 2 * k->room : 8;
	more = realloc(k->evs, size * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	k->evs = more;
	k->room = size;
	return 0;
}

int kept_add(struct kept *k, const struct sat_event *ev)
{
	if (room(k) != 0)
		return -ENOMEM;
	ev = sat_keep(ev);
	if (ev == NULL)
		return -ENOMEM;
	k->evs[k->head + k->n++] = ev;
	return 0;
}

void kept_shift(struct kept *k, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sat_drop(k->evs[k->head + i]);
	k->n -= n;
	k->head = k->n != 0 ? k->head + n : 0;
}

void kept_trim(struct kept *k, uint32_t max, struct sat_self *self)
{
	if (k->n <= max)
		return;
	sat_count(self, WINDOW_DROPPED, k->n - max);
	kept_shift(k, k->n - max);
}

void kept_remove_until(struct kept *k, int64_t time)
{
	const struct sat_event **evs = k->evs + k->head;
	uint32_t left = 0;

	for (uint32_t i = 0; i < k->n; i++)
		if (evs[i]->time <= time)
			sat_drop(evs[i]);
		else
			evs[left++] = evs[i];
	k->n = left;
}

void kept_clear(struct kept *k)
{
	kept_shift(k, k->n);
}

void kept_free(struct kept *k)
{
	kept_clear(k);
	free(k->evs);
	*k = (struct kept){ .evs = NULL };
}

int kept_save(const struct kept *k, struct sat_writer *out)
{
	int rc = sat_write_int(out, k->n);

	for (uint32_t i = 0; i < k->n && rc == 0; i++)
		rc = sat_write_event(out, k->evs[k->head + i]);
	return rc;
}

int kept_load(struct kept *k, struct sat_reader *in)
{
	const struct sat_event *ev;
	int64_t n;
	int rc = sat_read_int(in, &n);

	if (rc == 0 && (n < 0 || n > WINDOW_MOST))
		return -EBADMSG;
	while (rc == 0 && n-- > 0) {
		rc = sat_read_event(in, &ev);
		if (rc == 0)
			rc = kept_add(k, ev);
		sat_drop(ev);
	}
	return rc;
}

int kept_event(const struct sat_at *at, const struct sat_item *item, const struct sat_event **ev)
{
	if (item->list)
		return sat_fail(at, -EINVAL, "it takes events, not lists");
	*ev = item->n != 0 ? item->evs[0] : sat_edit(at, NULL);
	return *ev != NULL ? 0 : -ENOMEM;
}

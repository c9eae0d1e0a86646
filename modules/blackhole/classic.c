/* SPDX-License-Identifier: Apache-2.0 */
/* classic - a host is judged by what its own agent's totals grew by. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blackhole.h"

/* Samples that are closer than this part of the window are one, so that they have a maximum. */
enum { SLICES = 64, SAMPLES = 1000 };

static const char *const names[CLASSIC_TOTALS] = { "failed", "started", "finished" };

/* ---- The verdict -------------------------------------------------------- */

/* What a total grew by; less than 0: it is not known. */
struct growth { double by[CLASSIC_TOTALS]; };

static bool exceeds(double failed, double other, double limit)
{
	return failed > 0 && other >= 0 && (other == 0 || failed / other > limit);
}

static struct sat_event *verdict(const struct sat_at *at, const struct rule *r, const struct growth *g,
				 const struct sat_event *of)
{
	bool bad = exceeds(g->by[FAILED], g->by[STARTED], r->per_start) &&
		   exceeds(g->by[FAILED], g->by[FINISHED], r->per_finish);

	return verdict_event(at, of != NULL ? of->host : NULL, bad, of);
}

/* ---- Lists: what somebody else found that the totals grew by ------------ */

/* Failed, started, finished, as `project` passes them on; one that is nil is not known. */
static int judge_list(const struct sat_at *at, const struct rule *r, const struct sat_item *item)
{
	struct growth g = { .by = { -1, -1, -1 } };
	struct sat_event *ev;
	int rc = 0;

	for (uint32_t i = 0; i < item->n && i < CLASSIC_TOTALS; i++)
		if (item->evs[i]->has & SAT_HAS_METRIC)
			g.by[i] = sat_metric(item->evs[i]);
	ev = verdict(at, r, &g, item->n != 0 ? item->evs[FAILED] : NULL);
	if (ev == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < item->n && i < CLASSIC_TOTALS && rc == 0; i++)
		if (item->evs[i]->has & SAT_HAS_INT)
			rc = verdict_put(at, ev, names[i], sat_scratchf(at, "%lld", (long long)item->evs[i]->metric.i));
		else if (item->evs[i]->has & SAT_HAS_DOUBLE)
			rc = verdict_put(at, ev, names[i], sat_scratchf(at, "%.17g", item->evs[i]->metric.d));
	if (rc == 0)
		sat_pass_event(at, 0, ev);
	return rc;
}

/* ---- Events: the totals of one host, over a window ---------------------- */

static int total_of(const char *service)
{
	static const char common[] = "total-tasks-";
	const char *name = service != NULL ? strrchr(service, '/') : NULL;

	if (service == NULL)
		return -1;
	name = name != NULL ? name + 1 : service;
	if (strncmp(name, common, sizeof(common) - 1) != 0)
		return -1;
	for (int i = 0; i < CLASSIC_TOTALS; i++)
		if (strcmp(name + sizeof(common) - 1, names[i]) == 0)
			return i;
	return -1;
}

bool classic_is_total(const char *service)
{
	return total_of(service) >= 0;
}

static void forget(struct series *s, int64_t before)
{
	uint32_t old = 0;

	while (old < s->n && s->v[old].time <= before)
		old++;
	if (old != 0 && old < s->n)
		memmove(s->v, s->v + old, (s->n - old) * sizeof(*s->v));
	s->n -= old;
	if (s->n == 0)
		s->fresh = false;
}

static int more_room(struct series *s)
{
	uint32_t size = s->size != 0 ? 2 * s->size : 8;
	struct sample *v;

	if (s->n < s->size)
		return 0;
	v = realloc(s->v, size * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	s->v = v;
	s->size = size;
	return 0;
}

/* A total that fell began anew, at zero.  One that is late or comes again says nothing new. */
static int add_sample(struct series *s, const struct rule *r, int64_t time, double total)
{
	double grown = 0;

	if (s->n != 0) {
		if (time <= s->v[s->n - 1].time)
			return 0;
		grown = s->v[s->n - 1].grown + (total >= s->last ? total - s->last : total);
	}
	if (s->n >= 2 && time - s->v[s->n - 2].time < r->window / SLICES)
		s->n--;
	if (more_room(s) != 0)
		return -ENOMEM;
	s->v[s->n++] = (struct sample){ time, grown };
	s->last = total;
	s->fresh = true;
	return 0;
}

/* What it grew by since then. */
static double growth(const struct series *s, int64_t since)
{
	uint32_t i = 0;

	while (i + 1 < s->n && s->v[i + 1].time <= since)
		i++;
	return s->v[s->n - 1].grown - s->v[i].grown;
}

/* Once all three totals came again, and all were seen for long enough. */
static bool complete(const struct rule *r, const struct classic *h, struct growth *g)
{
	int64_t since = INT64_MIN;

	for (int i = 0; i < CLASSIC_TOTALS; i++) {
		if (!h->of[i].fresh || h->of[i].n == 0)
			return false;
		if (h->of[i].v[0].time > since)
			since = h->of[i].v[0].time;
	}
	for (int i = 0; i < CLASSIC_TOTALS; i++) {
		const struct series *s = &h->of[i];

		if (s->v[s->n - 1].time - since <= r->longer)
			return false;
		g->by[i] = growth(s, since);
	}
	return true;
}

static int judge_host(const struct sat_at *at, const struct rule *r, struct classic *h, const struct sat_event *of)
{
	struct sat_event *ev;
	struct growth g;
	int rc = 0;

	if (!complete(r, h, &g))
		return 0;
	ev = verdict(at, r, &g, of);
	if (ev == NULL)
		return -ENOMEM;
	for (int i = 0; i < CLASSIC_TOTALS && rc == 0; i++) {
		h->of[i].fresh = false;
		rc = verdict_put(at, ev, names[i], sat_scratchf(at, "%.17g", g.by[i]));
	}
	if (rc == 0)
		sat_pass_event(at, 0, ev);
	return rc;
}

int classic_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = item->n != 0 ? item->evs[0] : NULL;
	const struct rule *r = def;
	struct classic *h = state;
	int total, rc;

	if (item->list)
		return judge_list(at, r, item);
	total = ev != NULL ? total_of(ev->service) : -1;
	if (total < 0)
		return 0;
	if (ev->state != NULL && strcmp(ev->state, "expired") == 0) {
		forget(&h->of[total], INT64_MAX);
		return 0;
	}
	/* A clock that is ahead must not empty the window for the others. */
	if (!(ev->has & SAT_HAS_METRIC) || !(ev->has & SAT_HAS_TIME) || !(sat_metric(ev) >= 0) ||
	    ev->time > sat_wall() + r->window)
		return 0;
	rc = add_sample(&h->of[total], r, ev->time, sat_metric(ev));
	if (rc != 0)
		return rc;
	if (ev->time > h->newest)
		h->newest = ev->time;
	h->until = sat_clock() + r->window;
	for (int i = 0; i < CLASSIC_TOTALS; i++)
		forget(&h->of[i], h->newest - r->window);
	return judge_host(at, r, h, ev);
}

bool classic_idle(const void *def, const void *state)
{
	const struct classic *h = state;

	(void)def;
	return (h->of[FAILED].n == 0 && h->of[STARTED].n == 0 && h->of[FINISHED].n == 0) || sat_clock() > h->until;
}

void classic_close(const void *def, void *state)
{
	struct classic *h = state;

	(void)def;
	for (int i = 0; i < CLASSIC_TOTALS; i++) {
		free(h->of[i].v);
		h->of[i] = (struct series){ 0 };
	}
}

/* ---- Saved -------------------------------------------------------------- */

int classic_save(const void *def, const void *state, struct sat_writer *out)
{
	const struct classic *h = state;
	int rc = sat_write_int(out, h->newest);

	(void)def;
	for (int i = 0; i < CLASSIC_TOTALS; i++) {
		const struct series *s = &h->of[i];

		sat_write_int(out, s->n);
		sat_write_double(out, s->last);
		rc = sat_write_int(out, s->fresh);
		for (uint32_t k = 0; k < s->n; k++) {
			sat_write_int(out, s->v[k].time);
			rc = sat_write_double(out, s->v[k].grown);
		}
	}
	return rc;
}

static int load_series(struct series *s, struct sat_reader *in)
{
	int64_t n, fresh;
	int rc;

	sat_read_int(in, &n);
	sat_read_double(in, &s->last);
	rc = sat_read_int(in, &fresh);
	if (rc != 0 || n < 0 || n > SAMPLES)
		return -EBADMSG;
	s->fresh = fresh != 0;
	for (; n > 0 && rc == 0; n--) {
		if (more_room(s) != 0)
			return -ENOMEM;
		sat_read_int(in, &s->v[s->n].time);
		rc = sat_read_double(in, &s->v[s->n++].grown);
	}
	return rc;
}

int classic_load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	const struct rule *r = def;
	struct classic *h = state;
	int rc = version == 1 ? sat_read_int(in, &h->newest) : -EBADMSG;

	(void)at;
	for (int i = 0; i < CLASSIC_TOTALS && rc == 0; i++)
		rc = load_series(&h->of[i], in);
	h->until = sat_clock() + r->window;
	return rc;
}

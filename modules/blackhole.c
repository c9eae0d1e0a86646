/* SPDX-License-Identifier: Apache-2.0 */
/* blackhole - finds hosts that fail tasks fast, and so attract ever more, by their agents' totals. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

enum total { FAILED, STARTED, FINISHED, TOTALS };

/* Samples that are closer than this part of the window are one, so that they have a maximum. */
enum { SLICES = 64, SAMPLES = 1000 };

static const char *const names[TOTALS] = { "failed", "started", "finished" };

/* ---- Settings ----------------------------------------------------------- */

struct rule { int64_t window, longer; double per_start, per_finish; };

static const struct sat_option *const options[] = {
	SAT_OPTION("blackhole", SAT_STRING, .fallback = "classic", .help = "the rule: classic"),
	SAT_OPTION("window", SAT_SECONDS, .fallback = "300", .min = 1, .max = 1e9,
		   .help = "seconds of the sliding window that totals are compared in"),
	SAT_OPTION("longer", SAT_SECONDS, .min = 0, .max = 1e9,
		   .help = "judge what was seen for longer than so many of them; half of the window"),
	SAT_OPTION("fails-to-starts", SAT_NUMBER, .fallback = "0.75", .min = 0, .max = 1e9,
		   .help = "critical over so many failed tasks for each that was started, and"),
	SAT_OPTION("fails-to-finishes", SAT_NUMBER, .fallback = "3", .min = 0, .max = 1e9,
		   .help = "over so many for each that finished"),
	NULL
};

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct rule *r = calloc(1, sizeof(*r));
	int rc = 0;

	(void)node;
	(void)module;
	if (r == NULL)
		return -ENOMEM;
	r->window = sat_conf_time(conf, "window");
	r->longer = sat_conf_has(conf, "longer") ? sat_conf_time(conf, "longer") : r->window / 2;
	r->per_start = sat_conf_number(conf, "fails-to-starts");
	r->per_finish = sat_conf_number(conf, "fails-to-finishes");
	if (strcmp(sat_conf_string(conf, "blackhole"), "classic") != 0)
		rc = sat_conf_error(conf, "blackhole", "\"classic\" is the one rule");
	/* It could never fire. */
	if (r->longer >= r->window)
		rc = sat_conf_error(conf, "longer", "nothing is seen for longer than the window");
	if (rc != 0)
		free(r);
	else
		*def = r;
	return rc;
}

/* ---- The verdict -------------------------------------------------------- */

/* What a total grew by; less than 0: it is not known. */
struct growth { double by[TOTALS]; };

static bool exceeds(double failed, double other, double limit)
{
	return failed > 0 && other >= 0 && (other == 0 || failed / other > limit);
}

static int put_text(const struct sat_at *at, struct sat_event *ev, const char *name, const char *text)
{
	const struct sat_field field = sat_field(name);
	const struct sat_value v = { .kind = SAT_TEXT, .text = text };

	return text != NULL ? sat_set(at, ev, &field, &v) : -ENOMEM;
}

/* As Riemann makes events: their time is that of now, in whole seconds. */
static struct sat_event *verdict(const struct sat_at *at, const struct rule *r, const struct growth *g,
				 const struct sat_event *of)
{
	struct sat_event *ev = sat_edit(at, NULL);
	bool bad = exceeds(g->by[FAILED], g->by[STARTED], r->per_start) &&
		   exceeds(g->by[FAILED], g->by[FINISHED], r->per_finish);

	if (ev == NULL)
		return NULL;
	ev->host = of != NULL ? of->host : NULL;
	ev->service = "task blackhole detected";
	ev->state = bad ? "critical" : "ok";
	ev->description = "Whether the host represents a black hole for tasks.";
	ev->time = (sat_wall() + SAT_SECOND / 2) / SAT_SECOND * SAT_SECOND;
	ev->has = SAT_HAS_TIME | SAT_HAS_STAMP;
	if (of != NULL && (of->has & SAT_HAS_TTL)) {
		ev->ttl = of->ttl;
		ev->has |= SAT_HAS_TTL;
	}
	return ev;
}

/* ---- Lists: what somebody else found that the totals grew by ------------ */

/* Failed, started, finished, as `project` passes them on; one that is nil is not known. */
static int judge_list(const struct sat_at *at, const struct rule *r, const struct sat_item *item)
{
	struct growth g = { .by = { -1, -1, -1 } };
	struct sat_event *ev;
	int rc = 0;

	for (uint32_t i = 0; i < item->n && i < TOTALS; i++)
		if (item->evs[i]->has & SAT_HAS_METRIC)
			g.by[i] = sat_metric(item->evs[i]);
	ev = verdict(at, r, &g, item->n != 0 ? item->evs[FAILED] : NULL);
	if (ev == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < item->n && i < TOTALS && rc == 0; i++)
		if (item->evs[i]->has & SAT_HAS_INT)
			rc = put_text(at, ev, names[i], sat_scratchf(at, "%lld", (long long)item->evs[i]->metric.i));
		else if (item->evs[i]->has & SAT_HAS_DOUBLE)
			rc = put_text(at, ev, names[i], sat_scratchf(at, "%.17g", item->evs[i]->metric.d));
	if (rc == 0)
		sat_pass_event(at, 0, ev);
	return rc;
}

/* ---- Events: the totals of one host, over a window ---------------------- */

/* `grown` is since the first sample, whatever began anew meanwhile. */
struct sample { int64_t time; double grown; };
struct series {
	struct sample *v;
	uint32_t n, size;
	double last;			/* the total itself, at the last sample */
	bool fresh;			/* it came since the last verdict */
};
struct host {
	struct series of[TOTALS];
	int64_t newest;
	int64_t until;			/* on the engine's clock: then all of it is out of the window */
};

static int total_of(const char *service)
{
	static const char common[] = "total-tasks-";
	const char *name = service != NULL ? strrchr(service, '/') : NULL;

	if (service == NULL)
		return -1;
	name = name != NULL ? name + 1 : service;
	if (strncmp(name, common, sizeof(common) - 1) != 0)
		return -1;
	for (int i = 0; i < TOTALS; i++)
		if (strcmp(name + sizeof(common) - 1, names[i]) == 0)
			return i;
	return -1;
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
static bool complete(const struct rule *r, const struct host *h, struct growth *g)
{
	int64_t since = INT64_MIN;

	for (int i = 0; i < TOTALS; i++) {
		if (!h->of[i].fresh || h->of[i].n == 0)
			return false;
		if (h->of[i].v[0].time > since)
			since = h->of[i].v[0].time;
	}
	for (int i = 0; i < TOTALS; i++) {
		const struct series *s = &h->of[i];

		if (s->v[s->n - 1].time - since <= r->longer)
			return false;
		g->by[i] = growth(s, since);
	}
	return true;
}

static int judge_host(const struct sat_at *at, const struct rule *r, struct host *h, const struct sat_event *of)
{
	struct sat_event *ev;
	struct growth g;
	int rc = 0;

	if (!complete(r, h, &g))
		return 0;
	ev = verdict(at, r, &g, of);
	if (ev == NULL)
		return -ENOMEM;
	for (int i = 0; i < TOTALS && rc == 0; i++) {
		h->of[i].fresh = false;
		rc = put_text(at, ev, names[i], sat_scratchf(at, "%.17g", g.by[i]));
	}
	if (rc == 0)
		sat_pass_event(at, 0, ev);
	return rc;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = item->n != 0 ? item->evs[0] : NULL;
	const struct rule *r = def;
	struct host *h = state;
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
	for (int i = 0; i < TOTALS; i++)
		forget(&h->of[i], h->newest - r->window);
	return judge_host(at, r, h, ev);
}

static bool idle(const void *def, const void *state)
{
	const struct host *h = state;

	(void)def;
	return (h->of[FAILED].n == 0 && h->of[STARTED].n == 0 && h->of[FINISHED].n == 0) || sat_clock() > h->until;
}

static void close_fork(const void *def, void *state)
{
	struct host *h = state;

	(void)def;
	for (int i = 0; i < TOTALS; i++) {
		free(h->of[i].v);
		h->of[i] = (struct series){ 0 };
	}
}

/* ---- Saved -------------------------------------------------------------- */

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct host *h = state;
	int rc = sat_write_int(out, h->newest);

	(void)def;
	for (int i = 0; i < TOTALS; i++) {
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

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	const struct rule *r = def;
	struct host *h = state;
	int rc = version == 1 ? sat_read_int(in, &h->newest) : -EBADMSG;

	(void)at;
	for (int i = 0; i < TOTALS && rc == 0; i++)
		rc = load_series(&h->of[i], in);
	h->until = sat_clock() + r->window;
	return rc;
}

/* ---- By host ------------------------------------------------------------ */

static int item_by_host(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_field host = sat_field("host");
	struct sat_value key = { .kind = SAT_NIL };

	(void)def;
	(void)state;
	if (!item->list && (item->n == 0 || total_of(item->evs[0]->service) < 0))
		return 0;
	if (item->n != 0)
		key = sat_get(item->evs[0], &host);
	sat_pass_fork(at, 0, item, &key, 1);
	return 0;
}

static const struct sat_op within = {
	.size = sizeof(within), .state_version = 1, .name = "blackhole", .options = options,
	.state_size = sizeof(struct host), .item = item_fork, .idle = idle, .close = close_fork,
	.save = save, .load = load,
};
static const struct sat_op blackhole = {
	.size = sizeof(blackhole), .name = "blackhole",
	.summary = "say of each host whether it fails tasks faster than it does them", .options = options,
	.flags = SAT_FORKS, .define = define, .undefine = free, .item = item_by_host, .within = &within,
};

SAT_MODULE(blackhole,
	.name = "blackhole", .version = SAT_VERSION, .summary = "finds hosts that fail tasks fast",
	.ops = (const struct sat_op *const[]){ &blackhole, NULL });

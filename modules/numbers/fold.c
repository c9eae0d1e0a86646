/* SPDX-License-Identifier: Apache-2.0 */
/* fold - Riemann's folds, by name. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fold.h"

struct list { const struct sat_event *const *evs; uint32_t n; };
typedef int calculate(const struct number *a, const struct number *b, struct number *out);

struct fold {
	const char *name, *by;		/* by: the function, where a setting says it */
	int (*fold)(const struct sat_at *at, const struct fold *f, const struct points *points,
		    const struct list *in, struct sat_item *out);
	calculate *calculate;
	int64_t empty;			/* what calculate makes of nothing */
	bool has_empty, strict, samples, tells_zero;
	bool (*beats)(const struct number *a, const struct number *b);
};

/* ---- What comes out ---- */

static int out_list(struct sat_item *out, const struct sat_event *const *evs, uint32_t n)
{
	*out = (struct sat_item){ evs, n, true };
	return 0;
}

static int out_event(const struct sat_at *at, struct sat_item *out, const struct sat_event *ev)
{
	const struct sat_event **one = sat_scratch(at, sizeof(*one));

	if (one == NULL)
		return -ENOMEM;
	*one = ev;
	*out = (struct sat_item){ one, 1, false };
	return 0;
}

static int out_nil(struct sat_item *out)
{
	*out = (struct sat_item){ NULL, 0, false };
	return 0;
}

/* The event, NULL for an empty one, with this metric; NULL for nil. */
static int out_metric(const struct sat_at *at, struct sat_item *out, const struct sat_event *ev,
		      const struct number *metric)
{
	struct sat_event *edited = sat_edit(at, ev);

	if (edited == NULL)
		return -ENOMEM;
	edited->has &= ~SAT_HAS_METRIC;
	if (metric != NULL)
		number_put(edited, metric);
	return out_event(at, out, edited);
}

static const struct sat_event *first_of(const struct list *in)
{
	for (uint32_t i = 0; i < in->n; i++)
		if (in->evs[i] != NULL)
			return in->evs[i];
	return NULL;
}

static bool metric_of(const struct list *in, uint32_t i, struct number *out)
{
	return in->evs[i] != NULL && number_metric(in->evs[i], out);
}

/* ---- Calculations ---- */

static int plus(const struct number *a, const struct number *b, struct number *out)
{
	*out = number_add(a, b);
	return 0;
}

static int minus(const struct number *a, const struct number *b, struct number *out)
{
	*out = number_sub(a, b);
	return 0;
}

static int times(const struct number *a, const struct number *b, struct number *out)
{
	*out = number_mul(a, b);
	return 0;
}

/* What is divided by zero is zero. */
static int sloppy(const struct number *a, const struct number *b, struct number *out)
{
	if (!number_zero(b))
		return number_div(a, b, out);
	*out = number_int(0);
	return 0;
}

static bool not_a_number(const struct number *a)
{
	return a->real && isnan(a->x);
}

static int larger(const struct number *a, const struct number *b, struct number *out)
{
	*out = not_a_number(a) || (!not_a_number(b) && number_compare(a, b) > 0) ? *a : *b;
	return 0;
}

static int smaller(const struct number *a, const struct number *b, struct number *out)
{
	*out = not_a_number(a) || (!not_a_number(b) && number_compare(a, b) < 0) ? *a : *b;
	return 0;
}

/* One after the other, those that have a metric; *n: how many there were. */
static int reduce_some(const struct fold *f, const struct list *in, struct number *sum, uint32_t *n)
{
	struct number a;
	int rc = 0;

	*n = 0;
	*sum = number_int(f->empty);
	for (uint32_t i = 0; i < in->n && rc == 0; i++) {
		if (!metric_of(in, i, &a))
			continue;
		if ((*n)++ == 0)
			*sum = a;
		else
			rc = f->calculate(sum, &a, sum);
	}
	return rc;
}

/* All of them: -ENODATA where one is nil, unless it is the only one, which *nil says. */
static int reduce_all(const struct fold *f, const struct list *in, struct number *sum, bool *nil)
{
	struct number a;
	int rc = 0;

	*sum = number_int(f->empty);
	*nil = in->n != 0 && !metric_of(in, 0, sum);
	for (uint32_t i = 1; i < in->n && rc == 0; i++) {
		if (!metric_of(in, i, &a))
			return -ENODATA;
		if (*nil)		/* a division by zero is seen first */
			return f->calculate == number_div && number_zero(&a) ? -EDOM : -ENODATA;
		rc = f->calculate(sum, &a, sum);
	}
	return rc;
}

static int fail(const struct sat_at *at, const struct fold *f, int rc)
{
	return sat_fail(at, -EINVAL, "%s: %s", f->name, rc == -EDOM ? "division by zero" : "an event or metric is nil");
}

/* sum, product: what is nil is left out. */
static int fold_some(const struct sat_at *at, const struct fold *f, const struct points *points,
		     const struct list *in, struct sat_item *out)
{
	const struct sat_event *ev = first_of(in);
	struct number sum;
	uint32_t n;
	int rc;

	(void)points;
	if (ev == NULL)
		return out_nil(out);
	rc = reduce_some(f, in, &sum, &n);
	if (rc != 0 || (n == 0 && !f->has_empty))
		return fail(at, f, rc != 0 ? rc : -ENODATA);
	return out_metric(at, out, ev, &sum);
}

/* difference, quotient: the event says what is wrong. */
static int fold_all(const struct sat_at *at, const struct fold *f, const struct points *points,
		    const struct list *in, struct sat_item *out)
{
	struct sat_event *ev;
	struct number sum;
	bool nil;
	int rc;

	(void)points;
	if (in->n == 0 || in->evs[0] == NULL)
		return out_nil(out);
	rc = reduce_all(f, in, &sum, &nil);
	if (rc == 0)
		return out_metric(at, out, in->evs[0], nil ? NULL : &sum);
	if (rc == -EDOM && !f->tells_zero)
		return fail(at, f, rc);
	ev = sat_edit(at, in->evs[0]);
	if (ev == NULL)
		return -ENOMEM;
	ev->has &= ~SAT_HAS_METRIC;
	ev->description = rc == -EDOM ? "Can't divide by zero" : "An event or metric was nil.";
	return out_event(at, out, ev);
}

/* Those with a star: what is nil is an error. */
static int fold_strict(const struct sat_at *at, const struct fold *f, const struct points *points,
		       const struct list *in, struct sat_item *out)
{
	struct number sum;
	bool nil;
	int rc;

	(void)points;
	if (in->n == 0 && f->calculate == sloppy)
		return out_nil(out);
	if (in->n == 0 && !f->has_empty)
		return sat_fail(at, -EINVAL, "%s: of no events", f->name);
	rc = reduce_all(f, in, &sum, &nil);
	if (rc != 0)
		return fail(at, f, rc);
	return out_metric(at, out, in->n != 0 ? in->evs[0] : NULL, nil ? NULL : &sum);
}

static int fold_mean(const struct sat_at *at, const struct fold *f, const struct points *points,
		     const struct list *in, struct sat_item *out)
{
	const struct sat_event *ev = first_of(in);
	struct number sum, count, mean;
	uint32_t n;

	(void)points;
	reduce_some(f, in, &sum, &n);
	if (ev == NULL || n == 0)
		return out_nil(out);
	count = number_int(n);
	number_div(&sum, &count, &mean);
	return out_metric(at, out, ev, &mean);
}

static int fold_std_dev(const struct sat_at *at, const struct fold *f, const struct points *points,
			const struct list *in, struct sat_item *out)
{
	const struct sat_event *ev = first_of(in);
	struct number sum, count, mean, a, off;
	double squares = 0;
	uint32_t n;

	(void)points;
	if (ev == NULL)
		return out_nil(out);
	reduce_some(f, in, &sum, &n);
	if (n == 0)
		return fail(at, f, -EDOM);
	count = number_int(n);
	number_div(&sum, &count, &mean);
	for (uint32_t i = 0; i < in->n; i++)
		if (metric_of(in, i, &a)) {
			off = number_sub(&a, &mean);
			squares += number_real(&off) * number_real(&off);
		}
	a = number_double(sqrt(squares / n));
	return out_metric(at, out, ev, &a);
}

static int fold_count(const struct sat_at *at, const struct fold *f, const struct points *points,
		      const struct list *in, struct sat_item *out)
{
	const struct sat_event *ev = first_of(in);
	struct sat_event *none;
	struct number a;
	int64_t n = 0;

	(void)f;
	(void)points;
	for (uint32_t i = 0; i < in->n; i++)
		n += in->evs[i] != NULL;
	a = number_int(n);
	if (ev != NULL)
		return out_metric(at, out, ev, &a);
	none = sat_edit(at, NULL);
	if (none == NULL)
		return -ENOMEM;
	none->has |= SAT_HAS_TIME | SAT_HAS_STAMP;
	none->time = (sat_wall() + SAT_SECOND / 2) / SAT_SECOND * SAT_SECOND;
	return out_metric(at, out, none, &a);
}

/* ---- Those that choose an event ---- */

/* Of equal ones the last, as in Riemann; NaN beats nothing. */
static bool no_more(const struct number *a, const struct number *b)
{
	return !not_a_number(a) && !not_a_number(b) && number_compare(a, b) <= 0;
}

static bool less(const struct number *a, const struct number *b)
{
	return no_more(a, b) && number_compare(a, b) != 0;
}

static bool more(const struct number *a, const struct number *b)
{
	return less(b, a);
}

static bool no_less(const struct number *a, const struct number *b)
{
	return no_more(b, a);
}

static int fold_extremum(const struct sat_at *at, const struct fold *f, const struct points *points,
			 const struct list *in, struct sat_item *out)
{
	const struct sat_event *best = NULL;
	struct number a, b;

	(void)points;
	for (uint32_t i = 0; i < in->n; i++)
		if (metric_of(in, i, &a) && (best == NULL || f->beats(&a, &b))) {
			best = in->evs[i];
			b = a;
		}
	return best != NULL ? out_event(at, out, best) : out_nil(out);
}

/* Riemann has bare metrics here; what moves in streams are events. */
static int fold_compact(const struct sat_at *at, const struct fold *f, const struct points *points,
			const struct list *in, struct sat_item *out)
{
	const struct sat_event **evs = sat_scratch(at, (in->n + 1) * sizeof(*evs));
	struct number a;
	uint32_t n = 0;

	(void)f;
	(void)points;
	if (evs == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < in->n; i++)
		if (metric_of(in, i, &a))
			evs[n++] = in->evs[i];
	return out_list(out, evs, n);
}

struct sample { struct number metric; const struct sat_event *ev; uint32_t place; };

static int by_metric(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int way = number_compare(&x->metric, &y->metric);

	return way != 0 ? way : (x->place > y->place) - (x->place < y->place);
}

/* Those with a metric, from the smallest on; equal ones stay in order. */
static int sorted(const struct sat_at *at, const struct list *in, struct sample **out, uint32_t *n)
{
	struct sample *v = sat_scratch(at, (in->n + 1) * sizeof(*v));

	*n = 0;
	*out = v;
	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < in->n; i++)
		if (metric_of(in, i, &v[*n].metric)) {
			v[*n].ev = in->evs[i];
			v[*n].place = i;
			(*n)++;
		}
	qsort(v, *n, sizeof(*v), by_metric);
	return 0;
}

static const struct sat_event *extract(const struct sample *v, uint32_t n, double point)
{
	double place = floor(n * point);

	return v[place < n - 1 ? (uint32_t)place : n - 1].ev;
}

static int fold_median(const struct sat_at *at, const struct fold *f, const struct points *points,
		       const struct list *in, struct sat_item *out)
{
	struct sample *v;
	uint32_t n;
	int rc = sorted(at, in, &v, &n);

	(void)f;
	(void)points;
	if (rc != 0)
		return rc;
	return n != 0 ? out_event(at, out, extract(v, n, 0.5)) : out_nil(out);
}

/* The strict one leaves the services alone: it only extracts. */
static int fold_sample(const struct sat_at *at, const struct fold *f, const struct points *points,
		       const struct list *in, struct sat_item *out)
{
	const struct sat_event **evs = sat_scratch(at, (points->n + 1) * sizeof(*evs));
	struct sat_event *ev;
	struct sample *v;
	uint32_t n;
	int rc = sorted(at, in, &v, &n);

	if (rc != 0 || evs == NULL)
		return -ENOMEM;
	if (n == 0)
		return out_list(out, evs, 0);
	for (uint32_t i = 0; i < points->n; i++) {
		evs[i] = extract(v, n, points->v[i].at);
		if (f->strict)
			continue;
		evs[i] = ev = sat_edit(at, evs[i]);
		if (ev == NULL)
			return -ENOMEM;
		ev->service = sat_scratchf(at, "%s %s", ev->service != NULL ? ev->service : "", points->v[i].name);
		if (ev->service == NULL)
			return -ENOMEM;
	}
	return out_list(out, evs, points->n);
}

struct group { uint32_t count, first; const struct sat_event *ev; };

static int by_first(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* An integer never equals a double. */
static bool alike(const struct number *a, const struct number *b)
{
	return a->real == b->real && number_compare(a, b) == 0;
}

/* Of integers and doubles that compare as equal, the integers first. */
static int by_metric_and_kind(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int way = number_compare(&x->metric, &y->metric);

	if (way == 0)
		way = x->metric.real - y->metric.real;
	return way != 0 ? way : (x->place > y->place) - (x->place < y->place);
}

/* The first event of each of the most frequent metrics, in the order they came. */
static int fold_modes(const struct sat_at *at, const struct fold *f, const struct points *points,
		      const struct list *in, struct sat_item *out)
{
	struct group *g = sat_scratch(at, (in->n + 1) * sizeof(*g));
	const struct sat_event **evs = sat_scratch(at, (in->n + 1) * sizeof(*evs));
	uint32_t n, groups = 0, most = 0, kept = 0;
	struct sample *v;
	int rc = sorted(at, in, &v, &n);

	(void)points;
	if (rc != 0 || g == NULL || evs == NULL)
		return -ENOMEM;
	qsort(v, n, sizeof(*v), by_metric_and_kind);
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || !alike(&v[i].metric, &v[i - 1].metric))
			g[groups++] = (struct group){ .first = v[i].place, .ev = v[i].ev };
		if (++g[groups - 1].count > most)
			most = g[groups - 1].count;
	}
	qsort(g, groups, sizeof(*g), by_first);
	for (uint32_t i = 0; i < groups; i++)
		if (g[i].count == most)
			evs[kept++] = g[i].ev;
	if (!f->strict)
		return out_list(out, evs, kept);
	return kept != 0 ? out_event(at, out, evs[0]) : out_nil(out);
}

/* ---- By name ---- */

#define BY(variant, function) \
	{ .name = (variant), .by = "+", .fold = (function), .calculate = plus, .has_empty = true }, \
	{ .name = (variant), .by = "*", .fold = (function), .calculate = times, .has_empty = true, .empty = 1 }, \
	{ .name = (variant), .by = "-", .fold = (function), .calculate = minus }, \
	{ .name = (variant), .by = "/", .fold = (function), .calculate = number_div }, \
	{ .name = (variant), .by = "max", .fold = (function), .calculate = larger }, \
	{ .name = (variant), .by = "min", .fold = (function), .calculate = smaller }

static const struct fold folds[] = {
	BY("fold", fold_some),
	BY("fold*", fold_strict),
	BY("fold-all", fold_all),
	{ .name = "sum", .fold = fold_some, .calculate = plus, .has_empty = true },
	{ .name = "sum*", .fold = fold_strict, .calculate = plus, .has_empty = true },
	{ .name = "product", .fold = fold_some, .calculate = times, .has_empty = true, .empty = 1 },
	{ .name = "product*", .fold = fold_strict, .calculate = times, .has_empty = true, .empty = 1 },
	{ .name = "difference", .fold = fold_all, .calculate = minus },
	{ .name = "difference*", .fold = fold_strict, .calculate = minus },
	{ .name = "quotient", .fold = fold_all, .calculate = number_div, .tells_zero = true },
	{ .name = "quotient*", .fold = fold_strict, .calculate = number_div },
	{ .name = "quotient-sloppy", .fold = fold_strict, .calculate = sloppy },
	{ .name = "mean", .fold = fold_mean, .calculate = plus },
	{ .name = "median", .fold = fold_median },
	{ .name = "mode", .fold = fold_modes, .strict = true },
	{ .name = "modes", .fold = fold_modes },
	{ .name = "minimum", .fold = fold_extremum, .beats = no_more },
	{ .name = "maximum", .fold = fold_extremum, .beats = no_less },
	{ .name = "extremum", .by = "<=", .fold = fold_extremum, .beats = no_more },
	{ .name = "extremum", .by = ">=", .fold = fold_extremum, .beats = no_less },
	{ .name = "extremum", .by = "<", .fold = fold_extremum, .beats = less },
	{ .name = "extremum", .by = ">", .fold = fold_extremum, .beats = more },
	{ .name = "non-nil-metrics", .fold = fold_compact },
	{ .name = "std-dev", .fold = fold_std_dev, .calculate = plus },
	{ .name = "count", .fold = fold_count, .has_empty = true },
	{ .name = "sorted-sample", .fold = fold_sample, .samples = true },
	{ .name = "sorted-sample-extract", .fold = fold_sample, .samples = true, .strict = true },
};

static void no_such_fold(const struct sat_conf *conf, const char *name, const char *wanted)
{
	struct sat_buf all = { .max = 4096 };

	for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++)
		if (i == 0 || strcmp(folds[i].name, folds[i - 1].name) != 0)
			sat_buf_printf(&all, "%s%s", i != 0 ? ", " : "", folds[i].name);
	sat_conf_error(conf, name, "there is no fold \"%s\", but %s", wanted, all.p != NULL ? all.p : "others");
	sat_buf_free(&all);
}

const struct fold *fold_conf(const struct sat_conf *conf, const char *name)
{
	const char *wanted = sat_conf_string(conf, name), *by = sat_conf_string(conf, "by");
	const struct fold *found = NULL;

	for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
		if (strcmp(folds[i].name, wanted) != 0)
			continue;
		found = &folds[i];
		if (by == NULL ? found->by == NULL : found->by != NULL && strcmp(found->by, by) == 0)
			return found;
	}
	if (found == NULL)
		no_such_fold(conf, name, wanted);
	else if (by == NULL)
		sat_conf_error(conf, name, "%s needs `by`, a function", wanted);
	else
		sat_conf_error(conf, "by", found->by == NULL ? "%s takes no function" : "%s takes another function", wanted);
	return NULL;
}

bool fold_samples(const struct fold *f)
{
	return f->samples;
}

bool fold_lists(const struct fold *f)
{
	return f->samples || f->fold == fold_compact || (f->fold == fold_modes && !f->strict);
}

int fold_events(const struct sat_at *at, const struct fold *f, const struct points *points,
		const struct sat_event *const *evs, uint32_t n, struct sat_item *out)
{
	return f->fold(at, f, points, &(const struct list){ evs, n }, out);
}

bool fold_counts(const struct fold *f)
{
	return f->fold == fold_count;
}

int fold_sorted_sample(const struct sat_at *at, const struct points *points, const struct sat_event *const *evs,
		       uint32_t n, struct sat_item *out)
{
	static const struct fold plain = { .name = "sorted-sample", .fold = fold_sample, .samples = true };

	return fold_events(at, &plain, points, evs, n, out);
}

/* As events that have nothing but a metric; nothing at all gives what Riemann's reduce does. */
int fold_numbers(const struct sat_at *at, const struct fold *f, const struct number *v, uint32_t n,
		 bool *any, struct number *out)
{
	const struct sat_event **evs = sat_scratch(at, (n + 1) * sizeof(*evs));
	struct sat_item item;
	int rc;

	if (evs == NULL)
		return -ENOMEM;
	*any = f->has_empty;
	*out = number_int(f->empty);
	if (n == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		struct sat_event *ev = sat_edit(at, NULL);

		if (ev == NULL)
			return -ENOMEM;
		number_put(ev, &v[i]);
		evs[i] = ev;
	}
	rc = fold_events(at, f, NULL, evs, n, &item);
	*any = rc == 0 && item.n != 0 && number_metric(item.evs[0], out);
	return rc;
}

/* ---- Points ---- */

void points_free(struct points *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		free(p->v[i].name);
	free(p->v);
	*p = (struct points){ 0, NULL };
}

/* As few digits as tell it apart, and a point, as Riemann shows it. */
static char *shown(const struct sat_value *v)
{
	char text[64];

	if (v->kind == SAT_INT) {
		snprintf(text, sizeof(text), "%lld", (long long)v->i);
		return strdup(text);
	}
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text) - 2, "%.*g", digits, v->d);
		if (strtod(text, NULL) == v->d)
			break;
	}
	if (strpbrk(text, ".e") == NULL)
		memcpy(text + strlen(text), ".0", 3);
	return strdup(text);
}

static int point_of(const struct sat_conf *conf, struct point *p)
{
	struct sat_value v = sat_conf_value(conf);
	struct number a;

	if (!number_value(&v, &a) || !(number_real(&a) >= 0 && number_real(&a) <= 1))
		return sat_conf_error(conf, NULL, "a number from 0 to 1 is wanted");
	p->at = number_real(&a);
	p->name = shown(&v);
	return p->name != NULL ? 0 : -ENOMEM;
}

int points_conf(const struct sat_conf *conf, const char *name, struct points *out)
{
	const struct sat_conf *list = sat_conf_get(conf, name);
	size_t n;
	int rc = 0;

	*out = (struct points){ 0, NULL };
	if (list == NULL || !sat_conf_is_list(list) || sat_conf_count(list) == 0 || sat_conf_count(list) > 1000)
		return sat_conf_error(conf, name, "a list of numbers from 0 to 1 is wanted");
	n = sat_conf_count(list);
	out->v = calloc(n, sizeof(*out->v));
	if (out->v == NULL)
		return -ENOMEM;
	while (rc == 0 && out->n < n) {
		rc = point_of(sat_conf_at(list, out->n), &out->v[out->n]);
		if (rc == 0)
			out->n++;
	}
	if (rc != 0)
		points_free(out);
	return rc;
}

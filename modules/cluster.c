/* SPDX-License-Identifier: Apache-2.0 */
/* cluster - operators of the JVM Satellite: cluster-alert, forward-cluster-alert, difference-since-beginning. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

/* ---- cluster-alert, forward-cluster-alert ------------------------------- */

static const struct sat_option *const alert_options[] = {
	SAT_OPTION("cluster-alert", SAT_QUERY, .required = true, .help = "predicate; true: do, false: critical, else"),
	NULL
};
static const struct sat_option *const forward_options[] = {
	SAT_OPTION("forward-cluster-alert", SAT_QUERY, .required = true,
		   .help = "predicate; true: tag \"alert\", false: tag \"resolve\""),
	NULL
};

static int alert_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	*def = sat_conf_query(conf, "cluster-alert");
	return *def != NULL ? 0 : -ENOMEM;
}

static int forward_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	*def = sat_conf_query(conf, "forward-cluster-alert");
	return *def != NULL ? 0 : -ENOMEM;
}

static void undefine(void *def)
{
	sat_query_free(def);
}

/* Only the share of hosts that get work is looked at. */
static const struct sat_event *share(const struct sat_item *item)
{
	const struct sat_event *ev = !item->list && item->n == 1 ? item->evs[0] : NULL;

	return ev != NULL && ev->service != NULL && strstr(ev->service, "prop-available-hosts") != NULL ? ev : NULL;
}

static int alert_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = share(item);
	struct sat_event *critical;

	(void)state;
	if (ev == NULL)
		return 0;
	if (sat_query_match(def, ev)) {
		sat_pass(at, 0, item);
		return 0;
	}
	critical = sat_edit(at, ev);
	if (critical == NULL)
		return -ENOMEM;
	critical->state = "critical";
	sat_pass_event(at, 1, critical);
	return 0;
}

static int forward_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = share(item);
	struct sat_event *copy;
	const char **tags;
	uint32_t n = 0;

	(void)state;
	if (ev == NULL)
		return 0;
	copy = sat_edit(at, ev);
	tags = sat_scratch(at, (ev->n_tags + 1) * sizeof(*tags));
	if (copy == NULL || tags == NULL)
		return -ENOMEM;
	tags[n++] = sat_query_match(def, ev) ? "alert" : "resolve";
	for (uint32_t i = 0; i < ev->n_tags; i++)
		if (strcmp(ev->tags[i], tags[0]) != 0)
			tags[n++] = ev->tags[i];
	copy->tags = tags;
	copy->n_tags = n;
	copy->has |= SAT_HAS_TAGS;
	sat_pass_event(at, 0, copy);
	return 0;
}

static const struct sat_op cluster_alert = {
	.size = sizeof(cluster_alert), .name = "cluster-alert",
	.summary = "do while enough hosts get work, else otherwise", .options = alert_options,
	.define = alert_define, .undefine = undefine, .item = alert_item,
};
static const struct sat_op forward_cluster_alert = {
	.size = sizeof(forward_cluster_alert), .name = "forward-cluster-alert",
	.summary = "tag the share of hosts that get work as alert or resolve", .options = forward_options,
	.define = forward_define, .undefine = undefine, .item = forward_item,
};

/* ---- difference-since-beginning ----------------------------------------- */

static const struct sat_option *const difference_options[] = {
	SAT_OPTION("longer", SAT_SECONDS, .fallback = "0", .min = 0, .max = 1e9,
		   .help = "pass on only what grew for longer than so many seconds"),
	NULL
};

static int difference_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	int64_t *longer = malloc(sizeof(*longer));

	(void)node;
	(void)module;
	if (longer == NULL)
		return -ENOMEM;
	*longer = sat_conf_has(conf, "longer") ? sat_conf_time(conf, "longer") : 0;
	*def = longer;
	return 0;
}

static long double metric(const struct sat_event *ev)
{
	return ev->has & SAT_HAS_INT ? (long double)ev->metric.i : (long double)ev->metric.d;
}

/* A counter that began anew is counted from there: its least value is the
 * beginning, and of several that are least the last, as Clojure's min-key has it. */
static const struct sat_event *beginning(const struct sat_item *item)
{
	const struct sat_event *least = NULL;

	for (uint32_t i = 0; i < item->n; i++) {
		if (!(item->evs[i]->has & SAT_HAS_METRIC) || !(item->evs[i]->has & SAT_HAS_TIME))
			return NULL;
		if (least == NULL || metric(item->evs[i]) <= metric(least))
			least = item->evs[i];
	}
	return least;
}

static void subtract(struct sat_event *last, const struct sat_event *first)
{
	int64_t d;

	if ((last->has & SAT_HAS_INT) && (first->has & SAT_HAS_INT) &&
	    !__builtin_sub_overflow(last->metric.i, first->metric.i, &d)) {
		last->metric.i = d;
		return;
	}
	last->metric.d = sat_metric(last) - sat_metric(first);
	last->has = (last->has & ~SAT_HAS_METRIC) | SAT_HAS_DOUBLE;
}

static int difference_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_field interval = sat_field("interval"), count = sat_field("event-count");
	const struct sat_event *first = beginning(item);
	struct sat_value v = { .kind = SAT_TEXT };
	struct sat_event *last;
	double seconds;
	int rc;

	(void)state;
	if (item->n == 0)
		return 0;
	if (first == NULL)
		return sat_fail(at, -EINVAL, "an event has no metric or no time");
	last = sat_edit(at, item->evs[item->n - 1]);
	if (last == NULL)
		return -ENOMEM;
	seconds = ((double)last->time - (double)first->time) / 1e6;
	if (*(int64_t *)def != 0 && seconds * 1e6 <= (double)*(int64_t *)def)
		return 0;
	subtract(last, first);
	v.text = sat_scratchf(at, "%.15g", seconds);
	rc = v.text != NULL ? sat_set(at, last, &interval, &v) : -ENOMEM;
	v.text = rc == 0 ? sat_scratchf(at, "%u", item->n) : NULL;
	rc = v.text != NULL ? sat_set(at, last, &count, &v) : -ENOMEM;
	if (rc == 0)
		sat_pass_event(at, 0, last);
	return rc;
}

static const struct sat_op difference = {
	.size = sizeof(difference), .name = "difference-since-beginning",
	.summary = "of a list, its last event with what the metric grew by", .options = difference_options,
	.define = difference_define, .undefine = free, .item = difference_item,
};

SAT_MODULE(cluster,
	.name = "cluster", .version = SAT_VERSION, .summary = "operators of the JVM Satellite",
	.ops = (const struct sat_op *const[]){ &cluster_alert, &forward_cluster_alert, &difference, NULL });

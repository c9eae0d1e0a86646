/* SPDX-License-Identifier: Apache-2.0 */
/* index - operators over the index, the inputs and topics: index, delete-from-index, reinject, publish. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

static int each(const struct sat_at *at, const struct sat_item *item,
		int (*one)(const struct sat_at *at, const struct sat_event *ev))
{
	int rc = 0, more;

	for (uint32_t i = 0; i < item->n; i++) {
		more = one(at, item->evs[i]);
		rc = rc != 0 ? rc : more;
	}
	return rc;
}

static int index_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	return each(at, item, sat_index_put);
}

static int delete_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	return each(at, item, sat_index_delete);
}

static int reinject_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	return each(at, item, sat_reinject);
}

/* ---- publish ------------------------------------------------------------ */

struct publish { struct sat_self *self; const char *topic; };	/* the name is borrowed from the settings */

static const struct sat_option *const publish_options[] = {
	SAT_OPTION("publish", SAT_STRING, .required = true, .help = "the topic"), NULL
};

/* What is said of the cluster is believed by what turns hosts off: no stream may say it. */
static int publish_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const char *topic = sat_conf_string(conf, "publish");
	struct publish *p;

	(void)module;
	if (*topic == '\0' || strncmp(topic, "mesos/", 6) == 0)
		return sat_conf_error(conf, "publish", "\"%s\" is no topic for streams", topic);
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->self = sat_node_self(node);
	p->topic = topic;
	*def = p;
	return 0;
}

static int publish_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct publish *p = def;

	(void)state;
	if (sat_shown(at, "publish", p->topic, item))
		return 0;
	return sat_publish(p->self, p->topic, item, false);
}

static const struct sat_op publish = {
	.size = sizeof(publish), .name = "publish", .summary = "tell those who subscribed to a topic",
	.options = publish_options, .define = publish_define, .undefine = free, .item = publish_item,
};

static const struct sat_op put = {
	.size = sizeof(put), .name = "index", .summary = "keep the latest event of each host and service",
	.item = index_item,
};
static const struct sat_op take = {
	.size = sizeof(take), .name = "delete-from-index", .summary = "take events out of the index",
	.item = delete_item,
};
static const struct sat_op again = {
	.size = sizeof(again), .name = "reinject", .summary = "send events through all streams again",
	.item = reinject_item,
};

SAT_MODULE(index,
	.name = "index", .version = SAT_VERSION, .summary = "operators over the index, the inputs and topics",
	.ops = (const struct sat_op *const[]){ &put, &take, &again, &publish, NULL });

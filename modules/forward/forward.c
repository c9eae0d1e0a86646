/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward - events to other Riemanns or Satellites: a slave's way to its masters.
 *
 * The operator without a list of its own shares the instance's masters, with
 * all others that do so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forward.h"

struct forward {		/* the instance */
	struct sat_self *self;
	struct settings how;
	struct sat_tls *tls;
	char *folder;		/* how.spool */
	struct sender *shared;
	struct sender *senders;	/* it, and those of operators with masters of their own */
};

struct node {			/* one place in the streams */
	struct forward *all;
	struct sat_node *place;
	struct sender *sender, *own;
	char *folder;		/* own->how.spool, if it is not the instance's */
};

static void enlist(struct forward *all, struct sender *s)
{
	s->next = all->senders;
	all->senders = s;
}

static void strike_off(struct forward *all, const struct sender *s)
{
	for (struct sender **at = &all->senders; *at != NULL; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			return;
		}
}

/* ---- The operator ------------------------------------------------------- */

static void read_settings(struct settings *how, const struct sat_conf *conf)
{
	if (sat_conf_has(conf, "queue"))
		how->queue = (size_t)sat_conf_integer(conf, "queue");
	if (sat_conf_has(conf, "batch"))
		how->batch = (size_t)sat_conf_integer(conf, "batch");
	if (sat_conf_has(conf, "flush"))
		how->flush = sat_conf_time(conf, "flush");
	if (sat_conf_has(conf, "connect-timeout"))
		how->connect_timeout = sat_conf_time(conf, "connect-timeout");
	if (sat_conf_has(conf, "ack-timeout"))
		how->ack_timeout = sat_conf_time(conf, "ack-timeout");
	if (sat_conf_has(conf, "late"))
		how->late = sat_conf_boolean(conf, "late");
	if (sat_conf_has(conf, "udp"))
		how->udp = sat_conf_boolean(conf, "udp");
	if (how->udp)
		how->tls = NULL;	/* an operator's own choice: it has none */
}

/* Where there is no setting all stays as it is; *folder is what how->spool may be then. */
static int read_spool(struct sat_self *self, struct settings *how, char **folder, const struct sat_conf *conf)
{
	const struct sat_conf *spool = sat_conf_get(conf, "spool");
	struct sat_value v = { .kind = SAT_NIL };
	struct sat_buf b = { 0 };

	if (sat_conf_has(conf, "spool-max"))
		how->spool_max = (size_t)sat_conf_integer(conf, "spool-max");
	if (spool == NULL)
		return 0;
	v = sat_conf_value(spool);
	if (v.kind == SAT_BOOL && v.b && how->spool != NULL)
		return 0;
	how->spool = NULL;
	if (v.kind == SAT_BOOL && !v.b)
		return 0;
	if (v.kind == SAT_TEXT && *v.text == '/')
		sat_buf_printf(&b, "%s", v.text);
	else if (v.kind == SAT_BOOL)
		sat_buf_printf(&b, "%s/spool/%s", sat_state_dir(), sat_name(self));
	else
		return sat_conf_error(conf, "spool", "is true, false, or a folder's path from / on");
	if (b.full)
		return -ENOMEM;
	how->spool = *folder = b.p;
	return 0;
}

/* The peers of a sender are each to another master. */
static struct peer *peer_to(const struct sender *s, const char *folder, const char *master)
{
	for (size_t i = 0; i < s->n && s->how.spool != NULL && strcmp(s->how.spool, folder) == 0; i++)
		if (strcmp(peer_name(s->peers[i]), master) == 0)
			return s->peers[i];
	return NULL;
}

/* Each way to a master has a spool of its own: the first is the shared one's, the others are for
 * whichever of the operators comes first, since all that is in them is for that master. */
static int keep_one(struct forward *all, struct sender *own, struct peer *p)
{
	struct place place = { .n = 1 };

	for (struct sender *s = all->senders; s != NULL; s = s->next) {
		struct peer *other = peer_to(s, own->how.spool, peer_name(p));

		if (other != NULL && s == all->shared) {
			place.first = 1;
		} else if (other != NULL && !s->started) {	/* of the streams that are being defined */
			peer_make_room(other);
			place.n++;
		}
	}
	place.at = place.n - 1;
	return peer_keep(p, place);
}

static int keep(struct forward *all, struct sender *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->n && s->how.spool != NULL && rc == 0; i++)
		rc = keep_one(all, s, s->peers[i]);
	return rc;
}

static void undefine(void *def)
{
	struct node *n = def;

	strike_off(n->all, n->own);
	sender_free(n->own);
	free(n->folder);
	free(n);
}

/* Masters of its own; the settings that it has not are the instance's. */
static int define_own(struct node *n, const struct sat_conf *conf)
{
	struct forward *all = n->all;
	struct settings how = all->how;
	int rc, more;

	read_settings(&how, conf);
	rc = read_spool(all->self, &how, &n->folder, conf);
	n->own = sender_new(all->self, &how, sat_conf_strings(conf, "forward", NULL), conf, "forward", &more);
	n->sender = n->own;
	if (n->own == NULL)
		return rc != 0 ? rc : more;
	rc = rc != 0 ? rc : keep(all, n->own);
	enlist(all, n->own);
	return rc;
}

static int define(struct sat_node *place, void *module, const struct sat_conf *conf, void **def)
{
	struct forward *all = module;
	struct node *n = calloc(1, sizeof(*n));
	int rc = 0;

	if (n == NULL)
		return -ENOMEM;
	n->all = all;
	n->place = place;
	n->sender = all->shared;
	if (sat_conf_has(conf, "forward"))
		rc = define_own(n, conf);
	if (rc == 0)
		*def = n;
	else
		undefine(n);
	return rc;
}

static int start(void *def)
{
	struct node *n = def;

	sender_start(n->sender);
	return 0;
}

static void node_stopped(void *arg)
{
	struct node *n = arg;

	sat_node_stopped(n->place);
}

static void stop(void *def)
{
	struct node *n = def;

	if (n->own != NULL)
		sender_stop(n->own, node_stopped, n);
	else
		node_stopped(n);	/* others may go on using it */
}

static int item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct node *n = def;

	(void)state;
	if (sat_shown(at, "forward", NULL, item))
		return 0;
	for (uint32_t i = 0; i < item->n; i++)
		sender_put(n->sender, item->evs[i]);
	return 0;
}

/* ---- The instance ------------------------------------------------------- */

static int use_tls(struct forward *all, const struct sat_conf *group)
{
	if (group == NULL)
		return 0;
	if (all->how.udp)
		return sat_conf_error(group, NULL, "datagrams have no TLS: leave out this, or udp");
	all->tls = all->how.tls = sat_tls_new(all->self, group, false);
	return all->tls != NULL ? 0 : -EINVAL;
}

static void destroy(void *state)
{
	struct forward *all = state;

	sender_free(all->shared);
	sat_tls_free(all->tls);
	free(all->folder);
	free(all);
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct forward *all = calloc(1, sizeof(*all));
	int rc, more;

	if (all == NULL)
		return -ENOMEM;
	all->self = self;
	read_settings(&all->how, conf);
	rc = use_tls(all, sat_conf_get(conf, "tls"));
	more = read_spool(self, &all->how, &all->folder, conf);
	rc = rc != 0 ? rc : more;
	all->shared = sender_new(self, &all->how, sat_conf_strings(conf, "masters", NULL), conf, "masters",
				 &more);
	rc = rc != 0 ? rc : more;
	if (all->shared != NULL) {
		more = keep(all, all->shared);
		rc = rc != 0 ? rc : more;
		enlist(all, all->shared);
	}
	if (rc == 0)
		*state = all;
	else
		destroy(all);
	return rc;
}

static void all_stopped(void *arg)
{
	struct forward *all = arg;

	sat_stopped(all->self);
}

static void stop_all(void *state)
{
	struct forward *all = state;

	sender_stop(all->shared, all_stopped, all);
}

static void figures(void *state, struct sat_figures *out)
{
	const struct forward *all = state;

	sender_figures(all->senders, out);
}

/* The operator's own have no defaults: the instance's are theirs. */
#define HOW(q, b, f, c, a, l, u, s) \
	SAT_OPTION("queue", SAT_INTEGER, .fallback = (q), .min = 1, .max = 10e6, \
		   .help = "events kept for a master that is away; then the oldest go"), \
	SAT_OPTION("batch", SAT_INTEGER, .fallback = (b), .min = 1, .max = 1000, \
		   .help = "events in a message at most"), \
	SAT_OPTION("flush", SAT_SECONDS, .fallback = (f), .min = 0, .max = 60, \
		   .help = "longest time to wait for more events"), \
	SAT_OPTION("connect-timeout", SAT_SECONDS, .fallback = (c), .min = 0.01, .max = 600, \
		   .help = "for the name, and for each address"), \
	SAT_OPTION("ack-timeout", SAT_SECONDS, .fallback = (a), .min = 0.01, .max = 3600, \
		   .help = "a master that answers no sooner is left and tried again"), \
	SAT_OPTION("late", SAT_BOOLEAN, .fallback = (l), .help = "send events whose ttl passed while they waited"), \
	SAT_OPTION("udp", SAT_BOOLEAN, .fallback = (u), .help = "datagrams, of which nobody says whether they came"), \
	SAT_OPTION("spool", SAT_ANY, .help = "keep events for a master that is away on disk: true, or a folder"), \
	SAT_OPTION("spool-max", SAT_INTEGER, .fallback = (s), .min = 1 << 20, .max = 1e12, \
		   .help = "bytes on disk for each master; then the oldest go")

static const struct sat_option *const tls_options[] = {
	SAT_OPTION("ca", SAT_STRING, .help = "PEM file: who may sign the masters' certificates; default: the system's"),
	SAT_OPTION("cert", SAT_STRING, .help = "PEM file: our certificate, for masters that ask for one"),
	SAT_OPTION("key", SAT_STRING, .help = "PEM file: its key, without a passphrase"),
	SAT_OPTION("verify", SAT_BOOLEAN, .fallback = "true",
		   .help = "a master's certificate must be good, and for the name in masters"),
	NULL
};

static const struct sat_option *const options[] = {
	SAT_OPTION("masters", SAT_STRINGS, .fallback = "127.0.0.1", .help = "host:port of each; [::1]:5555"),
	SAT_OPTION("tls", SAT_GROUP, .inner = tls_options, .help = "send over TLS, to port 5554 by default"),
	HOW("10000", "100", "0.1", "5", "30", "false", "false", "67108864"), NULL
};

static const struct sat_option *const op_options[] = {
	SAT_OPTION("forward", SAT_STRINGS, .help = "host:port of each; default: the masters of the module's group"),
	HOW(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), NULL
};

static const struct sat_op op = {
	.size = sizeof(struct sat_op), .name = "forward", .summary = "send to other Riemanns or Satellites",
	.options = op_options, .define = define, .start = start, .stop = stop, .undefine = undefine, .item = item,
};

static const struct sat_counter *const counters[] = {
	[COUNT_TAKEN] = SAT_COUNTER("taken", .help = "events to be sent, once for each master"),
	[COUNT_QUEUED] = SAT_COUNTER("queued", .gauge = true, .help = "events that wait, summed over masters"),
	[COUNT_SENT] = SAT_COUNTER("sent", .help = "events sent, those sent again too"),
	[COUNT_ACKNOWLEDGED] = SAT_COUNTER("acknowledged", .help = "events that a master took"),
	[COUNT_REFUSED] = SAT_COUNTER("refused", .help = "events that a master answered with an error"),
	[COUNT_DROPPED] = SAT_COUNTER("dropped", .help = "events that went since a queue was full, or at the end"),
	[COUNT_EXPIRED] = SAT_COUNTER("expired", .help = "events whose ttl passed while they waited"),
	[COUNT_UNANSWERED] = SAT_COUNTER("unanswered", .help = "events sent as datagrams: no more is known of them"),
	[COUNT_RECONNECTS] = SAT_COUNTER("reconnects", .help = "connections tried after the first"),
	[COUNT_RESTORED] = SAT_COUNTER("restored", .help = "events that were on disk at start"),
	[COUNT_SPOOL_ERRORS] = SAT_COUNTER("spool-errors", .help = "times that the disk failed"),
	NULL
};

SAT_MODULE(forward, .name = "forward", .version = SAT_VERSION,
	   .summary = "events to masters, each at its own pace", .options = options,
	   .create = create, .stop = stop_all, .destroy = destroy,
	   .ops = (const struct sat_op *const[]){ &op, NULL }, .counters = counters, .figures = figures);

/* SPDX-License-Identifier: Apache-2.0 */
/* mesos - mesos-master on a virtual clock, with an HTTP client that answers as the test says. */
#ifndef MESOS_BED_H
#define MESOS_BED_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/mesos-master/poll.h"
#include "client.h"
#include "clock.h"
#include "conf.h"
#include "engine.h"
#include "instance.h"
#include "lead.h"
#include "timer.h"
#include "topic.h"
#include "unit/fault.h"

struct call { bool used, canceled; char url[256], body[128], headers[256]; struct sat_fetch what; void *arg; };

extern const struct sat_module sat_module_mesos_master;

static struct call calls[8];
static struct mesos *mesos;
static size_t lists, listed;	/* mesos/agents: how often, and how many at last */

static int fetch(void *state, const struct sat_fetch *what, void *arg, void **call)
{
	size_t i = 0;

	(void)state;
	while (calls[i].used)
		i++;
	calls[i] = (struct call){ .used = true, .what = *what, .arg = arg };
	snprintf(calls[i].url, sizeof(calls[i].url), "%s", what->url);
	snprintf(calls[i].body, sizeof(calls[i].body), "%.*s", (int)what->body_len,
		 what->body != NULL ? (const char *)what->body : "");
	for (size_t h = 0; what->headers != NULL && what->headers[h] != NULL; h++)
		snprintf(calls[i].headers + strlen(calls[i].headers),
			 sizeof(calls[i].headers) - strlen(calls[i].headers), "%s\n", what->headers[h]);
	*call = &calls[i];
	return 0;
}

static void cancel(void *state, void *call)
{
	(void)state;
	((struct call *)call)->canceled = true;
}

static const struct sat_module client_module = {
	.abi = SAT_ABI, .size = sizeof(struct sat_module), .name = "client",
	.http_client = &(const struct sat_http_client){ sizeof(struct sat_http_client), fetch, cancel },
};
static struct sat_self client = { .name = (char *)"client", .module = &client_module };

/* The call for this path that is under way. */
static struct call *asked(const char *path)
{
	size_t i;

	for (i = 0; i < 8; i++) {
		const char *at = strstr(calls[i].url, "5050");

		if (calls[i].used && at != NULL && strcmp(at + 4, path) == 0)
			return &calls[i];
	}
	return NULL;
}

static void finish(struct call *c, struct sat_answer a)
{
	struct call copy = *c;

	c->used = false;
	a.size = sizeof(a);
	copy.what.done(copy.arg, &a);
	engine_run();
}

static inline void answer(const char *path, int status, const char *body)
{
	struct call *c = asked(path);
	struct sat_answer a = { .status = status, .url = c != NULL ? c->url : NULL, .len = strlen(body) };
	size_t at;
	int rc = 0;

	assert_non_null(c);
	a.received = a.len;
	if (c->what.data == NULL)
		a.body = body;
	for (at = 0; c->what.data != NULL && at < a.len && rc == 0; at += 100)
		rc = c->what.data(c->arg, status, body + at, a.len - at < 100 ? a.len - at : 100);
	if (rc != 0)
		a = (struct sat_answer){ .rc = -ECANCELED, .error = "aborted" };
	finish(c, a);
}

static inline void break_off(const char *path, int rc)
{
	struct call *c = asked(path);

	assert_non_null(c);
	finish(c, (struct sat_answer){ .rc = rc, .error = "it broke" });
}

static void (*watcher)(const struct sat_event *ev);	/* each event, if not NULL */

static int put(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	if (watcher != NULL && item->n == 1)
		watcher(item->evs[0]);
	return item->n == 1 ? sat_index_put(at, item->evs[0]) : 0;
}

static const struct sat_op index_op = { .size = sizeof(index_op), .name = "index", .item = put };

static const struct sat_op *find_op(void *arg, const char *name, const struct sat_conf *where,
				    struct sat_self **self)
{
	(void)arg;
	(void)name;
	(void)where;
	*self = &self_host;
	return &index_op;
}

static void hear(void *state, const char *topic, const struct sat_item *item)
{
	(void)state;
	(void)topic;
	lists++;
	listed = item->n;
}

static inline const struct sat_event *event(const char *service)
{
	return sat_index_get("m1", service);
}

static inline double metric(const char *service)
{
	assert_non_null(event(service));
	return sat_metric(event(service));
}

static inline const char *state_of(const char *service)
{
	return event(service) != NULL ? event(service)->state : "none";
}

/* The event of an endpoint has these words. */
static inline void says(const char *endpoint, const char *words)
{
	char service[64];

	snprintf(service, sizeof(service), "mesos/endpoint/%s", endpoint);
	assert_non_null(event(service));
	assert_non_null(strstr(event(service)->description, words));
}

static inline void move(double seconds)
{
	int64_t end = clock_steady() + (int64_t)(seconds * 1e6);

	while (clock_steady() < end) {
		engine_move(clock_steady() + 100 * SAT_MS < end ? clock_steady() + 100 * SAT_MS : end);
		engine_run();
	}
}

static const struct stream_finder finder = { find_op, NULL };
static size_t n_masters = 1;	/* http://m:5050, http://n:5050, … */
static struct conf *settings;
static struct instance instance;
static _Atomic int64_t counters[24];

static int begin(void **unused)
{
	struct streams *streams;

	(void)unused;
	clock_virtual(INT64_C(1700000000) * SAT_SECOND);
	engine_init(NULL);
	lead_init(LEAD_MESOS);
	settings = conf_text("streams = ( \"index\" );", "test");
	streams = streams_build(settings, conf_find(conf_root(settings), "streams"), NULL, "index", &finder);
	assert_non_null(streams);
	engine_swap(streams);
	client_use(&client);
	memset(calls, 0, sizeof(calls));
	memset(counters, 0, sizeof(counters));
	lists = listed = 0;
	mesos = calloc(1, sizeof(*mesos));
	instance = (struct instance){ .stage = INSTANCE_RUNNING, .self = {
		.name = (char *)"mesos-master", .module = &sat_module_mesos_master, .state = mesos,
		.counters = counters, .n_counters = 24, .instance = &instance } };
	mesos->self = &instance.self;
	mesos->n_masters = n_masters;
	mesos->masters = calloc(n_masters, sizeof(*mesos->masters));
	for (size_t i = 0; i < n_masters; i++) {
		mesos->masters[i] = strdup("http://m:5050");
		mesos->masters[i][7] = (char)('m' + i);
	}
	mesos->url = mesos->masters[0];
	mesos->host = strdup("m1");
	mesos->interval = 60 * SAT_SECOND;
	mesos->leader_interval = SAT_SECOND;
	mesos->ttl = 180;
	mesos->max_state = 100000;
	poll_init(mesos, 20 * SAT_SECOND);
	assert_int_equal(leader_init(mesos), 0);
	sat_subscribe(&self_host, "mesos/agents", hear);
	assert_int_equal(poll_start(mesos), 0);
	move(0.1);
	return 0;
}

static int end(void **unused)
{
	struct streams *streams = engine_swap(NULL);
	size_t i;

	(void)unused;
	fault_arm(0);
	instance_stop(&instance, NULL);
	for (i = 0; i < 8; i++)
		if (calls[i].used) {
			assert_true(calls[i].canceled);
			finish(&calls[i], (struct sat_answer){ .rc = -ECANCELED });
		}
	for (i = 0; instance.stage != INSTANCE_STOPPED && i < 100; i++)
		move(0.001);
	assert_int_equal(instance.stage, INSTANCE_STOPPED);
	assert_true(timer_next() == INT64_MAX);		/* nothing of it fires once it is freed */
	sat_module_mesos_master.destroy(mesos);
	streams_stop(streams, NULL, NULL);
	streams_free(streams);
	conf_unref(settings);
	client_forget(&client);
	topic_forget(&self_host);
	lead_end();
	engine_stop();
	return 0;
}

#endif

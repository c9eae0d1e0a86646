/* SPDX-License-Identifier: Apache-2.0 */
/* test_leader-zookeeper - whom nodes name, over a ZooKeeper that stalls, loses connections and ends sessions. */
#include <zookeeper/zookeeper.h>

#include "../../modules/leader-zookeeper/leader.h"
#include "instance.h"
#include "topic.h"
#include "top.h"
#include "unit/bed.h"

extern const struct sat_module sat_module_leader_zookeeper;

/* ---- A ZooKeeper: one handle, one request at a time ---------------------- */

struct _zhandle { watcher_fn fn; void *context; int state; bool open; };

static struct {
	struct _zhandle handle;
	char hosts[256], auth[64];
	_Atomic int opened, refuse_open;
	strings_completion_t names;
	data_completion_t node;
	char path[256];
	const void *arg;
	bool watched;
	pthread_mutex_t lock;
} zk = { .lock = PTHREAD_MUTEX_INITIALIZER };

zhandle_t *zookeeper_init2(const char *hosts, watcher_fn fn, int timeout, const clientid_t *id, void *context,
			   int flags, log_callback_fn log)
{
	(void)timeout, (void)id, (void)flags, (void)log;
	pthread_mutex_lock(&zk.lock);
	zk.opened++;
	snprintf(zk.hosts, sizeof(zk.hosts), "%s", hosts);
	if (zk.refuse_open != 0) {
		pthread_mutex_unlock(&zk.lock);
		errno = ENOENT;
		return NULL;
	}
	assert_false(zk.handle.open);
	zk.handle = (struct _zhandle){ fn, context, ZOO_CONNECTING_STATE, true };
	pthread_mutex_unlock(&zk.lock);
	return &zk.handle;
}

static bool asked(void) { return zk.names != NULL || zk.node != NULL; }

/* Its rc, and names with a blank after each, or the node's value. */
static void answer(int rc, const char *text, int len)
{
	strings_completion_t names = zk.names;
	data_completion_t node = zk.node;
	char all[512], *list[16];
	struct String_vector v = { .data = list };

	zk.names = NULL;
	zk.node = NULL;
	snprintf(all, sizeof(all), "%s", names != NULL && text != NULL ? text : "");
	for (char *p = strtok(all, " "); p != NULL; p = strtok(NULL, " "))
		list[v.count++] = p;
	if (names != NULL)
		names(rc, rc == ZOK ? &v : NULL, zk.arg);
	else if (node != NULL)
		node(rc, text, len, NULL, zk.arg);
}

int zookeeper_close(zhandle_t *zh)
{
	pthread_mutex_lock(&zk.lock);
	answer(ZCLOSING, NULL, -1);
	zh->open = zk.watched = false;
	pthread_mutex_unlock(&zk.lock);
	return ZOK;
}

int zoo_aget_children(zhandle_t *zh, const char *path, int watch, strings_completion_t done, const void *arg)
{
	assert_true(zh->open && !asked());
	snprintf(zk.path, sizeof(zk.path), "%s", path);
	zk.names = done;
	zk.arg = arg;
	zk.watched |= watch != 0;
	return ZOK;
}

int zoo_aget(zhandle_t *zh, const char *path, int watch, data_completion_t done, const void *arg)
{
	assert_true(zh->open && !asked() && watch == 0);
	snprintf(zk.path, sizeof(zk.path), "%s", path);
	zk.node = done;
	zk.arg = arg;
	return ZOK;
}

int zoo_add_auth(zhandle_t *zh, const char *scheme, const char *cert, int len, void_completion_t done, const void *arg)
{
	(void)zh, (void)done, (void)arg;
	snprintf(zk.auth, sizeof(zk.auth), "%s:%.*s", scheme, len, cert);
	return ZOK;
}

int is_unrecoverable(zhandle_t *zh) { return zh->state == ZOO_EXPIRED_SESSION_STATE ? ZINVALIDSTATE : ZOK; }
void zoo_set_debug_level(ZooLogLevel level) { (void)level; }

/* ---- The bed ------------------------------------------------------------- */

static struct instance instance;
static struct leader *leader;
static int64_t skipped;
static struct { int n; char state[16], host[64], ip[64], port[16], why[512]; } heard;

static int64_t steady(void) { return clock_boot() + skipped; }
static int64_t wall(void) { return INT64_C(1800000000) * SAT_SECOND + steady(); }
static const struct clock_source source = { steady, wall };

static void hear(void *state, const char *topic, const struct sat_item *item)
{
	const struct sat_event *ev = item->evs[0];

	(void)state;
	(void)topic;
	heard.n++;
	snprintf(heard.state, sizeof(heard.state), "%s", ev->state);
	snprintf(heard.host, sizeof(heard.host), "%s", ev->host != NULL ? ev->host : "");
	snprintf(heard.ip, sizeof(heard.ip), "%s", sat_attr(ev, "ip") != NULL ? sat_attr(ev, "ip") : "");
	snprintf(heard.port, sizeof(heard.port), "%s", sat_attr(ev, "port") != NULL ? sat_attr(ev, "port") : "");
	snprintf(heard.why, sizeof(heard.why), "%s", ev->description);
}

static struct top *top;

static int create(void)
{
	static const char text[] = "mesos-master = { masters = \"zk://u:p@z1,[::1]:99/a/mesos/\"; }; own = { };";
	struct conf *file;
	void *state;
	int rc;

	file = conf_text(text, "test");
	assert_non_null(file);
	top = top_judge(file);
	top_use(top);
	bed.self.conf = conf_find(conf_root(file), "own");
	assert_int_equal(conf_judge(bed.self.conf, sat_module_leader_zookeeper.options, NULL), 0);
	rc = sat_module_leader_zookeeper.create(&bed.self, bed.self.conf, &state);
	bed.self.state = leader = rc == 0 ? state : NULL;
	return rc;
}

static void uncreate(void)
{
	top_use(NULL);
	top_free(top);
}

static int up(void **unused)
{
	(void)unused;
	memset(&zk.handle, 0, sizeof(zk.handle));
	zk.opened = zk.refuse_open = 0;
	memset(&heard, 0, sizeof(heard));
	skipped = 0;
	bed_up(&sat_module_leader_zookeeper);
	clock_source(&source);
	bed.self.instance = &instance;
	assert_int_equal(create(), 0);
	sat_subscribe(&self_host, "mesos/elected", hear);
	return sat_module_leader_zookeeper.start(leader);
}

static int down(void **unused)
{
	(void)unused;
	fault_arm(0);
	sat_module_leader_zookeeper.stop(leader);
	for (int i = 0; i < 5000 && !leader->stopped; i++)
		bed_run_for(1);
	assert_true(leader->stopped);
	topic_forget(&self_host);
	bed_down();
	uncreate();
	clock_source(NULL);
	assert_false(zk.handle.open);
	return 0;
}

static void settle(void)
{
	for (int i = 0; i < 6; i++)
		uv_run(&bed.loop, UV_RUN_NOWAIT);
}

/* Time goes by, for the engine alone. */
static void pass(int ms)
{
	for (; ms > 0; ms -= 100) {
		skipped += 100 * SAT_MS;
		settle();
	}
}

static void state(int state)
{
	zk.handle.state = state;
	zk.handle.fn(&zk.handle, ZOO_SESSION_EVENT, state, "", zk.handle.context);
	settle();
}

static void connect_it(void)
{
	for (int i = 0; i < 2000 && leader->stage != STAGE_OPEN; i++) {
		skipped += 10 * SAT_MS;
		bed_run_for(1);
	}
	assert_true(zk.handle.open);
	state(ZOO_CONNECTED_STATE);
}

static void give(int rc, const char *text)
{
	assert_true(asked());
	answer(rc, text, text != NULL ? (int)strlen(text) : -1);
	settle();
}

static void fires(void)
{
	zk.watched = false;
	zk.handle.fn(&zk.handle, ZOO_CHILD_EVENT, ZOO_CONNECTED_STATE, "/a/mesos", zk.handle.context);
	settle();
}

#define JSON(host) "{\"address\":{\"hostname\":\"" host "\",\"ip\":\"10.0.0.1\",\"port\":5050}}"

static void elect(const char *names, const char *node, const char *value)
{
	give(ZOK, names);
	assert_string_equal(strrchr(zk.path, '/') + 1, node);
	give(ZOK, value);
}

/* ---- Tests --------------------------------------------------------------- */

static void the_lowest_leads(void **unused)
{
	(void)unused;
	connect_it();
	assert_string_equal(zk.hosts, "z1:2181,::1:99");
	assert_string_equal(zk.auth, "digest:u:p");
	assert_string_equal(zk.path, "/a/mesos");
	elect("log_replicas json.info_0000000012 json.info_0000000009 json.info_000000001x", "json.info_0000000009", JSON("m9"));
	assert_string_equal(heard.state, "leads");
	assert_string_equal(heard.host, "m9");
	assert_string_equal(heard.ip, "10.0.0.1");
	assert_string_equal(heard.port, "5050");
	assert_string_equal(heard.why, "z1:2181,[::1]:99/a/mesos: json.info_0000000009 leads: m9, 10.0.0.1 port 5050");
	assert_true(zk.watched);
	/* Older ones and newer ones while Mesos is upgraded; numbers that began anew. */
	fires();
	elect("json.info_0000000012 info_0000000011", "info_0000000011", "\x10\x8a\x80\x80\x08\x18\xba\x27");
	assert_string_equal(heard.ip, "10.0.0.1");
	fires();
	elect("json.info_0000000012 json.info_-2147483648", "json.info_-2147483648", JSON("below"));
	assert_string_equal(heard.host, "below");
}

static void it_is_asked_each_second_and_when_a_watch_fires(void **unused)
{
	int n;

	(void)unused;
	connect_it();
	elect("json.info_1", "json.info_1", JSON("m1"));
	n = heard.n;
	assert_false(asked());
	pass(1100);
	elect("json.info_1", "json.info_1", JSON("m1"));
	assert_int_equal(heard.n, n + 1);
	assert_int_equal(bed.counters[COUNT_CHANGES], 1);
	assert_int_equal(bed.counters[GAUGE_SUCCESS], sat_wall() / SAT_SECOND);
	/* It fires while it is being asked: once more then, since the answer may be of before. */
	pass(1100);
	fires();
	give(ZOK, "json.info_1");
	give(ZOK, JSON("m1"));
	elect("json.info_2", "json.info_2", JSON("m2"));
	assert_string_equal(heard.host, "m2");
	assert_false(asked());
	/* One that vanished between list and look. */
	fires();
	give(ZOK, "json.info_2");
	give(ZNONODE, NULL);
	give(ZOK, "");
	assert_string_equal(heard.state, "nobody");
	fires();
	give(ZNONODE, NULL);
	assert_string_equal(heard.state, "nobody");
	assert_non_null(strstr(heard.why, "no such node"));
}

static void servers_that_are_away(void **unused)
{
	(void)unused;
	zk.refuse_open = 1;
	for (int i = 0; i < 200 && zk.opened < 3; i++) {
		skipped += 300 * SAT_MS;
		bed_run_for(2);
	}
	assert_true(zk.opened >= 3);
	zk.refuse_open = 0;
	connect_it();
	elect("json.info_1", "json.info_1", JSON("m1"));
	/* Connection lost, with a request under way; and back. */
	pass(1100);
	answer(ZCONNECTIONLOSS, NULL, -1);
	state(ZOO_CONNECTING_STATE);
	assert_string_equal(heard.state, "leads");
	assert_false(asked());
	assert_int_equal(bed.counters[COUNT_DISCONNECTS], 1);
	leader->heard -= 3 * SAT_SECOND;
	pass(1100);
	assert_string_equal(heard.state, "unknown");
	assert_non_null(strstr(heard.why, "no server answers"));
	state(ZOO_CONNECTED_STATE);
	elect("json.info_1", "json.info_1", JSON("m1"));
	assert_string_equal(heard.state, "leads");
	/* One that is silent is as one that is away. */
	pass(1100);
	assert_true(asked());
	leader->heard -= 3 * SAT_SECOND;
	pass(1100);
	assert_string_equal(heard.state, "unknown");
	/* And what it says at last is of long ago. */
	leader->asked_at -= 3 * SAT_SECOND;
	give(ZOK, "json.info_1");
	assert_string_equal(strrchr(zk.path, '/'), "/mesos");
	assert_string_equal(heard.state, "unknown");
	elect("json.info_2", "json.info_2", JSON("m2"));
	assert_string_equal(heard.host, "m2");
}

static void a_session_that_ended_is_begun_anew(void **unused)
{
	const int ends[] = { ZOO_EXPIRED_SESSION_STATE, ZOO_AUTH_FAILED_STATE };

	(void)unused;
	for (int i = 0; i < 2; i++) {
		connect_it();
		elect("json.info_1", "json.info_1", JSON("m1"));
		pass(1100);
		assert_true(asked());
		state(ends[i]);
		assert_int_equal(bed.counters[COUNT_EXPIRED], i + 1);
		for (int n = 0; n < 2000 && leader->stage != STAGE_CLOSED; n++)
			bed_run_for(1);
		assert_false(asked());
		connect_it();
		elect("json.info_2", "json.info_2", JSON("m2"));
		assert_string_equal(heard.host, "m2");
		state(ZOO_EXPIRED_SESSION_STATE);
		bed.counters[COUNT_EXPIRED]--;
		for (int n = 0; n < 2000 && leader->stage != STAGE_CLOSED; n++)
			bed_run_for(1);
	}
	/* Out of touch for long: names are looked up anew. */
	connect_it();
	state(ZOO_CONNECTING_STATE);
	int before = zk.opened;
	pass(29000);
	assert_int_equal(zk.opened, before);
	pass(3000);
	connect_it();
	assert_int_equal(zk.opened, before + 1);
}

static void what_cannot_be_read_is_said(void **unused)
{
	(void)unused;
	connect_it();
	give(ZNOAUTH, NULL);
	assert_string_equal(heard.state, "unknown");
	assert_non_null(strstr(heard.why, "another user and password"));
	pass(1100);
	give(ZOK, "json.info_1");
	give(ZNOAUTH, NULL);
	assert_non_null(strstr(heard.why, "json.info_1 may not be read"));
	pass(1100);
	elect("json.info_1", "json.info_1", "{}");
	assert_non_null(strstr(heard.why, "the node json.info_1 leads, and does not say where"));
	pass(1100);
	elect("info_1", "info_1", "\x10");
	assert_non_null(strstr(heard.why, "no MasterInfo"));
	pass(1100);
	give(ZOK, "json.info_1");
	answer(ZOK, NULL, -1);	/* a node without data */
	settle();
	assert_non_null(strstr(heard.why, "no JSON"));
}

static void info_of(bool json, const char *text, size_t len, const char *wanted)
{
	struct info info = { .port = 0 };
	char got[400] = "bad";
	int rc = json ? info_json(&info, text, len) : info_protobuf(&info, text, len);

	if (rc == 0)
		snprintf(got, sizeof(got), "%s %s %d", info.hostname, info.ip, info.port);
	assert_string_equal(got, wanted);
	/* Cut anywhere it is read to its end, and no further (ASan sees). */
	for (size_t n = 0; n < len; n++) {
		char *part = malloc(n + 1);

		memcpy(part, text, n);
		json ? info_json(&info, part, n) : info_protobuf(&info, part, n);
		free(part);
	}
}

#define J(text, wanted) info_of(true, text, strlen(text), wanted)
#define P(text, wanted) info_of(false, text, sizeof(text) - 1, wanted)

static void nodes_of_all_ages_are_read(void **unused)
{
	(void)unused;
	J("{\"address\":{\"hostname\":\"m\",\"ip\":\"10.0.0.1\",\"port\":5051},\"hostname\":\"old\",\"id\":\"x\","
	  "\"ip\":16777343,\"pid\":\"master@127.0.0.1:5050\",\"port\":5050,\"version\":\"1.11.0\","
	  "\"capabilities\":[{\"type\":\"AGENT_UPDATE\"}],\"domain\":{\"address\":{\"ip\":\"1.1.1.1\"}}}", "m 10.0.0.1 5051");
	J("{\"hostname\":\"m\",\"ip\":16777343,\"port\":5050.0}", "m 127.0.0.1 5050");
	J("{\"hostname\":\"m\"}", "m  5050");
	J("{\"ip\":16777343.0}", " 127.0.0.1 5050");
	J("{\"address\":{\"ip\":\"fd00::1\",\"port\":1}}", " fd00::1 1");
	J("{\"address\":{\"ip\":\"0.0.0.0\",\"port\":1},\"hostname\":\"m\"}", "m  1");
	J("{\"hostname\":null,\"address\":null,\"ip\":\"x\",\"port\":{}}", "bad");
	J("{\"hostname\":\"m\",\"port\":0}", "bad");
	J("{\"hostname\":\"m\",\"port\":-1}", "bad");
	J("{\"hostname\":\"m\",\"port\":65536}", "bad");
	J("{\"hostname\":\"m/x\",\"port\":1}", "bad");
	J("{\"hostname\":\"m\",\"ip\":99999999999,\"port\":1}", "m  1");
	J("[]", "bad");
	J("1", "bad");
	J("", "bad");
	P("\x0a\x02id\x10\xff\x80\x80\x08\x18\xba\x27\x22\x03pid\x2a\x02m1\x32\x01v", "m1 127.0.0.1 5050");
	P("\x2a\x02m1\x3a\x0f\x0a\x02m2\x12\x07" "1.2.3.4\x18\x07", "m2 1.2.3.4 7");
	P("\x2a\x02m1\x18\x00", "bad");
	P("\x2a\x02m1", "m1  5050");
	P("\x2a\x02m1\x41" "12345678\x4d" "1234", "m1  5050");
	P("\x2a\x02m1\x43", "bad");
	P("\x2a\x7fm1", "bad");
	P("\x2a\x04m1\0x", "bad");
	P("\x3a\x02\x0a\x09", "bad");
	P("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "bad");
	P("", "bad");
}

static void url(const char *text, const char *wanted)
{
	char *hosts = NULL, *path = NULL, *auth = NULL, got[300];
	const char *wrong = url_parse(text, &hosts, &path, &auth);

	snprintf(got, sizeof(got), "%s%s %s", wrong != NULL ? "!" : "", wrong != NULL ? "" : hosts,
		 wrong != NULL ? "" : path);
	if (auth != NULL)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), " %s", auth);
	assert_string_equal(got, wanted);
	free(hosts);
	free(path);
	free(auth);
}

static void urls(void **unused)
{
	char longer[1200];

	(void)unused;
	url("zk://a:1,b,c:3/mesos", "a:1,b:2181,c:3 /mesos");
	url("zk://a/x/y/", "a:2181 /x/y");
	url("zk://u:p@w:q@a/mesos", "a:2181 /mesos u:p@w:q");
	url("zk://[::1],[fe80::1]:7/mesos", "[::1]:2181,[fe80::1]:7 /mesos");
	url("zk://a", "! ");
	url("zk:///mesos", "! ");
	url("zk://a/", "! ");
	url("zk://a//mesos", "! ");
	url("zk://a/me sos", "! ");
	url("zk://a/./x", "! ");
	url("zk://u@a/mesos", "! ");
	url("zk://a b/mesos", "! ");
	url("zk://,a/mesos", "! ");
	url("zk://:1/mesos", "! ");
	url("zk://[::1/mesos", "! ");
	url("http://a/mesos", "! ");
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, "zk://a/", 7);
	longer[sizeof(longer) - 1] = '\0';
	url(longer, "! ");
}

static void creating_survives_every_failure(void **unused)
{
	int nth = 0, rc;

	(void)unused;
	bed_up(&sat_module_leader_zookeeper);
	bed.self.instance = &instance;
	do {
		rc = create();
		assert_int_equal(rc, 0);
		sat_module_leader_zookeeper.destroy(leader);
		fault_arm(++nth);
		rc = sat_module_leader_zookeeper.create(&bed.self, bed.self.conf, &bed.self.state);
		assert_int_equal(rc != 0, fault_fired());
		fault_arm(0);
		if (rc == 0)
			sat_module_leader_zookeeper.destroy(bed.self.state);
		bed.self.state = NULL;
		uncreate();
	} while (rc != 0);
	assert_true(nth > 4);
	bed_down();
}

/* Whatever memory fails: it is asked again, and known in the end. */
static void electing_survives_every_failure(void **unused)
{
	int nth;

	for (nth = 1; nth < 40; nth++) {
		up(unused);
		for (int i = 0; i < 2000 && leader->stage != STAGE_OPEN; i++) {
			skipped += 10 * SAT_MS;
			bed_run_for(1);
		}
		fault_arm(nth);
		state(ZOO_CONNECTED_STATE);
		for (int i = 0; i < 10 && strcmp(heard.host, "m1") != 0; i++) {
			if (zk.names != NULL)
				give(ZOK, "json.info_1");
			if (zk.node != NULL)
				give(ZOK, JSON("m1"));
			pass(1100);
		}
		fault_arm(0);
		assert_string_equal(heard.host, "m1");
		down(unused);
	}
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(the_lowest_leads),
		LIVE(it_is_asked_each_second_and_when_a_watch_fires),
		LIVE(servers_that_are_away),
		LIVE(a_session_that_ended_is_begun_anew),
		LIVE(what_cannot_be_read_is_said),
		cmocka_unit_test(nodes_of_all_ages_are_read),
		cmocka_unit_test(urls),
		cmocka_unit_test(creating_survives_every_failure),
		cmocka_unit_test(electing_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-master - its readers over captures, and its polling against a client that answers as told. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/mesos-master/legal.h"
#include "http.h"
#include "unit/mesos.h"

#define DATA		"test/data/mesos/"
#define CAPTURES	"../shared/mesos-captures/"

/* A whole file, NUL-ended. */
static char *load(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *p;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	*len = (size_t)ftell(f);
	rewind(f);
	p = malloc(*len + 1);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, *len, f), *len);
	p[*len] = '\0';
	fclose(f);
	return p;
}

/* ---- Numbers and names -------------------------------------------------- */

static void numbers_are_what_mesos_means(void **unused)
{
	static const struct { const char *text; enum sat_kind kind; int64_t i; double d; } all[] = {
		{ "3", SAT_INT, 3, 0 }, { "3.0", SAT_INT, 3, 0 }, { "-2", SAT_INT, -2, 0 },
		{ "6.048e5", SAT_INT, 604800, 0 }, { "1458236711.0", SAT_INT, 1458236711, 0 },
		{ "4611686018427387905", SAT_INT, INT64_C(4611686018427387905), 0 },
		{ "0.5", SAT_DOUBLE, 0, 0.5 }, { "1e300", SAT_DOUBLE, 0, 1e300 },
		{ "2.77555756156289e-17", SAT_DOUBLE, 0, 2.77555756156289e-17 },
		{ "18446744073709551616", SAT_DOUBLE, 0, 18446744073709551616.0 },
	};
	struct sat_value v;
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		assert_true(legal_number(all[i].text, strlen(all[i].text), &v));
		assert_int_equal(v.kind, all[i].kind);
		if (v.kind == SAT_INT)
			assert_int_equal(v.i, all[i].i);
		else
			assert_true(v.d == all[i].d);
	}
	assert_false(legal_number("1e999", 5, &v));
	assert_false(legal_number("", 0, &v));
}

static void text_is_legal_or_not(void **unused)
{
	static const char *const bad[] = { "a\tb", "\x7f", "\x80", "\xc0\xaf", "\xc3", "\xed\xa0\x80",
					   "\xf5\x80\x80\x80", "\xe0\x80\x80", "\xf0\x8f\xbf\xbf",
					   "\xf4\x90\x80\x80", "\xe2\x28\xa1" };
	size_t i;

	(void)unused;
	assert_true(legal_text("a-z \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 15));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(legal_text(bad[i], strlen(bad[i])));
	assert_false(legal_text("a\0b", 3));
}

/* ---- Snapshot ----------------------------------------------------------- */

struct seen { int n; struct sat_value load, bytes, elected; };

static void see(void *arg, const char *key, const struct sat_value *v)
{
	struct seen *s = arg;

	s->n++;
	if (strcmp(key, "system/load_1min") == 0)
		s->load = *v;
	else if (strcmp(key, "registrar/registry_size_bytes") == 0)
		s->bytes = *v;
	else if (strcmp(key, "master/elected") == 0)
		s->elected = *v;
}

static void figures_are_read(void **unused)
{
	size_t len;
	char *text = load(DATA "snapshot.json", &len), why[160];
	struct snapshot s;
	struct seen seen = { 0 };

	(void)unused;
	assert_int_equal(snapshot_read(&s, text, len, see, &seen, why, sizeof(why)), 0);
	assert_int_equal(s.figures, 9);
	assert_int_equal(seen.n, 9);
	assert_int_equal(s.odd, 3);
	assert_int_equal(s.elected, 1);
	assert_true(s.watched);
	assert_int_equal(seen.load.kind, SAT_DOUBLE);
	assert_int_equal(seen.bytes.i, INT64_C(4611686018427387905));
	assert_int_equal(seen.elected.kind, SAT_INT);
	free(text);
}

/* Mesos writes each byte of a framework's name that is no plain letter as three. */
static void a_key_may_be_long(void **unused)
{
	static const char *const ends[] = { "messages_received", "offers/sent" };
	char text[1400], key[1100];
	struct snapshot s;
	char why[160];

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		snprintf(key, sizeof(key), "master/frameworks/%0980d/f/%s", 7, ends[i]);
		snprintf(text, sizeof(text), "{\"%s\":1}", key);
		assert_int_equal(snapshot_read(&s, text, strlen(text), NULL, NULL, why, sizeof(why)), 0);
		assert_int_equal(s.figures, 1);
		snprintf(text, sizeof(text), "{\"master/elected\":1,\"%s%0100d\":1}", key, 7);
		assert_int_equal(snapshot_read(&s, text, strlen(text), NULL, NULL, why, sizeof(why)), 0);
		assert_int_equal(s.odd, 1);
	}
	snprintf(text, sizeof(text), "{\"master/elected\":1,\"%s\":5}", key);
	answer("/metrics/snapshot", 200, text);
	snprintf(text, sizeof(text), "mesos/%s", key);
	assert_float_equal(metric(text), 5, 0);
}

static void figures_move_only_with_the_cluster(void **unused)
{
	static const char *const texts[] = {
		"{\"master/tasks_running\":1,\"master/cpus_percent\":0.1,\"master/uptime_secs\":5,"
			"\"master/slaves_active\":2}",
		"{\"master/slaves_active\":2.0,\"master/tasks_running\":1,\"master/cpus_percent\":0.2,"
			"\"master/uptime_secs\":6}",
		"{\"master/slaves_active\":2,\"master/tasks_running\":2}",
		"{\"master/uptime_secs\":5}",
	};
	struct snapshot s[4];
	char why[160];
	int i;

	(void)unused;
	for (i = 0; i < 4; i++) {
		size_t len = strlen(texts[i]);

		assert_int_equal(snapshot_read(&s[i], texts[i], len, NULL, NULL, why, sizeof(why)), 0);
	}
	assert_true(s[0].print == s[1].print);
	assert_true(s[0].print != s[2].print);
	assert_false(s[3].watched);
	assert_int_equal(s[3].elected, -1);
}

static void what_a_state_will_have_is_counted(void **unused)
{
	static const char text[] = "{\"master/tasks_running\":200,\"master/tasks_killing\":1,\"master/tasks_killed\":30,"
		"\"master/tasks_lost\":-7,\"master/frameworks_active\":3.0,\"tasks_running\":9}";
	struct snapshot s;
	char why[160];

	(void)unused;
	assert_int_equal(snapshot_read(&s, text, sizeof(text) - 1, NULL, NULL, why, sizeof(why)), 0);
	assert_float_equal(s.tasks, 201, 0);
	assert_float_equal(s.ended, 30, 0);
	assert_float_equal(s.frameworks, 3, 0);
}

/* A key that stands there twice is shown once, the first, and that one decides. */
static void of_two_figures_the_first_decides(void **unused)
{
	static const struct { const char *text; int elected; } cases[] = {
		{ "{\"master/elected\":0,\"master/elected\":1}", 0 }, { "{\"master/elected\":1,\"master/elected\":0}", 1 },
		{ "{\"elected\":1,\"elected\":0}", 1 }, { "{\"elected\":1,\"master/elected\":0,\"master/elected\":1}", 0 },
		{ "{\"master/elected\":0,\"elected\":1}", 0 },
	};
	struct snapshot s;
	char why[100];

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(snapshot_read(&s, cases[i].text, strlen(cases[i].text), NULL, NULL, why, sizeof(why)), 0);
		assert_int_equal(s.elected, cases[i].elected);
	}
}

static void what_has_no_figures_says_so(void **unused)
{
	static const char *const texts[] = {
		"", "{}", "[]", "[1]", "7", "{\"a\":\"b\"}", "{\"a\":1", "<html>",
	};
	struct snapshot s;
	char why[160];
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_true(snapshot_read(&s, texts[i], strlen(texts[i]), NULL, NULL, why, sizeof(why)) < 0);
	fault_arm(1);
	assert_int_equal(snapshot_read(&s, "{\"a\":1}", 7, NULL, NULL, why, sizeof(why)), -ENOMEM);
	fault_arm(0);
}

/* ---- Captures ----------------------------------------------------------- */

/* Calls each() with every file of a folder of the captures; skips the test where they are not there. */
static void over(const char *folder, void (*each)(const char *name, const char *text, size_t len))
{
	char path[512];
	DIR *d;
	const struct dirent *e;
	int n = 0;

	snprintf(path, sizeof(path), CAPTURES "%s", folder);
	d = opendir(path);
	if (d == NULL) {
		print_message("SKIPPED: %s is not there\n", path);
		skip();
	}
	while ((e = readdir(d)) != NULL) {
		size_t len;
		char *text;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CAPTURES "%s/%s", folder, e->d_name);
		text = load(path, &len);
		each(e->d_name, text, len);
		free(text);
		n++;
	}
	closedir(d);
	assert_true(n > 0);
}

static void refused(const char *name, const char *text, size_t len)
{
	struct snapshot figures;
	char why[160];

	(void)name;
	assert_true(snapshot_read(&figures, text, len, NULL, NULL, why, sizeof(why)) < 0);
}

static void captured_nonsense_is_refused(void **unused)
{
	(void)unused;
	over("malformed", refused);
}

static void has_figures(const char *name, const char *text, size_t len)
{
	struct snapshot s;
	char why[160];

	assert_int_equal(snapshot_read(&s, text, len, NULL, NULL, why, sizeof(why)), 0);
	assert_int_equal(s.elected, strncmp(name, "master", 6) == 0 ? 1 : -1);
	assert_int_equal(s.odd, 0);
}

static void captured_figures_are_understood(void **unused)
{
	(void)unused;
	over("metrics", has_figures);
}

/* ---- Polling, with a client that answers as the test says, on a virtual clock ---- */

#define LEADS	"{\"master/elected\":1,\"master/slaves_active\":2,\"master/uptime_secs\":1.5}"
#define FOLLOWS	"{\"master/elected\":0,\"master/slaves_active\":0}"
#define STATE	"{\"pid\":\"m@1\",\"leader\":\"m@1\"," \
		"\"slaves\":[{\"hostname\":\"a\"},{\"hostname\":\"b\",\"active\":false}]," \
		"\"frameworks\":[{\"name\":\"f\",\"used_resources\":{\"cpus\":2,\"mem\":1500}}]}"
#define EMPTY	"{\"pid\":\"m@2\",\"leader\":\"m@1\",\"slaves\":[],\"frameworks\":[]}"

static void a_leader_is_seen_and_its_cluster(void **unused)
{
	(void)unused;
	answer("/metrics/snapshot", 200, LEADS);
	assert_true(sat_acting());
	assert_float_equal(metric("mesos/leader"), 1, 0);
	assert_string_equal(state_of("mesos/leader"), "ok");
	assert_float_equal(metric("mesos/master/uptime_secs"), 1.5, 0);
	assert_true(event("mesos/master/elected")->has & SAT_HAS_INT);
	assert_float_equal(event("mesos/master/elected")->ttl, 180, 0);
	answer("/state", 200, STATE);
	assert_float_equal(metric("mesos/frameworks/f/cpu"), 2, 0);
	assert_float_equal(metric("mesos/frameworks/f/mem"), 1.5, 0);
	assert_float_equal(metric("mesos/frameworks/f/disk"), 0, 0);
	assert_float_equal(metric("mesos/agents/registered"), 2, 0);
	assert_float_equal(metric("mesos/agents/active"), 1, 0);
	assert_int_equal(lists, 1);
	assert_int_equal(listed, 2);
	assert_string_equal(state_of("mesos/endpoint/state"), "ok");
	move(1.5);
	answer("/metrics/snapshot", 200, FOLLOWS);
	assert_false(sat_acting());
	assert_float_equal(metric("mesos/leader"), 0, 0);
	assert_string_equal(state_of("mesos/leader"), "ok");
}

static char told[4096];

static void note(void *arg, const char *name, bool gauge, const char *help, const struct sat_attr *labels,
		 uint32_t n, double value)
{
	size_t len = strlen(told);

	(void)arg, (void)gauge, (void)help;
	len += (size_t)snprintf(told + len, sizeof(told) - len, "%s", name);
	for (uint32_t i = 0; i < n; i++)
		len += (size_t)snprintf(told + len, sizeof(told) - len, " %s=%s", labels[i].key, labels[i].value);
	snprintf(told + len, sizeof(told) - len, " %g\n", value);
}

static void tells_figures(const char *want)
{
	struct sat_figures out = { .figure = note };

	told[0] = '\0';
	for (uint64_t at = 0; sat_module_mesos_master.series(mesos, &out, &at);)
		continue;
	assert_string_equal(told, want);
}

static void figures_are_those_of_now(void **unused)
{
	static const char *const attributes[] = { "r-k", "other", "\xc3\xbc-1", NULL };

	(void)unused;
	mesos->attributes = attributes;
	tells_figures("");
	answer("/metrics/snapshot", 200, "{\"master/elected\":1,\"x\":0.5}");
	answer("/state", 200, "{\"pid\":\"m@1\",\"leader\":\"m@1\",\"frameworks\":[],"
	       "\"slaves\":[{\"id\":\"i\",\"hostname\":\"h\","
	       "\"pid\":\"s@1\",\"resources\":{\"cpus\":4,\"mem\":2,\"disk\":3,\"ports\":\"[1-5]\"},"
	       "\"used_resources\":{\"cpus\":0.5},\"attributes\":{\"r.k\":\"a b\",\"other\":\"1/2\",\"\xc3\xbc.1\":7}},"
	       "{\"id\":\"j\",\"hostname\":\"no pid\"}],"
	       "\"recovered_slaves\":[{\"id\":\"k\",\"hostname\":\"k\",\"pid\":\"s@3\"}]}");
	tells_figures("satellite_mesos_snapshot from=master key=master/elected 1\n"
		      "satellite_mesos_snapshot from=master key=x 0.5\n"
		      "mesos_slave_cpus slave=s@1 4\nmesos_slave_cpus_used slave=s@1 0.5\n"
		      "mesos_slave_mem_bytes slave=s@1 2.09715e+06\nmesos_slave_mem_used_bytes slave=s@1 0\n"
		      "mesos_slave_disk_bytes slave=s@1 3.14573e+06\nmesos_slave_disk_used_bytes slave=s@1 0\n"
		      "mesos_slave_ports slave=s@1 5\nmesos_slave_ports_used slave=s@1 0\n"
		      "mesos_slave_attributes slave=s@1 r_k= other=1/2 __1=7 1\n");
	move(1.5);
	break_off("/metrics/snapshot", -ECONNREFUSED);
	tells_figures("");
	mesos->attributes = NULL;
}

enum { CROWD = 20000 };
static unsigned char seen[CROWD];	/* of each agent: its CPUs, so often */
static unsigned n_seen;

static void count_cpus(void *arg, const char *name, bool gauge, const char *help, const struct sat_attr *labels,
		       uint32_t n, double value)
{
	(void)arg, (void)gauge, (void)help, (void)n, (void)value;
	if (strcmp(name, "mesos_slave_cpus") != 0)
		return;
	seen[atoi(labels[0].value)]++;
	n_seen++;
}

static void add_agents(unsigned from, unsigned to)
{
	struct model_agent_news n = { .active = true, .has_total = true };

	for (unsigned i = from; i < to; i++) {
		snprintf(n.id, sizeof(n.id), "a%u", i);
		snprintf(n.host, sizeof(n.host), "h%u", i);
		snprintf(n.pid, sizeof(n.pid), "%u", i);
		assert_int_equal(model_put_agent(&mesos->model, &n), 0);
	}
}

static bool tell_some(uint64_t *at)
{
	struct sat_figures out = { .figure = count_cpus };
	unsigned before = n_seen;
	bool more = sat_module_mesos_master.series(mesos, &out, at);

	assert_in_range(n_seen - before, 0, 200);
	return more;
}

/* Each once; where agents come until their table is another, those that were there are told of all the same. */
static void figures_of_many_agents_go_in_slices(void **unused)
{
	uint64_t at = 0;
	unsigned i;

	(void)unused;
	add_agents(0, 5000);
	mesos->has_model = true;
	while (tell_some(&at))
		continue;
	for (i = 0; i < CROWD; i++)
		assert_int_equal(seen[i], i < 5000);
	memset(seen, 0, sizeof(seen));
	at = 0;
	for (i = 0; i < 10; i++)
		assert_true(tell_some(&at));
	model_remove_agent(&mesos->model, "a17");
	add_agents(5000, CROWD);
	while (tell_some(&at))
		continue;
	for (i = 0; i < CROWD; i++)
		assert_true(seen[i] > 0 || i == 17);
	at = 0;
	assert_true(tell_some(&at) && tell_some(&at));
	settle_bury(mesos);
	assert_true(!tell_some(&at) || !tell_some(&at));	/* of nothing */
	mesos->has_model = false;
	assert_false(tell_some(&at));
}

/* A reload of it, or its end, is no long turn: end() goes on until it has stopped. */
static void a_large_model_is_freed_before_it_has_stopped(void **unused)
{
	(void)unused;
	add_agents(0, CROWD);
	instance_stop(&instance, NULL);
	assert_int_equal(mesos->model.agents.n, CROWD);
	break_off("/metrics/snapshot", -ECANCELED);
	assert_int_equal(instance.stage, INSTANCE_STOPPING);
	assert_int_equal(mesos->model.agents.n, 0);
	assert_true(mesos->grave.texts.table.size > 0);
	move(0.001);
	assert_int_equal(mesos->grave.texts.table.size, 0);
	assert_int_equal(instance.stage, INSTANCE_STOPPED);
}

static void the_state_is_asked_for_when_figures_moved(void **unused)
{
	int i, states = 0;

	(void)unused;
	for (i = 0; i < 600; i++) {
		if (asked("/metrics/snapshot") != NULL)
			answer("/metrics/snapshot", 200, i < 310 ? LEADS :
			       "{\"master/elected\":1,\"master/slaves_active\":3}");
		if (asked("/state") != NULL) {
			answer("/state", 200, STATE);
			states++;
			assert_true(i == 0 || i >= 310);
		}
		move(1);
		assert_non_null(event("mesos/frameworks/f/cpu"));
	}
	assert_int_equal(states, 2);
	assert_int_equal(lists, 1);	/* the same agents */
	assert_true(metric("mesos/bytes-per-minute") > 60 * 40);
	assert_true(sat_wall() - event("mesos/frameworks/f/cpu")->time < 70 * SAT_SECOND);
}

static void paths_of_any_version_are_found(void **unused)
{
	(void)unused;
	answer("/metrics/snapshot", 404, "");
	answer("/stats.json", 200, "{\"elected\":1,\"master/slaves_active\":2}");
	answer("/state", 404, "");
	answer("/state.json", 404, "");
	answer("/master/state", 404, "");
	assert_null(event("mesos/endpoint/state"));
	answer("/master/state.json", 200, STATE);
	assert_int_equal(listed, 2);
	move(1.5);
	answer("/stats.json", 404, "");
	answer("/metrics/snapshot", 404, "");
	assert_string_equal(state_of("mesos/endpoint/snapshot"), "critical");
}

static void trouble_is_an_event_until_it_is_over(void **unused)
{
	static const struct { int status; const char *body, *words; } all[] = {
		{ 401, "", "credentials" }, { 403, "", "ACLs" },
		{ 503, "No leader elected", "No leader elected" }, { 500, "\x01\x02", "answers 500" },
		{ 200, "<html>", "not JSON" }, { 200, "{\"a\":1", "cut short" },
		{ 200, "{}", "no object of figures" }, { 404, "", "url" },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		answer("/metrics/snapshot", all[i].status, all[i].body);
		if (all[i].status == 404)
			answer("/stats.json", 404, "");
		assert_string_equal(state_of("mesos/endpoint/snapshot"), "critical");
		says("snapshot", all[i].words);
		says("snapshot", "http://m:5050/metrics/snapshot");
		while (asked("/state") != NULL)
			answer("/state", 503, "");
		move(1.1);
	}
	break_off("/metrics/snapshot", -ECONNREFUSED);
	says("snapshot", "does a Mesos master run there");
	move(1.1);
	break_off("/metrics/snapshot", -ETIMEDOUT);
	says("snapshot", "within 10 s");
	move(1.1);
	answer("/metrics/snapshot", 200, LEADS);
	assert_string_equal(state_of("mesos/endpoint/snapshot"), "ok");
}

static void a_bad_state_is_an_event(void **unused)
{
	static const struct { const char *body, *words; } all[] = {
		{ "{\"slaves\":[", "cut short" }, { "{\"a\":x}", "byte" }, { "{}", "no list of slaves" },
	};
	static char large[200001];
	size_t i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		answer("/metrics/snapshot", 200, LEADS);
		answer("/state", 200, all[i].body);
		assert_string_equal(state_of("mesos/endpoint/state"), "critical");
		says("state", all[i].words);
		move(61);
	}
	answer("/metrics/snapshot", 200, LEADS);
	memset(large, ' ', sizeof(large) - 1);
	answer("/state", 200, large);
	says("state", "max-state");
	assert_int_equal(lists, 0);
	assert_null(event("mesos/agents/registered"));
}

/* It says nothing, for so long; then it does. */
static void hangs(double seconds, bool acts)
{
	if (asked("/metrics/snapshot") == NULL)
		move(1.1);
	move(seconds);
	assert_int_equal(sat_acting(), acts);
	assert_float_equal(metric("mesos/leader"), acts, 0);
	assert_string_equal(state_of("mesos/leader"), acts ? "ok" : "unknown");
	answer("/metrics/snapshot", 200, LEADS);
	assert_true(sat_acting());
	assert_string_equal(state_of("mesos/leader"), "ok");
}

/* Of what was slow nothing is remembered. */
static void is_quick(const char *figures)
{
	if (asked("/metrics/snapshot") != NULL)
		answer("/metrics/snapshot", 200, LEADS);
	memset(mesos->longest, 0, sizeof(mesos->longest));
	move(1.1);
	answer("/metrics/snapshot", 200, figures);
}

/* A leader may be silent for four seconds, and for eight where it was slow lately; it may not refuse a connection. */
static void a_leader_that_hangs_leads_for_a_short_while(void **unused)
{
	(void)unused;
	answer("/metrics/snapshot", 200, LEADS);
	answer("/state", 200, STATE);
	hangs(2.4, true);
	is_quick(LEADS);
	hangs(3.6, false);
	hangs(5.5, true);	/* it took 3.6 s for an answer */
	hangs(8, false);
	move(1.1);
	break_off("/metrics/snapshot", -ECONNREFUSED);
	assert_false(sat_acting());
	assert_float_equal(metric("mesos/leader"), 0, 0);
	assert_string_equal(state_of("mesos/leader"), "unknown");
}

/* What is known of the cluster outlives a doubt, and nothing is asked for again; another's election ends it. */
static void a_doubt_costs_no_state(void **unused)
{
	(void)unused;
	answer("/metrics/snapshot", 200, LEADS);
	answer("/state", 200, STATE);
	move(70);
	assert_false(sat_acting());
	assert_int_equal(mesos->model.agents.n, 2);
	answer("/metrics/snapshot", 200, LEADS);
	assert_true(sat_acting());
	assert_null(asked("/state"));
	assert_int_equal(mesos->model.agents.n, 2);
	move(10);
	assert_false(sat_acting());
	answer("/metrics/snapshot", 200, FOLLOWS);
	assert_float_equal(metric("mesos/leader"), 0, 0);
	assert_string_equal(state_of("mesos/leader"), "ok");
	assert_int_equal(mesos->model.agents.n, 0);
}

#define LARGE(agents, tasks) "{\"master/elected\":1,\"master/slaves_active\":" agents ",\"master/tasks_running\":" tasks \
	",\"master/tasks_finished\":1e9,\"master/frameworks_active\":30}"

/* Of the first, for as long as one may take of so many agents and tasks. */
static void who_writes_the_first_state_is_believed_by_its_size(void **unused)
{
	static const struct { const char *figures; double seconds; } all[] = {
		{ LEADS, 4 }, { "{\"master/elected\":1}", 20 },	/* its timeout */
		{ LARGE("20000", "0"), 10 }, { LARGE("10000", "40000"), 13 }, { LARGE("50000", "200000"), 20 },
		{ LARGE("9e18", "1e308"), 20 }, { LARGE("9223372036854775807", "-1"), 20 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		begin(unused);
		answer("/metrics/snapshot", 200, all[i].figures);
		assert_non_null(asked("/state"));
		move(all[i].seconds - 0.6);
		assert_true(sat_acting());
		move(1.2);
		assert_false(sat_acting());
		end(unused);
	}
}

/* A state may take long to be written, as long as the last one did three times over, and what comes of it is a word. */
static void who_writes_a_state_may_be_silent_longer(void **unused)
{
	struct call *c;
	int i;

	(void)unused;
	answer("/metrics/snapshot", 200, LARGE("10000", "100000"));
	move(19);
	assert_true(sat_acting());
	c = asked("/state");
	c->what.data(c->arg, 200, "{", 1);
	for (i = 0; i < 30; i++) {
		move(1);
		c->what.data(c->arg, 200, " ", 1);
		assert_true(sat_acting());
	}
	answer("/state", 200, STATE + 1);
	move(9);
	assert_false(sat_acting());
	answer("/metrics/snapshot", 200, LEADS);
	/* Now it is known to take a second; and after so long a one it has its rest. */
	mesos->wrote = SAT_SECOND;
	move(600);
	is_quick("{\"master/elected\":1,\"master/slaves_active\":3}");
	assert_non_null(asked("/state"));
	hangs(5, false);
}

#define PROCESS(uptime) "{\"master/elected\":1,\"master/uptime_secs\":" uptime "}"
#define ENDS "{\"elected_time\":1,\"slaves\":[{\"hostname\":\"a\",\"id\":\"s\",\"pid\":\"p\"}],\"frameworks\":[{\"id\":\"f\"," \
	"\"tasks\":[{\"id\":\"t1\",\"slave_id\":\"s\",\"state\":\"TASK_FAILED\"}]}]}"
#define AGENT "{\"elected_time\":1,\"slaves\":[{\"hostname\":\"a\",\"id\":\"s\",\"pid\":\"p\"}]}"

/* A task that ended while it was silent is told, or not. */
static void after_silence(const char *figures, const char *told_of)
{
	const struct sat_event *ev;

	answer("/metrics/snapshot", 200, PROCESS("1000"));
	answer("/state", 200, AGENT);
	tells_figures("satellite_mesos_snapshot from=master key=master/elected 1\n"
		      "satellite_mesos_snapshot from=master key=master/uptime_secs 1000\n"
		      "mesos_slave_cpus_used slave=p 0\nmesos_slave_mem_used_bytes slave=p 0\n"
		      "mesos_slave_disk_used_bytes slave=p 0\nmesos_slave_ports_used slave=p 0\n");
	move(60);
	assert_string_equal(state_of("mesos/leader"), "unknown");
	break_off("/metrics/snapshot", -ETIMEDOUT);
	tells_figures("");		/* what is known is of then */
	move(1.1);
	answer("/metrics/snapshot", 200, figures);
	answer("/state", 200, ENDS);
	assert_float_equal(metric("mesos/leader"), 1, 0);
	ev = sat_index_get("a", "mesos/tasks");
	assert_string_equal(ev != NULL ? sat_attr(ev, "task") : "", told_of);
}

static void what_changes_in_silence_is_news(void **unused)
{
	(void)unused;
	after_silence(PROCESS("1005"), "t1");
}

static void another_process_is_no_news(void **unused)
{
	(void)unused;
	after_silence(PROCESS("5"), "");
}

/* It is sent on to this URL, where the answer is that. */
static void sent_on(const char *path, const char *url, int status, const char *body)
{
	struct call *c = asked(path);

	assert_non_null(c);
	snprintf(c->url, sizeof(c->url), "%s", url);
	answer(path, status, body);
}

static void a_leader_gets_the_credentials_of_who_names_it(void **unused)
{
	static const char state[] = "http://n:5050/state";

	(void)unused;
	answer("/metrics/snapshot", 200, "{\"master/elected\":0,\"master/slaves_active\":2}");
	sent_on("/state", state, 401, "no");
	assert_null(asked("/state"));		/* we have none */
	assert_non_null(strstr(event("mesos/endpoint/state")->description, "sent on to http://n:5050/state"));

	mesos->how.user = "u";
	mesos->how.password = "p";
	for (int i = 0; i < 3; i++) {
		move(61);
		answer("/metrics/snapshot", 200, "{\"master/elected\":0,\"master/slaves_active\":2}");
		assert_string_equal(asked("/state")->url, "http://m:5050/state");
		/* In the clear where we did not ask so, or by a URL that is cut here: no. */
		sent_on("/state", i == 0 ? "https://n:5050/state" : i == 1 ? "http://n@o:5050/state" : state, 401, "no");
		assert_true((asked("/state") != NULL) == (i == 2));
	}
	assert_string_equal(asked("/state")->url, state);
	assert_string_equal(asked("/state")->what.user, "u");
	answer("/state", 401, "no");
	assert_null(asked("/state"));		/* once */
	assert_string_equal(state_of("mesos/endpoint/state"), "critical");

	move(61);
	answer("/metrics/snapshot", 200, "{\"master/elected\":0,\"master/slaves_active\":2}");
	sent_on("/state", state, 401, "no");
	answer("/state", 404, "");
	assert_string_equal(asked("/state.json")->url, "http://m:5050/state.json");
	sent_on("/state.json", "http://n:5050/state.json", 401, "no");
	assert_string_equal(asked("/state.json")->url, "http://n:5050/state.json");
	answer("/state.json", 200, STATE);
	assert_string_equal(state_of("mesos/endpoint/state"), "ok");
	assert_int_equal(listed, 2);
}

static void a_follower_asks_once(void **unused)
{
	int i, states = 0;

	(void)unused;
	for (i = 0; i < 300; i++) {
		char figures[100];

		snprintf(figures, sizeof(figures), "{\"master/elected\":0,\"master/slaves_active\":%d}", i);
		if (asked("/metrics/snapshot") != NULL)
			answer("/metrics/snapshot", 200, figures);
		if (asked("/state") != NULL) {
			/* Its own memory, as before 1.0, then as if sent on. */
			answer("/state", 200, states == 0 ? EMPTY : STATE);
			states++;
		}
		move(1);
	}
	assert_int_equal(states, 2);	/* until it knew the agents */
	assert_int_equal(lists, 1);
	assert_int_equal(listed, 2);
	assert_null(event("mesos/frameworks/f/cpu"));
	assert_float_equal(metric("mesos/leader"), 0, 0);
}

static void the_state_tells_who_leads_where_figures_do_not(void **unused)
{
	(void)unused;
	answer("/metrics/snapshot", 200, "{\"system/load_1min\":1}");
	assert_null(event("mesos/leader"));
	answer("/state", 200, STATE);
	assert_float_equal(metric("mesos/leader"), 1, 0);
	assert_int_equal(listed, 2);
	move(60.5);
	answer("/metrics/snapshot", 200, "{\"system/load_1min\":1}");
	answer("/state", 200, EMPTY);
	assert_float_equal(metric("mesos/leader"), 0, 0);
	move(60.5);
	answer("/metrics/snapshot", 200, "{\"system/load_1min\":1}");
	answer("/state", 200, "{\"slaves\":[]}");
	assert_string_equal(state_of("mesos/endpoint/state"), "critical");
	assert_int_equal(lists, 1);
}

static void the_figures_outweigh_a_state_that_does_not_say(void **unused)
{
	(void)unused;
	answer("/metrics/snapshot", 200, LEADS);
	answer("/state", 200, "{\"slaves\":[{\"hostname\":\"a\"}]}");
	assert_int_equal(listed, 1);
	assert_float_equal(metric("mesos/agents/registered"), 1, 0);
	move(60.5);
	answer("/metrics/snapshot", 200, "{\"master/elected\":1,\"master/slaves_active\":3,\"x\":NaN}");
	answer("/state", 200, "{\"pid\":\"m@1\",\"slaves\":[{\"hostname\":\"a\"},{\"hostname\":\"b\"}]}");
	assert_int_equal(listed, 2);
}

static void it_stops_with_calls_under_way(void **unused)
{
	(void)unused;
	answer("/metrics/snapshot", 200, LEADS);
	move(1.1);
	assert_non_null(asked("/metrics/snapshot"));
	assert_non_null(asked("/state"));	/* and end() stops it */
}

/* Whatever finds no memory, it goes on, and is well again with the next poll that does. */
static void polling_survives_every_failure(void **unused)
{
	int nth = 0;

	(void)unused;
	do {
		fault_arm(++nth);
		move(61);
		if (asked("/metrics/snapshot") != NULL)
			answer("/metrics/snapshot", 200, nth % 2 == 0 ? LEADS :
			       "{\"master/elected\":1,\"master/slaves_active\":1}");
		if (asked("/state") != NULL)
			answer("/state", 200, STATE);
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 10);
	move(61);
	answer("/metrics/snapshot", 200, "{\"master/elected\":1,\"master/slaves_active\":9}");
	answer("/state", 200, STATE);
	assert_int_equal(listed, 2);
	assert_float_equal(metric("mesos/frameworks/f/cpu"), 2, 0);
}

/* Here nobody has the "http-client" that it needs in the end. */
static void creating_survives_every_failure(void **unused)
{
	static const struct { const char *text; int allocations; } all[] = {
		{ "mesos-master = { url = \"https://m:5050/\"; user = \"u\"; password = \"p\"; ca = \"/ca\";"
		  " cert = \"/cert\"; key = \"/key\"; };", 3 },	/* itself, a list, a text */
		{ "mesos-master = { masters = ( \"http://m:5050\", \"http://n:5050\" ); url = \"http://n:5050\";"
		  " token = \"t\"; };", 5 },
		{ "mesos-master = { };", 3 },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct conf *file = conf_text(all[i].text, "test");
		const struct sat_conf *group = conf_find(conf_root(file), "mesos-master");
		struct sat_self self = { .name = (char *)"mesos-master", .conf = group };
		void *state = NULL;
		int nth = 0, rc;

		assert_int_equal(instance_judge(&sat_module_mesos_master, group), 0);
		do {
			fault_arm(++nth);
			rc = sat_module_mesos_master.create(&self, group, &state);
			assert_int_equal(rc, fault_fired() ? -ENOMEM : -EINVAL);
			assert_null(state);
		} while (fault_fired());
		fault_arm(0);
		assert_int_equal(nth, all[i].allocations + 1);
		conf_unref(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_two_figures_the_first_decides),
		cmocka_unit_test(numbers_are_what_mesos_means),
		cmocka_unit_test(text_is_legal_or_not),
		cmocka_unit_test(figures_are_read),
		cmocka_unit_test_setup_teardown(a_key_may_be_long, begin, end),
		cmocka_unit_test(figures_move_only_with_the_cluster),
		cmocka_unit_test(what_a_state_will_have_is_counted),
		cmocka_unit_test(what_has_no_figures_says_so),
		cmocka_unit_test(captured_nonsense_is_refused),
		cmocka_unit_test(captured_figures_are_understood),
		cmocka_unit_test_setup_teardown(a_leader_is_seen_and_its_cluster, begin, end),
		cmocka_unit_test_setup_teardown(figures_are_those_of_now, begin, end),
		cmocka_unit_test_setup_teardown(figures_of_many_agents_go_in_slices, begin, end),
		cmocka_unit_test_setup_teardown(a_large_model_is_freed_before_it_has_stopped, begin, end),
		cmocka_unit_test_setup_teardown(the_state_is_asked_for_when_figures_moved, begin, end),
		cmocka_unit_test_setup_teardown(paths_of_any_version_are_found, begin, end),
		cmocka_unit_test_setup_teardown(trouble_is_an_event_until_it_is_over, begin, end),
		cmocka_unit_test_setup_teardown(a_bad_state_is_an_event, begin, end),
		cmocka_unit_test_setup_teardown(a_leader_that_hangs_leads_for_a_short_while, begin, end),
		cmocka_unit_test_setup_teardown(a_doubt_costs_no_state, begin, end),
		cmocka_unit_test(who_writes_the_first_state_is_believed_by_its_size),
		cmocka_unit_test_setup_teardown(who_writes_a_state_may_be_silent_longer, begin, end),
		cmocka_unit_test_setup_teardown(what_changes_in_silence_is_news, begin, end),
		cmocka_unit_test_setup_teardown(another_process_is_no_news, begin, end),
		cmocka_unit_test_setup_teardown(a_leader_gets_the_credentials_of_who_names_it, begin, end),
		cmocka_unit_test_setup_teardown(a_follower_asks_once, begin, end),
		cmocka_unit_test_setup_teardown(the_state_tells_who_leads_where_figures_do_not, begin, end),
		cmocka_unit_test_setup_teardown(the_figures_outweigh_a_state_that_does_not_say, begin, end),
		cmocka_unit_test_setup_teardown(it_stops_with_calls_under_way, begin, end),
		cmocka_unit_test_setup_teardown(polling_survives_every_failure, begin, end),
		cmocka_unit_test(creating_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_whitelist_commit - a whole whitelist on a real store: whatever fails once, no host is lost or wrong at the end. */
#include "unit/host.h"

#include <sys/stat.h>

#include "../../modules/whitelist/whitelist.h"

static char text[512], store[96], list[96];
static struct sat_self mesos = { .name = (char *)"mesos" };

static struct whitelist *wl(void)
{
	struct instance *i = life_setup() != NULL ? setup_find(life_setup(), "whitelist") : NULL;

	return i != NULL ? i->self.state : NULL;
}

static int begin(void **state)
{
	int rc = host_begin(state);

	snprintf(store, sizeof(store), "%s/store.db", host_folder);
	snprintf(list, sizeof(list), "%s/whitelist", host_folder);
	snprintf(text, sizeof(text), "modules = ( \"whitelist\" ); whitelist = { resolve = false; new-agents = \"off\";"
		 " guard = { mode = \"off\"; protected = \"x\"; }; host-pattern = \"%%\"; };"
		 "streams = ( { where = \"service = 'off'\"; do = ( { off-host = \"hole\"; ttl = 3600; } ); },"
		 " { where = \"service = 'keep'\"; do = ( \"persist-event\" ); },"
		 " { where = \"service = 'drop'\"; do = ( \"delete-event\" ); },"
		 " { where = \"service = 'on'\"; do = ( \"on-host\" ); },"
		 " { where = \"service = 'all'\"; do = ( \"ensure-all-tests-pass\" ); } );");
	return rc;
}

static void write_list(const char *names)
{
	FILE *f = fopen(list, "w");

	assert_non_null(f);
	fputs(names, f);
	fclose(f);
}

/* In any order: what has no memory to sort them does not.  Names have one letter here. */
static bool list_is(const char *names)
{
	char *now = NULL;
	size_t len = 0;
	bool same = sat_file_read(list, 4096, &now, &len) == 0 && len == 2 * strlen(names);

	for (; same && *names != '\0'; names++)
		same = strchr(now, *names) != NULL;
	free(now);
	return same;
}

static void fresh(void)
{
	char path[112];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", store, (const char *const[]){ "", "-wal", "-shm" }[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/heard", host_folder);
	unlink(path);
	write_list("b\na\nc\n");
}

/* ---- Orders of people --------------------------------------------------- */

static int answers, status;

static void door_reply(void *conn, int code, const char *type, const void *body, size_t len,
		       const char *const *extra)
{
	(void)conn, (void)type, (void)body, (void)len, (void)extra;
	answers++;
	status = code;
}

static int door_begin(void *conn, int code, const char *type, const char *const *extra, uint64_t length)
{
	(void)conn, (void)code, (void)type, (void)extra, (void)length;
	return -EPIPE;
}

static int door_send(void *conn, const void *p, size_t len)
{
	(void)conn, (void)p, (void)len;
	return -EPIPE;
}

static void door_end(void *conn)
{
	(void)conn;
}

static const struct sat_http_server door = {
	.size = sizeof(door), .reply = door_reply, .begin = door_begin, .send = door_send, .end = door_end,
};

static bool answered(void)
{
	return answers > 0;
}

/* The status; an error: it was not taken. */
static int ask(const char *method, const char *path, const char *body)
{
	const struct sat_http_head head = {
		.size = sizeof(head), .method = method, .path = path, .peer = "uid:me",
		.body = body, .body_len = body != NULL ? strlen(body) : 0,
	};
	void *req;
	int rc;

	answers = status = 0;
	rc = http_request(&door, &answers, &head, &req);
	if (rc != 0)
		return rc;
	if (!host_until(answered, 5000))
		fail_msg("%s %s has no answer", method, path);
	assert_int_equal(answers, 1);
	return status;
}

static bool at_ease(void)
{
	return wl()->synced && !wl()->starved;
}

/* Again and again, as a person would. */
static void insist(const char *method, const char *path, const char *body, int wanted)
{
	int rc = 0;

	for (int i = 0; i < 100; i++) {
		rc = ask(method, path, body);
		if (rc == wanted || rc == 404 || (wanted == 404 && rc > 0 && rc < 300))
			return;
		host_skip(2);
		host_until(at_ease, 3);
	}
	fail_msg("%s %s: %d", method, path, rc);
}

/* false: refused.  One that does not start at once need not wait for the next try. */
static bool run(void)
{
	struct instance *i;

	if (!host_run(text))
		return false;
	i = setup_find(life_setup(), "whitelist");
	if (i->stage == INSTANCE_OPEN) {
		assert_true(fault_fired());
		i->retry = 0;
		assert_true(host_run(text));
		assert_ptr_equal(setup_find(life_setup(), "whitelist"), i);
	}
	assert_int_equal(i->stage, INSTANCE_RUNNING);
	return true;
}

/* ---- What is to be ------------------------------------------------------ */

static bool imported(void)
{
	return wl() != NULL && wl()->mark == MARK_COMPLETE && wl()->n_hosts == 4 && list_is("abc");
}

static void say(const char *service, const char *state)
{
	sat_emit(&self_host, .host = "a", .service = service, .state = state);
	engine_run();
}

static bool changed(void)
{
	return list_is("b");
}

static void until(bool (*is)(void), const char *what)
{
	for (int i = 0; i < 1000; i++) {
		if (host_until(is, 3))
			return;
		host_skip(1);
	}
	fail_msg("not %s: mark %d, %zu hosts, %zu on", what, wl()->mark, wl()->n_hosts, wl()->n_on);
}

static int publish(void)
{
	const struct sat_attr ids[] = { { "id", "i1" } };
	const struct sat_event a = { .size = sizeof(a), .host = "a" },
		d = { .size = sizeof(d), .host = "d", .attrs = ids, .n_attrs = 1 };
	const struct sat_event *const agents[] = { &a, &d };

	return sat_publish(&mesos, "mesos/agents", &(struct sat_item){ agents, 2, true }, true);
}

/*
 * From a file with three hosts and a registered agent to an inventory, then
 * changes by streams and by people.  false: there are not so many faults.
 */
static bool live(void (*arm)(int nth), int nth)
{
	bool fired;

	fresh();
	host_up();
	while (publish() != 0)
		;
	arm(nth);
	if (!run()) {
		assert_true(fault_fired());
		return host_down();
	}
	until(imported, "imported");
	fired = fault_fired();
	say("keep", "critical");
	say("off", "critical");
	say("all", "ok");
	say("drop", "ok");
	say("on", "ok");
	if (fired != fault_fired())
		say("off", "critical");		/* as streams do; it may have found no memory */
	ask("GET", "/whitelist/all", NULL);
	ask("GET", "/whitelist/host/a", NULL);
	insist("POST", "/whitelist/host/c/event/e", "{\"state\":\"critical\"}", 201);
	insist("POST", "/whitelist/host/e/event/e", "{\"state\":\"critical\"}", 201);
	insist("DELETE", "/whitelist/host/e/event/e", NULL, 200);
	insist("DELETE", "/whitelist/host/e", NULL, 200);
	until(changed, "changed");
	fired = host_down();
	assert_true(list_is("b"));
	return fired;
}

static void it_is_imported_and_changed(void **unused)
{
	(void)unused;
	assert_false(live(fault_arm, 0));
}

static bool taken_over(void)
{
	return wl()->synced && wl()->mark == MARK_COMPLETE && wl()->n_hosts == 4;
}

/* What the store has is taken over by the next process, whatever fails then. */
static bool live_again(int nth)
{
	struct host *h;
	bool fired;

	host_up();
	while (publish() != 0)
		;
	fault_arm(nth);
	if (!run()) {
		assert_true(fault_fired());
		return host_down();
	}
	until(taken_over, "taken over");
	assert_int_equal(wl()->n_hosts, 4);
	h = hosts_find(wl(), "a");
	assert_true(h != NULL && h->told == FLAG_OFF && hold_find(h->rec->holds, "hole") != NULL);
	assert_non_null(record_event(hosts_find(wl(), "c")->rec->manual, "e"));
	fired = host_down();
	assert_true(list_is("b"));
	return fired;
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0;

	(void)unused;
	while (live(fault_arm, ++nth))
		;
	printf("%d allocations\n", nth);
	assert_true(nth > 100);
	for (nth = 1; live_again(nth); nth++)
		;
	printf("%d allocations in the next process\n", nth);
	assert_true(nth > 50);
}

static void every_call_that_fails_is_survived(void **unused)
{
	int nth = 0;

	(void)unused;
	while (live(fault_arm_call, ++nth))
		;
	printf("%d calls\n", nth);
	assert_true(nth > 10);
}

static bool held(void)
{
	return list_is("");
}

static bool over(void)
{
	return list_is("ab");
}

/* What streams say before the whitelist starts, or while it does not, counts, and ends when it is to. */
static void what_comes_before_the_start_counts(void **unused)
{
	struct setup *s;
	struct instance *i;

	(void)unused;
	assert_false(live(fault_arm, 0));
	host_up();
	s = host_build(text);
	assert_non_null(s);
	i = setup_find(s, "whitelist");
	i->retry = UINT64_MAX;
	assert_int_equal(setup_open(s), 0);
	life_swap(s);
	sat_emit(&self_host, .host = "b", .service = "off", .state = "critical");
	engine_run();
	unlink(wl()->heard_path);
	fault_arm(1);
	assert_int_equal(instance_start(i), -ENOMEM);
	assert_int_equal(instance_start(i), 0);
	until(held, "held");
	host_skip(3700);
	until(over, "over");
	host_down();
}

static bool without_c(void)
{
	return list_is("ab");
}

/* What why says of c, after its state. */
static bool why_has(const char *what)
{
	struct sat_buf out = { 0 };
	bool has;

	assert_int_equal(why_tell(wl(), "c", true, &out), 200);
	sat_buf_add(&out, "", 1);
	has = strstr(out.p, what) != NULL;
	sat_buf_free(&out);
	return has;
}

/* Since then it is so, whoever looks, and not since the time before that word. */
static void a_word_that_ends_is_when_the_state_changed(void **unused)
{
	int64_t before, freed;

	(void)unused;
	fresh();
	host_up();
	while (publish() != 0)
		;
	assert_true(run());
	until(imported, "imported");
	host_skip(30);
	insist("POST", "/whitelist/host/c/event/e", "{\"state\":\"critical\",\"ttl\":\"1minute\"}", 201);
	until(without_c, "off");
	assert_true(why_has("\"state\":\"off\""));
	host_skip(50);
	assert_true(list_is("ab"));
	before = sat_wall();
	until(imported, "on again");
	freed = hosts_find(wl(), "c")->rec->freed;
	assert_true(freed > before && freed <= sat_wall());
	assert_true(why_has("\"state\":\"on\",\"since\":18") && why_has("until then a person had it off"));
	host_down();
	host_up();
	assert_true(run());
	until(taken_over, "taken over");
	assert_true(hosts_find(wl(), "c")->rec->freed == freed);
	assert_true(why_has("until then a person had it off"));
	/* taken back by a person, it is the same */
	insist("POST", "/whitelist/host/c/event/e", "{\"state\":\"critical\"}", 201);
	host_skip(5);
	insist("DELETE", "/whitelist/host/c/event/e", NULL, 200);
	assert_true(hosts_find(wl(), "c")->rec->freed > freed + 5 * SAT_SECOND);
	host_down();
}

/* ---- The breaker ---------------------------------------------------------- */

/* The same with a guard that stands in the way. */
static void guarded(void)
{
	static const char off[] = "guard = { mode = \"off\"; protected = \"x\"; }", on[] = "guard = { max-off = 0.5; }";
	char *at = strstr(text, off), rest[sizeof(text)];

	assert_non_null(at);
	strcpy(rest, at + strlen(off));
	strcpy(stpcpy(at, on), rest);
}

static bool latched(void)
{
	return wl() != NULL && wl()->latch.set && wl()->latch_stored && !wl()->latch_busy;
}

static bool closed(void)
{
	return !wl()->latch.set && wl()->latch_stored;
}

static bool one_is_off(void)
{
	return wl()->n_on == 2 && (list_is("bc") || list_is("ac") || list_is("ab"));
}

static void wish_off(const char *names)
{
	for (char host[2] = ""; *names != '\0'; names++) {
		host[0] = *names;
		sat_emit(&self_host, .host = host, .service = "off", .state = "critical");
	}
	engine_run();
}

/* It latches, lies in the store, binds the next process, and is a person's to reset. */
static void break_and_reset(void)
{
	fresh();
	host_up();
	while (publish() != 0)
		;
	assert_true(run());
	until(imported, "imported");
	for (int i = 0; i < 100 && !latched(); i++) {
		wish_off("abc");
		host_until(latched, 3);
		host_skip(6);
	}
	assert_true(latched());
	assert_true(list_is("abc"));
	host_down();
	host_up();
	while (publish() != 0)
		;
	assert_true(run());
	until(taken_over, "taken over");
	until(latched, "latched as before");
	wish_off("a");
	host_skip(6);
	assert_true(list_is("abc"));
	insist("POST", "/guard/reset", NULL, 200);
	until(closed, "closed");
	assert_int_equal(wl()->latch.accepted, 3);
	until(one_is_off, "one of them off");
	host_skip(6);
	assert_true(one_is_off());	/* and no more than one */
	host_down();
}

static void the_breaker_outlives_who_set_it(void **unused)
{
	char before[sizeof(text)];

	(void)unused;
	strcpy(before, text);
	guarded();
	break_and_reset();
	strcpy(text, before);
}

static void a_latch_that_cannot_be_read_is_set(void **unused)
{
	static const char *const values[] = { "", "x", "[]", "[1]", "{", "{\"latched\":tru}", "{}{" };
	struct whitelist bare = { .guard = { .mode = GUARD_OFF } };
	struct sat_self self = { .name = (char *)"whitelist" };

	(void)unused;
	bare.self = &self;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		decide_latch(&bare, NULL, 0);
		assert_false(bare.latch.set);
		decide_latch(&bare, values[i], strlen(values[i]));
		if (!bare.latch.set && strcmp(values[i], "[]") != 0)
			fail_msg("%s", values[i]);
	}
	decide_latch(&bare, "{\"latched\":false,\"accepted\":7,\"new\":[{}]}", 41);
	assert_false(bare.latch.set);
	assert_int_equal(bare.latch.accepted, 7);
	decide_latch(&bare, "{\"latched\":true,\"accepted\":-7}", 32);
	assert_true(bare.latch.set);
	assert_int_equal(bare.latch.accepted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_imported_and_changed),
		cmocka_unit_test(what_comes_before_the_start_counts),
		cmocka_unit_test(a_word_that_ends_is_when_the_state_changed),
		cmocka_unit_test(a_latch_that_cannot_be_read_is_set),
		cmocka_unit_test(the_breaker_outlives_who_set_it),
		cmocka_unit_test(every_failure_is_survived),
		cmocka_unit_test(every_call_that_fails_is_survived),
	};

	return cmocka_run_group_tests(tests, begin, host_end);
}

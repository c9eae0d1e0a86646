/* SPDX-License-Identifier: Apache-2.0 */
/* test_whitelist_commands - each command is answered once, whatever fails under it, and does what it says. */
#include "unit/host.h"

#include "request.h"

#define FAULTS 120	/* more than any of them has */

struct answer {
	struct sat_request *req;
	int n, status, exit_status;
	size_t len;
	char text[8192];
};

static struct answer last;

static void door_reply(void *conn, int status, const char *type, const void *body, size_t len,
		       const char *const *extra)
{
	struct answer *a = conn;

	(void)type;
	a->n++;
	a->status = status;
	a->exit_status = -1;
	a->len = len;
	snprintf(a->text, sizeof(a->text), "%.*s", (int)len, body != NULL ? (const char *)body : "");
	for (; extra != NULL && *extra != NULL; extra++)
		sscanf(*extra, "X-Exit-Status: %d", &a->exit_status);
}

static const struct sat_http_server door = { .size = sizeof(door), .reply = door_reply };

static bool is_answered(void)
{
	return last.n > 0;
}

/* -errno: the door was told at once that nothing comes of it. */
static int ask(const char *method, const char *path, const char *body)
{
	const struct sat_http_head head = { .size = sizeof(head), .method = method, .path = path, .peer = "me",
					    .body = body, .body_len = strlen(body) };
	int rc;

	memset(&last, 0, sizeof(last));
	rc = http_request(&door, &last, &head, (void **)&last.req);
	/* What failed is tried again after a second. */
	for (int n = 0; rc == 0 && !host_until(is_answered, 20); n++) {
		if (n == 1000)
			fail_msg("%s %s is not answered", path, body);
		host_skip(1);
	}
	return rc;
}

static const char *run(const char *name, const char *args)
{
	char path[64], body[256];

	snprintf(path, sizeof(path), "/command/%s", name);
	snprintf(body, sizeof(body), "{\"args\":[%s]}", args);
	assert_int_equal(ask("POST", path, body), 0);
	return last.text;
}

static void says(const char *what)
{
	if (strstr(last.text, what) == NULL)
		fail_msg("\"%s\" is not in %d: %s", what, last.status, last.text);
}

static bool is_settled(void)
{
	return strstr(run("hosts", ""), "h3") != NULL;
}

static bool never(void)
{
	return false;
}

static void begins(void)
{
	char text[512], path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/whitelist", host_folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("h1\nh2\nh3\n", f);
	fclose(f);
	snprintf(text, sizeof(text), "modules = ( \"whitelist\" ); whitelist = { resolve = false; path = \"%s\"; };", path);
	host_up();
	assert_true(host_run(text));
	for (int i = 0; i < 2000 && !is_settled(); i++)
		host_until(never, 10);
	assert_true(is_settled());
}

static const struct {
	const char *name, *args, *says;
	int exit_status;
} commands[] = {
	{ "hosts", "", "h2", 0 },
	{ "hosts", "\"h2\",\"--json\"", "\"host\"", 0 },
	{ "hosts", "\"nobody\"", "not in the inventory", 1 },
	{ "hosts", "\"--frob\"", "usage: ", 2 },
	{ "why", "\"h1\"", "because", 0 },
	{ "off", "\"h1\",\"--reason\",\"disk\",\"--ttl\",\"1day\"", "h1", 0 },
	{ "off", "\"h1\",\"--ttl\",\"soon\"", "ttl", 1 },
	{ "on", "\"h1\",\"--json\"", "\"state\":\"on\"", 0 },
	{ "on", "\"new\"", "new", 0 },
	{ "forget", "\"new\"", "new", 0 },
	{ "guard", "", "enforce", 0 },
	{ "guard", "\"--json\"", "{", 0 },
	{ "guard", "\"reset\"", "", 0 },
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

/* Where memory or a file failed under it the store may be away for a while. */
static void works(size_t i)
{
	for (int n = 0; n < 2000; n++) {
		run(commands[i].name, commands[i].args);
		if (last.status < 500 && strstr(last.text, "cannot be reached") == NULL)
			break;
		host_until(never, 2);
		host_skip(1);
	}
	says(commands[i].says);
	if (last.exit_status != commands[i].exit_status && last.status < 400)
		fail_msg("%s %s: %d: %s", commands[i].name, commands[i].args, last.exit_status, last.text);
}

static void each_says_what_it_did(void **unused)
{
	(void)unused;
	begins();
	for (size_t i = 0; i < COMMANDS; i++)
		works(i);
	host_down();
}

/* Fail the 1st fallible call under it, then the 2nd, and so on: it is answered once, or the door is told. */
static void survives(void (*arm)(int), size_t i)
{
	static const int may[] = { 200, 201, 400, 404, 500, 503 };
	char path[64], body[256];
	size_t k;

	snprintf(path, sizeof(path), "/command/%s", commands[i].name);
	snprintf(body, sizeof(body), "{\"args\":[%s]}", commands[i].args);

	for (int nth = 1, fired = 1; nth <= FAULTS && fired; nth++) {
		int rc;

		if (strcmp(commands[i].name, "forget") == 0)
			run("on", commands[i].args);
		arm(nth);
		rc = ask("POST", path, body);
		fired = fault_fired();
		arm(0);
		for (k = 0; rc == 0 && k < sizeof(may) / sizeof(*may) && may[k] != last.status; k++)
			;
		if (rc == 0 && (last.n != 1 || k == sizeof(may) / sizeof(*may)))
			fail_msg("%s %s, fault %d: %d answers, %d: %s", path, body, nth, last.n, last.status, last.text);
		if (strcmp(commands[i].name, "forget") != 0)
			works(i);
	}
}

static void every_failure_is_survived(void (*arm)(int))
{
	begins();
	for (size_t i = 0; i < COMMANDS; i++)
		survives(arm, i);
	for (int nth = 1; nth <= FAULTS; nth++) {
		arm(nth);
		if (ask("GET", "/status", "") == 0)
			assert_int_equal(last.n, 1);
		arm(0);
	}
	assert_int_equal(ask("GET", "/status", ""), 0);
	says("\"whitelist\"");
	host_down();
}

static void every_allocation_may_fail(void **unused)
{
	(void)unused;
	every_failure_is_survived(fault_arm);
}

static void every_call_may_fail(void **unused)
{
	(void)unused;
	every_failure_is_survived(fault_arm_call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_says_what_it_did),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(every_call_may_fail),
	};

	return cmocka_run_group_tests(tests, host_begin, host_end);
}

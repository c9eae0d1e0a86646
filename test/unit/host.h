/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host - a whole satellite inside of a test: a folder of its own, modules from
 * the build, one configuration after the other.  The module that the test is
 * named after is linked into it, so that faults reach it, too.
 */
#ifndef HOST_H
#define HOST_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "alert.h"
#include "clock.h"
#include "engine.h"
#include "save.h"
#include "http.h"
#include "life.h"
#include "loader.h"
#include "log.h"
#include "process.h"
#include "query.h"
#include "work.h"
#include "unit/fault.h"

static uv_loop_t host_loop;
static char host_folder[40];
static int64_t host_skipped;		/* what host_skip() added to the clock */
static bool host_ended;

static const char *const host_modules[] = { NULL };
static const struct setup_role host_role = { .name = "test", .modules = host_modules, .stream = "index" };

/* Once for all tests of a file. */
static inline int host_begin(void **unused)
{
	static char path[4096];
	const char *const folders[] = { path, NULL };
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

	(void)unused;
	assert_true(n > 0);
	path[n] = '\0';
	strcpy(strstr(path, "/test/unit/"), "/modules");
	/* In memory, where there is such a folder: a store syncs its file all the time. */
	snprintf(host_folder, sizeof(host_folder), "%s/satellite-host-XXXXXX",
		 access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(host_folder) == NULL || log_open(getenv("HOST_LOG") != NULL ? NULL : "/dev/null", LOG_DEBUG) != 0)
		return -1;
	return loader_folders(folders);
}

static inline int host_end(void **unused)
{
	char command[128];

	(void)unused;
	loader_close();
	log_close();
	snprintf(command, sizeof(command), "rm -rf %s", host_folder);
	return system(command);
}

static inline int64_t host_steady(void)
{
	return clock_boot() + host_skipped;
}

static inline int64_t host_wall(void)
{
	return INT64_C(1800000000) * SAT_SECOND + host_steady();
}

static const struct clock_source host_clock = { host_steady, host_wall };

static inline void host_up(void)
{
	static char name[] = "here";

	assert_int_equal(uv_loop_init(&host_loop), 0);
	self_process = (struct self_process){ .host = name, .state_dir = host_folder, .loop = &host_loop };
	clock_live();
	clock_source(&host_clock);
	assert_int_equal(engine_init(&host_loop), 0);
	assert_int_equal(work_init(&host_loop), 0);
	assert_int_equal(http_init(), 0);
	assert_int_equal(lead_init(LEAD_ALWAYS), 0);
	assert_int_equal(alerts_init(), 0);
	assert_int_equal(life_init(), 0);
	conf_forgive();
}

static inline struct setup *host_build(const char *text)
{
	struct conf *file;
	struct top *top;

	conf_forgive();
	file = conf_text(text, "text");
	top = file != NULL ? top_judge(file) : NULL;
	return top != NULL ? setup_build(top, &host_role, life_setup()) : NULL;
}

/* As main() starts or reloads; false: refused, and what ran goes on. */
static inline bool host_run(const char *text)
{
	struct setup *s = host_build(text);

	if (s != NULL && setup_open(s) == 0) {
		life_swap(s);
		return true;
	}
	setup_free(s);
	return false;
}

static inline void host_turn(void)
{
	uv_run(&host_loop, UV_RUN_NOWAIT);
}

static inline void host_rang(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Turn until it is true, but no longer than this; whether it is. */
static inline bool host_until(bool (*is)(void), unsigned ms)
{
	static uv_timer_t timer;
	bool over = false, done;

	timer.data = &over;
	uv_timer_init(&host_loop, &timer);
	uv_timer_start(&timer, host_rang, ms, 0);
	while (!(done = is()) && !over)
		uv_run(&host_loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	host_turn();
	return done;
}

/* Alarms that are due within these seconds ring now. */
static inline void host_skip(int seconds)
{
	for (int i = 0; i < seconds; i++) {
		host_skipped += SAT_SECOND;
		host_turn();
	}
}

static inline void host_quiet(void)
{
	char path[sizeof(host_folder) + 8];

	snprintf(path, sizeof(path), "%s/state", host_folder);
	engine_run();
	save_now(path);
}

static inline void host_done(void)
{
	host_ended = true;
}

static inline bool host_is_over(void)
{
	return host_ended;
}

/* End as main() does; nothing may be left.  true: a fault came before that. */
static inline bool host_down(void)
{
	bool fired;

	host_ended = false;
	http_end();
	life_stop(host_quiet, host_done);
	if (!host_until(host_is_over, 15000)) {
		life_overdue();
		fail_msg("it does not end");
	}
	fired = fault_fired();
	fault_arm(0);
	engine_stop();
	alerts_end();
	lead_end();
	work_end();
	uv_run(&host_loop, UV_RUN_DEFAULT);
	assert_int_equal(process_close_loop(&host_loop), 0);
	query_free_cache();
	clock_source(NULL);
	return fired;
}

/* A port of TCP and UDP that was free a moment ago. */
static inline int host_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	return ntohs(in.sin_port);
}

static inline int host_connect(int port, int type)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, type, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return fd;
	close(fd);
	return -1;
}

#endif

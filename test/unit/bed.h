/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bed - a module's checks on a living engine: build them from a text, run them,
 * look at what they report.
 */
#ifndef BED_H
#define BED_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <uv.h>

#include "check.h"
#include "clock.h"
#include "engine.h"
#include "log.h"
#include "self.h"
#include "work.h"
#include "unit/fault.h"

#define BED_SEEN 64

static struct bed {
	const struct sat_module *module;
	struct sat_self self;
	_Atomic int64_t counters[16];
	struct conf *file;
	struct checks *checks;
	uv_loop_t loop;
	const struct sat_event *seen[BED_SEEN];
	int n;
	int arm;		/* not 0: the allocation that fails while entries are built */
} bed;

static int bed_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)at;
	(void)def;
	(void)state;
	if (bed.n < BED_SEEN)
		bed.seen[bed.n++] = sat_keep(item->evs[0]);
	return 0;
}
static const struct sat_op bed_op = { .size = sizeof(bed_op), .name = "seen", .item = bed_item };

static const struct sat_op *bed_find_op(void *arg, const char *name, const struct sat_conf *where,
					struct sat_self **self)
{
	(void)arg;
	(void)name;
	(void)where;
	*self = &bed.self;
	return &bed_op;
}

static inline const struct sat_check *bed_find(void *arg, const char *name, bool own_key, const struct sat_conf *where,
					struct sat_self **self)
{
	(void)arg;
	*self = &bed.self;
	for (size_t i = 0; bed.module->checks[i] != NULL; i++)
		if (strcmp(bed.module->checks[i]->name, name) == 0 && bed.module->checks[i]->own_key == own_key)
			return bed.module->checks[i];
	sat_conf_error(where, NULL, "no such check");
	return NULL;
}

static void bed_up(const struct sat_module *module)
{
	const struct stream_finder ops = { .find = bed_find_op };

	memset(&bed, 0, sizeof(bed));
	bed.module = module;
	bed.self = (struct sat_self){ .name = (char *)module->name, .module = module, .counters = bed.counters,
				      .n_counters = 16 };
	self_process.host = (char *)"here";
	self_process.loop = &bed.loop;
	log_open("/dev/null", LOG_DEBUG);
	uv_loop_init(&bed.loop);
	clock_live();
	work_init(&bed.loop);
	engine_init(&bed.loop);
	bed.file = conf_text("", "streams");
	engine_swap(streams_build(bed.file, NULL, NULL, "seen", &ops));
}

/* What a test waits for may have come before the loop would poll: so it polls for a moment only.
 * false: nothing is left to wait for. */
static bool bed_turn(void)
{
	struct pollfd fd = { .fd = uv_backend_fd(&bed.loop), .events = POLLIN };
	bool more = uv_run(&bed.loop, UV_RUN_NOWAIT) != 0;

	if (more)
		poll(&fd, 1, 1);
	return more;
}

static void bed_done(void *arg)
{
	*(bool *)arg = true;
}

static void bed_run(const bool *done)
{
	while (!*done)
		bed_turn();
}

/* NULL: refused.  `group` is the module's own. */
static inline struct checks *bed_build(const char *group, const char *list)
{
	const struct check_finder finder = { .find = bed_find };
	static const struct sat_option *const none[] = { NULL };
	struct sat_buf b = { 0 };
	struct conf *file;
	const struct sat_conf *own;

	sat_buf_printf(&b, "own = { %s }; checks = ( %s );", group, list);
	file = conf_text(b.p, "test");
	sat_buf_free(&b);
	assert_non_null(file);
	own = conf_find(conf_root(file), "own");
	assert_int_equal(conf_judge(own, bed.module->options != NULL ? bed.module->options : none, NULL), 0);
	if (bed.module->create != NULL)
		assert_int_equal(bed.module->create(&bed.self, own, &bed.self.state), 0);
	if (bed.arm != 0)
		fault_arm(bed.arm);
	bed.checks = checks_build(file, conf_find(conf_root(file), "checks"), "", &finder);
	conf_unref(bed.file);
	bed.file = file;
	return bed.checks;
}

/* Let them run until n events have come. */
static inline void bed_wait(int n)
{
	checks_adopt(bed.checks, NULL);
	while (bed.n < n)
		bed_turn();
}

static void bed_rang(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

static void bed_closed(uv_handle_t *handle)
{
	*(bool *)handle->data = true;
}

/* Let them run for a while. */
static inline void bed_run_for(unsigned ms)
{
	bool done = false;
	uv_timer_t timer = { .data = &done };

	uv_timer_init(&bed.loop, &timer);
	uv_timer_start(&timer, bed_rang, ms, 0);
	bed_run(&done);
	done = false;
	uv_close((uv_handle_t *)&timer, bed_closed);
	bed_run(&done);
}

static void bed_forget(void)
{
	while (bed.n > 0)
		sat_drop(bed.seen[--bed.n]);
}

static void bed_end_checks(void)
{
	bool done = false;

	if (bed.checks != NULL) {
		checks_stop(bed.checks, false, bed_done, &done);
		bed_run(&done);
		checks_free(bed.checks);
		bed.checks = NULL;
	}
	if (bed.self.state != NULL && bed.module->destroy != NULL)
		bed.module->destroy(bed.self.state);
	bed.self.state = NULL;
	bed_forget();
}

/* This entry, which is due each tenth of a second, runs once for each of its calls that may fail, which are
 * at least so many, with that one failing: it reports something, or says nothing, and lives. */
static inline void bed_survives(const char *entry, int least)
{
	int nth = 0, fired;

	do {
		bed_end_checks();
		assert_non_null(bed_build("", entry));
		fault_arm(++nth);
		checks_adopt(bed.checks, NULL);
		bed_run_for(110);
		fired = fault_fired();
		fault_arm(0);
	} while (fired && nth < 100);
	assert_true(nth >= least);
}

static void bed_down(void)
{
	struct streams *s = engine_streams();
	bool done = false;

	bed_end_checks();
	work_drain(&bed.self, bed_done, &done);
	bed_run(&done);
	work_forget(&bed.self);
	done = false;
	streams_stop(s, bed_done, &done);
	assert_true(done);
	engine_stop();
	streams_free(s);
	work_end();
	/* What a test that failed has left open ends never. */
	for (int i = 0; i < 10000 && bed_turn(); i++)
		;
	assert_int_equal(uv_loop_close(&bed.loop), 0);
	conf_unref(bed.file);
	conf_forgive();
	log_close();
}

#endif

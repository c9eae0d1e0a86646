/* SPDX-License-Identifier: Apache-2.0 */
/* test_lead - acting is a lease: given, renewed, run out, and told to who listens. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <cmocka.h>

#include "lead.h"
#include "log.h"
#include "unit/fault.h"

static uv_loop_t loop;
static char name[] = "watcher";
static struct sat_self self = { .name = name };
static struct heard { int times; bool acting; uint64_t epoch; } heard;

static void changed(void *state, bool acting)
{
	struct heard *h = state;

	h->times++;
	h->acting = acting;
	h->epoch = sat_epoch();
}

static int begin(void **unused)
{
	(void)unused;
	heard = (struct heard){ 0 };
	self.state = &heard;
	log_open("/dev/null", LOG_ERR);
	uv_loop_init(&loop);
	self_process.loop = &loop;
	return lead_init(LEAD_MESOS);
}

static int end(void **unused)
{
	(void)unused;
	lead_forget(&self);
	lead_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	log_close();
	return 0;
}

static void always_acts_from_the_start(void **unused)
{
	(void)unused;
	assert_false(sat_acting());
	assert_int_equal(sat_on_acting(&self, changed), 0);
	lead_mode(LEAD_ALWAYS, NULL);
	assert_true(sat_acting());
	assert_true(sat_epoch() > 0);
	assert_int_equal(heard.times, 1);
	assert_true(heard.acting);
	assert_true(heard.epoch == sat_epoch());
}

static void mesos_gives_and_takes(void **unused)
{
	uint64_t first;

	(void)unused;
	sat_on_acting(&self, changed);
	assert_int_equal(sat_epoch(), 0);
	sat_mesos_leads(&self, true);
	assert_true(sat_acting());
	first = sat_epoch();
	sat_mesos_leads(&self, true);
	assert_true(sat_epoch() == first);
	assert_int_equal(heard.times, 1);
	sat_mesos_leads(&self, false);
	assert_false(sat_acting());
	assert_int_equal(sat_epoch(), 0);
	assert_int_equal(heard.times, 2);
	assert_false(heard.acting);
	sat_mesos_leads(&self, true);
	assert_true(sat_epoch() > first);
	assert_int_equal(heard.times, 3);
}

static void stop_waiting(uv_timer_t *t)
{
	bool *late = t->data;

	*late = true;
	uv_stop(t->loop);
}

/* Nobody confirms: after 2 s it is over, and listeners are told without being asked. */
static void a_lease_runs_out(void **unused)
{
	uint64_t began = uv_hrtime();
	static uv_timer_t limit;	/* closed after this returns */
	bool late = false;

	(void)unused;
	sat_on_acting(&self, changed);
	uv_timer_init(&loop, &limit);
	limit.data = &late;
	uv_timer_start(&limit, stop_waiting, 6000, 0);
	sat_mesos_leads(&self, true);
	while (heard.times < 2 && !late)
		uv_run(&loop, UV_RUN_ONCE);
	assert_false(late);
	assert_false(heard.acting);
	assert_false(sat_acting());
	assert_in_range((uv_hrtime() - began) / 1000000, 1900, 4000);
	uv_close((uv_handle_t *)&limit, NULL);
}

static void a_reload_changes_the_mode(void **unused)
{
	(void)unused;
	lead_mode(LEAD_ALWAYS, NULL);
	assert_true(sat_acting());
	lead_mode(LEAD_MESOS, NULL);
	assert_false(sat_acting());
	sat_mesos_leads(&self, true);
	lead_mode(LEAD_ALWAYS, NULL);
	lead_mode(LEAD_MESOS, NULL);
	assert_true(sat_acting());
}

static void one_that_is_forgotten_hears_nothing(void **unused)
{
	(void)unused;
	sat_on_acting(&self, changed);
	lead_forget(&self);
	lead_mode(LEAD_ALWAYS, NULL);
	assert_int_equal(heard.times, 0);
}

static void no_memory_to_listen(void **unused)
{
	(void)unused;
	fault_arm(1);
	assert_int_equal(sat_on_acting(&self, changed), -ENOMEM);
	fault_arm(0);
	lead_mode(LEAD_ALWAYS, NULL);
	assert_int_equal(heard.times, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(always_acts_from_the_start),
		TEST(mesos_gives_and_takes),
		TEST(a_lease_runs_out),
		TEST(a_reload_changes_the_mode),
		TEST(one_that_is_forgotten_hears_nothing),
		TEST(no_memory_to_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

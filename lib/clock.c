/* SPDX-License-Identifier: Apache-2.0 */
/* clock - the engine's one clock. */
#include <time.h>

#include <satellite/module.h>
#include "clock.h"
#include "self.h"

static const int64_t stride = SAT_SECOND;		/* at most this much a turn */
static const int64_t stall = 5 * SAT_SECOND;		/* longer: cut out */
static const int64_t late_for = 60 * SAT_SECOND;

static bool is_virtual, fresh;
static int64_t steady, wall;		/* as read this turn */
static int64_t offset;			/* raw reading - steady, once caught up */
static int64_t expected;		/* until when the loop meant to sleep */
static int64_t late_until;
static bool behind, begun;

static int64_t reading(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * SAT_SECOND + ts.tv_nsec / 1000;
}

int64_t clock_boot(void)
{
	return reading(CLOCK_BOOTTIME);
}

static int64_t system_wall(void)
{
	return reading(CLOCK_REALTIME);
}

static const struct clock_source system_source = { clock_boot, system_wall };
static const struct clock_source *source = &system_source;

void clock_source(const struct clock_source *s)
{
	source = s != NULL ? s : &system_source;
	begun = fresh = false;
}

void clock_live(void)
{
	is_virtual = begun = fresh = behind = false;
	late_until = 0;
}

void clock_virtual(int64_t now)
{
	is_virtual = true;
	behind = false;
	late_until = 0;
	steady = wall = now;
}

void clock_set(int64_t now)
{
	if (is_virtual && now > steady)
		steady = wall = now;
}

/* How far the steady reading may go this turn. */
static void advance(int64_t raw)
{
	int64_t base = expected > steady ? expected : steady;
	int64_t limit = base < INT64_MAX - stride ? base + stride : INT64_MAX;	/* expecting nothing: no limit */
	int64_t now = raw - offset;

	if (now - limit > stall) {
		offset += now - limit;
		late_until = limit + late_for;
		self_add(SELF_STALLS, 1);
		now = limit;
	}
	behind = now > limit;
	if (behind)
		now = limit;
	if (now > steady)
		steady = now;
}

static void read_source(void)
{
	int64_t raw = source->steady();

	wall = source->wall();
	if (!begun) {
		begun = true;
		offset = 0;
		steady = expected = raw;
	}
	advance(raw);
	expected = steady;
	fresh = true;
}

void clock_turn(void)
{
	fresh = false;
}

void clock_expect(int64_t next)
{
	expected = next;
}

int64_t clock_steady(void)
{
	if (!is_virtual && !fresh)
		read_source();
	return steady;
}

int64_t clock_wall(void)
{
	if (!is_virtual && !fresh)
		read_source();
	return wall;
}

int64_t clock_pretend(int64_t t)
{
	int64_t was = clock_steady();

	steady = t;
	return was;
}

bool clock_late(void)
{
	return clock_steady() < late_until;
}

bool clock_behind(void)
{
	return behind;
}

int64_t sat_clock(void)
{
	return clock_steady();
}

bool sat_late(void)
{
	return clock_late();
}

int64_t sat_wall(void)
{
	return clock_wall();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* self - one configured instance of a module, and this process. */
#include <string.h>

#include "self.h"

static _Atomic int64_t counts[SELF_N];
static int64_t told[SELF_N];
static char host_name[] = "host";

struct self_process self_process;
struct sat_self self_host = { .name = host_name, .counters = counts, .n_counters = SELF_N, .told = told };

#define COUNTER(n, ...) { .size = sizeof(struct sat_counter), .name = (n), __VA_ARGS__ }

static const struct sat_counter described[SELF_N] = {
	[SELF_EVENTS] = COUNTER("events", .help = "events that entered the streams"),
	[SELF_EMIT_DROPPED] = COUNTER("emit-dropped", .help = "events dropped because the queue of inputs was full"),
	[SELF_HOPS_DROPPED] = COUNTER("hops-dropped", .help = "events dropped because they came of one another"),
	[SELF_ERRORS] = COUNTER("errors", .help = "errors of operators"),
	[SELF_NUL_REPLACED] = COUNTER("nul-replaced", .help = "NUL bytes in strings that became question marks"),
	[SELF_MALFORMED] = COUNTER("malformed", .help = "messages refused because they could not be read"),
	[SELF_NO_MEMORY] = COUNTER("no-memory", .help = "things not done for lack of memory"),
	[SELF_FORKS_DROPPED] = COUNTER("forks-dropped", .help = "forks freed because there were too many, or no more memory for forks"),
	[SELF_FORKS_AGED] = COUNTER("forks-aged", .help = "forks freed because no event came for long"),
	[SELF_STATE_REFUSED] = COUNTER("state-refused", .help = "saved states that could not be taken back"),
	[SELF_RELOADS] = COUNTER("reloads", .help = "reloads that were made"),
	[SELF_RELOADS_REFUSED] = COUNTER("reloads-refused", .help = "reloads refused because of a mistake"),
	[SELF_EXPIRED] = COUNTER("expired", .help = "events that expired in the index"),
	[SELF_STALLS] = COUNTER("stalls", .help = "times the loop stood still for over a second"),
	[SELF_SLOW] = COUNTER("slow", .help = "calls of operators and checks that held up the loop for over a second"),
	[SELF_LONGEST_TURN] = COUNTER("longest-turn", .gauge = true,
		.help = "microseconds that the loop's longest turn of the last 10 to 20 seconds took"),
	[SELF_BUSY] = COUNTER("busy", .help = "microseconds that the loop did not sleep"),
	[SELF_STREAM_TIME] = COUNTER("stream-time", .gauge = true,
		.help = "nanoseconds that an event is in the streams, the mean of a sample"),
	[SELF_STORE_COMMITS] = COUNTER("store-commits", .help = "changes that a store took"),
	[SELF_STORE_FAILED] = COUNTER("store-failed", .help = "changes that no store took, or nobody knows"),
	[SELF_STORE_TIME] = COUNTER("store-time", .gauge = true,
		.help = "microseconds until a store has answered, the mean of the last few"),
	[SELF_RECORDED] = COUNTER("recorded", .help = "lines for the file of `record`"),
	[SELF_RECORD_DROPPED] = COUNTER("record-dropped",
		.help = "lines, or writes of many, that the file of `record` did not take in time"),
	[SELF_CHECKS_SKIPPED] = COUNTER("checks-skipped", .help = "runs of checks skipped because the last one was not over"),
	[SELF_ISOLATED_RESTARTS] = COUNTER("isolated-restarts",
		.help = "times that the process of an isolated group was started again"),
	[SELF_MEMORY_REFUSED] = COUNTER("memory-refused",
		.help = "things not done because their share of memory-max was full"),
	[SELF_MEMORY_MAX] = COUNTER("memory-max", .gauge = true, .help = "bytes of memory-max, of which each has a share"),
	[SELF_MEMORY_BUFFERS] = COUNTER("memory-buffers", .gauge = true, .help = "bytes for what comes in over a network"),
	[SELF_MEMORY_QUEUES] = COUNTER("memory-queues", .gauge = true, .help = "bytes for what waits to go out"),
	[SELF_MEMORY_RINGS] = COUNTER("memory-rings", .gauge = true, .help = "bytes for readers that events are pushed to"),
	[SELF_MEMORY_EVENTS] = COUNTER("memory-events", .gauge = true, .help = "bytes of events that are kept, and of the index"),
	[SELF_MEMORY_FORKS] = COUNTER("memory-forks", .gauge = true, .help = "bytes of forks"),
	[SELF_ALERTS_SENT] = COUNTER("alerts-sent", .help = "alerts that this master sent"),
	[SELF_ALERTS_FAILED] = COUNTER("alerts-failed", .help = "alerts that an output gave up"),
	[SELF_ALERTS_KNOWN] = COUNTER("alerts-known", .help = "alerts that another master had sent"),
	[SELF_ALERTS_DROPPED] = COUNTER("alerts-dropped", .help = "alerts dropped because too many were kept"),
	[SELF_ALERTS_EXPIRED] = COUNTER("alerts-expired",
		.help = "alerts kept for two minutes, of which nobody said that he had sent them"),
	[SELF_ALERTS_UNLOGGED] = COUNTER("alerts-unlogged", .help = "alerts that the log in the store lacks"),
	[SELF_ALERTS_KEPT] = COUNTER("alerts-kept", .gauge = true, .help = "alerts that wait to be sent, or to be known as sent"),
};

void self_add(enum self_count which, int64_t more)
{
	atomic_fetch_add_explicit(&counts[which], more, memory_order_relaxed);
}

void self_set(enum self_count which, int64_t value)
{
	atomic_store_explicit(&counts[which], value, memory_order_relaxed);
}

int64_t self_get(enum self_count which)
{
	return atomic_load_explicit(&counts[which], memory_order_relaxed);
}

const struct sat_counter *self_describe(enum self_count which)
{
	return &described[which];
}

bool self_known(const struct sat_counter *c, int64_t value)
{
	static const char *const times[] = { "microseconds ", "nanoseconds ", "time of " };

	for (size_t i = 0; c->gauge && value == 0 && c->help != NULL && i < sizeof(times) / sizeof(times[0]); i++)
		if (strncmp(c->help, times[i], strlen(times[i])) == 0)
			return false;
	return true;
}

const char *self_figure(const struct sat_self *self, const char *name)
{
	const char *module = self->module->name;

	if (strncmp(name, "satellite_", 10) != 0)
		return NULL;
	for (name += 10; *module != '\0'; name++, module++)
		if (*name != (*module == '-' ? '_' : *module))
			return NULL;
	return name[0] == '_' && name[1] != '\0' ? name + 1 : NULL;
}

void sat_count(struct sat_self *self, unsigned which, int64_t more)
{
	if (which < self->n_counters)
		atomic_fetch_add_explicit(&self->counters[which], more, memory_order_relaxed);
}

void sat_gauge(struct sat_self *self, unsigned which, int64_t value)
{
	if (which < self->n_counters)
		atomic_store_explicit(&self->counters[which], value, memory_order_relaxed);
}

int64_t sat_counted(struct sat_self *self, unsigned which)
{
	if (which >= self->n_counters)
		return 0;
	return atomic_load_explicit(&self->counters[which], memory_order_relaxed);
}

const char *sat_name(const struct sat_self *self)
{
	return self->name;
}

const char *sat_host(void)
{
	return self_process.host != NULL ? self_process.host : "localhost";
}

const char *sat_state_dir(void)
{
	return self_process.state_dir != NULL ? self_process.state_dir : ".";
}

bool sat_dry_run(void)
{
	return self_process.dry_run || self_process.replay;
}

struct uv_loop_s *sat_loop(struct sat_self *self)
{
	(void)self;
	return self_process.loop;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate - instances that run in a process of their own: started, watched, ended,
 * started again.
 *
 * What the process sends is isolate_read.c's.  Here it is asked every BEAT_MS whether
 * it is there, which it says from its loop: who loops or blocks does not.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "isolate_node.h"
#include "life.h"
#include "log.h"
#include "probe.h"
#include "wire.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { BOUNDED = false };	/* their shadow counts as memory */
#else
enum { BOUNDED = true };
#endif

enum {
	BEAT_MS = 2000,
	BEATS = 5,		/* without an answer, then it hangs */
	LINGER_MS = 500,	/* for the rest of what it said, once it has ended */
	MERCY_MS = 3000,	/* from being asked to end to being killed */
	DELAY_MIN = 1, DELAY_MAX = 60,		/* seconds until it is started again */
	STEADY = 10,		/* seconds after which it counts as running again */
	TELL = 60, TTL = 180,	/* seconds between two events of its state, and their ttl */
};

static const char *const *words;	/* for the command line */

void isolate_begin(const char *const *more)
{
	words = more;
}

static void begin_run(struct isolate *p);
static void tick(uv_timer_t *timer);

/* ---- What is said of it ------------------------------------------------- */

static void emit_state(struct isolate *p, const char *state, const char *why)
{
	static const char *const tags[] = { "satellite", "retired" };
	bool retired = strcmp(state, "expired") == 0;
	char service[300];

	p->told = clock_boot();
	snprintf(service, sizeof(service), "satellite/isolated/%s", p->instance->self.name);
	sat_emit(&self_host, .has = SAT_HAS_INT | SAT_HAS_TTL | SAT_HAS_TAGS, .service = service, .state = state,
		 .description = why, .metric.i = p->instance->isolated.restarts, .ttl = TTL,
		 .tags = tags, .n_tags = retired ? 2 : 1);
}

static void tell_state(struct isolate *p)
{
	char text[sizeof(p->why) + 32];

	if (p->well)
		emit_state(p, "ok", p->instance->isolated.restarts == 0 ? "runs" : "runs again");
	else if (p->why[0] != '\0' && p->phase == ISOLATE_WAITS)
		snprintf(text, sizeof(text), "%s; started again in %u s", p->why, p->delay);
	else
		snprintf(text, sizeof(text), "%s; started again", p->why);
	if (!p->well && p->why[0] != '\0')
		emit_state(p, "critical", text);
}

static void fell_ill(struct isolate *p)
{
	const char *name = p->instance->self.name;

	p->well = false;
	http_ready(name, "its process has ended, and will be started again");
	log_line(LOG_ERR, name, "its process %s; started again in %u s", p->why, p->delay);
	tell_state(p);
}

static void is_well(struct isolate *p)
{
	int64_t restarts = p->instance->isolated.restarts;

	if (p->well || !p->answered || (restarts > 0 && clock_boot() - p->begun < STEADY * SAT_SECOND))
		return;
	p->well = true;
	http_ready(p->instance->self.name, NULL);
	if (restarts > 0)
		log_line(LOG_NOTICE, p->instance->self.name, "its process runs again");
	tell_state(p);
}

/* ---- Its end ------------------------------------------------------------ */

/* What it started is killed with it, even that which leads a session of its own. */
static void kill_all(long pid, unsigned depth)
{
	char path[64];
	long below;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", pid, pid);
	f = depth < 8 ? fopen(path, "re") : NULL;
	while (f != NULL && fscanf(f, "%ld", &below) == 1)
		kill_all(below, depth + 1);
	if (f != NULL)
		fclose(f);
	kill((pid_t)-pid, SIGKILL);
	kill((pid_t)pid, SIGKILL);
}

void isolate_kill(struct isolate *p, const char *fmt, ...)
{
	va_list ap;

	if (p->exited || p->killed)
		return;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	p->killed = true;
	kill_all(p->process.pid, 0);
}

static void timer_closed(uv_handle_t *handle)
{
	struct isolate *p = handle->data;
	struct instance *i = p->instance;

	i->process = NULL;
	i->halt = NULL;
	free(p->base);
	sat_buf_free(&p->text);
	free(p);
	sat_stopped(&i->self);
}

static void leave(struct isolate *p)
{
	p->instance->isolated.pid = 0;
	p->phase = ISOLATE_GONE;
	uv_close((uv_handle_t *)&p->timer, timer_closed);
}

/* From here on its counters begin at 0 again. */
static void keep_counters(struct isolate *p)
{
	struct sat_self *self = &p->instance->self;

	for (unsigned k = 0; k < self->n_counters; k++)
		p->base[k] = self->module->counters[k]->gauge ? 0 : sat_counted(self, k);
	p->dropped = 0;
}

static void run_over(struct isolate *p)
{
	isolate_deaf(p);
	if (p->phase == ISOLATE_ENDS) {
		leave(p);
		return;
	}
	keep_counters(p);
	if (clock_boot() - p->begun > DELAY_MAX * SAT_SECOND)
		p->delay = 0;
	p->delay = p->delay == 0 ? DELAY_MIN : p->delay < DELAY_MAX / 2 ? 2 * p->delay : DELAY_MAX;
	p->phase = ISOLATE_WAITS;
	fell_ill(p);
	uv_timer_start(&p->timer, tick, p->delay * UINT64_C(1000), 0);
}

static void closed(uv_handle_t *handle)
{
	struct isolate *p = handle->data;

	if (--p->handles == 0)
		run_over(p);
}

static void shut(struct isolate *p, void *handle)
{
	(void)p;
	if (!uv_is_closing(handle))
		uv_close(handle, closed);
}

static void close_all(struct isolate *p)
{
	shut(p, &p->process);
	shut(p, &p->link);
	shut(p, &p->err);
}

void isolate_drained(struct isolate *p)
{
	if (p->exited && p->link_over && p->err_over)
		close_all(p);
}

static void has_exited(uv_process_t *process, int64_t status, int number)
{
	struct isolate *p = process->data;

	p->exited = true;
	p->instance->isolated.pid = 0;
	if (!p->killed && number != 0)
		snprintf(p->why, sizeof(p->why), "was killed by signal %d (%s)", number, strsignal(number));
	else if (!p->killed)
		snprintf(p->why, sizeof(p->why), "ended with status %d", (int)status);
	uv_timer_start(&p->timer, tick, LINGER_MS, 0);
	isolate_drained(p);
}

/* ---- While it runs ------------------------------------------------------ */

/* Resident bytes, but for what it shares with others. */
static int64_t memory_of(int pid)
{
	char path[64];
	long long size, resident = 0, shared = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%lld %lld %lld", &size, &resident, &shared) != 3)
		resident = shared = 0;
	fclose(f);
	return (resident - shared) * sysconf(_SC_PAGESIZE);
}

static int64_t memory_max(const struct isolate *p)
{
	return sat_conf_integer(p->instance->self.conf, "isolate-memory");
}

static void written(uv_write_t *req, int status)
{
	struct isolate *p = req->data;

	if (req == &p->ask)
		p->asking = false;
	if (status != 0 && status != UV_ECANCELED && !p->exited)
		isolate_kill(p, "closed its connection, so it was killed");
}

/* One word at a time: who does not read it does not answer either. */
static void ask(struct isolate *p)
{
	static char ok[] = { 0, 0, 0, 2, 2 << 3, 1 };
	uv_buf_t buf = uv_buf_init(ok, sizeof(ok));
	int rc;

	p->ask.data = p;
	if (p->asking || uv_is_closing((uv_handle_t *)&p->link))
		return;
	rc = uv_write(&p->ask, (uv_stream_t *)&p->link, &buf, 1, written);
	p->asking = rc == 0;
	if (rc == UV_EPIPE)	/* it was reset, which its reader was told */
		isolate_kill(p, "closed its connection, so it was killed");
}

static void watch(struct isolate *p)
{
	int64_t holds = memory_of(p->process.pid), most = memory_max(p);

	if (!p->paused && p->missed++ >= BEATS)
		isolate_kill(p, "gave no answer for %d s, so it was killed", BEATS * BEAT_MS / 1000);
	else if (holds > most)
		isolate_kill(p, "held %lld MiB of memory, more than isolate-memory (%lld MiB), so it was killed",
			     (long long)(holds >> 20), (long long)(most >> 20));
	else
		ask(p);
	if (clock_boot() - p->told > TELL * SAT_SECOND)
		tell_state(p);
	is_well(p);
}

/* What waits in the kernel for a disk that does not answer is not ours to wait for. */
static void abandon(struct isolate *p)
{
	log_line(LOG_WARNING, p->instance->self.name, "its process (%lld) was killed and does not end: it is left behind",
		 (long long)p->instance->isolated.pid);
	p->exited = true;
	close_all(p);
}

static void end_now(struct isolate *p)
{
	isolate_kill(p, "was asked to end, and did not, so it was killed");
	uv_timer_start(&p->timer, tick, LINGER_MS, 0);
}

static void tick(uv_timer_t *timer)
{
	struct isolate *p = timer->data;

	if (p->phase == ISOLATE_WAITS)
		begin_run(p);
	else if (p->exited)
		close_all(p);
	else if (p->phase == ISOLATE_ENDS && p->killed)
		abandon(p);
	else if (p->phase == ISOLATE_ENDS)
		end_now(p);
	else
		watch(p);
}

void isolate_answered(struct isolate *p)
{
	p->answered = true;
	p->missed = 0;
	is_well(p);
}

/* ---- The beginning ------------------------------------------------------ */

/* Malloc fails before it grows far between two looks at it. */
static void bound(const struct isolate *p)
{
	struct rlimit limit = { .rlim_cur = 2 * (rlim_t)memory_max(p), .rlim_max = 2 * (rlim_t)memory_max(p) };

	if (BOUNDED)
		prlimit(p->process.pid, RLIMIT_DATA, &limit, NULL);
}

static int spawn(struct isolate *p)
{
	static char program[] = "satellite", isolated[] = "--isolated", state_dir[] = "--state-dir";
	char *argv[16] = { program, isolated, p->instance->self.name, state_dir, (char *)(uintptr_t)sat_state_dir() };
	uv_stdio_container_t stdio[] = {
		{ .flags = UV_IGNORE }, { .flags = UV_IGNORE },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->err },
		{ .flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
		  .data.stream = (uv_stream_t *)&p->link },
	};
	uv_process_options_t how = {
		.exit_cb = has_exited, .file = "/proc/self/exe", .args = argv, .flags = UV_PROCESS_DETACHED,
		.stdio_count = 4, .stdio = stdio,
	};

	for (size_t k = 0; words != NULL && words[k] != NULL && 5 + k < 15; k++)
		argv[5 + k] = (char *)(uintptr_t)words[k];
	return uv_spawn(self_process.loop, &p->process, &how);
}

static void send_text(struct isolate *p)
{
	uv_buf_t buf = uv_buf_init(p->text.p, (unsigned)p->text.len);

	p->say.data = p;
	if (uv_write(&p->say, (uv_stream_t *)&p->link, &buf, 1, written) != 0)
		isolate_kill(p, "could not be told what to do, so it was killed");
}

static void begin_run(struct isolate *p)
{
	int rc;

	p->handles = 3;
	p->phase = ISOLATE_RUNS;
	p->exited = p->killed = p->answered = p->asking = p->paused = p->link_over = p->err_over = false;
	p->missed = 0;
	p->begun = clock_boot();
	p->instance->isolated.restarts += p->ran;
	self_add(SELF_ISOLATED_RESTARTS, p->ran);
	p->ran = true;
	uv_pipe_init(self_process.loop, &p->link, 0);
	uv_pipe_init(self_process.loop, &p->err, 0);
	p->process.data = p->link.data = p->err.data = p;
	rc = spawn(p);
	if (rc != 0) {
		snprintf(p->why, sizeof(p->why), "cannot be started: %s", strerror(-rc));
		p->exited = true;
		close_all(p);
		return;
	}
	p->instance->isolated.pid = p->process.pid;
	bound(p);
	send_text(p);
	isolate_listen(p);
	ask(p);
	uv_timer_start(&p->timer, tick, BEAT_MS, BEAT_MS);
}

/* Whether the one that runs from now on has its place, and will tell its state. */
static bool succeeded(const struct instance *i)
{
	const struct instance *next = life_setup() != NULL ? setup_find(life_setup(), i->self.name) : NULL;

	return next != NULL && next->self.isolated != NULL;
}

static void said_all(uv_shutdown_t *req, int status)
{
	(void)req, (void)status;
}

/* It is asked to end by the end of what we send. */
static void halt(struct instance *i)
{
	struct isolate *p = i->process;
	bool runs = p->phase == ISOLATE_RUNS;

	p->phase = ISOLATE_ENDS;
	if (!succeeded(i))
		emit_state(p, "expired", "this process is no longer run");
	if (!runs) {
		leave(p);
		return;
	}
	if (p->exited)
		return;		/* the rest is on its way */
	if (uv_shutdown(&p->end, (uv_stream_t *)&p->link, said_all) != 0) {
		shut(p, &p->link);
		p->link_over = true;
	}
	uv_timer_start(&p->timer, tick, MERCY_MS, 0);
}

/* With its length in front, as isolated.c takes it in. */
static int make_text(struct isolate *p, const struct setup *s)
{
	size_t n;

	sat_buf_add(&p->text, "\0\0\0\0", 4);
	isolate_text(p->instance, s, &p->text);
	if (p->text.full)
		return -ENOMEM;
	n = p->text.len - 4;
	for (int k = 0; k < 4; k++)
		p->text.p[k] = (char)(n >> (24 - 8 * k));
	return 0;
}

int isolate_start(struct instance *i, const struct setup *s)
{
	struct isolate *p = calloc(1, sizeof(*p));

	if (p != NULL) {
		p->instance = i;
		p->base = calloc(i->self.n_counters + 1, sizeof(*p->base));
	}
	if (p == NULL || p->base == NULL || make_text(p, s) != 0) {
		if (p != NULL) {
			free(p->base);
			sat_buf_free(&p->text);
		}
		free(p);
		log_line(LOG_ERR, i->self.name, "does not start: out of memory; next try in %d s",
			 INSTANCE_RETRY_MS / 1000);
		i->retry = uv_now(self_process.loop) + INSTANCE_RETRY_MS;
		return -ENOMEM;
	}
	uv_timer_init(self_process.loop, &p->timer);
	p->timer.data = p;
	i->process = p;
	i->halt = halt;
	i->stage = INSTANCE_RUNNING;
	begin_run(p);
	return 0;
}

/* ---- What it is told ---------------------------------------------------- */

/* Of the host's own settings it needs few: it serves nobody, and keeps nothing. */
static bool told(const struct sat_conf *s)
{
	static const char *const own[] = { "service-prefix", "memory-max" };

	if (!top_own(sat_conf_name(s)))
		return true;
	for (size_t k = 0; k < sizeof(own) / sizeof(*own); k++)
		if (strcmp(sat_conf_name(s), own[k]) == 0)
			return true;
	return false;
}

void isolate_text(const struct instance *i, const struct setup *s, struct sat_buf *out)
{
	const struct sat_conf *root = conf_root(top_file(s->top)), *log = conf_find(root, "log");
	const struct sat_probe *entry;

	for (size_t k = 0; k < sat_conf_count(root); k++)
		if (told(sat_conf_at(root, k)))
			conf_write(sat_conf_at(root, k), NULL, out);
	if (log != NULL)
		conf_write(log, "file", out);	/* its lines come through us */
	sat_buf_printf(out, "host = ");
	sat_buf_json(out, sat_host());
	sat_buf_printf(out, ";\nstreams = ( );\nchecks = (");
	for (unsigned n = 1; (entry = checks_entry(s->checks, &i->self, n)) != NULL; n++) {
		sat_buf_printf(out, n > 1 ? ",\n" : "\n");
		conf_write(entry->conf, NULL, out);
	}
	sat_buf_printf(out, "\n);\n");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sim - satellite-sim: options, start, clocks and end. */
#include "sim.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TICK = 100,			/* milliseconds */
	MAX_LISTS = 16,
};

struct options {
	size_t masters, agents, tasks, completed, max_completed, frameworks, agent_ports;
	int port, control, agent_port, agents_port, leader;
	const char *version, *hostname, *hosts, *credentials, *ports_file;
	const char *whitelist[MAX_LISTS], *blackhole[MAX_LISTS];
	const char *master_host;
	size_t n_whitelist, n_blackhole;
	double churn, interval, heartbeat, failed, killed, lost;
	uint64_t seed;
	uint32_t cpus;
};

static const char usage_text[] =
"usage: satellite-sim [options]        a simulated Mesos, on 127.0.0.1\n"
"  --masters N (1)  --port P (5050)    ports P, P+1, …; 0: free ones\n"
"  --leader N|none (0)                 who leads at first\n"
"  --master-host NAME (127.0.0.1)      what masters call themselves\n"
"  --version V (1.11)                  shapes of 0.22 … 1.11\n"
"  --agents N (3)  --hostname FORMAT (agent%03d.example.com)\n"
"  --hosts FILE                        agents' names, one a line, instead\n"
"  --agent-ports N  --agent-port P     a port of their own for the first N\n"
"  --agents-port P                     all agents, at /agent/NAME/…\n"
"  --agent-cpus N (64)\n"
"  --frameworks N (5)  --tasks N (0)  --completed N (0)\n"
"  --max-completed N (1000)            that are kept of each framework\n"
"  --churn R (0)                       task changes a second\n"
"  --failed F (0.1) --killed F (0.04) --lost F (0.01)   shares of the ends\n"
"  --blackhole HOST                    its tasks fail at once; repeatable\n"
"  --whitelist FILE                    repeatable: the Nth is master N's\n"
"  --whitelist-interval S (5)  --heartbeat S (15)\n"
"  --credentials USER:PASSWORD\n"
"  --control P (0)  --ports-file FILE  where to write the ports, too\n"
"  --seed N (1)\n"
"It prints \"master N HOST:PORT\", \"control …\", \"agent NAME …\", \"ready\".\n";

enum {
	O_MASTERS = 256, O_PORT, O_LEADER, O_MASTER_HOST, O_VERSION, O_AGENTS,
	O_HOSTNAME, O_HOSTS, O_AGENT_PORTS, O_AGENT_PORT, O_AGENTS_PORT,
	O_CPUS, O_FRAMEWORKS, O_TASKS, O_COMPLETED, O_MAX_COMPLETED, O_CHURN, O_FAILED,
	O_KILLED, O_LOST, O_BLACKHOLE, O_WHITELIST, O_INTERVAL, O_HEARTBEAT,
	O_CREDENTIALS, O_CONTROL, O_PORTS_FILE, O_SEED, O_HELP,
};

static const struct option known[] = {
	{ "masters", 1, NULL, O_MASTERS }, { "port", 1, NULL, O_PORT },
	{ "leader", 1, NULL, O_LEADER },
	{ "master-host", 1, NULL, O_MASTER_HOST },
	{ "version", 1, NULL, O_VERSION }, { "agents", 1, NULL, O_AGENTS },
	{ "hostname", 1, NULL, O_HOSTNAME }, { "hosts", 1, NULL, O_HOSTS },
	{ "agent-ports", 1, NULL, O_AGENT_PORTS },
	{ "agent-port", 1, NULL, O_AGENT_PORT },
	{ "agents-port", 1, NULL, O_AGENTS_PORT },
	{ "agent-cpus", 1, NULL, O_CPUS },
	{ "frameworks", 1, NULL, O_FRAMEWORKS }, { "tasks", 1, NULL, O_TASKS },
	{ "completed", 1, NULL, O_COMPLETED },
	{ "max-completed", 1, NULL, O_MAX_COMPLETED },
	{ "churn", 1, NULL, O_CHURN },
	{ "failed", 1, NULL, O_FAILED }, { "killed", 1, NULL, O_KILLED },
	{ "lost", 1, NULL, O_LOST }, { "blackhole", 1, NULL, O_BLACKHOLE },
	{ "whitelist", 1, NULL, O_WHITELIST },
	{ "whitelist-interval", 1, NULL, O_INTERVAL },
	{ "heartbeat", 1, NULL, O_HEARTBEAT },
	{ "credentials", 1, NULL, O_CREDENTIALS },
	{ "control", 1, NULL, O_CONTROL },
	{ "ports-file", 1, NULL, O_PORTS_FILE }, { "seed", 1, NULL, O_SEED },
	{ "help", 0, NULL, O_HELP }, { NULL, 0, NULL, 0 },
};

static void bad(const char *what, const char *value)
{
	fprintf(stderr, "satellite-sim: %s: %s\n", what, value);
	exit(2);
}

static double number(const char *text, double max)
{
	char *end;
	double x = strtod(text, &end);

	if (*end || end == text || !(x >= 0 && x <= max))
		bad("not a number in range", text);
	return x;
}

static void take_size_option(struct options *o, int c, const char *arg)
{
	switch (c) {
	case O_MASTERS: o->masters = (size_t)number(arg, 100); break;
	case O_AGENTS: o->agents = (size_t)number(arg, 1e6); break;
	case O_TASKS: o->tasks = (size_t)number(arg, 1e7); break;
	case O_COMPLETED: o->completed = (size_t)number(arg, 1e7); break;
	case O_MAX_COMPLETED: o->max_completed = (size_t)number(arg, 1e6); break;
	case O_FRAMEWORKS: o->frameworks = (size_t)number(arg, 64); break;
	case O_AGENT_PORTS: o->agent_ports = (size_t)number(arg, 1e4); break;
	case O_PORT: o->port = (int)number(arg, 65535); break;
	case O_CONTROL: o->control = (int)number(arg, 65535); break;
	case O_AGENT_PORT: o->agent_port = (int)number(arg, 65535); break;
	case O_AGENTS_PORT: o->agents_port = (int)number(arg, 65535); break;
	case O_CPUS: o->cpus = (uint32_t)number(arg, 100000); break;
	case O_SEED: o->seed = (uint64_t)number(arg, 1e15); break;
	case O_CHURN: o->churn = number(arg, 1e6); break;
	case O_FAILED: o->failed = number(arg, 1); break;
	case O_KILLED: o->killed = number(arg, 1); break;
	case O_LOST: o->lost = number(arg, 1); break;
	case O_INTERVAL: o->interval = number(arg, 86400); break;
	case O_HEARTBEAT: o->heartbeat = number(arg, 86400); break;
	default: exit(2);
	}
}

static void take_list_option(const char **list, size_t *n, const char *arg)
{
	if (*n == MAX_LISTS)
		bad("too many", arg);
	list[(*n)++] = arg;
}

static void take_option(struct options *o, int c, const char *arg)
{
	switch (c) {
	case O_HELP: fputs(usage_text, stdout); exit(0);
	case O_VERSION: o->version = arg; break;
	case O_HOSTNAME: o->hostname = arg; break;
	case O_HOSTS: o->hosts = arg; break;
	case O_MASTER_HOST: o->master_host = arg; break;
	case O_CREDENTIALS: o->credentials = arg; break;
	case O_PORTS_FILE: o->ports_file = arg; break;
	case O_LEADER:
		o->leader = strcmp(arg, "none") ? (int)number(arg, 99) : -1;
		break;
	case O_WHITELIST:
		take_list_option(o->whitelist, &o->n_whitelist, arg);
		break;
	case O_BLACKHOLE:
		take_list_option(o->blackhole, &o->n_blackhole, arg);
		break;
	default:
		take_size_option(o, c, arg);
	}
}

static void take_options(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){ .masters = 1, .agents = 3, .frameworks = 5,
		.port = 5050, .agents_port = -1, .version = "1.11",
		.hostname = "agent%03d.example.com",
		.master_host = "127.0.0.1", .interval = 5, .heartbeat = 15,
		.failed = 0.1, .killed = 0.04, .lost = 0.01, .seed = 1,
		.cpus = 64, .max_completed = 1000 };
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		take_option(o, c, optarg);
	if (optind < argc)
		bad("not an option", argv[optind]);
	if (o->masters == 0 || o->frameworks == 0 || o->max_completed == 0 ||
	    o->leader >= (int)o->masters)
		bad("too few", "masters, frameworks or completed tasks");
}

/* ---- Set-up ------------------------------------------------------------- */

/* "1.11" or "1.11.0": 111, and the whole text. */
static void set_version(struct cluster *c, const char *text)
{
	static char whole[32];
	int major, minor, patch = 0;

	if (sscanf(text, "%d.%d.%d", &major, &minor, &patch) < 2 ||
	    major < 0 || minor < 0 || minor > 99 || major > 1)
		bad("not a version", text);
	snprintf(whole, sizeof(whole), "%d.%d.%d", major, minor, patch);
	c->version = 100 * major + minor;
	c->version_text = whole;
}

/* FORMAT has one %d or %03d, or it is the name of the only agent. */
static void format_host(char *to, size_t size, const char *format, size_t i)
{
	const char *percent = strchr(format, '%');
	int width = 0, used = 0;

	if (!percent) {
		snprintf(to, size, "%s", format);
		return;
	}
	sscanf(percent + 1, "%d%n", &width, &used);
	if (percent[1 + used] != 'd' || strchr(percent + 1 + used, '%'))
		bad("not a format with one %d", format);
	snprintf(to, size, "%.*s%0*zu%s", (int)(percent - format), format,
		 width, i, percent + used + 2);
}

static void add_hosts(struct cluster *c, const char *path)
{
	char line[300];
	FILE *f = fopen(path, "r");

	if (!f)
		bad(path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line)
			cluster_register(c, cluster_add_agent(c, line));
	}
	fclose(f);
}

static void add_agents(struct cluster *c, const struct options *o)
{
	char host[300];
	struct agent *a;
	size_t i;

	if (o->hosts)
		add_hosts(c, o->hosts);
	for (i = 0; !o->hosts && i < o->agents; i++) {
		format_host(host, sizeof(host), o->hostname, i);
		cluster_register(c, cluster_add_agent(c, host));
	}
	for (i = 0; i < o->n_blackhole; i++) {
		a = cluster_find_agent(c, o->blackhole[i]);
		if (!a)
			bad("no such agent", o->blackhole[i]);
		a->blackhole = true;
	}
}

static char *basic(const char *credentials)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = strlen(credentials), i;
	struct buf b = { 0 };

	buf_str(&b, "Basic ");
	for (i = 0; i < n; i += 3) {
		unsigned int x = 0;
		size_t k;

		for (k = 0; k < 3; k++)
			x = x << 8 | (i + k < n ?
				      (unsigned char)credentials[i + k] : 0);
		for (k = 0; k < 4; k++)
			buf_char(&b, i + k > n ? '=' :
				 digits[x >> (18 - 6 * k) & 63]);
	}
	buf_char(&b, '\0');
	return b.at;
}

static void cluster_said(void *arg, enum cluster_event ev, const void *about)
{
	struct sim *sim = arg;

	if (sim->leader)
		subscribers_tell(sim->leader, ev, about);
}

static void set_up_cluster(struct sim *sim, const struct options *o)
{
	struct cluster *c = &sim->cluster;

	set_version(c, o->version);
	c->seed = o->seed;
	c->agent_cpus = o->cpus;
	c->failed_share = o->failed;
	c->killed_share = o->killed;
	c->lost_share = o->lost;
	c->heartbeat = o->heartbeat;
	c->max_done = o->max_completed;
	answers_prepare(c->version);
	calls_prepare(c->version);
	agent_prepare(c->version);
	cluster_init(c, o->frameworks);
	add_agents(c, o);
	sim->empty = snapshot_empty();
	churn_init(&sim->churn, c);
}

static void set_up_masters(struct sim *sim, const struct options *o)
{
	size_t i;
	int rc;

	sim->masters = sim_calloc(o->masters, sizeof(*sim->masters));
	for (i = 0; i < o->masters; i++) {
		struct master *m = &sim->masters[i];
		size_t list = i < o->n_whitelist ? i : o->n_whitelist - 1;

		m->sim = sim;
		m->index = i;
		m->info.host = o->master_host;
		sim->n_masters++;
		whitelist_init(&m->whitelist, o->n_whitelist ?
			       o->whitelist[list] : NULL);
		rc = master_start(m, o->port ? o->port + (int)i : 0);
		if (rc)
			bad("cannot listen", uv_strerror(rc));
	}
	if (o->leader < 0)
		return;
	sim->leader = &sim->masters[o->leader];
	sim->leader->info.elected_time = now_seconds();
}

static void set_up_agents(struct sim *sim, const struct options *o)
{
	size_t i;
	int rc = 0;

	sim->n_doors = o->agent_ports < sim->cluster.n_agents ?
		o->agent_ports : sim->cluster.n_agents;
	sim->doors = sim_calloc(sim->n_doors, sizeof(*sim->doors));
	for (i = 0; i < sim->n_doors && rc == 0; i++) {
		sim->doors[i].sim = sim;
		sim->doors[i].agent = i;
		rc = agentd_start(&sim->doors[i],
				  o->agent_port ? o->agent_port + (int)i : 0);
	}
	if (rc == 0 && o->agents_port >= 0)
		rc = agentd_start_all(sim, o->agents_port);
	if (rc == 0)
		rc = control_start(sim, o->control);
	if (rc)
		bad("cannot listen", uv_strerror(rc));
}

/* ---- Clocks ------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
	struct sim *sim = timer->data;
	uint64_t now = uv_now(&sim->loop);

	if (sim->leader)
		churn_step(&sim->churn, &sim->leader->whitelist,
			   (double)(now - sim->ticked) / 1000);
	sim->ticked = now;
}

static void on_whitelist(uv_timer_t *timer)
{
	struct sim *sim = timer->data;
	size_t i;

	for (i = 0; i < sim->n_masters; i++)
		whitelist_read(&sim->masters[i].whitelist);
}

static void on_heartbeat(uv_timer_t *timer)
{
	struct sim *sim = timer->data;

	if (sim->leader)
		subscribers_heartbeat(sim->leader);
}

static void stop(struct sim *sim)
{
	size_t i;

	if (sim->stopping)
		return;
	sim->stopping = true;
	for (i = 0; i < sim->n_masters; i++)
		http_close(sim->masters[i].server);
	for (i = 0; i < sim->n_doors; i++)
		http_close(sim->doors[i].server);
	http_close(sim->all.server);
	http_close(sim->control);
	uv_close((uv_handle_t *)&sim->tick, NULL);
	uv_close((uv_handle_t *)&sim->heartbeat, NULL);
	uv_close((uv_handle_t *)&sim->whitelist, NULL);
	uv_close((uv_handle_t *)&sim->term, NULL);
	uv_close((uv_handle_t *)&sim->interrupt, NULL);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	(void)signum;
	stop(handle->data);
}

static void start_timer(struct sim *sim, uv_timer_t *timer, uv_timer_cb cb, double seconds)
{
	uint64_t ms = (uint64_t)(seconds * 1000);

	uv_timer_init(&sim->loop, timer);
	timer->data = sim;
	uv_timer_start(timer, cb, ms ? ms : 1, ms ? ms : 1);
}

static void start_clocks(struct sim *sim, const struct options *o)
{
	sim->ticked = uv_now(&sim->loop);
	start_timer(sim, &sim->tick, on_tick, TICK / 1000.0);
	start_timer(sim, &sim->whitelist, on_whitelist, o->interval);
	start_timer(sim, &sim->heartbeat, on_heartbeat, o->heartbeat);
	uv_signal_init(&sim->loop, &sim->term);
	uv_signal_init(&sim->loop, &sim->interrupt);
	sim->term.data = sim->interrupt.data = sim;
	uv_signal_start(&sim->term, on_signal, SIGTERM);
	uv_signal_start(&sim->interrupt, on_signal, SIGINT);
}

/* ---- Ports -------------------------------------------------------------- */

static void write_ports(const struct sim *sim, FILE *f)
{
	size_t i;

	for (i = 0; i < sim->n_masters; i++)
		fprintf(f, "master %zu 127.0.0.1:%d\n", i,
			sim->masters[i].info.port);
	fprintf(f, "control 127.0.0.1:%d\n", http_port(sim->control));
	if (sim->all.server)
		fprintf(f, "agents 127.0.0.1:%d\n",
			http_port(sim->all.server));
	for (i = 0; i < sim->n_doors; i++)
		fprintf(f, "agent %s 127.0.0.1:%d\n",
			sim->cluster.agents[sim->doors[i].agent].host,
			http_port(sim->doors[i].server));
	fputs("ready\n", f);
	fflush(f);
}

/* Renamed into place, so that who sees it sees all of it. */
static void tell_ports(const struct sim *sim, const char *path)
{
	char tmp[4096];
	FILE *f;

	if (path) {
		snprintf(tmp, sizeof(tmp), "%s.new", path);
		f = fopen(tmp, "w");
		if (!f)
			bad(tmp, strerror(errno));
		write_ports(sim, f);
		fclose(f);
		if (rename(tmp, path))
			bad(path, strerror(errno));
	}
	write_ports(sim, stdout);
}

static void release(struct sim *sim)
{
	size_t i;

	for (i = 0; i < sim->n_masters; i++) {
		modes_free(&sim->masters[i].modes);
		stats_free(&sim->masters[i].stats);
		whitelist_free(&sim->masters[i].whitelist);
	}
	for (i = 0; i < sim->n_doors; i++) {
		modes_free(&sim->doors[i].modes);
		stats_free(&sim->doors[i].stats);
	}
	modes_free(&sim->all.modes);
	stats_free(&sim->all.stats);
	free(sim->masters);
	free(sim->doors);
	free(sim->authorization);
	snapshot_put(sim->empty);
	churn_free(&sim->churn);
	cluster_free(&sim->cluster);
}

int main(int argc, char **argv)
{
	static struct sim sim;
	struct options o;
	int rc;

	take_options(&o, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&sim.loop);
	set_up_cluster(&sim, &o);
	set_up_masters(&sim, &o);
	set_up_agents(&sim, &o);
	sim.authorization = o.credentials ? basic(o.credentials) : NULL;
	churn_fill(&sim.churn, sim.leader ? &sim.leader->whitelist : NULL,
		   o.tasks, o.completed);
	sim.churn.rate = o.churn;
	sim.cluster.event = cluster_said;
	sim.cluster.event_arg = &sim;
	start_clocks(&sim, &o);
	tell_ports(&sim, o.ports_file);
	uv_run(&sim.loop, UV_RUN_DEFAULT);
	release(&sim);
	rc = uv_loop_close(&sim.loop);
	if (rc)
		fprintf(stderr, "satellite-sim: %s\n", uv_strerror(rc));
	return rc ? 1 : 0;
}

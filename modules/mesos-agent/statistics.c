/* SPDX-License-Identifier: Apache-2.0 */
/* statistics - what a Mesos agent's containers use, out of its monitor/statistics. */
#include <errno.h>
#include <string.h>

#include "figures.h"
#include "statistics.h"

/* The name of the fourth of the pressures is mesos_exporter's mistake. */
const struct statistic statistics_all[STATISTICS] = {
	{ "processes", "mesos_agent_processes", true, "processes" },
	{ "threads", "mesos_agent_threads", true, "threads" },
	{ "cpus_limit", "mesos_agent_cpus_limit", true, "CPUs that it may use" },
	{ "cpus_system_time_secs", "mesos_agent_cpu_system_seconds_total", false, "seconds of CPU in the kernel" },
	{ "cpus_user_time_secs", "mesos_agent_cpu_user_seconds_total", false, "seconds of CPU of its own" },
	{ "cpus_throttled_time_secs", "mesos_agent_cpu_throttled_seconds_total", false, "seconds it was held back" },
	{ "cpus_nr_periods", "mesos_agent_cpu_nr_periods_total", false, "periods of its share of CPU" },
	{ "cpus_nr_throttled", "mesos_agent_cpu_nr_throttled_total", false, "of these, those it was held back in" },
	{ "mem_anon_bytes", "mesos_agent_mem_anon_bytes", true, "bytes of memory of its own" },
	{ "mem_limit_bytes", "mesos_agent_mem_limit_bytes", true, "bytes of memory that it may use" },
	{ "mem_rss_bytes", "mesos_agent_mem_rss_bytes", true, "bytes of resident memory" },
	{ "mem_total_bytes", "mesos_agent_mem_total_bytes", true, "bytes of memory" },
	{ "mem_cache_bytes", "mesos_agent_mem_cache_bytes", true, "bytes of files kept in memory" },
	{ "mem_swap_bytes", "mesos_agent_mem_swap_bytes", true, "bytes swapped out" },
	{ "mem_file_bytes", "mesos_agent_mem_file_bytes", true, "bytes of files in memory" },
	{ "mem_mapped_file_bytes", "mesos_agent_mem_mapped_file_bytes", true, "bytes of mapped files" },
	{ "mem_unevictable_bytes", "mesos_agent_mem_unevictable_bytes", true, "bytes that cannot be swapped out" },
	{ "mem_low_pressure_counter", "mesos_agent_mem_low_pressure_counter", false, "times memory was short" },
	{ "mem_medium_pressure_counter", "mesos_agent_mem_medium_pressure_counter", false,
	  "times memory was shorter" },
	{ "mem_critical_pressure_counter", "mesos_agent_critical_low_pressure_counter", false,
	  "times memory was very short" },
	{ "disk_limit_bytes", "mesos_agent_disk_limit_bytes", true, "bytes of disk that it may use" },
	{ "disk_used_bytes", "mesos_agent_disk_used_bytes", true, "bytes of disk" },
	{ "net_rx_bytes", "mesos_agent_network_receive_bytes_total", false, "bytes that came" },
	{ "net_rx_dropped", "mesos_agent_network_receive_dropped_total", false, "packets that came, and were dropped" },
	{ "net_rx_errors", "mesos_agent_network_receive_errors_total", false, "packets that came broken" },
	{ "net_rx_packets", "mesos_agent_network_receive_packets_total", false, "packets that came" },
	{ "net_tx_bytes", "mesos_agent_network_transmit_bytes_total", false, "bytes that went" },
	{ "net_tx_dropped", "mesos_agent_network_transmit_dropped_total", false, "packets dropped on their way out" },
	{ "net_tx_errors", "mesos_agent_network_transmit_errors_total", false, "packets that could not go" },
	{ "net_tx_packets", "mesos_agent_network_transmit_packets_total", false, "packets that went" },
};

struct reading {
	void (*found)(void *arg, const struct container *c);
	void *arg;
	struct container c;
	char container[sizeof(((struct container *)0)->id)];
	unsigned left_out;
};

/* A list of containers, an object each, in which `statistics` is one. */
static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	struct reading *r = arg;

	switch (level) {
	case 0:
		return list ? SAT_JSON_ENTER : -EBADMSG;
	case 1:
		r->c = (struct container){ .known = 0 };
		r->container[0] = '\0';
		return list ? SAT_JSON_SKIP : SAT_JSON_ENTER;
	default:
		return level == 2 && !list && strcmp(key, "statistics") == 0 ? SAT_JSON_ENTER : SAT_JSON_SKIP;
	}
}

static void copy(char *to, size_t size, const struct sat_json_value *v)
{
	size_t n = v->len < size ? v->len : size - 1;

	if (v->kind != SAT_JSON_TEXT || memchr(v->text, '\0', n) != NULL)
		n = 0;
	memcpy(to, v->text, n);
	to[n] = '\0';
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct reading *r = arg;

	if (level == 0)
		return -EBADMSG;
	if (level == 2 && strcmp(key, "executor_id") == 0)
		copy(r->c.id, sizeof(r->c.id), v);
	else if (level == 2 && strcmp(key, "container_id") == 0)
		copy(r->container, sizeof(r->container), v);
	else if (level == 2 && strcmp(key, "framework_id") == 0)
		copy(r->c.framework, sizeof(r->c.framework), v);
	else if (level == 2 && strcmp(key, "source") == 0)
		copy(r->c.source, sizeof(r->c.source), v);
	for (unsigned i = 0; level == 3 && i < STATISTICS; i++)
		if (strcmp(key, statistics_all[i].field) == 0 && figures_number(v, &r->c.value[i]))
			r->c.known |= 1u << i;
	return 0;
}

static int close_part(void *arg, unsigned level)
{
	struct reading *r = arg;

	if (level != 1 || r->c.known == 0)
		return 0;
	if (r->c.id[0] == '\0')	/* no executor's, but one that somebody launched by itself */
		memcpy(r->c.id, r->container, sizeof(r->c.id));
	if (r->c.id[0] != '\0')
		r->found(r->arg, &r->c);
	else
		r->left_out++;
	return 0;
}

int statistics_read(const char *text, size_t len, void (*found)(void *arg, const struct container *c), void *arg,
		    unsigned *left_out)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value, .close = close_part,
	};
	struct reading r = { .found = found, .arg = arg };
	char error[100];
	int rc = sat_json_read(text, len, &calls, &r, error, sizeof(error));

	if (left_out != NULL)
		*left_out = r.left_out;
	return rc == 0 || rc == -ENOMEM ? rc : -EBADMSG;
}

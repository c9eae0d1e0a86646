/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flood - writes events for `satellite replay`, as JSON lines.
 *
 * flood SECONDS RATE HOSTS
 *
 * RATE events a second of the events' time, of HOSTS hosts with ten services
 * each; one in a hundred is of a job that comes once and is never seen again.
 * Every ten seconds comes {service "soak/tick"}.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252u;

static unsigned chance(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % n);
}

static void line(double at, unsigned hosts, unsigned long i)
{
	static const char *const services[] = {
		"free memory in MB", "free swap in MB", "percentage used of /", "load average", "ssh",
		"number of processes", "ntp", "total-tasks-failed", "total-tasks-finished", "total-tasks-started",
	};
	unsigned which = chance(1000);
	const char *is = which < 985 ? "ok" : which < 995 ? "warning" : "critical";

	if (chance(100) == 0)
		printf("{\"time\": %.6f, \"host\": \"h%u\", \"service\": \"job %lu\", \"state\": \"ok\", "
		       "\"metric\": %u, \"ttl\": 20}\n", at, chance(hosts), i, chance(100));
	else
		printf("{\"time\": %.6f, \"host\": \"h%u\", \"service\": \"mesos/slave/%s\", \"state\": \"%s\", "
		       "\"metric\": %u.%u, \"ttl\": 120, \"tags\": [\"rack%u\"]}\n", at, chance(hosts),
		       services[chance(10)], is, chance(1000), chance(10), chance(40));
}

int main(int argc, char **argv)
{
	unsigned long seconds = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long rate = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned hosts = argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

	if (seconds == 0 || rate == 0 || hosts == 0) {
		fputs("usage: flood SECONDS RATE HOSTS\n", stderr);
		return 2;
	}
	for (unsigned long i = 0; i < seconds * rate; i++) {
		if (i % (10 * rate) == 0)
			printf("{\"time\": %lu, \"host\": \"soak\", \"service\": \"soak/tick\", \"ttl\": 300}\n", i / rate);
		line((double)i / (double)rate, hosts, i);
	}
	printf("{\"time\": %lu, \"host\": \"soak\", \"service\": \"soak/tick\", \"ttl\": 300}\n", seconds);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zkset - a bare client: how many nodes ZooKeeper sets in a second, pipelined.
 *
 * zkset HOSTS NODES SECONDS: sets /zkset/agentN, NODES of them in turn, DEPTH
 * under way, each of a record's size.  Prints sets a second.
 */
#define THREADED			/* the synchronous calls, too */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

enum { DEPTH = 500, BYTES = 700 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t room = PTHREAD_COND_INITIALIZER;
static unsigned under_way;
static unsigned long done, failed;

static void answered(int rc)
{
	pthread_mutex_lock(&lock);
	under_way--;
	done += rc == ZOK;
	failed += rc != ZOK && rc != ZNODEEXISTS;
	pthread_cond_signal(&room);
	pthread_mutex_unlock(&lock);
}

static void created(int rc, const char *path, const void *data)
{
	(void)path, (void)data;
	answered(rc);
}

static void set(int rc, const struct Stat *stat, const void *data)
{
	(void)stat, (void)data;
	answered(rc);
}

/* Until fewer than this are under way. */
static void wait_for(unsigned n)
{
	pthread_mutex_lock(&lock);
	while (under_way >= n)
		pthread_cond_wait(&room, &lock);
	under_way += n > 1;
	pthread_mutex_unlock(&lock);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nothing(zhandle_t *zh, int type, int state, const char *path, void *context)
{
	(void)zh, (void)type, (void)state, (void)path, (void)context;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 3 ? (unsigned)atoi(argv[2]) : 0;
	static char value[BYTES];
	char path[64];
	double began;
	zhandle_t *zh;

	zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
	zh = n > 0 ? zookeeper_init(argv[1], nothing, 10000, NULL, NULL, 0) : NULL;
	if (zh == NULL) {
		fprintf(stderr, "usage: zkset HOSTS NODES SECONDS\n");
		return 2;
	}
	for (int i = 0; i < 100 && zoo_state(zh) != ZOO_CONNECTED_STATE; i++)
		usleep(100000);
	memset(value, 'x', sizeof(value));
	zoo_create(zh, "/zkset", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
	for (unsigned i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/zkset/agent%u", i);
		wait_for(DEPTH);
		zoo_acreate(zh, path, value, BYTES, &ZOO_OPEN_ACL_UNSAFE, 0, created, NULL);
	}
	wait_for(1);
	done = 0;
	began = now();
	for (unsigned i = 0; now() - began < atof(argv[3]); i++) {
		snprintf(path, sizeof(path), "/zkset/agent%u", i % n);
		wait_for(DEPTH);
		zoo_aset(zh, path, value, BYTES, -1, set, NULL);
	}
	wait_for(1);
	printf("%.0f\n", (double)done / (now() - began));
	zookeeper_close(zh);
	return failed > 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* account - how much memory each kind of thing holds, and the most that it may. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"

/* Sixteenths: most of what a master knows is events, the index's and windows'. */
static const int sixteenths[ACCOUNT_N] = {
	[ACCOUNT_BUFFERS] = 2, [ACCOUNT_QUEUES] = 1, [ACCOUNT_RINGS] = 1, [ACCOUNT_EVENTS] = 8, [ACCOUNT_FORKS] = 4,
};

_Atomic int64_t account_shares[ACCOUNT_N] = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };

void account_limit(int64_t max)
{
	for (unsigned i = 0; i < ACCOUNT_N; i++)
		atomic_store_explicit(&account_shares[i], max / 16 * sixteenths[i], memory_order_relaxed);
	self_set(SELF_MEMORY_MAX, max);
}

/* ---- What modules hold -------------------------------------------------- */

int sat_reserve(struct sat_self *self, enum sat_account account, size_t bytes)
{
	int64_t share = atomic_load_explicit(&account_shares[account], memory_order_relaxed);
	_Atomic int64_t *held = &self_host.counters[SELF_MEMORY_BUFFERS + account];
	bool never = bytes > (size_t)share;
	int64_t n = never ? 0 : (int64_t)bytes;

	if (never || atomic_fetch_add_explicit(held, n, memory_order_relaxed) > share - n) {
		atomic_fetch_sub_explicit(held, n, memory_order_relaxed);
		self_add(SELF_MEMORY_REFUSED, 1);
		return never ? -EMSGSIZE : -ENOBUFS;
	}
	atomic_fetch_add_explicit(&self->held[account], n, memory_order_relaxed);
	return 0;
}

void sat_release(struct sat_self *self, enum sat_account account, size_t bytes)
{
	atomic_fetch_sub_explicit(&self->held[account], (int64_t)bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(&self_host.counters[SELF_MEMORY_BUFFERS + account], (int64_t)bytes,
				  memory_order_relaxed);
}

void account_forget(struct sat_self *self)
{
	for (unsigned i = 0; i < SELF_ACCOUNTS; i++) {
		int64_t n = atomic_load_explicit(&self->held[i], memory_order_relaxed);

		sat_release(self, (enum sat_account)i, (size_t)n);
	}
}

/* ---- How much there is -------------------------------------------------- */

/* The number that a file begins with; INT64_MAX: none ("max"), or no such file. */
static int64_t number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	long long n = 0;

	if (f == NULL)
		return INT64_MAX;
	if (fscanf(f, "%lld", &n) != 1 || n <= 0)
		n = INT64_MAX;
	fclose(f);
	return n;
}

/* The least of a group and of those it is in.  In a container its path may be that
 * outside, of which only the last of these is there to see. */
static int64_t group_limit(const char *root, const char *folder, char *path, const char *file)
{
	char full[PATH_MAX];
	int64_t least = INT64_MAX, n;
	char *slash;

	do {
		slash = strrchr(path, '/');
		snprintf(full, sizeof(full), "%s/sys/fs/cgroup%s%s/%s", root, folder,
			 strcmp(path, "/") == 0 ? "" : path, file);
		n = number_in(full);
		least = n < least ? n : least;
		if (slash != NULL)
			*slash = '\0';
	} while (slash != NULL);
	return least;
}

/* "0::PATH" is of version 2, "N:memory:PATH" of version 1. */
static int64_t line_limit(const char *root, char *line)
{
	char *path = strchr(line, ':');

	line[strcspn(line, "\n")] = '\0';
	if (path == NULL)
		return INT64_MAX;
	if (strncmp(path, "::/", 3) == 0)
		return group_limit(root, "", path + 2, "memory.max");
	if (strncmp(path, ":memory:/", 9) == 0)
		return group_limit(root, "/memory", path + 8, "memory.limit_in_bytes");
	return INT64_MAX;
}

static int64_t groups_limit(const char *root)
{
	char path[PATH_MAX], line[PATH_MAX];
	int64_t least = INT64_MAX, n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		n = line_limit(root, line);
		least = n < least ? n : least;
	}
	if (f != NULL)
		fclose(f);
	return least;
}

int64_t account_default(const char *root)
{
	int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), least = groups_limit(root);

	if (all <= 0)
		all = INT64_C(4) << 30;		/* nobody says */
	least = (least < all ? least : all) / 4;
	return least > ACCOUNT_LEAST ? least : ACCOUNT_LEAST;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_account - the shares of memory-max, what modules reserve of them, and how much memory there is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "account.h"

#define MIB (INT64_C(1) << 20)

static char name[] = "riemann";
static struct sat_self self = { .name = name };

static int begin(void **unused)
{
	(void)unused;
	account_limit(16 * MIB);
	for (unsigned i = 0; i < SELF_N; i++)
		if (i != SELF_MEMORY_MAX)
			self_set((enum self_count)i, 0);
	return 0;
}

static void a_share_is_no_more_than_it_is(void **unused)
{
	(void)unused;
	assert_int_equal(self_get(SELF_MEMORY_MAX), 16 * MIB);
	assert_int_equal(sat_reserve(&self, SAT_BUFFERS, 2 * MIB), 0);
	assert_int_equal(sat_reserve(&self, SAT_BUFFERS, 1), -ENOBUFS);
	assert_int_equal(sat_reserve(&self, SAT_QUEUES, MIB + 1), -EMSGSIZE);
	assert_int_equal(sat_reserve(&self, SAT_RINGS, SIZE_MAX), -EMSGSIZE);
	assert_int_equal(self_get(SELF_MEMORY_REFUSED), 3);
	assert_int_equal(self_get(SELF_MEMORY_BUFFERS), 2 * MIB);
	assert_int_equal(self_get(SELF_MEMORY_QUEUES), 0);
	/* Another's is its own. */
	assert_int_equal(sat_reserve(&self, SAT_QUEUES, MIB), 0);
	sat_release(&self, SAT_BUFFERS, 10);
	assert_int_equal(sat_reserve(&self, SAT_BUFFERS, 10), 0);
	sat_release(&self, SAT_BUFFERS, 2 * MIB);
	assert_int_equal(self_get(SELF_MEMORY_BUFFERS), 0);
	account_forget(&self);
}

static void what_an_instance_leaves_is_given_back(void **unused)
{
	struct sat_self other = { .name = name };

	(void)unused;
	assert_int_equal(sat_reserve(&self, SAT_QUEUES, 1000), 0);
	assert_int_equal(sat_reserve(&other, SAT_QUEUES, 500), 0);
	assert_int_equal(sat_reserve(&self, SAT_RINGS, 7), 0);
	sat_release(&self, SAT_QUEUES, 100);
	account_forget(&self);
	assert_int_equal(self_get(SELF_MEMORY_QUEUES), 500);
	assert_int_equal(self_get(SELF_MEMORY_RINGS), 0);
	account_forget(&other);
	assert_int_equal(self_get(SELF_MEMORY_QUEUES), 0);
}

static void less_than_is_held_takes_nothing_more(void **unused)
{
	(void)unused;
	assert_int_equal(sat_reserve(&self, SAT_BUFFERS, 2 * MIB), 0);
	account_limit(8 * MIB);
	account_limit(16 * MIB);
	account_limit(8 * MIB);
	assert_int_equal(sat_reserve(&self, SAT_BUFFERS, 1), -ENOBUFS);
	sat_release(&self, SAT_BUFFERS, MIB + 1);
	assert_int_equal(sat_reserve(&self, SAT_BUFFERS, 1), 0);
	account_forget(&self);
}

static void the_host_asks_for_parts(void **unused)
{
	(void)unused;
	account_add(ACCOUNT_EVENTS, 7 * MIB);
	assert_true(account_has_room(ACCOUNT_EVENTS, MIB, 16));
	assert_false(account_has_room(ACCOUNT_EVENTS, MIB + 1, 16));
	assert_true(account_has_room(ACCOUNT_EVENTS, 0, 14));
	assert_false(account_has_room(ACCOUNT_EVENTS, 1, 14));
	account_add(ACCOUNT_EVENTS, -7 * MIB);
	assert_int_equal(self_get(SELF_MEMORY_EVENTS), 0);
}

/* ---- How much there is -------------------------------------------------- */

static char root[] = "/tmp/test_account.XXXXXX";

static void put(const char *path, const char *text)
{
	char full[256], *p;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (p = full + strlen(root); (p = strchr(p + 1, '/')) != NULL; *p = '/') {
		*p = '\0';
		mkdir(full, 0700);
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int begin_root(void **unused)
{
	(void)unused;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	return mkdtemp(root) != NULL ? 0 : -1;
}

static int end_root(void **unused)
{
	char line[256];

	(void)unused;
	snprintf(line, sizeof(line), "rm -rf %s", root);
	return system(line);
}

static void nobody_limits_it(void **unused)
{
	int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	(void)unused;
	assert_int_equal(account_default(root), all / 4);
	put("proc/self/cgroup", "0::/system.slice/x.service\n");
	assert_int_equal(account_default(root), all / 4);
	put("sys/fs/cgroup/system.slice/x.service/memory.max", "max\n");
	assert_int_equal(account_default(root), all / 4);
}

static void the_least_of_its_groups_does(void **unused)
{
	(void)unused;
	put("proc/self/cgroup", "1:cpu:/\n0::/system.slice/x.service\n");
	put("sys/fs/cgroup/system.slice/x.service/memory.max", "400000000\n");
	assert_int_equal(account_default(root), 100000000);
	put("sys/fs/cgroup/system.slice/memory.max", "200000000\n");
	assert_int_equal(account_default(root), 50000000);
	put("sys/fs/cgroup/memory.max", "100000000\n");
	assert_int_equal(account_default(root), 25000000);
	put("sys/fs/cgroup/memory.max", "1000\n");
	assert_int_equal(account_default(root), ACCOUNT_LEAST);
}

static void the_first_version_of_groups_counts_too(void **unused)
{
	(void)unused;
	put("proc/self/cgroup", "no colon\n5:cpu:/\n4:memory:/docker/0123\n0::/\n");
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "400000000\n");
	assert_int_equal(account_default(root), 100000000);
	put("sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes", "80000000\n");
	assert_int_equal(account_default(root), 20000000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_share_is_no_more_than_it_is, begin),
		cmocka_unit_test_setup(what_an_instance_leaves_is_given_back, begin),
		cmocka_unit_test_setup(less_than_is_held_takes_nothing_more, begin),
		cmocka_unit_test_setup(the_host_asks_for_parts, begin),
		cmocka_unit_test_setup_teardown(nobody_limits_it, begin_root, end_root),
		cmocka_unit_test_setup_teardown(the_least_of_its_groups_does, begin_root, end_root),
		cmocka_unit_test_setup_teardown(the_first_version_of_groups_counts_too, begin_root, end_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

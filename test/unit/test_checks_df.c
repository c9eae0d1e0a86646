/* SPDX-License-Identifier: Apache-2.0 */
/* test_checks_df - which file systems are asked, those that hang, and those that are read-only. */
#include <pthread.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "unit/bed.h"

extern const struct sat_module sat_module_checks;

static char path[] = "/tmp/test_checks_df.XXXXXX";

/* ---- statvfs(), as far as the check is concerned ------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static bool held;		/* what begins with /hang does */
static char asked[1024];	/* in any order, each with a blank behind it */
static int calls, inside;

int statvfs(const char *restrict name, struct statvfs *restrict fs)
{
	bool bad = strncmp(name, "/bad", 4) == 0, closed = strncmp(name, "/closed", 7) == 0;

	pthread_mutex_lock(&lock);
	snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s ", name);
	calls++;
	inside++;
	while (held && strncmp(name, "/hang", 5) == 0)
		pthread_cond_wait(&released, &lock);
	inside--;
	pthread_mutex_unlock(&lock);
	memset(fs, 0, sizeof(*fs));
	errno = bad ? EIO : EACCES;
	return bad || closed ? -1 : 0;
}

static void hold(bool how)
{
	pthread_mutex_lock(&lock);
	held = how;
	pthread_cond_broadcast(&released);
	pthread_mutex_unlock(&lock);
}

static int now(const int *which)
{
	int n;

	pthread_mutex_lock(&lock);
	n = *which;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Whether it was asked, once; forgets it all with NULL. */
static bool was_asked(const char *name)
{
	char word[64];
	bool is;

	pthread_mutex_lock(&lock);
	snprintf(word, sizeof(word), "%s ", name != NULL ? name : "");
	is = strstr(asked, word) != NULL;
	if (name == NULL)
		asked[0] = '\0';
	pthread_mutex_unlock(&lock);
	return is;
}

static int up(void **unused)
{
	(void)unused;
	hold(false);
	was_asked(NULL);
	calls = 0;
	bed_up(&sat_module_checks);
	return 0;
}

static int down(void **unused)
{
	(void)unused;
	hold(false);
	do	/* what came late is freed on the loop */
		bed_run_for(50);
	while (now(&inside) > 0);
	bed_down();
	return 0;
}

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void build(const char *check, const char *settings)
{
	char list[512];

	bed_end_checks();
	snprintf(list, sizeof(list), "{ check = \"%s\"; file = \"%s\"; interval = 0.2; ttl = 60; %s }", check, path,
		 settings);
	assert_non_null(bed_build("", list));
}

static const struct sat_event *look(const char *check, const char *settings)
{
	build(check, settings);
	bed_wait(1);
	return bed.seen[0];
}

static void expect(const struct sat_event *ev, const char *state, int64_t metric, const char *text)
{
	assert_string_equal(ev->description, text);
	assert_string_equal(ev->state, state);
	assert_int_equal(ev->metric.i, metric);
}

/* ---- Which are asked ----------------------------------------------------- */

#define MOUNTS \
	"20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n" \
	"21 20 0:4 / /proc rw - proc proc rw\n" \
	"22 20 0:5 / /auto rw - autofs systemd-1 rw\n" \
	"23 20 8:2 / /with\\040blank rw master:1 propagate_from:2 - xfs /dev/sdb rw\n" \
	"24 20 8:2 /part /bind ro - xfs /dev/sdb rw\n" \
	"25 20 0:30 / /nfs rw - nfs4 server:/export rw\n"

static void each_file_system_that_df_lists_is_asked_once(void **unused)
{
	(void)unused;
	put(MOUNTS);
	expect(look("df-returns", ""), "ok", 0, "3 file systems answer");
	assert_string_equal(bed.seen[0]->service, "df returns in timely fashion");
	assert_true(was_asked("/"));
	assert_true(was_asked("/with blank"));
	assert_true(was_asked("/nfs"));
	assert_int_equal(calls, 3);
	was_asked(NULL);
	expect(look("df-returns", "path = ( \"/bind\", \"/auto\" );"), "ok", 0, "2 file systems answer");
	assert_true(was_asked("/bind"));
	assert_true(was_asked("/auto"));
}

/* 31 lies on the root of 30; 32, and with it 33, under a later mount of the folder above. */
static void what_lies_under_another_mount_is_not_asked(void **unused)
{
	(void)unused;
	put("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 20 8:3 / /twice rw - ext4 /dev/sdc rw\n"
	    "31 30 8:4 / /twice rw - ext4 /dev/sdd rw\n32 20 8:5 / /top/sub rw - ext4 /dev/sde rw\n"
	    "33 32 8:6 / /top/sub/bad rw - ext4 /dev/sdf rw\n34 20 8:7 / /top rw - ext4 /dev/sdg rw\n"
	    "35 20 8:8 / /topper rw - ext4 /dev/sdh rw\n");
	expect(look("df-returns", ""), "ok", 0, "4 file systems answer");
	assert_true(was_asked("/twice"));
	assert_true(was_asked("/top"));
	assert_true(was_asked("/topper"));
	assert_int_equal(calls, 4);
}

static void one_that_fails_is_named_with_its_errno(void **unused)
{
	(void)unused;
	put(MOUNTS "40 20 9:1 / /bad rw - ext4 /dev/sdz rw\n41 20 9:2 / /closed rw - fuse.x x rw\n");
	expect(look("df-returns", ""), "critical", EIO, "/bad: Input/output error");
	expect(look("df-returns", "path = \"/closed\";"), "critical", EACCES, "/closed: Permission denied");
	put(MOUNTS "41 20 9:2 / /closed rw - fuse.x x rw\n");
	expect(look("df-returns", ""), "ok", 0, "4 file systems answer");
}

static void what_is_no_mountinfo_is_critical(void **unused)
{
	(void)unused;
	put("20 1 8:1 / / rw\n");
	assert_string_equal(look("df-returns", "")->state, "critical");
	assert_non_null(strstr(bed.seen[0]->description, path));
	assert_string_equal(look("read-only-mounts", "")->state, "critical");
	unlink(path);
	assert_string_equal(look("df-returns", "")->state, "critical");
	assert_non_null(strstr(bed.seen[0]->description, "No such file"));
}

/* ---- Those that hang ----------------------------------------------------- */

static void one_that_hangs_is_named_and_not_asked_again(void **unused)
{
	int before;

	(void)unused;
	hold(true);
	put(MOUNTS "40 20 9:1 / /hang rw - nfs4 gone:/x rw\n");
	build("df-returns", "timeout = 0.15;");
	bed_wait(1);
	expect(bed.seen[0], "critical", ETIMEDOUT, "/hang: no answer in 0.15 s");
	before = now(&calls);
	assert_int_equal(before, 4);
	while (bed.n < 3)
		bed_turn();
	expect(bed.seen[2], "critical", ETIMEDOUT, "/hang: no answer in 0.15 s");
	assert_int_equal(now(&calls), before + 2 * 3);	/* the others alone */
	hold(false);
	while (strcmp(bed.seen[bed.n - 1]->state, "ok") != 0)
		bed_turn();
	expect(bed.seen[bed.n - 1], "ok", 0, "4 file systems answer");
}

/* A server of many mounts is gone: four threads wait for it at a time, and all are named in the end. */
static void many_that_hang_take_few_threads_at_a_time(void **unused)
{
	char text[1024] = MOUNTS;

	(void)unused;
	hold(true);
	for (int i = 0; i < 6; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d 20 9:%d / /hang%d rw - nfs4 gone:/x rw\n",
			 50 + i, i, i);
	put(text);
	build("df-returns", "timeout = 0.5;");
	checks_adopt(bed.checks, NULL);
	while (now(&inside) < 4)
		bed_run_for(10);
	bed_run_for(100);
	assert_int_equal(now(&inside), 4);
	while (bed.n < 1)
		bed_turn();
	assert_non_null(strstr(bed.seen[0]->description, "/hang3: no answer in 0.5 s; 2 wait for their turn"));
	while (strstr(bed.seen[bed.n - 1]->description, "/hang5: no answer in 0.5 s") == NULL)
		bed_turn();
	assert_null(strstr(bed.seen[bed.n - 1]->description, "turn"));
	assert_true(bed.n <= 6);
}

/* Others run on meanwhile; and an entry may go while its threads are lost. */
static void one_that_hangs_delays_no_other_check(void **unused)
{
	char list[512];

	(void)unused;
	hold(true);
	put(MOUNTS "40 20 9:1 / /hang rw - nfs4 gone:/x rw\n");
	bed_end_checks();
	snprintf(list, sizeof(list), "{ check = \"df-returns\"; file = \"%s\"; interval = 5; timeout = 5; }, "
		 "{ check = \"percentage-used\"; path = \"/x\"; interval = 0.1; }, "
		 "{ check = \"load-average\"; interval = 0.1; }", path);
	assert_non_null(bed_build("", list));
	bed_wait(10);
	for (int i = 0; i < bed.n; i++)
		assert_string_not_equal(bed.seen[i]->service, "df returns in timely fashion");
}

/* ---- Those that are read-only -------------------------------------------- */

#define READ_ONLY \
	"26 20 8:9 / /data ro,relatime - ext4 /dev/sdi ro,errors=remount-ro\n" \
	"27 20 7:1 / /snap/x ro - squashfs /dev/loop1 ro\n28 20 0:40 / /run/x ro - tmpfs tmpfs ro\n"

static void those_of_a_device_are_not_to_be_read_only(void **unused)
{
	(void)unused;
	put(MOUNTS);
	expect(look("read-only-mounts", ""), "ok", 0, "none is read-only");
	assert_string_equal(bed.seen[0]->service, "read-only mounts");
	put(MOUNTS READ_ONLY);
	expect(look("read-only-mounts", ""), "critical", 1, "/data is read-only");
	expect(look("read-only-mounts", "except = ( \"/data\" );"), "ok", 0, "none is read-only");
	expect(look("read-only-mounts", "path = ( \"/bind/x\", \"/run/x\", \"/home\" );"), "critical", 2,
	       "/bind/x, /run/x are read-only");
	expect(look("read-only-mounts", "path = \"/datab\";"), "ok", 0, "none is read-only");
}

/* ---- What fails ---------------------------------------------------------- */

static void mistakes_are_refused(void **unused)
{
	(void)unused;
	assert_null(bed_build("", "{ check = \"df-returns\"; path = ( \"/\", \"x\" ); }, "
				  "{ check = \"read-only-mounts\"; path = \"x\"; }, "
				  "{ check = \"read-only-mounts\"; path = \"/x\"; except = \"/y\"; service = \"z\"; }"));
	assert_int_equal(conf_mistakes(), 3);
}

static void survive(const char *check)
{
	int nth = 0, fired;

	do {
		build(check, "");
		fault_arm(++nth);
		checks_adopt(bed.checks, NULL);
		for (int i = 0; i < 21 && bed.n == 0; i++)
			bed_run_for(10);
		fired = fault_fired();
		fault_arm(0);
	} while (fired && nth < 100);
	assert_true(nth > 3);
}

static void every_failure_is_survived(void **unused)
{
	(void)unused;
	put(MOUNTS READ_ONLY);
	survive("df-returns");
	survive("read-only-mounts");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_file_system_that_df_lists_is_asked_once),
		TEST(what_lies_under_another_mount_is_not_asked),
		TEST(one_that_fails_is_named_with_its_errno),
		TEST(what_is_no_mountinfo_is_critical),
		TEST(one_that_hangs_is_named_and_not_asked_again),
		TEST(many_that_hang_take_few_threads_at_a_time),
		TEST(one_that_hangs_delays_no_other_check),
		TEST(those_of_a_device_are_not_to_be_read_only),
		TEST(mistakes_are_refused),
		TEST(every_failure_is_survived),
	};
	int rc;

	close(mkstemp(path));
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}

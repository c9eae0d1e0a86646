/* SPDX-License-Identifier: Apache-2.0 */
/* test_forward_spool - what waits on disk: files that are torn, damaged, full; and a sender that has them. */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/masters.h"
#include "../../modules/forward/disk.h"

static char folder[64];		/* of the spool */
static char own[128];		/* of a master's, in it */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

static int up_with_folder(void **unused)
{
	strcpy(folder, "/tmp/test_forward_spool.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(own, sizeof(own), "%s/m1", folder);
	how.spool = folder;
	how.spool_max = 1 << 20;
	how.queue = 1000;
	return up(unused);
}

static int down_with_folder(void **unused)
{
	int rc = down(unused);

	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}

/* ---- The files ---------------------------------------------------------- */

static struct disk *disk;
static size_t found;

static void disk_up(size_t expected)
{
	disk = disk_new(own, how.spool_max);
	assert_int_equal(disk_open(disk, &found), 0);
	assert_int_equal(found, expected);
}

static void disk_down(void)
{
	disk_free(disk);
}

/* Records from first on, each of some bytes. */
static int append(int first, int n, size_t bytes, size_t *dropped)
{
	struct sat_buf b = { 0 };
	char text[70000];
	int rc;

	memset(text, 'x', sizeof(text));
	for (int i = first; i < first + n; i++) {
		struct parcel *p = parcel_new(text, bytes);

		if (p == NULL)
			break;
		memcpy(p->bytes, &i, sizeof(i));
		disk_record(&b, p, 5000 + i, 70000 + i);
		parcel_unref(p);
	}
	rc = b.len > 0 && !b.full ? disk_append(disk, &b, (size_t)n, dropped) : -ENOMEM;
	sat_buf_free(&b);
	return rc;
}

/* Up to so many; these must be first and so on.  How many there were; *end: the place behind the last. */
static size_t read_some(int first, size_t most, uint64_t *end)
{
	struct record *r = calloc(most, sizeof(*r));
	size_t n, lost;

	assert_non_null(r);
	assert_int_equal(disk_read(disk, r, most, &n, &lost), 0);
	assert_int_equal(lost, 0);
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(r[i].parcel->bytes, &(int){ first + (int)i }, sizeof(int));
		assert_int_equal(r[i].until, 5000 + first + (int)i);
		assert_int_equal(r[i].wall, 70000 + first + (int)i);
		*end = r[i].end;
		parcel_unref(r[i].parcel);
	}
	free(r);
	return n;
}

static void read_all(int first, int n)
{
	uint64_t end;
	size_t more;

	while (n > 0 && (more = read_some(first, 100, &end)) > 0) {
		first += (int)more;
		n -= (int)more;
	}
	assert_int_equal(n, 0);
	assert_int_equal(read_some(first, 1, &end), 0);
}

/* The path of the nth segment, by number, from 0. */
static const char *segment(unsigned nth)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%010u.spool", own, (1u << 30) + nth);
	return path;
}

static void what_is_written_is_read_in_order_also_by_the_next(void **unused)
{
	size_t dropped;

	(void)unused;
	disk_up(0);
	assert_int_equal(append(0, 10, 100, &dropped), 0);
	assert_int_equal(append(10, 1, 65000, &dropped), 0);
	assert_int_equal(append(11, 2, 5, &dropped), 0);
	assert_int_equal(dropped, 0);
	read_all(0, 13);
	assert_int_equal(append(13, 2, 200, &dropped), 0);
	read_all(13, 2);
	disk_down();
	disk_up(15);
	assert_int_equal(append(15, 2, 200, &dropped), 0);
	read_all(0, 17);
	disk_down();
}

static void one_folder_is_one_process_s(void **unused)
{
	struct disk *other = disk_new(own, 1 << 20);

	(void)unused;
	disk_up(0);
	assert_int_equal(disk_open(other, &found), -EWOULDBLOCK);
	disk_down();
	assert_int_equal(disk_open(other, &found), 0);
	disk_free(other);
}

static void what_is_forgotten_does_not_come_again(void **unused)
{
	uint64_t end;
	size_t dropped;

	(void)unused;
	disk_up(0);
	append(0, 10, 30000, &dropped);		/* several segments */
	append(10, 10, 30000, &dropped);
	append(20, 10, 30000, &dropped);
	for (size_t at = 0; at < 13; )
		at += read_some((int)at, at < 10 ? 10 - at : 13 - at, &end);
	assert_int_equal(disk_forget(disk, end), 0);
	assert_int_not_equal(access(segment(0), F_OK), 0);
	disk_down();
	disk_up(17);
	read_all(13, 17);
	assert_int_equal(disk_forget(disk, 0), 0);
	disk_down();
	disk_up(17);
	for (size_t at = 13; at < 30; )
		at += read_some((int)at, 30 - at, &end);
	assert_int_equal(disk_forget(disk, end), 0);
	assert_int_equal(disk_bytes(disk), 0);
	append(30, 1, 10, &dropped);		/* a number that there was before, maybe */
	disk_down();
	disk_up(1);
	read_all(30, 1);
	disk_down();
}

static void what_is_put_in_front_comes_first(void **unused)
{
	struct sat_buf b = { 0 };
	struct parcel *p = parcel_new(&(int){ -1 }, sizeof(int));
	uint64_t end;
	size_t dropped;

	(void)unused;
	disk_up(0);
	append(0, 5, 10, &dropped);
	assert_int_equal(read_some(0, 2, &end), 2);
	assert_int_equal(disk_forget(disk, end), 0);
	disk_record(&b, p, 4999, 69999);
	assert_int_equal(disk_prepend(disk, &b, 1), 0);
	disk_down();
	disk_up(4);
	assert_int_equal(read_some(-1, 1, &end), 1);
	assert_int_equal(disk_forget(disk, end), 0);
	assert_int_equal(read_some(2, 1, &end), 1);
	disk_down();
	disk_up(3);	/* what was forgotten of the second is still known */
	read_all(2, 3);
	disk_down();
	sat_buf_free(&b);
	parcel_unref(p);
}

static void the_oldest_go_when_it_is_full(void **unused)
{
	size_t sum = 0, dropped;

	(void)unused;
	disk_up(0);
	for (int i = 0; i < 400; i++) {
		assert_int_equal(append(i, 1, 10000, &dropped), 0);
		sum += dropped;
		assert_true(disk_bytes(disk) <= how.spool_max);
	}
	assert_in_range(sum, 290, 320);
	read_all((int)sum, 400 - (int)sum);
	disk_down();
	how.spool_max = 60000;
	disk_up(400 - sum);
	assert_int_equal(append(0, 1, 65000, &dropped), -EFBIG);
	assert_int_equal(append(0, 1, 6500, &dropped), 0);
	assert_in_range(dropped, 400 - sum - 5, 400 - sum);	/* all but a part of the last */
	disk_down();
}

/* Cut anywhere, the records before that are good, and those that are written then. */
static void a_torn_record_is_dropped(void **unused)
{
	size_t dropped;
	struct stat st;

	(void)unused;
	disk_up(0);
	append(0, 5, 40, &dropped);
	disk_down();
	stat(segment(0), &st);
	for (off_t len = st.st_size - 1; len > 64; len--) {
		size_t whole = (size_t)(len - 64) / 64;

		assert_int_equal(truncate(segment(0), len), 0);
		disk_up(whole);
		assert_int_equal(disk_damaged(disk), (size_t)(len - 64) % 64);
		if (whole == 0)
			break;
		read_all(0, (int)whole);
		disk_down();
	}
	assert_int_equal(append(0, 1, 40, &dropped), 0);
	read_all(0, 1);
	disk_down();
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	char c;

	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 0x10;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/* Whichever byte it is, what is not as it was written is not taken for an event. */
static void a_byte_that_changed_is_noticed(void **unused)
{
	size_t dropped, n, lost;
	struct record r[8];

	(void)unused;
	disk_up(0);
	append(0, 3, 40, &dropped);
	disk_down();
	for (off_t at = 64 + 64; at < 64 + 2 * 64; at++) {
		flip(segment(0), at);
		disk_up(1);
		disk_down();
		flip(segment(0), at);
	}
	disk_up(3);
	flip(segment(0), 64 + 70);	/* while it is open */
	assert_int_equal(disk_read(disk, r, 8, &n, &lost), 0);
	assert_int_equal(n, 1);
	parcel_unref(r[0].parcel);
	assert_int_equal(disk_read(disk, r, 8, &n, &lost), 0);
	assert_int_equal(n, 0);
	assert_int_equal(lost, 2);
	disk_down();
}

static void after_another_boot_the_wall_counts(void **unused)
{
	size_t dropped, n, lost;
	struct record r;

	(void)unused;
	disk_up(0);
	append(0, 1, 40, &dropped);
	disk_down();
	flip(segment(0), 30);		/* of the boot's id */
	disk_up(1);
	assert_int_equal(disk_read(disk, &r, 1, &n, &lost), 0);
	assert_true(r.until == INT64_MIN);
	assert_int_equal(r.wall, 70000);
	parcel_unref(r.parcel);
	disk_down();
}

static void each_call_may_fail(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < 2; kind++) {
		int nth = 0, fired;

		do {
			size_t dropped = 0, n = 0, lost = 0;
			struct record r[4];
			int rc, put = 0;

			nftw(own, remove_one, 8, FTW_DEPTH | FTW_PHYS);
			disk = disk_new(own, 1 << 20);
			assert_non_null(disk);
			(kind == 0 ? fault_arm : fault_arm_call)(++nth);
			rc = disk_open(disk, &found);
			for (int i = 0; rc == 0 && i < 3; i++)
				put += append(i, 1, 40, &dropped) == 0;
			if (rc == 0)
				disk_read(disk, r, 4, &n, &lost);
			fired = fault_fired();
			fault_arm(0);
			fault_arm_call(0);
			for (size_t i = 0; i < n; i++)
				parcel_unref(r[i].parcel);
			assert_true(fired || put == 3);
			disk_close(disk);
			assert_int_equal(disk_open(disk, &found), 0);
			assert_int_equal(found, put);	/* what was written whole, no more */
			disk_free(disk);
		} while (fired && nth < 40);
		assert_in_range(nth, 3, 39);
	}
}

/* ---- With a sender ------------------------------------------------------ */

static int64_t numbers[20000];
static size_t n_numbers, before;

static void write_down(const struct sat_event *ev)
{
	if (n_numbers < sizeof(numbers) / sizeof(*numbers))
		numbers[n_numbers++] = ev->metric.i;
}

static void put_numbers(int from, int to)
{
	for (int i = from; i < to; i++) {
		struct event *ev = event_copy(&(struct sat_event){ .size = sizeof(struct sat_event), .host = "h",
			.service = "s", .has = SAT_HAS_INT | SAT_HAS_TTL, .metric.i = i, .ttl = 60 });

		if (ev == NULL)
			continue;
		sender_put(sender, &ev->pub);
		sat_drop(&ev->pub);
	}
}

/* Each of them once, in order, and no other since `before`. */
static void got(int from, int to)
{
	for (int i = from; i < to; i++)
		assert_int_equal(numbers[before++], i);
	assert_int_equal(n_numbers, before);
}

static void await(size_t n)
{
	wait_for(&n_numbers, before + n);
}

/* What is on disk stays queued. */
static void stop_sender(size_t kept)
{
	bool done = false;

	counts_add_up();
	sender_stop(sender, bed_done, &done);
	bed_run(&done);
	sender_free(sender);
	assert_int_equal(counted(COUNT_QUEUED), kept);
	counts_add_up();
}

/* It is bound until the next one is, so that no other program is given it; who listens there may bind it, too. */
static int port_of_nobody(void)
{
	static int nobody = -1;
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int yes = 1;

	if (nobody >= 0)
		close(nobody);
	nobody = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(nobody, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	loopback(&addr, 0);
	assert_int_equal(bind(nobody, (struct sockaddr *)&addr, sizeof(struct sockaddr_in)), 0);
	assert_int_equal(getsockname(nobody, (struct sockaddr *)&addr, &len), 0);
	return port_of(&addr);
}

/* The door of before. */
static void master_back(enum manner manner, int port)
{
	next_port = port;
	master_up(&masters[0], manner);
	next_port = 0;
}

static void start(void)
{
	heard_event = write_down;
	n_numbers = before = 0;
}

static void what_waits_survives_a_stop(void **unused)
{
	int port = port_of_nobody();

	(void)unused;
	start();
	sender_up(port, 0);
	put_numbers(0, 300);
	bed_run_for(100);
	put_numbers(300, 900);
	bed_run_for(1500);
	put_numbers(900, 950);
	stop_sender(950);
	assert_int_equal(counted(COUNT_DROPPED), 0);
	sender_up(port, 0);			/* one that sends nothing, again */
	bed_run_for(300);
	put_numbers(950, 960);
	stop_sender(960 + 950);
	sender_up(port, 0);
	master_back(ACKS, port);
	bed_run_for(50);
	put_numbers(960, 1000);
	await(1000);
	put_numbers(1000, 1010);
	await(1010);
	got(0, 1010);
	bed_run_for(2200);
	assert_int_equal(counted(COUNT_RESTORED), 950 + 960);
	assert_int_equal(counted(COUNT_ACKNOWLEDGED), 1010);
	assert_int_equal(counted(COUNT_SENT), 1010);
	stop_sender(950 + 960);
	sender_up(port, 0);			/* nothing comes again */
	put_numbers(1010, 1011);
	await(1);
	got(1010, 1011);
	stop_sender(950 + 960);
	assert_int_equal(counted(COUNT_SPOOL_ERRORS), 0);
	master_down(&masters[0]);
}

/* More than the queue holds: none is lost, and memory holds no more. */
static void a_small_queue_and_a_large_spool_lose_nothing(void **unused)
{
	int port = port_of_nobody();

	(void)unused;
	start();
	how.queue = 600;
	sender_up(port, 0);
	for (int i = 0; i < 5000; i += 500) {
		put_numbers(i, i + 500);
		bed_run_for(1100);
	}
	assert_int_equal(counted(COUNT_QUEUED), 5000);
	assert_int_equal(counted(COUNT_DROPPED), 0);
	master_back(ACKS, port);
	await(5000);
	put_numbers(5000, 5100);
	await(5100);
	got(0, 5100);
	wait_till_empty();
	stop_sender(0);
	master_down(&masters[0]);
}

/* It takes events, and answers too late for a small queue. */
static void a_slow_master_loses_nothing(void **unused)
{
	(void)unused;
	start();
	how.queue = 200;
	how.ack_timeout = 60 * SAT_SECOND;
	master_up(&masters[0], SILENT);
	sender_up(masters[0].port, 0);
	for (int i = 0; i < 1000; i += 100) {
		put_numbers(i, i + 100);
		bed_run_for(300);
	}
	assert_int_equal(n_numbers, 10 * DEPTH);
	bed_run_for(1200);
	hang_up(&masters[0]);
	masters[0].manner = ACKS;
	n_numbers = before = 0;
	await(1000);
	got(0, 1000);
	assert_int_equal(counted(COUNT_DROPPED), 0);
	how.ack_timeout = SAT_SECOND;
	stop_sender(0);
	master_down(&masters[0]);
}

/* Those under way that nobody answered come first the next time, too. */
static void a_stop_amid_all_of_it_keeps_the_order(void **unused)
{
	int port;

	(void)unused;
	start();
	how.queue = 200;
	how.ack_timeout = 60 * SAT_SECOND;
	master_up(&masters[0], SILENT);
	port = masters[0].port;
	sender_up(port, 0);
	for (int i = 0; i < 600; i += 100) {
		put_numbers(i, i + 100);
		bed_run_for(300);
	}
	stop_sender(600);
	n_numbers = before = 0;
	masters[0].manner = ACKS;
	sender_up(port, 0);
	await(600);
	got(0, 600);
	how.ack_timeout = SAT_SECOND;
	wait_till_empty_of(600);
	stop_sender(600);
	assert_int_equal(counted(COUNT_DROPPED), 0);
	master_down(&masters[0]);
}

static void late_ones_are_dropped_on_their_way_back(void **unused)
{
	int port = port_of_nobody();

	(void)unused;
	start();
	sender_up(port, 0);
	put(20, 0.5);
	put_numbers(0, 5);
	bed_run_for(1500);
	master_back(ACKS, port);
	await(5);
	got(0, 5);
	wait_till_empty();
	assert_int_equal(counted(COUNT_EXPIRED), 20);
	stop_sender(0);
	master_down(&masters[0]);
}

/* It cannot be made, or nothing can be written: the queue in memory is as without. */
static void a_spool_that_fails_is_only_counted(void **unused)
{
	char file[128];
	int port = port_of_nobody(), fd;

	(void)unused;
	start();
	snprintf(file, sizeof(file), "%s/file", folder);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	how.spool = file;
	how.queue = 100;
	sender_up(port, 0);
	put_numbers(0, 150);
	bed_run_for(100);
	assert_int_equal(counted(COUNT_DROPPED), 50);
	assert_int_equal(counted(COUNT_SPOOL_ERRORS), 1);
	master_back(ACKS, port);
	await(100);
	got(50, 150);
	wait_till_empty();
	stop_sender(0);
	master_down(&masters[0]);
}

/* A second sender, as at a reload, waits for the first; what that leaves comes first. */
static void the_next_sender_takes_over_in_order(void **unused)
{
	int port = port_of_nobody();
	bool done = false;
	struct sender *old;

	(void)unused;
	start();
	sender_up(port, 0);
	put_numbers(0, 100);
	bed_run_for(100);
	old = sender;
	sender_up(port, 0);
	put_numbers(100, 120);
	bed_run_for(100);
	sender_stop(old, bed_done, &done);
	bed_run(&done);
	sender_free(old);
	master_back(ACKS, port);
	await(120);
	got(0, 120);
	wait_till_empty_of(100);
	stop_sender(100);
	assert_int_equal(counted(COUNT_SENT), 120);
	master_down(&masters[0]);
}

static void every_failure_is_survived(void **unused)
{
	(void)unused;
	start();
	for (int kind = 0; kind < 2; kind++) {
		int nth = 0, fired;

		do {
			char name[32];
			const char *list[] = { name, NULL };
			int port = port_of_nobody(), rc;
			bool done = false;

			snprintf(name, sizeof(name), "127.0.0.1:%d", port);
			(kind == 0 ? fault_arm : fault_arm_call)(++nth);
			sender = sender_new(&bed.self, &how, list, NULL, NULL, &rc);
			fired = fault_fired();
			if (sender == NULL)
				continue;
			rc = keep_events();
			fired = fault_fired();
			if (rc != 0) {
				sender_free(sender);
				continue;
			}
			sender_start(sender);
			bed_run_for(20);
			put_numbers(0, 3);
			bed_run_for(20);
			fired = fault_fired();
			fault_arm(0);
			fault_arm_call(0);
			counts_add_up();
			sender_stop(sender, bed_done, &done);
			bed_run(&done);
			sender_free(sender);
			counts_add_up();
		} while (fired && nth < 60);
		assert_in_range(nth, 3, 59);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up_with_folder, down_with_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read_in_order_also_by_the_next),
		TEST(one_folder_is_one_process_s),
		TEST(what_is_forgotten_does_not_come_again),
		TEST(what_is_put_in_front_comes_first),
		TEST(the_oldest_go_when_it_is_full),
		TEST(a_torn_record_is_dropped),
		TEST(a_byte_that_changed_is_noticed),
		TEST(after_another_boot_the_wall_counts),
		TEST(each_call_may_fail),
		TEST(what_waits_survives_a_stop),
		TEST(a_small_queue_and_a_large_spool_lose_nothing),
		TEST(a_slow_master_loses_nothing),
		TEST(a_stop_amid_all_of_it_keeps_the_order),
		TEST(late_ones_are_dropped_on_their_way_back),
		TEST(a_spool_that_fails_is_only_counted),
		TEST(the_next_sender_takes_over_in_order),
		TEST(every_failure_is_survived),
	};

	signal(SIGPIPE, SIG_IGN);	/* as the program does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}

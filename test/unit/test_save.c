/* SPDX-License-Identifier: Apache-2.0 */
/* test_save - what is saved in slices is of one moment, whatever happens meanwhile; and all or nothing of it. */
#include "state.h"
#include "unit/host.h"

enum { HOSTS = 400, RECORDS = 20000 };

static const char text[] = "modules = (); streams = ( \"index\", { by = \"host\"; do = ("
	"{ changed = \"state\"; do = { coalesce = 3; do = \"bit-bucket\"; }; }, { throttle = 2; dt = 4; } ); },"
	"{ changed = \"state\"; do = { batch = 7; dt = 3; do = \"bit-bucket\"; }; } );";

/* The records of a file, by their bytes: kind and contents. */
struct record { uint32_t kind; size_t n; void *p; };
struct records { struct record v[RECORDS]; size_t n; };

static struct records wanted, got;
static char path[80];
static unsigned random_state;

static unsigned any(unsigned n)
{
	random_state = random_state * 1103515245 + 12345;
	return random_state / 65536 % n;
}

static void note(void *arg, uint32_t kind, const void *p, size_t n)
{
	struct records *r = arg;

	assert_true(r->n < RECORDS);
	r->v[r->n] = (struct record){ kind, n, malloc(n + 1) };
	memcpy(r->v[r->n++].p, p, n);
}

static int by_bytes(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (x->kind != y->kind || x->n != y->n)
		return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : (x->n < y->n ? -1 : 1);
	return memcmp(x->p, y->p, x->n);
}

static void forget(struct records *r)
{
	while (r->n > 0)
		free(r->v[--r->n].p);
}

static void compare(void)
{
	qsort(wanted.v, wanted.n, sizeof(wanted.v[0]), by_bytes);
	qsort(got.v, got.n, sizeof(got.v[0]), by_bytes);
	assert_int_equal(got.n, wanted.n);
	for (size_t i = 0; i < got.n; i++)
		assert_int_equal(by_bytes(&got.v[i], &wanted.v[i]), 0);
	forget(&wanted);
	forget(&got);
}

static void emit(void)
{
	static const char *const states[] = { "ok", "bad", "worse" };
	char host[16], service[16];

	snprintf(host, sizeof(host), "h%u", any(HOSTS));
	snprintf(service, sizeof(service), "s%u", any(4));
	sat_emit(&self_host, .host = host, .service = service, .state = any(30) == 0 ? "expired" : states[any(3)],
		 .ttl = any(20), .has = SAT_HAS_TTL);
}

static void fill(void)
{
	for (int i = 0; i < 4000; i++)
		emit();
	engine_run();
	engine_run();
}

static void read_file(void)
{
	unsigned bad;

	assert_int_equal(state_read(path, note, &got, &bad), 0);
	assert_int_equal(bad, 0);
}

/* What the index and the streams know now, in one go. */
static void dump(void)
{
	struct sat_buf file = { .max = 1 << 28 };
	unsigned bad;

	assert_int_equal(save_dump(&file), 0);
	assert_int_equal(state_parse(file.p, file.len, note, &wanted, &bad), 0);
	sat_buf_free(&file);
}

/* Until it has ended, one way or the other. */
static bool is_saved(void)
{
	for (int i = 0; save_busy() && i < 100000; i++) {
		host_turn();
		usleep(100);
	}
	return !save_busy();
}

static void begin(void)
{
	random_state = 1;
	snprintf(path, sizeof(path), "%s/slices", host_folder);
	unlink(path);
	save_budget(0);
	host_up();
	assert_true(host_run(text));
	fill();
}

/* Events, expiries, timers, forks that come and are dropped, and a reload, between any two slices. */
static void all_is_of_the_moment_it_began(void **unused)
{
	unsigned turns;

	(void)unused;
	begin();
	for (int round = 0; round < 3; round++) {
		dump();
		assert_true(wanted.n > 1000);
		assert_int_equal(save_later(path), 0);
		assert_int_equal(save_later(path), -EALREADY);
		for (turns = 0; save_busy() && turns < 5; turns++) {
			for (int i = 0; i < 200; i++)
				emit();
			host_skip(turns == 3 ? 25 : 1);
			if (round == 2 && turns == 1)
				assert_true(host_run(text));
		}
		assert_true(turns > 2);		/* or nothing came between its slices */
		assert_true(is_saved());
		read_file();
		compare();
	}
	assert_false(host_down());
}

static void one_that_is_given_up_leaves_the_old_file(void **unused)
{
	(void)unused;
	begin();
	dump();
	assert_int_equal(save_now(path), 0);
	fill();
	assert_int_equal(save_later(path), 0);
	for (int i = 0; i < 3; i++)
		host_turn();
	assert_true(save_busy());
	save_stop();
	assert_false(save_busy());
	host_skip(2);
	read_file();
	compare();
	assert_int_equal(save_later("/no/such/folder/state"), 0);
	assert_true(is_saved());
	assert_false(host_down());
}

/* Whatever fails: the old file, or the whole new one. */
static void every_failure_leaves_one_whole_file(void **unused)
{
	int nth = 0, rc;
	bool fired;

	(void)unused;
	begin();
	do {
		fault_arm(++nth);
		rc = save_later(path);
		assert_true(is_saved());
		fired = fault_fired();
		fault_arm(0);
		assert_true(rc == 0 || fired);
		host_turn();
		if (access(path, F_OK) == 0)
			read_file();
		assert_true(got.n == 0 || got.n > 1000);
		forget(&got);
	} while (fired && nth < 400);
	assert_true(nth > 5);
	assert_int_equal(access(path, F_OK), 0);
	assert_false(host_down());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_of_the_moment_it_began),
		cmocka_unit_test(one_that_is_given_up_leaves_the_old_file),
		cmocka_unit_test(every_failure_leaves_one_whole_file),
	};

	return cmocka_run_group_tests(tests, host_begin, host_end);
}

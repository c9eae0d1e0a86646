/* SPDX-License-Identifier: Apache-2.0 */
/* test_http-civetweb_gate - passes: how many there are, and whose one is when its port comes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/http-civetweb/gate.h"
#include "self.h"

enum { PORT = 7 };

static char name[] = "gate";
static struct sat_self self = { .name = name };
static struct gate *g;

static int begin(void **unused)
{
	(void)unused;
	g = gate_new(&self);
	return g != NULL ? 0 : -1;
}

static int end(void **unused)
{
	(void)unused;
	gate_free(g);
	return 0;
}

static uint64_t enters(struct client *c, const char *peer)
{
	char who[GATE_PEER];
	uint64_t number;

	*c = (struct client){ .gate = g, .pass = -1 };
	strcpy(c->peer, peer);
	assert_true(gate_enter(c));
	gate_enters_from(c, PORT);
	number = gate_knows(g, PORT, who);
	assert_string_equal(who, peer);
	return number;
}

/* Who had the port before, and hears of its end late, ends nobody else's. */
static void a_port_that_comes_again_is_another_pass(void **unused)
{
	struct client c;
	uint64_t before = enters(&c, "192.0.2.1"), after;

	(void)unused;
	assert_true(before != 0);
	gate_leave(&c);
	assert_int_equal(gate_knows(g, PORT, c.peer), 0);
	gate_hang_up(g, before);
	after = enters(&c, "192.0.2.2");
	assert_true(after != 0 && after != before);
	gate_hang_up(g, before);
	assert_false(g->passes[c.pass].over);
	gate_hang_up(g, after);
	assert_true(g->passes[c.pass].over);
	gate_leave(&c);
	assert_true(enters(&c, "192.0.2.3") > after);
	assert_false(g->passes[c.pass].over);
}

static void passes_are_counted(void **unused)
{
	static struct client clients[GATE_PASSES];
	struct client late = { .gate = g, .pass = -1 };

	(void)unused;
	for (unsigned i = 0; i < GATE_PASSES; i++) {
		clients[i] = (struct client){ .gate = g, .pass = -1 };
		assert_true(gate_enter(&clients[i]));
	}
	assert_false(gate_enter(&late));
	gate_leave(&clients[5]);
	assert_true(gate_enter(&late));
	assert_int_equal(late.pass, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_port_that_comes_again_is_another_pass, begin, end),
		cmocka_unit_test_setup_teardown(passes_are_counted, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* conf - any text as a configuration: read, judged by a table, written as canonical text. */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"

static const struct sat_option *const inner[] = {
	SAT_OPTION("n", SAT_NUMBER, .fallback = "1.5", .min = 0, .max = 1),
	NULL
};
static const struct sat_option *const table[] = {
	SAT_OPTION("a", SAT_STRING, .required = true),
	SAT_OPTION("b", SAT_INTEGER, .fallback = "2"),
	SAT_OPTION("c", SAT_STRINGS, .fallback = "x y"),
	SAT_OPTION("d", SAT_QUERY),
	SAT_OPTION("e", SAT_GROUP, .fallback = "{}", .inner = inner),
	SAT_OPTION("f", SAT_SECONDS),
	SAT_OPTION("g", SAT_NODES),
	SAT_OPTION("h", SAT_ANY),
	NULL
};

/* libconfig forgets a string that a syntax error interrupts; once, at start, that is no matter. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return log_open("/dev/null", LOG_ERR);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = malloc(n + 1);
	struct sat_buf out = { 0 };
	struct conf *c;

	memcpy(text, p, n);
	text[n] = '\0';
	c = conf_text(text, "/nowhere/fuzz.cfg");
	if (c != NULL) {
		conf_judge(conf_root(c), table, NULL);
		conf_canonical(conf_root(c), NULL, &out);
	}
	sat_buf_free(&out);
	conf_unref(c);
	free(text);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* perfdata - any output as a plugin's: its figures lie in their room, each once, and are what they say. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/command/perfdata.h"

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_text(const char *s)
{
	check(s != NULL && strlen(s) <= 255);
	for (; *s != '\0'; s++)
		check(!iscntrl((unsigned char)*s));
}

static void check_figure(const struct perf *p)
{
	check_text(p->label);
	check_text(p->text);
	check_text(p->unit);
	check_text(p->warning);
	check_text(p->critical);
	check_text(p->min);
	check_text(p->max);
	check(p->label[0] != '\0' && isfinite(p->d));
	if (!p->known)
		check(strcmp(p->text, "U") == 0);
	else
		check(p->unit > p->text && p->unit <= p->text + strlen(p->text));
	if (p->known && p->whole)
		check((double)p->i == p->d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *room;
	struct perf all[PERF_MOST];
	size_t n, refused;

	memcpy(text, data, size);
	text[size] = '\0';
	room = malloc(strlen(text) + 1);
	n = perfdata_read(text, room, all, &refused);
	check(n <= PERF_MOST && n + refused <= size);
	if (strchr(text, '|') == NULL)
		check(n == 0 && refused == 0);
	for (size_t i = 0; i < n; i++) {
		check_figure(&all[i]);
		for (size_t k = 0; k < i; k++)
			check(strcmp(all[i].label, all[k].label) != 0);
	}
	free(room);
	free(text);
	return 0;
}

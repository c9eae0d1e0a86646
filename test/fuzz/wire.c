/* SPDX-License-Identifier: Apache-2.0 */
/* wire - any bytes as a message: refused, or taken in, written and taken in again. */
#include <stdlib.h>
#include <string.h>

#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t lengths(const struct sat_event *ev)
{
	const char *texts[] = { ev->host, ev->service, ev->state, ev->description };
	size_t n = 0;

	for (int i = 0; i < 4; i++)
		n += texts[i] != NULL ? strlen(texts[i]) : 0;
	for (uint32_t i = 0; i < ev->n_tags; i++)
		n += strlen(ev->tags[i]);
	for (uint32_t i = 0; i < ev->n_attrs; i++)
		n += strlen(ev->attrs[i].key) + strlen(ev->attrs[i].value);
	return n;
}

/* Keys that are no ASCII: what is no UTF-8 in them is replaced, and two of an event may become one. */
static bool has_others(const struct wire_msg *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		for (uint32_t k = 0; k < m->events[i].pub.n_attrs; k++)
			for (const char *c = m->events[i].pub.attrs[k].key; *c != '\0'; c++)
				if ((unsigned char)*c >= 0x80)
					return true;
	return false;
}

static void write_and_read(const struct wire_msg *m, size_t n)
{
	const struct sat_event **evs = malloc((m->n + 1) * sizeof(*evs));
	struct arena a = { 0 };
	struct sat_buf b = { 0 };
	struct wire_msg again;
	size_t n_again = 0;

	for (uint32_t i = 0; i < m->n; i++)
		evs[i] = &m->events[i].pub;
	sat_buf_message(&b, evs, m->n);
	if (b.full || wire_decode((uint8_t *)b.p + 4, b.len - 4, &a, &again) != 0 || again.n != m->n)
		abort();
	for (uint32_t i = 0; i < again.n; i++)
		n_again += lengths(&again.events[i].pub);
	if (n_again > n || (n_again < n && !has_others(m)))
		abort();
	free(evs);
	arena_free(&a);
	sat_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct arena a = { 0 };
	struct wire_msg m;
	char error[100];
	size_t n = 0;

	if (size != 0)
		memcpy(copy, data, size);
	sat_answer_parse(copy, size, error, sizeof(error));
	if (wire_decode(copy, size, &a, &m) == 0) {
		for (uint32_t i = 0; i < m.n; i++)
			n += lengths(&m.events[i].pub);
		if (m.query != NULL && strlen(m.query) > size)
			abort();
		write_and_read(&m, n);
	}
	arena_free(&a);
	free(copy);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* attr - sort attributes by key, keep the last of each. */
#include <errno.h>
#include <string.h>

#include "attr.h"

#define FEW 16		/* so many are sorted by insertion */

static void insert_sort(struct sat_attr *attrs, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		struct sat_attr one = attrs[i];
		uint32_t j = i;

		for (; j > 0 && strcmp(attrs[j - 1].key, one.key) > 0; j--)
			attrs[j] = attrs[j - 1];
		attrs[j] = one;
	}
}

static void merge(const struct sat_attr *from, uint32_t half, uint32_t n, struct sat_attr *to)
{
	uint32_t i = 0, j = half;

	while (i < half && j < n)
		*to++ = strcmp(from[i].key, from[j].key) <= 0 ? from[i++] : from[j++];
	memcpy(to, from + i, (half - i) * sizeof(*to));
	memcpy(to + (half - i), from + j, (n - j) * sizeof(*to));
}

/* A sender may make up any number of them: stable, and never quadratic. */
static void merge_sort(struct sat_attr *attrs, struct sat_attr *spare, uint32_t n)
{
	uint32_t half = n / 2;

	if (n <= FEW) {
		insert_sort(attrs, n);
		return;
	}
	merge_sort(attrs, spare, half);
	merge_sort(attrs + half, spare, n - half);
	memcpy(spare, attrs, n * sizeof(*attrs));
	merge(spare, half, n, attrs);
}

int attr_sort(struct arena *a, struct sat_attr *attrs, uint32_t *n)
{
	struct sat_attr *spare = NULL;
	uint32_t kept = 0;

	if (*n > FEW) {
		spare = arena_raw(a, *n * sizeof(*spare));
		if (spare == NULL)
			return -ENOMEM;
	}
	merge_sort(attrs, spare, *n);
	for (uint32_t i = 0; i < *n; i++) {
		bool last = i + 1 == *n || strcmp(attrs[i].key, attrs[i + 1].key) != 0;

		if (last && attrs[i].value != NULL)
			attrs[kept++] = attrs[i];
	}
	*n = kept;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* told - the services that were told of, so that each is retired once it is told of no more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

#include "told.h"

#define SLOTS		(sizeof(((struct told *)0)->slots) / sizeof(struct told_one *))

struct told_one {
	struct told_one *next;
	uint32_t turn;
	unsigned of;
	char service[];
};

void told_begin(struct told *t, unsigned of)
{
	t->turns[of]++;
}

int told_note(struct told *t, unsigned of, const char *service)
{
	struct told_one **at = &t->slots[sat_hash(of, service) % SLOTS], *one;
	size_t n = strlen(service) + 1;

	while (*at != NULL && ((*at)->of != of || strcmp((*at)->service, service) != 0))
		at = &(*at)->next;
	one = *at;
	if (one == NULL) {
		one = t->n < TOLD_MAX ? calloc(1, sizeof(*one) + n) : NULL;
		if (one == NULL)
			return -ENOMEM;
		memcpy(one->service, service, n);
		one->of = of;
		*at = one;
		t->n++;
		t->changed = true;
	}
	one->turn = t->turns[of];
	return 0;
}

void told_end(struct told *t, unsigned of, int (*retire)(void *arg, const char *service), void *arg)
{
	for (size_t i = 0; i < SLOTS; i++)
		for (struct told_one **at = &t->slots[i], *one; (one = *at) != NULL;) {
			if (one->of != of || one->turn == t->turns[of] || retire(arg, one->service) != 0) {
				at = &one->next;
				continue;
			}
			*at = one->next;
			free(one);
			t->n--;
			t->changed = true;
		}
}

void told_each(const struct told *t, void (*found)(void *arg, unsigned of, const char *service), void *arg)
{
	for (size_t i = 0; i < SLOTS; i++)
		for (const struct told_one *one = t->slots[i]; one != NULL; one = one->next)
			found(arg, one->of, one->service);
}

void told_free(struct told *t)
{
	for (size_t i = 0; i < SLOTS; i++)
		for (struct told_one *one = t->slots[i], *next; one != NULL; one = next) {
			next = one->next;
			free(one);
		}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* attr - attributes as they come, made what an event has: sorted by key, each key once. */
#ifndef ATTR_H
#define ATTR_H

#include <satellite/module.h>
#include "arena.h"

/* Of a key given twice the last holds; one whose value is NULL goes.  -ENOMEM. */
int attr_sort(struct arena *a, struct sat_attr *attrs, uint32_t *n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* fault - make the nth allocation from now fail (linked with ld --wrap). */
#include <errno.h>
#include <stddef.h>

#include "unit/fault.h"

static int left, fired;

void fault_arm(int nth)
{
	left = nth;
	fired = 0;
}

int fault_fired(void)
{
	return fired;
}

static int strike(void)
{
	if (left == 0 || --left > 0)
		return 0;
	fired = 1;
	errno = ENOMEM;
	return 1;
}

#define WRAP(name, type, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		return strike() ? NULL : __real_##name args; \
	}

WRAP(malloc, void *, (size_t n), (n))
WRAP(calloc, void *, (size_t n, size_t m), (n, m))
WRAP(realloc, void *, (void *p, size_t n), (p, n))
WRAP(aligned_alloc, void *, (size_t to, size_t n), (to, n))
WRAP(strdup, char *, (const char *s), (s))
